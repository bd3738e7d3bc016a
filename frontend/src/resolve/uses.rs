//! Questions about trees as written: which names they assign, mention or use as arrays.

use crate::hir::Bound;
use crate::source::Token;
use crate::syntax::ast::{FunctionBody, Parsed, Script};
use crate::tree::walk::{all_exprs, all_stmts, all_subexprs};
use crate::tree::{AssignOp, Expr, ExprKind, Indexable, Stmt, StmtKind, Target, TargetBase};
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// How the user's files use a global.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScriptUse {
    /// Not at all, or in a way that does not tell.
    Unknown,
    /// As a number or string.
    Scalar,
    /// As an array with so many keys.
    Array(usize),
    /// As a statistic without keys.
    Statistic,
}

/// Calls `visit` with every name that the statement writes to and its token: assignments, steps, loop variables,
/// `delete` and `catch`. Target symbols count by their name, with the dollar sign.
fn written(stmt: &Stmt<Parsed>, visit: &mut dyn FnMut(&SmolStr, &Token)) {
    let mut lvalue = |expr: &Expr<Parsed>| match &expr.kind {
        ExprKind::Var(name) | ExprKind::Index { base: name, .. } => visit(name, &expr.origin.0),
        ExprKind::Target(Target { base: TargetBase::Symbol(name), .. }) => visit(name, &expr.origin.0),
        _ => {}
    };
    all_exprs(stmt, &mut |expr| match &expr.kind {
        ExprKind::Assign { target, .. } => lvalue(target),
        ExprKind::Step { operand, .. } => lvalue(operand),
        _ => {}
    });
    all_stmts(stmt, &mut |stmt| match &stmt.kind {
        StmtKind::Delete(expr) => {
            if let ExprKind::Var(name) | ExprKind::Index { base: name, .. } = &expr.kind {
                visit(name, &expr.origin.0);
            }
        }
        StmtKind::Foreach(foreach) => {
            for (origin, name) in foreach.keys.iter().chain(&foreach.value) {
                visit(name, &origin.0);
            }
        }
        StmtKind::Try { variable: Some((origin, name)), .. } => visit(name, &origin.0),
        _ => {}
    });
}

/// True if the statement writes to `name` at a token that `accept` takes.
pub(super) fn assigns(stmt: &Stmt<Parsed>, name: &str, accept: &mut dyn FnMut(&Token) -> bool) -> bool {
    let mut found = false;
    written(stmt, &mut |other, token| found = found || (other == name && accept(token)));
    found
}

/// All names that the statements write to.
pub(super) fn written_names<'a>(stmts: impl Iterator<Item = &'a Stmt<Parsed>>) -> BTreeSet<SmolStr> {
    let mut names = BTreeSet::new();
    for stmt in stmts {
        written(stmt, &mut |name, _| {
            names.insert(name.clone());
        });
    }
    names
}

/// True if the statement reads or writes the scalar or array `name` at a token that `accept` takes.
pub(super) fn mentions(stmt: &Stmt<Parsed>, name: &str, accept: &mut dyn FnMut(&Token) -> bool) -> bool {
    let mut found = assigns(stmt, name, accept);
    all_exprs(stmt, &mut |expr| {
        if let ExprKind::Var(other) | ExprKind::Index { base: other, .. } = &expr.kind {
            found = found || (other == name && accept(&expr.origin.0));
        }
    });
    found
}

