//! Expressions of type long.

use super::{Generator, Histogram, Scope, Value};
use crate::random::tree::{Expression, Kind, Piece, long, pieces};

/// Numbers at which something may change.
const EDGES: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "63",
    "64",
    "65",
    "0xff",
    "017",
    "4294967295",
    "0x80000000",
    "-2147483648",
    "9223372036854775807",
    "0x8000000000000000",
    "(-9223372036854775807 - 1)",
    "0xffffffffffffffff",
];

#[derive(Clone, Copy)]
enum Form {
    Leaf,
    Element,
    Arithmetic,
    Bits,
    Divide,
    Shift,
    ShiftUnsigned,
    Compare,
    CompareTexts,
    Logic,
    Unary,
    Choose,
    Step,
    StepElement,
    Assign,
    AssignElement,
    In,
    Match,
    Call,
    Library,
    Extract,
    Bucket,
    Macro,
    Conditional,
    Feed,
}

impl Generator {
    /// A number literal.
    pub(super) fn number(&mut self) -> String {
        match self.dice.below(10) {
            0..=5 => self.dice.between(0, 12).to_string(),
            6 => format!("-{}", self.dice.between(1, 30)),
            7 => self.dice.pick(EDGES).into(),
            8 => self.dice.between(13, 2000).to_string(),
            // The least of all has no literal.
            _ => self.dice.any().max(-i64::MAX).to_string(),
        }
    }

    fn leaf(&mut self, scope: &Scope) -> Expression {
        let mut names = scope.longs.clone();
        names.extend(self.scalars(Kind::Long));
        if names.is_empty() || self.dice.chance(40) {
            return long![self.number()];
        }
        long![names[self.dice.below(names.len())].clone()]
    }

    /// A small number without effects: an index, a width, a number of steps.
    pub(super) fn small(&mut self, scope: &mut Scope, mask: usize) -> Expression {
        match self.dice.below(3) {
            0 => long![self.dice.between(0, mask).to_string()],
            1 => long!["(", self.leaf(scope), format!(" & {mask})")],
            _ => long!["(", self.quiet(scope, Kind::Long, 1), format!(" & {mask})")],
        }
    }

