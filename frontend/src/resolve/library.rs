//! What `resolve` asks of the tapset: which file defines a name, and that file's tree.
//!
//! `tapset-loader` implements it over an index on disk; only files that a script reaches are parsed.

use crate::diag::Diagnostics;
use crate::resolve::derive::Param;
use crate::source::FileId;
use crate::syntax::ast::Script;
use smol_str::SmolStr;
use std::sync::Arc;

/// The signature of an alias of a library file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasEntry {
    /// Components of its name.
    pub components: Vec<(SmolStr, Param)>,
    /// The file.
    pub file: FileId,
    /// Index into [`Script::aliases`] of that file.
    pub alias: usize,
}

/// The files of the tapset search path.
pub trait Library: Sync {
    /// Files with a function of that name that is not private, in search order; one entry for each file.
    fn functions(&self, name: &str) -> &[FileId];

    /// Files with a global of that name that is not private, in search order.
    fn globals(&self, name: &str) -> &[FileId];

    /// Every alias of every file, in search order.
    fn aliases(&self) -> &[AliasEntry];

    /// Names of all functions that are not private, sorted, for suggestions and `--dump-functions`.
    fn function_names(&self) -> Vec<SmolStr>;

    /// Names of all globals that are not private, sorted, for suggestions.
    fn global_names(&self) -> Vec<SmolStr>;

    /// Every `.stp` file, in search order.
    fn files(&self) -> Vec<FileId>;

    /// The tree of a file, parsed on the first call. A file that does not parse gives what could be parsed of it.
    fn script(&self, file: FileId) -> Arc<Script>;

    /// The file's name as messages print it; `None` if it is not a file of the library.
    fn name(&self, file: FileId) -> Option<SmolStr> {
        let _ = file;
        None
    }

    /// Warnings raised by parsing since the last call.
    fn take_diagnostics(&self) -> Diagnostics;
}
