//! From what the command line and the environment said to one immutable [`Session`]: all validation is here.
//!
//! Two steps: [`Settings::new`] needs only words and variables (and says what is wrong with them), [`Settings::session`]
//! adds what pass 0 learned of the kernel and the runtime.

mod paths;
mod signing;

pub use paths::Paths;

use crate::args::low::{Color, DiagnosticsForm};
use crate::args::{self, ArgError, LowArgs, RcError};
use crate::render::{Filter, Form, Palette};
use crate::world::OsWorld;
use crate::world::environment::Environment;
use frontend::session::{Config, Kernel, Mode, Names, Privilege, Session, Version};
use frontend::world::World;
use runtime_shim::kernel::{KernelTree, normalize_machine, read_functions};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the script's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptSource {
    /// `-e`.
    Text(Vec<u8>),
    /// `-`.
    Stdin,
    /// A file.
    File(PathBuf),
    /// `-l`, `-L`: a probe with that pattern is made.
    Pattern(String),
    /// `--dump-*`: there is none.
    None,
}

/// What is wrong with a combination of options, in upstream's words (session.cxx: `check_options`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A combination that makes no sense; the usage hint follows.
    #[error("{0}")]
    Usage(String),
    /// An argument that must not reach make.
    #[error(transparent)]
    Argument(#[from] ArgError),
    /// Anything that `--help` would not explain.
    #[error("{0}")]
    Refused(String),
}

impl SettingsError {
    /// True if the usage hint follows the message.
    pub fn wants_hint(&self) -> bool {
        match self {
            SettingsError::Usage(_) => true,
            SettingsError::Argument(error) => error.wants_hint(),
            SettingsError::Refused(_) => false,
        }
    }
}

/// A validated command line with the surroundings it was given in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The options.
    pub low: LowArgs,
    /// Where the script is.
    pub script: ScriptSource,
    /// Script arguments.
    pub arguments: Vec<String>,
    /// Last pass to run.
    pub last_pass: u8,
    /// Level that the script is checked against.
    pub privilege: Privilege,
    /// Directories and programs.
    pub paths: Paths,
    /// Kernel release asked for; empty if the build tree must tell.
    pub release: String,
    /// Architecture in the kernel's spelling.
    pub arch: String,
    /// The program of `-c`.
    pub command_program: Result<String, &'static str>,
    /// Warnings to print before pass 1.
    pub warnings: Vec<String>,
    /// True if standard output is a terminal.
    pub stdout_is_terminal: bool,
}

impl Settings {
    /// Checks options against each other and the environment.
    ///
    /// # Errors
    /// The first objection.
    pub fn new(mut low: LowArgs, env: &Environment, world: &dyn World) -> Result<Self, SettingsError> {
        let mut warnings: Vec<String> = low
            .ignored
            .iter()
            .map(|option| format!("{option} is not supported by this version of systemtap"))
            .collect();
        if let Some(given) = &mut low.sysroot {
            *given = world.canonical(given).ok_or_else(|| {
                SettingsError::Refused(format!(
                    "ERROR: {} is an invalid directory for --sysroot",
                    given.display()
                ))
            })?;
        }
        let (script, arguments) = script_and_arguments(&mut low)?;
        let mut last_pass = low.last_pass.unwrap_or(5);
        let has_script = !low.mode.is_dump();
        let privilege = privilege(&low, env, last_pass > 4 && has_script)?;
        if low.command.is_some() && low.target_pid.is_some_and(|pid| pid != 0) {
            return Err(usage("You can't specify -c and -x together."));
        }
        if low.guru && privilege != Privilege::Developer {
            let name = privilege.name();
            return Err(usage(&format!("You can't specify -g and --privilege={name} together.")));
        }
        if let Some(directory) = env.text("TMPDIR") {
            args::check_tmpdir(&directory)?;
        }
        let paths = Paths::find(&low, env, world);
        let host = normalize_machine(&env.machine);
        let arch = low.architecture.as_deref().map_or(host, normalize_machine).to_owned();
        let release = paths.release(&low, env, world).map_err(SettingsError::Refused)?;
        if last_pass > 4 && has_script && (release != env.release || arch != host) {
            warnings.push("kernel release/architecture mismatch with host forces last-pass 4.".into());
            last_pass = 4;
        }
        if last_pass > 4 && has_script && signing::required(env, world) {
            return Err(SettingsError::Refused(signing::REFUSAL.to_owned()));
        }
        if low.emit_staprun.is_some() && last_pass < 4 {
            return Err(usage("You can't specify --emit-staprun and a last pass before 4 together."));
        }
        Ok(Settings {
            script,
            arguments,
            last_pass,
            privilege,
            paths,
            release,
            arch,
            command_program: program_of(low.command.as_deref().unwrap_or_default(), env),
            warnings,
            stdout_is_terminal: env.stdout_is_terminal,
            low,
        })
    }

