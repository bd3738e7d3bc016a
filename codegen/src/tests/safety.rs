//! What makes a handler safe, looked for in the emitted C of a script that has a bit of everything.

use super::compile::EVERYTHING;
use super::{emit_with, session, source};
use crate::families::testing as families;
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

fn everything() -> Vec<(String, String)> {
    let unit = emit_with(&session(), EVERYTHING).unwrap();
    let found = bodies(&unit.source);
    assert!(found.len() > 10, "{found:?}");
    found
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

#[test]
fn every_call_of_a_function_looks_for_errors_and_nesting() {
    let unit = emit_with(&session(), EVERYTHING).unwrap();
    for (name, body) in bodies(&unit.source) {
        if name.starts_with("function_") {
            let check = body.find("if (unlikely (c->nesting+1 >= MAXNESTING)) {");
            assert!(check < body.find("c->nesting++;") && check.is_some(), "{name}:\n{body}");
        }
        let lines: Vec<&str> = body.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with("function_") && line.ends_with(" (c);") {
                assert_eq!(
                    lines[at + 1],
                    "if (unlikely (c->last_error || c->aborted)) goto out;",
                    "{name}:{line}"
                );
            }
        }
    }
}

#[test]
fn locks_are_in_one_order_and_released_on_every_way_out() {
    let mut orders = Vec::new();
    for (name, body) in everything() {
        let names: Vec<&str> = locks(&body).iter().map(|(name, _)| *name).collect();
        if names.is_empty() {
            assert!(!body.contains("stp_lock_probe"), "{name}:\n{body}");
            continue;
        }
        // All ways out lead over the label; what is behind it releases what was taken.
        let end = body.rsplit("\nout: __attribute__((unused));").next().unwrap_or_default();
        assert!(
            end.contains("if (c->locked == 1) {\n    stp_unlock_probe (locks, ARRAY_SIZE (locks));"),
            "{name}:\n{end}"
        );
        let returns = body.lines().any(|line| line.trim_start().starts_with("return"));
        assert!(!returns, "{name} returns past the label:\n{body}");
        orders.push(names.into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(orders.len() >= 3, "{orders:?}");
    // Whoever has two locks has them in the same order as anybody else.
    let pairs: BTreeSet<(String, String)> = orders
        .iter()
        .flat_map(|order| {
            let pair = |a: usize, b: usize| (order[a].clone(), order[b].clone());
            (0..order.len()).flat_map(move |b| (0..b).map(move |a| pair(a, b)))
        })
        .collect();
    for (a, b) in &pairs {
        assert!(!pairs.contains(&(b.clone(), a.clone())), "{a} and {b} are taken in both orders");
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
fn strings_and_buffers_are_not_on_the_kernels_stack() {
    for (name, body) in everything() {
        for line in body.lines().map(str::trim).filter(|line| line.ends_with(';')) {
            let on_stack = ["string_t ", "char ", "unsigned char "].iter().any(|word| line.starts_with(word));
            let on_stack = on_stack && !line.contains('*');
            let array = line.starts_with("int64_t ") && line.contains('[');
            assert!(!on_stack && !array && !line.contains("alloca"), "{name}: {line}");
        }
        // Pointers and numbers only, and not without bound.
        let declared = body
            .lines()
            .filter(|line| line.starts_with("  int64_t "))
            .map(|line| line.matches(',').count() + 1);
        assert!(declared.sum::<usize>() <= 64, "{name}:\n{body}");
    }
}

#[test]
fn copies_of_strings_say_how_much_fits() {
    for (name, body) in everything() {
        for copy in ["strlcpy (", "strlcat ("] {
            for (at, _) in body.match_indices(copy) {
                let call = body[at..].split(';').next().unwrap_or_default();
                assert!(call.ends_with("MAXSTRINGLEN)"), "{name}: {call}");
            }
        }
        for unbounded in ["strcpy (", "strcat (", "sprintf ("] {
            let found =
                body.match_indices(unbounded).any(|(at, _)| !body[..at].ends_with(['n', 'p', 'v', '_']));
            assert!(!found, "{name} has {unbounded}");
        }
    }
}

#[test]
fn memory_is_read_by_the_runtime_alone() {
    // What a script gives as an address is a number; nothing makes a pointer of it outside of embedded C and of the
    // runtime's own functions, which catch faults.
    let unit = emit_with(&session(), "probe begin { printf(\"%5.3m %.*M %p\", 1, 8, 4096, 5) }").unwrap();
    assert!(unit.source.contains("_stp_vsprint_memory (str, end, "), "{}", unit.source);
    assert!(unit.source.contains("is too many bytes for a memory dump"));
    for (name, body) in everything() {
        for cast in ["(char *) (", "(void *) (", "(int64_t *) (", "*(", "* ("] {
            let found = body.lines().find(|line| line.contains(cast) && !line.trim().starts_with("/*"));
            // The definitions that embedded C uses mention types only.
            let found = found.filter(|line| !line.starts_with('#'));
            assert_eq!(found, None, "{name}");
        }
    }
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
