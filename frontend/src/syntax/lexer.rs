//! The lexer: bytes to raw tokens with positions; pastes the script's arguments (`$1 @1 $# @#`) in place.

use super::Gates;
use super::token::{Junk, Piece, RawToken, first_piece};
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{FileId, Pos, Token, TokenKind};
use smol_str::{SmolStr, SmolStrBuilder};
use std::collections::BTreeSet;

/// Argument text followed by as much of the file as the tokens that start in it need.
struct Window {
    bytes: Vec<u8>,
    /// Next byte to read in `bytes`.
    at: usize,
    /// How many bytes of `bytes` are the argument's.
    pasted: usize,
    /// Offset in the file of the `$1`: the place of all tokens that start in the pasted part.
    origin: usize,
    /// Offset in the file of the first byte after the `$1`.
    resume: usize,
}

/// Cuts one file into tokens.
pub(crate) struct Lexer<'a> {
    file: FileId,
    bytes: &'a [u8],
    arguments: &'a [String],
    gates: Gates,
    at: usize,
    window: Option<Window>,
    /// Numbers (from 1) of the arguments that were pasted.
    pub used_arguments: BTreeSet<usize>,
    /// True once the text asked for an argument or their number, in whatever form.
    pub asks_arguments: bool,
    /// True once there was any token.
    pub saw_tokens: bool,
    /// Warnings about embedded code.
    pub warnings: Diagnostics,
    spaced: bool,
    commented: bool,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `bytes`.
    pub fn new(file: FileId, bytes: &'a [u8], arguments: &'a [String], gates: Gates) -> Self {
        Lexer {
            file,
            bytes,
            arguments,
            gates,
            at: 0,
            window: None,
            used_arguments: BTreeSet::new(),
            asks_arguments: false,
            saw_tokens: false,
            warnings: Diagnostics::new(),
            spaced: false,
            commented: false,
        }
    }

    /// How many bytes of the file have not been read.
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// Cuts off one piece: kind, place, its bytes, and whether it starts in pasted text.
    fn piece(&mut self) -> Option<(Piece, Pos, Vec<u8>, bool)> {
        let window = self.window.as_mut()?;
        // Tokens reach across the end of the argument, so the file's text follows it here, in steps that double
        // until the token ends before the window does.
        let (piece, length) = loop {
            let (piece, length) = first_piece(&window.bytes[window.at..]);
            let taken = window.bytes.len() - window.pasted;
            let rest = &self.bytes[(window.resume + taken).min(self.bytes.len())..];
            if window.at + length < window.bytes.len() || rest.is_empty() {
                break (piece, length);
            }
            let more = taken.max(64).min(rest.len());
            window.bytes.extend_from_slice(&rest[..more]);
        };
        let text = window.bytes[window.at..window.at + length].to_vec();
        let offset = window.origin as u32;
        window.at += length;
        Some((piece, Pos { file: self.file, offset }, text, true))
    }

    /// Steps back so that the next piece starts `unread` bytes before the current place.
    fn unread(&mut self, unread: usize) {
        match &mut self.window {
            Some(window) => window.at -= unread,
            None => self.at -= unread,
        }
    }

    /// Forgets the window once the pasted part is used up.
    fn leave_window(&mut self) {
        if let Some(window) = &self.window
            && window.at >= window.pasted
        {
            self.at = window.resume + (window.at - window.pasted);
            self.window = None;
        }
    }

    fn paste(&mut self, origin: Pos, text: Vec<u8>) {
        self.window = Some(Window {
            pasted: text.len(),
            bytes: text,
            at: 0,
            origin: origin.offset as usize,
            resume: self.at,
        });
    }

    /// The next token, `None` at the end of the file.
    pub fn next_token(&mut self) -> Option<RawToken> {
        self.spaced = false;
        self.commented = false;
        loop {
            self.leave_window();
            let owned;
            let (piece, pos, text, pasted): (Piece, Pos, &[u8], bool) = if self.window.is_some() {
                let (piece, pos, text, pasted) = self.piece()?;
                owned = text;
                (piece, pos, &owned, pasted)
            } else {
                let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
                let (piece, length) = first_piece(rest);
                let pos = Pos { file: self.file, offset: self.at as u32 };
                self.at += length;
                (piece, pos, &rest[..length], false)
            };
            if piece == Piece::ArgumentCount || (piece == Piece::Word && is_argument(text)) {
                self.asks_arguments = true;
            }
            let token = match piece {
                Piece::Space => {
                    self.spaced = true;
                    continue;
                }
                Piece::LineComment | Piece::BlockComment => {
                    self.spaced = true;
                    self.commented = true;
                    continue;
                }
                Piece::ArgumentCount if pasted => self.junk("", pos, Junk::NestedArgument),
                Piece::ArgumentCount => {
                    let count = self.arguments.len().to_string();
                    let text = if text[0] == b'$' { count.into_bytes() } else { quoted(&count) };
                    self.paste(pos, text);
                    continue;
                }
                Piece::Word if is_argument(text) => match self.argument(pos, text, pasted) {
                    Some(junk) => junk,
                    None => continue,
                },
                Piece::Word => self.word(text, pos),
                Piece::Number => self.token(TokenKind::Number, ascii(text), pos),
                Piece::String => self.string(text, pos),
                Piece::Embedded => self.embedded(text, pos),
                Piece::Operator => self.token(TokenKind::Operator, operator(text), pos),
                Piece::Junk => {
                    let text = format!("\\x{:02x}", text.first().copied().unwrap_or_default());
                    self.token(TokenKind::Junk, SmolStr::from(text), pos)
                }
            };
            self.saw_tokens = true;
            return Some(token);
        }
    }

    fn token(&self, kind: TokenKind, text: SmolStr, pos: Pos) -> RawToken {
        RawToken {
            token: Token::new(kind, text, pos),
            junk: Junk::None,
            spaced: self.spaced,
            commented: self.commented,
        }
    }

    fn junk(&self, text: &str, pos: Pos, junk: Junk) -> RawToken {
        RawToken { junk, ..self.token(TokenKind::Junk, SmolStr::from(text), pos) }
    }

    /// `$N` or `@N`: pastes, or returns the junk token that says why not.
    fn argument(&mut self, pos: Pos, text: &[u8], pasted: bool) -> Option<RawToken> {
        // Digits are read only as long as the number can still be one of the arguments'.
        let mut index = 0;
        let mut length = 1;
        while let Some(digit) = text.get(length).filter(|byte| byte.is_ascii_digit()) {
            index = index * 10 + usize::from(digit - b'0');
            length += 1;
            if index > self.arguments.len() {
                break;
            }
        }
        let raw = text[0] == b'$';
        self.unread(text.len() - length);
        if pasted {
            return Some(self.junk("", pos, Junk::NestedArgument));
        }
        let Some(argument) = index.checked_sub(1).and_then(|index| self.arguments.get(index)) else {
            return Some(self.junk("", pos, Junk::ArgumentOutOfRange));
        };
        self.used_arguments.insert(index);
        let text = if raw { argument.clone().into_bytes() } else { quoted(argument) };
        self.paste(pos, text);
        None
    }

    fn word(&self, text: &[u8], pos: Pos) -> RawToken {
        let text = ascii(text);
        let kind = if text.starts_with('@') {
            TokenKind::Operator
        } else if is_keyword(&text) && (text != "private" || self.gates.has(3, 0)) {
            TokenKind::Keyword
        } else {
            TokenKind::Identifier
        };
        self.token(kind, text, pos)
    }

    /// A string: known escapes stay, the backslash of others goes.
    fn string(&self, text: &[u8], pos: Pos) -> RawToken {
        let body = &text[1..];
        let (content, closed) = if body.contains(&b'\\') {
            let mut content = Vec::with_capacity(body.len());
            let mut closed = false;
            let mut bytes = body.iter().copied();
            while let Some(byte) = bytes.next() {
                match byte {
                    b'"' => closed = true,
                    b'\n' => break,
                    b'\\' => match bytes.next() {
                        Some(b'x') if !self.gates.has(2, 3) => content.push(b'x'),
                        Some(
                            letter @ (b'x'
                            | b'a'
                            | b'b'
                            | b't'
                            | b'n'
                            | b'v'
                            | b'f'
                            | b'r'
                            | b'0'..=b'7'
                            | b'\\'),
                        ) => content.extend([b'\\', letter]),
                        Some(letter) => content.push(letter),
                        None => {}
                    },
                    _ => content.push(byte),
                }
            }
            (readable(&content), closed)
        } else if let Some(content) = body.strip_suffix(b"\"") {
            (readable(content), true)
        } else {
            (readable(body.strip_suffix(b"\n").unwrap_or(body)), false)
        };
        if closed {
            self.token(TokenKind::String, content, pos)
        } else {
            self.junk(&format!("\"{content}"), pos, Junk::UnclosedQuote)
        }
    }

    fn embedded(&mut self, text: &[u8], pos: Pos) -> RawToken {
        let Some(body) = text[2..].strip_suffix(b"%}") else {
            // The last byte is lost (parse.cxx: `lexer::scan`).
            let body = &text[2..text.len().max(3) - 1];
            return self.junk(&format!("%{{{}", readable(body)), pos, Junk::UnclosedEmbedded);
        };
        let token = self.token(TokenKind::Embedded, readable(body), pos);
        for _ in text[2..text.len() - 1].windows(2).filter(|pair| pair == b"}%") {
            let place = Token::new(TokenKind::Embedded, "", pos);
            self.warnings.push(
                Diagnostic::warning("embedded-closing", "possible erroneous closing '}%', use '%}'?")
                    .at(&place),
            );
        }
        token
    }
}

