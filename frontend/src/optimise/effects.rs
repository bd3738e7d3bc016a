//! What code may touch: variables read and written, calls, and C whose effects nobody knows
//! (staptree.cxx: `varuse_collecting_visitor`). Decides what may go; what handlers must lock is the emitter's own.

use crate::hir::{Bound, FunctionBody, FunctionId, GlobalId, LocalId, ProbeId, Program, VarRef};
use crate::tree::walk::{Child, expr_children, stmt_children};
use crate::tree::{AssignOp, Expr, ExprKind, Hist, Indexable, Key, Stmt, StmtKind, TargetBase, TargetStep};
use crate::types::{Owner, has_tag};
use smol_str::SmolStr;
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// A variable, named so that locals of different bodies differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// A local or parameter.
    Local(Owner, LocalId),
    /// A global.
    Global(GlobalId),
}

impl Variable {
    /// The variable that a reference in a body of `owner` means.
    pub fn of(owner: Owner, var: VarRef) -> Self {
        match var {
            VarRef::Local(id) => Variable::Local(owner, id),
            VarRef::Global(id) => Variable::Global(id),
        }
    }
}

/// What a piece of code touches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// Variables whose value is read; `x++` reads x.
    pub read: BTreeSet<Variable>,
    /// Variables that are written; a sorted `foreach` writes its array.
    pub written: BTreeSet<Variable>,
    /// Variables whose value matters to something else: `x++` as a statement does not use x.
    pub used: BTreeSet<Variable>,
    /// Embedded C that is not tagged pure, output, or a write to something that is no variable.
    pub unknown_effects: bool,
    /// Functions called directly.
    pub calls: BTreeSet<FunctionId>,
}

impl Use {
    fn merge(&mut self, other: &Use) {
        self.read.extend(&other.read);
        self.written.extend(&other.written);
        self.used.extend(&other.used);
        self.unknown_effects |= other.unknown_effects;
    }

    /// True if running the code changes nothing.
    pub fn is_pure(&self) -> bool {
        self.written.is_empty() && !self.unknown_effects
    }

    /// True if running the code changes nothing that a body of `owner` can see: its own locals and globals. Callees
    /// may write their own locals.
    pub fn is_pure_for(&self, owner: Option<Owner>) -> bool {
        !self.unknown_effects
            && !self.written.iter().any(|variable| match variable {
                Variable::Global(_) => true,
                Variable::Local(local_owner, _) => Some(*local_owner) == owner,
            })
    }
}

/// Answers what code of one program touches, callees included. It knows the program as it was when it was made.
#[derive(Debug)]
pub struct Effects {
    names: Vec<SmolStr>,
    direct: Vec<Use>,
    total: Vec<OnceCell<Use>>,
}

impl Effects {
    /// Looks at every function body once.
    pub fn new(program: &Program) -> Self {
        let names = program.globals.iter().map(|global| global.name.clone()).collect();
        let mut effects = Effects { names, direct: Vec::new(), total: Vec::new() };
        for (index, function) in program.functions.iter().enumerate() {
            let found = effects.direct_use(Owner::Function(FunctionId(index as u32)), &function.body);
            effects.direct.push(found);
        }
        effects.total.resize_with(effects.direct.len(), OnceCell::new);
        effects
    }

    /// What an expression in a body of `owner` touches.
    pub fn expr(&self, owner: Owner, expr: &Expr<Bound>) -> Use {
        let mut collector = Collector::new(&self.names, owner);
        collector.expr(expr, Role::Read);
        self.close(collector.found)
    }

    /// What a statement in a body of `owner` touches.
    pub fn stmt(&self, owner: Owner, stmt: &Stmt<Bound>) -> Use {
        let mut collector = Collector::new(&self.names, owner);
        collector.stmt(stmt);
        self.close(collector.found)
    }

    /// What all handlers, and with them all functions in use, touch.
    pub fn handlers(&self, program: &Program) -> Use {
        let mut collector = Collector::new(&self.names, Owner::Probe(ProbeId(0)));
        for (index, probe) in program.probes.iter().enumerate() {
            collector.owner = Owner::Probe(ProbeId(index as u32));
            collector.stmt(&probe.body.root);
        }
        self.close(collector.found)
    }

