//! Which globals each probe locks, in one order for all probes: the order of the globals.

use super::effects::Effects;
use super::ir::Op;
use super::lower::Context;
use super::verify::any;
use crate::families;
use frontend::hir::GlobalId;
use frontend::types::Type;

/// One lock of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockPlan {
    /// Whose lock.
    pub global: GlobalId,
    /// Exclusive.
    pub write: bool,
}

/// Locks and condition updates of all probes.
#[derive(Debug)]
pub struct Table {
    probes: Vec<Vec<LockPlan>>,
    conditions: Vec<Vec<usize>>,
}

impl Table {
    /// Computes both for a program.
    pub fn new(cx: &Context<'_>) -> Self {
        let program = cx.program;
        let bodies: Vec<Effects> =
            program.probes.iter().map(|probe| cx.effects.of_stmt(&probe.body.root)).collect();
        let condition_effects: Vec<Option<Effects>> = program
            .probes
            .iter()
            .map(|probe| probe.condition.as_ref().map(|condition| cx.effects.of_expr(condition)))
            .collect();
        let conditions: Vec<Vec<usize>> = program
            .probes
            .iter()
            .zip(&bodies)
            .map(|(probe, body)| {
                condition_effects
                    .iter()
                    .enumerate()
                    .filter(|(_, condition)| {
                        condition.as_ref().is_some_and(|condition| {
                            !condition.reads.is_disjoint(&body.writes)
                                || (probe.lineage.evaluates_conditions && !condition.reads.is_empty())
                        })
                    })
                    .map(|(index, _)| index)
                    .collect()
            })
            .collect();
        // Begin, end and error probes run alone and take no locks. What only they write need not be locked to be read.
        let mut locked = Effects::default();
        let takes_locks: Vec<bool> = program
            .probes
            .iter()
            .map(|probe| {
                families::family(probe.family)
                    .and_then(|family| family.group(probe))
                    .is_some_and(|group| families::mechanism(group).takes_locks())
            })
            .collect();
        for (body, takes) in bodies.iter().zip(&takes_locks) {
            if *takes {
                locked.add(body);
            }
        }
        let probes = bodies
            .iter()
            .zip(&conditions)
            .map(|(body, conditions)| {
                let mut effects = body.clone();
                for &index in conditions {
                    if let Some(Some(condition)) = condition_effects.get(index) {
                        effects.add(condition);
                    }
                }
                locks(cx, &effects, &locked)
            })
            .collect();
        Table { probes, conditions }
    }

    /// Locks of a probe that takes locks.
    pub fn of_probe(&self, index: usize) -> Vec<LockPlan> {
        self.probes.get(index).cloned().unwrap_or_default()
    }

    /// Probes whose conditions a probe may change.
    pub fn conditions_of(&self, index: usize) -> &[usize] {
        self.conditions.get(index).map_or(&[], Vec::as_slice)
    }
}

fn locks(cx: &Context<'_>, effects: &Effects, locked: &Effects) -> Vec<LockPlan> {
    let ids = (0..cx.program.globals.len()).map(|index| GlobalId(index as u32));
    ids.filter_map(|global| {
        let (mut read, mut write) = (effects.reads.contains(&global), effects.writes.contains(&global));
        if !read && !write {
            return None;
        }
        let somebody_writes = if cx.types.global(global).value == Type::Stats {
            // Adding a sample touches this processor's part only and shares the lock; reading collects all parts.
            if read != write {
                (read, write) = (write, read);
            }
            locked.reads.contains(&global)
        } else {
            locked.writes.contains(&global)
        };
        if !write && read && !somebody_writes {
            return None;
        }
        Some(LockPlan { global, write })
    })
    .collect()
}

/// Leaves out what is known about the locks of a handler: on the way to the first place that takes them nobody has
/// them, and at its end they are released anyway.
pub fn simplify(ops: &mut Vec<Op>) {
    leave_the_last_release(ops);
    know_the_first_taking(ops);
}

/// Drops a release behind which nothing is done: the end of the handler releases, whichever way leads there.
fn leave_the_last_release(ops: &mut Vec<Op>) {
    while ops.last() == Some(&Op::Unlock) {
        ops.pop();
    }
    if let Some(Op::If(_, then, otherwise)) = ops.last_mut() {
        leave_the_last_release(then);
        leave_the_last_release(otherwise);
    }
}

/// Marks the places that take the locks first on every way to them. Only one arm of a branch is taken, so each may have
/// one. True if a way to the end of `ops` may take the locks.
fn know_the_first_taking(ops: &mut [Op]) -> bool {
    for op in ops {
        match op {
            Op::Lock => {
                *op = Op::FirstLock;
                return true;
            }
            Op::If(_, then, otherwise) => {
                let (then, otherwise) = (know_the_first_taking(then), know_the_first_taking(otherwise));
                if then || otherwise {
                    return true;
                }
            }
            other => {
                if any(std::slice::from_ref(other), &|op| matches!(op, Op::Lock)) {
                    return true;
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ir::Val;

    fn branch(then: Vec<Op>, otherwise: Vec<Op>) -> Op {
        Op::If(Val::Const(1), then, otherwise)
    }

    #[test]
    fn what_the_end_of_the_handler_does_is_not_done_before() {
        let mut ops = vec![
            branch(vec![Op::Lock, Op::Leave], vec![]),
            branch(vec![Op::Lock, Op::Unlock], vec![Op::Unlock, branch(vec![Op::Unlock], vec![Op::Leave])]),
        ];
        simplify(&mut ops);
        let expected = vec![
            branch(vec![Op::FirstLock, Op::Leave], vec![]),
            branch(vec![Op::Lock], vec![Op::Unlock, branch(vec![], vec![Op::Leave])]),
        ];
        assert_eq!(ops, expected);
    }

    #[test]
    fn each_arm_of_the_first_branch_takes_them_first() {
        let mut ops = vec![Op::Leave, branch(vec![Op::Lock], vec![Op::Lock]), Op::Lock];
        simplify(&mut ops);
        assert_eq!(ops, [Op::Leave, branch(vec![Op::FirstLock], vec![Op::FirstLock]), Op::Lock]);
    }
}
