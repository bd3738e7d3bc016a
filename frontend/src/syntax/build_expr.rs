//! What the grammar's actions call: expressions.

use super::ast::Parsed;
use super::build_stmt::stat_op;
use super::builder::{Builder, Checked, Deep, Value, reserve_one};
use super::class::Id;
use super::format::parse_format;
use super::words::pretty_split;
use crate::tree::*;
use smol_str::SmolStr;

type Kind = ExprKind<Parsed>;

/// How tightly `.` binds.
const CONCAT: u8 = 7;

/// An operator of a run and what stands to its left.
pub(super) struct Waiting {
    strength: u8,
    op: Id,
    left: Value,
    /// Further operands, for concatenation.
    more: Vec<Value>,
}

/// A target path in the making.
pub(crate) struct Path {
    origin: Origin,
    target: Target<Parsed>,
    /// Depth of its deepest child.
    below: u32,
}

/// One step of a path, as the grammar sees it.
pub(crate) enum Step {
    /// `->member`: tokens of both.
    Member(Id, Id),
    /// `[index]`: token of the bracket.
    Index(Id, Value),
    /// `$` or `$$`.
    Pretty(Id),
}

/// First and further arguments as one list.
pub(crate) fn args(first: Value, rest: Vec<Value>) -> Deep<Vec<Expr<Parsed>>> {
    let depth = rest.iter().map(|value| value.depth).fold(first.depth, u32::max);
    let mut node = Vec::with_capacity(rest.len() + 1);
    node.push(*first.node);
    node.extend(rest.into_iter().map(|value| *value.node));
    Deep { node, depth }
}

/// Arguments as a list.
pub(crate) fn rest_args(rest: Vec<Value>) -> Deep<Vec<Expr<Parsed>>> {
    let depth = rest.iter().map(|value| value.depth).max().unwrap_or(0);
    Deep { node: rest.into_iter().map(|value| *value.node).collect(), depth }
}

impl Deep<Vec<Key<Parsed>>> {
    /// The list of one key.
    pub fn one_key(key: Value) -> Self {
        Deep { depth: key.depth, node: vec![Key::Expr(*key.node)] }
    }
}

