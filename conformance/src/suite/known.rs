//! The list of accepted differences: which tests rstap may do otherwise than stap, and why.

use super::Opinion;
use super::script::PARSED_AGAIN;
use crate::lab::bounded::Ended;

/// How the reason of a script starts that rstap cannot serve without debug information.
const NEEDS_DEBUG_INFORMATION: &str = "needs debug information";

/// The differences that are accepted, each with its reason: lines of `group/name.stp: reason`, or
/// `group/name.stp [root]: reason` when it holds in one root only. A result of a run-time test is written
/// `group/name.exp "what was tested"` instead of `group/name.stp`, all results of one as `group/name.exp`. `#` starts a
/// comment.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<(String, Option<String>, String)>);

impl Known {
    /// Reads the list.
    ///
    /// # Errors
    /// The number and text of the first line that is not of the form.
    pub fn parse(text: &str) -> std::result::Result<Known, String> {
        let mut known = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (subject, reason) = split_reason(line)
                .filter(|(subject, reason)| subject.contains('/') && !reason.trim().is_empty())
                .ok_or_else(|| format!("line {}: not `group/name.stp: reason`: {line}", number + 1))?;
            let (name, root) = match subject.strip_suffix(']').and_then(|subject| subject.rsplit_once(" [")) {
                Some((name, root)) => (name, Some(root.to_owned())),
                None => (subject, None),
            };
            known.push((name.to_owned(), root, reason.trim().to_owned()));
        }
        Ok(Known(known))
    }

    /// Why what rstap made of this script in this root is accepted although stap made something else of it. A script that
    /// is said to need debug information must have been refused in pass 2: nothing else can be due to that.
    pub fn excuse(&self, name: &str, root: &str, rstap: &Opinion) -> Option<&str> {
        // What a script needs it needs in any form.
        let as_written = name.strip_prefix(PARSED_AGAIN).filter(|_| rstap.refuses_as_written());
        let reason = self.reason(name, root).or_else(|| self.reason(as_written?, root))?;
        let ended = matches!(rstap.ended, Ended::Exited(status) if status != 0);
        let refused = ended && rstap.failed_pass == Some(2) && !rstap.crashed;
        (refused || !reason.starts_with(NEEDS_DEBUG_INFORMATION)).then_some(reason)
    }

    /// Why a difference of this script in this root is accepted.
    pub fn reason(&self, name: &str, root: &str) -> Option<&str> {
        let matches = |known: &&(String, Option<String>, String)| {
            known.0 == name && known.1.as_deref().is_none_or(|only| only == root)
        };
        self.0.iter().find(matches).map(|(_, _, reason)| reason.as_str())
    }
}

/// Cuts a line of the list at the colon before the reason, which is not one inside a quoted name.
fn split_reason(line: &str) -> Option<(&str, &str)> {
    let quoted = line.find(".exp \"").map_or(0, |at| at + ".exp \"".len());
    let from = if quoted > 0 { quoted + line[quoted..].find(['"'])? } else { 0 };
    let colon = from + line[from..].find(": ")?;
    Some((&line[..colon], &line[colon + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_in(pass: Option<u8>) -> Opinion {
        Opinion {
            ended: Ended::Exited(1),
            error: "e".into(),
            output: String::new(),
            failed_pass: pass,
            crashed: false,
            debug_information: false,
            milliseconds: 1,
        }
    }

    #[test]
    fn known_differences_may_be_of_one_result() {
        let known =
            Known::parse("maps/a.exp \"b: c (d) [e]\" [forky]: so it is: here\nmaps/a.exp \"f\": always\n")
                .unwrap();
        assert_eq!(known.reason("maps/a.exp \"b: c (d) [e]\"", "forky"), Some("so it is: here"));
        assert_eq!(known.reason("maps/a.exp \"b: c (d) [e]\"", "trixie"), None);
        assert_eq!(known.reason("maps/a.exp \"f\"", "trixie"), Some("always"));
    }

    #[test]
    fn known_differences_may_be_of_one_root() {
        let known = Known::parse("# c\n\nsemko/a.stp: better words\nsemok/b.stp [forky]: newer\n").unwrap();
        assert_eq!(known.reason("semko/a.stp", "trixie"), Some("better words"));
        assert_eq!(known.reason("semok/b.stp", "trixie"), None);
        assert_eq!(known.reason("semok/b.stp", "forky"), Some("newer"));
        assert!(Known::parse("no reason\n").unwrap_err().starts_with("line 1"));
    }

    #[test]
    fn the_want_of_debug_information_excuses_a_refusal_only() {
        let known =
            Known::parse("buildok/a.stp: needs debug information: a type\nbuildok/b.stp: other\n").unwrap();
        assert!(known.excuse("buildok/a.stp", "forky", &refused_in(Some(2))).is_some());
        assert_eq!(known.excuse("buildok/a.stp", "forky", &refused_in(Some(4))), None);
        assert_eq!(known.excuse("buildok/a.stp", "forky", &refused_in(None)), None);
        assert!(known.excuse("buildok/b.stp", "forky", &refused_in(Some(4))).is_some());
    }

    #[test]
    fn the_projects_list_is_well_formed() {
        Known::parse(include_str!("../../known-differences.txt")).unwrap();
    }
}
