//! Every message of the parser, with the place it names. Each line was compared with stap 5.6 when it was written.

use super::tests::parse_text;
use crate::diag::{Diagnostic, TokenTag};
use crate::source::Token;

/// Scripts with errors, one for each line.
const CASES: &str = r#"
probe
probe begin
probe begin {
probe begin { a
probe begin { a +
probe begin { a + }
probe begin { ) }
probe begin { a ) }
probe begin { if }
probe begin { if (a }
probe begin { if (a
probe begin { if (
probe begin { if
probe begin { while }
probe begin { while (a }
probe begin { for }
probe begin { for (
probe begin { for (a }
probe begin { for (a
probe begin { for (a;
probe begin { for (a;b }
probe begin { for (a;b;
probe begin { for (a;b;c }
probe begin { for (;;
probe begin { foreach }
probe begin { foreach ( }
probe begin { foreach (1 }
probe begin { foreach (a }
probe begin { foreach (a+ }
probe begin { foreach (a+ = 1
probe begin { foreach ([a }
probe begin { foreach ([1 }
probe begin { foreach ([a,1 }
probe begin { foreach ([a+,b+] in c) ; }
probe begin { foreach (a+ in b+) ; }
probe begin { foreach (a in 1) ; }
probe begin { foreach (a in b c) ; }
probe begin { foreach (a in b[1 c]) ; }
probe begin { foreach (a in b @foo+) ; }
probe begin { foreach (a in b @sum) ; }
probe begin { foreach (a in b limit) ; }
probe begin { foreach (a in b limit 3 4) ; }
probe begin { foreach (a in b
probe begin { foreach (a in
probe begin { foreach (a
probe begin { foreach
probe begin { try }
probe begin { try { } }
probe begin { try { } catch }
probe begin { try { } catch ( }
probe begin { try { } catch (1) }
probe begin { try { } catch (a 1) }
probe begin { try { } catch (a) }
probe begin { try { } catch (a) 1 }
probe begin { try
probe begin { try {
probe begin { try { }
probe begin { try { } catch
probe begin { try { } catch (
probe begin { try { } catch (a
probe begin { try { } catch (a)
probe begin { return }
probe begin { return 1 }
function f() { return
function f() { return )
function f() { return if
function f() { delete
function f() { delete ) }
probe begin { else }
probe begin { in }
probe begin { a in }
probe begin { a in 1 }
probe begin { a in b in c }
probe begin { (a in b in c) }
probe begin { (a }
probe begin { (a
probe begin { f(a }
probe begin { f(a b) }
probe begin { f(a, }
probe begin { f(a,) }
probe begin { f(
probe begin { a[1 }
probe begin { a[1 2] }
probe begin { a[] }
probe begin { a[1,] }
probe begin { [a }
probe begin { [a b] in c }
probe begin { [a, b] }
probe begin { [a, b] + 1 }
probe begin { [a, b]
probe begin { [] }
probe begin { 1 + [a] }
probe begin { $x-> }
probe begin { $x->1 }
probe begin { $x->
probe begin { $x[1 }
probe begin { $x[1 2] }
probe begin { $x$->y }
probe begin { $x$[1] }
probe begin { $x->y$[1] }
probe begin { &&x }
probe begin { &(&$x) }
probe begin { a =~ }
probe begin { a =~ b }
probe begin { a =~ "b" == "c" }
probe begin { a ? b }
probe begin { a ? b : }
probe begin { a ? b ; c }
probe begin { a = }
probe begin { a = = }
probe begin { @foo(1) }
probe begin { a @foo }
probe begin { @ }
@foo
probe begin { @count }
probe begin { @count( }
probe begin { @count() }
probe begin { @count(a b c) }
probe begin { @count(a, 1) }
probe begin { @count(a b, 1) }
probe begin { @variance(a, 1, 2) }
probe begin { @variance(a, b) }
probe begin { @hist_log(a) }
probe begin { @hist_log(a) = 3 }
probe begin { @hist_log(a)
probe begin { x = @hist_log(a }
probe begin { @hist_linear(a) }
probe begin { @hist_linear(a, b) }
probe begin { @hist_linear(a, 1, 2) }
probe begin { @hist_linear(a, 1, 2, 3, 4) }
probe begin { @hist_linear(a, 1 2) }
probe begin { print }
probe begin { print a }
probe begin { print() }
probe begin { print(a b) }
probe begin { print(a }
probe begin { print(@hist_log(a)+1) }
probe begin { print(@hist_log(a)[1]+1) }
probe begin { print(@hist_log(a)[1,2]) }
probe begin { print(@hist_log(a), 1) }
probe begin { print(1, @hist_log(a)) }
probe begin { printd() }
probe begin { printd(1, 2, 3) }
probe begin { printd("a", 1) }
probe begin { printd("a") }
probe begin { printd("a", b) c }
probe begin { printd("a") b) c }
probe begin { printd("a") ) b) }
probe begin { printd("a"
probe begin { printd("a", b)
probe begin { printf() }
probe begin { printf(1) }
probe begin { printf("a" 1) }
probe begin { printf("%") }
probe begin { printf("%z") }
probe begin { printf("%5") }
probe begin { printf("%-0+d", 1) }
probe begin { printf("a%") }
probe begin { @cast }
probe begin { @cast() }
probe begin { @cast(a) }
probe begin { @cast(a, b) }
probe begin { @cast(a, "") }
probe begin { @cast(a, "b", c) }
probe begin { @cast(a, "b", "c", d) }
probe begin { @cast(a, "b" c) }
probe begin { @var() }
probe begin { @var(a) }
probe begin { @var("a", b) }
probe begin { @var("a" b) }
probe begin { @defined() }
probe begin { @defined(a b) }
probe begin { @entry(a, b) }
probe begin { @probewrite(1) }
probe begin { @probewrite(a b) }
probe begin { @const(1) }
probe begin { @const("") }
probe begin { @const("a" 1) }
probe begin { @enum(a) }
probe begin { @enum("") }
probe begin { @enumname(a, b) }
probe begin { @enumname(a, "") }
probe begin { @enumname(a, "b", c) }
probe begin { @enumname(a b) }
probe begin { @perf(a) }
probe begin { @perf("") }
probe begin { @kregister(a) }
probe begin { @uregister(1 2) }
probe begin { @uderef(a) }
probe begin { @uderef(4) }
probe begin { @uderef(4, a b) }
probe begin { 12ab }
probe begin { 18446744073709551616 }
probe begin { "abc
probe begin { "abc }
probe begin { %{ abc }
probe begin { \ }
probe begin { ' }
probe begin { a; } ;
probe begin { } { }
probe begin { } , { }
probe a = begin { } , 
probe a = begin { } , 1
probe a += begin { } , { }
probe a = { }
probe a? = begin { }
probe a, b = begin { }
probe a.b? .c { }
probe a.{b?,c}.d { }
probe a.{b?,c}? { }
probe a.{b if (x)} if (y) { }
probe a.{b,c { }
probe a.{b,c = d} { }
probe {a,b} { }
probe 1 { }
probe a. { }
probe a, { }
probe a b { }
probe a.1 { }
probe a( { }
probe a() { }
probe a(b) { }
probe a(1 2) { }
probe a(1
probe a("x"
probe a("x" "y" 1) { }
probe a(-) { }
probe a(-"x") { }
probe a(99999999999999999999) { }
probe a if { }
probe a if (b { }
probe a if (b
probe a if
probe a ? ! { }
probe a } { }
probe a *b { }
probe a)
probe a.
probe a,
probe a = 
global
global 1
global a b
global a,
global a, 1
global a[
global a[b]
global a[0]
global a[-1]
global a[99999999999]
global a[1
global a[1 2]
global a[1] = 2
global a =
global a = b
global a = -
global a = -"x"
global a, a
global a private a
global a global a
private
private 1
private probe
private global 1
private a, a
private global probe begin { }
global probe begin { }
function
function 1
function f
function f 1
function f :
function f : x
function f : long
function f : long x
function f (
function f (1
function f (a
function f (a b
function f (a :
function f (a : x
function f (a : long
function f (a : long b
function f (a,
function f (a, a) { }
function f (a)
function f (a) 1
function f (a) :
function f (a) : x
function f (a) : 0 { }
function f (a) : "x" { }
function f (a) : -1 { }
function f (a) : 1 x
function f (a) : 1
function f (a) { } ;
function if () { }
function string () { return 1 }
foo
1
{ }
%( 1 == 1
%( 1 == 1 %?
%( 1 == 1 %? probe begin { }
%( 1 == %? %)
%( 1 + 1 %? %)
%( a == 1 %? %)
%( kernel_v == 1 %? %)
%( kernel_v < "2.*" %? %)
%( kernel_v + "2" %? %)
%( arch < "x" %? %)
%( arch == 1 %? %)
%( guru_mode == "x" %? %)
%( guru_mode == 2 %? %)
%( guru_mode < 1 %? %)
%( CONFIG_SMP < "y" %? %)
%( CONFIG_SMP == 1 %? %)
%( CONFIG_SMP == foo %? %)
%( "a" == 1 %? %)
%( 1 == "a" %? %)
%( systemtap_privilege < "x" %? %)
%( 1 == 1 foo %? %)
%( 1 == 1 && %? %)
%?
%:
%)
%( 1 == 1 %? %: %: %)
probe begin { %( 1 == 1 %? a %: b %) ) }
@define
@define 1
@define x
@define x 1
@define x(
@define x( )
@define x(a b)
@define x(a) 1
@define x %( 1
@define define %( 1 %)
@define x %( 1 %) @define x %( 2 %)
@define x %( @define y %( 1 %) %) @x
@define x(a) %( @a %) probe begin { @x }
@define x(a) %( @a %) probe begin { @x( }
@define x(a) %( @a %) probe begin { @x(1, 2) }
@define x(a, b) %( @a %) probe begin { @x(1) }
@define x %( ) %) probe begin { @x }
@define x(a) %( @a %) @define y(a) %( @x(@a) %) probe begin { @y( ) ) }
@define x(a) %( @a %) @define y(a) %( @x(@a) %) probe begin { @y( if ) }
probe begin { $1 }
probe begin { @1 }
probe begin { 1 } global a, a probe end { ( } function f() { } probe error { ) } global 1
probe begin { if (a) } probe begin { if } probe begin { while } probe begin { print } probe begin { @count }
probe begin { probe end { } }
probe begin { global a }
probe begin { a = b c d } }
probe begin { a b } probe
probe begin { x = 5 y = ( }
probe begin { string }
probe begin { f(string) }
probe begin { a . . b }
probe begin { a * * b }
probe begin { * a }
probe begin { a[*, b] [*] in c }
probe begin { [*, a] in c }
probe begin { ++ ++ a }
probe begin { ++ 1 }
probe begin { - }
probe begin { ! }
probe begin { a ! b }
probe begin { !~ a }
probe begin { a->b->1 }
probe begin { 1->b }
probe begin { f()->b[1]$ $ ->x }
"#;

fn describe(diagnostic: &Diagnostic) -> String {
    let place = |token: &Token| format!("{:?} '{}' at {}", token.kind, token.text, token.pos.offset + 1);
    let place = match (diagnostic.tag, &diagnostic.token) {
        (TokenTag::At, Some(token)) => format!("at {}", place(token)),
        (TokenTag::Saw, Some(token)) => format!("saw {}", place(token)),
        (TokenTag::SawEof, _) | (_, None) => "saw the end".to_owned(),
    };
    let message = diagnostic.message.replace('\n', " ");
    let cause = diagnostic.cause.as_ref().map_or(String::new(), |cause| format!(" <- {}", describe(cause)));
    format!("{message}: {place}{cause}")
}

#[test]
fn messages_and_places_are_upstreams() {
    let mut text = String::new();
    for case in CASES.lines().filter(|case| !case.is_empty()) {
        text.push_str(case);
        text.push('\n');
        for diagnostic in parse_text(&format!("{case}\n")).diagnostics.iter() {
            text.push_str(&format!("    {}\n", describe(diagnostic)));
        }
    }
    expect_test::expect_file!["error_tests.txt"].assert_eq(&text);
}
