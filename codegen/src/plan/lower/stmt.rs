//! Statements: control flow, action counting, and where locks are taken and released.

use super::value::truth;
use super::{Lowerer, Planned};
use crate::plan::ir::{Label, LabelKind, Op, Place, Val};
use frontend::hir::{Bound, VarRef};
use frontend::source::Token;
use frontend::tree::walk::all_exprs;
use frontend::tree::{Expr, ExprKind, For, Origin, Stmt, StmtKind};
use frontend::types::{Owner, Type};

/// After so many statements the count is settled even in the middle of a block (translate.cxx: `record_actions`).
const SETTLE: u32 = 10;

/// What a statement has to do about the probe's locks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Duty {
    /// Take them before the first use in it.
    pub lock: bool,
    /// Release them after the last use in it.
    pub unlock: bool,
}

impl Lowerer<'_> {
    /// Plans a whole body.
    pub fn body(&mut self, root: &Stmt<Bound>, duty: Duty) -> Planned<()> {
        all_exprs(root, &mut |expr| {
            self.foreign_errors |= matches!(expr.kind, ExprKind::Embedded(_) | ExprKind::Deref { .. });
        });
        self.stmt(root, duty)?;
        self.record_actions(0, &root.origin.0, true);
        Ok(())
    }

    /// Counts statements; `settle` subtracts what has been counted so far.
    pub(super) fn record_actions(&mut self, count: u32, token: &Token, settle: bool) {
        if !self.count_actions {
            return;
        }
        self.actions += count;
        if (settle && self.actions > 0) || self.actions >= SETTLE {
            let at = self.blame(token);
            self.push(Op::Actions { count: self.actions, at });
            self.actions = 0;
        }
    }

    /// True if a statement touches a global of the lock table. Up to language level 4.3 everything does.
    fn needs_locks(&self, effects: &crate::plan::effects::Effects) -> bool {
        let Some(locks) = &self.locks else { return false };
        if locks.is_empty() {
            return false;
        }
        self.cx.session.compatible.before(4, 4)
            || !locks.is_disjoint(&effects.reads)
            || !locks.is_disjoint(&effects.writes)
    }

    fn stmt_needs_locks(&self, stmt: &Stmt<Bound>) -> bool {
        self.locks.is_some() && self.needs_locks(&self.cx.effects.of_stmt(stmt))
    }

    fn expr_needs_locks(&self, expr: &Expr<Bound>) -> bool {
        self.locks.is_some() && self.needs_locks(&self.cx.effects.of_expr(expr))
    }

    fn stmt(&mut self, stmt: &Stmt<Bound>, duty: Duty) -> Planned<()> {
        let token = &stmt.origin.0;
        match &stmt.kind {
            StmtKind::Block(list) => {
                self.announce(token);
                return self.block(list, duty);
            }
            StmtKind::Null => {
                // Costs an action in the count in front of the body, none here (visit_null_statement).
                self.announce(token);
                return Ok(());
            }
            _ => {}
        }
        self.position(token);
        // Whole statements are locked as one, except those that can push the duty further down.
        let simple = !matches!(stmt.kind, StmtKind::If { .. });
        if simple && duty.lock {
            self.push(Op::Lock);
        }
        self.scoped(|this| this.inner(stmt, duty))?;
        if simple && duty.unlock {
            self.push(Op::Unlock);
        }
        Ok(())
    }

    fn position(&mut self, token: &Token) {
        let position = crate::plan::names::position(self.cx.sources, token).into();
        self.push(Op::Position(position));
    }

    /// The position of a part that is worth a line only to those who follow every step.
    fn announce(&mut self, token: &Token) {
        if self.cx.announce_statements {
            self.position(token);
        }
    }

    fn inner(&mut self, stmt: &Stmt<Bound>, duty: Duty) -> Planned<()> {
        let token = &stmt.origin.0;
        match &stmt.kind {
            StmtKind::Block(_) | StmtKind::Null => Ok(()),
            StmtKind::Expr(expr) => {
                self.effect(expr)?;
                self.record_actions(1, token, false);
                Ok(())
            }
            StmtKind::If { condition, then, otherwise } => {
                self.branch(condition, then, otherwise.as_deref(), duty, token)
            }
            StmtKind::For(looped) => self.for_loop(looped, token),
            StmtKind::Foreach(foreach) => self.foreach(foreach, token),
            StmtKind::Return(value) => self.return_value(value.as_ref(), token),
            StmtKind::Delete(operand) => {
                self.delete(operand)?;
                self.record_actions(1, token, false);
                Ok(())
            }
            StmtKind::Break => {
                let Some(&(_, end)) = self.loops.last() else {
                    return Err(Self::error("stmt:break", "cannot 'break' outside loop", token));
                };
                self.record_actions(1, token, true);
                self.push(Op::Goto(end));
                Ok(())
            }
            StmtKind::Continue => {
                let Some(&(next, _)) = self.loops.last() else {
                    return Err(Self::error("stmt:continue", "cannot 'continue' outside loop", token));
                };
                self.record_actions(1, token, true);
                self.push(Op::Goto(next));
                Ok(())
            }
            StmtKind::Next => {
                self.record_actions(1, token, true);
                self.push(match self.owner {
                    Owner::Function(_) => Op::NextOverload,
                    Owner::Probe(_) => Op::Leave,
                });
                Ok(())
            }
            StmtKind::Try { body, variable, handler } => {
                self.try_catch(body, variable.as_ref(), handler, token)
            }
        }
    }

    /// A block passes its duty on to the first and the last statement that touch a locked global. Several statements
    /// may be told to lock, because an `if` may do so in one branch only; taking locks twice is harmless.
    fn block(&mut self, list: &[Stmt<Bound>], duty: Duty) -> Planned<()> {
        let mut duties = vec![Duty::default(); list.len()];
        if duty.lock || duty.unlock {
            let needs: Vec<bool> = list.iter().map(|stmt| self.stmt_needs_locks(stmt)).collect();
            if duty.lock {
                for (index, stmt) in list.iter().enumerate() {
                    if needs[index] {
                        duties[index].lock = true;
                        if !matches!(stmt.kind, StmtKind::Block(_) | StmtKind::If { .. }) {
                            break;
                        }
                    }
                }
            }
            if duty.unlock
                && let Some(last) = needs.iter().rposition(|&needed| needed)
            {
                duties[last].unlock = true;
            }
        }
        for (stmt, duty) in list.iter().zip(duties) {
            self.stmt(stmt, duty)?;
        }
        Ok(())
    }

    fn branch(
        &mut self,
        condition: &Expr<Bound>,
        then: &Stmt<Bound>,
        otherwise: Option<&Stmt<Bound>>,
        duty: Duty,
        token: &Token,
    ) -> Planned<()> {
        self.record_actions(1, token, true);
        let condition_needs = (duty.lock || duty.unlock) && self.expr_needs_locks(condition);
        let duty_of = |this: &Self, stmt: &Stmt<Bound>| {
            let needs = (duty.lock || duty.unlock) && this.stmt_needs_locks(stmt);
            let inner = Duty { lock: duty.lock && needs && !condition_needs, unlock: duty.unlock && needs };
            (inner, duty.unlock && condition_needs && !needs)
        };
        let (then_duty, then_unlocks) = duty_of(self, then);
        let otherwise_duty = otherwise.map(|stmt| duty_of(self, stmt));
        if duty.lock && condition_needs {
            self.push(Op::Lock);
        }
        let condition = self.val(condition)?;
        let arm = |this: &mut Self, stmt: &Stmt<Bound>, duty: Duty, unlocks: bool| {
            this.apart(|this| {
                if unlocks {
                    this.push(Op::Unlock);
                }
                this.stmt(stmt, duty)?;
                this.record_actions(0, &stmt.origin.0, true);
                Ok(())
            })
        };
        let (then_ops, ()) = arm(self, then, then_duty, then_unlocks)?;
        let otherwise_ops = match (otherwise, otherwise_duty) {
            (Some(stmt), Some((duty, unlocks))) => arm(self, stmt, duty, unlocks)?.0,
            _ => Vec::new(),
        };
        self.push(Op::If(condition, then_ops, otherwise_ops));
        Ok(())
    }

    pub(super) fn open_loop(&mut self) -> (Label, Label, Label) {
        let number = self.labels;
        let top = self.label(LabelKind::Top, number);
        let next = self.label(LabelKind::Continue, number);
        let end = self.label(LabelKind::Break, number);
        (top, next, end)
    }

    pub(super) fn loop_body(&mut self, body: &Stmt<Bound>, next: Label, end: Label) -> Planned<()> {
        self.loops.push((next, end));
        let result = self.stmt(body, Duty::default());
        self.loops.pop();
        result
    }

    fn for_loop(&mut self, looped: &For<Bound>, token: &Token) -> Planned<()> {
        let (top, next, end) = self.open_loop();
        if let Some(init) = &looped.init {
            self.announce(first_token(init));
            self.scoped(|this| this.effect(init))?;
            self.record_actions(1, &init.origin.0, false);
        }
        self.record_actions(1, token, true);
        self.push(Op::Label(top));
        // One action for each round, whatever the body does.
        self.record_actions(1, token, false);
        let condition = self.val(&looped.condition)?;
        if !matches!(condition, Val::Const(value) if value != 0) {
            self.push(Op::If(condition, Vec::new(), vec![Op::Goto(end)]));
        }
        self.loop_body(&looped.body, next, end)?;
        self.record_actions(0, &looped.body.origin.0, true);
        self.push(Op::Label(next));
        if let Some(step) = &looped.step {
            self.announce(first_token(step));
            self.scoped(|this| this.effect(step))?;
            self.record_actions(1, &step.origin.0, false);
        }
        self.push(Op::Goto(top));
        self.push(Op::Label(end));
        Ok(())
    }

    fn return_value(&mut self, value: Option<&Expr<Bound>>, token: &Token) -> Planned<()> {
        let Owner::Function(id) = self.owner else {
            return Err(Self::error("stmt:return", "cannot 'return' from probe", token));
        };
        let result = self.cx.types.results.get(id.0 as usize).copied().unwrap_or_default();
        match (value, result) {
            (Some(value), Type::String) => {
                if self.in_try == 0 {
                    self.text_into(value, Place::Return)?;
                } else {
                    let text = self.text(value)?;
                    self.push(Op::Copy(Place::Return, text));
                }
            }
            (Some(value), Type::Long) => {
                let value = self.val(value)?;
                self.push(Op::Set(Place::Return, value));
            }
            (None, Type::Unknown) => {}
            // A void function may return the value of a void call.
            (Some(value), _) => self.effect(value)?,
            (None, _) => return Err(Self::error("stmt:return-type", "return type mismatch", token)),
        }
        self.record_actions(1, token, true);
        self.push(Op::Leave);
        Ok(())
    }

    fn try_catch(
        &mut self,
        body: &Stmt<Bound>,
        variable: Option<&(Origin, VarRef)>,
        handler: &Stmt<Bound>,
        token: &Token,
    ) -> Planned<()> {
        self.record_actions(0, token, true);
        self.in_try += 1;
        let body_ops = self.apart(|this| {
            this.stmt(body, Duty::default())?;
            this.record_actions(0, &body.origin.0, true);
            Ok(())
        });
        self.in_try -= 1;
        let (body_ops, ()) = body_ops?;
        let variable = variable.map(|(_, var)| self.place_of(*var));
        let (entry, ()) = self.apart(|this| {
            this.record_actions(1, token, true);
            Ok(())
        })?;
        let (handler_ops, ()) = self.apart(|this| {
            this.stmt(handler, Duty::default())?;
            this.record_actions(0, &handler.origin.0, true);
            Ok(())
        })?;
        self.push(Op::Try { body: body_ops, handler: handler_ops, variable, entry });
        Ok(())
    }

    /// The condition of a probe, as 0 or 1.
    pub fn condition(&mut self, condition: &Expr<Bound>) -> Planned<Val> {
        let condition = self.val(condition)?;
        Ok(truth(condition))
    }
}

/// The token that an expression starts with, as far as the tree knows it (parentheses are not in it).
fn first_token(expr: &Expr<Bound>) -> &Token {
    match &expr.kind {
        ExprKind::Assign { target: first, .. }
        | ExprKind::Binary { left: first, .. }
        | ExprKind::Ternary { condition: first, .. }
        | ExprKind::Step { prefix: false, operand: first, .. }
        | ExprKind::Match { subject: first, .. } => first_token(first),
        _ => &expr.origin.0,
    }
}
