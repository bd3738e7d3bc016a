//! The library: every file of the search path, its tree on demand, and where each name is defined.

use crate::index::{self, Index};
use crate::paths::{Extension, FoundFile, search};
use crate::summary::Summary;
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::resolve::library::{AliasEntry, Library};
use frontend::session::Session;
use frontend::source::{FileId, FileKind, SourceFile, SourceMap};
use frontend::syntax::ast::Script;
use frontend::syntax::{LibraryMacros, parse, parse_macros};
use frontend::world::World;
use rayon::prelude::*;
use smol_str::SmolStr;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Fewer files than these are parsed faster than threads start.
const PARALLEL_FROM: usize = 8;

/// A `.stp` file of the search path.
struct Member {
    id: FileId,
    file: FoundFile,
    source: Arc<SourceFile>,
    tree: OnceLock<Tree>,
}

/// A file's tree, and what its summary does not get from it.
struct Tree {
    script: Arc<Script>,
    broken: bool,
    volatile: bool,
}

/// The tapset of a session.
pub struct Tapset<'a> {
    session: &'a Session,
    world: &'a dyn World,
    macros: LibraryMacros,
    members: Vec<Member>,
    functions: HashMap<SmolStr, Vec<FileId>>,
    globals: HashMap<SmolStr, Vec<FileId>>,
    aliases: Vec<AliasEntry>,
    diagnostics: Mutex<Diagnostics>,
    /// Names of the macro files without errors, in search order.
    macro_files: Vec<SmolStr>,
    /// Scripts without errors.
    count: usize,
}

/// What loading gives besides the library.
pub struct Loaded<'a> {
    /// The library.
    pub tapset: Tapset<'a>,
    /// Lines that `-vv` (level 2) and `-vvv` (level 3) print.
    pub notes: Vec<(u32, String)>,
    /// `usage error: ...` lines: the user's script is a file of the tapset.
    pub usage_errors: Vec<String>,
    /// A new index to keep under [`index::name`], if the one that was given is not up to date.
    pub index: Option<Vec<u8>>,
}

/// Finds the tapset of a session and learns what it defines.
///
/// All files become members of `sources`, pending until they are read. `script` is device and inode of the user's
/// script, which must not be a tapset file. `index` is what an earlier run gave to keep, in whatever state it is now.
pub fn load<'a>(
    session: &'a Session,
    world: &'a dyn World,
    sources: &mut SourceMap,
    script: Option<(u64, u64)>,
    index: Option<&[u8]>,
) -> Loaded<'a> {
    let mut usage_errors = Vec::new();
    let mut refuse = |files: &[FoundFile], what: &str| {
        for file in files.iter().filter(|file| Some(file.identity) == script) {
            usage_errors.push(format!(
                "usage error: {what} '{}' cannot be run directly as a session script.",
                file.path.display()
            ));
        }
    };
    let macro_files = search(session, world, Extension::Stpm);
    let script_files = search(session, world, Extension::Stp);
    refuse(&macro_files.files, "macro tapset file");
    refuse(&script_files.files, "tapset file");

    let mut tapset = Tapset {
        session,
        world,
        macros: LibraryMacros::new(),
        members: Vec::new(),
        functions: HashMap::new(),
        globals: HashMap::new(),
        aliases: Vec::new(),
        diagnostics: Mutex::default(),
        macro_files: Vec::new(),
        count: 0,
    };
    for file in &macro_files.files {
        tapset.add_macros(sources, file);
    }
    for file in script_files.files {
        let name = file.path.to_string_lossy().into_owned();
        let id = sources.add(SourceFile::pending(name, FileKind::Tapset));
        let source = sources.file(id).clone();
        tapset.members.push(Member { id, file, source, tree: OnceLock::new() });
    }
    let fingerprint = index::fingerprint(&macro_files.files);
    let known = index.and_then(|bytes| Index::read(bytes, &fingerprint));
    let known_count = known.as_ref().map(Index::len);
    // A file with errors says so in every run, and one that asks for arguments may define something else this time.
    let from_index: Vec<Option<Summary>> =
        tapset.members.iter().map(|member| known.as_ref()?.summary(&member.file)).collect();
    let up_to_date = known_count == Some(tapset.members.len()) && from_index.iter().all(Option::is_some);
    let to_parse: Vec<&Member> = tapset
        .members
        .iter()
        .zip(&from_index)
        .filter(|(_, summary)| summary.as_ref().is_none_or(|summary| summary.broken || summary.volatile))
        .map(|(member, _)| member)
        .collect();
    // In parallel; but what is said and entered keeps the order of the search.
    let parse_one = |member: &&Member| {
        let (tree, diagnostics) = tapset.parse(member);
        let summary = summarise(&tree);
        member.tree.get_or_init(|| tree);
        (member.id, summary, diagnostics)
    };
    let parsed: Vec<(FileId, Summary, Diagnostics)> = if to_parse.len() < PARALLEL_FROM {
        to_parse.iter().map(parse_one).collect()
    } else {
        to_parse.par_iter().map(parse_one).collect()
    };
    let mut summaries: Vec<Summary> = from_index.into_iter().map(Option::unwrap_or_default).collect();
    for (id, summary, diagnostics) in parsed {
        if let Some(first) = tapset.members.first() {
            summaries[(id.0 - first.id.0) as usize] = summary;
        }
        tapset.note(diagnostics);
    }
    let new_index = (!up_to_date).then(|| {
        index::write(&fingerprint, tapset.members.iter().map(|member| &member.file).zip(&summaries))
    });
    tapset.enter(&summaries);
    let mut notes = macro_files.notes;
    notes.extend(script_files.notes);
    Loaded { tapset, notes, usage_errors, index: new_index }
}

