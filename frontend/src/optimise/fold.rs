//! Constant folding and the branches that it decides (elaborate.cxx: `const_folder`), with upstream's arithmetic:
//! wrapping, and shift counts clamped to 0..64 before the processor's own masking.

use super::effects::Effects;
use super::rewrite::{expr_stmt, null, take, take_expr};
use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Bound, FunctionBody, ProbeId, Program};
use crate::session::Session;
use crate::tree::walk::{Child, ChildMut, expr_children_mut, stmt_children, stmt_children_mut};
use crate::tree::{BinaryOp, Expr, ExprKind, Indexable, Phase, Stmt, StmtKind, TargetBase, UnaryOp};
use crate::types::{Owner, functions_by_name};
use smol_str::SmolStr;
use std::cmp::Ordering;

/// Folds every body once. `settled` is true if nothing else changed in this round: only then one `@defined` that
/// nobody could decide becomes a number. Returns true if something changed.
pub(super) fn fold(
    session: &Session,
    program: &mut Program,
    settled: bool,
    warnings: &mut Diagnostics,
) -> bool {
    let effects = Effects::new(program);
    let mut folder = Folder::new(&effects, warnings);
    folder.settled = settled;
    folder.skip_badvars = session.skip_badvars;
    folder.explains_defined = !session.version.before(5, 4);
    folder.probes(program);
    for id in functions_by_name(program) {
        if let FunctionBody::Script(body) = &mut program.functions[id.0 as usize].body {
            folder.owner = Owner::Function(id);
            folder.stmt(&mut body.root);
        }
    }
    folder.changed
}

/// Folds handlers until nothing changes, with no verdict on what is undecided. Returns the addresses of expressions
/// that came to stand where others had been.
pub(super) fn fold_probes(program: &mut Program) -> Vec<usize> {
    let effects = Effects::new(program);
    let mut warnings = Diagnostics::new();
    let mut folder = Folder::new(&effects, &mut warnings);
    folder.probes(program);
    while std::mem::take(&mut folder.changed) {
        folder.probes(program);
    }
    folder.moved
}

struct Folder<'a> {
    effects: &'a Effects,
    owner: Owner,
    settled: bool,
    skip_badvars: bool,
    explains_defined: bool,
    warnings: &'a mut Diagnostics,
    changed: bool,
    moved: Vec<usize>,
}

fn string(expr: &Expr<Bound>) -> Option<&SmolStr> {
    match &expr.kind {
        ExprKind::String(text) => Some(text),
        _ => None,
    }
}

impl<'a> Folder<'a> {
    fn new(effects: &'a Effects, warnings: &'a mut Diagnostics) -> Self {
        let owner = Owner::Probe(ProbeId(0));
        Folder {
            effects,
            owner,
            settled: false,
            skip_badvars: false,
            explains_defined: false,
            warnings,
            changed: false,
            moved: Vec::new(),
        }
    }

    fn probes(&mut self, program: &mut Program) {
        for (index, probe) in program.probes.iter_mut().enumerate() {
            self.owner = Owner::Probe(ProbeId(index as u32));
            self.stmt(&mut probe.body.root);
        }
    }

    fn stmt(&mut self, stmt: &mut Stmt<Bound>) {
        let token = stmt.origin.0.clone();
        match &mut stmt.kind {
            StmtKind::If { condition, then, otherwise } => {
                self.expr(condition);
                if let Some(value) = number(condition) {
                    *stmt = match (value != 0, otherwise) {
                        (true, _) => take(then),
                        (false, Some(otherwise)) => take(otherwise),
                        (false, None) => null(&token),
                    };
                    self.note_stmt(stmt);
                    self.stmt(stmt);
                    return;
                }
                self.stmt(then);
                if let Some(otherwise) = otherwise {
                    self.stmt(otherwise);
                }
            }
            StmtKind::For(looped) => {
                self.expr(&mut looped.condition);
                if let Some(init) = &mut looped.init {
                    self.expr(init);
                }
                if number(&looped.condition) == Some(0) {
                    *stmt = match &mut looped.init {
                        Some(init) => expr_stmt(take_expr(init)),
                        None => null(&token),
                    };
                    self.note_stmt(stmt);
                    return;
                }
                if let Some(step) = &mut looped.step {
                    self.expr(step);
                }
                self.stmt(&mut looped.body);
            }
            StmtKind::Foreach(foreach) => {
                if let Some(limit) = &mut foreach.limit {
                    self.expr(limit);
                    if number(limit).is_some_and(|limit| limit <= 0) {
                        *stmt = null(&token);
                        self.note_stmt(stmt);
                        return;
                    }
                }
                if let Indexable::Hist(hist) = &mut foreach.base {
                    self.expr(&mut hist.stat);
                }
                self.stmt(&mut foreach.body);
            }
            _ => stmt_children_mut(stmt, &mut |child| match child {
                ChildMut::Expr(expr) => self.expr(expr),
                ChildMut::Stmt(stmt) => self.stmt(stmt),
            }),
        }
    }

