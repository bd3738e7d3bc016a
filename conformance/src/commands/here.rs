//! The user's folder inside a root.

use std::path::{Path, PathBuf};

use anyhow::Context;
use conformance::lab::enter::{Entry, Tmp};
use conformance::lab::progress::say;

/// Where the user is, and where that is inside the root and the VM.
pub struct Place {
    /// The folder to show, if the user's folder can be shown at all.
    pub host: Option<PathBuf>,
    /// The folder's name inside.
    pub inside: PathBuf,
}

/// Folders that a root has of its own; showing the host's there would hide the root's.
const OWN_TREES: &[&str] =
    &["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr"];
/// The same, but folders inside them may be shown.
const OWN_FOLDERS: &[&str] = &["/", "/home", "/mnt", "/root", "/tmp", "/var", "/var/lib"];

impl Place {
    /// The current directory.
    ///
    /// # Errors
    /// There is none.
    pub fn here() -> anyhow::Result<Place> {
        let cwd = std::env::current_dir().context("finding the current directory")?;
        let own = OWN_FOLDERS.iter().any(|own| cwd == Path::new(own))
            || OWN_TREES.iter().any(|own| cwd.starts_with(own));
        Ok(match own {
            true if cwd == Path::new("/tmp") => Place { host: None, inside: cwd },
            true => {
                say(&format!("{} cannot be shown inside the root; working in /tmp there", cwd.display()));
                Place { host: None, inside: "/tmp".into() }
            }
            false => Place { host: Some(cwd.clone()), inside: cwd },
        })
    }

    /// An entry that starts there, with the host's `/tmp`.
    pub fn enter(&self, entry: Entry) -> Entry {
        let entry = entry.tmp(Tmp::OfHost).cwd(&self.inside);
        match &self.host {
            Some(host) => entry.bind(host, &self.inside),
            None => entry,
        }
    }
}
