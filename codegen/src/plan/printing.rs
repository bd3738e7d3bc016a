//! What may print: only handlers that do pass their output on when they end.

use super::Plan;
use super::effects::tagged;
use super::ir::Op;
use super::verify::any;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// True if the steps may print: by themselves, or by something that is called. C that says that it is pure has no effects,
/// and output is one.
pub fn may_print(plan: &Plan, ops: &[Op]) -> bool {
    search(plan, ops, &RefCell::new(BTreeSet::new()))
}

fn search(plan: &Plan, ops: &[Op], seen: &RefCell<BTreeSet<usize>>) -> bool {
    any(ops, &|op| match op {
        Op::Print(_) | Op::PrintChar(_) | Op::PrintHist { .. } => true,
        Op::Code { code, .. } => !tagged(code, "pure"),
        Op::Format { format, .. } => plan.formats.get(*format).is_none_or(|format| format.to_stream),
        Op::Call(call) => {
            // A function that calls itself has been looked at, or is being.
            seen.borrow_mut().insert(call.function)
                && plan.functions.get(call.function).is_none_or(|function| match &function.code {
                    Some(code) => !tagged(&code.code, "pure"),
                    None => search(plan, &function.body.ops, seen),
                })
        }
        _ => false,
    })
}
