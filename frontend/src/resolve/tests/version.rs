//! `--check-version`.

use super::support::{run, run_with};
use crate::diag::Diagnostic;
use crate::session::Session;

/// What is marked: kind, token and line of each.
fn marked(library: &[(&str, &str)], script: &str) -> String {
    let session = Session { check_version: true, ..Session::for_tests() };
    let (_, diagnostics) = run_with(&session, library, &[script]);
    let line = |diagnostic: &Diagnostic| {
        let token = diagnostic.token.as_ref().expect("a place");
        let number = token.pos.file.0 as usize;
        let text = if number == 0 { script } else { library[number - 1].1 };
        let line = text[..token.pos.offset as usize].matches('\n').count() + 1;
        let kind = diagnostic.message.split(' ').nth(1).unwrap_or_default();
        format!("{kind} {} {line}", token.text)
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join(", ")
}

// The expectations were compared with the output of stap 5.6 for the same lines.

#[test]
fn a_condition_marks_what_is_read_after_it_and_before_the_declaration_is_complete() {
    let probe = "probe begin { println(a, b, f(1, 2), g(1, 2)) }";
    let with = |first: &str| marked(&[], &format!("{first}\n{probe}"));
    let plain = "function f(x, y) { return x }\nfunction g(x, y) { return x }";
    assert_eq!(with(&format!("global a, b {plain}")), "");
    // Whatever the answer, and wherever it stands in the condition.
    for condition in ["systemtap_v < \"1\"", "1 == 1 && systemtap_v > \"1\"", "1 == 1 || systemtap_v > \"1\""]
    {
        assert_eq!(with(&format!("%( {condition} %? %)\nglobal a;\nglobal b; {plain}")), "global a 2");
    }
    // All that follow in one list.
    let list = "global a %( systemtap_v > \"1\" %? , b %: , c %), d;";
    assert_eq!(
        with(&format!("{list}\nfunction f(x, y) {{ return d }} function g(x, y) {{ return x }}")),
        "global b 1, global d 1"
    );
    // Functions have it from their parameters.
    let functions = "function f(x, %( systemtap_v > \"1\" %? y %: z %)) { return x }
        function g(x, y) { %( systemtap_v > \"1\" %? return x %) }";
    assert_eq!(with(&format!("global a, b; {functions}")), "function f 1");
    let functions = "%( systemtap_v > \"1\" %? function f() { return 1 } %)";
    assert_eq!(marked(&[], &format!("{functions} probe begin {{ println(f()) }}")), "");
}

#[test]
fn looking_at_the_next_token_takes_its_conditions() {
    let with =
        |first: &str, then: &str| marked(&[], &format!("{first}\n%( systemtap_v > \"1\" %? %)\n{then}"));
    // A list of globals without semicolon and an alias without second body look for more.
    assert_eq!(with("global a", "global b probe begin { println(a, b) }"), "");
    assert_eq!(with("global a;", "global b probe begin { println(a, b) }"), "global b 3");
    assert_eq!(with("probe one = begin { }", "probe one { println(1) }"), "alias probe 1");
    assert_eq!(with("probe one = begin { }, { }", "probe one { println(1) }"), "probe probe 3");
    assert_eq!(with("probe begin { println(1) }", "probe end { println(1) }"), "probe probe 3");
    assert_eq!(with("probe begin { println(1) }", ""), "");
}

#[test]
fn each_step_of_a_derivation_tells() {
    let library = [(
        "a.stp",
        "probe inner = begin, end { %( systemtap_v > \"1\" %? x = 1 %) }\nprobe outer = inner { %( systemtap_v > \"1\" %? y = 1 %) }\n%( systemtap_v > \"1\" %? function unused(x) { return 1 } %)",
    )];
    let script = "probe outer { %( systemtap_v > \"1\" %? println(1) %) }";
    let one = "alias probe 1, alias probe 2, probe probe 1";
    assert_eq!(marked(&library, script), format!("{one}, {one}"));
    let (_, diagnostics) = run(&library, script);
    assert!(diagnostics.is_empty());
}
