//! Array elements, membership, deletion, statistics and histograms.

use super::{Lowerer, Planned};
use crate::plan::ir::{Arg, CursorRead, Fault, LabelKind, Op, Place, StatSource, Text, Val};
use frontend::hir::{Bound, GlobalId, VarRef};
use frontend::source::Token;
use frontend::tree::{BinaryOp, Expr, ExprKind, Hist, Key, StatOp};
use frontend::types::Type;

impl Lowerer<'_> {
    /// The array that a name stands for.
    pub(super) fn array_of(&self, var: VarRef, token: &Token) -> Planned<GlobalId> {
        match var {
            VarRef::Global(id) => Ok(id),
            VarRef::Local(_) => Err(Self::error(
                "array:local",
                "array locals not supported, missing global declaration?",
                token,
            )),
        }
    }

    /// Keys of which none is `*`.
    pub(super) fn plain_keys<'e>(
        &self,
        keys: &'e [Key<Bound>],
        token: &Token,
    ) -> Planned<Vec<&'e Expr<Bound>>> {
        keys.iter()
            .map(|key| match key {
                Key::Expr(expr) => Ok(expr),
                Key::Any(_) => {
                    Err(Self::error("array:wildcard", "wildcard not allowed in array index", token))
                }
            })
            .collect()
    }

    fn keys(&mut self, keys: &[Key<Bound>], token: &Token) -> Planned<Vec<Arg>> {
        let exprs = self.plain_keys(keys, token)?;
        self.cut_sequence(&exprs)
    }

    /// The cursor of an enclosing foreach whose element `array[keys]` is.
    fn cursor_of(&self, array: GlobalId, keys: &[Key<Bound>]) -> Option<u32> {
        let vars: Option<Vec<VarRef>> = keys
            .iter()
            .map(|key| match key {
                Key::Expr(Expr { kind: ExprKind::Var(var), .. }) => Some(*var),
                _ => None,
            })
            .collect();
        let vars = vars?;
        self.scopes
            .iter()
            .rev()
            .find(|scope| scope.array == array && scope.keys.as_ref() == Some(&vars))
            .map(|scope| scope.cursor)
    }

    /// A number in an array.
    pub(super) fn element(&mut self, base: VarRef, keys: &[Key<Bound>], token: &Token) -> Planned<Val> {
        let array = self.array_of(base, token)?;
        if let Some(cursor) = self.cursor_of(array, keys) {
            return Ok(Val::Cursor(CursorRead::Value { cursor, array }));
        }
        Ok(Val::Element(array, self.keys(keys, token)?))
    }

    /// A string in an array.
    pub(super) fn text_element(&mut self, base: VarRef, keys: &[Key<Bound>], token: &Token) -> Planned<Text> {
        let array = self.array_of(base, token)?;
        if let Some(cursor) = self.cursor_of(array, keys) {
            return Ok(Text::Cursor(CursorRead::Value { cursor, array }));
        }
        Ok(Text::Element(array, self.keys(keys, token)?))
    }

    /// `[keys] in array`.
    pub(super) fn contains(&mut self, base: VarRef, keys: &[Key<Bound>], token: &Token) -> Planned<Val> {
        let array = self.array_of(base, token)?;
        if !keys.iter().any(|key| matches!(key, Key::Any(_))) {
            return Ok(Val::Exists(array, self.keys(keys, token)?));
        }
        let wanted = self.slice(keys)?;
        let to = self.long();
        let cursor = self.cursor();
        let at = self.blame(token);
        if self.is_stat_array(array) && !self.aggregated.contains(&array) {
            self.push(Op::Aggregate { array, at });
        }
        let (top, end) = self.loop_labels();
        self.push(Op::Start { cursor, array });
        self.push(Op::Set(to, Val::Const(0)));
        self.push(Op::Label(top));
        self.push(Op::UnlessCursor(cursor, end));
        let found = vec![Op::Set(to, Val::Const(1)), Op::Goto(end)];
        match slice_test(cursor, array, &wanted, |key| key) {
            Some(test) => self.push(Op::If(test, found, Vec::new())),
            None => self.ops.extend(found),
        }
        self.push(Op::Advance { cursor, array });
        self.push(Op::Goto(top));
        self.push(Op::Label(end));
        Ok(Val::Place(to))
    }

    fn loop_labels(&mut self) -> (super::Label, super::Label) {
        let number = self.labels;
        (self.label(LabelKind::Top, number), self.label(LabelKind::Break, number))
    }

    /// Keys of a slice, evaluated once; `None` for `*`.
    pub(super) fn slice(&mut self, keys: &[Key<Bound>]) -> Planned<Vec<Option<Arg>>> {
        let exprs: Vec<&Expr<Bound>> = keys
            .iter()
            .filter_map(|key| match key {
                Key::Expr(expr) => Some(expr),
                Key::Any(_) => None,
            })
            .collect();
        let values = self.sequence(&exprs)?;
        // They are compared in every round, while the body may change what they read.
        let mut values: Vec<Arg> = values.into_iter().map(|value| self.spill(value)).collect();
        values.reverse();
        Ok(keys.iter().map(|key| if let Key::Expr(_) = key { values.pop() } else { None }).collect())
    }

    pub(super) fn is_stat_array(&self, array: GlobalId) -> bool {
        self.cx.types.global(array).value == Type::Stats
    }

    /// `delete`.
    pub(super) fn delete(&mut self, operand: &Expr<Bound>) -> Planned<()> {
        let token = &operand.origin.0;
        match &operand.kind {
            ExprKind::Var(VarRef::Global(id)) => {
                let global = self.cx.types.global(*id);
                if !global.keys.is_empty() || global.value == Type::Stats {
                    self.push(Op::Clear(*id));
                } else if global.value == Type::String {
                    self.push(Op::Copy(Place::Global(*id), Text::Literal("".into())));
                } else {
                    self.push(Op::Set(Place::Global(*id), Val::Const(0)));
                }
                Ok(())
            }
            ExprKind::Var(var @ VarRef::Local(_)) => {
                let place = self.place_of(*var);
                if self.is_string(operand) {
                    self.push(Op::Copy(place, Text::Literal("".into())));
                } else {
                    self.push(Op::Set(place, Val::Const(0)));
                }
                Ok(())
            }
            ExprKind::Index { base, keys } => {
                let array = self.array_of(*base, token)?;
                if !keys.iter().any(|key| matches!(key, Key::Any(_))) {
                    let keys = self.keys(keys, token)?;
                    self.push(Op::DeleteElement(array, keys));
                    return Ok(());
                }
                self.delete_slice(array, keys, token)
            }
            ExprKind::Bucket { .. } => {
                Err(Self::error("delete:bucket", "cannot delete histogram bucket entries\n", token))
            }
            _ => Err(Self::error("delete:operand", "invalid operand of delete expression", token)),
        }
    }

    fn delete_slice(&mut self, array: GlobalId, keys: &[Key<Bound>], token: &Token) -> Planned<()> {
        let wanted = self.slice(keys)?;
        let cursor = self.cursor();
        let stat = self.is_stat_array(array);
        if stat {
            let at = self.blame(token);
            self.push(Op::Aggregate { array, at });
        }
        let (top, end) = self.loop_labels();
        self.push(Op::Start { cursor, array });
        self.push(Op::Label(top));
        self.push(Op::UnlessCursor(cursor, end));
        let remove = if stat {
            // The cursor is in the aggregate; the element goes from all processors by its keys, which are copied
            // before the cursor moves on.
            let (ops, ()) = self.apart(|this| {
                let types = this.cx.types.global(array).keys.clone();
                let mut args = Vec::new();
                for (index, wanted) in wanted.iter().enumerate() {
                    let read = CursorRead::Key { cursor, array, key: index };
                    args.push(match wanted {
                        Some(arg) => arg.clone(),
                        None if types.get(index) == Some(&Type::String) => {
                            Arg::Text(this.spill_text(Text::Cursor(read)))
                        }
                        None => Arg::Long(this.spill_val(Val::Cursor(read))),
                    });
                }
                this.push(Op::Advance { cursor, array });
                this.push(Op::DeleteElement(array, args));
                Ok(())
            })?;
            ops
        } else {
            vec![Op::DeleteAtCursor { cursor, array }]
        };
        match slice_test(cursor, array, &wanted, |key| key) {
            Some(test) => self.push(Op::If(test, remove, vec![Op::Advance { cursor, array }])),
            None => self.ops.extend(remove),
        }
        self.push(Op::Goto(top));
        self.push(Op::Label(end));
        Ok(())
    }

    /// Pointer to the statistic that an expression names, and whose it is.
    pub(super) fn fetch_stat(&mut self, stat: &Expr<Bound>) -> Planned<(u32, GlobalId)> {
        let token = &stat.origin.0;
        let (global, source) = match &stat.kind {
            ExprKind::Var(VarRef::Global(id)) => (*id, StatSource::Scalar(*id)),
            ExprKind::Index { base, keys } => {
                let array = self.array_of(*base, token)?;
                let source = if let Some(cursor) = self.cursor_of(array, keys) {
                    StatSource::Cursor { cursor, array }
                } else {
                    let keys = self.keys(keys, token)?;
                    if self.aggregated.contains(&array) {
                        StatSource::Aggregated(array, keys)
                    } else {
                        StatSource::Element(array, keys)
                    }
                };
                (array, source)
            }
            _ => return Err(Self::error("stat:operand", "unexpected aggregate of non-statistic", token)),
        };
        if self.cx.types.global(global).value != Type::Stats {
            return Err(Self::error("stat:type", "unexpected aggregate of non-statistic", token));
        }
        let to = self.data();
        self.push(Op::FetchStat { to, source });
        Ok((to, global))
    }

    /// `@count(x)` and its kin.
    pub(super) fn stat(&mut self, op: StatOp, stat: &Expr<Bound>, token: &Token) -> Planned<Val> {
        let (data, _) = self.fetch_stat(stat)?;
        let to = self.long();
        let zero_if_empty =
            op == StatOp::Count || (op == StatOp::Sum && !self.cx.session.compatible.before(1, 5));
        if zero_if_empty {
            self.push(Op::CountOrSum { to, data, op });
        } else {
            let at = self.blame(token);
            self.push(Op::CheckStat { data, at });
            self.push(Op::Set(to, Val::Stat { data, op }));
        }
        Ok(Val::Place(to))
    }

    /// `@hist_log(x)[index]`.
    pub(super) fn bucket(&mut self, hist: &Hist<Bound>, index: &Expr<Bound>, token: &Token) -> Planned<Val> {
        if let (ExprKind::Var(VarRef::Global(stat)), ExprKind::Var(bucket)) = (&hist.stat.kind, &index.kind)
            && let Some(walk) =
                self.bucket_walks.iter().rev().find(|walk| walk.stat == *stat && walk.bucket == *bucket)
        {
            // What a walk is at needs no check, and its counts are those in front of the walk
            // (translate.cxx: `get_foreach_loop_value`).
            let data = walk.data;
            let index = Box::new(Val::Place(self.read_place(*bucket)));
            return Ok(Val::Bucket { data, index, guarded: true });
        }
        let effects = self.cx.effects.of_expr(&hist.stat);
        let mut index = Arg::Long(self.val(index)?);
        if self.clashes(&index, &effects) {
            index = self.spill(index);
        }
        let Arg::Long(index) = index else {
            return Err(Self::error("bucket:index", "Invalid indexing of histogram", token));
        };
        let index = self.stable_val(index);
        let (data, global) = self.fetch_stat(&hist.stat)?;
        let at = self.blame(token);
        self.passes(&at);
        self.push(Op::CheckStat { data, at: at.clone() });
        let low = Val::Binary(BinaryOp::GreaterEqual, Box::new(index.clone()), Box::new(Val::Const(0)));
        let high = Val::Binary(BinaryOp::Less, Box::new(index.clone()), Box::new(Val::Buckets(global)));
        self.push(Op::Check {
            condition: Val::Binary(BinaryOp::LogicalAnd, Box::new(low), Box::new(high)),
            fault: Fault::BucketRange,
            at,
        });
        let to = self.long();
        self.push(Op::Set(to, Val::Bucket { data, index: Box::new(index), guarded: false }));
        Ok(Val::Place(to))
    }
}

/// True if the cursor's keys are the wanted ones; `None` if any key will do. `compared` tells which key is compared with
/// what is wanted of a key.
pub(super) fn slice_test(
    cursor: u32,
    array: GlobalId,
    wanted: &[Option<Arg>],
    compared: impl Fn(usize) -> usize,
) -> Option<Val> {
    wanted
        .iter()
        .enumerate()
        .filter_map(|(key, wanted)| {
            let read = CursorRead::Key { cursor, array, key: compared(key) };
            Some(match wanted.as_ref()? {
                Arg::Long(val) => {
                    Val::Binary(BinaryOp::Equal, Box::new(val.clone()), Box::new(Val::Cursor(read)))
                }
                Arg::Text(text) => {
                    Val::Compare(BinaryOp::Equal, Box::new(text.clone()), Box::new(Text::Cursor(read)))
                }
            })
        })
        .reduce(|left, right| Val::Binary(BinaryOp::LogicalAnd, Box::new(left), Box::new(right)))
}
