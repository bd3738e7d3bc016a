//! `timer.*`: handlers that run at intervals.
//!
//! | point | interval |
//! |---|---|
//! | `timer.s(N)`, `timer.sec(N)` | N seconds |
//! | `timer.ms(N)`, `timer.msec(N)` | N milliseconds |
//! | `timer.us(N)`, `timer.usec(N)` | N microseconds |
//! | `timer.ns(N)`, `timer.nsec(N)` | N nanoseconds |
//! | `timer.hz(N)` | 1/N seconds |
//! | `timer.jiffies(N)` | N ticks of the kernel, 1 to 1,000,000 |
//!
//! All but `hz` take `.randomize(M)`: each interval is lengthened or shortened by up to M units. Intervals in units of
//! time lie between 100 microseconds and one day. No context variables. For everybody, unprivileged users included.
//!
//! `jiffies` uses the kernel's timer wheel, everything else high resolution timers, which can be armed and disarmed
//! when a probe's condition changes. `timer.profile.tick` needs a hook that kernels lost in 2.6 times; it is recognised
//! and refused, so that the tapset's `timer.profile` falls back to perf events.

use super::{EmitFamily, Group, GroupContext, Mechanism, OnTheFly, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::CWriter;
use frontend::diag::Diagnostic;
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{Access, DeriveContext, Derived, Family, Param, Pattern};
use frontend::syntax::ast::ProbePoint;
use frontend::tree::Literal;
use std::any::Any;
use std::sync::Arc;

/// All timers.
#[derive(Debug)]
pub struct Timer;

/// The table of `timer.jiffies` probes.
#[derive(Debug)]
pub struct JiffiesMechanism;

/// The table of all other timers.
#[derive(Debug)]
pub struct HighResolutionMechanism;

/// What is kept of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerProbe {
    /// In jiffies instead of nanoseconds.
    pub jiffies: bool,
    /// Interval.
    pub interval: i64,
    /// Largest deviation from it.
    pub randomize: i64,
}

impl Attachment for TimerProbe {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

macro_rules! patterns {
    ($($unit:literal)*) => {
        &[
            $(
                Pattern { components: &[("timer", Param::None), ($unit, Param::Number)], access: Access::All },
                Pattern {
                    components: &[("timer", Param::None), ($unit, Param::Number), ("randomize", Param::Number)],
                    access: Access::All,
                },
            )*
            Pattern { components: &[("timer", Param::None), ("hz", Param::Number)], access: Access::All },
            Pattern {
                components: &[("timer", Param::None), ("profile", Param::None), ("tick", Param::None)],
                access: Access::Privileged,
            },
        ]
    };
}

const PATTERNS: &[Pattern] = patterns!("s" "sec" "ms" "msec" "us" "usec" "ns" "nsec" "jiffies");

/// Most ticks of a `timer.jiffies` (tapset-timers.cxx: `timer_derived_probe`).
const MOST_JIFFIES: i64 = 1_000_000;
/// Shortest and longest interval of the others, in nanoseconds (tapset-timers.cxx: `hrtimer_derived_probe`).
const SHORTEST: i64 = 100_000;
const LONGEST: i64 = 86_400 * 1_000_000_000;

impl Family for Timer {
    fn name(&self) -> &'static str {
        "timer"
    }

