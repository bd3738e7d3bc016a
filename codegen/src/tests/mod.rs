//! Scripts to C: snapshots of handlers and functions, and what is refused.

mod compile;
mod mutations;
mod safety;

use crate::families;
use crate::testing::profile;
use crate::{CUnit, Plan, emit, plan};
use expect_test::{Expect, expect};
use frontend::session::{Session, Version};
use frontend::testing::{Analysis, parse_texts};
use frontend::world::MemoryWorld;

/// A tapset of our own.
const TAPSET: &str = r#"
function exit() %{ /* unprivileged */ _stp_exit (); %}
function name:string() %{ /* pure */ strlcpy (STAP_RETVALUE, current->comm, MAXSTRINGLEN); %}
function number:long(s:string) %{ /* pure */ /* unmodified-fnargs */ STAP_RETVALUE = STAP_ARG_s[0]; %}
function cpu:long() { return %{ /* pure */ smp_processor_id () %} }
"#;

fn session() -> Session {
    Session { guru: true, ..Session::for_tests() }
}

/// A script after pass 2.
fn analysed(session: &Session, script: &str) -> Analysis {
    let texts = parse_texts(session, &[("<input>", script)], &[("tapset.stp", TAPSET)]);
    texts.analyse(session, &MemoryWorld::new(), &families::front())
}

/// The plan of a script, or what is wrong with it.
pub(crate) fn plan_with(session: &Session, script: &str) -> Result<Plan, String> {
    let analysed = analysed(session, script);
    if analysed.diagnostics.has_errors() {
        return Err(analysed.errors().join("\n"));
    }
    let (major, minor) = session.version.major_minor();
    plan(session, &analysed.sources, &analysed.program, &analysed.types, &profile(major, minor))
        .map_err(|bag| bag.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join("\n"))
}

fn emit_with(session: &Session, script: &str) -> Result<CUnit, String> {
    plan_with(session, script).map(|plan| emit(session, &plan))
}

fn source(script: &str) -> String {
    emit_with(&session(), script).unwrap().source
}

/// The C function of that name.
fn function(source: &str, name: &str) -> String {
    let head = format!("static void {name} (struct context * __restrict__ c) {{");
    let start = source.find(&head).unwrap_or_else(|| panic!("no {name} in\n{source}"));
    let end = source[start..].find("\n}\n").map_or(source.len(), |end| start + end + 3);
    source[start..end].to_owned()
}

/// The steps of the first probe's handler, between its set-up and its end.
fn steps(script: &str) -> String {
    let handler = function(&source(script), "probe_0");
    let start = handler.find("  /* <input>").unwrap_or(0);
    let end = handler.find("deref_fault: __attribute__").unwrap_or(handler.len());
    handler[start..end].lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&steps(script));
}

