//! The command line: a table of flags, and the parser that reads a line with it.
//!
//! To add an option: write a [`Flag`] in the file of its group. Its `update` stores into [`LowArgs`] and does nothing
//! else; whether options fit together is checked in `src/session.rs`.

pub mod doc;
pub mod low;
mod output;
mod own;
mod parser;
mod passes;
mod rc;
mod refused;
mod script;
mod target;

pub use low::LowArgs;
pub use parser::parse;
pub use rc::{RcError, split as split_rc};

use std::ffi::OsStr;

/// Whether an option has an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// One, in the same word or the next; the name is for the help text.
    Required(&'static str),
    /// One, in the same word after `=` or not at all.
    Optional(&'static str),
}

/// Groups of the help text, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// What to run.
    Script,
    /// Which passes, and how.
    Passes,
    /// For which kernel and process.
    Target,
    /// What comes out, and where.
    Output,
    /// Options that `stap` does not have.
    Own,
    /// Options of `stap` that this version refuses or does nothing with.
    Refused,
}

/// How far an option is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Wholly.
    Full,
    /// Taken with a warning: the run is the same without it.
    Ignored,
    /// Ends the run: without it the run would do something else than was asked for.
    Refused,
}

/// One option.
pub struct Flag {
    /// Letter, if it has one.
    pub short: Option<char>,
    /// Long name without dashes, if it has one.
    pub long: Option<&'static str>,
    /// Other spelling of the long name.
    pub alias: Option<&'static str>,
    /// Its argument.
    pub takes: Takes,
    /// Its group.
    pub category: Category,
    /// How far it is served.
    pub support: Support,
    /// One sentence or two for the help text.
    pub doc: &'static str,
    /// Stores the option.
    pub update: Update,
}

impl Flag {
    /// Nothing said yet: the base of each group's literals.
    const EMPTY: Flag = Flag {
        short: None,
        long: None,
        alias: None,
        takes: Takes::Nothing,
        category: Category::Script,
        support: Support::Full,
        doc: "",
        update: |_, _| Ok(()),
    };
}

/// Stores an option and its argument, or says what is wrong with the argument.
type Update = fn(&mut LowArgs, Option<&OsStr>) -> Result<(), ArgError>;

/// Every option, in the order in which upstream's table has them within a group.
pub fn flags() -> impl Iterator<Item = &'static Flag> {
    [script::FLAGS, passes::FLAGS, target::FLAGS, output::FLAGS, own::FLAGS, refused::FLAGS]
        .into_iter()
        .flatten()
}

/// What is wrong with a command line. All end the run with status 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// The words cannot be read as options (texts of glibc's `getopt_long`); the usage hint follows.
    #[error("{program}: {problem}")]
    Getopt {
        /// Name of the program as it was called.
        program: String,
        /// What is wrong.
        problem: String,
    },
    /// An argument does not match the pattern that keeps it harmless (util.cxx: `assert_regexp_match`).
    #[error("ERROR: Safety pattern mismatch for {what} ('{value}' vs. '{pattern}') rc=1")]
    Safety {
        /// Which argument.
        what: &'static str,
        /// The argument.
        value: String,
        /// The pattern.
        pattern: &'static str,
    },
    /// The option is known but not served.
    #[error("ERROR: {0} is not supported by this version of systemtap")]
    Refused(String),
    /// Any other objection, in upstream's words.
    #[error("{0}")]
    Invalid(String),
}

impl ArgError {
    /// True if upstream prints the usage hint after the message.
    pub fn wants_hint(&self) -> bool {
        matches!(self, ArgError::Getopt { .. })
    }
}

/// The argument of an option that always has one.
fn text(value: Option<&OsStr>) -> String {
    value.map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Splits `NAME=VALUE`; without `=` the value is empty.
fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// A character class of the safety patterns; letters of either case.
#[derive(Clone, Copy)]
struct Class(&'static str, bool);

/// Letters and the characters in the text.
const fn letters_and(others: &'static str) -> Class {
    Class(others, false)
}

/// Letters, digits and the characters in the text.
const fn word_and(others: &'static str) -> Class {
    Class(others, true)
}

impl Class {
    fn has(self, c: char) -> bool {
        c.is_ascii_alphabetic() || (self.1 && c.is_ascii_digit()) || self.0.contains(c)
    }

    /// True if the text is one or more characters of the class.
    fn all(self, text: &str) -> bool {
        !text.is_empty() && text.chars().all(|c| self.has(c))
    }
}

/// True if the text starts with a letter or `_` and goes on with those and digits.
fn is_word(text: &str) -> bool {
    text.starts_with(|c| letters_and("_").has(c)) && word_and("_").all(text)
}

/// `Ok` if the argument is harmless, upstream's message otherwise.
fn safe(ok: bool, what: &'static str, value: &str, pattern: &'static str) -> Result<(), ArgError> {
    if ok { Ok(()) } else { Err(ArgError::Safety { what, value: value.to_owned(), pattern }) }
}

/// Checks the value of `TMPDIR` as upstream does: the path ends up in make's command line.
///
/// # Errors
/// [`ArgError::Safety`].
pub fn check_tmpdir(value: &str) -> Result<(), ArgError> {
    safe(word_and("-/._").all(value), "TMPDIR", value, "^[-/._0-9a-z]+$")
}

/// A decimal number as `strtoul` reads it: the whole word must be digits.
fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.trim_start().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_flags_share_a_name() {
        let (mut shorts, mut longs) = (BTreeSet::new(), BTreeSet::new());
        for flag in flags() {
            assert!(flag.short.is_some() || flag.long.is_some());
            if let Some(short) = flag.short {
                assert!(shorts.insert(short), "-{short} twice");
            }
            for long in flag.long.into_iter().chain(flag.alias) {
                assert!(longs.insert(long), "--{long} twice");
            }
        }
    }

    #[test]
    fn every_letter_of_stap_is_known() {
        // cmdline.h: STAP_SHORT_OPTIONS, with the letters that take an argument.
        let (all, with) = ("hVvtpIeEoRramkgPcxDbsuqiwldLFSBJjWGT", "pIeEoRramcxDsldLSBJGT");
        for letter in all.chars() {
            let flag = flags().find(|flag| flag.short == Some(letter));
            let flag = flag.unwrap_or_else(|| panic!("-{letter} is missing"));
            assert_eq!(matches!(flag.takes, Takes::Required(_)), with.contains(letter), "-{letter}");
        }
    }
}
