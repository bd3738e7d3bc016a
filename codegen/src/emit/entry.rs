//! What every C callback does around a handler: find a context, check the session, count time, report errors
//! (tapsets.cxx: `common_probe_entryfn_prologue`, `common_probe_entryfn_epilogue`; runtime contract 1.6).

use super::writer::CWriter;
use crate::plan::Plan;

/// Parameters of one callback.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// State that the session must be in: `STAP_SESSION_RUNNING`, or an expression.
    pub state: &'a str,
    /// A second state that will do.
    pub other_state: Option<&'a str>,
    /// Expression of type `const struct stap_probe *`.
    pub probe: &'a str,
    /// `stp_probe_type_...`.
    pub probe_type: &'a str,
    /// Whether time is watched; not for begin, end, error and netfilter probes.
    pub overload: bool,
    /// Whether the callback may schedule work: then it applies changed conditions itself.
    pub may_schedule: bool,
    /// Lines before a context is taken, which may `goto probe_epilogue`.
    pub before_context: &'a str,
    /// Lines between the set-up and the handler: registers and the like.
    pub before_handler: &'a str,
    /// Lines after the handler, when the context still says what happened.
    pub after_handler: &'a str,
}

impl<'a> Entry<'a> {
    /// The usual callback: runs while the session runs, under overload protection.
    pub fn running(probe: &'a str, probe_type: &'a str) -> Self {
        Entry {
            state: "STAP_SESSION_RUNNING",
            other_state: None,
            probe,
            probe_type,
            overload: true,
            may_schedule: false,
            before_context: "",
            before_handler: "",
            after_handler: "",
        }
    }
}

/// Writes the whole of a callback's work: locals, prologue, call of the handler, epilogue. It must be the body of a
/// function or of a block at the start of which declarations may stand; one per function, for the label's sake.
pub fn write_entry(out: &mut CWriter, plan: &Plan, entry: &Entry<'_>) {
    write_prologue(out, plan, entry);
    out.lines(entry.before_handler);
    out.line(format!("(*{}->ph) (c);", entry.probe));
    out.lines(entry.after_handler);
    write_epilogue(out, plan, entry);
}

