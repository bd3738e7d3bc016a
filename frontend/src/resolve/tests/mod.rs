//! Tests of the whole engine, by concept.

mod aliases;
mod names;
mod points;
mod support;
mod targets;
mod version;
