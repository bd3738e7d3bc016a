//! `cargo lab test`: everything that this machine can test, and what it cannot, by name.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite, host};
use conformance::report::{Report, Verdict};
use conformance::tool::{Tool, build};

use super::{cases, round_trip};

/// Arguments of `test`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A root to use; repeatable (all three unless given)
    #[arg(long = "root")]
    roots: Vec<Suite>,
    /// Only the end-to-end cases, not cargo's own checks
    #[arg(long)]
    cases_only: bool,
    /// Write the verdicts as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only cases whose name contains one of these
    filters: Vec<String>,
}

/// Runs all checks; the last line says how many passed, failed and were skipped.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    if !arguments.cases_only {
        for check in checks() {
            report.add(check.name, "host", check.run());
        }
    }
    let suites = crate::chosen(&arguments.roots, &Suite::ALL);
    let cases = cases::load(&arguments.filters)?;
    match (Lab::open(), build::rstap()) {
        (Ok(lab), Ok(dir)) => {
            let tool = Tool::Rstap { dir };
            for suite in suites {
                if !arguments.cases_only {
                    let verdict = match Root::ready(&lab, suite) {
                        Ok(root) => round_trip::of_tapset(&root),
                        Err(error) => Verdict::Skipped(error.to_string()),
                    };
                    report.add("tapset printed and parsed again", suite.name(), verdict);
                }
                cases::run_in(&lab, suite, &tool, &cases, &mut report);
            }
        }
        (lab, rstap) => {
            let why = [lab.err(), rstap.err()].into_iter().flatten().map(|error| error.to_string()).collect();
            report.add("building rstap for the roots", "host", Verdict::Failed(why));
        }
    }
    super::oracle::finish(&report, arguments.json.as_ref())
}

/// One of cargo's own checks.
struct Check {
    name: &'static str,
    /// cargo's words.
    words: &'static [&'static str],
    /// Whether it makes roots and boots VMs.
    needs_root: bool,
}

const FMT: Check = Check { name: "cargo fmt", words: &["fmt", "--all", "--check"], needs_root: false };
const CLIPPY: Check = Check {
    name: "cargo clippy",
    words: &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"],
    needs_root: false,
};
const TEST: Check = Check {
    name: "cargo test",
    words: &["test", "--quiet", "--workspace", "--no-fail-fast"],
    needs_root: false,
};
const NEXTEST: Check = Check {
    name: "cargo nextest",
    words: &["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"],
    needs_root: false,
};
/// nextest does not run the examples in documentation.
const DOCTEST: Check = Check {
    name: "documentation tests",
    words: &["test", "--quiet", "--workspace", "--doc"],
    needs_root: false,
};
const LAB_IN_VMS: Check = Check {
    name: "lab in VMs",
    words: &["test", "--quiet", "--package", "conformance", "--test", "vm", "--", "--ignored"],
    needs_root: true,
};

fn checks() -> Vec<Check> {
    let tests = match host::find_program("cargo-nextest") {
        Some(_) => vec![NEXTEST, DOCTEST],
        None => vec![TEST],
    };
    [vec![FMT, CLIPPY], tests, vec![LAB_IN_VMS]].into_iter().flatten().collect()
}

impl Check {
    fn run(&self) -> Verdict {
        if let (true, Err(error)) = (self.needs_root, host::require_root(self.name)) {
            return Verdict::Skipped(error.to_string());
        }
        say(&format!("cargo {}", self.words.join(" ")));
        let started = Instant::now();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo).current_dir(build::workspace()).args(self.words).status();
        say(&format!("{}: {} s", self.name, started.elapsed().as_secs()));
        match status {
            Ok(status) if status.success() => Verdict::Passed,
            Ok(status) => Verdict::Failed(vec![format!("{status}; its messages are above")]),
            Err(error) => Verdict::Failed(vec![format!("cargo cannot be started: {error}")]),
        }
    }
}
