//! `cargo lab compare`: command lines of our own with stap and rstap side by side: listings, and small scripts that are
//! accepted or refused. What both print to the standard output must be the same byte for byte; for lines that start with
//! `2>` the warnings and errors too, but for the counts of what was held back.

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

/// How a line starts of which all messages are compared.
const WITH_MESSAGES: &str = "2> ";

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
                let (whole, line) = match line.strip_prefix(WITH_MESSAGES) {
                    Some(rest) => (true, rest),
                    None => (false, *line),
                };
                let words = split_words(line).map_err(|why| anyhow::anyhow!("{line}: {why}"))?;
                let [stap, rstap] = [&tools[0], &tools[1]].map(|tool| ask(tool, &root, &table, &words));
                anyhow::Ok(judge(&stap?, &rstap?, whole))
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

fn judge(stap: &Finished, rstap: &Finished, with_messages: bool) -> Verdict {
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
        differences.push(first_difference(&expected, &found));
    }
    if with_messages {
        let [expected, found] = [&stap.stderr, &rstap.stderr].map(|text| messages(text));
        if expected != found {
            differences.push(format!("messages, {}", first_difference(&expected, &found)));
        }
    }
    if differences.is_empty() { Verdict::Passed } else { Verdict::Failed(differences) }
}

/// The lines of messages that are compared: not Debian's tip, what rstap does not do yet, nor how many repetitions were held
/// back, which depends on how often a tool comes by the same place.
fn messages(stderr: &str) -> Vec<&str> {
    let others = ["Tip: ", "Number of similar ", "Rerun with -v"];
    let is_other = |line: &str| others.iter().any(|other| line.starts_with(other)) || is_limitation(line);
    stderr.lines().filter(|line| !is_other(line)).collect()
}

/// True for the line in which rstap says that it does not do something yet.
fn is_limitation(line: &str) -> bool {
    line.trim_start().starts_with("note: ") && line.ends_with(" not supported yet")
}

fn first_difference(expected: &[&str], found: &[&str]) -> String {
    let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let line = |lines: &[&str]| lines.get(at).copied().unwrap_or("(end)").to_owned();
    let (all, ours) = (expected.len(), found.len());
    format!("line {} of {all} and {ours}:\nstap:  {}\nrstap: {}", at + 1, line(expected), line(found))
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
        assert_eq!(judge(&accepted, &finished(0, "a\nb\n", ""), false), Verdict::Passed);
        assert_eq!(
            judge(&accepted, &finished(0, "a\nc\n", ""), false),
            Verdict::Failed(vec!["line 2 of 2 and 2:\nstap:  b\nrstap: c".into()])
        );
        assert_eq!(judge(&finished(1, "", "Tip: read\n"), &finished(1, "", ""), false), Verdict::Passed);
        let refused = finished(1, "", "parse error: x\n");
        assert_eq!(judge(&refused, &finished(1, "", "WARNING: y\nparse error: x\n"), false), Verdict::Passed);
        assert!(matches!(judge(&refused, &finished(1, "", "parse error: y\n"), false), Verdict::Failed(_)));
        assert!(matches!(judge(&refused, &accepted, false), Verdict::Failed(_)));

        let held_back =
            finished(0, "a\nb\n", "WARNING: x\nNumber of similar warning messages suppressed: 2.\n");
        assert_eq!(judge(&accepted, &held_back, true), Verdict::Passed);
        assert!(matches!(judge(&accepted, &finished(0, "a\nb\n", ""), true), Verdict::Failed(_)));
    }
}