/// Names in alphabetical order.
fn sorted(names: &HashMap<SmolStr, Vec<FileId>>) -> Vec<SmolStr> {
    let mut names: Vec<SmolStr> = names.keys().cloned().collect();
    names.sort_unstable();
    names
}

fn summarise(tree: &Tree) -> Summary {
    if tree.broken {
        return Summary { broken: true, ..Summary::default() };
    }
    Summary { volatile: tree.volatile, ..Summary::of(&tree.script) }
}

/// Fills a pending file; what cannot be read stays empty and costs a warning.
fn read(world: &dyn World, path: &Path, source: &SourceFile) -> Result<(), Diagnostics> {
    match world.read(path) {
        Ok(bytes) => {
            source.fill(&bytes);
            Ok(())
        }
        Err(_) => {
            let message = format!("Input file '{}' can't be opened for reading.", path.display());
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(Diagnostic::warning("tapset-unreadable", message));
            Err(diagnostics)
        }
    }
}

/// One warning for a file with errors, whatever their number; it shows the first.
fn broken(message: &str, errors: Diagnostics) -> Diagnostics {
    let warning = Diagnostic::warning("tapset-broken", message);
    let mut diagnostics = Diagnostics::new();
    diagnostics.push(match errors.into_iter().find(Diagnostic::is_error) {
        Some(first) => warning.because(first),
        None => warning,
    });
    diagnostics
}

