//! Pass 4: a module's sources, the makefile around them and the make command, by plain kbuild.

mod failure;

use std::path::{Path, PathBuf};

pub use failure::{BuildFailure, Cause, diagnose};

use crate::command::{Command, FileToWrite, shell_quote};
use crate::kernel::KernelTree;
use crate::repairs::Remedies;
use crate::stapconf::Stapconf;
use crate::text::RuntimeText;

/// Warnings the runtime's own text is known to raise under newer kernels' flags, and which say nothing about its
/// working. Upstream builds with `-Werror`, so that each new kernel warning class breaks each older runtime; here
/// warnings stay warnings, and these do not even show.
const QUIET: [&str; 11] = [
    "-Wno-unused",
    "-Wno-pragmas",
    "-Wno-address",
    "-Wno-empty-body",
    "-Wno-missing-prototypes",
    "-Wno-missing-declarations",
    "-Wno-old-style-declaration",
    "-Wno-int-to-pointer-cast",
    "-Wno-pointer-to-int-cast",
    "-Wno-infinite-recursion",
    "-Wno-tautological-compare",
];

/// Warnings that mean wrong code: they are errors in every module, the runtime's text included.
const FATAL: [&str; 4] = [
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
];

/// How much of kbuild's output is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Noise {
    /// `make -s`.
    #[default]
    Quiet,
    /// `make V=1`: every command line.
    Commands,
}

/// A module to build.
#[derive(Debug, Clone, Default)]
pub struct ModuleBuild {
    /// Module name, without `.ko`.
    pub name: String,
    /// An empty directory of the driver's own, absolute, without white space or colons.
    pub dir: PathBuf,
    /// Compiled units: file name (`NAME_src.c`; `.c` or `.S`) and text, in link order.
    pub units: Vec<(String, String)>,
    /// Other files the units include (`stap_common.h`): name and text.
    pub headers: Vec<(String, String)>,
    /// Values of `-D` (`NAME` or `NAME=VALUE`), passed to the compiler as they are.
    pub macros: Vec<String>,
    /// Words of `-B`, appended to the make command so that they win.
    pub make_words: Vec<String>,
    /// Guru mode: symbol versions are not demanded of the kernel.
    pub guru: bool,
    /// `--debug`: keeps debug information in the module.
    pub debug_info: bool,
    /// Every warning in the generated units is an error. The runtime's text is then read as system headers, which
    /// silences it; this is for testing the emitter, not for users.
    pub strict: bool,
    /// Parallel jobs for make; at least 1.
    pub jobs: usize,
    /// What to print.
    pub noise: Noise,
}

/// Files to write and the command that builds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlan {
    /// Symbolic links to make first: link and target. Their directories are to be made too.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Files to write next.
    pub files: Vec<FileToWrite>,
    /// The make command.
    pub command: Command,
    /// The module that it makes.
    pub module: PathBuf,
}

/// Why a module cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Module names end up in C identifiers and file names.
    #[error("\"{0}\" is no module name: letters, digits and underscores, at most 55 of them")]
    ModuleName(String),
    /// A generated file would hide a file of the runtime or kbuild's own object.
    #[error("a generated file may not be called \"{name}\": {why}")]
    FileName {
        /// The name.
        name: String,
        /// What it collides with.
        why: &'static str,
    },
    /// make splits at white space and colons, and no quoting helps.
    #[error(
        "the temporary directory \"{0}\" has white space or a colon in its path, which make cannot handle"
    )]
    Directory(String),
}

/// Longest module name: the kernel's `MODULE_NAME_LEN` less what `staprun -R` appends (session.cxx).
pub const MODULE_NAME_MAX: usize = 55;

