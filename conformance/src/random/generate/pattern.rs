//! Regular expressions. They are kept small: what stap's automaton of one with groups costs to make can double with
//! each repetition.

use super::Generator;

/// What may stand for itself, as it is written inside a string literal.
const ATOMS: &[&str] = &[
    "a",
    "b",
    "c",
    "ab",
    "1",
    ".",
    " ",
    "[abc]",
    "[^a]",
    "[a-c1]",
    "[[:alpha:]]",
    "[[:digit:]x]",
    "[^[:space:]]",
    "\\\\.",
    "\\\"",
    "\\t",
];

impl Generator {
    /// A regular expression as a string literal.
    pub(super) fn pattern(&mut self) -> String {
        let start = if self.dice.chance(20) { "^" } else { "" };
        let end = if self.dice.chance(20) { "$" } else { "" };
        let text = if self.dice.chance(30) {
            let (left, right) = (self.branch(), self.branch());
            format!("{left}|{right}")
        } else {
            self.branch()
        };
        format!("\"{start}{text}{end}\"")
    }

    /// Groups are never repeated and have no branches: stap 5.6 dies of many that are or do. Nor are there `(?:...)`, in
    /// which it takes the colon for a character.
    fn branch(&mut self) -> String {
        if self.dice.chance(17) {
            let (before, inside) = (self.atom(), self.atoms(2));
            return format!("{before}({inside})");
        }
        self.atoms(3)
    }

    fn atoms(&mut self, most: usize) -> String {
        (0..self.dice.between(1, most)).map(|_| self.atom()).collect()
    }

    fn atom(&mut self) -> String {
        let atom = *self.dice.pick(&ATOMS.iter().collect::<Vec<_>>());
        let times = self.dice.weighted(&[(14, ""), (2, "*"), (2, "+"), (2, "?"), (1, "{2}"), (1, "{1,2}")]);
        format!("{atom}{times}")
    }
}
