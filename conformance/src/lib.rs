//! The lab and the comparison with stap, as a library: what `cargo lab` and other tests are made of.
//!
//! Everything here may touch the operating system; none of it depends on the translator's own crates, so the
//! lab can judge `rstap` and `stap` by the same measure.

pub mod case;
pub mod dejagnu;
pub mod end_to_end;
pub mod lab;
pub mod live;
pub mod random;
pub mod report;
pub mod suite;
pub mod tool;