    fn builder(&self) -> &'static str {
        "timer builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, _: &DeriveContext<'_>, point: &ProbePoint) -> Result<Vec<Derived>, Box<Diagnostic>> {
        let fail = |site: &'static str, message: String| Err(Box::new(Diagnostic::semantic(site, message)));
        let number = |name: &str| {
            let component = point.components.iter().find(|component| component.functor == name)?;
            component.arg.as_ref().and_then(Literal::number)
        };
        let Some(unit) = point.components.get(1).map(|component| component.functor.as_str()) else {
            return Ok(Vec::new());
        };
        let scale: i64 = match unit {
            "profile" => {
                let message = "profiling timer support (register_timer_hook) not found in kernel!";
                return fail("timer:profile", message.to_owned());
            }
            "s" | "sec" => 1_000_000_000,
            "ms" | "msec" => 1_000_000,
            "us" | "usec" => 1_000,
            "ns" | "nsec" | "hz" | "jiffies" => 1,
            _ => return fail("timer:unit", "unrecognized timer variant".to_owned()),
        };
        let Some(given) = number(unit) else { return Ok(Vec::new()) };
        let randomize = number("randomize").unwrap_or(0);
        let jiffies = unit == "jiffies";
        let probe = if jiffies {
            if !(1..=MOST_JIFFIES).contains(&given) {
                return fail("timer:jiffies", "invalid interval for jiffies timer".to_owned());
            }
            if !(0..=given).contains(&randomize) {
                return fail("timer:jiffies-randomize", "invalid randomize for jiffies timer".to_owned());
            }
            TimerProbe { jiffies, interval: given, randomize }
        } else {
            let interval = if unit == "hz" {
                if given <= 0 {
                    return fail("timer:hz", "frequency must be greater than 0".to_owned());
                }
                Some(1_000_000_000_i64.saturating_add(given - 1) / given)
            } else {
                given.checked_mul(scale)
            };
            let interval = match interval {
                Some(interval) if (SHORTEST..=LONGEST).contains(&interval) => interval,
                _ => {
                    let (low, high) = ((SHORTEST / scale).max(1), LONGEST / scale);
                    return fail("timer:interval", format!("interval value out of range ({low}, {high})"));
                }
            };
            match randomize.checked_mul(scale) {
                Some(randomize) if (0..=interval).contains(&randomize) => {
                    TimerProbe { jiffies, interval, randomize }
                }
                _ => return fail("timer:randomize", "randomization value out of range".to_owned()),
            }
        };
        Ok(vec![Derived::plain(point.clone(), Arc::new(probe))])
    }
}

impl EmitFamily for Timer {
    fn group(&self, probe: &Probe) -> Option<Group> {
        let probe = probe.attachment.as_any().downcast_ref::<TimerProbe>()?;
        Some(if probe.jiffies { Group::Timer } else { Group::HighResolutionTimer })
    }
}

/// Expression for the next interval of a jiffies timer, spread by its random part.
const NEXT_JIFFIES: &str = "jiffies + ({\n  \
    unsigned i = stp->intrv;\n  \
    if (stp->rnd != 0)\n    \
      i += _stp_random_pm (stp->rnd);\n  \
    stp->ms ? msecs_to_jiffies (i) : i;\n\
    })";

impl Mechanism for JiffiesMechanism {
    fn group(&self) -> Group {
        Group::Timer
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let count = cx.probes.len();
        let mut out = CWriter::new();
        out.line("/* jiffies timer probes */");
        out.open("static struct stap_timer_probe {");
        out.line("struct timer_list timer_list;");
        out.line("const struct stap_probe * const probe;");
        out.line("unsigned intrv, ms, rnd;");
        out.close(format!("}} stap_timer_probes[{count}] = {{"));
        for probe in &cx.probes {
            let Some(timer) = probe.attachment::<TimerProbe>() else { continue };
            out.line(format!(
                "  {{ .probe = {}, .intrv = {}, .ms = 0, .rnd = {} }},",
                probe.pointer(),
                timer.interval,
                timer.randomize
            ));
        }
        out.line("};");
        out.gap();
        out.open("static void enter_timer_probe (stp_timer_callback_parameter_t val) {");
        out.directive("#if !defined(init_timer)");
        out.line("struct stap_timer_probe *stp = container_of (val, struct stap_timer_probe, timer_list);");
        out.directive("#else");
        out.line("struct stap_timer_probe *stp = & stap_timer_probes[val];");
        out.directive("#endif");
        out.line("if (atomic_read (session_state()) == STAP_SESSION_STARTING");
        out.line("    || atomic_read (session_state()) == STAP_SESSION_RUNNING)");
        out.lines(format!("  mod_timer (& stp->timer_list, {NEXT_JIFFIES});"));
        out.open("{");
        cx.entry(&mut out, &Entry::running("stp->probe", "stp_probe_type_timer"));
        out.close("}");
        out.close("}");

        let init = format!(
            "for (i = 0; i < {count}; i++) {{\n\
             \x20 struct stap_timer_probe *stp = & stap_timer_probes[i];\n\
             \x20 probe_point = stp->probe->pp;\n\
             \x20 timer_setup (& stp->timer_list, enter_timer_probe, 0);\n\
             #if defined(init_timer)\n\
             \x20 stp->timer_list.data = i;\n\
             #endif\n\
             \x20 stp->timer_list.expires = {NEXT_JIFFIES};\n\
             \x20 add_timer (& stp->timer_list);\n\
             }}\n"
        );
        let stop = if cx.plan.profile.timer_delete_sync { "STP_TIMER_DELETE_SYNC" } else { "del_timer_sync" };
        Sections {
            declarations: out.finish(),
            init,
            exit: format!("for (i = 0; i < {count}; i++)\n  {stop} (& stap_timer_probes[i].timer_list);\n"),
            ..Sections::default()
        }
    }
}

