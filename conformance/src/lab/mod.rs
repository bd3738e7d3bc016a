//! The lab: Debian roots, commands inside them, and microVMs that boot their kernels.
//!
//! In reading order: where things are kept ([`place`]), what the host needs ([`host`]), what a root is and how
//! it is made ([`root`], [`recipe`]), how a command runs in one ([`enter`], [`bounded`]), and how its kernel is
//! booted ([`initrd`], [`accel`], [`vm`]) to run jobs ([`batch`]) whose kernel messages are judged
//! ([`kernel_log`]).

pub mod accel;
pub mod batch;
pub mod bounded;
pub mod enter;
pub mod error;
pub mod host;
pub mod initrd;
pub mod kernel_log;
pub mod place;
pub mod progress;
pub mod recipe;
pub mod root;
pub mod symbols;
pub mod vm;

pub use error::{IoContext, LabError, Result};
pub use place::Lab;
pub use root::{Root, Suite};
