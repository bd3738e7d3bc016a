//! Functions that nothing calls and variables that nothing reads or writes (elaborate.cxx: `semantic_pass_opt1`,
//! `semantic_pass_opt2`).

use super::Round;
use super::effects::{Effects, Variable};
use super::rewrite::{keep_functions, keep_globals, keep_locals};
use crate::diag::Diagnostic;
use crate::hir::{FunctionBody, FunctionId, Local, LocalId, ProbeId, Program};
use crate::resolve::suggest::similar;
use crate::types::{Owner, TypeTable, functions_by_name};
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// Drops functions that no handler reaches.
pub(super) fn functions(round: &mut Round<'_>, program: &mut Program, table: &mut TypeTable) {
    let reached = Effects::new(program).handlers_and_conditions(program).calls;
    let keep: Vec<bool> =
        (0..program.functions.len() as u32).map(|id| reached.contains(&FunctionId(id))).collect();
    if keep.iter().all(|&stays| stays) {
        return;
    }
    for id in functions_by_name(program) {
        let function = program.function(id);
        let cloned = function.name.starts_with("__clone_");
        if !keep[id.0 as usize] && !function.synthetic && !cloned && round.in_user_file(&function.origin) {
            let message = format!("Eliding unused function '{}'", function.name);
            round.warn(Diagnostic::warning("unused.function", message).at(&function.origin.0));
        }
    }
    keep_functions(program, table, &keep);
    round.changed = true;
}

/// Drops variables that are neither read nor written, and warns of those that are read only.
pub(super) fn variables(round: &mut Round<'_>, program: &mut Program, table: &mut TypeTable) {
    let found = Effects::new(program).handlers_and_conditions(program);
    let is_written = |variable: Variable| found.written.contains(&variable);
    let is_dead = |variable: Variable| !found.read.contains(&variable) && !is_written(variable);

    for index in 0..program.probes.len() {
        let owner = Owner::Probe(ProbeId(index as u32));
        let locals = &program.probes[index].body.locals;
        let keep = inspect_locals(round, program, owner, locals, 0, &is_dead, &is_written);
        if keep.contains(&false) {
            keep_locals(&mut program.probes[index].body, &mut table.probe_locals[index], &keep);
        }
    }
    for id in functions_by_name(program) {
        let index = id.0 as usize;
        let function = &program.functions[index];
        let FunctionBody::Script(body) = &function.body else { continue };
        let owner = Owner::Function(id);
        let keep =
            inspect_locals(round, program, owner, &body.locals, function.params, &is_dead, &is_written);
        if keep.contains(&false)
            && let FunctionBody::Script(body) = &mut program.functions[index].body
        {
            keep_locals(body, &mut table.function_locals[index], &keep);
        }
    }
    globals(round, program, table, &is_dead, &is_written);
}

/// Which locals stay. The first `params` ones are parameters, which always do.
fn inspect_locals(
    round: &mut Round<'_>,
    program: &Program,
    owner: Owner,
    locals: &[Local],
    params: usize,
    is_dead: &dyn Fn(Variable) -> bool,
    is_written: &dyn Fn(Variable) -> bool,
) -> Vec<bool> {
    let mut keep = vec![true; locals.len()];
    for (index, local) in locals.iter().enumerate().skip(params) {
        let variable = Variable::Local(owner, LocalId(index as u32));
        if local.synthetic {
            // Entry code fills only those that are there.
            keep[index] = !is_dead(variable);
            continue;
        }
        if is_dead(variable) {
            round.eliding_variable(&local.name, &local.origin);
            keep[index] = false;
            round.changed = true;
        } else if !is_written(variable) && round.explains() {
            let others = locals.iter().enumerate().filter(|(other, _)| keep[*other]);
            let mut names: BTreeSet<SmolStr> = others.map(|(_, other)| other.name.clone()).collect();
            names.extend(global_names(program));
            names.remove(&local.name);
            round.never_assigned("local", &local.name, &names, &local.origin);
        }
    }
    keep
}

fn globals(
    round: &mut Round<'_>,
    program: &mut Program,
    table: &mut TypeTable,
    is_dead: &dyn Fn(Variable) -> bool,
    is_written: &dyn Fn(Variable) -> bool,
) {
    let mut keep = vec![true; program.globals.len()];
    for (index, global) in program.globals.iter().enumerate() {
        let variable = Variable::Global(crate::hir::GlobalId(index as u32));
        if is_dead(variable) {
            round.eliding_variable(&global.name, &global.origin);
            keep[index] = false;
        } else if !is_written(variable) && global.init.is_none() && round.explains() {
            let overrides = &round.session.global_overrides;
            if overrides.iter().any(|(name, _)| *name == global.name) {
                continue;
            }
            let others = program.globals.iter().zip(&keep).filter(|(_, keep)| **keep);
            // The variable itself stays among the candidates, as upstream has it, and so do private ones.
            let names: BTreeSet<SmolStr> = others
                .filter(|(other, _)| other.name != global.mangled)
                .map(|(other, _)| other.name.clone())
                .collect();
            round.never_assigned("global", &global.name, &names, &global.origin);
        }
    }
    if keep.contains(&false) {
        keep_globals(program, table, &keep);
        round.changed = true;
    }
}

fn global_names(program: &Program) -> impl Iterator<Item = SmolStr> + '_ {
    program.globals.iter().map(|global| global.name.clone())
}

impl Round<'_> {
    fn eliding_variable(&mut self, name: &str, origin: &crate::tree::Origin) {
        if self.in_user_file(origin) {
            let message = format!("Eliding unused variable '{name}'");
            self.warn(Diagnostic::warning("unused.variable", message).at(&origin.0));
        }
    }

    fn never_assigned(
        &mut self,
        kind: &str,
        name: &str,
        names: &BTreeSet<SmolStr>,
        origin: &crate::tree::Origin,
    ) {
        let similar = similar(name, names);
        let message = format!("never-assigned {kind} variable '{name}'{similar}");
        self.warn(Diagnostic::warning("unused.never-assigned", message).at(&origin.0));
    }
}
