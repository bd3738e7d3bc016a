//! The inference's visit of statements.

use super::{Decl, Inference, Node, Stage, Thrown};
use crate::diag::Diagnostic;
use crate::hir::{Bound, VarRef};
use crate::source::Token;
use crate::tree::{Expr, ExprKind, Foreach, Indexable, Key, Origin, SortColumn, Stmt, StmtKind};
use crate::types::Type;

impl<'a> Inference<'a> {
    pub(super) fn stmt(&mut self, stmt: &'a Stmt<Bound>) -> Result<(), Thrown> {
        match &stmt.kind {
            StmtKind::Null | StmtKind::Break | StmtKind::Continue | StmtKind::Next => {}
            StmtKind::Block(list) => {
                for child in list {
                    self.wanted = Type::Unknown;
                    self.stmt(child)?;
                }
            }
            StmtKind::Expr(expr) => self.want(Type::Unknown, expr)?,
            StmtKind::If { condition, then, otherwise } => {
                self.want(Type::Long, condition)?;
                self.wanted = Type::Unknown;
                self.stmt(then)?;
                if let Some(otherwise) = otherwise {
                    self.wanted = Type::Unknown;
                    self.stmt(otherwise)?;
                }
            }
            StmtKind::For(looped) => {
                if let Some(init) = &looped.init {
                    self.want(Type::Unknown, init)?;
                }
                self.want(Type::Long, &looped.condition)?;
                if let Some(step) = &looped.step {
                    self.want(Type::Unknown, step)?;
                }
                self.wanted = Type::Unknown;
                self.stmt(&looped.body)?;
            }
            StmtKind::Foreach(foreach) => self.foreach(stmt, foreach)?,
            StmtKind::Return(value) => self.return_(stmt, value.as_ref())?,
            StmtKind::Delete(operand) => self.delete(operand)?,
            StmtKind::Try { body, variable, handler } => {
                self.stmt(body)?;
                if let Some((origin, var)) = variable {
                    self.caught(origin, *var);
                }
                self.stmt(handler)?;
            }
        }
        Ok(())
    }

    /// Visits an expression that should have a type.
    pub(super) fn want(&mut self, wanted: Type, expr: &'a Expr<Bound>) -> Result<(), Thrown> {
        self.wanted = wanted;
        self.expr(expr)
    }

    /// The variable of a `catch` is a string.
    fn caught(&mut self, origin: &'a Origin, var: VarRef) {
        let (node, decl) = (Node::name(origin), self.decl_of(var));
        match self.node(node) {
            Type::Unknown => self.settle(node, Type::String),
            Type::String => {}
            found => self.mismatch(&origin.0, Type::String, found),
        }
        match self.decl_type(decl) {
            Type::Unknown => {
                self.set_decl(decl, Type::String);
                let token = self.decl_token(decl);
                self.learned(decl, None, token);
            }
            Type::String => {}
            _ => {
                let token = self.decl_token(decl);
                self.mismatch_decl(token, Type::String, decl, None);
            }
        }
        self.wanted = Type::String;
        self.link(node, decl, &origin.0, Type::String, false);
    }

