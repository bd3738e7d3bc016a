//! The print family: formats and lists of arguments.

use super::{Generator, Scope};
use crate::random::tree::{Expression, Kind, Piece, pieces, text};

impl Generator {
    /// A string made by `sprint` or one of its kin.
    pub(super) fn sprint(&mut self, scope: &mut Scope, depth: usize) -> Expression {
        let name = self.dice.pick(&["sprint(", "sprintln(", "sprintd(\"-\", ", "sprintdln(\"\", "]);
        let arguments = self.list(scope, depth, if name.contains('"') { 2 } else { 1 });
        text![name, arguments, ")"]
    }

    /// A string made by `sprintf`.
    pub(super) fn formatted(&mut self, scope: &mut Scope, depth: usize) -> Expression {
        let arguments = self.format(scope, depth, "");
        text!["sprintf(", arguments, ")"]
    }

    /// At least so many arguments of any type.
    pub(super) fn list(&mut self, scope: &mut Scope, depth: usize, least: usize) -> Vec<Piece> {
        let mut list = Vec::new();
        for index in 0..self.dice.between(least, least + 3) {
            if index > 0 {
                list.push(", ".into());
            }
            let kind = self.kind();
            list.push(self.expression(scope, kind, depth).into());
        }
        list
    }

    /// A format with a text at its end, and its arguments.
    pub(super) fn format(&mut self, scope: &mut Scope, depth: usize, end: &str) -> Vec<Piece> {
        let mut format = String::from("\"");
        let mut arguments = Vec::new();
        for _ in 0..self.dice.between(1, 5) {
            match self.dice.below(8) {
                0 => format.push_str(self.dice.pick(&["%%", "\\n", "\\t", "=", " <", "> "])),
                _ => self.conversion(scope, depth, &mut format, &mut arguments),
            }
            format.push_str(self.dice.pick(&["|", " ", "", ":"]));
        }
        format.push_str(end);
        format.push('"');
        let mut list = pieces![format];
        for argument in arguments {
            list.push(", ".into());
            list.push(argument.into());
        }
        list
    }

    fn conversion(
        &mut self,
        scope: &mut Scope,
        depth: usize,
        format: &mut String,
        arguments: &mut Vec<Expression>,
    ) {
        let letter = self.dice.weighted(&[
            (8, 'd'),
            (2, 'i'),
            (2, 'u'),
            (2, 'o'),
            (3, 'x'),
            (1, 'X'),
            (2, 'p'),
            (2, 'c'),
            (9, 's'),
            (2, 'b'),
        ]);
        format.push('%');
        if letter == 'b' {
            format.push_str(self.dice.pick(&["", "1", "2", "4", "8", ".2", "-4", "3.1"]));
        } else {
            format.push_str(self.dice.pick(&["", "", "", "-", "0", "+", " ", "#"]));
            self.measure(scope, "", format, arguments);
            self.measure(scope, ".", format, arguments);
            if "diux".contains(letter) && self.dice.chance(10) {
                format.push('l');
            }
        }
        format.push(letter);
        let kind = if letter == 's' { Kind::Text } else { Kind::Long };
        arguments.push(self.expression(scope, kind, depth));
    }

    /// A width or, after a point, a precision.
    fn measure(
        &mut self,
        scope: &mut Scope,
        point: &str,
        format: &mut String,
        arguments: &mut Vec<Expression>,
    ) {
        match self.dice.below(10) {
            0 | 1 => format.push_str(&format!("{point}{}", self.dice.between(1, 24))),
            2 => {
                format.push_str(&format!("{point}*"));
                arguments.push(self.small(scope, 15));
            }
            3 if self.dice.chance(20) => {
                format.push_str(&format!("{point}*"));
                arguments.push(Expression::long(pieces![*self.dice.pick(&[&"-5", &"0", &"300"])]));
            }
            _ => {}
        }
    }
}
