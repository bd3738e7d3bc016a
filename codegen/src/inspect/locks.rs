//! Locks: worked out again from the text, and compared with the tables that handlers have.

use super::text::Body;
use std::collections::{BTreeMap, BTreeSet};

/// What a body does with globals.
#[derive(Debug, Default, Clone)]
struct Uses {
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
}

impl Uses {
    fn add(&mut self, other: &Uses) {
        self.reads.extend(other.reads.iter().cloned());
        self.writes.extend(other.writes.iter().cloned());
    }

    fn has(&self, global: &str) -> bool {
        self.reads.contains(global) || self.writes.contains(global)
    }
}

/// What is wrong with the locks of a module.
pub fn faults(plain: &str, bodies: &[Body]) -> Vec<String> {
    let globals = globals(plain);
    let own: BTreeMap<&str, Uses> = bodies.iter().map(|body| (body.name.as_str(), uses(body))).collect();
    let all: BTreeMap<&str, Uses> =
        bodies.iter().map(|body| (body.name.as_str(), with_calls(body, bodies, &own))).collect();
    let alone = alone(plain);
    let handlers = || bodies.iter().filter(|body| !body.is_function() && !alone.contains(&body.name));
    let mut shared = Uses::default();
    for handler in handlers() {
        shared.add(&all[handler.name.as_str()]);
    }
    let mut faults = Vec::new();
    for body in bodies.iter().filter(|body| alone.contains(&body.name)) {
        if !table(body).is_empty() {
            faults.push(format!("{}: locks although nothing runs beside it", body.name));
        }
    }
    for handler in handlers() {
        let uses = &all[handler.name.as_str()];
        let wanted: Vec<(String, bool)> = globals
            .iter()
            .filter(|(name, _)| uses.has(name))
            .filter_map(|(name, is_stat)| {
                // Adding to a statistic is reading for the lock, and collecting it is writing.
                let write = uses.writes.contains(name);
                let (exclusive, others) = match is_stat {
                    true if uses.reads.contains(name) && write => (true, true),
                    true => (!write, shared.reads.contains(name)),
                    false => (write, shared.writes.contains(name)),
                };
                (exclusive || others).then(|| (name.clone(), exclusive))
            })
            .collect();
        let found = table(handler);
        if found != wanted {
            faults.push(format!("{}: locks {found:?}, should lock {wanted:?}", handler.name));
        }
        held(handler, bodies, &all, &found, &mut faults);
    }
    faults
}

/// Locks are held where a global is used, and released on every way out.
fn held(
    handler: &Body,
    bodies: &[Body],
    all: &BTreeMap<&str, Uses>,
    locks: &[(String, bool)],
    faults: &mut Vec<String>,
) {
    let mut complain = |fault: &str| faults.push(format!("{}: {fault}", handler.name));
    let position = |wanted: &dyn Fn(&str) -> bool| handler.lines.iter().position(|line| wanted(&line.text));
    let taken = position(&|text| text.contains("stp_lock_probe (locks"));
    if locks.is_empty() {
        if taken.is_some() {
            complain("takes locks that it does not have");
        }
        return;
    }
    let code = position(&|text| text == "};").unwrap_or(0);
    let uses = |text: &str| {
        let called = text.strip_suffix(" (c);").filter(|name| bodies.iter().any(|body| body.name == *name));
        locks.iter().any(|(name, _)| {
            names(text).any(|found| found == name)
                || called.and_then(|called| all.get(called)).is_some_and(|uses| uses.has(name))
        })
    };
    let first = handler.lines.iter().skip(code).position(|line| uses(&line.text)).map(|at| at + code);
    if first.is_some() && (taken.is_none() || taken > first) {
        complain("uses a global before it has its lock");
    }
    let out = handler.lines.iter().rposition(|line| line.text.starts_with("out:")).unwrap_or(0);
    let tail: Vec<&str> = handler.lines[out..].iter().map(|line| line.text.as_str()).collect();
    let released = ["if (c->locked == 1) {", "stp_unlock_probe (locks, ARRAY_SIZE (locks));"];
    if !tail.windows(2).any(|pair| pair == released) {
        complain("does not release its locks at the end");
    }
    // What may be probed is checked first, when nothing is locked.
    let after = handler.lines.iter().skip(taken.unwrap_or(0));
    if after.into_iter().any(|line| !line.embedded && line.text.starts_with("return")) {
        complain("returns past the release of its locks");
    }
}

