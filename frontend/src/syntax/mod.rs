//! Parsing: source text to [`ast::Script`].

pub mod ast;
