//! Probes at the same place become one with all their handlers (elaborate.cxx: `semantic_pass_opt8`): one
//! registration, and one entry into the runtime, for each place.

use super::rewrite::{Name, names_in_stmt, null, take};
use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Bound, Local, LocalId, Probe, Program, VarRef};
use crate::resolve::point_text;
use crate::tree::walk::{ChildMut, stmt_children_mut};
use crate::tree::{AssignOp, BinaryOp, Expr, ExprKind, Origin, Stmt, StmtKind};
use crate::types::{Type, TypeTable};
use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;

/// More handlers than this are spread over several probes, to keep functions at a size that compiles.
const MAX_HANDLERS: usize = 32;

/// What `next` leaves in the error, so that it ends only its own handler.
const NEXT: &str = "__SYSTEMTAP_NEXT__";

/// Names of locals that the probe's entry code fills: all handlers of one place share them.
const SHARED: [&str; 4] = ["__tracepoint_arg_", "__lsm_arg_", "__nf_", "__mark_arg"];

/// Merges probes without conditions that stand at the same place. `empty` tells which handlers do nothing; it loses the
/// entries of probes that go.
///
/// Upstream takes a merged probe for empty if its first handler is, and so loses the others. Here an empty handler in
/// front of the others stays out of it, except in a listing: nothing gets lost there, and which points it names follows
/// from what was merged.
///
/// `trace` receives the lines that `-vv` shows.
pub(super) fn merge_probes(
    program: &mut Program,
    table: &mut TypeTable,
    empty: &mut Vec<bool>,
    listing: bool,
    mut trace: Option<&mut Diagnostics>,
) {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, probe) in program.probes.iter().enumerate() {
        if probe.synthetic || probe.condition.is_some() {
            continue;
        }
        let indexes = places.entry(place(probe)).or_default();
        if listing || !indexes.is_empty() || empty.get(index) != Some(&true) {
            indexes.push(index);
        }
    }
    let mut keep = vec![true; program.probes.len()];
    for indexes in places.values() {
        for (number, batch) in indexes.chunks(MAX_HANDLERS).enumerate() {
            let [first, others @ ..] = batch else { continue };
            if others.is_empty() {
                continue;
            }
            if let Some(trace) = trace.as_deref_mut() {
                let point = point_text(&program.probes[*first].point, true);
                let from = number * MAX_HANDLERS;
                let share = match indexes.len() {
                    count @ ..=MAX_HANDLERS => count.to_string(),
                    count => format!("batch {from}-{} of {count}", from + others.len()),
                };
                let message = format!("Combining {share} probe handlers for probe point: {point}");
                trace.push(Diagnostic::trace("merge/place", message));
            }
            merge(program, table, batch);
            for &other in others {
                keep[other] = false;
            }
        }
    }
    let gone = keep.iter().filter(|kept| !**kept).count();
    if gone > 0 {
        super::rewrite::retain(&mut program.probes, &keep);
        super::rewrite::retain(&mut table.probe_locals, &keep);
        super::rewrite::retain(empty, &keep);
        if let Some(trace) = trace {
            trace.push(Diagnostic::trace("merge/gone", format!("Removing {gone} duplicate probes")));
            let message = format!("After combining: {} probes remain", program.probes.len());
            trace.push(Diagnostic::trace("merge/left", message));
        }
    }
}

/// Equal for probes at the same place. What the family keeps belongs to it: it holds the address.
fn place(probe: &Probe) -> String {
    format!("{} {} {:?}", point_text(&probe.point, true), probe.family, probe.attachment)
}

