//! What `test` and `oracle` share: running the project's cases in several roots.

use std::path::PathBuf;
use std::time::Instant;

use conformance::case::Case;
use conformance::end_to_end::{self, CaseResult};
use conformance::lab::progress::say;
use conformance::lab::{Lab, LabError, Root, Suite};
use conformance::report::{Report, Verdict};
use conformance::tool::{Tool, build};

/// The project's cases, all or those whose name contains one of `filters`.
pub fn load(filters: &[String]) -> anyhow::Result<Vec<Case>> {
    let mut cases = Case::load_all(&dir())?;
    cases.retain(|case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(filter)));
    Ok(cases)
}

/// The folder of the cases.
pub fn dir() -> PathBuf {
    build::workspace().join("conformance/cases")
}

/// Runs the cases in one root and adds their verdicts. When the root or its VM cannot be had, every case of it
/// has failed; only a user who is not root merely cannot run them.
pub fn run_in(lab: &Lab, suite: Suite, tool: &Tool, cases: &[Case], report: &mut Report) -> Vec<CaseResult> {
    let started = Instant::now();
    let progress = |step: &str| say(step);
    let results =
        Root::ready(lab, suite).and_then(|root| end_to_end::run(lab, &root, tool, cases, &progress));
    match results {
        Ok(results) => {
            say(&format!("{suite}: {} cases in {} s", results.len(), started.elapsed().as_secs()));
            for result in &results {
                report.add(&result.name, suite.name(), result.verdict.clone());
            }
            results
        }
        Err(error) => {
            let verdict = match error {
                LabError::NotRoot { .. } => Verdict::Skipped("not root".into()),
                error => Verdict::Failed(vec![error.to_string()]),
            };
            for case in cases {
                report.add(&case.name, suite.name(), verdict.clone());
            }
            Vec::new()
        }
    }
}
