//! What the process was started with, as a value: variables, host, user, terminals.

use nix::unistd::{Group, getegid, getgroups, getuid};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Surroundings of a run. Tests make their own.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, OsString>,
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Real user id.
    pub uid: u32,
    /// Which of the groups stapusr, stapsys and stapdev the user is in, once somebody has asked.
    pub groups: OnceLock<Vec<String>>,
    /// Working directory.
    pub directory: PathBuf,
    /// True if standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// True if standard error is a terminal.
    pub stderr_is_terminal: bool,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let (release, machine) = match nix::sys::utsname::uname() {
            Ok(names) => (
                names.release().to_string_lossy().into_owned(),
                names.machine().to_string_lossy().into_owned(),
            ),
            Err(_) => (String::new(), std::env::consts::ARCH.to_owned()),
        };
        Environment {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
            release,
            machine,
            uid: getuid().as_raw(),
            groups: OnceLock::new(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Whether the user is in one of the groups stapusr, stapsys and stapdev. The groups of the machine are looked up
    /// when this is first asked: that takes longer than a short run, and root is not asked.
    pub fn is_in(&self, group: &str) -> bool {
        let look_up = || {
            let mut ids = getgroups().unwrap_or_default();
            ids.push(getegid());
            let is_in = |name: &&str| {
                Group::from_name(name).ok().flatten().is_some_and(|group| ids.contains(&group.gid))
            };
            ["stapusr", "stapsys", "stapdev"].into_iter().filter(is_in).map(Into::into).collect()
        };
        self.groups.get_or_init(look_up).iter().any(|name| name == group)
    }

    /// A variable as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A variable as a path, `None` if it is not set or empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }
}