impl Mechanism for HighResolutionMechanism {
    fn group(&self) -> Group {
        Group::HighResolutionTimer
    }

    fn on_the_fly(&self) -> OnTheFly {
        OnTheFly { supported: true, safe: true }
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let count = cx.probes.len();
        let mut out = CWriter::new();
        out.line("/* high resolution timer probes */");
        out.directive("#include \"timer.c\"");
        out.line(format!("static struct stap_hrtimer_probe stap_hrtimer_probes[{count}] = {{"));
        for probe in &cx.probes {
            let Some(timer) = probe.attachment::<TimerProbe>() else { continue };
            out.line(format!(
                "  {{ .probe = {}, .intrv = {}LL, .rnd = {}LL }},",
                probe.pointer(),
                timer.interval,
                timer.randomize
            ));
        }
        out.line("};");
        out.gap();
        out.open("static hrtimer_return_t _stp_hrtimer_notify_function (struct hrtimer *timer) {");
        out.line("int rc = HRTIMER_NORESTART;");
        out.line(
            "struct stap_hrtimer_probe *stp = container_of (timer, struct stap_hrtimer_probe, hrtimer);",
        );
        out.line("if (atomic_read (session_state()) == STAP_SESSION_STARTING");
        out.open("    || atomic_read (session_state()) == STAP_SESSION_RUNNING) {");
        out.line("_stp_hrtimer_update (stp);");
        out.line("rc = HRTIMER_RESTART;");
        out.close("}");
        out.open("{");
        let entry = Entry { may_schedule: true, ..Entry::running("stp->probe", "stp_probe_type_hrtimer") };
        cx.entry(&mut out, &entry);
        out.close("}");
        out.line("return rc;");
        out.close("}");

        let init = format!(
            "_stp_hrtimer_init ();\n\
             for (i = 0; i < {count}; i++) {{\n\
             \x20 struct stap_hrtimer_probe *stp = & stap_hrtimer_probes[i];\n\
             \x20 probe_point = stp->probe->pp;\n\
             \x20 rc = _stp_hrtimer_create (stp, _stp_hrtimer_notify_function);\n\
             \x20 if (!rc && stp->probe->cond_enabled) {{\n\
             \x20   rc = _stp_hrtimer_start (stp);\n\
             \x20   stp->enabled = !rc;\n\
             \x20 }}\n\
             \x20 if (rc) {{\n\
             \x20   for (j = i - 1; j >= 0; j--) {{\n\
             \x20     _stp_hrtimer_cancel (& stap_hrtimer_probes[j]);\n\
             \x20     stap_hrtimer_probes[j].enabled = 0;\n\
             \x20   }}\n\
             \x20   break;\n\
             \x20 }}\n\
             }}\n"
        );
        let refresh = format!(
            "for (i = 0; i < {count}; i++) {{\n\
             \x20 struct stap_hrtimer_probe *stp = & stap_hrtimer_probes[i];\n\
             \x20 if (!stp->enabled && stp->probe->cond_enabled) {{\n\
             \x20   dbug_otf (\"enabling (hrtimer) pidx %zu\\n\", stp->probe->index);\n\
             \x20   _stp_hrtimer_start (stp);\n\
             \x20 }} else if (stp->enabled && !stp->probe->cond_enabled) {{\n\
             \x20   dbug_otf (\"disabling (hrtimer) pidx %zu\\n\", stp->probe->index);\n\
             \x20   _stp_hrtimer_cancel (stp);\n\
             \x20 }}\n\
             \x20 stp->enabled = stp->probe->cond_enabled;\n\
             }}\n"
        );
        Sections {
            declarations: out.finish(),
            init,
            refresh,
            exit: format!(
                "for (i = 0; i < {count}; i++)\n  _stp_hrtimer_delete (& stap_hrtimer_probes[i]);\n"
            ),
            ..Sections::default()
        }
    }
}
