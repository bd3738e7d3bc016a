//! Raw tokens: what the bytes of a file are cut into, before macros and conditionals (parse.cxx: `lexer::scan`).

use crate::source::Token;
use logos::Logos;

/// A piece of source text, found by longest match.
#[derive(Logos, Debug, Clone, Copy, PartialEq, Eq)]
#[logos(source = [u8])]
pub(crate) enum Piece {
    /// White space (`isspace` of the C locale).
    #[regex(b"[ \t\n\x0b\x0c\r]+")]
    Space,
    /// `# ...` and `// ...`, with the newline.
    #[regex(b"#[^\n]*\n?")]
    #[regex(b"//[^\n]*\n?")]
    LineComment,
    /// `/* ... */`; without its end it takes the rest of the file.
    #[token(b"/*", block_comment)]
    BlockComment,
    /// Identifiers, keywords, `@words`, `$names`, and the `$1` forms.
    #[regex(b"[A-Za-z_$@][A-Za-z0-9_$]*")]
    Word,
    /// `$#` and `@#`.
    #[regex(b"[$@]#")]
    ArgumentCount,
    /// A digit and all letters and digits after it.
    #[regex(b"[0-9][A-Za-z0-9]*")]
    Number,
    /// `"..."`, or up to the end of the line if the second quote is missing.
    #[token(b"\"", string)]
    String,
    /// `%{ ... %}`, or the rest of the file if the end is missing.
    #[token(b"%{", embedded)]
    Embedded,
    /// Operators of several characters, and every other punctuation character.
    #[regex(b"<<<|>>>|<<=|>>=")]
    #[regex(b"==|!=|<=|>=|=~|!~|\\+=|-=|\\*=|/=|%=|&=|\\^=|\\|=|\\.=|&&|\\|\\||\\+\\+|--|->|<<|>>|%\\(|%\\?|%:|%\\)")]
    #[regex(b"[!-/:-@\\[-`{-~]", priority = 1)]
    Operator,
    /// Any other byte.
    #[regex(b"[\x00-\xff]", priority = 0)]
    Junk,
}

fn block_comment(lexer: &mut logos::Lexer<'_, Piece>) {
    let rest = lexer.remainder();
    let end = find(rest, b"*/").map_or(rest.len(), |at| at + 2);
    lexer.bump(end);
}

fn embedded(lexer: &mut logos::Lexer<'_, Piece>) {
    let rest = lexer.remainder();
    let end = find(rest, b"%}").map_or(rest.len(), |at| at + 2);
    lexer.bump(end);
}

fn string(lexer: &mut logos::Lexer<'_, Piece>) {
    let rest = lexer.remainder();
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        at += match byte {
            b'\\' => 2,
            _ => 1,
        };
        if byte == b'"' || byte == b'\n' {
            break;
        }
    }
    lexer.bump(at.min(rest.len()));
}

/// Offset of the first `needle` (two bytes) in `text`.
fn find(text: &[u8], needle: &[u8; 2]) -> Option<usize> {
    text.windows(2).position(|pair| pair == needle)
}

/// Cuts the first piece off a text: its kind and length. The text must not be empty.
pub(crate) fn first_piece(text: &[u8]) -> (Piece, usize) {
    let mut lexer = Piece::lexer(text);
    match lexer.next() {
        Some(Ok(piece)) => (piece, lexer.span().end),
        // The last rule takes every byte, so there is no other error than "one byte of junk".
        Some(Err(())) | None => (Piece::Junk, 1),
    }
}

/// Why a token is junk; decides the message that replaces the parser's (parse.cxx: `token::junk_message`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Junk {
    /// The token is fine, or a stray byte (which has no message of its own).
    #[default]
    None,
    /// `$1` inside the text of `$1`.
    NestedArgument,
    /// `$5` of four arguments.
    ArgumentOutOfRange,
    /// A string without its second quote.
    UnclosedQuote,
    /// `%{` without `%}`.
    UnclosedEmbedded,
}

/// A token with what the layers between lexer and grammar need to know of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawToken {
    /// Kind, text and place.
    pub token: Token,
    /// Why it is junk.
    pub junk: Junk,
    /// White space or a comment stood in front of it.
    pub spaced: bool,
    /// A comment stood in front of it.
    pub commented: bool,
}

impl RawToken {
    /// True for that operator.
    pub fn is_operator(&self, text: &str) -> bool {
        self.token.kind == crate::source::TokenKind::Operator && self.token.text == text
    }
}

/// A token on its own, without what stood around it.
pub(crate) fn plain(token: Token) -> RawToken {
    RawToken { token, junk: Junk::None, spaced: true, commented: false }
}
