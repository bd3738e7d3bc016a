//! Everything that differs between runtimes, found in the runtime's own files; a version number only names it.

use std::fmt;

use crate::text::RuntimeText;

/// A SystemTap level, `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// 4 or 5 up to now.
    pub major: u32,
    /// 0 to 9.
    pub minor: u32,
}

impl Level {
    /// `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads `5.1`, also as the start of a longer word (`5.1/0.192`, `5.1-5`).
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = text.split_once('.')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(Self { major: major.parse().ok()?, minor: rest.get(..digits)?.parse().ok()? })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The newest level whose differences this crate knows by name.
pub const NEWEST_KNOWN: Level = Level::new(5, 6);
/// The oldest level that is accepted.
pub const OLDEST: Level = Level::new(4, 8);

/// Generation of the messages between `staprun`/`stapio` and the module (`transport_msgs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `STP_START` is 0 and trace records have no magic bytes: 4.x.
    Unnumbered,
    /// `STP_START` has this value; 0x50 since 5.0.
    From(u32),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnumbered => f.write_str("4.x (messages from 0)"),
            Self::From(0x50) => f.write_str("5.x (messages from 0x50)"),
            Self::From(value) => write!(f, "unknown (messages from {value:#x})"),
        }
    }
}

/// How the context remembers the statement which an error is reported against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStatement {
    /// `const char *last_stmt`, reported as `"%s near %s"` (up to 5.5).
    Pointer,
    /// `const char *last_stmt[MAXNESTING+1]`, reported by `_stp_softerror_handler(c)` before the probe point
    /// is cleared (5.6).
    PerNesting,
}

/// Who holds the code that registers hardware breakpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HwBreakpoint {
    /// Nobody: the emitter writes the structure and the loops (4.8 to 5.0).
    Emitted,
    /// `stap_hwbkpt_init(handler, probes, n, attrs, void *ret[], &probe_point)` (5.1, 5.2).
    OneArray,
    /// Two result arrays, for user and for kernel breakpoints (5.3 and later).
    TwoArrays,
}

/// What the runtime has and how generated code must speak to it.
///
/// Every field but [`level`](Self::level) and the ones marked "by level" comes from the presence of a file or a
/// word in the runtime directory, because distributions patch runtimes (Debian's 5.1 is not upstream's 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeProfile {
    /// The name of this set of features; see [`Standing::of`] for the rule.
    pub level: Level,
    /// Message generation; `staprun` must be of the same one.
    pub protocol: Protocol,
    /// The module starts each trace record with `STAP_TRACE_MAGIC`, and `stapio` must look for it.
    pub trace_magic: bool,
    /// Shape of `c->last_stmt`.
    pub last_stmt: LastStatement,
    /// `handler-error.h` is there, with `_stp_softerror_handler(c)` (5.6).
    pub softerror_handler: bool,
    /// `__stp_exectrace(text)`, which `-D STP_EXECTRACE` is for (5.6).
    pub exectrace: bool,
    /// `STP_TRACE_REGISTER2(name, token, fn)` (5.6).
    pub trace_register2: bool,
    /// `STP_HRTIMER_SETUP(timer, fn, clock, mode)` replaces `hrtimer_init` and an assignment (5.3).
    pub hrtimer_setup: bool,
    /// `STP_TIMER_DELETE_SYNC(t)` replaces `del_timer_sync` (5.3).
    pub timer_delete_sync: bool,
    /// Who registers hardware breakpoints.
    pub hwbkpt: HwBreakpoint,
    /// `sym2.c` must be included after `stack.c` (5.0).
    pub sym2: bool,
    /// Refresh work goes to `systemtap_wq` by `queue_work`; else `schedule_work` (5.0).
    pub systemtap_wq: bool,
    /// `Stat g_module_init_timing` exists under `STP_TIMING` (5.1).
    pub init_timing: bool,
    /// `stap_cleanup_task_finder_target(tgt)` exists and must be called for each target at exit (5.0).
    pub cleanup_task_finder_target: bool,
    /// The runtime itself speaks the uprobe interface of Linux 6.12 (5.2).
    pub uprobe_handle: bool,
    /// `struct stp_unwind_context`; else `struct unwind_context`, a name that Linux 6.17 took (5.4).
    pub stp_unwind_context: bool,
    /// `struct _stp_module` has `debug_line_str` and `debug_line_str_len` (5.0).
    pub debug_line_str: bool,
    /// `c->ips.kmark` exists (up to 5.5).
    pub kernel_marks: bool,
    /// `ibt_wrapper` guards calls of looked-up functions on kernels with indirect branch tracking (5.0).
    pub ibt_wrapper: bool,
    /// The runtime defines `strlcpy` for kernels that lost it in 6.8 (5.1).
    pub own_strlcpy: bool,
    /// `STAP_MODULE_INIT_HOOK()` is called before `systemtap_module_init` (5.2).
    pub module_init_hook: bool,
    /// The runtime calls `module_init(...)`; else it defines `init_module` (4.9).
    pub module_init_macro: bool,
    /// Feature tests carry prototypes, so `-Wmissing-prototypes` is part of upstream's own flags (5.1).
    pub tests_have_prototypes: bool,
    /// By level (5.0): upstream's emitter defines `STP_STDOUT_NOT_ATTY` when its output is no terminal.
    pub stdout_not_atty: bool,
    /// By level (5.0): upstream's emitter knows `STP_TIMING_NSECS`.
    pub timing_nsecs: bool,
    /// By level (5.2): upstream wraps `_stp_stat_add` on a scalar in preemption off/on. It is harmless before.
    pub stat_add_preempt_off: bool,
    /// `None`, or why this runtime is newer than what this crate knows by name.
    pub newer: Option<String>,
}

