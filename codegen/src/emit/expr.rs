//! Planned values to C expressions.

use super::writer::{comment, script_literal};
use crate::plan::Plan;
use crate::plan::effects::tagged;
use crate::plan::ir::{Arg, CursorRead, Place, Text, Val};
use crate::plan::storage::{BodyPlan, GlobalKind, LocalPlace};
use frontend::hir::GlobalId;
use frontend::tree::{BinaryOp, StatOp, UnaryOp};

/// Spells the values of one body.
#[derive(Debug, Clone, Copy)]
pub struct Speller<'a> {
    /// The whole plan.
    pub plan: &'a Plan,
    /// Storage of the body.
    pub body: &'a BodyPlan,
}

/// How tightly an expression binds; operands that bind less get parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    /// Anything with an infix operator.
    Loose,
    /// A prefix operator or a cast.
    Prefix,
    /// A name, a literal, a call, something in parentheses.
    Tight,
}

impl Speller<'_> {
    /// `global(s___global_x)`.
    pub fn global(&self, id: GlobalId) -> String {
        match self.plan.globals.get(id.0 as usize) {
            Some(global) => format!("global({})", global.c_name),
            None => String::from("0"),
        }
    }

    /// Suffix of the runtime's functions for an array.
    pub fn suffix(&self, array: GlobalId) -> String {
        match self.plan.globals.get(array.0 as usize).map(|global| &global.kind) {
            Some(GlobalKind::Map { of, .. } | GlobalKind::StatMap { of, .. }) => of.suffix(),
            _ => String::new(),
        }
    }

    /// True for arrays of statistics.
    pub fn is_stat_map(&self, array: GlobalId) -> bool {
        matches!(
            self.plan.globals.get(array.0 as usize).map(|global| &global.kind),
            Some(GlobalKind::StatMap { .. })
        )
    }

    /// The plain array that a cursor walks: for statistics their aggregate.
    pub fn walked(&self, array: GlobalId) -> String {
        let global = self.global(array);
        if self.is_stat_map(array) { format!("_stp_pmap_get_agg({global})") } else { global }
    }

    /// Something that can be assigned.
    pub fn place(&self, place: Place) -> String {
        match place {
            Place::Local(id) => match self.body.locals.get(id.0 as usize) {
                Some(local) if local.place == Some(LocalPlace::Automatic) => local.c_name.clone(),
                Some(local) => format!("l->{}", local.c_name),
                None => String::from("0"),
            },
            Place::Global(id) => self.global(id),
            Place::Long(number) if number < self.body.automatic_longs() => format!("t{number}"),
            Place::Long(number) => format!("l->t{number}"),
            Place::Buffer(number) => format!("l->b{number}"),
            Place::Return => String::from("l->__retvalue"),
        }
    }

    /// `, key1, key2`.
    pub fn keys(&self, keys: &[Arg]) -> String {
        let spelled = keys.iter().map(|key| match key {
            Arg::Long(val) => self.val(val),
            Arg::Text(text) => self.key_text(text),
        });
        spelled.map(|key| format!(", {key}")).collect()
    }

    /// A string for the array functions, which take `char *` and do not write to it.
    pub fn key_text(&self, text: &Text) -> String {
        let is_const = match text {
            Text::Pointer(_) | Text::Code(_) => true,
            Text::Place(Place::Local(id)) => {
                let local = self.body.locals.get(id.0 as usize);
                local.and_then(|local| local.place) == Some(LocalPlace::Pointer)
            }
            _ => false,
        };
        let text = self.text(text);
        if is_const { format!("(char *) {text}") } else { text }
    }

    /// A value of either type.
    pub fn arg(&self, arg: &Arg) -> String {
        match arg {
            Arg::Long(val) => self.val(val),
            Arg::Text(text) => self.text(text),
        }
    }

    /// A number, as an argument or the right side of an assignment.
    pub fn val(&self, val: &Val) -> String {
        self.spell(val).0
    }

    /// A number as an operand.
    fn operand(&self, val: &Val) -> String {
        match self.spell(val) {
            (text, Binding::Loose) => format!("({text})"),
            (text, _) => text,
        }
    }

    /// A number as a condition: no warning about its type, whatever it is.
    pub fn condition(&self, val: &Val) -> String {
        if is_boolean(val) { self.val(val) } else { format!("{} != 0", self.operand(val)) }
    }

    /// A number as an operand that the compiler must take for a number: it warns of comparisons of what can only be 0 or
    /// 1 with other constants, and of its complement.
    fn plain_number(&self, val: &Val) -> String {
        if is_boolean(val) { format!("({} + 0LL)", self.operand(val)) } else { self.operand(val) }
    }

    fn truth(&self, val: &Val) -> String {
        format!("({})", self.condition(val))
    }

    fn spell(&self, val: &Val) -> (String, Binding) {
        match val {
            Val::Const(value) => (number(*value), if *value < 0 { Binding::Prefix } else { Binding::Tight }),
            Val::Place(place) => (self.place(*place), Binding::Tight),
            Val::Unary(op, operand) => match op {
                UnaryOp::Plus => self.spell(operand),
                // Through unsigned, so that the smallest number is its own negation without a warning.
                UnaryOp::Negate => {
                    (format!("(int64_t)(0 - (uint64_t){})", self.operand(operand)), Binding::Prefix)
                }
                // As an operand it gets parentheses, without which the compiler supposes that they were forgotten.
                UnaryOp::Not => (format!("!{}", self.truth(operand)), Binding::Loose),
                UnaryOp::Complement => (format!("~(int64_t){}", self.plain_number(operand)), Binding::Prefix),
            },
            Val::Binary(op, left, right) => self.binary(*op, left, right),
            Val::Select(condition, then, otherwise) => (
                format!("{} ? {} : {}", self.truth(condition), self.operand(then), self.operand(otherwise)),
                Binding::Loose,
            ),
            Val::Compare(op, left, right) => (
                format!(
                    "strncmp ({}, {}, MAXSTRINGLEN) {} 0",
                    self.text(left),
                    self.text(right),
                    operator(*op)
                ),
                Binding::Loose,
            ),
            Val::Match { regex, negated, subject } => {
                let call = format!("__stp_dfa{regex} (c, {})", self.text(subject));
                if *negated { (format!("!{call}"), Binding::Loose) } else { (call, Binding::Tight) }
            }
            Val::Element(array, keys) => (
                format!("_stp_map_get_{} ({}{})", self.suffix(*array), self.global(*array), self.keys(keys)),
                Binding::Tight,
            ),
            Val::Exists(array, keys) => {
                let (suffix, global, keys) = (self.suffix(*array), self.global(*array), self.keys(keys));
                if self.is_stat_map(*array) {
                    (format!("_stp_pmap_get_{suffix} ({global}{keys}) != NULL"), Binding::Loose)
                } else {
                    (format!("_stp_map_exists_{suffix} ({global}{keys})"), Binding::Tight)
                }
            }
            Val::Cursor(CursorRead::Key { cursor, array, key }) => (
                format!("_stp_map_key_get_int64_{} (cursor{cursor}, {})", self.suffix(*array), key + 1),
                Binding::Tight,
            ),
            Val::Cursor(CursorRead::Value { cursor, array }) => {
                (format!("_stp_map_get_int64_{} (cursor{cursor})", self.suffix(*array)), Binding::Tight)
            }
            Val::Stat { data, op } => (stat_field(*data, *op), Binding::Tight),
            Val::Bucket { data, index, guarded } => {
                let bucket = format!("data{data}->histogram[{}]", self.val(index));
                if *guarded {
                    (format!("data{data} ? {bucket} : 0"), Binding::Loose)
                } else {
                    (bucket, Binding::Tight)
                }
            }
            Val::Buckets(stat) => (format!("{}->hist.buckets", self.walked(*stat)), Binding::Tight),
            Val::Code(code) => (format!("((int64_t) ({}))", guard(code)), Binding::Tight),
            Val::Register { user, number } => {
                // Some runtimes expand this without parentheres of its own.
                (format!("({}_fetch_register({number}))", if *user { 'u' } else { 'k' }), Binding::Tight)
            }
            Val::Deref { user, size, address } => (
                format!("{}deref({size}, ({}))", if *user { 'u' } else { 'k' }, self.val(address)),
                Binding::Tight,
            ),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Val, right: &Val) -> (String, Binding) {
        let spelled = match op {
            BinaryOp::Divide => {
                return (
                    format!("_stp_div64 (NULL, {}, {})", self.val(left), self.val(right)),
                    Binding::Tight,
                );
            }
            BinaryOp::Modulo => {
                return (
                    format!("_stp_mod64 (NULL, {}, {})", self.val(left), self.val(right)),
                    Binding::Tight,
                );
            }
            // As unsigned numbers, so that an overflow that the compiler sees is no warning; the value is the same.
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply
                if is_constant(left) && is_constant(right) =>
            {
                let (left, right) = (self.operand(left), self.operand(right));
                let unsigned = format!("((uint64_t){left} {} (uint64_t){right})", operator(op));
                return (format!("(int64_t){unsigned}"), Binding::Prefix);
            }
            BinaryOp::ShiftLeft if is_constant(left) => {
                let shifted = format!("((uint64_t){} << {})", self.operand(left), self.shift(right));
                return (format!("(int64_t){shifted}"), Binding::Prefix);
            }
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
                let count = self.shift(right);
                format!("(int64_t){} {} {count}", self.operand(left), operator(op))
            }
            BinaryOp::ShiftRightLogical => {
                let shifted = format!("((uint64_t){} >> {})", self.operand(left), self.shift(right));
                return (format!("(int64_t){shifted}"), Binding::Prefix);
            }
            BinaryOp::LogicalAnd | BinaryOp::LogicalOr => {
                format!("{} {} {}", self.truth(left), operator(op), self.truth(right))
            }
            _ if op.is_boolean() && is_boolean(left) != is_boolean(right) => {
                format!("{} {} {}", self.plain_number(left), operator(op), self.plain_number(right))
            }
            _ => format!("{} {} {}", self.operand(left), operator(op), self.operand(right)),
        };
        (spelled, Binding::Loose)
    }

    /// Shift counts are taken modulo 64.
    pub fn shift(&self, count: &Val) -> String {
        match count {
            Val::Const(count) => (count & 63).to_string(),
            count => format!("({} & 63)", self.operand(count)),
        }
    }

    /// A string: an expression of type `const char *`.
    pub fn text(&self, text: &Text) -> String {
        match text {
            Text::Literal(text) => script_literal(text),
            Text::Place(place) => self.place(*place),
            Text::Pointer(number) => format!("p{number}"),
            Text::Element(array, keys) => format!(
                "(_stp_map_get_{} ({}{}) ?: \"\")",
                self.suffix(*array),
                self.global(*array),
                self.keys(keys)
            ),
            Text::Cursor(CursorRead::Key { cursor, array, key }) => {
                format!(
                    "(_stp_map_key_get_str_{} (cursor{cursor}, {}) ?: \"\")",
                    self.suffix(*array),
                    key + 1
                )
            }
            Text::Cursor(CursorRead::Value { cursor, array }) => {
                format!("(_stp_map_get_str_{} (cursor{cursor}) ?: \"\")", self.suffix(*array))
            }
            Text::Code(code) => format!("((const char *) ({}))", guard(code)),
            Text::LastError => String::from("c->last_error"),
        }
    }
}