impl Tapset<'_> {
    /// The macros of the `.stpm` files, for parsing the user's script.
    pub fn macros(&self) -> &LibraryMacros {
        &self.macros
    }

    /// How many files count as "library scripts" in the line of pass 1.
    pub fn script_count(&self) -> usize {
        self.macro_files.len() + self.count
    }

    /// Names of the macro files, in search order: the first of the library files, but without declarations.
    pub fn macro_files(&self) -> &[SmolStr] {
        &self.macro_files
    }

    fn note(&self, diagnostics: Diagnostics) {
        self.diagnostics.lock().unwrap_or_else(PoisonError::into_inner).append(diagnostics);
    }

    fn add_macros(&mut self, sources: &mut SourceMap, file: &FoundFile) {
        let name = file.path.to_string_lossy().into_owned();
        let id = sources.add(SourceFile::pending(name.as_str(), FileKind::TapsetMacros));
        let source = sources.file(id);
        if let Err(unreadable) = read(self.world, &file.path, source) {
            self.note(unreadable);
            return;
        }
        let diagnostics = parse_macros(self.session, id, source, &mut self.macros);
        if diagnostics.has_errors() {
            self.note(broken(
                &format!("macro tapset \"{name}\" has errors, and will be skipped."),
                diagnostics,
            ));
        } else {
            self.macro_files.push(name.into());
            self.note(diagnostics);
        }
    }

    fn member(&self, file: FileId) -> Option<&Member> {
        let first = self.members.first()?.id.0;
        self.members.get(file.0.checked_sub(first)? as usize)
    }

    /// Reads and parses a file.
    fn parse(&self, member: &Member) -> (Tree, Diagnostics) {
        let readable = read(self.world, &member.file.path, &member.source);
        let parse = parse(self.session, member.id, &member.source, &self.macros);
        let has_errors = parse.diagnostics.has_errors();
        let tree = Tree {
            script: Arc::new(parse.script),
            broken: has_errors || readable.is_err(),
            volatile: parse.asks_arguments,
        };
        let diagnostics = match readable {
            Err(unreadable) => unreadable,
            Ok(()) if has_errors => {
                let message =
                    format!("tapset \"{}\" has errors, and will be skipped", member.file.path.display());
                broken(&message, parse.diagnostics)
            }
            Ok(()) => parse.diagnostics,
        };
        (tree, diagnostics)
    }

    fn tree<'m>(&self, member: &'m Member) -> &'m Tree {
        member.tree.get_or_init(|| {
            let (tree, diagnostics) = self.parse(member);
            self.note(diagnostics);
            tree
        })
    }

    /// Enters the definitions of all members, in search order.
    fn enter(&mut self, summaries: &[Summary]) {
        for (member, summary) in self.members.iter().zip(summaries) {
            self.count += usize::from(!summary.broken);
            for name in &summary.functions {
                self.functions.entry(name.clone()).or_default().push(member.id);
            }
            for name in &summary.globals {
                self.globals.entry(name.clone()).or_default().push(member.id);
            }
            for (alias, components) in &summary.aliases {
                let components = components.clone();
                self.aliases.push(AliasEntry { components, file: member.id, alias: *alias });
            }
        }
    }
}