    /// The same and the conditions.
    pub fn handlers_and_conditions(&self, program: &Program) -> Use {
        let mut found = self.handlers(program);
        for (index, probe) in program.probes.iter().enumerate() {
            if let Some(condition) = &probe.condition {
                let more = self.expr(Owner::Probe(ProbeId(index as u32)), condition);
                found.merge(&more);
                found.calls.extend(&more.calls);
            }
        }
        found
    }

    /// What a function touches, with everything it calls.
    pub fn function(&self, id: FunctionId) -> &Use {
        self.total[id.0 as usize].get_or_init(|| self.close(self.direct[id.0 as usize].clone()))
    }

    fn direct_use(&self, owner: Owner, body: &FunctionBody) -> Use {
        let mut collector = Collector::new(&self.names, owner);
        match body {
            FunctionBody::Script(body) => collector.stmt(&body.root),
            FunctionBody::Embedded { code, globals, .. } => {
                for &(_, global, written) in globals {
                    collector.pragma(global, written);
                }
                collector.found.unknown_effects = !has_tag(code, "/* pure */");
            }
        }
        collector.found
    }

    /// Adds everything that is called.
    fn close(&self, mut found: Use) -> Use {
        let mut pending: Vec<FunctionId> = found.calls.iter().copied().collect();
        while let Some(id) = pending.pop() {
            let Some(callee) = self.direct.get(id.0 as usize) else { continue };
            found.merge(callee);
            pending.extend(callee.calls.iter().filter(|&&next| found.calls.insert(next)));
        }
        found
    }
}

/// How an expression stands to the assignment around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Read,
    Write,
    ReadWrite,
}

struct Collector<'a> {
    names: &'a [SmolStr],
    owner: Owner,
    found: Use,
    /// True where the value of a read-modify-write operation goes somewhere.
    value_used: bool,
}

impl<'a> Collector<'a> {
    fn new(names: &'a [SmolStr], owner: Owner) -> Self {
        Collector { names, owner, found: Use::default(), value_used: false }
    }

    fn pragma(&mut self, global: GlobalId, written: bool) {
        let set = if written { &mut self.found.written } else { &mut self.found.read };
        set.insert(Variable::Global(global));
    }

    fn var(&mut self, var: VarRef, role: Role) {
        let variable = Variable::of(self.owner, var);
        if role != Role::Read {
            self.found.written.insert(variable);
        }
        if role != Role::Write {
            self.found.read.insert(variable);
        }
        if role == Role::Read || (role == Role::ReadWrite && self.value_used) {
            self.found.used.insert(variable);
        }
    }

