//! `begin`, `end`, `error`, `never`: the life of the session.
//!
//! | point | runs |
//! |---|---|
//! | `begin`, `begin(N)` | when the session starts, before any other probe is armed |
//! | `end`, `end(N)` | when it ends without an error, after all other probes are disarmed |
//! | `error`, `error(N)` | when it ends with an error |
//! | `never` | never: its handler is checked, but not compiled |
//!
//! Handlers of one kind run in ascending order of N (0 by default), equals in the order of the script; in the process
//! context of `staprun`'s helper, one after the other, so they lock no globals. No context variables. For everybody,
//! unprivileged users included.

use super::{EmitFamily, Group, GroupContext, Mechanism, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::CWriter;
use frontend::diag::Diagnostic;
use frontend::hir::{Attachment, Body, Lineage, Probe};
use frontend::resolve::derive::{Access, DeriveContext, Derived, Family, Param, Pattern};
use frontend::source::Token;
use frontend::syntax::ast::{Component, ProbePoint};
use frontend::tree::{Literal, Origin};
use std::any::Any;
use std::sync::Arc;

/// `begin`, `end` and `error`.
#[derive(Debug)]
pub struct Begin;

/// `never`.
#[derive(Debug)]
pub struct Never;

/// The table of `begin`, `end` and `error` probes.
#[derive(Debug)]
pub struct BeginMechanism;

/// When a probe runs. The values are those of the C table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At the start.
    Begin = 0,
    /// At the end.
    End = 1,
    /// At the end, after an error.
    Error = 2,
}

impl Kind {
    fn state(self) -> &'static str {
        match self {
            Kind::Begin => "STAP_SESSION_STARTING",
            Kind::End => "STAP_SESSION_STOPPING",
            Kind::Error => "STAP_SESSION_ERROR",
        }
    }

    fn functor(self) -> &'static str {
        match self {
            Kind::Begin => "begin",
            Kind::End => "end",
            Kind::Error => "error",
        }
    }
}

/// What is kept of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginProbe {
    /// When it runs.
    pub kind: Kind,
    /// Its place among those of its kind.
    pub priority: i64,
}

impl Attachment for BeginProbe {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What is kept of a `never` probe: nothing.
#[derive(Debug)]
struct NeverProbe;

impl Attachment for NeverProbe {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A probe that the translator makes itself: the one that prints unread globals at the end, for example.
///
/// `origin` is the place in the script that errors in it are blamed on.
pub fn synthetic(kind: Kind, priority: Option<i64>, origin: &Token, body: Body) -> Probe {
    let component = Component {
        origin: Origin(origin.clone()),
        functor: kind.functor().into(),
        arg: priority.map(Literal::Number),
    };
    let point =
        ProbePoint { components: vec![component], optional: false, sufficient: false, condition: None };
    Probe {
        origin: Origin(origin.clone()),
        point: point.clone(),
        derivation: vec![point],
        lineage: Lineage::default(),
        primary: false,
        synthetic: true,
        plain_calls: false,
        family: Begin.name(),
        attachment: Arc::new(BeginProbe { kind, priority: priority.unwrap_or(0) }),
        condition: None,
        body,
    }
}

const PATTERNS: &[Pattern] = &[
    Pattern { components: &[("begin", Param::None)], access: Access::All },
    Pattern { components: &[("begin", Param::Number)], access: Access::All },
    Pattern { components: &[("end", Param::None)], access: Access::All },
    Pattern { components: &[("end", Param::Number)], access: Access::All },
    Pattern { components: &[("error", Param::None)], access: Access::All },
    Pattern { components: &[("error", Param::Number)], access: Access::All },
];

impl Family for Begin {
    fn name(&self) -> &'static str {
        "begin"
    }

    fn builder(&self) -> &'static str {
        "begin/end builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, _: &DeriveContext<'_>, point: &ProbePoint) -> Result<Vec<Derived>, Box<Diagnostic>> {
        let Some(component) = point.components.first() else { return Ok(Vec::new()) };
        let kind = match component.functor.as_str() {
            "begin" => Kind::Begin,
            "end" => Kind::End,
            "error" => Kind::Error,
            _ => return Ok(Vec::new()),
        };
        let priority = component.arg.as_ref().and_then(Literal::number).unwrap_or(0);
        Ok(vec![Derived::plain(point.clone(), Arc::new(BeginProbe { kind, priority }))])
    }
}

impl EmitFamily for Begin {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::Begin)
    }
}

impl Family for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    fn builder(&self) -> &'static str {
        "never builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        &[Pattern { components: &[("never", Param::None)], access: Access::All }]
    }

    fn derive(&self, _: &DeriveContext<'_>, point: &ProbePoint) -> Result<Vec<Derived>, Box<Diagnostic>> {
        Ok(vec![Derived::plain(point.clone(), Arc::new(NeverProbe))])
    }
}

impl EmitFamily for Never {
    fn group(&self, _: &Probe) -> Option<Group> {
        None
    }
}

impl Mechanism for BeginMechanism {
    fn group(&self) -> Group {
        Group::Begin
    }

    fn takes_locks(&self) -> bool {
        false
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let mut probes: Vec<_> =
            cx.probes.iter().filter_map(|probe| Some((probe, *probe.attachment::<BeginProbe>()?))).collect();
        // Stable, so that equals keep the order of the script.
        probes.sort_by_key(|(_, be)| (be.kind as i32, be.priority));
        let run = |kind: Kind| run(&probes.iter().map(|(_, be)| be.kind).collect::<Vec<_>>(), kind);

        let mut out = CWriter::new();
        out.line("/* begin, end and error probes */");
        out.open("static struct stap_be_probe {");
        out.line("const struct stap_probe * const probe;");
        out.line("int state;");
        out.close("} stap_be_probes[] = {");
        for (probe, be) in &probes {
            out.line(format!("  {{ .probe = {}, .state = {} }},", probe.pointer(), be.kind.state()));
        }
        out.line("};");
        out.gap();
        out.open("static void enter_be_probe (struct stap_be_probe *stp) {");
        let entry = Entry {
            state: "stp->state",
            overload: false,
            ..Entry::running("stp->probe", "stp_probe_type_been")
        };
        cx.entry(&mut out, &entry);
        out.close("}");

        Sections {
            declarations: out.finish(),
            // Results of begin probes are not looked at: an error in one stops the session by itself.
            init: run(Kind::Begin),
            exit: run(Kind::End) + &run(Kind::Error),
            ..Sections::default()
        }
    }
}

/// Runs the probes of one kind, which stand together in the table; each checks the state of the session itself.
fn run(table: &[Kind], kind: Kind) -> String {
    let Some(first) = table.iter().position(|&other| other == kind) else { return String::new() };
    let end = first + table.iter().filter(|&&other| other == kind).count();
    if end == first + 1 {
        return format!("enter_be_probe (& stap_be_probes[{first}]);\n");
    }
    format!("for (i = {first}; i < {end}; i++)\n  enter_be_probe (& stap_be_probes[i]);\n")
}
