//! For tests: runtimes as data, and the machine's C compilers.

use runtime_shim::profile::{HwBreakpoint, LastStatement, Level, Protocol, RuntimeProfile};

/// The profile of an unpatched release.
pub fn profile(major: u32, minor: u32) -> RuntimeProfile {
    let from = |other: (u32, u32)| (major, minor) >= other;
    RuntimeProfile {
        level: Level::new(major, minor),
        protocol: if from((5, 0)) { Protocol::From(0x50) } else { Protocol::Unnumbered },
        trace_magic: from((5, 0)),
        last_stmt: if from((5, 6)) { LastStatement::PerNesting } else { LastStatement::Pointer },
        softerror_handler: from((5, 6)),
        exectrace: from((5, 6)),
        trace_register2: from((5, 6)),
        hrtimer_setup: from((5, 3)),
        timer_delete_sync: from((5, 3)),
        hwbkpt: HwBreakpoint::Emitted,
        sym2: from((5, 0)),
        systemtap_wq: from((5, 0)),
        init_timing: from((5, 1)),
        cleanup_task_finder_target: from((5, 0)),
        uprobe_handle: from((5, 2)),
        stp_unwind_context: from((5, 4)),
        debug_line_str: from((5, 0)),
        kernel_marks: !from((5, 6)),
        ibt_wrapper: from((5, 0)),
        own_strlcpy: from((5, 1)),
        module_init_hook: from((5, 2)),
        module_init_macro: from((5, 0)),
        tests_have_prototypes: from((5, 1)),
        stdout_not_atty: from((5, 0)),
        timing_nsecs: from((5, 0)),
        stat_add_preempt_off: from((5, 2)),
        newer: None,
    }
}

/// The C compilers of this machine: the one that `CC` names, or else the usual one, and clang. Empty if there is none.
pub fn c_compilers() -> Vec<cc::Tool> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let tool = |program: Option<&str>| {
        let mut build = cc::Build::new();
        build.target(&host).host(&host).opt_level(0).no_default_flags(true).cargo_metadata(false);
        if let Some(program) = program {
            build.compiler(program);
        }
        build.try_get_compiler().ok()
    };
    let runs =
        |tool: &cc::Tool| tool.to_command().arg("--version").output().is_ok_and(|out| out.status.success());
    let mut tools: Vec<cc::Tool> = tool(None).into_iter().filter(runs).collect();
    if !tools.iter().any(cc::Tool::is_like_clang) {
        tools.extend(tool(Some("clang")).filter(runs));
    }
    tools
}