    /// Notes that an expression stands where another one was.
    fn note(&mut self, expr: &Expr<Bound>) {
        self.changed = true;
        self.moved.push(std::ptr::from_ref(expr).addr());
    }

    /// Notes that a statement, and with it the expressions that are part of its node, stands where another one was.
    fn note_stmt(&mut self, stmt: &Stmt<Bound>) {
        self.changed = true;
        stmt_children(stmt, &mut |child| {
            if let Child::Expr(expr) = child {
                self.moved.push(std::ptr::from_ref(expr).addr());
            }
        });
    }

    /// Puts a number in the place of an expression.
    fn set(&mut self, expr: &mut Expr<Bound>, value: i64) {
        expr.kind = ExprKind::Number { value, hex: false };
        self.note(expr);
    }

    fn is_pure(&self, expr: &Expr<Bound>) -> bool {
        self.effects.expr(self.owner, expr).is_pure()
    }

    fn expr(&mut self, expr: &mut Expr<Bound>) {
        match &mut expr.kind {
            ExprKind::Binary { op: op @ (BinaryOp::LogicalAnd | BinaryOp::LogicalOr), left, right } => {
                let op = *op;
                self.expr(left);
                self.expr(right);
                let decided = op == BinaryOp::LogicalOr;
                let decides = |side: Option<i64>| side.is_some_and(|value| (value != 0) == decided);
                let (left_value, right_value) = (number(left), number(right));
                let value = match (left_value, right_value) {
                    (Some(l), Some(r)) if decided => l != 0 || r != 0,
                    (Some(l), Some(r)) => l != 0 && r != 0,
                    // A constant on the right may only swallow a left side without effects.
                    _ if decides(left_value) || (decides(right_value) && self.is_pure(left)) => decided,
                    _ => return,
                };
                self.set(expr, i64::from(value));
            }
            ExprKind::Binary { op, left, right } if is_comparison(*op) => {
                let op = *op;
                self.expr(left);
                self.expr(right);
                if let Some(value) = self.comparison(op, left, right) {
                    self.set(expr, i64::from(value));
                }
            }
            ExprKind::Binary { .. } => self.binary(expr),
            ExprKind::Unary { op, operand } => {
                let op = *op;
                self.expr(operand);
                if let Some(value) = number(operand) {
                    self.set(expr, unary(op, value));
                }
            }
            ExprKind::Concat(_) => self.concat(expr),
            ExprKind::Ternary { condition, then, otherwise } => {
                self.expr(condition);
                if let Some(value) = number(condition) {
                    *expr = take_expr(if value != 0 { then } else { otherwise });
                    self.note(expr);
                    self.expr(expr);
                    return;
                }
                self.expr(then);
                self.expr(otherwise);
            }
            ExprKind::Defined(inner) => {
                if self.settled && !self.changed {
                    let value =
                        i64::from(matches!(inner.kind, ExprKind::Number { .. } | ExprKind::String(_)));
                    if self.explains_defined {
                        let message = format!("Collapsing unresolved @define to {value} [stapprobes]");
                        self.warnings.push(Diagnostic::warning("fold.defined", message).at(&expr.origin.0));
                    }
                    self.set(expr, value);
                }
            }
            ExprKind::Target(target) if self.skip_badvars && matches!(target.base, TargetBase::Symbol(_)) => {
                let message = "Bad $context variable being substituted with literal 0";
                self.warnings.push(Diagnostic::warning("fold.bad-variable", message).at(&expr.origin.0));
                self.set(expr, 0);
            }
            _ => expr_children_mut(expr, &mut |child| self.expr(child)),
        }
    }

