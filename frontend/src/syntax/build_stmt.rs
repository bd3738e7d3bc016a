//! What the grammar's actions call: statements.

use super::ast::Parsed;
use super::builder::{Builder, Checked, Deep, Value, reserve_one};
use super::class::Id;
use super::fault::{Fault, Place};
use super::token::plain;
use crate::tree::*;

/// Levels of expressions and statements below one declaration. The passes recurse over trees, on a stack that has room
/// for this many.
pub(crate) const MAX_DEPTH: u32 = 10_000;

/// A variable in a foreach header and the sort directive after it.
pub(crate) struct ForeachKey(pub Id, pub Option<Id>);

/// A foreach up to its body.
pub(crate) struct ForeachHead {
    foreach: Foreach<Parsed>,
    depth: u32,
}

type Statement = Deep<Box<Stmt<Parsed>>>;

impl Builder<'_> {
    /// Depth of a node above children of depth `below`. Past the limit: remembers the error, and `None` asks for a leaf
    /// instead of the node.
    pub fn above(&mut self, origin: &Origin, below: u32) -> Option<u32> {
        if below < MAX_DEPTH {
            return Some(below + 1);
        }
        if self.pending.is_none() {
            self.pending = Some(Box::new(Fault {
                site: "nesting",
                message: "expressions or statements nested too deeply".into(),
                place: Place::At(plain(origin.0.clone())),
                resume: 0,
                skip: true,
                cause: None,
            }));
        }
        None
    }

    fn statement(&mut self, token: Id, below: u32, kind: StmtKind<Parsed>) -> Statement {
        let origin = self.origin(token);
        match self.above(&origin, below) {
            Some(depth) => Deep { node: Box::new(Stmt { origin, kind }), depth },
            None => Deep::shallow(Box::new(Stmt { origin, kind: StmtKind::Null })),
        }
    }

    /// `break` and its kin.
    pub fn simple(&mut self, token: Id, kind: StmtKind<Parsed>) -> Statement {
        self.statement(token, 0, kind)
    }

    /// `;`.
    pub fn null(&mut self, token: Id) -> Statement {
        self.statement(token, 0, StmtKind::Null)
    }

    /// `{ ... }`.
    pub fn block(&mut self, open: Id, list: Deep<Vec<Stmt<Parsed>>>) -> Statement {
        self.statement(open, list.depth, StmtKind::Block(list.node))
    }

    /// One more statement of a block.
    pub fn append_statement(
        &mut self,
        mut list: Deep<Vec<Stmt<Parsed>>>,
        statement: Statement,
    ) -> Deep<Vec<Stmt<Parsed>>> {
        list.depth = list.depth.max(statement.depth);
        reserve_one(&mut list.node);
        list.node.push(*statement.node);
        list
    }

    /// An expression for its effect; it starts with token number `first`.
    pub fn expression_statement(&mut self, first: u32, value: Value) -> Statement {
        self.statement(Id(first), value.depth, StmtKind::Expr(*value.node))
    }

    /// `return value`.
    pub fn return_value(&mut self, token: Id, value: Value) -> Statement {
        self.statement(token, value.depth, StmtKind::Return(Some(*value.node)))
    }

    /// `delete operand`.
    pub fn delete(&mut self, token: Id, operand: Value) -> Statement {
        self.statement(token, operand.depth, StmtKind::Delete(*operand.node))
    }

    /// `try`.
    pub fn try_catch(
        &mut self,
        token: Id,
        body: Statement,
        variable: Option<Id>,
        handler: Statement,
    ) -> Statement {
        let variable = variable.map(|name| (self.origin(name), self.text(name)));
        let kind = StmtKind::Try { body: body.node, variable, handler: handler.node };
        self.statement(token, body.depth.max(handler.depth), kind)
    }

    /// `if`.
    pub fn branch(
        &mut self,
        token: Id,
        condition: Value,
        then: Statement,
        otherwise: Option<Statement>,
    ) -> Statement {
        let depth =
            condition.depth.max(then.depth).max(otherwise.as_ref().map_or(0, |otherwise| otherwise.depth));
        let kind = StmtKind::If {
            condition: *condition.node,
            then: then.node,
            otherwise: otherwise.map(|otherwise| otherwise.node),
        };
        self.statement(token, depth, kind)
    }

    /// `while`.
    pub fn while_loop(&mut self, token: Id, condition: Value, body: Statement) -> Statement {
        let depth = condition.depth.max(body.depth);
        let looped = For { init: None, condition: *condition.node, step: None, body: *body.node };
        self.statement(token, depth, StmtKind::For(Box::new(looped)))
    }

    /// `for`; without a condition the second semicolon stands for the number 1.
    pub fn for_loop(
        &mut self,
        token: Id,
        init: Option<Value>,
        condition: Option<Value>,
        semicolon: Id,
        step: Option<Value>,
        body: Statement,
    ) -> Statement {
        let condition = condition.unwrap_or_else(|| {
            let one = ExprKind::Number { value: 1, hex: false };
            Deep::shallow(Box::new(Expr { origin: self.origin(semicolon), kind: one }))
        });
        let depth_of = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.depth);
        let depth = depth_of(&init).max(depth_of(&step)).max(condition.depth).max(body.depth);
        let looped = For {
            init: init.map(|value| *value.node),
            condition: *condition.node,
            step: step.map(|value| *value.node),
            body: *body.node,
        };
        self.statement(token, depth, StmtKind::For(Box::new(looped)))
    }

    /// A foreach header.
    pub fn foreach_head(
        &mut self,
        (value, keys): (Option<ForeachKey>, Vec<ForeachKey>),
        base: Deep<Box<Indexable<Parsed>>>,
        slice: Option<Deep<Vec<Key<Parsed>>>>,
        sort: Option<(Option<Id>, Id)>,
        limit: Option<Value>,
    ) -> Checked<Box<ForeachHead>> {
        let direction = |this: &Self, id: Id| match this.token(id).text.as_str() {
            "+" => SortDirection::Ascending,
            _ => SortDirection::Descending,
        };
        // Sorting by a value without statistic, unless a key or the word after the array says otherwise.
        let mut found: Option<(SortColumn, SortDirection)> = None;
        if let Some(ForeachKey(_, Some(sort))) = &value {
            found = Some((SortColumn::Value(None), direction(self, *sort)));
        }
        for (index, ForeachKey(_, sort)) in keys.iter().enumerate() {
            let Some(sort) = *sort else { continue };
            if found.is_some() {
                return self.saw("foreach-sorts", "multiple sort directives", sort, false);
            }
            found = Some((SortColumn::Key(index), direction(self, sort)));
        }
        if let Some((stat, sort)) = sort {
            let stat_op = stat.and_then(|stat| stat_op(&self.token(stat).text));
            if found.is_some() {
                return self.saw("foreach-sorts-base", "multiple sort directives", sort, false);
            }
            found = Some((SortColumn::Value(stat_op), direction(self, sort)));
        }
        let named = |this: &Self, key: &ForeachKey| (this.origin(key.0), this.text(key.0));
        let depth = base
            .depth
            .max(slice.as_ref().map_or(0, |slice| slice.depth))
            .max(limit.as_ref().map_or(0, |limit| limit.depth));
        let body = Stmt { origin: self.origin(keys[0].0), kind: StmtKind::Null };
        let foreach = Foreach {
            keys: keys.iter().map(|key| named(self, key)).collect(),
            value: value.as_ref().map(|value| named(self, value)),
            base: *base.node,
            slice: slice.map_or_else(Vec::new, |slice| slice.node),
            sort: found,
            limit: limit.map(|limit| *limit.node),
            body,
        };
        Ok(Box::new(ForeachHead { foreach, depth }))
    }

    /// `foreach`.
    pub fn foreach_loop(&mut self, token: Id, head: Box<ForeachHead>, body: Statement) -> Statement {
        let ForeachHead { mut foreach, depth } = *head;
        foreach.body = *body.node;
        self.statement(token, depth.max(body.depth), StmtKind::Foreach(Box::new(foreach)))
    }
}

/// The statistic of an extractor's word.
pub(crate) fn stat_op(word: &str) -> Option<StatOp> {
    Some(match word {
        "@count" => StatOp::Count,
        "@sum" => StatOp::Sum,
        "@min" => StatOp::Min,
        "@max" => StatOp::Max,
        "@avg" => StatOp::Average,
        "@variance" => StatOp::Variance,
        _ => return None,
    })
}
