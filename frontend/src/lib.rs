//! Pure front half of the translator: text in, typed program out.
//!
//! Modules in reading order: what a run is told (`session`, `world`, `source`), how it complains (`diag`),
//! the tree that both phases share (`tree`), parsing (`syntax`), the bound program (`hir`), and the passes over it
//! (`resolve`, `types`, `optimise`).

pub mod diag;
pub mod session;
pub mod source;
pub mod wildcard;
pub mod world;

pub mod tree;

pub mod syntax;

pub mod hir;

pub mod resolve;

pub mod types;

pub mod optimise;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
