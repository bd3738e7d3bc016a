//! Statements.

use super::{Generator, Histogram, Scope, Value};
use crate::random::tree::{Kind, Piece, Statement, long, pieces, statement};

#[derive(Clone, Copy)]
enum Form {
    Print,
    Assign,
    AssignText,
    Element,
    ElementText,
    Feed,
    If,
    While,
    For,
    Walk,
    WalkBuckets,
    Delete,
    Try,
    Block,
    Empty,
    Call,
    Fail,
    Leave,
    Finish,
    Match,
    Warn,
}

impl Generator {
    /// Statements, at least one.
    pub(super) fn block(&mut self, scope: &mut Scope, most: usize) -> Vec<Statement> {
        let wanted = self.dice.between(1, most);
        let mut block = Vec::new();
        scope.blocks += 1;
        while block.is_empty() || (block.len() < wanted && self.left > 0) {
            block.push(self.statement(scope));
        }
        scope.blocks -= 1;
        block
    }

    /// A block whose variables are its own.
    fn inner(&mut self, scope: &mut Scope, most: usize) -> Vec<Statement> {
        let (longs, texts) = (scope.longs.len(), scope.texts.len());
        let block = self.block(scope, most);
        scope.longs.truncate(longs);
        scope.texts.truncate(texts);
        block
    }

    /// The body of a loop.
    pub(super) fn body(&mut self, scope: &mut Scope, most: usize) -> Vec<Statement> {
        scope.loops += 1;
        let block = self.inner(scope, most);
        scope.loops -= 1;
        block
    }

    fn statement(&mut self, scope: &mut Scope) -> Statement {
        self.left = self.left.saturating_sub(1);
        let depth = self.dice.weighted(&[(3, 1), (4, 2), (2, 3)]);
        let deep = scope.blocks > 4;
        let nested = |weight: usize| if deep { 0 } else { weight };
        let looped = |weight: usize| if deep || scope.loops > 1 { 0 } else { weight };
        let noisy = |weight: usize| if scope.calm { 0 } else { weight };
        let only = |condition: bool, weight: usize| if condition { weight } else { 0 };
        let form = self.dice.weighted(&[
            (noisy(22), Form::Print),
            (8, Form::Assign),
            (5, Form::AssignText),
            (noisy(8), Form::Element),
            (noisy(5), Form::ElementText),
            (noisy(8), Form::Feed),
            (nested(8), Form::If),
            (looped(3), Form::While),
            (looped(3), Form::For),
            (noisy(looped(8)), Form::Walk),
            (noisy(looped(1)), Form::WalkBuckets),
            (noisy(4), Form::Delete),
            (noisy(nested(7)), Form::Try),
            (nested(1), Form::Block),
            (1, Form::Empty),
            (noisy(3), Form::Call),
            (noisy(only(scope.careless, 2)), Form::Fail),
            (only(scope.loops > 0, 3), Form::Leave),
            (only(scope.blocks > 1, 1), Form::Finish),
            (noisy(3), Form::Match),
            (noisy(1), Form::Warn),
        ]);
        match form {
            Form::Print => self.print(scope, depth),
            Form::Assign => {
                scope.has_effects |= !scope.calm;
                let target = pieces![self.free(scope, Kind::Long)];
                statement![self.assignment(scope, target, depth + 1), ";"].unwrapped()
            }
            Form::AssignText => {
                scope.has_effects |= !scope.calm;
                let target = pieces![self.free(scope, Kind::Text)];
                statement![self.text_assignment(scope, target, depth + 1), ";"].unwrapped()
            }
            Form::Element | Form::ElementText => {
                let kind = if matches!(form, Form::Element) { Kind::Long } else { Kind::Text };
                let Some(array) = self.array(scope, kind, true) else { return self.print(scope, depth) };
                scope.writes.insert(array);
                let element = self.element(scope, array, depth);
                let assignment = match kind {
                    Kind::Long => self.assignment(scope, element, depth),
                    Kind::Text => self.text_assignment(scope, element, depth),
                };
                statement![assignment, ";"].unwrapped()
            }
            Form::Feed => {
                let Some(statistic) = self.statistic(scope, true) else { return self.print(scope, depth) };
                let feed = self.feed(scope, statistic, depth);
                statement![feed, ";"]
            }
            Form::If => {
                let condition = self.long(scope, depth);
                let then = self.inner(scope, 4);
                match self.dice.chance(50) {
                    true => statement!["if (", condition, ") ", then, " else ", self.inner(scope, 3)],
                    false => statement!["if (", condition, ") ", then],
                }
            }
            Form::While => {
                let counter = self.name("w");
                scope.longs.push(counter.clone());
                let steps = self.dice.between(1, 4);
                statement![format!("while ({counter}++ < {steps}) "), self.body(scope, 3)]
            }
            Form::For => {
                let counter = self.name("f");
                scope.longs.push(counter.clone());
                let head = match self.dice.below(3) {
                    0 => format!("for ({counter} = 3; {counter} > 0; {counter}--) "),
                    1 => format!("for ({counter} = 0; {counter} < 4; {counter}++) "),
                    _ => format!("for (; {counter} < 5; {counter} += 2) "),
                };
                statement![head, self.body(scope, 3)]
            }
            Form::Walk => self.walk(scope, depth),
            Form::WalkBuckets => self.walk_buckets(scope, depth),
            Form::Delete => self.delete(scope, depth),
            Form::Try => self.attempt(scope),
            Form::Block => statement![self.inner(scope, 3)],
            Form::Empty => statement![";"],
            Form::Call => {
                let kind = self.kind();
                match self.call(scope, kind, depth) {
                    Some(call) => statement![call, ";"],
                    None => self.print(scope, depth),
                }
            }
            Form::Fail => {
                scope.has_effects = true;
                statement!["error(", self.text(scope, depth), ");"]
            }
            Form::Leave => {
                let word = self.dice.pick(&["break", "continue"]);
                statement!["if (", self.long(scope, depth), ") ", word, ";"]
            }
            Form::Finish => {
                let condition = self.long(scope, depth);
                match scope.function {
                    Some(kind) => {
                        statement!["if (", condition, ") return ", self.expression(scope, kind, depth), ";"]
                    }
                    None if self.dice.chance(30) => statement!["if (", condition, ") next;"],
                    None => statement!["if (", condition, ") println(\"here\");"],
                }
            }
            Form::Match => self.matches(scope, depth),
            Form::Warn => {
                scope.has_effects = true;
                statement!["warn(", self.text(scope, depth), ");"]
            }
        }
    }

