//! Verdicts, tables for people and JSON for machines.

use std::fmt::Write;

use serde_json::{Value, json};

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Not as expected, for these reasons.
    Failed(Vec<String>),
    /// Not checked, for this reason.
    Skipped(String),
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "ok",
            Verdict::Failed(_) => "FAILED",
            Verdict::Skipped(_) => "skipped",
        }
    }
}

/// How many checks ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Not checked.
    pub skipped: usize,
}

impl Tally {
    /// Counts one verdict.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Verdicts by case (rows) and root (columns), in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Report {
    columns: Vec<String>,
    rows: Vec<String>,
    cells: Vec<Cell>,
}

#[derive(Clone, Debug)]
struct Cell {
    row: String,
    column: String,
    verdict: Verdict,
}

impl Report {
    /// Adds one verdict.
    pub fn add(&mut self, row: &str, column: &str, verdict: Verdict) {
        for (names, name) in [(&mut self.rows, row), (&mut self.columns, column)] {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        self.cells.push(Cell { row: row.into(), column: column.into(), verdict });
    }

    /// Counts all verdicts.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.cells.iter().for_each(|cell| tally.add(&cell.verdict));
        tally
    }

    /// The table of rows and columns.
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(String::len).max().unwrap_or(0).max(4);
        let mut text = format!("{:width$}", "case");
        for column in &self.columns {
            // Writing to a String cannot fail.
            let _ = write!(text, "  {column:10}");
        }
        for row in &self.rows {
            let _ = write!(text, "\n{row:width$}");
            for column in &self.columns {
                let cell = self.cells.iter().find(|cell| cell.row == *row && cell.column == *column);
                let _ = write!(text, "  {:10}", cell.map_or("", |cell| cell.verdict.word()));
            }
        }
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// Why things failed or were skipped, one paragraph or line each.
    pub fn reasons(&self) -> String {
        let mut text = String::new();
        for cell in &self.cells {
            let name = format!("{} ({})", cell.row, cell.column);
            let _ = match &cell.verdict {
                Verdict::Passed => Ok(()),
                Verdict::Skipped(why) => writeln!(text, "skipped: {name}: {why}"),
                Verdict::Failed(why) => writeln!(text, "\nFAILED: {name}\n{}", why.join("\n")),
            };
        }
        text
    }

    /// The same for machines: a list of objects with case, root, verdict and reasons.
    pub fn json(&self) -> Value {
        let cells = self.cells.iter().map(|cell| {
            let reasons = match &cell.verdict {
                Verdict::Passed => Vec::new(),
                Verdict::Failed(why) => why.clone(),
                Verdict::Skipped(why) => vec![why.clone()],
            };
            json!({ "case": cell.row, "root": cell.column, "verdict": cell.verdict.word(), "reasons": reasons })
        });
        Value::Array(cells.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.add("hello", "trixie", Verdict::Passed);
        report.add("a-long-name", "trixie", Verdict::Failed(vec!["bad".into()]));
        report.add("hello", "forky", Verdict::Skipped("no VM".into()));
        report
    }

    #[test]
    fn the_table_has_a_cell_for_each_verdict() {
        let expected =
            "case         trixie      forky\nhello        ok          skipped\na-long-name  FAILED\n";
        assert_eq!(report().table(), expected);
    }

    #[test]
    fn reasons_name_case_and_root() {
        let expected = "\nFAILED: a-long-name (trixie)\nbad\nskipped: hello (forky): no VM\n";
        assert_eq!(report().reasons(), expected);
        assert_eq!(report().tally().to_string(), "1 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn json_carries_the_same() {
        assert_eq!(report().json()[1]["reasons"][0], "bad");
    }
}
