//! stap's outcomes, kept between runs: they do not change while stap, its root and the tests do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{GROUPS, Outcome, Test};
use crate::lab::{IoContext, Lab, Result, Root, place};
use crate::suite::stap_version;

/// Counts up when the way of driving tests changes, so that kept outcomes are not used any more.
const DRIVER_VERSION: u32 = 1;

/// The kept outcomes of one root's stap.
#[derive(Debug)]
pub struct Kept {
    dir: PathBuf,
    prefix: String,
    /// A hash of each group: its tests share files, and all share the driver's libraries.
    groups: BTreeMap<&'static str, String>,
}

impl Kept {
    /// Looks at everything that an outcome depends on.
    ///
    /// # Errors
    /// A folder of upstream's cannot be read, or stap does not tell its version.
    pub fn new(lab: &Lab, root: &Root, upstream: &Path) -> Result<Kept> {
        let testsuite = upstream.join("testsuite");
        let common = format!("{DRIVER_VERSION} {} {}", stap_version(root)?, root.release());
        let mut groups = BTreeMap::new();
        for group in GROUPS {
            let mut hasher = blake3::Hasher::new();
            hasher.update(common.as_bytes());
            for folder in ["lib", "config", group] {
                hash_folder(&mut hasher, &testsuite.join(folder))?;
            }
            groups.insert(group, hasher.finalize().to_hex()[..24].to_owned());
        }
        Ok(Kept { dir: lab.verdict_dir()?, prefix: format!("run-{}", root.suite()), groups })
    }

    /// What stap made of a test, if it is known.
    pub fn outcome(&self, test: &Test) -> Option<Outcome> {
        let text = fs::read_to_string(self.path(test)).ok()?;
        Outcome::from_json(&serde_json::from_str(&text).ok()?)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, test: &Test, outcome: &Outcome) -> Result<()> {
        place::write_whole(&self.path(test), outcome.to_json().to_string().as_bytes())
    }

    fn path(&self, test: &Test) -> PathBuf {
        let hash = self.groups.get(test.group()).map_or("", String::as_str);
        self.dir.join(format!("{}-{hash}-{}", self.prefix, test.name.replace('/', "-")))
    }
}

/// Adds the names and contents of a folder's files, but not of folders in it.
fn hash_folder(hasher: &mut blake3::Hasher, dir: &Path) -> Result<()> {
    let reading = || format!("reading {}", dir.display());
    let entries = fs::read_dir(dir).doing(reading)?.collect::<std::io::Result<Vec<_>>>().doing(reading)?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    for path in files {
        let content = fs::read(&path).doing(|| format!("reading {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hasher.update(format!("{name} {}\n", content.len()).as_bytes());
        hasher.update(&content);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_goes_by_names_and_contents() {
        let dir = tempfile::tempdir().unwrap();
        let hash = || {
            let mut hasher = blake3::Hasher::new();
            hash_folder(&mut hasher, dir.path()).unwrap();
            hasher.finalize()
        };
        fs::write(dir.path().join("a"), "1").unwrap();
        let first = hash();
        assert_eq!(hash(), first);
        fs::write(dir.path().join("a"), "2").unwrap();
        assert_ne!(hash(), first);
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b"), "1").unwrap();
        assert_ne!(hash(), first);
    }
}
