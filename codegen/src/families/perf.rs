//! `perf.*`: hardware and software counters of the kernel's perf subsystem.
//!
//! | point | meaning |
//! |---|---|
//! | `perf.type(T).config(C)` | every 1,000,000 events, on every CPU |
//! | `….sample(N)` | every N events |
//! | `….hz(N)` | N times a second |
//! | `….process("path")`, `….process` | only in processes of that program (`-c`) |
//! | `….counter("name")`, `….process("path").counter("name")` | no handler: `process` probes read it as `@perf("name")` |
//!
//! Privileged; needs `perf_event_create_kernel_counter` exported and CONFIG_PERF_EVENTS. Runtime: `linux/perf.c`.
//! Source: upstream tapset-perfmon.cxx.

use super::{EmitFamily, Group, GroupContext, Mechanism, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::{CWriter, literal};
use crate::families::point::{self, pattern, rewritten};
use frontend::diag::Diagnostic;
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{Answer, DeriveContext, Derived, Effect, Family, Pattern};
use frontend::resolve::executable::{find_executable, without_sysroot};
use frontend::session::Session;
use frontend::syntax::ast::ProbePoint;
use frontend::tree::{Literal, Origin, Stmt, StmtKind};
use smol_str::SmolStr;
use std::any::Any;
use std::sync::Arc;

/// How often a counter fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Once in so many events; 0 for counters that are only read.
    Period(i64),
    /// So many times a second.
    Frequency(i64),
}

/// A perf probe.
#[derive(Debug)]
pub struct Perf {
    /// `perf_event_attr.type`.
    pub kind: i64,
    /// `perf_event_attr.config`.
    pub config: i64,
    /// How often.
    pub rate: Rate,
    /// Path of the program it is limited to.
    pub process: Option<SmolStr>,
    /// Name under which `@perf` reads it.
    pub counter: Option<SmolStr>,
}

impl Attachment for Perf {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

const PATTERNS: &[Pattern] = &[
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number)),
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number), ("sample", Number)),
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number), ("hz", Number)),
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number), ("process", String)),
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number), ("process", None)),
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number), ("counter", String)),
    pattern!(Privileged: ("perf", None), ("type", Number), ("config", Number), ("process", String), ("counter", String)),
];

/// Upstream's period where the script gives none.
const DEFAULT_PERIOD: i64 = 1_000_000;

/// The family.
#[derive(Debug)]
pub struct PerfFamily;

impl Family for PerfFamily {
    fn name(&self) -> &'static str {
        "perf"
    }

    fn builder(&self) -> &'static str {
        "perf builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let kernel = &context.session.kernel;
        if !kernel.exports.contains("perf_event_create_kernel_counter") {
            let message = "perf probes not available without exported perf_event_create_kernel_counter";
            return Err(point::plain_error("perf.export", message));
        }
        if kernel.config.get("CONFIG_PERF_EVENTS").is_none_or(|value| value != "y") {
            let message = "perf probes not available without CONFIG_PERF_EVENTS";
            return Err(point::plain_error("perf.config", message));
        }
        let kind = point::number(point, "type").unwrap_or(0);
        let config = point::number(point, "config").unwrap_or(0);
        let period = point::number(point, "sample");
        if let (Some(period @ ..1), Some(component)) = (period, point::component(point, "sample")) {
            let message = format!("invalid perf sample period {period}");
            return Err(Box::new(Diagnostic::semantic("perf.period", message).at(&component.origin.0)));
        }
        let counter = point::string(point, "counter").cloned();
        check_counter(counter.as_deref())?;
        let rate = match (point::number(point, "hz"), &counter) {
            (Some(frequency), _) => Rate::Frequency(frequency),
            (None, Some(_)) => Rate::Period(0),
            (None, None) => Rate::Period(period.unwrap_or(DEFAULT_PERIOD)),
        };
        let process = process(context, point)?;
        let interval = match rate {
            Rate::Period(value) | Rate::Frequency(value) => value,
        };
        let mut components = vec![
            ("perf", None),
            ("type", Some(Literal::Number(kind))),
            ("config", Some(Literal::Number(config))),
            ("sample", Some(Literal::Number(interval))),
        ];
        if let Some(process) = &process {
            components.push(("process", Some(Literal::String(process.clone()))));
        }
        if let Some(counter) = &counter {
            components.push(("counter", Some(Literal::String(counter.clone()))));
        }
        let attachment = Perf { kind, config, rate, process: process.clone(), counter: counter.clone() };
        let mut derived = Derived::plain(rewritten(point, components), Arc::new(attachment));
        derived.via = Some(point.clone());
        if let Some(name) = counter {
            derived.effects.push(Effect::PerfCounter { name, process: process.unwrap_or_default() });
            // Such a counter is only read: its handler never runs.
            derived.prologue.push(Stmt { origin: Origin(context.origin.clone()), kind: StmtKind::Next });
        }
        Ok(vec![derived])
    }
}

