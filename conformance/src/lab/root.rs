//! A Debian root: a folder with a kernel, its headers, systemtap and a compiler.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{IoContext, Lab, LabError, Result, recipe};

/// A Debian release that the lab knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// Debian 12: stap 4.8, linux 6.1, gcc 12.
    Bookworm,
    /// Debian 13: stap 5.1, linux 6.12, gcc 14.
    Trixie,
    /// Debian 14, in preparation: stap 5.6, linux 7.2, gcc 16.
    Forky,
}

impl Suite {
    /// All suites, oldest first.
    pub const ALL: [Suite; 3] = [Suite::Bookworm, Suite::Trixie, Suite::Forky];

    /// The suite's name, as mirrors spell it.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
            Suite::Forky => "forky",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Suite {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Suite, String> {
        let known = || Suite::ALL.map(Suite::name).join(", ");
        Suite::ALL
            .into_iter()
            .find(|suite| suite.name() == text)
            .ok_or_else(|| format!("there is no root `{text}`; the lab knows {}", known()))
    }
}

/// A finished root. A value of this type is proof that every stage of the recipe was done.
#[derive(Clone, Debug)]
pub struct Root {
    suite: Suite,
    dir: PathBuf,
    release: String,
}

impl Root {
    /// The root of `suite` if it is finished, without making anything.
    ///
    /// # Errors
    /// It is finished but has no kernel.
    pub fn existing(lab: &Lab, suite: Suite) -> Result<Option<Root>> {
        let dir = lab.root_dir(suite);
        if recipe::is_ready(&dir) { Root::at(suite, dir).map(Some) } else { Ok(None) }
    }

    /// The root of `suite`, made or finished first when needed (1 to 5 minutes, about 1.5 GiB).
    ///
    /// # Errors
    /// Not root, no network, no space: see [`LabError`].
    pub fn ready(lab: &Lab, suite: Suite) -> Result<Root> {
        if let Some(root) = Root::existing(lab, suite)? {
            return Ok(root);
        }
        let _lock = lab.lock(&format!("root-{suite}"))?;
        let dir = lab.root_dir(suite);
        // Another lab command may have finished it while this one waited for the lock.
        if !recipe::is_ready(&dir) {
            recipe::make(suite, &dir)?;
        }
        Root::at(suite, dir)
    }

    /// Adds what drives upstream's run-time tests (DejaGnu and expect), if it is not there yet.
    ///
    /// # Errors
    /// Not root, no network, no space: see [`LabError`].
    pub fn add_dejagnu(&self, lab: &Lab) -> Result<()> {
        let _lock = lab.lock(&format!("root-{}", self.suite))?;
        recipe::add_dejagnu(&self.dir)
    }

    fn at(suite: Suite, dir: PathBuf) -> Result<Root> {
        let release = newest_release(&dir)?;
        Ok(Root { suite, dir, release })
    }

    /// Which Debian it is.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The root's folder on the host.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The release of the root's kernel, as `uname -r` prints it when that kernel runs.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The kernel image.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("boot").join(format!("vmlinuz-{}", self.release))
    }

    /// The kernel's modules.
    pub fn modules(&self) -> PathBuf {
        self.dir.join("lib/modules").join(&self.release)
    }
}

/// The newest release that has an image, modules and headers.
fn newest_release(dir: &Path) -> Result<String> {
    let modules = dir.join("lib/modules");
    let entries = std::fs::read_dir(&modules).doing(|| format!("reading {}", modules.display()))?;
    let mut releases: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|release| dir.join("boot").join(format!("vmlinuz-{release}")).exists())
        // `build` is a link that only resolves inside the root.
        .filter(|release| modules.join(release).join("build").is_symlink())
        .collect();
    releases.sort_by_key(|release| version_key(release));
    releases.pop().ok_or_else(|| LabError::NoKernel { root: dir.display().to_string() })
}

/// Orders releases by their numbers, so that 6.12 comes after 6.9.
fn version_key(release: &str) -> Vec<(u64, String)> {
    release
        .split(['.', '-', '+'])
        .map(|part| {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            (part[..digits].parse().unwrap_or(0), part[digits..].to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_parse_by_name_and_say_what_is_known() {
        assert_eq!("trixie".parse(), Ok(Suite::Trixie));
        let error = "sarge".parse::<Suite>().unwrap_err();
        assert_eq!(error, "there is no root `sarge`; the lab knows bookworm, trixie, forky");
    }

    #[test]
    fn releases_are_ordered_by_number() {
        assert!(version_key("6.12.1-amd64") > version_key("6.9.12-amd64"));
        assert!(version_key("6.1.0-50-amd64") > version_key("6.1.0-9-amd64"));
    }

    #[test]
    fn the_newest_release_with_everything_is_chosen() {
        let dir = tempfile::tempdir().unwrap();
        for (release, image) in [("6.9.0", true), ("6.12.0", true), ("6.99.0", false)] {
            let modules = dir.path().join("lib/modules").join(release);
            std::fs::create_dir_all(&modules).unwrap();
            std::os::unix::fs::symlink("/nowhere", modules.join("build")).unwrap();
            std::fs::create_dir_all(dir.path().join("boot")).unwrap();
            if image {
                std::fs::write(dir.path().join(format!("boot/vmlinuz-{release}")), "").unwrap();
            }
        }
        assert_eq!(newest_release(dir.path()).unwrap(), "6.12.0");
    }

    #[test]
    fn an_empty_root_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("lib/modules")).unwrap();
        let error = newest_release(dir.path()).unwrap_err().to_string();
        assert!(error.contains("has no kernel with headers"), "{error}");
    }
}
