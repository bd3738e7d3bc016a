//! The bound program: names are ids, aliases are expanded, probes are derived.
//!
//! Made by `resolve`, changed by `optimise`, read by `codegen`. Types are not here: `types` keeps them in a
//! table beside ([`crate::types::TypeTable`]).
//!
//! Invariants, after `resolve`:
//! - a [`LocalId`] is an index into the locals of the body it occurs in, a [`GlobalId`]/[`FunctionId`] into the program's;
//! - no [`ExprKind::Target`](crate::tree::ExprKind::Target) other than those that nobody could locate ([`Missing`] says why);
//! - every probe has exactly one family and one well-formed point.

pub mod dump;

use crate::source::{FileId, Token};
use crate::syntax::ast::{DeclaredType, ProbePoint};
use crate::tree::{Expr, Literal, Origin, Phase, Stmt};
use smol_str::SmolStr;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A global of the [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalId(pub u32);

/// A function of the [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// A probe of the [`Program`]: its index in session order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u32);

/// A local variable or parameter of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u32);

/// A variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VarRef {
    /// Of the body at hand.
    Local(LocalId),
    /// Of the program.
    Global(GlobalId),
}

/// What a call calls: all candidates of the right arity, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// Name as written.
    pub name: SmolStr,
    /// At least one, unless there was an error.
    pub candidates: Vec<FunctionId>,
}

/// The bound phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound;

impl Phase for Bound {
    type Var = VarRef;
    type Callee = Callee;
}

/// A global variable.
#[derive(Debug, Clone)]
pub struct Global {
    /// Token of the declaration's name.
    pub origin: Origin,
    /// Name as written (`-G` takes this one).
    pub name: SmolStr,
    /// `__global_x`, `__private_<file>_x`: unique in the program, a C identifier.
    pub mangled: SmolStr,
    /// Where it is declared.
    pub file: FileId,
    /// `private`.
    pub private: bool,
    /// Made by the translator.
    pub synthetic: bool,
    /// Number of keys: 0 for scalars, 1 to 9 for arrays. `None` as long as nothing has used it.
    pub arity: Option<usize>,
    /// Declared capacity.
    pub size: Option<i64>,
    /// `%`.
    pub wrap: bool,
    /// Initial value.
    pub init: Option<Literal>,
}

/// A local variable or parameter.
#[derive(Debug, Clone)]
pub struct Local {
    /// First occurrence.
    pub origin: Origin,
    /// Name as written: unique in its body.
    pub name: SmolStr,
    /// Declared type (parameters, synthetic locals).
    pub declared: Option<DeclaredType>,
    /// True if the probe's entry code fills it (tracepoint and netfilter arguments): the handler must not reset it.
    pub synthetic: bool,
}

/// The locals of a body and its statements.
#[derive(Debug, Clone)]
pub struct Body {
    /// In a function the parameters come first.
    pub locals: Vec<Local>,
    /// The statements: a block as bound; the optimiser may leave any statement.
    pub root: Stmt<Bound>,
}

/// A function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Token of the declaration's name.
    pub origin: Origin,
    /// Name as written.
    pub name: SmolStr,
    /// Unique in the program, a C identifier: `__global_f__overload_0`.
    pub mangled: SmolStr,
    /// Where it is declared.
    pub file: FileId,
    /// `private`.
    pub private: bool,
    /// Made by the translator.
    pub synthetic: bool,
    /// The C of an expression for which it was made. Upstream has no function there, so dumps show the expression.
    pub expression: Option<SmolStr>,
    /// Declared type of its value.
    pub declared: Option<DeclaredType>,
    /// How many of the first locals are parameters.
    pub params: usize,
    /// Lower is tried first.
    pub priority: i64,
    /// What it does.
    pub body: FunctionBody,
}

/// A function's body.
#[derive(Debug, Clone)]
pub enum FunctionBody {
    /// Statements.
    Script(Box<Body>),
    /// C text, with the parameters as the only locals.
    Embedded {
        /// The parameters.
        locals: Vec<Local>,
        /// Token of the code.
        origin: Origin,
        /// Text between the brackets.
        code: SmolStr,
        /// Globals that it reads or writes by pragma: (unmangled name, id, written).
        globals: Vec<(SmolStr, GlobalId, bool)>,
    },
}

