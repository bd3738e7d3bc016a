//! What the lab needs from the machine it runs on: being root, and a few programs.

use std::path::Path;
use std::process::Command;

use super::progress::{self, say};
use super::{LabError, Result};

/// A program or file of the host and the Debian package that brings it.
struct Need {
    /// A program looked up in `PATH` and the administrator's directories, or an absolute path.
    what: &'static str,
    package: &'static str,
}

/// Makes a root: debootstrap itself, and the keys with which it checks what it downloads.
const FOR_ROOTS: &[Need] = &[
    Need { what: "debootstrap", package: "debootstrap" },
    Need { what: "/usr/share/keyrings/debian-archive-keyring.gpg", package: "debian-archive-keyring" },
];

/// Boots a root's kernel: the emulator, what is put into the initrd, and what unpacks kernel modules for it.
const FOR_VMS: &[Need] = &[
    Need { what: "qemu-system-x86_64", package: "qemu-system-x86" },
    Need { what: "busybox", package: "busybox-static" },
    Need { what: "xz", package: "xz-utils" },
    Need { what: "zstd", package: "zstd" },
];

/// Checks that the process is root.
///
/// # Errors
/// [`LabError::NotRoot`] with `what` in its text.
pub fn require_root(what: &str) -> Result<()> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(LabError::NotRoot { what: what.into() }) }
}

/// Installs what is missing for making roots.
///
/// # Errors
/// Something is missing and cannot be installed.
pub fn prepare_for_roots() -> Result<()> {
    prepare(FOR_ROOTS)
}

/// Installs what is missing for booting VMs.
///
/// # Errors
/// Something is missing and cannot be installed.
pub fn prepare_for_vms() -> Result<()> {
    prepare(FOR_VMS)
}

fn prepare(needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> =
        needs.iter().filter(|need| !present(need.what)).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    require_root(&format!("installing the packages {list}"))?;
    say(&format!("this machine lacks the packages {list}"));
    progress::run("apt-get update", apt_get().arg("update"))?;
    let install = ["install", "-y", "--no-install-recommends"];
    progress::run(&format!("apt-get install {list}"), apt_get().args(install).args(&missing))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "Acquire::Retries=3"]);
    command
}

fn present(what: &str) -> bool {
    if what.starts_with('/') { Path::new(what).exists() } else { find_program(what).is_some() }
}

/// The path of a program of the host, also looking where a plain user's `PATH` does not.
pub fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(Into::into))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}
