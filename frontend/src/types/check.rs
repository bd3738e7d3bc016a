//! Errors that upstream finds only while it writes C (translate.cxx: `c_unparser`): a script with one of them passes
//! `-p2` and fails at `-p3`. The first one ends the run.

use super::{Owner, Type, TypeTable, functions_by_name};
use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Bound, FunctionBody, ProbeId, Program};
use crate::source::Token;
use crate::tree::walk::{Child, expr_children, stmt_children};
use crate::tree::{BinaryOp, Expr, ExprKind, Stmt, StmtKind};

/// Checks a program that passed 2 accepted; at most one error.
pub fn check(program: &Program, table: &TypeTable) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if let Err(error) = check_bodies(program, table) {
        diagnostics.push(*error);
    }
    diagnostics
}

type Checked = Result<(), Box<Diagnostic>>;

fn check_bodies(program: &Program, table: &TypeTable) -> Checked {
    for id in functions_by_name(program) {
        if let FunctionBody::Script(body) = &program.function(id).body {
            Check { program, table, owner: Owner::Function(id) }.stmt(&body.root, false)?;
        }
    }
    for (index, probe) in program.probes.iter().enumerate() {
        let owner = Owner::Probe(ProbeId(index as u32));
        Check { program, table, owner }.stmt(&probe.body.root, false)?;
    }
    Ok(())
}

/// More arguments than this would take too much of the kernel's stack.
const MAX_PRINT_ARGS: usize = 32;

struct Check<'a> {
    program: &'a Program,
    table: &'a TypeTable,
    owner: Owner,
}

fn error(site: &'static str, message: impl Into<String>, token: &Token) -> Checked {
    Err(Box::new(Diagnostic::semantic(site, message).at(token)))
}

impl Check<'_> {
    fn stmt(&self, stmt: &Stmt<Bound>, in_loop: bool) -> Checked {
        let token = &stmt.origin.0;
        let mut inner_loop = in_loop;
        match &stmt.kind {
            StmtKind::Break if !in_loop => {
                return error("check.break", "cannot 'break' outside loop", token);
            }
            StmtKind::Continue if !in_loop => {
                return error("check.continue", "cannot 'continue' outside loop", token);
            }
            StmtKind::Return(value) => self.returned(token, value.as_ref())?,
            StmtKind::Delete(operand) => {
                if let ExprKind::Bucket { .. } = operand.kind {
                    let message = "cannot delete histogram bucket entries\n";
                    return error("check.delete-bucket", message, &operand.origin.0);
                }
            }
            StmtKind::Expr(expr) if self.table.of(self.owner, expr) == Type::Stats => {
                if let ExprKind::Index { .. } = expr.kind {
                    let message = "statistic-valued array in rvalue context";
                    return error("check.stat-value", message, &expr.origin.0);
                }
            }
            StmtKind::For(_) | StmtKind::Foreach(_) => inner_loop = true,
            _ => {}
        }
        let mut result = Ok(());
        stmt_children(stmt, &mut |child| {
            if result.is_ok() {
                result = match child {
                    Child::Expr(expr) => self.expr(expr),
                    Child::Stmt(stmt) => self.stmt(stmt, inner_loop),
                };
            }
        });
        result
    }

    fn returned(&self, token: &Token, value: Option<&Expr<Bound>>) -> Checked {
        let Owner::Function(id) = self.owner else {
            return error("check.return", "cannot 'return' from probe", token);
        };
        let declared = self.table.result(id);
        let found = value.map_or(Type::Unknown, |value| self.table.of(self.owner, value));
        if found != declared {
            let function = &self.program.function(id).origin.0;
            let error = Diagnostic::semantic("check.return-type", "return type mismatch");
            return Err(Box::new(error.at(function).and(token)));
        }
        match value {
            Some(value) if found == Type::Unknown => {
                error("check.return-value", "return value type unsupported", &value.origin.0)
            }
            _ => Ok(()),
        }
    }

    fn expr(&self, expr: &Expr<Bound>) -> Checked {
        let token = &expr.origin.0;
        match &expr.kind {
            ExprKind::Step { operand, .. } => self.lvalue(operand)?,
            ExprKind::Assign { target, .. } => self.lvalue(target)?,
            ExprKind::Binary {
                op:
                    BinaryOp::Less
                    | BinaryOp::LessEqual
                    | BinaryOp::Greater
                    | BinaryOp::GreaterEqual
                    | BinaryOp::Equal
                    | BinaryOp::NotEqual,
                left,
                right,
            } => {
                let (l, r) = (self.table.of(self.owner, left), self.table.of(self.owner, right));
                match l {
                    Type::String if r != Type::String => {
                        return error("check.strings", "expected string types", token);
                    }
                    Type::Long if r != Type::Long => {
                        return error("check.numbers", "expected numeric types", token);
                    }
                    Type::Unknown | Type::Stats => {
                        return error("check.comparison", "unexpected type", &left.origin.0);
                    }
                    Type::String | Type::Long => {}
                }
            }
            ExprKind::Print(print) => {
                if print.args.len() > MAX_PRINT_ARGS {
                    let message = format!("too many arguments to print ({})", print.args.len());
                    return error("check.print-count", message, token);
                }
                for arg in &print.args {
                    if matches!(self.table.of(self.owner, arg), Type::Stats | Type::Unknown) {
                        let message = "print format actual argument evaluation type unsupported";
                        return Err(Box::new(
                            Diagnostic::semantic("check.print-value", message)
                                .at(&arg.origin.0)
                                .help("print a number taken from it: @count, @sum, @min, @max, @avg"),
                        ));
                    }
                }
            }
            _ => {}
        }
        let mut result = Ok(());
        expr_children(expr, &mut |child| {
            if result.is_ok() {
                result = self.expr(child);
            }
        });
        result
    }

    /// What is assigned to must be a place.
    fn lvalue(&self, target: &Expr<Bound>) -> Checked {
        let token = &target.origin.0;
        match &target.kind {
            ExprKind::Var(_)
            | ExprKind::Index { .. }
            | ExprKind::Deref { .. }
            | ExprKind::Register { .. }
            | ExprKind::Target(_) => Ok(()),
            ExprKind::Bucket { .. } => {
                error("check.assign-bucket", "cannot assign to histogram buckets", token)
            }
            _ => error("check.lvalue", "invalid lvalue type", token),
        }
    }
}
