//! Tests of the parser as a whole: text in, tree out.

use super::ast::*;
use super::dump::{declarations, file};
use super::{LibraryMacros, Parse, parse, parse_macros};
use crate::session::Session;
use crate::source::{FileId, FileKind, SourceFile};
use crate::tree::print::Form;
use crate::tree::*;

pub(super) fn parse_text(text: &str) -> Parse {
    parse_with(&Session { guru: true, ..Session::for_tests() }, text)
}

pub(super) fn parse_with(session: &Session, text: &str) -> Parse {
    let source = SourceFile::new("<input>", FileKind::User, text.as_bytes());
    parse(session, FileId(0), &source, &LibraryMacros::new())
}

fn messages(parse: &Parse) -> Vec<String> {
    parse.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()
}

#[track_caller]
fn good(text: &str) -> Script {
    let parse = parse_text(text);
    assert_eq!(messages(&parse), Vec::<String>::new(), "in {text}");
    parse.script
}

/// Statements of the first probe's body.
#[track_caller]
fn body(statements: &str) -> Vec<Stmt<Parsed>> {
    let script = good(&format!("probe begin {{ {statements} }}"));
    match script.probes.into_iter().next().map(|probe| probe.body.kind) {
        Some(StmtKind::Block(list)) => list,
        other => panic!("no block: {other:?}"),
    }
}

#[test]
fn statements_need_no_separator() {
    for (text, count) in [
        ("a=1 b=2 exit()", 3),
        ("a (b)", 1),
        ("a[1] (b)", 2),
        ("x\n++y", 2),
        ("x ++ ++ y", 2),
        ("++a ++b", 2),
        ("a\n-b", 1),
        ("a in b -c", 2),
        ("a =~ \"x\" + 1", 2),
        ("a =~ \"x\" & 1", 1),
        ("$x (y)", 2),
        ("$x [y]", 1),
        ("x++ [a, b] in c", 2),
        ("break -1", 2),
        ("1 2 \"a\" \"b\" %{ c %}", 4),
        ("a ; ; b", 3),
        ("if (a) b; else c; d", 2),
        ("if (a) if (b) c; else d", 1),
        ("{} ;", 2),
        ("for (;;) ; while (a) ;", 2),
        ("a ? b : c ? d : e", 1),
        ("@count(a) @max(a)", 2),
    ] {
        assert_eq!(body(text).len(), count, "{text}");
    }
}

#[test]
fn an_else_belongs_to_the_inner_if() {
    let list = body("if (a) if (b) c; else d");
    let StmtKind::If { then, otherwise: None, .. } = &list[0].kind else { panic!("{list:?}") };
    assert!(matches!(&then.kind, StmtKind::If { otherwise: Some(_), .. }));
}

#[test]
fn operators_bind_like_upstream() {
    for (left, right) in [
        ("a & b == c", "a & (b == c)"),
        ("a = b ? c : d", "a = (b ? c : d)"),
        ("a ? b : c = 3", "(a ? b : c) = 3"),
        ("a . b + c", "a . (b + c)"),
        ("a in b & c", "(a in b) & c"),
        ("a << b . c", "a << (b . c)"),
        ("a < b == c", "(a < b) == c"),
        ("-a * b", "(-a) * b"),
        ("a || b && c | d ^ e", "a || (b && (c | (d ^ e)))"),
    ] {
        assert_eq!(body(left), body(right), "{left}");
    }
}

#[test]
fn groups_of_probe_points_multiply() {
    let script = good("probe kernel.{function(\"a\"), module(\"m\").{x,y}}.return? {}");
    let names: Vec<String> = script.probes[0]
        .points
        .iter()
        .map(|point| point.components.iter().map(|part| part.functor.as_str()).collect::<Vec<_>>().join("."))
        .collect();
    assert_eq!(names, ["kernel.function.return", "kernel.module.x.return", "kernel.module.y.return"]);
    assert!(script.probes[0].points.iter().all(|point| point.optional));
}

#[test]
fn pieces_of_a_component_are_glued_without_space() {
    let script = good("probe foo*bar**.function* {}");
    let components = &script.probes[0].points[0].components;
    assert_eq!(components[0].functor, "foo*bar**");
    assert_eq!(components[1].functor, "function*");
    assert_eq!(messages(&parse_text("probe foo *bar {}")).len(), 1);
}

