//! What depends on the probe at hand: `$x` and its kin, `@defined`, `@entry`, `@perf`.
//!
//! `@defined` is decided here, while binding, and the branch that it rules out is never bound: nothing that is named
//! only there is looked up or pulled in.

use super::Resolver;
use super::derive::{Derived, TargetUse, Targets};
use super::scope::{Owner, Scope};
use super::uses;
use crate::diag::Diagnostic;
use crate::hir::{Bound, Missing};
use crate::source::{Token, TokenKind};
use crate::syntax::ast::{Function, Parsed};
use crate::tree::{
    AssignOp, BinaryOp, Expr, ExprKind, Key, Origin, Stmt, StmtKind, Target, TargetBase, TargetStep, UnaryOp,
};
use smol_str::{SmolStr, format_smolstr};
use std::cell::RefCell;
use std::sync::Arc;

/// How deep expressions that families put in place of targets may contain targets again.
const MAX_LOCATED: u32 = 32;

/// The context of one derived probe: what target expressions mean in its handler and in the functions cloned for it.
#[derive(Debug)]
pub(super) struct ProbeContext {
    /// Number of the probe, for the names of clones.
    pub number: usize,
    targets: Option<Arc<dyn Targets>>,
    /// Functions of the family, then the copies that targets call.
    functions: RefCell<Vec<Arc<Function>>>,
    /// `@entry` may be used.
    has_entry: bool,
    saved: RefCell<Vec<Saved>>,
}

/// One `@entry(expression)`: the names it goes by.
#[derive(Debug, Clone)]
struct Saved {
    value: Expr<Parsed>,
    array: SmolStr,
    counter: SmolStr,
    local: SmolStr,
}

/// What the `@entry`s of a handler need on both sides.
#[derive(Debug)]
pub(super) struct EntryStatements {
    /// What the return probe starts with.
    pub before: Vec<Stmt<Parsed>>,
    /// What the entry probe does.
    pub at_entry: Vec<Stmt<Parsed>>,
}

impl ProbeContext {
    /// The context of a derived probe.
    pub fn new(number: usize, derived: &Derived) -> Self {
        ProbeContext {
            number,
            targets: derived.targets.clone(),
            functions: RefCell::new(derived.functions.iter().cloned().map(Arc::new).collect()),
            has_entry: derived.entry.is_some(),
            saved: RefCell::default(),
        }
    }

    /// A function that the family brings along.
    pub fn brought(&self, name: &str) -> Option<Arc<Function>> {
        self.functions.borrow().iter().find(|function| function.name == name).cloned()
    }

    /// True if the family has context variables at all.
    pub fn has_targets(&self) -> bool {
        self.targets.is_some()
    }
}

type Bind<T> = Result<T, Box<Diagnostic>>;

