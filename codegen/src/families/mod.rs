//! What is special to each kind of probe: how points become probes, and how the kernel is told to run them.
//!
//! A **family** serves probe point patterns: `process.begin`, `timer.ms(N)`... It is an [`EmitFamily`], an extension of
//! the front half's [`Family`]. A **mechanism** carries probes at run time: one C table, one callback, set-up and
//! tear-down ([`Mechanism`]). Several families may share a mechanism (all kernel functions end up in one table of
//! kprobes), and one family may use several (`timer.jiffies` is not carried like `timer.ms`).
//!
//! # To add a family
//!
//! 1. Make one file, or a folder, here. Its `//!` text is the manual: syntax, context variables, privilege.
//! 2. In it, a unit struct with `impl Family` (patterns and `derive`) and `impl EmitFamily` (which [`Group`] a probe
//!    joins). What emission must know of a probe goes into a struct that is the probe's
//!    [`Attachment`](frontend::hir::Attachment); get it back with [`GroupProbe::attachment`].
//! 3. If no mechanism serves it yet: another unit struct with `impl Mechanism`. `sections` returns plain C text without
//!    indentation of its own level; [`GroupContext::entry`] writes what every callback does around a handler.
//!    Its `init` may use the locals `rc`, `i`, `j`, `probe_point` of the function that it lands in: it sets `rc`, must
//!    undo its own partial work on failure, and sets `probe_point` before each registration for the error text.
//! 4. One line in [`FAMILIES`], and one in [`MECHANISMS`] at the place that [`Group`]'s order says.
//!
//! A mechanism without probes of its own (the task finder) says in [`Mechanism::active`] when it is needed.

pub mod begin;
pub mod hwbkpt;
pub mod itrace;
pub mod kprobe;
pub mod netfilter;
pub mod perf;
mod point;
pub mod procfs;
pub mod task_finder;
#[cfg(test)]
pub(crate) mod testing;
pub mod timer;
pub mod utrace;

use crate::emit::entry::{Entry, write_entry};
use crate::emit::writer::CWriter;
use crate::plan::{Plan, ProbePlan};
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::hir::{Probe, Program};
use frontend::resolve::derive::Family;
use std::collections::BTreeMap;

/// Mechanisms in the order in which they are declared and started; they are stopped in reverse
/// (session.cxx: `all_session_groups`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Memory maps of processes; no probes of its own.
    VmaTracker,
    /// `begin`, `end`, `error`.
    Begin,
    /// Kernel functions and statements.
    Kprobe,
    /// Functions and marks of processes.
    Uprobe,
    /// `timer.jiffies`.
    Timer,
    /// Kernel tracepoints.
    Tracepoint,
    /// Hardware breakpoints.
    HardwareBreakpoint,
    /// `perf.*`.
    Perf,
    /// All other timers.
    HighResolutionTimer,
    /// `procfs.*`.
    Procfs,
    /// `netfilter.*`.
    Netfilter,
    /// `process.begin`, `process.end`, `process.syscall`...
    Utrace,
    /// Finds processes for the mechanisms above; no probes of its own, and the last.
    TaskFinder,
}

impl Group {
    /// Whether upstream marks handlers as fit for unprivileged users: those are not shared with others'
    /// (`print_dupe_stamp`). What else is asked of such a handler is part of its prologue.
    pub fn is_for_everyone(self) -> bool {
        matches!(self, Group::Begin | Group::Timer | Group::HighResolutionTimer | Group::Utrace)
    }
}

/// Whether probes can be armed and disarmed when their condition changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnTheFly {
    /// `refresh` arms and disarms.
    pub supported: bool,
    /// The callback may schedule the work that does so.
    pub safe: bool,
}

/// C text of a mechanism. Lines without indentation; empty where there is nothing to do.
#[derive(Debug, Clone, Default)]
pub struct Sections {
    /// Defines in front of the runtime's headers.
    pub defines: String,
    /// Tables and callbacks, at file level.
    pub declarations: String,
    /// At insertion of the module.
    pub kernel_init: String,
    /// At the start of the session, in `systemtap_module_init`: sets `rc` on failure.
    pub init: String,
    /// After the session runs.
    pub post_init: String,
    /// When conditions or modules changed, in `systemtap_module_refresh(modname)`.
    pub refresh: String,
    /// At the end of the session; also after another mechanism failed to start.
    pub exit: String,
    /// At removal of the module.
    pub kernel_exit: String,
    /// Further source files: name and text.
    pub units: Vec<(String, String)>,
}

/// A family with what the back half asks of it.
pub trait EmitFamily: Family {
    /// The mechanism that carries the probe; `None` if it never runs.
    fn group(&self, probe: &Probe) -> Option<Group>;

    /// C statements in front of the handler's, in the handler: `c` and `l` are in scope.
    fn prologue(&self, _probe: &Probe) -> Vec<String> {
        Vec::new()
    }

    /// Refuses a probe that the front half takes and C cannot say.
    ///
    /// # Errors
    /// Why, with a position.
    fn check(&self, _probe: &Probe) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    /// The object that the probe is in, whose symbols and unwind data are then known to the runtime: `kernel`, the name
    /// of a kernel module, or the path of a program as the target sees it.
    fn object(&self, _probe: &Probe) -> Option<String> {
        None
    }
}

/// A mechanism of the kernel that runs handlers.
pub trait Mechanism: Sync {
    /// Which one.
    fn group(&self) -> Group;

    /// Whether handlers run side by side, so that they must lock globals.
    fn takes_locks(&self) -> bool {
        true
    }

