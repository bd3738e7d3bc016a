//! Expressions to values.

use super::{Lowerer, Planned, Reads};
use crate::plan::effects::{pragma_globals, tagged};
use crate::plan::ir::{Arg, CodeResult, Fault, Op, Place, Spot, Text, Val};
use frontend::hir::Bound;
use frontend::tree::{BinaryOp, Expr, ExprKind, Indexable};
use smol_str::SmolStr;

impl Lowerer<'_> {
    /// A number.
    pub(super) fn val(&mut self, expr: &Expr<Bound>) -> Planned<Val> {
        let token = &expr.origin.0;
        match &expr.kind {
            ExprKind::Number { value, .. } => Ok(Val::Const(*value)),
            ExprKind::Var(var) => Ok(Val::Place(self.read_place(*var))),
            ExprKind::Index { base, keys } => self.element(*base, keys, token),
            ExprKind::Bucket { hist, index } => self.bucket(hist, index, token),
            ExprKind::Unary { op, operand } => {
                let operand = self.val(operand)?;
                Ok(Val::Unary(*op, Box::new(operand)))
            }
            ExprKind::Step { up, prefix, operand } => self.step(*up, *prefix, operand, token, true),
            ExprKind::Binary { op: BinaryOp::LogicalAnd, left, right } => self.logical(true, left, right),
            ExprKind::Binary { op: BinaryOp::LogicalOr, left, right } => self.logical(false, left, right),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, expr),
            ExprKind::Ternary { condition, then, otherwise } => self.ternary_val(condition, then, otherwise),
            ExprKind::Assign { op, target, value } => self.assign_val(*op, target, value, token, true),
            ExprKind::In { keys, base } => match base {
                Indexable::Array { var, .. } => self.contains(*var, keys, token),
                Indexable::Hist(hist) => match keys.as_slice() {
                    [frontend::tree::Key::Expr(index)] => self.bucket(hist, index, &hist.origin.0),
                    _ => Err(Self::error("lower:hist-in", "Invalid indexing of histogram", token)),
                },
            },
            ExprKind::Match { negated, subject, pattern, .. } => {
                let subject = self.text(subject)?;
                let regex = self.tables.regexes.insert(pattern);
                // The automaton of a tagged expression records what it matched, so it runs where it stands.
                let found = Val::Match { regex, negated: *negated, subject: Box::new(subject) };
                Ok(self.spill_val(found))
            }
            ExprKind::Call { callee, args } => self.call_val(callee, args, token),
            ExprKind::Print(print) => {
                self.print(print, token, None)?;
                Ok(Val::Const(0))
            }
            ExprKind::Stat { op, stat, .. } => self.stat(*op, stat, token),
            ExprKind::Embedded(code) => self.code_val(code),
            ExprKind::Register { user, number } => Ok(Val::Register { user: *user, number: *number }),
            ExprKind::Deref { user, size, address } => {
                let address = Box::new(self.val(address)?);
                Ok(Val::Deref { user: *user, size: *size, address })
            }
            ExprKind::String(_) | ExprKind::Concat(_) => {
                Err(Self::error("lower:number", "expected numeric type", token))
            }
            ExprKind::Target(_) => {
                Err(Self::error("lower:target", "cannot translate general target-symbol expression", token))
            }
            ExprKind::Defined(_) => {
                Err(Self::error("lower:defined", "cannot translate general @defined expression", token))
            }
            ExprKind::ProbeWrite(_) => {
                Err(Self::error("lower:probewrite", "cannot translate general @probewrite expression", token))
            }
            ExprKind::Entry(_) => {
                Err(Self::error("lower:entry", "cannot translate general @entry expression", token))
            }
            ExprKind::Perf(_) => {
                Err(Self::error("lower:perf", "cannot translate general @perf expression", token))
            }
            ExprKind::Enumerator(_) => {
                Err(Self::error("lower:enum", "cannot translate @enum expression", token))
            }
            ExprKind::EnumName { .. } => {
                Err(Self::error("lower:enumname", "cannot translate @enumname expression", token))
            }
            ExprKind::Hist(_) => Err(Self::error("lower:hist", "histogram where a value is expected", token)),
        }
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &Expr<Bound>,
        right: &Expr<Bound>,
        expr: &Expr<Bound>,
    ) -> Planned<Val> {
        let mut args = self.sequence(&[left, right])?;
        let (Some(second), Some(first)) = (args.pop(), args.pop()) else {
            return Err(Self::error("lower:binary", "operand lost", &expr.origin.0));
        };
        match (first, second) {
            (Arg::Text(first), Arg::Text(second)) => Ok(Val::Compare(op, Box::new(first), Box::new(second))),
            (Arg::Long(first), Arg::Long(second)) => match op {
                BinaryOp::Divide | BinaryOp::Modulo => {
                    let at = self.blame(&expr.origin.0);
                    let second = self.checked_divisor(second, at);
                    Ok(Val::Binary(op, Box::new(first), Box::new(second)))
                }
                _ => Ok(Val::Binary(op, Box::new(first), Box::new(second))),
            },
            _ => Err(Self::error("lower:mixed", "expected matching types", &expr.origin.0)),
        }
    }

    /// A divisor that is known not to be 0.
    pub(super) fn checked_divisor(&mut self, divisor: Val, at: Spot) -> Val {
        if let Val::Const(value) = divisor
            && value != 0
        {
            return divisor;
        }
        let divisor = self.stable_val(divisor);
        self.push(Op::Check { condition: divisor.clone(), fault: Fault::DivisionByZero, at });
        divisor
    }

    fn logical(&mut self, and: bool, left: &Expr<Bound>, right: &Expr<Bound>) -> Planned<Val> {
        let left = self.val(left)?;
        let (ops, right) = self.apart(|this| this.val(right))?;
        let op = if and { BinaryOp::LogicalAnd } else { BinaryOp::LogicalOr };
        if ops.is_empty() {
            return Ok(Val::Binary(op, Box::new(left), Box::new(right)));
        }
        let to = self.long();
        self.push(Op::Set(to, truth(left)));
        let mut inner = ops;
        inner.push(Op::Set(to, truth(right)));
        let (then, otherwise) = if and { (inner, Vec::new()) } else { (Vec::new(), inner) };
        self.push(Op::If(Val::Place(to), then, otherwise));
        Ok(Val::Place(to))
    }

    fn ternary_val(
        &mut self,
        condition: &Expr<Bound>,
        then: &Expr<Bound>,
        otherwise: &Expr<Bound>,
    ) -> Planned<Val> {
        let condition = self.val(condition)?;
        let (mut then_ops, then) = self.apart(|this| this.val(then))?;
        let (mut otherwise_ops, otherwise) = self.apart(|this| this.val(otherwise))?;
        if then_ops.is_empty() && otherwise_ops.is_empty() {
            return Ok(Val::Select(Box::new(condition), Box::new(then), Box::new(otherwise)));
        }
        let to = self.long();
        then_ops.push(Op::Set(to, then));
        otherwise_ops.push(Op::Set(to, otherwise));
        self.push(Op::If(condition, then_ops, otherwise_ops));
        Ok(Val::Place(to))
    }

    /// A string.
    pub(super) fn text(&mut self, expr: &Expr<Bound>) -> Planned<Text> {
        let token = &expr.origin.0;
        match &expr.kind {
            ExprKind::String(text) => Ok(Text::Literal(text.clone())),
            ExprKind::Var(var) => Ok(Text::Place(self.read_place(*var))),
            ExprKind::Index { base, keys } => self.text_element(*base, keys, token),
            ExprKind::Concat(_) | ExprKind::Call { .. } | ExprKind::Print(_) => {
                let to = self.buffer();
                self.text_into(expr, to)?;
                Ok(Text::Place(to))
            }
            ExprKind::Assign { op, target, value } => self.assign_text(*op, target, value, token),
            ExprKind::Ternary { condition, then, otherwise } => {
                let condition = self.val(condition)?;
                // Both arms point at their string; no copy is made.
                let number = self.pointer(Reads::default());
                let (mut then_ops, then) = self.apart(|this| this.text(then))?;
                let (mut otherwise_ops, otherwise) = self.apart(|this| this.text(otherwise))?;
                let mut reads = Reads::default();
                self.text_reads(&then, &mut reads);
                self.text_reads(&otherwise, &mut reads);
                if let Some(slot) = self.pointers.get_mut(number as usize) {
                    *slot = reads;
                }
                then_ops.push(Op::Point(number, then));
                otherwise_ops.push(Op::Point(number, otherwise));
                self.push(Op::If(condition, then_ops, otherwise_ops));
                Ok(Text::Pointer(number))
            }
            ExprKind::Embedded(code) => self.code_text(code),
            _ => Err(Self::error("lower:string", "expected string type", token)),
        }
    }

    /// A string, written to a buffer that the expression does not read.
    pub(super) fn text_into(&mut self, expr: &Expr<Bound>, to: Place) -> Planned<()> {
        let token = &expr.origin.0;
        match &expr.kind {
            ExprKind::Concat(parts) => {
                let mut parts = parts.iter();
                if let Some(first) = parts.next() {
                    self.scoped(|this| this.text_into(first, to))?;
                }
                for part in parts {
                    // Once appended, what a part was made in is free for the next one.
                    self.scoped(|this| {
                        let text = this.text(part)?;
                        this.push(Op::Append(to, text));
                        Ok(())
                    })?;
                }
                Ok(())
            }
            ExprKind::Call { callee, args } => self.call(callee, args, token, Some(to), false).map(|_| ()),
            ExprKind::Print(print) => self.print(print, token, Some(to)),
            _ => {
                let text = self.text(expr)?;
                self.push(Op::Copy(to, text));
                Ok(())
            }
        }
    }

    /// An expression for its effect.
    pub(super) fn effect(&mut self, expr: &Expr<Bound>) -> Planned<()> {
        let token = &expr.origin.0;
        match &expr.kind {
            ExprKind::Assign { op, target, value } => {
                if self.is_string(target) {
                    self.assign_text(*op, target, value, token)?;
                } else {
                    self.assign_val(*op, target, value, token, false)?;
                }
            }
            ExprKind::Step { up, prefix, operand } => {
                self.step(*up, *prefix, operand, token, false)?;
            }
            ExprKind::Call { callee, args } => {
                let to = if self.is_string(expr) { Some(self.buffer()) } else { None };
                self.call(callee, args, token, to, false)?;
            }
            ExprKind::Ternary { condition, then, otherwise } => {
                let condition = self.val(condition)?;
                let (then, ()) = self.apart(|this| this.effect(then))?;
                let (otherwise, ()) = self.apart(|this| this.effect(otherwise))?;
                if !then.is_empty() || !otherwise.is_empty() {
                    self.push(Op::If(condition, then, otherwise));
                }
            }
            ExprKind::Binary { op: op @ (BinaryOp::LogicalAnd | BinaryOp::LogicalOr), left, right } => {
                let left = self.val(left)?;
                let (right, ()) = self.apart(|this| this.effect(right))?;
                if right.is_empty() {
                    self.keep_faults(left);
                } else if *op == BinaryOp::LogicalAnd {
                    self.push(Op::If(left, right, Vec::new()));
                } else {
                    self.push(Op::If(left, Vec::new(), right));
                }
            }
            _ if self.is_string(expr) => {
                self.text(expr)?;
            }
            _ => {
                let val = self.val(expr)?;
                self.keep_faults(val);
            }
        }
        Ok(())
    }

    /// A value that nobody wants is still evaluated if that can fail.
    fn keep_faults(&mut self, val: Val) {
        if can_fault(&val) {
            self.push(Op::Eval(val));
        }
    }

    fn code_val(&mut self, code: &SmolStr) -> Planned<Val> {
        let globals = pragma_globals(self.cx.program, code);
        if globals.is_empty() && tagged(code, "pure") {
            return Ok(Val::Code(code.clone()));
        }
        let to = self.long();
        self.push(Op::Code { to: Some(CodeResult::Long(to)), code: code.clone(), globals });
        Ok(Val::Place(to))
    }

    fn code_text(&mut self, code: &SmolStr) -> Planned<Text> {
        let globals = pragma_globals(self.cx.program, code);
        if globals.is_empty() && tagged(code, "pure") {
            return Ok(Text::Code(code.clone()));
        }
        let reads = Reads { memory: true, long: !self.cx.texts.code_fits(), ..Reads::default() };
        let number = self.pointer(reads);
        self.push(Op::Code { to: Some(CodeResult::Pointer(number)), code: code.clone(), globals });
        Ok(Text::Pointer(number))
    }
}

/// `v != 0`, unless the value is 0 or 1 anyway.
pub(super) fn truth(val: Val) -> Val {
    let boolean = match &val {
        Val::Compare(..) | Val::Match { .. } | Val::Exists(..) => true,
        Val::Binary(op, ..) => op.is_boolean(),
        Val::Unary(op, _) => *op == frontend::tree::UnaryOp::Not,
        _ => false,
    };
    if boolean { val } else { Val::Binary(BinaryOp::NotEqual, Box::new(val), Box::new(Val::Const(0))) }
}

fn can_fault(val: &Val) -> bool {
    match val {
        Val::Code(_) | Val::Register { .. } | Val::Deref { .. } => true,
        Val::Unary(_, operand) => can_fault(operand),
        Val::Binary(_, left, right) => can_fault(left) || can_fault(right),
        Val::Select(condition, then, otherwise) => {
            can_fault(condition) || can_fault(then) || can_fault(otherwise)
        }
        _ => false,
    }
}
