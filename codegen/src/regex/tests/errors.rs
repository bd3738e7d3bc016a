//! Every error text, each with the position `stap` 5.6 gave for the same pattern.

use expect_test::expect;

use crate::regex::{MAX_DEPTH, RegexErrorKind, compile};

/// One line per pattern: pattern, message or `ok`. Tagged and untagged must agree.
fn report(patterns: &[&str]) -> String {
    let mut text = String::new();
    for pattern in patterns {
        let outcome = |tagged| match compile(pattern, tagged) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome(false), outcome(true), "{pattern}");
        text += &format!("{pattern}  {}\n", outcome(false));
    }
    text
}

#[test]
fn groups() {
    expect![[r#"
        a)b  regex compilation error (at position 2): unbalanced ')'
        ))  regex compilation error (at position 1): unbalanced ')'
        (a  regex compilation error (at position 1): expected ), found end of regex
        (  regex compilation error (at position 0): expected ), found end of regex
        (?  regex compilation error (at position 1): unexpected '(?
        (?=a)  regex compilation error (at position 2): unexpected '(?='
        (?:ab)  ok
        ()  ok
    "#]]
    .assert_eq(&report(&["a)b", "))", "(a", "(", "(?", "(?=a)", "(?:ab)", "()"]));
}

/// A closing parenthesis in last place goes unnoticed.
#[test]
fn last_parenthesis_is_dropped() {
    expect![[r#"
        a)  ok
        )  ok
        a|b)  ok
    "#]]
    .assert_eq(&report(&["a)", ")", "a|b)"]));
}

#[test]
fn classes() {
    expect![[r#"
        [a  regex compilation error (at position 1): unclosed character class
        [  regex compilation error (at position 0): unclosed character class
        []  regex compilation error (at position 1): unclosed character class
        [a-  regex compilation error (at position 2): unclosed character class
        [a-]  ok
        [b-a]  regex compilation error (at position 4): Inverted character range b-a
        [[:foo:]]  regex compilation error: unknown character class 'foo'
        [[:foo  regex compilation error (at position 6): unclosed character class '[:fo'
        [[:alpha:  regex compilation error (at position 9): unclosed character class '[:alpha'
        [[:alpha:]  regex compilation error (at position 10): unclosed character class '[:alpha:'
    "#]]
    .assert_eq(&report(&[
        "[a",
        "[",
        "[]",
        "[a-",
        "[a-]",
        "[b-a]",
        "[[:foo:]]",
        "[[:foo",
        "[[:alpha:",
        "[[:alpha:]",
    ]));
}

#[test]
fn repetitions() {
    expect![[r#"
        a{  regex compilation error (at position 2): expected number
        a{,3}  regex compilation error (at position 3): expected number
        a{99999}  regex compilation error (at position 8): 99999 is too large
        a{12345}  regex compilation error (at position 8): 12345 is too large
        a{99999999999999999999}  regex compilation error (at position 23): could not parse number 99999999999999999999
        a{1,x}  regex compilation error (at position 5): expected '}' or number
        a{1x}  regex compilation error (at position 3): expected ',' or '}'
        a{1,2  regex compilation error (at position 4): expected }, found end of regex
        a{1,2x  regex compilation error (at position 5): expected }, found x
        a{3,1}  regex compilation error (at position 5): inverted repetition range 3,1
        *a  regex compilation error (at position 0): unexpected '*'
        a|*  regex compilation error (at position 2): unexpected '*'
        ^*  regex compilation error (at position 1): postfix closure '*' applied to anchoring operator
        ${2}  regex compilation error (at position 1): postfix closure '{' applied to anchoring operator
        ($)*  ok
        a**  ok
    "#]]
    .assert_eq(&report(&[
        "a{", "a{,3}", "a{99999}", "a{12345}", "a{99999999999999999999}", "a{1,x}", "a{1x}", "a{1,2", "a{1,2x",
        "a{3,1}", "*a", "a|*", "^*", "${2}", "($)*", "a**",
    ]));
}

#[test]
fn escapes() {
    expect![[r#"
        \x4  regex compilation error (at position 1): two hex digits required in escape sequence
        \x4g  regex compilation error (at position 2): two hex digits required in escape sequence
        \xg4  regex compilation error (at position 3): two hex digits required in escape sequence
        \47  regex compilation error (at position 1): octal escape sequence out of range
        \09  regex compilation error (at position 1): three octal digits required in escape sequence
        \400  regex compilation error (at position 1): octal escape sequence out of range
        \\  regex compilation error (at position 2): unexpected end of regex
        a\  regex compilation error (at position 2): unexpected end of regex
        a\000b  ok
    "#]]
    .assert_eq(&report(&[r"\x4", r"\x4g", r"\xg4", r"\47", r"\09", r"\400", r"\\", r"a\", r"a\000b"]));
}

/// Limits of ours: an error, not a hang nor an overflow.
#[test]
fn limits() {
    let kind = |pattern: &str| compile(pattern, false).unwrap_err().kind;
    assert_eq!(kind(&"(".repeat(100_000)), RegexErrorKind::TooDeep(MAX_DEPTH));
    assert_eq!(kind(&format!("a{}", "*".repeat(100_000))), RegexErrorKind::TooDeep(MAX_DEPTH));
    assert!(matches!(kind("(((a{9999}){9999}){9999}){9999}"), RegexErrorKind::TooLarge(_)));
    assert!(matches!(kind("(a|b)*a(a|b){40}c"), RegexErrorKind::TooManyStates(..)));
    // No instructions, but very many repetitions of them.
    assert!(compile("(?:(?:(?:){12344}){12344}){12344}", false).is_ok());
    assert!(compile("(((){12344}){12344}){12344}", true).is_err());
    let deep = format!("{}a{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    assert!(compile(&deep, true).is_ok());
}
