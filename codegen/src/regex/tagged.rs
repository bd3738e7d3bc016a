//! Determinisation with tags: Laurikari's construction ("NFAs with tagged transitions", SPIRE 2000).
//!
//! A state is the list of NFA instructions a backtracking matcher could be waiting at, best first, each with the
//! register in which it keeps each of its tags. Following a byte gives another such list, where a tag's value is
//! a register of the old state or the current position. If a known state has the same instructions in the same
//! order with the same tags set, and its registers can be loaded from those sources without contradiction, the
//! transition goes there and loads them; otherwise the list becomes a new state, which keeps the old registers
//! and takes free ones for the new positions, so loops cost few copies.
//!
//! Unlike there, the order of preference is part of a state (it decides sub-matches later on), a register of the
//! known state may stand for several equal values, and the number of states per list is bounded.

use std::collections::HashMap;

use super::error::{RegexError, RegexErrorKind};
use super::nfa::{Classes, Instruction, Program};
use super::tables::{Assignment, FIRST_ROW, Finish, POSITION, Row, STOP, Tables};
use super::{MAX_STATES, MAX_THREADS};

/// As the source of a tag: not set.
const UNSET: u32 = u32::MAX - 1;

/// Most states with the same instructions in the same order. Which threads share a value can vary without end, so
/// the last of them is made for all variants, at the price of more copies.
const MAX_PER_SHAPE: usize = 4;

/// An instruction being waited at and where its tags' values are: a register, [`POSITION`] or [`UNSET`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    at: u32,
    tags: Vec<u32>,
}

/// What must be equal for two states to be compared at all: the instructions, and which tags are set.
type Shape = Vec<(u32, Vec<bool>)>;

struct Builder<'a> {
    program: &'a Program,
    tags: usize,
    states: Vec<Vec<Thread>>,
    by_shape: HashMap<Shape, Vec<u32>>,
    threads: usize,
    registers: u32,
    /// Per instruction the last closure that visited it.
    seen: Vec<u64>,
    closures: u64,
}

/// Builds the automaton that finds the match and its `tags` tags.
pub(super) fn determinise(program: &Program, tags: usize) -> Result<Tables, RegexError> {
    let classes = Classes::new(&program.sets);
    let mut builder = Builder {
        program,
        tags,
        states: Vec::new(),
        by_shape: HashMap::new(),
        threads: 0,
        registers: 0,
        seen: vec![0; program.code.len()],
        closures: 0,
    };
    let before = [Thread { at: 0, tags: vec![UNSET; tags] }];
    let initial = builder.closure(&before, true);
    let (start, initial) = builder.state(initial)?;
    let mut rows = Vec::new();
    while let Some(threads) = builder.states.get(rows.len()).cloned() {
        let mut row = Row { on_entry: finish_of(program, &threads), ..Row::default() };
        for &byte in &classes.members {
            let moved = moved(&threads, |at| match program.code[at as usize] {
                Instruction::Byte(number) => program.sets[number as usize].contains(byte),
                _ => false,
            });
            let target = builder.closure(&moved, false);
            row.next.push(builder.state(target)?);
        }
        let ended = moved(&threads, |at| program.code[at as usize] == Instruction::End);
        row.at_end = finish_of(program, &builder.closure(&ended, false));
        rows.push(row);
    }
    // One more register to break cycles with. It is the last one, whatever the number was when it was used.
    let spare = builder.registers;
    let mut tables = Tables {
        class_of: classes.of,
        classes: classes.members.len(),
        start,
        initial: sequence(initial, spare),
        rows,
        registers: spare,
    };
    for (_, actions) in tables.rows.iter_mut().flat_map(|row| &mut row.next) {
        *actions = sequence(std::mem::take(actions), spare);
        if actions.iter().any(|action| action.target == spare) {
            tables.registers = spare + 1;
        }
    }
    tables.minimise();
    Ok(tables)
}

/// The threads that can take what `takes` tells of, one instruction further.
fn moved(threads: &[Thread], takes: impl Fn(u32) -> bool) -> Vec<Thread> {
    threads
        .iter()
        .filter(|thread| takes(thread.at))
        .map(|thread| Thread { at: thread.at + 1, tags: thread.tags.clone() })
        .collect()
}

/// The tags of the thread that has matched, if any. There is one accepting instruction, so at most one thread.
fn finish_of(program: &Program, threads: &[Thread]) -> Finish {
    let accepting = threads.iter().find(|thread| program.code[thread.at as usize] == Instruction::Accept);
    let Some(thread) = accepting else { return Finish::No };
    let set = (0..).zip(&thread.tags).filter(|&(_, &source)| source != UNSET);
    Finish::Yes(set.map(|(target, &source)| Assignment { target, source }).collect())
}

