//! Long commands with their progress on one line, and their last words when they fail.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::bounded::die_with_lab;
use super::{IoContext, LabError, Result};

/// How many of a failed command's last lines are shown.
const LAST_WORDS: usize = 15;
/// How often a line of progress is printed where the line cannot be overwritten.
const PLAIN_INTERVAL: Duration = Duration::from_secs(15);

/// Says what the lab is about to do.
pub fn say(text: &str) {
    eprintln!("lab: {text}");
}

/// Runs a command that must succeed, showing its newest line of output while it runs: overwritten in place on a
/// terminal, now and then elsewhere. Its standard input is empty.
///
/// # Errors
/// It cannot be started, or ends with anything but status 0; the error carries its last lines.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    say(what);
    run_silently(command, LAST_WORDS)
}

/// The same without a word at its start, and with a number of last lines of one's own.
///
/// # Errors
/// As for [`run`].
pub fn run_silently(command: &mut Command, last_words: usize) -> Result<()> {
    let (reader, writer) = std::io::pipe().doing(|| "making a pipe".into())?;
    let second = writer.try_clone().doing(|| "making a pipe".into())?;
    die_with_lab(command, Signal::SIGKILL);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(second)
        .spawn()
        .doing(|| format!("starting {}", show(command)))?;
    // The command keeps the writing ends open until it is given new ones; without this the reader never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let tail = follow(BufReader::new(reader), last_words);
    let status = child.wait().doing(|| format!("waiting for {}", show(command)))?;
    if status.success() {
        return Ok(());
    }
    Err(failure(command, &status.to_string(), tail.into_lines()))
}

/// Builds the error of a command that failed, with its last lines.
pub fn failure(command: &Command, status: &str, tail: String) -> LabError {
    let tail = if tail.is_empty() { tail } else { format!(":\n{tail}") };
    LabError::Command { command: show(command), status: status.into(), tail }
}

/// A command as a person would type it (for messages only: nothing is quoted).
pub fn show(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last lines of a stream.
struct Tail {
    lines: VecDeque<String>,
    capacity: usize,
}

impl Tail {
    fn push(&mut self, line: &str) {
        if self.lines.len() == self.capacity {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    fn into_lines(self) -> String {
        Vec::from(self.lines).join("\n")
    }
}

fn follow(mut reader: impl BufRead, last_words: usize) -> Tail {
    let terminal = std::io::stderr().is_terminal();
    let mut tail = Tail { lines: VecDeque::new(), capacity: last_words };
    let mut bytes = Vec::new();
    let mut shown = Instant::now();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
        let text = String::from_utf8_lossy(&bytes);
        // A progress meter rewrites its line with carriage returns; its newest state comes last.
        let line = text.trim_end().rsplit('\r').next().unwrap_or_default();
        if !line.is_empty() {
            tail.push(line);
            if terminal {
                eprint!("\r\x1b[K     {}", line.chars().take(90).collect::<String>());
                // Progress is a courtesy: a closed terminal is no reason to stop.
                let _ = std::io::stderr().flush();
            } else if shown.elapsed() > PLAIN_INTERVAL {
                eprintln!("     {line}");
                shown = Instant::now();
            }
        }
        bytes.clear();
    }
    if terminal {
        eprint!("\r\x1b[K");
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_reported_with_its_last_lines() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 1 40; echo oops >&2; exit 3"]);
        let error = run("counting", &mut command).unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.ends_with("39\n40\noops"), "{error}");
        assert!(!error.contains("\n25\n"), "{error}");
    }

    #[test]
    fn a_command_that_cannot_start_says_which() {
        let error = run("nothing", &mut Command::new("/no/such/program")).unwrap_err().to_string();
        assert!(error.starts_with("starting /no/such/program"), "{error}");
    }
}