fn check_counter(counter: Option<&str>) -> Result<(), Box<Diagnostic>> {
    match counter {
        Some(name) if frontend::wildcard::is_pattern(name) => {
            Err(point::plain_error("perf.wildcard", "wildcard not allowed with perf probe counter component"))
        }
        Some("") => Err(point::plain_error("perf.no-name", "missing perf probe counter component name")),
        _ => Ok(()),
    }
}

/// Path of the program of `.process`, `None` without that component.
fn process(context: &DeriveContext<'_>, point: &ProbePoint) -> Result<Option<SmolStr>, Box<Diagnostic>> {
    let Some(component) = point::component(point, "process") else { return Ok(None) };
    let named = component.arg.as_ref().and_then(Literal::string).map(SmolStr::as_str);
    let name = match named {
        Some(name) => name.to_owned(),
        None => told_process(context.session)?,
    };
    let path = find_executable(context.session, context.world, &name);
    Ok(Some(without_sysroot(context.session, &path).to_string_lossy().into()))
}

/// The program that `-x` or `-c` names (session.cxx: `cmd_file`).
fn told_process(session: &Session) -> Result<String, Box<Diagnostic>> {
    if let (Some(pid @ 1..), None) = (session.target_pid, &session.command) {
        return Ok(format!("/proc/{pid}/exe"));
    }
    match &session.command_program {
        Ok(program) if program.is_empty() => {
            let message = "unspecified process probe is invalid without a -c COMMAND [man stapprobes]";
            Err(point::plain_error("perf.process", message))
        }
        Ok(program) => Ok(program.clone()),
        Err(why) => {
            let message = "invalid -c command for unspecified process probe [man stapprobes]";
            let why = Diagnostic::semantic("perf.command", *why);
            Err(Box::new(Diagnostic::semantic("perf.process", message).because(why)))
        }
    }
}

impl EmitFamily for PerfFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::Perf)
    }
}

/// True if the task finder must find processes for the probe.
pub fn needs_task_finder(probe: &Probe) -> bool {
    let attachment = probe.attachment.as_any().downcast_ref::<Perf>();
    attachment.is_some_and(|perf| perf.process.is_some() && perf.counter.is_none())
}

/// The counters of a session.
#[derive(Debug)]
pub struct PerfMechanism;

/// Parameters of an overflow callback: older kernels pass one more.
pub const OVERFLOW_PARAMETERS: &str = "#ifdef STAPCONF_PERF_HANDLER_NMI\n\
     #define STAP_OVERFLOW_PARAMETERS struct perf_event *event, int nmi, struct perf_sample_data *data, struct pt_regs *regs\n\
     #else\n\
     #define STAP_OVERFLOW_PARAMETERS struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs\n\
     #endif";

/// Registers of an interrupted processor go where they belong.
pub const TAKE_REGISTERS: &str = "if (user_mode (regs)) {\n\
     \x20 c->user_mode_p = 1;\n\
     \x20 c->uregs = regs;\n\
     } else\n\
     \x20 c->kregs = regs;";