    /// The session, once the runtime's level and the kernel are known.
    ///
    /// # Errors
    /// If `--compatible` names a version after the runtime's.
    pub fn session(&self, level: &str, tree: &KernelTree) -> Result<Session, SettingsError> {
        let low = &self.low;
        let version = Version(level.to_owned());
        let compatible = Version(low.compatible.clone().unwrap_or_else(|| level.to_owned()));
        if compatible.is_after(&version) {
            return Err(SettingsError::Refused(format!(
                "ERROR: systemtap version {version} cannot be compatible with future version {compatible}"
            )));
        }
        let mut macros = low.macros.clone();
        if low.suppress_handler_errors {
            macros.push("STAP_SUPPRESS_HANDLER_ERRORS".into());
        }
        if low.suppress_time_limits {
            macros.push("STAP_SUPPRESS_TIME_LIMITS_ENABLE".into());
        }
        Ok(Session {
            version,
            compatible,
            verbosity: low.verbosity,
            last_pass: self.last_pass,
            mode: low.mode,
            guru: low.guru,
            unoptimized: low.unoptimized,
            timing: low.timing,
            bulk: low.bulk,
            suppress_warnings: low.suppress_warnings,
            warnings_are_errors: low.warnings_are_errors,
            suppress_handler_errors: low.suppress_handler_errors,
            suppress_time_limits: low.suppress_time_limits,
            skip_badvars: low.skip_badvars,
            global_var_display: !low.no_global_var_display,
            semantic_keep_going: low.semantic_keep_going,
            check_version: low.check_version,
            privilege: self.privilege,
            arguments: self.arguments.clone(),
            global_overrides: low.globals.clone(),
            macros,
            command: low.command.clone(),
            command_program: self.command_program.clone(),
            target_pid: low.target_pid,
            symbol_objects: low.symbol_objects.clone(),
            symbols_of_libraries: low.symbols_of_libraries,
            symbols_of_all_modules: low.symbols_of_all_modules,
            timeout_ms: low.timeout_ms,
            modinfo: low.modinfo.clone(),
            module_name: self.module_name(level, &tree.release),
            stdout_is_terminal: self.stdout_is_terminal,
            search_path: self.search_path(),
            sysroot: low.sysroot.clone(),
            tapset_roots: self.paths.tapset_roots.clone(),
            kernel: Kernel {
                release: tree.release.clone(),
                arch: tree.arch.clone(),
                config: {
                    let config = tree.config.clone();
                    Config::lazily(config.identity.clone(), move || config.text().to_owned())
                },
                exports: {
                    let exports = tree.exports.clone();
                    Names::shared(move || Arc::clone(&exports))
                },
                functions: {
                    let table = tree.function_table.clone();
                    Names::lazily(move || {
                        table.map_or_else(BTreeSet::new, |table| read_functions(&OsWorld, &table))
                    })
                },
            },
        })
    }

    /// Where `process("name")` looks: `PATH` as the target has it, by the last `--sysenv` that sets it, else our own.
    fn search_path(&self) -> Vec<PathBuf> {
        match self.low.sysenv.iter().rev().find(|(name, _)| name == "PATH") {
            Some((_, list)) => std::env::split_paths(list).collect(),
            None => self.paths.search.clone(),
        }
    }

    /// `-m`, or a name that depends on everything the user said and on nothing else, so that equal runs give equal C
    /// (upstream: the cache's hash and its length, hash.cxx).
    fn module_name(&self, level: &str, release: &str) -> String {
        if let Some(name) = &self.low.module_name {
            return name.clone();
        }
        let low = &self.low;
        let text = match &self.script {
            ScriptSource::File(path) => path.as_os_str().as_bytes().to_vec(),
            ScriptSource::Text(text) => text.clone(),
            ScriptSource::Pattern(pattern) => pattern.clone().into_bytes(),
            ScriptSource::Stdin | ScriptSource::None => Vec::new(),
        };
        let told = format!(
            "{level} {release} {:?} {text:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            (low.guru, low.unoptimized, low.timing, low.bulk, low.skip_badvars, low.no_global_var_display),
            self.arguments,
            low.extra_scripts,
            low.macros,
            low.compatible,
            low.globals,
            low.timeout_ms,
            (&low.modinfo, self.privilege.name(), low.suppress_handler_errors, low.suppress_time_limits),
            (&low.command, low.target_pid, &self.paths.tapset_roots, &self.paths.runtime),
            (&low.symbol_objects, low.symbols_of_libraries, low.symbols_of_all_modules),
        );
        let hash = blake3::hash(told.as_bytes()).to_hex();
        format!("stap_{}_{}", &hash[..32], told.len())
    }

