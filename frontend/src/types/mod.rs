//! Types: what `infer` finds out about variables, functions and statistics, beside the program.
//!
//! The type of an expression follows from its leaves ([`TypeTable::of`]), so the table holds leaves only.
//! `infer` runs in two stages, as upstream does: an early one before each round of constant folding, which only
//! reports contradictions, and the final one, which also reports what is still unknown.

mod check;
mod infer;
mod statistics;

pub use check::check;
pub use infer::{early, infer};
pub(crate) use statistics::no_statistics_in_c;
pub use statistics::statistics;

use crate::hir::{Bound, FunctionId, GlobalId, Local, LocalId, ProbeId, Program, VarRef};
use crate::syntax::ast::DeclaredType;
use crate::tree::{AssignOp, Expr, ExprKind, HistKind, Literal, StatOp, TargetStep};
use std::collections::BTreeSet;
use std::fmt;

/// The lattice of language.md section 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Type {
    /// Not (yet) known; a function whose result is unknown is void.
    #[default]
    Unknown,
    /// 64-bit signed number.
    Long,
    /// String of at most MAXSTRINGLEN-1 bytes.
    String,
    /// Statistic.
    Stats,
}

impl fmt::Display for Type {
    /// The name that messages and dumps use (staptree.cxx: `operator <<` of `exp_type`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Unknown => "unknown",
            Type::Long => "long",
            Type::String => "string",
            Type::Stats => "stats",
        })
    }
}

impl From<Option<DeclaredType>> for Type {
    fn from(declared: Option<DeclaredType>) -> Self {
        match declared {
            None => Type::Unknown,
            Some(DeclaredType::Long) => Type::Long,
            Some(DeclaredType::String) => Type::String,
        }
    }
}

/// Whose locals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A function's.
    Function(FunctionId),
    /// A probe's.
    Probe(ProbeId),
}

/// What the program asks of a statistic: decides how the runtime must be told to keep it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatInfo {
    /// Extractors in use (and those that `foreach` sorts by).
    pub ops: BTreeSet<StatOp>,
    /// The one histogram.
    pub hist: Option<HistKind>,
    /// Bit shift of `@variance`.
    pub shift: i64,
}

/// Types of a global.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GlobalType {
    /// Of the scalar, or of the elements.
    pub value: Type,
    /// Of the keys; empty for scalars.
    pub keys: Vec<Type>,
    /// For statistics.
    pub stat: StatInfo,
}

/// Everything `infer` knows, indexed by the ids of the program it was made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeTable {
    /// By [`GlobalId`].
    pub globals: Vec<GlobalType>,
    /// Result by [`FunctionId`]; [`Type::Unknown`] is void.
    pub results: Vec<Type>,
    /// Locals (parameters first) by [`FunctionId`].
    pub function_locals: Vec<Vec<Type>>,
    /// Locals by [`ProbeId`].
    pub probe_locals: Vec<Vec<Type>>,
}

impl TypeTable {
    /// What the declarations of a program say, before any inference: types of parameters, results and initialised
    /// globals; everything else unknown.
    pub fn declared(program: &Program) -> Self {
        let locals = |list: &[Local]| list.iter().map(local_type).collect();
        TypeTable {
            globals: program
                .globals
                .iter()
                .map(|global| GlobalType {
                    value: match global.init {
                        None => Type::Unknown,
                        Some(Literal::Number(_) | Literal::Address(_)) => Type::Long,
                        Some(Literal::String(_)) => Type::String,
                    },
                    keys: vec![Type::Unknown; global.arity.unwrap_or(0)],
                    stat: StatInfo::default(),
                })
                .collect(),
            results: program.functions.iter().map(|function| Type::from(function.declared)).collect(),
            function_locals: program.functions.iter().map(|function| locals(function.locals())).collect(),
            probe_locals: program.probes.iter().map(|probe| locals(&probe.body.locals)).collect(),
        }
    }

    /// Types of all locals of an owner.
    pub fn locals(&self, owner: Owner) -> &[Type] {
        let list = match owner {
            Owner::Function(function) => self.function_locals.get(function.0 as usize),
            Owner::Probe(probe) => self.probe_locals.get(probe.0 as usize),
        };
        list.map_or(&[], Vec::as_slice)
    }

