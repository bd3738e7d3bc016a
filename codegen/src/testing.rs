//! For tests: a script's text, with a tapset in memory, through all passes to C.

use frontend::diag::Diagnostics;
use frontend::hir::Program;
use frontend::resolve::derive::Family;
use frontend::resolve::library::MemoryLibrary;
use frontend::session::Session;
use frontend::source::{FileKind, SourceFile, SourceMap};
use frontend::syntax::{LibraryMacros, parse, parse_macros};
use frontend::types::TypeTable;
use frontend::world::MemoryWorld;
use runtime_shim::profile::{HwBreakpoint, LastStatement, Level, Protocol, RuntimeProfile};
use std::sync::Arc;

/// A program as the back half gets it.
pub struct Analysed {
    /// All files.
    pub sources: SourceMap,
    /// The program.
    pub program: Program,
    /// Its types.
    pub types: TypeTable,
    /// What was said on the way.
    pub diagnostics: Diagnostics,
}

/// Passes 1 and 2. `tapset` are names and texts; names that end in `.stpm` are macro files.
pub fn analyse(
    session: &Session,
    name: &str,
    script: &str,
    tapset: &[(String, String)],
    families: &[&'static dyn Family],
) -> Analysed {
    let mut sources = SourceMap::new();
    let mut macros = LibraryMacros::default();
    let mut library = MemoryLibrary::default();
    let mut diagnostics = Diagnostics::new();
    for (name, text) in tapset.iter().filter(|(name, _)| name.ends_with(".stpm")) {
        let source = SourceFile::new(name.as_str(), FileKind::TapsetMacros, text.as_bytes());
        let id = sources.add(source);
        let source = sources.file(id).clone();
        diagnostics.append(parse_macros(session, id, &source, &mut macros));
    }
    for (name, text) in tapset.iter().filter(|(name, _)| !name.ends_with(".stpm")) {
        let id = sources.add(SourceFile::new(name.as_str(), FileKind::Tapset, text.as_bytes()));
        let source = sources.file(id).clone();
        let parsed = parse(session, id, &source, &macros);
        diagnostics.append(parsed.diagnostics);
        library.add(name, parsed.script);
    }
    let id = sources.add(SourceFile::new(name, FileKind::User, script.as_bytes()));
    let source = sources.file(id).clone();
    let parsed = parse(session, id, &source, &macros);
    diagnostics.append(parsed.diagnostics);
    let world = MemoryWorld::new();
    let scripts = [Arc::new(parsed.script)];
    let (mut program, said) = frontend::resolve::resolve(session, &world, &scripts, &library, families);
    diagnostics.append(said);
    let (known, said) = frontend::optimise::before_types(session, &sources, &mut program);
    diagnostics.append(said);
    let (mut types, said) = frontend::types::infer(session, &program, known);
    diagnostics.append(said);
    let derive_end = |token: &_| frontend::optimise::end_probe(session, &world, families, token);
    let said = frontend::optimise::after_types(session, &sources, &mut program, &mut types, &derive_end);
    diagnostics.append(said);
    Analysed { sources, program, types, diagnostics }
}

/// The profile of an unpatched release.
pub fn profile(major: u32, minor: u32) -> RuntimeProfile {
    let from = |other: (u32, u32)| (major, minor) >= other;
    RuntimeProfile {
        level: Level::new(major, minor),
        protocol: if from((5, 0)) { Protocol::From(0x50) } else { Protocol::Unnumbered },
        trace_magic: from((5, 0)),
        last_stmt: if from((5, 6)) { LastStatement::PerNesting } else { LastStatement::Pointer },
        softerror_handler: from((5, 6)),
        exectrace: from((5, 6)),
        trace_register2: from((5, 6)),
        hrtimer_setup: from((5, 3)),
        timer_delete_sync: from((5, 3)),
        hwbkpt: HwBreakpoint::Emitted,
        sym2: from((5, 0)),
        systemtap_wq: from((5, 0)),
        init_timing: from((5, 1)),
        cleanup_task_finder_target: from((5, 0)),
        uprobe_handle: from((5, 2)),
        stp_unwind_context: from((5, 4)),
        debug_line_str: from((5, 0)),
        kernel_marks: !from((5, 6)),
        ibt_wrapper: from((5, 0)),
        own_strlcpy: from((5, 1)),
        module_init_hook: from((5, 2)),
        module_init_macro: from((5, 0)),
        tests_have_prototypes: from((5, 1)),
        stdout_not_atty: from((5, 0)),
        timing_nsecs: from((5, 0)),
        stat_add_preempt_off: from((5, 2)),
        newer: None,
    }
}
