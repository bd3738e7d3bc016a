//! Booting a root's own kernel: the root read-only over 9p below an overlay in memory, and shared folders.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::accel::{self, Accel};
use super::bounded::die_with_lab;
use super::{IoContext, Lab, LabError, Result, Root, host, initrd};

const AGENT: &str = include_str!("guest/agent.sh");

/// How long a VM may take until its agent runs.
const BOOT_LIMIT: Duration = Duration::from_secs(240);

/// A root whose kernel can be booted: the host has what it takes.
#[derive(Clone, Debug)]
pub struct Vm {
    root: Root,
    initrd: PathBuf,
    accel: Accel,
    counting: bool,
    scratch_parent: Lab,
}

impl Vm {
    /// Prepares for booting `root`: host packages, initrd, accelerator.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub fn prepare(lab: &Lab, root: &Root) -> Result<Vm> {
        host::prepare_for_vms()?;
        let initrd = initrd::ready(lab, root)?;
        let accel = accel::best(lab, root)?;
        Ok(Vm { root: root.clone(), initrd, accel, counting: false, scratch_parent: lab.clone() })
    }

    /// The same with one emulated processor on which every instruction takes one nanosecond, whatever it does.
    pub fn counting_instructions(mut self) -> Vm {
        self.counting = true;
        self
    }

    /// The root whose kernel it boots.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The accelerator in use.
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// A new shared folder, with the agent in it and room for jobs; removed when dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn share(&self) -> Result<Share> {
        let dir = self.scratch_parent.scratch("vm")?;
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).doing(|| format!("writing {}", path.display()))
        };
        write("agent.sh", AGENT)?;
        write("mounts", "")?;
        let jobs = dir.path().join("jobs");
        fs::create_dir(&jobs).doing(|| format!("making {}", jobs.display()))?;
        Ok(Share { dir, extra: Vec::new() })
    }

    /// Boots; returns when the agent runs. `cancelled` is asked now and then whether to give up.
    ///
    /// # Errors
    /// qemu does not start, or the agent does not run within [`BOOT_LIMIT`]; [`LabError::Interrupted`] when cancelled.
    pub fn boot<'s>(&self, share: &'s Share, cancelled: &dyn Fn() -> bool) -> Result<Running<'s>> {
        let booted = share.path().join("booted");
        // Left from an earlier boot with the same folder.
        let _ = fs::remove_file(&booted);
        let child = self.start(share)?;
        let mut running = Running { child, share };
        let started = Instant::now();
        while !booted.exists() {
            if cancelled() {
                return Err(LabError::Interrupted);
            }
            if !running.is_alive()? || started.elapsed() > BOOT_LIMIT {
                return Err(LabError::NoBoot {
                    root: self.root.suite().name(),
                    seconds: BOOT_LIMIT.as_secs(),
                    console: last_lines(&share.console(), 25),
                });
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(running)
    }

    fn start(&self, share: &Share) -> Result<Child> {
        let errors = share.path().join("qemu-errors");
        let errors = fs::File::create(&errors).doing(|| format!("making {}", errors.display()))?;
        let mut command = Command::new("qemu-system-x86_64");
        if self.counting {
            command.args([
                "-accel",
                "tcg,thread=single",
                "-cpu",
                "max",
                "-icount",
                "shift=0,sleep=off",
                "-smp",
                "1",
            ]);
        } else {
            command.args(self.accel.qemu_args()).args(["-smp", "2"]);
        }
        command
            .args(["-m", "2G", "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"])
            .arg("-kernel")
            .arg(self.root.kernel())
            .arg("-initrd")
            .arg(&self.initrd)
            // On a busy host an emulated timer can be so late that the kernel takes it for broken.
            .args(["-append", "console=ttyS0 panic=-1 quiet loglevel=5 no_timer_check"])
            .args(["-serial", &format!("file:{}", quoted(&share.console()))]);
        folder(&mut command, "root", self.root.dir(), ",readonly=on");
        folder(&mut command, "lab", share.path(), "");
        for (index, extra) in share.extra.iter().enumerate() {
            let more = if extra.read_only { ",readonly=on" } else { "" };
            folder(&mut command, &format!("extra{index}"), &extra.host, more);
        }
        // A process group of its own: Ctrl-C is for the script, not for the emulator.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).process_group(0);
        die_with_lab(&mut command, Signal::SIGKILL);
        command.spawn().doing(|| "starting qemu-system-x86_64".into())
    }
}

fn folder(command: &mut Command, tag: &str, path: &Path, more: &str) {
    let path = quoted(path);
    command
        .args(["-fsdev", &format!("local,id={tag},path={path},security_model=none,multidevs=remap{more}")])
        .args(["-device", &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}")]);
}

/// In qemu's options a comma is written twice.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// The folder through which host and VM talk, at [`super::recipe::SHARE`] in the VM.
#[derive(Debug)]
pub struct Share {
    dir: tempfile::TempDir,
    extra: Vec<Folder>,
}

/// Another host folder that a VM sees.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is on the host.
    pub host: PathBuf,
    /// The absolute path in the VM.
    pub inside: String,
    /// Nothing can be written there, and nothing may change it while the VM runs: the VM keeps what it has read.
    pub read_only: bool,
}

impl Share {
    /// The folder on the host.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What the VM's console printed.
    pub fn console(&self) -> PathBuf {
        self.path().join("console")
    }

    /// Shows another host folder.
    ///
    /// # Errors
    /// The list of mounts cannot be written.
    pub fn add_folder(&mut self, folder: Folder) -> Result<()> {
        self.extra.push(folder);
        let lines = self.extra.iter().enumerate().map(|(index, folder)| {
            let options = if folder.read_only { "ro,cache=loose" } else { "rw" };
            format!("extra{index} {options} {}\n", folder.inside)
        });
        let path = self.path().join("mounts");
        fs::write(&path, lines.collect::<String>()).doing(|| format!("writing {}", path.display()))
    }
}

/// The last lines of a text file; empty when it cannot be read.
pub fn last_lines(path: &Path, count: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A VM that has booted. Dropping it kills it.
#[derive(Debug)]
pub struct Running<'s> {
    child: Child,
    share: &'s Share,
}

impl Running<'_> {
    /// The shared folder.
    pub fn share(&self) -> &Share {
        self.share
    }

    /// Whether the VM still runs.
    ///
    /// # Errors
    /// The operating system cannot say.
    pub fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().doing(|| "waiting for qemu".into())?.is_none())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to do about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_are_doubled_for_qemu() {
        assert_eq!(quoted(Path::new("/a,b/c")), "/a,,b/c");
    }

    #[test]
    fn the_last_lines_of_a_missing_file_are_none() {
        assert_eq!(last_lines(Path::new("/no/such/file"), 3), "");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1\r\n2\n3\n").unwrap();
        assert_eq!(last_lines(file.path(), 2), "2\n3");
    }

    #[test]
    fn the_guest_scripts_are_valid_shell() {
        for script in [AGENT, include_str!("guest/init.sh")] {
            let status = Command::new("bash").args(["-n", "-c", script]).status();
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
}
