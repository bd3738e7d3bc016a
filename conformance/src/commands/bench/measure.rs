//! What one run of a command costs.

use std::mem::MaybeUninit;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

/// Time and memory of a run.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Wall-clock time from the start of the program to its end, in milliseconds.
    pub milliseconds: f64,
    /// Largest resident memory of the program or one that it started, in MiB. The kernel counts from the `fork` on, so
    /// less than what the lab itself uses (a few MiB) is not seen.
    pub mebibytes: f64,
}

/// Runs a command to its end; what it prints is dropped.
///
/// # Errors
/// It cannot be started, or fails.
pub fn run_once(mut command: Command) -> anyhow::Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // This returns when the program has taken the place of the forked lab, so entering the root is not measured.
    let child = command.spawn().context("starting it")?;
    let started = Instant::now();
    let pid = libc::pid_t::try_from(child.id()).context("its process id")?;
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both pointers are to values of ours that live until the call returns, and all zeroes is a valid `rusage`.
    // The child is waited for here only: `child` is dropped without a wait.
    let (waited, usage) =
        unsafe { (libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()), usage.assume_init()) };
    let elapsed = started.elapsed();
    ensure!(waited == pid, "waiting for it: {}", std::io::Error::last_os_error());
    ensure!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "it failed (status {status:#x})");
    Ok(Cost { milliseconds: elapsed.as_secs_f64() * 1e3, mebibytes: usage.ru_maxrss as f64 / 1024.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_time_and_memory() {
        let mut command = Command::new("sleep");
        command.arg("0.05");
        let cost = run_once(command).unwrap();
        assert!(cost.milliseconds > 40.0 && cost.mebibytes > 0.1, "{cost:?}");
        assert!(run_once(Command::new("false")).is_err());
    }
}
