//! Upstream's run-time tests: DejaGnu's `.exp` files, driven in a VM with either tool under the name `stap`.
//!
//! The tool runs in a VM of the root's kernel, but for the compiler: the VM's `make` asks the host, which builds in the
//! root at native speed. Modules stay in the tool's own cache. What a test reports is DejaGnu's summary, result by
//! result.

mod builder;
mod drive;
mod kept;
mod needs;
mod outcome;
pub mod sum;

use std::fs;
use std::path::Path;

use crate::lab::{IoContext, Result};

pub use drive::{Driver, Pace};
pub use kept::Kept;
pub use needs::{Need, need};
pub use outcome::{End, Outcome, totals};

/// The folders of `testsuite/` whose tests are driven: those about what a script does when it runs.
pub const GROUPS: [&str; 5] =
    ["systemtap.maps", "systemtap.printf", "systemtap.string", "systemtap.speculate", "systemtap.base"];

/// One `.exp` file, by folder and file: `systemtap.maps/ix.exp`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// The name.
    pub name: String,
}

impl Test {
    /// The folder: one of [`GROUPS`].
    pub fn group(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// The tests of all groups below upstream's folder whose names contain one of `filters` (all tests without any), by
/// group and name.
///
/// # Errors
/// A folder cannot be read.
pub fn tests(upstream: &Path, filters: &[String]) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for group in GROUPS {
        let first = tests.len();
        let dir = upstream.join("testsuite").join(group);
        let reading = || format!("reading {}", dir.display());
        for entry in fs::read_dir(&dir).doing(reading)? {
            let file = entry.doing(reading)?.file_name().to_string_lossy().into_owned();
            let name = format!("{group}/{file}");
            if file.ends_with(".exp")
                && (filters.is_empty() || filters.iter().any(|filter| name.contains(filter)))
            {
                tests.push(Test { name });
            }
        }
        tests[first..].sort();
    }
    Ok(tests)
}

#[cfg(test)]
mod testing {
    use super::*;

    #[test]
    fn tests_are_the_exp_files_of_the_groups() {
        let upstream = tempfile::tempdir().unwrap();
        for group in GROUPS {
            let dir = upstream.path().join("testsuite").join(group);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("b.exp"), "").unwrap();
            fs::write(dir.join("a.exp"), "").unwrap();
            fs::write(dir.join("a.stp"), "").unwrap();
        }
        let all = tests(upstream.path(), &[]).unwrap();
        assert_eq!(all.len(), 2 * GROUPS.len());
        assert_eq!((all[0].name.as_str(), all[0].group()), ("systemtap.maps/a.exp", "systemtap.maps"));
        let some = tests(upstream.path(), &["base/b".into()]).unwrap();
        assert_eq!(some, [Test { name: "systemtap.base/b.exp".into() }]);
    }
}
