//! What the program asks of each statistic, and arrays that change while they are iterated (elaborate.cxx:
//! `semantic_pass_stats`, `semantic_pass_vars`).

use super::{Owner, StatInfo, Type, TypeTable, functions_by_name, has_tag};
use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Body, Bound, FunctionBody, GlobalId, ProbeId, Program, VarRef};
use crate::source::Token;
use crate::tree::walk::{Child, all_exprs, expr_children, stmt_children};
use crate::tree::{AssignOp, Expr, ExprKind, Foreach, Hist, Indexable, SortColumn, StatOp, Stmt, StmtKind};
use std::collections::BTreeSet;

/// Fills in [`StatInfo`] of all globals and checks what needs the finished program. Runs last in pass 2, so that the
/// automatic display counts too.
pub fn statistics(program: &Program, table: &mut TypeTable) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if let Err(error) = check_iterations(program, &mut diagnostics) {
        diagnostics.push(*error);
    }
    if diagnostics.has_errors() {
        return diagnostics;
    }
    let mut collector = Collector {
        program,
        stats: vec![None; program.globals.len()],
        is_stat: table.globals.iter().map(|global| global.value == Type::Stats).collect(),
        diagnostics: &mut diagnostics,
    };
    if let Err(error) = collector.run() {
        collector.diagnostics.push(*error);
    }
    let stats = collector.stats;
    for (index, found) in stats.into_iter().enumerate() {
        let Some(types) = table.globals.get_mut(index) else { continue };
        if types.value != Type::Stats {
            continue;
        }
        match found {
            Some(found) => types.stat = found,
            None => {
                let name = &program.globals[index].name;
                let message = format!("unable to infer statistic parameters for global '{name}'");
                diagnostics.push(Diagnostic::semantic("statistics.unknown", message));
            }
        }
    }
    diagnostics
}

/// Embedded C cannot use statistics (staptree.cxx: `varuse_collecting_visitor::visit_embeddedcode`).
///
/// # Errors
/// The first global that does.
pub(crate) fn no_statistics_in_c(program: &Program, table: &TypeTable) -> Result<(), Box<Diagnostic>> {
    let mut named: BTreeSet<GlobalId> = BTreeSet::new();
    let mut roots: Vec<&Stmt<Bound>> = program.probes.iter().map(|probe| &probe.body.root).collect();
    for function in &program.functions {
        match &function.body {
            FunctionBody::Embedded { globals, .. } => named.extend(globals.iter().map(|(_, id, _)| *id)),
            FunctionBody::Script(body) => roots.push(&body.root),
        }
    }
    for root in roots {
        all_exprs(root, &mut |expr| {
            if let ExprKind::Embedded(code) = &expr.kind
                && code.contains("pragma:")
            {
                for (index, global) in program.globals.iter().enumerate() {
                    let names = |verb| has_tag(code, &format!("/* pragma:{verb}:{} */", global.name));
                    if names("read") || names("write") {
                        named.insert(GlobalId(index as u32));
                    }
                }
            }
        });
    }
    for id in named {
        if table.global(id).value == Type::Stats {
            let message = "Aggregates not available in embedded-C";
            let token = &program.global(id).origin.0;
            return Err(Box::new(Diagnostic::semantic("statistics.embedded", message).at(token)));
        }
    }
    Ok(())
}

type Thrown = Box<Diagnostic>;

/// Bodies in upstream's order.
fn bodies(program: &Program) -> impl Iterator<Item = (Owner, &Body)> {
    let functions =
        functions_by_name(program).into_iter().filter_map(|id| match &program.function(id).body {
            FunctionBody::Script(body) => Some((Owner::Function(id), &**body)),
            FunctionBody::Embedded { .. } => None,
        });
    let probes = program.probes.iter().enumerate();
    functions.chain(probes.map(|(index, probe)| (Owner::Probe(ProbeId(index as u32)), &probe.body)))
}

/// The variable of a statistic or of an array access.
fn variable(expr: &Expr<Bound>) -> Result<VarRef, Thrown> {
    match &expr.kind {
        ExprKind::Var(var) | ExprKind::Index { base: var, .. } => Ok(*var),
        _ => {
            let message = "Expecting symbol or array index expression";
            Err(Box::new(Diagnostic::semantic("statistics.operand", message).at(&expr.origin.0)))
        }
    }
}

struct Collector<'a> {
    program: &'a Program,
    stats: Vec<Option<StatInfo>>,
    is_stat: Vec<bool>,
    diagnostics: &'a mut Diagnostics,
}

