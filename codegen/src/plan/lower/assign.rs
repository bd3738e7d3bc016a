//! Assignments and steps, to scalars, elements, memory and registers.

use super::{Lowerer, Planned, Reads};
use crate::plan::ir::{Arg, Op, Place, Text, Val};
use frontend::hir::{Bound, GlobalId, VarRef};
use frontend::source::Token;
use frontend::tree::{AssignOp, BinaryOp, Expr, ExprKind, Key};
use frontend::types::Type;

impl Lowerer<'_> {
    /// Assigns a number; the value is only a meaningful one if it is wanted.
    pub(super) fn assign_val(
        &mut self,
        op: AssignOp,
        target: &Expr<Bound>,
        value: &Expr<Bound>,
        token: &Token,
        wanted: bool,
    ) -> Planned<Val> {
        match &target.kind {
            ExprKind::Var(var) => self.assign_scalar(op, *var, value, token, wanted),
            ExprKind::Index { base, keys } => {
                let array = self.array_of(*base, token)?;
                let (keys, value) = self.keys_and_value(array, keys, Some(value), token)?;
                let Some(Arg::Long(value)) = value else {
                    return Err(Self::error("assign:value", "type mismatch", token));
                };
                // Positions of an element assignment are those of its left side (c_unparser_assignment).
                let at = self.blame(&target.origin.0);
                self.passes(&at);
                match op {
                    AssignOp::Aggregate => {
                        let value = if wanted { self.stable_val(value) } else { value };
                        self.push(Op::SampleElement { array, keys, value: value.clone(), at });
                        Ok(value)
                    }
                    AssignOp::Set => {
                        let value = if wanted { self.stable_val(value) } else { value };
                        self.push(Op::SetElement { array, keys, value: Arg::Long(value.clone()), at });
                        Ok(value)
                    }
                    AssignOp::Compound(operator) => {
                        let keys = self.stable_keys(keys);
                        let value = self.operand(operator, value, token);
                        let to = self.long();
                        self.push(Op::Set(to, Val::Element(array, keys.clone())));
                        self.push(Op::Update(to, operator, value));
                        self.push(Op::SetElement { array, keys, value: Arg::Long(Val::Place(to)), at });
                        Ok(Val::Place(to))
                    }
                    AssignOp::Concat => Err(Self::error("assign:concat", "expected string type", token)),
                }
            }
            ExprKind::Deref { user, size, address } => {
                let mut args = self.sequence(&[address, value])?;
                let (Some(Arg::Long(value)), Some(Arg::Long(address))) = (args.pop(), args.pop()) else {
                    return Err(Self::error("assign:deref", "expected numeric type", token));
                };
                let value = self.stable_val(value);
                let (user, size) = (*user, *size);
                self.push(Op::StoreMemory { user, size, address, value: value.clone() });
                Ok(value)
            }
            ExprKind::Register { user, number } => {
                let value = self.val(value)?;
                let value = self.stable_val(value);
                self.push(Op::StoreRegister { user: *user, number: *number, value: value.clone() });
                Ok(value)
            }
            ExprKind::Bucket { .. } => {
                Err(Self::error("assign:bucket", "cannot assign to histogram buckets", token))
            }
            _ => Err(Self::error("assign:lvalue", "Expecting lvalue for assignment", token)),
        }
    }

    fn assign_scalar(
        &mut self,
        op: AssignOp,
        var: VarRef,
        value: &Expr<Bound>,
        token: &Token,
        wanted: bool,
    ) -> Planned<Val> {
        if op == AssignOp::Aggregate {
            let VarRef::Global(stat) = var else {
                return Err(Self::error("assign:stat", "stat locals not supported", token));
            };
            let value = self.val(value)?;
            let value = if wanted { self.stable_val(value) } else { value };
            self.push(Op::Sample(stat, value.clone()));
            return Ok(value);
        }
        let divisor_token = &value.origin.0;
        let value = self.val(value)?;
        match op {
            AssignOp::Compound(operator) => {
                let value = self.operand(operator, value, divisor_token);
                let place = self.read_place(var);
                self.push(Op::Update(place, operator, value));
                Ok(Val::Place(place))
            }
            _ => {
                let place = self.place_of(var);
                if wanted {
                    self.read_place(var);
                }
                let constant = matches!(value, Val::Const(_) | Val::Place(Place::Long(_)));
                self.push(Op::Set(place, value.clone()));
                Ok(if constant { value } else { Val::Place(place) })
            }
        }
    }

    /// Right side of a compound assignment; divisors are checked and blamed on their own token.
    fn operand(&mut self, operator: BinaryOp, value: Val, token: &Token) -> Val {
        match operator {
            BinaryOp::Divide | BinaryOp::Modulo => {
                let at = self.blame(token);
                self.checked_divisor(value, at)
            }
            _ => value,
        }
    }

    /// `++` and `--`.
    pub(super) fn step(
        &mut self,
        up: bool,
        prefix: bool,
        operand: &Expr<Bound>,
        token: &Token,
        wanted: bool,
    ) -> Planned<Val> {
        let operator = if up { BinaryOp::Add } else { BinaryOp::Subtract };
        match &operand.kind {
            ExprKind::Var(var) => {
                let place = self.read_place(*var);
                let old = if wanted && !prefix {
                    let old = self.long();
                    self.push(Op::Set(old, Val::Place(place)));
                    old
                } else {
                    place
                };
                self.push(Op::Update(place, operator, Val::Const(1)));
                Ok(Val::Place(old))
            }
            ExprKind::Index { base, keys } => {
                let array = self.array_of(*base, token)?;
                let (keys, _) = self.keys_and_value(array, keys, None, token)?;
                let keys = self.stable_keys(keys);
                let at = self.blame(&operand.origin.0);
                self.passes(&at);
                let read = self.long();
                self.push(Op::Set(read, Val::Element(array, keys.clone())));
                let new = Val::Binary(operator, Box::new(Val::Place(read)), Box::new(Val::Const(1)));
                if wanted && prefix {
                    self.push(Op::Set(read, new));
                    self.push(Op::SetElement { array, keys, value: Arg::Long(Val::Place(read)), at });
                } else {
                    self.push(Op::SetElement { array, keys, value: Arg::Long(new), at });
                }
                Ok(Val::Place(read))
            }
            _ => Err(Self::error("assign:step", "Expecting lvalue for assignment", token)),
        }
    }

    /// Keys that are evaluated twice: read and write.
    pub(super) fn stable_keys(&mut self, keys: Vec<Arg>) -> Vec<Arg> {
        keys.into_iter().map(|key| self.stable(key)).collect()
    }

    /// Keys left to right, then the right side.
    fn keys_and_value(
        &mut self,
        array: GlobalId,
        keys: &[Key<Bound>],
        value: Option<&Expr<Bound>>,
        token: &Token,
    ) -> Planned<(Vec<Arg>, Option<Arg>)> {
        let mut exprs = self.plain_keys(keys, token)?;
        exprs.extend(value);
        let mut args = self.sequence(&exprs)?;
        let value = if value.is_some() { args.pop() } else { None };
        // A key that points into the array itself could be overwritten while the array makes room.
        let keys = exprs.iter().zip(args).map(|(expr, key)| match self.cut(expr, key) {
            Arg::Text(text) => Arg::Text(self.spill_if_element(text, array)),
            key => key,
        });
        Ok((keys.collect(), value))
    }

    /// Assigns a string; the value is what the expression stands for.
    pub(super) fn assign_text(
        &mut self,
        op: AssignOp,
        target: &Expr<Bound>,
        value: &Expr<Bound>,
        token: &Token,
    ) -> Planned<Text> {
        match &target.kind {
            ExprKind::Var(var) => {
                let place = self.place_of(*var);
                let append = match op {
                    AssignOp::Set => false,
                    AssignOp::Concat => true,
                    _ => return Err(Self::error("assign:string", "expected numeric type", token)),
                };
                if !append && self.may_build_in_place(*var, value) {
                    self.text_into(value, place)?;
                    return Ok(Text::Place(self.read_place(*var)));
                }
                let text = self.text(value)?;
                let mut reads = Reads::default();
                self.text_reads(&text, &mut reads);
                let mut own = Reads::default();
                self.place_reads(place, &mut own);
                let aliased =
                    !reads.locals.is_disjoint(&own.locals) || !reads.globals.is_disjoint(&own.globals);
                let text = if aliased { self.spill_text(text) } else { text };
                if append {
                    self.push(Op::Append(place, text));
                    return Ok(Text::Place(self.read_place(*var)));
                }
                self.push(Op::Copy(place, text.clone()));
                Ok(match text {
                    Text::Literal(_) | Text::Place(Place::Buffer(_)) => text,
                    _ => Text::Place(self.read_place(*var)),
                })
            }
            ExprKind::Index { base, keys } => {
                let array = self.array_of(*base, token)?;
                let at = self.blame(&target.origin.0);
                let (keys, value) = self.keys_and_value(array, keys, Some(value), token)?;
                let Some(Arg::Text(value)) = value else {
                    return Err(Self::error("assign:value", "type mismatch", token));
                };
                self.passes(&at);
                let value = if op == AssignOp::Concat {
                    let keys = keys.clone();
                    let value = self.spill_if_element(value, array);
                    let to = self.buffer();
                    self.push(Op::Copy(to, Text::Element(array, keys)));
                    self.push(Op::Append(to, value));
                    Text::Place(to)
                } else {
                    // The array copies the string; a pointer into the array itself may move under it.
                    self.spill_if_element(value, array)
                };
                let value = match value {
                    Text::Literal(_) | Text::Place(_) | Text::Pointer(_) => value,
                    other => self.spill_text(other),
                };
                self.push(Op::SetElement { array, keys, value: Arg::Text(value.clone()), at });
                Ok(value)
            }
            _ => Err(Self::error("assign:lvalue", "Expecting lvalue for assignment", token)),
        }
    }

    fn spill_if_element(&mut self, text: Text, array: GlobalId) -> Text {
        let mut reads = Reads::default();
        self.text_reads(&text, &mut reads);
        if reads.globals.contains(&array) { self.spill_text(text) } else { text }
    }

    /// True if a string expression may be built in the variable itself: it must not read it, and nobody may see it
    /// half built after an error.
    fn may_build_in_place(&self, var: VarRef, value: &Expr<Bound>) -> bool {
        let VarRef::Local(id) = var else { return false };
        matches!(value.kind, ExprKind::Concat(_) | ExprKind::Call { .. } | ExprKind::Print(_))
            && self.in_try == 0
            && self.local_is_buffer(id)
            && {
                let effects = self.cx.effects.of_expr(value);
                !effects.local_reads.contains(&id) && !effects.local_writes.contains(&id)
            }
    }

    /// True for locals with a string buffer of their own (a parameter may be a pointer).
    fn local_is_buffer(&self, id: frontend::hir::LocalId) -> bool {
        self.cx.types.local(self.owner, id) == Type::String && !self.is_pointer_param(id)
    }
}
