//! Passes 1 to 3 of the binary on a machine without SystemTap: what is printed, where, and with which status.

mod support;

use std::io::Write as _;
use std::process::Stdio;
use support::{Machine, ran};

/// A text with the numbers of times and memory as `N`.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_digit() { 'N' } else { c };
        if !(c == 'N' && out.ends_with('N')) {
            out.push(c);
        }
    }
    out
}

#[test]
fn a_script_parses_from_a_file_a_text_and_standard_input() {
    let machine = Machine::new();
    machine.write("x.stp", "probe begin { exit() }\n");
    machine.run(&["-p1", "x.stp"]).expect_status(0);
    machine.run(&["-p1", "-e", "probe begin { exit() }"]).expect_status(0);
    let mut child = machine
        .command()
        .args(["-p1", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"probe begin { exit( }\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("at <input>:1:21"), "{err}");
}

#[test]
fn the_pass_line_counts_library_files() {
    let run = Machine::new().run(&["-v", "-p1", "-e", "probe begin { exit() }"]).expect_status(0);
    let line = run.err.lines().find(|line| line.starts_with("Pass 1:")).unwrap().to_owned();
    assert!(line.starts_with("Pass 1: parsed user script and 3 library scripts using "), "{line}");
    assert_eq!(
        without_numbers(&line),
        "Pass N: parsed user script and N library scripts using Nvirt/Nres/Nshr/Ndata kb, in Nusr/Nsys/Nreal ms."
    );
}

#[test]
fn parse_errors_are_counted_and_end_the_run() {
    let machine = Machine::new();
    let run = machine.run(&["-p1", "-e", "probe begin { x = }\nglobal g[0]\n"]).expect_status(1);
    assert!(run.err.starts_with("parse error: "), "{}", run.err);
    assert!(run.err.contains("     source: probe begin { x = }\n"), "{}", run.err);
    assert!(run.err.ends_with("2 parse errors.\nPass 1: parse failed.  [man error::pass1]\n"), "{}", run.err);
    assert_eq!(run.out, "");
    assert!(machine.is_clean());
}

#[test]
fn inputs_without_a_script() {
    let machine = Machine::new();
    machine.write("empty.stp", "");
    machine.write("nothing.stp", "%( 1 == 2 %? probe begin { } %)");
    let failed = "Pass 1: parse failed.  [man error::pass1]\n";
    let cases = [
        (&["-p1", "-e", ""][..], "Input file '<input>' is empty.\n"),
        (&["-p1", "empty.stp"], "Input file 'empty.stp' is empty.\n"),
        (&["-p1", "nothing.stp"], "Input file 'nothing.stp' is empty after preprocessing.\n"),
        (&["-p1", "none.stp"], "Input file 'none.stp' is missing.\n"),
        (&["-p1", "-E", "", "-e", "probe begin { }"], "Input file '<input1>' is empty.\n"),
    ];
    for (words, message) in cases {
        let run = machine.run(words).expect_status(1);
        assert_eq!(run.err, format!("{message}{failed}"));
    }
}

#[test]
fn a_tapset_file_is_no_script() {
    let machine = Machine::new();
    let run = machine.run(&["-p1", "tapset/exit.stp"]).expect_status(1);
    let err = machine.neutral(&run.err);
    assert!(
        err.starts_with(
            "usage error: tapset file 'DIR/tapset/exit.stp' cannot be run directly as a session script."
        ),
        "{err}"
    );
}

#[test]
fn script_arguments_come_after_the_script() {
    let machine = Machine::new();
    machine.write("x.stp", "probe begin { log(@1) exit() }\nglobal a$2\n");
    machine.run(&["-p1", "x.stp", "one", "2"]).expect_status(0);
    let run = machine.run(&["-p1", "-e", "probe begin { log(@3) }", "one", "2"]).expect_status(1);
    assert!(run.err.contains("command line argument out of range [1-2]"), "{}", run.err);
}

#[test]
fn json_diagnostics_are_one_object_for_each_line() {
    let machine = Machine::new();
    let run = machine.run(&["--diagnostics=json", "-v", "-p1", "-e", "probe begin { x = }"]).expect_status(1);
    assert!(run.err.lines().count() > 2);
    for line in run.err.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["severity"].is_string() && value["message"].is_string(), "{line}");
    }
    let first: serde_json::Value = serde_json::from_str(run.err.lines().next().unwrap()).unwrap();
    assert_eq!(first["places"][0]["column"], 19);
}

