//! What can go wrong in the lab, each with the words a user needs.

use std::io;

/// A result whose error is a [`LabError`].
pub type Result<T> = std::result::Result<T, LabError>;

/// Why the lab could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file or process operation failed; `doing` says which, in a phrase such as "reading /x".
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A command that must succeed did not.
    #[error("`{command}` failed ({status}){tail}")]
    Command {
        /// The command, as a person would type it.
        command: String,
        /// How it ended.
        status: String,
        /// Its last words, each on a line of its own, or nothing.
        tail: String,
    },
    /// The user is not root, and `what` cannot be done without it.
    #[error(
        "{what} needs root (the lab makes Debian roots, mounts and chroots).\n\
         Run the same command as root, for instance: sudo -E env \"PATH=$PATH\" cargo lab ..."
    )]
    NotRoot {
        /// What needs root.
        what: String,
    },
    /// apt on this machine knows no Debian mirror.
    #[error(
        "apt on this machine is not set up with a Debian mirror, so the lab does not know where to get {suite} \
         from.\nName one in the environment: RSTAP_LAB_MIRROR=<address of a Debian mirror>"
    )]
    NoMirror {
        /// The wanted suite.
        suite: &'static str,
    },
    /// A finished root has no kernel with headers.
    #[error("{root} has no kernel with headers: remove that folder, and run the command again")]
    NoKernel {
        /// The root's folder.
        root: String,
    },
    /// The VM went away before it could run anything.
    #[error("the VM of {root} did not come up within {seconds} s; the last lines of its console:\n{console}")]
    NoBoot {
        /// The root's suite.
        root: &'static str,
        /// The limit that was given to it.
        seconds: u64,
        /// The end of the console's text.
        console: String,
    },
    /// A file that the lab needs has unexpected content.
    #[error("{what}")]
    Unexpected {
        /// What was expected and what was found.
        what: String,
    },
    /// The user interrupted the lab.
    #[error("interrupted")]
    Interrupted,
}

/// Adds "doing what" to input/output errors.
pub trait IoContext<T> {
    /// Turns an error into [`LabError::Io`]; `doing` is called only on failure.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| LabError::Io { doing: doing(), source })
    }
}

impl<T> IoContext<T> for nix::Result<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|errno| LabError::Io { doing: doing(), source: errno.into() })
    }
}
