//! Passes that make the bound program smaller without changing what it does.
//!
//! Order of a run (elaborate.cxx: `semantic_pass`): [`before_types`], [`crate::types::infer`], [`after_types`].

mod control;
mod display;
mod duplicates;
pub mod effects;
pub(crate) mod fold;
mod merge;
pub(crate) mod rewrite;
mod stable;
mod statements;
mod stores;
mod unused;
mod void;

pub use display::{DeriveEnd, end_probe};

use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Probe, Program};
use crate::session::Session;
use crate::source::{ExpansionKind, FileKind, SourceMap, Token};
use crate::tree::Origin;
use crate::types::{self, TypeTable};

/// One round of the passes that repeat until nothing changes.
struct Round<'a> {
    session: &'a Session,
    sources: &'a SourceMap,
    /// Something changed in this round.
    changed: bool,
    /// Warnings are given in the first round only: what later rounds remove is a consequence.
    speaks: bool,
    warnings: Diagnostics,
}

impl Round<'_> {
    fn warn(&mut self, warning: Diagnostic) {
        if self.speaks {
            self.warnings.push(warning);
        }
    }

    /// True if the never-assigned warnings are wanted, which need suggestions.
    fn explains(&self) -> bool {
        self.speaks && !self.session.suppress_warnings
    }

    /// True if the user wrote it: not the tapset, and not the translator.
    fn in_user_file(&self, origin: &Origin) -> bool {
        is_user_token(self.sources, &origin.0)
    }
}

fn is_user_token(sources: &SourceMap, token: &Token) -> bool {
    matches!(sources.file(token.pos.file).kind, FileKind::User | FileKind::Extra)
        && !is_synthetic(sources, token)
}

/// True if the translator wrote it.
fn is_synthetic(sources: &SourceMap, token: &Token) -> bool {
    sources.file(token.pos.file).kind == FileKind::Synthetic
        || token.expansion.as_ref().is_some_and(|expansion| expansion.kind == ExpansionKind::Synthetic)
}

/// Everything that happens between resolution and type inference (elaborate.cxx: `semantic_pass_optimize1`): dead
/// code, constant folding and the early type errors. With `-u` only what later passes rely on.
///
/// Returns what is already known of types, for [`types::infer`].
pub fn before_types(
    session: &Session,
    sources: &SourceMap,
    program: &mut Program,
) -> (TypeTable, Diagnostics) {
    let mut table = TypeTable::declared(program);
    let mut diagnostics = Diagnostics::new();
    let mut empty = vec![false; program.probes.len()];
    let mut first = true;
    loop {
        let mut round = Round {
            session,
            sources,
            changed: false,
            speaks: first || session.verbosity[1] > 2,
            warnings: Diagnostics::new(),
        };
        first = false;
        let outcome = prune(&mut round, program, &mut table, &mut empty);
        diagnostics.append(std::mem::take(&mut round.warnings));
        if let Err(error) = outcome {
            diagnostics.push(*error);
            return (table, diagnostics);
        }
        let errors = types::early(session, program, &mut table, |program| {
            // Before 5.6 the early look went over everything again without folding first.
            if session.version.before(5, 6) {
                return Vec::new();
            }
            let moved = fold::fold_probes(program);
            if !session.unoptimized {
                control::unreachable_statements(&mut round, program);
            }
            moved
        });
        if errors.has_errors() {
            diagnostics.append(errors);
            break;
        }
        let settled = !round.changed;
        let mut warnings = Diagnostics::new();
        let folded = fold::fold(session, program, settled, &mut warnings);
        warnings.into_iter().for_each(|warning| round.warn(warning));
        round.changed |= folded;
        if !session.unoptimized {
            control::unreachable_statements(&mut round, program);
            control::unreachable_overloads(&mut round, program);
        }
        diagnostics.append(round.warnings);
        if !round.changed {
            break;
        }
    }
    if diagnostics.has_errors() {
        return (table, diagnostics);
    }
    // Listings too, since 5.6: of several aliases that lead to one place `-l` names the first, while `-L`, which implies
    // `-u`, names all.
    if !session.unoptimized && !session.version.before(5, 6) {
        let trace = (session.verbosity[1] > 1).then_some(&mut diagnostics);
        merge::merge_probes(program, &mut table, &mut empty, session.mode.is_dump(), trace);
    }
    drop_empty_probes(session, sources, program, &mut table, &empty, &mut diagnostics);
    (table, diagnostics)
}

fn prune(
    round: &mut Round<'_>,
    program: &mut Program,
    table: &mut TypeTable,
    empty: &mut [bool],
) -> Result<(), Box<Diagnostic>> {
    if !round.session.unoptimized {
        unused::functions(round, program, table);
        unused::variables(round, program, table);
        stores::dead_stores(round, program, table)?;
        statements::effect_free(round, program, table, empty);
        void::reduce(round, program);
    } else if !round.session.mode.is_dump() {
        unused::functions(round, program, table);
        void::reduce(round, program);
        control::unreachable_statements(round, program);
    }
    Ok(())
}

/// Drops probes whose handler does nothing. Synthetic ones stay.
fn drop_empty_probes(
    session: &Session,
    sources: &SourceMap,
    program: &mut Program,
    table: &mut TypeTable,
    empty: &[bool],
    diagnostics: &mut Diagnostics,
) {
    if session.unoptimized || session.mode.is_dump() {
        return;
    }
    let mut keep = Vec::with_capacity(empty.len());
    for (probe, &empty) in program.probes.iter().zip(empty) {
        keep.push(probe.synthetic || !empty);
        if empty && !probe.synthetic && !session.timing && !is_synthetic(sources, &probe.origin.0) {
            let name = probe.point.components.first().map_or("", |component| component.functor.as_str());
            let message = format!("Probe '{name}' has been elided");
            diagnostics.push(Diagnostic::warning("optimise.elided-probe", message).at(&probe.origin.0));
        }
    }
    rewrite::retain(&mut program.probes, &keep);
    rewrite::retain(&mut table.probe_locals, &keep);
}

/// Everything that happens between type inference and translation: automatic display, duplicate functions, stable
/// calls, the checks of arrays and statistics, and `no probes found`.
///
/// `derive_end` makes the probes of the display ([`DeriveEnd`]), whose texts are added to `sources`.
pub fn after_types(
    session: &Session,
    sources: &mut SourceMap,
    program: &mut Program,
    table: &mut TypeTable,
    derive_end: DeriveEnd<'_>,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if let Err(error) = finish(session, sources, program, table, derive_end) {
        diagnostics.push(*error);
        return diagnostics;
    }
    diagnostics.append(types::statistics(program, table));
    let counts = |probe: &Probe| probe.primary || session.version.before(5, 6);
    if !diagnostics.has_errors() && !session.mode.is_dump() && !program.probes.iter().any(counts) {
        diagnostics.push(Diagnostic::semantic("optimise.no-probes", "no probes found"));
    }
    diagnostics
}

fn finish(
    session: &Session,
    sources: &mut SourceMap,
    program: &mut Program,
    table: &mut TypeTable,
    derive_end: DeriveEnd<'_>,
) -> Result<(), Box<Diagnostic>> {
    types::no_statistics_in_c(program, table)?;
    display::add(session, sources, program, table, derive_end)?;
    if !session.unoptimized {
        duplicates::merge_functions(program, table);
        stable::memoise(program, table)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