    /// An expression of type long.
    pub(super) fn long(&mut self, scope: &mut Scope, depth: usize) -> Expression {
        if depth == 0 {
            return self.leaf(scope);
        }
        let noisy = |weight: usize| if scope.quiet { 0 } else { weight };
        let risky = |weight: usize| if scope.quiet || !scope.careless { 0 } else { weight };
        let form = self.dice.weighted(&[
            (12, Form::Leaf),
            (8, Form::Element),
            (14, Form::Arithmetic),
            (5, Form::Bits),
            (3, Form::Divide),
            (4, Form::Shift),
            (2, Form::ShiftUnsigned),
            (6, Form::Compare),
            (5, Form::CompareTexts),
            (5, Form::Logic),
            (5, Form::Unary),
            (4, Form::Choose),
            (noisy(5), Form::Step),
            (noisy(4), Form::StepElement),
            (noisy(3), Form::Assign),
            (noisy(3), Form::AssignElement),
            (3, Form::In),
            (3, Form::Match),
            (10, Form::Call),
            (6, Form::Library),
            (6, Form::Extract),
            (risky(2), Form::Bucket),
            (3, Form::Macro),
            (1, Form::Conditional),
            (noisy(1), Form::Feed),
        ]);
        let made = match form {
            Form::Leaf => None,
            Form::Element => self.array(scope, Kind::Long, false).map(|array| {
                let element = self.element(scope, array, depth - 1);
                long![element]
            }),
            Form::Arithmetic => Some(self.infix(scope, &["+", "-", "*", "+", "-"], depth)),
            Form::Bits => Some(self.infix(scope, &["&", "|", "^"], depth)),
            Form::Compare => Some(self.infix(scope, &["<", ">", "<=", ">=", "==", "!="], depth)),
            Form::Logic => Some(self.infix(scope, &["&&", "||"], depth)),
            Form::Divide => {
                let operator = self.dice.pick(&[" / ", " % "]);
                let left = self.long(scope, depth - 1);
                let right = if scope.careless && !scope.quiet {
                    self.long(scope, depth - 1)
                } else {
                    long![*self.dice.pick(&[&"3", &"7", &"-2", &"-1", &"1", &"10"])]
                };
                Some(long!["(", left, operator, right, ")"])
            }
            // stap leaves the order of the operands to the C compiler.
            Form::Shift => {
                let left = self.quiet(scope, Kind::Long, depth - 1);
                let operator = self.dice.pick(&[") << (", ") >> ("]);
                Some(long!["((", left, operator, self.quiet(scope, Kind::Long, depth - 1), "))"])
            }
            // stap cannot fold it: the left side must not be a constant.
            Form::ShiftUnsigned => {
                let mut names = scope.longs.clone();
                names.extend(self.scalars(Kind::Long));
                match names.len() {
                    0 => None,
                    count => {
                        let name = names[self.dice.below(count)].clone();
                        Some(long!["(", name, " >>> (", self.quiet(scope, Kind::Long, depth - 1), "))"])
                    }
                }
            }
            Form::CompareTexts => {
                let operator = self.dice.pick(&[" < ", " > ", " <= ", " >= ", " == ", " != "]);
                let left = self.quiet(scope, Kind::Text, depth - 1);
                Some(long!["(", left, operator, self.quiet(scope, Kind::Text, depth - 1), ")"])
            }
            Form::Unary => {
                let operator = self.dice.pick(&["-(", "~(", "!(", "+(", "!!("]);
                Some(long![operator, self.long(scope, depth - 1), ")"])
            }
            Form::Choose => {
                let condition = self.long(scope, depth - 1);
                let left = self.long(scope, depth - 1);
                Some(long!["(", condition, " ? ", left, " : ", self.long(scope, depth - 1), ")"])
            }
            Form::Step => {
                scope.has_effects = true;
                let name = self.free(scope, Kind::Long);
                Some(self.step(name))
            }
            Form::StepElement => self.array(scope, Kind::Long, true).map(|array| {
                scope.has_effects = true;
                scope.writes.insert(array);
                let element = self.element(scope, array, depth - 1);
                match self.dice.below(4) {
                    0 => long![element, "++"],
                    1 => long![element, "--"],
                    2 => long!["++", element],
                    _ => long!["--", element],
                }
            }),
            Form::Assign => {
                let name = self.free(scope, Kind::Long);
                Some(self.assignment(scope, pieces![name], depth))
            }
            Form::AssignElement => self.array(scope, Kind::Long, true).map(|array| {
                scope.writes.insert(array);
                let element = self.element(scope, array, depth - 1);
                self.assignment(scope, element, depth)
            }),
            Form::In => {
                let arrays = self.globals(|global| !global.keys.is_empty());
                self.one_of(&arrays).map(|array| {
                    let keys = self.keys(scope, array, depth - 1, true);
                    long!["(", keys, " in ", &self.globals[array].name, ")"]
                })
            }
            Form::Match => {
                let operator = self.dice.pick(&[" =~ ", " !~ "]);
                Some(long!["(", self.text(scope, depth - 1), operator, self.pattern(), ")"])
            }
            Form::Call => self.call(scope, Kind::Long, depth),
            Form::Library => Some(self.library_long(scope, depth)),
            Form::Extract => self.extract(scope, depth),
            Form::Bucket => self.bucket(scope, depth),
            Form::Macro => self.macro_call(scope, Kind::Long, depth),
            Form::Conditional => {
                let (then, other) = (self.long(scope, depth - 1), self.long(scope, depth - 1));
                let condition =
                    self.dice.pick(&["kernel_v > \"3\"", "arch == \"mips\"", "1 == 1 && \"a\" != \"a\""]);
                Some(long!["%( ", condition, " %? ", then, " %: ", other, " %)"])
            }
            Form::Feed => self.statistic(scope, true).map(|statistic| {
                let feed = self.feed(scope, statistic, depth - 1);
                long!["(", feed, ")"]
            }),
        };
        made.unwrap_or_else(|| self.leaf(scope))
    }

    /// Two operands with one of some operators between them, with or without parentheses around them.
    fn infix(&mut self, scope: &mut Scope, operators: &[&str], depth: usize) -> Expression {
        let operator = format!(" {} ", self.dice.pick(operators));
        let left = self.long(scope, depth - 1);
        let right = self.long(scope, depth - 1);
        if self.dice.chance(70) {
            long!["(", left, operator, right, ")"]
        } else {
            long![left, operator, right]
        }
    }

    fn step(&mut self, name: String) -> Expression {
        match self.dice.below(4) {
            0 => long![name, "++"],
            1 => long![name, "--"],
            2 => long!["++", name],
            _ => long!["--", name],
        }
    }

    /// An assignment to a number as an expression.
    pub(super) fn assignment(&mut self, scope: &mut Scope, target: Vec<Piece>, depth: usize) -> Expression {
        scope.has_effects = true;
        let by_zero = scope.careless && self.dice.chance(20);
        let operators: &[&str] = match by_zero {
            true => &[" /= ", " %= "],
            false => &[" = ", " = ", " += ", " -= ", " *= ", " <<= ", " >>= ", " &= ", " ^= ", " |= "],
        };
        let operator = *self.dice.pick(&operators.iter().collect::<Vec<_>>());
        // The order of a shift's operands is the C compiler's here too.
        let value = if operator.contains("<<") || operator.contains(">>") {
            self.quiet(scope, Kind::Long, depth - 1)
        } else {
            self.long(scope, depth - 1)
        };
        long!["(", target, operator, value, ")"]
    }

