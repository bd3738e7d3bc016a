//! Where in the grammar a token stands, as far as the token layer keeps track: what gives tokens their meaning, and
//! errors their words.

use super::class::{Class, Id};

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
    /// After `@hist_log(x)` where a value could stand: `[` must follow.
    Hist,
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
    /// From `function` to its body; true behind the parameters.
    Signature(bool),
    /// `(` of a signature.
    Params,
    /// `{` of statements.
    Block,
    /// `{` of a `try`: `catch` must follow.
    TryBlock,
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
    /// `[` of an array index.
    Index,
    /// `[` of a foreach slice.
    Slice,
    /// `[` of an array size.
    Size,
    /// `[` of the histogram that a print operator starts with.
    Bucket,
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

impl Frame {
    /// True for the braces around statements.
    pub(crate) fn is_block(self) -> bool {
        matches!(self, Frame::Block | Frame::TryBlock)
    }
}

/// Where the parser is, for error messages: the state in front of the last token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// Innermost bracket or header.
    pub frame: Option<Frame>,
    /// What the token before left behind.
    pub position: Position,
    /// Declaration.
    pub section: Section,
    /// The token before, and its number.
    pub previous: Option<(Class, Id)>,
    /// Commas in the innermost bracket so far.
    pub commas: u8,
    /// The word of the histogram that was closed last.
    pub histogram: Option<(Class, Id)>,
    /// The block that ended just now was that of a `try`.
    pub wants_catch: bool,
    /// A list of several values ended just now.
    pub list_closed: bool,
    /// A `?` in the innermost bracket waits for its `:`.
    pub wants_colon: bool,
    /// `catch (name)` ended just now.
    pub after_catch: bool,
}
