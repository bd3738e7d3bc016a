//! Start, refresh and end of the module (runtime contract 1.10 and 1.11).

use super::Active;
use super::entry::{write_clock, write_elapsed};
use super::globals;
use super::writer::{CWriter, literal};
use crate::plan::Plan;

/// Writes what applies changed conditions: a work item, and a timer for handlers that may not schedule work.
pub fn write_refresher(out: &mut CWriter, plan: &Plan) {
    if !plan.profile.systemtap_wq {
        out.directive("#include <linux/workqueue.h>");
    }
    out.line("static atomic_t need_module_refresh = ATOMIC_INIT(0);");
    out.line("static struct work_struct module_refresher_work;");
    out.open("static void module_refresher (struct work_struct *work) {");
    out.line("systemtap_module_refresh (NULL);");
    out.close("}");
    out.directive("#ifdef STP_ON_THE_FLY_TIMER_ENABLE");
    out.directive("#include \"timer.h\"");
    out.line("static struct hrtimer module_refresh_timer;");
    out.lines("#ifndef STP_ON_THE_FLY_INTERVAL\n#define STP_ON_THE_FLY_INTERVAL (100*1000*1000)\n#endif");
    out.line("hrtimer_return_t module_refresh_timer_cb (struct hrtimer *timer);");
    out.open("hrtimer_return_t module_refresh_timer_cb (struct hrtimer *timer) {");
    out.line("if (atomic_cmpxchg (&need_module_refresh, 1, 0) == 1)");
    out.line(if plan.profile.systemtap_wq {
        "  queue_work (systemtap_wq, &module_refresher_work);"
    } else {
        "  schedule_work (&module_refresher_work);"
    });
    out.line("hrtimer_set_expires (timer, ktime_add (hrtimer_get_expires (timer),");
    out.line("                                       ktime_set (0, STP_ON_THE_FLY_INTERVAL)));");
    out.line("return HRTIMER_RESTART;");
    out.close("}");
    out.directive("#endif /* STP_ON_THE_FLY_TIMER_ENABLE */");
}

/// Writes the functions that the runtime calls.
pub(crate) fn write_module(out: &mut CWriter, plan: &Plan, active: &[Active]) {
    out.gap();
    write_init(out, plan, active);
    out.gap();
    write_refresh(out, plan, active);
    out.gap();
    write_exit(out, plan, active);
    out.gap();
    write_kernel_hooks(out, active);
}

fn write_failure(out: &mut CWriter, condition: &str, message: &str) {
    out.open(format!("if ({condition}) {{"));
    out.line(format!("_stp_error ({message});"));
    out.line("goto out;");
    out.close("}");
}

fn write_init(out: &mut CWriter, plan: &Plan, active: &[Active]) {
    out.open("static int systemtap_module_init (void) {");
    out.line("int rc = 0;");
    out.line("int i = 0, j = 0;");
    out.line("const char *probe_point = \"\";");
    if plan.profile.init_timing {
        out.directive("#ifdef STP_TIMING");
        write_clock(out, "atstart");
        out.directive("#endif");
    }
    out.line("(void) probe_point;");
    out.line("(void) i;");
    out.line("(void) j;");
    out.line("might_sleep ();");
    out.line("rc = _stp_handle_kallsyms_lookups ();");
    out.line("if (rc) goto out;");
    // Repairs of the runtime look their own names up here; the shim header defines this only if some have to.
    out.directive(format!("#ifdef {}", runtime_shim::abi::SHIM_INIT));
    out.line(format!("rc = {} ();", runtime_shim::abi::SHIM_INIT));
    out.line("if (rc) goto out;");
    out.directive("#endif");
    write_release_check(out, plan);
    out.line("if (_stp_module_check ()) rc = -EINVAL;");
    write_privilege_check(out);
    out.line("if (rc) goto out;");
    out.line("rc = stp_session_init ();");
    write_failure(out, "rc", "\"couldn't initialize the main session (rc %d)\", rc");
    out.line("if (atomic_cmpxchg (session_state(), STAP_SESSION_UNINITIALIZED, STAP_SESSION_STARTING)");
    out.open("    != STAP_SESSION_UNINITIALIZED) {");
    out.line("_stp_error (\"session has already been initialized\");");
    // Nothing of the running session may be undone.
    out.line("return -EALREADY;");
    out.close("}");
    for (feature, call, what) in [
        ("STAP_NEED_GETTIMEOFDAY", "_stp_init_time ()", "gettimeofday"),
        ("STAP_NEED_TRACEPOINTS", "stp_tracepoint_init ()", "tracepoints"),
        ("STP_NEED_UNWIND_DATA", "_stp_init_stack ()", "stack support"),
    ] {
        out.directive(format!("#ifdef {feature}"));
        out.line(format!("rc = {call};"));
        write_failure(out, "rc", &format!("\"couldn't initialize {what}\""));
        out.directive("#endif");
    }
    out.line("rc = _stp_runtime_contexts_alloc ();");
    out.line("if (rc != 0) goto out;");
    globals::write_init(out, plan);
    out.line(format!(
        "_stp_print_kernel_info ({}, {}, (num_online_cpus () * sizeof (struct context)), {});",
        literal(&plan.settings.script),
        literal(&format!("{}/rstap", plan.settings.version)),
        plan.probes.len()
    ));
    out.line("INIT_WORK (&module_refresher_work, module_refresher);");
    for (index, this) in active.iter().enumerate() {
        out.lines(&this.sections.init);
        out.open("if (rc) {");
        out.line("if (probe_point)");
        out.line(
            "  _stp_error (\"probe %s registration error [man warning::pass5] (rc %d)\", probe_point, rc);",
        );
        // End probes must not run, error probes may.
        out.line("atomic_set (session_state(), STAP_SESSION_ERROR);");
        for earlier in active.iter().take(index).rev() {
            out.lines(&earlier.sections.exit);
        }
        out.line("goto out;");
        out.close("}");
    }
    out.line("atomic_cmpxchg (session_state(), STAP_SESSION_STARTING, STAP_SESSION_RUNNING);");
    for this in active {
        out.lines(&this.sections.post_init);
    }
    write_refresh_timer_start(out, plan);
    if plan.profile.init_timing {
        write_timing(out, "g_module_init_timing");
    }
    out.line("return 0;");
    out.label("deref_fault: __attribute__((unused));");
    out.label("out: __attribute__((unused));");
    globals::write_exit(out, plan);
    out.line("atomic_set (session_state(), STAP_SESSION_STOPPED);");
    out.line("stp_synchronize_sched ();");
    write_common_exit(out);
    out.line("_stp_runtime_contexts_free ();");
    out.line("stp_session_exit ();");
    out.line("return rc;");
    out.close("}");
}

