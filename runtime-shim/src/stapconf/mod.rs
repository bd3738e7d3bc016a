//! STAPCONF: what the runtime wants to know about the kernel, asked with the kernel's own compiler flags.
//!
//! Which tests there are is read from the runtime directory; which macro a test answers is [`table`]'s. Upstream
//! runs them as make rules with `-Werror`, where any warning class that a new kernel or compiler switches on makes
//! a test fail for a reason that is not its feature (buildrun.cxx:compile_pass, `CHECK_BUILD`). Here only the
//! warnings through which a feature shows are errors, and a test that fails otherwise is reported as broken.
//!
//! `CPU_CLOCK` and `LOCAL_CLOCK` say no since Linux 4.11 only because their tests lack linux/sched/clock.h. That
//! answer is kept: with it the tapset's `cpu_clock_ns()` counts from the epoch, as it does under stap.

mod flags;
mod table;
mod verdict;

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;

pub use flags::{FlagsError, KernelFlags, flag_query};
pub use table::Exported;
pub use verdict::{Verdict, judge};

use crate::command::{Command, Outcome};
use crate::kernel::KernelTree;
use crate::text::{RuntimeText, is_feature_test};

/// What follows the kernel's flags in a test: warnings are no errors, except those that are a feature's signal.
/// (`-w` must not be used: up to gcc 13 it silences `-Werror=` too.)
const TEST_WARNINGS: [&str; 10] = [
    "-Wno-missing-prototypes",
    "-Wno-missing-declarations",
    "-Wno-error",
    "-Werror=implicit-function-declaration",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
    "-Werror=implicit-int",
    "-Werror=strict-prototypes",
    "-fdiagnostics-color=never",
    "-fsyntax-only",
];

/// One compile test, ready to run.
#[derive(Debug, Clone)]
pub struct CompileTest {
    /// Macro without `STAPCONF_`.
    pub name: String,
    /// Path of the test file in the runtime.
    pub file: PathBuf,
    text: String,
}

impl CompileTest {
    /// The compiler call. Any number of them may run at once; they write nothing.
    pub fn command(&self, flags: &KernelFlags) -> Command {
        let mut argv = flags.compiler.clone();
        argv.extend(flags.flags.iter().cloned());
        argv.push("-DKBUILD_BASENAME=\"rstap\"".to_owned());
        argv.extend(TEST_WARNINGS.map(str::to_owned));
        argv.extend(["-x".to_owned(), "c".to_owned(), self.file.display().to_string()]);
        // The verdict reads the compiler's messages, so they have to be in its own language.
        let env = ["LC_ALL", "LANGUAGE"].map(|name| (name.to_owned(), Some("C".to_owned()))).to_vec();
        Command { argv, cwd: Some(flags.cwd.clone()), env }
    }

    /// What the outcome of [`CompileTest::command`] says about the feature.
    pub fn judge(&self, outcome: &Outcome) -> Verdict {
        judge(&self.file.display().to_string(), &self.text, outcome)
    }
}

/// All feature tests of one runtime.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The compile tests, by macro.
    pub compile: Vec<CompileTest>,
    /// Test files that belong to no macro known here (a newer runtime), with the macro guessed for each.
    pub unknown: Vec<String>,
}

impl Plan {
    /// Finds the tests of a runtime.
    ///
    /// A test file which [`table`] does not list belongs to a newer runtime. Its macro is guessed from its name
    /// (`autoconf-a-b.c` is `A_B`) and kept only if the runtime reads that macro; else the file is left out.
    pub fn new(rt: &RuntimeText) -> Self {
        let mut plan = Self { compile: Vec::new(), unknown: Vec::new() };
        for file in rt.names().filter(|name| is_feature_test(name)) {
            let base = file.strip_prefix("linux/").unwrap_or(file);
            let known =
                table::COMPILED.iter().find(|test| test.file == base).map(|test| test.name.to_owned());
            let name = match known {
                Some(name) => name,
                None => {
                    let guess = guess_macro(base);
                    let read = rt.has_word(&format!("STAPCONF_{guess}"));
                    plan.unknown.push(if read {
                        format!("{base}: taken for {guess}")
                    } else {
                        base.to_owned()
                    });
                    if !read {
                        continue;
                    }
                    guess
                }
            };
            let text = rt.file(file).unwrap_or_default().to_owned();
            plan.compile.push(CompileTest { name, file: rt.dir().join(file), text });
        }
        plan.compile.sort_by(|a, b| a.name.cmp(&b.name));
        plan
    }

