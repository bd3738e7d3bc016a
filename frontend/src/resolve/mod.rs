//! Names to ids: symbols, aliases, probe points, and whatever they pull in from the tapset.
//!
//! [`resolve`] starts with the user's files. A file of the library joins when a function, a global or an alias of it is
//! used: its probes and its file-level C then belong to the session. Functions and globals join one by one, as they are
//! named (elaborate.cxx: `semantic_pass_symbols`).

mod alias;
mod bind;
mod decide;
pub mod derive;
mod entry;
pub mod executable;
mod functions;
pub mod library;
pub mod listing;
mod pattern;
mod probes;
mod scope;
pub mod suggest;
pub mod symbolic;
mod targets;
#[cfg(test)]
mod tests;
mod text;
mod uses;
mod version;

use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Embed, FunctionId, GlobalId, Program};
use crate::session::{Mode, Session};
use crate::source::{FileId, Token};
use crate::syntax::ast::Script;
use crate::world::World;
use alias::{AliasBodies, AliasId, Link};
use derive::Family;
use functions::{Candidate, Identity, Unbound};
use library::Library;
use pattern::PatternTree;
use scope::GlobalFacts;
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use uses::{ContextUse, ScriptUse};

pub use text::point_text;

/// The state of one resolution.
struct Resolver<'a> {
    session: &'a Session,
    world: &'a dyn World,
    /// The user's files: the script, then those of `-E`.
    user: &'a [Arc<Script>],
    library: &'a dyn Library,
    tree: PatternTree<'a>,
    program: Program,
    diagnostics: Diagnostics,

    /// Trees of all files that were looked at.
    scripts: HashMap<FileId, Arc<Script>>,
    /// Files of the session in the order in which they joined.
    files: Vec<FileId>,
    joined: HashSet<FileId>,
    tags: HashMap<FileId, SmolStr>,

    global_ids: HashMap<(FileId, usize), GlobalId>,
    user_globals: HashMap<SmolStr, GlobalId>,
    synthetic_globals: HashMap<SmolStr, GlobalId>,
    global_facts: Vec<GlobalFacts>,
    script_uses: HashMap<SmolStr, ScriptUse>,
    /// The note about names that are kept apart has been given.
    kept_apart: bool,

    candidates: HashMap<(SmolStr, Option<FileId>), Rc<Vec<Candidate>>>,
    function_ids: HashMap<(Identity, Option<usize>), FunctionId>,
    /// Functions whose bodies have yet to be bound, in upstream's order.
    unbound: BTreeMap<(SmolStr, FunctionId), Unbound>,
    sensitive: HashMap<Identity, bool>,
    context_uses: HashMap<Identity, Rc<ContextUse>>,

    alias_bodies: HashMap<AliasId, AliasBodies>,
    /// Inside the expansion of an optional use.
    parent_optional: bool,
    /// Above 0 inside optional points: their errors are rarely printed, so they come without suggestions.
    quiet: u32,
    /// Above 0 inside branches of wildcards: their errors are never printed.
    hidden: u32,
    /// Suggestions for a function have been computed: later errors of that kind are not printed by default.
    suggested: bool,
    /// Probes derived so far, those of entries included.
    derived: usize,
    /// `@entry`s met so far.
    entries: usize,
    /// Uses of functions that families bring along: each gets a copy of its own.
    copies: usize,
    /// C of families, which upstream adds when probes join their groups: after that of all files.
    late_embeds: Vec<Embed>,
    /// Names of the perf counters that have been derived.
    counters: HashSet<SmolStr>,
    /// What `--check-version` says about probes.
    version_warnings: Vec<Diagnostic>,
}

