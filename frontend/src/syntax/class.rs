//! The terminals of the grammar: what a token means where it stands.

/// Index of a token in the preprocessed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub u32);

/// A token as the grammar gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lexeme(pub Class, pub Id);

/// Meaning of a token. `grammar.lalrpop` names each; where one spelling has several, the token layer has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Class {
    // Reserved words, where they are not names of components or members. `ReturnVoid` is followed by `;` or `}`.
    Probe, Global, Private, Function, If, Else, For, Foreach, In, Limit, Return, ReturnVoid, Delete, While, Break,
    Continue, Next, StringType, LongType, Try, Catch,
    // Names: of variables and functions; of probe point components (pieces glued); after `->`; starting with `$`;
    // and the `$` or `$$` that follows a value.
    Name, Component, Member, Target, Dollars,
    Number, String, Embedded,
    // The print family: `print sprint`, `println sprintln` (which take no value too), `print_char`, with delimiter, with
    // format.
    Print, PrintLine, PrintChar, PrintDelimited, PrintFormat,
    // `@` operators. `Stat` is one of avg, count, sum, min, max; `Register` and `Deref` have a `k` and a `u` form.
    Cast, Var, Defined, ProbeWrite, Const, Enum, EnumName, Entry, Perf, Register, Deref, Stat, Variance,
    // Histograms, and the same as the first argument of a print operator.
    HistLog, HistLinear, FirstHistLog, FirstHistLinear,
    // A statistic that a `foreach` sorts by.
    SortStat,
    // An `@word` that is no operator.
    UnknownWord,
    // `(` after a name is a call; everywhere else it is `Open`.
    Open, CallOpen, Close,
    // `[` that starts a list, an index of an array, a step of a target path.
    ListOpen, IndexOpen, StepOpen, BracketClose,
    // `{` of a block, and of a group of probe points.
    BraceOpen, GroupOpen, BraceClose,
    // `;` that ends a statement or separates, and `;` that is one. `OldColon` is the `:` of a ternary before 4.0.
    Comma, Semicolon, Null, Colon, OldColon, Question,
    // `*` where a value could stand, and sort directives.
    Any, SortUp, SortDown,
    Assign, AddAssign, OtherAssign,
    Or, And, BitOr, BitXor, BitAnd, Compare, Match, Shift, Dot, Plus, Minus, Times, Divide, Modulo,
    PrefixPlus, PrefixMinus, Not, Complement, PrefixStep, PostfixStep, AddressOf, Arrow,
    // What no rule accepts: junk, stray preprocessor operators, other characters.
    Other,
}