    /// Puts the verdicts of the compile tests (in the order of [`Plan::compile`]) and the export tests together.
    pub fn finish(&self, kernel: &KernelTree, verdicts: impl IntoIterator<Item = Verdict>) -> Stapconf {
        let mut values: BTreeMap<String, Verdict> =
            self.compile.iter().map(|test| test.name.clone()).zip(verdicts).collect();
        for (name, question) in table::EXPORTED {
            let found = match question {
                Exported::One(a) => kernel.exports(a),
                Exported::Both(a, b) => kernel.exports(a) && kernel.exports(b),
                Exported::Either(a, b) => kernel.exports(a) || kernel.exports(b),
            };
            values.insert((*name).to_owned(), if found { Verdict::Yes } else { Verdict::No });
        }
        Stapconf { values }
    }
}

fn guess_macro(file: &str) -> String {
    let stem = file.trim_end_matches(".c");
    let stem = stem.strip_prefix("autoconf-").unwrap_or(stem);
    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// All answers for one kernel and runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stapconf {
    values: BTreeMap<String, Verdict>,
}

/// Feature tests that failed for a reason that is not their feature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BrokenTests {
    /// Macro without `STAPCONF_` and the compiler's words, sorted by macro.
    pub tests: Vec<(String, String)>,
}

impl fmt::Display for BrokenTests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the runtime's feature tests say nothing about the kernel:", self.tests.len())?;
        for (name, words) in &self.tests {
            write!(f, "\nSTAPCONF_{name}: {words}")?;
        }
        f.write_str("\nCheck that the kernel's headers are complete and that the compiler is the kernel's.")
    }
}

