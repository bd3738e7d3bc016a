//! `@entry(...)`: what a return probe wants to know from the start of the function, and the statements on both sides that
//! carry it over (tapsets.cxx: `gen_mapped_saved_return`).

use super::Resolver;
use super::scope::{Owner, Scope};
use super::targets::ProbeContext;
use crate::diag::Diagnostic;
use crate::hir::Bound;
use crate::source::Token;
use crate::syntax::ast::Parsed;
use crate::tree::walk::{all_exprs, all_subexprs};
use crate::tree::{AssignOp, Expr, ExprKind, Key, Origin, Stmt, StmtKind, UnaryOp};
use smol_str::{SmolStr, format_smolstr};

type Bind<T> = Result<T, Box<Diagnostic>>;

/// One `@entry(expression)`: the names it goes by.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    value: Expr<Parsed>,
    array: SmolStr,
    counter: SmolStr,
    local: SmolStr,
}

/// What the `@entry`s of a handler need on both sides.
#[derive(Debug)]
pub(super) struct EntryStatements {
    /// What the return probe starts with.
    pub before: Vec<Stmt<Parsed>>,
    /// What the entry probe does.
    pub at_entry: Vec<Stmt<Parsed>>,
}

impl Resolver<'_> {
    /// `@entry(value)`: a local that the start of the handler fills with what the entry probe saved. Outside the
    /// handler of a return probe it stays what it is.
    ///
    /// # Errors
    /// Those of the value.
    pub(super) fn entry(
        &mut self,
        scope: &mut Scope,
        value: &Expr<Parsed>,
        token: &Token,
    ) -> Bind<Expr<Bound>> {
        let probe = match &scope.probe {
            Some(probe) if probe.has_entry && scope.owner == Owner::Probe => probe.clone(),
            // The types pass says that it does not belong here, if it is still there then.
            _ => {
                let kind = ExprKind::Entry(Box::new(self.expr(scope, value)?));
                return Ok(Expr { origin: Origin(token.clone()), kind });
            }
        };
        let array = format_smolstr!("__global_entry_tvar_entry_{}", self.entries);
        self.entries += 1;
        let saved = Saved {
            value: value.clone(),
            counter: format_smolstr!("{array}_ctr"),
            local: format_smolstr!("{array}_tmp"),
            array,
        };
        self.add_synthetic_global(token, saved.array.clone());
        self.add_synthetic_global(token, saved.counter.clone());
        let name = saved.local.clone();
        probe.saved.borrow_mut().push(saved);
        let var = self.scalar(scope, &name, token)?;
        Ok(Expr { origin: Origin(token.clone()), kind: ExprKind::Var(var) })
    }

    /// The statements that the `@entry`s met in a handler need, `None` if there was none.
    pub(super) fn entry_statements(&self, probe: &ProbeContext) -> Option<EntryStatements> {
        let saved = probe.saved.borrow().clone();
        let first = saved.first()?;
        let thread = SmolStr::new_static("_entry_tvar_tid");
        let take_thread = |made: &Made| {
            made.assign(made.var(&thread), made.expr(ExprKind::Call { callee: "tid".into(), args: vec![] }))
        };
        let start = Made::at(&first.value.origin.0);
        let mut before = vec![take_thread(&start)];
        let mut at_entry = vec![take_thread(&start)];
        for Saved { value, array, counter, local } in &saved {
            let made = Made::at(&value.origin.0);
            let depth = || made.index(counter, vec![made.var(&thread)]);
            let element = |key: Expr<Parsed>| made.index(array, vec![made.var(&thread), key]);
            let step =
                |up: bool, prefix: bool| made.expr(ExprKind::Step { up, prefix, operand: Box::new(depth()) });
            before.push(made.assign(made.var(local), element(depth())));
            before.push(made.stmt(StmtKind::Delete(element(step(false, false)))));
            let empty = made.expr(ExprKind::Unary { op: UnaryOp::Not, operand: Box::new(depth()) });
            let then = Box::new(made.stmt(StmtKind::Delete(depth())));
            before.push(made.stmt(StmtKind::If { condition: empty, then, otherwise: None }));
            at_entry.push(made.assign(element(step(true, true)), value.clone()));
        }
        Some(EntryStatements { before, at_entry })
    }

    /// Code that is left out because a constant rules it out still has its values saved, as upstream meets it before it
    /// folds.
    ///
    /// # Errors
    /// None at present: of an expression that is not evaluated only its place is needed.
    pub(super) fn entries_of_stmt(&mut self, scope: &mut Scope, skipped: &Stmt<Parsed>) -> Bind<()> {
        if !saves_entries(scope) {
            return Ok(());
        }
        let mut found = Vec::new();
        all_exprs(skipped, &mut |expr| found.extend(entry_value(expr)));
        self.save_all(scope, &found)
    }

    /// The same for an expression.
    ///
    /// # Errors
    /// As above.
    pub(super) fn entries_of_expr(&mut self, scope: &mut Scope, skipped: &Expr<Parsed>) -> Bind<()> {
        if !saves_entries(scope) {
            return Ok(());
        }
        let mut found = Vec::new();
        all_subexprs(skipped, &mut |expr| found.extend(entry_value(expr)));
        self.save_all(scope, &found)
    }

    fn save_all(&mut self, scope: &mut Scope, found: &[(&Expr<Parsed>, &Token)]) -> Bind<()> {
        found.iter().try_for_each(|(value, token)| self.entry(scope, value, token).map(drop))
    }
}

/// True in the handler of a return probe.
pub(super) fn saves_entries(scope: &Scope) -> bool {
    scope.owner == Owner::Probe && scope.probe.as_ref().is_some_and(|probe| probe.has_entry)
}

fn entry_value(expr: &Expr<Parsed>) -> Option<(&Expr<Parsed>, &Token)> {
    match &expr.kind {
        ExprKind::Entry(value) => Some((&**value, &expr.origin.0)),
        _ => None,
    }
}

/// Builds nodes that stand for one token.
struct Made {
    origin: Origin,
}

impl Made {
    fn at(token: &Token) -> Self {
        // Upstream's have the token as it is, so that warnings about them name the script's place.
        Made { origin: Origin(token.clone()) }
    }

    fn expr(&self, kind: ExprKind<Parsed>) -> Expr<Parsed> {
        Expr { origin: self.origin.clone(), kind }
    }

    fn stmt(&self, kind: StmtKind<Parsed>) -> Stmt<Parsed> {
        Stmt { origin: self.origin.clone(), kind }
    }

    fn var(&self, name: &SmolStr) -> Expr<Parsed> {
        self.expr(ExprKind::Var(name.clone()))
    }

    fn index(&self, array: &SmolStr, keys: Vec<Expr<Parsed>>) -> Expr<Parsed> {
        let keys = keys.into_iter().map(Key::Expr).collect();
        self.expr(ExprKind::Index { base: array.clone(), keys })
    }

    fn assign(&self, target: Expr<Parsed>, value: Expr<Parsed>) -> Stmt<Parsed> {
        let kind = ExprKind::Assign { op: AssignOp::Set, target: Box::new(target), value: Box::new(value) };
        self.stmt(StmtKind::Expr(self.expr(kind)))
    }
}
