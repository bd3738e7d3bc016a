//! Postconditions of a plan: what the emitter and the kernel rely on.

use super::ir::Op;
use super::{Plan, loops};
use frontend::diag::Diagnostic;
use std::collections::BTreeSet;

/// Checks a plan.
///
/// # Errors
/// The first thing that is wrong; always a mistake of the planner.
pub fn verify(plan: &Plan) -> Result<(), Box<Diagnostic>> {
    let broken =
        |what: &str| Err(Box::new(Diagnostic::semantic("plan:verify", format!("internal error: {what}"))));
    let mut names = BTreeSet::new();
    for function in &plan.functions {
        if !names.insert(&function.c_name) {
            return broken(&format!("two functions are called {}", function.c_name));
        }
    }
    for probe in &plan.probes {
        if !probe.locks.is_sorted_by_key(|lock| lock.global) {
            return broken(&format!("locks of probe {} are out of order", probe.index));
        }
        if probe.locks.is_empty()
            && any(&probe.body.ops, &|op| matches!(op, Op::FirstLock | Op::Lock | Op::Unlock))
        {
            return broken(&format!("probe {} locks without a table", probe.index));
        }
    }
    if plan.settings.suppress_time_limits {
        let counted = |ops: &[Op]| any(ops, &|op| matches!(op, Op::Actions { .. }));
        if plan.probes.iter().any(|probe| counted(&probe.body.ops))
            || plan.functions.iter().any(|function| counted(&function.body.ops))
        {
            return broken("actions are counted although time limits are suppressed");
        }
    } else {
        let probes = plan.probes.iter().map(|probe| &probe.body);
        let bodies = probes.chain(plan.functions.iter().map(|function| &function.body));
        if let Some(top) = bodies.filter_map(|body| loops::uncounted(&body.ops)).next() {
            return broken(&format!("the loop {} counts no actions", top.name()));
        }
    }
    Ok(())
}

/// True if a step, however deep, is of some kind.
pub fn any(ops: &[Op], test: &dyn Fn(&Op) -> bool) -> bool {
    ops.iter().any(|op| {
        test(op)
            || match op {
                Op::If(_, then, otherwise) => any(then, test) || any(otherwise, test),
                Op::Try { body, handler, entry, .. } => {
                    any(body, test) || any(handler, test) || any(entry, test)
                }
                _ => false,
            }
    })
}
