//! Statements as text.

use super::Printer;
use crate::tree::{ExprKind, For, Foreach, Phase, SortColumn, SortDirection, StatOp, Stmt, StmtKind};

impl<P: Phase> Printer<'_, P> {
    /// Ends a statement that is not made of statements, where nothing else does.
    fn end(&mut self) {
        if self.faithful() {
            self.put(";");
        }
    }

    fn foreach(&mut self, foreach: &Foreach<P>) {
        let sign = |direction: SortDirection| match direction {
            SortDirection::Ascending => "+",
            SortDirection::Descending => "-",
        };
        self.put("foreach (");
        if let Some((_, value)) = &foreach.value {
            self.variable(value);
            self.put(" = ");
        }
        self.put("[");
        for (index, (_, key)) in foreach.keys.iter().enumerate() {
            if index > 0 {
                self.put(", ");
            }
            self.variable(key);
            if let Some((SortColumn::Key(column), direction)) = foreach.sort
                && column == index
            {
                self.put(sign(direction));
            }
        }
        self.put("] in ");
        self.indexable(&foreach.base);
        if !foreach.slice.is_empty() {
            self.put("[");
            self.keys(&foreach.slice);
            self.put("]");
        }
        if let Some((SortColumn::Value(stat), direction)) = foreach.sort {
            // Upstream forgets `@variance`.
            if let Some(stat) = stat.filter(|stat| self.faithful() || *stat != StatOp::Variance) {
                self.put(" ");
                self.put(stat.word());
            }
            self.put(sign(direction));
        }
        if let Some(limit) = &foreach.limit {
            self.put(" limit ");
            self.expr(limit);
        }
        self.put(") ");
        self.stmt(&foreach.body);
    }

    fn block(&mut self, list: &[Stmt<P>]) {
        self.put("{\n");
        for stmt in list {
            self.stmt(stmt);
            self.put(if self.faithful() { "\n" } else { ";\n" });
        }
        self.put("}");
    }

    /// A statement.
    pub fn stmt(&mut self, stmt: &Stmt<P>) {
        match &stmt.kind {
            StmtKind::Null => self.put(";"),
            StmtKind::Block(list) => self.block(list),
            StmtKind::Expr(expr) => {
                self.expr(expr);
                self.end();
            }
            StmtKind::If { condition, then, otherwise } => {
                self.put("if (");
                self.expr(condition);
                self.put(") ");
                self.stmt(then);
                self.put("\n");
                if let Some(otherwise) = otherwise {
                    self.put("else ");
                    self.stmt(otherwise);
                    self.put("\n");
                }
            }
            StmtKind::For(looped) => {
                let For { init, condition, step, body } = &**looped;
                self.put("for (");
                if let Some(init) = init {
                    self.expr(init);
                }
                self.put("; ");
                self.expr(condition);
                self.put("; ");
                if let Some(step) = step {
                    self.expr(step);
                }
                self.put(") ");
                self.stmt(body);
            }
            StmtKind::Foreach(foreach) => self.foreach(foreach),
            StmtKind::Return(value) => {
                self.put("return");
                if let Some(value) = value {
                    self.put(" ");
                    self.expr(value);
                }
                self.end();
            }
            StmtKind::Delete(operand) => {
                self.put("delete ");
                match &operand.kind {
                    ExprKind::Var(variable) if !self.faithful() => {
                        let name = self.names.deleted(variable);
                        self.put(&name);
                    }
                    _ => self.expr(operand),
                }
                self.end();
            }
            StmtKind::Break => {
                self.put("break");
                self.end();
            }
            StmtKind::Continue => {
                self.put("continue");
                self.end();
            }
            StmtKind::Next => {
                self.put("next");
                self.end();
            }
            StmtKind::Try { body, variable, handler } => {
                let faithful = self.faithful();
                self.put(if faithful { "try " } else { "try {\n" });
                self.stmt(body);
                self.put(if faithful { "\ncatch " } else { "\n} catch " });
                if let Some((_, variable)) = variable {
                    self.put("(");
                    self.variable(variable);
                    self.put(") ");
                }
                // The optimiser leaves a null statement where upstream has no handler at all.
                if faithful || handler.kind != StmtKind::Null {
                    self.put(if faithful { "" } else { "{\n" });
                    self.stmt(handler);
                    self.put(if faithful { "\n" } else { "\n}\n" });
                } else {
                    self.put("{\n}\n");
                }
            }
        }
    }
}
