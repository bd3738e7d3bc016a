//! `--check-version`: which of the declarations in use stand behind conditions about `systemtap_v` (elaborate.cxx:
//! `semantic_pass_symbols`; parse.cxx decides which declarations that are).

use super::Resolver;
use super::alias::Link;
use super::derive::Derived;
use super::functions::Identity;
use crate::diag::Diagnostic;
use crate::source::Token;

fn warning(site: &'static str, what: &str, token: &Token) -> Diagnostic {
    let message = format!("This {what} uses tapset constructs that are dependent on systemtap version");
    Diagnostic::warning(site, message).at(token)
}

impl Resolver<'_> {
    /// Notes the warnings about a derived probe: for each step of its derivation, the aliases' first.
    pub(super) fn check_version_of_probe(&mut self, link: &Link, derived: &Derived) {
        if !self.session.check_version {
            return;
        }
        for step in link.chain() {
            if let Some(alias) = &step.alias
                && let (file, index) = alias.id
                && let Some(script) = self.scripts.get(&file)
                && script.version_dependent.aliases.contains(&index)
                && let Some(alias) = script.aliases.get(index)
            {
                self.version_warnings.push(warning("version/alias", "alias", &alias.origin.0));
            }
            if step.version_dependent {
                // A point in between is that of a copy of the declaration, which has the same mark.
                let copies = 1 + usize::from(derived.via.is_some() && link.parent.is_none());
                let about = warning("version/probe", "probe", &step.origin);
                self.version_warnings.extend(std::iter::repeat_n(about, copies));
            }
        }
    }

    /// Raises all warnings, in upstream's order: globals, functions by their names, probes.
    pub(super) fn check_version(&mut self) {
        if !self.session.check_version {
            return;
        }
        let mut globals: Vec<_> = self
            .global_ids
            .iter()
            .filter(|((file, index), _)| {
                let script = self.scripts.get(file);
                script.is_some_and(|script| script.version_dependent.globals.contains(index))
            })
            .map(|(_, id)| *id)
            .collect();
        globals.sort();
        let mut functions: Vec<_> = self
            .function_ids
            .iter()
            .filter(|((identity, _), _)| match identity {
                Identity::Script(file, index) => {
                    let script = self.scripts.get(file);
                    script.is_some_and(|script| script.version_dependent.functions.contains(index))
                }
                Identity::Brought(_) => false,
            })
            .map(|(_, id)| self.program.function(*id))
            .collect();
        functions.sort_by(|left, right| left.mangled.cmp(&right.mangled));
        for id in globals {
            let origin = &self.program.global(id).origin;
            self.diagnostics.push(warning("version/global", "global", &origin.0));
        }
        for function in functions {
            self.diagnostics.push(warning("version/function", "function", &function.origin.0));
        }
        for about in std::mem::take(&mut self.version_warnings) {
            self.diagnostics.push(about);
        }
    }
}