    fn comparison(&self, op: BinaryOp, left: &Expr<Bound>, right: &Expr<Bound>) -> Option<bool> {
        let order = match (string(left), string(right)) {
            // Upstream compares the text with its escapes.
            (Some(l), Some(r)) => Some(l.as_bytes().cmp(r.as_bytes())),
            _ => number(left).zip(number(right)).map(|(l, r)| l.cmp(&r)),
        };
        if let Some(order) = order {
            return compared(op, order);
        }
        // No number is below the least or above the greatest.
        let decided = match (number(left), number(right)) {
            (Some(i64::MIN), _) => matches!(op, BinaryOp::LessEqual | BinaryOp::Greater),
            (Some(i64::MAX), _) => matches!(op, BinaryOp::GreaterEqual | BinaryOp::Less),
            (_, Some(i64::MIN)) => matches!(op, BinaryOp::GreaterEqual | BinaryOp::Less),
            (_, Some(i64::MAX)) => matches!(op, BinaryOp::LessEqual | BinaryOp::Greater),
            _ => false,
        };
        let other = if number(left).is_some() { right } else { left };
        (decided && self.is_pure(other)).then_some(matches!(op, BinaryOp::LessEqual | BinaryOp::GreaterEqual))
    }

    fn binary(&mut self, expr: &mut Expr<Bound>) {
        use BinaryOp::{
            Add, BitAnd, BitOr, BitXor, Divide, Modulo, Multiply, ShiftLeft, ShiftRight, Subtract,
        };
        let ExprKind::Binary { op, left, right } = &mut expr.kind else { return };
        let op = *op;
        self.expr(left);
        self.expr(right);
        let (l, r) = (number(left), number(right));
        if matches!((op, r), (Divide | Modulo, Some(0))) {
            return; // An error, if it is ever run.
        }
        match (l, r) {
            (Some(l), Some(r)) => {
                let value = arithmetic(op, l, r);
                self.set(expr, value);
            }
            (Some(0), _)
                if matches!(op, Multiply | BitAnd | ShiftRight | ShiftLeft) && self.is_pure(right) =>
            {
                self.set(expr, 0);
            }
            (Some(-1), _) if matches!(op, BitOr | ShiftRight) && self.is_pure(right) => {
                self.set(expr, -1);
            }
            (_, Some(value)) if absorbs_left(op, value) && self.is_pure(left) => {
                self.set(expr, if op == Modulo { 0 } else { value });
            }
            (Some(0), _) if matches!(op, Add | BitOr | BitXor) => self.keep(expr, false),
            (Some(1), _) if op == Multiply => self.keep(expr, false),
            (Some(-1), _) if op == BitAnd => self.keep(expr, false),
            (_, Some(0)) if matches!(op, Add | Subtract | BitOr | BitXor) => self.keep(expr, true),
            (_, Some(1)) if matches!(op, Multiply | Divide) => self.keep(expr, true),
            (_, Some(-1)) if op == BitAnd => self.keep(expr, true),
            (_, Some(count)) if count <= 0 && matches!(op, ShiftRight | ShiftLeft) => {
                self.keep(expr, true);
            }
            _ => {}
        }
    }

    /// Puts one operand of a binary operator in its place.
    fn keep(&mut self, expr: &mut Expr<Bound>, keep_left: bool) {
        if let ExprKind::Binary { left, right, .. } = &mut expr.kind {
            *expr = take_expr(if keep_left { left } else { right });
            self.note(expr);
        }
    }

    /// Joins neighbouring literals and drops empty ones.
    fn concat(&mut self, expr: &mut Expr<Bound>) {
        let ExprKind::Concat(parts) = &mut expr.kind else { return };
        let before = parts.len();
        let mut joined: Vec<Expr<Bound>> = Vec::with_capacity(before);
        for mut part in std::mem::take(parts) {
            self.expr(&mut part);
            match (string(&part), joined.last_mut().map(|last| &mut last.kind)) {
                (Some(text), _) if text.is_empty() => {}
                (Some(text), Some(ExprKind::String(last))) => *last = SmolStr::new(format!("{last}{text}")),
                _ => joined.push(part),
            }
        }
        let changed = joined.len() != before;
        *expr = match joined.len() {
            0 => Expr { origin: expr.origin.clone(), kind: ExprKind::String(SmolStr::default()) },
            1 => joined.remove(0),
            _ => Expr { origin: expr.origin.clone(), kind: ExprKind::Concat(joined) },
        };
        if changed {
            self.note(expr);
        }
        // The parts lie in another array now.
        if let ExprKind::Concat(parts) = &expr.kind {
            self.moved.extend(parts.iter().map(|part| std::ptr::from_ref(part).addr()));
        }
    }
}

/// The value of an operator on a number.
pub(crate) fn unary(op: UnaryOp, value: i64) -> i64 {
    match op {
        UnaryOp::Plus => value,
        UnaryOp::Negate => value.wrapping_neg(),
        UnaryOp::Not => i64::from(value == 0),
        UnaryOp::Complement => !value,
    }
}

