//! The bodies of a program, one by one: functions, probes, the conditions that probes change.

use super::effects::tagged;
use super::lower::{Context, Duty, Lowerer, Planned, Tables};
use super::{CodePlan, ConditionPlan, FunctionPlan, ProbePlan, actions, locks, names, storage};
use crate::families::{self, Group};
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::hir::{FunctionBody, GlobalId, Probe, dump};
use frontend::resolve::point_text;
use frontend::source::Pos;
use frontend::types::Owner;
use std::collections::BTreeSet;

/// Plans bodies and keeps what goes wrong, so that one run reports every fault.
pub struct Planner<'a> {
    /// The program.
    pub cx: &'a Context<'a>,
    /// Formats and patterns of all bodies.
    pub tables: Tables,
    /// Faults.
    pub diagnostics: Diagnostics,
}

impl<'a> Planner<'a> {
    /// Plans every function.
    pub fn functions(&mut self) -> Vec<FunctionPlan> {
        let functions = &self.cx.program.functions;
        (0..functions.len()).filter_map(|index| self.collect(|this| this.function(index))).collect()
    }

    /// Plans every probe.
    pub fn probes(&mut self) -> Vec<ProbePlan> {
        let locks = locks::Table::new(self.cx);
        let count = self.cx.program.probes.len();
        let mut probes: Vec<ProbePlan> =
            (0..count).filter_map(|index| self.collect(|this| this.probe(index, &locks))).collect();
        if !self.cx.session.unoptimized {
            share_handlers(self.cx, &mut probes);
        }
        probes
    }

    fn collect<T>(&mut self, build: impl FnOnce(&mut Self) -> Planned<T>) -> Option<T> {
        match build(self) {
            Ok(value) => Some(value),
            Err(diagnostic) => {
                self.diagnostics.push(*diagnostic);
                None
            }
        }
    }

    /// Statements of a body that can be checked once at its entry.
    fn precheck(&self, count: Option<u32>) -> Option<u32> {
        if self.cx.session.suppress_time_limits || self.cx.session.unoptimized { None } else { count }
    }

    fn function(&mut self, index: usize) -> Planned<FunctionPlan> {
        let cx = self.cx;
        let function = &cx.program.functions[index];
        let id = frontend::hir::FunctionId(index as u32);
        let owner = Owner::Function(id);
        let result = cx.types.results.get(index).copied().unwrap_or_default();
        let precheck = self.precheck(actions::count_function(cx.program, id));
        let (body, code) = match &function.body {
            FunctionBody::Script(script) => {
                let counted = precheck.is_none() && !cx.session.suppress_time_limits;
                let mut lowerer = Lowerer::new(cx, &mut self.tables, owner, counted, None);
                lowerer.body(&script.root, Duty::default())?;
                let body = storage::plan_body(
                    &script.locals,
                    &cx.types.function_locals[index],
                    function.params,
                    &cx.params[index].pointers,
                    storage::has_embedded(&script.root),
                    cx.recursive[index],
                    lowerer,
                );
                (body, None)
            }
            FunctionBody::Embedded { locals, code, globals, origin } => {
                let types = &cx.types.function_locals[index];
                let body = storage::plan_embedded(locals, types, &cx.params[index].pointers);
                let announced = cx.announce_statements.then(|| names::position(cx.sources, &origin.0).into());
                (body, Some(CodePlan { code: code.clone(), globals: globals.clone(), position: announced }))
            }
        };
        let arg_macros = function
            .locals()
            .iter()
            .zip(&body.locals)
            .filter(|(_, plan)| plan.in_frame())
            .map(|(local, plan)| (local.name.clone(), plan.c_name.clone()))
            .collect();
        let old_style = cx.session.compatible.before(1, 8)
            || code.as_ref().is_some_and(|plan| tagged(&plan.code, "unmangled"));
        Ok(FunctionPlan {
            c_name: names::function(function, index),
            name: function.name.clone(),
            position: names::position(cx.sources, &function.origin.0).into(),
            blame: names::blame(cx.sources, &function.origin.0).into(),
            result,
            params: function.params,
            body,
            code,
            precheck: precheck.filter(|&count| count > 0),
            arg_macros,
            old_style,
        })
    }

