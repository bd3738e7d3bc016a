//! What a file defines, as far as others can see it.

use frontend::resolve::derive::Param;
use frontend::resolve::library::signature;
use frontend::syntax::ast::Script;
use smol_str::SmolStr;
use std::collections::HashSet;

/// Names that a file defines for other files, in source order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// True if the file has errors: then it defines nothing.
    pub broken: bool,
    /// True if what the file defines may depend on the script's arguments, so that it cannot be kept for other runs.
    pub volatile: bool,
    /// Functions that are not private; one entry for each name.
    pub functions: Vec<SmolStr>,
    /// Globals that are not private.
    pub globals: Vec<SmolStr>,
    /// Components of each name of each alias, with the index of the alias.
    pub aliases: Vec<(usize, Vec<(SmolStr, Param)>)>,
}

impl Summary {
    /// What a script defines.
    pub fn of(script: &Script) -> Self {
        let mut seen = HashSet::new();
        let public = script.functions.iter().filter(|function| !function.private);
        let functions =
            public.map(|function| function.name.clone()).filter(|name| seen.insert(name.clone())).collect();
        let globals = script
            .globals
            .iter()
            .filter(|global| !global.private)
            .map(|global| global.name.clone())
            .collect();
        let mut aliases = Vec::new();
        for (index, alias) in script.aliases.iter().enumerate() {
            aliases.extend(alias.names.iter().map(|name| (index, signature(name))));
        }
        Summary { broken: false, volatile: false, functions, globals, aliases }
    }
}
