//! Scripts through pass 2, compared with what upstream 5.6 makes of them.

use crate::session::{Mode, Session, Version};
use crate::testing::{analyse, analyse_with, check_messages};
use expect_test::expect;

fn dump(script: &str) -> String {
    analyse(script).report()
}

#[test]
fn warnings_come_from_the_first_round_and_the_users_files() {
    check_messages(
        r#"
        global unused probe begin { z = 5; println(1) }
        global x, y probe begin { x = y + 1; println(x) }
        private global xx = 1 global x, y probe begin { x = y + xx; println(x) }
        probe begin { count = 1; cuont++; println(count, coutn) coutn }
        function f(a) { return 1 } probe begin { f(pid()) println(1) }
        probe begin { 4++ }
        probe begin { } probe end { println(1) }
        function f() { } probe begin { f() println(1) }
        "#,
        &expect![[r#"
            global unused probe begin { z = 5; println(1) }
                warning: Eliding assignment to 'z' @ 1:31 '='
                warning: Eliding side-effect-free expression  @ 1:29 'z'
            global x, y probe begin { x = y + 1; println(x) }
                warning: never-assigned global variable 'y' (similar: y, x) @ 1:11 'y'
            private global xx = 1 global x, y probe begin { x = y + xx; println(x) }
                warning: never-assigned global variable 'y' (similar: y, x, xx) @ 1:33 'y'
            probe begin { count = 1; cuont++; println(count, coutn) coutn }
                warning: never-assigned local variable 'coutn' (similar: count, cuont) @ 1:50 'coutn'
                warning: Eliding side-effect-free expression  @ 1:57 'coutn'
                error: unresolved type  @ 1:50 'coutn'
            function f(a) { return 1 } probe begin { f(pid()) println(1) }
                warning: Eliding side-effect-free expression  @ 1:42 'f'
            probe begin { 4++ }
                warning: Eliding side-effect-free expression  @ 1:15 '4'
                warning: Probe 'begin' has been elided @ 1:1 'probe'
                error: no probes found
            probe begin { } probe end { println(1) }
                warning: Probe 'begin' has been elided @ 1:1 'probe'
            function f() { } probe begin { f() println(1) }
                warning: Eliding side-effect-free expression  @ 1:32 'f'
                warning: side-effect-free function 'f' @ 1:10 'f'
        "#]],
    );
}

#[test]
fn constants_fold_and_branches_go() {
    expect![[r##"
        # functions
        pid:long ()
        { %{ /* pure */ /* unprivileged */ STAP_RETVALUE = current->tgid; %} }
        # probes
        begin /*  <- begin */ 
          # locals
          x:long
          y:long
        { {
        println(1, 3, (1) / (0), ("ab" . sprint(1)), 0, -1, 0);
        println("then");
        (x) = (__global_pid__overload_0());
        (y) = (x);
        println(0, 0, y);
        next;
        } }
    "##]]
    .assert_eq(&dump(
        r#"probe begin {
            println(1 << 65, 7 / 2, 1 / 0, "a" . "b" . sprint(1) . "", !5, ~0, 3 > 2 && 0)
            if (1 == 1) println("then") else println("else")
            x = pid() * 1 + 0; y = x - 0
            println(x * 0, y % 1, y | 0)
            while (0) println("never")
            next
            println("unreachable")
        }"#,
    ));
}

#[test]
fn void_expressions_become_statements() {
    expect![[r#"
        # globals
        n:long
        a:long [long]
        # functions
        exit:unknown ()
        { %{ /* unprivileged */ _stp_exit(); %} }
        pid:long ()
        { %{ /* pure */ /* unprivileged */ STAP_RETVALUE = current->tgid; %} }
        # probes
        begin /*  <- begin */ 
          # locals
          i:long
        { {
        (__global_n)++;
        if (__global_pid__overload_0()) (__global_n)++
        ;
        (__global_n)++;
        if (!(__global_pid__overload_0())) __global_exit__overload_0()
        ;
        if (!(__global_pid__overload_0())) (__global_n)++
        ;
        for ((i) = (0); (i) < (3); (i)++) ;;
        println(__global_n);
        } }
        end /*  <- end */ 
        { {
        (__global_a[1]) = (2);
        println(__global_a[1]);
        } }
    "#]]
    .assert_eq(&dump(
        r#"
        global n
        probe begin {
            n++ && pid()
            pid() ? n++ : 3
            sprint(n++, "x") . "y"
            pid() || exit()
            if (pid()) { } else n++
            for (i = 0; i < 3; i++) { }
            foreach (k in a) { }
            println(n)
        }
        global a
        probe end { a[1] = 2 println(a[1]) }
        "#,
    ));
}

#[test]
fn globals_that_nobody_reads_are_displayed() {
    expect![[r##"
        # globals
        s:string
        a:string [string, long]
        b:long [long]
        st:stats
        arrst:stats [long, string]
        w:long = 5
        n:long
        seen:long
        # probes
        begin /*  <- begin */ 
        { {
        (__global_s) = ("x");
        (__global_a["k", 1]) = ("v");
        (__global_b[1])++;
        (__global_st) <<< (3);
        (__global_arrst[1, "q"]) <<< (4);
        (__global_w) = (4);
        (__global_n)++;
        println((__global_seen)++);
        } }
        end /*  <- end */ 
        { {
        printf("s=\"%#s\"\\n", __global_s);
        } }
        end /*  <- end */ 
          # locals
          __idx0:string
          __idx1:long
          __val:string
        { {
        foreach (__val = [__idx0, __idx1] in __global_a-) printf("a[\"%#s\",%#d]=\"%#s\"\\n", __idx0, __idx1, __val);
        } }
        end /*  <- end */ 
          # locals
          __idx0:long
          __val:long
        { {
        foreach (__val = [__idx0] in __global_b-) printf("b[%#d]=%d\\n", __idx0, __val);
        } }
        end /*  <- end */ 
        { {
        if ((@count(__global_st)) == (0)) printf("st @count=0x0\\n")
        else printf("st @count=%#d @min=%#d @max=%#d @sum=%#d @avg=%#d\\n", @count(__global_st), @min(__global_st), @max(__global_st), @sum(__global_st), @avg(__global_st))
        ;
        } }
        end /*  <- end */ 
          # locals
          __idx0:long
          __idx1:string
        { {
        foreach ([__idx0, __idx1] in __global_arrst-) printf("arrst[%#d,\"%#s\"] @count=%#d @min=%#d @max=%#d @sum=%#d @avg=%#d\\n", __idx0, __idx1, @count(__global_arrst[__idx0, __idx1]), @min(__global_arrst[__idx0, __idx1]), @max(__global_arrst[__idx0, __idx1]), @sum(__global_arrst[__idx0, __idx1]), @avg(__global_arrst[__idx0, __idx1]));
        } }
        end /*  <- end */ 
        { {
        printf("w=%d\\n", __global_w);
        } }
        end /*  <- end */ 
        { {
        printf("n=%d\\n", __global_n);
        } }
    "##]].assert_eq(&dump(
        r#"
        global s, a, b, st, arrst, w = 5, n, seen
        probe begin { s = "x"; a["k",1] = "v"; b[1]++; st <<< 3; arrst[1,"q"] <<< 4; w = 4; n++; println(seen++) }
        "#,
    ));
}

#[test]
fn stable_calls_are_made_once_for_each_block() {
    expect![[r#"
        # globals
        x:long [long]
        # functions
        cpu:long ()
        { %{ /* pure */ /* unprivileged */ /* stable */ STAP_RETVALUE = smp_processor_id(); %} }
        f:long (a:long)
          # locals
          __stable___global_uid__overload_0_value:long
        { {
        (__stable___global_uid__overload_0_value) = (__global_uid__overload_0());
        if (a) {
        (__stable___global_uid__overload_0_value) = (__global_uid__overload_0());
        println(__stable___global_uid__overload_0_value);
        }
        ;
        return __stable___global_uid__overload_0_value;
        } }
        uid:long ()
        { %{ /* pure */ /* unprivileged */ /* stable */ STAP_RETVALUE = 0; %} }
        # probes
        begin /*  <- begin */ 
          # locals
          k:long
          i:long
          __stable___global_uid__overload_0_value:long
          __stable___global_cpu__overload_0_value:long
        { {
        (__stable___global_uid__overload_0_value) = (__global_uid__overload_0());
        if ((__stable___global_uid__overload_0_value) == (3)) {
        (__stable___global_cpu__overload_0_value) = (__global_cpu__overload_0());
        println(__stable___global_uid__overload_0_value);
        foreach ([k] in __global_x) println(__stable___global_cpu__overload_0_value);
        }
        ;
        for ((i) = (0); (i) < (3); (i)++) println((__stable___global_uid__overload_0_value) + (i));
        } }
        end /*  <- end */ 
        { (__global_x[__global_f__overload_0(1)]) = (__global_f__overload_0(2)) }
    "#]]
    .assert_eq(&dump(
        r#"
        global x
        probe begin {
            if (uid() == 3) { println(uid()); foreach (k in x) println(cpu()) }
            for (i = 0; i < 3; i++) println(uid() + i)
        }
        function f(a) { if (a) println(uid()); return uid() }
        probe end { x[f(1)] = f(2) }
        "#,
    ));
}

#[test]
fn equal_functions_and_probes_at_one_place_become_one() {
    expect![[r##"
        # functions
        foo2:long (q:long)
        { return (q) + (1) }
        other:long (p:long)
        { return (p) + (1) }
        pid:long ()
        { %{ /* pure */ /* unprivileged */ STAP_RETVALUE = current->tgid; %} }
        # probes
        begin /*  <- begin */ 
          # locals
          i:long
          __combined_probe_error__:string
          __error_0__:string
          i_1:long
          __error_1__:string
        { {
        (__combined_probe_error__) = ("");
        try {
        {
        println(__global_foo2__overload_0(3));
        (i) = (__global_pid__overload_0());
        if (i) {
        %{ /* unprivileged */ (c->last_error = "__SYSTEMTAP_NEXT__") /* string */ %};
        next;
        }
        ;
        println(i);
        }
        } catch (__error__) {
        if ((__error__) != ("__SYSTEMTAP_NEXT__")) (__combined_probe_error__) = (__error__)

        }
        ;
        %{ /* unprivileged */ (c->sregs = 0) %};
        try {
        {
        (i_1) = (__global_pid__overload_0());
        println(__global_foo2__overload_0(4), __global_other__overload_0(i_1));
        }
        } catch (__error__) {
        if ((__error__) != ("__SYSTEMTAP_NEXT__")) (__combined_probe_error__) = (__error__)

        }
        ;
        if ((__combined_probe_error__) != ("")) {
        %{ /* unprivileged */ (c->last_error = l->l___combined_probe_error__) /* string */ %};
        next;
        }
        ;
        } }
    "##]]
    .assert_eq(&dump(
        r#"
        function foo(q) { return q + 1 }
        function foo2(q) { return q + 1 }
        function other(p) { return p + 1 }
        probe begin { println(foo(3)); i = pid(); if (i) next; println(i) }
        probe begin { i = pid(); println(foo2(4), other(i)) }
        "#,
    ));
}

#[test]
fn unreachable_overloads_go() {
    expect![[r##"
        # functions
        f:unknown (a:long)
        { {
        if (a) next
        ;
        println("first");
        } }
        f:unknown (a:long)
        { println("second") }
        pid:long ()
        { %{ /* pure */ /* unprivileged */ STAP_RETVALUE = current->tgid; %} }
        # probes
        begin /*  <- begin */ 
        { __global_f__overload_0(__global_pid__overload_0()) }
    "##]]
    .assert_eq(&dump(
        r#"
        function f(a) { if (a) next; println("first") }
        function f(a) { println("second") }
        function f(a) { println("third") }
        probe begin { f(pid()) }
        "#,
    ));
}

#[test]
fn without_optimisation_only_what_later_passes_need_happens() {
    let session = Session { guru: true, unoptimized: true, ..Session::for_tests() };
    let script = "global unused probe begin { x = 1; 1 ? pid() : 2; } probe end { }";
    expect![[r#"
        # functions
        pid:long ()
        { %{ /* pure */ /* unprivileged */ STAP_RETVALUE = current->tgid; %} }
        # probes
        begin /*  <- begin */ 
          # locals
          x:long
        { {
        (x) = (1);
        __global_pid__overload_0();
        } }
        end /*  <- end */ 
        { {
        } }
    "#]]
    .assert_eq(&analyse_with(script, &session).report());
}

#[test]
fn the_trace_tells_what_became_one() {
    let session = Session { verbosity: [0, 2, 0, 0, 0], ..Session::for_tests() };
    let script =
        "probe begin { println(1) } ".repeat(33) + "probe end { println(2) } probe end { println(3) }";
    let messages = analyse_with(&script, &session).messages();
    let trace: String =
        messages.split_inclusive('\n').filter(|line| !line.contains("derive-probes")).collect();
    expect![[r#"
        trace: Combining batch 0-31 of 33 probe handlers for probe point: begin
        trace: Combining 2 probe handlers for probe point: end
        trace: Removing 32 duplicate probes
        trace: After combining: 3 probes remain
    "#]]
    .assert_eq(&trace);
}

#[test]
fn listings_have_no_display_and_merge_empty_probes_too() {
    let probes = |mode, unoptimized| {
        let session = Session { mode, unoptimized, ..Session::for_tests() };
        let script = "global n probe begin { } probe begin { n++ }";
        analyse_with(script, &session).program.probes.len()
    };
    // What `-l` and `-L` ask for.
    assert_eq!((probes(Mode::List, false), probes(Mode::ListVariables, true)), (1, 2));
}

#[test]
fn older_levels_merge_no_probes_and_check_before_they_fold() {
    let version = Version("5.1".into());
    let session = Session { version, guru: true, ..Session::for_tests() };
    let merged = analyse_with("probe begin { println(1) } probe begin { println(2) }", &session);
    assert_eq!(merged.program.probes.len(), 2);
    expect![[r#"
        error: type mismatch: expected string but found long @ 1:29 '2'
    "#]]
    .assert_eq(&analyse_with(r#"probe begin { x = 1 ? "a" : 2; println(x) }"#, &session).messages());
}
