//! What came of one `.exp` with one tool.

use serde_json::{Value, json};

use super::Test;
use super::sum::{self, Line};
use crate::lab::batch::{JobEnd, JobResult};
use crate::lab::bounded::Ended;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `runtest` came to its end.
    Finished,
    /// It was stopped at the limit.
    TimedOut,
    /// The kernel died or hung.
    KilledVm,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            End::Finished => "finished",
            End::TimedOut => "timed out",
            End::KilledVm => "killed the VM",
        }
    }
}

/// The results of a test, and what else was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Its results, in order.
    pub lines: Vec<Line>,
    /// What the kernel complained about, and modules that stayed.
    pub complaints: Vec<String>,
    /// Whether the tool said that something needs debug information, which the roots do not have.
    pub lacks_debuginfo: bool,
}

/// The status of a job in which a test took too long.
pub(super) const LATE: i32 = 99;

/// What a job says about one of its tests.
#[derive(Debug)]
pub(super) struct Read<'t, 'r> {
    /// The test.
    pub test: &'t Test,
    /// What came of it.
    pub outcome: Outcome,
    /// Its part of the summary.
    pub summary: &'r str,
    /// Its part of the log.
    pub log: &'r str,
}

/// What can be learnt about the tests of a job, whose wanted files are DejaGnu's summary and log. A job with several
/// tests says nothing about those that were not reached, or that may be the ones that upset the kernel.
pub(super) fn read_job<'t, 'r>(tests: &[&'t Test], result: &'r JobResult) -> Vec<Read<'t, 'r>> {
    let single = tests.len() == 1;
    let finished = matches!(result.end, JobEnd::Program(Ended::Exited(status)) if status != LATE);
    let complaints = complaints(result);
    let [sums, logs] = [0, 1].map(|at| sum::sections(result.wanted.get(at).map_or("", String::as_str)));
    let mut known = Vec::new();
    for &test in tests {
        let sum = sums.iter().position(|section| section.is_of(&test.name));
        let end = match &result.end {
            // What stands behind it in the summary began after it had ended.
            _ if sum.is_some_and(|at| at + 1 < sums.len()) || finished => End::Finished,
            JobEnd::KilledVm { .. } => End::KilledVm,
            JobEnd::Program(_) => End::TimedOut,
        };
        if single || sum.is_some() && complaints.is_empty() && end != End::KilledVm {
            let summary = sum.map_or("", |at| sums[at].text);
            let log =
                logs.iter().find(|section| section.is_of(&test.name)).map_or("", |section| section.text);
            let complaints = if single { complaints.clone() } else { Vec::new() };
            known.push(Read { test, outcome: Outcome::new(end, summary, log, complaints), summary, log });
        }
    }
    known
}

/// What the kernel has against a job: problems that count, and modules that stayed.
fn complaints(result: &JobResult) -> Vec<String> {
    let failures = result.problems.iter().filter(|problem| problem.kind.is_failure());
    failures
        .map(|problem| format!("{}: {}", problem.kind, problem.line))
        .chain(result.leaked.iter().map(|module| format!("the module {module} stayed loaded")))
        .collect()
}

impl Outcome {
    /// Reads a test's parts of DejaGnu's summary and log.
    pub fn new(end: End, summary: &str, log: &str, complaints: Vec<String>) -> Outcome {
        let says = |word: &str| log.contains(word);
        let lacks_debuginfo = says("debuginfo [man") || says("missing x86_64 kernel/module debuginfo");
        Outcome { end, lines: sum::parse(summary), complaints, lacks_debuginfo }
    }

    /// No results at all.
    pub fn empty(end: End) -> Outcome {
        Outcome::new(end, "", "", Vec::new())
    }

    /// How many results have this status.
    pub fn count(&self, status: &str) -> usize {
        self.lines.iter().filter(|line| line.status == status).count()
    }

    /// Whether anything was tried at all.
    pub fn is_tested(&self) -> bool {
        self.end != End::Finished || self.lines.iter().any(Line::is_tested)
    }

    /// For the cache.
    pub fn to_json(&self) -> Value {
        let lines: Vec<Value> = self.lines.iter().map(|line| json!([line.status, line.name])).collect();
        json!({ "end": self.end.word(), "lines": lines, "complaints": self.complaints, "lacks debuginfo": self.lacks_debuginfo })
    }

    /// From the cache; nothing if it is of another form.
    pub fn from_json(value: &Value) -> Option<Outcome> {
        let word = value["end"].as_str()?;
        let end = [End::Finished, End::TimedOut, End::KilledVm].into_iter().find(|end| end.word() == word)?;
        let line = |value: &Value| {
            Some(Line { status: value[0].as_str()?.to_owned(), name: value[1].as_str()?.to_owned() })
        };
        let lines = value["lines"].as_array()?.iter().map(line).collect::<Option<_>>()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let complaints = value["complaints"].as_array()?.iter().map(text).collect::<Option<_>>()?;
        Some(Outcome { end, lines, complaints, lacks_debuginfo: value["lacks debuginfo"].as_bool()? })
    }

    /// Whether something passed.
    pub fn has_passed(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.status.as_str(), "PASS" | "XFAIL" | "KFAIL"))
    }

    /// Whether it ended by itself, nothing failed, and the kernel did not mind.
    pub fn is_content(&self) -> bool {
        let failures = ["FAIL", "XPASS", "KPASS", "UNRESOLVED", "ERROR"];
        self.end == End::Finished
            && self.complaints.is_empty()
            && !self.lines.iter().any(|line| failures.contains(&line.status.as_str()))
    }

    /// In a few words: the count of each status, and how it ended if not by itself.
    pub fn summary(&self) -> String {
        totals([self])
    }
}

