//! Globals: their structure, array types, construction, destruction, module parameters.

use super::maps::stat_tokens;
use super::writer::{CWriter, script_literal};
use crate::plan::Plan;
use crate::plan::storage::{GlobalKind, GlobalPlan, MapType};
use frontend::tree::HistKind;
use frontend::types::{StatInfo, Type};

/// Instantiates the runtime's array code for every type in use.
pub fn write_map_types(out: &mut CWriter, plan: &Plan) {
    // Array code uses the allocator, and so do statistics.
    if plan.map_types.is_empty() {
        return;
    }
    out.directive("#include \"alloc.c\"");
    for of in &plan.map_types {
        write_map_type(out, of);
    }
    out.directive("#include \"map.c\"");
}

fn write_map_type(out: &mut CWriter, of: &MapType) {
    let word = |of: Type| match of {
        Type::String => "STRING",
        Type::Stats => "STAT",
        Type::Long | Type::Unknown => "INT64",
    };
    out.directive(format!("#define VALUE_TYPE {}", word(of.value)));
    for (index, key) in of.keys.iter().enumerate() {
        out.directive(format!("#define KEY{}_TYPE {}", index + 1, word(*key)));
    }
    if of.value == Type::Stats {
        out.directive("#define MAP_DO_PMAP 1");
    }
    out.directive("#include \"map-gen.c\"");
    if of.value == Type::Stats {
        out.directive("#undef MAP_DO_PMAP");
    }
    out.directive("#undef VALUE_TYPE");
    for index in 0..of.keys.len() {
        out.directive(format!("#undef KEY{}_TYPE", index + 1));
    }
}

/// Writes `struct stp_globals` and its one instance.
pub fn write_struct(out: &mut CWriter, plan: &Plan) {
    out.open("struct stp_globals {");
    for global in &plan.globals {
        let name = &global.c_name;
        out.line(match &global.kind {
            GlobalKind::Long(_) => format!("int64_t {name};"),
            GlobalKind::Text(_) => format!("string_t {name};"),
            GlobalKind::Map { .. } => format!("MAP {name};"),
            GlobalKind::StatMap { .. } => format!("PMAP {name};"),
            GlobalKind::Stat(_) => format!("Stat {name};"),
        });
        out.line(format!("stp_rwlock_t {name}_lock;"));
        out.directive("#ifdef STP_TIMING");
        out.line(format!("atomic_t {name}_lock_skip_count;"));
        out.line(format!("atomic_t {name}_lock_contention_count;"));
        out.directive("#endif");
    }
    out.close("};");
    out.open("static struct stp_globals stp_global = {");
    for global in &plan.globals {
        let name = &global.c_name;
        match &global.kind {
            GlobalKind::Long(Some(value)) => out.line(format!(".{name} = {},", super::expr::number(*value))),
            GlobalKind::Text(Some(text)) => out.line(format!(".{name} = {},", script_literal(text))),
            _ => {}
        }
    }
    out.close("};");
}

/// Constructs globals, in `systemtap_module_init`.
pub fn write_init(out: &mut CWriter, plan: &Plan) {
    for global in &plan.globals {
        let name = &global.c_name;
        if let Some(constructor) = constructor(global) {
            out.line(format!("global_set({name}, {constructor});"));
            out.open(format!("if (global({name}) == NULL) {{"));
            out.line("rc = -ENOMEM;");
            out.line(format!("_stp_error (\"global variable '{}' allocation failed\");", global.shown));
            out.line("goto out;");
            out.close("}");
        }
        out.line(format!("global_lock_init({name});"));
        out.directive("#ifdef STP_TIMING");
        out.line(format!("atomic_set (global_skipped({name}), 0);"));
        out.line(format!("atomic_set (global_contended({name}), 0);"));
        out.directive("#endif");
    }
}

fn constructor(global: &GlobalPlan) -> Option<String> {
    let capacity = |size: &Option<i64>| size.map_or("MAXMAPENTRIES".to_owned(), |size| size.to_string());
    let wrap = |wrap: &bool| if *wrap { "KEY_STAT_WRAP, " } else { "" };
    match &global.kind {
        GlobalKind::Long(_) | GlobalKind::Text(_) => None,
        GlobalKind::Map { of, size, wrap: wraps } => Some(format!(
            "_stp_map_new_{} (KEY_MAPENTRIES, {}, {}NULL)",
            of.suffix(),
            capacity(size),
            wrap(wraps)
        )),
        GlobalKind::StatMap { of, size, wrap: wraps, stat } => Some(format!(
            "_stp_pmap_new_{} ({}KEY_MAPENTRIES, {}, {}{}NULL)",
            of.suffix(),
            stat_tokens(stat),
            capacity(size),
            wrap(wraps),
            hist_tokens(stat)
        )),
        GlobalKind::Stat(stat) => {
            Some(format!("_stp_stat_init ({}{}NULL)", stat_tokens(stat), hist_tokens(stat)))
        }
    }
}

fn hist_tokens(stat: &StatInfo) -> String {
    match &stat.hist {
        None => "KEY_HIST_TYPE, HIST_NONE, ".to_owned(),
        Some(HistKind::Log) => "KEY_HIST_TYPE, HIST_LOG, ".to_owned(),
        Some(HistKind::Linear { low, high, width }) => {
            format!("KEY_HIST_TYPE, HIST_LINEAR, {low}, {high}, {width}, ")
        }
    }
}

/// Destroys globals; the runtime's destructors accept what was never made.
pub fn write_exit(out: &mut CWriter, plan: &Plan) {
    for global in &plan.globals {
        let destructor = match &global.kind {
            GlobalKind::Long(_) | GlobalKind::Text(_) => continue,
            GlobalKind::Map { .. } => "_stp_map_del",
            GlobalKind::StatMap { .. } => "_stp_pmap_del",
            GlobalKind::Stat(_) => "_stp_stat_del",
        };
        out.line(format!("{destructor} (global({}));", global.c_name));
    }
}

/// Module parameters: `-G` arrives through them.
pub fn write_params(out: &mut CWriter, plan: &Plan) {
    for global in &plan.globals {
        let Some(param) = &global.param else { continue };
        let name = &global.c_name;
        // A kernel macro of that name would be expanded in the parameter's name.
        match &global.kind {
            GlobalKind::Long(_) => {
                out.directive(format!("#undef {param}"));
                out.line(format!("module_param_named ({param}, global({name}), int64_t, 0);"));
            }
            GlobalKind::Text(_) => {
                out.directive(format!("#undef {param}"));
                out.line(format!("module_param_string ({param}, global({name}), MAXSTRINGLEN, 0);"));
            }
            _ => {}
        }
    }
}
