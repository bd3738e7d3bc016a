//! Types: what `infer` finds out about variables, functions and statistics, beside the program.
//!
//! The type of an expression follows from its leaves ([`TypeTable::of`]), so the table holds leaves only.

use crate::hir::{FunctionId, GlobalId, LocalId, ProbeId, VarRef};
use crate::tree::{HistKind, StatOp};
use std::collections::BTreeSet;

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
    /// Type of a local.
    pub fn local(&self, owner: Owner, id: LocalId) -> Type {
        let locals = match owner {
            Owner::Function(function) => &self.function_locals[function.0 as usize],
            Owner::Probe(probe) => &self.probe_locals[probe.0 as usize],
        };
        locals[id.0 as usize]
    }

    /// Types of a global.
    pub fn global(&self, id: GlobalId) -> &GlobalType {
        &self.globals[id.0 as usize]
    }

    /// Type of a scalar variable, or of an array's elements.
    pub fn var(&self, owner: Owner, var: VarRef) -> Type {
        match var {
            VarRef::Local(id) => self.local(owner, id),
            VarRef::Global(id) => self.global(id).value,
        }
    }
}
