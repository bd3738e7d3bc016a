//! A failed build's log, boiled down to one clear message with the next step.

use std::fmt;

use crate::kernel::KernelTree;
use crate::text::RuntimeText;

/// Why kbuild failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The compiler that the kernel was built with is not installed.
    NoCompiler(String),
    /// A program of the build is missing (`make` itself excepted: the driver sees that).
    NoProgram(String),
    /// The headers package lacks something.
    HeadersIncomplete(String),
    /// The build tree was never configured.
    NotConfigured,
    /// A symbol that the kernel does not export to modules.
    UndefinedSymbol(String),
    /// No room for the build.
    DiskFull,
    /// The compiler rejected the runtime's own text: this kernel needs a repair that is not known yet.
    Runtime(String),
    /// The compiler rejected the generated C.
    Compile,
    /// Anything else.
    Other,
}

/// What to tell the user about a failed build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildFailure {
    /// The kind of failure.
    pub cause: Cause,
    /// The first lines of the log that say what is wrong; at most eight.
    pub errors: Vec<String>,
    /// The kernel release built for.
    pub release: String,
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let release = &self.release;
        match &self.cause {
            Cause::NoCompiler(name) => {
                write!(
                    f,
                    "the compiler \"{name}\", which kernel {release} was built with, is not installed"
                )?;
                write!(f, "\nInstall it (on Debian the package of that name, without the machine's prefix).")
            }
            Cause::NoProgram(name) => {
                write!(
                    f,
                    "kbuild needs the program \"{name}\", which is not installed\nInstall it and try again."
                )
            }
            Cause::HeadersIncomplete(what) => {
                write!(f, "the headers of kernel {release} are incomplete: {what}")?;
                write!(f, "\nReinstall the headers package of that release.")
            }
            Cause::NotConfigured => {
                write!(f, "the build tree of kernel {release} is not configured")?;
                write!(
                    f,
                    "\nRun 'make oldconfig && make prepare modules_prepare' in it, or install a headers package."
                )
            }
            Cause::UndefinedSymbol(name) => {
                write!(f, "kernel {release} does not export \"{name}\" to modules")?;
                write!(f, "\nThe script or its tapset needs another kernel; rerun with -v for the whole log.")
            }
            Cause::DiskFull => {
                write!(f, "no space left for the build\nFree some, or name another directory with --tmpdir.")
            }
            Cause::Runtime(dir) => {
                write!(f, "the SystemTap runtime in \"{dir}\" does not compile for kernel {release}")?;
                for line in &self.errors {
                    write!(f, "\n{line}")?;
                }
                f.write_str("\nNo known repair helps: install a newer SystemTap, or boot an older kernel.")
            }
            Cause::Compile => {
                f.write_str("the generated C does not compile")?;
                for line in &self.errors {
                    write!(f, "\n{line}")?;
                }
                f.write_str("\nRerun with -k to keep the C, and with -vv for the compiler's whole log.")
            }
            Cause::Other => {
                f.write_str("kbuild failed")?;
                for line in &self.errors {
                    write!(f, "\n{line}")?;
                }
                f.write_str("\nRerun with -vv for the whole log.")
            }
        }
    }
}

impl BuildFailure {
    /// The failure when the compiler of a [`crate::stapconf::CompileTest`] cannot be started at all.
    pub fn no_compiler(kernel: &KernelTree, program: &str) -> Self {
        let cause = Cause::NoCompiler(program.to_owned());
        Self { cause, errors: Vec::new(), release: kernel.release.clone() }
    }
}

/// Reads the log (standard output and error, in any order) of a build that ended with a failure.
pub fn diagnose(kernel: &KernelTree, rt: &RuntimeText, log: &str) -> BuildFailure {
    let lines = || log.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let cause = lines().find_map(cause_of).unwrap_or_else(|| {
        let runtime = rt.dir().display().to_string();
        match lines().find(|line| is_error(line)) {
            // The runtime's macro, but the module's use of it.
            Some(line) if expanded_in_module(lines().skip_while(|other| *other != line).skip(1)) => {
                Cause::Compile
            }
            // Also in the farm of links that stands in for it, whose paths the compiler then shows.
            Some(line) if line.starts_with(&runtime) || line.contains("rstap_runtime/") => {
                Cause::Runtime(runtime)
            }
            Some(_) => Cause::Compile,
            None => Cause::Other,
        }
    });
    let tells = |line: &&str| {
        [": error: ", ": fatal error: ", "ERROR: ", "error:", "*** ", "undefined reference"]
            .iter()
            .any(|mark| line.contains(mark))
    };
    let mut errors: Vec<String> = lines().filter(tells).take(8).map(str::to_owned).collect();
    if errors.is_empty() {
        let last: Vec<&str> = lines().collect();
        errors = last.iter().skip(last.len().saturating_sub(8)).map(|line| (*line).to_owned()).collect();
    }
    BuildFailure { cause, errors, release: kernel.release.clone() }
}

fn is_error(line: &str) -> bool {
    line.contains(": error: ") || line.contains(": fatal error: ")
}

/// Whether the notes to an error, which follow it up to the next one, say that a macro was expanded in a unit of the
/// module.
fn expanded_in_module<'a>(behind: impl Iterator<Item = &'a str>) -> bool {
    behind
        .take_while(|line| !is_error(line))
        .filter(|line| line.contains(": note: in expansion of macro "))
        .any(|line| line.split(':').next().is_some_and(|file| file.ends_with("_src.c")))
}