#[test]
fn macros_expand_in_scope() {
    let script = good(
        "@define twice(x) %( @x + @x %) @define one %( 1 %) @define both(a, b) %( @twice(@a) . @b %)
         probe begin { y = @both(@one, (2, 3)[4]) }"
            .replace("(2, 3)[4]", "f(2, 3)")
            .as_str(),
    );
    let plain = good("probe begin { y = 1 + 1 . f(2, 3) }");
    assert_eq!(script.probes, plain.probes);
}

#[test]
fn conditionals_choose_tokens() {
    let mut session = Session::for_tests();
    session.kernel.release = "6.12.38-amd64".into();
    session.kernel.config.insert("CONFIG_SMP", "y");
    session.arguments = vec!["7".into(), "a \"b\"".into()];
    for (condition, expected) in [
        ("kernel_v >= \"6.12.9\"", true),
        ("kernel_v == \"6.12.*\"", true),
        ("kernel_vr == \"6.12.38\"", false),
        ("CONFIG_SMP == \"[yY]\"", true),
        ("CONFIG_NONE == \"y\"", false),
        ("CONFIG_NONE == 0", true),
        ("arch == \"x86_64\" && 1 == 2 || $1 == 7", true),
        ("@2 == \"a \\\"b\\\"\"", true),
        ("$# < 2", false),
        ("guru_mode == 0", true),
        ("systemtap_v < \"4.0\"", false),
        ("runtime != \"bpf\"", true),
    ] {
        let parse = parse_with(&session, &format!("probe begin %( {condition} %? {{ yes }} %: {{ no }} %)"));
        assert_eq!(messages(&parse), Vec::<String>::new(), "{condition}");
        let StmtKind::Block(list) = &parse.script.probes[0].body.kind else { panic!() };
        let StmtKind::Expr(expr) = &list[0].kind else { panic!() };
        let expected = if expected { "yes" } else { "no" };
        assert_eq!(expr.kind, ExprKind::Var(expected.into()), "{condition}");
    }
}

