//! The proof that no loop runs without counting: on every way from a loop's top back to it, actions are counted.

use super::ir::{Label, LabelKind, Op};
use super::verify::any;
use std::collections::BTreeMap;

/// Whether actions were counted since the loop's top; `None` where nothing gets to.
type Counted = Option<bool>;

/// The first loop (its label) that can go round without counting an action. A walk over an array ends by itself, and
/// what a slice leaves out is not counted, as in stap; `foreach` only has to count in the rounds that it runs.
pub fn uncounted(ops: &[Op]) -> Option<Label> {
    for (at, op) in ops.iter().enumerate() {
        let found = match op {
            Op::Label(top) if top.kind == LabelKind::Top => {
                // A loop is in one list, from its label to the last jump there; without one it never goes round.
                let body = &ops[at + 1..];
                let end = body.iter().rposition(|op| *op == Op::Goto(*top));
                end.map(|end| &body[..=end]).filter(|body| !counts(*top, body)).map(|_| *top)
            }
            Op::If(_, then, otherwise) => uncounted(then).or_else(|| uncounted(otherwise)),
            Op::Try { body, handler, entry, .. } => {
                uncounted(body).or_else(|| uncounted(handler)).or_else(|| uncounted(entry))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn counts(top: Label, body: &[Op]) -> bool {
    if let [Op::UnlessCursor(..), ..] = body {
        // Only `foreach` has a place to continue at; deleting and looking up a slice are one statement each.
        let runs_statements =
            body.iter().any(|op| matches!(op, Op::Label(label) if label.kind == LabelKind::Continue));
        return !runs_statements || any(body, &|op| matches!(op, Op::Actions { .. }));
    }
    let mut flow = Flow { top, at_labels: BTreeMap::new(), always: true };
    flow.through(body, Some(false));
    flow.always
}

struct Flow {
    top: Label,
    /// What is known where jumps ahead arrive.
    at_labels: BTreeMap<String, bool>,
    /// No way back to the top without counting was found.
    always: bool,
}

impl Flow {
    fn through(&mut self, ops: &[Op], mut counted: Counted) -> Counted {
        for op in ops {
            counted = match op {
                Op::Actions { .. } => counted.map(|_| true),
                Op::Goto(label) => {
                    self.jump(*label, counted);
                    None
                }
                Op::UnlessCursor(_, label) | Op::UnlessNext(label) => {
                    self.jump(*label, counted);
                    counted
                }
                Op::Label(label) => meet(counted, self.at_labels.get(&label.name()).copied()),
                Op::If(_, then, otherwise) => {
                    let then = self.through(then, counted);
                    meet(then, self.through(otherwise, counted))
                }
                Op::Try { body, handler, entry, .. } => {
                    // An error can come before anything in the body was counted.
                    let ended = self.through(body, counted);
                    let caught = self.through(entry, counted);
                    meet(ended, self.through(handler, caught))
                }
                Op::Leave | Op::NextOverload => None,
                _ => counted,
            };
        }
        counted
    }

    fn jump(&mut self, label: Label, counted: Counted) {
        let Some(counted) = counted else { return };
        if label == self.top {
            self.always &= counted;
        } else {
            let known = self.at_labels.entry(label.name()).or_insert(true);
            *known &= counted;
        }
    }
}

fn meet(a: Counted, b: Counted) -> Counted {
    match (a, b) {
        (Some(a), Some(b)) => Some(a && b),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ir::Val;

    fn label(kind: LabelKind, number: u32) -> Label {
        Label { kind, number }
    }

    fn actions() -> Op {
        Op::Actions { count: 1, at: "x".to_owned().into() }
    }

    #[test]
    fn a_loop_that_counts_in_one_branch_only_is_found() {
        let top = label(LabelKind::Top, 0);
        let one_branch = Op::If(Val::Const(1), vec![actions()], Vec::new());
        assert_eq!(uncounted(&[Op::Label(top), one_branch.clone(), Op::Goto(top)]), Some(top));
        assert_eq!(uncounted(&[Op::Label(top), one_branch, actions(), Op::Goto(top)]), None);
        let both = Op::If(Val::Const(1), vec![actions()], vec![Op::Leave]);
        assert_eq!(uncounted(&[Op::Label(top), both, Op::Goto(top)]), None);
    }

    #[test]
    fn a_jump_past_the_counting_is_found() {
        let (top, next) = (label(LabelKind::Top, 0), label(LabelKind::Continue, 0));
        let past = Op::If(Val::Const(1), vec![Op::Goto(next)], Vec::new());
        let steps = [Op::Label(top), past.clone(), actions(), Op::Label(next), Op::Goto(top)];
        assert_eq!(uncounted(&steps), Some(top));
        let steps = [Op::Label(top), actions(), past, Op::Label(next), Op::Goto(top)];
        assert_eq!(uncounted(&steps), None);
    }

    #[test]
    fn a_caught_error_does_not_count_for_the_body() {
        let top = label(LabelKind::Top, 0);
        let attempt =
            |entry: Vec<Op>| Op::Try { body: vec![actions()], handler: Vec::new(), variable: None, entry };
        assert_eq!(uncounted(&[Op::Label(top), attempt(Vec::new()), Op::Goto(top)]), Some(top));
        assert_eq!(uncounted(&[Op::Label(top), attempt(vec![actions()]), Op::Goto(top)]), None);
    }

    #[test]
    fn inner_loops_are_looked_at_too() {
        let (outer, inner) = (label(LabelKind::Top, 0), label(LabelKind::Top, 1));
        let steps = [Op::Label(outer), actions(), Op::Label(inner), Op::Goto(inner), Op::Goto(outer)];
        assert_eq!(uncounted(&steps), Some(inner));
        let nested = Op::If(Val::Const(1), vec![Op::Label(inner), Op::Goto(inner)], Vec::new());
        assert_eq!(uncounted(&[nested]), Some(inner));
    }
}