fn cause_of(line: &str) -> Option<Cause> {
    if let Some(name) = missing_program(line) {
        let compiler = name.contains("gcc") || name.contains("clang");
        return Some(if compiler { Cause::NoCompiler(name) } else { Cause::NoProgram(name) });
    }
    if let Some((_, rest)) = line.split_once("modpost: \"") {
        let (name, rest) = rest.split_once('"')?;
        return rest.contains("undefined!").then(|| Cause::UndefinedSymbol(name.to_owned()));
    }
    if line.contains("No space left on device") {
        return Some(Cause::DiskFull);
    }
    if line.contains("Kernel configuration is invalid")
        || line.contains("include/config/auto.conf are missing")
    {
        return Some(Cause::NotConfigured);
    }
    if line.contains("No rule to make target") || line.contains("Makefile: No such file or directory") {
        return Some(Cause::HeadersIncomplete(line.to_owned()));
    }
    if line.contains(": fatal error: ") && line.contains(": No such file or directory") {
        // A header that a header of the kernel asks for; one that only the generated C asks for is its own fault.
        let in_kernel = line.split_once(':').is_some_and(|(file, _)| file.contains("/include/"));
        return in_kernel.then(|| Cause::HeadersIncomplete(line.to_owned()));
    }
    None
}

/// The program in `/bin/sh: 1: gcc-12: not found`, `sh: line 1: gcc-12: command not found` or
/// `make[2]: gcc-12: No such file or directory`.
fn missing_program(line: &str) -> Option<String> {
    let before =
        line.strip_suffix(": command not found").or_else(|| line.strip_suffix(": not found")).or_else(
            || line.strip_prefix("make").and_then(|rest| rest.strip_suffix(": No such file or directory")),
        )?;
    let name = before.rsplit_once(": ").map_or(before, |(_, name)| name).trim();
    let plausible = !name.is_empty() && !name.contains(char::is_whitespace) && !name.ends_with("Makefile");
    plausible.then(|| name.rsplit_once('/').map_or(name, |(_, base)| base).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::tests::{location, tree};

    fn failure(log: &str) -> BuildFailure {
        let kernel = KernelTree::read(&tree("6.1.0", 393472, "", &[]), &location()).unwrap();
        diagnose(&kernel, &RuntimeText::from_pairs("/rt", &[]), log)
    }

    fn cause(log: &str) -> Cause {
        failure(log).cause
    }

    #[test]
    fn missing_compilers_are_named_in_every_shells_words() {
        for log in [
            "/bin/sh: 1: gcc-12: not found\nmake[2]: *** [x.o] Error 127\n",
            "sh: line 1: gcc-12: command not found\n",
            "make[3]: gcc-12: No such file or directory\n",
        ] {
            assert_eq!(cause(log), Cause::NoCompiler("gcc-12".to_owned()), "{log}");
        }
    }

    #[test]
    fn common_failures_have_their_own_message() {
        assert_eq!(
            cause("ERROR: modpost: \"foo_bar\" [/t/m.ko] undefined!\n"),
            Cause::UndefinedSymbol("foo_bar".to_owned())
        );
        assert_eq!(cause("  ERROR: Kernel configuration is invalid.\n"), Cause::NotConfigured);
        assert!(matches!(
            cause("make[1]: *** No rule to make target 'scripts/basic/fixdep'.  Stop.\n"),
            Cause::HeadersIncomplete(_)
        ));
        assert_eq!(cause("/t/m_src.c:3:1: error: 'x' undeclared\nmake: *** [m.o] Error 1\n"), Cause::Compile);
        assert_eq!(
            cause("In file included from /t/m_src.c:9:\n/rt/linux/x.c:3:1: error: 'x' undeclared\n"),
            Cause::Runtime("/rt".to_owned())
        );
        assert_eq!(
            cause("/rt/linux/x.c:3:10: fatal error: linux/gone.h: No such file or directory\n"),
            Cause::Runtime("/rt".to_owned())
        );
        assert!(matches!(
            cause("/k/include/linux/x.h:3:10: fatal error: asm/gone.h: No such file or directory\n"),
            Cause::HeadersIncomplete(_)
        ));
        assert_eq!(cause("fatal: write: No space left on device\n"), Cause::DiskFull);
        assert_eq!(cause("something odd\n"), Cause::Other);
    }

    #[test]
    fn a_macro_of_the_runtime_is_not_to_blame_for_its_argument() {
        let at = |user: &str| {
            format!(
                "/rt/linux/state.h:52:47: error: makes integer from pointer\n   52 | #define set(name, v)\n\
                 {user}:190:34: note: in expansion of macro ‘set’\n"
            )
        };
        assert_eq!(cause(&at("m_src.c")), Cause::Compile);
        assert!(matches!(cause(&at("/rt/linux/task.c")), Cause::Runtime(_)));
        let later = format!("/rt/a.h:1:1: error: bad\n{}", at("m_src.c"));
        assert!(matches!(cause(&later), Cause::Runtime(_)));
    }

    #[test]
    fn the_first_errors_are_shown() {
        let text = failure("CC x.o\n/t/m_src.c:3:1: error: bad\n").to_string();
        assert!(text.starts_with("the generated C does not compile\n/t/m_src.c:3:1: error: bad\n"), "{text}");
    }
}
