//! Type errors of scripts, and the errors of pass 3, compared with what upstream 5.6 says of them.

use crate::session::{Session, Version};
use crate::testing::{check_messages, check_messages_with};
use expect_test::expect;

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
        global a probe begin { a[1] = 1; foreach (x in a[a[2]++]) println(a[x])}
        global a probe begin { a[1] = 1; foreach (x in a limit a[2]++) println(a[x])}
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
            global a probe begin { a[1] = 1; foreach (x in a[a[2]++]) println(a[x])}
            global a probe begin { a[1] = 1; foreach (x in a limit a[2]++) println(a[x])}
                error: variable 'a' modified during 'foreach' iteration @ 1:56 'a'
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

/// As stap 5.1 and 4.8 print them.
#[test]
fn before_5_4_only_the_worst_contradictions_are_told() {
    let scripts = r#"
        global a probe begin { a[1] = 4; a["1"] = 5; println(a[1]) }
        global a probe begin { a["x"] = 1; a[1] = 2; println(a["x"]) println(1 == "b") }
        probe begin { println(1 == "a") }
        function f(a) { println(a) } probe begin { f(1) f("a") }
        probe begin { try { println(1) } catch (e) { } println(2) }
        global x probe begin { x = @perf("a") println(x) }
        "#;
    let session = Session { version: Version("5.1".into()), ..Session::for_tests() };
    check_messages_with(
        scripts,
        &session,
        &expect![[r#"
            global a probe begin { a[1] = 4; a["1"] = 5; println(a[1]) }
                error: index 0 type mismatch (string) @ 1:36 '1'
                  error: type of index 0 was first inferred here (long) @ 1:26 '1'
            global a probe begin { a["x"] = 1; a[1] = 2; println(a["x"]) println(1 == "b") }
                error: index 0 type mismatch (long) @ 1:38 '1'
                  error: type of index 0 was first inferred here (long) @ 1:26 'x'
            probe begin { println(1 == "a") }
                error: type mismatch: expected string but found long @ 1:23 '1'
            function f(a) { println(a) } probe begin { f(1) f("a") }
                error: index 0 type mismatch (string) @ 1:51 'a'
                  error: type of index 0 was first inferred here (long) @ 1:46 '1'
            probe begin { try { println(1) } catch (e) { } println(2) }
            global x probe begin { x = @perf("a") println(x) }
        "#]],
    );
}
