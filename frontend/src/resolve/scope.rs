//! Variables: which declaration a name means, and how many keys it takes (elaborate.cxx: `symresolution_info::find_var`).
//!
//! What differs from stap: a file's own declarations win over those of any other file, and a tapset file's local
//! variables are not captured by a script's global of the same name, unless the tapset code can only mean that global.

use super::Resolver;
use super::targets::ProbeContext;
use super::uses::{self, ScriptUse};
use crate::diag::Diagnostic;
use crate::hir::{Global, GlobalId, Local, LocalId, VarRef};
use crate::source::{FileId, Token};
use crate::syntax::ast::{self, DeclaredType, Parsed};
use crate::tree::{Origin, Stmt};
use smol_str::{SmolStr, format_smolstr};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Whose body is being bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A probe's handler.
    Probe,
    /// A function's body.
    Function,
    /// The condition of a probe point: globals only.
    Condition,
}

/// The body being bound: its locals and its context.
#[derive(Debug)]
pub(super) struct Scope {
    /// Whose body.
    pub owner: Owner,
    /// Locals so far; in a function the parameters come first.
    pub locals: Vec<Local>,
    /// How many of them are parameters.
    params: usize,
    names: HashMap<SmolStr, LocalId>,
    /// What target expressions mean here.
    pub probe: Option<Rc<ProbeContext>>,
    /// The statements that share this scope, for the question whether tapset code may mean a script's global.
    parts: Vec<Arc<Stmt<Parsed>>>,
    captures: HashMap<SmolStr, bool>,
    /// Token of the function's name, for privilege errors.
    pub function: Option<Token>,
    /// Nesting of expressions that families put in place of targets; a loop of them is an error of the family.
    pub located: u32,
    /// With `--semantic-keep-going`: a call in the statement at hand means nothing, so that what is behind it is not
    /// looked at.
    pub gave_up: bool,
}

impl Scope {
    /// An empty scope.
    pub fn new(owner: Owner, probe: Option<Rc<ProbeContext>>, parts: Vec<Arc<Stmt<Parsed>>>) -> Self {
        Scope {
            owner,
            locals: Vec::new(),
            params: 0,
            names: HashMap::new(),
            probe,
            parts,
            captures: HashMap::new(),
            function: None,
            located: 0,
            gave_up: false,
        }
    }

    /// Adds a parameter; all parameters are added before anything else.
    pub fn add_param(&mut self, param: &ast::Param) {
        self.add(param.origin.0.clone(), param.name.clone(), param.declared, false);
        self.params = self.locals.len();
    }

    /// Adds a local that the probe's entry code fills.
    pub fn add_synthetic(
        &mut self,
        token: &Token,
        name: &SmolStr,
        declared: Option<DeclaredType>,
    ) -> LocalId {
        match self.names.get(name) {
            Some(id) => *id,
            None => self.add(token.clone(), name.clone(), declared, true),
        }
    }

    fn add(
        &mut self,
        token: Token,
        name: SmolStr,
        declared: Option<DeclaredType>,
        synthetic: bool,
    ) -> LocalId {
        let id = LocalId(self.locals.len() as u32);
        self.names.insert(name.clone(), id);
        self.locals.push(Local { origin: Origin(token), name, declared, synthetic });
        id
    }

    /// The local of that name, if a use with `arity` keys can mean it: arrays never mean a parameter.
    fn find(&self, name: &str, arity: Option<usize>) -> Option<LocalId> {
        let id = *self.names.get(name)?;
        (arity == Some(0) || id.0 as usize >= self.params).then_some(id)
    }
}

/// What is kept of a global beside the program.
#[derive(Debug)]
pub(super) struct GlobalFacts {
    /// The first use that fixed the arity.
    arity_token: Option<Token>,
}

