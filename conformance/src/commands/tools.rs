//! `cargo lab roots`, `shell` and `vm`: the lab's parts by hand.

use std::process::ExitCode;

use anyhow::Context;
use conformance::lab::batch::{self, Job, JobEnd};
use conformance::lab::bounded::Ended;
use conformance::lab::enter::Entry;
use conformance::lab::progress::say;
use conformance::lab::vm::Vm;
use conformance::lab::{Lab, Root, Suite};

use super::here::Place;

/// Arguments of `roots`.
#[derive(clap::Args)]
pub struct RootsArguments {
    /// Make (or finish) these roots; without any, list what there is
    make: Vec<Suite>,
}

/// Lists or makes roots.
pub fn roots(arguments: &RootsArguments) -> anyhow::Result<ExitCode> {
    let lab = Lab::open()?;
    for &suite in &arguments.make {
        Root::ready(&lab, suite)?;
    }
    for suite in Suite::ALL {
        match Root::existing(&lab, suite)? {
            Some(root) => println!("{suite:10} {:28} {}", root.release(), root.dir().display()),
            None if lab.root_dir(suite).exists() => println!("{suite:10} unfinished"),
            None => println!("{suite:10} not made"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `shell`.
#[derive(clap::Args)]
pub struct ShellArguments {
    /// The root
    root: Suite,
    /// The command and its words (a shell if there are none)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs a command in a root, in the folder where the user is, with the host's /tmp.
pub fn shell(arguments: &ShellArguments) -> anyhow::Result<ExitCode> {
    let root = Root::ready(&Lab::open()?, arguments.root)?;
    let default = ["bash".to_owned()];
    let command = if arguments.command.is_empty() { &default[..] } else { &arguments.command };
    let (program, words) = command.split_first().context("no command")?;
    let mut entry = Place::here()?.enter(Entry::new(&root));
    if let Some(term) = std::env::var_os("TERM") {
        entry = entry.env("TERM", term);
    }
    let status = entry.command(program, words)?.status().with_context(|| format!("starting {program}"))?;
    Ok(super::exit_code(status.code()))
}

/// Arguments of `vm`.
#[derive(clap::Args)]
pub struct VmArguments {
    /// The root whose kernel is booted
    root: Suite,
    /// Stop the command after so many seconds
    #[arg(long, default_value_t = 300)]
    limit: u64,
    /// The command, run by bash in the VM as root
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<String>,
}

/// Runs one command in the VM of a root and shows what came out.
pub fn vm(arguments: &VmArguments) -> anyhow::Result<ExitCode> {
    let lab = Lab::open()?;
    let root = Root::ready(&lab, arguments.root)?;
    let vm = Vm::prepare(&lab, &root)?;
    say(&format!("booting {} ({:?})", root.release(), vm.accel()));
    let job = Job {
        name: "command".into(),
        command: arguments.command.join(" "),
        files: Vec::new(),
        modules: Vec::new(),
        limit: Some(std::time::Duration::from_secs(arguments.limit)),
        wanted: Vec::new(),
    };
    let results = batch::run(&vm, &[job], |_| {})?;
    let result = results.first().context("the VM returned nothing")?;
    print!("{}", result.stdout);
    eprint!("{}", result.stderr);
    for problem in &result.problems {
        say(&format!("kernel log, {}: {}", problem.kind, problem.line));
    }
    for module in &result.leaked {
        say(&format!("the module {module} stayed loaded"));
    }
    Ok(match &result.end {
        JobEnd::Program(Ended::Exited(code)) => super::exit_code(Some(*code)),
        JobEnd::Program(ended) => {
            say(&ended.to_string());
            ExitCode::FAILURE
        }
        JobEnd::KilledVm { console } => {
            say(&format!("the VM died or hung:\n{console}"));
            ExitCode::FAILURE
        }
    })
}
