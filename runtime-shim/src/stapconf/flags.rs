//! The kernel's own compiler flags, asked of kbuild once and then used without it.

use std::path::{Path, PathBuf};

use crate::command::{Command, FileToWrite, shell_words};
use crate::kbuild::make_command;
use crate::kernel::KernelTree;

/// The flags that kbuild would compile a module's unit with, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFlags {
    /// The compiler with its own leading arguments (`ccache gcc`).
    pub compiler: Vec<String>,
    /// All flags up to and without the per-unit ones.
    pub flags: Vec<String>,
    /// The directory that relative paths in the flags count from.
    pub cwd: PathBuf,
}

/// Why the flags could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagsError {
    /// kbuild failed, or did not read the makefile.
    #[error("the kernel's makefiles in \"{build}\" did not give their compiler flags{words}")]
    NoAnswer {
        /// The build tree.
        build: String,
        /// What make said, after a colon and newline; or nothing.
        words: String,
    },
}

/// The variables asked for, in the order in which upstream's `CHECK_BUILD` uses them.
const ASKED: [&str; 7] = [
    "CURDIR",
    "CC",
    "NOSTDINC_FLAGS",
    "LINUXINCLUDE",
    "KBUILD_CPPFLAGS",
    "KBUILD_CFLAGS",
    "KBUILD_CFLAGS_MODULE",
];

const MARK: &str = "rstap-kbuild-variable ";

/// The makefile and the make command that print the flags. `dir` is an empty directory of the driver's own.
pub fn flag_query(kernel: &KernelTree, dir: &Path) -> (Vec<FileToWrite>, Command) {
    let mut text = String::from("# Prints what a module would be compiled with; builds nothing.\n");
    for name in ASKED {
        text.push_str(&format!("$(info {MARK}{name}=$({name}))\n"));
    }
    text.push_str("obj-m :=\n");
    let file = FileToWrite { path: dir.join("Makefile"), text };
    (vec![file], make_command(kernel, dir, &["modules".to_owned()], 1, false))
}

impl KernelFlags {
    /// Reads the answer to [`flag_query`]: standard output and error of make.
    pub fn parse(kernel: &KernelTree, stdout: &str, stderr: &str) -> Result<Self, FlagsError> {
        // Kbuild reads the makefile again for modpost; the first reading is the one for compiling.
        let find = |name: &str| {
            stdout.lines().find_map(|line| line.strip_prefix(MARK)?.strip_prefix(name)?.strip_prefix('='))
        };
        let no_answer = || FlagsError::NoAnswer {
            build: kernel.build.display().to_string(),
            words: match stderr.trim() {
                "" => String::new(),
                words => format!(":\n{words}"),
            },
        };
        let compiler = shell_words(find("CC").ok_or_else(no_answer)?);
        if compiler.is_empty() || find("KBUILD_CFLAGS").is_none_or(|flags| flags.trim().is_empty()) {
            return Err(no_answer());
        }
        let mut flags: Vec<String> =
            ASKED.into_iter().skip(2).flat_map(|name| shell_words(find(name).unwrap_or_default())).collect();
        if !flags.iter().any(|flag| flag == "-DMODULE") {
            flags.push("-DMODULE".to_owned());
        }
        Ok(Self { compiler, flags, cwd: PathBuf::from(find("CURDIR").unwrap_or("/").trim()) })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::tests::{location, tree};

    pub(crate) const ANSWER: &str = "rstap-kbuild-variable CURDIR=/kb\nrstap-kbuild-variable CC= gcc-14\n\
        rstap-kbuild-variable NOSTDINC_FLAGS=-nostdinc\nrstap-kbuild-variable LINUXINCLUDE=-I./include\n\
        rstap-kbuild-variable KBUILD_CPPFLAGS=-D__KERNEL__\n\
        rstap-kbuild-variable KBUILD_CFLAGS=-O2 -DX='\"y\"'\n\
        rstap-kbuild-variable KBUILD_CFLAGS_MODULE= -DMODULE\n\
        rstap-kbuild-variable CC=gcc-of-modpost\n";

    #[test]
    fn the_first_answer_counts() {
        let kernel = KernelTree::read(&tree("6.1.0", 393472, "", &[]), &location()).unwrap();
        let flags = KernelFlags::parse(&kernel, ANSWER, "").unwrap();
        assert_eq!(flags.compiler, ["gcc-14"]);
        assert_eq!(flags.cwd, Path::new("/kb"));
        assert_eq!(flags.flags, ["-nostdinc", "-I./include", "-D__KERNEL__", "-O2", "-DX=\"y\"", "-DMODULE"]);
    }

    #[test]
    fn a_failed_make_is_told_in_its_own_words() {
        let kernel = KernelTree::read(&tree("6.1.0", 393472, "", &[]), &location()).unwrap();
        let error = KernelFlags::parse(&kernel, "", "make: *** /kb: No such file.  Stop.\n").unwrap_err();
        assert!(error.to_string().ends_with("flags:\nmake: *** /kb: No such file.  Stop."));
    }
}
