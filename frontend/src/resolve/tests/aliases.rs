//! Probe aliases.

use super::support::{locals, messages, names, run, run_with};
use crate::session::{Session, Version};

#[test]
fn prologue_and_epilogue_share_the_scope() {
    let library = [
        (
            "a.stp",
            "probe one = begin { p = 1 } probe two += one { e = 2 } probe three = two { q = 3 }, { r = 4 }",
        ),
        ("b.stp", "probe not_used = end { }"),
    ];
    let (program, diagnostics) = run(&library, "probe three { u = p }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(locals(&program, 0), ["p", "q", "u", "r", "e"]);
    let probe = &program.probes[0];
    assert_eq!(
        probe.lineage.chain,
        " <- one = begin /*  <- two += one /*  <- three = two /*  <- three */  <- three */  <- three = two /*  <- three */  <- three */  <- two += one /*  <- three = two /*  <- three */  <- three */  <- three = two /*  <- three */  <- three"
    );
    assert_eq!(
        probe.lineage.script_point.as_ref().map(|point| super::super::point_text(point, true)).as_deref(),
        Some("three")
    );
    assert_eq!(probe.derivation.len(), 4);
}

#[test]
fn before_5_0_a_chain_has_no_chains_in_it() {
    let chain = |version: &str| {
        let session = Session { version: Version(version.into()), ..Session::for_tests() };
        let script = "probe one = begin { } probe two = one { } probe two { println(1) }";
        run_with(&session, &[], &[script]).0.probes[0].lineage.chain.clone()
    };
    assert_eq!(chain("4.9"), " <- one = begin <- two = one <- two");
    assert_eq!(
        chain("5.0"),
        " <- one = begin /*  <- two = one /*  <- two */  <- two */  <- two = one /*  <- two */  <- two"
    );
}

#[test]
fn suffixes_and_groups() {
    let library = [("a.stp", "probe tick = timer, kp.function(\"f\") { }")];
    let (program, diagnostics) = run(&library, "probe tick.return { println(1) }");
    assert_eq!(names(&program), " |  | ");
    assert_eq!(
        messages(&diagnostics),
        ["while resolving probe point @0:6 <- probe point mismatch (similar: s, ms) @0:11"]
    );
    let library = [("a.stp", "probe f = kp.function(\"f\") { }")];
    let (program, diagnostics) = run(&library, "probe f.return { println(1) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "kp.function(\"f\").return |  | ");
}

#[test]
fn loops_are_found() {
    let library = [("a.stp", "probe a = b { } probe b = a { }")];
    let (_, diagnostics) = run(&library, "probe a { }");
    assert!(
        messages(&diagnostics)[0].contains("recursive loop in alias expansion of"),
        "{:?}",
        messages(&diagnostics)
    );
}

#[test]
fn probewrite_asks_the_handler() {
    let library = [(
        "a.stp",
        "global seen probe a = begin { if (@probewrite(v)) seen = 1 else nothing_like_it() }, { if (@probewrite(w)) nothing_like_it() }",
    )];
    let (_, diagnostics) = run(&library, "probe a { v = 3 }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    let (_, diagnostics) = run(&library, "probe a { v = 3 w++ }");
    assert_eq!(messages(&diagnostics), ["unresolved function nothing_like_it @1:107"]);
    let (_, diagnostics) = run(&[], "probe begin { if (@probewrite(v)) next }");
    assert_eq!(messages(&diagnostics), ["unexpected @probewrite @0:18"]);
}

#[test]
fn illegal_names() {
    let (_, diagnostics) = run(&[], "probe a(1) = begin { } probe * = begin { } probe begin { }");
    assert_eq!(
        messages(&diagnostics),
        [
            "while registering probe alias @0:0 <- alias component a contains illegal parameter",
            "while registering probe alias @0:23 <- invalid use of wildcard probe point component",
        ]
    );
}

#[test]
fn deep_nesting_ends() {
    let script = |depth: usize| {
        let aliases: String =
            (0..depth).map(|level| format!("probe a{level} = a{} {{ }}\n", level + 1)).collect();
        format!("{aliases} probe a{depth} = begin {{ }} probe a0 {{ println(1) }}")
    };
    let (program, diagnostics) = run(&[], &script(40));
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert!(program.probes[0].lineage.chain.len() < 1_000_000);
    let (_, diagnostics) = run(&[], &script(2000));
    assert!(messages(&diagnostics)[0].contains("nested too deeply"), "{:?}", messages(&diagnostics)[0]);
}
