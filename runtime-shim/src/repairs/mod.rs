//! The shim: named repairs for what an installed runtime lacks on a kernel, without touching the runtime.
//!
//! A repair applies because of what the kernel and the runtime *have*, never because of a distribution's name or a
//! version alone. Most are a few definitions in one header that is force-included before the runtime's text into the
//! module's own units, and never into feature tests (they would all fail there, and look like missing features).
//!
//! Rule for the header: include the kernel header that declares a name before defining a macro of that name;
//! otherwise the macro rewrites the declaration.

mod bounds_sanitizer;
mod exit_tracepoint;
mod looked_up;
mod lookup_one_len;
mod msr_names;
mod namespace_type;
mod nfs_status;
mod overlay;
mod percpu_space;
mod relay_padding;
mod sighand_lock;
mod strlcpy;
mod syscall_arguments;
mod task_work_cancel;
mod timer_names;
mod unaligned_header;
mod unwind_names;
mod uprobe_handle;
mod vmalloc_exports;

use std::fmt;

use crate::kernel::KernelTree;
use crate::profile::{Level, RuntimeProfile};
use crate::stapconf::Stapconf;
use crate::text::RuntimeText;

/// What a repair decides from.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The runtime's text.
    pub rt: &'a RuntimeText,
    /// The same, sniffed.
    pub profile: &'a RuntimeProfile,
    /// The kernel built for.
    pub kernel: &'a KernelTree,
    /// What the feature tests said, without corrections.
    pub conf: &'a Stapconf,
}

/// One STAPCONF answer put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// Macro without `STAPCONF_`.
    pub name: &'static str,
    /// Whether it is to be defined.
    pub value: bool,
}

