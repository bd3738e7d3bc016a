//! The installed runtime's surface: what it has, what it lacks on a kernel, how to build against it and load the result.
//!
//! This crate is pure: it reads through [`files::Files`] and gives files to write and commands to run as data. The
//! driver (or `examples/trial.rs`, which does all of this) calls it in this order:
//!
//! 1. [`text::RuntimeText::read`] the runtime directory, once. [`profile::RuntimeProfile::sniff`] it, with the level
//!    from [`profile::staprun_level`] of the installed `staprun`; [`profile::RuntimeProfile::check_staprun`]. The
//!    profile is what the emitter asks for every difference between runtimes.
//! 2. [`kernel::KernelTree::read`] the build tree. Its `release`, `exports`, `functions` and `config` serve pass 2.
//! 3. STAPCONF. Look for [`cache::stapconf_key`] in the cache (the compiler's file is found by
//!    [`kernel::Compiler::program`]); if there is a header,
//!    [`stapconf::Stapconf::parse`] it. Else run [`stapconf::flag_query`] in an empty directory,
//!    [`stapconf::KernelFlags::parse`] its output, make a [`stapconf::Plan`], run
//!    [`stapconf::CompileTest::command`] of all its tests (in parallel), [`stapconf::CompileTest::judge`] each
//!    outcome, [`stapconf::Plan::finish`], [`stapconf::Stapconf::check`] (broken tests stop), and cache
//!    [`stapconf::Stapconf::header`].
//! 4. With a [`repairs::Situation`] of these four: [`repairs::check`], then [`repairs::remedies`].
//!    ([`repairs::list`] is for printing.)
//! 5. Pass 4. [`cache::module_key`] of a [`kbuild::ModuleBuild`] gives the module's name; if it is not in the cache,
//!    [`kbuild::ModuleBuild::plan`], make its links, write its files, run its command, and on failure
//!    [`kbuild::diagnose`] the log.
//! 6. Pass 5. [`staprun::refuse`], then [`staprun::Run::command`]; [`staprun::RunResult::of`] its end.
//!
//! Generated code has one duty towards the shim, see [`abi::SHIM_INIT`].

pub mod abi;
pub mod cache;
pub mod command;
pub mod files;
pub mod kbuild;
pub mod kernel;
pub mod profile;
pub mod repairs;
pub mod stapconf;
pub mod staprun;
pub mod text;
