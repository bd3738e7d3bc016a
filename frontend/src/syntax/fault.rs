//! A parse error on its way from where it is found to where parsing goes on.

use super::class::Id;
use super::token::{Junk, RawToken};
use crate::diag::{Diagnostic, TokenTag};
use crate::source::{FileId, Pos, Token, TokenKind};

/// What the message says after its first line (language.md 17.1).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// `at:` that token.
    At(RawToken),
    /// `saw:` that token.
    Saw(RawToken),
    /// `saw: FILE EOF`: upstream remembers no token here, because there is none or because it was just swallowed.
    Forgotten,
}

/// One parse error.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// Site, for "similar messages suppressed".
    pub site: &'static str,
    /// First line.
    pub message: String,
    /// The place.
    pub place: Place,
    /// Index of the token at which recovery starts.
    pub resume: u32,
    /// False if parsing resumes right there; true if it skips to the next declaration.
    pub skip: bool,
    /// An earlier place that explains it.
    pub cause: Option<Box<Diagnostic>>,
}

impl Fault {
    /// An error that says what was seen: recovery starts behind that token if the parser had taken it.
    pub fn saw(
        site: &'static str,
        message: impl Into<String>,
        token: &RawToken,
        id: Id,
        taken: bool,
    ) -> Self {
        Fault {
            site,
            message: message.into(),
            place: Place::Saw(token.clone()),
            resume: id.0 + u32::from(taken),
            skip: true,
            cause: None,
        }
    }

    /// As a diagnostic.
    pub fn into_diagnostic(self, file: FileId, arguments: usize) -> Diagnostic {
        let (token, tag) = match self.place {
            Place::At(token) => (Some(token), TokenTag::At),
            Place::Saw(token) => (Some(token), TokenTag::Saw),
            Place::Forgotten => (None, TokenTag::SawEof),
        };
        let mut diagnostic = match token {
            Some(token) => {
                // What the lexer has to say about a junk token goes before what the parser wanted.
                let (message, tag) = match token.junk {
                    Junk::None => (self.message, tag),
                    junk => (junk_message(junk, arguments), TokenTag::At),
                };
                let mut diagnostic = Diagnostic::parse(self.site, message).at(&token.token);
                diagnostic.tag = tag;
                diagnostic
            }
            None => {
                let end = Token::new(TokenKind::Junk, "", Pos { file, offset: 0 });
                let mut diagnostic = Diagnostic::parse(self.site, self.message).at(&end);
                diagnostic.tag = TokenTag::SawEof;
                diagnostic
            }
        };
        diagnostic.cause = self.cause;
        diagnostic
    }
}

fn junk_message(junk: Junk, arguments: usize) -> String {
    match junk {
        Junk::NestedArgument => "invalid nested substitution of command line arguments".into(),
        Junk::ArgumentOutOfRange => format!("command line argument out of range [1-{arguments}]"),
        Junk::UnclosedQuote => "Could not find matching closing quote".into(),
        Junk::UnclosedEmbedded => "Could not find matching '%}' to close embedded function block".into(),
        Junk::None => "unknown junk token".into(),
    }
}