#[test]
fn rich_diagnostics_have_a_frame() {
    let run =
        Machine::new().run(&["--diagnostics=rich", "-p1", "-e", "probe begin { x = }"]).expect_status(1);
    assert!(run.err.contains("┌─ <input>:1:19"), "{}", run.err);
    assert!(!run.err.contains('\u{1b}'), "no colours without a terminal: {}", run.err);
}

#[test]
fn a_missing_system_map_is_a_warning() {
    let machine = Machine::new();
    machine.remove("kernel/System.map");
    let warning = "WARNING: Kernel function symbol table missing [man warning::symbols]\n";
    let run = machine.run(&["-p1", "-e", "probe begin { exit() }"]).expect_status(0);
    assert_eq!(run.err, warning);
    let run = machine.run(&["-p1", "-w", "-e", "probe begin { exit() }"]).expect_status(0);
    assert_eq!(run.err, "");
    let run = machine.run(&["-p1", "-W", "-e", "probe begin { exit() }"]).expect_status(1);
    assert_eq!(run.err, format!("{warning}Pass 1: parse failed.  [man error::pass1]\n"));
}

#[test]
fn the_library_path_has_several_roots() {
    let machine = Machine::new();
    machine.write("more/extra.stp", "function extra () { return 1 }\n");
    machine.write("xdg/systemtap/tapset/xdg.stp", "function from_xdg () { return 1 }\n");
    let run = ran(machine.command().env("XDG_DATA_DIRS", machine.path("xdg")).args([
        "-v",
        "-p1",
        "-I",
        "more",
        "-e",
        "probe begin { exit() }",
    ]));
    assert!(run.err.contains("and 5 library scripts"), "{}", run.err);
}

#[test]
fn regular_expressions_are_checked_in_pass_2() {
    let machine = Machine::new();
    let run = machine.run(&["-p2", "-e", "probe begin { if (\"a\" =~ \"[a\") exit() }"]).expect_status(1);
    assert!(run.err.starts_with("semantic error: regex compilation error (at position "), "{}", run.err);
    assert!(run.err.ends_with("Pass 2: analysis failed.  [man error::pass2]\n"), "{}", run.err);
}

#[test]
fn unknown_names_are_told_with_the_next_ones() {
    let machine = Machine::new();
    let run = machine.run(&["-p2", "-e", "probe begin { logg(\"x\") exit() }"]).expect_status(1);
    assert!(run.err.starts_with("semantic error: unresolved function logg (similar: log"), "{}", run.err);
    let run = machine.run(&["-p2", "-e", "probe begn { exit() }"]).expect_status(1);
    assert!(run.err.contains("semantic error: probe point mismatch (similar: begin"), "{}", run.err);
    let run = machine.run(&["-l", "begn"]).expect_status(1);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    let run = machine.run(&["-l", "oneshot"]).expect_status(0);
    assert_eq!(run.out, "oneshot\n");
}

#[test]
fn what_is_not_served_yet_is_told_in_every_form() {
    let machine = Machine::new();
    for (script, what) in [
        ("probe kernel.function(\"vfs_read\") { exit() }", "points that need symbols or debug information"),
        (
            "probe begin { println(@cast(0, \"task_struct\")->pid) }",
            "types and variables of debug information",
        ),
    ] {
        for form in ["stap", "rich", "json"] {
            let form = format!("--diagnostics={form}");
            let run = machine.run(&[&form, "-p2", "-e", script]).expect_status(1);
            assert!(run.err.contains(what) && run.err.contains(" are not supported yet"), "{}", run.err);
        }
    }
}

#[test]
fn unused_arguments_are_told() {
    let run = Machine::new().run(&["-p2", "-e", "probe begin { log(@2) exit() }", "a", "b"]).expect_status(0);
    assert_eq!(run.err, "WARNING: unused command line option $1/@1\n");
}
