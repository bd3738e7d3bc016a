//! What is known of conditions while names are bound: `@defined` where the probe's family answers it, and the constants
//! of handlers that upstream folds when it derives their probe (elaborate.h: `var_expand_const_fold_loop`).
//!
//! A branch that is ruled out is never bound: nothing that is named only there is looked up or pulled in. A `@defined`
//! that nobody answers stays in the tree until the optimiser has nothing else to do (`optimise/fold.rs`).

use super::Resolver;
use super::derive::TargetUse;
use super::entry::saves_entries;
use super::scope::{Owner, Scope};
use super::uses;
use crate::diag::Diagnostic;
use crate::hir::Bound;
use crate::optimise::fold;
use crate::syntax::ast::Parsed;
use crate::tree::{BinaryOp, Expr, ExprKind, TargetBase, UnaryOp};

type Bind<T> = Result<T, Box<Diagnostic>>;

impl Resolver<'_> {
    /// The value of an expression that decides which branch exists, `None` if it does not: by `@defined`, `@probewrite`
    /// or, where handlers are folded, by any constant.
    ///
    /// # Errors
    /// Those of the operand of a `@defined`.
    pub(super) fn decided(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Option<i64>> {
        if !folds(scope) && !uses::has_predicate(expr) {
            return Ok(None);
        }
        self.decide(scope, expr)
    }

    /// The value of an expression in a handler whose constants are folded at once.
    ///
    /// # Errors
    /// As above.
    pub(super) fn folded(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Option<i64>> {
        if folds(scope) { self.decide(scope, expr) } else { Ok(None) }
    }

    fn decide(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Option<i64>> {
        let truth = |value: i64| i64::from(value != 0);
        Ok(match &expr.kind {
            ExprKind::Number { value, .. } => Some(*value),
            ExprKind::Defined(operand) => self.is_defined(scope, operand)?.map(i64::from),
            ExprKind::Unary { op, operand } if *op == UnaryOp::Not || folds(scope) => {
                self.decide(scope, operand)?.map(|value| fold::unary(*op, value))
            }
            ExprKind::Binary { op: BinaryOp::LogicalAnd, left, right } => match self.decide(scope, left)? {
                Some(0) => Some(0),
                Some(_) => self.decide(scope, right)?.map(truth),
                None => None,
            },
            ExprKind::Binary { op: BinaryOp::LogicalOr, left, right } => match self.decide(scope, left)? {
                Some(0) => self.decide(scope, right)?.map(truth),
                Some(_) => Some(1),
                None => None,
            },
            ExprKind::Binary { op, left, right } if folds(scope) => match (&left.kind, &right.kind) {
                (ExprKind::String(left), ExprKind::String(right)) => {
                    fold::compared(*op, left.as_bytes().cmp(right.as_bytes())).map(i64::from)
                }
                _ => match (self.decide(scope, left)?, self.decide(scope, right)?) {
                    (Some(left), Some(right)) => fold::binary(*op, left, right),
                    _ => None,
                },
            },
            ExprKind::Ternary { condition, then, otherwise } => match self.decide(scope, condition)? {
                Some(0) => self.decide(scope, otherwise)?,
                Some(_) => self.decide(scope, then)?,
                None => None,
            },
            _ => None,
        })
    }

    /// `@defined(operand)`: a number if that is known here, else itself with its operand bound.
    ///
    /// # Errors
    /// Those of the operand: `@defined` does not hide an unknown function.
    pub(super) fn defined(&mut self, scope: &mut Scope, operand: &Expr<Parsed>) -> Bind<ExprKind<Bound>> {
        if let (ExprKind::Entry(value), true) = (&operand.kind, saves_entries(scope)) {
            // What is saved at the entry is a local here, whatever it is there: it joins the handler.
            self.entry(scope, value, &operand.origin.0)?;
        }
        if let Some(is_defined) = self.is_defined(scope, operand)? {
            return Ok(ExprKind::Number { value: i64::from(is_defined), hex: false });
        }
        let kind = match &operand.kind {
            ExprKind::Target(target) => ExprKind::Target(self.bind_target(scope, target)?),
            _ => self.expr(scope, operand)?.kind,
        };
        Ok(ExprKind::Defined(Box::new(Expr { origin: operand.origin.clone(), kind })))
    }

    /// Whether the operand of a `@defined` exists here, `None` if neither the family nor anybody else knows
    /// (tapsets.cxx: `var_expanding_visitor::visit_defined_op`).
    fn is_defined(&mut self, scope: &mut Scope, operand: &Expr<Parsed>) -> Bind<Option<bool>> {
        let has_targets = scope.probe.as_ref().is_some_and(|probe| probe.has_targets());
        Ok(match &operand.kind {
            ExprKind::Target(target) => {
                let is_symbol = matches!(target.base, TargetBase::Symbol(_));
                if is_symbol && !has_targets {
                    return Ok(None);
                }
                if self.locate(scope, target, &TargetUse::Read, operand)?.is_ok() {
                    return Ok(Some(true));
                }
                match &target.base {
                    TargetBase::Symbol(_) => Some(false),
                    _ if self.session.mode.is_dump() => Some(true),
                    // Nobody knows where to look, not even with debug information.
                    TargetBase::Cast { module, .. } | TargetBase::Var { module, .. } if module.is_empty() => {
                        None
                    }
                    _ => Some(false),
                }
            }
            ExprKind::Defined(inner) => self.is_defined(scope, inner)?.map(|_| true),
            ExprKind::Entry(_) if saves_entries(scope) => Some(true),
            ExprKind::Perf(name) => {
                self.program.perf_counters.iter().any(|(counter, _)| counter == name).then_some(true)
            }
            ExprKind::Enumerator(_) | ExprKind::EnumName { .. } => Some(false),
            _ => None,
        })
    }
}

/// True in a handler whose constants upstream folds before it looks names up.
fn folds(scope: &Scope) -> bool {
    scope.owner == Owner::Probe && scope.probe.as_ref().is_some_and(|probe| probe.folds)
}