impl Mechanism for PerfMechanism {
    fn group(&self) -> Group {
        Group::Perf
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let entries: Vec<_> =
            cx.probes.iter().filter_map(|probe| Some((probe, probe.attachment::<Perf>()?))).collect();
        let count = entries.len();
        let by_process = cx.probes.iter().any(|probe| needs_task_finder(probe.probe));
        let mut out = CWriter::new();
        out.line("/* perf counters */");
        out.lines("#include <linux/perf_event.h>\n#include \"linux/perf.h\"");
        out.lines(OVERFLOW_PARAMETERS);
        for index in 0..count {
            out.line(format!("static void enter_perf_probe_{index} (STAP_OVERFLOW_PARAMETERS);"));
        }
        if by_process {
            write_process_callback(&mut out);
        }
        out.open(format!("static struct stap_perf_probe stap_perf_probes[{count}] = {{"));
        for (index, (probe, perf)) in entries.iter().enumerate() {
            let rate = match perf.rate {
                Rate::Period(period) => format!("{{ .sample_period = {period}ULL }},"),
                Rate::Frequency(frequency) => format!("{{ .sample_freq = {frequency}ULL }}, .freq = 1,"),
            };
            out.open("{");
            out.line(format!(
                ".attr = {{ .type = {}ULL, .config = {}ULL, {rate} }},",
                perf.kind, perf.config
            ));
            out.line(format!(".callback = enter_perf_probe_{index},"));
            out.line(format!(".probe = {},", probe.pointer()));
            match (&perf.process, &perf.counter) {
                (_, Some(_)) => {}
                (Some(process), None) => {
                    out.line(".task_finder = 1,");
                    out.line(format!(
                        ".e = {{ .t = {{ .tgt = {{ .purpose = \"perfctr\", .procname = {}, .pid = 0, .callback = &_stp_perf_probe_cb }} }} }},",
                        literal(process)
                    ));
                }
                (None, None) => out.line(".system_wide = 1,"),
            }
            out.line(format!(".cb_lock = __MUTEX_INITIALIZER (stap_perf_probes[{index}].cb_lock),"));
            out.close("},");
        }
        out.close("};");
        out.gap();
        out.open("static void handle_perf_probe (unsigned i, struct pt_regs *regs) {");
        out.line("struct stap_perf_probe *stp = &stap_perf_probes[i];");
        let entry =
            Entry { before_handler: TAKE_REGISTERS, ..Entry::running("stp->probe", "stp_probe_type_perf") };
        cx.entry(&mut out, &entry);
        out.close("}");
        for index in 0..count {
            out.open(format!("static void enter_perf_probe_{index} (STAP_OVERFLOW_PARAMETERS) {{"));
            out.line(format!("handle_perf_probe ({index}, regs);"));
            out.close("}");
        }
        if by_process {
            out.directive("#define STP_PERF_USE_TASK_FINDER 1");
        }
        out.lines("#undef STAP_OVERFLOW_PARAMETERS\n#include \"linux/perf.c\"");
        Sections {
            // Otherwise the runtime's `linux/perf_read.h` has stand-ins for what `linux/perf.c` defines.
            defines: "#define _HAVE_PERF_ 1\n".into(),
            declarations: out.finish(),
            init: format!("rc = _stp_perf_init_n (stap_perf_probes, {count}, &probe_point);\n"),
            exit: format!("_stp_perf_del_n (stap_perf_probes, {count});\n"),
            ..Sections::default()
        }
    }
}

/// A process of the program starts or ends: it gets a counter of its own.
fn write_process_callback(out: &mut CWriter) {
    out.line("static int _stp_perf_probe_cb (struct stap_task_finder_target *tgt, struct task_struct *tsk,");
    out.open("                               int register_p, int process_p) {");
    out.line("struct stap_perf_probe *p = container_of (tgt, struct stap_perf_probe, e.t.tgt);");
    out.line("int rc = 0;");
    out.line("mutex_lock (&p->cb_lock);");
    out.line("if (register_p)");
    out.line("  rc = _stp_perf_init (p, tsk);");
    out.line("else");
    out.line("  _stp_perf_del (p);");
    out.line("mutex_unlock (&p->cb_lock);");
    out.line("return rc;");
    out.close("}");
}

#[cfg(test)]
mod tests {
    use crate::families::testing::session;
    use crate::tests::plan_with;
    use frontend::session::Session;

    fn plan(session: Session, script: &str) -> Result<(), String> {
        plan_with(&session, script).map(|_| ())
    }

    #[test]
    fn counters_have_names_of_their_own() {
        let script = |other: &str| {
            let counter = |config: u32, name: &str| {
                format!("probe perf.type(1).config({config}).counter(\"{name}\") {{ }}\n")
            };
            format!("{}{}probe begin {{ println(1) }}", counter(0, "a"), counter(1, other))
        };
        assert_eq!(plan(session(), &script("b")), Ok(()));
        assert_eq!(plan(session(), &script("a")).unwrap_err(), "while resolving probe point");
    }

    #[test]
    fn a_process_without_a_name_is_that_of_the_command_line() {
        let script = "probe perf.type(1).config(0).process { exit() }";
        let told = |pid, program| Session {
            target_pid: pid,
            command: (pid.is_none()).then(|| "x".to_owned()),
            command_program: program,
            ..session()
        };
        assert_eq!(plan(told(Some(1), Ok(String::new())), script), Ok(()));
        assert_eq!(plan(told(None, Ok("/bin/sh".into())), script), Ok(()));
        assert!(plan(told(None, Ok(String::new())), script).is_err());
        assert!(plan(told(Some(0), Ok(String::new())), script).is_err());
        assert!(plan(told(None, Err("command contains illegal characters")), script).is_err());
    }
}
