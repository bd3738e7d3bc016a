//! From a seed to a program.

mod declare;
mod format;
mod long;
mod pattern;
mod print;
mod statement;
mod text;
mod walk;

use std::collections::BTreeSet;

use super::dice::Dice;
use super::tree::{Expression, Kind, Program};

/// The program of a seed: the same in every run.
pub fn program(seed: u64) -> Program {
    let mut generator = Generator {
        dice: Dice::new(seed),
        globals: Vec::new(),
        functions: Vec::new(),
        macros: Vec::new(),
        names: 0,
        left: 0,
        merges: false,
    };
    generator.whole()
}

/// What a histogram of a statistic is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Histogram {
    None,
    Log,
    /// With its bounds and width as they are written.
    Linear(&'static str),
}

/// What a global holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Plain(Kind),
    Statistic(Histogram),
}

/// A global variable: a scalar has no keys.
#[derive(Clone, Debug)]
struct Global {
    name: String,
    keys: Vec<Kind>,
    value: Value,
}

/// A function, or all of an overloaded one.
#[derive(Clone, Debug)]
struct Function {
    name: String,
    parameters: Vec<Kind>,
    result: Kind,
    /// Arrays and statistics that it changes: not to be called where one of them is walked.
    writes: BTreeSet<usize>,
    /// Whether calling it can be told from not calling it, apart from its result.
    has_effects: bool,
    /// Whether it may fail: to be called where errors are caught.
    fails: bool,
    /// Whether its first parameter is how deep it calls itself.
    recurses: bool,
}

/// A macro with two operands, both of a type and with a result of that type.
#[derive(Clone, Debug)]
struct Macro {
    name: String,
    kind: Kind,
}

/// What can be used at a place, and what has been used there.
#[derive(Clone, Debug, Default)]
struct Scope {
    /// Numbers and strings that can be read.
    longs: Vec<String>,
    texts: Vec<String>,
    /// Those of them that can be assigned to.
    free_longs: Vec<String>,
    free_texts: Vec<String>,
    /// Arrays that are walked.
    walked: BTreeSet<usize>,
    /// Whether nothing here may have effects or fail.
    quiet: bool,
    /// The same for all of a function.
    calm: bool,
    /// Whether errors are caught.
    careless: bool,
    /// How many loops this is in, and how many blocks.
    loops: usize,
    blocks: usize,
    /// The result's type of the function that this is in.
    function: Option<Kind>,
    /// What has been written and whether anything had effects.
    writes: BTreeSet<usize>,
    has_effects: bool,
}

struct Generator {
    dice: Dice,
    globals: Vec<Global>,
    functions: Vec<Function>,
    macros: Vec<Macro>,
    /// How many names have been given.
    names: usize,
    /// How many statements may still be made.
    left: usize,
    /// Whether probes have the same point, so that they become one. stap 5.6 dies of `delete SCALAR` in those.
    merges: bool,
}

impl Generator {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn kind(&mut self) -> Kind {
        self.dice.weighted(&[(3, Kind::Long), (2, Kind::Text)])
    }

    /// An expression of a type.
    fn expression(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> Expression {
        match kind {
            Kind::Long => self.long(scope, depth),
            Kind::Text => self.text(scope, depth),
        }
    }

    /// An expression without effects that cannot fail.
    fn quiet(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> Expression {
        let before = std::mem::replace(&mut scope.quiet, true);
        let expression = self.expression(scope, kind, depth);
        scope.quiet = before;
        expression
    }

    /// The globals that `is` holds of, as indexes.
    fn globals(&self, is: impl Fn(&Global) -> bool) -> Vec<usize> {
        (0..self.globals.len()).filter(|&index| is(&self.globals[index])).collect()
    }

    fn one_of(&mut self, indexes: &[usize]) -> Option<usize> {
        if indexes.is_empty() { None } else { Some(indexes[self.dice.below(indexes.len())]) }
    }

    /// An array with values of a type. To be written to it must not be walked.
    fn array(&mut self, scope: &Scope, kind: Kind, to_write: bool) -> Option<usize> {
        let all = self.globals(|global| !global.keys.is_empty() && global.value == Value::Plain(kind));
        let fit: Vec<usize> =
            all.into_iter().filter(|index| !to_write || !scope.walked.contains(index)).collect();
        self.one_of(&fit)
    }

    /// A statistic or an array of them.
    fn statistic(&mut self, scope: &Scope, to_write: bool) -> Option<usize> {
        let all = self.globals(|global| matches!(global.value, Value::Statistic(_)));
        let fit: Vec<usize> =
            all.into_iter().filter(|index| !to_write || !scope.walked.contains(index)).collect();
        self.one_of(&fit)
    }

    /// A variable's name from a list, as something to assign to.
    fn free(&mut self, scope: &Scope, kind: Kind) -> String {
        let mut names: Vec<String> = match kind {
            Kind::Long => scope.free_longs.clone(),
            Kind::Text => scope.free_texts.clone(),
        };
        if !scope.calm {
            names.extend(self.scalars(kind));
        }
        names[self.dice.below(names.len())].clone()
    }

    /// The names of the scalar globals of a type.
    fn scalars(&self, kind: Kind) -> Vec<String> {
        let indexes = self.globals(|global| global.keys.is_empty() && global.value == Value::Plain(kind));
        indexes.into_iter().map(|index| self.globals[index].name.clone()).collect()
    }

    /// A function with a result of some type that can be called here.
    fn callee(&mut self, scope: &Scope, kind: Kind) -> Option<usize> {
        let fit = |function: &Function| {
            function.result == kind
                && !(scope.quiet && (function.has_effects || function.fails))
                && (!function.fails || scope.careless)
                && function.writes.is_disjoint(&scope.walked)
        };
        let indexes: Vec<usize> =
            (0..self.functions.len()).filter(|&index| fit(&self.functions[index])).collect();
        self.one_of(&indexes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_program() {
        assert_eq!(program(7).to_string(), program(7).to_string());
        assert_ne!(program(7).to_string(), program(8).to_string());
    }

    #[test]
    fn programs_are_of_a_size_that_is_worth_a_build() {
        let sizes: Vec<usize> = (0..100).map(|seed| program(seed).size()).collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((50..250).contains(&mean), "{mean}");
        assert!(sizes.iter().all(|size| *size < 700), "{sizes:?}");
    }
}