/// What one repair adds to a build. Every part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    /// STAPCONF answers put right.
    pub corrections: Vec<Correction>,
    /// C text that comes before everything else, for what has to be settled before kernel headers are read.
    pub prelude: String,
    /// C text that comes before the runtime's, in every unit of the module.
    pub header: String,
    /// A C expression of type `int` for `systemtap_module_init`, right after `_stp_handle_kallsyms_lookups()`:
    /// 0, or a negative error. It is expanded there, so it may use the runtime's names.
    pub init: Option<String>,
    /// Compiler flags for the module's units.
    pub compiler_flags: Vec<String>,
    /// Headers that the kernel no longer has: path as it is included, and text.
    pub include_files: Vec<(&'static str, String)>,
    /// Lines for the module's makefile.
    pub make_lines: Vec<&'static str>,
    /// Files of the runtime that stand in for the installed ones: path in the runtime, and text (the installed text
    /// with small edits, made at build time).
    pub overlay: Vec<(&'static str, String)>,
}

/// A named unit of the shim.
pub struct Repair {
    /// Short name, unique.
    pub name: &'static str,
    /// What happens without it.
    pub symptom: &'static str,
    /// What it does, in words.
    pub remedy: &'static str,
    /// Whether this runtime needs it on this kernel.
    pub applies: fn(&Situation<'_>) -> bool,
    /// What it adds; asked only if it applies.
    pub pieces: fn(&Situation<'_>) -> Pieces,
}

/// All repairs, in the order in which their headers are put together.
pub const REPAIRS: &[&Repair] = &[
    &strlcpy::REPAIR,
    &task_work_cancel::REPAIR,
    &uprobe_handle::REPAIR,
    &syscall_arguments::REPAIR,
    &vmalloc_exports::REPAIR,
    &unaligned_header::REPAIR,
    &timer_names::REPAIR,
    &lookup_one_len::REPAIR,
    &relay_padding::REPAIR,
    &namespace_type::REPAIR,
    &unwind_names::REPAIR,
    &exit_tracepoint::REPAIR,
    &sighand_lock::REPAIR,
    &msr_names::REPAIR,
    &nfs_status::REPAIR,
    &percpu_space::REPAIR,
    &bounds_sanitizer::REPAIR,
];

/// Everything that the applying repairs add to a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remedies {
    /// Names of the repairs that apply.
    pub names: Vec<&'static str>,
    /// STAPCONF answers put right.
    pub corrections: Vec<Correction>,
    /// The shim header, complete; see [`crate::abi::SHIM_INIT`] for its one promise to generated code.
    pub header: String,
    /// Compiler flags for the module's units.
    pub compiler_flags: Vec<String>,
    /// Headers that the kernel no longer has: path as it is included, and text.
    pub include_files: Vec<(&'static str, String)>,
    /// Lines for the module's makefile.
    pub make_lines: Vec<&'static str>,
    /// Files that stand in for the runtime's: path in the runtime, and text.
    pub overlay: Vec<(&'static str, String)>,
}

/// Why no repair helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the SystemTap runtime {level} in \"{dir}\" cannot be used with kernel {release}: {reason}\n\
     Install SystemTap 5.1 or later, or boot an older kernel."
)]
pub struct Unsupported {
    /// Level of the runtime.
    pub level: Level,
    /// Runtime directory.
    pub dir: String,
    /// Release of the kernel.
    pub release: String,
    /// What the runtime lacks.
    pub reason: String,
}

/// Refuses pairs of runtime and kernel that are beyond repair by a header.
pub fn check(at: &Situation<'_>) -> Result<(), Unsupported> {
    // Linux 6.5 took an argument from get_user_pages_remote; a runtime that does not know of it (before 5.0) also
    // uses do_each_thread and struct module's old layout, in code that no macro reaches.
    let knows = at.rt.has_word("STAPCONF_GET_USER_PAGE_VMA_REMOTE");
    if at.kernel.at_least(6, 5) && !knows && at.profile.level < Level::new(5, 0) {
        return Err(Unsupported {
            level: at.profile.level,
            dir: at.rt.dir().display().to_string(),
            release: at.kernel.release.clone(),
            reason: "it does not know the memory and module interfaces of Linux 6.4 and 6.5".to_owned(),
        });
    }
    Ok(())
}

/// Puts the applying repairs together.
pub fn remedies(at: &Situation<'_>) -> Remedies {
    let mut all = Remedies::default();
    let (mut prelude, mut includes, mut text, mut inits) =
        (String::new(), Vec::new(), String::new(), Vec::new());
    for repair in REPAIRS.iter().filter(|repair| (repair.applies)(at)) {
        let pieces = (repair.pieces)(at);
        all.names.push(repair.name);
        all.corrections.extend(pieces.corrections);
        all.compiler_flags.extend(pieces.compiler_flags);
        all.include_files.extend(pieces.include_files);
        all.make_lines.extend(pieces.make_lines);
        all.overlay.extend(pieces.overlay);
        if !pieces.prelude.is_empty() {
            prelude
                .push_str(&format!("/* repair {}: {} */\n{}", repair.name, repair.symptom, pieces.prelude));
        }
        if !pieces.header.is_empty() {
            text.push_str(&format!("\n/* repair {}: {} */\n", repair.name, repair.symptom));
        }
        // All includes come before all macros: a macro of one repair must not rewrite what a header, included for
        // the next one, declares.
        for line in pieces.header.lines() {
            if !line.starts_with("#include ") {
                text.push_str(line);
                text.push('\n');
            } else if !includes.iter().any(|known| known == line) {
                includes.push(line.to_owned());
            }
        }
        inits.extend(pieces.init);
    }
    if !inits.is_empty() {
        // The value of the first expression that is not 0, or 0.
        text.push_str(&format!("\n#define {}() ({} ?: 0)\n", crate::abi::SHIM_INIT, inits.join(" ?: ")));
    }
    all.header = format!(
        "/* What the installed runtime needs on this kernel. Comes before the runtime's own text. */\n\
         #ifndef RSTAP_SHIM_H\n#define RSTAP_SHIM_H\n{prelude}{}{}{text}\n#endif /* RSTAP_SHIM_H */\n",
        includes.join("\n"),
        if includes.is_empty() { "" } else { "\n" },
    );
    all
}

/// One line of the list of repairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the repair.
    pub name: &'static str,
    /// Whether it applies here.
    pub applies: bool,
    /// What happens without it.
    pub symptom: &'static str,
    /// What it does.
    pub remedy: &'static str,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let applies = if self.applies { "applies" } else { "-" };
        write!(f, "{:<20} {applies:<8} {}; {}", self.name, self.symptom, self.remedy)
    }
}

