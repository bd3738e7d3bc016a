//! `$x`, `@defined`, `@entry` and clones.

use super::support::{check_ids, locals, messages, names, run, run_with};
use crate::session::Session;
use crate::tree::ExprKind;
use crate::tree::walk::all_exprs;

#[test]
fn located_or_missing() {
    let (program, diagnostics) =
        run(&[], "probe kp.function(\"f\") { println($x) println($y) } probe begin { println($x) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    let reasons: Vec<&str> = program.missing.iter().map(|missing| missing.reason.message.as_str()).collect();
    assert_eq!(reasons, ["unable to find $y", "unresolved target-symbol expression"]);
    let mut session = Session::for_tests();
    session.skip_badvars = true;
    let (program, diagnostics) = run_with(&session, &[], &["probe begin { println($x) }"]);
    assert!(program.missing.is_empty());
    assert_eq!(messages(&diagnostics), ["Bad $context variable being substituted with literal 0 @0:22"]);
}

#[test]
fn defined_removes_what_is_not_taken() {
    let library = [("a.stp", "function f() { return g() } function g() { return 1 }")];
    let script = "probe kp.function(\"f\") {
        if (@defined($x)) println(1) else println(nix1())
        println(@defined($y) ? nix2() : 2)
        if (!@defined($y) || nix3()) println(3)
        if (@defined($x) && @defined($y)) nix4()
        if (@defined($y)) f()
    }";
    let (program, diagnostics) = run(&library, script);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "kp.function(\"f\") |  | ");
    assert!(program.missing.is_empty());
}

#[test]
fn defined_does_not_hide_unknown_functions() {
    let (_, diagnostics) =
        run(&[], "probe begin { println(@defined(nix()), @defined(x), @defined($x), @defined(1)) }");
    assert_eq!(messages(&diagnostics), ["unresolved function nix @0:31"]);
    let script = "probe begin { if (@defined($x)) nix() println(@defined(x), @defined($x), @defined(1)) }";
    let (program, diagnostics) = run(&[], script);
    // Nobody knows yet: the optimiser decides when it has nothing else to do.
    assert_eq!(messages(&diagnostics), ["unresolved function nix @0:32"]);
    let mut left = 0;
    all_exprs(&program.probes[0].body.root, &mut |expr| {
        left += usize::from(matches!(expr.kind, ExprKind::Defined(_)));
    });
    assert_eq!(left, 3);
    assert!(program.missing.is_empty());
}

#[test]
fn constants_rule_branches_out_where_handlers_are_folded() {
    let body = "{ if (1 - 1 || \"a\" == \"b\") nix1()
        while (0) nix2()
        foreach (k in g limit -1) nix3()
        if (0 && nix4()) nix5() else println(2 > 1 ? 1 : nix6()) }";
    let (_, diagnostics) = run(&[], &format!("global g probe kp.function(\"f\") {body}"));
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    let (_, diagnostics) = run(&[], &format!("global g probe begin {body}"));
    assert_eq!(messages(&diagnostics).len(), 4);
}

#[test]
fn values_are_saved_at_the_entry_though_nothing_reads_them() {
    let library = [("a.stp", "function tid() { return 1 }")];
    let script = "probe kp.function(\"f\").return { if (0) println(@entry(1)) else println(@entry(2)) if (@defined($y)) { @entry($y) } println(@entry(3)) }";
    let (program, diagnostics) = run(&library, script);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(program.globals.len(), 8);
    assert_eq!(
        locals(&program, 1)[1..],
        [0, 1, 2, 3].map(|number| format!("__global_entry_tvar_entry_{number}_tmp"))
    );
}

#[test]
fn functions_that_need_a_context_are_cloned() {
    let library = [(
        "a.stp",
        "function x() { return @defined($x) ? $x : 0 } function outer() { return x() + plain() } function plain() { return 1 }",
    )];
    let script = "probe kp.function(\"f\") { println(outer() + outer()) } probe kp.function(\"g\") { println(x()) } probe begin { println(outer()) }";
    let (program, diagnostics) = run(&library, script);
    assert_eq!(
        names(&program),
        "kp.function(\"f\") kp.function(\"g\") begin | __clone_probe_0_of___global_outer__overload_0 __clone_probe_1_of___global_x__overload_0 __global_outer__overload_0 __clone_probe_0_of___global_x__overload_0 __global_plain__overload_0 __global_x__overload_0 | "
    );
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    check_ids(&program);
}

#[test]
fn entry_values_are_saved_by_a_second_probe() {
    let library = [("a.stp", "function tid() { return 1 }")];
    let (program, diagnostics) =
        run(&library, "probe kp.function(\"f\").return { d = @entry($x + 1) println(d) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(
        names(&program),
        "kp.function(\"f\") kp.function(\"f\").return | __global_tid__overload_0 | __global_entry_tvar_entry_0 __global_entry_tvar_entry_0_ctr"
    );
    assert_eq!(program.globals[0].arity, Some(2));
    assert_eq!(program.globals[1].arity, Some(1));
    assert_eq!(locals(&program, 1), ["_entry_tvar_tid", "__global_entry_tvar_entry_0_tmp", "d"]);
    check_ids(&program);
    let (program, _) = run(&library, "probe kp.function(\"f\") { println(@entry(1)) }");
    assert!(program.globals.is_empty());
}

#[test]
fn what_is_saved_at_entry_is_defined_and_conditions_hold_there_too() {
    let library = [("a.stp", "function tid() { return 1 }")];
    let script = "probe kp.function(\"f\").return if (1) { if (@defined(@entry($x))) println(@entry($x)) }";
    let (program, diagnostics) = run(&library, script);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(program.globals.len(), 4);
    assert!(program.probes.iter().all(|probe| probe.condition.is_some()));
}

#[test]
fn bad_variables_are_skipped_but_not_types_that_nobody_knows() {
    let session = crate::session::Session { skip_badvars: true, ..crate::session::Session::for_tests() };
    let (program, diagnostics) = run_with(
        &session,
        &[],
        &["probe begin { println($x, @cast(1, \"t\")->a, @defined(@cast(1, \"t\")->a)) }"],
    );
    assert_eq!(messages(&diagnostics), ["Bad $context variable being substituted with literal 0 @0:22"]);
    assert_eq!(program.missing.len(), 1);
}

#[test]
fn with_keep_going_the_first_unknown_function_of_a_statement_is_told() {
    let session =
        crate::session::Session { semantic_keep_going: true, ..crate::session::Session::for_tests() };
    let (_, diagnostics) =
        run_with(&session, &[], &["probe begin { if (a(b())) { c() } println(d() + e()) }"]);
    assert_eq!(messages(&diagnostics), ["unresolved function b @0:20", "unresolved function d @0:42"]);
}
