//! Our cache folder: answers of the runtime's feature tests and built modules, each under the hash of everything
//! that it depends on. A cache that cannot be used costs time and nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most that the modules may take, in bytes (upstream's `cache_mb_limit` default).
const LIMIT: u64 = 256 << 20;

/// The folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// A cache below that directory, which is made when something is first stored.
    pub fn new(root: &Path) -> Self {
        Cache { root: root.to_path_buf() }
    }

    /// Stored answers of feature tests.
    pub fn stapconf(&self, key: &str) -> Option<String> {
        fs::read_to_string(self.root.join("stapconf").join(format!("{key}.h"))).ok()
    }

    /// Stores answers of feature tests.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn put_stapconf(&self, key: &str, header: &str) -> io::Result<()> {
        let path = self.root.join("stapconf").join(format!("{key}.h"));
        self.put(&path, header.as_bytes())
    }

    /// Path of a stored module.
    pub fn module(&self, key: &str, name: &str) -> Option<PathBuf> {
        let path = self.module_path(key, name);
        fs::metadata(&path).ok().filter(|meta| meta.is_file() && meta.len() > 0).map(|_| path)
    }

    /// Stores a module and returns its path there. The file keeps the module's name: staprun goes by it.
    ///
    /// # Errors
    /// Whatever reading or writing gives.
    pub fn put_module(&self, key: &str, name: &str, module: &Path) -> io::Result<PathBuf> {
        let path = self.module_path(key, name);
        self.put(&path, &fs::read(module)?)?;
        self.trim(&path);
        Ok(path)
    }

    fn module_path(&self, key: &str, name: &str) -> PathBuf {
        self.root.join("modules").join(key).join(format!("{name}.ko"))
    }

    /// Writes beside and renames, so that no reader ever sees half a file.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the oldest modules until the rest fits, never the one just stored.
    fn trim(&self, newest: &Path) {
        let Ok(entries) = fs::read_dir(self.root.join("modules")) else { return };
        let mut groups: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let directory = entry.ok()?.path();
                let size = fs::read_dir(&directory).ok()?.flatten();
                let size = size.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
                Some((fs::metadata(&directory).ok()?.modified().ok()?, size, directory))
            })
            .collect();
        groups.sort();
        let mut total: u64 = groups.iter().map(|(_, size, _)| size).sum();
        for (_, size, directory) in groups {
            if total <= LIMIT {
                break;
            }
            if !newest.starts_with(&directory) && fs::remove_dir_all(&directory).is_ok() {
                total -= size;
            }
        }
    }

    /// Removes everything (`--clean-cache`).
    ///
    /// # Errors
    /// Whatever removing gives, except that there was nothing.
    pub fn clean(&self) -> io::Result<()> {
        for name in ["stapconf", "modules"] {
            match fs::remove_dir_all(self.root.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found_until_it_is_cleaned() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(&directory.path().join("c"));
        assert_eq!(cache.stapconf("k"), None);
        cache.clean().unwrap();
        cache.put_stapconf("k", "text").unwrap();
        assert_eq!(cache.stapconf("k").as_deref(), Some("text"));
        let module = directory.path().join("m.ko");
        fs::write(&module, "ELF").unwrap();
        let stored = cache.put_module("k", "m", &module).unwrap();
        assert_eq!(cache.module("k", "m"), Some(stored.clone()));
        assert!(stored.ends_with("k/m.ko"));
        assert_eq!(cache.module("other", "m"), None);
        cache.clean().unwrap();
        assert_eq!(cache.module("k", "m"), None);
    }
}