/// All repairs, with whether each applies.
pub fn list(at: &Situation<'_>) -> Vec<Row> {
    REPAIRS
        .iter()
        .map(|repair| Row {
            name: repair.name,
            applies: (repair.applies)(at),
            symptom: repair.symptom,
            remedy: repair.remedy,
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::tests::{location, tree};
    use crate::profile::Standing;
    use crate::profile::tests::runtime;

    /// Declarations as the three kernels of the test roots have them.
    pub(crate) fn kernel(version: &str) -> KernelTree {
        let (code, symvers, headers): (u32, &str, &[(&str, &str)]) = match version {
            "6.1" => (
                393_648,
                "0x1\tvzalloc\tvmlinux\tEXPORT_SYMBOL\t\n",
                &[
                    ("linux/task_work.h", "task_work_cancel_func(a); task_work_cancel(b);"),
                    ("linux/uprobes.h", "int uprobe_register(a); void uprobe_unregister(a);"),
                    ("linux/string.h", "size_t strlcpy(char *, const char *, size_t);"),
                ],
            ),
            "6.0-early" => (
                393_216,
                "",
                &[
                    ("linux/task_work.h", "task_work_cancel(b);"),
                    ("linux/uprobes.h", "int uprobe_register(a); void uprobe_unregister(a);"),
                    ("linux/string.h", "size_t strlcpy(char *, const char *, size_t);"),
                ],
            ),
            "6.12" => (
                396_395,
                "0x1\tvzalloc_noprof\tvmlinux\tEXPORT_SYMBOL\t\n",
                &[
                    ("linux/task_work.h", "task_work_cancel_func(a); task_work_cancel(b);"),
                    ("linux/uprobes.h", "uprobe_register(a); uprobe_unregister_nosync(a);"),
                    ("linux/unaligned.h", ""),
                    ("linux/string.h", "strscpy"),
                    ("linux/relay.h", "size_t prev_padding;"),
                    ("linux/proc_ns.h", "\tint type;"),
                    ("linux/sched/signal.h", "__lock_task_sighand(a)"),
                    ("linux/hrtimer.h", "hrtimer_init(a)"),
                    ("linux/timer.h", "del_timer_sync(a) timer_delete_sync(a)"),
                    ("linux/namei.h", "lookup_one_len(a)"),
                    ("trace/events/sched.h", "DEFINE_EVENT(sched_process_template, sched_process_exit"),
                    ("../arch/x86/include/asm/msr.h", "#define rdmsrl(m, v)"),
                ],
            ),
            _ => (
                459_276,
                "0x1\tvzalloc_noprof\tvmlinux\tEXPORT_SYMBOL\t\n",
                &[
                    ("linux/task_work.h", "task_work_cancel_func(a); task_work_cancel(b);"),
                    (
                        "linux/uprobes.h",
                        "uprobe_register(a); uprobe_unregister_nosync(a); int (*h)(x, __u64 *data);",
                    ),
                    ("linux/unaligned.h", ""),
                    ("linux/string.h", "strscpy"),
                    ("linux/relay.h", "size_t *padding;"),
                    ("linux/proc_ns.h", "const char *name;"),
                    ("linux/sched/signal.h", "lock_task_sighand(a)"),
                    ("linux/hrtimer.h", "hrtimer_setup(a)"),
                    ("linux/timer.h", "timer_delete_sync(a)"),
                    ("linux/namei.h", "lookup_noperm(a)"),
                    ("linux/unwind_deferred_types.h", "struct unwind_cache {"),
                    ("trace/events/sched.h", "TP_PROTO(struct task_struct *p, bool group_dead)"),
                    ("../arch/x86/include/asm/msr.h", "#define rdmsrq(m, v)"),
                    ("../arch/x86/include/asm/percpu.h", "#if defined(USE_TYPEOF_UNQUAL)"),
                ],
            ),
        };
        KernelTree::read(&tree(version, code, symvers, headers), &location()).unwrap()
    }

    pub(crate) fn names(level: &str, version: &str) -> Vec<&'static str> {
        with(level, version, |at| remedies(at).names)
    }

    pub(crate) fn with<T>(level: &str, version: &str, f: impl FnOnce(&Situation<'_>) -> T) -> T {
        use crate::stapconf::Verdict;
        let (rt, kernel) = (runtime(level), kernel(version));
        let profile = RuntimeProfile::sniff(&rt, Standing::of(&rt, None).unwrap());
        let conf = Stapconf::from_pairs([("SYSCALL_GET_ARGS_3ARGS".to_owned(), Verdict::Yes)]);
        f(&Situation { rt: &rt, profile: &profile, kernel: &kernel, conf: &conf })
    }

    #[test]
    fn each_pair_gets_what_it_needs() {
        assert_eq!(names("4.8", "6.0-early"), ["syscall-arguments"]);
        assert_eq!(names("4.8", "6.1"), ["task-work-cancel", "syscall-arguments"]);
        assert_eq!(names("5.1", "6.12"), ["uprobe-handle", "syscall-arguments"]);
        assert_eq!(names("5.6", "7.2"), [] as [&str; 0]);
    }

    #[test]
    fn beyond_repair_is_refused() {
        assert!(with("4.8", "6.12", check).is_err());
        assert!(with("5.1", "6.12", check).is_ok());
        assert!(with("4.8", "6.1", check).is_ok());
    }

    #[test]
    fn the_header_promises_an_init_only_if_some_repair_has_one() {
        let header = with("4.8", "6.1", |at| remedies(at).header);
        assert!(header.contains("#define RSTAP_SHIM_INIT() ("));
        let header = with("5.6", "7.2", |at| remedies(at).header);
        assert!(!header.contains("RSTAP_SHIM_INIT"));
    }

    #[test]
    fn includes_come_before_macros() {
        let header = with("4.8", "6.1", |at| remedies(at).header);
        let last_include = header.rfind("#include").unwrap();
        let first_macro = header.find("#define task_work_cancel").unwrap();
        assert!(last_include < first_macro, "{header}");
    }

    #[test]
    fn names_are_unique_and_every_row_prints() {
        let rows = with("5.1", "6.12", list);
        let mut names: Vec<_> = rows.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REPAIRS.len());
        assert!(rows.iter().any(|row| row.to_string().starts_with("uprobe-handle        applies  ")));
    }
}
