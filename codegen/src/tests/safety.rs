//! What makes a handler safe, looked for in the emitted C of a script that has a bit of everything.

use super::compile::EVERYTHING;
use super::{emit_with, session, source};
use crate::families::testing as families;
use crate::inspect;
use frontend::session::{Session, Version};
use std::collections::BTreeSet;

/// Handlers and script functions: name and body.
fn bodies(source: &str) -> Vec<(String, String)> {
    let head = " (struct context * __restrict__ c) {\n";
    source
        .match_indices(head)
        .filter_map(|(at, _)| {
            let name = source[..at].rsplit(' ').next()?.to_owned();
            let end = source[at..].find("\n}\n").map_or(source.len(), |end| at + end);
            Some((name, source[at + head.len()..end].to_owned()))
        })
        .collect()
}

/// The names in a handler's table of locks, with whether they are exclusive.
fn locks(body: &str) -> Vec<(&str, bool)> {
    let table = body.split("static const struct stp_probe_lock locks[] = {").nth(1).unwrap_or_default();
    let table = table.split("\n  };").next().unwrap_or_default();
    let names = table.match_indices("global_lock(").map(|(at, found)| &table[at + found.len()..]);
    let names = names.map(|rest| rest.split(')').next().unwrap_or_default());
    let writes =
        table.match_indices(".write_p = ").map(|(at, found)| table[at + found.len()..].starts_with('1'));
    names.zip(writes).collect()
}

/// Sessions that spell handlers differently.
fn sessions() -> Vec<Session> {
    let of = |level: &str, options: Session| Session {
        version: Version(level.into()),
        compatible: Version(level.into()),
        ..options
    };
    vec![
        of("4.8", session()),
        of("5.1", session()),
        of("5.6", session()),
        of("5.6", Session { suppress_handler_errors: true, unoptimized: true, ..session() }),
        of("5.6", Session { suppress_time_limits: true, ..session() }),
        of("5.1", Session { bulk: true, timing: true, ..session() }),
    ]
}

#[test]
fn everything_keeps_the_rules() {
    for session in sessions() {
        let unit = emit_with(&session, EVERYTHING).unwrap();
        assert_eq!(inspect::faults(&unit.source), Vec::<String>::new(), "{:?}", session.version);
    }
}

