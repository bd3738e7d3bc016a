//! Sub-matches: what upstream's functions, compiled and run, answered for the same patterns and subjects.

use super::{compile, search};

/// The texts of the groups; one that took no part is the empty string, as `matched()` has it.
fn groups<'s>(pattern: &str, subject: &'s str) -> Vec<&'s str> {
    let Some(captures) = search(pattern, subject) else { return Vec::new() };
    let text = |range: Option<(usize, usize)>| range.map_or("", |(start, end)| &subject[start..end]);
    captures.groups.into_iter().map(text).collect()
}

#[test]
fn ends_first_then_longest_from_there() {
    assert_eq!(groups("x*", "xxy"), ["xx"]);
    assert_eq!(groups("(in|input)", "input"), ["input", "input"]);
    assert_eq!(groups("c|d*", "cdd"), ["c"]);
    assert_eq!(groups("d+|c", "cddc"), ["c"]);
    // A match that starts earlier but ends later is not seen.
    assert_eq!(groups("abcd|c", "abcd"), ["c"]);
    assert_eq!(groups("abcd|bc+", "abccd"), ["bcc"]);
    // Nor is the extension of a match, where one with an earlier start ends at the same place.
    assert_eq!(groups("abcd|bcd?", "abcd"), ["bc"]);
}

#[test]
fn preference_among_equal_spans() {
    assert_eq!(groups("(x*)x*x?x", "xxxx"), ["xxxx", "xxx"]);
    assert_eq!(groups("(.*)(b*)", "abb"), ["abb", "abb", ""]);
    assert_eq!(groups("(a|ab)(c|bcd)(d*)", "abcd"), ["abcd", "a", "bcd", ""]);
    assert_eq!(groups("(ab|abc)(cd|d)", "abcd"), ["abcd", "ab", "cd"]);
    // Single bytes come first among alternatives, wherever they are written.
    assert_eq!(groups("(ab|a)(bc|c)", "abc"), ["abc", "a", "bc"]);
    // The last time round counts, and what an earlier one recorded stays.
    assert_eq!(groups("(a|(b))*", "ba"), ["ba", "a", "b"]);
    assert_eq!(groups("(a|b){2}", "ab"), ["ab", "b"]);
    assert_eq!(groups("p(qr)?", "pqrqr"), ["pqr", "qr"]);
}

/// The longer match goes another way; what the shorter one recorded stays.
#[test]
fn stale_groups() {
    assert_eq!(groups("(a)|ab", "ab"), ["ab", "a"]);
    assert_eq!(groups("(a)|(ab)", "ab"), ["ab", "a", "ab"]);
}

#[test]
fn anchors() {
    assert_eq!(groups("(^|un)set", "set"), ["set", ""]);
    assert_eq!(groups("(un|^)set", "reunset"), ["unset", "un"]);
    assert_eq!(search("(un|^)set", "reset"), None);
    assert_eq!(groups("(in|out)put$", "inoutput"), ["output", "out"]);
    assert_eq!(groups("(a$)()", "ba"), ["a", "a", ""]);
    assert_eq!(search("^$", "").unwrap().groups, [Some((0, 0))]);
    assert_eq!(search("$", "abc").unwrap().groups, [Some((3, 3))]);
    // Nothing follows the end, and nothing precedes the start.
    for (pattern, subject) in [("$^", ""), ("x$y", "xy"), ("x^y", "xy"), ("$$", ""), ("x+^", "x")] {
        assert_eq!(search(pattern, subject), None, "{pattern}");
    }
    // Upstream never returns from this one.
    assert_eq!(groups("($)*", "a"), ["", ""]);
}

#[test]
fn groups_are_numbered_by_parenthesis() {
    let dfa = compile("((a)(?:b(c))){1,2}|()", true).unwrap();
    assert_eq!((dfa.num_groups(), dfa.num_tags()), (5, 10));
    assert_eq!(groups("((a)(?:b(c))){1,2}|d()", "abcabc"), ["abcabc", "abc", "a", "c", ""]);
    let untagged = compile("(a)", false).unwrap();
    assert_eq!((untagged.num_groups(), untagged.num_tags(), untagged.num_map_items()), (0, 0, 0));
    assert_eq!(untagged.matches(b"a").unwrap().groups, []);
}

#[test]
fn bytes() {
    // NUL ends the subject.
    assert_eq!(compile("b", false).unwrap().matches(b"a\0b"), None);
    assert!(compile("a$", false).unwrap().matches(b"a\0b").is_some());
    // A dot and an inverted class take any byte; a byte above 0x7f stands for itself.
    assert!(compile("^..[^x]$", false).unwrap().matches(b"\xc3\xa9\xff").is_some());
    assert!(compile("^é$", false).unwrap().matches("é".as_bytes()).is_some());
    assert_eq!(compile("^é$", false).unwrap().matches("è".as_bytes()), None);
    assert!(compile(r"^[\x80-\xff]+$", false).unwrap().matches("é".as_bytes()).is_some());
    assert_eq!(compile(r"[\x80-\xff]", false).unwrap().matches(b"abc"), None);
}