/// Why a runtime is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The runtime lacks what 4.8 has.
    #[error(
        "the SystemTap runtime in \"{dir}\" is older than 4.8 ({witness})\n\
         Install SystemTap 4.8 or later, or name another runtime directory with -R."
    )]
    TooOld {
        /// The runtime directory.
        dir: String,
        /// What a 4.8 runtime has and this one lacks.
        witness: String,
    },
    /// `staprun` and the runtime do not speak the same messages.
    #[error(
        "staprun is of another generation than the runtime: {reason}\n\
         Install the staprun (systemtap-runtime package) that belongs to the runtime in \"{dir}\"."
    )]
    OtherGeneration {
        /// The runtime directory.
        dir: String,
        /// What was found on either side.
        reason: String,
    },
}

/// One step of the ladder that names a runtime: what the level brought which cannot be missed.
struct Witness {
    level: Level,
    what: &'static str,
    present: fn(&RuntimeText) -> bool,
}

/// A runtime has the level of the highest step it reaches. Steps are things a distribution does not backport:
/// interfaces between the runtime and the generated code. (Found by comparing the releases' trees.)
/// 4.9 has no step: what it changed (`module_init()`) is patched into Debian's 4.8, and its generated code is 4.8's.
const LADDER: [Witness; 9] = [
    Witness {
        level: OLDEST,
        what: "per-CPU maps allocated apart, `per_cpu_ptr(p->map, ...)` in linux/map_runtime.h",
        present: |rt| rt.file_has("linux/map_runtime.h", "per_cpu_ptr(p->map,"),
    },
    Witness {
        level: Level::new(5, 0),
        what: "numbered STP_START in transport/transport_msgs.h",
        present: |rt| matches!(protocol(rt), Protocol::From(_)),
    },
    Witness {
        level: Level::new(5, 1),
        what: "linux/stap-hw-breakpoint.h",
        present: |rt| rt.has_file("linux/stap-hw-breakpoint.h"),
    },
    Witness {
        level: Level::new(5, 2),
        what: "STAP_MODULE_INIT_HOOK in transport/transport.c",
        present: |rt| rt.file_has_word("transport/transport.c", "STAP_MODULE_INIT_HOOK"),
    },
    Witness {
        level: Level::new(5, 3),
        what: "STP_HRTIMER_SETUP in linux/timer.h",
        present: |rt| rt.file_has_word("linux/timer.h", "STP_HRTIMER_SETUP"),
    },
    Witness {
        level: Level::new(5, 4),
        what: "struct stp_unwind_context in unwind/unwind.h",
        present: |rt| rt.file_has_word("unwind/unwind.h", "stp_unwind_context"),
    },
    Witness {
        level: Level::new(5, 5),
        what: "linux/autoconf-timer_delete_sync.c",
        present: |rt| rt.has_file("linux/autoconf-timer_delete_sync.c"),
    },
    Witness { level: NEWEST_KNOWN, what: "handler-error.h", present: |rt| rt.has_file("handler-error.h") },
    Witness {
        level: NEWEST_KNOWN,
        what: "last_stmt per nesting level in common_probe_context.h",
        present: |rt| rt.file_has("common_probe_context.h", "last_stmt[MAXNESTING"),
    },
];

