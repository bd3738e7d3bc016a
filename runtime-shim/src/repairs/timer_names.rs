//! Linux 6.15 replaced `hrtimer_init` by `hrtimer_setup` and dropped the name `del_timer_sync`.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "timer-names",
    symptom: "implicit declaration of hrtimer_init or del_timer_sync",
    remedy: "defines them by hrtimer_setup and timer_delete_sync",
    applies,
    pieces,
};

fn lacks_init(at: &Situation<'_>) -> bool {
    at.kernel.header_declares("linux/hrtimer.h", "hrtimer_setup")
        && !at.kernel.header_declares("linux/hrtimer.h", "hrtimer_init")
}

fn lacks_delete(at: &Situation<'_>) -> bool {
    at.kernel.header_declares("linux/timer.h", "timer_delete_sync")
        && !at.kernel.header_declares("linux/timer.h", "del_timer_sync")
}

fn applies(at: &Situation<'_>) -> bool {
    lacks_init(at) && !at.profile.hrtimer_setup || lacks_delete(at) && !at.profile.timer_delete_sync
}

fn pieces(at: &Situation<'_>) -> Pieces {
    let mut header = String::new();
    if lacks_init(at) {
        // Whoever used hrtimer_init assigns the function himself before he starts the timer.
        header.push_str(
            "\
#include <linux/hrtimer.h>
static enum hrtimer_restart __attribute__((unused)) rstap_hrtimer_unset(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}
#define hrtimer_init(timer, clock, mode) hrtimer_setup((timer), rstap_hrtimer_unset, (clock), (mode))
",
        );
    }
    if lacks_delete(at) {
        header.push_str("#include <linux/timer.h>\n#define del_timer_sync(timer) timer_delete_sync(timer)\n");
    }
    Pieces { header, ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn only_for_a_runtime_that_does_not_know() {
        assert!(with("5.1", "7.2", applies));
        assert!(!with("5.1", "6.12", applies));
        assert!(!with("5.6", "7.2", applies));
        let header = with("5.1", "7.2", pieces).header;
        assert!(header.contains("#define hrtimer_init(") && header.contains("#define del_timer_sync("));
    }
}
