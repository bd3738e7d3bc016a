//! How a root is made: stages that can be repeated, each marked when it is done.
//!
//! An interrupted set-up leaves its marks; the next command goes on with the first stage that has none. A root is
//! ready when its stamp carries [`VERSION`]; a root of an older recipe goes through the later stages again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::enter::{Entry, Tmp};
use super::progress::{self, say};
use super::{IoContext, LabError, Result, Suite, host, place};

/// Counts up when the recipe changes what a finished root contains.
pub const VERSION: u32 = 1;

/// What apt installs into a fresh base system, beside what `minbase` has.
const PACKAGES: &[&str] = &[
    "linux-image-amd64",
    "linux-headers-amd64",
    "systemtap",
    "systemtap-sdt-dev",
    "gcc",
    "g++",
    "make",
    "libc6-dev",
    "elfutils",
    "procps",
    "iproute2",
];

/// What upstream's run-time tests need on top: their driver, `tclsh` for a script of theirs, and `hexdump` for those
/// that compare binary output.
const DEJAGNU_PACKAGES: &[&str] = &["dejagnu", "expect", "tcl", "bsdextrautils"];
/// The mark of a root that has them; its number counts up when the list changes.
const DEJAGNU_MARK: &str = "dejagnu-2";

/// What debootstrap itself brings: an init system for the VM's services, and certificates for https mirrors.
const BASE_INCLUDE: &str = "systemd-sysv,udev,kmod,ca-certificates,initramfs-tools";

/// Where the uname library lies inside a root.
pub const UNAME_LIBRARY: &str = "/usr/lib/lab-uname.so";
/// Where the lab's shared folder appears inside a root and inside its VM.
pub const SHARE: &str = "/mnt/lab";

/// The variable from which the uname library takes the release.
pub const RELEASE_VARIABLE: &str = "LAB_KERNEL_RELEASE";

/// `uname(2)` as if the root's kernel were running. Only the release differs; programs that ask the kernel
/// without the C library (static ones) are told through their own options or environment instead.
const UNAME_SOURCE: &str = r#"/* Answers uname() with the release named in the environment. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *name)
{
    const char *release = getenv("LAB_KERNEL_RELEASE");
    if (syscall(SYS_uname, name) != 0)
        return -1;
    if (release != NULL && release[0] != '\0')
        snprintf(name->release, sizeof name->release, "%s", release);
    return 0;
}
"#;

/// Whether `dir` is a root that this recipe finished.
pub fn is_ready(dir: &Path) -> bool {
    fs::read_to_string(stamp(dir)).is_ok_and(|text| text == ready_text())
}

/// Makes or finishes the root in `dir`.
///
/// # Errors
/// Not root, no mirror, or a command failed; what is done stays done.
pub fn make(suite: Suite, dir: &Path) -> Result<()> {
    host::require_root(&format!("making the {suite} root"))?;
    host::prepare_for_roots()?;
    if !done(dir, "base") {
        make_base(suite, dir)?;
        mark(dir, "base")?;
    } else {
        say(&format!("finishing the {suite} root in {}", dir.display()));
    }
    install_packages(dir, "kernel, headers, systemtap and gcc", PACKAGES)?;
    build_uname_library(dir)?;
    let share = dir.join(&SHARE[1..]);
    fs::create_dir_all(&share).doing(|| format!("making {}", share.display()))?;
    place::write_whole(&stamp(dir), ready_text().as_bytes())?;
    say(&format!("the {suite} root is ready"));
    Ok(())
}

fn make_base(suite: Suite, dir: &Path) -> Result<()> {
    let mirror = mirror(suite)?;
    say(&format!("making a Debian root ({suite}, about 1.5 GiB, some minutes) in {}", dir.display()));
    if dir.exists() {
        // debootstrap cannot go on where it was interrupted.
        fs::remove_dir_all(dir).doing(|| format!("removing the unfinished {}", dir.display()))?;
    }
    fs::create_dir_all(dir).doing(|| format!("making {}", dir.display()))?;
    // What debootstrap mounts below the root goes with its namespace, even when it is interrupted: a root that is
    // removed must not have the host's /proc inside.
    let mut command = Command::new("unshare");
    command.args(CONTAINED).arg(host::find_program("debootstrap").unwrap_or_else(|| "debootstrap".into()));
    command.args(["--variant=minbase", &format!("--include={BASE_INCLUDE}")]);
    command.arg(suite.name()).arg(dir).arg(&mirror).args(script(suite));
    for (name, value) in proxies() {
        command.env(name, value);
    }
    progress::run(&format!("debootstrap {suite}"), &mut command)
}

