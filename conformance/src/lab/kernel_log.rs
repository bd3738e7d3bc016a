//! Finding the problems in a kernel log.
//!
//! A run is judged by its module's output and by what the kernel said meanwhile. Marks are those that the
//! kernel's own documentation lists for bug reports (Documentation/admin-guide/bug-hunting, lockdep-design).

use std::fmt;

/// What sort of problem a line of the kernel log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A failed assertion, or a bad memory access that the kernel survived.
    Bug,
    /// `WARN_ON` and its kin.
    Warning,
    /// A locking rule was broken.
    Lockdep,
    /// The kernel died or killed the task.
    Oops,
    /// A backtrace that none of the above announced.
    Trace,
    /// A processor or task was stuck. Under emulation on a busy machine this happens to healthy kernels, so it is
    /// shown but not counted as a failure.
    Stall,
}

impl Kind {
    /// Whether a run with such a line has failed.
    pub fn is_failure(self) -> bool {
        self != Kind::Stall
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Bug => "BUG",
            Kind::Warning => "WARNING",
            Kind::Lockdep => "lockdep",
            Kind::Oops => "Oops",
            Kind::Trace => "stack trace",
            Kind::Stall => "stall",
        })
    }
}

/// One problem, with the line that shows it and what followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its sort.
    pub kind: Kind,
    /// The line, without the time stamp.
    pub line: String,
    /// The lines after it, up to [`CONTEXT`] of them.
    pub context: Vec<String>,
}

/// How many lines are kept after a problem's first.
pub const CONTEXT: usize = 30;

/// Marks, the most telling first: the first one that a line contains names its kind.
const MARKS: &[(&str, Kind)] = &[
    ("soft lockup", Kind::Stall),
    ("self-detected stall", Kind::Stall),
    ("detected stalls on CPUs", Kind::Stall),
    ("blocked for more than", Kind::Stall),
    ("hrtimer: interrupt took", Kind::Stall),
    ("Oops:", Kind::Oops),
    ("Oops ", Kind::Oops),
    ("general protection fault", Kind::Oops),
    ("Kernel panic", Kind::Oops),
    ("invalid opcode:", Kind::Oops),
    ("double fault", Kind::Oops),
    ("possible recursive locking", Kind::Lockdep),
    ("possible circular locking", Kind::Lockdep),
    ("inconsistent lock state", Kind::Lockdep),
    ("Invalid wait context", Kind::Lockdep),
    ("suspicious RCU usage", Kind::Lockdep),
    ("bad unlock balance", Kind::Lockdep),
    ("lock held when returning to user space", Kind::Lockdep),
    ("lock-ordering", Kind::Lockdep),
    ("BUG:", Kind::Bug),
    ("kernel BUG at", Kind::Bug),
    ("UBSAN:", Kind::Bug),
    ("KASAN:", Kind::Bug),
    ("scheduling while atomic", Kind::Bug),
    ("sleeping function called from invalid context", Kind::Bug),
    ("WARNING:", Kind::Warning),
    ("------------[ cut here ]------------", Kind::Warning),
    ("Call Trace:", Kind::Trace),
];

/// The problems in a kernel log (the text of `dmesg`), in order. A mark within the [`CONTEXT`] lines of an earlier
/// problem belongs to that one, unless it is of a worse kind.
pub fn problems(log: &str) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    for line in log.lines().map(without_stamp) {
        let open = found.last_mut().filter(|problem| problem.context.len() < CONTEXT);
        let kind = kind_of(line);
        match (open, kind) {
            (Some(problem), kind) if kind.is_none_or(|kind| belongs(problem, kind, line)) => {
                problem.context.push(line.to_owned());
            }
            (_, Some(kind)) => found.push(Problem { kind, line: line.to_owned(), context: Vec::new() }),
            (_, None) => {}
        }
    }
    // "cut here" only announces the line after it.
    for problem in &mut found {
        if problem.line.contains("cut here") && !problem.context.is_empty() {
            problem.line = problem.context.remove(0);
            problem.kind = kind_of(&problem.line).unwrap_or(problem.kind);
        }
    }
    found
}

/// How many lines before the first problem [`death`] keeps: what led to it, such as the request that crashed the kernel.
const BEFORE_DEATH: usize = 5;

