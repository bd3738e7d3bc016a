//! The tree of expressions and statements, shared by the parsed and the bound form.
//!
//! A tree is generic over its [`Phase`]: what a variable and a callee *are*. The parser makes
//! [`Parsed`](crate::syntax::ast::Parsed) trees (names), `resolve` makes [`Bound`](crate::hir::Bound) trees (ids).
//! One walker ([`walk`]) and one printer ([`print`]) serve both.

pub mod print;
pub mod walk;
mod words;

use crate::source::Token;
use smol_str::SmolStr;
use std::fmt;

/// What names stand for in a tree.
pub trait Phase: Clone + fmt::Debug + PartialEq + 'static {
    /// A variable: local, parameter or global; scalar or array.
    type Var: Clone + fmt::Debug + PartialEq;
    /// What a call calls.
    type Callee: Clone + fmt::Debug + PartialEq;
}

/// The token that a node stands for in messages. All origins compare equal, so that trees compare by shape.
#[derive(Clone)]
pub struct Origin(pub Token);

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.text)
    }
}

impl From<Token> for Origin {
    fn from(token: Token) -> Self {
        Origin(token)
    }
}

/// A literal of a probe point, an initialiser or an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Literal {
    /// 64-bit signed; literals above 2^63-1 have wrapped.
    Number(i64),
    /// A number made by the translator (an address): the same as [`Literal::Number`], printed as `0x...`.
    Address(u64),
    /// Text between the quotes, C escapes still in it.
    String(SmolStr),
}

impl Literal {
    /// The number, of either form.
    pub fn number(&self) -> Option<i64> {
        match self {
            Literal::Number(value) => Some(*value),
            Literal::Address(value) => Some(*value as i64),
            Literal::String(_) => None,
        }
    }

    /// The string.
    pub fn string(&self) -> Option<&SmolStr> {
        match self {
            Literal::String(text) => Some(text),
            Literal::Number(_) | Literal::Address(_) => None,
        }
    }
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr<P: Phase> {
    /// Where it stands: for a binary operator the operator, for a call the function's name...
    pub origin: Origin,
    /// What it is.
    pub kind: ExprKind<P>,
}

/// Prefix operators other than `++` and `--`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Plus,
    Negate,
    Not,
    Complement,
}

/// Infix operators on two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    /// `>>`, keeps the sign.
    ShiftRight,
    /// `>>>`, fills with zeros.
    ShiftRightLogical,
    /// Comparisons take two numbers or two strings and give 0 or 1.
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    /// `&&` evaluates its right side only if the left is not 0.
    LogicalAnd,
    /// `||` evaluates its right side only if the left is 0.
    LogicalOr,
}

/// Assignment operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssignOp {
    /// `=`, on two numbers or two strings.
    Set,
    /// `<<<`: adds a sample to a statistic.
    Aggregate,
    /// `.=`.
    Concat,
    /// `+=` and its kin, on numbers.
    Compound(BinaryOp),
}

/// The integer extractors of a statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum StatOp {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Variance,
}

/// One index of an array operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Key<P: Phase> {
    /// A value.
    Expr(Expr<P>),
    /// `*`: any value (in `in`, `delete` and foreach slices only).
    Any(Origin),
}

/// A histogram operator and what it is applied to (a statistic: scalar or array element).
#[derive(Debug, Clone, PartialEq)]
pub struct Hist<P: Phase> {
    /// The operator's token.
    pub origin: Origin,
    /// Which histogram.
    pub kind: HistKind,
    /// The statistic.
    pub stat: Box<Expr<P>>,
}

/// Kinds of histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HistKind {
    /// `@hist_log`: 128 buckets by power of two.
    Log,
    /// `@hist_linear(_, low, high, width)`.
    Linear {
        /// Lower bound of the first bucket.
        low: i64,
        /// Upper bound of the last bucket.
        high: i64,
        /// Width of a bucket.
        width: i64,
    },
}

/// What `in` and `foreach` work on.
#[derive(Debug, Clone, PartialEq)]
pub enum Indexable<P: Phase> {
    /// An array.
    Array {
        /// Token of the name.
        origin: Origin,
        /// The array.
        var: P::Var,
    },
    /// The buckets of a histogram.
    Hist(Hist<P>),
}

/// `$x->y[0]$`, `@cast(p, "t")->y`, `@var("x")`, `(autocast)->y`: something whose meaning comes from debug information
/// or from the probe's family.
#[derive(Debug, Clone, PartialEq)]
pub struct Target<P: Phase> {
    /// What the path starts from.
    pub base: TargetBase<P>,
    /// Leading `&`.
    pub address_of: bool,
    /// Members and indexes, in order.
    pub path: Vec<TargetStep<P>>,
}

impl<P: Phase> Target<P> {
    /// Why it has no meaning here, if only debug information can give it one, whatever the probe.
    pub fn limitation(&self) -> Option<&'static str> {
        let needs_it = matches!(self.base, TargetBase::Cast { .. } | TargetBase::Var { .. });
        needs_it.then_some("types and variables of debug information are not supported yet")
    }
}

