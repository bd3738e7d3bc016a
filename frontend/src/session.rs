//! The session: everything a run was told, as one immutable value that the passes get first.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

/// A version of the translator: `5.6`, `4.8`, as `--compatible` and `systemtap_v` know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

impl Version {
    /// Numeric parts; a part that is not a number counts as 0.
    fn parts(&self) -> (u32, u32) {
        let mut parts = self.0.split(['.', '-', '/']).map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// True if this version is older than `major.minor`.
    pub fn before(&self, major: u32, minor: u32) -> bool {
        self.parts() < (major, minor)
    }

    /// True if this version sorts behind another, in any spelling (main.cxx: `--compatible`).
    pub fn is_after(&self, other: &Version) -> bool {
        crate::syntax::strverscmp(self.0.as_bytes(), other.0.as_bytes()).is_gt()
    }

    /// Major and minor number.
    pub fn major_minor(&self) -> (u32, u32) {
        self.parts()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the script may do (language.md 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Privilege {
    /// `stapusr`: probes of one's own processes only.
    User,
    /// `stapsys`.
    System,
    /// `stapdev`: everything.
    Developer,
}

impl Privilege {
    /// The group's name, as `--privilege` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Privilege::User => "stapusr",
            Privilege::System => "stapsys",
            Privilege::Developer => "stapdev",
        }
    }
}

impl FromStr for Privilege {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "stapusr" => Ok(Privilege::User),
            "stapsys" => Ok(Privilege::System),
            "stapdev" => Ok(Privilege::Developer),
            _ => Err(()),
        }
    }
}

/// A set of names that is made when someone first asks for one: most runs never look at the kernel's symbols.
#[derive(Clone)]
pub struct Names(Arc<LazyLock<Arc<BTreeSet<String>>, MakeNames>>);

type MakeNames = Box<dyn FnOnce() -> Arc<BTreeSet<String>> + Send + Sync>;

impl Names {
    /// The names that `make` gives.
    pub fn lazily(make: impl FnOnce() -> BTreeSet<String> + Send + Sync + 'static) -> Self {
        Names::shared(|| Arc::new(make()))
    }

    /// The same for names that others have as well.
    pub fn shared(make: impl FnOnce() -> Arc<BTreeSet<String>> + Send + Sync + 'static) -> Self {
        Names(Arc::new(LazyLock::new(Box::new(make))))
    }
}

impl Default for Names {
    fn default() -> Self {
        Names::lazily(BTreeSet::new)
    }
}

impl FromIterator<String> for Names {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let names: BTreeSet<String> = names.into_iter().collect();
        Names::lazily(|| names)
    }
}

