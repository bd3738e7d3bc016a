//! Linux 6.17 gave the tracepoint `sched_process_exit` a second argument.
//!
//! A runtime before 5.4 then finds its test for tracepoints false, and falls back to stubs that do not compile in
//! any script about processes.

use super::{Correction, Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "exit-tracepoint",
    symptom: "task_finder_stubs.c is taken, and scripts about processes do not compile",
    remedy: "lets the runtime register its handler, which ignores the new argument",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    let knows = at.rt.file_has_word("stp_utrace.c", "STAPCONF_UTRACE_VIA_TRACEPOINTS2");
    // A kernel that checks the types of indirect calls would stop at a handler of another type.
    let checked = at.kernel.configured("CONFIG_CFI_CLANG") || at.kernel.configured("CONFIG_CFI");
    at.kernel.header_has("trace/events/sched.h", "struct task_struct *p, bool group_dead")
        && !at.conf.is("UTRACE_VIA_TRACEPOINTS")
        && !knows
        && !checked
}

fn pieces(_: &Situation<'_>) -> Pieces {
    let header = "\
#include <linux/mm.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>
#define check_trace_callback_type_sched_process_exit(callback) do { } while (0)
";
    Pieces {
        corrections: vec![Correction { name: "UTRACE_VIA_TRACEPOINTS", value: true }],
        header: header.to_owned(),
        ..Pieces::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn only_for_the_new_argument() {
        assert!(with("5.1", "7.2", applies));
        assert!(!with("5.1", "6.12", applies));
        assert!(!with("5.6", "7.2", applies));
    }
}