    /// Which diagnostics are printed.
    pub fn filter(&self) -> Filter {
        Filter {
            verbosity: self.low.verbosity[0],
            dump_mode: self.low.mode.is_dump(),
            suppress_warnings: self.low.suppress_warnings,
            warnings_are_errors: self.low.warnings_are_errors,
            keep_going: self.low.semantic_keep_going,
        }
    }
}

/// How diagnostics are printed: as asked, or rich on a terminal and upstream's form elsewhere. A program that reads
/// what stap prints may give it a terminal (expect does), but then says that the terminal is a dumb one.
pub fn form(low: &LowArgs, env: &Environment) -> Form {
    let smart = env.text("TERM").is_none_or(|term| term != "dumb");
    let color = match low.color.unwrap_or_default() {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => env.stderr_is_terminal && smart,
    };
    let kind = match low.diagnostics {
        Some(kind) => kind,
        None if env.stderr_is_terminal && smart => DiagnosticsForm::Rich,
        None => DiagnosticsForm::Stap,
    };
    match kind {
        DiagnosticsForm::Stap if color => Form::Stap(Palette::parse(env.text("SYSTEMTAP_COLORS").as_deref())),
        DiagnosticsForm::Stap => Form::Stap(Palette::none()),
        DiagnosticsForm::Rich => Form::Rich(color),
        DiagnosticsForm::Json => Form::Json,
    }
}

fn usage(message: &str) -> SettingsError {
    SettingsError::Usage(message.to_owned())
}

/// The first word is the script unless there is one already; the others are its arguments.
fn script_and_arguments(low: &mut LowArgs) -> Result<(ScriptSource, Vec<String>), SettingsError> {
    let mut words = std::mem::take(&mut low.words).into_iter();
    if low.mode.is_dump() {
        let wrong = match (&low.script, low.last_pass) {
            (Some(_), _) => Some("Cannot specify a script with -l/-L/--dump-* switches."),
            (None, Some(1..=4)) => Some("Cannot specify -p with -l/-L/--dump-* switches."),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(usage(wrong));
        }
    }
    let script = match (&low.script, low.mode) {
        (Some(text), _) => ScriptSource::Text(text.as_bytes().to_vec()),
        (None, Mode::List | Mode::ListVariables) => ScriptSource::Pattern(low.pattern.clone()),
        (None, mode) if mode.is_dump() => ScriptSource::None,
        (None, _) => match words.next() {
            None => {
                let hint = "Try '-i' for building a script interactively.";
                return Err(usage(&format!("A script must be specified.\n{hint}")));
            }
            Some(word) if word.as_bytes() == b"-" => ScriptSource::Stdin,
            Some(word) => ScriptSource::File(word.into()),
        },
    };
    Ok((script, words.map(|word: OsString| word.to_string_lossy().into_owned()).collect()))
}

/// The first word of a command line, as the shell would split it without running anything.
fn program_of(command: &str, env: &Environment) -> Result<String, &'static str> {
    match args::split_rc(command, &|name| env.text(name)) {
        Ok(words) => Ok(words.into_iter().next().map(|word| word.text).unwrap_or_default()),
        Err(RcError::Special) => Err("command contains illegal characters"),
        Err(RcError::Undefined) => Err("command contains undefined shell variables"),
        Err(RcError::Command) => Err("command contains command substitutions"),
        Err(RcError::Quote) => Err("command contains shell syntax errors"),
    }
}

/// The level that the script is checked against: as asked, or what the user may load (session.cxx: `check_options`).
fn privilege(low: &LowArgs, env: &Environment, to_run: bool) -> Result<Privilege, SettingsError> {
    if !to_run || env.uid == 0 || env.is_in("stapdev") {
        return Ok(low.privilege.unwrap_or(Privilege::Developer));
    }
    let member = |name: &str| env.is_in(name);
    if !member("stapusr") && !member("stapsys") {
        return Err(usage(
            "You are trying to run systemtap as a normal user.\n\
             You should either be root, or be part of the group \"stapusr\" and possibly one of the groups \
             \"stapsys\" or \"stapdev\".  [man stap]\n\
             Run it with sudo, or stop before the run with -p4.",
        ));
    }
    let level = if member("stapsys") { "stapsys" } else { "stapusr" };
    Err(SettingsError::Refused(format!(
        "For users with the privilege level {level}, the module created by compiling your script must be signed by a \
         trusted systemtap compile-server.  [man stap-server]\n\
         Compile servers are not supported by this version of systemtap: run it as root, or join the group \
         \"stapdev\"."
    )))
}

#[cfg(test)]
mod tests;