impl Resolver<'_> {
    /// The variable that a name means, `None` if it is not declared anywhere. `arity` is the number of keys, `None` if
    /// the use does not tell.
    ///
    /// # Errors
    /// A use with another number of keys than before.
    pub(super) fn find_var(
        &mut self,
        scope: &mut Scope,
        name: &SmolStr,
        arity: Option<usize>,
        token: &Token,
    ) -> Result<Option<VarRef>, Box<Diagnostic>> {
        // A tapset's local that is kept apart from a script's global is not there for the script.
        let hidden = scope.captures.get(name) == Some(&false) && self.is_user(token.outermost().pos.file);
        if let Some(id) = scope.find(name, arity).filter(|_| !hidden) {
            if let Some(keys) = arity.filter(|&keys| keys != 0) {
                let local = &scope.locals[id.0 as usize];
                return Err(Box::new(arity_conflict(0, keys, token, Some(&local.origin.0))));
            }
            return Ok(Some(VarRef::Local(id)));
        }
        let Some(id) = self.find_global(scope, name, arity, token) else { return Ok(None) };
        self.set_arity(id, arity, token)?;
        Ok(Some(VarRef::Global(id)))
    }

    /// The scalar that a name means; a new local if there is none.
    ///
    /// # Errors
    /// Those of [`Resolver::find_var`], and a condition that names something else than a global.
    pub(super) fn scalar(
        &mut self,
        scope: &mut Scope,
        name: &SmolStr,
        token: &Token,
    ) -> Result<VarRef, Box<Diagnostic>> {
        if let Some(var) = self.find_var(scope, name, Some(0), token)? {
            return Ok(var);
        }
        if scope.owner == Owner::Condition {
            return Err(Box::new(
                Diagnostic::semantic(
                    "resolve/condition-undeclared",
                    "probe condition must not reference undeclared global",
                )
                .at(token),
            ));
        }
        Ok(VarRef::Local(scope.add(token.clone(), name.clone(), None, false)))
    }

    /// The array that a name means.
    ///
    /// # Errors
    /// Those of [`Resolver::find_var`], and an array that is not declared; the latter points at `blame`.
    pub(super) fn array(
        &mut self,
        scope: &mut Scope,
        name: &SmolStr,
        arity: usize,
        token: &Token,
        blame: &Token,
    ) -> Result<VarRef, Box<Diagnostic>> {
        match self.find_var(scope, name, Some(arity), token)? {
            Some(var) => Ok(var),
            None => Err(Box::new(unresolved_array(name, arity, blame))),
        }
    }

    fn find_global(
        &mut self,
        scope: &mut Scope,
        name: &SmolStr,
        arity: Option<usize>,
        token: &Token,
    ) -> Option<GlobalId> {
        if let Some(id) = self.synthetic_globals.get(name) {
            return Some(*id);
        }
        let file = token.outermost().pos.file;
        if let Some(found) = self.declared_in(file, name, true) {
            return Some(self.global_id(found.0, found.1));
        }
        let users: Vec<FileId> = self.user.iter().map(|script| script.file).collect();
        let from_user =
            users.iter().filter(|&&user| user != file).find_map(|&user| self.declared_in(user, name, false));
        if users.contains(&file) {
            if let Some(found) = from_user {
                return Some(self.global_id(found.0, found.1));
            }
            return self.library_global(name);
        }
        if let Some(id) = self.library_global(name) {
            return Some(id);
        }
        let found = from_user?;
        self.may_capture(scope, name, arity, token, found).then(|| self.global_id(found.0, found.1))
    }

    fn library_global(&mut self, name: &SmolStr) -> Option<GlobalId> {
        let library = self.library;
        let found = library.globals(name).iter().find_map(|&file| self.declared_in(file, name, false))?;
        self.join(found.0);
        Some(self.global_id(found.0, found.1))
    }

    fn declared_in(&mut self, file: FileId, name: &str, own: bool) -> Option<(FileId, usize)> {
        let script = self.script(file)?;
        let index =
            script.globals.iter().position(|global| global.name == name && (own || !global.private))?;
        Some((file, index))
    }

    /// Whether tapset code that names a script's global means it. It does if its body never gives the name a value of
    /// its own, or if the script's handler in the same scope uses the global too; in both cases only if the script
    /// uses the name in the same way. Everything else is a coincidence of names.
    fn may_capture(
        &mut self,
        scope: &mut Scope,
        name: &SmolStr,
        arity: Option<usize>,
        token: &Token,
        found: (FileId, usize),
    ) -> bool {
        if let Some(&known) = scope.captures.get(name) {
            return known;
        }
        let same_shape = match self.script_use(name, found) {
            ScriptUse::Unknown => true,
            ScriptUse::Scalar => arity.is_none_or(|keys| keys == 0),
            ScriptUse::Array(keys) => arity.is_none_or(|wanted| wanted == keys),
            ScriptUse::Statistic => false,
        };
        let users: Vec<FileId> = self.user.iter().map(|script| script.file).collect();
        let own = scope
            .parts
            .iter()
            .any(|part| uses::assigns(part, name, &mut |token| !users.contains(&token.outermost().pos.file)));
        let shared = scope.owner == Owner::Probe
            && scope.parts.iter().any(|part| {
                uses::mentions(part, name, &mut |token| users.contains(&token.outermost().pos.file))
            });
        let captures = same_shape && (!own || shared);
        scope.captures.insert(name.clone(), captures);
        let Some(script) = self.script(found.0) else { return captures };
        let declaration = &script.globals[found.1].origin.0;
        let diagnostic = if captures {
            if !self.global_ids.contains_key(&found) {
                // Upstream warns only if the script itself has used the global before.
                return captures;
            }
            Diagnostic::warning(
                "resolve/cross-file-global",
                "cross-file global variable reference to {token} from",
            )
            .at(token)
            .mentioning(declaration)
        } else if std::mem::replace(&mut self.kept_apart, true) {
            return captures;
        } else {
            Diagnostic::warning(
                "resolve/kept-apart",
                format!("the tapset's variable '{name}' and the script's global '{name}' are kept apart"),
            )
            .at(token)
            .and(declaration)
            .note("stap takes the script's global for both, and fails if they are used differently")
        };
        self.diagnostics.push(diagnostic);
        captures
    }

    /// How the user files use a global, found by looking at their trees.
    fn script_use(&mut self, name: &SmolStr, found: (FileId, usize)) -> ScriptUse {
        if let Some(known) = self.script_uses.get(name) {
            return *known;
        }
        let declared = self.script(found.0).map(|script| script.globals[found.1].clone());
        let mut usage = match declared {
            Some(ast::Global { init: Some(_), .. }) => ScriptUse::Scalar,
            _ => ScriptUse::Unknown,
        };
        for script in self.user {
            usage = uses::script_use(script, name, usage);
        }
        self.script_uses.insert(name.clone(), usage);
        usage
    }

    /// The number of a declared global, which joins the program if it has not yet.
    fn global_id(&mut self, file: FileId, index: usize) -> GlobalId {
        if let Some(id) = self.global_ids.get(&(file, index)) {
            return *id;
        }
        let declared = match self.script(file) {
            Some(script) => script.globals[index].clone(),
            None => return GlobalId(0),
        };
        let user = self.is_user(file);
        if user && !declared.private {
            // One name in several user files is one variable.
            if let Some(id) = self.user_globals.get(&declared.name) {
                return *id;
            }
        }
        let mangled = if declared.private {
            format_smolstr!("__private_{}_{}", self.file_tag(file), declared.name)
        } else {
            format_smolstr!("__global_{}", declared.name)
        };
        let arity = declared.init.is_some().then_some(0);
        let origin = declared.origin.clone();
        let id = self.add_global(Global {
            origin: declared.origin,
            name: declared.name.clone(),
            mangled,
            file,
            private: declared.private,
            synthetic: false,
            arity,
            size: declared.size,
            wrap: declared.wrap,
            init: declared.init,
        });
        if arity.is_some() {
            self.global_facts[id.0 as usize].arity_token = Some(origin.0);
        }
        self.global_ids.insert((file, index), id);
        if user && !declared.private {
            self.user_globals.insert(declared.name, id);
        }
        id
    }

    /// Adds a global; two private globals of files with the same tag get different C names.
    fn add_global(&mut self, mut global: Global) -> GlobalId {
        let id = GlobalId(self.program.globals.len() as u32);
        while self.program.globals.iter().any(|other| other.mangled == global.mangled) {
            global.mangled = format_smolstr!("{}_{}", global.mangled, id.0);
        }
        self.program.globals.push(global);
        self.global_facts.push(GlobalFacts { arity_token: None });
        id
    }

    /// Makes a global for the translator's own use; `name` is found by [`Resolver::find_var`] from then on.
    pub(super) fn add_synthetic_global(&mut self, token: &Token, name: SmolStr) -> GlobalId {
        let id = self.add_global(Global {
            origin: Origin(token.clone()),
            name: name.clone(),
            mangled: name.clone(),
            file: token.outermost().pos.file,
            private: false,
            synthetic: true,
            arity: None,
            size: None,
            wrap: false,
            init: None,
        });
        self.synthetic_globals.insert(name, id);
        id
    }

    /// Fixes the number of keys of a global (staptree.cxx: `vardecl::set_arity`).
    fn set_arity(
        &mut self,
        id: GlobalId,
        arity: Option<usize>,
        token: &Token,
    ) -> Result<(), Box<Diagnostic>> {
        let Some(arity) = arity else { return Ok(()) };
        let global = &mut self.program.globals[id.0 as usize];
        if arity == 0 && global.size.is_some() {
            return Err(Box::new(
                Diagnostic::semantic("resolve/arity-size", "inconsistent arity")
                    .at(&global.origin.0)
                    .note("an array that is declared with a size is used without keys"),
            ));
        }
        let facts = &mut self.global_facts[id.0 as usize];
        match global.arity {
            Some(before) if before != arity => {
                Err(Box::new(arity_conflict(before, arity, token, facts.arity_token.as_ref())))
            }
            Some(_) => Ok(()),
            None => {
                global.arity = Some(arity);
                facts.arity_token = Some(token.clone());
                Ok(())
            }
        }
    }
}

fn arity_conflict(before: usize, now: usize, token: &Token, first: Option<&Token>) -> Diagnostic {
    let error =
        Diagnostic::semantic("resolve/arity", format!("inconsistent arity ({before} vs {now})")).at(token);
    match first {
        Some(first) => error.because(
            Diagnostic::semantic("resolve/arity-first", format!("arity {before} first inferred here"))
                .at(first),
        ),
        None => error,
    }
}

/// The error for an array that nobody declares.
pub(super) fn unresolved_array(name: &str, arity: usize, token: &Token) -> Diagnostic {
    Diagnostic::semantic(
        "resolve/array",
        format!("unresolved arity-{arity} global array {name}, missing global declaration?"),
    )
    .at(token)
}
