//! Pass 5: how `staprun` is called, and what its end means.

use std::path::PathBuf;

use crate::command::Command;

/// `-C` of staprun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// `--color=always`.
    Always,
    /// `--color=never`.
    Never,
}

/// One run of a module. The default runs it with nothing but its path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// `SYSTEMTAP_STAPRUN`, or where staprun is installed.
    pub staprun: PathBuf,
    /// The module file, with a slash in its path (staprun takes a bare name for one in the modules directory).
    pub module: PathBuf,
    /// `stap`'s own verbosity; staprun gets one level less.
    pub verbose: u32,
    /// `-w`.
    pub suppress_warnings: bool,
    /// `-o FILE`.
    pub output: Option<String>,
    /// `-c CMD`, one word, unexpanded.
    pub command: Option<String>,
    /// `-x PID`; 0 stands for none.
    pub target_pid: Option<u32>,
    /// `--target-namespaces=PID`.
    pub namespaces_pid: Option<u32>,
    /// `-s MB`.
    pub buffer_mb: Option<u32>,
    /// The script probes its standard input (`input.char`, `input.line`).
    pub reads_stdin: bool,
    /// `-F`: flight recorder; with `output` staprun becomes a daemon, without it only loads.
    pub flight_recorder: bool,
    /// Let staprun load the module under a unique name: always, unless `-m` was given or the module is signed for
    /// secure boot.
    pub rename: bool,
    /// `-S SIZE[,N]`.
    pub rotate: Option<String>,
    /// `--color`, only if given.
    pub color: Option<Color>,
    /// `--monitor=SECS`.
    pub monitor_secs: Option<u32>,
    /// `-G VAR=VALUE` words.
    pub globals: Vec<String>,
    /// `N:URI` of a remote target.
    pub remote: Option<String>,
}

impl Run {
    /// The command, in upstream's order (buildrun.cxx:make_kernel_run_command), which programs that stand in for
    /// staprun rely on.
    pub fn command(&self) -> Command {
        let mut argv = vec![self.staprun.display().to_string()];
        let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
        for _ in 1..self.verbose {
            add(&["-v"]);
        }
        if self.suppress_warnings {
            add(&["-w"]);
        }
        if let Some(file) = &self.output {
            add(&["-o", file]);
        }
        if let Some(command) = &self.command {
            add(&["-c", command]);
        }
        if let Some(pid) = self.target_pid.filter(|pid| *pid != 0) {
            add(&["-t", &pid.to_string()]);
        }
        if let Some(pid) = self.namespaces_pid.filter(|pid| *pid != 0) {
            add(&["-N", &pid.to_string()]);
        }
        if let Some(megabytes) = self.buffer_mb.filter(|megabytes| *megabytes != 0) {
            add(&["-b", &megabytes.to_string()]);
        }
        if self.reads_stdin {
            add(&["-i"]);
        }
        if self.flight_recorder {
            add(&[if self.output.is_some() { "-D" } else { "-L" }]);
        }
        if self.rename {
            add(&["-R"]);
        }
        if let Some(rotate) = &self.rotate {
            add(&["-S", rotate]);
        }
        match self.color {
            Some(Color::Always) => add(&["-C", "always"]),
            Some(Color::Never) => add(&["-C", "never"]),
            None => {}
        }
        if let Some(secs) = self.monitor_secs {
            add(&["-M", &secs.to_string()]);
        }
        add(&[&self.module.display().to_string()]);
        for word in &self.globals {
            add(&[word]);
        }
        if let Some(remote) = &self.remote {
            add(&["-r", remote]);
        }
        Command { argv, cwd: None, env: Vec::new() }
    }
}

/// How staprun ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Exit status.
    Status(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// What stap makes of it (main.cxx: only 0 and 1 leave stap).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// Exit status of `rstap`: 0 or 1.
    pub status: i32,
    /// Lines for standard error, without newlines.
    pub messages: Vec<String>,
}

impl RunResult {
    /// The meaning of staprun's end. An interrupt that the user sent and that led to an orderly end is a success,
    /// which staprun reports as status 0 by itself.
    pub fn of(end: End) -> Self {
        let warning = match end {
            End::Status(0) => return Self { status: 0, messages: Vec::new() },
            End::Status(status) => format!("WARNING: staprun exited with status: {status}"),
            End::Signal(signal) => {
                format!("WARNING: staprun exited with signal: {signal} ({})", signal_name(signal))
            }
        };
        let failed = "Pass 5: run failed.  [man error::pass5]".to_owned();
        Self { status: 1, messages: vec![warning, failed] }
    }
}

