//! The operating system behind the pure crates: files, directories, the environment, and the programs that are run.

pub mod children;
pub mod environment;
pub mod scratch;
pub mod workers;

use frontend::world::{Stat, World};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files as they are on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsWorld;

impl World for OsWorld {
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        std::fs::read(path).map(Arc::from)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            // A name that is no UTF-8 cannot be asked for again, so it is left out.
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn stat(&self, path: &Path) -> Option<Stat> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Stat {
            size: meta.size(),
            mtime_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
            identity: (meta.dev(), meta.ino()),
            is_dir: meta.is_dir(),
            mode: meta.permissions().mode() & 0o7777,
        })
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        std::fs::canonicalize(path).ok()
    }

    fn prepare_threads(&self) {
        workers::start();
    }
}

impl runtime_shim::files::Files for OsWorld {
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }

    fn is_readable(&self, path: &Path) -> bool {
        std::fs::File::open(path).is_ok()
    }

    fn list(&self, directory: &Path) -> Vec<String> {
        World::list(self, directory).unwrap_or_default()
    }

    fn stat(&self, path: &Path) -> Option<runtime_shim::files::Stat> {
        let stat = World::stat(self, path)?;
        Some(runtime_shim::files::Stat { size: stat.size, mtime_ns: stat.mtime_ns })
    }
}
