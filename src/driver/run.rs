//! Pass 5: the module is loaded and unloaded by the installed staprun, which also carries its output.

use super::Stop;
use super::clock::Stopwatch;
use super::compile::Workshop;
use super::ground::Runtime;
use crate::args::low::Color;
use crate::session::Settings;
use crate::terminal::Terminal;
use crate::world::children::{self, Output};
use frontend::session::Session;
use runtime_shim::command::Command;
use runtime_shim::staprun::{self, End, Run, RunResult};
use std::io;
use std::path::{Path, PathBuf};

/// The command of pass 5 for a module.
pub fn command(settings: &Settings, session: &Session, module: &Path, reads_stdin: bool) -> Command {
    let low = &settings.low;
    Run {
        staprun: settings.paths.staprun.clone(),
        module: module.to_path_buf(),
        verbose: session.verbosity[4],
        suppress_warnings: session.suppress_warnings,
        output: low.output.as_ref().map(|file| file.to_string_lossy().into_owned()),
        command: session.command.clone(),
        target_pid: session.target_pid,
        namespaces_pid: low.namespaces_pid,
        buffer_mb: low.buffer_size,
        reads_stdin,
        flight_recorder: low.flight_recorder,
        rename: low.module_name.is_none(),
        rotate: low.file_sizes.clone(),
        color: match low.color {
            Some(Color::Always) => Some(staprun::Color::Always),
            Some(Color::Never) => Some(staprun::Color::Never),
            Some(Color::Auto) | None => None,
        },
        monitor_secs: None,
        globals: low.globals.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        remote: None,
    }
    .command()
}

/// `--emit-staprun`: writes the command to a file, one word for each line.
///
/// # Errors
/// [`Stop::Failed`] if the file cannot be written.
pub fn emit(settings: &Settings, command: &Command, terminal: &Terminal) -> Result<(), Stop> {
    let Some(path) = &settings.low.emit_staprun else { return Ok(()) };
    std::fs::write(path, command.argv.join("\n") + "\n").map_err(|error| {
        terminal.line(&format!("ERROR: cannot write \"{}\": {error}", path.display()));
        Stop::Failed
    })
}

/// Runs the module.
///
/// # Errors
/// [`Stop::Failed`] if staprun failed or could not be started.
pub fn run(workshop: &Workshop<'_>, command: &Command, terminal: &mut Terminal) -> Result<(), Stop> {
    let Workshop { settings, session, runtime, scratch, .. } = workshop;
    terminal.renderer.filter.verbosity = session.verbosity[4];
    let loud = session.verbosity[4] > 0;
    check_staprun(settings, runtime, terminal)?;
    // Upstream leaves it there too, for whoever wants to see it with -k (cli.md 10).
    let _ = std::fs::write(scratch.path().join("staprun_args_direct"), command.argv.join("\n") + "\n");
    if loud {
        terminal.line("Pass 5: starting run.");
    }
    let watch = Stopwatch::start();
    if session.verbosity[4] > 1 {
        terminal.line(&format!("Running {}", command.argv.join(" ")));
    }
    let ended = children::run(command, Output::Inherit);
    let program = command.argv.first().map_or("staprun", String::as_str);
    let result = match ended {
        Ok(ended) => RunResult::of(ended.end),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(Stop::Interrupted),
        Err(error) => {
            terminal.warn(&format!("cannot run {program}: {error}"));
            RunResult::of(End::Status(1))
        }
    };
    for message in &result.messages {
        if let Some(rest) = message.strip_prefix("WARNING: staprun") {
            terminal.warn(&format!("{program}{rest}"));
        }
    }
    if loud {
        terminal.line(&format!("Pass 5: run completed {}", watch.text()));
    }
    if result.status != 0 {
        terminal.line("Pass 5: run failed.  [man error::pass5]");
        return Err(Stop::Failed);
    }
    // An interrupt is how most runs end: it has done what it was sent for.
    children::forget_interrupts();
    Ok(())
}

/// Says what is missing before anything is loaded.
fn check_staprun(settings: &Settings, runtime: &Runtime, terminal: &mut Terminal) -> Result<(), Stop> {
    let staprun = &settings.paths.staprun;
    let program = std::fs::read(staprun).map_err(|error| {
        terminal.line(&format!(
            "ERROR: cannot use \"{}\": {error}\nInstall the distribution's systemtap-runtime package, or name the \
             program with SYSTEMTAP_STAPRUN.",
            staprun.display()
        ));
        terminal.line("Pass 5: run failed.  [man error::pass5]");
        Stop::Failed
    })?;
    let stapio = stapio(staprun).and_then(|path| std::fs::read(path).ok());
    runtime.profile().check_staprun(&runtime.text, &program, stapio.as_deref()).map_err(|error| {
        terminal.line(&format!("ERROR: {error}"));
        terminal.line("Pass 5: run failed.  [man error::pass5]");
        Stop::Failed
    })
}

/// Where packages put stapio, which staprun starts.
fn stapio(staprun: &Path) -> Option<PathBuf> {
    let prefix = staprun.parent()?.parent()?;
    ["libexec/systemtap/stapio", "lib/systemtap/stapio", "lib64/systemtap/stapio"]
        .map(|name| prefix.join(name))
        .into_iter()
        .find(|path| path.exists())
}
