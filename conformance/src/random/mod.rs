//! Random programs: what a script does must be what stap would make it do, also for scripts that nobody thought of.
//!
//! [`generate`] makes a program from a seed: well-typed, ending by itself, and with output that does not depend on time
//! or processor. What stap leaves to its C compiler (see "Where scripts can tell" in the README) it does not use. A program
//! is a [`tree::Program`], which prints itself and of which [`shrink`] makes smaller ones. [`check`] runs both tools on
//! programs: in pass 2 (cheap: thousands), and in the VM, where many modules share a boot.
//!
//! To add a construct, add it to the list of weights of its kind: expressions in `generate/long.rs` and `generate/text.rs`,
//! statements in `generate/statement.rs` and `generate/walk.rs`, declarations in `generate/declare.rs`.

pub mod check;
pub mod dice;
pub mod generate;
pub mod shrink;
pub mod tree;
