//! Tree to program: the tagged NFA as a list of instructions, and which of them still matter.

use super::MAX_INSTRUCTIONS;
use super::ast::Node;
use super::charset::ByteSet;
use super::error::{RegexError, RegexErrorKind};

/// One step of the NFA. All but the jumps go on to the next instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Takes one byte of the set with this number in [`Program::sets`].
    Byte(u32),
    /// Takes the end of the subject.
    End,
    /// Passes at the start of the subject only.
    Start,
    /// Records the position.
    Tag(u32),
    /// Goes both ways, `first` by preference.
    Split {
        /// The better way.
        first: u32,
        /// The other.
        second: u32,
    },
    /// Goes elsewhere.
    Jump(u32),
    /// The pattern has matched.
    Accept,
}

/// The NFA of a pattern, searched for anywhere in the subject.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// The instructions; 0 is the start.
    pub(super) code: Vec<Instruction>,
    /// The distinct byte sets.
    pub(super) sets: Vec<ByteSet>,
    /// Whether instruction i can reach [`Instruction::Accept`] once a byte has been read (so not through `^`).
    pub(super) alive: Vec<bool>,
}

/// Compiles `node` with a loop before it that skips any prefix, reluctantly: an earlier start is better.
pub(super) fn compile(node: &Node) -> Result<Program, RegexError> {
    let mut program = Program::default();
    let skip = program.push(Instruction::Split { first: 3, second: 1 })?;
    program.set(&ByteSet::any())?;
    program.push(Instruction::Jump(skip))?;
    program.node(node)?;
    program.push(Instruction::Accept)?;
    program.find_alive();
    Ok(program)
}

impl Program {
    fn here(&self) -> u32 {
        // push() keeps the length far below u32::MAX.
        u32::try_from(self.code.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, instruction: Instruction) -> Result<u32, RegexError> {
        if self.code.len() >= MAX_INSTRUCTIONS {
            return Err(RegexError::nowhere(RegexErrorKind::TooLarge(MAX_INSTRUCTIONS)));
        }
        let at = self.here();
        self.code.push(instruction);
        Ok(at)
    }

    fn patch(&mut self, at: u32, instruction: Instruction) {
        if let Some(slot) = self.code.get_mut(at as usize) {
            *slot = instruction;
        }
    }

    fn set(&mut self, set: &ByteSet) -> Result<u32, RegexError> {
        let number = self.sets.iter().position(|known| known == set).unwrap_or_else(|| {
            self.sets.push(*set);
            self.sets.len() - 1
        });
        // At most as many sets as instructions.
        self.push(Instruction::Byte(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    fn node(&mut self, node: &Node) -> Result<(), RegexError> {
        match node {
            Node::Empty => {}
            Node::Set(set) => {
                self.set(set)?;
            }
            Node::Start => {
                self.push(Instruction::Start)?;
            }
            Node::End => {
                self.push(Instruction::End)?;
            }
            Node::Tag(tag) => {
                self.push(Instruction::Tag(*tag))?;
            }
            Node::Cat(parts) => {
                for part in parts {
                    self.node(part)?;
                }
            }
            Node::Alt(branches) => self.alternatives(branches)?,
            Node::Plus(body) => {
                let start = self.here();
                self.node(body)?;
                self.back_to(start)?;
            }
            Node::Repeat { node, min, max } => self.repeat(node, *min, *max)?,
        }
        Ok(())
    }

    /// Ends a loop which began at `start` and would rather go round again.
    fn back_to(&mut self, start: u32) -> Result<(), RegexError> {
        let second = self.here() + 1;
        self.push(Instruction::Split { first: start, second })?;
        Ok(())
    }

    fn alternatives(&mut self, branches: &[Node]) -> Result<(), RegexError> {
        let mut jumps = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            if index + 1 == branches.len() {
                self.node(branch)?;
                break;
            }
            let split = self.push(Instruction::Accept)?;
            self.node(branch)?;
            jumps.push(self.push(Instruction::Accept)?);
            let second = self.here();
            self.patch(split, Instruction::Split { first: split + 1, second });
        }
        let end = self.here();
        for jump in jumps {
            self.patch(jump, Instruction::Jump(end));
        }
        Ok(())
    }

    /// Upstream's order (stapregex-tree.cxx:closev_op::compile): the copies that may be left out come first, each
    /// with a way past all of them, then those that may not, the first of which loops when there is no upper bound.
    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>) -> Result<(), RegexError> {
        let mut splits = Vec::new();
        for _ in min..max.unwrap_or(min) {
            splits.push(self.push(Instruction::Accept)?);
            self.node(node)?;
        }
        let past = self.here();
        for split in splits {
            self.patch(split, Instruction::Split { first: split + 1, second: past });
        }
        for copy in 0..min {
            let start = self.here();
            self.node(node)?;
            if copy == 0 && max.is_none() {
                self.back_to(start)?;
            }
            if self.here() == start {
                // An empty body: more copies would be nothing too, and counts may be nested.
                break;
            }
        }
        Ok(())
    }

    /// Where instruction `at` may go without the check that `^` makes.
    fn successors(&self, at: usize) -> [Option<usize>; 2] {
        match self.code.get(at) {
            Some(Instruction::Byte(_) | Instruction::End | Instruction::Tag(_)) => [Some(at + 1), None],
            Some(Instruction::Split { first, second }) => [Some(*first as usize), Some(*second as usize)],
            Some(Instruction::Jump(to)) => [Some(*to as usize), None],
            Some(Instruction::Start | Instruction::Accept) | None => [None, None],
        }
    }

    fn find_alive(&mut self) {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.code.len()];
        for at in 0..self.code.len() {
            for to in self.successors(at).into_iter().flatten() {
                if let Some(list) = before.get_mut(to) {
                    list.push(at);
                }
            }
        }
        let mut alive = vec![false; self.code.len()];
        // Accept is the last instruction.
        let mut work = vec![self.code.len() - 1];
        while let Some(at) = work.pop() {
            if !std::mem::replace(&mut alive[at], true) {
                work.extend(&before[at]);
            }
        }
        self.alive = alive;
    }
}

/// Which bytes the program cannot tell apart.
#[derive(Debug)]
pub(super) struct Classes {
    /// The class of each byte; that of NUL means nothing.
    pub(super) of: [u8; 256],
    /// One member of each class.
    pub(super) members: Vec<u8>,
}

impl Classes {
    /// The coarsest classes for `sets`, the largest class being number 0, the others in order of first member.
    pub(super) fn new(sets: &[ByteSet]) -> Self {
        let mut keys: indexmap::IndexMap<Vec<bool>, Vec<u8>> = indexmap::IndexMap::new();
        for byte in 1..=255 {
            let key = sets.iter().map(|set| set.contains(byte)).collect();
            keys.entry(key).or_default().push(byte);
        }
        let mut groups: Vec<_> = keys.into_values().collect();
        // A stable sort on "not the largest": emitted tables spell out all classes but the first.
        let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
        if let Some(position) = groups.iter().position(|group| group.len() == largest) {
            groups[..=position].rotate_right(1);
        }
        let mut classes = Self { of: [0; 256], members: Vec::new() };
        for (number, group) in (0..=u8::MAX).zip(&groups) {
            for &byte in group {
                classes.of[usize::from(byte)] = number;
            }
            classes.members.extend(group.first());
        }
        classes
    }
}
