//! `process.begin` and its kin: lives of processes and threads, and their system calls.
//!
//! | point | meaning |
//! |---|---|
//! | `process.begin`, `.end`, `.thread.begin`, `.thread.end` | a process or thread starts or ends |
//! | `process.syscall` | a system call starts: `$syscall`, `$arg1`…`$arg6`, `$$parms` |
//! | `process.syscall.return` | it returns: `$return`, `$syscall` |
//!
//! `process("path")` and `process(PID)` limit it to one program or process; without either every task counts (with `-c`
//! and `-x` the task finder keeps to that tree). Open to `stapusr`. Runtime: `stp_utrace.c`, `linux/task_finder2.c`.
//! Source: upstream tapset-utrace.cxx.

use super::{EmitFamily, Group, GroupContext, GroupProbe, Mechanism, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::{CWriter, literal};
use crate::families::point::{self, call, number_literal, rewritten};
use frontend::diag::Diagnostic;
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{
    Access, Answer, DeriveContext, Derived, Family, Param, Pattern, TargetUse, Targets,
};
use frontend::resolve::executable::{find_executable, without_sysroot};
use frontend::syntax::ast::{Parsed, ProbePoint};
use frontend::tree::{
    Conversion, Expr, ExprKind, Flag, FormatPart, Literal, Measure, Print, PrintLayout, Target, TargetBase,
};
use smol_str::SmolStr;
use std::any::Any;
use std::sync::Arc;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    Begin,
    End,
    ThreadBegin,
    ThreadEnd,
    Syscall,
    SyscallReturn,
}

/// Whose events count.
///
/// In the order of their registration: programs by path, then processes by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// Canonical path of a program.
    Path(SmolStr),
    /// One process; 0 for all.
    Pid(i64),
}

/// A process lifetime or system call probe.
#[derive(Debug)]
pub struct Utrace {
    /// Whose.
    pub process: Process,
    /// What.
    pub event: Event,
}

impl Attachment for Utrace {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

macro_rules! patterns {
    ($([$($name:literal),+];)+) => {
        &[$(
            Pattern { components: &[("process", Param::None), $(($name, Param::None)),+], access: Access::All },
            Pattern { components: &[("process", Param::String), $(($name, Param::None)),+], access: Access::All },
            Pattern { components: &[("process", Param::Number), $(($name, Param::None)),+], access: Access::All },
        )+]
    };
}

const PATTERNS: &[Pattern] = patterns! {
    ["begin"];
    ["end"];
    ["thread", "begin"];
    ["thread", "end"];
    ["syscall"];
    ["syscall", "return"];
};

/// The family.
#[derive(Debug)]
pub struct UtraceFamily;

impl Family for UtraceFamily {
    fn name(&self) -> &'static str {
        "utrace"
    }

    fn builder(&self) -> &'static str {
        "utrace builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let event =
            match (point::has(point, "thread"), point::has(point, "syscall"), point::has(point, "begin")) {
                (true, _, true) => Event::ThreadBegin,
                (true, _, false) => Event::ThreadEnd,
                (false, true, _) if point::has(point, "return") => Event::SyscallReturn,
                (false, true, _) => Event::Syscall,
                (false, false, true) => Event::Begin,
                (false, false, false) => Event::End,
            };
        let whose = point::component(point, "process").and_then(|process| process.arg.as_ref());
        if let (None | Some(Literal::String(_)), Some(pid)) =
            (whose, context.session.target_pid.filter(|pid| *pid != 0))
        {
            check_pid(context, pid.into())?;
        }
        let process = match whose {
            Some(Literal::String(name)) if name.is_empty() => {
                return Err(point::plain_error("utrace.empty", "empty module"));
            }
            Some(Literal::String(name)) => {
                let path = find_executable(context.session, context.world, name);
                Process::Path(without_sysroot(context.session, &path).to_string_lossy().into())
            }
            Some(number) => {
                let pid = number.number().unwrap_or(0);
                check_pid(context, pid)?;
                Process::Pid(pid)
            }
            None => Process::Pid(0),
        };
        check_kernel(context)?;
        let entry = (event == Event::SyscallReturn)
            .then(|| Box::new(derived(point, process.clone(), Event::Syscall)));
        Ok(vec![Derived { entry, ..derived(point, process, event) }])
    }
}

