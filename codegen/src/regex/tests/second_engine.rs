//! Random patterns and subjects, with the crate `regex` as a second opinion.

use proptest::prelude::*;

use super::compile;

/// Pattern texts over a small alphabet, in the syntax both engines share.
///
/// Bounds are small so that nested ones stay far from the limits.
pub(super) fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => "[abc]",
        1 => Just(".".to_owned()),
        2 => "\\[[ab]{1,2}\\]|\\[\\^[ab]\\]|\\[a-b\\]|\\[\\[:alpha:\\]\\]",
        1 => Just("^".to_owned()),
        1 => Just("$".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            2 => (inner.clone(), "[*+?]|\\{[0-2]\\}|\\{[01],\\}|\\{1,[1-3]\\}|\\{0,2\\}")
                .prop_map(|(body, postfix)| format!("({body}){postfix}")),
            1 => inner.prop_map(|body| format!("(?:{body})")),
        ]
    })
}

fn second(pattern: &str) -> regex::bytes::Regex {
    // (?s): a dot takes newlines too.
    regex::bytes::Regex::new(&format!("(?s-u){pattern}")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Both agree on whether there is a match, and the two kinds of automaton do.
    ///
    /// Here `$` takes the end, so that a second one, or `^`, cannot follow. The other engine is given a newline for
    /// an end to take, and nothing else that takes one.
    #[test]
    fn same_answer(pattern in pattern(), subjects in prop::collection::vec("[abcd]{0,9}", 12)) {
        let translated = pattern.replace("[^", "[^\n").replace('.', "[^\n]").replace('$', "\n");
        let second = second(&translated);
        let untagged = compile(&pattern, false).unwrap();
        let tagged = compile(&pattern, true).unwrap();
        for subject in &subjects {
            let expected = second.is_match(format!("{subject}\n").as_bytes());
            prop_assert_eq!(untagged.matches(subject.as_bytes()).is_some(), expected, "{} {}", pattern, subject);
            prop_assert_eq!(tagged.matches(subject.as_bytes()).is_some(), expected, "{} {}", pattern, subject);
        }
    }

    /// With both ends anchored there is one span, and both engines prefer earlier alternatives and more repetitions.
    /// The alternatives are kept free of what we order otherwise: single bytes, and empty rounds of a loop.
    #[test]
    fn same_groups(
        words in prop::collection::vec("[ab]{2,3}[*?+]?", 2..4),
        more in prop::collection::vec("[ab]{2}", 2),
        postfix in "[*+?]?",
        subjects in prop::collection::vec("[ab]{0,10}", 12),
    ) {
        let pattern = format!("^({}){postfix}(a|b)*({})?(.*)$", words.join("|"), more.join("|"));
        let second = second(&pattern);
        let tagged = compile(&pattern, true).unwrap();
        for subject in &subjects {
            let expected = second.captures(subject.as_bytes()).map(|captures| {
                captures.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect::<Vec<_>>()
            });
            let found = tagged.matches(subject.as_bytes()).map(|captures| captures.groups);
            prop_assert_eq!(found, expected, "{} {}", pattern, subject);
        }
    }
}

/// Few bytes, many states: the start of a match among many candidates is the earliest one.
#[test]
fn many_threads() {
    let subject = "ab".repeat(100) + "c";
    let tagged = compile("a[ab]*c", true).unwrap();
    assert_eq!(tagged.matches(subject.as_bytes()).unwrap().groups, [Some((0, 201))]);
    let tagged = compile("[ab]{3}(b|a)c", true).unwrap();
    assert_eq!(tagged.matches(subject.as_bytes()).unwrap().groups, [Some((196, 201)), Some((199, 200))]);
}
