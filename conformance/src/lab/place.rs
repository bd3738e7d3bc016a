//! Where the lab keeps what it made: one folder in the user's cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};

use super::{IoContext, LabError, Result};

/// The lab's folder. Everything below it can be deleted; it is made again when needed.
#[derive(Clone, Debug)]
pub struct Lab {
    cache: PathBuf,
}

impl Lab {
    /// The lab in `$XDG_CACHE_HOME/rstap`, or `~/.cache/rstap` (XDG base directory specification).
    ///
    /// # Errors
    /// Neither variable is set, or the folder cannot be made.
    pub fn open() -> Result<Lab> {
        let from_env =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = from_env("XDG_CACHE_HOME")
            .or_else(|| from_env("HOME").map(|home| home.join(".cache")))
            .ok_or_else(|| LabError::Unexpected {
            what: "neither XDG_CACHE_HOME nor HOME is set".into(),
        })?;
        Lab::at(cache.join("rstap"))
    }

    /// The lab in a given folder, which is made if it is missing.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn at(cache: PathBuf) -> Result<Lab> {
        fs::create_dir_all(&cache).doing(|| format!("making {}", cache.display()))?;
        Ok(Lab { cache })
    }

    /// The folder of a root, made or not.
    pub fn root_dir(&self, suite: super::Suite) -> PathBuf {
        self.cache.join("roots").join(suite.name())
    }

    /// A folder for what belongs to VMs: initrds and the answers of acceleration probes.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn vm_dir(&self) -> Result<PathBuf> {
        self.sub("vm")
    }

    /// A folder for cached verdicts of stap on upstream's tests.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn verdict_dir(&self) -> Result<PathBuf> {
        self.sub("verdicts")
    }

    /// A folder for what the tools keep between runs of upstream's tests: modules, above all.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn suite_dir(&self) -> Result<PathBuf> {
        self.sub("suite")
    }

    /// A new temporary folder below the lab's, on the same file system as the roots; removed when dropped.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn scratch(&self, purpose: &str) -> Result<tempfile::TempDir> {
        let parent = self.sub("scratch")?;
        remove_forgotten(&parent);
        tempfile::Builder::new()
            .prefix(&format!("{purpose}-"))
            .tempdir_in(&parent)
            .doing(|| format!("making a folder in {}", parent.display()))
    }

    /// Takes the lock `name`, waiting for another `cargo lab` that has it; released when dropped. Programs that
    /// are started meanwhile inherit it: when a lab command is killed, what it started goes on for a while, and the
    /// next command waits for that too.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn lock(&self, name: &str) -> Result<Flock<File>> {
        let path = self.sub("locks")?.join(name);
        let locking = || format!("locking {}", path.display());
        let open = || File::create(&path).doing(locking);
        let lock = match Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err(_) => {
                eprintln!(
                    "lab: waiting for another lab command, or for what it started, to finish with {name}"
                );
                Flock::lock(open()?, FlockArg::LockExclusive).map_err(|(_, errno)| errno).doing(locking)?
            }
        };
        fcntl(&*lock, FcntlArg::F_SETFD(FdFlag::empty())).doing(locking)?;
        Ok(lock)
    }

    fn sub(&self, name: &str) -> Result<PathBuf> {
        let dir = self.cache.join(name);
        fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
        Ok(dir)
    }
}

/// Removes scratch folders that a killed lab command left a day ago or earlier. That one cannot be removed is no
/// reason not to go on.
fn remove_forgotten(scratch: &Path) {
    let day = Duration::from_secs(24 * 3600);
    let is_old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > day)
    };
    for entry in fs::read_dir(scratch).into_iter().flatten().flatten().filter(is_old) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Writes a file so that another process sees either nothing or all of it.
///
/// # Errors
/// The file cannot be written beside `path` or renamed to it.
pub fn write_whole(path: &Path, text: &[u8]) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".part{}", std::process::id()));
    fs::write(&part, text).doing(|| format!("writing {}", path.display()))?;
    fs::rename(&part, path).doing(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    #[test]
    fn when_the_lab_dies_what_it_started_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lab = Lab::at(dir.path().to_owned()).unwrap();
        let lock = lab.lock("x").unwrap();
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        // Closing without unlocking is what the death of this process would do.
        let descriptor = lock.as_raw_fd();
        std::mem::forget(lock);
        nix::unistd::close(descriptor).unwrap();
        let file = File::open(dir.path().join("locks/x")).unwrap();
        assert!(Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