impl Resolver<'_> {
    /// A target expression used for its value.
    ///
    /// # Errors
    /// Those of what stands in its place.
    pub(super) fn target_read(
        &mut self,
        scope: &mut Scope,
        target: &Target<Parsed>,
        expr: &Expr<Parsed>,
    ) -> Bind<Expr<Bound>> {
        match self.locate(scope, target, &TargetUse::Read, expr)? {
            Ok(located) => self.bind_located(scope, &located),
            Err(reason) => self.missing(scope, target, expr, reason),
        }
    }

    /// An assignment whose left side is a target expression.
    ///
    /// # Errors
    /// Those of what stands in its place.
    pub(super) fn target_write(
        &mut self,
        scope: &mut Scope,
        target: &Target<Parsed>,
        op: AssignOp,
        value: &Expr<Parsed>,
        left: &Expr<Parsed>,
        origin: &Origin,
    ) -> Bind<Expr<Bound>> {
        match self.locate(scope, target, &TargetUse::Write { op, value }, left)? {
            Ok(located) => self.bind_located(scope, &located),
            Err(reason) => {
                let left = self.missing(scope, target, left, reason)?;
                let value = self.expr(scope, value)?;
                let kind = ExprKind::Assign { op, target: Box::new(left), value: Box::new(value) };
                Ok(Expr { origin: origin.clone(), kind })
            }
        }
    }

    /// Asks the family. The outer error is one that no `@defined` hides.
    fn locate(
        &mut self,
        scope: &Scope,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Bind<Result<Expr<Parsed>, Box<Diagnostic>>> {
        if scope.located > MAX_LOCATED {
            let message = "target expression expands without end";
            return Err(Box::new(Diagnostic::semantic("resolve/target-loop", message).at(&expr.origin.0)));
        }
        let targets = scope.probe.as_ref().and_then(|probe| probe.targets.clone());
        let mut located = match targets.filter(|targets| targets.knows(&target.base)) {
            Some(targets) => targets.locate(target, usage, expr),
            None => Err(Box::new(unresolved(target, &expr.origin.0))),
        };
        if let (Ok(located), Some(probe)) = (&mut located, &scope.probe) {
            self.call_copy(probe, located);
        }
        Ok(located)
    }

    /// A call of a function that the family brings along becomes one of a copy that is private to the file of the call,
    /// as upstream makes one for each target (tapset-procfs.cxx: `visit_target_symbol`). Equal ones are merged later.
    fn call_copy(&mut self, probe: &ProbeContext, located: &mut Expr<Parsed>) {
        let file = located.origin.0.pos.file;
        let ExprKind::Call { callee, .. } = &mut located.kind else { return };
        let Some(function) = probe.brought(callee) else { return };
        self.copies += 1;
        *callee = format_smolstr!("__private_{}_{callee}{}", self.file_tag(file), self.copies);
        let copy = Function { name: callee.clone(), ..Function::clone(&function) };
        probe.functions.borrow_mut().push(Arc::new(copy));
    }

    fn bind_located(&mut self, scope: &mut Scope, located: &Expr<Parsed>) -> Bind<Expr<Bound>> {
        scope.located += 1;
        let bound = self.expr(scope, located);
        scope.located -= 1;
        bound
    }

    /// A target that nobody could locate stays in the tree with the reason beside; with `--skip-badvars` it is 0.
    fn missing(
        &mut self,
        scope: &mut Scope,
        target: &Target<Parsed>,
        expr: &Expr<Parsed>,
        reason: Box<Diagnostic>,
    ) -> Bind<Expr<Bound>> {
        let token = &expr.origin.0;
        if self.session.skip_badvars && matches!(target.base, TargetBase::Symbol(_)) {
            let message = "Bad $context variable being substituted with literal 0";
            self.diagnostics.push(Diagnostic::warning("resolve/skip-badvars", message).at(token));
            return Ok(Expr { origin: expr.origin.clone(), kind: ExprKind::Number { value: 0, hex: false } });
        }
        if self.session.mode.is_dump()
            && let Some(stand_in) = self.stand_in(scope, target, expr)?
        {
            return Ok(stand_in);
        }
        let target = self.bind_target(scope, target)?;
        self.program.missing.push(Missing { token: token.clone(), reason: *reason });
        Ok(Expr { origin: expr.origin.clone(), kind: ExprKind::Target(target) })
    }

    /// In listings nobody reads the value, only the types of what it is assigned to: what stands behind a `@cast`, `@var`
    /// or pointer of a type nobody knows is a number, unless it is pretty-printed.
    fn stand_in(
        &mut self,
        scope: &mut Scope,
        target: &Target<Parsed>,
        expr: &Expr<Parsed>,
    ) -> Bind<Option<Expr<Bound>>> {
        let number =
            |value| Expr { origin: expr.origin.clone(), kind: ExprKind::Number { value, hex: false } };
        let mut address = match &target.base {
            _ if matches!(target.path.last(), Some(TargetStep::Pretty(..))) => return Ok(None),
            TargetBase::Symbol(_) => return Ok(None),
            TargetBase::Cast { value, .. } | TargetBase::Value(value) => self.expr(scope, value)?,
            TargetBase::Var { .. } => number(0),
        };
        for step in &target.path {
            if let TargetStep::Index(origin, index) = step {
                let (left, right) = (Box::new(address), Box::new(self.expr(scope, index)?));
                let kind = ExprKind::Binary { op: BinaryOp::Add, left, right };
                address = Expr { origin: origin.clone(), kind };
            }
        }
        let kind = ExprKind::Deref { user: false, size: 8, address: Box::new(address) };
        Ok(Some(Expr { origin: expr.origin.clone(), kind }))
    }

    fn bind_target(&mut self, scope: &mut Scope, target: &Target<Parsed>) -> Bind<Target<Bound>> {
        let base = match &target.base {
            TargetBase::Symbol(name) => TargetBase::Symbol(name.clone()),
            TargetBase::Cast { value, type_name, module } => TargetBase::Cast {
                value: Box::new(self.expr(scope, value)?),
                type_name: type_name.clone(),
                module: module.clone(),
            },
            TargetBase::Var { name, module } => {
                TargetBase::Var { name: name.clone(), module: module.clone() }
            }
            TargetBase::Value(value) => TargetBase::Value(Box::new(self.expr(scope, value)?)),
        };
        let mut path = Vec::with_capacity(target.path.len());
        for step in &target.path {
            path.push(match step {
                TargetStep::Member(origin, name) => TargetStep::Member(origin.clone(), name.clone()),
                TargetStep::Literal(origin, value) => TargetStep::Literal(origin.clone(), *value),
                TargetStep::Index(origin, index) => {
                    TargetStep::Index(origin.clone(), Box::new(self.expr(scope, index)?))
                }
                TargetStep::Pretty(origin, text) => TargetStep::Pretty(origin.clone(), text.clone()),
            });
        }
        Ok(Target { base, address_of: target.address_of, path })
    }

    /// The value of an expression that `@defined` or `@probewrite` decides, `None` if nothing does.
    ///
    /// # Errors
    /// Those of the operand of a `@defined` that is no target.
    pub(super) fn decided(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Option<i64>> {
        if !uses::has_predicate(expr) {
            return Ok(None);
        }
        self.decide(scope, expr)
    }

    fn decide(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Option<i64>> {
        Ok(match &expr.kind {
            ExprKind::Number { value, .. } => Some(*value),
            ExprKind::Defined(operand) => Some(i64::from(self.is_defined(scope, operand, &expr.origin.0)?)),
            ExprKind::Unary { op: UnaryOp::Not, operand } => {
                self.decide(scope, operand)?.map(|value| i64::from(value == 0))
            }
            ExprKind::Binary { op: BinaryOp::LogicalAnd, left, right } => match self.decide(scope, left)? {
                Some(0) => Some(0),
                Some(_) => self.decide(scope, right)?.map(|value| i64::from(value != 0)),
                None => None,
            },
            ExprKind::Binary { op: BinaryOp::LogicalOr, left, right } => match self.decide(scope, left)? {
                Some(0) => self.decide(scope, right)?.map(|value| i64::from(value != 0)),
                Some(_) => Some(1),
                None => None,
            },
            ExprKind::Ternary { condition, then, otherwise } => match self.decide(scope, condition)? {
                Some(0) => self.decide(scope, otherwise)?,
                Some(_) => self.decide(scope, then)?,
                None => None,
            },
            _ => None,
        })
    }

    /// Whether the operand of a `@defined` exists here.
    ///
    /// # Errors
    /// Those of an operand that is no target: `@defined` does not hide an unknown function.
    pub(super) fn is_defined(
        &mut self,
        scope: &mut Scope,
        operand: &Expr<Parsed>,
        token: &Token,
    ) -> Bind<bool> {
        let has_targets = scope.probe.as_ref().is_some_and(|probe| probe.has_targets());
        match &operand.kind {
            ExprKind::Target(target) => {
                if matches!(target.base, TargetBase::Symbol(_)) && !has_targets {
                    self.warn_collapsed(token);
                    return Ok(false);
                }
                let is_found = self.locate(scope, target, &TargetUse::Read, operand)?.is_ok();
                let is_assumed = self.session.mode.is_dump() && !matches!(target.base, TargetBase::Symbol(_));
                if let TargetBase::Cast { module, .. } | TargetBase::Var { module, .. } = &target.base
                    && module.is_empty()
                    && !is_found
                    && !is_assumed
                {
                    // Nobody knows where to look, not even with debug information.
                    self.warn_collapsed(token);
                }
                Ok(is_found || is_assumed)
            }
            ExprKind::Defined(_) | ExprKind::Number { .. } | ExprKind::String(_) => Ok(true),
            ExprKind::Entry(inner) if scope.probe.as_ref().is_some_and(|probe| probe.has_entry) => {
                // What is saved at the entry is a local here, whatever it is there: it joins the handler.
                self.entry(scope, inner, token)?;
                Ok(true)
            }
            ExprKind::Perf(name) => Ok(self.program.perf_counters.iter().any(|(counter, _)| counter == name)),
            ExprKind::Enumerator(_) | ExprKind::EnumName { .. } => Ok(false),
            _ => {
                self.expr(scope, operand)?;
                self.warn_collapsed(token);
                Ok(false)
            }
        }
    }

    fn warn_collapsed(&mut self, token: &Token) {
        // Older ones are silent (NEWS of 5.4: more is checked of what is elided).
        if self.session.version.before(5, 4) {
            return;
        }
        let message = "Collapsing unresolved @define to 0 [stapprobes]";
        self.diagnostics.push(Diagnostic::warning("resolve/collapsed-defined", message).at(token));
    }

    /// `@entry(value)`: a local that the start of the handler fills with what the entry probe saved. Outside the
    /// handler of a return probe it stays what it is.
    ///
    /// # Errors
    /// Those of the value.
    pub(super) fn entry(
        &mut self,
        scope: &mut Scope,
        value: &Expr<Parsed>,
        token: &Token,
    ) -> Bind<Expr<Bound>> {
        let probe = match &scope.probe {
            Some(probe) if probe.has_entry && scope.owner == Owner::Probe => probe.clone(),
            // The types pass says that it does not belong here, if it is still there then.
            _ => {
                let kind = ExprKind::Entry(Box::new(self.expr(scope, value)?));
                return Ok(Expr { origin: Origin(token.clone()), kind });
            }
        };
        let array = format_smolstr!("__global_entry_tvar_entry_{}", self.entries);
        self.entries += 1;
        let saved = Saved {
            value: value.clone(),
            counter: format_smolstr!("{array}_ctr"),
            local: format_smolstr!("{array}_tmp"),
            array,
        };
        self.add_synthetic_global(token, saved.array.clone());
        self.add_synthetic_global(token, saved.counter.clone());
        let name = saved.local.clone();
        probe.saved.borrow_mut().push(saved);
        let var = self.scalar(scope, &name, token)?;
        Ok(Expr { origin: Origin(token.clone()), kind: ExprKind::Var(var) })
    }

    /// The statements that the `@entry`s met in a handler need, `None` if there was none.
    pub(super) fn entry_statements(&self, probe: &ProbeContext) -> Option<EntryStatements> {
        let saved = probe.saved.borrow().clone();
        let first = saved.first()?;
        let thread = SmolStr::new_static("_entry_tvar_tid");
        let take_thread = |made: &Made| {
            made.assign(made.var(&thread), made.expr(ExprKind::Call { callee: "tid".into(), args: vec![] }))
        };
        let start = Made::at(&first.value.origin.0);
        let mut before = vec![take_thread(&start)];
        let mut at_entry = vec![take_thread(&start)];
        for Saved { value, array, counter, local } in &saved {
            let made = Made::at(&value.origin.0);
            let depth = || made.index(counter, vec![made.var(&thread)]);
            let element = |key: Expr<Parsed>| made.index(array, vec![made.var(&thread), key]);
            let step =
                |up: bool, prefix: bool| made.expr(ExprKind::Step { up, prefix, operand: Box::new(depth()) });
            before.push(made.assign(made.var(local), element(depth())));
            before.push(made.stmt(StmtKind::Delete(element(step(false, false)))));
            let empty = made.expr(ExprKind::Unary { op: UnaryOp::Not, operand: Box::new(depth()) });
            let then = Box::new(made.stmt(StmtKind::Delete(depth())));
            before.push(made.stmt(StmtKind::If { condition: empty, then, otherwise: None }));
            at_entry.push(made.assign(element(step(true, true)), value.clone()));
        }
        Some(EntryStatements { before, at_entry })
    }
}

/// Why a target is unresolved where nobody knows targets.
fn unresolved(target: &Target<Parsed>, token: &Token) -> Diagnostic {
    let (site, message) = match &target.base {
        TargetBase::Symbol(_) => ("resolve/target", "unresolved target-symbol expression".to_string()),
        TargetBase::Var { .. } => ("resolve/var", "unresolved @var() expression".to_string()),
        TargetBase::Cast { type_name, module, .. } => {
            ("resolve/cast", format!("type definition '{type_name}' not found in '{module}'"))
        }
        TargetBase::Value(_) => ("resolve/autocast", "unknown type in dereference".to_string()),
    };
    Diagnostic::semantic(site, message).at(token).limitation(target.limitation())
}

/// Builds nodes that stand for one token.
struct Made {
    origin: Origin,
}

impl Made {
    fn at(token: &Token) -> Self {
        // Upstream's have the token as it is, so that warnings about them name the script's place.
        let mut plain = Token::new(TokenKind::Identifier, token.text.clone(), token.pos);
        plain.expansion = token.expansion.clone();
        Made { origin: Origin(plain) }
    }

    fn expr(&self, kind: ExprKind<Parsed>) -> Expr<Parsed> {
        Expr { origin: self.origin.clone(), kind }
    }

    fn stmt(&self, kind: StmtKind<Parsed>) -> Stmt<Parsed> {
        Stmt { origin: self.origin.clone(), kind }
    }

    fn var(&self, name: &SmolStr) -> Expr<Parsed> {
        self.expr(ExprKind::Var(name.clone()))
    }

    fn index(&self, array: &SmolStr, keys: Vec<Expr<Parsed>>) -> Expr<Parsed> {
        let keys = keys.into_iter().map(Key::Expr).collect();
        self.expr(ExprKind::Index { base: array.clone(), keys })
    }

    fn assign(&self, target: Expr<Parsed>, value: Expr<Parsed>) -> Stmt<Parsed> {
        let kind = ExprKind::Assign { op: AssignOp::Set, target: Box::new(target), value: Box::new(value) };
        self.stmt(StmtKind::Expr(self.expr(kind)))
    }
}
