//! "(similar: a, b)": the names closest to a misspelt one (staputil.cxx: `levenshtein_suggest`).
//!
//! This costs time in proportion to the number of candidates, so it is called only for an error that will be printed.

use smol_str::SmolStr;
use std::collections::BTreeSet;

/// Edit distance with upstream's costs: 2 for an insertion, a deletion and a substitution, 1 for a change of case; but
/// the first row and column of the matrix grow by 1 per step.
pub fn distance(from: &str, to: &str) -> u32 {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut row: Vec<u32> = (0..=to.len() as u32).collect();
    for (index, &left) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index as u32 + 1;
        for (column, &right) in to.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if left == right {
                diagonal
            } else {
                let substitution = if left.eq_ignore_ascii_case(&right) { 1 } else { 2 };
                (diagonal + substitution).min(row[column] + 2).min(above + 2)
            };
            diagonal = above;
        }
    }
    row[to.len()]
}

/// The `max` candidates closest to `target`, best first, ties in sorted order, joined by `, `. Empty candidates are
/// skipped; there is no limit on the distance.
pub fn closest(target: &str, candidates: &BTreeSet<SmolStr>, max: usize) -> String {
    let mut scored: Vec<(u32, &SmolStr)> = candidates
        .iter()
        .filter(|candidate| !candidate.is_empty())
        .map(|candidate| (distance(target, candidate), candidate))
        .collect();
    scored.sort();
    let best: Vec<&str> = scored.iter().take(max).map(|(_, name)| name.as_str()).collect();
    best.join(", ")
}

/// The same as text to append to a message: ` (similar: a, b)`, or nothing.
pub fn similar(target: &str, candidates: &BTreeSet<SmolStr>) -> String {
    let names = closest(target, candidates, 5);
    if names.is_empty() { String::new() } else { format!(" (similar: {names})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_upstream_does() {
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "abC"), 1);
        assert_eq!(distance("abc", "abd"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("xabc", "abc"), 1, "the border of the matrix is cheap");
        assert_eq!(distance("abc", "abcx"), 2);
    }

    #[test]
    fn takes_the_closest_five_in_order() {
        let names: BTreeSet<SmolStr> = ["begin", "end", "error", "never", "timer", "process", ""]
            .into_iter()
            .map(SmolStr::from)
            .collect();
        assert_eq!(closest("begn", &names, 2), "begin, end");
        assert_eq!(similar("x", &BTreeSet::new()), "");
        assert_eq!(closest("nd", &names, 9).split(", ").count(), 6);
    }
}