/// The debootstrap script to use: none when debootstrap knows the suite, that of unstable otherwise (all recent
/// suites share one script; the host is left as it is).
fn script(suite: Suite) -> Option<PathBuf> {
    let scripts = Path::new("/usr/share/debootstrap/scripts");
    if scripts.join(suite.name()).exists() { None } else { Some(scripts.join("sid")) }
}

/// Installs `packages` with what they need into the root, which needs its base system.
fn install_packages(dir: &Path, what: &str, packages: &[&str]) -> Result<()> {
    let entry = Entry::in_folder(dir).tmp(Tmp::Private).env("DEBIAN_FRONTEND", "noninteractive");
    let entry = proxies().into_iter().fold(entry, |entry, (name, value)| entry.env(name, value));
    // No service may start in a chroot (the convention of invoke-rc.d: 101 means "not allowed").
    let policy = dir.join("usr/sbin/policy-rc.d");
    fs::write(&policy, "#!/bin/sh\nexit 101\n").doing(|| format!("writing {}", policy.display()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&policy, mode).doing(|| format!("setting the mode of {}", policy.display()))?;
    // An installation that was interrupted inside dpkg is completed first.
    let contained = |words: &[&str]| entry.command("unshare", [CONTAINED, UNCHANGED, words].concat());
    progress::run("configuring what is unpacked", &mut contained(&["dpkg", "--configure", "-a"])?)?;
    let apt_get = |words: &[&str]| contained(&[&["apt-get"], APT_OPTIONS, words].concat());
    // A finished root's lists may be old, and name files that the mirror no longer has.
    if is_ready(dir) || !has_package_lists(dir) {
        progress::run("apt-get update in the root", &mut apt_get(&["update"])?)?;
    }
    let words = [&["install", "-y", "--no-install-recommends"], packages].concat();
    progress::run(&format!("installing {what} in the root"), &mut apt_get(&words)?)?;
    progress::run("removing downloaded packages", &mut apt_get(&["clean"])?)?;
    fs::remove_file(&policy).doing(|| format!("removing {}", policy.display()))
}

/// Adds what drives upstream's run-time tests to the finished root in `dir`, once.
///
/// # Errors
/// Not root, or apt fails.
pub fn add_dejagnu(dir: &Path) -> Result<()> {
    if !done_extra(dir, DEJAGNU_MARK) {
        install_packages(dir, "DejaGnu", DEJAGNU_PACKAGES)?;
        mark(dir, DEJAGNU_MARK)?;
    }
    Ok(())
}

/// Words of unshare(1) for a command in a process namespace of its own, which the kernel ends with everything in
/// it when unshare dies. Otherwise a killed lab would leave a dpkg that nobody reads from.
pub(crate) const CONTAINED: &[&str] = &["--pid", "--fork", "--kill-child=KILL", "--mount", "--mount-proc"];

/// In a chroot `/` is no mount point, and its namespace is private already.
pub(crate) const UNCHANGED: &[&str] = &["--propagation", "unchanged", "--"];

/// Like debootstrap, apt inside the root does not mind a mirror that was not refreshed for some days.
const APT_OPTIONS: &[&str] = &["-o", "Acquire::Retries=3", "-o", "Acquire::Check-Valid-Until=false"];

/// Whether debootstrap, which leaves them, or an earlier `apt-get update` brought the lists of packages.
fn has_package_lists(dir: &Path) -> bool {
    fs::read_dir(dir.join("var/lib/apt/lists")).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|e| e.file_name().to_string_lossy().ends_with("_Packages")))
    })
}

/// Compiles the uname library with the root's own compiler, so that it fits the root's C library.
fn build_uname_library(dir: &Path) -> Result<()> {
    let source = dir.join("usr/src/lab-uname.c");
    fs::write(&source, UNAME_SOURCE).doing(|| format!("writing {}", source.display()))?;
    let words = ["-shared", "-fPIC", "-O1", "-o", UNAME_LIBRARY, "/usr/src/lab-uname.c"];
    progress::run("compiling the uname library", &mut Entry::in_folder(dir).command("gcc", words)?)
}

