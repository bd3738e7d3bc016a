//! Running a command inside a root as if the root's kernel ran.
//!
//! The command gets a mount namespace of its own with `/proc`, `/sys` and `/dev` of the host, chosen host folders
//! at chosen places, and a clean environment. Nothing stays mounted when it ends.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::recipe::{RELEASE_VARIABLE, UNAME_LIBRARY};
use super::{IoContext, LabError, Result, Root, host};

/// What the command sees as `/tmp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tmp {
    /// An empty one in memory, gone when the command ends.
    Private,
    /// The host's.
    OfHost,
}

/// A host folder made visible inside the root.
#[derive(Clone, Debug)]
struct Bind {
    host: PathBuf,
    inside: PathBuf,
    read_only: bool,
}

/// How to enter a root; [`Entry::command`] makes the command that does it.
#[derive(Clone, Debug)]
pub struct Entry {
    root: PathBuf,
    read_only: bool,
    binds: Vec<Bind>,
    tmp: Tmp,
    cwd: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl Entry {
    /// Enters a finished root: `uname -r` answers the release of its kernel.
    pub fn new(root: &Root) -> Entry {
        Entry::in_folder(root.dir()).env("LD_PRELOAD", UNAME_LIBRARY).env(RELEASE_VARIABLE, root.release())
    }

    /// Enters any folder that holds a Debian system, without the uname library (it may not be there yet).
    pub fn in_folder(dir: &Path) -> Entry {
        let entry = Entry {
            root: dir.to_owned(),
            read_only: false,
            binds: Vec::new(),
            tmp: Tmp::Private,
            cwd: "/root".into(),
            env: Vec::new(),
        };
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        entry.env("PATH", path).env("HOME", "/root").env("LANG", "C.UTF-8").env("TERM", "dumb")
    }

    /// Shows the host folder `host` at the absolute path `inside`; the mount point is made if it is missing.
    pub fn bind(mut self, host: &Path, inside: impl Into<PathBuf>) -> Entry {
        self.binds.push(Bind { host: host.to_owned(), inside: inside.into(), read_only: false });
        self
    }

    /// The same, but nothing can be written there.
    pub fn bind_read_only(mut self, host: &Path, inside: impl Into<PathBuf>) -> Entry {
        self.binds.push(Bind { host: host.to_owned(), inside: inside.into(), read_only: true });
        self
    }

    /// Lets the command change nothing of the root itself, nor of `/sys`.
    pub fn read_only(mut self) -> Entry {
        self.read_only = true;
        self
    }

    /// Chooses `/tmp`.
    pub fn tmp(mut self, tmp: Tmp) -> Entry {
        self.tmp = tmp;
        self
    }

    /// The working directory, inside the root.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Entry {
        self.cwd = cwd.into();
        self
    }

    /// Sets a variable. The host's variables are not passed on, apart from what is set here.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Entry {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The command that enters the root and becomes `program`. The caller sets streams and starts it.
    ///
    /// # Errors
    /// Not root, or a mount point cannot be made.
    pub fn command<W: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Command> {
        host::require_root("running a command in a root")?;
        let steps = self.steps()?;
        let mut command = Command::new(program);
        command.args(words).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        // SAFETY: the closure runs between fork and exec, where only async-signal-safe calls are allowed. It makes
        // system calls on strings that were prepared before the fork and allocates nothing; errors are plain
        // error numbers.
        unsafe {
            command.pre_exec(move || Ok(steps.take()?));
        }
        Ok(command)
    }

    fn steps(&self) -> Result<Steps> {
        let mut mounts = vec![
            self.mount("/proc".as_ref(), "/proc".as_ref())?,
            self.mount("/sys".as_ref(), "/sys".as_ref())?,
            self.mount("/dev".as_ref(), "/dev".as_ref())?,
        ];
        if self.tmp == Tmp::OfHost {
            mounts.push(self.mount("/tmp".as_ref(), "/tmp".as_ref())?);
        }
        let root = c_path(&self.root)?;
        let mut read_only = Vec::new();
        if self.read_only {
            // Writing to the host's /sys is what a read-only root is meant to prevent first of all.
            read_only.extend([root.clone(), c_path(&self.root.join("sys"))?]);
        }
        for bind in &self.binds {
            let source = bind.host.canonicalize().doing(|| format!("finding {}", bind.host.display()))?;
            let (source, target) = self.mount(&source, &bind.inside)?;
            if bind.read_only {
                read_only.push(target.clone());
            }
            mounts.push((source, target));
        }
        let private_tmp = match self.tmp {
            Tmp::Private => Some(c_path(&self.root.join("tmp"))?),
            Tmp::OfHost => None,
        };
        Ok(Steps {
            root,
            root_is_mounted: self.read_only,
            private_tmp,
            mounts,
            read_only,
            cwd: c_path(&self.cwd)?,
        })
    }