impl ModuleBuild {
    /// Turns the module into files and a make command.
    ///
    /// `conf` is the kernel's STAPCONF before repairs; `remedies` what the applying repairs add. The headers that
    /// result are force-included into the module's units only: never into feature tests.
    pub fn plan(
        &self,
        kernel: &KernelTree,
        rt: &RuntimeText,
        conf: &Stapconf,
        remedies: &Remedies,
    ) -> Result<BuildPlan, PlanError> {
        self.check(rt)?;
        let conf = conf.corrected(remedies.corrections.iter().map(|fix| (fix.name, fix.value)));
        let mut files = Vec::new();
        let mut write = |name: &str, text: &str| {
            files.push(FileToWrite { path: self.dir.join(name), text: text.to_owned() })
        };
        for (name, text) in self.units.iter().chain(&self.headers) {
            write(name, text);
        }
        write(STAPCONF_FILE, &conf.header());
        write(SHIM_FILE, &remedies.header);
        for (name, text) in &remedies.include_files {
            write(&format!("{INCLUDE_DIR}/{name}"), text);
        }
        for (name, text) in &remedies.overlay {
            write(&format!("{RUNTIME_DIR}/{name}"), text);
        }
        write("Makefile", &self.makefile(kernel, rt, remedies));
        let links = self.links(rt, remedies);
        let noise = self.noise == Noise::Commands;
        let mut command = make_command(kernel, &self.dir, &["modules".to_owned()], self.jobs, noise);
        if self.guru {
            command.argv.push("CONFIG_MODVERSIONS=".to_owned());
        }
        if self.debug_info {
            command.argv.push("CONFIG_DEBUG_INFO=y".to_owned());
        }
        command.argv.extend(self.make_words.iter().cloned());
        Ok(BuildPlan { links, files, command, module: self.dir.join(format!("{}.ko", self.name)) })
    }

    /// The runtime as a farm of links, if some repair replaces one of its files.
    ///
    /// A quoted include looks beside the including file first, so a replaced file is only found if everything else
    /// is beside it too; the compiler takes the link's directory, not its target's.
    fn links(&self, rt: &RuntimeText, remedies: &Remedies) -> Vec<(PathBuf, PathBuf)> {
        if remedies.overlay.is_empty() {
            return Vec::new();
        }
        rt.names()
            .filter(|name| !name.starts_with("../") && !remedies.overlay.iter().any(|(path, _)| path == name))
            .map(|name| (self.dir.join(RUNTIME_DIR).join(name), rt.dir().join(name)))
            .collect()
    }

    fn check(&self, rt: &RuntimeText) -> Result<(), PlanError> {
        let identifier = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.name.is_empty() || self.name.len() > MODULE_NAME_MAX || !self.name.chars().all(identifier) {
            return Err(PlanError::ModuleName(self.name.clone()));
        }
        let dir = self.dir.display().to_string();
        if dir.contains(|c: char| c.is_whitespace() || c == ':') {
            return Err(PlanError::Directory(dir));
        }
        for (name, _) in self.units.iter().chain(&self.headers) {
            let refuse = |why| Err(PlanError::FileName { name: name.clone(), why });
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            if stem == self.name {
                // kbuild makes NAME.o from the list of units, not from NAME.c.
                return refuse("the module's own object has that name");
            }
            // Quoted includes look beside the including file first, so such a file would include itself.
            if rt.has_file(name) || rt.has_file(&format!("linux/{name}")) {
                return refuse("the runtime has a file of that name");
            }
            if name.contains('/') || matches!(name.as_str(), STAPCONF_FILE | SHIM_FILE | "Makefile") {
                return refuse("it is not a plain name, or one that is used for the build itself");
            }
        }
        Ok(())
    }

    fn makefile(&self, kernel: &KernelTree, rt: &RuntimeText, remedies: &Remedies) -> String {
        let mut flags: Vec<String> = Vec::new();
        let mut flag =
            |words: &[&str]| flags.push(words.iter().map(|w| make_word(w)).collect::<Vec<_>>().join(" "));
        let in_dir = |name: &str| self.dir.join(name).display().to_string();
        // Trace headers are included by their path from the top of the tree (`fs/xfs/...`).
        flag(&[&format!("-I{}", kernel.build.display())]);
        if let Some(source) = &kernel.source {
            flag(&[&format!("-I{}", source.display())]);
        }
        if !remedies.include_files.is_empty() {
            flag(&[&format!("-I{}", in_dir(INCLUDE_DIR))]);
        }
        flag(&["-include", &in_dir(STAPCONF_FILE)]);
        flag(&["-include", &in_dir(SHIM_FILE)]);
        for name in &self.macros {
            flag(&["-D", name]);
        }
        flag(&["-freorder-blocks"]);
        // With indirect branch tracking the kernel's objtool does not expect .eh_frame in objects.
        if !kernel.configured("CONFIG_CC_HAS_IBT") && kernel.arch != "riscv" {
            flag(&["-fasynchronous-unwind-tables"]);
        }
        for word in &remedies.compiler_flags {
            flag(&[word]);
        }
        let runtime = match remedies.overlay.is_empty() {
            true => rt.dir().display().to_string(),
            false => in_dir(RUNTIME_DIR),
        };
        if self.strict {
            // The runtime's headers declare static functions that units without probes do not define.
            flag(&["-Wno-unused-function"]);
            flag(&["-Werror"]);
            flag(&["-isystem", &runtime]);
        } else {
            QUIET.iter().for_each(|word| flag(&[word]));
            flag(&["-Wno-error"]);
            FATAL.iter().for_each(|word| flag(&[word]));
            flag(&[&format!("-I{runtime}")]);
        }
        let objects: Vec<String> = self
            .units
            .iter()
            .map(|(name, _)| format!("{}.o", name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem)))
            .collect();
        let mut text = String::from("# Written for one build; see the make command beside it.\n");
        text.push_str("CONFIG_MODULE_SIG := n\n");
        for words in flags {
            text.push_str(&format!("ccflags-y += {words}\n"));
        }
        // Identical code folding costs much compile time on this text (upstream: gcc 5 and later).
        text.push_str("ccflags-y += $(call cc-option,-fno-ipa-icf)\n");
        if self.debug_info {
            // What the compiler made on its way stays beside the objects.
            text.push_str("ccflags-y += -g -save-temps=obj -fverbose-asm\n");
        }
        for line in &remedies.make_lines {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!("obj-m := {}.o\n{}-y := {}\n", self.name, self.name, objects.join(" ")));
        text
    }
}

