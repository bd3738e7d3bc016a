//! Variables and functions.

use super::support::{check_ids, locals, messages, names, run, run_with};
use crate::session::Session;
use crate::syntax::ast::DeclaredType;

#[test]
fn hello() {
    let (program, diagnostics) = run(&[], "global n probe begin { x = 1 n = x println(x) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "begin |  | __global_n");
    assert_eq!(locals(&program, 0), ["x"]);
    assert_eq!(program.globals[0].arity, Some(0));
    assert!(program.probes[0].primary);
    check_ids(&program);
}

#[test]
fn only_what_is_named_joins() {
    let library = [
        (
            "a.stp",
            "%{ /* C of a */ %} global used, unused private global own\n function f() { own++ return used } function g() { return unused } probe end { }",
        ),
        ("b.stp", "%{ /* C of b */ %} function h() { return 1 }"),
    ];
    let (program, diagnostics) = run(&library, "probe begin { println(f()) }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "begin end | __global_f__overload_0 | __private_a_stp_own __global_used");
    assert_eq!(program.embeds.len(), 1);
    assert!(!program.probes[1].primary);
    check_ids(&program);
}

#[test]
fn overloads_by_number_of_arguments_and_priority() {
    let library =
        [("a.stp", "function f(a) { return 1 } function f(a, b) { return 2 } function f(a):3 { return 3 }")];
    let script = "function f(a) { return 4 } function f(a, b):7 { return 5 } probe begin { f(1) f(1, 2) }";
    let (program, diagnostics) = run(&library, script);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    // By priority: the script's own comes first unless it says otherwise.
    assert_eq!(
        names(&program),
        "begin | __global_f__overload_3 __global_f__overload_0 __global_f__overload_2 __global_f__overload_1 __global_f__overload_4 | "
    );
    assert_eq!(program.functions[0].priority, 0);
    assert_eq!(program.functions[1].priority, 1);
    check_ids(&program);
}

#[test]
fn private_names_stay_in_their_file() {
    let library = [("a.stp", "private function f() { return 1 } function g() { return f() }")];
    let (program, diagnostics) = run(&library, "function f() { return 2 } probe begin { f() g() }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(
        names(&program),
        "begin | __global_f__overload_0 __global_g__overload_0 __private_a_stp_f__overload_0 | "
    );
    let (_, diagnostics) = run(&library, "probe begin { f() }");
    assert_eq!(messages(&diagnostics), ["unresolved function f (similar: g) @0:14"]);
}

#[test]
fn calls_that_mean_nothing() {
    let library = [("a.stp", "function print_it(a) { } function prism() { }")];
    let (_, diagnostics) = run(&library, "probe begin { print_is(1) } probe end { print_it() }");
    assert_eq!(
        messages(&diagnostics),
        [
            "unresolved function print_is (similar: print_it, prism) @0:14",
            "arity mismatch found (function 'print_it' takes 1 args) @0:40"
        ]
    );
    let second = diagnostics.iter().nth(1).and_then(|diagnostic| diagnostic.second.clone());
    assert_eq!(second.map(|token| token.pos.file.0), Some(1));
}

#[test]
fn the_first_use_fixes_the_number_of_keys() {
    let (program, diagnostics) = run(
        &[],
        "global a, b[5], c = 3 probe begin { a[1] = 2 } probe end { a = 1 b = 1 c[1] = 2 d[1,2] = 3 }",
    );
    assert_eq!(
        messages(&diagnostics),
        [
            "inconsistent arity (1 vs 0) @0:59 <- arity 1 first inferred here @0:36",
            "inconsistent arity @0:10",
            "inconsistent arity (0 vs 1) @0:71 <- arity 0 first inferred here @0:16",
            "unresolved arity-2 global array d, missing global declaration? @0:80",
        ]
    );
    assert_eq!(program.globals[0].arity, Some(1));
}

#[test]
fn locals_are_no_arrays() {
    let (_, diagnostics) =
        run(&[], "function f(a) { a[1] = 2 } probe begin { x = 1 x[1] = 2 f(1) delete y }");
    assert_eq!(
        messages(&diagnostics),
        [
            "inconsistent arity (0 vs 1) @0:47 <- arity 0 first inferred here @0:41",
            "unresolved array in delete statement @0:68",
            "unresolved arity-1 global array a, missing global declaration? @0:16",
        ]
    );
}

#[test]
fn a_tapset_keeps_its_own_names() {
    let library = [
        ("a.stp", "function f() { s = 1 return s }"),
        ("b.stp", "probe al = begin { s = 5 }"),
        ("c.stp", "function peek() { return shared }"),
    ];
    let script = "global s, shared probe al { s[1] = 2 } probe end { println(f() + peek()) shared = 3 }";
    let (program, diagnostics) = run(&library, script);
    assert_eq!(locals(&program, 0), ["s"]);
    assert_eq!(program.globals[0].arity, Some(1));
    // A function that never assigns the name can only mean the script's.
    assert_eq!(
        messages(&diagnostics),
        [
            "the tapset's variable 's' and the script's global 's' are kept apart @2:19",
            "cross-file global variable reference to {token} from @3:25",
        ]
    );
    assert!(!diagnostics.has_errors());
}

#[test]
fn a_scalar_that_handler_and_alias_share_stays_shared() {
    let library = [("b.stp", "probe al = begin { name = 5 }")];
    let (program, _) = run(&library, "global name probe al { println(name) }");
    assert_eq!(locals(&program, 0), Vec::<String>::new());
}

#[test]
fn one_global_for_all_user_files() {
    let session = Session::for_tests();
    let scripts = ["global g probe begin { g = 1 }", "global g probe end { println(g) }"];
    let (program, diagnostics) = run_with(&session, &[], &scripts);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "begin end |  | __global_g");
    assert!(program.probes[0].primary && !program.probes[1].primary);
}

#[test]
fn embedded_c_and_its_rules() {
    let library = [(
        "a.stp",
        "global g function f() %{ /* pragma:read:g */ /* pragma:write:g */ %} function u:string(a:long) %{ /* guru */ %} function b() %{ /* bpf */ %} function n() %{ /* pragma:read:nix */ %}",
    )];
    let (program, diagnostics) =
        run(&library, "probe begin { f() } probe begin { u(1) } probe begin { b() } probe begin { n() }");
    assert_eq!(
        messages(&diagnostics),
        [
            "function may not be used unless -g is specified @0:34",
            "function requires bpf runtime @1:121",
            "unresolved pragma:read global nix @1:154",
        ]
    );
    let crate::hir::FunctionBody::Embedded { globals, .. } = &program.functions[0].body else {
        panic!("not embedded");
    };
    assert_eq!(
        globals.iter().map(|(name, _, written)| (name.as_str(), *written)).collect::<Vec<_>>(),
        [("g", false), ("g", true)]
    );
    let mut session = Session::for_tests();
    session.guru = true;
    let (program, diagnostics) = run_with(&session, &library, &["probe begin { u(1) }"]);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(program.functions[0].declared, Some(DeclaredType::String));
    assert_eq!(program.functions[0].locals()[0].declared, Some(DeclaredType::Long));
    session.privilege = crate::session::Privilege::User;
    let (_, diagnostics) = run_with(&session, &library, &["probe begin { u(1) }"]);
    assert_eq!(
        messages(&diagnostics),
        ["function may not be used when --privilege=stapusr is specified @1:78"]
    );
}

#[test]
fn embedded_values_that_use_globals_become_functions() {
    let mut session = Session::for_tests();
    session.guru = true;
    let script =
        "global g probe begin { g = 1 println(%{ /* pragma:read:g */ STAP_GLOBAL_GET_g() %}, %{ 3 %}) }";
    let (program, diagnostics) = run_with(&session, &[], &[script]);
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    assert_eq!(names(&program), "begin | __embedded_value_0 | __global_g");
    check_ids(&program);
}

#[test]
fn functions_are_bound_by_name_in_one_walk_for_each_file() {
    let library = [
        ("a.stp", "global in_b function b() { in_b = 1 m() a() }"),
        ("m.stp", "global in_m function m() { in_m = 1 z() }"),
        ("y.stp", "global in_a, in_z function a() { in_a = 1 } function z() { in_z = 1 }"),
    ];
    let (program, diagnostics) = run(&library, "probe begin { b() }");
    assert_eq!(messages(&diagnostics), Vec::<String>::new());
    // `a` comes before `b`, so that the walk is past it.
    let globals: Vec<&str> = program.globals.iter().map(|global| global.name.as_str()).collect();
    assert_eq!(globals, ["in_b", "in_m", "in_z", "in_a"]);
}
