//! `task_work_cancel` changed its meaning in Linux 6.11 and in stable updates (6.1.103 and others).
//!
//! What it did, cancelling by function, is `task_work_cancel_func` since (kernel commit 68cbd415dd4b); the old name
//! now cancels by callback structure. Neither is exported. Runtimes before 5.2 (unless a distribution patched them)
//! take the type of the old name and look the old name up.

use super::looked_up::LookedUp;
use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "task-work-cancel",
    symptom: "stp_task_work.c: incompatible types for task_work_cancel, or a wrong function called",
    remedy: "calls task_work_cancel_func, looked up when the module starts",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.header_declares("linux/task_work.h", "task_work_cancel_func")
        && !at.rt.file_has_word("stp_task_work.c", "task_work_cancel_func")
}

fn pieces(at: &Situation<'_>) -> Pieces {
    // Without the function nothing can be cancelled early; the runtime still waits for all callbacks at its end.
    LookedUp {
        name: "task_work_cancel",
        parameters: &["task", "func"],
        result: "struct callback_head *",
        function: "task_work_cancel_func",
        header: "linux/task_work.h",
        exported: "TASK_WORK_CANCEL_EXPORTED",
    }
    .pieces(at)
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn follows_the_kernels_header_not_its_version() {
        assert!(with("4.8", "6.1", applies));
        assert!(!with("4.8", "6.0-early", applies));
    }

    #[test]
    fn a_runtime_that_knows_is_left_alone() {
        assert!(!with("5.1", "6.12", applies));
    }
}
