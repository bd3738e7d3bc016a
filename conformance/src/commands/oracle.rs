//! `cargo lab oracle`: the cases with the root's own stap, to know that their expectations are stap's behaviour.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use conformance::lab::{Lab, Suite};
use conformance::report::Report;
use conformance::tool::Tool;

use super::{Choice, cases};

/// Runs the cases with stap. With `RSTAP_BLESS` set, what stap printed becomes the expected output of the cases
/// that keep it in a file of its own.
pub fn run(choice: &Choice) -> anyhow::Result<ExitCode> {
    let lab = Lab::open()?;
    let cases = cases::load(&choice.filters)?;
    let mut report = Report::default();
    for suite in crate::chosen(&choice.roots, &[Suite::Forky]) {
        let results = cases::run_in(&lab, suite, &Tool::Stap, &cases, &mut report);
        if std::env::var_os("RSTAP_BLESS").is_none() {
            continue;
        }
        for (case, result) in cases.iter().zip(results) {
            let out = case.path.with_extension("out");
            if let (true, Some(stdout)) = (out.exists(), result.stdout) {
                std::fs::write(&out, stdout).with_context(|| format!("writing {}", out.display()))?;
            }
        }
    }
    finish(&report, choice.json.as_ref())
}

/// Prints a report, keeps it as JSON when asked to, and turns it into an exit status.
pub fn finish(report: &Report, json: Option<&PathBuf>) -> anyhow::Result<ExitCode> {
    println!("{}", report.table());
    finish_without_table(report, json)
}

/// The same for a report of so many rows that only those count which say why.
pub fn finish_without_table(report: &Report, json: Option<&PathBuf>) -> anyhow::Result<ExitCode> {
    if let Some(path) = json {
        let text = format!("{:#}\n", report.json());
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    print!("{}\n{}\n", report.reasons(), report.tally());
    Ok(if report.tally().failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