fn derived(point: &ProbePoint, process: Process, event: Event) -> Derived {
    let argument = match &process {
        Process::Path(path) => Some(Literal::String(path.clone())),
        Process::Pid(0) => None,
        Process::Pid(pid) => Some(Literal::Number(*pid)),
    };
    let suffixes: &[&str] = match event {
        Event::Begin => &["begin"],
        Event::End => &["end"],
        Event::ThreadBegin => &["thread", "begin"],
        Event::ThreadEnd => &["thread", "end"],
        Event::Syscall => &["syscall"],
        Event::SyscallReturn => &["syscall", "return"],
    };
    let components =
        std::iter::once(("process", argument)).chain(suffixes.iter().map(|suffix| (*suffix, None)));
    let final_point = rewritten(point, components.collect());
    Derived {
        targets: Some(Arc::new(SyscallTargets { event })),
        folds: true,
        ..Derived::plain(final_point, Arc::new(Utrace { process, event }))
    }
}

/// A number must be that of a running process (staputil.cxx: `is_valid_pid`).
fn check_pid(context: &DeriveContext<'_>, pid: i64) -> Result<(), Box<Diagnostic>> {
    let problem = if pid <= 0 {
        "Invalid pid"
    } else if context.world.stat(format!("/proc/{pid}").as_ref()).is_none() {
        "No such process"
    } else {
        return Ok(());
    };
    Err(point::plain_error("utrace.pid", format!("cannot probe pid {pid}: {problem}")))
}

/// Process probes follow tasks by tracepoints and uprobes (tapsets.cxx: `check_process_probe_kernel_support`).
fn check_kernel(context: &DeriveContext<'_>) -> Result<(), Box<Diagnostic>> {
    let missing = ["CONFIG_TRACEPOINTS", "CONFIG_ARCH_SUPPORTS_UPROBES", "CONFIG_UPROBES"]
        .iter()
        .find(|option| context.session.kernel.config.get(option).is_none_or(|value| value != "y"));
    match missing {
        Some(option) => Err(point::plain_error(
            "utrace.kernel",
            format!(
                "process probes not available without kernel CONFIG_TRACEPOINTS/CONFIG_ARCH_SUPPORTS_UPROBES/CONFIG_UPROBES ({option} is not set)"
            ),
        )),
        None => Ok(()),
    }
}

/// `$syscall`, `$argN`, `$return`, `$$parms`.
#[derive(Debug)]
struct SyscallTargets {
    event: Event,
}