fn clock_condition(entry: &Entry<'_>) -> &'static str {
    if entry.overload { "#if defined(STP_TIMING) || defined(STP_OVERLOAD)" } else { "#ifdef STP_TIMING" }
}

/// Everything before the handler is called. Opens no block.
pub fn write_prologue(out: &mut CWriter, plan: &Plan, entry: &Entry<'_>) {
    let probe = entry.probe;
    out.directive("#ifdef STP_ALIBI");
    out.line(format!("atomic_inc (probe_alibi({probe}->index));"));
    out.directive("#else");
    out.line("struct context * __restrict__ c = NULL;");
    out.lines("#if !INTERRUPTIBLE\nunsigned long flags;\n#endif");
    out.lines(format!("#ifdef STP_TIMING\nStat stat = probe_timing({probe}->index);\n#endif"));
    out.directive(clock_condition(entry));
    write_clock(out, "atstart");
    out.directive("#endif");
    out.lines("#if !INTERRUPTIBLE\nlocal_irq_save (flags);\n#endif");
    out.line("if (unlikely ((((unsigned long) (& c)) & (THREAD_SIZE-1))");
    out.open("              < (MINSTACKSPACE + sizeof (struct thread_info)))) {");
    out.line("atomic_inc (skipped_count());");
    out.lines("#ifdef STP_TIMING\natomic_inc (skipped_count_lowstack());\n#endif");
    out.line("goto probe_epilogue;");
    out.close("}");
    out.open("{");
    out.line("unsigned sess_state = atomic_read (session_state());");
    if plan.settings.log_session_states {
        write_state_report(out, entry);
    }
    match entry.other_state {
        None => out.line(format!("if (sess_state != {})", entry.state)),
        Some(other) => out.line(format!("if (sess_state != {} && sess_state != {other})", entry.state)),
    }
    out.line("  goto probe_epilogue;");
    out.close("}");
    out.lines(entry.before_context);
    out.line("c = _stp_runtime_entryfn_get_context();");
    out.open("if (!c) {");
    out.lines("#if !INTERRUPTIBLE\natomic_inc (skipped_count());\n#endif");
    out.lines("#ifdef STP_TIMING\natomic_inc (skipped_count_reentrant());\n#endif");
    out.line("goto probe_epilogue;");
    out.close("}");
    out.line("c->aborted = 0;");
    out.line("c->locked = 0;");
    if plan.frames_remember_statements() {
        out.line("memset (c->last_stmt, 0, sizeof (c->last_stmt));");
    } else {
        out.line("c->last_stmt = NULL;");
    }
    out.line("c->last_error = NULL;");
    out.line("c->nesting = -1;");
    out.line("c->uregs = NULL;");
    out.line("c->kregs = NULL;");
    out.line("c->sregs = NULL;");
    out.lines("#if defined __ia64__\nc->unwaddr = 0;\n#endif");
    out.line(format!("c->probe_point = {probe}->pp;"));
    out.lines(format!("#ifdef STP_NEED_PROBE_NAME\nc->probe_name = {probe}->pn;\n#endif"));
    out.line(format!("c->probe_type = {};", entry.probe_type));
    out.line("memset (&c->ips, 0, sizeof (c->ips));");
    out.line("c->user_mode_p = 0;");
    out.line("c->full_uregs_p = 0;");
    out.lines("#ifdef STAP_NEED_REGPARM\nc->regparm = 0;\n#endif");
    if !plan.settings.suppress_time_limits {
        out.lines(
            "#if INTERRUPTIBLE\n\
             c->actionremaining = MAXACTION_INTERRUPTIBLE;\n\
             #else\n\
             c->actionremaining = MAXACTION;\n\
             #endif",
        );
    }
    out.lines(
        "#if defined(STP_NEED_UNWIND_DATA)\n\
         c->uwcache_user.state = uwcache_uninitialized;\n\
         c->uwcache_kernel.state = uwcache_uninitialized;\n\
         #endif\n\
         #if defined(STAP_NEED_CONTEXT_RETURNVAL)\n\
         c->returnval_override_p = 0;\n\
         c->returnval_override = 0;\n\
         #endif",
    );
}

/// The line of `-D DEBUG_PROBES`.
fn write_state_report(out: &mut CWriter, entry: &Entry<'_>) {
    let states: Vec<&str> = std::iter::once(entry.state).chain(entry.other_state).collect();
    let named: Vec<String> = states.iter().map(|state| format!("{state} (%d)")).collect();
    out.line(format!(
        "_stp_dbug (__FUNCTION__, __LINE__, \"session state: %d, expecting {}\", sess_state, {});",
        named.join(" or "),
        states.join(", ")
    ));
}

/// Everything after the handler has returned. Needs the variables of [`write_prologue`].
pub fn write_epilogue(out: &mut CWriter, plan: &Plan, entry: &Entry<'_>) {
    if entry.may_schedule {
        out.line("if (atomic_cmpxchg (&need_module_refresh, 1, 0) == 1)");
        out.line("  schedule_work (&module_refresher_work);");
    }
    out.directive(clock_condition(entry));
    out.open("{");
    write_elapsed(out);
    out.directive("#ifdef STP_TIMING");
    out.open("if (likely (stat)) {");
    // A scalar statistic is per processor, and newer runtimes expect their caller to stay on one.
    out.line("preempt_disable ();");
    out.line("_stp_stat_add (stat, cycles_elapsed, 1, 1, 1, 1, 0);");
    out.line("preempt_enable_no_resched ();");
    out.close("}");
    out.directive("#endif");
    if entry.overload {
        write_overload(out);
    }
    out.close("}");
    out.directive("#endif");
    // 5.6 names the probe point in its report, so it is cleared afterwards there.
    if plan.profile.softerror_handler {
        write_error_report(out, plan);
        write_clear(out);
    } else {
        write_clear(out);
        write_error_report(out, plan);
    }
    out.label("probe_epilogue:");
    if plan.settings.suppress_handler_errors {
        out.line(";");
    } else {
        out.open("if (unlikely (atomic_read (skipped_count()) > MAXSKIPPED)) {");
        out.line(
            "if (unlikely (pseudo_atomic_cmpxchg (session_state(), STAP_SESSION_RUNNING, STAP_SESSION_ERROR)",
        );
        out.line("              == STAP_SESSION_RUNNING))");
        out.line("  _stp_error (\"Skipped too many probes, check MAXSKIPPED or try again with stap -t for more details.\");");
        out.close("}");
    }
    out.line("_stp_runtime_entryfn_put_context (c);");
    out.lines("#if !INTERRUPTIBLE\nlocal_irq_restore (flags);\n#endif");
    out.directive("#endif /* STP_ALIBI */");
}

/// Declares `cycles_at...`, in cycles or nanoseconds.
pub fn write_clock(out: &mut CWriter, when: &str) {
    out.lines(format!(
        "#ifdef STP_TIMING_NSECS\n\
         s64 cycles_{when} = ktime_get_ns ();\n\
         #else\n\
         cycles_t cycles_{when} = get_cycles ();\n\
         #endif"
    ));
}

/// Declares `cycles_atend` and `cycles_elapsed`, given `cycles_atstart`; the clock may wrap once.
pub fn write_elapsed(out: &mut CWriter) {
    let elapsed = |word: &str| {
        format!(
            "{word} cycles_elapsed = (({word})cycles_atend > ({word})cycles_atstart)\n  \
             ? (({word})cycles_atend - ({word})cycles_atstart)\n  \
             : (~({word})0) - ({word})cycles_atstart + ({word})cycles_atend + 1;"
        )
    };
    out.directive("#ifdef STP_TIMING_NSECS");
    out.line("s64 cycles_atend = ktime_get_ns ();");
    out.lines(elapsed("s64"));
    out.directive("#else");
    out.line("cycles_t cycles_atend = get_cycles ();");
    out.lines(elapsed("int32_t"));
    out.directive("#endif");
}

fn write_overload(out: &mut CWriter) {
    out.directive("#ifdef STP_OVERLOAD");
    out.open("{");
    out.line("cycles_t interval = (cycles_atend > c->cycles_base)");
    out.line("  ? (cycles_atend - c->cycles_base)");
    out.line("  : (STP_OVERLOAD_INTERVAL + 1);");
    out.line("c->cycles_sum += cycles_elapsed;");
    out.open("if (interval > STP_OVERLOAD_INTERVAL) {");
    out.open("if (c->cycles_sum > STP_OVERLOAD_THRESHOLD) {");
    out.line(
        "_stp_error (\"probe overhead (%lld cycles) exceeded threshold (%lld cycles) in last %lld cycles\",",
    );
    out.line("            (long long) c->cycles_sum, STP_OVERLOAD_THRESHOLD, STP_OVERLOAD_INTERVAL);");
    out.line("atomic_set (session_state(), STAP_SESSION_ERROR);");
    out.line("atomic_inc (error_count());");
    out.close("}");
    out.line("c->cycles_base = cycles_atend;");
    out.line("c->cycles_sum = 0;");
    out.close("}");
    out.close("}");
    out.directive("#endif");
}

fn write_clear(out: &mut CWriter) {
    out.line("c->probe_point = NULL;");
    out.lines("#ifdef STP_NEED_PROBE_NAME\nc->probe_name = NULL;\n#endif");
    out.line("c->probe_type = 0;");
}

fn write_error_report(out: &mut CWriter, plan: &Plan) {
    out.open("if (unlikely (c->last_error)) {");
    if plan.settings.suppress_handler_errors {
        out.line("atomic_inc (error_count());");
    } else {
        if plan.profile.softerror_handler {
            out.line("_stp_softerror_handler (c);");
        } else {
            out.line("if (c->last_stmt != NULL)");
            out.line("  _stp_softerror (\"%s near %s\", c->last_error, c->last_stmt);");
            out.line("else");
            out.line("  _stp_softerror (\"%s\", c->last_error);");
        }
        out.line("atomic_inc (error_count());");
        out.open("if (atomic_read (error_count()) > MAXERRORS) {");
        out.line("atomic_set (session_state(), STAP_SESSION_ERROR);");
        out.line("_stp_exit ();");
        out.close("}");
    }
    out.close("}");
}
