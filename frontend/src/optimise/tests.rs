//! Scripts through passes 2 and the checks of pass 3, compared with what upstream 5.6 says of them.

use crate::session::{Mode, Session};
use crate::testing::{analyse, analyse_with};
use expect_test::{Expect, expect};

/// The messages of several scripts, one script for each line.
fn messages(scripts: &str) -> String {
    let mut out = String::new();
    for script in scripts.lines().map(str::trim).filter(|line| !line.is_empty()) {
        out += &format!("{script}\n");
        for line in analyse(script).messages().lines() {
            out += &format!("    {line}\n");
        }
    }
    out
}

fn check_messages(scripts: &str, expected: &Expect) {
    expected.assert_eq(&messages(scripts));
}

fn dump(script: &str) -> String {
    analyse(script).report()
}

#[test]
fn contradictions_are_reported_once_with_the_place_that_came_first() {
    check_messages(
        r#"
        probe begin { x = 1; x = "a"; println(x) }
        probe begin { x = "a"; x++; println(x) }
        probe begin { x = "a"; y = 1; println(x == y) }
        probe begin { println("a" + 1) }
        probe begin { println(1 == "a") }
        probe begin { if ("a") println(1) }
        global a probe begin { a["x"] = 1; a[1] = 2; println(a["x"]) }
        global a probe begin { a["x"] = 1; foreach (k in a) println(k+1) }
        global x = 1 probe begin { x = "a" println(x) }
        function f(a:string) { println(a) } probe begin { f(1) }
        function f(a) { println(a) } probe begin { f(1) f("a") }
        function f(x) { if (x) return "a"; return 1 } probe begin { println(f(1)) }
        function f(x) { if (x) return 1; return } probe begin { println(f(1)) }
        probe begin { try { println(1) } catch (e) { println(e + 1) } }
        probe begin { x = sprint(1); println(x+1) }
        probe begin { println(1 =~ "b") }
        "#,
        &expect![[r#"
            probe begin { x = 1; x = "a"; println(x) }
                error: type mismatch (string) @ 1:22 'x'
                  error: type was first inferred here (long) @ 1:15 'x'
            probe begin { x = "a"; x++; println(x) }
                error: type mismatch (long) @ 1:24 'x'
                  error: type was first inferred here (string) @ 1:15 'x'
            probe begin { x = "a"; y = 1; println(x == y) }
                error: type mismatch (string) @ 1:44 'y'
                  error: type was first inferred here (long) @ 1:24 'y'
            probe begin { println("a" + 1) }
                error: type mismatch: expected long but found string @ 1:23 'a'
            probe begin { println(1 == "a") }
                error: type mismatch: expected string but found long @ 1:23 '1'
            probe begin { if ("a") println(1) }
                error: type mismatch: expected long but found string @ 1:19 'a'
            global a probe begin { a["x"] = 1; a[1] = 2; println(a["x"]) }
                error: type mismatch: expected string but found long @ 1:38 '1'
                  error: type of index 0 was first inferred here (long) @ 1:26 'x'
            global a probe begin { a["x"] = 1; foreach (k in a) println(k+1) }
                error: type mismatch (long) @ 1:61 'k'
                  error: type was first inferred here (string) @ 1:45 'k'
            global x = 1 probe begin { x = "a" println(x) }
                error: type mismatch: expected string but found long @ 1:28 'x'
            function f(a:string) { println(a) } probe begin { f(1) }
                error: type mismatch: expected string but found long @ 1:53 '1'
            function f(a) { println(a) } probe begin { f(1) f("a") }
                error: type mismatch: expected long but found string @ 1:51 'a'
                  error: type of index 0 was first inferred here (long) @ 1:46 '1'
            function f(x) { if (x) return "a"; return 1 } probe begin { println(f(1)) }
                error: type mismatch: expected string but found long @ 1:43 '1'
                  error: type was first inferred here (string) @ 1:31 'a'
            function f(x) { if (x) return 1; return } probe begin { println(f(1)) }
                error: type mismatch (unknown) @ 1:34 'return'
                  error: type was first inferred here (long) @ 1:31 '1'
            probe begin { try { println(1) } catch (e) { println(e + 1) } }
                error: type mismatch (long) @ 1:54 'e'
                  error: type was first inferred here (string) @ 1:41 'e'
            probe begin { x = sprint(1); println(x+1) }
                error: type mismatch (string) @ 1:15 'x'
                  error: type was first inferred here (long) @ 1:38 'x'
            probe begin { println(1 =~ "b") }
                error: type mismatch: expected string but found long @ 1:23 '1'
        "#]],
    );
}

#[test]
fn folding_comes_between_the_first_look_and_the_verdict() {
    check_messages(
        r#"
        probe begin { x = 1 ? "a" : 2; println(x) }
        probe begin { x = 0 ? "a" : pid(); println(x) }
        probe begin { y = pid(); x = y ? "a" : 2; println(x) }
        probe begin { if (0) x = "a"; else x = 1; println(x) }
        "#,
        &expect![[r#"
            probe begin { x = 1 ? "a" : 2; println(x) }
            probe begin { x = 0 ? "a" : pid(); println(x) }
            probe begin { y = pid(); x = y ? "a" : 2; println(x) }
                error: type mismatch: expected string but found long @ 1:40 '2'
            probe begin { if (0) x = "a"; else x = 1; println(x) }
                error: type mismatch (long) @ 1:36 'x'
                  error: type was first inferred here (string) @ 1:22 'x'
        "#]],
    );
}

#[test]
fn unknown_and_invalid_types() {
    check_messages(
        r#"
        probe begin { println(x) }
        function f() { println(1) } probe begin { x = f(); println(x) }
        function f() { println(1) } probe begin { println(1 + f()) }
        function f(a) { println(1) } probe begin { f(x) }
        global a probe begin { delete a[1]; println(a[1]) }
        global s probe begin { s <<< 1; x = s; println(x) }
        probe begin { s <<< 1; println(@count(s))}
        global s probe begin { s[1] <<< 1; foreach (v = k in s) println(k) }
        global s probe begin { s[1] = 1; foreach (k in s @sum-) println(k) }
        global g% probe begin { g = 1 println(g) }
        probe begin { println($x) }
        probe begin { println((5)->x) }
        probe begin { delete 5 }
        "#,
        &expect![[r#"
            probe begin { println(x) }
                warning: never-assigned local variable 'x' @ 1:23 'x'
                error: unresolved type  @ 1:23 'x'
            function f() { println(1) } probe begin { x = f(); println(x) }
                error: unresolved type  @ 1:43 'x'
            function f() { println(1) } probe begin { println(1 + f()) }
            function f(a) { println(1) } probe begin { f(x) }
                warning: never-assigned local variable 'x' @ 1:46 'x'
                error: unresolved type  @ 1:46 'x'
            global a probe begin { delete a[1]; println(a[1]) }
                error: unresolved type  @ 1:31 'a'
            global s probe begin { s <<< 1; x = s; println(x) }
                error: invalid type stats @ 1:37 's'
                error: unresolved type  @ 1:48 'x'
            probe begin { s <<< 1; println(@count(s))}
                error: stat locals not supported, missing global declaration?  @ 1:15 's'
            global s probe begin { s[1] <<< 1; foreach (v = k in s) println(k) }
                error: invalid type stats @ 1:45 'v'
            global s probe begin { s[1] = 1; foreach (k in s @sum-) println(k) }
                error: invalid type long @ 1:48 's'
            global g% probe begin { g = 1 println(g) }
                error: wrapping not supported for scalars @ 1:8 'g'
            probe begin { println($x) }
                error: unresolved target-symbol expression @ 1:23 '$x'
            probe begin { println((5)->x) }
                error: unknown type in dereference @ 1:26 '->'
            probe begin { delete 5 }
                error: invalid operand of delete expression @ 1:22 '5'
        "#]],
    );
}

#[test]
fn formats_are_checked_against_arguments() {
    check_messages(
        r#"
        probe begin { printf("%d %s\n", 1) }
        probe begin { printf("%d\n", "a") }
        probe begin { printf("%*d\n", "a", 1) }
        probe begin { printf("%b %c %p %m %M\n", 1, 2, 3, 4, "a") }
        probe begin { printf("%-*.*s|%#x %%\n", 1, 2, "a", 3) }
        "#,
        &expect![[r#"
            probe begin { printf("%d %s\n", 1) }
                error: Wrong number of args to formatted print operator @ 1:15 'printf'
            probe begin { printf("%d\n", "a") }
                error: type mismatch: expected long but found string @ 1:30 'a'
            probe begin { printf("%*d\n", "a", 1) }
                error: type mismatch: expected long but found string @ 1:31 'a'
            probe begin { printf("%b %c %p %m %M\n", 1, 2, 3, 4, "a") }
                error: type mismatch: expected long but found string @ 1:54 'a'
            probe begin { printf("%-*.*s|%#x %%\n", 1, 2, "a", 3) }
        "#]],
    );
}

#[test]
fn statistics_and_iterated_arrays() {
    check_messages(
        r#"
        global s probe begin { s <<< 1; println(@variance(s, 3), @variance(s, 4)) }
        global s probe begin { s <<< 1; println(@variance(s, 63)) }
        global s probe begin { s <<< 1; print(@hist_log(s)); print(@hist_linear(s,0,10,1)) }
        global a probe begin { a[1] = 1; foreach (x in a) a[x] = 3 println(a[1])}
        global a probe begin { a[1] = 1; foreach (x in a) delete a[x] println(a[1])}
        global a probe begin { a[1] = 1; foreach (x in a) f(); println(a[1])} function f() { a[1] = 2 }
        global a probe begin { a[1] = 1; foreach (x in a) f(); println(a[1])} function f() { g() } function g() { a[1] = 2 }
        global s probe begin { s <<< f() } function f() %{ /* pragma:read:s */ 1 %}
        "#,
        &expect![[r#"
            global s probe begin { s <<< 1; println(@variance(s, 3), @variance(s, 4)) }
                error: conflicting bit shifts declared (previously 3) @ 1:58 '@variance'
            global s probe begin { s <<< 1; println(@variance(s, 63)) }
                error: bit shift (63) out of range <0..62> @ 1:41 '@variance'
            global s probe begin { s <<< 1; print(@hist_log(s)); print(@hist_linear(s,0,10,1)) }
                error: multiple histogram types declared on '__global_s' @ 1:60 '@hist_linear'
            global a probe begin { a[1] = 1; foreach (x in a) a[x] = 3 println(a[1])}
                error: variable 'a' modified during 'foreach' iteration @ 1:51 'a'
            global a probe begin { a[1] = 1; foreach (x in a) delete a[x] println(a[1])}
                error: variable 'a' modified during 'foreach' iteration @ 1:58 'a'
            global a probe begin { a[1] = 1; foreach (x in a) f(); println(a[1])} function f() { a[1] = 2 }
                error: function call modifies var 'a' during 'foreach' iteration @ 1:51 'f'
            global a probe begin { a[1] = 1; foreach (x in a) f(); println(a[1])} function f() { g() } function g() { a[1] = 2 }
            global s probe begin { s <<< f() } function f() %{ /* pragma:read:s */ 1 %}
                error: Aggregates not available in embedded-C @ 1:8 's'
        "#]],
    );
}

#[test]
fn what_cannot_be_assigned_to() {
    check_messages(
        r#"
        probe begin { f() = 3 } function f() { return 1 }
        global s probe begin { s <<< 1; @hist_log(s)[3] = 4 }
        function f() { @hist_log(s)[3]++ } global s probe begin { s <<< 1; f() }
        "#,
        &expect![[r#"
            probe begin { f() = 3 } function f() { return 1 }
                error: Expecting lvalue for assignment @ 1:19 '=' @ 1:15 'f'
            global s probe begin { s <<< 1; @hist_log(s)[3] = 4 }
                error: Expecting lvalue for assignment @ 1:49 '=' @ 1:33 '@hist_log'
            function f() { @hist_log(s)[3]++ } global s probe begin { s <<< 1; f() }
                error: Assignment to read-only histogram bucket @ 1:16 '@hist_log'
        "#]],
    );
}

#[test]
fn errors_of_pass_3() {
    check_messages(
        r#"
        probe begin { if (1) break; }
        probe begin { continue }
        global s probe begin { s <<< 1; println(s) }
        global s probe begin { s <<< 1; delete @hist_log(s)[3] }
        global s probe begin { s <<< 1; @hist_log(s)[3]++ }
        probe begin { (x = 1)++; println(x) }
        probe begin { f()++ } function f() { println(1) return 1 }
        function f() { return g() } function g() { println(1) } probe begin { f() }
        probe begin { print(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33) }
        "#,
        &expect![[r#"
            probe begin { if (1) break; }
                error: cannot 'break' outside loop @ 1:22 'break'
            probe begin { continue }
                error: cannot 'continue' outside loop @ 1:15 'continue'
            global s probe begin { s <<< 1; println(s) }
                error: print format actual argument evaluation type unsupported @ 1:41 's'
            global s probe begin { s <<< 1; delete @hist_log(s)[3] }
                error: cannot delete histogram bucket entries
                 @ 1:40 '@hist_log'
            global s probe begin { s <<< 1; @hist_log(s)[3]++ }
                error: cannot assign to histogram buckets @ 1:33 '@hist_log'
            probe begin { (x = 1)++; println(x) }
                error: invalid lvalue type @ 1:18 '='
            probe begin { f()++ } function f() { println(1) return 1 }
                error: invalid lvalue type @ 1:15 'f'
            function f() { return g() } function g() { println(1) } probe begin { f() }
                error: return value type unsupported @ 1:23 'g'
            probe begin { print(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33) }
                error: too many arguments to print (33) @ 1:15 'print'
        "#]],
    );
}

#[test]
fn warnings_come_from_the_first_round_and_the_users_files() {
    check_messages(
        r#"
        global unused probe begin { z = 5; println(1) }
        global x, y probe begin { x = y + 1; println(x) }
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
        } catch (__error_0__) {
        if ((__error_0__) != ("__SYSTEMTAP_NEXT__")) (__combined_probe_error__) = (__error_0__)

        }
        ;
        %{ /* unprivileged */ (c->sregs = 0) %};
        try {
        {
        (i_1) = (__global_pid__overload_0());
        println(__global_foo2__overload_0(4), __global_other__overload_0(i_1));
        }
        } catch (__error_1__) {
        if ((__error_1__) != ("__SYSTEMTAP_NEXT__")) (__combined_probe_error__) = (__error_1__)

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
fn listings_have_no_display_and_no_merged_probes() {
    let session = Session { mode: Mode::List, ..Session::for_tests() };
    let script = "global n probe begin { n++ } probe begin { n++ }";
    let analysis = analyse_with(script, &session);
    assert_eq!(analysis.program.probes.len(), 2);
}