impl Collector<'_> {
    fn run(&mut self) -> Result<(), Thrown> {
        for (_, body) in bodies(self.program) {
            self.stmt(&body.root)?;
        }
        Ok(())
    }

    fn entry(&mut self, var: VarRef) -> Option<&mut Option<StatInfo>> {
        match var {
            VarRef::Global(id) => self.stats.get_mut(id.0 as usize),
            VarRef::Local(_) => None,
        }
    }

    fn stmt(&mut self, stmt: &Stmt<Bound>) -> Result<(), Thrown> {
        if let StmtKind::Foreach(foreach) = &stmt.kind {
            self.sorted(foreach);
            if let Indexable::Hist(hist) = &foreach.base {
                self.hist(hist)?;
            }
        }
        let mut result = Ok(());
        stmt_children(stmt, &mut |child| {
            if result.is_ok() {
                result = match child {
                    Child::Expr(expr) => self.expr(expr),
                    Child::Stmt(stmt) => self.stmt(stmt),
                };
            }
        });
        result
    }

    /// Sorting by the value of statistics needs the number that it sorts by.
    fn sorted(&mut self, foreach: &Foreach<Bound>) {
        let Indexable::Array { var: VarRef::Global(id), .. } = &foreach.base else { return };
        let Some((SortColumn::Value(op), _)) = &foreach.sort else { return };
        if self.is_stat.get(id.0 as usize) == Some(&true) {
            let op = match op {
                // Upstream takes @variance here and then sorts by the count.
                None | Some(StatOp::Variance) => StatOp::Count,
                Some(op) => *op,
            };
            self.stats[id.0 as usize].get_or_insert_default().ops.insert(op);
        }
    }

    fn expr(&mut self, expr: &Expr<Bound>) -> Result<(), Thrown> {
        match &expr.kind {
            ExprKind::Stat { op, stat, shift } => return self.operator(expr, *op, stat, *shift),
            ExprKind::Assign { op: AssignOp::Aggregate, target, .. } => {
                let var = variable(target)?;
                if let Some(entry) = self.entry(var) {
                    entry.get_or_insert_default();
                }
                return Ok(());
            }
            ExprKind::Bucket { hist, .. } | ExprKind::Hist(hist) => self.hist(hist)?,
            ExprKind::In { base: Indexable::Hist(hist), .. } => self.hist(hist)?,
            ExprKind::Print(print) => {
                if let Some(hist) = &print.hist {
                    self.hist(hist)?;
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

    fn operator(
        &mut self,
        expr: &Expr<Bound>,
        op: StatOp,
        stat: &Expr<Bound>,
        shift: i64,
    ) -> Result<(), Thrown> {
        let var = variable(stat)?;
        let token = &expr.origin.0;
        if !(0..=62).contains(&shift) {
            let message = format!("bit shift ({shift}) out of range <0..62>");
            return Err(Box::new(Diagnostic::semantic("statistics.shift-range", message).at(token)));
        }
        let Some(entry) = self.entry(var) else { return Ok(()) };
        let known = entry.is_some();
        let info = entry.get_or_insert_default();
        info.ops.insert(op);
        if !known {
            info.shift = shift;
        } else if op == StatOp::Variance {
            if info.shift != 0 && info.shift != shift {
                let message = format!("conflicting bit shifts declared (previously {})", info.shift);
                return Err(Box::new(Diagnostic::semantic("statistics.shift-conflict", message).at(token)));
            }
            info.shift = shift;
        }
        Ok(())
    }

    fn hist(&mut self, hist: &Hist<Bound>) -> Result<(), Thrown> {
        let var = variable(&hist.stat)?;
        let Some(entry) = self.entry(var) else { return Ok(()) };
        let info = entry.get_or_insert_default();
        match info.hist {
            None => info.hist = Some(hist.kind),
            Some(other) if other == hist.kind => {}
            Some(_) => {
                let VarRef::Global(id) = var else { return Ok(()) };
                let name = &self.program.global(id).mangled;
                let message = format!("multiple histogram types declared on '{name}'");
                self.diagnostics.push(
                    Diagnostic::semantic("statistics.hist-conflict", message)
                        .at(&hist.origin.0)
                        .note("a statistic keeps one histogram"),
                );
            }
        }
        Ok(())
    }
}

/// Arrays must not change while they are iterated, neither in the loop nor in functions that it calls directly.
fn check_iterations(program: &Program, diagnostics: &mut Diagnostics) -> Result<(), Thrown> {
    let mut changed = vec![BTreeSet::new(); program.functions.len()];
    for (owner, body) in bodies(program) {
        if let Owner::Function(id) = owner {
            let mut found = BTreeSet::new();
            let mut error = None;
            changes_in_stmt(&body.root, &mut |changed, token| match changed {
                Some(global) => {
                    found.insert(global);
                }
                None => error = error.take().or_else(|| Some(read_only(token))),
            });
            if let Some(error) = error {
                return Err(Box::new(error));
            }
            changed[id.0 as usize] = found;
        }
    }
    for (_, body) in bodies(program) {
        let mut check = IterationCheck { program, changed: &changed, iterated: Vec::new(), diagnostics };
        check.stmt(&body.root)?;
    }
    Ok(())
}

fn read_only(token: &Token) -> Diagnostic {
    Diagnostic::semantic("statistics.bucket", "Assignment to read-only histogram bucket").at(token)
}

/// As [`stmt_children`], without what chooses a slice to walk: that is evaluated once, before the first round, and upstream does
/// not look there for changes (staptree.cxx: `traversing_visitor::visit_foreach_loop`).
fn children_but_slices<'a>(stmt: &'a Stmt<Bound>, visit: &mut dyn FnMut(Child<'a, Bound>)) {
    let StmtKind::Foreach(foreach) = &stmt.kind else { return stmt_children(stmt, visit) };
    if let Indexable::Hist(hist) = &foreach.base {
        visit(Child::Expr(&hist.stat));
    }
    if let Some(limit) = &foreach.limit {
        visit(Child::Expr(limit));
    }
    visit(Child::Stmt(&foreach.body));
}

/// Calls `found` for every array whose element an expression of a statement changes; `None` for buckets.
fn changes_in_stmt(stmt: &Stmt<Bound>, found: &mut dyn FnMut(Option<GlobalId>, &Token)) {
    if let StmtKind::Delete(operand) = &stmt.kind {
        changed_element(operand, found);
    }
    children_but_slices(stmt, &mut |child| match child {
        Child::Expr(expr) => changes_in_expr(expr, found),
        Child::Stmt(stmt) => changes_in_stmt(stmt, found),
    });
}

fn changes_in_expr(expr: &Expr<Bound>, found: &mut dyn FnMut(Option<GlobalId>, &Token)) {
    if let ExprKind::Assign { target: changed, .. } | ExprKind::Step { operand: changed, .. } = &expr.kind {
        changed_element(changed, found);
    }
    expr_children(expr, &mut |child| changes_in_expr(child, found));
}

fn changed_element(expr: &Expr<Bound>, found: &mut dyn FnMut(Option<GlobalId>, &Token)) {
    match &expr.kind {
        ExprKind::Index { base: VarRef::Global(id), .. } => found(Some(*id), &expr.origin.0),
        ExprKind::Bucket { .. } => found(None, &expr.origin.0),
        _ => {}
    }
}

struct IterationCheck<'a> {
    program: &'a Program,
    changed: &'a [BTreeSet<GlobalId>],
    iterated: Vec<GlobalId>,
    diagnostics: &'a mut Diagnostics,
}

impl IterationCheck<'_> {
    fn stmt(&mut self, stmt: &Stmt<Bound>) -> Result<(), Thrown> {
        let mut pushed = false;
        match &stmt.kind {
            StmtKind::Foreach(foreach) => {
                let base = match &foreach.base {
                    Indexable::Array { var, .. } => *var,
                    Indexable::Hist(hist) => variable(&hist.stat)?,
                };
                if let VarRef::Global(id) = base {
                    self.iterated.push(id);
                    pushed = true;
                }
            }
            StmtKind::Delete(operand) => self.changed(operand),
            _ => {}
        }
        let mut result = Ok(());
        children_but_slices(stmt, &mut |child| match child {
            Child::Expr(expr) => self.expr(expr),
            Child::Stmt(stmt) => {
                if result.is_ok() {
                    result = self.stmt(stmt);
                }
            }
        });
        if pushed {
            self.iterated.pop();
        }
        result
    }

    fn changed(&mut self, expr: &Expr<Bound>) {
        let id = match &expr.kind {
            ExprKind::Index { base: VarRef::Global(id), .. } => *id,
            ExprKind::Bucket { hist, .. } => match variable(&hist.stat) {
                Ok(VarRef::Global(id)) => id,
                _ => return,
            },
            _ => return,
        };
        if self.iterated.contains(&id) {
            let name = &self.program.global(id).name;
            let message = format!("variable '{name}' modified during 'foreach' iteration");
            self.diagnostics.push(Diagnostic::semantic("iteration.modified", message).at(&expr.origin.0));
        }
    }

    fn expr(&mut self, expr: &Expr<Bound>) {
        match &expr.kind {
            ExprKind::Assign { target, .. } => self.changed(target),
            ExprKind::Step { operand, .. } => self.changed(operand),
            ExprKind::Call { callee, .. } => {
                for candidate in &callee.candidates {
                    let Some(changed) = self.changed.get(candidate.0 as usize) else { continue };
                    let hit = self.iterated.iter().filter(|id| changed.contains(id));
                    for id in hit {
                        let name = &self.program.global(*id).name;
                        let message =
                            format!("function call modifies var '{name}' during 'foreach' iteration");
                        self.diagnostics
                            .push(Diagnostic::semantic("iteration.call", message).at(&expr.origin.0));
                    }
                }
            }
            _ => {}
        }
        expr_children(expr, &mut |child| self.expr(child));
    }
}
