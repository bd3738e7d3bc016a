//! `cargo lab compare`: command lines of our own with stap and rstap side by side: listings, and small scripts that are
//! accepted or refused. What both print to the standard output must be the same byte for byte.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use conformance::case::split_words;
use conformance::lab::bounded::{self, Finished, Limits};
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite, symbols};
use conformance::report::{Report, Verdict};
use conformance::suite::{Group, first_error};
use conformance::tool::{Tool, build};
use rayon::prelude::*;

use super::{Choice, oracle};

/// Compares every line of `conformance/command-lines.txt`.
pub fn run(choice: &Choice) -> anyhow::Result<ExitCode> {
    let list = build::workspace().join("conformance/command-lines.txt");
    let text = std::fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let chosen = |line: &&str| {
        choice.filters.is_empty() || choice.filters.iter().any(|filter| line.contains(filter.as_str()))
    };
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter(chosen).collect();
    let lab = Lab::open()?;
    let tools = [Tool::Stap, Tool::Rstap { dir: build::rstap()? }];
    let mut report = Report::default();
    for suite in crate::chosen(&choice.roots, &[Suite::Forky]) {
        let root = Root::ready(&lab, suite)?;
        // Without it stap finds no kernel function at all.
        let table = symbols::ready(&lab, &root)?;
        say(&format!("{} command lines in {}", lines.len(), suite.name()));
        let verdicts: Vec<Verdict> = lines
            .par_iter()
            .map(|line| {
                let words = split_words(line).map_err(|why| anyhow::anyhow!("{line}: {why}"))?;
                let [stap, rstap] = [&tools[0], &tools[1]].map(|tool| ask(tool, &root, &table, &words));
                anyhow::Ok(judge(&stap?, &rstap?))
            })
            .collect::<anyhow::Result<_>>()?;
        for (line, verdict) in lines.iter().zip(verdicts) {
            report.add(line, suite.name(), verdict);
        }
    }
    oracle::finish_without_table(&report, choice.json.as_ref())
}

fn ask(tool: &Tool, root: &Root, table: &Path, words: &[String]) -> anyhow::Result<Finished> {
    // With more threads the order of stap's messages is a race.
    let entry = tool.entry(root).env("STAP_NTHREADS", "1").bind_read_only(table, symbols::INSIDE);
    let command = entry.command(tool.program(), words)?;
    Ok(bounded::run(command, Limits { memory: None, ..Group::Sem.limits() })?)
}

fn judge(stap: &Finished, rstap: &Finished) -> Verdict {
    let mut differences = Vec::new();
    if stap.ended != rstap.ended {
        differences.push(format!("stap: {}, rstap: {}", stap.ended, rstap.ended));
    }
    // Debian's own stap ends every failure with a tip.
    let [expected, found] = [&stap.stderr, &rstap.stderr].map(|text| match first_error(text) {
        tip if tip.starts_with("Tip: ") => String::new(),
        error => error,
    });
    if !stap.ended.is_success() && expected != found {
        differences.push(format!("stap:  {expected}\nrstap: {found}"));
    }
    if stap.stdout != rstap.stdout {
        let [expected, found] = [&stap.stdout, &rstap.stdout].map(|text| text.lines().collect::<Vec<_>>());
        let at = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
        let line = |lines: &[&str]| lines.get(at).copied().unwrap_or("(end)").to_owned();
        differences.push(format!(
            "line {} of {} and {}:\nstap:  {}\nrstap: {}",
            at + 1,
            expected.len(),
            found.len(),
            line(&expected),
            line(&found)
        ));
    }
    if differences.is_empty() { Verdict::Passed } else { Verdict::Failed(differences) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::lab::bounded::Ended;
    use std::time::Duration;

    fn finished(code: i32, stdout: &str, stderr: &str) -> Finished {
        Finished {
            ended: Ended::Exited(code),
            stdout: stdout.into(),
            stderr: stderr.into(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn output_status_and_first_error_are_compared() {
        let accepted = finished(0, "a\nb\n", "WARNING: x\n");
        assert_eq!(judge(&accepted, &finished(0, "a\nb\n", "")), Verdict::Passed);
        assert_eq!(
            judge(&accepted, &finished(0, "a\nc\n", "")),
            Verdict::Failed(vec!["line 2 of 2 and 2:\nstap:  b\nrstap: c".into()])
        );
        assert_eq!(judge(&finished(1, "", "Tip: read\n"), &finished(1, "", "")), Verdict::Passed);
        let refused = finished(1, "", "parse error: x\n");
        assert_eq!(judge(&refused, &finished(1, "", "WARNING: y\nparse error: x\n")), Verdict::Passed);
        assert!(matches!(judge(&refused, &finished(1, "", "parse error: y\n")), Verdict::Failed(_)));
        assert!(matches!(judge(&refused, &accepted), Verdict::Failed(_)));
    }
}
