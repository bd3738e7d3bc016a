//! What a piece of the program reads and writes: decides locks, and which values must be copied before later
//! expressions change them.

use frontend::hir::{Bound, Function, FunctionBody, FunctionId, GlobalId, LocalId, Program, VarRef};
use frontend::tree::walk::{Child, expr_children, stmt_children};
use frontend::tree::{AssignOp, Expr, ExprKind, Indexable, Key, Stmt, StmtKind};
use frontend::types::{Type, TypeTable};
use std::collections::BTreeSet;

/// Variables that are read and written; those of called functions included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Globals that are read.
    pub reads: BTreeSet<GlobalId>,
    /// Globals that are written.
    pub writes: BTreeSet<GlobalId>,
    /// Locals that are read (of the body at hand only).
    pub local_reads: BTreeSet<LocalId>,
    /// Locals that are written (of the body at hand only).
    pub local_writes: BTreeSet<LocalId>,
    /// True if C code that is not tagged pure runs, or memory is written.
    pub opaque: bool,
}

impl Effects {
    /// True if a global is touched.
    pub fn touches_globals(&self) -> bool {
        !self.reads.is_empty() || !self.writes.is_empty()
    }

    /// Adds what a callee does: its locals are its own.
    fn add_callee(&mut self, other: &Effects) {
        self.reads.extend(&other.reads);
        self.writes.extend(&other.writes);
        self.opaque |= other.opaque;
    }

    /// Adds everything of another piece of the same body.
    pub fn add(&mut self, other: &Effects) {
        self.add_callee(other);
        self.local_reads.extend(&other.local_reads);
        self.local_writes.extend(&other.local_writes);
    }

    fn read(&mut self, var: VarRef) {
        match var {
            VarRef::Local(id) => self.local_reads.insert(id),
            VarRef::Global(id) => self.reads.insert(id),
        };
    }

    fn write(&mut self, var: VarRef) {
        match var {
            VarRef::Local(id) => self.local_writes.insert(id),
            VarRef::Global(id) => self.writes.insert(id),
        };
    }
}

/// True if a tag stands in C text; upstream looks for it as a substring, too.
pub fn tagged(code: &str, tag: &str) -> bool {
    code.contains(&format!("/* {tag} */"))
}

/// Globals that C text names by `pragma:read` and `pragma:write`: (unmangled name, global, written), reads first.
pub fn pragma_globals(program: &Program, code: &str) -> Vec<(smol_str::SmolStr, GlobalId, bool)> {
    let mut found = Vec::new();
    for (tag, written) in [("read", false), ("write", true)] {
        if !code.contains(&format!("/* pragma:{tag}:")) {
            continue;
        }
        for (index, global) in program.globals.iter().enumerate() {
            if !global.synthetic && tagged(code, &format!("pragma:{tag}:{}", global.name)) {
                found.push((global.name.clone(), GlobalId(index as u32), written));
            }
        }
    }
    found
}

/// Effects of every function, callees included.
#[derive(Debug, Clone, Default)]
pub struct EffectTable<'a> {
    functions: Vec<Effects>,
    program: Option<&'a Program>,
    types: Option<&'a TypeTable>,
}

impl<'a> EffectTable<'a> {
    /// Computes the effects of all functions.
    pub fn new(program: &'a Program, types: &'a TypeTable) -> Self {
        let mut table = EffectTable {
            functions: vec![Effects::default(); program.functions.len()],
            program: Some(program),
            types: Some(types),
        };
        // Recursion makes this a fixed point; each round only adds.
        loop {
            let next: Vec<Effects> =
                program.functions.iter().map(|function| table.of_function_body(function)).collect();
            if next == table.functions {
                return table;
            }
            table.functions = next;
        }
    }

