//! A machine of our own for the binary: a kernel build tree, a tapset and a home in a temporary directory. Nothing of
//! SystemTap needs to be installed.

// Each test program uses its own part, and a machine that cannot be made fails the test.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary machine; removed when dropped.
pub struct Machine {
    directory: tempfile::TempDir,
}

/// What a run printed and returned.
pub struct Ran {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Panics with everything that was printed unless the status is that.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// Release of the kernel tree.
pub const RELEASE: &str = "6.1.0-test";

impl Machine {
    /// A machine with a kernel tree and a small tapset.
    pub fn new() -> Self {
        let machine = Machine { directory: tempfile::tempdir().unwrap() };
        machine.write("kernel/.config", "CONFIG_64BIT=y\nCONFIG_HZ=250\n# CONFIG_X is not set\n");
        machine.write("kernel/Module.symvers", "0x00000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n");
        machine.write("kernel/System.map", "ffffffff81000000 T _stext\nffffffff81000010 T vfs_read\n");
        machine.write("kernel/Makefile", "");
        machine.write("kernel/include/config/kernel.release", &format!("{RELEASE}\n"));
        machine.write("kernel/include/generated/uapi/linux/version.h", "#define LINUX_VERSION_CODE 393472\n");
        machine.write("tapset/a.stpm", "@define twice(x) %( (2 * @x) %)\n");
        machine.write(
            "tapset/exit.stp",
            "function exit () %{ /* unprivileged */ _stp_exit (); %}\nprobe oneshot = begin { }, { exit() }\n",
        );
        machine
            .write("tapset/linux/log.stp", "function log (msg:string) %{ _stp_printf (STAP_ARG_msg); %}\n");
        machine.write("home/.keep", "");
        machine.write("tmp/.keep", "");
        machine
    }

    /// A path on the machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Removes a file or directory.
    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// The command, with the machine's directories in its environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rstap"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("SYSTEMTAP_TAPSET", self.path("tapset"))
            .env("SYSTEMTAP_RUNTIME", self.path("runtime"))
            .env("SYSTEMTAP_STAPRUN", self.path("bin/staprun"))
            .env("SYSTEMTAP_RELEASE", self.path("kernel"))
            .current_dir(self.directory.path());
        command
    }

    /// Runs rstap with those words.
    pub fn run(&self, words: &[&str]) -> Ran {
        ran(self.command().args(words))
    }

    /// True if no temporary directory was left behind.
    pub fn is_clean(&self) -> bool {
        fs::read_dir(self.path("tmp")).unwrap().count() == 1
    }

    /// The machine's directory in a text as `DIR`.
    pub fn neutral(&self, text: &str) -> String {
        text.replace(&self.directory.path().display().to_string(), "DIR")
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}
