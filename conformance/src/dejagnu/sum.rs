//! DejaGnu's summaries: one line for each result, `STATUS: name` (DejaGnu manual, "Output files").

use std::collections::BTreeMap;

/// The statuses that a result can have, as summaries spell them.
pub const STATUSES: [&str; 11] = [
    "PASS",
    "FAIL",
    "XPASS",
    "XFAIL",
    "KPASS",
    "KFAIL",
    "UNTESTED",
    "UNSUPPORTED",
    "UNRESOLVED",
    "ERROR",
    "WARNING",
];

/// One result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// One of [`STATUSES`].
    pub status: String,
    /// What was tested.
    pub name: String,
}

impl Line {
    /// Whether anything was tried.
    pub fn is_tested(&self) -> bool {
        !matches!(self.status.as_str(), "UNTESTED" | "UNSUPPORTED" | "WARNING")
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.name)
    }
}

/// The results in a summary, in order.
pub fn parse(text: &str) -> Vec<Line> {
    let results = text.lines().filter_map(|line| line.split_once(": "));
    results
        .filter(|(status, _)| STATUSES.contains(status))
        .map(|(status, name)| Line { status: status.to_owned(), name: steady(name.trim_end()) })
        .collect()
}

/// A part of a summary or log: what one test printed.
#[derive(Clone, Copy, Debug)]
pub struct Section<'t> {
    file: &'t str,
    /// Its text.
    pub text: &'t str,
}

impl Section<'_> {
    /// Whether it is the test's of this name (folder and file).
    pub fn is_of(&self, name: &str) -> bool {
        self.file.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'))
    }
}

/// The parts of a summary or log, which begin with `Running FILE ...`.
pub fn sections(text: &str) -> Vec<Section<'_>> {
    const MARK: &str = "Running /";
    let mut starts: Vec<usize> = text.match_indices(MARK).map(|(at, _)| at).collect();
    starts.retain(|&at| at == 0 || text[..at].ends_with('\n'));
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let part = |(&start, end): (&usize, usize)| {
        let (first, rest) = text[start..end].split_once('\n').unwrap_or((&text[start..end], ""));
        Section { file: first["Running ".len()..].trim_end().trim_end_matches(" ..."), text: rest }
    };
    starts.iter().zip(ends).map(part).collect()
}

/// A name without what differs from run to run: names of temporary files, process numbers in brackets, times.
fn steady(name: &str) -> String {
    let words = name.split(' ').map(|word| match word.find("/tmp/") {
        Some(at) => format!("{}/tmp/...", &word[..at]),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// How the results of `ours` differ from those of `theirs`, one line each: names that only one has, and names whose
/// statuses differ. A name may come up more than once; then its statuses are compared in order.
pub fn differences(theirs: &[Line], ours: &[Line]) -> Vec<Difference> {
    let mut names: Vec<&str> = Vec::new();
    for line in theirs.iter().chain(ours) {
        if !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    let statuses = |lines: &[Line]| {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines {
            by_name.entry(line.name.clone()).or_default().push(line.status.clone());
        }
        by_name
    };
    let (their_statuses, our_statuses) = (statuses(theirs), statuses(ours));
    let of = |all: &BTreeMap<String, Vec<String>>, name: &str| {
        all.get(name).map_or_else(|| "no result".to_owned(), |statuses| statuses.join(", "))
    };
    names
        .into_iter()
        .map(|name| Difference {
            name: name.to_owned(),
            stap: of(&their_statuses, name),
            rstap: of(&our_statuses, name),
        })
        .filter(|difference| difference.stap != difference.rstap)
        .collect()
}

/// One name with different results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What was tested.
    pub name: String,
    /// stap's status (several with commas between them), or "no result".
    pub stap: String,
    /// rstap's, likewise.
    pub rstap: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: stap {}, rstap {}", self.name, self.stap, self.rstap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_are_taken_from_a_summary() {
        let text = "Test run by x\nRunning /a/b.exp ...\nPASS: one: two\nFAIL: -o /tmp/abc12 c\n\
                    # of expected passes\t1\nUNTESTED: d\n";
        let lines: Vec<String> = parse(text).iter().map(Line::to_string).collect();
        assert_eq!(lines, ["PASS: one: two", "FAIL: -o /tmp/... c", "UNTESTED: d"]);
        assert!(!parse(text)[2].is_tested());
    }

    #[test]
    fn each_test_has_its_section() {
        let text =
            "Using /x\nRunning /u/systemtap.maps/a.exp ...\nPASS: 1\nRunning /u/systemtap.maps/b.exp ...\n";
        let sections = sections(text);
        assert_eq!(sections.len(), 2);
        assert!(sections[0].is_of("systemtap.maps/a.exp") && !sections[0].is_of("maps/b.exp"));
        assert_eq!((sections[0].text, sections[1].text), ("PASS: 1\n", ""));
    }

    #[test]
    fn results_are_compared_name_by_name() {
        let stap = parse("PASS: a\nPASS: b\nPASS: b\nFAIL: c\n");
        let rstap = parse("PASS: b\nFAIL: b\nPASS: a\nPASS: d\n");
        let found: Vec<String> = differences(&stap, &rstap).iter().map(Difference::to_string).collect();
        assert_eq!(
            found,
            [
                "b: stap PASS, PASS, rstap PASS, FAIL",
                "c: stap FAIL, rstap no result",
                "d: stap no result, rstap PASS"
            ]
        );
        assert!(differences(&stap, &stap).is_empty());
    }
}
