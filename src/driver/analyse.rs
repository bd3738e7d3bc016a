//! Pass 2: names, probe points, types; what is unused goes. Also the listings, which end here.

use super::Stop;
use super::clock::{Stopwatch, count, memory};
use super::parse::Parsed;
use crate::terminal::Terminal;
use crate::world::OsWorld;
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::hir::{Program, dump};
use frontend::optimise;
use frontend::resolve::derive::Family;
use frontend::resolve::{listing, resolve};
use frontend::session::{Mode, Session};
use frontend::source::{SourceMap, Token};
use frontend::types::{self, TypeTable};

/// A program with its types.
#[derive(Debug)]
pub struct Analysed {
    /// The program.
    pub program: Program,
    /// Types of its variables.
    pub types: TypeTable,
}

/// Runs the pass and prints what it prints. `None` if the run ends here as it should.
///
/// # Errors
/// [`Stop::Failed`] after the messages were printed.
pub fn analyse(
    session: &Session,
    parsed: &mut Parsed<'_>,
    families: &[&'static dyn Family],
    terminal: &mut Terminal,
) -> Result<Option<Analysed>, Stop> {
    let watch = Stopwatch::start();
    let verbosity = session.verbosity[1];
    terminal.renderer.filter.verbosity = verbosity;
    if session.mode == Mode::DumpProbeTypes {
        terminal.out(listing::dump_probe_types(session, families).as_bytes());
        return Ok(None);
    }
    let (analysed, sound) = elaborate(session, parsed, families, terminal);
    let Analysed { program, types } = &analysed;
    let ok = sound && terminal.renderer.errors() == 0;
    let mut listed = String::new();
    match session.mode {
        Mode::DumpFunctions => listed = listing::dump_functions(program, types, verbosity > 0),
        Mode::List => listed = listing::list_probes(program, types, false, verbosity > 0),
        Mode::ListVariables => listed = listing::list_probes(program, types, true, verbosity > 0),
        _ if (ok && session.last_pass == 2) || (!ok && verbosity > 2) => {
            terminal
                .out(dump::program(program, types, &parsed.sources, verbosity, &session.version).as_bytes());
        }
        _ => {}
    }
    terminal.out(listed.as_bytes());
    if session.semantic_keep_going && terminal.renderer.errors() > 0 {
        terminal.raw(&terminal.renderer.catalogue(&parsed.sources));
    }
    if verbosity > 0 {
        let functions = program.functions.iter().filter(|function| function.expression.is_none()).count();
        terminal.line(&format!(
            "Pass 2: analyzed script: {}, {}, {}, {} {}{}",
            count(program.probes.len(), "probe"),
            count(functions, "function"),
            count(program.embeds.len(), "embed"),
            count(program.globals.len(), "global"),
            memory(),
            watch.text()
        ));
    }
    warn_of_unused_arguments(session, parsed, program, terminal);
    if session.mode.is_dump() {
        // The status of a listing says whether there was anything.
        return if listed.is_empty() { Err(Stop::Failed) } else { Ok(None) };
    }
    if !ok {
        terminal.line("Pass 2: analysis failed.  [man error::pass2]");
        return Err(Stop::Failed);
    }
    Ok(if session.last_pass == 2 { None } else { Some(analysed) })
}

/// Resolution, folding, types, pruning. The second value is false if a stage found errors.
fn elaborate(
    session: &Session,
    parsed: &mut Parsed<'_>,
    families: &[&'static dyn Family],
    terminal: &mut Terminal,
) -> (Analysed, bool) {
    let Parsed { scripts, library, sources, .. } = parsed;
    let mut sound = true;
    // A stage after an error would speak of its consequences.
    let mut report = |terminal: &mut Terminal, sources: &SourceMap, diagnostics: Diagnostics| {
        sound &= !diagnostics.has_errors();
        terminal.diagnostics(sources, diagnostics);
        (sound && terminal.renderer.errors() == 0) || session.semantic_keep_going
    };
    let (mut program, diagnostics) = resolve(session, &OsWorld, scripts, library, families);
    if session.mode == Mode::DumpFunctions && session.version.before(5, 6) {
        // Some function of the tapset never resolved there, so that types were not inferred: the list has declared ones.
        let types = TypeTable::declared(&program);
        return (Analysed { program, types }, sound);
    }
    if !report(terminal, sources, diagnostics) && !session.mode.is_dump() {
        let types = TypeTable::declared(&program);
        return (Analysed { program, types }, false);
    }
    let (known, diagnostics) = optimise::before_types(session, sources, &mut program);
    if !report(terminal, sources, diagnostics) && !session.mode.is_dump() {
        return (Analysed { program, types: known }, false);
    }
    let (mut types, diagnostics) = types::infer(session, &program, known);
    if !report(terminal, sources, diagnostics) && !session.mode.is_dump() {
        return (Analysed { program, types }, false);
    }
    if !report(terminal, sources, codegen::check_regexes(&program)) && !session.mode.is_dump() {
        return (Analysed { program, types }, false);
    }
    let derive_end = |token: &Token| optimise::end_probe(session, &OsWorld, families, token);
    let mut diagnostics = optimise::after_types(session, sources, &mut program, &mut types, &derive_end);
    if terminal.renderer.errors() > 0 {
        // With --semantic-keep-going: nobody wonders why a script with errors has no probes.
        let no_probes = |diagnostic: &Diagnostic| diagnostic.site == "optimise.no-probes";
        diagnostics = diagnostics.into_iter().filter(|diagnostic| !no_probes(diagnostic)).collect();
    }
    if report(terminal, sources, diagnostics) && !session.mode.is_dump() {
        report(terminal, sources, codegen::check_groups(&program));
    }
    (Analysed { program, types }, sound)
}

/// `-e 'probe begin {}' word`: nobody looks at the word (main.cxx).
fn warn_of_unused_arguments(
    session: &Session,
    parsed: &Parsed<'_>,
    program: &Program,
    terminal: &mut Terminal,
) {
    if program.globals.iter().any(|global| matches!(global.name.as_str(), "argc" | "argv")) {
        return;
    }
    for number in 1..=session.arguments.len() {
        if !parsed.used_arguments.contains(&number) {
            terminal.warn(&format!("unused command line option ${number}/@{number}"));
        }
    }
}
