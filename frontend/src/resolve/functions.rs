//! Functions: which declarations a call may mean, and which of them join the program
//! (elaborate.cxx: `symresolution_info::find_functions`).

use super::Resolver;
use super::scope::{Owner, Scope};
use super::targets::ProbeContext;
use super::uses::{self, ContextUse};
use crate::diag::Diagnostic;
use crate::hir::{Body, Bound, Callee, Function, FunctionBody, FunctionId, GlobalId, Local, VarRef};
use crate::session::Privilege;
use crate::source::{FileId, Token};
use crate::syntax::ast;
use crate::tree::{ExprKind, Origin, Stmt, StmtKind};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeSet, HashSet};
use std::ops;
use std::rc::Rc;
use std::sync::Arc;

/// A declared function: where its tree is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Of a file: its number there.
    Script(Arc<ast::Script>, usize),
    /// Brought along by a family.
    Brought(Arc<ast::Function>, FileId),
}

/// Identity of a declared function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// File and number in it.
    Script(FileId, usize),
    /// Name of one that a family brings along.
    Brought(SmolStr),
}

impl Source {
    /// The declaration.
    pub fn declaration(&self) -> &ast::Function {
        match self {
            Source::Script(script, index) => &script.functions[*index],
            Source::Brought(function, _) => function,
        }
    }

    /// True for the function of that number in a file.
    pub fn is(&self, file: FileId, index: usize) -> bool {
        matches!(self, Source::Script(script, own) if script.file == file && *own == index)
    }

    fn file(&self) -> FileId {
        match self {
            Source::Script(script, _) => script.file,
            Source::Brought(_, file) => *file,
        }
    }

    fn identity(&self) -> Identity {
        match self {
            Source::Script(script, index) => Identity::Script(script.file, *index),
            Source::Brought(function, _) => Identity::Brought(function.name.clone()),
        }
    }
}

/// One of the functions that share a name.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The declaration.
    pub source: Source,
    /// Which of the overloads of that name it is, over all files.
    pub overload: usize,
}

/// A function whose body has yet to be bound.
#[derive(Debug)]
pub(super) struct Unbound {
    id: FunctionId,
    source: Source,
    probe: Option<Rc<ProbeContext>>,
}

/// A global that embedded C uses: its name there, its id, and whether it is written.
pub(super) type EmbeddedGlobal = (SmolStr, GlobalId, bool);

/// True if embedded C has a tag; tags count anywhere in the text.
pub(super) fn tagged(code: &str, tag: &str) -> bool {
    code.contains(tag)
}