fn is_argument(text: &[u8]) -> bool {
    matches!(text, [b'$' | b'@', b'0'..=b'9', ..])
}

/// Reserved words, `private` included.
pub(crate) fn is_keyword(text: &str) -> bool {
    matches!(
        text,
        "probe"
            | "global"
            | "private"
            | "function"
            | "if"
            | "else"
            | "for"
            | "foreach"
            | "in"
            | "limit"
            | "return"
            | "delete"
            | "while"
            | "break"
            | "continue"
            | "next"
            | "string"
            | "long"
            | "try"
            | "catch"
    )
}

/// Text of a token whose bytes the lexer's rules limit to ASCII.
fn ascii(text: &[u8]) -> SmolStr {
    std::str::from_utf8(text).map_or_else(|_| readable(text), SmolStr::new)
}

/// Text of an operator; those of one character are most of a script's tokens.
fn operator(text: &[u8]) -> SmolStr {
    const CHARACTERS: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    match text {
        [byte] => CHARACTERS
            .bytes()
            .position(|character| character == *byte)
            .and_then(|at| CHARACTERS.get(at..=at))
            .map_or_else(|| ascii(text), SmolStr::new_static),
        _ => ascii(text),
    }
}

/// Bytes as text: what is not UTF-8 becomes `\ooo`, which C reads back as the same byte.
fn readable(bytes: &[u8]) -> SmolStr {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return SmolStr::new(text);
    }
    let mut text = SmolStrBuilder::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\{byte:03o}"));
        }
    }
    text.finish()
}

/// An argument as the text of a string literal (util.h: `lex_cast_qstring`).
fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            b' '..=b'~' => quoted.push(byte),
            _ => quoted.extend(format!("\\{byte:03o}").into_bytes()),
        }
    }
    quoted.push(b'"');
    quoted
}
