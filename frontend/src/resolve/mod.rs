//! Names to ids: symbols, aliases, probe points, and whatever they pull in from the tapset.

pub mod derive;
pub mod executable;
pub mod library;
