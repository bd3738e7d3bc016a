//! What `-l`, `-L` and the `--dump-*` options print.

use super::derive::Family;
use super::library::Library;
use super::pattern::PatternTree;
use super::{alias, probes};
use crate::hir::{Function, FunctionBody, FunctionId, ProbeId, Program};
use crate::session::Session;
use crate::tree::ExprKind;
use crate::tree::walk::all_exprs;
use crate::types::{Owner, Type, TypeTable};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// `--dump-probe-types`: the points of all families that the session's user may use, one per line
/// (elaborate.cxx: `match_node::dump`).
pub fn dump_probe_types(session: &Session, families: &[&'static dyn Family]) -> String {
    let mut tree = PatternTree::new(&[]);
    for family in families {
        tree.add_family(session, *family);
    }
    tree.add_symbolic(session);
    tree.dump(session.privilege)
}

/// `--dump-probe-aliases`: declarations of all aliases of the library, sorted; those whose name starts with `_` only
/// with `verbose` (main.cxx: `passes_0_4`).
pub fn dump_probe_aliases(library: &dyn Library, verbose: bool) -> String {
    let mut lines = BTreeSet::new();
    for file in library.files() {
        for alias in &library.script(file).aliases {
            let line = alias::alias_header(alias);
            if verbose || !line.starts_with('_') {
                lines.insert(line);
            }
        }
    }
    lines.into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

/// The word for a type in listings (util.h: `operator <<` of `exp_type`).
fn type_word(kind: Type) -> &'static str {
    match kind {
        Type::Unknown => "unknown",
        Type::Long => "long",
        Type::String => "string",
        Type::Stats => "stats",
    }
}

/// `--dump-functions`: signature and tags of every function that is neither private nor made up, sorted by mangled
/// name; those whose name starts with `_` only with `verbose` (main.cxx: `passes_0_4`).
pub fn dump_functions(program: &Program, types: &TypeTable, verbose: bool) -> String {
    let mut lines = BTreeMap::new();
    for (index, function) in program.functions.iter().enumerate() {
        if function.synthetic || function.private || (!verbose && function.name.starts_with('_')) {
            continue;
        }
        let id = FunctionId(index as u32);
        let mut line = signature(function, id, types);
        for tag in tags(function, verbose) {
            let _ = write!(line, " {tag}");
        }
        lines.insert(&function.mangled, line);
    }
    lines.into_values().fold(String::new(), |text, line| text + &line + "\n")
}

/// `name:type (a:type, b:type)` (staptree.cxx: `functiondecl::printsig`).
pub fn signature(function: &Function, id: FunctionId, types: &TypeTable) -> String {
    let owner = Owner::Function(id);
    let result = types.results.get(id.0 as usize).copied().unwrap_or_default();
    let params: Vec<String> = function.locals()[..function.params]
        .iter()
        .enumerate()
        .map(|(index, local)| {
            let kind = types.local(owner, crate::hir::LocalId(index as u32));
            format!("{}:{}", local.name, type_word(kind))
        })
        .collect();
    format!("{}:{} ({})", function.name, type_word(result), params.join(", "))
}

/// Tags of embedded C that matter to callers, sorted.
fn tags(function: &Function, verbose: bool) -> Vec<&'static str> {
    let mut names = vec!["/* bpf */", "/* guru */", "/* myproc-unprivileged */", "/* unprivileged */"];
    if verbose {
        names.extend(["/* pure */", "/* stable */", "/* unmangled */", "/* unmodified-fnargs */"]);
    }
    names.sort_unstable();
    let mut found = BTreeSet::new();
    let mut look = |code: &str| found.extend(names.iter().copied().filter(|tag| code.contains(tag)));
    match &function.body {
        FunctionBody::Embedded { code, .. } => look(code),
        FunctionBody::Script(body) => all_exprs(&body.root, &mut |expr| {
            if let ExprKind::Embedded(code) = &expr.kind {
                look(code);
            }
        }),
    }
    found.into_iter().collect()
}

/// `-l` and, with `variables`, `-L`: the primary probes by their script-level point, sorted, each once. With variables
/// only those that all probes of that point share are named; with `verbose` each probe has a line of its own
/// (main.cxx: `printscript`).
pub fn list_probes(program: &Program, types: &TypeTable, variables: bool, verbose: bool) -> String {
    let mut by_point: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, probe) in program.probes.iter().enumerate() {
        if probe.primary {
            by_point.entry(probes::listed_point(probe)).or_default().push(index);
        }
    }
    let mut text = String::new();
    for (point, indexes) in &by_point {
        if !variables {
            text.push_str(point);
            text.push('\n');
            continue;
        }
        if verbose {
            for &index in indexes {
                text.push_str(&super::point_text(&program.probes[index].point, true));
                for word in variables_of(program, types, index) {
                    text.push(' ');
                    text.push_str(&word);
                }
                text.push('\n');
            }
            continue;
        }
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut order = Vec::new();
        for pass in [false, true] {
            for &index in indexes {
                for word in variables_of(program, types, index) {
                    if word.starts_with('$') == pass {
                        *counts.entry(word.clone()).or_default() += 1;
                        order.push(word);
                    }
                }
            }
        }
        text.push_str(point);
        let mut seen = BTreeSet::new();
        for word in order {
            if counts.get(&word) == Some(&indexes.len()) && seen.insert(word.clone()) {
                text.push(' ');
                text.push_str(&word);
            }
        }
        text.push('\n');
    }
    text
}

/// `name:type` of the locals, then `$name:type` of the context variables.
fn variables_of(program: &Program, types: &TypeTable, index: usize) -> Vec<String> {
    let probe = &program.probes[index];
    let owner = Owner::Probe(ProbeId(index as u32));
    let mut words = Vec::new();
    for (number, local) in probe.body.locals.iter().enumerate() {
        let kind = types.local(owner, crate::hir::LocalId(number as u32));
        words.push(format!("{}:{}", local.name, type_word(kind)));
    }
    words.extend(probe.lineage.variables.iter().map(|(name, kind)| format!("{name}:{kind}")));
    words
}
