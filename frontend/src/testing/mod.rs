//! For tests, of this crate and of those behind it (feature `testing`): texts through passes 1 and 2.

#[cfg(test)]
mod scripts;

#[cfg(test)]
pub use scripts::{analyse, analyse_with, check_messages, check_messages_with};

use crate::diag::Diagnostics;
use crate::hir::Program;
use crate::optimise;
use crate::resolve::derive::Family;
use crate::resolve::library::MemoryLibrary;
use crate::resolve::resolve;
use crate::session::Session;
use crate::source::{FileId, FileKind, SourceFile, SourceMap, Token};
use crate::syntax::ast::Script;
use crate::syntax::{LibraryMacros, parse, parse_macros};
use crate::types::{self, TypeTable};
use crate::world::World;
use std::sync::Arc;

/// What pass 1 makes of texts.
pub struct Texts {
    /// All files: the scripts, then those of the tapset, numbered in the order in which they were given.
    pub sources: SourceMap,
    /// The user's files.
    pub scripts: Vec<Arc<Script>>,
    /// The tapset.
    pub library: MemoryLibrary,
    /// What was said on the way.
    pub diagnostics: Diagnostics,
}

/// A program as the back half gets it.
pub struct Analysis {
    /// All files.
    pub sources: SourceMap,
    /// The program, as far as it came.
    pub program: Program,
    /// Its types.
    pub types: TypeTable,
    /// What was said on the way, in order.
    pub diagnostics: Diagnostics,
}

/// Parses texts, each with its name: scripts, of which all but the first are as from `-E`, and tapset files, of which
/// those that end in `.stpm` are macro files.
pub fn parse_texts(session: &Session, scripts: &[(&str, &str)], tapset: &[(&str, &str)]) -> Texts {
    let mut sources = SourceMap::new();
    let mut add = |name: &str, kind: FileKind, text: &str| -> (FileId, Arc<SourceFile>) {
        let id = sources.add(SourceFile::new(name, kind, text.as_bytes()));
        (id, sources.file(id).clone())
    };
    let mut users = Vec::new();
    for (index, (name, text)) in scripts.iter().enumerate() {
        let kind = if index == 0 { FileKind::User } else { FileKind::Extra };
        users.push(add(name, kind, text));
    }
    let mut files = Vec::new();
    for (name, text) in tapset {
        let kind = if name.ends_with(".stpm") { FileKind::TapsetMacros } else { FileKind::Tapset };
        files.push(add(name, kind, text));
    }
    let (mut macros, mut library, mut diagnostics) =
        (LibraryMacros::default(), MemoryLibrary::default(), Diagnostics::new());
    let (macro_files, files): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(_, source)| source.kind == FileKind::TapsetMacros);
    for (id, source) in macro_files {
        diagnostics.append(parse_macros(session, id, &source, &mut macros));
    }
    for (id, source) in files {
        let parsed = parse(session, id, &source, &macros);
        diagnostics.append(parsed.diagnostics);
        library.add(&source.name, parsed.script);
    }
    let mut parsed = Vec::new();
    for (id, source) in users {
        let script = parse(session, id, &source, &macros);
        diagnostics.append(script.diagnostics);
        parsed.push(Arc::new(script.script));
    }
    Texts { sources, scripts: parsed, library, diagnostics }
}

impl Texts {
    /// Pass 2. It ends behind the first of its steps that finds errors.
    pub fn analyse(self, session: &Session, world: &dyn World, families: &[&'static dyn Family]) -> Analysis {
        let Texts { sources, scripts, library, diagnostics } = self;
        let (program, types) = (Program::default(), TypeTable::default());
        let mut analysis = Analysis { sources, program, types, diagnostics };
        if analysis.diagnostics.has_errors() {
            return analysis;
        }
        let (program, said) = resolve(session, world, &scripts, &library, families);
        analysis.program = program;
        analysis.diagnostics.append(said);
        if !analysis.diagnostics.has_errors() {
            analysis.passes(session, &|token: &Token| optimise::end_probe(session, world, families, token));
        }
        analysis
    }
}

impl Analysis {
    fn passes(&mut self, session: &Session, end: optimise::DeriveEnd<'_>) {
        let Analysis { sources, program, types, diagnostics } = self;
        let (known, said) = optimise::before_types(session, sources, program);
        *types = known;
        diagnostics.append(said);
        if diagnostics.has_errors() {
            return;
        }
        let (table, said) = types::infer(session, program, std::mem::take(types));
        *types = table;
        diagnostics.append(said);
        if !diagnostics.has_errors() {
            diagnostics.append(optimise::after_types(session, sources, program, types, end));
        }
    }

    /// Messages of all errors.
    pub fn errors(&self) -> Vec<String> {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        errors.map(|diagnostic| diagnostic.message.clone()).collect()
    }
}
