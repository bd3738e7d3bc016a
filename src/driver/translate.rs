//! Pass 3: the program becomes C.

use super::Stop;
use super::analyse::Analysed;
use super::clock::{Stopwatch, memory};
use super::compile::{Sources, Workshop};
use super::parse::Parsed;
use crate::terminal::Terminal;
use crate::world::OsWorld;

/// Runs the pass and prints what it prints. The texts are not written yet: pass 4 does that, if it builds.
///
/// # Errors
/// [`Stop::Failed`] after the messages were printed.
pub fn translate(
    workshop: &Workshop<'_>,
    parsed: &Parsed<'_>,
    analysed: &Analysed,
    terminal: &mut Terminal,
) -> Result<Sources, Stop> {
    let watch = Stopwatch::start();
    let session = workshop.session;
    let verbosity = session.verbosity[2];
    terminal.renderer.filter.verbosity = verbosity;
    if let (Some(why), false) = (&workshop.runtime.profile().newer, session.suppress_warnings) {
        let directory = workshop.runtime.text.dir().display();
        terminal.line(&format!("Note: the runtime in \"{directory}\" is newer than rstap knows: {why}"));
    }
    let Analysed { program, types } = analysed;
    let name = &session.module_name;
    let refused = frontend::types::check(program, types);
    let planned = if refused.has_errors() {
        Err(refused)
    } else {
        codegen::plan(session, &parsed.sources, program, types, workshop.runtime.profile())
    };
    let planned = planned.map(|mut plan| {
        plan.symbols = codegen::symbols::collect(session, &plan, &OsWorld);
        for name in &plan.symbols.missing {
            terminal.warn(&format!("missing unwind/symbol data for module '{name}'"));
        }
        plan
    });
    if let (Ok(plan), 2..) = (&planned, verbosity) {
        let recursion = if plan.nesting.recursive { "recursive" } else { "non-recursive" };
        // Both blanks are stap's.
        terminal
            .line(&format!("function recursion-analysis: max-nesting {}  {recursion}", plan.nesting.deepest));
        let frame = codegen::frame_sizes(plan);
        terminal.line(&format!(
            "context frame: {} bytes for each processor (handlers {}, functions {} x {}, formats {})",
            frame.total(),
            frame.handler,
            frame.levels,
            frame.function,
            frame.format
        ));
    }
    let translated = planned.map(|plan| codegen::emit(session, &plan)).map_err(|diagnostics| {
        terminal.diagnostics(&parsed.sources, diagnostics);
        Stop::Failed
    });
    let file = workshop.scratch.path().join(format!("{name}_src.c"));
    let translated = translated.and_then(|unit| {
        // Whoever keeps the directory wants to see it there even if nothing is built.
        std::fs::write(&file, &unit.source).map_err(|error| {
            terminal.line(&format!("ERROR: cannot write \"{}\": {error}", file.display()));
            Stop::Failed
        })?;
        if session.last_pass == 3 {
            terminal.out(unit.source.as_bytes());
        }
        Ok(unit)
    });
    if verbosity > 0 {
        terminal.line(&format!(
            "Pass 3: translated to C into \"{}\" {}{}",
            file.display(),
            memory(),
            watch.text()
        ));
    }
    let unit =
        translated.inspect_err(|_| terminal.line("Pass 3: translation failed.  [man error::pass3]"))?;
    let mut units = vec![(format!("{name}_src.c"), unit.source)];
    let mut last = Vec::new();
    for extra in unit.extra {
        let list = if extra.trailer { &mut last } else { &mut units };
        list.push((format!("{name}_{}.c", extra.stem), extra.text));
    }
    units.push(("stap_symbols.c".to_owned(), unit.symbols));
    units.append(&mut last);
    let headers = vec![("stap_common.h".to_owned(), unit.common_header)];
    if session.last_pass == 3 {
        // Pass 4 would write them; without it they are there for whoever keeps the directory.
        for (name, text) in units.iter().skip(1).chain(&headers) {
            let _ = std::fs::write(workshop.scratch.path().join(name), text);
        }
    }
    Ok(Sources { units, headers })
}