#[expect(
    clippy::boxed_local,
    reason = "the grammar keeps paths in boxes, so that its stack has small entries"
)]
impl Builder<'_> {
    fn value(&mut self, token: Id, below: u32, kind: Kind) -> Value {
        let origin = self.origin(token);
        self.value_from(origin, below, kind)
    }

    fn value_from(&mut self, origin: Origin, below: u32, kind: Kind) -> Value {
        match self.above(&origin, below) {
            Some(depth) => Deep { node: Box::new(Expr { origin, kind }), depth },
            None => Deep::shallow(Box::new(Expr { origin, kind: ExprKind::Number { value: 0, hex: false } })),
        }
    }

    /// `target op value`.
    pub fn assign(&mut self, target: Value, op: Id, value: Value) -> Value {
        let operator = match self.token(op).text.as_str() {
            "=" => AssignOp::Set,
            "<<<" => AssignOp::Aggregate,
            ".=" => AssignOp::Concat,
            text => AssignOp::Compound(match text {
                "+=" => BinaryOp::Add,
                "-=" => BinaryOp::Subtract,
                "*=" => BinaryOp::Multiply,
                "/=" => BinaryOp::Divide,
                "%=" => BinaryOp::Modulo,
                "<<=" => BinaryOp::ShiftLeft,
                ">>=" => BinaryOp::ShiftRight,
                "&=" => BinaryOp::BitAnd,
                "^=" => BinaryOp::BitXor,
                _ => BinaryOp::BitOr,
            }),
        };
        let depth = target.depth.max(value.depth);
        self.value(op, depth, ExprKind::Assign { op: operator, target: target.node, value: value.node })
    }

    /// `condition ? then : otherwise`.
    pub fn ternary(&mut self, condition: Value, op: Id, then: Value, otherwise: Value) -> Value {
        let depth = condition.depth.max(then.depth).max(otherwise.depth);
        let kind =
            ExprKind::Ternary { condition: condition.node, then: then.node, otherwise: otherwise.node };
        self.value(op, depth, kind)
    }

    /// `left op right`.
    pub fn binary(&mut self, left: Value, op: Id, right: Value) -> Value {
        let operator = match self.token(op).text.as_str() {
            "+" => BinaryOp::Add,
            "-" => BinaryOp::Subtract,
            "*" => BinaryOp::Multiply,
            "/" => BinaryOp::Divide,
            "%" => BinaryOp::Modulo,
            "&" => BinaryOp::BitAnd,
            "|" => BinaryOp::BitOr,
            "^" => BinaryOp::BitXor,
            "<<" => BinaryOp::ShiftLeft,
            ">>" => BinaryOp::ShiftRight,
            ">>>" => BinaryOp::ShiftRightLogical,
            "<" => BinaryOp::Less,
            "<=" => BinaryOp::LessEqual,
            ">" => BinaryOp::Greater,
            ">=" => BinaryOp::GreaterEqual,
            "==" => BinaryOp::Equal,
            "!=" => BinaryOp::NotEqual,
            "&&" => BinaryOp::LogicalAnd,
            _ => BinaryOp::LogicalOr,
        };
        let depth = left.depth.max(right.depth);
        self.value(op, depth, ExprKind::Binary { op: operator, left: left.node, right: right.node })
    }

    /// `keys in base`.
    pub fn membership(
        &mut self,
        keys: Deep<Vec<Key<Parsed>>>,
        op: Id,
        base: Deep<Box<Indexable<Parsed>>>,
    ) -> Value {
        let depth = keys.depth.max(base.depth);
        self.value(op, depth, ExprKind::In { keys: keys.node, base: *base.node })
    }

    /// `[keys]` without `in`: one value means itself.
    pub fn lone_list(&mut self, keys: Deep<Vec<Key<Parsed>>>, close: Id) -> Checked<Value> {
        let depth = keys.depth;
        let mut keys = keys.node.into_iter();
        match (keys.next(), keys.next()) {
            (Some(Key::Expr(value)), None) => Ok(Deep { node: Box::new(value), depth }),
            (Some(Key::Any(_)), None) => {
                // Upstream makes a null node of it and crashes in pass 2.
                self.saw("list-any", "expected literal string or number", close, true)
            }
            _ => self.saw_next("list", "unexpected comma-separated expression list", close),
        }
    }

    /// `subject =~ "pattern"`.
    pub fn regex_match(&mut self, subject: Value, op: Id, pattern: Id) -> Value {
        let kind = ExprKind::Match {
            negated: self.token(op).text == "!~",
            subject: subject.node,
            pattern: self.text(pattern),
            place: self.token(pattern).clone().into(),
        };
        self.value(op, subject.depth, kind)
    }

    /// Operands with left-associative operators between them, as a tree.
    pub fn run(&mut self, first: Value, rest: Vec<(Id, Value)>) -> Value {
        // Operators whose right operand is not complete, each binding tighter than the one before.
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut value = first;
        for (op, next) in rest {
            let strength = self.strength(op);
            // Concatenation has any number of operands, so a further one joins those of the same run.
            value = self.settle(&mut waiting, value, strength + u8::from(strength == CONCAT));
            match waiting.last_mut() {
                Some(last) if last.strength == CONCAT && strength == CONCAT => last.more.push(value),
                _ => waiting.push(Waiting { strength, op, left: value, more: Vec::new() }),
            }
            value = next;
        }
        let value = self.settle(&mut waiting, value, 0);
        self.waiting = waiting;
        value
    }

    /// Gives `value` to the operators that bind at least as tightly as `strength`.
    fn settle(&mut self, waiting: &mut Vec<Waiting>, mut value: Value, strength: u8) -> Value {
        while let Some(mut last) = waiting.pop_if(|last| last.strength >= strength) {
            value = if last.strength == CONCAT {
                last.more.push(value);
                self.concat(last.left, last.more)
            } else {
                self.binary(last.left, last.op, value)
            };
        }
        value
    }

    /// `first . rest`; the first part's token stands for the whole (5.6).
    fn concat(&mut self, first: Value, rest: Vec<Value>) -> Value {
        let origin = first.node.origin.clone();
        let parts = args(first, rest);
        self.value_from(origin, parts.depth, ExprKind::Concat(parts.node))
    }

    /// How tightly an operator of a run binds (language.md 6).
    fn strength(&self, op: Id) -> u8 {
        match self.token(op).text.as_str() {
            "||" => 1,
            "&&" => 2,
            "|" => 3,
            "^" => 4,
            "&" => 5,
            "<<" | ">>" | ">>>" => 6,
            "." => CONCAT,
            "+" | "-" => 8,
            _ => 9,
        }
    }

    /// `-operand` and its kin.
    pub fn unary(&mut self, op: Id, operand: Value) -> Value {
        let operator = match self.token(op).text.as_str() {
            "+" => UnaryOp::Plus,
            "-" => UnaryOp::Negate,
            "!" => UnaryOp::Not,
            _ => UnaryOp::Complement,
        };
        self.value(op, operand.depth, ExprKind::Unary { op: operator, operand: operand.node })
    }

    /// `++operand`, `operand--`.
    pub fn step(&mut self, op: Id, prefix: bool, operand: Value) -> Value {
        let up = self.token(op).text == "++";
        self.value(op, operand.depth, ExprKind::Step { up, prefix, operand: operand.node })
    }

    /// A path that is complete.
    pub fn path(&mut self, path: Box<Path>) -> Value {
        let Path { origin, target, below } = *path;
        self.value_from(origin, below, ExprKind::Target(target))
    }

    /// `&value`.
    pub fn address_of_value(&mut self, ampersand: Id, value: Value) -> Checked<Value> {
        let Value { node, depth } = value;
        let origin = self.origin(ampersand);
        let target = Target { base: TargetBase::Value(node), address_of: false, path: Vec::new() };
        self.address_of_path(ampersand, Box::new(Path { origin, target, below: depth }))
    }

    /// `&path`.
    pub fn address_of_path(&mut self, ampersand: Id, path: Box<Path>) -> Checked<Value> {
        let Path { mut origin, mut target, below } = *path;
        if let TargetBase::Value(inner) = target.base {
            match *inner {
                // A target in parentheses is still that target here (parse.cxx: `parse_dwarf_value`).
                Expr { origin: inner_origin, kind: ExprKind::Target(mut inner) } => {
                    if inner.address_of {
                        let token = self.token(ampersand);
                        return self.at(
                            "address-twice",
                            "cannot take address more than once",
                            token,
                            ampersand,
                        );
                    }
                    inner.path.append(&mut target.path);
                    origin = inner_origin;
                    target = inner;
                }
                plain if self.gates.has(2, 6) => {
                    origin = self.origin(ampersand);
                    target.base = TargetBase::Value(Box::new(plain));
                }
                _ => {
                    let next = Id(ampersand.0 + 1);
                    return self.saw("address-target", "expected @cast, @var or $var", next, false);
                }
            }
        }
        target.address_of = true;
        Ok(self.value_from(origin, below, ExprKind::Target(target)))
    }

    /// `value->member` and its kin, where the value is no target.
    pub fn autocast(&mut self, value: Value, step: Step) -> Box<Path> {
        let token = match &step {
            Step::Member(token, _) | Step::Index(token, _) | Step::Pretty(token) => *token,
        };
        let Value { node, depth } = value;
        let target = Target { base: TargetBase::Value(node), address_of: false, path: Vec::new() };
        self.extend(Box::new(Path { origin: self.origin(token), target, below: depth }), step)
    }

    /// One more step of a path.
    pub fn extend(&mut self, mut path: Box<Path>, step: Step) -> Box<Path> {
        let steps = &mut path.target.path;
        match step {
            Step::Member(arrow, member) => {
                let text = self.text(member);
                let name = text.trim_end_matches('$');
                if !name.is_empty() {
                    steps.push(TargetStep::Member(self.origin(arrow), SmolStr::from(name)));
                }
                if name.len() < text.len() {
                    steps.push(TargetStep::Pretty(self.origin(arrow), SmolStr::from(&text[name.len()..])));
                }
            }
            Step::Index(open, index) => {
                path.below = path.below.max(index.depth);
                steps.push(match index.node.kind {
                    ExprKind::Number { value, .. } => TargetStep::Literal(self.origin(open), value),
                    _ => TargetStep::Index(self.origin(open), index.node),
                });
            }
            Step::Pretty(dollars) => {
                steps.push(TargetStep::Pretty(self.origin(dollars), self.text(dollars)));
            }
        }
        path
    }

    fn start_path(&mut self, token: Id, base: TargetBase<Parsed>, below: u32) -> Box<Path> {
        let target = Target { base, address_of: false, path: Vec::new() };
        Box::new(Path { origin: self.origin(token), target, below })
    }

    /// `$name`, `$name$`.
    pub fn target(&mut self, token: Id) -> Box<Path> {
        let text = self.text(token);
        match pretty_split(&text) {
            Some((name, dollars)) => {
                let mut path = self.start_path(token, TargetBase::Symbol(SmolStr::from(name)), 0);
                path.target.path.push(TargetStep::Pretty(self.origin(token), SmolStr::from(dollars)));
                path
            }
            None => self.start_path(token, TargetBase::Symbol(text), 0),
        }
    }

    /// `@cast(value, "type", "module")`.
    pub fn cast(&mut self, token: Id, value: Value, kind: Id, module: Option<Id>) -> Checked<Box<Path>> {
        self.require_text(kind)?;
        let module = module.map_or_else(SmolStr::default, |module| self.text(module));
        let base = TargetBase::Cast { value: value.node, type_name: self.text(kind), module };
        Ok(self.start_path(token, base, value.depth))
    }

    /// `@var("name", "module")`.
    pub fn at_var(&mut self, token: Id, name: Id, module: Option<Id>) -> Box<Path> {
        let module = module.map_or_else(SmolStr::default, |module| self.text(module));
        self.start_path(token, TargetBase::Var { name: self.text(name), module }, 0)
    }

    /// Refuses an empty string; upstream looks at the token behind it by then.
    fn require_text(&self, string: Id) -> Checked<()> {
        if self.token(string).text.is_empty() {
            return self.saw_next("empty-string", "expected non-empty string", string);
        }
        Ok(())
    }

    /// A number.
    pub fn number(&mut self, token: Id) -> Checked<Value> {
        let value = self.number_literal(token, false)?;
        Ok(self.value(token, 0, ExprKind::Number { value, hex: false }))
    }

    /// `-1` as one literal.
    pub fn negative_number(&mut self, token: Id) -> Checked<Value> {
        let value = self.number_literal(token, true)?;
        Ok(self.value(token, 0, ExprKind::Number { value, hex: false }))
    }

    /// A string.
    pub fn string(&mut self, token: Id) -> Value {
        let text = self.text(token);
        self.value(token, 0, ExprKind::String(text))
    }

    /// `%{ ... %}` as a value.
    pub fn embedded_value(&mut self, token: Id) -> Value {
        let code = self.text(token);
        self.value(token, 0, ExprKind::Embedded(code))
    }

    /// A bare name.
    pub fn variable(&mut self, name: Id) -> Value {
        let text = self.text(name);
        self.value(name, 0, ExprKind::Var(text))
    }

    /// `name[keys]`.
    pub fn element(&mut self, name: Id, keys: Deep<Vec<Key<Parsed>>>) -> Value {
        let base = self.text(name);
        self.value(name, keys.depth, ExprKind::Index { base, keys: keys.node })
    }

    /// `@hist_log(x)[index]`.
    pub fn bucket(
        &mut self,
        hist: Deep<Box<Hist<Parsed>>>,
        keys: Deep<Vec<Key<Parsed>>>,
        close: Id,
    ) -> Checked<Value> {
        let below = hist.depth.max(keys.depth);
        let origin = hist.node.origin.clone();
        let mut keys = keys.node.into_iter();
        let (Some(Key::Expr(index)), None) = (keys.next(), keys.next()) else {
            return self.saw("bucket", "a histogram has one index", close, true);
        };
        Ok(self.value_from(origin, below, ExprKind::Bucket { hist: *hist.node, index: Box::new(index) }))
    }

    /// `name(args)`.
    pub fn call(&mut self, name: Id, args: Deep<Vec<Expr<Parsed>>>) -> Value {
        let callee = self.text(name);
        self.value(name, args.depth, ExprKind::Call { callee, args: args.node })
    }

    /// `@word(value)`.
    pub fn wrap(&mut self, token: Id, value: Value, kind: fn(Box<Expr<Parsed>>) -> Kind) -> Value {
        self.value(token, value.depth, kind(value.node))
    }

    /// `@word(name)`.
    pub fn named(&mut self, token: Id, name: Id, kind: fn(SmolStr) -> Kind) -> Value {
        let name = self.text(name);
        self.value(token, 0, kind(name))
    }

    /// `@word("text")`, where the text may not be empty.
    pub fn non_empty(&mut self, token: Id, text: Id, kind: fn(SmolStr) -> Kind) -> Checked<Value> {
        self.require_text(text)?;
        Ok(self.named(token, text, kind))
    }

    /// `@const("code")`.
    pub fn constant(&mut self, token: Id, code: Id) -> Checked<Value> {
        self.require_text(code)?;
        let code = format!("/* pure */ /* unprivileged */ /* stable */ {}", self.text(code));
        Ok(self.value(token, 0, ExprKind::Embedded(SmolStr::from(code))))
    }

    /// `@enumname(value, "type", "module")`.
    pub fn enum_name(&mut self, token: Id, value: Value, names: Option<(Id, Option<Id>)>) -> Checked<Value> {
        let (mut type_name, mut module) = (SmolStr::default(), SmolStr::default());
        if let Some((kind, more)) = names {
            self.require_text(kind)?;
            type_name = self.text(kind);
            module = more.map_or(module, |more| self.text(more));
        }
        Ok(self.value(token, value.depth, ExprKind::EnumName { value: value.node, type_name, module }))
    }

    fn is_user_form(&self, token: Id) -> bool {
        self.token(token).text.starts_with("@u")
    }

    /// `@kregister(n)`, `@uregister(n)`.
    pub fn register(&mut self, token: Id, number: i64) -> Value {
        let user = self.is_user_form(token);
        self.value(token, 0, ExprKind::Register { user, number })
    }

    /// `@kderef(size, address)`, `@uderef(size, address)`.
    pub fn deref(&mut self, token: Id, size: i64, address: Value) -> Value {
        let user = self.is_user_form(token);
        self.value(token, address.depth, ExprKind::Deref { user, size, address: address.node })
    }

    /// `@count(stat)` and its kin; only `@variance` has a second argument.
    pub fn stat(&mut self, token: Id, stat: Value, shift: Option<i64>) -> Value {
        let op = stat_op(&self.token(token).text).unwrap_or(StatOp::Count);
        self.value(token, stat.depth, ExprKind::Stat { op, stat: stat.node, shift: shift.unwrap_or(0) })
    }

    /// `@hist_log(stat)`, `@hist_linear(stat, low, high, width)`.
    pub fn hist(&mut self, token: Id, stat: Value, kind: HistKind) -> Deep<Box<Hist<Parsed>>> {
        let depth = stat.depth;
        Deep { node: Box::new(Hist { origin: self.origin(token), kind, stat: stat.node }), depth }
    }

    /// An array after `in`.
    pub fn array(&mut self, name: Id) -> Deep<Box<Indexable<Parsed>>> {
        Deep::shallow(Box::new(Indexable::Array { origin: self.origin(name), var: self.text(name) }))
    }

    /// A histogram after `in`.
    pub fn buckets(&mut self, hist: Deep<Box<Hist<Parsed>>>) -> Deep<Box<Indexable<Parsed>>> {
        Deep { depth: hist.depth, node: Box::new(Indexable::Hist(*hist.node)) }
    }

    fn print_node(&mut self, word: Id, text: Option<Id>) -> Checked<Print<Parsed>> {
        let name = self.text(word);
        let to_string = name.starts_with('s');
        let plain = name.trim_start_matches('s');
        let layout = match text {
            Some(format) if plain == "printf" => {
                let text = self.text(format);
                match parse_format(&text) {
                    Ok(parts) => PrintLayout::Format { text, parts },
                    // Upstream has peeked at the token behind the format.
                    Err(bad) => return self.saw_next(bad.site, bad.message, format),
                }
            }
            None if plain == "print_char" => PrintLayout::Char,
            delimiter => PrintLayout::Plain {
                delimiter: delimiter.map(|delimiter| self.text(delimiter)),
                newline: plain.ends_with("ln"),
            },
        };
        Ok(Print { to_string, layout, args: Vec::new(), hist: None })
    }

    /// The print family; `text` is the delimiter or the format.
    pub fn print(&mut self, word: Id, text: Option<Id>, args: Deep<Vec<Expr<Parsed>>>) -> Checked<Value> {
        let mut print = self.print_node(word, text)?;
        print.args = args.node;
        Ok(self.value(word, args.depth, ExprKind::Print(print)))
    }

    /// `print(@hist_log(x))`.
    pub fn print_hist(&mut self, word: Id, hist: Deep<Box<Hist<Parsed>>>) -> Checked<Value> {
        let mut print = self.print_node(word, None)?;
        print.hist = Some(hist.node);
        Ok(self.value(word, hist.depth, ExprKind::Print(print)))
    }

    /// `print(@hist_log(x)[index], rest)`.
    pub fn print_bucket(
        &mut self,
        word: Id,
        hist: Deep<Box<Hist<Parsed>>>,
        index: Value,
        rest: Vec<Value>,
    ) -> Checked<Value> {
        let mut print = self.print_node(word, None)?;
        let origin = hist.node.origin.clone();
        let below = hist.depth.max(index.depth);
        let bucket = self.value_from(origin, below, ExprKind::Bucket { hist: *hist.node, index: index.node });
        let list = args(bucket, rest);
        print.args = list.node;
        Ok(self.value(word, list.depth, ExprKind::Print(print)))
    }

    /// A key of an index or a list.
    pub fn keys(
        &mut self,
        mut list: Deep<Vec<Key<Parsed>>>,
        (any, value): (Id, Option<Value>),
    ) -> Deep<Vec<Key<Parsed>>> {
        reserve_one(&mut list.node);
        list.node.push(match value {
            Some(value) => {
                list.depth = list.depth.max(value.depth);
                Key::Expr(*value.node)
            }
            None => Key::Any(self.origin(any)),
        });
        list
    }
}
