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

    /// Adds what passes 3 to 5 look at: a runtime of level 5.6 in name only, a `make` that does not compile, and a
    /// `staprun` that is the given shell script. The kernel tree is then that of the running kernel.
    pub fn with_tools(self, staprun: &str) -> Self {
        let kernel = nix::sys::utsname::uname().unwrap();
        let release = kernel.release().to_string_lossy().into_owned();
        self.write("kernel/include/config/kernel.release", &format!("{release}\n"));
        for (name, text) in RUNTIME {
            self.write(&format!("runtime/{name}"), text);
        }
        self.write_program("bin/make", MAKE);
        self.write_program("bin/staprun", &format!("#!/bin/sh\n{staprun}\n"));
        self
    }

    /// Writes a program.
    pub fn write_program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
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
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("SYSTEMTAP_TAPSET", self.path("tapset"))
            .env("SYSTEMTAP_RUNTIME", self.path("runtime"))
            .env("SYSTEMTAP_STAPRUN", self.path("bin/staprun"))
            .env("SYSTEMTAP_RELEASE", self.path("kernel"))
            .env("SYSTEMTAP_NOSIGN", "1")
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

/// What tells a runtime's level, see `runtime-shim/src/profile.rs`.
const RUNTIME: [(&str, &str); 15] = [
    ("runtime.h", ""),
    ("linux/runtime.h", "#define strlcpy(a, b, c) 0\nmodule_init(x) systemtap_wq ibt_wrapper(t, f)"),
    ("linux/map_runtime.h", "MAP __percpu *map; return *per_cpu_ptr(p->map, cpu);"),
    ("transport/transport_msgs.h", "#define STAP_TRACE_MAGIC \"x\"\n  STP_START = 0x50,\n"),
    ("transport/transport.c", "STAP_MODULE_INIT_HOOK()"),
    ("transport/relay_compat.h", "#define STP_TIMER_DELETE_SYNC(t)"),
    ("common_probe_context.h", "const char *last_stmt[MAXNESTING+1];"),
    ("handler-error.h", ""),
    ("linux/stap-hw-breakpoint.h", "struct perf_event **u_ret_array"),
    ("linux/timer.h", "#define STP_HRTIMER_SETUP(t, f, c, m)"),
    ("linux/uprobes-inode.c", "STAPCONF_PR32194_UPROBE_REGISTER_UNREGISTER STAPCONF_UPROBES_CB_DATA"),
    ("unwind/unwind.h", "struct stp_unwind_context {"),
    ("sym.h", "void *debug_line_str;"),
    ("sym2.c", ""),
    ("stp_task_work.c", "#define TASK_WORK_CANCEL_FN task_work_cancel_func\n"),
];

/// Answers the question for the compiler's flags, and makes a module of the name that the makefile asks for.
const MAKE: &str = r#"#!/bin/sh
for word; do case $word in M=*) dir=${word#M=};; esac; done
if grep -q 'rstap-kbuild-variable' "$dir/Makefile"; then
    echo 'rstap-kbuild-variable CURDIR=/'
    echo 'rstap-kbuild-variable CC=true'
    echo 'rstap-kbuild-variable KBUILD_CFLAGS=-O2'
    exit 0
fi
name=$(sed -n 's/^obj-m := \(.*\)\.o$/\1/p' "$dir/Makefile")
if grep -q 'does not compile' "$dir/${name}_src.c"; then
    echo "${name}_src.c:7:1: error: expected expression" >&2
    exit 2
fi
for word; do [ "$word" = kernelrelease ] && echo 'the release'; done
echo "module $name" > "$dir/$name.ko"
"#;

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}
