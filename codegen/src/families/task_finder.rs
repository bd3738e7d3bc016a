//! Mechanisms without probes of their own: the task finder, which tells others of processes, and the tracker of their
//! memory maps. Source: upstream task_finder.cxx; runtime `linux/task_finder2.c`, `linux/task_finder_vma.c`.

use super::{Group, GroupContext, Mechanism, Sections, perf};

/// Finds processes for all mechanisms that follow some.
#[derive(Debug)]
pub struct TaskFinder;

impl Mechanism for TaskFinder {
    fn group(&self) -> Group {
        Group::TaskFinder
    }

    fn active(&self, cx: &GroupContext<'_>) -> bool {
        cx.has(Group::Uprobe)
            || cx.has(Group::Utrace)
            || VmaTracker.active(cx)
            || cx.plan.derived.iter().any(perf::needs_task_finder)
    }

    fn sections(&self, _: &GroupContext<'_>) -> Sections {
        Sections {
            init: "rc = stap_start_task_finder ();\n".into(),
            // Tasks that lived before the session are reported once it runs.
            post_init: "stap_task_finder_post_init ();\n".into(),
            exit: "stap_stop_task_finder ();\n".into(),
            ..Sections::default()
        }
    }
}

/// Keeps the memory maps of processes, for functions with `/* pragma:vma */`.
#[derive(Debug)]
pub struct VmaTracker;

impl Mechanism for VmaTracker {
    fn group(&self) -> Group {
        Group::VmaTracker
    }

    fn active(&self, cx: &GroupContext<'_>) -> bool {
        cx.plan.needs.vma
    }

    fn sections(&self, _: &GroupContext<'_>) -> Sections {
        Sections {
            init: "rc = _stp_vma_init ();\n".into(),
            exit: "_stp_vma_done ();\n".into(),
            ..Sections::default()
        }
    }
}