    /// A match with what its groups hold.
    fn matches(&mut self, scope: &mut Scope, depth: usize) -> Statement {
        scope.has_effects = true;
        let subject = match self.dice.chance(50) {
            true => self.text(scope, depth),
            false => crate::random::tree::text![format!("\"{}\"", self.letters(14))],
        };
        let groups = "println(\"groups \", ngroups(), \" <\", matched(0), \"> <\", matched(1), \">\");";
        let show = match self.dice.chance(50) {
            true => statement![format!("try {{ {groups} }} catch (me) {{ println(me); }}")],
            false => statement!["println(\"matched <\", matched(0), \">\");"],
        };
        statement!["if (", subject, " =~ ", self.pattern(), ") ", vec![show]]
    }

    /// A value added to a statistic.
    pub(super) fn feed(&mut self, scope: &mut Scope, statistic: usize, depth: usize) -> Vec<Piece> {
        scope.has_effects = true;
        scope.writes.insert(statistic);
        let element = self.element(scope, statistic, depth);
        let value = match self.dice.chance(60) {
            true => long![self.dice.between(0, 60).to_string()],
            false => self.long(scope, depth),
        };
        pieces![element, " <<< ", value]
    }

    fn delete(&mut self, scope: &mut Scope, depth: usize) -> Statement {
        scope.has_effects = true;
        let fit: Vec<usize> = (0..self.globals.len()).filter(|index| !scope.walked.contains(index)).collect();
        let Some(global) = self.one_of(&fit) else { return statement![";"] };
        scope.writes.insert(global);
        let name = self.globals[global].name.clone();
        match self.globals[global].keys.is_empty() {
            true if self.merges || self.dice.chance(60) => self.print(scope, depth),
            true => statement!["delete ", name, ";"],
            false if self.dice.chance(10) => statement!["delete ", name, ";"],
            false => statement!["delete ", name, self.keys(scope, global, depth, true), ";"],
        }
    }

    fn attempt(&mut self, scope: &mut Scope) -> Statement {
        scope.has_effects = true;
        let before = std::mem::replace(&mut scope.careless, true);
        let tried = self.inner(scope, 5);
        scope.careless = before;
        if self.dice.chance(30) {
            return statement!["try ", tried, " catch ", self.inner(scope, 3)];
        }
        let message = if self.dice.chance(70) { self.name("m") } else { self.free(scope, Kind::Text) };
        let texts = scope.texts.len();
        scope.texts.push(message.clone());
        let mut caught = self.block(scope, 3);
        caught.insert(0, statement![format!("println(\"caught \", {message});")]);
        scope.texts.truncate(texts);
        statement!["try ", tried, format!(" catch ({message}) "), caught]
    }

    /// The buckets of a histogram, one after the other.
    fn walk_buckets(&mut self, scope: &mut Scope, depth: usize) -> Statement {
        let all = self.globals(
            |global| matches!(&global.value, Value::Statistic(histogram) if *histogram != Histogram::None),
        );
        let head = self.one_of(&all).and_then(|index| self.histogram(scope, index, 0));
        let Some(head) = head else { return self.print(scope, depth) };
        scope.has_effects = true;
        let bucket = self.name("h");
        let show = statement![
            "if (",
            head.clone(),
            format!("[{bucket}]) printf(\"%d:%d \", {bucket}, "),
            head.clone(),
            format!("[{bucket}]);")
        ];
        let walk = statement![format!("foreach ({bucket} in "), head, ") ", vec![show]];
        match scope.careless {
            true => walk,
            false => statement!["try ", vec![walk], " catch (hm) { println(hm); }"],
        }
    }
}

impl Statement {
    /// The same without the parentheses around an expression that is all of it.
    fn unwrapped(mut self) -> Statement {
        if let Some(Piece::Expression(expression)) = self.pieces.first_mut() {
            let brackets =
                |piece: Option<&Piece>, text: &str| matches!(piece, Some(Piece::Text(t)) if t == text);
            if brackets(expression.pieces.first(), "(") && brackets(expression.pieces.last(), ")") {
                expression.pieces.pop();
                expression.pieces.remove(0);
            }
        }
        self
    }
}
