//! Statements that print.

use super::{Generator, Histogram, Scope, Value};
use crate::random::tree::{Statement, statement};

impl Generator {
    /// A statement that prints something, nearly always a whole line.
    pub(super) fn print(&mut self, scope: &mut Scope, depth: usize) -> Statement {
        scope.has_effects = true;
        match self.dice.below(13) {
            0..=4 => {
                let arguments = self.format(scope, depth, "\\n");
                statement!["printf(", arguments, ");"]
            }
            5..=7 => {
                let list = self.list(scope, depth, 1);
                statement!["println(", list, ");"]
            }
            8 => {
                let delimiter = self.dice.pick(&["\", \"", "\"\"", "\" %d \"", "\"::\""]);
                let list = self.list(scope, depth, 2);
                statement!["printdln(", delimiter, ", ", list, ");"]
            }
            9 => {
                let list = self.list(scope, depth, 1);
                statement!["print(", list, "); println();"]
            }
            10 => {
                let list = self.list(scope, depth, 2);
                statement!["printd(\" \", ", list, "); print_char(10);"]
            }
            11 => {
                let all = self.globals(|global| {
                    matches!(&global.value, Value::Statistic(histogram) if *histogram != Histogram::None)
                });
                let histogram = self.one_of(&all).and_then(|index| self.histogram(scope, index, depth));
                match histogram {
                    // That of no values is an error.
                    Some(histogram) if scope.careless => statement!["print(", histogram, ");"],
                    Some(histogram) => {
                        statement!["try { print(", histogram, "); } catch (tm) { println(tm); }"]
                    }
                    None => statement!["println(\"no histogram\");"],
                }
            }
            _ => statement!["log(", self.text(scope, depth), ");"],
        }
    }
}
