//! A run from the command line to the exit status. [`pipeline`] is the whole of it: every stage in order.

mod analyse;
mod cache;
mod clock;
mod compile;
mod files;
mod ground;
mod limits;
mod parse;
mod run;
mod translate;

use crate::args::low::Special;
use crate::args::{self, LowArgs};
use crate::render::{Filter, Renderer};
use crate::session::{self, Paths, Settings};
use crate::terminal::Terminal;
use crate::world::OsWorld;
use crate::world::children;
use crate::world::environment::Environment;
use crate::world::scratch::Scratch;
use cache::Cache;
use compile::Workshop;
use ground::{Ground, Runtime};
use std::ffi::OsString;

/// Why a run ends before its last pass. Whatever there was to say has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// An error.
    Failed,
    /// A signal to end.
    Interrupted,
}

/// Exit status of a run: 0 or 1, nothing else (language.md 1; cli.md 9).
pub fn main() -> u8 {
    let env = Environment::of_process();
    match start(&env) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// Reads the command line and does what it asks for.
fn start(env: &Environment) -> Result<(), Stop> {
    let words = command_line(env)?;
    let posix = env.variables.contains_key("POSIXLY_CORRECT");
    let low = args::parse(&words, posix).map_err(|error| refuse(&error, error.wants_hint()))?;
    for remark in &low.remarks {
        eprintln!("{remark}");
    }
    limits::apply(&low.rlimits).map_err(|message| refuse(&message, false))?;
    if let Some(special) = low.special {
        return instead(special, &low, env);
    }
    let form = session::form(&low, env);
    let settings = Settings::new(low, env, &OsWorld).map_err(|error| refuse(&error, error.wants_hint()))?;
    let mut terminal = Terminal { renderer: Renderer::new(form, settings.filter()) };
    for warning in &settings.warnings {
        terminal.warn(warning);
    }
    let done = pipeline(&settings, &mut terminal);
    terminal.raw(&terminal.renderer.suppressed());
    done
}

/// Passes 0 to 5. Each stage prints its own messages; `None` says that the run ends there as it should.
fn pipeline(settings: &Settings, terminal: &mut Terminal) -> Result<(), Stop> {
    // Passes 1 and 2 need no directory, but who keeps it finds one (and where) after any pass.
    let kept = settings.low.keep.then(|| scratch(settings, terminal)).transpose()?;
    let ground = Ground::survey(settings, terminal)?;
    let session = settings.session(&ground.level().to_string(), &ground.kernel).map_err(|error| {
        terminal.line(&error.to_string());
        Stop::Failed
    })?;
    let families: Vec<&'static dyn frontend::resolve::derive::Family> =
        codegen::families::FAMILIES.iter().map(|f| *f as _).collect();

    let index = parse::IndexBytes::new();
    let Some(mut parsed) = parse::parse(settings, &session, &index, terminal)? else { return Ok(()) };
    interrupted()?;
    let Some(analysed) = analyse::analyse(&session, &mut parsed, &families, terminal)? else { return Ok(()) };
    interrupted()?;

    let runtime = ground.runtime(terminal)?;
    let scratch = kept.map_or_else(|| scratch(settings, terminal), Ok)?;
    let workshop = Workshop::new(settings, &session, &ground.kernel, runtime, &scratch);
    let sources = translate::translate(&workshop, &parsed, &analysed, terminal)?;
    interrupted()?;
    if session.last_pass == 3 {
        return Ok(());
    }
    let module = workshop.compile(&sources, terminal)?;
    interrupted()?;
    let command = run::command(settings, &session, &module, analysed.program.reads_stdin);
    if session.last_pass == 4 {
        return run::emit(settings, &command, terminal);
    }
    run::run(&workshop, &command, terminal)
}

/// Ends the run if a signal asked for it (main.cxx: `assert_no_interrupts`).
fn interrupted() -> Result<(), Stop> {
    if children::interrupted() { Err(Stop::Interrupted) } else { Ok(()) }
}

/// Makes the temporary directory, or takes the one of `--tmpdir`.
fn scratch(settings: &Settings, terminal: &mut Terminal) -> Result<Scratch, Stop> {
    let parent = &settings.paths.temporary;
    let made = match &settings.low.tmpdir {
        Some(directory) => Scratch::existing(directory),
        None => Scratch::create(parent, settings.low.keep),
    };
    made.map_err(|error| {
        let place = settings.low.tmpdir.as_ref().unwrap_or(parent).display();
        terminal.line(&format!("ERROR: cannot create temporary directory in (\"{place}\"): {error}"));
        Stop::Failed
    })
}

/// The words of the command line, those of the resource file first (main.cxx).
fn command_line(env: &Environment) -> Result<Vec<OsString>, Stop> {
    let mut words: Vec<OsString> = std::env::args_os().take(1).collect();
    let directory = env.path("SYSTEMTAP_DIR").or_else(|| Some(env.path("HOME")?.join(".systemtap")));
    if let Some(file) = directory.map(|directory| directory.join("rc"))
        && let Ok(text) = std::fs::read_to_string(&file)
    {
        for line in text.lines() {
            let split = args::split_rc(line, &|name| env.text(name));
            let split = split.map_err(|error| {
                let message = format!("Error processing extra options in {}", file.display());
                refuse(&format!("{message}\n{error}: {line}"), false)
            })?;
            for word in split {
                let files = word.pattern.as_deref().map(files::matching).unwrap_or_default();
                // A pattern of nothing is a word like others.
                let expanded = if files.is_empty() { vec![word.text] } else { files };
                words.extend(expanded.into_iter().map(OsString::from));
            }
        }
    }
    words.extend(std::env::args_os().skip(1));
    Ok(words)
}

/// Prints what is wrong with the command line.
fn refuse(message: &dyn std::fmt::Display, hint: bool) -> Stop {
    eprintln!("{message}");
    if hint {
        eprintln!("Try '--help' for more information. [man stap]");
        eprintln!("A message like [man foo] means for more info, run % man foo");
    }
    Stop::Failed
}

/// What the special options ask for.
fn instead(special: Special, low: &LowArgs, env: &Environment) -> Result<(), Stop> {
    let paths = Paths::find(low, env, &OsWorld);
    let runtime = || Runtime::read(&paths.runtime, &paths.staprun);
    let text = match special {
        Special::Help => args::doc::help(),
        Special::Version => ground::version(&runtime()),
        Special::CleanCache => {
            let cleaned = paths.cache.as_deref().map_or(Ok(()), |root| Cache::new(root).clean());
            cleaned.map_err(|error| refuse(&format!("ERROR: cannot clean the cache: {error}"), false))?;
            String::new()
        }
        Special::RuntimeProfile => {
            let runtime = runtime().map_err(|reason| refuse(&format!("ERROR: {reason}"), false))?;
            format!("directory {}\n{}", runtime.text.dir().display(), runtime.profile())
        }
        Special::ListRepairs => {
            let list = runtime_shim::repairs::REPAIRS.iter();
            list.map(|repair| {
                format!(
                    "{}\n    without it: {}\n    remedy: {}\n",
                    repair.name, repair.symptom, repair.remedy
                )
            })
            .collect()
        }
    };
    let terminal = Terminal { renderer: Renderer::new(session::form(low, env), Filter::default()) };
    terminal.out(text.as_bytes());
    Ok(())
}