    /// A table that knows nothing of functions: enough to ask which locals a body writes.
    pub fn locals_only() -> EffectTable<'static> {
        EffectTable::default()
    }

    fn of_function_body(&self, function: &Function) -> Effects {
        match &function.body {
            FunctionBody::Script(body) => self.of_stmt(&body.root),
            FunctionBody::Embedded { code, globals, .. } => {
                let mut effects = Effects { opaque: !tagged(code, "pure"), ..Effects::default() };
                for (_, global, written) in globals {
                    effects.read(VarRef::Global(*global));
                    if *written {
                        effects.write(VarRef::Global(*global));
                    }
                }
                effects
            }
        }
    }

    /// Effects of a function, its callees included.
    pub fn of_function(&self, id: FunctionId) -> &Effects {
        &self.functions[id.0 as usize]
    }

    /// Effects of a statement.
    pub fn of_stmt(&self, stmt: &Stmt<Bound>) -> Effects {
        let mut effects = Effects::default();
        self.stmt(stmt, &mut effects);
        effects
    }

    /// Effects of an expression.
    pub fn of_expr(&self, expr: &Expr<Bound>) -> Effects {
        let mut effects = Effects::default();
        self.expr(expr, &mut effects);
        effects
    }

    fn is_stat(&self, var: VarRef) -> bool {
        match (var, self.types) {
            (VarRef::Global(id), Some(types)) => types.global(id).value == Type::Stats,
            _ => false,
        }
    }

    fn stmt(&self, stmt: &Stmt<Bound>, effects: &mut Effects) {
        match &stmt.kind {
            StmtKind::Foreach(foreach) => {
                for (_, var) in foreach.keys.iter().chain(&foreach.value) {
                    effects.write(*var);
                }
                if let Indexable::Array { var, .. } = &foreach.base {
                    effects.read(*var);
                    // Sorting reorders the list of a plain array; an array of statistics is sorted in its aggregate,
                    // and reading it is exclusive anyway.
                    if foreach.sort.is_some() && !self.is_stat(*var) {
                        effects.write(*var);
                    }
                }
            }
            StmtKind::Delete(operand) => {
                match &operand.kind {
                    ExprKind::Var(var) | ExprKind::Index { base: var, .. } => {
                        // Both, so that a statistic is locked exclusively.
                        effects.read(*var);
                        effects.write(*var);
                    }
                    _ => {}
                }
                if let ExprKind::Index { keys, .. } = &operand.kind {
                    self.keys(keys, effects);
                }
                return;
            }
            StmtKind::Try { variable: Some((_, var)), .. } => effects.write(*var),
            _ => {}
        }
        stmt_children(stmt, &mut |child| match child {
            Child::Expr(expr) => self.expr(expr, effects),
            Child::Stmt(stmt) => self.stmt(stmt, effects),
        });
    }

    fn keys(&self, keys: &[Key<Bound>], effects: &mut Effects) {
        for key in keys {
            if let Key::Expr(expr) = key {
                self.expr(expr, effects);
            }
        }
    }

    /// The operand of an assignment: only its keys and address are evaluated like other expressions.
    fn lvalue(&self, target: &Expr<Bound>, reads: bool, effects: &mut Effects) {
        match &target.kind {
            ExprKind::Var(var) | ExprKind::Index { base: var, .. } => {
                effects.write(*var);
                if reads {
                    effects.read(*var);
                }
                if let ExprKind::Index { keys, .. } = &target.kind {
                    self.keys(keys, effects);
                }
            }
            _ => {
                effects.opaque = true;
                expr_children(target, &mut |child| self.expr(child, effects));
            }
        }
    }

    fn expr(&self, expr: &Expr<Bound>, effects: &mut Effects) {
        match &expr.kind {
            ExprKind::Var(var) | ExprKind::Index { base: var, .. } => effects.read(*var),
            ExprKind::In { base: Indexable::Array { var, .. }, .. } => effects.read(*var),
            ExprKind::Embedded(code) => {
                effects.opaque |= !tagged(code, "pure");
                if let Some(program) = self.program {
                    for (_, global, written) in pragma_globals(program, code) {
                        effects.read(VarRef::Global(global));
                        if written {
                            effects.write(VarRef::Global(global));
                        }
                    }
                }
            }
            ExprKind::Assign { op, target, value } => {
                self.lvalue(target, !matches!(op, AssignOp::Set | AssignOp::Aggregate), effects);
                self.expr(value, effects);
                return;
            }
            ExprKind::Step { operand, .. } => {
                self.lvalue(operand, true, effects);
                return;
            }
            ExprKind::Call { callee, .. } => {
                for candidate in &callee.candidates {
                    if let Some(callee) = self.functions.get(candidate.0 as usize) {
                        effects.add_callee(callee);
                    }
                }
            }
            _ => {}
        }
        expr_children(expr, &mut |child| self.expr(child, effects));
    }
}
