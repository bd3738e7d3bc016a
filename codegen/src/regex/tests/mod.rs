//! Tests of the regular-expression compiler.

mod c_code;
mod captures;
mod errors;
mod second_engine;
mod simulation;

use super::{Captures, compile};

/// Runs a tagged automaton; a failed search is `None`.
fn search(pattern: &str, subject: &str) -> Option<Captures> {
    compile(pattern, true).unwrap_or_else(|error| panic!("{pattern:?}: {error}")).matches(subject.as_bytes())
}
