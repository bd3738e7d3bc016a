//! `cargo lab run`: one script through all five passes, wherever the parts have to run.

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use conformance::lab::bounded::Ended;
use conformance::lab::enter::Entry;
use conformance::lab::progress::say;
use conformance::lab::recipe::SHARE;
use conformance::lab::vm::Vm;
use conformance::lab::{Lab, Root, Suite, symbols};
use conformance::live::{self, Interrupts, Live};
use conformance::tool::options::StapOptions;
use conformance::tool::{StaprunWords, Tool, build};

use super::here::Place;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Debian to run in: bookworm, trixie or forky
    #[arg(long, default_value_t = Suite::Trixie)]
    root: Suite,
    /// The translator: rstap, or the root's own stap for comparing
    #[arg(long, default_value = "rstap", value_parser = ["rstap", "stap"], hide = true)]
    tool: String,
    /// rstap's options, script and script arguments (these options of the lab go before them)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<String>,
}

/// Runs the script; the status is that of the translator or of pass 5.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::watch()?;
    let lab = Lab::open()?;
    let root = Root::ready(&lab, arguments.root)?;
    let tool = match arguments.tool.as_str() {
        "stap" => Tool::Stap,
        _ => Tool::Rstap { dir: build::rstap()? },
    };
    let scratch = lab.scratch("run")?;
    let boot = symbols::ready(&lab, &root)?;
    let place = Place::here()?;
    let entry = tool.entry(&root).bind_read_only(&boot, symbols::INSIDE).bind(scratch.path(), SHARE);
    let entry = place.enter(entry);
    let options = StapOptions::scan(&arguments.words);
    if !options.runs_script() {
        let mut command = entry.command(tool.program(), &arguments.words)?;
        return Ok(super::exit_code(status_of(&mut command)?));
    }
    let mut passes = tool.build_command(&entry, &arguments.words, SHARE)?;
    // With -p4 the translator prints the module's name, which the user did not ask for.
    passes.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    let finished = passes.output().context("entering the root")?;
    if !finished.status.success() || interrupts.count() > 0 {
        return Ok(super::exit_code(finished.status.code().filter(|&status| status != 0)));
    }
    let stdout = String::from_utf8_lossy(&finished.stdout);
    let cwd = place.inside.to_string_lossy();
    let words = tool.staprun_words(&arguments.words, &stdout, scratch.path(), &cwd)?;
    let module = take_module(&entry, &words, scratch.path())?;
    let input = take_input(&words, scratch.path())?;
    let live = Live {
        words: &words,
        module: &module,
        input: input.as_deref(),
        folder: place.host.as_deref().zip(place.inside.to_str()),
    };
    pass_5(&lab, &root, &live, options.verbose, &interrupts)
}

fn status_of(command: &mut Command) -> anyhow::Result<Option<i32>> {
    Ok(command.status().context("entering the root")?.code())
}

/// Copies the module out of the root's view of the world, whatever is mounted there.
fn take_module(entry: &Entry, words: &StaprunWords, scratch: &Path) -> anyhow::Result<PathBuf> {
    let file = format!("{}.ko", words.module_name());
    let target = format!("{SHARE}/{file}.taken");
    let status = status_of(&mut entry.command("cp", [words.module(), &target])?)?;
    if status != Some(0) {
        bail!("passes 1 to 4 ended well but left no module {}", words.module());
    }
    let taken = scratch.join(&file);
    std::fs::rename(scratch.join(format!("{file}.taken")), &taken).context("taking the module")?;
    Ok(taken)
}

/// What the user hands to the script, or to the command beside it. The VM gets it as a file, so it is read to its end
/// first: not from a terminal, and for a command, which may not want any, from a file only.
fn take_input(words: &StaprunWords, scratch: &Path) -> anyhow::Result<Option<PathBuf>> {
    let stdin = std::io::stdin();
    let is_file = || std::fs::metadata("/proc/self/fd/0").is_ok_and(|data| data.is_file());
    if stdin.is_terminal() || !(words.reads_stdin() || words.runs_command() && is_file()) {
        return Ok(None);
    }
    let path = scratch.join(live::STDIN);
    let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    std::io::copy(&mut stdin.lock(), &mut file).context("reading the standard input")?;
    Ok(Some(path))
}

fn pass_5(
    lab: &Lab,
    root: &Root,
    live: &Live<'_>,
    verbose: usize,
    interrupts: &Interrupts,
) -> anyhow::Result<ExitCode> {
    let vm = Vm::prepare(lab, root)?;
    if verbose > 0 {
        eprintln!("Pass 5: starting run.");
    }
    let run = live::run(&vm, live, interrupts)?;
    if verbose > 0 {
        let times = run.times;
        eprintln!("Pass 5: run completed in {}usr/{}sys/{}real ms.", times.user, times.system, times.real);
    }
    for problem in &run.result.problems {
        say(&format!("kernel log, {}: {}", problem.kind, problem.line));
    }
    for module in &run.result.leaked {
        say(&format!("the module {module} stayed loaded"));
    }
    let ended = match run.result.end {
        conformance::lab::batch::JobEnd::Program(ended) => ended,
        conformance::lab::batch::JobEnd::KilledVm { ref console } => {
            bail!("the VM died or hung; the last lines of its console:\n{console}")
        }
    };
    match ended {
        Ended::Exited(0) if run.result.kernel_is_content() => return Ok(ExitCode::SUCCESS),
        Ended::Exited(0) => say("the kernel complained about the run"),
        Ended::Exited(status) => eprintln!("WARNING: staprun exited with status: {status}"),
        Ended::Signalled(signal) => eprintln!("WARNING: staprun exited with signal: {signal}"),
        Ended::TimedOut => say("the run was stopped"),
    }
    eprintln!("Pass 5: run failed.  [man error::pass5]");
    Ok(ExitCode::FAILURE)
}
