//! Linux 5.1 took two arguments from `syscall_get_arguments`; the tapset of runtimes up to 5.1 passes all five.

use super::{Pieces, Repair, Situation};
use crate::text::TAPSET_UTRACE;

pub(super) const REPAIR: Repair = Repair {
    name: "syscall-arguments",
    symptom: "too many arguments to syscall_get_arguments in scripts with $argN of process.syscall",
    remedy: "accepts both forms",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    let tapset_knows = match at.rt.file(TAPSET_UTRACE) {
        Some(text) => text.contains("_stp_syscall_get_arguments"),
        // The tapset may be elsewhere; 5.6 is the first that was seen to know.
        None => at.profile.softerror_handler,
    };
    at.conf.is("SYSCALL_GET_ARGS_3ARGS") && !tapset_knows
}

fn pieces(_: &Situation<'_>) -> Pieces {
    let header = "\
#include <linux/sched.h>
#include <asm/syscall.h>
static inline void __attribute__((unused))
rstap_syscall_arguments_5(struct task_struct *task, struct pt_regs *regs,
			  unsigned int first, unsigned int count, unsigned long *to)
{
	unsigned long all[6];
	unsigned int i;

	syscall_get_arguments(task, regs, all);
	for (i = 0; i < count; i++)
		to[i] = first + i < 6 ? all[first + i] : 0;
}

static inline void __attribute__((unused))
rstap_syscall_arguments_3(struct task_struct *task, struct pt_regs *regs, unsigned long *to)
{
	syscall_get_arguments(task, regs, to);
}

#define rstap_syscall_arguments_pick(a, b, c, d, e, pick, ...) pick
#define syscall_get_arguments(...) \\
	rstap_syscall_arguments_pick(__VA_ARGS__, rstap_syscall_arguments_5, rstap_syscall_arguments_4, \\
				     rstap_syscall_arguments_3, )(__VA_ARGS__)
";
    Pieces { header: header.to_owned(), ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::text::RuntimeText;

    #[test]
    fn a_tapset_that_knows_is_left_alone() {
        assert!(with("5.1", "6.12", applies));
        let patched = with("5.1", "6.12", |at| {
            let rt = RuntimeText::from_pairs(
                "/rt",
                &[(TAPSET_UTRACE, "_stp_syscall_get_arguments(c, r, 0, 6, a)")],
            );
            applies(&Situation { rt: &rt, ..*at })
        });
        assert!(!patched);
    }
}
