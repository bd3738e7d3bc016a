//! The NFA stepped directly, positions in hand, as a check on determinisation, registers and minimisation.

use proptest::prelude::*;

use super::compile;
use super::second_engine::pattern;
use crate::regex::nfa::{Instruction, Program};
use crate::regex::{nfa, parse};

/// A waiting instruction and the tags recorded on the way to it.
type Thread = (u32, Vec<i64>);

/// Follows the empty steps from `from`, best first; the recursion is the order of preference itself.
fn close(program: &Program, from: Vec<Thread>, position: i64, initial: bool) -> Vec<Thread> {
    fn visit(
        program: &Program,
        (at, mut tags): Thread,
        position: i64,
        initial: bool,
        seen: &mut Vec<u32>,
        found: &mut Vec<Thread>,
    ) {
        if seen.contains(&at) {
            return;
        }
        seen.push(at);
        let mut go = |to: u32, tags: Vec<i64>| visit(program, (to, tags), position, initial, seen, found);
        match program.code[at as usize] {
            Instruction::Split { first, second } => {
                go(first, tags.clone());
                go(second, tags);
            }
            Instruction::Jump(to) => go(to, tags),
            Instruction::Tag(tag) => {
                tags[tag as usize] = position;
                go(at + 1, tags);
            }
            Instruction::Start if initial => go(at + 1, tags),
            Instruction::Start => {}
            Instruction::Byte(_) | Instruction::End | Instruction::Accept => found.push((at, tags)),
        }
    }
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    for thread in from {
        visit(program, thread, position, initial, &mut seen, &mut found);
    }
    found
}

fn step(threads: &[Thread], takes: impl Fn(Instruction) -> bool, program: &Program) -> Vec<Thread> {
    let taken = threads.iter().filter(|(at, _)| takes(program.code[*at as usize]));
    taken.map(|(at, tags)| (at + 1, tags.clone())).collect()
}

/// The tags' values if the pattern matches.
fn simulate(pattern: &str, subject: &[u8]) -> Option<Vec<i64>> {
    let parsed = parse::parse(pattern.as_bytes(), true).unwrap();
    let program = nfa::compile(&parsed.node).unwrap();
    let mut best = vec![-1; 2 * parsed.groups as usize];
    let mut record = |threads: &[Thread]| {
        let accepting = threads.iter().find(|(at, _)| program.code[*at as usize] == Instruction::Accept);
        if let Some((_, tags)) = accepting
            && (best[0] < 0 || best[0] == tags[0])
        {
            for (best, &tag) in best.iter_mut().zip(tags) {
                if tag >= 0 {
                    *best = tag;
                }
            }
        }
    };
    let mut threads = close(&program, vec![(0, vec![-1; 2 * parsed.groups as usize])], 0, true);
    let mut position = 0;
    record(&threads);
    for &byte in subject {
        position += 1;
        let takes = |instruction| match instruction {
            Instruction::Byte(set) => program.sets[set as usize].contains(byte),
            _ => false,
        };
        threads = close(&program, step(&threads, takes, &program), position, false);
        record(&threads);
    }
    let ended = step(&threads, |instruction| instruction == Instruction::End, &program);
    record(&close(&program, ended, position, false));
    (best[0] >= 0).then_some(best)
}

fn compare(pattern: &str, subject: &str) -> Result<(), TestCaseError> {
    let wanted = simulate(pattern, subject.as_bytes()).map(|tags| {
        let offset = |tag: i64| usize::try_from(tag).ok();
        tags.chunks(2).map(|pair| Some((offset(pair[0])?, offset(pair[1])?))).collect::<Vec<_>>()
    });
    let found = compile(pattern, true).unwrap().matches(subject.as_bytes()).map(|captures| captures.groups);
    prop_assert_eq!(found, wanted, "{} {}", pattern, subject);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn same_groups(pattern in pattern(), subjects in prop::collection::vec("[abcd]{0,12}", 8)) {
        for subject in &subjects {
            compare(&pattern, subject)?;
        }
    }
}

/// Patterns with more ways to share values between threads than there may be states of one shape.
#[test]
fn many_variants() {
    for pattern in ["(.*)a(.*)b(.*)c(.*)d", "((a|b)*(b|c)*)*(.*)(a|c)(.*)", "(a|ab|abc|b|bc|c){1,5}(a|b|c)*"]
    {
        for subject in ["abcdabcd", "aabbccddaabbccdd", "abababcdcdcdabcd", "ddccbbaaabcd", "cabacbabcab"] {
            compare(pattern, subject).unwrap();
        }
    }
}

/// Such patterns must not explode, as they do when every variant gets a state.
#[test]
fn variants_are_bounded() {
    let mut text = String::new();
    compile("(.*)a(.*)b(.*)c(.*)d(.*)e(.*)f(.*)", true).unwrap().write_c("f", None, &mut text);
    assert!(text.len() < 100_000, "{}", text.len());
}