impl Stapconf {
    /// Answers from pairs, for tests and for callers that have them from elsewhere.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, Verdict)>) -> Self {
        Self { values: pairs.into_iter().collect() }
    }

    /// Whether `STAPCONF_name` is defined.
    pub fn is(&self, name: &str) -> bool {
        self.values.get(name) == Some(&Verdict::Yes)
    }

    /// All answers by macro (without `STAPCONF_`), sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Verdict)> {
        self.values.iter().map(|(name, verdict)| (name.as_str(), verdict))
    }

    /// An error if some test is broken whose macro anything reads.
    pub fn check(&self) -> Result<(), BrokenTests> {
        let tests: Vec<(String, String)> = self
            .values
            .iter()
            .filter(|(name, _)| !table::NEVER_READ.contains(&name.as_str()))
            .filter_map(|(name, verdict)| match verdict {
                Verdict::Broken(words) => Some((name.clone(), words.clone())),
                _ => None,
            })
            .collect();
        if tests.is_empty() { Ok(()) } else { Err(BrokenTests { tests }) }
    }

    /// The same answers with some put right by repairs: macro without `STAPCONF_`, and its value.
    #[must_use]
    pub fn corrected<'a>(&self, corrections: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        let mut values = self.values.clone();
        for (name, value) in corrections {
            values.insert(name.to_owned(), if value { Verdict::Yes } else { Verdict::No });
        }
        Self { values }
    }

    /// The header with all answers, in stable order. What is not defined stands in a comment, so that the header
    /// can be read back by [`Stapconf::parse`] and compared by eye.
    pub fn header(&self) -> String {
        let mut text = String::from("/* What this kernel has, by the runtime's feature tests. */\n");
        for (name, verdict) in &self.values {
            // Writing to a String cannot fail.
            let _ = match verdict {
                Verdict::Yes => writeln!(text, "#define STAPCONF_{name} 1"),
                Verdict::No => writeln!(text, "/* STAPCONF_{name}: no */"),
                Verdict::Broken(words) => {
                    let words = words.replace("*/", "* /").replace('\n', " ");
                    writeln!(text, "/* STAPCONF_{name}: broken: {words} */")
                }
            };
        }
        text
    }

    /// Reads [`Stapconf::header`] back from a cache; lines of any other form are passed over.
    pub fn parse(header: &str) -> Self {
        let values = header
            .lines()
            .filter_map(|line| {
                if let Some(name) = line.strip_prefix("#define STAPCONF_") {
                    return Some((name.strip_suffix(" 1")?.to_owned(), Verdict::Yes));
                }
                let (name, rest) =
                    line.strip_prefix("/* STAPCONF_")?.strip_suffix(" */")?.split_once(": ")?;
                let verdict = match rest.strip_prefix("broken: ") {
                    Some(words) => Verdict::Broken(words.to_owned()),
                    None => Verdict::No,
                };
                Some((name.to_owned(), verdict))
            })
            .collect();
        Self { values }
    }

    /// How many tests said yes, no, and were broken.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.values.values().fold((0, 0, 0), |(yes, no, broken), verdict| match verdict {
            Verdict::Yes => (yes + 1, no, broken),
            Verdict::No => (yes, no + 1, broken),
            Verdict::Broken(_) => (yes, no, broken + 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::tests::{location, tree};
    use expect_test::expect;
    use std::path::Path;

    fn runtime() -> RuntimeText {
        RuntimeText::from_pairs(
            "/rt",
            &[
                ("linux/autoconf-task-uid.c", "int x;"),
                ("linux/autoconf-cpu-clock.c", ""),
                ("linux/perf_probe_handler_nmi.c", ""),
                ("linux/autoconf-brand-new.c", ""),
                ("linux/autoconf-unread.c", ""),
                ("linux/runtime.h", "#ifdef STAPCONF_BRAND_NEW"),
            ],
        )
    }

    #[test]
    fn tests_are_found_in_the_runtime() {
        let plan = Plan::new(&runtime());
        let names: Vec<_> = plan.compile.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["BRAND_NEW", "CPU_CLOCK", "PERF_HANDLER_NMI", "TASK_UID"]);
        assert_eq!(plan.unknown, ["autoconf-brand-new.c: taken for BRAND_NEW", "autoconf-unread.c"]);
    }

    #[test]
    fn a_test_is_one_compiler_call_with_the_kernels_flags() {
        let kernel = KernelTree::read(&tree("6.1.0", 393472, "", &[]), &location()).unwrap();
        let flags = KernelFlags::parse(&kernel, flags::tests::ANSWER, "").unwrap();
        let plan = Plan::new(&runtime());
        let command = plan.compile[1].command(&flags);
        assert_eq!(command.cwd.as_deref(), Some(Path::new("/kb")));
        let line = command.argv.join(" ");
        assert!(line.starts_with("gcc-14 -nostdinc -I./include -D__KERNEL__ -O2"), "{line}");
        assert!(line.ends_with("-fsyntax-only -x c /rt/linux/autoconf-cpu-clock.c"));
    }

    #[test]
    fn the_header_is_stable_and_can_be_read_back() {
        let symvers = "0x1\tunregister_kprobes\tvmlinux\tEXPORT_SYMBOL\t\n0x1\tkern_path\tvmlinux\tEXPORT_SYMBOL\t\n\
                       0x1\tuprobe_register\tvmlinux\tEXPORT_SYMBOL_GPL\t\n";
        let kernel = KernelTree::read(&tree("6.1.0", 393472, symvers, &[]), &location()).unwrap();
        let plan = Plan::new(&runtime());
        let verdicts = [Verdict::Yes, Verdict::No, Verdict::Broken("a /* b */ c".to_owned()), Verdict::No];
        let conf = plan.finish(&kernel, verdicts);
        let defined: String =
            conf.header().lines().filter(|line| line.contains("define") || line.contains("broken")).collect();
        expect!["#define STAPCONF_BRAND_NEW 1#define STAPCONF_KERN_PATH 1/* STAPCONF_PERF_HANDLER_NMI: broken: a /* b * / c */#define STAPCONF_UPROBE_REGISTER_EXPORTED 1"]
            .assert_eq(&defined);
        let again = Stapconf::parse(&conf.header());
        assert_eq!(again.header(), conf.header());
        assert!(!conf.is("UNREGISTER_KPROBES"), "both symbols are needed");
    }

    #[test]
    fn broken_tests_stop_unless_nobody_reads_them() {
        let broken = |name: &str| {
            Stapconf::from_pairs([(name.to_owned(), Verdict::Broken("cc1: error: no".to_owned()))]).check()
        };
        assert!(broken("INODE_PRIVATE").is_ok());
        let error = broken("TASK_UID").unwrap_err().to_string();
        assert!(error.contains("\nSTAPCONF_TASK_UID: cc1: error: no\n"), "{error}");
    }

    #[test]
    fn corrections_win() {
        let conf = Stapconf::from_pairs([("A".to_owned(), Verdict::No), ("B".to_owned(), Verdict::Yes)]);
        let conf = conf.corrected([("A", true), ("B", false)]);
        assert!(conf.is("A") && !conf.is("B"));
    }
}
