//! What can be wrong with a pattern.

use thiserror::Error;

/// Why a pattern was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexError {
    /// What is wrong.
    pub kind: RegexErrorKind,
    /// Byte offset into the pattern as the script spells it (escapes count as written); `None` where upstream
    /// knows none either.
    pub position: Option<usize>,
}

impl RegexError {
    pub(super) fn at(kind: RegexErrorKind, position: usize) -> Self {
        Self { kind, position: Some(position) }
    }

    pub(super) fn nowhere(kind: RegexErrorKind) -> Self {
        Self { kind, position: None }
    }

    /// The bare message, without the position.
    pub fn message(&self) -> String {
        self.kind.to_string()
    }
}

/// The text of upstream's semantic error (stapregex.cxx:stapdfa::stapdfa).
impl std::fmt::Display for RegexError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.position {
            Some(position) => write!(f, "regex compilation error (at position {position}): {}", self.kind),
            None => write!(f, "regex compilation error: {}", self.kind),
        }
    }
}

impl std::error::Error for RegexError {}

/// One message per fault. All but the last four are upstream's texts (stapregex-parse.cxx).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegexErrorKind {
    /// The pattern stops where something must follow, for example after a backslash.
    #[error("unexpected end of regex")]
    UnexpectedEnd,
    /// `\x` without two hexadecimal digits.
    #[error("two hex digits required in escape sequence")]
    HexDigits,
    /// A backslash and `4` to `7`: an octal escape above `\377`.
    #[error("octal escape sequence out of range")]
    OctalRange,
    /// A backslash and `0` to `3` without two more octal digits.
    #[error("three octal digits required in escape sequence")]
    OctalDigits,
    /// A closing parenthesis with nothing to close.
    #[error("unbalanced ')'")]
    Unbalanced,
    /// The pattern ends where this character is required.
    #[error("expected {0}, found end of regex")]
    ExpectedFoundEnd(char),
    /// Another character stands where this one is required.
    #[error("expected {0}, found {1}")]
    Expected(char, char),
    /// A postfix operator with nothing before it.
    #[error("unexpected '{0}'")]
    Unexpected(char),
    /// `(?` and something other than a colon. The text has no closing quote when the pattern ends there.
    #[error("unexpected '(?{0}")]
    UnexpectedGroup(String),
    /// A repetition of `^` or `$`.
    #[error("postfix closure '{0}' applied to anchoring operator")]
    AnchorClosure(char),
    /// `{n,` followed by neither a digit nor a closing brace.
    #[error("expected '}}' or number")]
    ExpectedBraceOrNumber,
    /// `{n` followed by neither a comma nor a closing brace.
    #[error("expected ',' or '}}'")]
    ExpectedCommaOrBrace,
    /// `{` without a number.
    #[error("expected number")]
    ExpectedNumber,
    /// A repetition count which does not fit a machine word.
    #[error("could not parse number {0}")]
    BadNumber(String),
    /// A repetition count of 12345 or more.
    #[error("{0} is too large")]
    NumberTooLarge(String),
    /// A bracket expression with no end.
    #[error("unclosed character class")]
    UnclosedClass,
    /// A `[:name` with no end.
    #[error("unclosed character class '[:{0}'")]
    UnclosedNamedClass(String),
    /// A `[:name:]` there is not.
    #[error("unknown character class '{0}'")]
    UnknownClass(String),
    /// A range whose end is below its start.
    #[error("Inverted character range {0}-{1}")]
    InvertedRange(char, char),
    /// A repetition such as `{3,1}`. Ours: upstream corrupts its memory here.
    #[error("inverted repetition range {0},{1}")]
    InvertedRepetition(u32, u32),
    /// Groups and postfix operators are nested deeper than [`super::MAX_DEPTH`]. Ours.
    #[error("regex is nested too deeply (limit {0} levels)")]
    TooDeep(usize),
    /// The expanded pattern has more than [`super::MAX_INSTRUCTIONS`] steps. Ours.
    #[error("regex is too large (limit {0} NFA instructions)")]
    TooLarge(usize),
    /// The automaton has more than [`super::MAX_STATES`] states, or these stand for more than
    /// [`super::MAX_THREADS`] NFA threads together. Ours.
    #[error("regex needs too large an automaton (limit {0} DFA states, {1} NFA threads)")]
    TooManyStates(usize, usize),
}
