//! Our cache folder: answers of the runtime's feature tests and built modules, each under the hash of everything
//! that it depends on. A cache that cannot be used costs time and nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most that the modules may take, in MiB, unless a file of that name says something else (cache.cxx: `clean_cache`).
const LIMIT: u64 = 256;
const LIMIT_FILE: &str = "cache_mb_limit";

/// Most indexes of tapsets that are kept: one for each kernel, set of options and runtime that was used lately.
const INDEXES: usize = 16;

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

    /// Stores a module and returns its path there. The file keeps the module's name: staprun goes by it. Beside it
    /// stands `why`, the inputs of the key, for whoever wonders why something was built again.
    ///
    /// # Errors
    /// Whatever reading or writing gives.
    pub fn put_module(&self, key: &str, name: &str, module: &Path, why: &str) -> io::Result<PathBuf> {
        let path = self.module_path(key, name);
        self.put(&path.with_extension("log"), why.as_bytes())?;
        self.put(&path, &fs::read(module)?)?;
        self.trim(&path);
        Ok(path)
    }

    fn module_path(&self, key: &str, name: &str) -> PathBuf {
        self.root.join("modules").join(key).join(format!("{name}.ko"))
    }

    /// A stored index of a tapset, which counts as used now.
    pub fn index(&self, name: &str) -> Option<memmap2::Mmap> {
        let file = fs::File::open(self.root.join("tapset").join(name)).ok()?;
        // In a cache of somebody else's it stays as old as it is.
        let _ = file.set_modified(SystemTime::now());
        // SAFETY: the mapping is read only, and nobody writes into a file of the cache after it has got its name: it is
        // replaced by renaming ([`Cache::put`]), which leaves the old contents to those who have them mapped.
        unsafe { memmap2::Mmap::map(&file) }.ok()
    }

    /// Stores the index of a tapset.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn put_index(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let directory = self.root.join("tapset");
        self.put(&directory.join(name), bytes)?;
        let mut indexes: Vec<(SystemTime, PathBuf)> = fs::read_dir(&directory)?
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((fs::metadata(&path).ok()?.modified().ok()?, path))
            })
            .collect();
        indexes.sort();
        let surplus = indexes.len().saturating_sub(INDEXES);
        indexes.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
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

    /// Most that the modules may take, in bytes.
    fn limit(&self) -> u64 {
        let text = fs::read_to_string(self.root.join(LIMIT_FILE)).ok();
        let limit = text.and_then(|text| text.trim().parse().ok()).unwrap_or(LIMIT);
        limit.saturating_mul(1 << 20)
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
        let limit = self.limit();
        let mut total: u64 = groups.iter().map(|(_, size, _)| size).sum();
        for (_, size, directory) in groups {
            if total <= limit {
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
        for name in ["stapconf", "modules", "tapset"] {
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
    fn the_indexes_used_last_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        assert!(cache.index("a").is_none());
        for number in 0..INDEXES + 3 {
            cache.put_index(&number.to_string(), b"bytes").unwrap();
            assert!(cache.index("0").is_some());
        }
        assert_eq!(fs::read_dir(directory.path().join("tapset")).unwrap().count(), INDEXES);
        assert!(cache.index("1").is_none());
        assert_eq!(&cache.index(&(INDEXES + 2).to_string()).unwrap()[..], b"bytes");
    }

    #[test]
    fn the_oldest_modules_go_when_the_limit_is_reached() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        let module = directory.path().join("m.ko");
        fs::write(&module, vec![1; 700 << 10]).unwrap();
        let store = |key: &str| {
            let stored = cache.put_module(key, "m", &module, "").unwrap();
            let past = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(key.as_bytes()[0]));
            fs::File::open(stored.parent().unwrap()).unwrap().set_modified(past).unwrap();
        };
        let kept = || ["a", "b", "c"].map(|key| cache.module(key, "m").is_some());
        store("a");
        store("b");
        assert_eq!(kept(), [true, true, false]);
        fs::write(directory.path().join(LIMIT_FILE), "2\n").unwrap();
        store("c");
        assert_eq!(kept(), [false, true, true]);
        fs::write(directory.path().join(LIMIT_FILE), "0").unwrap();
        store("a");
        assert_eq!(kept(), [true, false, false]);
    }

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
        let stored = cache.put_module("k", "m", &module, "because").unwrap();
        assert_eq!(cache.module("k", "m"), Some(stored.clone()));
        assert!(stored.ends_with("k/m.ko"));
        assert_eq!(cache.module("other", "m"), None);
        cache.clean().unwrap();
        assert_eq!(cache.module("k", "m"), None);
    }
}
