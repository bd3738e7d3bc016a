//! `task_work_cancel` changed its meaning in Linux 6.11 and in stable updates (6.1.103 and others).
//!
//! What it did, cancelling by function, is `task_work_cancel_func` since (kernel commit 68cbd415dd4b); the old name
//! now cancels by callback structure. Neither is exported. Runtimes before 5.2 (unless a distribution patched them)
//! take the type of the old name and look the old name up.

use super::{Correction, Pieces, Repair, Situation};

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
    // A kernel with indirect branch tracking faults on calls of looked-up functions without a landing pad; from 5.0
    // the runtime has a wrapper for that, a macro that is visible where this one is expanded.
    let call = "rstap_task_work_cancel((task), (func))";
    let call = match at.profile.ibt_wrapper {
        true => format!("ibt_wrapper(struct callback_head *, {call})"),
        false => call.to_owned(),
    };
    // Without the function nothing can be cancelled early; the runtime still waits for all callbacks at its end.
    let header = format!(
        "\
#include <linux/task_work.h>
static typeof(&task_work_cancel_func) rstap_task_work_cancel __attribute__((unused));
#define task_work_cancel(task, func) \\
	(rstap_task_work_cancel ? {call} : NULL)
"
    );
    let init = "({ rstap_task_work_cancel = (void *)kallsyms_lookup_name(\"task_work_cancel_func\"); 0; })";
    Pieces {
        // "Exported" makes the runtime call the name as it stands, which is the macro above.
        corrections: vec![Correction { name: "TASK_WORK_CANCEL_EXPORTED", value: true }],
        header,
        init: Some(init.to_owned()),
        ..Pieces::default()
    }
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