#[test]
fn hello_world() {
    let source = source("probe begin { println(\"Hello World\") exit() }");
    expect![[r#"
        static void probe_0 (struct context * __restrict__ c) {
          __label__ deref_fault;
          __label__ out;
          struct probe_0_locals * __restrict__ l = & c->probe_locals.probe_0;
          (void) l;
          if (c->actionremaining < 2) { c->last_error = "MAXACTION exceeded"; goto out; }
          /* <input>:1:15 */
          _stp_print ("Hello World\n");
          /* <input>:1:38 */
          STAP_LAST_STMT = "identifier 'exit' at <input>:1:38";
          function___global_exit__overload_0 (c);
          if (unlikely (c->last_error || c->aborted)) goto out;
        deref_fault: __attribute__((unused));
        out: __attribute__((unused));
          _stp_print_flush ();
        }
    "#]]
    .assert_eq(&function(&source, "probe_0"));
}

#[test]
fn a_value_is_copied_before_a_later_operand_changes_it() {
    check(
        "global n probe begin { n = n + n++ }",
        &expect![[r#"
          /* <input>:1:24 */
          t0 = global(s___global_n);
          t1 = global(s___global_n);
          global(s___global_n) += 1LL;
          global(s___global_n) = t0 + t1;
    "#]],
    );
}

#[test]
fn division_is_checked_once() {
    check(
        "global n, m probe begin { n = 6 / m; n = 7 / 2 } probe timer.s(1) { m++ }",
        &expect![[r#"
            /* <input>:1:27 */
            if (unlikely (global(s___global_m) == 0)) {
              c->last_error = "division by 0";
              STAP_LAST_STMT = "operator '/' at <input>:1:33";
              goto out;
            }
            global(s___global_n) = _stp_div64 (NULL, 6LL, global(s___global_m));
            /* <input>:1:38 */
            global(s___global_n) = 3LL;
        "#]],
    );
}

#[test]
fn short_circuit_with_a_call_becomes_a_branch() {
    check(
        "global n probe begin { if (n && number(\"x\")) n = 1 }",
        &expect![[r#"
          /* <input>:1:24 */
          t1 = global(s___global_n) != 0LL;
          if (t1 != 0) {
            c->locals[c->nesting+1].function___global_number__overload_0.l_s = "x";
            STAP_LAST_STMT = "identifier 'number' at <input>:1:33";
            function___global_number__overload_0 (c);
            if (unlikely (c->last_error || c->aborted)) goto out;
            t0 = c->locals[c->nesting+1].function___global_number__overload_0.__retvalue;
            t1 = t0 != 0LL;
          }
          if (t1 != 0) {
            /* <input>:1:46 */
            global(s___global_n) = 1LL;
          }
    "#]],
    );
}

#[test]
fn strings_are_built_where_they_go() {
    check(
        "probe begin { s = name() . \"-\" . name(); println(s) }",
        &expect![[r#"
          /* <input>:1:15 */
          c->locals[c->nesting+1].function___global_name__overload_0.__retvalue = &l->l_s[0];
          STAP_LAST_STMT = "identifier 'name' at <input>:1:19";
          function___global_name__overload_0 (c);
          if (unlikely (c->last_error || c->aborted)) goto out;
          strlcat (l->l_s, "-", MAXSTRINGLEN);
          c->locals[c->nesting+1].function___global_name__overload_0.__retvalue = &l->b0[0];
          STAP_LAST_STMT = "identifier 'name' at <input>:1:34";
          function___global_name__overload_0 (c);
          if (unlikely (c->last_error || c->aborted)) goto out;
          strlcat (l->l_s, l->b0, MAXSTRINGLEN);
          /* <input>:1:42 */
          c->printf_locals.stp_printf_1.arg0 = l->l_s;
          stp_printf_1 (c);
    "#]],
    );
}

#[test]
fn an_array_element_is_read_changed_and_stored() {
    check(
        "global a probe begin { a[1, \"x\"] += 2; println(a[1, \"x\"]++) }",
        &expect![[r#"
          /* <input>:1:24 */
          t0 = _stp_map_get_isi (global(s___global_a), 1LL, "x");
          t0 += 2LL;
          if (unlikely (_stp_map_set_isi (global(s___global_a), 1LL, "x", t0))) {
            c->last_error = "Array overflow, check MAXMAPENTRIES";
            STAP_LAST_STMT = "identifier 'a' at <input>:1:24";
            goto out;
          }
          /* <input>:1:40 */
          t0 = _stp_map_get_isi (global(s___global_a), 1LL, "x");
          if (unlikely (_stp_map_set_isi (global(s___global_a), 1LL, "x", t0 + 1LL))) {
            c->last_error = "Array overflow, check MAXMAPENTRIES";
            STAP_LAST_STMT = "identifier 'a' at <input>:1:48";
            goto out;
          }
          c->printf_locals.stp_printf_1.arg0 = t0;
          stp_printf_1 (c);
    "#]],
    );
}

#[test]
fn handlers_that_run_side_by_side_lock_what_they_share() {
    let source = source("global n probe timer.ms(10) { x = cpu() n += x println(n) }");
    expect![[r#"
        static void probe_0 (struct context * __restrict__ c) {
          __label__ deref_fault;
          __label__ out;
          static const struct stp_probe_lock locks[] = {
            {
              .lock = global_lock(s___global_n),
              .write_p = 1,
        #ifdef STP_TIMING
              .skipped = global_skipped(s___global_n),
              .contention = global_contended(s___global_n),
        #endif
            },
          };
          struct probe_0_locals * __restrict__ l = & c->probe_locals.probe_0;
          int64_t l_x = 0;
          int64_t t0;
          (void) l;
          if (c->actionremaining < 4) { c->last_error = "MAXACTION exceeded"; goto out; }
          /* <input>:1:31 */
          STAP_LAST_STMT = "identifier 'cpu' at <input>:1:35";
          function___global_cpu__overload_0 (c);
          if (unlikely (c->last_error || c->aborted)) goto out;
          t0 = c->locals[c->nesting+1].function___global_cpu__overload_0.__retvalue;
          l_x = t0;
          /* <input>:1:41 */
          if (!stp_lock_probe (locks, ARRAY_SIZE (locks)))
            goto out;
          c->locked = 1;
          global(s___global_n) += l_x;
          /* <input>:1:48 */
          c->printf_locals.stp_printf_1.arg0 = global(s___global_n);
          stp_printf_1 (c);
        deref_fault: __attribute__((unused));
        out: __attribute__((unused));
          if (c->locked == 1) {
            stp_unlock_probe (locks, ARRAY_SIZE (locks));
            c->locked = 2;
          }
          _stp_print_flush ();
        }
    "#]]
    .assert_eq(&function(&source, "probe_0"));
}

#[test]
fn what_is_the_same_in_two_places_is_one_handler() {
    let script = "global n probe begin(1) { n++ } probe begin(2) { n++ } probe end { println(n) }";
    let owners = |session: &Session| {
        let plan = plan_with(session, script).expect("a plan");
        plan.probes.iter().filter(|probe| probe.owns_handler).count()
    };
    assert_eq!(owners(&session()), 2);
    assert_eq!(owners(&Session { unoptimized: true, ..session() }), 3);
}

#[test]
fn the_same_script_gives_the_same_bytes() {
    let script = "global a, b, c probe begin { a[1] = 2 b <<< 3 c = \"x\" } \
                  probe end { foreach (k in a) println(k, @count(b), c) }";
    assert_eq!(source(script), source(script));
}

#[test]
fn the_frame_of_a_handler_is_known() {
    let script = "function f(a:string) { a .= \"x\" return a } \
                  probe begin { s = name() println(f(s), 1) } probe end { println(1) }";
    let session = session();
    let analysed = analysed(&session, script);
    let plan = plan(&session, &analysed.sources, &analysed.program, &analysed.types, &profile(5, 6)).unwrap();
    let frame = crate::frame_sizes(&plan);
    // One local and one buffer for the result of f; f's parameter and the pointer to its result; two arguments.
    assert_eq!((frame.handler, frame.function, frame.levels, frame.format), (1024, 520, 2, 16));
}

#[test]
fn suppressed_time_limits_leave_no_action_code() {
    let session = Session { suppress_time_limits: true, ..session() };
    let script = "global n probe begin { while (n < 3) { try { n++ } catch { next } } exit() }";
    let unit = emit_with(&session, script).unwrap();
    assert!(!unit.source.contains("actionremaining"), "{}", unit.source);
}

#[test]
fn statements_announce_themselves_when_asked_to() {
    let with = |level: &str| {
        let macros = vec!["STP_EXECTRACE".to_owned()];
        let version = Version(level.into());
        let session = Session { macros, version: version.clone(), compatible: version, ..session() };
        emit_with(&session, "probe begin { exit() }").unwrap().source
    };
    assert!(
        with("5.6")
            .contains("__stp_exectrace (__FILE__ \":\" _STRINGIFY (__LINE__) \" \" \"<input>:1:15\");")
    );
    assert!(!with("5.1").contains("exectrace"));
    assert!(!source("probe begin { exit() }").contains("exectrace"));
}

#[test]
fn all_that_stap_announces_is_announced() {
    let session = Session { macros: vec!["STP_EXECTRACE".to_owned()], ..session() };
    let script =
        "probe begin {\n for (i = 0; i < 3; i++) {\n exit() n = i\n }\n if (n) ; else n = 1\n } global n";
    let unit = emit_with(&session, script).unwrap();
    let handler = function(&unit.source, "probe_0");
    let places = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("__stp_exectrace"));
        lines.filter_map(|line| line.split('"').rev().nth(1).map(str::to_owned)).collect()
    };
    // The block, the loop, what it starts with, its block, the statements in it, its step, the `if` and what is left of it.
    let wanted = ["1:13", "2:2", "2:7", "2:26", "3:2", "3:9", "2:21", "5:2", "5:16"];
    assert_eq!(places(&handler), wanted.map(|at| format!("<input>:{at}")));
    // The C text of the tapset's function.
    assert!(places(&unit.source).iter().any(|place| place == "tapset.stp:2:17"), "{}", unit.source);
}

#[test]
fn strings_that_may_be_too_long_are_cut_where_upstream_copies_them() {
    let handler = |bytes: &str, script: &str| {
        let session = Session { macros: vec![format!("MAXSTRINGLEN={bytes}")], ..session() };
        function(&emit_with(&session, script).unwrap().source, "probe_0")
    };
    let choice = "global n probe begin { println(n ? \"0123456789\" : \"\"); exit() }";
    assert_eq!(handler("8", choice).matches("strlcpy").count(), 1);
    assert!(!handler("11", choice).contains("strlcpy"));
    // What the preprocessor will say is not known here.
    assert_eq!(handler("4+4", choice).matches("strlcpy").count(), 1);
    // A literal is used as it is.
    let literal = "global n probe begin { println(\"0123456789\", ++n); exit() }";
    assert!(!handler("8", literal).contains("strlcpy"));
}

#[test]
fn session_states_are_logged_when_asked_for() {
    let logged = "_stp_dbug (__FUNCTION__, __LINE__, \"session state: %d, expecting stp->state (%d)\", sess_state, stp->state);";
    let session = Session { macros: vec!["DEBUG_PROBES".to_owned()], ..session() };
    assert!(emit_with(&session, "probe begin { exit() }").unwrap().source.contains(logged));
    assert!(!source("probe begin { exit() }").contains("_stp_dbug"));
}

#[test]
fn old_runtimes_have_one_statement_pointer() {
    let session = Session { version: Version("5.1".into()), compatible: Version("5.1".into()), ..session() };
    let unit = emit_with(&session, "probe begin { exit() }").unwrap();
    assert!(unit.source.contains("#define STAP_LAST_STMT (c->last_stmt)"));
    assert!(unit.source.contains("c->last_stmt = NULL;"));
    assert!(!unit.source.contains("_stp_softerror_handler"));
}

#[test]
fn what_cannot_be_said_is_refused() {
    let refused = |script: &str| emit_with(&session(), script).unwrap_err();
    assert_eq!(refused("probe begin { break }"), "cannot 'break' outside loop");
    assert_eq!(
        refused(
            "global a probe begin { a[1, 2, 3, 4, 5, 6, 7, 8, 9, 10] = 1 println(1 in b) } global b probe end { b[1]++ }"
        ),
        "excessive key arity == too many array indexes"
    );
    let many = (0..33).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(refused(&format!("probe begin {{ print({many}) }}")), "too many arguments to print (33)");
}

#[test]
fn tables_hold_what_the_runtime_knows() {
    use crate::symbols::{BuildId, Object, Section, Symbols, Table};
    let table = |bytes: &[u8]| Some(Table { address: 0x40, bytes: bytes.to_vec() });
    let section = |name: &str, symbols: &[(u64, &str)]| Section {
        name: name.into(),
        size: 0x1000,
        symbols: symbols.iter().map(|(at, name)| (*at, (*name).to_owned())).collect(),
        frame_index: None,
        load_address: 0,
    };
    let objects = vec![
        Object {
            name: "kernel".into(),
            sections: vec![Section {
                load_address: 0xffff_ffff_8100_0000,
                ..section("_stext", &[(0, "_stext"), (16, "do_\"it\"")])
            }],
            ..Object::default()
        },
        Object {
            name: "/bin/x".into(),
            path: Some("/bin/x".into()),
            sections: vec![section(".dynamic", &[])],
            build_id: Some(BuildId { bits: vec![0xa, 0x31], offset: 0x360 }),
            eh_frame: table(b"\x00007?\"\xff"),
            eh_frame_hdr: table(&[1]),
            debug_line_str: table(b"a.c"),
            ..Object::default()
        },
    ];
    let text = |version: &str| {
        let session = Session { version: Version(version.into()), ..session() };
        let mut plan = plan_with(&session, "probe begin { println(1) }").unwrap();
        plan.symbols = Symbols { objects: objects.clone(), missing: Vec::new() };
        emit(&session, &plan).symbols
    };
    let newest = text("5.6");
    assert!(!text("4.8").contains("debug_line_str"));
    let start = newest.find("/* kernel").unwrap();
    let end = newest.find("/* The module itself").unwrap();
    expect![[r#"
        /* kernel */
        static struct _stp_symbol _stp_module_0_symbols_0[] = {
          { 0x0, "_stext" },
          { 0x10, "do_\"it\"" },
        };
        static struct _stp_section _stp_module_0_sections[] = {
          { .name = "_stext", .size = 0x1000, .symbols = _stp_module_0_symbols_0, .num_symbols = 2, .sec_load_offset = 0xffffffff81000000 },
        };
        static struct _stp_module _stp_module_0 = {
          .name = "kernel",
          .sections = _stp_module_0_sections,
          .num_sections = ARRAY_SIZE (_stp_module_0_sections),
        };

        /* /bin/x */
        static uint8_t _stp_module_1_eh_frame[] =
          "\000007\?\"\377";

        static uint8_t _stp_module_1_eh_frame_hdr[] =
          "\001";

        static uint8_t _stp_module_1_debug_line_str[] =
          "a.c";

        static struct _stp_symbol _stp_module_1_symbols_0[] = {{0}};
        static struct _stp_section _stp_module_1_sections[] = {
          { .name = ".dynamic", .size = 0x1000, .symbols = _stp_module_1_symbols_0, .num_symbols = 0 },
        };
        static struct _stp_module _stp_module_1 = {
          .name = "/bin/x",
          .path = "/bin/x",
          .sections = _stp_module_1_sections,
          .num_sections = ARRAY_SIZE (_stp_module_1_sections),
          .eh_frame = _stp_module_1_eh_frame,
          .eh_frame_len = 7,
          .eh_frame_addr = 0x40,
          .unwind_hdr = _stp_module_1_eh_frame_hdr,
          .unwind_hdr_len = 1,
          .unwind_hdr_addr = 0x40,
          .debug_line_str = _stp_module_1_debug_line_str,
          .debug_line_str_len = 3,
          .build_id_bits = (unsigned char *) "\x0a\x31",
          .build_id_len = 2,
          .build_id_offset = 0x360,
        };

    "#]]
    .assert_eq(&newest[start..end]);
    assert!(newest.contains("{ & _stp_module_0, & _stp_module_1, & _stp_module_self }"));
}

#[test]
fn only_handlers_that_may_print_pass_output_on() {
    let flushes = |body: &str| {
        let script = format!(
            "global n = 0, t = \"\"\nfunction shout() {{ println(n) }}\nfunction quiet:long(a) {{ return a ? quiet(a - 1) : cpu() }}\n\
             function loud() %{{ _stp_printf (\"x\"); %}}\nprobe timer.s(1) {{ {body} }}"
        );
        function(&source(&script), "probe_0").contains("_stp_print_flush")
    };
    assert!(!flushes("n++"));
    assert!(!flushes("t = name() . sprintf(\"%d\", n)"));
    assert!(!flushes("n = quiet(3)"));
    assert!(flushes("n++ if (n > 3) shout()"));
    assert!(flushes("loud()"));
    assert!(flushes("print_char(n)"));
}
