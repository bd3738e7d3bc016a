//! How fast a VM can be: with KVM where a VM of that very kernel really boots with it, emulated otherwise.
//!
//! On some machines `/dev/kvm` opens and even runs small guests, but a stock kernel hangs early. So the question
//! is put to a VM, with a time limit, and the answer is kept for this boot of the host.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::progress::say;
use super::{IoContext, Lab, Result, Root, initrd, place};

/// The accelerator of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor's own virtualisation.
    Kvm,
    /// qemu's translator.
    Tcg,
}

/// How long a probe VM may take; with KVM it needs about 3 s.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

impl Accel {
    /// qemu's words for it.
    pub fn qemu_args(self) -> [&'static str; 4] {
        match self {
            Accel::Kvm => ["-accel", "kvm", "-cpu", "host"],
            // One thread for all processors: with a thread each, one runs code that another has just patched (the
            // kernel's static branches) from its stale translation, and dies of the breakpoint that was there.
            Accel::Tcg => ["-accel", "tcg,thread=single", "-cpu", "max"],
        }
    }

    fn word(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }
}

/// The best accelerator that boots `root`'s kernel.
///
/// # Errors
/// The initrd cannot be made, or the answer cannot be kept.
pub fn best(lab: &Lab, root: &Root) -> Result<Accel> {
    if fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accel::Tcg);
    }
    let answer = lab.vm_dir()?.join(format!("accel-{}-{}", root.suite(), root.release()));
    // The answer holds for this boot of the host only: its kernel, and where it runs, may change.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let known = fs::read_to_string(&answer).unwrap_or_default();
    for accel in [Accel::Kvm, Accel::Tcg] {
        if known == format!("{boot}{}", accel.word()) {
            return Ok(accel);
        }
    }
    say(&format!("trying whether KVM boots the kernel {}", root.release()));
    let accel = if boots(lab, root, &initrd::ready(lab, root)?)? { Accel::Kvm } else { Accel::Tcg };
    say(match accel {
        Accel::Kvm => "it does",
        Accel::Tcg => "it does not; VMs are emulated",
    });
    place::write_whole(&answer, format!("{boot}{}", accel.word()).as_bytes())?;
    Ok(accel)
}

/// Whether the kernel reaches our init with KVM.
fn boots(lab: &Lab, root: &Root, initrd: &Path) -> Result<bool> {
    let scratch = lab.scratch("probe")?;
    let console = scratch.path().join("console");
    let mut child = Command::new("qemu-system-x86_64")
        .args(Accel::Kvm.qemu_args())
        .args(["-m", "1G", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(root.kernel())
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", "console=ttyS0 panic=-1 lab.probe", "-serial"])
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .doing(|| "starting qemu-system-x86_64".into())?;
    let started = Instant::now();
    while started.elapsed() < PROBE_LIMIT {
        if child.try_wait().doing(|| "waiting for qemu".into())?.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // It may have ended by itself, which is what it should do.
    let _ = child.kill();
    child.wait().doing(|| "waiting for qemu".into())?;
    let text = fs::read(&console).unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).contains("lab: this kernel runs"))
}