/// Binds the user's files and all that they need of the library into a program.
///
/// `files` are the script and then the files of `-E`; the order of `families` decides which of several families at the
/// same point derives first. In the bag are all errors and warnings of symbol resolution; with an error in it the
/// program is what could be made of the rest. A program without a [primary](crate::hir::Probe::primary) probe is no
/// error here: the caller says `no probes found` after the optimiser.
pub fn resolve(
    session: &Session,
    world: &dyn World,
    files: &[Arc<Script>],
    library: &dyn Library,
    families: &[&'static dyn Family],
) -> (Program, Diagnostics) {
    let mut resolver = Resolver::new(session, world, files, library);
    resolver.register_aliases();
    for family in families {
        resolver.tree.add_family(session, *family);
    }
    resolver.tree.add_symbolic(session);
    resolver.run();
    resolver.check_version();
    let mut diagnostics = library.take_diagnostics();
    diagnostics.append(resolver.diagnostics);
    (resolver.program, diagnostics)
}

impl<'a> Resolver<'a> {
    fn new(
        session: &'a Session,
        world: &'a dyn World,
        user: &'a [Arc<Script>],
        library: &'a dyn Library,
    ) -> Self {
        Resolver {
            session,
            world,
            user,
            library,
            tree: PatternTree::new(library.aliases()),
            program: Program::default(),
            diagnostics: Diagnostics::new(),
            scripts: user.iter().map(|script| (script.file, script.clone())).collect(),
            files: Vec::new(),
            joined: HashSet::new(),
            tags: HashMap::new(),
            global_ids: HashMap::new(),
            user_globals: HashMap::new(),
            synthetic_globals: HashMap::new(),
            global_facts: Vec::new(),
            script_uses: HashMap::new(),
            kept_apart: false,
            candidates: HashMap::new(),
            function_ids: HashMap::new(),
            unbound: BTreeMap::new(),
            sensitive: HashMap::new(),
            context_uses: HashMap::new(),
            alias_bodies: HashMap::new(),
            parent_optional: false,
            quiet: 0,
            hidden: 0,
            suggested: false,
            derived: 0,
            entries: 0,
            copies: 0,
            late_embeds: Vec::new(),
            counters: HashSet::new(),
            version_warnings: Vec::new(),
        }
    }

    /// The work list: files join while it runs.
    fn run(&mut self) {
        self.timeout_probe();
        let listing_functions = self.session.mode == Mode::DumpFunctions;
        if listing_functions {
            for file in self.library.files() {
                self.join(file);
            }
        } else {
            for script in self.user {
                self.join(script.file);
            }
        }
        let mut next = 0;
        while next < self.files.len() || !self.unbound.is_empty() {
            if let Some(&file) = self.files.get(next) {
                next += 1;
                self.file(file, listing_functions);
            }
            self.bind_functions_once();
        }
        if !self.diagnostics.has_errors() {
            self.condition_probe();
            while !self.unbound.is_empty() {
                self.bind_functions_once();
            }
        }
        self.program.embeds.append(&mut self.late_embeds);
    }

    /// What a file that joined brings along: its C, its probes, and with `--dump-functions` all its functions.
    fn file(&mut self, file: FileId, listing_functions: bool) {
        let Some(script) = self.script(file) else { return };
        for embed in &script.embeds {
            self.program.embeds.push(Embed { origin: embed.origin.clone(), code: embed.code.clone() });
        }
        let links: Vec<Rc<Link>> = script
            .probes
            .iter()
            .enumerate()
            .map(|(index, probe)| {
                let body = Arc::new(probe.body.clone());
                let link = Link::declared(probe.origin.0.clone(), probe.points.clone(), body, false);
                Rc::new(link.depends_on_version(script.version_dependent.probes.contains(&index)))
            })
            .collect();
        let mut derived = Vec::new();
        for link in &links {
            // Without `rethrow` errors are in the bag already.
            derived.extend(self.derive_probes(link, false, false).unwrap_or_default());
        }
        for matched in derived {
            self.add_probe(matched);
        }
        if listing_functions {
            self.add_all_functions(&script);
        }
    }

    fn add_all_functions(&mut self, script: &Arc<Script>) {
        for (index, function) in script.functions.iter().enumerate().filter(|(_, function)| !function.private)
        {
            let all = self.candidates(None, &function.name, &function.origin.0);
            let own = all.iter().find(|candidate| candidate.source.is(script.file, index));
            if let Some(candidate) = own {
                self.function_id(candidate, None);
            }
        }
    }

    /// Puts a file on the work list if it is not there yet.
    fn join(&mut self, file: FileId) {
        if self.joined.insert(file) {
            self.files.push(file);
        }
    }

    fn script(&mut self, file: FileId) -> Option<Arc<Script>> {
        if let Some(script) = self.scripts.get(&file) {
            return Some(script.clone());
        }
        // Tokens of the translator's own text name files that nobody has parsed.
        self.library.name(file).as_ref()?;
        let script = self.library.script(file);
        self.scripts.insert(file, script.clone());
        Some(script)
    }

    fn is_user(&self, file: FileId) -> bool {
        self.user.iter().any(|script| script.file == file)
    }

    fn user_files(&self) -> Vec<FileId> {
        self.user.iter().map(|script| script.file).collect()
    }

    /// True if the file that a token really stands in may use guru constructs. Macros do not help: the outermost
    /// invocation counts.
    fn is_privileged(&self, token: &Token) -> bool {
        let file = token.outermost().pos.file;
        match self.scripts.get(&file) {
            Some(script) => script.privileged,
            None => true,
        }
    }

    /// What stands for a file in the C names of its private declarations: its base name as far as letters go, made
    /// unique. No path, because the generated C must not depend on where files are.
    fn file_tag(&mut self, file: FileId) -> SmolStr {
        if let Some(tag) = self.tags.get(&file) {
            return tag.clone();
        }
        let name = self.library.name(file).unwrap_or_else(|| SmolStr::new_static("script"));
        let base = name.rsplit('/').next().unwrap_or(&name);
        let clean: String =
            base.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let mut tag = SmolStr::from(clean);
        if self.tags.values().any(|other| *other == tag) {
            tag = format_smolstr!("{tag}_{}", self.tags.len());
        }
        self.program.tags.push((tag.clone(), file));
        self.tags.insert(file, tag.clone());
        tag
    }
}