    /// Prepares one mount and its mount point.
    fn mount(&self, source: &Path, inside: &Path) -> Result<(CString, CString)> {
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        let target = self.root.join(relative);
        // With a /tmp of the host or of its own, mount points below /tmp would be hidden by it.
        if !target.exists() {
            std::fs::create_dir_all(&target)
                .doing(|| format!("making the mount point {}", target.display()))?;
        }
        Ok((c_path(source)?, c_path(&target)?))
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| LabError::Unexpected { what: format!("a NUL byte in the path {}", path.display()) })
}

/// A mount namespace whose changes the host does not see.
fn leave_host_mounts() -> nix::Result<()> {
    let none: Option<&std::ffi::CStr> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
}

/// Everything that the child does before it becomes the program, as prepared strings.
struct Steps {
    root: CString,
    /// Whether the root becomes a mount point of its own, as it must to be read-only.
    root_is_mounted: bool,
    private_tmp: Option<CString>,
    /// Source and target, both paths of the host.
    mounts: Vec<(CString, CString)>,
    /// The targets that nothing may write to.
    read_only: Vec<CString>,
    cwd: CString,
}

impl Steps {
    fn take(&self) -> nix::Result<()> {
        let none: Option<&std::ffi::CStr> = None;
        leave_host_mounts()?;
        if self.root_is_mounted {
            mount(Some(self.root.as_c_str()), self.root.as_c_str(), none, MsFlags::MS_BIND, none)?;
        }
        if let Some(tmp) = &self.private_tmp {
            mount(Some(c"tmpfs"), tmp.as_c_str(), Some(c"tmpfs"), MsFlags::empty(), Some(c"mode=1777"))?;
        }
        for (source, target) in &self.mounts {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(source.as_c_str()), target.as_c_str(), none, flags, none)?;
        }
        for target in &self.read_only {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(none, target.as_c_str(), none, flags, none)?;
        }
        nix::unistd::chroot(self.root.as_c_str())?;
        nix::unistd::chdir(self.cwd.as_c_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder whose only program is a static busybox is root enough; skipped where there is none.
    fn tiny_root() -> Option<tempfile::TempDir> {
        let busybox = host::find_program("busybox")?;
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        for folder in ["bin", "tmp", "root", "proc", "sys", "dev"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        std::fs::copy(busybox, dir.path().join("bin/busybox")).unwrap();
        Some(dir)
    }

    #[test]
    fn a_command_sees_its_binds_and_a_clean_environment() {
        let Some(root) = tiny_root() else { return };
        let share = tempfile::tempdir().unwrap();
        std::fs::write(share.path().join("word"), "seen").unwrap();
        let entry = Entry::in_folder(root.path()).bind(share.path(), "/mnt/x").cwd("/mnt/x").env("A", "b");
        let script = "echo $(/bin/busybox cat word) $A [$CARGO] $(/bin/busybox ls /tmp) $PWD; exit 7";
        let output = entry.command("/bin/busybox", ["sh", "-c", script]).unwrap().output();
        // Some containers do not allow mounting at all.
        let Ok(output) = output else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout), "seen b [] /mnt/x\n");
        assert_eq!(output.status.code(), Some(7));
        let entry = entry.bind_read_only(share.path(), "/mnt/x");
        let output = entry.command("/bin/busybox", ["touch", "/mnt/x/new"]).unwrap().output().unwrap();
        assert!(!output.status.success(), "a read-only folder was written to");
        let entry = Entry::in_folder(root.path()).read_only().bind(share.path(), "/mnt/x");
        let script = "echo a > /mnt/x/a && echo b > /tmp/b && ! /bin/busybox touch /bin/c /sys/c";
        let output = entry.command("/bin/busybox", ["sh", "-c", script]).unwrap().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!root.path().join("bin/c").exists() && !root.path().join("tmp/b").exists());
        let here = std::fs::read_dir(root.path().join("mnt/x")).unwrap().count();
        assert_eq!(here, 0, "the mount was seen outside");
    }
}
