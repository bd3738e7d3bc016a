//! Programs that the run starts, and what happens to them on signals.
//!
//! As upstream does (main.cxx: `handle_interrupt`): a signal to end is passed on to the running programs as SIGTERM
//! and remembered; the run then ends at the next stage. The third one ends rstap at once.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use runtime_shim::command::{Command, Outcome};
use runtime_shim::staprun::End;
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);

/// Signals absorbed before giving up: sudo sends a second copy of the first one.
const PATIENCE: usize = 2;

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that receives signals.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn watch_signals() -> io::Result<()> {
    let mut signals =
        signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGXFSZ, SIGXCPU])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            {
                // The lock is held so that no program can start unseen between the two.
                let children = running();
                INTERRUPTS.fetch_add(1, Ordering::SeqCst);
                for pid in children.iter() {
                    // The program may have ended by itself.
                    let _ = kill(Pid::from_raw(*pid), Signal::SIGTERM);
                }
            }
            if INTERRUPTS.load(Ordering::SeqCst) > PATIENCE {
                eprintln!("Too many interrupts received, exiting.");
                super::scratch::remove_pending();
                std::process::exit(1);
            }
        }
    })?;
    Ok(())
}

/// True if a signal to end has come.
pub fn interrupted() -> bool {
    INTERRUPTS.load(Ordering::SeqCst) > 0
}

/// Forgets the signals: after an orderly pass 5 they did what they were sent for.
pub fn forget_interrupts() {
    INTERRUPTS.store(0, Ordering::SeqCst);
}

/// Where the output of a program goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To rstap's own.
    Inherit,
    /// Into the outcome.
    Capture,
}

/// How a program ended, with its output if that was captured.
#[derive(Debug)]
pub struct Ended {
    /// Status or signal.
    pub end: End,
    /// What it wrote.
    pub outcome: Outcome,
}

/// Runs a program to its end.
///
/// # Errors
/// If it cannot be started; `Interrupted` if a signal to end came before.
pub fn run(command: &Command, output: Output) -> io::Result<Ended> {
    let (program, arguments) = command.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut builder = std::process::Command::new(program);
    builder.args(arguments);
    if let Some(directory) = &command.cwd {
        builder.current_dir(directory);
    }
    for (name, value) in &command.env {
        match value {
            Some(value) => builder.env(name, value),
            None => builder.env_remove(name),
        };
    }
    if output == Output::Capture {
        builder.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let child = {
        let mut children = running();
        if interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let child = builder.spawn()?;
        children.insert(child.id() as i32);
        child
    };
    let pid = child.id() as i32;
    let ended = match output {
        Output::Inherit => reap(child, pid),
        Output::Capture => collect(child, pid),
    };
    running().remove(&pid);
    ended
}

/// Waits without reaping first, so that the signal thread never signals a number that is no longer ours.
fn reap(mut child: std::process::Child, pid: i32) -> io::Result<Ended> {
    while let Err(nix::errno::Errno::EINTR) =
        waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
    {}
    running().remove(&pid);
    let status = child.wait()?;
    Ok(Ended { end: end(status), outcome: Outcome { success: status.success(), ..Outcome::default() } })
}

fn collect(mut child: std::process::Child, pid: i32) -> io::Result<Ended> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    drain(child.stdout.take(), &mut stdout, child.stderr.take(), &mut stderr)?;
    let mut ended = reap(child, pid)?;
    // What is no UTF-8 is replaced: these texts are for people.
    ended.outcome.stdout = String::from_utf8_lossy(&stdout).into_owned();
    ended.outcome.stderr = String::from_utf8_lossy(&stderr).into_owned();
    Ok(ended)
}

/// Reads both streams to their ends, whichever has something. No thread, since there may be a limit on those.
fn drain(
    mut out: Option<ChildStdout>,
    into_out: &mut Vec<u8>,
    mut err: Option<ChildStderr>,
    into_err: &mut Vec<u8>,
) -> io::Result<()> {
    while out.is_some() || err.is_some() {
        let ready = |fd: Option<BorrowedFd<'_>>| -> io::Result<bool> {
            let Some(fd) = fd else { return Ok(false) };
            let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::ZERO)?;
            Ok(fds[0].revents().is_some_and(|events| !events.is_empty()))
        };
        let mut fds: Vec<PollFd<'_>> = [out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd)]
            .into_iter()
            .flatten()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            other => other?,
        };
        if ready(out.as_ref().map(AsFd::as_fd))? && !read_some(out.as_mut(), into_out)? {
            out = None;
        }
        if ready(err.as_ref().map(AsFd::as_fd))? && !read_some(err.as_mut(), into_err)? {
            err = None;
        }
    }
    Ok(())
}

/// Reads what there is; false at the end of the stream.
fn read_some(stream: Option<&mut impl io::Read>, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 8192];
    let Some(stream) = stream else { return Ok(false) };
    match stream.read(&mut buffer) {
        Ok(count) => {
            into.extend_from_slice(&buffer[..count]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

fn end(status: ExitStatus) -> End {
    match status.code() {
        Some(code) => End::Status(code),
        None => End::Signal(status.signal().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command { argv: ["sh", "-c", script].map(Into::into).to_vec(), ..Command::default() }
    }

    #[test]
    fn output_and_status_are_kept() {
        let ended = run(&shell("echo out; echo err >&2; exit 3"), Output::Capture).unwrap();
        assert_eq!(ended.end, End::Status(3));
        assert!(!ended.outcome.success);
        assert_eq!((ended.outcome.stdout.as_str(), ended.outcome.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn more_than_a_pipe_holds_comes_through_on_both_streams() {
        let script =
            "head -c 300000 /dev/zero | tr '\\0' a; head -c 300000 /dev/zero | tr '\\0' b >&2; echo end";
        let ended = run(&shell(script), Output::Capture).unwrap();
        assert_eq!((ended.outcome.stdout.len(), ended.outcome.stderr.len()), (300_004, 300_000));
    }

    #[test]
    fn a_signal_is_told_apart_from_a_status() {
        assert_eq!(run(&shell("kill -9 $$"), Output::Capture).unwrap().end, End::Signal(9));
    }

    #[test]
    fn the_environment_is_changed_for_the_program_alone() {
        let mut command = shell("echo ${RSTAP_TEST-unset} ${PATH-unset}");
        command.env = vec![("RSTAP_TEST".into(), Some("1".into())), ("PATH".into(), None)];
        command.argv[0] = "/bin/sh".into();
        let ended = run(&command, Output::Capture).unwrap();
        assert!(ended.outcome.stdout.starts_with("1 "));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let command = Command { argv: vec!["/no/such/program".into()], ..Command::default() };
        assert_eq!(run(&command, Output::Capture).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
