//! Bodies as written to bound bodies: names become ids (elaborate.cxx: `symresolution_info`, its visit methods).
//!
//! Names are looked up in the order in which upstream visits them, because the first use of an unknown name makes a
//! local and the first use of a global fixes its number of keys.

use super::Resolver;
use super::functions::EmbeddedGlobal;
use super::scope::{Owner, Scope, unresolved_array};
use super::uses;
use crate::diag::Diagnostic;
use crate::hir::{Bound, Callee, VarRef};
use crate::session::Privilege;
use crate::syntax::ast::Parsed;
use crate::tree::{
    AssignOp, BinaryOp, Expr, ExprKind, For, Foreach, Hist, Indexable, Key, Origin, Print, Stmt, StmtKind,
};
use smol_str::SmolStr;
use std::sync::Arc;

type Bind<T> = Result<T, Box<Diagnostic>>;

impl Resolver<'_> {
    /// Binds statements that share a scope into one block. A statement that cannot be bound is reported and left out,
    /// so that the next ones get their say.
    pub(super) fn bind_block(
        &mut self,
        scope: &mut Scope,
        parts: &[Arc<Stmt<Parsed>>],
        origin: &Origin,
    ) -> Stmt<Bound> {
        let mut list = Vec::with_capacity(parts.len());
        for part in parts {
            self.statement_of_block(scope, part, &mut list);
        }
        Stmt { origin: origin.clone(), kind: StmtKind::Block(list) }
    }

    /// Binds one statement of a block.
    pub(super) fn statement_of_block(
        &mut self,
        scope: &mut Scope,
        stmt: &Stmt<Parsed>,
        list: &mut Vec<Stmt<Bound>>,
    ) {
        let gave_up = scope.gave_up;
        match self.stmt(scope, stmt) {
            Ok(bound) => list.push(bound),
            Err(error) => self.diagnostics.push(*error),
        }
        scope.gave_up = gave_up;
    }

    fn stmt(&mut self, scope: &mut Scope, stmt: &Stmt<Parsed>) -> Bind<Stmt<Bound>> {
        let kind = match &stmt.kind {
            StmtKind::Null => StmtKind::Null,
            StmtKind::Block(statements) => {
                let mut list = Vec::with_capacity(statements.len());
                for statement in statements {
                    self.statement_of_block(scope, statement, &mut list);
                }
                StmtKind::Block(list)
            }
            StmtKind::Expr(expr) => StmtKind::Expr(self.expr(scope, expr)?),
            StmtKind::If { condition, then, otherwise } => {
                if let Some(value) = self.decided(scope, condition)? {
                    self.entries_of_expr(scope, condition)?;
                    if value != 0 {
                        let then = self.stmt(scope, then)?;
                        otherwise.iter().try_for_each(|skipped| self.entries_of_stmt(scope, skipped))?;
                        return Ok(then);
                    }
                    self.entries_of_stmt(scope, then)?;
                    return match otherwise {
                        Some(otherwise) => self.stmt(scope, otherwise),
                        None => Ok(Stmt { origin: stmt.origin.clone(), kind: StmtKind::Null }),
                    };
                }
                let condition = self.expr(scope, condition)?;
                let then = Box::new(self.stmt(scope, then)?);
                let otherwise = match otherwise {
                    Some(otherwise) => Some(Box::new(self.stmt(scope, otherwise)?)),
                    None => None,
                };
                StmtKind::If { condition, then, otherwise }
            }
            StmtKind::For(looped) => {
                let init = self.optional(scope, looped.init.as_ref())?;
                if self.folded(scope, &looped.condition)? == Some(0) {
                    self.entries_of_expr(scope, &looped.condition)?;
                    looped.step.iter().try_for_each(|step| self.entries_of_expr(scope, step))?;
                    self.entries_of_stmt(scope, &looped.body)?;
                    let kind = init.map_or(StmtKind::Null, StmtKind::Expr);
                    return Ok(Stmt { origin: stmt.origin.clone(), kind });
                }
                let condition = self.expr(scope, &looped.condition)?;
                let step = self.optional(scope, looped.step.as_ref())?;
                let body = self.stmt(scope, &looped.body)?;
                StmtKind::For(Box::new(For { init, condition, step, body }))
            }
            StmtKind::Foreach(foreach) if self.never_starts(scope, foreach)? => {
                self.entries_of_stmt(scope, stmt)?;
                StmtKind::Null
            }
            StmtKind::Foreach(foreach) => StmtKind::Foreach(Box::new(self.foreach(scope, foreach)?)),
            StmtKind::Return(value) => StmtKind::Return(self.optional(scope, value.as_ref())?),
            StmtKind::Delete(operand) => StmtKind::Delete(self.delete(scope, operand)?),
            StmtKind::Break => StmtKind::Break,
            StmtKind::Continue => StmtKind::Continue,
            StmtKind::Next => StmtKind::Next,
            StmtKind::Try { body, variable, handler } => {
                let body = Box::new(self.stmt(scope, body)?);
                let variable = match variable {
                    Some((origin, name)) => Some((origin.clone(), self.scalar(scope, name, &origin.0)?)),
                    None => None,
                };
                let handler = Box::new(self.stmt(scope, handler)?);
                StmtKind::Try { body, variable, handler }
            }
        };
        Ok(Stmt { origin: stmt.origin.clone(), kind })
    }

    fn optional(&mut self, scope: &mut Scope, expr: Option<&Expr<Parsed>>) -> Bind<Option<Expr<Bound>>> {
        expr.map(|expr| self.expr(scope, expr)).transpose()
    }

    fn never_starts(&mut self, scope: &mut Scope, foreach: &Foreach<Parsed>) -> Bind<bool> {
        let Some(limit) = &foreach.limit else { return Ok(false) };
        Ok(self.folded(scope, limit)?.is_some_and(|limit| limit <= 0))
    }

    fn foreach(&mut self, scope: &mut Scope, foreach: &Foreach<Parsed>) -> Bind<Foreach<Bound>> {
        let mut keys = Vec::with_capacity(foreach.keys.len());
        for (origin, name) in &foreach.keys {
            keys.push((origin.clone(), self.scalar(scope, name, &origin.0)?));
        }
        let slice = self.keys(scope, &foreach.slice)?;
        let base = match &foreach.base {
            Indexable::Array { origin, var } => {
                let token = &origin.0;
                let found = self.array(scope, var, foreach.keys.len(), token, token)?;
                if !slice.is_empty() && slice.len() != foreach.keys.len() {
                    // By now upstream knows the array by its C name.
                    let name = match found {
                        VarRef::Global(id) => &self.program.global(id).mangled,
                        VarRef::Local(_) => var,
                    };
                    return Err(Box::new(unresolved_array(name, slice.len(), token)));
                }
                Indexable::Array { origin: origin.clone(), var: found }
            }
            Indexable::Hist(hist) => Indexable::Hist(self.hist(scope, hist)?),
        };
        let value = match &foreach.value {
            Some((origin, name)) => Some((origin.clone(), self.scalar(scope, name, &origin.0)?)),
            None => None,
        };
        let limit = self.optional(scope, foreach.limit.as_ref())?;
        let body = self.stmt(scope, &foreach.body)?;
        Ok(Foreach { keys, value, base, slice, sort: foreach.sort, limit, body })
    }

    fn delete(&mut self, scope: &mut Scope, operand: &Expr<Parsed>) -> Bind<Expr<Bound>> {
        let token = &operand.origin.0;
        let kind = match &operand.kind {
            ExprKind::Var(name) => match self.find_var(scope, name, None, token)? {
                Some(var) => ExprKind::Var(var),
                None => {
                    let message = "unresolved array in delete statement";
                    return Err(Box::new(Diagnostic::semantic("resolve/delete", message).at(token)));
                }
            },
            ExprKind::Index { base, keys } => {
                let keys = self.keys(scope, keys)?;
                let base = self.array(scope, base, keys.len(), token, token)?;
                ExprKind::Index { base, keys }
            }
            _ => return self.expr(scope, operand),
        };
        Ok(Expr { origin: operand.origin.clone(), kind })
    }

    fn keys(&mut self, scope: &mut Scope, keys: &[Key<Parsed>]) -> Bind<Vec<Key<Bound>>> {
        let mut bound = Vec::with_capacity(keys.len());
        for key in keys {
            bound.push(match key {
                Key::Expr(expr) => Key::Expr(self.expr(scope, expr)?),
                Key::Any(origin) => Key::Any(origin.clone()),
            });
        }
        Ok(bound)
    }

    fn hist(&mut self, scope: &mut Scope, hist: &Hist<Parsed>) -> Bind<Hist<Bound>> {
        let stat = Box::new(self.expr(scope, &hist.stat)?);
        Ok(Hist { origin: hist.origin.clone(), kind: hist.kind, stat })
    }

    fn boxed(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Box<Expr<Bound>>> {
        self.expr(scope, expr).map(Box::new)
    }

    fn list(&mut self, scope: &mut Scope, list: &[Expr<Parsed>]) -> Bind<Vec<Expr<Bound>>> {
        list.iter().map(|expr| self.expr(scope, expr)).collect()
    }

    /// Binds an expression.
    ///
    /// # Errors
    /// A name in it means nothing, or something that may not be used here.
    pub(super) fn expr(&mut self, scope: &mut Scope, expr: &Expr<Parsed>) -> Bind<Expr<Bound>> {
        let token = &expr.origin.0;
        let kind = match &expr.kind {
            ExprKind::Number { value, hex } => ExprKind::Number { value: *value, hex: *hex },
            ExprKind::String(text) => ExprKind::String(text.clone()),
            ExprKind::Embedded(code) => {
                let globals = self.check_embedded(scope, code, &expr.origin)?;
                if globals.is_empty() {
                    ExprKind::Embedded(code.clone())
                } else {
                    self.embedded_call(code, &expr.origin, globals)
                }
            }
            ExprKind::Var(name) => ExprKind::Var(self.scalar(scope, name, token)?),
            ExprKind::Index { base, keys } => {
                if keys.iter().any(|key| matches!(key, Key::Any(_))) {
                    let message = "wildcard not allowed in array index";
                    return Err(Box::new(Diagnostic::semantic("resolve/wildcard-index", message).at(token)));
                }
                let keys = self.keys(scope, keys)?;
                ExprKind::Index { base: self.array(scope, base, keys.len(), token, token)?, keys }
            }
            ExprKind::Bucket { hist, index } => {
                let index = self.boxed(scope, index)?;
                ExprKind::Bucket { hist: self.hist(scope, hist)?, index }
            }
            ExprKind::Unary { op, operand } => {
                ExprKind::Unary { op: *op, operand: self.boxed(scope, operand)? }
            }
            ExprKind::Step { up, prefix, operand } => {
                if let ExprKind::Target(target) = &operand.kind {
                    let op = if *up { BinaryOp::Add } else { BinaryOp::Subtract };
                    let one =
                        Expr { origin: expr.origin.clone(), kind: ExprKind::Number { value: 1, hex: false } };
                    let op = AssignOp::Compound(op);
                    return self.target_write(scope, target, op, &one, operand, &expr.origin);
                }
                ExprKind::Step { up: *up, prefix: *prefix, operand: self.boxed(scope, operand)? }
            }
            ExprKind::Binary { op: op @ (BinaryOp::LogicalAnd | BinaryOp::LogicalOr), left, right } => {
                return self.logical(scope, *op, left, right, &expr.origin);
            }
            ExprKind::Binary { op, left, right } => {
                let left = self.boxed(scope, left)?;
                ExprKind::Binary { op: *op, left, right: self.boxed(scope, right)? }
            }
            ExprKind::Concat(parts) => ExprKind::Concat(self.list(scope, parts)?),
            ExprKind::Ternary { condition, then, otherwise } => {
                // Since 5.6 numbers decide as early as `@defined`, so that only one arm is checked (tapsets.cxx:
                // `var_expanding_visitor::visit_ternary_expression`).
                let number = match condition.kind {
                    ExprKind::Number { value, .. } if !self.session.version.before(5, 6) => Some(value),
                    _ => None,
                };
                if let Some(value) = self.decided(scope, condition)?.or(number) {
                    let (taken, skipped) = if value != 0 { (then, otherwise) } else { (otherwise, then) };
                    if number.is_some() {
                        return self.expr(scope, taken);
                    }
                    self.entries_of_expr(scope, condition)?;
                    if value == 0 {
                        self.entries_of_expr(scope, skipped)?;
                        return self.expr(scope, taken);
                    }
                    let taken = self.expr(scope, taken)?;
                    self.entries_of_expr(scope, skipped)?;
                    return Ok(taken);
                }
                let condition = self.boxed(scope, condition)?;
                let then = self.boxed(scope, then)?;
                ExprKind::Ternary { condition, then, otherwise: self.boxed(scope, otherwise)? }
            }
            ExprKind::Assign { op, target, value } => {
                if let ExprKind::Target(path) = &target.kind {
                    return self.target_write(scope, path, *op, value, target, &expr.origin);
                }
                let target = self.boxed(scope, target)?;
                ExprKind::Assign { op: *op, target, value: self.boxed(scope, value)? }
            }
            ExprKind::In { keys, base } => {
                let keys = self.keys(scope, keys)?;
                let base = match base {
                    Indexable::Array { origin, var } => Indexable::Array {
                        origin: origin.clone(),
                        var: self.array(scope, var, keys.len(), &origin.0, &origin.0)?,
                    },
                    Indexable::Hist(hist) => Indexable::Hist(self.hist(scope, hist)?),
                };
                ExprKind::In { keys, base }
            }
            ExprKind::Match { negated, subject, pattern, place } => ExprKind::Match {
                negated: *negated,
                subject: self.boxed(scope, subject)?,
                pattern: pattern.clone(),
                place: place.clone(),
            },
            ExprKind::Call { callee, args } => return self.call(scope, callee, args, &expr.origin),
            ExprKind::Print(print) => ExprKind::Print(self.print(scope, print)?),
            ExprKind::Stat { op, stat, shift } => {
                ExprKind::Stat { op: *op, stat: self.boxed(scope, stat)?, shift: *shift }
            }
            ExprKind::Hist(hist) => ExprKind::Hist(self.hist(scope, hist)?),
            ExprKind::Target(target) => return self.target_read(scope, target, expr),
            ExprKind::Defined(operand) => self.defined(scope, operand)?,
            ExprKind::ProbeWrite(_) => {
                let message = "unexpected @probewrite";
                return Err(Box::new(Diagnostic::semantic("resolve/probewrite", message).at(token)));
            }
            ExprKind::Entry(value) => return self.entry(scope, value, token),
            ExprKind::Perf(name) => ExprKind::Perf(name.clone()),
            ExprKind::Enumerator(name) => ExprKind::Enumerator(name.clone()),
            ExprKind::EnumName { value, type_name, module } => ExprKind::EnumName {
                value: self.boxed(scope, value)?,
                type_name: type_name.clone(),
                module: module.clone(),
            },
            ExprKind::Register { user, number } => ExprKind::Register { user: *user, number: *number },
            ExprKind::Deref { user, size, address } => {
                ExprKind::Deref { user: *user, size: *size, address: self.boxed(scope, address)? }
            }
        };
        Ok(Expr { origin: expr.origin.clone(), kind })
    }

    /// `&&` and `||`: the right side is not even looked at if `@defined` decides that it is never evaluated.
    fn logical(
        &mut self,
        scope: &mut Scope,
        op: BinaryOp,
        left: &Expr<Parsed>,
        right: &Expr<Parsed>,
        origin: &Origin,
    ) -> Bind<Expr<Bound>> {
        if let Some(value) = self.decided(scope, left)?
            && (value != 0) == (op == BinaryOp::LogicalOr)
        {
            self.entries_of_expr(scope, left)?;
            self.entries_of_expr(scope, right)?;
            let value = i64::from(value != 0);
            return Ok(Expr { origin: origin.clone(), kind: ExprKind::Number { value, hex: false } });
        }
        let left = self.boxed(scope, left)?;
        let right = self.boxed(scope, right)?;
        Ok(Expr { origin: origin.clone(), kind: ExprKind::Binary { op, left, right } })
    }

    fn call(
        &mut self,
        scope: &mut Scope,
        name: &SmolStr,
        args: &[Expr<Parsed>],
        origin: &Origin,
    ) -> Bind<Expr<Bound>> {
        let token = &origin.0;
        if scope.owner == Owner::Condition {
            let message = "probe condition must not reference function";
            return Err(Box::new(Diagnostic::semantic("resolve/condition-function", message).at(token)));
        }
        let args = self.list(scope, args)?;
        let nothing = || Callee { name: name.clone(), candidates: Vec::new() };
        let callee = match scope.gave_up {
            true => nothing(),
            false => match self.find_functions(scope, name, args.len(), token) {
                Err(error) if self.session.semantic_keep_going => {
                    // Later passes meet a call of nothing, which has no effect and no type.
                    self.diagnostics.push(*error);
                    scope.gave_up = true;
                    nothing()
                }
                found => found?,
            },
        };
        Ok(Expr { origin: origin.clone(), kind: ExprKind::Call { callee, args } })
    }

    fn print(&mut self, scope: &mut Scope, print: &Print<Parsed>) -> Bind<Print<Bound>> {
        let args = self.list(scope, &print.args)?;
        let hist = match &print.hist {
            Some(hist) => Some(Box::new(self.hist(scope, hist)?)),
            None => None,
        };
        Ok(Print { to_string: print.to_string, layout: print.layout.clone(), args, hist })
    }

    /// Rules for embedded C used as a value (staptree.cxx: `varuse_collecting_visitor::visit_embedded_expr`).
    fn check_embedded(
        &mut self,
        scope: &mut Scope,
        code: &str,
        origin: &Origin,
    ) -> Bind<Vec<EmbeddedGlobal>> {
        let token = &origin.0;
        let globals = self.pragma_globals(scope, code, origin)?;
        if self.session.privilege == Privilege::User
            && !code.contains("/* unprivileged */")
            && !code.contains("/* myproc-unprivileged */")
        {
            let level = self.session.privilege.name();
            let message =
                format!("embedded expression may not be used when --privilege={level} is specified");
            let error = Diagnostic::semantic("resolve/embedded-privilege", message).at(token);
            return Err(Box::new(match &scope.function {
                Some(function) => error.and(function),
                None => error,
            }));
        }
        if !self.session.guru && code.contains("/* guru */") {
            let message = "embedded expression may not be used unless -g is specified";
            return Err(Box::new(Diagnostic::semantic("resolve/embedded-guru", message).at(token)));
        }
        Ok(globals)
    }

    /// Binds a condition: globals only. What must not be in it is reported.
    pub(super) fn condition(&mut self, condition: &Expr<Parsed>) -> Option<Expr<Bound>> {
        let mut scope = Scope::new(Owner::Condition, None, Vec::new());
        let bound = match self.expr(&mut scope, condition) {
            Ok(bound) => bound,
            Err(error) => {
                self.diagnostics.push(*error);
                return None;
            }
        };
        let effect = uses::condition_effect(&bound);
        if let Some(message) = effect {
            let error = Diagnostic::semantic("resolve/condition-effect", message).at(&condition.origin.0);
            self.diagnostics.push(error);
        }
        Some(bound)
    }
}

/// True if a bound expression reads a global.
pub(super) fn reads_global(expr: &Expr<Bound>) -> bool {
    let mut found = false;
    crate::tree::walk::all_subexprs(expr, &mut |expr| {
        found = found
            || matches!(
                &expr.kind,
                ExprKind::Var(VarRef::Global(_))
                    | ExprKind::Index { base: VarRef::Global(_), .. }
                    | ExprKind::In { base: Indexable::Array { .. }, .. }
            );
    });
    found
}