/// What a comparison says of two values in that order; `None` for operators that are none.
pub(crate) fn compared(op: BinaryOp, order: Ordering) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::Greater => order.is_gt(),
        BinaryOp::LessEqual => order.is_le(),
        BinaryOp::GreaterEqual => order.is_ge(),
        _ => return None,
    })
}

/// The value of an operator on two numbers; `None` for divisions by zero, which are errors if they are ever run.
pub(crate) fn binary(op: BinaryOp, left: i64, right: i64) -> Option<i64> {
    let is_error = right == 0 && matches!(op, BinaryOp::Divide | BinaryOp::Modulo);
    (!is_error).then(|| arithmetic(op, left, right))
}

/// Folds numbers in the operands of an expression, which itself stays what it is: so upstream shows the conditions of
/// probe points, whose operands they share with the test in the handler (observed: 4.8, 5.1, 5.6, also with `-u`).
pub(crate) fn fold_operands<P: Phase>(expr: &mut Expr<P>) {
    expr_children_mut(expr, &mut |operand| {
        fold_operands(operand);
        let value = match &operand.kind {
            ExprKind::Unary { op, operand } => number(operand).map(|value| unary(*op, value)),
            ExprKind::Binary { op, left, right } => {
                number(left).zip(number(right)).and_then(|(left, right)| binary(*op, left, right))
            }
            _ => None,
        };
        if let Some(value) = value {
            operand.kind = ExprKind::Number { value, hex: false };
        }
        if let ExprKind::Ternary { condition, then, otherwise } = &operand.kind
            && let Some(value) = number(condition)
        {
            *operand = Expr::clone(if value == 0 { otherwise } else { then });
        }
    });
}

fn number<P: Phase>(expr: &Expr<P>) -> Option<i64> {
    match expr.kind {
        ExprKind::Number { value, .. } => Some(value),
        _ => None,
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(op, Less | LessEqual | Greater | GreaterEqual | Equal | NotEqual)
}

/// True if the right operand alone decides the result.
fn absorbs_left(op: BinaryOp, right: i64) -> bool {
    match right {
        0 => matches!(op, BinaryOp::Multiply | BinaryOp::BitAnd),
        1 => op == BinaryOp::Modulo,
        -1 => matches!(op, BinaryOp::Modulo | BinaryOp::BitOr),
        _ => false,
    }
}

/// The value of an operator on two numbers. A literal zero on the right of a division never gets here. `>>>`, on
/// which upstream gives up, does here what it does at run time.
fn arithmetic(op: BinaryOp, left: i64, right: i64) -> i64 {
    let count = right.clamp(0, 64) as u32;
    match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Subtract => left.wrapping_sub(right),
        BinaryOp::Multiply => left.wrapping_mul(right),
        BinaryOp::BitAnd => left & right,
        BinaryOp::BitOr => left | right,
        BinaryOp::BitXor => left ^ right,
        BinaryOp::ShiftRight => left.wrapping_shr(count),
        BinaryOp::ShiftLeft => left.wrapping_shl(count),
        BinaryOp::ShiftRightLogical => ((left as u64) >> (right & 63)) as i64,
        BinaryOp::Divide => left.checked_div(right).unwrap_or(i64::MIN),
        BinaryOp::Modulo => left.checked_rem(right).unwrap_or(0),
        BinaryOp::Less => i64::from(left < right),
        BinaryOp::LessEqual => i64::from(left <= right),
        BinaryOp::Greater => i64::from(left > right),
        BinaryOp::GreaterEqual => i64::from(left >= right),
        BinaryOp::Equal => i64::from(left == right),
        BinaryOp::NotEqual => i64::from(left != right),
        BinaryOp::LogicalAnd => i64::from(left != 0 && right != 0),
        BinaryOp::LogicalOr => i64::from(left != 0 || right != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::arithmetic;
    use crate::tree::BinaryOp::{Divide, Modulo, ShiftLeft, ShiftRight, ShiftRightLogical, Subtract};

    #[test]
    fn arithmetic_wraps_and_shifts_as_upstream_does() {
        assert_eq!(arithmetic(Subtract, i64::MIN, 1), i64::MAX);
        assert_eq!(arithmetic(Divide, i64::MIN, -1), i64::MIN);
        assert_eq!(arithmetic(Modulo, i64::MIN, -1), 0);
        assert_eq!(arithmetic(Divide, -7, 2), -3);
        assert_eq!(arithmetic(ShiftLeft, 1, 65), 1, "clamped to 64, then masked");
        assert_eq!(arithmetic(ShiftRight, -8, 1), -4);
        assert_eq!(arithmetic(ShiftRight, 5, -3), 5);
        assert_eq!(arithmetic(ShiftRightLogical, -1, 60), 15);
    }
}
