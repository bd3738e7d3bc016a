//! Handlers and script functions: frames, labels, macros for embedded C.

use super::expr::{Speller, remark};
use super::stmt::{write_announcement, write_lock, write_unlock};
use super::writer::{CWriter, literal};
use crate::plan::printing::may_print;
use crate::plan::storage::{BodyPlan, LocalPlace};
use crate::plan::{CodePlan, FunctionPlan, Plan, ProbePlan};
use frontend::types::Type;

/// Writes the frames of all probes and functions, inside of `struct context`.
pub fn write_frames(out: &mut CWriter, plan: &Plan) {
    out.open("union {");
    for probe in &plan.probes {
        if let (true, Some(handler)) = (probe.owns_handler, &probe.handler) {
            out.open(format!("struct {handler}_locals {{ {}", remark(&probe.script_point)));
            write_fields(out, &probe.body, false);
            out.close(format!("}} {handler};"));
        }
    }
    out.close("} probe_locals;");
    out.open("union {");
    for &index in &plan.function_order {
        let Some(function) = plan.functions.get(index) else { continue };
        let name = &function.c_name;
        out.open(format!("struct {name}_locals {{"));
        write_fields(out, &function.body, function.old_style);
        match function.result {
            Type::String => out.line("char *__retvalue;"),
            Type::Long => out.line("int64_t __retvalue;"),
            Type::Unknown | Type::Stats => out.line("/* no return value */"),
        }
        out.close(format!("}} {name};"));
    }
    out.close("} locals[MAXNESTING+1];");
    out.lines("#if MAXNESTING < 0\n#error \"MAXNESTING must be positive\"\n#endif");
}

fn write_fields(out: &mut CWriter, body: &BodyPlan, old_style: bool) {
    for local in &body.locals {
        let kind = match local.place {
            Some(LocalPlace::Long) => "int64_t ",
            Some(LocalPlace::Buffer) => "string_t ",
            Some(LocalPlace::Pointer) => "const char *",
            Some(LocalPlace::Automatic) | None => continue,
        };
        if old_style {
            // Old tapset C says THIS->x.
            out.line(format!("union {{ {kind}{}; {kind}{}; }};", local.c_name, local.name));
        } else {
            out.line(format!("{kind}{};", local.c_name));
        }
    }
    for number in body.automatic_longs()..body.sizes.longs {
        out.line(format!("int64_t t{number};"));
    }
    for number in 0..body.sizes.buffers {
        out.line(format!("string_t b{number};"));
    }
}

fn list(kind: &str, stem: &str, count: u32) -> Option<String> {
    let names: Vec<String> = (0..count).map(|number| format!("{stem}{number}")).collect();
    (count > 0)
        .then(|| format!("{kind}{};", names.join(&format!(", {}", kind.trim_start_matches(|c| c != '*')))))
}

/// Declares what a body keeps in C variables.
fn write_automatic(out: &mut CWriter, body: &BodyPlan) {
    for local in &body.locals {
        if local.place == Some(LocalPlace::Automatic) {
            out.line(format!("int64_t {} = 0;", local.c_name));
        }
    }
    let sizes = &body.sizes;
    let lists = [
        list("int64_t ", "t", body.automatic_longs()),
        list("const char *", "p", sizes.pointers),
        list("struct map_node *", "cursor", sizes.cursors),
        list("struct stat_data *", "data", sizes.stats),
    ];
    for line in lists.into_iter().flatten() {
        out.line(line);
    }
}

fn write_initial(out: &mut CWriter, body: &BodyPlan) {
    for local in &body.locals {
        match local.place {
            Some(LocalPlace::Long) if local.initialise => out.line(format!("l->{} = 0;", local.c_name)),
            Some(LocalPlace::Buffer) if local.initialise => {
                out.line(format!("l->{}[0] = '\\0';", local.c_name));
            }
            _ => {}
        }
    }
}

fn write_precheck(out: &mut CWriter, precheck: Option<u32>) {
    if let Some(count) = precheck {
        out.line(format!(
            "if (c->actionremaining < {count}) {{ c->last_error = \"MAXACTION exceeded\"; goto out; }}"
        ));
    }
}

/// Writes the handler of a probe.
pub fn write_handler(out: &mut CWriter, plan: &Plan, probe: &ProbePlan) {
    let Some(handler) = &probe.handler else { return };
    let spell = Speller { plan, body: &probe.body };
    out.gap();
    out.line(remark(&format!("{} at {}", probe.script_point, probe.position)));
    out.open(format!("static void {handler} (struct context * __restrict__ c) {{"));
    out.line("__label__ deref_fault;");
    out.line("__label__ out;");
    write_lock_table(out, plan, probe);
    out.line(format!("struct {handler}_locals * __restrict__ l = & c->probe_locals.{handler};"));
    write_automatic(out, &probe.body);
    out.line("(void) l;");
    for line in &probe.prologue {
        out.lines(line);
    }
    write_initial(out, &probe.body);
    write_precheck(out, probe.precheck);
    spell.ops(out, &probe.body.ops);
    out.label("deref_fault: __attribute__((unused));");
    out.label("out: __attribute__((unused));");
    if !probe.conditions.is_empty() {
        write_conditions(out, &spell, probe);
    }
    if !probe.locks.is_empty() {
        write_unlock(out);
    }
    let conditions = || probe.conditions.iter().any(|condition| may_print(plan, &condition.ops));
    if may_print(plan, &probe.body.ops) || conditions() {
        out.line("_stp_print_flush ();");
    }
    out.close("}");
}

