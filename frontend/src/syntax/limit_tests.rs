//! Input made to break the parser: it must end in a tree or in a diagnostic, soon, and without much stack.

use super::tests::{parse_text, parse_with};
use super::{LibraryMacros, parse_macros};
use crate::session::Session;
use crate::source::{FileId, FileKind, SourceFile};

/// Runs on a stack that has room for trees of the greatest depth, as the binary does.
fn with_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(128 << 20).spawn(test).unwrap().join().unwrap();
}

fn errors(text: &str) -> Vec<String> {
    parse_text(text).diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()
}

const TOO_DEEP: &str = "expressions or statements nested too deeply";

#[test]
fn parentheses_may_nest_without_end() {
    let count = 100_000;
    let text = format!("probe begin {{ x = {}1{} }}", "(".repeat(count), ")".repeat(count));
    with_stack(move || {
        assert_eq!(errors(&text), Vec::<String>::new());
        assert_eq!(errors(&format!("probe begin {{ {}", "(".repeat(count))).len(), 1);
    });
}

#[test]
fn deep_trees_are_refused_once() {
    let count = 20_000;
    let scripts = [
        format!("probe begin {{ x = {}1 }}", "- ".repeat(count)),
        format!("probe begin {{ x = 1{} }}", "+1".repeat(count)),
        format!("probe begin {{ {} {} }}", "{".repeat(count), "}".repeat(count)),
        format!("probe begin {{ {} a }}", "if (a) b; else ".repeat(count)),
        format!("probe begin {{ {} a }}", "while (1)".repeat(count)),
        format!("probe begin {{ x = {} 1 }}", "a = ".repeat(count)),
        format!("probe begin {{ x = {} 1 }}", "a ? b : ".repeat(count)),
        format!("probe begin {{ x = {}1{} }}", "f(".repeat(count), ")".repeat(count)),
        format!("probe begin {{ x = {}1{} }}", "a[".repeat(count), "]".repeat(count)),
        format!("probe begin {{ x = {}1{} }}", "$a[".repeat(count), "]".repeat(count)),
        format!("probe begin {{ x = {}1{} }}", "@count(".repeat(count), ")".repeat(count)),
    ];
    with_stack(move || {
        for script in scripts {
            assert_eq!(errors(&script), [TOO_DEEP], "{}", &script[..40]);
        }
    });
}

#[test]
fn long_lists_are_no_depth() {
    let count = 100_000;
    let scripts = [
        format!("probe begin {{ x = 1{} }}", " . \"a\"".repeat(count)),
        format!("probe begin {{ {} }}", "a = 1 ".repeat(count)),
        format!("probe begin {{ x = $x{} }}", "->a[1]".repeat(count)),
        format!("probe begin {{ x = {} }}", "\"a\" ".repeat(count)),
        format!("probe begin {{ f(1{}) }}", ", 1".repeat(count)),
        format!("probe a{} {{ }}", ".b".repeat(count)),
        format!("function f(a{}) {{ }}", (0..count).map(|index| format!(", a{index}")).collect::<String>()),
        (0..20_000).map(|index| format!("global g{index}\n")).collect(),
        format!("probe begin{} {{ }}", ", end".repeat(count)),
    ];
    with_stack(move || {
        for script in scripts {
            assert_eq!(errors(&script), Vec::<String>::new(), "{}", &script[..40]);
        }
    });
}

#[test]
fn groups_do_not_explode() {
    let text = format!("probe a{} {{ }}", ".{b, c}".repeat(40));
    assert_eq!(errors(&text), ["too many probe points"]);
}

#[test]
fn macros_that_never_end_are_refused() {
    for (text, message) in [
        ("@define a %( @a %) probe begin { @a }", "macro expansion nested too deeply"),
        ("@define a(x) %( @a(@x) %) probe begin { @a(1) }", "macro expansion nested too deeply"),
        (
            "@define a %( 1 @b %) @define b %( @a + 1 %) probe begin { @a }",
            "macro expansion nested too deeply",
        ),
    ] {
        assert!(errors(text).contains(&message.to_owned()), "{text}: {:?}", errors(text));
    }
    // Each macro doubles the one before.
    let mut text = String::from("@define m0 %( 1 %)");
    for index in 0..40 {
        text.push_str(&format!("@define m{} %( @m{index} @m{index} %)", index + 1));
    }
    text.push_str("probe begin { @m40 }");
    with_stack(move || assert!(errors(&text).contains(&"macro expansion too large".to_owned())));
}

#[test]
fn a_mistake_that_macros_multiply_is_given_up() {
    let mut text = String::from("@define m0 %( global 1 %)");
    for index in 0..16 {
        text.push_str(&format!("@define m{} %( @m{index} @m{index} %)", index + 1));
    }
    text.push_str("@m16");
    with_stack(move || assert_eq!(errors(&text).len(), 10_000));
}

#[test]
fn arguments_do_not_grow_the_work() {
    let mut session = Session::for_tests();
    session.arguments = vec!["1".into()];
    let text = format!("probe begin {{ {} }}", "a = $1 ".repeat(50_000));
    assert!(parse_with(&session, &text).diagnostics.is_empty());
}

#[test]
fn any_bytes_end_in_a_diagnostic() {
    let mut state = 7u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let words = [
        "probe",
        "begin",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "a",
        "1",
        "\"s\"",
        "+",
        "-",
        "*",
        "?",
        ":",
        ";",
        ",",
        ".",
        "%(",
        "%?",
        "%:",
        "%)",
        "@define",
        "@x",
        "@count",
        "@hist_log",
        "$x",
        "$1",
        "=",
        "==",
        "++",
        "&",
        "->",
        "in",
        "foreach",
        "for",
        "if",
        "else",
        "return",
        "global",
        "private",
        "function",
        "%{ %}",
        "print",
        "printf",
        "=~",
        "try",
        "catch",
        "@cast",
        "\n",
        "\"",
        "%{",
        "/*",
        "limit",
        "$",
        "$$",
        "!",
        "delete",
        "string",
        "\u{e9}",
        "1 == 1",
        "kernel_v",
    ];
    for _ in 0..3000 {
        let text: String = (0..random(60)).map(|_| format!("{} ", words[random(words.len())])).collect();
        parse_text(&text);
        let source = SourceFile::new("m", FileKind::TapsetMacros, text.as_bytes());
        parse_macros(&Session::for_tests(), FileId(0), &source, &mut LibraryMacros::new());
    }
}