/// Escapes are undone once before the pattern is read: two backslashes in the script are one here.
#[test]
fn escapes() {
    let matches = |pattern: &str, subject: &[u8]| compile(pattern, false).unwrap().matches(subject).is_some();
    assert!(matches(r"^a\\.b$", b"a.b") && !matches(r"^a\\.b$", b"axb"));
    assert!(matches(r"^a\.b$", b"axb"));
    assert!(matches(r"^\\\\$", b"\\"));
    assert!(matches(r"^\x41\102\t\n\v\f\r\a\b$", b"AB\t\n\x0b\x0c\r\x07\x08"));
    assert!(matches("^[\\\\^a]$", b"^") && !matches("^[\\\\^a]$", b"b"));
    assert!(matches("^[]a]$", b"]") && matches("^[^]a]$", b"b") && !matches("^[^]a]$", b"]"));
    assert!(matches("^[a-]$", b"-") && matches("^[-a]$", b"-"));
    assert!(matches("[\\\\[:digit:]]", b":]") && !matches("[\\\\[:digit:]]", b":"));
}

#[test]
fn named_classes() {
    let members = |name: &str| {
        let dfa = compile(&format!("^[[:{name}:]]$"), false).unwrap();
        (1..=255u8).filter(|&byte| dfa.matches(&[byte]).is_some()).collect::<Vec<_>>()
    };
    let expected = |test: fn(&u8) -> bool| (1..=127u8).filter(test).collect::<Vec<_>>();
    assert_eq!(members("alpha"), expected(u8::is_ascii_alphabetic));
    assert_eq!(members("alnum"), expected(u8::is_ascii_alphanumeric));
    assert_eq!(members("blank"), b"\t ");
    assert_eq!(members("cntrl"), expected(u8::is_ascii_control));
    for name in ["d", "digit"] {
        assert_eq!(members(name), b"0123456789");
    }
    assert_eq!(members("xdigit"), expected(u8::is_ascii_hexdigit));
    assert_eq!(members("graph"), expected(u8::is_ascii_graphic));
    assert_eq!(members("print"), expected(|b| b.is_ascii_graphic() || *b == b' '));
    assert_eq!(members("punct"), expected(|b| b.is_ascii_punctuation() && *b != b'\\'));
    for (short, long) in [("l", "lower"), ("u", "upper"), ("s", "space")] {
        assert_eq!(members(short), members(long));
    }
    assert_eq!(members("lower"), expected(u8::is_ascii_lowercase));
    assert_eq!(members("upper"), expected(u8::is_ascii_uppercase));
    assert_eq!(members("space"), b"\t\n\x0b\x0c\r ");
}

#[test]
fn repetitions() {
    for (pattern, matched, refused) in [
        ("xy{0}z", &["xz"][..], &["xyz", "xyyz"][..]),
        ("xy{2}{2}z", &["xyyyyz"], &["xyyz", "xyyyz", "xyyyyyz"]),
        ("^a{2,3}$", &["aa", "aaa"], &["", "a", "aaaa"]),
        ("^a{2,}$", &["aa", "aaaaaaa"], &["", "a"]),
        ("^(a|bc){1,2}$", &["a", "bc", "abc", "bca"], &["", "abca"]),
        ("^(?:ab)*$", &["", "abab"], &["aba"]),
        ("^a**$", &["", "aa"], &["b"]),
        ("^(a|)*$", &["", "aa"], &["b"]),
    ] {
        let dfa = compile(pattern, false).unwrap();
        for subject in matched {
            assert!(dfa.matches(subject.as_bytes()).is_some(), "{pattern} {subject}");
        }
        for subject in refused {
            assert!(dfa.matches(subject.as_bytes()).is_none(), "{pattern} {subject}");
        }
    }
}

/// What `matched()` answered in a kernel: stap 5.6's automata and ours, in one module, on linux 7.2.
#[test]
fn as_in_the_kernel() {
    for (pattern, subject, wanted) in [
        ("([a-z]+)=([^;]*);?", "key=value; other=x", &["key=value;", "key", "value"][..]),
        ("(([^ ]+) )*([0-9]+)", "foo bar 42", &["foo bar 42", "bar ", "bar", "42"]),
        ("([^,]*),([^,]*),(.*)", "one,two,three,four", &["one,two,three,four", "one", "two", "three,four"]),
        ("((a)(b(c))){1,2}|d()", "abcabc", &["abcabc", "abc", "a", "bc", "c", ""]),
        ("((a)(b(c))){1,2}|d()", "dabcabc", &["d", "", "", "", "", ""]),
        ("(x{0}y){2}", "yy", &["yy", "y"]),
        ("(x{0}y){2}", "xyxy", &[]),
        ("abcd|c", "abcd", &["c"]),
        ("abcd|bc+", "abccd", &["bcc"]),
        ("(a)|ab", "ab", &["ab", "a"]),
        ("(ab|a)(bc|c)", "abc", &["abc", "a", "bc"]),
        ("(a|(b))*", "ba", &["ba", "a", "b"]),
    ] {
        assert_eq!(groups(pattern, subject), wanted, "{pattern} {subject}");
    }
}
