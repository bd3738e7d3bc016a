//! Helpers of the passes that change the program: visits of every variable and callee, and renumbering after
//! something was removed.

use crate::hir::{Body, Bound, Callee, FunctionBody, FunctionId, GlobalId, LocalId, Program, VarRef};
use crate::source::Token;
use crate::tree::walk::{ChildMut, expr_children_mut, stmt_children_mut};
use crate::tree::{Expr, ExprKind, Indexable, Origin, Stmt, StmtKind};
use crate::types::TypeTable;

/// What [`names_in_stmt`] meets.
pub(crate) enum Name<'a> {
    Var(&'a mut VarRef),
    /// With the place of the call.
    Callee(&'a mut Callee, &'a mut Origin),
}

/// Calls `visit` for every variable and callee in a statement.
pub(crate) fn names_in_stmt(stmt: &mut Stmt<Bound>, visit: &mut dyn FnMut(Name<'_>)) {
    match &mut stmt.kind {
        StmtKind::Foreach(foreach) => {
            if let Indexable::Array { var, .. } = &mut foreach.base {
                visit(Name::Var(var));
            }
            for (_, var) in foreach.keys.iter_mut().chain(&mut foreach.value) {
                visit(Name::Var(var));
            }
        }
        StmtKind::Try { variable: Some((_, var)), .. } => visit(Name::Var(var)),
        _ => {}
    }
    stmt_children_mut(stmt, &mut |child| match child {
        ChildMut::Expr(expr) => names_in_expr(expr, visit),
        ChildMut::Stmt(stmt) => names_in_stmt(stmt, visit),
    });
}

/// Calls `visit` for every variable and callee in an expression.
pub(super) fn names_in_expr(expr: &mut Expr<Bound>, visit: &mut dyn FnMut(Name<'_>)) {
    match &mut expr.kind {
        ExprKind::Var(var)
        | ExprKind::Index { base: var, .. }
        | ExprKind::In { base: Indexable::Array { var, .. }, .. } => visit(Name::Var(var)),
        ExprKind::Call { callee, .. } => visit(Name::Callee(callee, &mut expr.origin)),
        _ => {}
    }
    expr_children_mut(expr, &mut |child| names_in_expr(child, visit));
}

/// Calls `visit` for every variable and callee of the program.
pub(super) fn names_in_program(program: &mut Program, visit: &mut dyn FnMut(Name<'_>)) {
    for function in &mut program.functions {
        if let FunctionBody::Script(body) = &mut function.body {
            names_in_stmt(&mut body.root, visit);
        }
    }
    for probe in &mut program.probes {
        names_in_stmt(&mut probe.body.root, visit);
        if let Some(condition) = &mut probe.condition {
            names_in_expr(condition, visit);
        }
    }
}

/// New numbers of the things that stay; those that go have none.
fn renumber(keep: &[bool]) -> Vec<Option<u32>> {
    let mut next = 0;
    keep.iter()
        .map(|&stays| {
            stays.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

pub(super) fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    list.retain(|_| keep.next().copied().unwrap_or(true));
}

/// Drops functions that nothing calls any more (other than each other).
pub(super) fn keep_functions(program: &mut Program, table: &mut TypeTable, keep: &[bool]) {
    let numbers = renumber(keep);
    let number = |id: &FunctionId| numbers.get(id.0 as usize).copied().flatten().map(FunctionId);
    retain(&mut program.functions, keep);
    retain(&mut table.results, keep);
    retain(&mut table.function_locals, keep);
    names_in_program(program, &mut |name| {
        if let Name::Callee(callee, _) = name {
            callee.candidates = callee.candidates.iter().filter_map(number).collect();
        }
    });
}

/// Drops globals that nothing names any more.
pub(super) fn keep_globals(program: &mut Program, table: &mut TypeTable, keep: &[bool]) {
    let numbers = renumber(keep);
    let number = |id: &mut GlobalId| {
        if let Some(Some(new)) = numbers.get(id.0 as usize) {
            *id = GlobalId(*new);
        }
    };
    retain(&mut program.globals, keep);
    retain(&mut table.globals, keep);
    names_in_program(program, &mut |name| {
        if let Name::Var(VarRef::Global(id)) = name {
            number(id);
        }
    });
    for function in &mut program.functions {
        if let FunctionBody::Embedded { globals, .. } = &mut function.body {
            globals.iter_mut().for_each(|(_, id, _)| number(id));
        }
    }
}

/// Drops locals that the body does not name any more.
pub(super) fn keep_locals(body: &mut Body, types: &mut Vec<crate::types::Type>, keep: &[bool]) {
    let numbers = renumber(keep);
    retain(&mut body.locals, keep);
    retain(types, keep);
    names_in_stmt(&mut body.root, &mut |name| {
        if let Name::Var(VarRef::Local(id)) = name
            && let Some(Some(new)) = numbers.get(id.0 as usize)
        {
            *id = LocalId(*new);
        }
    });
}

/// Drops the locals that a probe's entry code would fill and that the body does not name.
pub(crate) fn drop_unused_entry_locals(body: &mut Body) {
    let mut keep: Vec<bool> = body.locals.iter().map(|local| !local.synthetic).collect();
    names_in_stmt(&mut body.root, &mut |name| {
        if let Name::Var(VarRef::Local(id)) = name
            && let Some(kept) = keep.get_mut(id.0 as usize)
        {
            *kept = true;
        }
    });
    keep_locals(body, &mut Vec::new(), &keep);
}

/// A statement that does nothing, standing for `token`.
pub(super) fn null(token: &Token) -> Stmt<Bound> {
    Stmt { origin: Origin(token.clone()), kind: StmtKind::Null }
}

/// A block that runs expressions one after the other, standing for `origin`.
pub(super) fn sequence(origin: &Origin, exprs: impl IntoIterator<Item = Expr<Bound>>) -> Stmt<Bound> {
    Stmt { origin: origin.clone(), kind: StmtKind::Block(exprs.into_iter().map(expr_stmt).collect()) }
}

/// An expression as a statement.
pub(super) fn expr_stmt(expr: Expr<Bound>) -> Stmt<Bound> {
    Stmt { origin: expr.origin.clone(), kind: StmtKind::Expr(expr) }
}

/// Takes a statement out of its place, which must be filled again or thrown away.
pub(super) fn take(stmt: &mut Stmt<Bound>) -> Stmt<Bound> {
    let origin = stmt.origin.clone();
    std::mem::replace(stmt, Stmt { origin, kind: StmtKind::Null })
}

/// Takes an expression out of its place, which must be filled again or thrown away.
pub(super) fn take_expr(expr: &mut Expr<Bound>) -> Expr<Bound> {
    let origin = expr.origin.clone();
    std::mem::replace(expr, Expr { origin, kind: ExprKind::Number { value: 0, hex: false } })
}