const STAPCONF_FILE: &str = "rstap_stapconf.h";
const SHIM_FILE: &str = "rstap_shim.h";
const INCLUDE_DIR: &str = "rstap_include";
const RUNTIME_DIR: &str = "rstap_runtime";

/// One compiler word in a makefile variable: quoted for the shell, then for make.
fn make_word(word: &str) -> String {
    shell_quote(word).replace('$', "$$").replace('#', "\\#")
}

/// Variables of the caller's environment that would change a kernel build (buildrun.cxx:make_any_make_cmd).
const UNSET: [&str; 7] = [
    "ARCH",
    "KBUILD_EXTMOD",
    "CROSS_COMPILE",
    "KBUILD_IMAGE",
    "KCONFIG_CONFIG",
    "INSTALL_PATH",
    "LD_LIBRARY_PATH",
];

/// `make` on a kernel's build tree for the external directory `dir` (buildrun.cxx:make_any_make_cmd).
///
/// No debug information and no BTF is made; objtool's user-access check is off, because the runtime's accesses are
/// not written for it; the compiler's version text is made equal on both sides, since a distribution's headers are
/// used with its current compiler.
pub fn make_command(
    kernel: &KernelTree,
    dir: &Path,
    targets: &[String],
    jobs: usize,
    commands: bool,
) -> Command {
    let mut argv = vec!["make".to_owned(), "-C".to_owned(), kernel.build.display().to_string()];
    argv.push(format!("M={}", dir.display()));
    argv.extend(targets.iter().cloned());
    argv.extend(
        [
            "CONFIG_DEBUG_INFO=",
            "CONFIG_DEBUG_INFO_BTF_MODULES=",
            "CONFIG_HAVE_UACCESS_VALIDATION=",
            "CC_VERSION_TEXT=foo",
            "CONFIG_CC_VERSION_TEXT=foo",
            "PAHOLE_VERSION=0",
            "CONFIG_PAHOLE_VERSION=0",
        ]
        .map(str::to_owned),
    );
    argv.push(format!("ARCH={}", kernel.arch));
    if kernel.compiler().clang {
        argv.push("LLVM=1".to_owned());
    }
    argv.push(if commands { "V=1" } else { "-s" }.to_owned());
    argv.push("--no-print-directory".to_owned());
    argv.push(format!("-j{}", jobs.max(1)));
    let mut env: Vec<(String, Option<String>)> = UNSET.map(|name| (name.to_owned(), None)).to_vec();
    // Messages are read by `diagnose`, and kbuild must not inherit a make's job server.
    env.extend(["LC_ALL", "LANGUAGE"].map(|name| (name.to_owned(), Some("C".to_owned()))));
    env.extend(["MAKEFLAGS", "MFLAGS", "MAKELEVEL"].map(|name| (name.to_owned(), None)));
    Command { argv, cwd: None, env }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repairs::remedies;
    use crate::repairs::tests::with;
    use expect_test::expect;

    fn build() -> ModuleBuild {
        ModuleBuild {
            name: "rstap_1".to_owned(),
            dir: PathBuf::from("/tmp/b"),
            units: vec![("rstap_1_src.c".to_owned(), "int x;\n".to_owned())],
            headers: vec![("stap_common.h".to_owned(), String::new())],
            macros: vec!["A=\"$x\" #1".to_owned()],
            make_words: vec!["V=2".to_owned()],
            jobs: 3,
            ..ModuleBuild::default()
        }
    }

    fn plan(build: &ModuleBuild) -> Result<BuildPlan, PlanError> {
        with("5.1", "6.12", |at| build.plan(at.kernel, at.rt, at.conf, &remedies(at)))
    }

    fn file<'a>(plan: &'a BuildPlan, name: &str) -> &'a str {
        &plan.files.iter().find(|file| file.path.ends_with(name)).unwrap().text
    }

    #[test]
    fn the_makefile() {
        let plan = plan(&build()).unwrap();
        expect![[r#"
            # Written for one build; see the make command beside it.
            CONFIG_MODULE_SIG := n
            ccflags-y += -I/kb
            ccflags-y += -I/ks
            ccflags-y += -include /tmp/b/rstap_stapconf.h
            ccflags-y += -include /tmp/b/rstap_shim.h
            ccflags-y += -D 'A="$$x" \#1'
            ccflags-y += -freorder-blocks
            ccflags-y += -fasynchronous-unwind-tables
            ccflags-y += -Wno-unused
            ccflags-y += -Wno-pragmas
            ccflags-y += -Wno-address
            ccflags-y += -Wno-empty-body
            ccflags-y += -Wno-missing-prototypes
            ccflags-y += -Wno-missing-declarations
            ccflags-y += -Wno-old-style-declaration
            ccflags-y += -Wno-int-to-pointer-cast
            ccflags-y += -Wno-pointer-to-int-cast
            ccflags-y += -Wno-infinite-recursion
            ccflags-y += -Wno-tautological-compare
            ccflags-y += -Wno-error
            ccflags-y += -Werror=implicit-function-declaration
            ccflags-y += -Werror=implicit-int
            ccflags-y += -Werror=int-conversion
            ccflags-y += -Werror=incompatible-pointer-types
            ccflags-y += -I/rt
            ccflags-y += $(call cc-option,-fno-ipa-icf)
            obj-m := rstap_1.o
            rstap_1-y := rstap_1_src.o
        "#]]
        .assert_eq(file(&plan, "Makefile"));
        assert_eq!(plan.module, Path::new("/tmp/b/rstap_1.ko"));
    }

    #[test]
    fn the_make_command() {
        let plan = plan(&ModuleBuild { guru: true, ..build() }).unwrap();
        expect!["make -C /kb M=/tmp/b modules CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES= CONFIG_HAVE_UACCESS_VALIDATION= CC_VERSION_TEXT=foo CONFIG_CC_VERSION_TEXT=foo PAHOLE_VERSION=0 CONFIG_PAHOLE_VERSION=0 ARCH=x86_64 -s --no-print-directory -j3 CONFIG_MODVERSIONS= V=2"]
            .assert_eq(&plan.command.argv.join(" "));
        assert!(plan.command.env.contains(&("ARCH".to_owned(), None)));
    }

    #[test]
    fn corrections_reach_the_modules_stapconf() {
        let plan = plan(&build()).unwrap();
        assert!(file(&plan, "rstap_stapconf.h").contains("#define STAPCONF_UPROBE_UNREGISTER_EXPORTED 1\n"));
        assert!(file(&plan, "rstap_shim.h").contains("/* repair uprobe-handle: "));
    }

    #[test]
    fn strict_builds_silence_the_runtime_and_nothing_else() {
        let plan = plan(&ModuleBuild { strict: true, ..build() }).unwrap();
        let makefile = file(&plan, "Makefile");
        assert!(makefile.contains("ccflags-y += -Werror\nccflags-y += -isystem /rt\n"));
        assert!(!makefile.contains("-Wno-missing-prototypes"));
    }

    #[test]
    fn names_that_cannot_be_built_are_refused() {
        let refused = |build: ModuleBuild| plan(&build).unwrap_err();
        assert!(matches!(
            refused(ModuleBuild { name: "a-b".to_owned(), ..build() }),
            PlanError::ModuleName(_)
        ));
        assert!(matches!(
            refused(ModuleBuild { dir: "/tmp/a b".into(), ..build() }),
            PlanError::Directory(_)
        ));
        for name in ["rstap_1.c", "timer.h", "sym2.c", "Makefile", "a/b.c"] {
            let units = vec![(name.to_owned(), String::new())];
            let refused = plan(&ModuleBuild { units, ..build() });
            // The small runtime of the tests has linux/timer.h only in its newest form.
            assert_eq!(refused.is_err(), name != "timer.h", "{name}");
        }
    }
}
