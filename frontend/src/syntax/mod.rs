//! Parsing: source text to [`ast::Script`].
//!
//! In order: `token` and `lexer` cut bytes into tokens, `preprocess` evaluates conditionals and macros, `classify` says
//! what each token means where it stands, `grammar.lalrpop` puts them together, and `builder` makes the nodes.

pub mod ast;
mod brackets;
mod build_expr;
mod build_stmt;
mod builder;
mod class;
mod classify;
mod condition;
mod context;
pub mod dump;
#[cfg(test)]
mod error_tests;
mod errors;
mod fault;
mod format;
mod lexer;
#[cfg(test)]
mod limit_tests;
mod operators;
mod parse;
mod preprocess;
mod statistic;
#[cfg(test)]
mod tests;
mod token;
mod words;

pub(crate) use condition::strverscmp;
pub use parse::{DEFINED_AGAIN, Parse, parse, parse_macros, parse_probe_pattern, tokens};
pub use preprocess::LibraryMacros;

#[allow(clippy::all, clippy::panic, clippy::unwrap_used, missing_docs, unused)]
mod grammar {
    lalrpop_util::lalrpop_mod!(generated, "/syntax/grammar.rs");
    pub(super) use generated::ScriptParser;
}

use crate::session::{Session, Version};
use crate::source::SourceFile;

/// Which level of the language a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gates {
    /// Major and minor version; `None` if everything is allowed.
    level: Option<(u32, u32)>,
}

impl Gates {
    /// The gates for a file: `--compatible` closes some, but not for the built-in tapset.
    fn new(session: &Session, source: &SourceFile) -> Self {
        let built_in = source.kind.is_library()
            && session
                .tapset_roots
                .first()
                .is_some_and(|root| root.to_str().is_some_and(|root| source.name.starts_with(root)));
        let Version(_) = &session.compatible;
        Gates { level: (!built_in).then(|| session.compatible.major_minor()) }
    }

    /// True if what came with version `major.minor` is allowed.
    pub(crate) fn has(self, major: u32, minor: u32) -> bool {
        self.level.is_none_or(|level| level >= (major, minor))
    }
}
