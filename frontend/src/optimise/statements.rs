//! Statements that do nothing: pure expressions, empty blocks, and what becomes empty with them
//! (elaborate.cxx: `semantic_pass_opt4`).

use super::Round;
use super::effects::Effects;
use super::rewrite::{expr_stmt, null, take, take_expr};
use crate::diag::Diagnostic;
use crate::hir::{Bound, FunctionBody, ProbeId, Program, VarRef};
use crate::tree::{Expr, ExprKind, Stmt, StmtKind, UnaryOp};
use crate::types::{Owner, Type, TypeTable, functions_by_name};

/// Drops what has no effect. `empty[n]` becomes true for probes whose handler does nothing.
pub(super) fn effect_free(
    round: &mut Round<'_>,
    program: &mut Program,
    table: &mut TypeTable,
    empty: &mut [bool],
) {
    let effects = Effects::new(program);
    for (index, probe) in program.probes.iter_mut().enumerate() {
        let owner = Owner::Probe(ProbeId(index as u32));
        let types = &mut table.probe_locals[index];
        let mut remover = Remover { round, effects: &effects, owner, types };
        let token = probe.origin.0.clone();
        let root = take(&mut probe.body.root);
        probe.body.root = remover.stmt(root).unwrap_or_else(|| {
            if let Some(slot) = empty.get_mut(index) {
                *slot = true;
            }
            null(&token)
        });
    }
    for id in functions_by_name(program) {
        let function = &mut program.functions[id.0 as usize];
        let FunctionBody::Script(body) = &mut function.body else { continue };
        let types = &mut table.function_locals[id.0 as usize];
        let mut remover = Remover { round, effects: &effects, owner: Owner::Function(id), types };
        let root = take(&mut body.root);
        if let Some(root) = remover.stmt(root) {
            body.root = root;
        } else {
            let message = format!("side-effect-free function '{}'", function.name);
            round.warn(Diagnostic::warning("statements.function", message).at(&function.origin.0));
            body.root = null(&function.origin.0);
        }
    }
}

struct Remover<'a, 'r> {
    round: &'a mut Round<'r>,
    effects: &'a Effects,
    owner: Owner,
    types: &'a mut [Type],
}

impl Remover<'_, '_> {
    fn is_pure(&self, expr: &Expr<Bound>) -> bool {
        self.effects.expr(self.owner, expr).is_pure()
    }

    /// What is left of a statement.
    fn stmt(&mut self, mut stmt: Stmt<Bound>) -> Option<Stmt<Bound>> {
        let origin = stmt.origin.clone();
        match &mut stmt.kind {
            StmtKind::Null => return None,
            StmtKind::Block(list) => {
                let mut left = Vec::with_capacity(list.len());
                for child in std::mem::take(list) {
                    match self.stmt(child) {
                        Some(Stmt { kind: StmtKind::Block(inner), .. }) => {
                            left.extend(inner);
                            self.round.changed = true;
                        }
                        Some(child) => left.push(child),
                        None => {}
                    }
                }
                if left.len() < 2 {
                    return left.pop();
                }
                *list = left;
            }
            StmtKind::Expr(expr) => {
                if self.effects.expr(self.owner, expr).is_pure_for(Some(self.owner)) {
                    if self.round.in_user_file(&expr.origin) {
                        let message = "Eliding side-effect-free expression ";
                        self.round.warn(Diagnostic::warning("statements.expression", message).at(&origin.0));
                    }
                    self.round.changed = true;
                    return None;
                }
            }
            StmtKind::If { condition, then, otherwise } => {
                let kept_then = self.stmt(take(then));
                let kept_otherwise = otherwise.take().and_then(|otherwise| self.stmt(*otherwise));
                match (kept_then, kept_otherwise) {
                    (Some(kept), kept_otherwise) => {
                        **then = kept;
                        *otherwise = kept_otherwise.map(Box::new);
                    }
                    (None, Some(kept)) => {
                        let operand = take_expr(condition);
                        condition.kind = ExprKind::Unary { op: UnaryOp::Not, operand: Box::new(operand) };
                        **then = kept;
                    }
                    (None, None) if self.is_pure(condition) => return None,
                    (None, None) => return Some(expr_stmt(take_expr(condition))),
                }
            }
            StmtKind::For(looped) => match self.stmt(take(&mut looped.body)) {
                Some(body) => looped.body = body,
                None => {
                    let controls = [looped.init.as_ref(), Some(&looped.condition), looped.step.as_ref()];
                    if controls.into_iter().flatten().all(|control| self.is_pure(control)) {
                        return None;
                    }
                    looped.body = null(&origin.0);
                }
            },
            StmtKind::Foreach(foreach) => {
                foreach.body = self.stmt(take(&mut foreach.body))?;
            }
            StmtKind::Try { body, variable, handler } => {
                let kept = self.stmt(take(body));
                **handler = self.stmt(take(handler)).unwrap_or_else(|| null(&handler.origin.0));
                let Some(kept) = kept else {
                    if let Some((_, VarRef::Local(id))) = variable
                        && let Some(slot @ Type::Unknown) = self.types.get_mut(id.0 as usize)
                    {
                        *slot = Type::String;
                    }
                    return None;
                };
                **body = kept;
            }
            StmtKind::Return(_)
            | StmtKind::Delete(_)
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Next => {}
        }
        Some(stmt)
    }
}
