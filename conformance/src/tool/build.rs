//! Building rstap so that it runs inside every root.
//!
//! A program linked on this machine asks for this machine's C library, which may be newer than a root's; so the
//! lab's copy is linked statically. The flag is given for the last link only: the libraries are the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::progress;
use crate::lab::{LabError, Result};

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Builds a program of a crate's `examples` and returns its path. The lab asks the translator's crates by way of such
/// programs, since it does not depend on them.
///
/// # Errors
/// cargo fails; the error carries its messages.
pub fn example(package: &str, name: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).args(["build", "--profile", "lab", "--package", package]);
    command.args(["--example", name]);
    progress::run_silently(&mut command, CARGO_LAST_WORDS)?;
    Ok(target_dir().join("lab/examples").join(name))
}

/// How many lines of a failed build are shown.
const CARGO_LAST_WORDS: usize = 200;

/// How rstap is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Quick to build again; for everything but measuring.
    Lab,
    /// As users have it.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Lab => "lab",
            Profile::Release => "release",
        }
    }
}

/// Builds rstap (nothing to do when it is up to date) and returns the folder that holds the program.
///
/// # Errors
/// cargo fails; the error carries its messages.
pub fn rstap() -> Result<PathBuf> {
    rstap_with(Profile::Lab)
}

/// The same with a profile.
///
/// # Errors
/// cargo fails; the error carries its messages.
pub fn rstap_with(profile: Profile) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["rustc", "--package", "rstap", "--bin", "rstap", "--profile", profile.name()])
        .args(["--", "-C", "target-feature=+crt-static"]);
    // A first build takes a minute and shows its progress; warnings are for `cargo clippy` to report.
    progress::run_silently(&mut command, CARGO_LAST_WORDS)?;
    let dir = target_dir().join(profile.name());
    if dir.join("rstap").exists() {
        Ok(dir)
    } else {
        Err(LabError::Unexpected { what: format!("cargo left no rstap in {}", dir.display()) })
    }
}