/// How a kernel died, out of the end of its console (`log`): from a little before the first line that shows the
/// kernel's death, or else from the first that shows any problem, at most `count` lines; when nothing shows a problem,
/// the last `count` lines. A long backtrace thus never pushes out the line that names the cause.
pub fn death(log: &str, count: usize) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let first = |wanted: fn(Kind) -> bool| lines.iter().position(|line| kind_of(line).is_some_and(wanted));
    let start = match first(|kind| kind == Kind::Oops).or_else(|| first(Kind::is_failure)) {
        Some(problem) => problem.saturating_sub(BEFORE_DEATH),
        None => lines.len().saturating_sub(count),
    };
    lines[start..lines.len().min(start + count)].join("\n")
}

fn belongs(problem: &Problem, kind: Kind, line: &str) -> bool {
    kind == Kind::Trace || (problem.context.is_empty() && problem.line.contains("cut here")) || {
        problem.kind == kind && !line.contains("cut here")
    }
}

fn kind_of(line: &str) -> Option<Kind> {
    MARKS.iter().find(|(mark, _)| line.contains(mark)).map(|(_, kind)| *kind)
}

/// Removes the `[   12.345678] ` that dmesg and the console put before each line.
fn without_stamp(line: &str) -> &str {
    let Some(rest) = line.trim_start().strip_prefix('[') else { return line };
    let Some((stamp, text)) = rest.split_once("] ") else { return line };
    let numeric = stamp.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numeric { text } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(log: &str) -> Vec<Kind> {
        problems(log).into_iter().map(|problem| problem.kind).collect()
    }

    #[test]
    fn an_ordinary_log_has_no_problems() {
        let log = "[    3.1] x: loading out-of-tree module taints kernel.\n\
                   [    3.2] x: module verification failed: signature and/or required key missing\n\
                   [    3.3] x (x.stp): systemtap: 5.6/0.195, base: ffffffffc0e00000, memory: 64data/48text\n";
        assert_eq!(kinds(log), []);
    }

    #[test]
    fn a_warning_is_one_problem_named_by_its_own_line() {
        let log = "[    5.0] ------------[ cut here ]------------\n\
                   [    5.1] WARNING: CPU: 1 PID: 99 at kernel/x.c:12 f+0x1/0x2\n\
                   [    5.2] Call Trace:\n[    5.3]  g+0x1\n[    5.4] ---[ end trace ]---\n";
        let found = problems(log);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].kind, Kind::Warning);
        assert_eq!(found[0].line, "WARNING: CPU: 1 PID: 99 at kernel/x.c:12 f+0x1/0x2");
        assert_eq!(found[0].context.len(), 3);
    }

    #[test]
    fn each_kind_has_its_mark() {
        assert_eq!(kinds("BUG: sleeping function called from invalid context at x"), [Kind::Bug]);
        assert_eq!(kinds("WARNING: possible circular locking dependency detected"), [Kind::Lockdep]);
        assert_eq!(kinds("WARNING: suspicious RCU usage"), [Kind::Lockdep]);
        assert_eq!(kinds("[ 1.0] Oops: general protection fault: 0000 [#1]"), [Kind::Oops]);
        assert_eq!(kinds("Call Trace:\n f+0x1"), [Kind::Trace]);
        assert_eq!(kinds("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!"), [Kind::Stall]);
    }

    #[test]
    fn a_second_problem_of_another_kind_is_counted() {
        let log = "WARNING: CPU: 0 at a\nCall Trace:\n f\nBUG: unable to handle page fault\nOops: 0002\n";
        assert_eq!(kinds(log), [Kind::Warning, Kind::Bug, Kind::Oops]);
    }

    #[test]
    fn a_death_is_told_from_its_cause_on() {
        let mut log = "booting\n".repeat(90);
        log +=
            "[   13.4] sysrq: Trigger a crash\n[   13.4] Kernel panic - not syncing: sysrq triggered crash\n";
        log += &"[   13.5]  ? f+0x1/0x2\n".repeat(100);
        let told = death(&log, 40);
        assert_eq!(told.lines().count(), 40);
        assert_eq!(told.lines().nth(4), Some("[   13.4] sysrq: Trigger a crash"));
        assert_eq!(death("a\nb\nc\n", 2), "b\nc");
        assert_eq!(death("", 2), "");
    }

    #[test]
    fn only_stalls_are_forgiven() {
        assert!(!Kind::Stall.is_failure());
        assert!(
            [Kind::Bug, Kind::Warning, Kind::Lockdep, Kind::Oops, Kind::Trace].iter().all(|k| k.is_failure())
        );
    }
}