/// What a target path starts from.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetBase<P: Phase> {
    /// `$name`, with its dollar sign; also `$$vars` and its kin.
    Symbol(SmolStr),
    /// `@cast(value, "type", "module")`.
    Cast {
        /// The pointer.
        value: Box<Expr<P>>,
        /// The type, without quotes.
        type_name: SmolStr,
        /// The module list, empty for the default.
        module: SmolStr,
    },
    /// `@var("name@cu", "module")`.
    Var {
        /// Name with its optional `@cu` part.
        name: SmolStr,
        /// Module, empty for the default.
        module: SmolStr,
    },
    /// Any other value followed by `->` or `[`.
    Value(Box<Expr<P>>),
}

/// One step of a target path.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetStep<P: Phase> {
    /// `->name`.
    Member(Origin, SmolStr),
    /// `[number]`.
    Literal(Origin, i64),
    /// `[expression]`.
    Index(Origin, Box<Expr<P>>),
    /// Trailing `$` (one level) or `$$` (deep): pretty print. Always last.
    Pretty(Origin, SmolStr),
}

/// Kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind<P: Phase> {
    /// A number; `hex` is true if dumps print it in hexadecimal (translator-made addresses).
    Number {
        /// The value.
        value: i64,
        /// Print as `0x...`.
        hex: bool,
    },
    /// A string literal, C escapes still in it.
    String(SmolStr),
    /// `%{ ... %}` used as a value. `@const("...")` is one too, with the tags that upstream gives it.
    Embedded(SmolStr),
    /// A scalar variable (a bare array name where an array is meant is an [`Indexable`] or a `delete` operand).
    Var(P::Var),
    /// `array[keys]`.
    Index {
        /// The array.
        base: P::Var,
        /// One key for each dimension.
        keys: Vec<Key<P>>,
    },
    /// `@hist_log(x)[index]`: a bucket's count.
    Bucket {
        /// The histogram.
        hist: Hist<P>,
        /// The bucket.
        index: Box<Expr<P>>,
    },
    /// `-x`, `!x`...
    Unary {
        /// Operator.
        op: UnaryOp,
        /// Operand.
        operand: Box<Expr<P>>,
    },
    /// `++x`, `x--`...
    Step {
        /// True for `++`.
        up: bool,
        /// True if the operator stands before its operand: the value is the one after the change.
        prefix: bool,
        /// The variable, element or target that changes.
        operand: Box<Expr<P>>,
    },
    /// `a + b`, `a < b`, `a && b`...
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left operand, evaluated first.
        left: Box<Expr<P>>,
        /// Right operand.
        right: Box<Expr<P>>,
    },
    /// `a . b . c`, at least two parts, none of which is a concatenation without parentheses of its own.
    Concat(Vec<Expr<P>>),
    /// `c ? t : f`.
    Ternary {
        /// Number.
        condition: Box<Expr<P>>,
        /// Value if it is not 0.
        then: Box<Expr<P>>,
        /// Value if it is 0.
        otherwise: Box<Expr<P>>,
    },
    /// `x = y`, `x += y`, `x <<< y`...
    Assign {
        /// Operator.
        op: AssignOp,
        /// Left side; any expression in the grammar, an lvalue after `types`.
        target: Box<Expr<P>>,
        /// Right side.
        value: Box<Expr<P>>,
    },
    /// `[keys] in array`.
    In {
        /// The keys.
        keys: Vec<Key<P>>,
        /// Where they are looked up.
        base: Indexable<P>,
    },
    /// `x =~ "re"`, `x !~ "re"`.
    Match {
        /// True for `!~`.
        negated: bool,
        /// The string.
        subject: Box<Expr<P>>,
        /// The pattern, C escapes still in it.
        pattern: SmolStr,
        /// The pattern's token.
        place: Origin,
    },
    /// `f(args)`.
    Call {
        /// Who is called.
        callee: P::Callee,
        /// Arguments, evaluated left to right.
        args: Vec<Expr<P>>,
    },
    /// The print family.
    Print(Print<P>),
    /// `@count(x)`...
    Stat {
        /// Which number.
        op: StatOp,
        /// The statistic: scalar or array element.
        stat: Box<Expr<P>>,
        /// Second argument of `@variance`, 0 if absent.
        shift: i64,
    },
    /// A histogram where a value is expected: legal only as the one argument of a print operator.
    Hist(Hist<P>),
    /// `$x`, `@cast`, `@var` and paths from them.
    Target(Target<P>),
    /// `@defined(x)`.
    Defined(Box<Expr<P>>),
    /// `@probewrite(name)`.
    ProbeWrite(SmolStr),
    /// `@entry(x)`.
    Entry(Box<Expr<P>>),
    /// `@perf("name")`.
    Perf(SmolStr),
    /// `@enum("NAME")`.
    Enumerator(SmolStr),
    /// `@enumname(value, "type", "module")`; the last two may be empty.
    EnumName {
        /// The number.
        value: Box<Expr<P>>,
        /// Type, empty if it follows from the value.
        type_name: SmolStr,
        /// Module, empty for the default.
        module: SmolStr,
    },
    /// `@kregister(n)`, `@uregister(n)`: a DWARF register number.
    Register {
        /// True for the `u` form.
        user: bool,
        /// The number.
        number: i64,
    },
    /// `@kderef(size, address)`, `@uderef(size, address)`.
    Deref {
        /// True for the `u` form.
        user: bool,
        /// 1, 2, 4 or 8 bytes.
        size: i64,
        /// The address.
        address: Box<Expr<P>>,
    },
}

