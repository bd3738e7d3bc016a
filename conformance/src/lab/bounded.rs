//! Running a program with a limit on its time and memory, and taking all that it prints.

use std::fmt;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::progress::show;
use super::{IoContext, LabError, Result};

/// What a program may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall-clock time; then it and its children are killed.
    pub time: Duration,
    /// Address space of each process, in bytes.
    pub memory: Option<u64>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal of this number.
    Signalled(i32),
    /// It was killed at its time limit.
    TimedOut,
}

impl Ended {
    /// Whether it ended by itself with status 0.
    pub fn is_success(self) -> bool {
        self == Ended::Exited(0)
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Ended {
        match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, signal) => Ended::Signalled(signal.unwrap_or(0)),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(code) => write!(f, "exit status {code}"),
            Ended::Signalled(signal) => write!(f, "killed by signal {signal}"),
            Ended::TimedOut => f.write_str("timed out"),
        }
    }
}

/// A program that has ended, with what it printed.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Its standard output (at most [`OUTPUT_CAP`] bytes; the rest is dropped).
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// How much of each stream is kept, in bytes.
pub const OUTPUT_CAP: u64 = 16 << 20;

/// Runs a command to its end or limit. Its standard input is empty, and it gets a process group of its own, all
/// of which is killed when the command ends or its time is up.
///
/// # Errors
/// It cannot be started.
pub fn run(mut command: Command, limits: Limits) -> Result<Finished> {
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    die_with_lab(&mut command, Signal::SIGKILL);
    if let Some(bytes) = limits.memory {
        // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(move || Ok(setrlimit(Resource::RLIMIT_AS, bytes, bytes)?));
        }
    }
    let mut child = command.spawn().doing(|| format!("starting {}", show(&command)))?;
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    let stdout = child.stdout.take().map(|pipe| std::thread::spawn(|| collect(pipe)));
    let stderr = child.stderr.take().map(|pipe| std::thread::spawn(|| collect(pipe)));
    let ended = loop {
        if let Some(status) = child.try_wait().doing(|| format!("waiting for {}", show(&command)))? {
            break Ended::from(status);
        }
        if started.elapsed() > limits.time {
            // The group may be gone already.
            let _ = killpg(group, Signal::SIGKILL);
            child.wait().doing(|| format!("waiting for {}", show(&command)))?;
            break Ended::TimedOut;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // Children left behind would keep the pipes open.
    let _ = killpg(group, Signal::SIGKILL);
    let elapsed = started.elapsed();
    Ok(Finished { ended, stdout: text_of(stdout)?, stderr: text_of(stderr)?, elapsed })
}

/// Lets the kernel send `signal` to the command when the lab dies, however it dies.
pub fn die_with_lab(command: &mut Command, signal: Signal) {
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(move || Ok(nix::sys::prctl::set_pdeathsig(signal)?));
    }
}

fn collect(mut pipe: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.by_ref().take(OUTPUT_CAP).read_to_end(&mut bytes)?;
    std::io::copy(&mut pipe, &mut std::io::sink())?;
    Ok(bytes)
}

fn text_of(reader: Option<std::thread::JoinHandle<std::io::Result<Vec<u8>>>>) -> Result<String> {
    let Some(reader) = reader else { return Ok(String::new()) };
    let bytes = reader
        .join()
        .map_err(|_| LabError::Unexpected { what: "a thread reading a program's output failed".into() })?
        .doing(|| "reading a program's output".into())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limits: Limits) -> Finished {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limits).unwrap()
    }

    const MINUTE: Limits = Limits { time: Duration::from_secs(60), memory: None };

    #[test]
    fn streams_and_status_come_back() {
        let finished = shell("echo out; echo err >&2; exit 3", MINUTE);
        assert_eq!(finished.ended, Ended::Exited(3));
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn a_hung_program_is_killed_with_its_children() {
        let limits = Limits { time: Duration::from_millis(200), memory: None };
        let finished = shell("echo early; sleep 100 & sleep 100", limits);
        assert_eq!(finished.ended, Ended::TimedOut);
        assert_eq!(finished.stdout, "early\n");
        assert!(finished.elapsed < Duration::from_secs(20));
    }

    #[test]
    fn a_child_left_behind_does_not_hold_up_the_result() {
        let finished = shell("sleep 100 & echo gone", MINUTE);
        assert_eq!(finished.stdout, "gone\n");
        assert!(finished.elapsed < Duration::from_secs(30));
    }

    #[test]
    fn memory_is_bounded() {
        let limits = Limits { time: MINUTE.time, memory: Some(64 << 20) };
        let finished = shell("x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}", limits);
        assert_ne!(finished.stdout, "300000000\n");
    }
}
