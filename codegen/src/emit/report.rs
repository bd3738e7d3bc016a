//! What the module says at its end: hits and times of probes (`-t`), lock contention, errors and skipped probes.

use super::writer::{CWriter, literal};
use crate::plan::Plan;

/// Writes the report, inside of a region without preemption.
pub fn write_report(out: &mut CWriter, plan: &Plan) {
    out.directive("#if defined(STP_TIMING) || defined(STP_ALIBI)");
    quiet(out, "_stp_printf (\"----- probe hit report: \\n\");");
    out.open("for (i = 0; i < ARRAY_SIZE (stap_probes); ++i) {");
    out.line("const struct stap_probe * const p = & stap_probes[i];");
    out.lines("#ifndef STP_STDOUT_NOT_ATTY\n#ifdef STP_ALIBI");
    out.line("int alibi = atomic_read (probe_alibi(i));");
    out.line("if (alibi)");
    out.line("  _stp_printf (\"%s, (%s), hits: %d,%s, index: %d\\n\", p->pp, p->location, alibi, p->derivation, i);");
    out.lines("#endif\n#endif");
    out.directive("#ifdef STP_TIMING");
    out.open("if (likely (probe_timing(i))) {");
    out.directive("#ifndef STP_STDOUT_NOT_ATTY");
    out.line("struct stat_data *stats = _stp_stat_get (probe_timing(i), 0);");
    out.open("if (stats->count) {");
    out.line("int64_t avg = _stp_div64 (NULL, stats->sum, stats->count);");
    out.line("_stp_printf (\"%s, (%s), hits: %lld, \"");
    unit(out);
    out.line("             \": %lldmin/%lldavg/%lldmax, variance: %lld,%s, index: %d\\n\",");
    out.line("             p->pp, p->location, (long long) stats->count,");
    out.line("             (long long) stats->min, (long long) avg, (long long) stats->max,");
    out.line("             (long long) stats->variance, p->derivation, i);");
    out.close("}");
    out.directive("#endif");
    delete(out, "probe_timing(i)");
    out.close("}");
    out.directive("#endif");
    out.line("(void) p;");
    out.close("}");
    out.directive("#ifdef STP_TIMING");
    stage(out, "refresh", "g_refresh_timing");
    if plan.profile.init_timing {
        stage(out, "module init", "g_module_init_timing");
    }
    out.directive("#endif");
    out.line("_stp_print_flush ();");
    out.directive("#endif");
    out.directive("#ifdef STP_TIMING");
    counters(out, plan, "global_contended", |out, name| {
        out.line(format!(
            "if (ctr) _stp_printf (\"'%s' lock contention occurred %d times\\n\", {name}, ctr);"
        ));
    });
    out.line("_stp_print_flush ();");
    out.directive("#endif");
    out.line("if (atomic_read (skipped_count()) || atomic_read (error_count())");
    out.open("    || atomic_read (skipped_count_reentrant())) {");
    out.line("_stp_warn (\"Number of errors: %d, skipped probes: %d\\n\",");
    out.line("           (int) atomic_read (error_count()), (int) atomic_read (skipped_count()));");
    out.directive("#ifdef STP_TIMING");
    counters(out, plan, "global_skipped", |out, name| {
        out.line(format!(
            "if (ctr) _stp_warn (\"Skipped due to global '%s' lock timeout: %d\\n\", {name}, ctr);"
        ));
    });
    out.open("{");
    out.line("int ctr;");
    for (counter, reason) in [
        ("skipped_count_lowstack", "low stack"),
        ("skipped_count_reentrant", "reentrancy"),
        ("skipped_count_uprobe_reg", "uprobe register failure"),
        ("skipped_count_uprobe_unreg", "uprobe unregister failure"),
    ] {
        out.line(format!("ctr = atomic_read ({counter}());"));
        out.line(format!("if (ctr) _stp_warn (\"Skipped due to {reason}: %d\\n\", ctr);"));
    }
    out.close("}");
    out.directive("#endif");
    out.line("_stp_print_flush ();");
    out.close("}");
}

/// Output that is left out when nobody watches.
fn quiet(out: &mut CWriter, line: &str) {
    out.directive("#ifndef STP_STDOUT_NOT_ATTY");
    out.line(line);
    out.directive("#endif");
}

fn unit(out: &mut CWriter) {
    out.directive("#ifdef STP_TIMING_NSECS");
    out.line("             \"nsecs\"");
    out.directive("#else");
    out.line("             \"cycles\"");
    out.directive("#endif");
}

/// Statistics are freed with preemption on.
fn delete(out: &mut CWriter, stat: &str) {
    out.line("preempt_enable_no_resched ();");
    out.line(format!("_stp_stat_del ({stat});"));
    out.line("preempt_disable ();");
}

fn stage(out: &mut CWriter, title: &str, stat: &str) {
    quiet(out, &format!("_stp_printf (\"----- {title} report:\\n\");"));
    out.open(format!("if (likely ({stat})) {{"));
    out.directive("#ifndef STP_STDOUT_NOT_ATTY");
    out.line(format!("struct stat_data *stats = _stp_stat_get ({stat}, 0);"));
    out.open("if (stats->count) {");
    out.line("int64_t avg = _stp_div64 (NULL, stats->sum, stats->count);");
    out.line("_stp_printf (\"hits: %lld, \"");
    unit(out);
    out.line("             \": %lldmin/%lldavg/%lldmax, variance: %lld\\n\",");
    out.line("             (long long) stats->count, (long long) stats->min,");
    out.line("             (long long) avg, (long long) stats->max, (long long) stats->variance);");
    out.close("}");
    out.directive("#endif");
    delete(out, stat);
    out.close("}");
}

fn counters(out: &mut CWriter, plan: &Plan, counter: &str, report: impl Fn(&mut CWriter, &str)) {
    if plan.globals.is_empty() {
        return;
    }
    out.open("{");
    out.line("int ctr;");
    for global in &plan.globals {
        out.line(format!("ctr = atomic_read ({counter}({}));", global.c_name));
        report(out, &literal(&global.shown));
    }
    out.close("}");
}
