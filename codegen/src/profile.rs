//! The facts about the installed runtime that the emitter asks for.
//!
//! The fields carry the names of `runtime_shim`'s profile, which will take this type's place.

use runtime_shim::profile::HwBreakpoint;

/// What differs between runtimes, as far as generated C shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeProfile {
    /// `const char *last_stmt[MAXNESTING+1]` instead of a single pointer (5.6).
    pub last_stmt_per_nesting: bool,
    /// `_stp_softerror_handler(c)` exists (5.6).
    pub softerror_handler: bool,
    /// `STP_HRTIMER_SETUP` replaces `hrtimer_init` and an assignment (5.3).
    pub hrtimer_setup: bool,
    /// `STP_TIMER_DELETE_SYNC(t)` replaces `del_timer_sync` (5.3).
    pub timer_delete_sync: bool,
    /// `sym2.c` must be included after `stack.c` (5.0).
    pub sym2: bool,
    /// Refresh work goes to `systemtap_wq` by `queue_work`; else `schedule_work` (5.0).
    pub systemtap_wq: bool,
    /// `Stat g_module_init_timing` exists under `STP_TIMING` (5.1).
    pub init_timing: bool,
    /// `struct _stp_module` has `debug_line_str` and `debug_line_str_len` (5.0).
    pub debug_line_str: bool,
    /// Who registers hardware breakpoints.
    pub hwbkpt: HwBreakpoint,
    /// `stap_cleanup_task_finder_target(tgt)` exists and must be called for each target at exit (5.0).
    pub cleanup_task_finder_target: bool,
}

impl RuntimeProfile {
    /// The profile of an unpatched release, for tests.
    pub fn of_level(major: u32, minor: u32) -> Self {
        let from = |other: (u32, u32)| (major, minor) >= other;
        RuntimeProfile {
            last_stmt_per_nesting: from((5, 6)),
            softerror_handler: from((5, 6)),
            hrtimer_setup: from((5, 3)),
            timer_delete_sync: from((5, 3)),
            sym2: from((5, 0)),
            systemtap_wq: from((5, 0)),
            init_timing: from((5, 1)),
            debug_line_str: from((5, 0)),
            hwbkpt: match (major, minor) {
                older if older < (5, 1) => HwBreakpoint::Emitted,
                middle if middle < (5, 3) => HwBreakpoint::OneArray,
                _ => HwBreakpoint::TwoArrays,
            },
            cleanup_task_finder_target: from((5, 0)),
        }
    }
}