impl Builder<'_> {
    /// Follows every empty step from `from`, in order of preference. The first thread to reach an instruction is
    /// the best one, so each is visited once; that also ends loops around nothing.
    fn closure(&mut self, from: &[Thread], initial: bool) -> Vec<Thread> {
        self.closures += 1;
        let mut work: Vec<Thread> = from.iter().rev().cloned().collect();
        let mut found = Vec::new();
        while let Some(mut thread) = work.pop() {
            if std::mem::replace(&mut self.seen[thread.at as usize], self.closures) == self.closures {
                continue;
            }
            match self.program.code[thread.at as usize] {
                Instruction::Split { first, second } => {
                    work.push(Thread { at: second, tags: thread.tags.clone() });
                    work.push(Thread { at: first, tags: thread.tags });
                }
                Instruction::Jump(to) => work.push(Thread { at: to, tags: thread.tags }),
                Instruction::Tag(tag) => {
                    if let Some(slot) = thread.tags.get_mut(tag as usize) {
                        *slot = POSITION;
                    }
                    work.push(Thread { at: thread.at + 1, tags: thread.tags });
                }
                Instruction::Start if initial => work.push(Thread { at: thread.at + 1, tags: thread.tags }),
                Instruction::Start => {}
                Instruction::Byte(_) | Instruction::End => {
                    if self.program.alive[thread.at as usize + 1] {
                        found.push(thread);
                    }
                }
                Instruction::Accept => found.push(thread),
            }
        }
        found
    }

    /// The state for `threads`, and the loading of its registers, all to be done at once.
    fn state(&mut self, threads: Vec<Thread>) -> Result<(u32, Vec<Assignment>), RegexError> {
        if threads.is_empty() {
            return Ok((STOP, Vec::new()));
        }
        let shape: Shape = threads
            .iter()
            .map(|thread| (thread.at, thread.tags.iter().map(|&source| source != UNSET).collect()))
            .collect();
        let same_shape = self.by_shape.entry(shape).or_default();
        for &known in same_shape.iter() {
            let registers = &self.states[(known - FIRST_ROW) as usize];
            if let Some(loads) = loads(registers, &threads) {
                return Ok((known, loads));
            }
        }
        self.threads += threads.len() * self.tags;
        if self.states.len() >= MAX_STATES || self.threads > MAX_THREADS {
            return Err(RegexError::nowhere(RegexErrorKind::TooManyStates(MAX_STATES, MAX_THREADS)));
        }
        let state = u32::try_from(self.states.len()).unwrap_or(u32::MAX - FIRST_ROW) + FIRST_ROW;
        same_shape.push(state);
        let apart = same_shape.len() >= MAX_PER_SHAPE;
        let (threads, loads) = self.allocate(threads, apart);
        self.states.push(threads);
        Ok((state, loads))
    }

    /// Gives each tag whose value is the current position a register, the lowest free one; threads share it.
    ///
    /// When `apart`, no two threads share any register: the state can then stand for every list of its shape.
    fn allocate(&mut self, mut threads: Vec<Thread>, apart: bool) -> (Vec<Thread>, Vec<Assignment>) {
        let mut used = vec![false; self.registers as usize];
        for &source in threads.iter().flat_map(|thread| &thread.tags) {
            if let Some(slot) = used.get_mut(source as usize) {
                *slot = true;
            }
        }
        let mut claimed = vec![false; used.len()];
        let mut shared = HashMap::new();
        let mut loads = Vec::new();
        for thread in &mut threads {
            for (tag, slot) in thread.tags.iter_mut().enumerate() {
                let source = *slot;
                if source == UNSET {
                    continue;
                }
                if let Some(claimed) = claimed.get_mut(source as usize)
                    && !(apart && std::mem::replace(claimed, true))
                {
                    continue;
                }
                if let Some(&register) = shared.get(&tag)
                    && !apart
                {
                    *slot = register;
                    continue;
                }
                let free = used.iter().position(|used| !used).unwrap_or(used.len());
                if free == used.len() {
                    used.push(false);
                }
                used[free] = true;
                *slot = u32::try_from(free).unwrap_or(UNSET);
                shared.insert(tag, *slot);
                loads.push(Assignment { target: *slot, source });
            }
        }
        self.registers = u32::try_from(used.len()).unwrap_or(UNSET);
        (threads, loads)
    }
}

/// What to load into the registers of a known state so that it stands for `threads`, if that can be done.
fn loads(known: &[Thread], threads: &[Thread]) -> Option<Vec<Assignment>> {
    let mut sources: HashMap<u32, u32> = HashMap::new();
    let mut loads = Vec::new();
    for (register, source) in
        known.iter().zip(threads).flat_map(|(known, thread)| known.tags.iter().zip(&thread.tags))
    {
        if *register == UNSET {
            continue;
        }
        match sources.insert(*register, *source) {
            None => loads.push(Assignment { target: *register, source: *source }),
            Some(other) if other == *source => {}
            Some(_) => return None,
        }
    }
    Some(loads)
}

/// Puts assignments meant to happen at once into an order that gives the same result one by one.
///
/// An assignment may go once no other one still reads its target. When none may, they form cycles: the first one's
/// target is saved in `spare` and read from there.
fn sequence(mut pending: Vec<Assignment>, spare: u32) -> Vec<Assignment> {
    pending.retain(|load| load.source != load.target);
    pending.sort_unstable();
    let mut ordered = Vec::new();
    while !pending.is_empty() {
        let ready = pending.iter().position(|load| pending.iter().all(|other| other.source != load.target));
        match ready {
            Some(index) => ordered.push(pending.remove(index)),
            None => {
                let saved = pending[0].target;
                ordered.push(Assignment { target: spare, source: saved });
                for load in pending.iter_mut().filter(|load| load.source == saved) {
                    load.source = spare;
                }
            }
        }
    }
    ordered
}