/// Each of these changes makes a safe text unsafe in one way; the inspection must say so. The texts are taken from what
/// is emitted, so a change in spelling shows here, too.
#[test]
fn every_broken_rule_is_found() {
    let count = "if (unlikely (c->actionremaining <= 0)) {";
    let errors = "if (unlikely (c->last_error || c->aborted)) goto out;";
    let lock = |name: &str, write: u8| {
        format!(
            "    {{\n      .lock = global_lock({name}),\n      .write_p = {write},\n#ifdef STP_TIMING\n      \
             .skipped = global_skipped({name}),\n      .contention = global_contended({name}),\n#endif\n    }},\n"
        )
    };
    let (n, st) = (lock("s___global_n", 1), lock("s___global_st", 1));
    let (n_first, st_first) = (format!("{n}{st}"), format!("{st}{n}"));
    let changes = [
        ("c->actionremaining -= ", "c->cycles_sum -= ", "top_"),
        (count, "if (0) {", "nobody looks at the count"),
        ("if (unlikely (c->actionremaining <= 0)) goto out;", "", "catches that the actions"),
        ("if (likely (c->last_error == NULL)) goto out;", "", "a try without"),
        ("data1 == NULL || ", "", "data1 may be null"),
        ("likely (data0) ? ", "", "data0 may be null"),
        ("if (!cursor0) goto", "if (!c) goto", "cursor0 may be null"),
        (errors, "", "no look for errors"),
        ("c->nesting+1 >= MAXNESTING", "c == NULL", "how deep calls are"),
        ("c->nesting--;", "", "does not come back"),
        ("  (void) l;", "  char text[500];\n  (void) l;", "on the stack"),
        ("  (void) l;", "  int64_t many[9];\n  (void) l;", "on the stack"),
        ("strlcpy (l->", "strcpy (l->", "without a limit"),
        (", MAXSTRINGLEN);", ", 4096);", "with another limit"),
        ("  t0 = ", "  t0 = *(int64_t *) (l->l_i) + ", "a pointer out of a number"),
        ("  t0 = ", "  t0 = task->pid + ", "an unknown pointer"),
        ("goto continue_", "for (;;) goto continue_", "a loop without a label"),
        (".write_p = 1,", ".write_p = 0,", "should lock"),
        (".write_p = 0,", ".write_p = 1,", "should lock"),
        (n.as_str(), "", "should lock"),
        (n_first.as_str(), st_first.as_str(), "should lock"),
        ("stp_unlock_probe (locks, ARRAY_SIZE (locks));", "", "does not release"),
        ("if (!stp_lock_probe (locks, ARRAY_SIZE (locks)))", "if (0)", "before it has its lock"),
        ("  c->locked = 1;", "  c->locked = 1; }\n  return;", "returns past"),
    ];
    let safe = emit_with(&session(), EVERYTHING).unwrap().source;
    for (from, to, expected) in changes {
        assert!(safe.contains(from), "nothing like `{from}` is emitted");
        let faults = inspect::faults(&safe.replace(from, to));
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{from} -> {to}: {faults:#?}");
    }
}

#[test]
fn readers_share_locks_and_who_only_reads_what_nobody_writes_takes_none() {
    let source = source(
        "global n, m, k = 5 probe timer.s(1) { n++ } probe timer.s(2) { println(n) } \
         probe timer.s(3) { println(k) } probe begin { m = 1 } probe timer.s(4) { println(m) }",
    );
    let found = bodies(&source);
    let of = |name: &str| locks(&found.iter().find(|(found, _)| found == name).unwrap().1);
    assert_eq!(of("probe_0"), [("s___global_n", true)]);
    assert_eq!(of("probe_1"), [("s___global_n", false)]);
    assert_eq!(of("probe_2"), []);
    assert_eq!(of("probe_4"), []);
}

#[test]
fn adding_to_a_statistic_shares_its_lock() {
    let source = source("global s probe timer.s(1) { s <<< 1 } probe timer.s(2) { println(@count(s)) }");
    let found = bodies(&source);
    let of = |name: &str| locks(&found.iter().find(|(found, _)| found == name).unwrap().1);
    assert_eq!(of("probe_0"), [("s___global_s", false)]);
    assert_eq!(of("probe_1"), [("s___global_s", true)]);
}

#[test]
fn memory_dumps_are_bounded_and_read_by_the_runtime() {
    let unit = emit_with(&session(), "probe begin { printf(\"%5.3m %.*M %p\", 1, 8, 4096, 5) }").unwrap();
    assert!(unit.source.contains("_stp_vsprint_memory (str, end, "), "{}", unit.source);
    assert!(unit.source.contains("is too many bytes for a memory dump"));
}

/// Functions that are neither handlers nor functions of the script: name, parameters, body.
fn callbacks(source: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(") {\n").map(|at| at + 2) {
        let start = rest[..at].rfind('\n').map_or(0, |line| line + 1);
        let head = &rest[start..at];
        let mut end = at;
        if head.starts_with("static ") && !head.contains("__restrict__ c)") {
            end = rest[at..].find("\n}\n").map_or(rest.len(), |end| at + end);
            let (name, params) = head.split_once('(').unwrap_or((head, ""));
            let name = name.trim_end().rsplit([' ', '*']).next().unwrap_or_default();
            found.push((name.to_owned(), params.to_owned(), rest[at..end].to_owned()));
        }
        rest = &rest[end..];
    }
    found
}

/// The word that ends a text.
fn last_word(text: &str) -> &str {
    let start = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    &text[start..]
}

/// True if a pointer of a callback is known to be good where it is read through for the first time.
fn is_good(pointer: &str, params: &str, body: &str, first: usize) -> bool {
    let before = &body[..first];
    let tested = [format!("if (!{pointer})"), format!("if ({pointer})"), format!("if ({pointer} == NULL)")];
    // The kernel's own objects: `event` is a parameter that the runtime's macro declares.
    let given =
        params.split([',', ')']).any(|param| last_word(param.trim()) == pointer) || pointer == "event";
    let element = [" = &stap_", " = & stap_"].iter().any(|of| before.contains(&format!("{pointer}{of}")));
    // The runtime attaches to an engine what it was registered with.
    let attached = before.contains(&format!("{pointer} = (struct stap_utrace_probe *) engine->data;"));
    given || element || attached || tested.iter().any(|test| before.contains(test.as_str()))
}

#[test]
fn callbacks_read_through_nothing_that_may_be_null() {
    let script = r#"
        probe kernel.data(0x1000).write, kernel.data(0x2000).length(2).rw, process.data(0x100).rw { n++ }
        probe process.begin, process.end, process.thread.begin, process.thread.end { n++ }
        probe process.syscall, process.syscall.return { n++ }
        probe kprobe.function("vfs_read"), kprobe.function("vfs_read").return { n++ }
        global n probe end { println(n) }"#;
    let mut checked = BTreeSet::new();
    for level in ["4.8", "5.1", "5.6"] {
        let version = Version(level.into());
        // Points of user space data came with 5.0.
        let script =
            if level == "4.8" { script.replace(", process.data(0x100).rw", "") } else { script.into() };
        let session =
            Session { version: version.clone(), compatible: version, guru: true, ..families::session() };
        let unit = emit_with(&session, &script).unwrap();
        let is_callback = |name: &str| name.starts_with("enter_") || name.starts_with("stap_utrace_probe_");
        for (name, params, body) in callbacks(&unit.source).into_iter().filter(|(name, ..)| is_callback(name))
        {
            for (at, _) in body.match_indices("->") {
                let pointer = last_word(&body[..at]);
                let of = body[..at - pointer.len()].chars().next_back();
                // Members of what was looked at: tables of ours, objects of the kernel.
                if pointer.is_empty() || matches!(of, Some('>' | '.')) {
                    continue;
                }
                let first = body.find(&format!("{pointer}->")).unwrap_or(at);
                assert!(is_good(pointer, &params, &body, first), "{level}: {pointer} in {name}:\n{body}");
            }
            checked.insert(name);
        }
    }
    let names: Vec<&str> = checked.iter().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "enter_be_probe",
            "enter_hwbkpt_probe",
            "enter_kprobe_probe",
            "enter_kretprobe_common",
            "stap_utrace_probe_handler",
            "stap_utrace_probe_syscall"
        ]
    );
}

#[test]
fn a_pointer_that_was_not_looked_at_is_found() {
    let body = "{\n  q = find ();\n  q->x = 1;\n  p->y = 2;\n";
    assert!(!is_good("q", "struct p *p)", body, body.find("q->").unwrap()));
    assert!(is_good("p", "struct p *p)", body, body.find("p->").unwrap()));
    let tested = body.replace("();", "();\n  if (!q)\n    return;");
    assert!(is_good("q", "void)", &tested, tested.find("q->").unwrap()));
}