/// A runtime's place among the releases; see [`Standing::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The name of the runtime's set of features.
    pub level: Level,
    protocol: Protocol,
}

impl Standing {
    /// Finds the level of a runtime; looks at a few files only.
    ///
    /// The level is the highest step of a ladder of things which each release brought and which generated code
    /// depends on (see the source of this module): that names a *range*, from this step to the next. `named` is the
    /// level that the installed programs claim (from [`staprun_level`]), if known; it names the runtime if it lies in
    /// that range, else the range's first level does. Above [`NEWEST_KNOWN`] the range is open, since a newer
    /// runtime cannot be told from 5.6 by what is known here; it is then taken by what it has, with a note.
    ///
    /// # Errors
    /// The runtime is too old.
    pub fn of(rt: &RuntimeText, named: Option<Level>) -> Result<Self, ProfileError> {
        if let Some(first) = LADDER.first()
            && !(first.present)(rt)
        {
            let witness = format!("it lacks {}", first.what);
            return Err(ProfileError::TooOld { dir: rt.dir().display().to_string(), witness });
        }
        let (reached, next) = match LADDER.iter().rposition(|step| (step.present)(rt)) {
            Some(at) => {
                let level = LADDER.get(at).map_or(OLDEST, |step| step.level);
                (level, LADDER.iter().skip(at + 1).map(|step| step.level).find(|next| *next > level))
            }
            None => (OLDEST, None),
        };
        let protocol = protocol(rt);
        let level = named
            .filter(|named| *named >= reached && next.is_none_or(|next| *named < next))
            .unwrap_or(reached);
        Ok(Self { level, protocol })
    }
}

impl RuntimeProfile {
    /// Sniffs a runtime whose standing is known.
    pub fn sniff(rt: &RuntimeText, standing: Standing) -> Self {
        let Standing { level, protocol } = standing;
        let newer = (level > NEWEST_KNOWN)
            .then(|| format!("the installed staprun says {level}; the runtime is taken by what it has"));
        let newer = newer.or_else(|| match protocol {
            Protocol::From(value) if value != 0x50 => {
                Some(format!("its messages start at {value:#x}, which no known release uses"))
            }
            _ => None,
        });
        let hwbkpt = match rt.file("linux/stap-hw-breakpoint.h") {
            None => HwBreakpoint::Emitted,
            Some(text) if text.contains("u_ret_array") => HwBreakpoint::TwoArrays,
            Some(_) => HwBreakpoint::OneArray,
        };
        let per_nesting = rt.file_has("common_probe_context.h", "last_stmt[");
        Self {
            level,
            protocol,
            trace_magic: rt.file_has_word("transport/transport_msgs.h", "STAP_TRACE_MAGIC"),
            last_stmt: if per_nesting { LastStatement::PerNesting } else { LastStatement::Pointer },
            softerror_handler: rt.has_file("handler-error.h"),
            exectrace: rt.file_has_word("linux/runtime.h", "__stp_exectrace"),
            trace_register2: rt.file_has_word("linux/stp_tracepoint.h", "STP_TRACE_REGISTER2"),
            hrtimer_setup: rt.file_has_word("linux/timer.h", "STP_HRTIMER_SETUP"),
            timer_delete_sync: rt.has_word("STP_TIMER_DELETE_SYNC"),
            hwbkpt,
            sym2: rt.has_file("sym2.c"),
            systemtap_wq: rt.has_word("systemtap_wq"),
            init_timing: rt.file_has_word("linux/common_session_state.h", "g_module_init_timing"),
            cleanup_task_finder_target: rt.has_word("stap_cleanup_task_finder_target"),
            uprobe_handle: rt
                .file_has_word("linux/uprobes-inode.c", "STAPCONF_PR32194_UPROBE_REGISTER_UNREGISTER"),
            stp_unwind_context: rt.file_has_word("unwind/unwind.h", "stp_unwind_context"),
            debug_line_str: rt.file_has_word("sym.h", "debug_line_str"),
            kernel_marks: rt.file_has_word("common_probe_context.h", "kmark"),
            ibt_wrapper: rt.has_word("ibt_wrapper"),
            own_strlcpy: rt.file_has("linux/runtime.h", "#define strlcpy("),
            module_init_hook: rt.file_has_word("transport/transport.c", "STAP_MODULE_INIT_HOOK"),
            module_init_macro: rt.file_has("linux/runtime.h", "module_init("),
            tests_have_prototypes: rt.has_file("linux/autoconf-nsset-complete.c"),
            stdout_not_atty: level >= Level::new(5, 0),
            timing_nsecs: level >= Level::new(5, 0),
            stat_add_preempt_off: level >= Level::new(5, 2),
            newer,
        }
    }