/// `strsignal` of the signals that end programs, in the C locale.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        6 => "Aborted",
        9 => "Killed",
        11 => "Segmentation fault",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        _ => "Unknown signal",
    }
}

/// Why a run is refused before staprun is started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunRefusal {
    /// Neither root nor in one of the groups.
    #[error(
        "You are trying to run systemtap as a normal user.\n\
         You should either be root, or be part of the group \"stapusr\" and possibly one of the groups \
         \"stapsys\" or \"stapdev\"."
    )]
    NotPrivileged,
    /// staprun is not installed.
    #[error(
        "there is no staprun at \"{path}\"\nInstall the systemtap-runtime package, or set SYSTEMTAP_STAPRUN."
    )]
    NoStaprun {
        /// Where it was looked for.
        path: String,
    },
    /// The module is for another kernel.
    #[error(
        "the module is for kernel {built}, and {running} is running\n\
         Stop after pass 4 with -p4, or run it with staprun on a machine with that kernel."
    )]
    OtherKernel {
        /// Release built for.
        built: String,
        /// Release running.
        running: String,
    },
}

/// Checks what can be known before staprun is started: root or a member of `stapusr`, `stapsys` or `stapdev` (by
/// the names of the user's groups), the program, and the kernel.
pub fn refuse(
    root: bool,
    groups: &[&str],
    staprun: (&str, bool),
    built: &str,
    running: &str,
) -> Result<(), RunRefusal> {
    let member = groups.iter().any(|group| matches!(*group, "stapusr" | "stapsys" | "stapdev"));
    if built != running {
        return Err(RunRefusal::OtherKernel { built: built.to_owned(), running: running.to_owned() });
    }
    if !staprun.1 {
        return Err(RunRefusal::NoStaprun { path: staprun.0.to_owned() });
    }
    if root || member { Ok(()) } else { Err(RunRefusal::NotPrivileged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn plain() -> Run {
        Run {
            staprun: PathBuf::from("/usr/bin/staprun"),
            module: PathBuf::from("/tmp/x/m.ko"),
            ..Run::default()
        }
    }

    #[test]
    fn a_plain_run() {
        let run = Run { rename: true, verbose: 1, ..plain() };
        assert_eq!(run.command().argv, ["/usr/bin/staprun", "-R", "/tmp/x/m.ko"]);
    }

    #[test]
    fn all_options_in_upstreams_order() {
        let run = Run {
            verbose: 3,
            suppress_warnings: true,
            output: Some("out file".to_owned()),
            command: Some("ls -l /".to_owned()),
            target_pid: Some(7),
            namespaces_pid: Some(8),
            buffer_mb: Some(16),
            reads_stdin: true,
            flight_recorder: true,
            rename: true,
            rotate: Some("2,3".to_owned()),
            color: Some(Color::Never),
            monitor_secs: Some(2),
            globals: vec!["a=1".to_owned()],
            remote: Some("0:ssh://h".to_owned()),
            ..plain()
        };
        expect![[r#"
            /usr/bin/staprun|-v|-v|-w|-o|out file|-c|ls -l /|-t|7|-N|8|-b|16|-i|-D|-R|-S|2,3|-C|never|-M|2|/tmp/x/m.ko|a=1|-r|0:ssh://h
        "#]]
        .assert_eq(&format!("{}\n", run.command().argv.join("|")));
    }

    #[test]
    fn flight_recorder_without_a_file_only_loads() {
        let run = Run { flight_recorder: true, target_pid: Some(0), ..plain() };
        assert_eq!(run.command().argv, ["/usr/bin/staprun", "-L", "/tmp/x/m.ko"]);
    }

    #[test]
    fn only_zero_and_one_leave() {
        assert_eq!(RunResult::of(End::Status(0)), RunResult { status: 0, messages: vec![] });
        let result = RunResult::of(End::Status(3));
        assert_eq!(
            (result.status, result.messages[0].as_str()),
            (1, "WARNING: staprun exited with status: 3")
        );
        let result = RunResult::of(End::Signal(9));
        assert_eq!(result.messages[0], "WARNING: staprun exited with signal: 9 (Killed)");
    }

    #[test]
    fn refusals() {
        assert!(refuse(true, &[], ("s", true), "6.1", "6.1").is_ok());
        assert!(refuse(false, &["stapusr"], ("s", true), "6.1", "6.1").is_ok());
        assert_eq!(refuse(false, &["users"], ("s", true), "6.1", "6.1"), Err(RunRefusal::NotPrivileged));
        assert!(matches!(refuse(true, &[], ("s", true), "6.1", "6.2"), Err(RunRefusal::OtherKernel { .. })));
    }
}
