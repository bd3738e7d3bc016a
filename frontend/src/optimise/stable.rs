//! Calls of stable functions without arguments are made once for each block that needs them
//! (elaborate.cxx: `semantic_pass_opt7`).

use super::rewrite::take;
use crate::diag::Diagnostic;
use crate::hir::{Body, Bound, FunctionBody, FunctionId, Local, LocalId, Program, VarRef};
use crate::source::Token;
use crate::tree::walk::{
    Child, ChildMut, expr_children, expr_children_mut, stmt_children, stmt_children_mut,
};
use crate::tree::{AssignOp, Expr, ExprKind, Foreach, Indexable, Origin, Stmt, StmtKind};
use crate::types::{Type, TypeTable, functions_by_name, has_tag};
use std::collections::{BTreeMap, BTreeSet};

/// Replaces calls of stable functions by locals that are set at the start of the block, or in front of the loop.
///
/// # Errors
/// A stable function that is not pure.
pub(super) fn memoise(program: &mut Program, table: &mut TypeTable) -> Result<(), Box<Diagnostic>> {
    let mut stable = BTreeMap::new();
    for id in functions_by_name(program) {
        let function = program.function(id);
        if let FunctionBody::Embedded { code, origin, .. } = &function.body
            && has_tag(code, "/* stable */")
        {
            if !has_tag(code, "/* pure */") {
                let message = "stable function must also be /* pure */";
                return Err(Box::new(Diagnostic::semantic("stable.pure", message).at(&origin.0)));
            }
            if function.params == 0 {
                let name = format!("__stable_{}_value", function.mangled);
                stable.insert(id, (name, table.result(id)));
            }
        }
    }
    if stable.is_empty() {
        return Ok(());
    }
    let probes = program.probes.iter_mut().zip(&mut table.probe_locals);
    for (probe, types) in probes.filter(|(probe, _)| !probe.plain_calls) {
        Memo::new(&stable, types).body(&mut probe.body);
    }
    for id in functions_by_name(program) {
        if let FunctionBody::Script(body) = &mut program.functions[id.0 as usize].body {
            Memo::new(&stable, &mut table.function_locals[id.0 as usize]).body(body);
        }
    }
    Ok(())
}

/// Stable functions with the name of their local and their type.
type Stable = BTreeMap<FunctionId, (String, Type)>;

/// Work on one body.
struct Memo<'a> {
    stable: &'a Stable,
    types: &'a mut Vec<Type>,
    locals: Vec<Local>,
    made: BTreeMap<FunctionId, LocalId>,
    /// Functions whose local is set in a block around this place.
    in_scope: BTreeSet<FunctionId>,
    /// For each block around this place: statements to put at its start, the last one first.
    pending: Vec<Vec<Stmt<Bound>>>,
    /// The block outside of all loops, an index into `pending`.
    top: Option<usize>,
    loops: usize,
}

impl<'a> Memo<'a> {
    fn new(stable: &'a Stable, types: &'a mut Vec<Type>) -> Self {
        Memo {
            stable,
            types,
            locals: Vec::new(),
            made: BTreeMap::new(),
            in_scope: BTreeSet::new(),
            pending: Vec::new(),
            top: None,
            loops: 0,
        }
    }

    fn body(mut self, body: &mut Body) {
        self.locals = std::mem::take(&mut body.locals);
        self.wrap(&mut body.root);
        self.stmt(&mut body.root);
        body.locals = self.locals;
    }

    /// Makes a statement a block if it stands outside of every block and needs a place for assignments.
    fn wrap(&self, stmt: &mut Stmt<Bound>) {
        let needs_block = self.top.is_none()
            && match &stmt.kind {
                StmtKind::Block(_) => false,
                StmtKind::For(_) | StmtKind::Foreach(_) => self.calls_below(stmt),
                _ => self.calls_here(stmt),
            };
        if needs_block {
            let origin = stmt.origin.clone();
            *stmt = Stmt { origin, kind: StmtKind::Block(vec![take(stmt)]) };
        }
    }

    fn is_stable(&self, expr: &Expr<Bound>) -> Option<FunctionId> {
        match &expr.kind {
            ExprKind::Call { callee, .. } => {
                callee.candidates.first().copied().filter(|id| self.stable.contains_key(id))
            }
            _ => None,
        }
    }

    fn calls_in(&self, expr: &Expr<Bound>) -> bool {
        let mut found = self.is_stable(expr).is_some();
        expr_children(expr, &mut |child| found |= self.calls_in(child));
        found
    }

