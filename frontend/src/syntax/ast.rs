//! The tree as written: declarations of one file, names not yet bound.

use crate::source::FileId;
use crate::tree::{Expr, Literal, Origin, Phase, Stmt};
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// The parsed phase: variables and callees are names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed;

impl Phase for Parsed {
    type Var = SmolStr;
    type Callee = SmolStr;
}

/// A type that a declaration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeclaredType {
    /// `long`.
    Long,
    /// `string`.
    String,
}

/// What one file declares, in source order within each list.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The file.
    pub file: FileId,
    /// True if embedded C and other guru constructs are allowed in this file (a tapset file, or `-g`).
    pub privileged: bool,
    /// File-level `%{ %}`.
    pub embeds: Vec<Embed>,
    /// Globals.
    pub globals: Vec<Global>,
    /// Functions.
    pub functions: Vec<Function>,
    /// Probe aliases.
    pub aliases: Vec<Alias>,
    /// Probes.
    pub probes: Vec<Probe>,
    /// For `--check-version`.
    pub version_dependent: VersionDependent,
}

/// The declarations that upstream's parser marks as dependent on a condition about `systemtap_v` (parse.cxx:
/// `systemtap_v_conditional`), by their number in the lists of the [`Script`].
///
/// Any two of them are equal: a tree is what it is, whatever made it so.
#[derive(Debug, Clone, Default)]
pub struct VersionDependent {
    /// Globals.
    pub globals: BTreeSet<usize>,
    /// Functions.
    pub functions: BTreeSet<usize>,
    /// Aliases.
    pub aliases: BTreeSet<usize>,
    /// Probes.
    pub probes: BTreeSet<usize>,
}

impl PartialEq for VersionDependent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Script {
    /// A file that declares nothing.
    pub fn new(file: FileId, privileged: bool) -> Self {
        Script {
            file,
            privileged,
            embeds: Vec::new(),
            globals: Vec::new(),
            functions: Vec::new(),
            aliases: Vec::new(),
            probes: Vec::new(),
            version_dependent: VersionDependent::default(),
        }
    }
}

/// `%{ ... %}` at file level.
#[derive(Debug, Clone, PartialEq)]
pub struct Embed {
    /// The token.
    pub origin: Origin,
    /// Text between the brackets.
    pub code: SmolStr,
}

/// `global x[10] = 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Global {
    /// Token of the name.
    pub origin: Origin,
    /// Name as written.
    pub name: SmolStr,
    /// `private`.
    pub private: bool,
    /// `%`: a full array overwrites its oldest element.
    pub wrap: bool,
    /// `[N]`, 1 to 2^31-1; makes it an array.
    pub size: Option<i64>,
    /// `= literal`; makes it a scalar.
    pub init: Option<Literal>,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Token of the name.
    pub origin: Origin,
    /// Name.
    pub name: SmolStr,
    /// `: type`.
    pub declared: Option<DeclaredType>,
}

/// `function f:long (a, b:string):1 { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Token of the name.
    pub origin: Origin,
    /// Name as written.
    pub name: SmolStr,
    /// `private`.
    pub private: bool,
    /// `: type` after the name.
    pub declared: Option<DeclaredType>,
    /// Parameters.
    pub params: Vec<Param>,
    /// `:N` after the parameters; without it 1 in tapset files, 0 elsewhere.
    pub priority: Option<i64>,
    /// Body.
    pub body: FunctionBody,
}

/// A function's body.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionBody {
    /// A block of statements.
    Script(Box<Stmt<Parsed>>),
    /// `%{ ... %}`.
    Embedded(Embed),
}

/// One component of a probe point: `function("x")`.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Token of the name.
    pub origin: Origin,
    /// Name, possibly with `*`.
    pub functor: SmolStr,
    /// Literal in parentheses.
    pub arg: Option<Literal>,
}

/// A probe point. Brace groups have been multiplied out by the parser.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePoint {
    /// Components, at least one.
    pub components: Vec<Component>,
    /// `?`, or implied by `!`.
    pub optional: bool,
    /// `!`.
    pub sufficient: bool,
    /// `if (expression)`.
    pub condition: Option<Box<Expr<Parsed>>>,
}

/// `probe a, b { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The `probe` keyword.
    pub origin: Origin,
    /// Where it attaches.
    pub points: Vec<ProbePoint>,
    /// Handler: a block.
    pub body: Stmt<Parsed>,
}

/// `probe name = other { ... }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The `probe` keyword.
    pub origin: Origin,
    /// Names; more than one for `a = b = ...`.
    pub names: Vec<ProbePoint>,
    /// `+=`: the body runs after the user's.
    pub epilogue_style: bool,
    /// What the alias stands for.
    pub points: Vec<ProbePoint>,
    /// Body: prologue, or epilogue with `epilogue_style`.
    pub body: Stmt<Parsed>,
    /// Second body (`{ prologue }, { epilogue }`).
    pub epilogue: Option<Stmt<Parsed>>,
}
