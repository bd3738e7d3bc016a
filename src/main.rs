//! `rstap`: a drop-in replacement for `stap`.

fn main() {}