impl Targets for SyscallTargets {
    fn locate(
        &self,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Answer<Expr<Parsed>> {
        let origin = &expr.origin;
        let fail = |site, message: String| point::refused(expr, site, message);
        if !matches!(self.event, Event::Syscall | Event::SyscallReturn) {
            return fail(
                "utrace.no-targets",
                "only \"process(PATH_OR_PID).syscall\" and \"process(PATH_OR_PID).syscall.return\" probes support target symbols"
                    .into(),
            );
        }
        if target.address_of {
            return fail("utrace.address", "cannot take address of utrace variable".into());
        }
        let TargetBase::Symbol(name) = &target.base else {
            return fail("utrace.symbol", INVALID_SYMBOL.into());
        };
        let write = matches!(usage, TargetUse::Write { .. });
        if name.starts_with("$arg") || name == "$$parms" {
            if self.event != Event::Syscall {
                let message = "only \"process(PATH_OR_PID).syscall\" support $argN or $$parms.";
                return fail("utrace.arg-in-return", message.into());
            }
            if name == "$$parms" {
                return Ok(all_arguments(expr));
            }
            let number = name.strip_prefix("$arg").and_then(|digits| digits.parse::<i64>().ok());
            let Some(number @ 1..=6) = number else {
                return fail("utrace.arg-number", "invalid syscall argument number (1-6)".into());
            };
            point::no_components(target, "utrace", expr)?;
            if write {
                return fail("utrace.arg-write", "utrace '$argN' variable is read-only".into());
            }
            return Ok(argument(expr, number));
        }
        if name != "$syscall" && name != "$return" {
            return fail("utrace.symbol", INVALID_SYMBOL.into());
        }
        point::no_components(target, "utrace", expr)?;
        if write {
            return fail("utrace.write", format!("utrace '{name}' variable is read-only"));
        }
        match (name.as_str(), self.event) {
            ("$return", Event::SyscallReturn) => Ok(call(origin, "_utrace_syscall_return", Vec::new())),
            ("$return", _) => {
                fail("utrace.return", "only \"process(PATH_OR_PID).syscall.return\" support $return.".into())
            }
            (_, Event::Syscall) => Ok(call(origin, "_utrace_syscall_nr", Vec::new())),
            // At the return the number may be gone: it is kept from the entry.
            _ => Ok(Expr { origin: origin.clone(), kind: ExprKind::Entry(Box::new(expr.clone())) }),
        }
    }

    fn listing(&self) -> Vec<(SmolStr, SmolStr)> {
        // The same for all events, whatever they really have (tapset-utrace.cxx: `getargs`).
        let names = ["$syscall", "$arg1", "$arg2", "$arg3", "$arg4", "$arg5", "$arg6"];
        names.iter().map(|&name| (name.into(), "long".into())).collect()
    }
}

const INVALID_SYMBOL: &str =
    "invalid target symbol for utrace probe, $syscall, $return, $argN or $$parms expected";

/// `$argN`: the tapset function counts from 0.
fn argument(expr: &Expr<Parsed>, number: i64) -> Expr<Parsed> {
    call(&expr.origin, "_utrace_syscall_arg", vec![number_literal(&expr.origin, number - 1)])
}

/// `$$parms`: all six, with their names.
fn all_arguments(expr: &Expr<Parsed>) -> Expr<Parsed> {
    let mut text = String::new();
    let mut parts = Vec::new();
    for number in 1..=6 {
        let name = format!("{}$arg{number}=", if number == 1 { "" } else { " " });
        text.push_str(&name);
        text.push_str("%#x");
        parts.push(FormatPart::Text(name.into()));
        parts.push(FormatPart::Conversion(Conversion {
            flag: Some(Flag::Special),
            width: Measure::None,
            precision: Measure::None,
            letter: 'x',
        }));
    }
    let print = Print {
        to_string: true,
        layout: PrintLayout::Format { text: text.into(), parts },
        args: (1..=6).map(|number| argument(expr, number)).collect(),
        hist: None,
    };
    Expr { origin: expr.origin.clone(), kind: ExprKind::Print(print) }
}

impl EmitFamily for UtraceFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::Utrace)
    }

    fn prologue(&self, probe: &Probe) -> Vec<String> {
        let end = |utrace: &Utrace| utrace.event == Event::End;
        // The end of a process is reported even if it has changed its owner (a set-uid program).
        if probe.attachment.as_any().downcast_ref::<Utrace>().is_some_and(end) {
            return Vec::new();
        }
        process_owner_check()
    }

    fn object(&self, probe: &Probe) -> Option<String> {
        match &probe.attachment.as_any().downcast_ref::<Utrace>()?.process {
            Process::Path(path) => Some(path.to_string()),
            Process::Pid(_) => None,
        }
    }
}

/// Lines that end a handler for unprivileged users when the process at hand is not theirs
/// (elaborate.cxx: `derived_probe::emit_process_owner_assertion`).
pub fn process_owner_check() -> Vec<String> {
    [
        "#if ! STP_PRIVILEGE_CONTAINS (STP_PRIVILEGE, STP_PR_STAPDEV) && ! STP_PRIVILEGE_CONTAINS (STP_PRIVILEGE, STP_PR_STAPSYS)",
        "if (! is_myproc ()) {",
        "  snprintf (c->error_buffer, sizeof (c->error_buffer),",
        "            \"Internal Error: Process %d does not belong to user %d in probe %s in --unprivileged mode\",",
        "            current->tgid, _stp_uid, c->probe_point);",
        "  c->last_error = c->error_buffer;",
        "  return;",
        "}",
        "#endif",
    ]
    .map(String::from)
    .to_vec()
}