#[test]
fn arguments_join_with_what_follows() {
    let mut session = Session::for_tests();
    session.arguments = vec!["12".into(), "\"open".into(), "/* hidden".into()];
    let parse = parse_with(&session, "probe begin { a = $13 b = $2 text\" $3 */ c }");
    // `$13` is out of range; what it is depends on the number of arguments only.
    assert_eq!(messages(&parse), ["command line argument out of range [1-3]"]);
    let parse = parse_with(&session, "probe begin { a = $1x b = $2 text\" $3 */ c }");
    assert_eq!(messages(&parse), ["number invalid or out of range"]);
    let parse = parse_with(&session, "probe begin { b = $2 text\" $3 */ c }");
    assert_eq!(messages(&parse), Vec::<String>::new());
    let StmtKind::Block(list) = &parse.script.probes[0].body.kind else { panic!() };
    assert_eq!(list.len(), 2);
    assert_eq!(parse.used_arguments.into_iter().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn every_independent_error_is_reported() {
    let parse =
        parse_text("probe begin { ) } global x[0] probe end { a = } function f() { return 1 } probe { }");
    assert_eq!(parse.diagnostics.len(), 4);
    assert_eq!(parse.script.functions.len(), 1);
}

#[test]
fn a_file_is_empty_if_no_declaration_was_begun() {
    for (text, empty, saw_tokens) in [
        ("", true, false),
        (" # comment", true, false),
        ("%( 1 == 2 %? probe begin { } %)", true, true),
        ("@define a %( 1 %)", true, true),
        ("%? foo", true, true),
        ("foo", false, true),
        ("probe begin { }", false, true),
    ] {
        let parse = parse_text(text);
        assert_eq!((parse.empty, parse.saw_tokens), (empty, saw_tokens), "{text}");
    }
}

#[test]
fn a_macro_file_holds_macros_only() {
    let session = Session::for_tests();
    let mut macros = LibraryMacros::new();
    let file = |text: &str| SourceFile::new("a.stpm", FileKind::TapsetMacros, text.as_bytes());
    let first =
        parse_macros(&session, FileId(0), &file("@define a %( 1 %) @define b(x) %( @x %)"), &mut macros);
    assert!(first.is_empty());
    let stray = parse_macros(&session, FileId(1), &file("@define c %( 1 %) global x"), &mut macros);
    assert_eq!(stray.len(), 1);
    let again = parse_macros(&session, FileId(2), &file("@define d %( 1 %) @define a %( 2 %)"), &mut macros);
    assert_eq!(again.len(), 1);
    assert_eq!(macros.names().collect::<Vec<_>>(), ["a", "b"]);
}

/// Declarations and statements of every kind.
const EVERYTHING: &str = r#"
global a, b = 1, c[10], d%[20] private global e = "x" "y" private f global g = -5
probe begin, timer.s(5)?, kernel.{function("a"), module("m").function("b").return}!, foo*bar**.x if (a > 1) {
  printf("hello %s %-8d|%.*s\n\"", "x", 6 * 7, 3, "y") exit()
  if (a) b = 3; else c[1] = 2
  if (a) { if (b) ; } else if (c) return_value() else { }
  foreach (v = [i+, j] in d[1, *] limit 3) { print(i) }
  foreach (k in d @sum-) ;
  foreach (v- = k in @hist_log(d)) break
  for (;;) continue
  for (i = 0; i < 10; i++) next
  while (1) { }
  try { a++ ++b } catch (m) { println(m) }
  try { } catch { }
  x = $foo->bar[1]->baz$ . @cast(p, "t", "kernel")->z[i] . ("lit" . "eral") . (a ? b : c)
  ; y = &$x->y z = &foo->bar y <<< 3 .= "a" a = b = c
  ([a, b + 1, *] in c && [(a & b)] in c) || !(a in @hist_linear(c, -1, 10, 2))
  delete d[*, 1] delete a delete $x->y
  print(@hist_log(x)) sprint(@hist_linear(x, -1, 10, 2)[3], 4) println() printd(",", 1, 2, 3) printd(",", 1) 2) print_char(65)
  s !~ "re\." @variance(x, 3) @count(x[1]) @defined($x) @entry($y) @perf("c") @probewrite(v) @enum("E")
  @enumname(1, "t", "m") @uregister(3) @uderef(4, a + 1) @const("X") %{ /* pure */ 1 %} @var("n@c", "m")$$
  ;(a)[1] f(x)->y$ (-a ^ ~b) >>> 3 << +1 18446744073709551615 -1 "new
line" "tab	AA"
}
probe x = y = begin { } , { a = 1 }
probe z += end { }
function f:string (a:long, b:string, c):3 { return a return }
private function g() %{ /* C */ %}
%{ file level %}
"#;

#[test]
fn the_faithful_form_parses_back() {
    let script = good(&EVERYTHING.replace("\"new\nline\"", "\"new\\\nline\""));
    let text = declarations(&script, Form::Faithful);
    assert_eq!(good(&text), script, "{text}");
}

#[test]
fn the_dump_has_upstream_form() {
    let script = good(
        r#"global a[5] = 1
        "#
        .replace(" = 1", "")
        .as_str(),
    );
    assert_eq!(file("<input>", &script, Form::Upstream), "# file <input>\nglobal a[5]\n");
    let script = good(
        r#"probe begin, end ? { if (a) b .= "\"" . c . 1; else next printf("x\n") ; try { } catch (e) { } }
        function f:long (a, b:string) { return a }"#,
    );
    expect_test::expect![[r#"
        # file f.stp
        probe begin,end?{
        if (a) (b) .= (("\"" . c . 1))
        else next
        ;
        printf("x\\n");
        try {
        {
        }
        } catch (e) {
        {
        }
        }
        ;
        }
        function f (a, b)
        {
        return a;
        }
    "#]]
    .assert_eq(&file("f.stp", &script, Form::Upstream));
    let old = declarations(&good("probe begin { a . b . c }"), Form::UpstreamBinaryConcat);
    assert_eq!(old, "probe begin{\n((a) . (b)) . (c);\n}\n");
}