/// Embedded C, with the check that it may touch the current process.
pub fn guard(code: &str) -> String {
    if tagged(code, "myproc-unprivileged") {
        format!("({{ assert_is_myproc(); }}), {code}")
    } else {
        code.to_owned()
    }
}

/// A 64-bit literal.
pub fn number(value: i64) -> String {
    if value == i64::MIN { format!("(int64_t){}ULL", value.unsigned_abs()) } else { format!("{value}LL") }
}

/// Text that may stand in a comment.
pub fn remark(text: &str) -> String {
    format!("/* {} */", comment(text))
}

fn stat_field(data: u32, op: StatOp) -> String {
    match op {
        StatOp::Count => format!("data{data}->count"),
        StatOp::Sum => format!("data{data}->sum"),
        StatOp::Min => format!("data{data}->min"),
        StatOp::Max => format!("data{data}->max"),
        StatOp::Average => format!("_stp_div64 (NULL, data{data}->sum, data{data}->count)"),
        StatOp::Variance => format!("data{data}->variance"),
    }
}

/// True for values that the compiler computes. There are such operations only where scripts are not optimised.
fn is_constant(val: &Val) -> bool {
    match val {
        Val::Const(_) => true,
        Val::Unary(_, operand) => is_constant(operand),
        Val::Binary(_, left, right) => is_constant(left) && is_constant(right),
        _ => false,
    }
}

fn is_boolean(val: &Val) -> bool {
    match val {
        Val::Compare(..) => true,
        Val::Binary(op, ..) => op.is_boolean(),
        Val::Unary(op, _) => *op == UnaryOp::Not,
        _ => false,
    }
}

/// The C operator. Both right shifts are `>>`: the type of the operand tells them apart.
pub fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::ShiftRightLogical => ">>",
        other => other.spelling(),
    }
}