/// The mirror: the one of the environment, else the one that apt of this machine is set up with.
fn mirror(suite: Suite) -> Result<String> {
    if let Ok(mirror) = std::env::var("RSTAP_LAB_MIRROR") {
        return Ok(mirror);
    }
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(ORIGIN)|$(COMPONENT)|$(SITE)", "Created-By: Packages"]);
    let output = command.output().doing(|| "asking apt for its mirrors".into())?;
    pick_mirror(&String::from_utf8_lossy(&output.stdout)).ok_or(LabError::NoMirror { suite: suite.name() })
}

/// Chooses among apt's `origin|component|site` lines: a Debian main archive, not the one of security updates.
/// Before the first `apt-get update` the origins are empty, then the address must end in `/debian`.
fn pick_mirror(targets: &str) -> Option<String> {
    let main_sites = || {
        targets.lines().filter_map(|line| {
            let mut fields = line.splitn(3, '|');
            let (origin, component, site) = (fields.next()?, fields.next()?, fields.next()?);
            (component == "main" && !site.contains("security"))
                .then_some((origin, site.trim_end_matches('/')))
        })
    };
    main_sites()
        .find(|(origin, _)| *origin == "Debian")
        .or_else(|| main_sites().find(|(origin, site)| origin.is_empty() && site.ends_with("/debian")))
        .map(|(_, site)| site.to_owned())
}

/// apt's proxy settings as the environment variables that debootstrap's downloader and apt read.
fn proxies() -> Vec<(&'static str, String)> {
    ["http", "https"]
        .into_iter()
        .filter_map(|scheme| {
            let name = if scheme == "http" { "http_proxy" } else { "https_proxy" };
            let value = apt_proxy(scheme).or_else(|| std::env::var(name).ok())?;
            Some((name, value))
        })
        .collect()
}

fn apt_proxy(scheme: &str) -> Option<String> {
    let key = format!("Acquire::{scheme}::Proxy");
    let output = Command::new("apt-config").args(["shell", "value", &key]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // `apt-config shell` prints value='...' or nothing.
    let value = text.trim().strip_prefix("value='")?.strip_suffix('\'')?;
    (!value.is_empty() && value != "DIRECT").then(|| value.to_owned())
}

fn ready_text() -> String {
    format!("recipe {VERSION}\n")
}

fn stamp(dir: &Path) -> PathBuf {
    dir.join(".ready")
}

fn done(dir: &Path, stage: &str) -> bool {
    // A stamp of any recipe version says that the base system is there.
    dir.join(format!(".lab-{stage}")).exists() || stamp(dir).exists()
}

/// Whether something beside the recipe was added to a finished root.
fn done_extra(dir: &Path, what: &str) -> bool {
    dir.join(format!(".lab-{what}")).exists()
}

fn mark(dir: &Path, stage: &str) -> Result<()> {
    place::write_whole(&dir.join(format!(".lab-{stage}")), b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_debians_main_archive() {
        let targets = "Debian|main|http://one.example/debian-security\nOther|main|http://two.example/x\n\
                       Debian|contrib|http://three.example/debian\nDebian|main|http://four.example/debian/\n";
        assert_eq!(pick_mirror(targets), Some("http://four.example/debian".into()));
    }

    #[test]
    fn before_the_first_update_the_address_decides() {
        let targets = "|main|http://two.example/node\n|main|http://four.example/debian\n";
        assert_eq!(pick_mirror(targets), Some("http://four.example/debian".into()));
        assert_eq!(pick_mirror("|main|http://two.example/node\n"), None);
    }

    #[test]
    fn a_root_is_ready_only_with_this_recipes_stamp() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_ready(dir.path()));
        assert!(!done(dir.path(), "base"));
        fs::write(stamp(dir.path()), "").unwrap();
        assert!(!is_ready(dir.path()));
        assert!(done(dir.path(), "base"));
        fs::write(stamp(dir.path()), ready_text()).unwrap();
        assert!(is_ready(dir.path()));
    }

    #[test]
    fn the_uname_library_reads_the_variable_that_is_set() {
        assert!(UNAME_SOURCE.contains(&format!("getenv(\"{RELEASE_VARIABLE}\")")));
    }
}
