//! The library: every file of the search path, its tree on demand, and where each name is defined.

use crate::index::{self, Index, Stored};
use crate::paths::{Found, FoundFile, search};
use crate::summary::Summary;
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::resolve::library::{AliasEntry, Library};
use frontend::session::Session;
use frontend::source::{FileId, FileKind, SourceFile, SourceMap};
use frontend::syntax::ast::Script;
use frontend::syntax::{DEFINED_AGAIN, LibraryMacros, parse, parse_macros};
use frontend::world::World;
use rayon::prelude::*;
use smol_str::SmolStr;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Fewer files than these are parsed faster than threads start.
const PARALLEL_FROM: usize = 8;

/// A `.stp` file of the search path.
struct Member<'a> {
    id: FileId,
    file: FoundFile,
    source: Arc<SourceFile>,
    tree: OnceLock<Tree>,
    /// What the index knows of it.
    stored: Option<Stored<'a>>,
    summary: OnceLock<Summary>,
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
    members: Vec<Member<'a>>,
    names: OnceLock<Names>,
    diagnostics: Mutex<Diagnostics>,
    /// Names of the macro files without errors, in search order.
    macro_files: Vec<SmolStr>,
    /// A macro file was refused because it defines a macro of an earlier one.
    macros_twice: bool,
    /// Scripts without errors.
    count: usize,
}

/// Where names are defined, in search order. Pass 1 alone does without, if the script uses no name of the library.
#[derive(Default)]
struct Names {
    functions: HashMap<SmolStr, Vec<FileId>>,
    globals: HashMap<SmolStr, Vec<FileId>>,
    aliases: Vec<AliasEntry>,
}

/// What loading gives besides the library.
pub struct Loaded<'a> {
    /// The library.
    pub tapset: Tapset<'a>,
    /// Lines that `-vv` and `-vvv` print.
    pub notes: Vec<String>,
    /// `usage error: ...` lines: the user's script is a file of the tapset.
    pub usage_errors: Vec<String>,
    /// A macro file has errors, and the run does not go on without it: any before 5.6 (language.md 27), later one that
    /// defines a macro again (parse.cxx: `parse_library_macros`). There is no other message than that file's.
    pub failed: bool,
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
    index: Option<&'a [u8]>,
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
    let Found { macros: macro_files, scripts: script_files } = search(session, world);
    refuse(&macro_files.files, "macro tapset file");
    refuse(&script_files.files, "tapset file");

    let mut tapset = Tapset {
        session,
        world,
        macros: LibraryMacros::new(),
        members: Vec::new(),
        names: OnceLock::new(),
        diagnostics: Mutex::default(),
        macro_files: Vec::new(),
        macros_twice: false,
        count: 0,
    };
    for file in &macro_files.files {
        tapset.add_macros(sources, file);
    }
    let fingerprint = index::fingerprint(&macro_files.files);
    let known = index.and_then(|bytes| Index::read(bytes, &fingerprint));
    for file in script_files.files {
        let name = file.path.to_string_lossy().into_owned();
        let id = sources.add(SourceFile::pending(name, FileKind::Tapset));
        let source = sources.file(id).clone();
        let stored = known.as_ref().and_then(|known| known.summary(&file));
        let (tree, summary) = (OnceLock::new(), OnceLock::new());
        tapset.members.push(Member { id, file, source, tree, stored, summary });
    }
    let up_to_date = known.is_some_and(|known| known.len() == tapset.members.len())
        && tapset.members.iter().all(|member| member.stored.is_some());
    let needs_parsing = |member: &&Member<'_>| member.stored.is_none_or(|stored| stored.needs_parsing());
    let to_parse: Vec<&Member<'_>> = tapset.members.iter().filter(needs_parsing).collect();
    // In parallel; but what is said keeps the order of the search.
    let parse_one = |member: &&Member<'_>| {
        let (tree, diagnostics) = tapset.parse(member);
        member.summary.get_or_init(|| summarise(&tree));
        member.tree.get_or_init(|| tree);
        diagnostics
    };
    let said: Vec<Diagnostics> = if to_parse.len() < PARALLEL_FROM {
        to_parse.iter().map(parse_one).collect()
    } else {
        world.prepare_threads();
        to_parse.par_iter().map(parse_one).collect()
    };
    said.into_iter().for_each(|diagnostics| tapset.note(diagnostics));
    let parsed_well = |member: &&Member<'_>| !member.tree.get().is_some_and(|tree| tree.broken);
    tapset.count = tapset.members.iter().filter(parsed_well).count();
    let new_index = (!up_to_date).then(|| {
        let summaries = tapset.members.iter().map(|member| (&member.file, tapset.summary(member)));
        index::write(&fingerprint, summaries)
    });
    let mut notes = macro_files.notes;
    notes.extend(script_files.notes);
    let broken_matters = session.version.before(5, 6) && tapset.macro_files.len() < macro_files.files.len();
    let failed = broken_matters || tapset.macros_twice;
    Loaded { tapset, notes, usage_errors, failed, index: new_index }
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