    fn probe(&mut self, index: usize, table: &locks::Table) -> Planned<ProbePlan> {
        let cx = self.cx;
        let probe = &cx.program.probes[index];
        let Some(family) = families::family(probe.family) else {
            let message = format!("no such probe family: {}", probe.family);
            return Err(Box::new(Diagnostic::semantic("plan:family", message).at(&probe.origin.0)));
        };
        let group = family.group(probe);
        let mechanism = group.map(families::mechanism);
        let takes_locks = mechanism.is_some_and(families::Mechanism::takes_locks);
        let id = frontend::hir::ProbeId(index as u32);
        let owner = Owner::Probe(id);
        let conditioned = table.conditions_of(index);
        let lock_table = if takes_locks { table.of_probe(index) } else { Vec::new() };
        let locked: BTreeSet<GlobalId> = lock_table.iter().map(|lock| lock.global).collect();
        let precheck = self.precheck(actions::count_stmt(cx.program, &probe.body.root));
        let counted = precheck.is_none() && !cx.session.suppress_time_limits;
        let mut lowerer = Lowerer::new(cx, &mut self.tables, owner, counted, takes_locks.then_some(locked));
        // With conditions to update, the locks are held until that is done.
        let duty =
            Duty { lock: !lock_table.is_empty(), unlock: !lock_table.is_empty() && conditioned.is_empty() };
        lowerer.body(&probe.body.root, duty)?;
        let mut conditions = Vec::new();
        let mut body_ops = lowerer.take_ops();
        locks::simplify(&mut body_ops);
        for &other in conditioned {
            let Some(condition) = &cx.program.probes[other].condition else { continue };
            let value = lowerer.condition(condition)?;
            conditions.push(ConditionPlan {
                probe: other,
                ops: lowerer.take_ops(),
                value,
                on_the_fly: families::family(cx.program.probes[other].family)
                    .and_then(|family| family.group(&cx.program.probes[other]))
                    .is_some_and(|group| families::mechanism(group).on_the_fly().supported),
            });
        }
        let embedded = storage::has_embedded(&probe.body.root);
        let types = &cx.types.probe_locals[index];
        let mut body = storage::plan_body(&probe.body.locals, types, 0, &[], embedded, false, lowerer);
        body.ops = body_ops;
        let point = dump::final_point(cx.program, cx.types, cx.sources, &cx.session.version, probe);
        let script_point = match &probe.lineage.script_point {
            Some(point) => point_text(point, true),
            None => point.clone(),
        };
        let at = probe.origin.0.pos;
        // Upstream reads the text of a synthetic probe as if it were a file of its own, which has the other's name
        // (parse.cxx: parse_synthetic_probe).
        let at = if probe.synthetic { Pos { offset: 0, ..at } } else { at };
        Ok(ProbePlan {
            index,
            handler: group.map(|_| format!("probe_{index}")),
            owns_handler: group.is_some(),
            point,
            script_point,
            position: cx.sources.describe(at).into(),
            derivation: derivation(probe),
            body,
            locks: lock_table,
            takes_locks,
            precheck: precheck.filter(|&count| count > 0),
            conditions,
            prologue: family.prologue(probe),
            group,
        })
    }
}

fn is_for_everyone(probe: &ProbePlan) -> bool {
    probe.group.is_some_and(Group::is_for_everyone)
}

/// The points that a probe comes from, without marks and conditions (elaborate.cxx: `derived_locations`).
fn derivation(probe: &Probe) -> String {
    let chain =
        if probe.derivation.is_empty() { dump::point(&probe.point) } else { dump::derived_from(probe) };
    format!(" from: {chain}")
}

/// Probes whose handlers do the same share the first one's, and so the places that errors name
/// (translate.cxx: `get_probe_dupe`).
fn share_handlers(cx: &Context<'_>, probes: &mut [ProbePlan]) {
    // Different texts may come to the same steps, but upstream looks at the text.
    let text = |probe: &ProbePlan| {
        let body = &cx.program.probes[probe.index].body;
        dump::body(cx.program, cx.types, cx.sources, &cx.session.version, body)
    };
    for later in 1..probes.len() {
        let (before, rest) = probes.split_at_mut(later);
        let Some(probe) = rest.first_mut() else { continue };
        let same = before.iter().find(|other| {
            other.owns_handler
                && probe.owns_handler
                && !probe.body.has_entry_locals
                && is_for_everyone(other) == is_for_everyone(probe)
                && other.takes_locks == probe.takes_locks
                && other.body == probe.body
                && other.locks == probe.locks
                && other.conditions == probe.conditions
                && other.prologue == probe.prologue
                && text(other) == text(probe)
        });
        if let Some(other) = same {
            probe.handler = other.handler.clone();
            probe.owns_handler = false;
        }
    }
}
