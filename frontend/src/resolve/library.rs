//! What `resolve` asks of the tapset: which file defines a name, and that file's tree.
//!
//! `tapset-loader` implements it over an index on disk; only files that a script reaches are parsed.

use crate::diag::Diagnostics;
use crate::resolve::derive::Param;
use crate::source::FileId;
use crate::syntax::ast::{Component, ProbePoint, Script};
use crate::tree::Literal;
use smol_str::SmolStr;
use std::collections::BTreeMap;
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

/// What tells the name of an alias from that of another: its components, each with the kind of its argument.
pub fn signature(name: &ProbePoint) -> Vec<(SmolStr, Param)> {
    let component = |component: &Component| {
        let param = match &component.arg {
            None => Param::None,
            Some(Literal::String(_)) => Param::String,
            Some(Literal::Number(_) | Literal::Address(_)) => Param::Number,
        };
        (component.functor.clone(), param)
    };
    name.components.iter().map(component).collect()
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

/// A library whose files are all parsed, in the order in which they were added: for tests and tools that have no disk.
#[derive(Debug, Default)]
pub struct MemoryLibrary {
    scripts: BTreeMap<FileId, (SmolStr, Arc<Script>)>,
    functions: BTreeMap<SmolStr, Vec<FileId>>,
    globals: BTreeMap<SmolStr, Vec<FileId>>,
    aliases: Vec<AliasEntry>,
}

impl MemoryLibrary {
    /// Adds a file under the name that messages give it. Its number is [`Script::file`], and must not be there yet.
    pub fn add(&mut self, name: &str, script: Script) {
        let file = script.file;
        for function in script.functions.iter().filter(|function| !function.private) {
            let files = self.functions.entry(function.name.clone()).or_default();
            if files.last() != Some(&file) {
                files.push(file);
            }
        }
        for global in script.globals.iter().filter(|global| !global.private) {
            self.globals.entry(global.name.clone()).or_default().push(file);
        }
        for (alias, declared) in script.aliases.iter().enumerate() {
            for name in &declared.names {
                self.aliases.push(AliasEntry { components: signature(name), file, alias });
            }
        }
        self.scripts.insert(file, (name.into(), Arc::new(script)));
    }
}

impl Library for MemoryLibrary {
    fn functions(&self, name: &str) -> &[FileId] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    fn globals(&self, name: &str) -> &[FileId] {
        self.globals.get(name).map_or(&[], Vec::as_slice)
    }

    fn aliases(&self) -> &[AliasEntry] {
        &self.aliases
    }

    fn function_names(&self) -> Vec<SmolStr> {
        self.functions.keys().cloned().collect()
    }

    fn global_names(&self) -> Vec<SmolStr> {
        self.globals.keys().cloned().collect()
    }

    fn files(&self) -> Vec<FileId> {
        self.scripts.keys().copied().collect()
    }

    fn script(&self, file: FileId) -> Arc<Script> {
        self.scripts
            .get(&file)
            .map_or_else(|| Arc::new(Script::new(file, true)), |(_, script)| script.clone())
    }

    fn name(&self, file: FileId) -> Option<SmolStr> {
        self.scripts.get(&file).map(|(name, _)| name.clone())
    }

    fn take_diagnostics(&self) -> Diagnostics {
        Diagnostics::new()
    }
}
