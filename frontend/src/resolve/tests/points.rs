//! Probe points: wildcards, optional and sufficient points, conditions, errors.

use super::support::{messages, names, run, run_with};
use crate::hir::FunctionBody;
use crate::session::{Privilege, Session};
use crate::tree::StmtKind;

fn point(script: &str) -> Vec<String> {
    messages(&run(&[], script).1)
}

#[test]
fn errors_say_where() {
    assert_eq!(
        point("probe begn { }"),
        [
            "while resolving probe point @0:6 <- probe point mismatch (similar: begin, end, kp, xdp, kernel) @0:6"
        ]
    );
    assert_eq!(
        point("probe timer { }"),
        ["while resolving probe point @0:6 <- probe point truncated (follow:  ms(number) s(number)) @0:6"]
    );
    assert_eq!(
        point("probe timer.s { }"),
        ["while resolving probe point @0:6 <- probe point mismatch (similar: s, ms) @0:12"]
    );
    assert_eq!(point("probe kp.function(\"none\") { }"), ["while resolving probe point @0:6 <- no match"]);
    assert_eq!(
        point("probe x* { }"),
        [
            "while resolving probe point @0:6 <- probe point mismatch: didn't find any wildcard matches (similar: kp, end, xdp, begin, timer) @0:6"
        ]
    );
    assert_eq!(
        point("probe begin.foo { }"),
        ["while resolving probe point @0:6 <- invalid suffix for probe @0:12"]
    );
    assert_eq!(point("probe kernel.function(\"f\") { }"), ["while resolving probe point @0:6 <- no match"]);
}

#[test]
fn optional_points_pull_in_nothing() {
    let library = [("a.stp", "global g probe a = kp.function(\"none\") { g = 1 } function f() { }")];
    let (program, diagnostics) = run(&library, "probe a ?, kernel.function(\"f\")?, nix ?, begin { f() }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "begin | __global_f__overload_0 | ");
}

#[test]
fn a_sufficient_point_ends_the_list() {
    let (program, diagnostics) =
        run(&[], "probe kp.function(\"none\") !, kp.function(\"f\") !, begin, end { println(1) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "kp.function(\"f\")! |  | ");
}

#[test]
fn tolerated_errors_are_told_if_something_required_is_missing() {
    assert_eq!(
        point("probe nix ?, kp.function(\"none\") { }"),
        ["while resolving probe point @0:13 <- no match",]
    );
    assert_eq!(
        point("probe timer ?, kp.function(\"none\") { }"),
        [
            "while resolving probe point @0:15 <- no match",
            "while resolving probe point @0:6 <- probe point truncated (follow:  ms(number) s(number)) @0:6",
        ]
    );
}

#[test]
fn wildcards() {
    let library = [(
        "a.stp",
        "probe sys.open = begin { } probe sys.close = begin(1) { } probe sys.deep.open = begin(2) { } probe sys.bad = begin(3).x { }",
    )];
    let points = |script: &str| names(&run(&library, script).0);
    assert_eq!(points("probe sys.* { println(1) }"), "begin(1) begin |  | ");
    assert_eq!(points("probe sys.o* { println(1) }"), "begin |  | ");
    assert_eq!(points("probe **open { println(1) }"), "begin begin(2) |  | ");
    assert_eq!(points("probe sys.**open { println(1) }"), "begin begin(2) |  | ");
    assert_eq!(points("probe beg*(7) { println(1) }"), "begin(7) |  | ");
}

#[test]
fn conditions_guard_the_handler() {
    let library = [("a.stp", "global on probe a = begin if (on) { }")];
    let (program, diagnostics) =
        run(&library, "global g probe a if (g > 3), timer.s(1) if (1) { println(1) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    // The last probe evaluates the conditions for the first time.
    assert_eq!(program.probes.len(), 3);
    assert!(program.probes[2].lineage.evaluates_conditions && !program.probes[2].primary);
    assert!(program.probes.iter().take(2).all(|probe| probe.condition.is_some()));
    let StmtKind::Block(list) = &program.probes[0].body.root.kind else { panic!("no block") };
    assert!(matches!(&list[0].kind, StmtKind::If { then, .. } if matches!(then.kind, StmtKind::Next)));
    assert_eq!(
        point(
            "global g probe begin if (nix) { } probe end if (g++) { } probe begin if (f()) { } function f() { }"
        ),
        [
            "probe condition must not reference undeclared global @0:25",
            "probe condition must not modify any variables @0:49",
            "probe condition must not reference function @0:73",
        ]
    );
}

#[test]
fn operands_of_conditions_are_folded_where_upstream_shares_them() {
    let chain = |script: &str| run(&[], script).0.probes[0].lineage.chain.clone();
    assert_eq!(
        chain("global g probe begin if (g == -1 + (1 ? 2 : 3)) { println(1) }"),
        " <- begin if ((__global_g) == (1))"
    );
    assert_eq!(
        chain("global g probe begin if (1 + g / 0) { println(1) }"),
        " <- begin if ((1) + ((__global_g) / (0)))"
    );
    assert_eq!(chain("probe begin if (1 + 1) { println(1) }"), " <- begin if ((1) + (1))");
    // Aliases have copies.
    assert_eq!(
        chain("global g probe a = begin if (g == -1) { } probe a { println(1) }"),
        " <- a = begin if ((g) == (-(1))) /*  <- a */  <- a"
    );
}

#[test]
fn conditions_name_the_globals_of_their_file() {
    let (program, _) = run(&[], "private global p global g probe begin if (p > g) { println(1) }");
    let chain = &program.probes[0].lineage.chain;
    assert_eq!(chain, " <- begin if ((__private_script_p) > (__global_g))");
}

#[test]
fn a_timeout_is_a_timer_that_exits() {
    let mut session = Session::for_tests();
    session.timeout_ms = Some(1500);
    let library = [("a.stp", "function exit() %{ %}")];
    let (program, diagnostics) = run_with(&session, &library, &["probe begin { println(1) }"]);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "timer.ms(1500) begin | __global_exit__overload_0 | ");
    assert!(program.probes[0].synthetic && !program.probes[0].primary);
    assert!(matches!(program.functions[0].body, FunctionBody::Embedded { .. }));
}

#[test]
fn privilege() {
    let mut session = Session::for_tests();
    session.privilege = Privilege::User;
    let (_, diagnostics) = run_with(&session, &[], &["probe kp.function(\"f\") { }"]);
    assert_eq!(
        messages(&diagnostics),
        ["while resolving probe point @0:6 <- probe point is not allowed for --privilege=stapusr @0:9"]
    );
}
