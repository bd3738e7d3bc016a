//! The finished automaton: tables, the interpreter that reads them as the emitted C does, and their minimisation.

use std::collections::HashMap;

/// Row number 0 of the state space: no way on, the answer is what has been recorded so far.
pub(super) const STOP: u32 = 0;
/// Row number 1: the pattern has matched and nothing more is asked (untagged automata only).
pub(super) const MATCHED: u32 = 1;
/// The first state with a row of transitions.
pub(super) const FIRST_ROW: u32 = 2;
/// As the source of an [`Assignment`]: the current position.
pub(super) const POSITION: u32 = u32::MAX;
/// States from which minimisation, which is quadratic at worst, is left out.
const MAX_MINIMISED: usize = 1500;

/// Copies register `source`, or the current position, to register (or tag, in a finish list) `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Assignment {
    pub(super) target: u32,
    pub(super) source: u32,
}

/// What happens when a state's place in the subject could be the end of a match.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) enum Finish {
    /// Not the end of a match.
    #[default]
    No,
    /// The end of a match; the tags to set, tag 0 first. Empty in an untagged automaton.
    Yes(Vec<Assignment>),
}

/// One state.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// Per byte class the next state and the assignments made on the way.
    pub(super) next: Vec<(u32, Vec<Assignment>)>,
    /// Whether a match ends on entering this state. Untagged automata have [`MATCHED`] instead.
    pub(super) on_entry: Finish,
    /// Whether a match ends here if the subject does.
    pub(super) at_end: Finish,
}

/// An automaton. States are numbered from [`FIRST_ROW`].
#[derive(Debug, Clone)]
pub(super) struct Tables {
    pub(super) class_of: [u8; 256],
    pub(super) classes: usize,
    pub(super) start: u32,
    /// Assignments made before the first byte.
    pub(super) initial: Vec<Assignment>,
    pub(super) rows: Vec<Row>,
    /// Registers the assignments use.
    pub(super) registers: u32,
}

impl Tables {
    pub(super) fn row(&self, state: u32) -> Option<&Row> {
        self.rows.get(state.checked_sub(FIRST_ROW)? as usize)
    }

    /// Runs over `subject` up to its first NUL; the tags' values on a match, -1 for those never set.
    pub(super) fn run(&self, subject: &[u8], tags: usize) -> Option<Vec<i64>> {
        let mut values = vec![-1; tags];
        let mut registers = vec![0; self.registers as usize];
        let mut matched = false;
        let mut position = 0;
        let mut state = self.start;
        assign(&self.initial, &mut registers, position);
        loop {
            let Some(row) = self.row(state) else {
                return (matched || state == MATCHED).then_some(values);
            };
            matched |= finish(&row.on_entry, &registers, position, &mut values);
            let Some(&byte) = subject.get(position as usize).filter(|&&byte| byte != 0) else {
                matched |= finish(&row.at_end, &registers, position, &mut values);
                return matched.then_some(values);
            };
            position += 1;
            let (next, actions) = row.next.get(usize::from(self.class_of[usize::from(byte)]))?;
            assign(actions, &mut registers, position);
            state = *next;
        }
    }

    /// Merges states that behave alike: Moore's refinement of a partition.
    ///
    /// Registers are taken as they are, so in a tagged automaton states equal up to a renaming stay apart.
    pub(super) fn minimise(&mut self) {
        if self.rows.len() > MAX_MINIMISED {
            return;
        }
        let mut blocks: Vec<u32> = {
            let mut numbers = HashMap::new();
            self.rows
                .iter()
                .map(|row| number(&mut numbers, (row.on_entry.clone(), row.at_end.clone())))
                .collect()
        };
        let mut count = blocks.iter().max().map_or(0, |&top| top + 1);
        loop {
            let mut numbers = HashMap::new();
            let refined: Vec<u32> = self
                .rows
                .iter()
                .zip(&blocks)
                .map(|(row, &block)| {
                    let next: Vec<_> = row
                        .next
                        .iter()
                        .map(|(to, actions)| (block_of(*to, &blocks), actions.as_slice()))
                        .collect();
                    number(&mut numbers, (block, next))
                })
                .collect();
            let refined_count = refined.iter().max().map_or(0, |&top| top + 1);
            blocks = refined;
            if refined_count == count {
                break;
            }
            count = refined_count;
        }
        // Blocks are numbered by first member, so the order of states, and the output, stay the same every time.
        let mut rows: Vec<Row> = Vec::new();
        for (row, &block) in self.rows.iter().zip(&blocks) {
            if block as usize == rows.len() {
                let mut row = row.clone();
                for (to, _) in &mut row.next {
                    *to = block_of(*to, &blocks);
                }
                rows.push(row);
            }
        }
        self.start = block_of(self.start, &blocks);
        self.rows = rows;
    }
}

/// The number of `key`, given out in order of first use.
fn number<K: Eq + std::hash::Hash>(numbers: &mut HashMap<K, u32>, key: K) -> u32 {
    let fresh = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    *numbers.entry(key).or_insert(fresh)
}

fn block_of(state: u32, blocks: &[u32]) -> u32 {
    match state.checked_sub(FIRST_ROW) {
        None => state,
        Some(index) => blocks.get(index as usize).map_or(STOP, |block| block + FIRST_ROW),
    }
}

fn assign(actions: &[Assignment], registers: &mut [i64], position: i64) {
    for action in actions {
        let value = value(action.source, registers, position);
        if let Some(slot) = registers.get_mut(action.target as usize) {
            *slot = value;
        }
    }
}

fn value(source: u32, registers: &[i64], position: i64) -> i64 {
    if source == POSITION { position } else { registers.get(source as usize).copied().unwrap_or(-1) }
}

/// Records a match unless a better one is known, in which case this one counts only if it has the same start (it is
/// longer then, as it was found later). Tags the new match does not set keep their values: upstream's way.
fn finish(finish: &Finish, registers: &[i64], position: i64, values: &mut [i64]) -> bool {
    let Finish::Yes(tags) = finish else { return false };
    let start = tags.first().map_or(-1, |tag| value(tag.source, registers, position));
    if values.first().is_some_and(|&old| old < 0 || old == start) {
        for tag in tags {
            if let Some(slot) = values.get_mut(tag.target as usize) {
                *slot = value(tag.source, registers, position);
            }
        }
    }
    true
}