impl Library for Tapset<'_> {
    fn functions(&self, name: &str) -> &[FileId] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    fn globals(&self, name: &str) -> &[FileId] {
        self.globals.get(name).map_or(&[], Vec::as_slice)
    }

    fn aliases(&self) -> &[AliasEntry] {
        &self.aliases
    }

    fn function_names(&self) -> Vec<SmolStr> {
        sorted(&self.functions)
    }

    fn global_names(&self) -> Vec<SmolStr> {
        sorted(&self.globals)
    }

    fn files(&self) -> Vec<FileId> {
        self.members.iter().map(|member| member.id).collect()
    }

    fn script(&self, file: FileId) -> Arc<Script> {
        match self.member(file) {
            Some(member) => self.tree(member).script.clone(),
            // Not a file of the library: nothing is declared there.
            None => Arc::new(Script::new(file, true)),
        }
    }

    fn name(&self, file: FileId) -> Option<SmolStr> {
        self.member(file).map(|member| member.source.name.clone())
    }

    fn take_diagnostics(&self) -> Diagnostics {
        std::mem::take(&mut self.diagnostics.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    fn session() -> Session {
        Session { tapset_roots: vec!["/t".into(), "/mine".into()], ..Session::for_tests() }
    }

    #[test]
    fn names_lead_to_files() {
        let world = MemoryWorld::new()
            .with("/t/m.stpm", "@define twice(x) %( (@x + @x) %)")
            .with("/t/a.stp", "function f() { return @twice(1) } private function hidden() { } global g, h")
            .with("/t/b.stp", "function f(a) { } probe p.q = begin { } probe r(1) = s = end { }")
            .with("/mine/c.stp", "function f(a, b) { }");
        let (session, mut sources) = (session(), SourceMap::new());
        let loaded = load(&session, &world, &mut sources, None, None);
        let tapset = &loaded.tapset;
        let names = |files: &[FileId]| -> Vec<SmolStr> {
            files.iter().filter_map(|&file| tapset.name(file)).collect()
        };
        assert_eq!(names(tapset.functions("f")), ["/t/a.stp", "/t/b.stp", "/mine/c.stp"]);
        assert_eq!(tapset.functions("hidden"), []);
        assert_eq!(names(tapset.globals("h")), ["/t/a.stp"]);
        assert_eq!(tapset.aliases().len(), 3);
        assert_eq!(tapset.aliases()[1].alias, 1);
        assert_eq!(tapset.script_count(), 4);
        let script = tapset.script(tapset.functions("f")[0]);
        assert_eq!(script.globals.len(), 2);
        assert!(tapset.take_diagnostics().is_empty());
    }

    #[test]
    fn a_broken_file_costs_one_warning() {
        let world = MemoryWorld::new()
            .with("/t/a.stp", "function f() { ) } function g() { ) } function h() { ) }")
            .with("/t/b.stp", "function ok() { }");
        let (session, mut sources) = (session(), SourceMap::new());
        let loaded = load(&session, &world, &mut sources, None, None);
        let diagnostics = loaded.tapset.take_diagnostics();
        assert_eq!(diagnostics.len(), 1);
        assert!(!diagnostics.has_errors());
        assert_eq!(loaded.tapset.functions("f"), []);
        assert_eq!(loaded.tapset.functions("ok").len(), 1);
        assert_eq!(loaded.tapset.script_count(), 1);
    }

    #[test]
    fn with_an_index_only_what_is_reached_is_parsed() {
        let world = MemoryWorld::new()
            .with("/t/a.stp", "function f() { } global g probe p.q = begin { }")
            .with("/t/b.stp", "function argument() { return $# }")
            .with("/t/c.stp", "function broken() { ) }");
        let session = session();
        let mut sources = SourceMap::new();
        let first = load(&session, &world, &mut sources, None, None);
        let index = first.index.unwrap();
        let mut sources = SourceMap::new();
        let second = load(&session, &world, &mut sources, None, Some(&index));
        assert_eq!(second.index, None);
        let parsed = |tapset: &Tapset<'_>| -> Vec<bool> {
            tapset.members.iter().map(|member| member.tree.get().is_some()).collect()
        };
        assert_eq!(parsed(&second.tapset), [false, true, true]);
        assert_eq!(second.tapset.take_diagnostics().len(), 1);
        assert_eq!(second.tapset.script_count(), first.tapset.script_count());
        assert_eq!(second.tapset.aliases(), first.tapset.aliases());
        assert_eq!(second.tapset.function_names(), first.tapset.function_names());
        let file = second.tapset.functions("f")[0];
        assert_eq!(second.tapset.script(file).functions.len(), 1);
        assert_eq!(parsed(&second.tapset), [true, true, true]);

        let world = world.with("/t/a.stp", "function other_name() { }").with("/t/d.stp", "");
        let mut sources = SourceMap::new();
        let third = load(&session, &world, &mut sources, None, Some(&index));
        assert!(third.index.is_some());
        assert_eq!(third.tapset.functions("f"), []);
        assert_eq!(third.tapset.functions("other_name").len(), 1);
        let mut sources = SourceMap::new();
        let damaged = load(&session, &world, &mut sources, None, Some(&index[..index.len() - 1]));
        assert_eq!(damaged.tapset.functions("other_name").len(), 1);
    }

    #[test]
    fn a_tapset_file_is_no_script() {
        let world = MemoryWorld::new().with("/t/a.stp", "").with("/t/b.stp", "");
        let identity = world.stat(std::path::Path::new("/t/a.stp")).map(|stat| stat.identity);
        let (session, mut sources) = (session(), SourceMap::new());
        let loaded = load(&session, &world, &mut sources, identity, None);
        assert_eq!(
            loaded.usage_errors,
            ["usage error: tapset file '/t/a.stp' cannot be run directly as a session script."]
        );
    }
}