    /// True if a stable function is called in the expressions of the statement itself.
    fn calls_here(&self, stmt: &Stmt<Bound>) -> bool {
        let mut found = false;
        stmt_children(stmt, &mut |child| {
            if let Child::Expr(expr) = child {
                found |= self.calls_in(expr);
            }
        });
        found
    }

    fn calls_below(&self, stmt: &Stmt<Bound>) -> bool {
        let mut found = false;
        stmt_children(stmt, &mut |child| {
            found |= match child {
                Child::Expr(expr) => self.calls_in(expr),
                Child::Stmt(stmt) => self.calls_below(stmt),
            };
        });
        found
    }

    fn stmt(&mut self, stmt: &mut Stmt<Bound>) {
        match &mut stmt.kind {
            StmtKind::Block(list) => {
                let (top, in_scope) = (self.top, self.in_scope.clone());
                if self.loops == 0 {
                    self.top = Some(self.pending.len());
                }
                self.pending.push(Vec::new());
                for child in list.iter_mut() {
                    self.stmt(child);
                }
                for assignment in self.pending.pop().unwrap_or_default() {
                    list.insert(0, assignment);
                }
                self.top = top;
                self.in_scope = in_scope;
            }
            StmtKind::Try { body, handler, .. } => {
                self.wrap(body);
                self.stmt(body);
                self.wrap(handler);
                self.stmt(handler);
            }
            StmtKind::If { condition, then, otherwise } => {
                let top = self.top;
                if self.loops == 0 {
                    self.top = None;
                }
                self.expr(condition);
                self.wrap(then);
                self.stmt(then);
                if let Some(otherwise) = otherwise {
                    self.wrap(otherwise);
                    self.stmt(otherwise);
                }
                self.top = top;
            }
            StmtKind::For(looped) => {
                for control in [looped.init.as_mut(), Some(&mut looped.condition), looped.step.as_mut()]
                    .into_iter()
                    .flatten()
                {
                    self.expr(control);
                }
                self.loop_body(&mut looped.body);
            }
            StmtKind::Foreach(foreach) => {
                let Foreach { base, limit, body, .. } = &mut **foreach;
                if let Indexable::Hist(hist) = base {
                    self.expr(&mut hist.stat);
                }
                if let Some(limit) = limit {
                    self.expr(limit);
                }
                self.loop_body(body);
            }
            _ => stmt_children_mut(stmt, &mut |child| match child {
                ChildMut::Expr(expr) => self.expr(expr),
                ChildMut::Stmt(stmt) => self.stmt(stmt),
            }),
        }
    }

    fn loop_body(&mut self, body: &mut Stmt<Bound>) {
        self.loops += 1;
        self.wrap(body);
        self.stmt(body);
        self.loops -= 1;
    }

    fn expr(&mut self, expr: &mut Expr<Bound>) {
        expr_children_mut(expr, &mut |child| self.expr(child));
        let Some(function) = self.is_stable(expr) else { return };
        let in_scope = self.in_scope.contains(&function);
        let place = if self.loops > 0 { self.top } else { self.pending.len().checked_sub(1) };
        if !in_scope && place.and_then(|place| self.pending.get(place)).is_none() {
            return; // No block to set the local in; every statement that calls stands in one.
        }
        let local = self.local(function, &expr.origin.0);
        let variable = Expr { origin: expr.origin.clone(), kind: ExprKind::Var(VarRef::Local(local)) };
        let call = std::mem::replace(expr, variable.clone());
        if in_scope {
            return;
        }
        self.in_scope.insert(function);
        let origin: Origin = call.origin.clone();
        let assignment = Expr {
            origin: origin.clone(),
            kind: ExprKind::Assign { op: AssignOp::Set, target: Box::new(variable), value: Box::new(call) },
        };
        if let Some(pending) = place.and_then(|place| self.pending.get_mut(place)) {
            pending.push(Stmt { origin, kind: StmtKind::Expr(assignment) });
        }
    }

    fn local(&mut self, function: FunctionId, token: &Token) -> LocalId {
        if let Some(&id) = self.made.get(&function) {
            return id;
        }
        let (name, kind) = &self.stable[&function];
        let id = LocalId(self.locals.len() as u32);
        self.locals.push(Local {
            origin: Origin(token.clone()),
            name: name.into(),
            declared: None,
            synthetic: false,
        });
        self.types.push(*kind);
        self.made.insert(function, id);
        id
    }
}
