//! The temporary directory of a run: removed when the run ends, however it ends, unless `-k` keeps it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Directory that is still to be removed; the signal thread removes it when it gives up waiting.
static PENDING: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A directory for the files of passes 3 and 4.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    fate: Fate,
}

/// What becomes of the directory at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Removed,
    /// Stays, and the user is told where.
    Kept,
    /// Stays: the user named it.
    Foreign,
}

impl Scratch {
    /// Makes `stapXXXXXX` in `parent`, readable by the user alone.
    ///
    /// # Errors
    /// Whatever making the directory gives.
    pub fn create(parent: &Path, keep: bool) -> io::Result<Self> {
        let path = tempfile::Builder::new().prefix("stap").rand_bytes(6).tempdir_in(parent)?.keep();
        if !keep {
            *PENDING.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
        }
        Ok(Scratch { path, fate: if keep { Fate::Kept } else { Fate::Removed } })
    }

    /// Uses a directory of the user's, which stays (`--tmpdir`).
    ///
    /// # Errors
    /// Whatever making a missing directory gives.
    pub fn existing(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Scratch { path: path.canonicalize()?, fate: Fate::Foreign })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match self.fate {
            Fate::Removed => remove_pending(),
            Fate::Kept => eprintln!("Keeping temporary directory \"{}\"", self.path.display()),
            Fate::Foreign => {}
        }
    }
}

/// Removes the directory of the run, if there is one that is not kept.
pub fn remove_pending() {
    let pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(path) = pending {
        // Nobody is left to tell, and nothing to be done about it.
        let _ = std::fs::remove_dir_all(path);
    }
}