/// The task finder targets of a session.
#[derive(Debug)]
pub struct UtraceMechanism;

impl Event {
    fn flag(self) -> &'static str {
        match self {
            Event::Begin => "UDPF_BEGIN",
            Event::End => "UDPF_END",
            Event::ThreadBegin => "UDPF_THREAD_BEGIN",
            Event::ThreadEnd => "UDPF_THREAD_END",
            Event::Syscall => "UDPF_SYSCALL",
            Event::SyscallReturn => "UDPF_SYSCALL_RETURN",
        }
    }

    /// Callback field and event of the engine that follows system calls.
    fn engine(self) -> Option<(&'static str, &'static str)> {
        match self {
            Event::Syscall => Some(("report_syscall_entry", "SYSCALL_ENTRY")),
            Event::SyscallReturn => Some(("report_syscall_exit", "SYSCALL_EXIT")),
            Event::Begin | Event::End | Event::ThreadBegin | Event::ThreadEnd => None,
        }
    }
}

impl Mechanism for UtraceMechanism {
    fn group(&self) -> Group {
        Group::Utrace
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let mut entries: Vec<_> =
            cx.probes.iter().filter_map(|probe| Some((probe, probe.attachment::<Utrace>()?))).collect();
        // The task finder asks its targets in the order of their registration (upstream's `probes_by_path` and
        // `probes_by_pid`).
        entries.sort_by(|(_, left), (_, right)| left.process.cmp(&right.process));
        let syscalls = entries.iter().any(|(_, utrace)| utrace.event.engine().is_some());
        let mut out = CWriter::new();
        out.line("/* lives and system calls of processes */");
        out.lines(DECLARATIONS);
        write_life_callback(&mut out, cx);
        if syscalls {
            out.gap();
            write_syscall_callback(&mut out, cx);
        }
        out.gap();
        write_task_callback(&mut out, syscalls);
        out.open("static struct stap_utrace_probe stap_utrace_probes[] = {");
        for (probe, utrace) in &entries {
            write_table_entry(&mut out, probe, utrace);
        }
        out.close("};");
        let cleanup = if cx.plan.profile.cleanup_task_finder_target {
            "for (i = 0; i < ARRAY_SIZE (stap_utrace_probes); i++)\n\
             \x20 stap_cleanup_task_finder_target (&stap_utrace_probes[i].tgt);\n"
        } else {
            ""
        };
        Sections {
            declarations: out.finish(),
            init: "for (i = 0; i < ARRAY_SIZE (stap_utrace_probes); i++) {\n\
                   \x20 struct stap_utrace_probe *p = &stap_utrace_probes[i];\n\
                   \x20 probe_point = p->probe->pp;\n\
                   \x20 rc = stap_register_task_finder_target (&p->tgt);\n\
                   \x20 if (rc)\n\
                   \x20   break;\n\
                   }\n"
            .into(),
            exit: cleanup.into(),
            ..Sections::default()
        }
    }
}

const DECLARATIONS: &str = "enum utrace_derived_probe_flags {\n\
     \x20 UDPF_NONE,\n\
     \x20 UDPF_BEGIN,\n\
     \x20 UDPF_END,\n\
     \x20 UDPF_THREAD_BEGIN,\n\
     \x20 UDPF_THREAD_END,\n\
     \x20 UDPF_SYSCALL,\n\
     \x20 UDPF_SYSCALL_RETURN,\n\
     \x20 UDPF_NFLAGS\n\
     };\n\
     struct stap_utrace_probe {\n\
     \x20 struct stap_task_finder_target tgt;\n\
     \x20 const struct stap_probe * const probe;\n\
     \x20 int engine_attached;\n\
     \x20 enum utrace_derived_probe_flags flags;\n\
     \x20 struct utrace_engine_ops ops;\n\
     \x20 unsigned long events;\n\
     };";

