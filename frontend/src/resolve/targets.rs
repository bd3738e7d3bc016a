//! What depends on the probe at hand: `$x` and its kin.

use super::Resolver;
use super::derive::{Derived, TargetUse, Targets};
use super::entry::Saved;
use super::scope::Scope;
use crate::diag::Diagnostic;
use crate::hir::{Bound, Missing};
use crate::source::Token;
use crate::syntax::ast::{Function, Parsed};
use crate::tree::{AssignOp, BinaryOp, Expr, ExprKind, Origin, Target, TargetBase, TargetStep};
use smol_str::format_smolstr;
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
    pub has_entry: bool,
    /// Functions that its handler calls have its context: each that asks for one gets a copy of its own.
    pub clones: bool,
    /// Upstream folds the constants of the handler before it looks its names up.
    pub folds: bool,
    /// The `@entry`s met so far.
    pub saved: RefCell<Vec<Saved>>,
}

impl ProbeContext {
    /// The context of a derived probe.
    pub fn new(number: usize, derived: &Derived) -> Self {
        ProbeContext {
            number,
            targets: derived.targets.clone(),
            functions: RefCell::new(derived.functions.iter().cloned().map(Arc::new).collect()),
            has_entry: derived.entry.is_some(),
            clones: derived.plain_calls,
            folds: derived.folds,
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
    pub(super) fn locate(
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

    pub(super) fn bind_target(&mut self, scope: &mut Scope, target: &Target<Parsed>) -> Bind<Target<Bound>> {
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
