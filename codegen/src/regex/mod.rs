//! Regular expressions of the script language, compiled to C.
//!
//! pattern text -> [`parse`] -> tree -> [`nfa`] -> program -> [`subset`] or [`tagged`] -> [`tables`] -> [`emit`]
//!
//! What a pattern means is upstream's choice (stapregex*.cxx), and differs from both POSIX and Perl:
//! - The search is not anchored. The match reported is one that *ends* first, of these the one that starts first;
//!   it is then extended as long as some match with that same start ends later.
//! - Among the ways to match that span, sub-matches follow Perl's preference: earlier alternatives, more repetitions
//!   (single-byte alternatives count as one class in first place, and optional copies in `{n,m}` precede the others).
//! - A group the longer match does not pass through keeps what the shorter match gave it.
//!
//! Where upstream crashes or loops we differ: bytes from 0x80 up stand for themselves (there only "any such byte" is
//! known, and naming one is a crash), `($)*` ends, `(?:...)` does not ask for a colon, `{3,1}` is an error. And where
//! upstream loses track of which way was preferred (it merges states that differ in that alone) we do not.

mod ast;
mod charset;
mod cursor;
mod emit;
mod error;
mod nfa;
mod parse;
mod subset;
mod tables;
mod tagged;
#[cfg(test)]
mod tests;

pub use error::{RegexError, RegexErrorKind};
use tables::Tables;

/// Most levels of groups and postfix operators inside each other.
pub const MAX_DEPTH: usize = 250;
/// Most NFA instructions of a pattern after its repetitions are written out.
pub const MAX_INSTRUCTIONS: usize = 50_000;
/// Most states of an automaton.
pub const MAX_STATES: usize = 16_384;
/// Most NFA threads (times tags, in a tagged automaton) all states stand for together.
pub const MAX_THREADS: usize = 4_000_000;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Dfa {
    pattern: String,
    groups: u32,
    tables: Tables,
}

/// Where a subject matched: byte offsets, end exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captures {
    /// Group 0 is the whole match; `None` for a group that took no part. Empty if the automaton is not tagged.
    pub groups: Vec<Option<(usize, usize)>>,
}

/// Compiles `pattern`, the text between the quotes of a script string literal, C escapes still in it.
///
/// `tagged` automata record sub-matches. Upstream makes all automata of a script tagged as soon as any function
/// with `/* pragma:tagged_dfa */` is used, else none.
///
/// # Errors
/// Upstream's complaints about the text, and limits of ours on the automaton's size.
pub fn compile(pattern: &str, tagged: bool) -> Result<Dfa, RegexError> {
    let parsed = parse::parse(pattern.as_bytes(), tagged)?;
    let program = nfa::compile(&parsed.node)?;
    let tables = if tagged {
        tagged::determinise(&program, 2 * parsed.groups as usize)?
    } else {
        subset::determinise(&program)?
    };
    Ok(Dfa { pattern: pattern.to_owned(), groups: parsed.groups, tables })
}

impl Dfa {
    /// Searches `subject` up to its first NUL, reading the same tables as the C function in the same way.
    pub fn matches(&self, subject: &[u8]) -> Option<Captures> {
        let values = self.tables.run(subject, self.num_tags() as usize)?;
        let offset = |value: i64| usize::try_from(value).ok();
        let groups = values.chunks_exact(2).map(|pair| Some((offset(pair[0])?, offset(pair[1])?))).collect();
        Some(Captures { groups })
    }

    /// The pattern, as given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Groups that are recorded, the whole match included; 0 if not tagged.
    pub fn num_groups(&self) -> u32 {
        self.groups
    }

    /// Tags: two per group. `STAPREGEX_MAX_TAG` must be at least the largest of the script's automata.
    pub fn num_tags(&self) -> u32 {
        2 * self.groups
    }

    /// Registers per tag. `STAPREGEX_MAX_MAP` must be at least the largest of the script's automata.
    ///
    /// The C function uses `tag_states[STAPREGEX_MAX_TAG][STAPREGEX_MAX_MAP]` as one flat array.
    pub fn num_map_items(&self) -> u32 {
        match self.num_tags() {
            0 => 0,
            // One more for the current position.
            tags => (self.tables.registers + 1).div_ceil(tags),
        }
    }

    /// Appends a comment, the prototype and the C function
    /// `int NAME (struct context * __restrict__ c, const char *str)`, which returns 1 on a match and else 0.
    ///
    /// A tagged one also fills `c->last_match`, so the C before it must define `STAP_NEED_CONTEXT_SUBEXPRESSION`,
    /// as the tapset with `matched()` does. `MAXSTRINGLEN` must be defined; `longest` is the length of subjects that do
    /// not fit into a buffer.
    pub fn write_c(&self, name: &str, longest: Option<usize>, out: &mut String) {
        emit::write(self, name, longest, out);
    }
}
