//! What the command line said, as plain data: nothing is looked up, opened or checked against anything else here.

use frontend::session::{Mode, Privilege};
use std::ffi::OsString;
use std::path::PathBuf;

/// Something to do instead of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// `-h`, `--help`.
    Help,
    /// `-V`, `--version`.
    Version,
    /// `--clean-cache`.
    CleanCache,
    /// `--list-repairs`.
    ListRepairs,
    /// `--print-runtime-profile`.
    RuntimeProfile,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form in which diagnostics are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiagnosticsForm {
    /// As upstream prints them to a file.
    Stap,
    /// With frames, labels, notes and help.
    Rich,
    /// One JSON object for each line.
    Json,
}

/// Every option as given. Fields are named after what the option means, see the flag tables for the options.
#[derive(Debug, Clone, Default)]
pub struct LowArgs {
    /// Instead of a run.
    pub special: Option<Special>,
    /// `-v` and `--vp`, by pass.
    pub verbosity: [u32; 5],
    /// How many `-v`.
    pub verbose: u32,
    /// `-p`.
    pub last_pass: Option<u8>,
    /// `-l`, `-L`, `--dump-*`.
    pub mode: Mode,
    /// Pattern of `-l` and `-L`.
    pub pattern: String,
    /// `-e`.
    pub script: Option<OsString>,
    /// `-E`, in order.
    pub extra_scripts: Vec<OsString>,
    /// `--example`.
    pub example: bool,
    /// Words that are no options, in order: the script file first unless `-e` or a dump mode is active.
    pub words: Vec<OsString>,
    /// `-k`.
    pub keep: bool,
    /// `-g`.
    pub guru: bool,
    /// `-u`.
    pub unoptimized: bool,
    /// `-w`, and the dump modes that imply it.
    pub suppress_warnings: bool,
    /// `-W`.
    pub warnings_are_errors: bool,
    /// `-t`.
    pub timing: bool,
    /// `-b`.
    pub bulk: bool,
    /// `-T`, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// `-s`, in megabytes.
    pub buffer_size: Option<u32>,
    /// `-I`, in order.
    pub include: Vec<PathBuf>,
    /// `-D`, in order.
    pub macros: Vec<String>,
    /// `-B`, in order.
    pub kbuild_words: Vec<String>,
    /// `-G`, in order.
    pub globals: Vec<(String, String)>,
    /// `--modinfo`, in order.
    pub modinfo: Vec<(String, String)>,
    /// `-R`.
    pub runtime: Option<PathBuf>,
    /// `-r`.
    pub release: Option<String>,
    /// `-a`.
    pub architecture: Option<String>,
    /// `-m`, its suffix gone.
    pub module_name: Option<String>,
    /// `-o`.
    pub output: Option<OsString>,
    /// `-c`.
    pub command: Option<String>,
    /// `-x`.
    pub target_pid: Option<u32>,
    /// `-d`, in order.
    pub symbol_objects: Vec<String>,
    /// `--ldd`.
    pub symbols_of_libraries: bool,
    /// `--all-modules`.
    pub symbols_of_all_modules: bool,
    /// `-F`.
    pub flight_recorder: bool,
    /// `-S`.
    pub file_sizes: Option<String>,
    /// `--skip-badvars`.
    pub skip_badvars: bool,
    /// `--compatible`.
    pub compatible: Option<String>,
    /// `--check-version`.
    pub check_version: bool,
    /// `--privilege`, `--unprivileged`.
    pub privilege: Option<Privilege>,
    /// `--suppress-handler-errors`.
    pub suppress_handler_errors: bool,
    /// `--suppress-time-limits`.
    pub suppress_time_limits: bool,
    /// `--semantic-keep-going`.
    pub semantic_keep_going: bool,
    /// `--no-global-var-display`.
    pub no_global_var_display: bool,
    /// `--color`.
    pub color: Option<Color>,
    /// `--sysroot`.
    pub sysroot: Option<PathBuf>,
    /// `--sysenv`, in order.
    pub sysenv: Vec<(String, String)>,
    /// `--tmpdir`.
    pub tmpdir: Option<PathBuf>,
    /// `--disable-cache`.
    pub disable_cache: bool,
    /// `--poison-cache`.
    pub poison_cache: bool,
    /// `--debug`.
    pub debug: bool,
    /// `--target-namespaces`.
    pub namespaces_pid: Option<u32>,
    /// `--rlimit-*`.
    pub rlimits: Vec<(Rlimit, u64)>,
    /// `--client-options`.
    pub client_options: bool,
    /// `--diagnostics`.
    pub diagnostics: Option<DiagnosticsForm>,
    /// `--emit-staprun`.
    pub emit_staprun: Option<PathBuf>,
    /// `--strict-warnings`.
    pub strict_warnings: bool,
    /// Options that were given although this version does nothing with them, as spelled.
    pub ignored: Vec<String>,
    /// Notes of the parser that are no errors (`Truncating module name...`).
    pub remarks: Vec<String>,
}

/// A resource that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rlimit {
    /// Address space, bytes.
    AddressSpace,
    /// CPU time, seconds.
    Cpu,
    /// Processes.
    Processes,
    /// Stack, bytes.
    Stack,
    /// File size, bytes.
    FileSize,
}

impl Rlimit {
    /// The option's name without dashes.
    pub fn name(self) -> &'static str {
        match self {
            Rlimit::AddressSpace => "rlimit-as",
            Rlimit::Cpu => "rlimit-cpu",
            Rlimit::Processes => "rlimit-nproc",
            Rlimit::Stack => "rlimit-stack",
            Rlimit::FileSize => "rlimit-fsize",
        }
    }
}
