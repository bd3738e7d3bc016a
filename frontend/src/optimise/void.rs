//! Expressions whose value nobody wants become statements of their parts (elaborate.cxx: `semantic_pass_opt5`).

use super::Round;
use super::effects::Effects;
use super::rewrite::{expr_stmt, null, sequence, take_expr};
use crate::hir::{Bound, FunctionBody, Program};
use crate::tree::{BinaryOp, Expr, ExprKind, Stmt, StmtKind, Target, TargetBase, TargetStep, UnaryOp};
use crate::types::functions_by_name;

/// Takes apart the top level of every expression statement.
pub(super) fn reduce(round: &mut Round<'_>, program: &mut Program) {
    let effects = Effects::new(program);
    let mut reducer = Reducer { changed: &mut round.changed, effects: &effects };
    for probe in &mut program.probes {
        reducer.stmt(&mut probe.body.root);
    }
    for id in functions_by_name(program) {
        if let FunctionBody::Script(body) = &mut program.functions[id.0 as usize].body {
            reducer.stmt(&mut body.root);
        }
    }
}

struct Reducer<'a> {
    changed: &'a mut bool,
    effects: &'a Effects,
}

impl Reducer<'_> {
    fn stmt(&mut self, stmt: &mut Stmt<Bound>) {
        match &mut stmt.kind {
            StmtKind::Expr(expr) => {
                if let Some(replacement) = self.expr(expr) {
                    *self.changed = true;
                    *stmt = replacement;
                    self.stmt(stmt);
                }
            }
            StmtKind::Block(list) => list.iter_mut().for_each(|child| self.stmt(child)),
            StmtKind::If { then, otherwise, .. } => {
                self.stmt(then);
                if let Some(otherwise) = otherwise {
                    self.stmt(otherwise);
                }
            }
            StmtKind::For(looped) => self.stmt(&mut looped.body),
            StmtKind::Foreach(foreach) => self.stmt(&mut foreach.body),
            StmtKind::Try { body, handler, .. } => {
                self.stmt(body);
                self.stmt(handler);
            }
            _ => {}
        }
    }

    /// What stands for an expression whose value is not wanted; `None` if it must stay as it is.
    fn expr(&mut self, expr: &mut Expr<Bound>) -> Option<Stmt<Bound>> {
        let origin = expr.origin.clone();
        Some(match &mut expr.kind {
            ExprKind::Binary { op: op @ (BinaryOp::LogicalOr | BinaryOp::LogicalAnd), left, right } => {
                let mut condition = take_expr(left);
                if *op == BinaryOp::LogicalOr {
                    let operand = Box::new(condition);
                    condition =
                        Expr { origin: origin.clone(), kind: ExprKind::Unary { op: UnaryOp::Not, operand } };
                }
                let then = Box::new(expr_stmt(take_expr(right)));
                Stmt { origin, kind: StmtKind::If { condition, then, otherwise: None } }
            }
            ExprKind::Ternary { condition, then, otherwise } => Stmt {
                origin,
                kind: StmtKind::If {
                    condition: take_expr(condition),
                    then: Box::new(expr_stmt(take_expr(then))),
                    otherwise: Some(Box::new(expr_stmt(take_expr(otherwise)))),
                },
            },
            ExprKind::Binary { left, right, .. } => sequence(&origin, [take_expr(left), take_expr(right)]),
            ExprKind::Unary { operand, .. } => expr_stmt(take_expr(operand)),
            ExprKind::Match { subject, .. } => expr_stmt(take_expr(subject)),
            ExprKind::Concat(parts) => sequence(&origin, std::mem::take(parts)),
            ExprKind::Call { callee, args } if !args.is_empty() => {
                let pure = |&id| self.effects.function(id).is_pure_for(None);
                if !callee.candidates.iter().all(pure) {
                    return None;
                }
                sequence(&origin, std::mem::take(args))
            }
            ExprKind::Print(print) if print.to_string && !print.args.is_empty() => {
                sequence(&origin, std::mem::take(&mut print.args))
            }
            ExprKind::Target(target) => sequence(&origin, target_parts(target)),
            ExprKind::Defined(_) => null(&origin.0),
            _ => return None,
        })
    }
}

/// The expressions inside a target: what is cast and every computed index.
fn target_parts(target: &mut Target<Bound>) -> Vec<Expr<Bound>> {
    let base = match &mut target.base {
        TargetBase::Cast { value, .. } | TargetBase::Value(value) => Some(take_expr(value)),
        TargetBase::Symbol(_) | TargetBase::Var { .. } => None,
    };
    let indexes = target.path.iter_mut().filter_map(|step| match step {
        TargetStep::Index(_, index) => Some(take_expr(index)),
        _ => None,
    });
    base.into_iter().chain(indexes).collect()
}