/// The same for many outcomes.
pub fn totals<'o>(outcomes: impl IntoIterator<Item = &'o Outcome> + Clone) -> String {
    let all = || outcomes.clone().into_iter();
    let mut parts = Vec::new();
    let mut add = |count: usize, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    for status in sum::STATUSES {
        add(all().map(|outcome| outcome.count(status)).sum(), status);
    }
    for end in [End::TimedOut, End::KilledVm] {
        add(all().filter(|outcome| outcome.end == end).count(), end.word());
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            end: End::TimedOut,
            lines: sum::parse("PASS: a\nPASS: b\nUNTESTED: c\n"),
            complaints: vec!["BUG: x".into()],
            lacks_debuginfo: true,
        }
    }

    #[test]
    fn an_outcome_survives_being_kept() {
        assert_eq!(Outcome::from_json(&outcome().to_json()), Some(outcome()));
        assert_eq!(Outcome::from_json(&json!({ "end": "else" })), None);
    }

    fn job(end: JobEnd, leaked: &[&str]) -> JobResult {
        let sum = "Running /u/g/a.exp ...\nPASS: 1\nRunning /u/g/b.exp ...\nPASS: 2\n";
        JobResult {
            name: "x".into(),
            end,
            stdout: String::new(),
            stderr: String::new(),
            wanted: vec![sum.into(), "Running /u/g/b.exp ...\nmissing debuginfo [man x]\n".into()],
            problems: vec![],
            leaked: leaked.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    /// What a job with tests a, b and c says: names, ends and counts of results.
    fn read(end: JobEnd, leaked: &[&str]) -> Vec<String> {
        let tests = ["g/a.exp", "g/b.exp", "g/c.exp"].map(|name| Test { name: name.into() });
        let result = job(end, leaked);
        let read = read_job(&tests.each_ref(), &result);
        read.iter().map(|read| format!("{}: {}", read.test.name, read.outcome.summary())).collect()
    }

    #[test]
    fn tests_that_were_not_reached_stay_open() {
        assert_eq!(read(JobEnd::Program(Ended::Exited(0)), &[]), ["g/a.exp: 1 PASS", "g/b.exp: 1 PASS"]);
    }

    #[test]
    fn only_the_last_test_can_have_been_too_slow() {
        let late = ["g/a.exp: 1 PASS", "g/b.exp: 1 PASS, 1 timed out"];
        assert_eq!(read(JobEnd::Program(Ended::Exited(LATE)), &[]), late);
    }

    #[test]
    fn what_killed_the_vm_or_upset_the_kernel_is_asked_again() {
        assert_eq!(read(JobEnd::KilledVm { console: String::new() }, &[]), ["g/a.exp: 1 PASS"]);
        assert!(read(JobEnd::Program(Ended::Exited(0)), &["stap_1"]).is_empty());
        let b = Test { name: "g/b.exp".into() };
        let result = job(JobEnd::Program(Ended::Exited(0)), &["stap_1"]);
        let alone = read_job(&[&b], &result);
        assert_eq!(alone[0].outcome.complaints, ["the module stap_1 stayed loaded"]);
        assert!(alone[0].outcome.lacks_debuginfo);
    }

    #[test]
    fn the_summary_counts() {
        assert_eq!(outcome().summary(), "2 PASS, 1 UNTESTED, 1 timed out");
    }
}