impl Resolver<'_> {
    /// What a call of `name` with so many arguments calls.
    ///
    /// # Errors
    /// No such function, none with that number of arguments, or one that may not be used.
    pub(super) fn find_functions(
        &mut self,
        scope: &Scope,
        name: &SmolStr,
        arity: usize,
        token: &Token,
    ) -> Result<Callee, Box<Diagnostic>> {
        let all = self.candidates(scope.probe.as_deref(), name, token);
        let mut matching: Vec<Candidate> = Vec::new();
        let mut last = None;
        for candidate in all.iter() {
            let declaration = candidate.source.declaration();
            if declaration.params.len() == arity {
                matching.push(candidate.clone());
            } else {
                last = Some(declaration);
            }
        }
        if matching.is_empty() {
            return Err(Box::new(match last {
                Some(last) => Diagnostic::semantic(
                    "resolve/function-arity",
                    format!("arity mismatch found (function '{name}' takes {} args)", last.params.len()),
                )
                .at(token)
                .and(&last.origin.0),
                None => self.unresolved_function(name, token),
            }));
        }
        let users = self.user_files();
        matching.sort_by_key(|candidate| {
            let default = i64::from(!users.contains(&candidate.source.file()));
            candidate.source.declaration().priority.unwrap_or(default)
        });
        for candidate in &matching {
            self.check_call(&candidate.source, token)?;
        }
        let candidates =
            matching.iter().map(|candidate| self.function_id(candidate, scope.probe.as_ref())).collect();
        Ok(Callee { name: name.clone(), candidates })
    }

    fn unresolved_function(&mut self, name: &str, token: &Token) -> Diagnostic {
        let all_printed = self.session.verbosity[1] > 0 || self.session.semantic_keep_going;
        let similar = if std::mem::replace(&mut self.suggested, true) && !all_printed {
            String::new()
        } else {
            let mut names: BTreeSet<SmolStr> =
                self.program.functions.iter().map(|function| function.name.clone()).collect();
            names.extend(self.library.function_names());
            super::suggest::similar(name, &names)
        };
        Diagnostic::semantic("resolve/function", format!("unresolved function {name}{similar}")).at(token)
    }

    /// All functions of that name that a call at `token` can see, in the order of declaration: tapset first, then the
    /// user's files.
    pub(super) fn candidates(
        &mut self,
        probe: Option<&ProbeContext>,
        name: &SmolStr,
        token: &Token,
    ) -> Rc<Vec<Candidate>> {
        let file = token.outermost().pos.file;
        if let Some(function) = probe.and_then(|probe| probe.brought(name)) {
            return Rc::new(vec![Candidate { source: Source::Brought(function, file), overload: 0 }]);
        }
        let private = self.script(file).is_some_and(|script| {
            script.functions.iter().any(|function| function.private && function.name == *name)
        });
        let key = (name.clone(), private.then_some(file));
        if let Some(known) = self.candidates.get(&key) {
            return known.clone();
        }
        let library = self.library;
        let users = self.user_files();
        let mut files: Vec<FileId> = library.functions(name).to_vec();
        if private && !users.contains(&file) && !files.contains(&file) {
            files.push(file);
        }
        files.extend(users);
        let mut found = Vec::new();
        for candidate_file in files {
            let Some(script) = self.script(candidate_file) else { continue };
            for (index, function) in script.functions.iter().enumerate() {
                if function.name == *name && (!function.private || candidate_file == file) {
                    let overload = found.len();
                    found.push(Candidate { source: Source::Script(script.clone(), index), overload });
                }
            }
        }
        let found = Rc::new(found);
        self.candidates.insert(key, found.clone());
        found
    }

    /// Rules for calls of embedded C (elaborate.cxx: `functioncall_security_check`).
    fn check_call(&self, source: &Source, token: &Token) -> Result<(), Box<Diagnostic>> {
        let declaration = source.declaration();
        let ast::FunctionBody::Embedded(embed) = &declaration.body else { return Ok(()) };
        let name = &declaration.origin.0;
        if self.session.privilege == Privilege::User
            && !tagged(&embed.code, "/* unprivileged */")
            && !tagged(&embed.code, "/* myproc-unprivileged */")
        {
            let message = format!(
                "function may not be used when --privilege={} is specified",
                self.session.privilege.name()
            );
            return Err(Box::new(Diagnostic::semantic("resolve/function-privilege", message).at(name)));
        }
        if tagged(&embed.code, "/* bpf */") {
            let message = "function requires bpf runtime";
            return Err(Box::new(Diagnostic::semantic("resolve/function-bpf", message).at(name)));
        }
        let brought = matches!(source, Source::Brought(..));
        if !brought && tagged(&embed.code, "/* guru */") && !self.is_privileged(token) {
            let message = "function may not be used unless -g is specified";
            return Err(Box::new(Diagnostic::semantic("resolve/function-guru", message).at(token)));
        }
        Ok(())
    }

    /// The function's number; it joins the program if it has not yet. Functions that depend on the context of a probe
    /// are cloned for each probe, from compatibility 4.3 on.
    pub(super) fn function_id(
        &mut self,
        candidate: &Candidate,
        probe: Option<&Rc<ProbeContext>>,
    ) -> FunctionId {
        let probe = probe.filter(|probe| {
            probe.clones && !self.session.compatible.before(4, 3) && self.is_sensitive(candidate, probe)
        });
        let key = (candidate.source.identity(), probe.map(|probe| probe.number));
        if let Some(id) = self.function_ids.get(&key) {
            return *id;
        }
        let declaration = candidate.source.declaration();
        let file = candidate.source.file();
        let brought = matches!(candidate.source, Source::Brought(..));
        let mut mangled = if brought {
            declaration.name.clone()
        } else if declaration.private {
            let tag = self.file_tag(file);
            format_smolstr!("__private_{tag}_{}__overload_{}", declaration.name, candidate.overload)
        } else {
            format_smolstr!("__global_{}__overload_{}", declaration.name, candidate.overload)
        };
        let mut name = declaration.name.clone();
        if let Some(probe) = probe {
            mangled = format_smolstr!("__clone_probe_{}_of_{mangled}", probe.number);
            name = mangled.clone();
        }
        let id = FunctionId(self.program.functions.len() as u32);
        let default_priority = i64::from(!self.is_user(file));
        self.program.functions.push(Function {
            origin: declaration.origin.clone(),
            name,
            mangled: mangled.clone(),
            file,
            private: declaration.private,
            synthetic: brought || probe.is_some(),
            expression: None,
            declared: declaration.declared,
            params: declaration.params.len(),
            priority: declaration.priority.unwrap_or(default_priority),
            body: FunctionBody::Script(Box::new(Body {
                locals: Vec::new(),
                root: Stmt { origin: declaration.origin.clone(), kind: StmtKind::Block(Vec::new()) },
            })),
        });
        self.function_ids.insert(key, id);
        if let Source::Script(script, _) = &candidate.source {
            self.join(script.file);
        }
        let sorted = self.sorted_name(&mangled, file);
        let unbound = Unbound { id, source: candidate.source.clone(), probe: probe.cloned() };
        self.unbound.insert((sorted, id), unbound);
        id
    }

    /// True if the function, or one that it may call, means something else in each probe.
    fn is_sensitive(&mut self, candidate: &Candidate, probe: &ProbeContext) -> bool {
        let root = candidate.source.identity();
        if let Some(known) = self.sensitive.get(&root) {
            return *known;
        }
        let mut seen = HashSet::from([root.clone()]);
        let mut work = vec![candidate.source.clone()];
        let mut sensitive = false;
        while let Some(source) = work.pop() {
            let usage = self.context_use(&source);
            if usage.context || self.sensitive.get(&source.identity()) == Some(&true) {
                sensitive = true;
                break;
            }
            for (name, arity, token) in &usage.calls {
                for callee in self.candidates(Some(probe), name, token).iter() {
                    if callee.source.declaration().params.len() == *arity
                        && seen.insert(callee.source.identity())
                    {
                        work.push(callee.source.clone());
                    }
                }
            }
        }
        self.sensitive.insert(root, sensitive);
        sensitive
    }

    fn context_use(&mut self, source: &Source) -> Rc<ContextUse> {
        let key = source.identity();
        if let Some(known) = self.context_uses.get(&key) {
            return known.clone();
        }
        let found = Rc::new(match &source.declaration().body {
            ast::FunctionBody::Script(body) => uses::context_use(body),
            ast::FunctionBody::Embedded(_) => ContextUse::default(),
        });
        self.context_uses.insert(key, found.clone());
        found
    }

    /// Binds the bodies of functions that joined, in one walk over their names in order. A function that joins meanwhile
    /// is met if the walk has yet to come to its name, else by the next walk (elaborate.cxx: `semantic_pass_symbols`, which
    /// walks a map that grows; there is one walk for each file).
    pub(super) fn bind_functions_once(&mut self) {
        let mut at: ops::Bound<(SmolStr, FunctionId)> = ops::Bound::Unbounded;
        while let Some((name, _)) = self.unbound.range((at, ops::Bound::Unbounded)).next() {
            let name = name.clone();
            let Some(unbound) = self.unbound.remove(&name) else { break };
            at = ops::Bound::Excluded(name);
            match self.bind_function(&unbound) {
                Ok(body) => self.program.functions[unbound.id.0 as usize].body = body,
                Err(error) => self.diagnostics.push(*error),
            }
        }
    }

    /// The name of a function as upstream sorts them: that of a private one has the path of its file.
    fn sorted_name(&mut self, mangled: &SmolStr, file: FileId) -> SmolStr {
        if !mangled.starts_with("__private_") {
            return mangled.clone();
        }
        let tag = self.file_tag(file);
        let Some(rest) = mangled.strip_prefix(&*format_smolstr!("__private_{tag}_")) else {
            return mangled.clone();
        };
        let path = self.library.name(file).unwrap_or(tag);
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let path: String = path.chars().map(plain).collect();
        format_smolstr!("__private_{path}_{rest}")
    }

    fn bind_function(&mut self, unbound: &Unbound) -> Result<FunctionBody, Box<Diagnostic>> {
        let declaration = unbound.source.declaration();
        let parts = match &declaration.body {
            ast::FunctionBody::Script(body) => vec![Arc::new((**body).clone())],
            ast::FunctionBody::Embedded(_) => Vec::new(),
        };
        let mut scope = Scope::new(Owner::Function, unbound.probe.clone(), parts.clone());
        scope.function = Some(declaration.origin.0.clone());
        for param in &declaration.params {
            scope.add_param(param);
        }
        if let ast::FunctionBody::Embedded(embed) = &declaration.body {
            return self.embedded_function(&mut scope, embed);
        }
        let mut root = self.bind_block(&mut scope, &parts, &declaration.origin);
        // One part: its own block is the body.
        if let StmtKind::Block(list) = &mut root.kind
            && list.len() == 1
            && let Some(only) = list.pop()
        {
            root = only;
        }
        if !matches!(root.kind, StmtKind::Block(_)) {
            root = Stmt { origin: root.origin.clone(), kind: StmtKind::Block(vec![root]) };
        }
        Ok(FunctionBody::Script(Box::new(Body { locals: scope.locals, root })))
    }

    fn embedded_function(
        &mut self,
        scope: &mut Scope,
        embed: &ast::Embed,
    ) -> Result<FunctionBody, Box<Diagnostic>> {
        let globals = self.pragma_globals(scope, &embed.code, &embed.origin)?;
        let locals: Vec<Local> = std::mem::take(&mut scope.locals);
        Ok(FunctionBody::Embedded { locals, origin: embed.origin.clone(), code: embed.code.clone(), globals })
    }

    /// Embedded C used as a value that names globals: the call of a function made for it, because only functions have
    /// a list of the globals that their C uses.
    pub(super) fn embedded_call(
        &mut self,
        code: &SmolStr,
        origin: &Origin,
        globals: Vec<EmbeddedGlobal>,
    ) -> ExprKind<Bound> {
        let id = FunctionId(self.program.functions.len() as u32);
        let name = format_smolstr!("__embedded_value_{}", id.0);
        let string = tagged(code, "/* string */");
        let store = if string {
            format_smolstr!("strlcpy(STAP_RETVALUE, ({code}), MAXSTRINGLEN);")
        } else {
            format_smolstr!("STAP_RETVALUE = ({code});")
        };
        self.program.functions.push(Function {
            origin: origin.clone(),
            name: name.clone(),
            mangled: name.clone(),
            file: origin.0.outermost().pos.file,
            private: false,
            synthetic: true,
            expression: Some(code.clone()),
            declared: Some(if string { ast::DeclaredType::String } else { ast::DeclaredType::Long }),
            params: 0,
            priority: 0,
            body: FunctionBody::Embedded { locals: Vec::new(), origin: origin.clone(), code: store, globals },
        });
        ExprKind::Call { callee: Callee { name, candidates: vec![id] }, args: Vec::new() }
    }

    /// The globals that embedded C says it uses: `/* pragma:read:x */`, `/* pragma:write:x */`.
    ///
    /// # Errors
    /// A pragma names something that is no global.
    pub(super) fn pragma_globals(
        &mut self,
        scope: &mut Scope,
        code: &str,
        origin: &Origin,
    ) -> Result<Vec<EmbeddedGlobal>, Box<Diagnostic>> {
        let mut globals = Vec::new();
        for (verb, written) in [("read", false), ("write", true)] {
            let start = format!("/* pragma:{verb}:");
            let mut rest = code;
            while let Some(at) = rest.find(&start) {
                rest = &rest[at + start.len()..];
                let Some(end) = rest.find(" */") else { break };
                let name = SmolStr::from(&rest[..end]);
                rest = &rest[end + 3..];
                match self.find_var(scope, &name, None, &origin.0)? {
                    Some(VarRef::Global(id)) => globals.push((name, id, written)),
                    _ => {
                        let message = format!("unresolved pragma:{verb} global {name}");
                        return Err(Box::new(Diagnostic::semantic("resolve/pragma", message).at(&origin.0)));
                    }
                }
            }
        }
        Ok(globals)
    }
}