    /// Type of a local.
    pub fn local(&self, owner: Owner, id: LocalId) -> Type {
        self.locals(owner).get(id.0 as usize).copied().unwrap_or_default()
    }

    /// Types of a global.
    pub fn global(&self, id: GlobalId) -> &GlobalType {
        &self.globals[id.0 as usize]
    }

    /// Type of a function's value; [`Type::Unknown`] if it has none.
    pub fn result(&self, id: FunctionId) -> Type {
        self.results.get(id.0 as usize).copied().unwrap_or_default()
    }

    /// Type of a scalar variable, or of an array's elements.
    pub fn var(&self, owner: Owner, var: VarRef) -> Type {
        match var {
            VarRef::Local(id) => self.local(owner, id),
            VarRef::Global(id) => self.global(id).value,
        }
    }

    /// Type of an expression in a body of `owner`, from its leaves; meant for programs that `infer` accepted.
    pub fn of(&self, owner: Owner, expr: &Expr<Bound>) -> Type {
        match &expr.kind {
            ExprKind::Var(var) => self.var(owner, *var),
            ExprKind::Index { base, .. } => self.var(owner, *base),
            ExprKind::String(_) | ExprKind::Concat(_) | ExprKind::EnumName { .. } => Type::String,
            ExprKind::Embedded(code) if has_tag(code, "/* string */") => Type::String,
            ExprKind::Ternary { then, otherwise, .. } => match self.of(owner, then) {
                Type::Unknown => self.of(owner, otherwise),
                known => known,
            },
            ExprKind::Assign { op: AssignOp::Concat, .. } => Type::String,
            ExprKind::Assign { op: AssignOp::Set, target, value } => match self.of(owner, target) {
                Type::Unknown => self.of(owner, value),
                known => known,
            },
            ExprKind::Call { callee, .. } => callee
                .candidates
                .iter()
                .map(|&candidate| self.result(candidate))
                .find(|&result| result != Type::Unknown)
                .unwrap_or_default(),
            ExprKind::Print(print) if print.to_string => Type::String,
            ExprKind::Target(target) if matches!(target.path.last(), Some(TargetStep::Pretty(..))) => {
                Type::String
            }
            ExprKind::Entry(inner) => self.of(owner, inner),
            ExprKind::Hist(_) => Type::Stats,
            ExprKind::Number { .. }
            | ExprKind::Embedded(_)
            | ExprKind::Bucket { .. }
            | ExprKind::Unary { .. }
            | ExprKind::Step { .. }
            | ExprKind::Binary { .. }
            | ExprKind::Assign { .. }
            | ExprKind::In { .. }
            | ExprKind::Match { .. }
            | ExprKind::Print(_)
            | ExprKind::Stat { .. }
            | ExprKind::Target(_)
            | ExprKind::Defined(_)
            | ExprKind::ProbeWrite(_)
            | ExprKind::Perf(_)
            | ExprKind::Enumerator(_)
            | ExprKind::Register { .. }
            | ExprKind::Deref { .. } => Type::Long,
        }
    }
}

/// What is known of a local without inference. Entry code fills synthetic locals with numbers.
fn local_type(local: &Local) -> Type {
    match local.declared {
        None if local.synthetic => Type::Long,
        declared => Type::from(declared),
    }
}

/// True if embedded C carries a tag such as `/* pure */`; upstream looks for the bytes anywhere in the text
/// (staptree.cxx: `embedded_tags_visitor`, `tagged_p`).
pub fn has_tag(code: &str, tag: &str) -> bool {
    code.contains(tag)
}

/// The functions of a program in the order in which upstream visits them: by mangled name.
pub fn functions_by_name(program: &Program) -> Vec<FunctionId> {
    let mut order: Vec<FunctionId> = (0..program.functions.len() as u32).map(FunctionId).collect();
    order.sort_by(|a, b| program.function(*a).mangled.cmp(&program.function(*b).mangled));
    order
}

#[cfg(test)]
mod tests;