fn write_release_check(out: &mut CWriter, plan: &Plan) {
    let release = literal(&plan.settings.release);
    out.directive("#ifndef STP_NO_VERREL_CHECK");
    out.open("{");
    out.line("const char *release = UTS_RELEASE;");
    out.lines("#ifdef STAPCONF_GENERATED_COMPILE\nconst char *version = UTS_VERSION;\n#endif");
    out.directive("#ifdef STP_FULL_VERREL_CHECK");
    out.open(format!("if (strcmp (release, {release})) {{"));
    out.line(format!("_stp_error (\"module release mismatch (%s vs %s)\", release, {release});"));
    out.line("rc = -EINVAL;");
    out.close("}");
    out.directive("#endif");
    out.directive("#ifdef STAPCONF_GENERATED_COMPILE");
    out.open("if (strcmp (utsname()->version, version)) {");
    out.line("_stp_error (\"module version mismatch (%s vs %s), release %s\", version, utsname()->version, release);");
    out.line("rc = -EINVAL;");
    out.close("}");
    out.directive("#endif");
    out.line("(void) release;");
    out.close("}");
    out.directive("#endif");
}

fn write_privilege_check(out: &mut CWriter) {
    out.open("if (_stp_privilege_credentials == 0) {");
    out.line("if (STP_PRIVILEGE_CONTAINS (STP_PRIVILEGE, STP_PR_STAPDEV)");
    out.open("    || STP_PRIVILEGE_CONTAINS (STP_PRIVILEGE, STP_PR_STAPUSR)) {");
    out.line("_stp_privilege_credentials = STP_PRIVILEGE;");
    out.middle("} else {");
    out.line("_stp_error (\"Unable to verify that you have the required privilege credentials to run this module (%s required). You must use staprun version 1.7 or higher.\",");
    out.line("            privilege_to_text (STP_PRIVILEGE));");
    out.line("rc = -EINVAL;");
    out.close("}");
    out.middle("} else if (! STP_PRIVILEGE_CONTAINS (_stp_privilege_credentials, STP_PRIVILEGE)) {");
    out.line(
        "_stp_error (\"Your privilege credentials (%s) are insufficient to run this module (%s required).\",",
    );
    out.line(
        "            privilege_to_text (_stp_privilege_credentials), privilege_to_text (STP_PRIVILEGE));",
    );
    out.line("rc = -EINVAL;");
    out.close("}");
}

