//! `foreach` over arrays and histogram buckets.

use super::array::slice_test;
use super::{BucketWalk, Lowerer, Planned, Scope};
use crate::plan::effects::Effects;
use crate::plan::ir::{CursorRead, Op, Place, SortBy, Text, Val};
use frontend::hir::{Bound, GlobalId, VarRef};
use frontend::source::Token;
use frontend::tree::{BinaryOp, Expr, ExprKind, Foreach, Hist, Indexable, SortColumn, StatOp};
use frontend::types::Type;

impl Lowerer<'_> {
    pub(super) fn foreach(&mut self, foreach: &Foreach<Bound>, token: &Token) -> Planned<()> {
        match &foreach.base {
            Indexable::Array { var, .. } => {
                let array = self.array_of(*var, token)?;
                self.foreach_array(foreach, array, token)
            }
            Indexable::Hist(hist) => self.foreach_bucket(foreach, hist, token),
        }
    }

    /// The limit, evaluated once, and the counter of rounds.
    fn limit(&mut self, limit: Option<&Expr<Bound>>) -> Planned<Option<(Val, Place)>> {
        let Some(limit) = limit else { return Ok(None) };
        let limit = self.val(limit)?;
        let limit = self.spill_val(limit);
        let counter = self.long();
        Ok(Some((limit, counter)))
    }

    fn foreach_array(&mut self, foreach: &Foreach<Bound>, array: GlobalId, token: &Token) -> Planned<()> {
        let (top, next, end) = self.open_loop();
        let stat = self.is_stat_array(array);
        let limit = self.limit(foreach.limit.as_ref())?;
        if stat {
            let at = self.blame(token);
            self.push(Op::Aggregate { array, at });
        }
        if let Some((column, direction)) = foreach.sort {
            let by = match column {
                SortColumn::Key(key) => SortBy::Key(key),
                SortColumn::Value(_) if !stat => SortBy::Value,
                SortColumn::Value(op) => SortBy::Stat(op.unwrap_or(StatOp::Count)),
            };
            let limit = limit.as_ref().map(|(limit, _)| limit.clone());
            self.push(Op::Sort { array, by, direction, limit });
        }
        if let Some((_, counter)) = &limit {
            self.push(Op::Set(*counter, Val::Const(0)));
        }
        if stat {
            self.aggregated.push(array);
        }
        let cursor = self.cursor();
        self.push(Op::Start { cursor, array });
        let wanted = self.slice(&foreach.slice)?;
        self.record_actions(1, token, true);
        self.push(Op::Label(top));
        self.record_actions(1, token, false);
        self.push(Op::UnlessCursor(cursor, end));
        if let Some((limit, counter)) = limit {
            self.round(limit, counter, end);
        }
        let types = self.cx.types.global(array).clone();
        for (key, (_, var)) in foreach.keys.iter().enumerate() {
            let place = self.place_of(*var);
            let read = CursorRead::Key { cursor, array, key };
            if types.keys.get(key) == Some(&Type::String) {
                self.push(Op::Copy(place, Text::Cursor(read)));
            } else {
                self.push(Op::Set(place, Val::Cursor(read)));
            }
        }
        // The variables are compared, and one that stands for several keys has the last one.
        let keys = &foreach.keys;
        let last = |key: usize| {
            let var = keys.get(key).map(|(_, var)| *var);
            keys.iter().rposition(|(_, other)| Some(*other) == var).unwrap_or(key)
        };
        if let Some(test) = slice_test(cursor, array, &wanted, last) {
            self.push(Op::If(test, Vec::new(), vec![Op::Goto(next)]));
        }
        if let Some((_, var)) = &foreach.value {
            let place = self.place_of(*var);
            let read = CursorRead::Value { cursor, array };
            match types.value {
                Type::String => self.push(Op::Copy(place, Text::Cursor(read))),
                Type::Stats => {
                    return Err(Self::error("foreach:value", "invalid type stats", token));
                }
                _ => self.push(Op::Set(place, Val::Cursor(read))),
            }
        }
        let keys: Vec<VarRef> = foreach.keys.iter().map(|(_, var)| *var).collect();
        let changed = changes(&self.cx.effects.of_stmt(&foreach.body), &keys);
        self.scopes.push(Scope { array, keys: (!changed).then_some(keys), cursor });
        let result = self.loop_body(&foreach.body, next, end);
        self.scopes.pop();
        result?;
        self.record_actions(0, &foreach.body.origin.0, true);
        self.push(Op::Label(next));
        self.push(Op::Advance { cursor, array });
        self.push(Op::Goto(top));
        self.push(Op::Label(end));
        if stat {
            self.aggregated.pop();
        }
        Ok(())
    }

    /// Leaves the loop after `limit` rounds.
    fn round(&mut self, limit: Val, counter: Place, end: super::Label) {
        let over = Val::Binary(BinaryOp::GreaterEqual, Box::new(Val::Place(counter)), Box::new(limit));
        self.push(Op::If(over, vec![Op::Goto(end)], Vec::new()));
        self.push(Op::Update(counter, BinaryOp::Add, Val::Const(1)));
    }

    fn foreach_bucket(&mut self, foreach: &Foreach<Bound>, hist: &Hist<Bound>, token: &Token) -> Planned<()> {
        let (top, next, end) = self.open_loop();
        let [(_, var)] = foreach.keys.as_slice() else {
            return Err(Self::error("foreach:hist", "Invalid indexing of histogram", token));
        };
        let limit = self.limit(foreach.limit.as_ref())?;
        if let Some((_, counter)) = &limit {
            self.push(Op::Set(*counter, Val::Const(0)));
        }
        let (data, global) = self.fetch_stat(&hist.stat)?;
        self.record_actions(1, token, true);
        let bucket = self.read_place(*var);
        self.push(Op::Set(bucket, Val::Const(0)));
        self.push(Op::Label(top));
        let more = Val::Binary(BinaryOp::Less, Box::new(Val::Place(bucket)), Box::new(Val::Buckets(global)));
        self.push(Op::If(more, Vec::new(), vec![Op::Goto(end)]));
        if let Some((limit, counter)) = limit {
            self.round(limit, counter, end);
        }
        if let Some((_, value)) = &foreach.value {
            let place = self.place_of(*value);
            let read = Val::Bucket { data, index: Box::new(Val::Place(bucket)), guarded: true };
            self.push(Op::Set(place, read));
        }
        let fixed = !changes(&self.cx.effects.of_stmt(&foreach.body), &[*var]);
        let scalar = matches!(hist.stat.kind, ExprKind::Var(_));
        let outer = self.bucket_walks.len();
        if fixed && scalar {
            self.bucket_walks.push(BucketWalk { stat: global, bucket: *var, data });
        }
        let result = self.loop_body(&foreach.body, next, end);
        self.bucket_walks.truncate(outer);
        result?;
        self.record_actions(1, &foreach.body.origin.0, true);
        self.push(Op::Label(next));
        self.push(Op::Update(bucket, BinaryOp::Add, Val::Const(1)));
        self.push(Op::Goto(top));
        self.push(Op::Label(end));
        Ok(())
    }
}

fn changes(effects: &Effects, vars: &[VarRef]) -> bool {
    vars.iter().any(|var| match var {
        VarRef::Local(id) => effects.local_writes.contains(id),
        VarRef::Global(id) => effects.writes.contains(id),
    })
}