impl Deref for Names {
    type Target = BTreeSet<String>;
    fn deref(&self) -> &BTreeSet<String> {
        &self.0
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// A kernel's configuration. It is taken apart when someone first asks for an option.
#[derive(Clone)]
pub struct Config {
    identity: String,
    values: Arc<LazyLock<HashMap<String, String>, MakeValues>>,
}

type MakeValues = Box<dyn FnOnce() -> HashMap<String, String> + Send + Sync>;

impl Config {
    /// The configuration in the text of a `.config`, which `read` gives. Two with the same `identity` are the same.
    pub fn lazily<T: AsRef<str>>(identity: String, read: impl FnOnce() -> T + Send + Sync + 'static) -> Self {
        let parse = |text: &str| {
            let lines = text.lines().filter(|line| line.starts_with("CONFIG_"));
            let pairs = lines.filter_map(|line| line.split_once('='));
            pairs.map(|(option, value)| (option.to_owned(), value.to_owned())).collect()
        };
        Config { identity, values: Arc::new(LazyLock::new(Box::new(move || parse(read().as_ref())))) }
    }

    /// What tells it from others.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The value of an option, as `.config` has it.
    pub fn get(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    /// Sets an option of a configuration that was made from a text.
    pub fn insert(&mut self, option: &str, value: &str) {
        let text = format!("{}{option}={value}\n", self.identity);
        *self = Config::from(text.as_str());
    }
}

impl From<&str> for Config {
    /// A configuration from the text of a `.config`, which is its identity too.
    fn from(text: &str) -> Self {
        let copy = text.to_owned();
        Config::lazily(text.to_owned(), move || copy)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::from("")
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config")
    }
}

/// What pass 0 learned of the target kernel.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    /// `uname -r` of the target.
    pub release: String,
    /// Architecture in the kernel's spelling (`x86_64`, `arm64`...).
    pub arch: String,
    /// `CONFIG_*` of the build tree.
    pub config: Config,
    /// Symbols exported by vmlinux (Module.symvers).
    pub exports: Names,
    /// Names of text symbols (System.map `t`/`T`), empty if there was no such file.
    pub functions: Names,
}

impl Kernel {
    /// The release up to the first `-`.
    pub fn base_version(&self) -> &str {
        self.release.split('-').next().unwrap_or("")
    }
}

/// What the run does besides passes 1 to 5 on a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Translate and run.
    #[default]
    Run,
    /// `-l`: list matching probes.
    List,
    /// `-L`: list matching probes with their variables.
    ListVariables,
    /// `--dump-probe-types`.
    DumpProbeTypes,
    /// `--dump-probe-aliases`.
    DumpProbeAliases,
    /// `--dump-functions`.
    DumpFunctions,
}

impl Mode {
    /// True for `-l`, `-L` and the `--dump-*` options.
    pub fn is_dump(self) -> bool {
        self != Mode::Run
    }
}

/// Everything a run was told. Made once by the driver, read by every pass, changed by none.
#[derive(Debug, Clone)]
pub struct Session {
    /// Level of the runtime in use: what `--version` and `systemtap_v` say.
    pub version: Version,
    /// `--compatible`, by default `version`.
    pub compatible: Version,
    /// Verbosity of passes 1 to 5 (index 0 to 4).
    pub verbosity: [u32; 5],
    /// `-p`: the last pass to run, 1 to 5.
    pub last_pass: u8,
    /// What kind of run.
    pub mode: Mode,
    /// `-g`.
    pub guru: bool,
    /// `-u`: no optimisation.
    pub unoptimized: bool,
    /// `-t`.
    pub timing: bool,
    /// `-b`.
    pub bulk: bool,
    /// `-w`.
    pub suppress_warnings: bool,
    /// `-W`.
    pub warnings_are_errors: bool,
    /// `--suppress-handler-errors`.
    pub suppress_handler_errors: bool,
    /// `--suppress-time-limits`.
    pub suppress_time_limits: bool,
    /// `--skip-badvars`.
    pub skip_badvars: bool,
    /// `--no-global-var-display` turns this off.
    pub global_var_display: bool,
    /// `--semantic-keep-going`.
    pub semantic_keep_going: bool,
    /// `--check-version`.
    pub check_version: bool,
    /// Level of privilege that the script is checked against.
    pub privilege: Privilege,
    /// Script arguments, `$1`...
    pub arguments: Vec<String>,
    /// `-G name=value`, in order.
    pub global_overrides: Vec<(String, String)>,
    /// `-D NAME[=VALUE]`, in order.
    pub macros: Vec<String>,
    /// `-c`.
    pub command: Option<String>,
    /// The program that `-c` starts, or why its line cannot be taken apart (session.cxx: `cmd_file`); empty if the line is.
    pub command_program: Result<String, &'static str>,
    /// `-x`.
    pub target_pid: Option<u32>,
    /// `-d`, in order: kernel modules, `kernel`, or paths of programs and libraries, as given.
    pub symbol_objects: Vec<String>,
    /// `--ldd`: the libraries of those programs, too.
    pub symbols_of_libraries: bool,
    /// `--all-modules`: `kernel` and every module that is loaded now.
    pub symbols_of_all_modules: bool,
    /// `-T`, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// `--modinfo NAME=VALUE`, in order.
    pub modinfo: Vec<(String, String)>,
    /// Name of the module to make.
    pub module_name: String,
    /// True if standard output of rstap is a terminal.
    pub stdout_is_terminal: bool,
    /// Directories of `$PATH`, in order: where `process("name")` is looked up.
    pub search_path: Vec<PathBuf>,
    /// `--sysroot`.
    pub sysroot: Option<PathBuf>,
    /// Tapset roots in search order: the built-in directory first, `-I` directories last.
    pub tapset_roots: Vec<PathBuf>,
    /// The kernel that the module is for.
    pub kernel: Kernel,
}

impl Session {
    /// A session for tests: newest level, an empty kernel, everything else as if no option was given.
    pub fn for_tests() -> Self {
        Session {
            version: Version("5.6".into()),
            compatible: Version("5.6".into()),
            verbosity: [0; 5],
            last_pass: 5,
            mode: Mode::Run,
            guru: false,
            unoptimized: false,
            timing: false,
            bulk: false,
            suppress_warnings: false,
            warnings_are_errors: false,
            suppress_handler_errors: false,
            suppress_time_limits: false,
            skip_badvars: false,
            global_var_display: true,
            semantic_keep_going: false,
            check_version: false,
            privilege: Privilege::Developer,
            arguments: Vec::new(),
            global_overrides: Vec::new(),
            macros: Vec::new(),
            command: None,
            command_program: Ok(String::new()),
            target_pid: None,
            symbol_objects: Vec::new(),
            symbols_of_libraries: false,
            symbols_of_all_modules: false,
            timeout_ms: None,
            modinfo: Vec::new(),
            module_name: "stap_test".into(),
            stdout_is_terminal: false,
            search_path: Vec::new(),
            sysroot: None,
            tapset_roots: Vec::new(),
            kernel: Kernel { release: "6.12.0-test".into(), arch: "x86_64".into(), ..Kernel::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_sort_as_glibc_sorts_them() {
        let version = |text: &str| Version(text.to_owned());
        for later in ["5.6.1", "5.10", "6", "x"] {
            assert!(version(later).is_after(&version("5.6")), "{later}");
        }
        for earlier in ["5.6", "5.1", "4.8", "2.9"] {
            assert!(!version(earlier).is_after(&version("5.6")), "{earlier}");
        }
    }
}