fn write_refresh_timer_start(out: &mut CWriter, plan: &Plan) {
    out.directive("#ifdef STP_ON_THE_FLY_TIMER_ENABLE");
    // Always set up, because the end always cancels it.
    if plan.profile.hrtimer_setup {
        out.line("STP_HRTIMER_SETUP (&module_refresh_timer, &module_refresh_timer_cb, CLOCK_MONOTONIC, HRTIMER_MODE_REL);");
    } else {
        out.line("hrtimer_init (&module_refresh_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);");
        out.line("module_refresh_timer.function = &module_refresh_timer_cb;");
    }
    if plan.refresh_timer {
        out.line("hrtimer_start (&module_refresh_timer, ktime_set (0, STP_ON_THE_FLY_INTERVAL), HRTIMER_MODE_REL);");
    }
    out.directive("#endif");
}

fn write_timing(out: &mut CWriter, stat: &str) {
    out.directive("#ifdef STP_TIMING");
    out.open(format!("if (likely ({stat})) {{"));
    write_elapsed(out);
    out.line("preempt_disable ();");
    out.line(format!("_stp_stat_add ({stat}, cycles_elapsed, 1, 1, 1, 1, 1);"));
    out.line("preempt_enable_no_resched ();");
    out.close("}");
    out.directive("#endif");
}

fn write_common_exit(out: &mut CWriter) {
    out.lines("#ifdef STAP_NEED_TRACEPOINTS\nstp_tracepoint_exit ();\n#endif");
    out.lines("#ifdef STAP_NEED_GETTIMEOFDAY\n_stp_kill_time ();\n#endif");
}

fn write_refresh(out: &mut CWriter, _plan: &Plan, active: &[Active]) {
    out.open("static void systemtap_module_refresh (const char *modname) {");
    out.line("int state;");
    out.line("int i = 0, j = 0;");
    out.directive("#ifdef STP_TIMING");
    write_clock(out, "atstart");
    out.directive("#endif");
    out.line("(void) i;");
    out.line("(void) j;");
    out.line("mutex_lock (&module_refresh_mutex);");
    out.line("state = atomic_read (session_state());");
    out.open("if (state != STAP_SESSION_RUNNING && state != STAP_SESSION_STARTING) {");
    out.line("mutex_unlock (&module_refresh_mutex);");
    out.line("return;");
    out.close("}");
    for this in active {
        out.lines(&this.sections.refresh);
    }
    write_timing(out, "g_refresh_timing");
    out.line("mutex_unlock (&module_refresh_mutex);");
    out.close("}");
}

fn write_exit(out: &mut CWriter, plan: &Plan, active: &[Active]) {
    out.open("static void systemtap_module_exit (void) {");
    out.line("int i = 0, j = 0;");
    out.line("(void) i;");
    out.line("(void) j;");
    out.line("if (atomic_read (session_state()) == STAP_SESSION_STARTING)");
    out.line("  return;");
    out.line("if (atomic_read (session_state()) == STAP_SESSION_RUNNING)");
    out.line("  atomic_set (session_state(), STAP_SESSION_STOPPING);");
    out.lines("#ifdef STP_ON_THE_FLY_TIMER_ENABLE\nhrtimer_cancel (&module_refresh_timer);\n#endif");
    out.line("stp_synchronize_sched ();");
    out.line("mutex_lock (&module_refresh_mutex);");
    for this in active.iter().rev() {
        out.lines(&this.sections.exit);
    }
    out.line("mutex_unlock (&module_refresh_mutex);");
    out.line("stp_synchronize_sched ();");
    out.line("_stp_runtime_context_wait ();");
    out.line("atomic_set (session_state(), STAP_SESSION_STOPPED);");
    out.line("stp_synchronize_sched ();");
    globals::write_exit(out, plan);
    out.line("_stp_runtime_contexts_free ();");
    write_common_exit(out);
    out.line("preempt_disable ();");
    super::report::write_report(out, plan);
    out.line("preempt_enable_no_resched ();");
    out.close("}");
}

fn write_kernel_hooks(out: &mut CWriter, active: &[Active]) {
    out.open("static int systemtap_kernel_module_init (void) {");
    out.line("int rc = 0;");
    out.line("int i = 0, j = 0;");
    out.line("(void) i;");
    out.line("(void) j;");
    for (index, this) in active.iter().enumerate() {
        if this.sections.kernel_init.is_empty() {
            continue;
        }
        out.lines(&this.sections.kernel_init);
        out.open("if (rc) {");
        for earlier in active.iter().take(index).rev() {
            out.lines(&earlier.sections.kernel_exit);
        }
        out.line("goto out;");
        out.close("}");
    }
    out.label("out: __attribute__((unused));");
    out.line("return rc;");
    out.close("}");
    out.gap();
    out.open("static void systemtap_kernel_module_exit (void) {");
    out.line("int i = 0, j = 0;");
    out.line("(void) i;");
    out.line("(void) j;");
    for this in active.iter().rev() {
        out.lines(&this.sections.kernel_exit);
    }
    out.close("}");
}
