//! The only way this crate sees files: a reader given by the driver, and one in memory for tests.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What identifies one state of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Size in bytes.
    pub size: u64,
    /// Last modification, nanoseconds since the epoch.
    pub mtime_ns: i128,
}

/// Read access to files. The driver implements it over the operating system (symbolic links are followed);
/// tests use [`MemoryFiles`]. Every method treats an unreadable file as an absent one. What is read from a directory or a
/// tree is read when it is first asked for, so the readers keep a [`Files`] of their own.
pub trait Files: fmt::Debug + Send + Sync {
    /// The whole content, or `None` if the file cannot be read.
    fn read(&self, path: &Path) -> Option<Vec<u8>>;
    /// The names (not paths) in a directory, sorted; empty if it cannot be listed.
    fn list(&self, dir: &Path) -> Vec<String>;
    /// Size and time of a file or directory, or `None` if there is none.
    fn stat(&self, path: &Path) -> Option<Stat>;

    /// Whether the content can be read.
    fn is_readable(&self, path: &Path) -> bool {
        self.read(path).is_some()
    }

    /// Whether `path` is there, as a file or a directory.
    fn exists(&self, path: &Path) -> bool {
        self.stat(path).is_some()
    }

    /// The content as text, with what is not UTF-8 replaced.
    fn text(&self, path: &Path) -> Option<String> {
        self.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Files held in memory, by absolute path. Directories exist when some file is below them.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MemoryFiles {
    /// No files at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds (or replaces) one file and gives the set back, so that calls can be chained.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }

    /// Removes one file and gives the set back.
    #[must_use]
    pub fn without(mut self, path: impl AsRef<Path>) -> Self {
        self.files.remove(path.as_ref());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.files.get(path).cloned()
    }

    fn list(&self, dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(dir).ok()?.components().next())
            .map(|name| name.as_os_str().to_string_lossy().into_owned())
            .collect();
        // Keys are sorted, so equal first components are neighbours.
        names.dedup();
        names
    }

    fn stat(&self, path: &Path) -> Option<Stat> {
        if let Some(content) = self.files.get(path) {
            return Some(Stat { size: content.len() as u64, mtime_ns: 0 });
        }
        let below = self.files.keys().any(|file| file.starts_with(path));
        below.then_some(Stat { size: 0, mtime_ns: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_from_the_files_below_them() {
        let files = MemoryFiles::new().with("/r/b/x.c", "1").with("/r/b/y.c", "22").with("/r/a.h", "");
        assert_eq!(files.list(Path::new("/r")), ["a.h", "b"]);
        assert!(files.exists(Path::new("/r/b")));
        assert!(!files.exists(Path::new("/r/c")));
        assert_eq!(files.stat(Path::new("/r/b/y.c")), Some(Stat { size: 2, mtime_ns: 0 }));
    }
}