/// What is said of a file with errors: one diagnostic that carries them.
fn broken(about: Diagnostic, errors: Diagnostics) -> Diagnostics {
    let mut errors = errors.into_iter().filter(Diagnostic::is_error);
    let about = match errors.next() {
        Some(first) => about.because(first),
        None => about,
    };
    std::iter::once(errors.fold(about, Diagnostic::because_also)).collect()
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
            self.macros_twice |= diagnostics.iter().any(|error| error.site == DEFINED_AGAIN);
            let message = format!("macro tapset \"{name}\" has errors, and will be skipped.");
            self.note(broken(Diagnostic::warning("tapset-broken", message), diagnostics));
        } else {
            self.macro_files.push(name.into());
            self.note(diagnostics);
        }
    }

    fn member(&self, file: FileId) -> Option<&Member<'_>> {
        let first = self.members.first()?.id.0;
        self.members.get(file.0.checked_sub(first)? as usize)
    }

    /// Reads and parses a file.
    fn parse(&self, member: &Member<'_>) -> (Tree, Diagnostics) {
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
                let errors = parse.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
                let plural = if errors == 1 { "" } else { "s" };
                // Since the files are parsed in parallel, stap does not warn any more (main.cxx: `parse_all`).
                let about = if self.session.version.before(5, 6) {
                    Diagnostic::warning("tapset-broken", message)
                } else {
                    Diagnostic::remark("tapset-broken", message)
                };
                broken(about.note(format!("{errors} parse error{plural}.")), parse.diagnostics)
            }
            Ok(()) => parse.diagnostics,
        };
        (tree, diagnostics)
    }

    fn tree<'m>(&self, member: &'m Member<'_>) -> &'m Tree {
        member.tree.get_or_init(|| {
            let (tree, diagnostics) = self.parse(member);
            self.note(diagnostics);
            tree
        })
    }

    /// What a file defines: as the index has it, or from its tree.
    fn summary<'m>(&self, member: &'m Member<'_>) -> &'m Summary {
        member.summary.get_or_init(|| {
            member.stored.and_then(|stored| stored.summary()).unwrap_or_else(|| summarise(self.tree(member)))
        })
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let mut names = Names::default();
            for member in &self.members {
                let summary = self.summary(member);
                for name in &summary.functions {
                    names.functions.entry(name.clone()).or_default().push(member.id);
                }
                for name in &summary.globals {
                    names.globals.entry(name.clone()).or_default().push(member.id);
                }
                for (alias, components) in &summary.aliases {
                    let components = components.clone();
                    names.aliases.push(AliasEntry { components, file: member.id, alias: *alias });
                }
            }
            names
        })
    }
}

impl Library for Tapset<'_> {
    fn functions(&self, name: &str) -> &[FileId] {
        self.names().functions.get(name).map_or(&[], Vec::as_slice)
    }

    fn globals(&self, name: &str) -> &[FileId] {
        self.names().globals.get(name).map_or(&[], Vec::as_slice)
    }

    fn aliases(&self) -> &[AliasEntry] {
        &self.names().aliases
    }

    fn function_names(&self) -> Vec<SmolStr> {
        sorted(&self.names().functions)
    }

    fn global_names(&self) -> Vec<SmolStr> {
        sorted(&self.names().globals)
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
    use frontend::diag::Severity;
    use frontend::session::Version;
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
    fn a_broken_file_costs_one_message() {
        let world = MemoryWorld::new()
            .with("/t/a.stp", "function f() { ) } function g() { ) } function h() { ) }")
            .with("/t/b.stp", "function ok() { }");
        let (session, mut sources) = (session(), SourceMap::new());
        let loaded = load(&session, &world, &mut sources, None, None);
        let diagnostics = loaded.tapset.take_diagnostics();
        assert_eq!(diagnostics.len(), 1);
        assert!(!diagnostics.has_errors());
        let errors = diagnostics.iter().map(|about| (about.cause.is_some(), about.further.len()));
        assert_eq!(errors.collect::<Vec<_>>(), [(true, 2)]);
        assert_eq!(loaded.tapset.functions("f"), []);
        assert_eq!(loaded.tapset.functions("ok").len(), 1);
        assert_eq!(loaded.tapset.script_count(), 1);
        let severity = |version: &str| {
            let session = Session { version: Version(version.into()), ..self::session() };
            let mut sources = SourceMap::new();
            let diagnostics = load(&session, &world, &mut sources, None, None).tapset.take_diagnostics();
            let only = diagnostics.iter().next().map(|only| (only.severity, only.notes.clone()));
            only.expect("a message")
        };
        let notes = vec!["3 parse errors.".to_owned()];
        assert_eq!(severity("5.1"), (Severity::Warning, notes.clone()));
        assert_eq!(severity("5.6"), (Severity::Remark, notes));
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
    fn a_broken_macro_file_ends_old_levels() {
        let world = MemoryWorld::new().with("/t/m.stpm", "@define bad %( 1").with("/t/b.stp", "");
        for (version, fails) in [("5.1", true), ("5.6", false)] {
            let session = Session { version: Version(version.into()), ..session() };
            let mut sources = SourceMap::new();
            let loaded = load(&session, &world, &mut sources, None, None);
            assert_eq!(loaded.failed, fails, "{version}");
            assert_eq!(loaded.tapset.take_diagnostics().len(), 1);
        }
        let world = world.with("/t/m.stpm", "@define a %( 1 %)").with("/t/n.stpm", "@define a %( 2 %)");
        let (session, mut sources) = (session(), SourceMap::new());
        assert!(load(&session, &world, &mut sources, None, None).failed);
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
