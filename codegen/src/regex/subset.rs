//! Determinisation without tags: the textbook subset construction, stopping at the first sign of a match.

use std::collections::HashMap;

use super::error::{RegexError, RegexErrorKind};
use super::nfa::{Classes, Instruction, Program};
use super::tables::{FIRST_ROW, Finish, MATCHED, Row, STOP, Tables};
use super::{MAX_STATES, MAX_THREADS};

/// The instructions a state stands for, ascending: those that take a byte or the end.
type Set = Vec<u32>;

/// What following every empty step leads to.
enum Closure {
    Matched,
    Waiting(Set),
}

struct Builder<'a> {
    program: &'a Program,
    states: HashMap<Set, u32>,
    /// The sets of `states` in order of number.
    order: Vec<Set>,
    threads: usize,
    /// Per instruction the last closure that visited it.
    seen: Vec<u64>,
    closures: u64,
}

/// Builds the automaton that tells whether the program matches.
pub(super) fn determinise(program: &Program) -> Result<Tables, RegexError> {
    let classes = Classes::new(&program.sets);
    let mut builder = Builder {
        program,
        states: HashMap::new(),
        order: Vec::new(),
        threads: 0,
        seen: vec![0; program.code.len()],
        closures: 0,
    };
    let initial = builder.closure(&[0], true);
    let start = builder.state(initial)?;
    let mut rows = Vec::new();
    while let Some(set) = builder.order.get(rows.len()).cloned() {
        let mut row = Row::default();
        for &byte in &classes.members {
            let moved = builder.program.step(&set, byte);
            let target = builder.closure(&moved, false);
            row.next.push((builder.state(target)?, Vec::new()));
        }
        let ends: Vec<u32> = set
            .iter()
            .filter(|&&at| program.code[at as usize] == Instruction::End)
            .map(|&at| at + 1)
            .collect();
        if matches!(builder.closure(&ends, false), Closure::Matched) {
            row.at_end = Finish::Yes(Vec::new());
        }
        rows.push(row);
    }
    let mut tables = Tables {
        class_of: classes.of,
        classes: classes.members.len(),
        start,
        initial: Vec::new(),
        rows,
        registers: 0,
    };
    tables.minimise();
    Ok(tables)
}

impl Program {
    /// Where the members of `set` that take `byte` go.
    fn step(&self, set: &[u32], byte: u8) -> Set {
        set.iter()
            .filter(|&&at| match self.code[at as usize] {
                Instruction::Byte(number) => self.sets[number as usize].contains(byte),
                _ => false,
            })
            .map(|&at| at + 1)
            .collect()
    }
}

impl Builder<'_> {
    fn closure(&mut self, from: &[u32], initial: bool) -> Closure {
        self.closures += 1;
        let mut work = from.to_vec();
        let mut set = Vec::new();
        while let Some(at) = work.pop() {
            if std::mem::replace(&mut self.seen[at as usize], self.closures) == self.closures {
                continue;
            }
            match self.program.code[at as usize] {
                Instruction::Accept => return Closure::Matched,
                Instruction::Split { first, second } => work.extend([first, second]),
                Instruction::Jump(to) => work.push(to),
                Instruction::Tag(_) => work.push(at + 1),
                Instruction::Start if initial => work.push(at + 1),
                Instruction::Start => {}
                Instruction::Byte(_) | Instruction::End => {
                    if self.program.alive[at as usize + 1] {
                        set.push(at);
                    }
                }
            }
        }
        set.sort_unstable();
        Closure::Waiting(set)
    }

    fn state(&mut self, closure: Closure) -> Result<u32, RegexError> {
        let set = match closure {
            Closure::Matched => return Ok(MATCHED),
            Closure::Waiting(set) if set.is_empty() => return Ok(STOP),
            Closure::Waiting(set) => set,
        };
        if let Some(&state) = self.states.get(&set) {
            return Ok(state);
        }
        self.threads += set.len();
        if self.order.len() >= MAX_STATES || self.threads > MAX_THREADS {
            return Err(RegexError::nowhere(RegexErrorKind::TooManyStates(MAX_STATES, MAX_THREADS)));
        }
        let state = u32::try_from(self.order.len()).unwrap_or(u32::MAX - FIRST_ROW) + FIRST_ROW;
        self.states.insert(set.clone(), state);
        self.order.push(set);
        Ok(state)
    }
}
