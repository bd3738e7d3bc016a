//! The lab command: roots, probe VMs, tests and suites.

fn main() {}