    /// Arming and disarming.
    fn on_the_fly(&self) -> OnTheFly {
        OnTheFly::default()
    }

    /// Whether the module needs it; by default if it has probes.
    fn active(&self, cx: &GroupContext<'_>) -> bool {
        !cx.probes.is_empty()
    }

    /// Refuses probes that cannot stand side by side; they are the group's.
    ///
    /// # Errors
    /// Why.
    fn check(&self, _probes: &[&Probe]) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    /// Its C text.
    fn sections(&self, cx: &GroupContext<'_>) -> Sections;
}

/// A probe of a group, planned and as derived.
#[derive(Debug, Clone, Copy)]
pub struct GroupProbe<'a> {
    /// With the family's attachment.
    pub probe: &'a Probe,
    /// With its index and handler.
    pub plan: &'a ProbePlan,
}

impl<'a> GroupProbe<'a> {
    /// What the family kept at derivation.
    pub fn attachment<T: 'static>(&self) -> Option<&'a T> {
        self.probe.attachment.as_any().downcast_ref()
    }

    /// `(&stap_probes[3])`, the value of every table's `.probe`.
    pub fn pointer(&self) -> String {
        format!("(&stap_probes[{}])", self.plan.index)
    }

    /// Field of a local that entry code fills: `c->probe_locals.probe_3.l___x`; `None` if the handler does not use it.
    pub fn entry_local(&self, name: &str) -> Option<String> {
        let handler = self.plan.handler.as_ref()?;
        let local = self.plan.body.locals.iter().find(|local| local.name == name && local.in_frame())?;
        Some(format!("c->probe_locals.{handler}.{}", local.c_name))
    }
}

/// What `sections` may look at.
#[derive(Debug, Clone)]
pub struct GroupContext<'a> {
    /// The whole plan.
    pub plan: &'a Plan,
    /// Probes of the group in session order.
    pub probes: Vec<GroupProbe<'a>>,
}

impl<'a> GroupContext<'a> {
    /// The probes that a group carries.
    pub fn new(plan: &'a Plan, group: Group) -> Self {
        let probes = plan
            .probes
            .iter()
            .zip(&plan.derived)
            .filter(|(probe, _)| probe.group == Some(group))
            .map(|(plan, probe)| GroupProbe { probe, plan })
            .collect();
        GroupContext { plan, probes }
    }

    /// Writes a callback's work; see [`write_entry`].
    pub fn entry(&self, out: &mut CWriter, entry: &Entry<'_>) {
        write_entry(out, self.plan, entry);
    }

    /// True if some probe joined that group.
    pub fn has(&self, group: Group) -> bool {
        self.plan.probes.iter().any(|probe| probe.group == Some(group))
    }
}

/// All families. One line each; the order is that of listings.
pub static FAMILIES: &[&dyn EmitFamily] = &[
    &begin::Begin,
    &begin::Never,
    &timer::Timer,
    &kprobe::KprobeFamily,
    &hwbkpt::HwbkptFamily,
    &perf::PerfFamily,
    &procfs::ProcfsFamily,
    &netfilter::NetfilterFamily,
    &utrace::UtraceFamily,
    &itrace::ItraceFamily,
];

/// All mechanisms, in the order of [`Group`].
pub static MECHANISMS: &[&dyn Mechanism] = &[
    &task_finder::VmaTracker,
    &begin::BeginMechanism,
    &kprobe::KprobeMechanism,
    &timer::JiffiesMechanism,
    &hwbkpt::HwbkptMechanism,
    &perf::PerfMechanism,
    &timer::HighResolutionMechanism,
    &procfs::ProcfsMechanism,
    &netfilter::NetfilterMechanism,
    &utrace::UtraceMechanism,
    &task_finder::TaskFinder,
];

/// The same for `resolve`.
pub fn front() -> Vec<&'static dyn Family> {
    FAMILIES.iter().map(|&family| family as &'static dyn Family).collect()
}

/// The family of that name.
pub fn family(name: &str) -> Option<&'static dyn EmitFamily> {
    FAMILIES.iter().copied().find(|family| family.name() == name)
}

/// What is wrong with the probes of a program taken together, at the end of pass 2 (elaborate.cxx: `join_group`).
pub fn check_groups(program: &Program) -> Diagnostics {
    let mut groups: BTreeMap<Group, Vec<&Probe>> = BTreeMap::new();
    for probe in &program.probes {
        if let Some(group) = family(probe.family).and_then(|family| family.group(probe)) {
            groups.entry(group).or_default().push(probe);
        }
    }
    let mut diagnostics = Diagnostics::new();
    for (group, probes) in groups {
        if let Err(error) = mechanism(group).check(&probes) {
            diagnostics.push(*error);
        }
    }
    diagnostics
}

/// The mechanism of a group; one that emits nothing if none is registered.
pub fn mechanism(group: Group) -> &'static dyn Mechanism {
    MECHANISMS.iter().copied().find(|mechanism| mechanism.group() == group).unwrap_or(&Unserved)
}

/// Stands in for a mechanism that is not registered; a test sees to it that no family needs it.
struct Unserved;

impl Mechanism for Unserved {
    fn group(&self) -> Group {
        Group::TaskFinder
    }

    fn sections(&self, _cx: &GroupContext<'_>) -> Sections {
        Sections::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms_stand_in_group_order() {
        assert!(MECHANISMS.is_sorted_by_key(|mechanism| mechanism.group()));
    }

    #[test]
    fn family_names_are_unique() {
        let mut names: Vec<_> = FAMILIES.iter().map(|family| family.name()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
