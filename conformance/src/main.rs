//! The lab command, `cargo lab`: roots, one script through all passes, tests, and comparisons with stap.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use conformance::lab::{LabError, Suite};

/// Runs rstap in Debian roots and microVMs of their kernels, tests it there, and compares it with stap.
#[derive(Parser)]
#[command(name = "cargo lab", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run rstap with these words: passes 1 to 4 in a root, pass 5 in a microVM of its kernel
    Run(commands::run::Arguments),
    /// Run every test that this machine can run
    Test(commands::test::Arguments),
    /// Run the end-to-end cases with the root's own stap
    Oracle(commands::Choice),
    /// Compare rstap with stap on upstream's test scripts
    Suite(commands::suite::Arguments),
    /// Compare rstap with stap on our own command lines: listings and small scripts
    Compare(commands::Choice),
    /// Compare rstap with stap on programs made by chance
    Random(commands::random::Arguments),
    /// Measure rstap and stap side by side
    Bench(commands::bench::Arguments),
    /// List the roots, or make some
    Roots(commands::tools::RootsArguments),
    /// Run a command in a root
    Shell(commands::tools::ShellArguments),
    /// Run a shell command in the VM of a root
    Vm(commands::tools::VmArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Test(arguments) => commands::test::run(&arguments),
        Command::Oracle(arguments) => commands::oracle::run(&arguments),
        Command::Suite(arguments) => commands::suite::run(&arguments),
        Command::Compare(arguments) => commands::compare::run(&arguments),
        Command::Random(arguments) => commands::random::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Roots(arguments) => commands::tools::roots(&arguments),
        Command::Shell(arguments) => commands::tools::shell(&arguments),
        Command::Vm(arguments) => commands::tools::vm(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) if matches!(error.downcast_ref(), Some(LabError::Interrupted)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The suites that the user chose, or `default` when none were.
fn chosen(suites: &[Suite], default: &[Suite]) -> Vec<Suite> {
    if suites.is_empty() { default.to_vec() } else { suites.to_vec() }
}
