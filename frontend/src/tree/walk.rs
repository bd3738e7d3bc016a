//! The one child walker: every direct child of a node, in evaluation order. Passes recurse with it where a node kind
//! means nothing special to them.

use super::{
    Expr, ExprKind, For, Hist, Indexable, Key, Phase, Stmt, StmtKind, Target, TargetBase, TargetStep,
};

/// A direct child of a statement.
#[derive(Debug)]
pub enum Child<'a, P: Phase> {
    /// An expression.
    Expr(&'a Expr<P>),
    /// A statement.
    Stmt(&'a Stmt<P>),
}

/// A direct child of a statement, to change in place.
#[derive(Debug)]
pub enum ChildMut<'a, P: Phase> {
    /// An expression.
    Expr(&'a mut Expr<P>),
    /// A statement.
    Stmt(&'a mut Stmt<P>),
}

macro_rules! walkers {
    ($expr_children:ident, $stmt_children:ident, $Child:ident, $keys:ident, $indexable:ident, $target:ident, [$($mutability:tt)?], $iter:ident) => {
        fn $keys<'a, P: Phase>(keys: &'a $($mutability)? [Key<P>], visit: &mut dyn FnMut(&'a $($mutability)? Expr<P>)) {
            for key in keys.$iter() {
                match key {
                    Key::Expr(expr) => visit(expr),
                    Key::Any(_) => {}
                }
            }
        }

        fn $indexable<'a, P: Phase>(base: &'a $($mutability)? Indexable<P>, visit: &mut dyn FnMut(&'a $($mutability)? Expr<P>)) {
            match base {
                Indexable::Array { .. } => {}
                Indexable::Hist(Hist { stat, .. }) => visit(stat),
            }
        }

        fn $target<'a, P: Phase>(target: &'a $($mutability)? Target<P>, visit: &mut dyn FnMut(&'a $($mutability)? Expr<P>)) {
            match & $($mutability)? target.base {
                TargetBase::Cast { value, .. } | TargetBase::Value(value) => visit(value),
                TargetBase::Symbol(_) | TargetBase::Var { .. } => {}
            }
            for step in target.path.$iter() {
                match step {
                    TargetStep::Index(_, index) => visit(index),
                    TargetStep::Member(..) | TargetStep::Literal(..) | TargetStep::Pretty(..) => {}
                }
            }
        }

        /// Calls `visit` for each direct child expression of an expression, in evaluation order.
        pub fn $expr_children<'a, P: Phase>(expr: &'a $($mutability)? Expr<P>, visit: &mut dyn FnMut(&'a $($mutability)? Expr<P>)) {
            match & $($mutability)? expr.kind {
                ExprKind::Number { .. }
                | ExprKind::String(_)
                | ExprKind::Embedded(_)
                | ExprKind::Var(_)
                | ExprKind::ProbeWrite(_)
                | ExprKind::Perf(_)
                | ExprKind::Enumerator(_)
                | ExprKind::Register { .. } => {}
                ExprKind::Index { keys, .. } => $keys(keys, visit),
                ExprKind::Bucket { hist, index } => {
                    visit(& $($mutability)? hist.stat);
                    visit(index);
                }
                ExprKind::Unary { operand, .. } | ExprKind::Step { operand, .. } => visit(operand),
                ExprKind::Binary { left, right, .. } => {
                    visit(left);
                    visit(right);
                }
                ExprKind::Concat(parts) => parts.$iter().for_each(visit),
                ExprKind::Ternary { condition, then, otherwise } => {
                    visit(condition);
                    visit(then);
                    visit(otherwise);
                }
                ExprKind::Assign { target, value, .. } => {
                    visit(target);
                    visit(value);
                }
                ExprKind::In { keys, base } => {
                    $keys(keys, visit);
                    $indexable(base, visit);
                }
                ExprKind::Match { subject, .. } => visit(subject),
                ExprKind::Call { args, .. } => args.$iter().for_each(visit),
                ExprKind::Print(print) => {
                    for arg in print.args.$iter() {
                        visit(arg);
                    }
                    if let Some(hist) = & $($mutability)? print.hist {
                        visit(& $($mutability)? hist.stat);
                    }
                }
                ExprKind::Stat { stat, .. } => visit(stat),
                ExprKind::Hist(hist) => visit(& $($mutability)? hist.stat),
                ExprKind::Target(target) => $target(target, visit),
                ExprKind::Defined(inner) | ExprKind::Entry(inner) => visit(inner),
                ExprKind::EnumName { value, .. } => visit(value),
                ExprKind::Deref { address, .. } => visit(address),
            }
        }

        /// Calls `visit` for each direct child (statement or expression) of a statement, in evaluation order.
        pub fn $stmt_children<'a, P: Phase>(stmt: &'a $($mutability)? Stmt<P>, visit: &mut dyn FnMut($Child<'a, P>)) {
            match & $($mutability)? stmt.kind {
                StmtKind::Null | StmtKind::Return(None) | StmtKind::Break | StmtKind::Continue | StmtKind::Next => {}
                StmtKind::Block(list) => list.$iter().for_each(|child| visit($Child::Stmt(child))),
                StmtKind::Expr(expr) | StmtKind::Return(Some(expr)) | StmtKind::Delete(expr) => visit($Child::Expr(expr)),
                StmtKind::If { condition, then, otherwise } => {
                    visit($Child::Expr(condition));
                    visit($Child::Stmt(then));
                    if let Some(otherwise) = otherwise {
                        visit($Child::Stmt(otherwise));
                    }
                }
                StmtKind::For(looped) => {
                    let For { init, condition, step, body } = & $($mutability)? **looped;
                    if let Some(init) = init {
                        visit($Child::Expr(init));
                    }
                    visit($Child::Expr(condition));
                    if let Some(step) = step {
                        visit($Child::Expr(step));
                    }
                    visit($Child::Stmt(body));
                }
                StmtKind::Foreach(foreach) => {
                    let foreach = & $($mutability)? **foreach;
                    $indexable(& $($mutability)? foreach.base, &mut |expr| visit($Child::Expr(expr)));
                    $keys(& $($mutability)? foreach.slice, &mut |expr| visit($Child::Expr(expr)));
                    if let Some(limit) = & $($mutability)? foreach.limit {
                        visit($Child::Expr(limit));
                    }
                    visit($Child::Stmt(& $($mutability)? foreach.body));
                }
                StmtKind::Try { body, handler, .. } => {
                    visit($Child::Stmt(body));
                    visit($Child::Stmt(handler));
                }
            }
        }
    };
}

walkers!(expr_children, stmt_children, Child, keys, indexable, target, [], iter);
walkers!(expr_children_mut, stmt_children_mut, ChildMut, keys_mut, indexable_mut, target_mut, [mut], iter_mut);

/// Calls `visit` for every expression below a statement, parents before children.
pub fn all_exprs<'a, P: Phase>(stmt: &'a Stmt<P>, visit: &mut dyn FnMut(&'a Expr<P>)) {
    stmt_children(stmt, &mut |child| match child {
        Child::Expr(expr) => all_subexprs(expr, visit),
        Child::Stmt(stmt) => all_exprs(stmt, visit),
    });
}

/// Calls `visit` for an expression and every expression below it, parents before children.
pub fn all_subexprs<'a, P: Phase>(expr: &'a Expr<P>, visit: &mut dyn FnMut(&'a Expr<P>)) {
    visit(expr);
    expr_children(expr, &mut |child| all_subexprs(child, visit));
}

/// Calls `visit` for a statement and every statement below it, parents before children.
pub fn all_stmts<'a, P: Phase>(stmt: &'a Stmt<P>, visit: &mut dyn FnMut(&'a Stmt<P>)) {
    visit(stmt);
    stmt_children(stmt, &mut |child| match child {
        Child::Expr(_) => {}
        Child::Stmt(stmt) => all_stmts(stmt, visit),
    });
}
