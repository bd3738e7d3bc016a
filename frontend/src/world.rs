//! The outside world as the pure crates see it: files that can be asked for, nothing else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `stat(2)` tells of a file, as far as the translator asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub mtime_ns: i128,
    /// Device and inode: two paths with the same pair are one file.
    pub identity: (u64, u64),
    /// True for a directory (symbolic links are followed).
    pub is_dir: bool,
    /// Permission bits.
    pub mode: u32,
}

/// Access to files, so that the passes stay functions of their inputs.
///
/// `src/world.rs` implements it over the operating system, [`MemoryWorld`] over a map for tests.
pub trait World: Sync {
    /// Whole contents of a regular file.
    ///
    /// # Errors
    /// Whatever opening or reading the file gives.
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>>;

    /// Names (not paths) of the entries of a directory, sorted bytewise; `.` and `..` left out.
    ///
    /// # Errors
    /// Whatever opening or reading the directory gives.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// What `stat(2)` says, `None` if there is no such file.
    fn stat(&self, path: &Path) -> Option<Stat>;

    /// `realpath(3)`, `None` if there is no such file.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;

    /// Called before work is spread over threads, so that a world which must prepare for that can.
    fn prepare_threads(&self) {}
}

/// A world made of a map from path to contents; directories follow from the paths.
#[derive(Debug, Clone, Default)]
pub struct MemoryWorld {
    files: BTreeMap<PathBuf, (Arc<[u8]>, u32)>,
}

impl MemoryWorld {
    /// A world without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file and returns the world, so that calls chain.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, contents: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), (Arc::from(contents.as_ref()), 0o644));
        self
    }

    /// The same for a file that may be executed.
    #[must_use]
    pub fn with_executable(mut self, path: impl Into<PathBuf>, contents: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.into(), (Arc::from(contents.as_ref()), 0o755));
        self
    }
}

impl World for MemoryWorld {
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.files
            .get(path)
            .map(|(contents, _)| contents.clone())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(directory).ok())
            .filter_map(|rest| rest.components().next())
            .map(|first| first.as_os_str().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() { Err(io::Error::from(io::ErrorKind::NotFound)) } else { Ok(names) }
    }

    fn stat(&self, path: &Path) -> Option<Stat> {
        if let Some((index, (_, (contents, mode)))) =
            self.files.iter().enumerate().find(|(_, (candidate, _))| candidate.as_path() == path)
        {
            let size = contents.len() as u64;
            return Some(Stat {
                size,
                mtime_ns: 0,
                identity: (0, index as u64 + 1),
                is_dir: false,
                mode: *mode,
            });
        }
        self.files.keys().any(|candidate| candidate.starts_with(path)).then_some(Stat {
            size: 0,
            mtime_ns: 0,
            identity: (1, 0),
            is_dir: true,
            mode: 0o755,
        })
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        // The working directory is the root.
        self.stat(path).map(|_| Path::new("/").join(path))
    }
}
