//! Expressions of type string, and elements of arrays.

use super::{Generator, Scope};
use crate::random::tree::{Expression, Kind, Piece, long, pieces, text};

/// String literals, as they are written.
const LITERALS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""b""#,
    r#""abc""#,
    r#""abcabcabc""#,
    r#""a b  c""#,
    r#"" lead""#,
    r#""trail ""#,
    r#""0""#,
    r#""12""#,
    r#""-7x""#,
    r#""0x1f""#,
    r#""tab\there""#,
    r#""line\nnext""#,
    r#""q\"q""#,
    r#""back\\slash""#,
    // The octal one comes last: stap 5.6 joins literals as they are written, and C reads on after a hexadecimal one.
    r#""\x42\101""#,
    r#""\001\377""#,
    r#""%d %s %%""#,
    r#""x,y;;z""#,
    r#""one" " two""#,
    r#""ABCabcXYZxyz019 _-.""#,
    r#""0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789""#,
];

#[derive(Clone, Copy)]
enum Form {
    Leaf,
    Element,
    Join,
    Choose,
    Assign,
    AssignElement,
    Call,
    Print,
    Format,
    Part,
    Replace,
    Token,
    NextToken,
    Quote,
    Matched,
    Macro,
    Long,
}

impl Generator {
    /// A string literal.
    pub(super) fn literal(&mut self) -> String {
        match self.dice.below(4) {
            0 => format!("\"{}\"", self.letters(8)),
            _ => (*self.dice.pick(&LITERALS.iter().collect::<Vec<_>>())).into(),
        }
    }

    /// Up to so many letters of a small alphabet.
    pub(super) fn letters(&mut self, most: usize) -> String {
        let count = self.dice.below(most + 1);
        (0..count).map(|_| *self.dice.pick(&[&'a', &'b', &'c', &'a', &'x', &'1', &' '])).collect()
    }

    fn text_leaf(&mut self, scope: &Scope) -> Expression {
        let mut names = scope.texts.clone();
        names.extend(self.scalars(Kind::Text));
        if names.is_empty() || self.dice.chance(45) {
            return text![self.literal()];
        }
        text![names[self.dice.below(names.len())].clone()]
    }

    /// An expression of type string.
    pub(super) fn text(&mut self, scope: &mut Scope, depth: usize) -> Expression {
        if depth == 0 {
            return self.text_leaf(scope);
        }
        let inner = depth - 1;
        let noisy = |weight: usize| if scope.quiet { 0 } else { weight };
        let risky = |weight: usize| if scope.quiet || !scope.careless { 0 } else { weight };
        let form = self.dice.weighted(&[
            (14, Form::Leaf),
            (8, Form::Element),
            (12, Form::Join),
            (4, Form::Choose),
            (noisy(3), Form::Assign),
            (noisy(3), Form::AssignElement),
            (8, Form::Call),
            (5, Form::Print),
            (6, Form::Format),
            (5, Form::Part),
            (3, Form::Replace),
            (2, Form::Token),
            (noisy(1), Form::NextToken),
            (3, Form::Quote),
            (risky(2), Form::Matched),
            (2, Form::Macro),
            (1, Form::Long),
        ]);
        let made = match form {
            Form::Leaf => None,
            Form::Element => self.array(scope, Kind::Text, false).map(|array| {
                let element = self.element(scope, array, inner);
                text![element]
            }),
            Form::Join => {
                let mut parts = pieces!["(", self.joined(scope, inner)];
                for _ in 0..self.dice.between(1, 3) {
                    parts.push(" . ".into());
                    parts.push(self.joined(scope, inner).into());
                }
                parts.push(")".into());
                Some(Expression::text(parts))
            }
            Form::Choose => {
                let condition = self.long(scope, inner);
                let left = self.text(scope, inner);
                Some(text!["(", condition, " ? ", left, " : ", self.text(scope, inner), ")"])
            }
            Form::Assign => {
                let name = self.free(scope, Kind::Text);
                Some(self.text_assignment(scope, pieces![name], depth))
            }
            Form::AssignElement => self.array(scope, Kind::Text, true).map(|array| {
                scope.writes.insert(array);
                let element = self.element(scope, array, inner);
                self.text_assignment(scope, element, depth)
            }),
            Form::Call => self.call(scope, Kind::Text, depth),
            Form::Print => Some(self.sprint(scope, inner)),
            Form::Format => Some(self.formatted(scope, inner)),
            Form::Part => {
                let from = self.text(scope, inner);
                let start = self.long(scope, inner);
                Some(text!["substr(", from, ", ", start, ", ", self.long(scope, inner), ")"])
            }
            Form::Replace => {
                let from = self.text(scope, inner);
                let what = self.text(scope, inner);
                Some(text!["str_replace(", from, ", ", what, ", ", self.text(scope, inner), ")"])
            }
            Form::Token => {
                let from = self.text(scope, inner);
                Some(text!["tokenize(", from, ", ", self.text(scope, inner), ")"])
            }
            // What there is left to take tokens from stays when a handler has ended.
            Form::NextToken => {
                let from = self.joined(scope, inner);
                let rest = self.joined(scope, inner);
                Some(text!["(tokenize(", from, ", \" ,a\") . tokenize(", rest, "))"])
            }
            Form::Quote => {
                let from = self.text(scope, inner);
                Some(match self.dice.below(3) {
                    0 => text!["text_str(", from, ")"],
                    1 => text!["string_quoted(", from, ")"],
                    _ => {
                        let quoted = self.dice.pick(&[", 0)", ", 1)"]);
                        text!["text_strn(", from, ", ", self.long(scope, inner), quoted]
                    }
                })
            }
            Form::Matched => Some(text!["matched(", self.small(scope, 3), ")"]),
            Form::Macro => self.macro_call(scope, Kind::Text, depth),
            Form::Long => {
                let filler = "abcdefghij".repeat(self.dice.between(20, 60));
                Some(text!["(", self.joined(scope, inner), format!(" . \"{filler}\")")])
            }
        };
        made.unwrap_or_else(|| self.text_leaf(scope))
    }