/// Globals in the order of their structure, with whether they are statistics.
fn globals(plain: &str) -> Vec<(String, bool)> {
    let text = between(plain, "struct stp_globals {\n", "\n};");
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some((kind, name)) = line.trim_end_matches(';').split_once(' ') else { continue };
        if ["int64_t", "string_t", "MAP", "PMAP", "Stat"].contains(&kind) {
            found.push((name.to_owned(), matches!(kind, "PMAP" | "Stat")));
        }
    }
    found
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or(rest, |(found, _)| found)
}

/// Handlers of begin, end and error probes, which run one after the other.
fn alone(plain: &str) -> BTreeSet<String> {
    let probes: Vec<&str> = between(plain, "stap_probes[] = {\n", "\n};")
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("STAP_PROBE_INIT(")?.split(", ").nth(1)?.strip_prefix('&')
        })
        .collect();
    let rows = between(plain, "stap_be_probes[] = {\n", "\n};");
    let index = |line: &str| between(line, "(&stap_probes[", "]").parse::<usize>().ok();
    rows.lines()
        .filter_map(index)
        .filter_map(|index| probes.get(index))
        .map(|name| (*name).to_owned())
        .collect()
}

/// The table of a handler: names, and whether exclusive.
fn table(body: &Body) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = Vec::new();
    for line in &body.lines {
        if let Some(lock) = line.text.strip_prefix(".lock = global_lock(") {
            found.push((lock.trim_end_matches("),").to_owned(), false));
        }
        if let (Some(last), Some(write)) = (found.last_mut(), line.text.strip_prefix(".write_p = ")) {
            last.1 = write == "1,";
        }
        if line.text == "};" {
            break;
        }
    }
    found
}

/// Globals that a line names.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let value = text.match_indices("global(").map(|(at, found)| at + found.len());
    let set = text.match_indices("global_set (").map(|(at, found)| at + found.len());
    value.chain(set).filter_map(|at| text[at..].split([')', ',']).next())
}

fn uses(body: &Body) -> Uses {
    let mut uses = Uses::default();
    for line in &body.lines {
        for name in names(&line.text) {
            let (reads, writes) = kind(&line.text, &format!("global({name})"));
            if reads {
                uses.reads.insert(name.to_owned());
            }
            if writes {
                uses.writes.insert(name.to_owned());
            }
        }
        for (at, found) in line.text.match_indices("global_set (") {
            uses.writes.extend(line.text[at + found.len()..].split(',').next().map(str::to_owned));
        }
    }
    uses
}

/// Whether a line reads and writes the global that is spelled so.
fn kind(text: &str, global: &str) -> (bool, bool) {
    const CHANGES: &[&str] = &[
        "strlcpy (",
        "strlcat (",
        "_stp_map_clear (",
        "_stp_pmap_clear (",
        "_stp_stat_clear (",
        "_stp_stat_add (",
    ];
    const CHANGES_OF_KIND: &[&str] = &[
        "_stp_map_set_",
        "_stp_map_add_",
        "_stp_map_del_",
        "_stp_map_sort_",
        "_stp_map_sortn_",
        "_stp_pmap_add_",
        "_stp_pmap_set_",
        "_stp_pmap_del_",
    ];
    let calls = |before: &str| {
        let name = before.rsplit_once(' ').map_or(before, |(rest, _)| rest);
        let name = name.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        CHANGES.contains(&format!("{name} (").as_str()) && before.ends_with(" (")
            || CHANGES_OF_KIND.iter().any(|start| name.starts_with(start)) && before.ends_with(" (")
            || name == "_stp_map_iterdel" && before.ends_with(" (")
    };
    let (mut reads, mut writes) = (false, false);
    for (at, _) in text.match_indices(global) {
        let (before, after) = (&text[..at], &text[at + global.len()..]);
        let assigned = before.trim().is_empty()
            && ([" = ", "[0] = "].iter().any(|sign| after.starts_with(sign))
                || after.get(..5).is_some_and(|sign| sign.contains("= ") && !sign.contains("==")));
        let changed = assigned || calls(before);
        writes |= changed;
        reads |= !changed;
    }
    (reads, writes)
}

fn with_calls(body: &Body, bodies: &[Body], own: &BTreeMap<&str, Uses>) -> Uses {
    let mut seen = BTreeSet::from([body.name.as_str()]);
    let mut open = vec![body];
    let mut uses = Uses::default();
    while let Some(body) = open.pop() {
        uses.add(&own[body.name.as_str()]);
        for line in &body.lines {
            let Some(name) = line.text.strip_suffix(" (c);") else { continue };
            let Some(called) = bodies.iter().find(|body| body.name == name) else { continue };
            if seen.insert(called.name.as_str()) {
                open.push(called);
            }
        }
    }
    uses
}