/// One call of the print family (language.md section 12).
#[derive(Debug, Clone, PartialEq)]
pub struct Print<P: Phase> {
    /// `s...printf`: the value is a string instead of going to the output.
    pub to_string: bool,
    /// How the values are laid out.
    pub layout: PrintLayout,
    /// The values; with a format, dynamic widths and precisions come before their value.
    pub args: Vec<Expr<P>>,
    /// `print(@hist_log(x))`: the histogram instead of values (then `args` is empty).
    pub hist: Option<Box<Hist<P>>>,
}

/// How a print operator lays its values out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PrintLayout {
    /// `print`, `println`, `printd`, `printdln`.
    Plain {
        /// Text between values (C escapes still in it); `None` without the `d`.
        delimiter: Option<SmolStr>,
        /// A newline at the end.
        newline: bool,
    },
    /// `print_char`.
    Char,
    /// `printf`.
    Format {
        /// The format as written, C escapes still in it.
        text: SmolStr,
        /// The same, taken apart.
        parts: Vec<FormatPart>,
    },
}

/// A piece of a printf format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FormatPart {
    /// Literal text, C escapes still in it, `%%` already `%`.
    Text(SmolStr),
    /// A conversion.
    Conversion(Conversion),
}

/// One conversion of a printf format (language.md section 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conversion {
    /// The one flag character, if any.
    pub flag: Option<Flag>,
    /// Minimum width.
    pub width: Measure,
    /// Precision.
    pub precision: Measure,
    /// The letter: one of `d i u o x X p c s b m M`.
    pub letter: char,
}

/// Flag characters of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Flag {
    Zero,
    Plus,
    Minus,
    Space,
    Special,
}

/// Width or precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Not given.
    None,
    /// Given as digits.
    Static(u32),
    /// `*`: an argument of its own.
    Dynamic,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt<P: Phase> {
    /// The token that starts it, or the token of its expression.
    pub origin: Origin,
    /// What it is.
    pub kind: StmtKind<P>,
}

/// Direction of a foreach sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortDirection {
    /// `+`.
    Ascending,
    /// `-`.
    Descending,
}

/// What a foreach is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortColumn {
    /// The n-th key, from 0.
    Key(usize),
    /// The value (for statistics: the given number, count by default).
    Value(Option<StatOp>),
}

/// `for (init; condition; step) body`.
#[derive(Debug, Clone, PartialEq)]
pub struct For<P: Phase> {
    /// Before the first round.
    pub init: Option<Expr<P>>,
    /// Before each round; 1 if absent in the source.
    pub condition: Expr<P>,
    /// After each round.
    pub step: Option<Expr<P>>,
    /// Body.
    pub body: Stmt<P>,
}

/// `foreach (value = [keys] in base[slice] sort limit n) body`.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreach<P: Phase> {
    /// Variables that receive the keys, with their tokens.
    pub keys: Vec<(Origin, P::Var)>,
    /// Variable that receives the value.
    pub value: Option<(Origin, P::Var)>,
    /// What is iterated.
    pub base: Indexable<P>,
    /// `base[slice]`: only elements whose keys match; empty if there is no slice.
    pub slice: Vec<Key<P>>,
    /// The one sort directive.
    pub sort: Option<(SortColumn, SortDirection)>,
    /// At most so many iterations; evaluated once.
    pub limit: Option<Expr<P>>,
    /// Body.
    pub body: Stmt<P>,
}

/// Kinds of statement.
#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind<P: Phase> {
    /// `;`.
    Null,
    /// `{ ... }`.
    Block(Vec<Stmt<P>>),
    /// An expression for its effect.
    Expr(Expr<P>),
    /// `if`.
    If {
        /// Number.
        condition: Expr<P>,
        /// Run if it is not 0.
        then: Box<Stmt<P>>,
        /// Run if it is 0.
        otherwise: Option<Box<Stmt<P>>>,
    },
    /// `for`, and `while` with only a condition.
    For(Box<For<P>>),
    /// `foreach`.
    Foreach(Box<Foreach<P>>),
    /// `return`, in functions only.
    Return(Option<Expr<P>>),
    /// `delete`; the operand is a scalar, an element, a slice, or a bare array name as [`ExprKind::Var`].
    Delete(Expr<P>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `next`.
    Next,
    /// `try { body } catch (variable) { handler }`.
    Try {
        /// A block.
        body: Box<Stmt<P>>,
        /// String variable that receives the error's text.
        variable: Option<(Origin, P::Var)>,
        /// A block.
        handler: Box<Stmt<P>>,
    },
}
