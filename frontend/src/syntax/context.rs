//! Where in the grammar a token stands, as far as the token layer keeps track: what gives tokens their meaning, and
//! errors their words.

use super::class::Class;

/// What stands before the current token, as far as it decides what may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// A statement (or a declaration) can start here.
    Start,
    /// A value must follow; in a probe point, a component.
    Operand,
    /// After a plain name: `(` calls, `[` indexes.
    Name,
    /// After a target (`$x`, `@cast`, `@var` and paths from them).
    Target,
    /// After any other value, and after a component.
    Value,
    /// After a pretty-printing `$`: a second one does not belong to it.
    Pretty,
    /// After `x++`: only binary operators go on.
    Stepped,
    /// After `x in y`, `x =~ "y"` and `[x]`: only operators that bind looser go on.
    Loose,
}

/// Stages of a foreach header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Keys,
    Base,
    Limit,
}

/// The bracket or header that the current token is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// From `probe` to its body.
    Header,
    /// `{` in a header.
    PointGroup,
    /// `(` after a component.
    ComponentArg,
    /// `(` after the `if` of a probe point.
    Condition,
    /// From `function` to its body.
    Signature,
    /// `(` of a signature.
    Params,
    /// `{` of statements.
    Block,
    /// `(` of `if` and `while`.
    IfHeader,
    WhileHeader,
    /// `(` of `for`, with the number of `;` so far.
    ForHeader(u8),
    /// `(` of `foreach`.
    ForeachHeader(Stage),
    /// `[` of the keys in a foreach header.
    ForeachKeys,
    /// `(` of `catch`.
    CatchVariable,
    /// `(` around an expression.
    Group,
    /// `(` of a call.
    Call,
    /// `(` of an `@` operator or of the print family: which, and whether it is a histogram after `in`.
    Word(Class, bool),
    /// `[` of a list.
    List,
    /// `[` of an array index, a foreach slice, an array size.
    Index,
    /// `[` of a target path.
    Step,
}

/// What a declaration started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    None,
    Probe,
    Global,
    Function,
}

/// Where the parser is, for error messages: the state in front of the last token.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code)] // read by `errors`, which is to come
pub(crate) struct Context {
    pub frame: Option<Frame>,
    pub position: Position,
    pub section: Section,
    /// The token before, and the one before that.
    pub previous: Option<Class>,
    pub before_previous: Option<Class>,
}