/// The task finder has stopped the thread, so its registers can be looked at.
fn write_life_callback(out: &mut CWriter, cx: &GroupContext<'_>) {
    out.open(
        "static void stap_utrace_probe_handler (struct task_struct *tsk, struct stap_utrace_probe *p) {",
    );
    let entry = Entry {
        other_state: Some("STAP_SESSION_STARTING"),
        before_handler: "c->uregs = _stp_current_pt_regs();\nc->user_mode_p = 1;",
        ..Entry::running("p->probe", "stp_probe_type_utrace")
    };
    cx.entry(out, &entry);
    out.close("}");
}

fn write_syscall_callback(out: &mut CWriter, cx: &GroupContext<'_>) {
    out.open(
        "static u32 stap_utrace_probe_syscall (u32 action, struct utrace_engine *engine, struct pt_regs *regs) {",
    );
    out.line("struct stap_utrace_probe *p = (struct stap_utrace_probe *) engine->data;");
    let entry = Entry {
        before_handler: "c->uregs = regs;\nc->user_mode_p = 1;",
        ..Entry::running("p->probe", "stp_probe_type_utrace_syscall")
    };
    cx.entry(out, &entry);
    out.line("if (atomic_read (session_state()) != STAP_SESSION_STARTING");
    out.open("    && atomic_read (session_state()) != STAP_SESSION_RUNNING) {");
    out.line("debug_task_finder_detach ();");
    out.line("return UTRACE_DETACH;");
    out.close("}");
    out.line("return UTRACE_RESUME;");
    out.close("}");
}

fn write_task_callback(out: &mut CWriter, syscalls: bool) {
    out.line(
        "static int _stp_utrace_probe_cb (struct stap_task_finder_target *tgt, struct task_struct *tsk,",
    );
    out.open("                                 int register_p, int process_p) {");
    out.line("struct stap_utrace_probe *p = container_of (tgt, struct stap_utrace_probe, tgt);");
    out.line("int rc = 0;");
    out.line("switch (p->flags) {");
    for (flag, condition) in [
        ("UDPF_BEGIN", "register_p && process_p"),
        ("UDPF_THREAD_BEGIN", "register_p && !process_p"),
        ("UDPF_END", "!register_p && process_p"),
        ("UDPF_THREAD_END", "!register_p && !process_p"),
    ] {
        out.line(format!("case {flag}:"));
        out.line(format!("  if ({condition})"));
        out.line("    stap_utrace_probe_handler (tsk, p);");
        out.line("  break;");
    }
    if syscalls {
        out.lines(
            "case UDPF_SYSCALL:\n\
             case UDPF_SYSCALL_RETURN:\n\
             \x20 if (!register_p)\n\
             \x20   stap_utrace_detach (tsk, &p->ops);\n\
             \x20 else {\n\
             \x20   rc = stap_utrace_attach (tsk, &p->ops, p, p->events);\n\
             \x20   if (rc == 0)\n\
             \x20     p->engine_attached = 1;\n\
             \x20 }\n\
             \x20 break;",
        );
    }
    out.line("default:");
    out.line("  _stp_error (\"unhandled flag value %d at %s:%d\", p->flags, __FUNCTION__, __LINE__);");
    out.line("  break;");
    out.line("}");
    out.line("return rc;");
    out.close("}");
}

fn write_table_entry(out: &mut CWriter, probe: &GroupProbe<'_>, utrace: &Utrace) {
    let (path, pid) = match &utrace.process {
        Process::Path(path) => (literal(path), 0),
        Process::Pid(pid) => ("NULL".to_string(), *pid),
    };
    out.open("{");
    out.line(format!(
        ".tgt = {{ .purpose = \"lifecycle tracking\", .procname = {path}, .pid = {pid}, .callback = &_stp_utrace_probe_cb }},"
    ));
    out.line(format!(".probe = {}, .flags = {},", probe.pointer(), utrace.event.flag()));
    if let Some((callback, event)) = utrace.event.engine() {
        out.line(format!(
            ".ops = {{ .{callback} = stap_utrace_probe_syscall, .report_death = stap_utrace_task_finder_report_death }},"
        ));
        out.line(format!(".events = (UTRACE_EVENT (DEATH) | UTRACE_EVENT ({event})),"));
    }
    out.close("},");
}
