//! Reads a pattern character by character, undoing the script string's C escapes on the way.

use super::error::{RegexError, RegexErrorKind};

/// A one-character look-ahead over the pattern.
///
/// Two facts of upstream (stapregex-parse.cxx:cursor) are kept because error positions, and which patterns are
/// accepted, depend on them: the cursor counts as finished as soon as the last character has been *looked at*,
/// and an escape that means NUL reads as "nothing here", then is skipped.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    input: &'a [u8],
    /// Offset of the first byte not yet looked at.
    pub(super) pos: usize,
    /// Offset at which the character last looked at starts.
    pub(super) last_pos: usize,
    /// Everything has been looked at (not necessarily taken).
    pub(super) finished: bool,
    /// The character looked at and not yet taken; 0 for none.
    ahead: u8,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, pos: 0, last_pos: 0, finished: input.is_empty(), ahead: 0 }
    }

    /// The next character without taking it; 0 at the end.
    pub(super) fn peek(&mut self) -> Result<u8, RegexError> {
        if self.ahead == 0 && !self.finished {
            self.ahead = self.decode()?;
        }
        Ok(self.ahead)
    }

    /// Takes the next character.
    pub(super) fn next(&mut self) -> Result<u8, RegexError> {
        if self.ahead == 0 {
            if self.finished {
                return Err(RegexError::at(RegexErrorKind::UnexpectedEnd, self.pos));
            }
            self.ahead = self.decode()?;
        }
        Ok(std::mem::take(&mut self.ahead))
    }

    /// Whether two raw bytes or more are left after those looked at. A pattern of one byte says yes, as upstream's
    /// unsigned subtraction does; [`Self::raw`] is safe either way.
    pub(super) fn has_two(&self) -> bool {
        self.input.len() < 2 || self.pos <= self.input.len() - 2
    }

    /// The raw byte at `pos`, or 0 past the end.
    pub(super) fn raw(&self) -> u8 {
        self.at(self.pos)
    }

    fn at(&self, index: usize) -> u8 {
        self.input.get(index).copied().unwrap_or(0)
    }

    /// Reads one character at `pos`, escape or not.
    fn decode(&mut self) -> Result<u8, RegexError> {
        self.last_pos = self.pos;
        let mut byte = self.at(self.pos);
        if byte == b'\\' {
            self.pos += 1;
            if self.pos >= self.input.len() {
                return Err(RegexError::at(RegexErrorKind::UnexpectedEnd, self.pos));
            }
            byte = match self.at(self.pos) {
                b'a' => 0x07,
                b'b' => 0x08,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 0x0b,
                b'f' => 0x0c,
                b'r' => b'\r',
                b'x' => {
                    let digits = [self.at(self.pos + 1), self.at(self.pos + 2)];
                    self.numeric(&digits, 16, RegexErrorKind::HexDigits)?
                }
                b'4'..=b'7' => return Err(RegexError::at(RegexErrorKind::OctalRange, self.pos)),
                first @ b'0'..=b'3' => {
                    let digits = [first, self.at(self.pos + 1), self.at(self.pos + 2)];
                    self.numeric(&digits, 8, RegexErrorKind::OctalDigits)?
                }
                other => other,
            };
        }
        self.pos += 1;
        self.finished = self.pos >= self.input.len();
        Ok(byte)
    }

    /// The value of a numeric escape whose last two digits follow `pos`; steps over those two.
    fn numeric(&mut self, digits: &[u8], radix: u32, kind: RegexErrorKind) -> Result<u8, RegexError> {
        if self.pos + 2 >= self.input.len() {
            return Err(RegexError::at(kind, self.pos));
        }
        let mut value = 0;
        for &digit in digits {
            let Some(digit) = char::from(digit).to_digit(radix) else {
                // Upstream points at the other digit than the wrong one; editors were never told.
                let first_ok = char::from(self.at(self.pos + 1)).is_digit(radix);
                return Err(RegexError::at(kind, self.pos + if first_ok { 1 } else { 2 }));
            };
            value = value * radix + digit;
        }
        self.pos += 2;
        // At most \xff or \377.
        Ok(u8::try_from(value).unwrap_or(u8::MAX))
    }
}
