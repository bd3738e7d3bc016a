//! Linux 6.19 made `lock_task_sighand` a function of its own; `__lock_task_sighand` is gone. Neither is exported.

use super::looked_up::LookedUp;
use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "sighand-lock",
    symptom: "stp_utrace.c: '__lock_task_sighand' undeclared",
    remedy: "calls lock_task_sighand, looked up when the module starts",
    applies,
    pieces,
};

const HEADER: &str = "linux/sched/signal.h";

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.has_header(HEADER)
        && !at.kernel.header_declares(HEADER, "__lock_task_sighand")
        && at.rt.file_has_word("stp_utrace.c", "STAPCONF___LOCK_TASK_SIGHAND_EXPORTED")
        && !at.rt.file_has_word("stp_utrace.c", "STAPCONF_LOCK_TASK_SIGHAND_EXPORTED")
}

fn pieces(at: &Situation<'_>) -> Pieces {
    // NULL is what the function itself returns for a task that is gone.
    LookedUp {
        name: "lock_task_sighand",
        parameters: &["task", "flags"],
        result: "struct sighand_struct *",
        function: "lock_task_sighand",
        header: HEADER,
        exported: "__LOCK_TASK_SIGHAND_EXPORTED",
    }
    .pieces(at)
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::text::RuntimeText;

    #[test]
    fn only_where_the_old_name_is_gone() {
        let ask = |version: &str, text: &str| {
            with("5.1", version, |at| {
                let rt = RuntimeText::from_pairs("/rt", &[("stp_utrace.c", text)]);
                applies(&Situation { rt: &rt, ..*at })
            })
        };
        let old = "#if !defined(STAPCONF___LOCK_TASK_SIGHAND_EXPORTED)";
        assert!(ask("7.2", old));
        assert!(!ask("6.12", old));
        assert!(!ask("7.2", &format!("{old} STAPCONF_LOCK_TASK_SIGHAND_EXPORTED")));
    }
}