    /// An operand of a concatenation: nothing that is or can become a concatenation. stap 5.6 does not come to an end
    /// where it can join literals of one inside the other.
    pub(super) fn joined(&mut self, scope: &mut Scope, depth: usize) -> Expression {
        let operand = self.text(scope, depth);
        match operand.pieces.first() {
            Some(Piece::Text(start)) if start.starts_with('(') || start.starts_with('@') => {
                self.text_leaf(scope)
            }
            _ => operand,
        }
    }

    /// An assignment to a string as an expression.
    pub(super) fn text_assignment(
        &mut self,
        scope: &mut Scope,
        target: Vec<Piece>,
        depth: usize,
    ) -> Expression {
        scope.has_effects = true;
        let operator = self.dice.pick(&[" = ", " = ", " .= "]);
        text!["(", target, operator, self.text(scope, depth - 1), ")"]
    }

    /// A global with its keys: an element of an array, or the variable itself.
    pub(super) fn element(&mut self, scope: &mut Scope, global: usize, depth: usize) -> Vec<Piece> {
        let name = self.globals[global].name.clone();
        if self.globals[global].keys.is_empty() {
            return pieces![name];
        }
        let keys = self.keys(scope, global, depth, false);
        pieces![name, keys]
    }

    /// A list of keys for an array, in brackets.
    pub(super) fn keys(
        &mut self,
        scope: &mut Scope,
        array: usize,
        depth: usize,
        with_wildcards: bool,
    ) -> Vec<Piece> {
        let kinds = self.globals[array].keys.clone();
        let mut list = pieces!["["];
        for (index, kind) in kinds.into_iter().enumerate() {
            if index > 0 {
                list.push(", ".into());
            }
            if with_wildcards && self.dice.chance(30) {
                list.push("*".into());
            } else {
                list.push(self.key(scope, kind, depth).into());
            }
        }
        list.push("]".into());
        list
    }

    /// A key: most are of a few, so that elements are met again.
    pub(super) fn key(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> Expression {
        match kind {
            Kind::Long if self.dice.chance(80) => self.small(scope, 3),
            Kind::Text if self.dice.chance(70) => {
                text![*self.dice.pick(&[&r#""a""#, &r#""b""#, &r#""""#, &r#""key""#])]
            }
            // In a list before `in` the looser operators need parentheses.
            Kind::Long => long!["(", self.long(scope, depth.min(2)), ")"],
            Kind::Text => self.text(scope, depth.min(2)),
        }
    }
}