    fn library_long(&mut self, scope: &mut Scope, depth: usize) -> Expression {
        let inner = depth - 1;
        match self.dice.below(8) {
            0 | 1 => long!["strlen(", self.text(scope, inner), ")"],
            2 => {
                let from = self.text(scope, inner);
                long!["isinstr(", from, ", ", self.text(scope, inner), ")"]
            }
            3 => {
                let from = self.text(scope, inner);
                long!["strpos(", from, ", ", self.text(scope, inner), ")"]
            }
            4 => {
                let from = self.text(scope, inner);
                long!["stringat(", from, ", ", self.long(scope, inner), ")"]
            }
            5 => {
                let from = self.text(scope, inner);
                let base = *self.dice.pick(&[&"0", &"8", &"10", &"16", &"36"]);
                long!["strtol(", from, format!(", {base})")]
            }
            6 => long!["isdigit(", self.text(scope, inner), ")"],
            _ => long!["strlen(", self.formatted(scope, inner), ")"],
        }
    }

    /// A call of a function of the script.
    pub(super) fn call(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> Option<Expression> {
        let index = self.callee(scope, kind)?;
        let function = self.functions[index].clone();
        let mut call = Expression { kind, pieces: vec![format!("{}(", function.name).into()] };
        for (index, &parameter) in function.parameters.iter().enumerate() {
            if index > 0 {
                call.pieces.push(", ".into());
            }
            let argument = match function.recurses && index == 0 {
                true => self.small(scope, 3),
                false => self.expression(scope, parameter, depth - 1),
            };
            call.pieces.push(argument.into());
        }
        call.pieces.push(")".into());
        scope.writes.extend(function.writes);
        scope.has_effects |= function.has_effects;
        Some(call)
    }

    pub(super) fn macro_call(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> Option<Expression> {
        let fit: Vec<usize> =
            (0..self.macros.len()).filter(|&index| self.macros[index].kind == kind).collect();
        let index = self.one_of(&fit)?;
        let name = self.macros[index].name.clone();
        // A macro may name an operand twice.
        let before = std::mem::replace(&mut scope.quiet, true);
        let mut operand = || match kind {
            Kind::Long => self.long(scope, depth - 1),
            Kind::Text => self.joined(scope, depth - 1),
        };
        let (left, right) = (operand(), operand());
        scope.quiet = before;
        Some(Expression { kind, pieces: pieces![name, "(", left, ", ", right, ")"] })
    }

    /// What a statistic says about its values.
    fn extract(&mut self, scope: &mut Scope, depth: usize) -> Option<Expression> {
        let statistic = self.statistic(scope, false)?;
        let element = self.element(scope, statistic, depth - 1);
        // All but these two fail where there are no values.
        let always: &[&&str] = &[&"@count(", &"@sum("];
        let careless: &[&&str] = &[&"@count(", &"@sum(", &"@min(", &"@max(", &"@avg(", &"@variance("];
        let operator = *self.dice.pick(if scope.careless && !scope.quiet { careless } else { always });
        Some(long![operator, element, ")"])
    }

    /// A bucket of a histogram; there need not be one of this number.
    fn bucket(&mut self, scope: &mut Scope, depth: usize) -> Option<Expression> {
        let all = self.globals(
            |global| matches!(&global.value, Value::Statistic(histogram) if *histogram != Histogram::None),
        );
        let statistic = self.one_of(&all)?;
        let histogram = self.histogram(scope, statistic, depth - 1)?;
        let index = self.long(scope, depth - 1);
        Some(long![histogram, "[", index, "]"])
    }

    /// The histogram of a statistic, as it is printed, indexed and walked.
    pub(super) fn histogram(
        &mut self,
        scope: &mut Scope,
        statistic: usize,
        depth: usize,
    ) -> Option<Vec<Piece>> {
        let element = self.element(scope, statistic, depth);
        match &self.globals[statistic].value {
            Value::Statistic(Histogram::Log) => Some(pieces!["@hist_log(", element, ")"]),
            Value::Statistic(Histogram::Linear(bounds)) => {
                Some(pieces!["@hist_linear(", element, format!(", {bounds})")])
            }
            Value::Statistic(Histogram::None) | Value::Plain(_) => None,
        }
    }
}
