//! How many statements a body runs at most, for the check against MAXACTION in front of it
//! (translate.cxx: `max_action_info`).

use frontend::hir::{Bound, FunctionBody, FunctionId, Program};
use frontend::tree::walk::{Child, expr_children, stmt_children};
use frontend::tree::{Expr, ExprKind, Stmt, StmtKind};

/// Statements that a body runs at most; `None` if there is no bound (a loop, or recursion).
///
/// Upstream's quirks are kept, because they decide when MAXACTION is reached: the values of `return` and the operands
/// of `delete` are not looked into, and C code is free.
pub fn count_stmt(program: &Program, stmt: &Stmt<Bound>) -> Option<u32> {
    Counter { program, calls: Vec::new() }.stmt(stmt)
}

/// The same for a function.
pub fn count_function(program: &Program, id: FunctionId) -> Option<u32> {
    match &program.function(id).body {
        FunctionBody::Script(body) => count_stmt(program, &body.root),
        FunctionBody::Embedded { .. } => Some(0),
    }
}

struct Counter<'a> {
    program: &'a Program,
    calls: Vec<FunctionId>,
}

impl Counter<'_> {
    fn stmt(&mut self, stmt: &Stmt<Bound>) -> Option<u32> {
        match &stmt.kind {
            StmtKind::For(_) | StmtKind::Foreach(_) => None,
            StmtKind::Null
            | StmtKind::Return(_)
            | StmtKind::Delete(_)
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Next => Some(1),
            StmtKind::Expr(expr) => self.expr(expr)?.checked_add(1),
            StmtKind::If { condition, then, otherwise } => {
                let head = self.expr(condition)?.checked_add(1)?;
                let then = self.stmt(then)?;
                let otherwise = match otherwise {
                    Some(otherwise) => self.stmt(otherwise)?,
                    None => 0,
                };
                head.checked_add(then.max(otherwise))
            }
            // A handler without statements is none.
            StmtKind::Try { body, handler, .. } if matches!(handler.kind, StmtKind::Null) => self.stmt(body),
            StmtKind::Block(_) | StmtKind::Try { .. } => {
                let mut sum = Some(0u32);
                stmt_children(stmt, &mut |child| {
                    let part = match child {
                        Child::Stmt(stmt) => self.stmt(stmt),
                        Child::Expr(expr) => self.expr(expr),
                    };
                    sum = sum.zip(part).and_then(|(sum, part)| sum.checked_add(part));
                });
                sum
            }
        }
    }

    fn expr(&mut self, expr: &Expr<Bound>) -> Option<u32> {
        let mut sum = Some(0u32);
        expr_children(expr, &mut |child| {
            sum = sum.zip(self.expr(child)).and_then(|(sum, part)| sum.checked_add(part));
        });
        if let ExprKind::Call { callee, .. } = &expr.kind {
            for &candidate in &callee.candidates {
                let part = if self.calls.contains(&candidate) {
                    None
                } else if let FunctionBody::Script(body) = &self.program.function(candidate).body {
                    self.calls.push(candidate);
                    let part = self.stmt(&body.root);
                    self.calls.pop();
                    part
                } else {
                    Some(0)
                };
                sum = sum.zip(part).and_then(|(sum, part)| sum.checked_add(part));
            }
        }
        sum
    }
}