/// Refines what is known about the use of a global by looking at every body of a file.
pub(super) fn script_use(script: &Script, name: &str, before: ScriptUse) -> ScriptUse {
    let mut usage = before;
    let functions = script.functions.iter().filter_map(|function| match &function.body {
        FunctionBody::Script(body) => Some(&**body),
        FunctionBody::Embedded(_) => None,
    });
    let probes = script.probes.iter().map(|probe| &probe.body);
    let aliases = script.aliases.iter().flat_map(|alias| std::iter::once(&alias.body).chain(&alias.epilogue));
    for stmt in functions.chain(probes).chain(aliases) {
        all_exprs(stmt, &mut |expr| match &expr.kind {
            ExprKind::Assign { op: AssignOp::Aggregate, target, .. } if is_var(target, name) => {
                usage = ScriptUse::Statistic;
            }
            ExprKind::Stat { stat, .. } if is_var(stat, name) => usage = ScriptUse::Statistic,
            ExprKind::Var(other) if other == name && usage == ScriptUse::Unknown => {
                usage = ScriptUse::Scalar;
            }
            ExprKind::Index { base, keys } if base == name => usage = ScriptUse::Array(keys.len()),
            ExprKind::In { keys, base: Indexable::Array { var, .. } } if var == name => {
                usage = ScriptUse::Array(keys.len());
            }
            _ => {}
        });
        all_stmts(stmt, &mut |stmt| {
            if let StmtKind::Foreach(foreach) = &stmt.kind
                && let Indexable::Array { var, .. } = &foreach.base
                && var == name
            {
                usage = ScriptUse::Array(foreach.keys.len());
            }
        });
    }
    usage
}

fn is_var(expr: &Expr<Parsed>, name: &str) -> bool {
    matches!(&expr.kind, ExprKind::Var(other) if other == name)
}

/// True if an expression means something else in each probe: `$x`, `@cast` and `@var` without a module, autocasts,
/// `@defined`... (tapsets.cxx: `context_op_finder`).
fn needs_context(expr: &Expr<Parsed>) -> bool {
    match &expr.kind {
        ExprKind::Target(target) => match &target.base {
            TargetBase::Symbol(_) | TargetBase::Value(_) => true,
            TargetBase::Cast { module, .. } | TargetBase::Var { module, .. } => module.is_empty(),
        },
        ExprKind::Defined(_) | ExprKind::Perf(_) | ExprKind::Enumerator(_) => true,
        ExprKind::EnumName { type_name, module, .. } => type_name.is_empty() || module.is_empty(),
        _ => false,
    }
}

/// What a function's body says about contexts and calls.
#[derive(Debug, Default)]
pub(super) struct ContextUse {
    /// It contains something that means something else in each probe.
    pub context: bool,
    /// Names and numbers of arguments of the calls in it.
    pub calls: Vec<(SmolStr, usize, Token)>,
}

/// Collects [`ContextUse`].
pub(super) fn context_use(stmt: &Stmt<Parsed>) -> ContextUse {
    let mut found = ContextUse::default();
    all_exprs(stmt, &mut |expr| {
        found.context = found.context || needs_context(expr);
        if let ExprKind::Call { callee, args } = &expr.kind {
            found.calls.push((callee.clone(), args.len(), expr.origin.0.clone()));
        }
    });
    found
}

/// True if the statement contains `@probewrite`.
pub(super) fn has_probewrite(stmt: &Stmt<Parsed>) -> bool {
    let mut found = false;
    all_exprs(stmt, &mut |expr| found = found || matches!(expr.kind, ExprKind::ProbeWrite(_)));
    found
}

/// True if an expression or something in it is `@defined` or an answered `@probewrite`: then it may decide which
/// branch exists at all.
pub(super) fn has_predicate(expr: &Expr<Parsed>) -> bool {
    let mut found = false;
    all_subexprs(expr, &mut |expr| {
        found = found || matches!(expr.kind, ExprKind::Defined(_)) || is_answered_probewrite(expr);
    });
    found
}

/// True for the number that alias expansion put in place of `@probewrite` (it keeps the operator's token).
pub(super) fn is_answered_probewrite(expr: &Expr<Parsed>) -> bool {
    matches!(expr.kind, ExprKind::Number { .. }) && expr.origin.0.text == "@probewrite"
}

/// What makes a bound expression unfit for a condition.
pub(super) fn condition_effect(condition: &Expr<Bound>) -> Option<&'static str> {
    let mut written = false;
    let mut embedded = false;
    all_subexprs(condition, &mut |expr| match &expr.kind {
        ExprKind::Assign { .. } | ExprKind::Step { .. } => written = true,
        ExprKind::Embedded(code) if !code.contains("/* pure */") => embedded = true,
        _ => {}
    });
    if written {
        Some("probe condition must not modify any variables")
    } else if embedded {
        Some("probe condition must not include impure embedded-C")
    } else {
        None
    }
}