fn write_lock_table(out: &mut CWriter, plan: &Plan, probe: &ProbePlan) {
    if probe.locks.is_empty() {
        return;
    }
    out.open("static const struct stp_probe_lock locks[] = {");
    for lock in &probe.locks {
        let Some(global) = plan.globals.get(lock.global.0 as usize) else { continue };
        let name = &global.c_name;
        out.open("{");
        out.line(format!(".lock = global_lock({name}),"));
        out.line(format!(".write_p = {},", u8::from(lock.write)));
        out.directive("#ifdef STP_TIMING");
        out.line(format!(".skipped = global_skipped({name}),"));
        out.line(format!(".contention = global_contended({name}),"));
        out.directive("#endif");
        out.close("},");
    }
    out.close("};");
}

/// Re-evaluates the conditions that the handler may have changed; errors in them end here.
fn write_conditions(out: &mut CWriter, spell: &Speller<'_>, probe: &ProbePlan) {
    out.open("{");
    out.line("__label__ out, deref_fault;");
    if !probe.locks.is_empty() {
        write_lock(out);
    }
    for condition in &probe.conditions {
        spell.ops(out, &condition.ops);
        let enabled = format!("stap_probes[{}].cond_enabled", condition.probe);
        out.open(format!("if ({enabled} != !!({})) {{", spell.condition(&condition.value)));
        out.line(format!("{enabled} ^= 1;"));
        if condition.on_the_fly {
            out.line("atomic_set (&need_module_refresh, 1);");
        }
        out.close("}");
    }
    out.label("deref_fault: __attribute__((unused));");
    out.label("out: __attribute__((unused));");
    out.close("}");
}

/// Writes a script function, with everything that embedded C in it may rely on.
pub fn write_function(out: &mut CWriter, plan: &Plan, function: &FunctionPlan) {
    let spell = Speller { plan, body: &function.body };
    let name = &function.c_name;
    out.gap();
    out.line(remark(&format!("{} at {}", function.name, function.position)));
    out.open(format!("static void {name} (struct context * __restrict__ c) {{"));
    out.line("__label__ deref_fault;");
    out.line("__label__ out;");
    out.line(format!("struct {name}_locals * __restrict__ l = & c->locals[c->nesting+1].{name};"));
    write_automatic(out, &function.body);
    out.line("(void) l;");
    out.directive("#define CONTEXT c");
    out.directive("#define THIS l");
    for (local, field) in &function.arg_macros {
        out.directive(format!("#define STAP_ARG_{local} THIS->{field}"));
    }
    let typed = matches!(function.result, Type::Long | Type::String);
    if typed {
        out.directive("#define STAP_RETVALUE THIS->__retvalue");
    }
    // Up to 5.5 the one position is set before the check, since 5.6 each frame's own after it.
    let last_stmt = format!("STAP_LAST_STMT = {};", literal(&function.blame));
    if !plan.frames_remember_statements() {
        out.line(&last_stmt);
    }
    out.open("if (unlikely (c->nesting+1 >= MAXNESTING)) {");
    out.line("c->last_error = \"MAXNESTING exceeded\";");
    out.line("return;");
    out.close("}");
    out.line("c->nesting++;");
    if plan.frames_remember_statements() {
        out.line(&last_stmt);
    }
    out.line("c->next = 0;");
    out.directive("#define STAP_NEXT do { c->next = 1; goto out; } while (0)");
    write_initial(out, &function.body);
    match function.result {
        Type::Long => {
            out.line("l->__retvalue = 0;");
            out.directive("#define STAP_RETURN(v) do { STAP_RETVALUE = (int64_t) (v); goto out; } while (0)");
        }
        Type::String => {
            out.line("l->__retvalue[0] = '\\0';");
            out.directive(
                "#define STAP_RETURN(v) do { strlcpy (STAP_RETVALUE, (v), MAXSTRINGLEN); goto out; } while (0)",
            );
        }
        Type::Unknown | Type::Stats => out.directive("#define STAP_RETURN() do { goto out; } while (0)"),
    }
    out.directive("#define STAP_PRINTF(fmt, ...) do { _stp_printf (fmt, ##__VA_ARGS__); } while (0)");
    out.directive(
        "#define STAP_ERROR(...) do { snprintf (CONTEXT->error_buffer, MAXSTRINGLEN, __VA_ARGS__); \
         CONTEXT->last_error = CONTEXT->error_buffer; goto out; } while (0)",
    );
    // A C return would skip what follows.
    out.directive("#define return goto out");
    write_precheck(out, function.precheck);
    match &function.code {
        Some(CodePlan { code, globals, position }) => {
            if let Some(position) = position {
                write_announcement(out, position);
            }
            spell.define_globals(out, globals);
            if crate::plan::effects::tagged(code, "myproc-unprivileged") {
                out.line("assert_is_myproc();");
            }
            out.line("{");
            out.raw(code);
            out.line("}");
            spell.undefine_globals(out, globals);
        }
        None => spell.ops(out, &function.body.ops),
    }
    for name in ["return", "STAP_PRINTF", "STAP_ERROR", "STAP_RETURN"] {
        out.directive(format!("#undef {name}"));
    }
    out.label("deref_fault: __attribute__((unused));");
    out.label("out: __attribute__((unused));");
    if plan.frames_remember_statements() {
        out.line("if (likely (!c->last_error && !c->aborted)) STAP_LAST_STMT = NULL;");
    }
    out.line("c->nesting--;");
    for name in ["CONTEXT", "THIS", "STAP_NEXT"] {
        out.directive(format!("#undef {name}"));
    }
    for (local, _) in &function.arg_macros {
        out.directive(format!("#undef STAP_ARG_{local}"));
    }
    if typed {
        out.directive("#undef STAP_RETVALUE");
    }
    out.close("}");
}
