//! A runtime file with small edits, made from the installed text when a module is built.

use crate::text::RuntimeText;

/// The text of the runtime's file `name` after `edits` (text to find, text to put there).
///
/// Nothing if there is no such file or if some text to find is not there exactly once: then this is not the file the
/// edits were written for, and the repair that asks does not apply.
pub(super) fn edited(rt: &RuntimeText, name: &str, edits: &[(&str, &str)]) -> Option<String> {
    let mut text = rt.file(name)?.to_owned();
    for (from, to) in edits {
        if text.matches(from).count() != 1 {
            return None;
        }
        text = text.replacen(from, to, 1);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_must_fit_exactly_once() {
        let rt = RuntimeText::from_pairs("/rt", &[("a.c", "one two two")]);
        assert_eq!(edited(&rt, "a.c", &[("one", "1")]).as_deref(), Some("1 two two"));
        assert_eq!(edited(&rt, "a.c", &[("two", "2")]), None);
        assert_eq!(edited(&rt, "a.c", &[("three", "3")]), None);
        assert_eq!(edited(&rt, "b.c", &[]), None);
    }
}