    fn with_value_used(&mut self, used: bool, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.value_used, used);
        visit(self);
        self.value_used = before;
    }

    fn used_expr(&mut self, expr: &Expr<Bound>) {
        self.with_value_used(true, |this| this.expr(expr, Role::Read));
    }

    fn keys(&mut self, keys: &[Key<Bound>]) {
        for key in keys {
            if let Key::Expr(key) = key {
                self.used_expr(key);
            }
        }
    }

    fn hist(&mut self, hist: &Hist<Bound>, role: Role) {
        self.expr(&hist.stat, role);
    }

    fn expr(&mut self, expr: &Expr<Bound>, role: Role) {
        match &expr.kind {
            ExprKind::Var(var) => self.var(*var, role),
            ExprKind::Index { base, keys } => {
                self.keys(keys);
                self.var(*base, role);
            }
            ExprKind::Bucket { hist, index } => {
                self.used_expr(index);
                self.hist(hist, role);
            }
            ExprKind::In { keys, base } => {
                self.keys(keys);
                match base {
                    Indexable::Array { var, .. } => self.var(*var, Role::Read),
                    Indexable::Hist(hist) => self.hist(hist, Role::Read),
                }
            }
            ExprKind::Embedded(code) => {
                for (written, tag) in [(false, "/* pragma:read:"), (true, "/* pragma:write:")] {
                    if !code.contains(tag) {
                        continue;
                    }
                    for (id, name) in self.names.iter().enumerate() {
                        if has_tag(code, &format!("{tag}{name} */")) {
                            self.pragma(GlobalId(id as u32), written);
                        }
                    }
                }
                self.found.unknown_effects |= !has_tag(code, "/* pure */");
            }
            ExprKind::Step { operand, .. } => self.expr(operand, Role::ReadWrite),
            ExprKind::Assign { op: AssignOp::Set | AssignOp::Aggregate, target, value } => {
                self.with_value_used(true, |this| {
                    this.expr(target, Role::Write);
                    this.expr(value, Role::Read);
                });
            }
            ExprKind::Assign { target, value, .. } => {
                self.expr(target, Role::ReadWrite);
                self.expr(value, Role::Read);
            }
            ExprKind::Ternary { condition, then, otherwise } => {
                self.used_expr(condition);
                self.expr(then, Role::Read);
                self.expr(otherwise, Role::Read);
            }
            ExprKind::Call { callee, args } => {
                for arg in args {
                    self.used_expr(arg);
                }
                self.found.calls.extend(&callee.candidates);
            }
            ExprKind::Print(print) => {
                self.found.unknown_effects |= !print.to_string;
                self.with_value_used(true, |this| {
                    expr_children(expr, &mut |child| this.expr(child, Role::Read));
                });
            }
            ExprKind::Target(target) => {
                self.found.unknown_effects |= role != Role::Read;
                if let TargetBase::Cast { value, .. } | TargetBase::Value(value) = &target.base {
                    self.expr(value, Role::Read);
                }
                for step in &target.path {
                    if let TargetStep::Index(_, index) = step {
                        self.expr(index, Role::Read);
                    }
                }
            }
            ExprKind::Register { .. } | ExprKind::Deref { .. } => {
                self.found.unknown_effects |= role != Role::Read;
                expr_children(expr, &mut |child| self.expr(child, Role::Read));
            }
            _ => expr_children(expr, &mut |child| self.expr(child, Role::Read)),
        }
    }

    fn stmt(&mut self, stmt: &Stmt<Bound>) {
        match &stmt.kind {
            StmtKind::If { condition, then, otherwise } => {
                self.used_expr(condition);
                self.stmt(then);
                if let Some(otherwise) = otherwise {
                    self.stmt(otherwise);
                }
            }
            StmtKind::For(looped) => {
                if let Some(init) = &looped.init {
                    self.expr(init, Role::Read);
                }
                self.used_expr(&looped.condition);
                if let Some(step) = &looped.step {
                    self.expr(step, Role::Read);
                }
                self.stmt(&looped.body);
            }
            StmtKind::Foreach(foreach) => {
                match &foreach.base {
                    Indexable::Array { var, .. } => {
                        self.var(*var, Role::Read);
                        if foreach.sort.is_some() {
                            self.found.written.insert(Variable::of(self.owner, *var));
                        }
                    }
                    Indexable::Hist(hist) => self.hist(hist, Role::Read),
                }
                for (_, var) in foreach.keys.iter().chain(&foreach.value) {
                    self.var(*var, Role::Write);
                }
                self.keys(&foreach.slice);
                if let Some(limit) = &foreach.limit {
                    self.used_expr(limit);
                }
                self.stmt(&foreach.body);
            }
            StmtKind::Return(Some(value)) => self.used_expr(value),
            StmtKind::Delete(operand) => {
                // A delete counts as a change of a value that is still wanted, or it would be optimised away.
                self.with_value_used(true, |this| this.expr(operand, Role::ReadWrite));
            }
            StmtKind::Try { body, variable, handler } => {
                self.stmt(body);
                if let Some((_, var)) = variable {
                    self.var(*var, Role::Write);
                }
                self.stmt(handler);
            }
            _ => stmt_children(stmt, &mut |child| match child {
                Child::Expr(expr) => self.expr(expr, Role::Read),
                Child::Stmt(stmt) => self.stmt(stmt),
            }),
        }
    }
}