    /// The fields as pairs of name and value, in a fixed order: for printing and for cache keys.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let yes = |value: bool| if value { "yes" } else { "no" }.to_owned();
        vec![
            ("level", self.level.to_string()),
            ("protocol", self.protocol.to_string()),
            ("trace_magic", yes(self.trace_magic)),
            ("last_stmt", format!("{:?}", self.last_stmt)),
            ("softerror_handler", yes(self.softerror_handler)),
            ("exectrace", yes(self.exectrace)),
            ("trace_register2", yes(self.trace_register2)),
            ("hrtimer_setup", yes(self.hrtimer_setup)),
            ("timer_delete_sync", yes(self.timer_delete_sync)),
            ("hwbkpt", format!("{:?}", self.hwbkpt)),
            ("sym2", yes(self.sym2)),
            ("systemtap_wq", yes(self.systemtap_wq)),
            ("init_timing", yes(self.init_timing)),
            ("cleanup_task_finder_target", yes(self.cleanup_task_finder_target)),
            ("uprobe_handle", yes(self.uprobe_handle)),
            ("stp_unwind_context", yes(self.stp_unwind_context)),
            ("debug_line_str", yes(self.debug_line_str)),
            ("kernel_marks", yes(self.kernel_marks)),
            ("ibt_wrapper", yes(self.ibt_wrapper)),
            ("own_strlcpy", yes(self.own_strlcpy)),
            ("module_init_hook", yes(self.module_init_hook)),
            ("module_init_macro", yes(self.module_init_macro)),
            ("tests_have_prototypes", yes(self.tests_have_prototypes)),
            ("stdout_not_atty", yes(self.stdout_not_atty)),
            ("timing_nsecs", yes(self.timing_nsecs)),
            ("stat_add_preempt_off", yes(self.stat_add_preempt_off)),
            ("newer", self.newer.clone().unwrap_or_else(|| "no".to_owned())),
        ]
    }

    /// Checks that the installed `staprun` and `stapio` belong to this runtime.
    ///
    /// `staprun` and `stapio` are the bytes of the two programs. Two pieces of evidence are used, each only if it
    /// can be had: `stapio` carries the magic bytes of trace records exactly when it expects them (5.0 and later),
    /// and both programs carry their own level as a string.
    pub fn check_staprun(
        &self,
        rt: &RuntimeText,
        staprun: &[u8],
        stapio: Option<&[u8]>,
    ) -> Result<(), ProfileError> {
        let refuse = |reason: String| {
            Err(ProfileError::OtherGeneration { dir: rt.dir().display().to_string(), reason })
        };
        if let Some(stapio) = stapio {
            let expects = contains(stapio, TRACE_MAGIC);
            if expects != self.trace_magic {
                let (runtime, program) = match self.trace_magic {
                    true => ("marks its trace records", "does not look for the mark (it is older than 5.0)"),
                    false => ("does not mark its trace records", "looks for a mark (it is 5.0 or later)"),
                };
                return refuse(format!("the runtime ({}) {runtime} and stapio {program}", self.level));
            }
            return Ok(());
        }
        match staprun_level(staprun) {
            Some(level) if (level >= Level::new(5, 0)) != matches!(self.protocol, Protocol::From(_)) => {
                refuse(format!(
                    "staprun is {level}, the runtime is {}, protocol {}",
                    self.level, self.protocol
                ))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for RuntimeProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            writeln!(f, "{name:<27} {value}")?;
        }
        Ok(())
    }
}

