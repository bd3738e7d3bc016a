//! Programs as values that print themselves: pieces of text with expressions and blocks between them.
//!
//! A program is made to be printed and to be made smaller, so its tree knows of each part only what that needs: an
//! expression has a type, for which there are literals, and a statement can be left out.

use std::fmt;

use crate::case::split_words;

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Long,
    /// A string.
    Text,
}

impl Kind {
    /// The type's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Long => "long",
            Kind::Text => "string",
        }
    }

    /// The shortest literal of the type.
    pub fn literal(self) -> &'static str {
        match self {
            Kind::Long => "0",
            Kind::Text => "\"\"",
        }
    }
}

/// A part of an expression, a statement or a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// An expression, which may be replaced by any other of its type.
    Expression(Expression),
    /// Statements in braces, which may be left out.
    Block(Vec<Statement>),
    /// What no expression of its type can stand for: something that is assigned to, a histogram, a list of keys.
    Group(Vec<Piece>),
}

/// An expression; parentheses are among its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Its type.
    pub kind: Kind,
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

/// A whole script with the options that it is run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Options of the command line.
    pub options: Vec<String>,
    /// Declarations: macros, globals, functions, probes.
    pub declarations: Vec<Statement>,
}

impl From<&str> for Piece {
    fn from(text: &str) -> Piece {
        Piece::Text(text.into())
    }
}

impl From<&String> for Piece {
    fn from(text: &String) -> Piece {
        Piece::Text(text.clone())
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Piece {
        Piece::Text(text)
    }
}

impl From<Expression> for Piece {
    fn from(expression: Expression) -> Piece {
        Piece::Expression(expression)
    }
}

impl From<Vec<Statement>> for Piece {
    fn from(block: Vec<Statement>) -> Piece {
        Piece::Block(block)
    }
}

impl From<Vec<Piece>> for Piece {
    fn from(group: Vec<Piece>) -> Piece {
        Piece::Group(group)
    }
}

/// Pieces of whatever can be one.
macro_rules! pieces {
    ($($piece:expr),* $(,)?) => { vec![$($crate::random::tree::Piece::from($piece)),*] };
}
/// An expression of type long.
macro_rules! long {
    ($($piece:expr),* $(,)?) => { $crate::random::tree::Expression::long($crate::random::tree::pieces![$($piece),*]) };
}
/// An expression of type string.
macro_rules! text {
    ($($piece:expr),* $(,)?) => { $crate::random::tree::Expression::text($crate::random::tree::pieces![$($piece),*]) };
}
/// A statement.
macro_rules! statement {
    ($($piece:expr),* $(,)?) => {
        $crate::random::tree::Statement { pieces: $crate::random::tree::pieces![$($piece),*] }
    };
}
pub(crate) use {long, pieces, statement, text};

impl Expression {
    /// An expression of type long.
    pub fn long(pieces: Vec<Piece>) -> Expression {
        Expression { kind: Kind::Long, pieces }
    }

    /// An expression of type string.
    pub fn text(pieces: Vec<Piece>) -> Expression {
        Expression { kind: Kind::Text, pieces }
    }

    /// The shortest of a type.
    pub fn least(kind: Kind) -> Expression {
        Expression { kind, pieces: pieces![kind.literal()] }
    }
}

impl Program {
    /// A script that was not made by chance, as one declaration; a line `# options: WORDS` gives it options.
    ///
    /// # Errors
    /// The words have a quote that does not end.
    pub fn of_text(text: &str) -> Result<Program, String> {
        let words = text.lines().find_map(|line| line.strip_prefix("# options:")).unwrap_or_default();
        Ok(Program { options: split_words(words)?, declarations: vec![statement![text]] })
    }

    /// How many statements there are, those inside others included.
    pub fn size(&self) -> usize {
        self.declarations.iter().map(|declaration| size(&declaration.pieces)).sum()
    }
}

fn size(pieces: &[Piece]) -> usize {
    let of = |piece: &Piece| match piece {
        Piece::Block(block) => block.iter().map(|statement| 1 + size(&statement.pieces)).sum(),
        Piece::Group(pieces) => size(pieces),
        Piece::Text(_) | Piece::Expression(_) => 0,
    };
    pieces.iter().map(of).sum()
}

/// The script's text. Each statement has a line of its own, which is indented; nothing else is broken or indented.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for declaration in &self.declarations {
            write_pieces(f, &declaration.pieces, 0)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

fn write_pieces(f: &mut fmt::Formatter<'_>, pieces: &[Piece], depth: usize) -> fmt::Result {
    for piece in pieces {
        match piece {
            Piece::Text(text) => f.write_str(text)?,
            Piece::Expression(expression) => write_pieces(f, &expression.pieces, depth)?,
            Piece::Group(pieces) => write_pieces(f, pieces, depth)?,
            Piece::Block(block) => {
                writeln!(f, "{{")?;
                for statement in block {
                    write!(f, "{:1$}", "", 2 * depth + 2)?;
                    write_pieces(f, &statement.pieces, depth + 1)?;
                    writeln!(f)?;
                }
                write!(f, "{:1$}}}", "", 2 * depth)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_prints_itself() {
        let inner = statement!["if (", long!["a == ", long!["1"]], ") ", vec![statement!["b = \"x\""]]];
        let program = Program {
            options: vec![],
            declarations: vec![statement!["global a"], statement!["probe begin ", vec![inner]]],
        };
        assert_eq!(program.size(), 2);
        assert_eq!(program.to_string(), "global a\nprobe begin {\n  if (a == 1) {\n    b = \"x\"\n  }\n}\n");
    }
}