    /// The token of a declaration: where it is declared or first occurs.
    fn decl_token(&self, decl: Decl) -> &'a Token {
        use crate::types::Owner;
        let program = self.program;
        match decl {
            Decl::Global(id) => &program.global(id).origin.0,
            Decl::Result(id) => &program.function(id).origin.0,
            Decl::Local(Owner::Function(function), id) => {
                &program.function(function).locals()[id.0 as usize].origin.0
            }
            Decl::Local(Owner::Probe(probe), id) => {
                &program.probes[probe.0 as usize].body.locals[id.0 as usize].origin.0
            }
        }
    }

    fn foreach(&mut self, stmt: &'a Stmt<Bound>, foreach: &'a Foreach<Bound>) -> Result<(), Thrown> {
        let wanted_value = match &foreach.base {
            Indexable::Hist(hist) => {
                if foreach.keys.len() != 1 {
                    self.unknown(&stmt.origin.0);
                }
                for (origin, var) in &foreach.keys {
                    let (node, decl) = (Node::name(origin), self.decl_of(*var));
                    self.link(node, decl, &origin.0, Type::Long, false);
                    if self.node(node) != Type::Long {
                        self.unknown(&stmt.origin.0);
                    }
                }
                self.hist(hist)?;
                Type::Long
            }
            Indexable::Array { origin, var } => {
                let array = self.decl_of(*var);
                if foreach.keys.len() == self.key_count(array) {
                    for (index, (origin, var)) in foreach.keys.iter().enumerate() {
                        let (node, decl) = (Node::name(origin), self.decl_of(*var));
                        let formal = self.key_type(array, index);
                        self.link(node, decl, &origin.0, formal, false);
                        self.match_key(array, index, &origin.0, self.node(node));
                    }
                    for (index, key) in foreach.slice.iter().enumerate() {
                        if let Key::Expr(key) = key {
                            self.key(array, index, key)?;
                        }
                    }
                } else {
                    self.unknown(&stmt.origin.0);
                }
                let node = Node::name(origin);
                self.link(node, array, &origin.0, Type::Unknown, false);
                self.node(node)
            }
        };
        if let Some((origin, var)) = &foreach.value {
            let (node, decl) = (Node::name(origin), self.decl_of(*var));
            match wanted_value {
                Type::Stats => self.invalid(&origin.0, wanted_value),
                Type::Unknown => self.link(node, decl, &origin.0, Type::Unknown, false),
                wanted => {
                    self.link(node, decl, &origin.0, wanted, false);
                    match self.node(node) {
                        Type::Unknown => self.settle(node, wanted),
                        found if found != wanted => self.mismatch(&origin.0, wanted, found),
                        _ => {}
                    }
                }
            }
        }
        if let (Some((SortColumn::Value(Some(_)), _)), Indexable::Array { origin, .. }) =
            (&foreach.sort, &foreach.base)
            && !matches!(wanted_value, Type::Unknown | Type::Stats)
        {
            self.invalid(&origin.0, wanted_value);
        }
        if let Some(limit) = &foreach.limit {
            self.want(Type::Long, limit)?;
        }
        self.wanted = Type::Unknown;
        self.stmt(&foreach.body)
    }

    fn return_(&mut self, stmt: &'a Stmt<Bound>, value: Option<&'a Expr<Bound>>) -> Result<(), Thrown> {
        // Translation complains about a return outside of functions.
        let Some(function) = self.function else { return Ok(()) };
        let decl = Decl::Result(function);
        let declared = self.decl_type(decl);
        self.wanted = declared;
        let Some(value) = value else {
            if declared != Type::Unknown {
                self.mismatch_decl(&stmt.origin.0, Type::Unknown, decl, None);
            }
            return Ok(());
        };
        self.expr(value)?;
        let found = self.node_type(value);
        let declared = self.decl_type(decl);
        if declared != Type::Unknown && found != Type::Unknown && declared != found {
            self.mismatch_decl(&value.origin.0, found, decl, None);
        }
        if declared == Type::Unknown && matches!(found, Type::Long | Type::String) {
            self.set_decl(decl, found);
            self.learned(decl, None, &value.origin.0);
        }
        if found == Type::Stats {
            self.invalid(&value.origin.0, found);
        }
        Ok(())
    }

    fn delete(&mut self, operand: &'a Expr<Bound>) -> Result<(), Thrown> {
        self.wanted = Type::Unknown;
        match &operand.kind {
            ExprKind::Var(var) => {
                self.link(Node::of(operand), self.decl_of(*var), &operand.origin.0, Type::Unknown, false);
                Ok(())
            }
            ExprKind::Index { .. } | ExprKind::Bucket { .. } => self.expr(operand),
            _ => {
                let message = "invalid operand of delete expression";
                Err(Box::new(Diagnostic::semantic("types.delete-operand", message).at(&operand.origin.0)))
            }
        }
    }

    /// True in the stage that only looks for contradictions.
    pub(super) fn is_early(&self) -> bool {
        self.stage == Stage::Early
    }
}
