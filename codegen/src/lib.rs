//! Back half of the translator: a typed program in, C text for the installed runtime out.
//!
//! Two public functions, [`plan`](plan()) and [`emit`](emit()): the plan decides every name, temporary, lock, size and
//! order, the emitter only spells it. [`families`] holds what is special to each kind of probe.

pub mod emit;
pub mod families;
pub mod inspect;
pub mod plan;
pub mod regex;
pub mod symbols;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use emit::{CUnit, emit};
pub use families::check_groups;
pub use plan::frame::frame_sizes;
pub use plan::{Plan, check_regexes, plan};
