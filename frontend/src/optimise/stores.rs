//! Assignments to locals that nothing reads (elaborate.cxx: `semantic_pass_opt3`).

use super::Round;
use super::effects::{Effects, Use, Variable};
use super::rewrite::take_expr;
use crate::diag::Diagnostic;
use crate::hir::{Bound, FunctionBody, Local, ProbeId, Program, VarRef};
use crate::source::{Token, TokenKind};
use crate::tree::walk::{ChildMut, expr_children_mut, stmt_children_mut};
use crate::tree::{Expr, ExprKind, Stmt, StmtKind};
use crate::types::{Owner, Type, TypeTable, functions_by_name};

/// Replaces `x = e` by `e` where x is a local that is never read, and drops catch variables that nobody reads.
///
/// # Errors
/// An assignment whose left side cannot be assigned to.
pub(super) fn dead_stores(
    round: &mut Round<'_>,
    program: &mut Program,
    table: &mut TypeTable,
) -> Result<(), Box<Diagnostic>> {
    let found = Effects::new(program).handlers(program);
    for (index, probe) in program.probes.iter_mut().enumerate() {
        let owner = Owner::Probe(ProbeId(index as u32));
        let types = &mut table.probe_locals[index];
        Remover { round, found: &found, owner, locals: &probe.body.locals, types }
            .stmt(&mut probe.body.root)?;
    }
    for id in functions_by_name(program) {
        if let FunctionBody::Script(body) = &mut program.functions[id.0 as usize].body {
            let owner = Owner::Function(id);
            let types = &mut table.function_locals[id.0 as usize];
            Remover { round, found: &found, owner, locals: &body.locals, types }.stmt(&mut body.root)?;
        }
    }
    Ok(())
}

struct Remover<'a, 'r> {
    round: &'a mut Round<'r>,
    found: &'a Use,
    owner: Owner,
    locals: &'a [Local],
    types: &'a mut [Type],
}

impl Remover<'_, '_> {
    fn stmt(&mut self, stmt: &mut Stmt<Bound>) -> Result<(), Box<Diagnostic>> {
        if let StmtKind::Try { variable, .. } = &mut stmt.kind
            && let Some((_, var)) = variable
            && !self.found.read.contains(&Variable::of(self.owner, *var))
        {
            // Its type must survive, for the variable may occur elsewhere. stap 4.8 loses it and then refuses the script.
            if let VarRef::Local(id) = *var
                && let Some(slot @ Type::Unknown) = self.types.get_mut(id.0 as usize)
            {
                *slot = Type::String;
            }
            *variable = None;
        }
        let mut result = Ok(());
        stmt_children_mut(stmt, &mut |child| {
            if result.is_ok() {
                result = match child {
                    ChildMut::Expr(expr) => self.expr(expr),
                    ChildMut::Stmt(stmt) => self.stmt(stmt),
                };
            }
        });
        result
    }

    fn expr(&mut self, expr: &mut Expr<Bound>) -> Result<(), Box<Diagnostic>> {
        let mut result = Ok(());
        expr_children_mut(expr, &mut |child| {
            if result.is_ok() {
                result = self.expr(child);
            }
        });
        result?;
        let ExprKind::Assign { target, value, .. } = &mut expr.kind else { return Ok(()) };
        let Some(VarRef::Local(id)) = assigned_variable(target, &expr.origin.0)? else { return Ok(()) };
        let Some(local) = self.locals.get(id.0 as usize) else { return Ok(()) };
        let is_read = self.found.read.contains(&Variable::Local(self.owner, id));
        if !is_read && !local.synthetic {
            if self.round.in_user_file(&target.origin) {
                let message = format!("Eliding assignment to '{}'", local.name);
                self.round.warn(Diagnostic::warning("stores.dead", message).at(&expr.origin.0));
            }
            *expr = take_expr(value);
            self.round.changed = true;
        }
        Ok(())
    }
}

/// The variable that an assignment changes; `None` if its left side is something of the target.
///
/// # Errors
/// A left side that is no lvalue.
pub(super) fn assigned_variable(
    target: &Expr<Bound>,
    assignment: &Token,
) -> Result<Option<VarRef>, Box<Diagnostic>> {
    match &target.kind {
        ExprKind::Var(var) | ExprKind::Index { base: var, .. } => Ok(Some(*var)),
        ExprKind::Target(_) | ExprKind::Deref { .. } | ExprKind::Register { .. } => Ok(None),
        ExprKind::Bucket { hist, .. } => not_an_lvalue(assignment, &hist.origin.0),
        _ => not_an_lvalue(assignment, &target.origin.0),
    }
}

fn not_an_lvalue(assignment: &Token, target: &Token) -> Result<Option<VarRef>, Box<Diagnostic>> {
    let message = if target.kind == TokenKind::Operator && target.text == "." {
        "Expecting lvalue for assignment, try -> instead"
    } else {
        "Expecting lvalue for assignment"
    };
    let error = Diagnostic::semantic("stores.lvalue", message).at(assignment).and(target);
    Err(Box::new(
        error.help("only variables, array elements and (with -g) target variables can be assigned to"),
    ))
}