/// First bytes of each trace record since 5.0 (`transport_msgs.h`, `STAP_TRACE_MAGIC`).
const TRACE_MAGIC: &[u8] = b"\xF0\x9F\xA9\xBA";

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The value of `STP_START` in `transport/transport_msgs.h`; the first enumerator without a value is 0.
fn protocol(rt: &RuntimeText) -> Protocol {
    let Some(text) = rt.file("transport/transport_msgs.h") else { return Protocol::Unnumbered };
    for line in text.lines() {
        let Some(rest) = line.trim_start().strip_prefix("STP_START") else { continue };
        let Some(value) = rest.trim_start().strip_prefix('=') else { return Protocol::Unnumbered };
        let value = value.trim_start();
        let (digits, radix) = match value.strip_prefix("0x") {
            Some(hex) => (hex, 16),
            None => (value, 10),
        };
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let value = digits.get(..end).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        return value.map_or(Protocol::Unnumbered, Protocol::From);
    }
    Protocol::Unnumbered
}

/// The level that a `staprun` or `stapio` binary carries: a string of its own of the form `5.1`.
///
/// `staprun` also carries the kernel level `4.15`, from which on it sets kptr_restrict
/// (staprun_funcs.c); no SystemTap had that number, so it is passed over.
pub fn staprun_level(program: &[u8]) -> Option<Level> {
    // From one dot to the next, since there are far fewer of them than bytes. The numbers have one or two digits.
    memchr::memchr_iter(b'.', program)
        .filter_map(|dot| {
            let start = dot - program.get(..dot)?.iter().rev().take(3).position(|byte| *byte == 0)?;
            let end = dot + program.get(dot..)?.iter().take(4).position(|byte| *byte == 0)?;
            std::str::from_utf8(program.get(start..end)?).ok()
        })
        .filter(|word| (3..=5).contains(&word.len()))
        .filter(|word| word.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        .filter_map(Level::parse)
        .find(|level| *level != Level::new(4, 15) && (4..=9).contains(&level.major))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use expect_test::expect;

    /// The smallest texts that make the three runtimes of the roots.
    pub(crate) fn runtime(level: &str) -> RuntimeText {
        let old = [
            ("linux/map_runtime.h", "return *per_cpu_ptr(p->map, cpu);"),
            ("transport/transport_msgs.h", "enum {\n\t/* STP_START first */\n\tSTP_START,\n};"),
            ("common_probe_context.h", "const char *last_stmt;\n} kmark;"),
            ("linux/runtime.h", "int init_module (void)"),
            ("stp_task_work.c", "typedef typeof(&task_work_cancel) task_work_cancel_fn;\n"),
            ("transport/transport.c", "kallsyms_lookup_name (\"uprobe_unregister\");"),
            ("linux/uprobes-inode.c", "rc = uprobe_register (i, o, c);\nuprobe_unregister (i, o, c);"),
        ];
        let newer = [
            (
                "transport/transport_msgs.h",
                "#define STAP_TRACE_MAGIC \"x\"\n  STP_START = 0x50, // renumbered\n[STP_START]=\"STP_START\"",
            ),
            ("linux/runtime.h", "#define strlcpy(a, b, c) 0\nmodule_init(x) systemtap_wq ibt_wrapper(t, f)"),
            ("linux/stap-hw-breakpoint.h", "void **ret_array"),
            ("linux/autoconf-nsset-complete.c", ""),
            ("sym.h", "void *debug_line_str;"),
            ("sym2.c", ""),
            ("linux/common_session_state.h", "Stat g_module_init_timing;"),
            ("linux/task_finder2.c", "stap_cleanup_task_finder_target(tgt)"),
            (
                "stp_task_work.c",
                "#if defined(STAPCONF_TASK_WORK_CANCEL_FUNC)\n#define TASK_WORK_CANCEL_FN task_work_cancel_func\n",
            ),
        ];
        let newest = [
            ("common_probe_context.h", "const char *last_stmt[MAXNESTING+1];"),
            ("handler-error.h", ""),
            ("linux/stp_tracepoint.h", "#define STP_TRACE_REGISTER2(n, t, f)"),
            ("linux/timer.h", "#define STP_HRTIMER_SETUP(t, f, c, m)"),
            ("transport/relay_compat.h", "#define STP_TIMER_DELETE_SYNC(t)"),
            ("linux/stap-hw-breakpoint.h", "struct perf_event **u_ret_array"),
            ("linux/uprobes-inode.c", "STAPCONF_PR32194_UPROBE_REGISTER_UNREGISTER STAPCONF_UPROBES_CB_DATA"),
            ("unwind/unwind.h", "struct stp_unwind_context {"),
            ("transport/transport.c", "STAP_MODULE_INIT_HOOK()"),
            ("linux/autoconf-timer_delete_sync.c", ""),
            ("stp_utrace.c", "STAPCONF_UTRACE_VIA_TRACEPOINTS2"),
            ("transport/debugfs.c", "lookup_noperm(q, d)"),
            ("linux/regs.c", "rdmsrq(a, b)"),
            ("linux/map_runtime.h", "MAP __percpu *map; return *per_cpu_ptr(p->map, cpu);"),
        ];
        let mut pairs = old.to_vec();
        if level != "4.8" {
            pairs.extend(newer);
        }
        if level == "5.6" {
            pairs.extend(newest);
        }
        RuntimeText::from_pairs("/rt", &pairs)
    }

    fn sniff(rt: &RuntimeText, named: Option<Level>) -> RuntimeProfile {
        RuntimeProfile::sniff(rt, Standing::of(rt, named).unwrap())
    }

    #[test]
    fn the_three_levels_are_told_apart() {
        for level in ["4.8", "5.1", "5.6"] {
            let profile = sniff(&runtime(level), None);
            assert_eq!(profile.level.to_string(), level);
        }
    }

    #[test]
    fn the_table_of_a_patched_5_1() {
        let profile = sniff(&runtime("5.1"), None);
        expect![[r#"
            level                       5.1
            protocol                    5.x (messages from 0x50)
            trace_magic                 yes
            last_stmt                   Pointer
            softerror_handler           no
            exectrace                   no
            trace_register2             no
            hrtimer_setup               no
            timer_delete_sync           no
            hwbkpt                      OneArray
            sym2                        yes
            systemtap_wq                yes
            init_timing                 yes
            cleanup_task_finder_target  yes
            uprobe_handle               no
            stp_unwind_context          no
            debug_line_str              yes
            kernel_marks                yes
            ibt_wrapper                 yes
            own_strlcpy                 yes
            module_init_hook            no
            module_init_macro           yes
            tests_have_prototypes       yes
            stdout_not_atty             yes
            timing_nsecs                yes
            stat_add_preempt_off        no
            newer                       no
        "#]]
        .assert_eq(&profile.to_string());
    }

    #[test]
    fn a_runtime_before_4_8_is_refused() {
        let old = RuntimeText::from_pairs("/rt", &[("linux/map_runtime.h", "MAP map[];")]);
        let error = Standing::of(&old, None).unwrap_err();
        assert!(matches!(error, ProfileError::TooOld { .. }));
    }

    #[test]
    fn a_newer_name_counts_only_on_top_of_the_newest_known() {
        let seven = Some(Level::new(5, 7));
        let newest = sniff(&runtime("5.6"), seven);
        assert_eq!(newest.level, Level::new(5, 7));
        assert!(newest.newer.is_some());
        let patched = sniff(&runtime("5.1"), seven);
        assert_eq!((patched.level, patched.newer), (Level::new(5, 1), None));
        let between = sniff(&runtime("4.8"), Some(Level::new(4, 9)));
        assert_eq!(between.level, Level::new(4, 9));
        let foreign = sniff(&runtime("4.8"), Some(Level::new(5, 1)));
        assert_eq!(foreign.level, Level::new(4, 8), "a staprun of another runtime does not name this one");
    }

    #[test]
    fn the_level_of_a_program_is_a_string_of_its_own() {
        assert_eq!(
            staprun_level(b"\x7fELF\0\x014.15\0x\x004.15\0\x005.1\0version 7.7\0"),
            Some(Level::new(5, 1))
        );
        assert_eq!(staprun_level(b"nothing\0here"), None);
    }

    #[test]
    fn staprun_of_another_generation_is_refused() {
        let (old, new) = (runtime("4.8"), runtime("5.6"));
        let old_profile = sniff(&old, None);
        let new_profile = sniff(&new, None);
        let stapio: &[u8] = b"..\xF0\x9F\xA9\xBA..";
        assert!(new_profile.check_staprun(&new, b"", Some(stapio)).is_ok());
        assert!(old_profile.check_staprun(&old, b"", Some(stapio)).is_err());
        assert!(new_profile.check_staprun(&new, b"", Some(b"....")).is_err());
        assert!(old_profile.check_staprun(&old, b"\x005.1\0", None).is_err());
        assert!(new_profile.check_staprun(&new, b"\x005.1\0", None).is_ok());
    }
}
