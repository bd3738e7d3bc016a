//! Which tapset files a session reads, and what they define.
//!
//! [`paths`] finds the files, [`summary`] says what a file defines, [`index`] keeps that from run to run, and [`Tapset`] answers the questions of `resolve`
//! ([`frontend::resolve::library::Library`]): which file defines a name, and that file's tree, parsed when first asked for.

pub mod index;
pub mod paths;
pub mod summary;
mod tapset;

pub use tapset::{Loaded, Tapset, load};