impl Function {
    /// Parameters, then other locals.
    pub fn locals(&self) -> &[Local] {
        match &self.body {
            FunctionBody::Script(body) => &body.locals,
            FunctionBody::Embedded { locals, .. } => locals,
        }
    }
}

/// What a probe family keeps about one of its probes, from derivation to emission.
///
/// The family casts it back with [`Attachment::as_any`].
pub trait Attachment: fmt::Debug + Send + Sync {
    /// For the family that made it.
    fn as_any(&self) -> &dyn Any;
}

/// Where a probe comes from, as listings and dumps tell it.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// What `pn()`, `-l` and `-L` print: the outermost alias, or else the final point (`None`).
    pub script_point: Option<ProbePoint>,
    /// What `-p2` prints behind the point, between `/* ` and ` */ `: ` <- alias = begin /*  <- alias */  <- alias`.
    pub chain: SmolStr,
    /// What `-p2` prints right behind the point: ` /* pc=... */`.
    pub remark: SmolStr,
    /// Names and C types of the context variables, for `-L`.
    pub variables: Vec<(SmolStr, SmolStr)>,
    /// True for the synthetic begin probe after which all conditions that read globals are evaluated
    /// (elaborate.cxx: `semantic_pass_conditions`). Its body is empty, but it must not be dropped.
    pub evaluates_conditions: bool,
}

/// A derived probe: one place in one mechanism.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The `probe` keyword of the declaration.
    pub origin: Origin,
    /// Well-formed final point, as upstream's `pp()` gives it.
    pub point: ProbePoint,
    /// The points it was derived from: the one before `point` first, what the script says last.
    pub derivation: Vec<ProbePoint>,
    /// The same for people.
    pub lineage: Lineage,
    /// True if the chain of declarations starts in the first user file.
    pub primary: bool,
    /// Made by the translator.
    pub synthetic: bool,
    /// Upstream has the calls of the handler by their plain names: so it prints them, and it does not recognise those of
    /// stable functions, which are made where they stand.
    pub plain_calls: bool,
    /// Name of the family in the registry.
    pub family: &'static str,
    /// What the family keeps.
    pub attachment: Arc<dyn Attachment>,
    /// Condition (`if (...)` of the point and of all aliases), for families that disarm probes whose condition is 0.
    /// The body already starts with `if (!condition) next`.
    pub condition: Option<Expr<Bound>>,
    /// Handler.
    pub body: Body,
}

/// File-level C, in the order in which it is emitted.
#[derive(Debug, Clone)]
pub struct Embed {
    /// The token.
    pub origin: Origin,
    /// Text.
    pub code: SmolStr,
}

/// Why something of the target could not be located; printed if the expression survives folding.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The expression's token.
    pub token: Token,
    /// The reason, already in upstream's words.
    pub reason: crate::diag::Diagnostic,
}

/// Everything that survives into the module.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// File-level C in the order of files.
    pub embeds: Vec<Embed>,
    /// Globals in session order, which is also the order of locks.
    pub globals: Vec<Global>,
    /// Functions in the order in which they were pulled in.
    pub functions: Vec<Function>,
    /// Derived probes in session order.
    pub probes: Vec<Probe>,
    /// Reasons for targets that were not located, looked up by token when one survives.
    pub missing: Vec<Missing>,
    /// Name of each perf counter with the path of its process (`""`: system wide).
    pub perf_counters: Vec<(SmolStr, SmolStr)>,
    /// What stands for a file in the names of its private declarations: `x_stp` in `__private_x_stp_name`.
    pub tags: Vec<(SmolStr, FileId)>,
    /// True if standard input must be forwarded to the module (`staprun -i`).
    pub reads_stdin: bool,
}

impl Program {
    /// The global of that number.
    pub fn global(&self, id: GlobalId) -> &Global {
        &self.globals[id.0 as usize]
    }

    /// The function of that number.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }
}