fn merge(program: &mut Program, table: &mut TypeTable, batch: &[usize]) {
    let Some(&first) = batch.first() else { return };
    let origin = program.probes[first].origin.clone();
    let mut combined = Combined {
        locals: std::mem::take(&mut program.probes[first].body.locals),
        types: std::mem::take(&mut table.probe_locals[first]),
    };
    let error = combined.string(&origin, "__combined_probe_error__");
    let maker = Maker(&origin);
    let mut list = vec![maker.assign(error, maker.string(""))];
    for (number, &index) in batch.iter().enumerate() {
        let mut body = take(&mut program.probes[index].body.root);
        let origin = body.origin.clone();
        let maker = Maker(&origin);
        if number > 0 {
            let locals = std::mem::take(&mut program.probes[index].body.locals);
            let types = std::mem::take(&mut table.probe_locals[index]);
            let numbers = combined.adopt(locals, types, number);
            names_in_stmt(&mut body, &mut |name| {
                if let Name::Var(VarRef::Local(id)) = name
                    && let Some(new) = numbers.get(id.0 as usize)
                {
                    *id = *new;
                }
            });
            list.push(maker.embedded("/* unprivileged */ (c->sregs = 0)".into()));
        }
        mark_next(&mut body);
        let caught = combined.string(&origin, &format!("__error_{number}__"));
        let is_error = maker.unequal(caught, NEXT);
        let save = maker.assign(error, maker.var(caught));
        let handler = StmtKind::If { condition: is_error, then: Box::new(save), otherwise: None };
        list.push(maker.stmt(StmtKind::Try {
            body: Box::new(body),
            variable: Some((origin.clone(), VarRef::Local(caught))),
            handler: Box::new(maker.stmt(handler)),
        }));
    }
    let rethrow = "/* unprivileged */ (c->last_error = l->l___combined_probe_error__) /* string */";
    let again = vec![maker.embedded(rethrow.into()), maker.stmt(StmtKind::Next)];
    list.push(maker.stmt(StmtKind::If {
        condition: maker.unequal(error, ""),
        then: Box::new(maker.stmt(StmtKind::Block(again))),
        otherwise: None,
    }));
    program.probes[first].body.root = maker.stmt(StmtKind::Block(list));
    program.probes[first].body.locals = combined.locals;
    table.probe_locals[first] = combined.types;
}

/// Makes `next` tell the code around the handler that it is no error.
fn mark_next(stmt: &mut Stmt<Bound>) {
    if stmt.kind == StmtKind::Next {
        let origin = stmt.origin.clone();
        let maker = Maker(&origin);
        let code = format_smolstr!("/* unprivileged */ (c->last_error = \"{NEXT}\") /* string */");
        let mark = maker.embedded(code);
        *stmt = maker.stmt(StmtKind::Block(vec![mark, maker.stmt(StmtKind::Next)]));
        return;
    }
    stmt_children_mut(stmt, &mut |child| {
        if let ChildMut::Stmt(child) = child {
            mark_next(child);
        }
    });
}

/// Locals of the merged probe with what is known of their types.
struct Combined {
    locals: Vec<Local>,
    types: Vec<Type>,
}

impl Combined {
    fn push(&mut self, local: Local, kind: Type) -> LocalId {
        self.locals.push(local);
        self.types.push(kind);
        LocalId(self.locals.len() as u32 - 1)
    }

    fn string(&mut self, origin: &Origin, name: &str) -> LocalId {
        let local = Local { origin: origin.clone(), name: name.into(), declared: None, synthetic: false };
        self.push(local, Type::String)
    }

    /// New numbers of another probe's locals.
    fn adopt(&mut self, locals: Vec<Local>, types: Vec<Type>, number: usize) -> Vec<LocalId> {
        let types = types.into_iter().chain(std::iter::repeat(Type::Unknown));
        locals
            .into_iter()
            .zip(types)
            .map(|(mut local, kind)| {
                if SHARED.iter().any(|prefix| local.name.starts_with(prefix)) {
                    if let Some(known) = self.locals.iter().position(|other| other.name == local.name) {
                        return LocalId(known as u32);
                    }
                } else {
                    local.name = format_smolstr!("{}_{number}", local.name);
                }
                self.push(local, kind)
            })
            .collect()
    }
}

struct Maker<'a>(&'a Origin);

impl Maker<'_> {
    fn stmt(&self, kind: StmtKind<Bound>) -> Stmt<Bound> {
        let mut made = null(&self.0.0);
        made.kind = kind;
        made
    }

    fn expr(&self, kind: ExprKind<Bound>) -> Expr<Bound> {
        Expr { origin: self.0.clone(), kind }
    }

    fn var(&self, id: LocalId) -> Expr<Bound> {
        self.expr(ExprKind::Var(VarRef::Local(id)))
    }

    fn string(&self, text: &str) -> Expr<Bound> {
        self.expr(ExprKind::String(text.into()))
    }

    fn embedded(&self, code: SmolStr) -> Stmt<Bound> {
        self.stmt(StmtKind::Expr(self.expr(ExprKind::Embedded(code))))
    }

    fn assign(&self, target: LocalId, value: Expr<Bound>) -> Stmt<Bound> {
        let (target, value) = (Box::new(self.var(target)), Box::new(value));
        self.stmt(StmtKind::Expr(self.expr(ExprKind::Assign { op: AssignOp::Set, target, value })))
    }

    fn unequal(&self, left: LocalId, right: &str) -> Expr<Bound> {
        let (left, right) = (Box::new(self.var(left)), Box::new(self.string(right)));
        self.expr(ExprKind::Binary { op: BinaryOp::NotEqual, left, right })
    }
}
