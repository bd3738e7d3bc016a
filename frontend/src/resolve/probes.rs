//! Derived probes enter the program: their bodies are bound, their conditions, entry probes and effects follow
//! (elaborate.cxx: `semantic_pass_symbols`, `semantic_pass_conditions`, `setup_timeout`).

use super::Resolver;
use super::alias::{Link, chain_text};
use super::bind::reads_global;
use super::derive::{Derived, Effect};
use super::entry::EntryStatements;
use super::pattern::Matched;
use super::point_text;
use super::scope::{Owner, Scope};
use super::targets::ProbeContext;
use crate::hir::{Body, Bound, Embed, Lineage, Local, Probe, VarRef};
use crate::optimise::fold::fold_operands;
use crate::optimise::rewrite::{Name, drop_unused_entry_locals, names_in_stmt};
use crate::source::{Expansion, ExpansionKind, FileId, Pos, Token, TokenKind};
use crate::syntax::ast::{Component, Parsed, ProbePoint};
use crate::tree::{Expr, ExprKind, Literal, Origin, Stmt, StmtKind, UnaryOp};
use indexmap::IndexSet;
use smol_str::SmolStr;
use std::rc::Rc;
use std::sync::Arc;

impl Resolver<'_> {
    /// Binds a derived probe and adds it; an entry probe that its body asks for goes in front.
    pub(super) fn add_probe(&mut self, matched: Matched) {
        let Matched { link, derived, family, condition } = matched;
        let context = Rc::new(ProbeContext::new(self.derived, &derived));
        self.derived += 1;
        self.take_effects(&derived);

        let prologue: Vec<Arc<Stmt<Parsed>>> = derived.prologue.iter().cloned().map(Arc::new).collect();
        let parts: Vec<Arc<Stmt<Parsed>>> = prologue.iter().chain(&link.parts).cloned().collect();
        // A block that was put together stands where its first part does (staptree.cxx: `block::block`).
        let first = |parts: &[Arc<Stmt<Parsed>>]| {
            parts.first().map_or_else(|| Origin(link.origin.clone()), |part| part.origin.clone())
        };
        let mut scope = Scope::new(Owner::Probe, Some(context.clone()), parts.clone());
        for local in &derived.entry_locals {
            scope.add_synthetic(&link.origin, &local.name, None);
        }
        let mut root = self.bind_block(&mut scope, &parts, &first(&parts));
        let mut bound = condition.as_ref().and_then(|condition| self.condition(condition));

        if let Some(EntryStatements { before, at_entry }) = self.entry_statements(&context) {
            let before: Vec<_> = before.into_iter().map(Arc::new).collect();
            let mut restore = self.bind_block(&mut scope, &before, &first(&before));
            let order = locals_first(&mut scope.locals, &mut restore);
            names_in_stmt(&mut root, &mut |name| renumber(&order, name));
            prepend(&mut root, restore);
            if let Some(entry) = derived.entry.clone() {
                self.add_entry_probe(&link, *entry, family, condition, at_entry);
            }
        }
        if let Some(condition) = &mut bound {
            prepend(&mut root, guard(condition));
            fold_operands(condition);
        }
        if let StmtKind::Block(list) = &mut root.kind
            && list.len() == 1
            && matches!(list[0].kind, StmtKind::Block(_))
            && let Some(only) = list.pop()
        {
            // One part: its own block is the body.
            root = only;
        }
        let mut body = Body { locals: scope.locals, root };
        if !derived.entry_locals.is_empty() {
            drop_unused_entry_locals(&mut body);
        }
        let lineage = self.lineage(&link, &derived);
        self.check_version_of_probe(&link, &derived);
        let probe = Probe {
            origin: Origin(link.origin.clone()),
            derivation: derived
                .via
                .iter()
                .chain(link.chain().filter_map(|link| link.point()))
                .cloned()
                .collect(),
            lineage,
            primary: self.is_primary(&link),
            synthetic: link.synthetic,
            plain_calls: derived.plain_calls,
            family,
            attachment: derived.attachment.clone(),
            condition: bound,
            body,
            point: derived.point,
        };
        self.program.probes.push(probe);
    }

    /// The probe that evaluates the `@entry` expressions of a return probe, under the same condition.
    fn add_entry_probe(
        &mut self,
        link: &Rc<Link>,
        derived: Derived,
        family: &'static str,
        condition: Option<Box<Expr<Parsed>>>,
        body: Vec<Stmt<Parsed>>,
    ) {
        let body = Stmt { origin: Origin(link.origin.clone()), kind: StmtKind::Block(body) };
        let link = Rc::new(link.with_body(Arc::new(body)));
        self.add_probe(Matched { link, derived, family, condition });
    }

    fn take_effects(&mut self, derived: &Derived) {
        for effect in &derived.effects {
            match effect {
                Effect::ReadsStdin => self.program.reads_stdin = true,
                Effect::PerfCounter { name, process } => {
                    let counter = (name.clone(), process.clone());
                    if !self.program.perf_counters.contains(&counter) {
                        self.program.perf_counters.push(counter);
                    }
                }
                Effect::Embed(code) => {
                    if self.late_embeds.iter().all(|embed| embed.code != *code) {
                        let origin = derived.point.components[0].origin.clone();
                        self.late_embeds.push(Embed { origin, code: code.clone() });
                    }
                }
            }
        }
    }

    fn lineage(&self, link: &Link, derived: &Derived) -> Lineage {
        let outermost = link
            .chain()
            .filter_map(|link| link.alias.as_ref())
            .filter(|alias| alias.well_formed)
            .last()
            .map(|alias| alias.point.clone());
        let file = link.origin.outermost().pos.file;
        let mangled = |name: &str| {
            // A private one hides those of other files.
            let named = || self.program.globals.iter().filter(|global| global.name == name);
            let own = named().find(|global| global.private && global.file == file);
            let found = own.or_else(|| named().find(|global| !global.private));
            found.map(|global| global.mangled.clone())
        };
        let mut chain = match &derived.via {
            Some(via) => format!(" <- {}", point_text(via, true)),
            None => String::new(),
        };
        // Before 5.0 no point of a chain had a chain of its own, and one that a family puts in between ended it
        // (observed: 4.8).
        let nested = !self.session.version.before(5, 0);
        if nested || derived.via.is_none() {
            chain += &chain_text(link, nested, &mangled);
        }
        Lineage {
            script_point: outermost.or_else(|| derived.via.clone()),
            chain: chain.into(),
            remark: derived.remark.clone(),
            variables: match &derived.targets {
                Some(targets) if self.session.mode == crate::session::Mode::ListVariables => {
                    targets.listing()
                }
                _ => Vec::new(),
            },
            evaluates_conditions: false,
        }
    }

    /// True if the declaration that everything started with stands in the script itself.
    fn is_primary(&self, link: &Link) -> bool {
        let root = link.root();
        !root.synthetic
            && self.user.first().is_some_and(|script| root.origin.outermost().pos.file == script.file)
    }

    /// `-T`: a timer that calls `exit()`.
    pub(super) fn timeout_probe(&mut self) {
        let Some(timeout) = self.session.timeout_ms else { return };
        let file = self.user.first().map_or(FileId(0), |script| script.file);
        let token = |text: &str| {
            let base = Token::new(TokenKind::Identifier, text, Pos { file, offset: 0 });
            let expansion = Expansion { kind: ExpansionKind::Synthetic, invocation: base.clone() };
            Origin(Token { expansion: Some(Arc::new(expansion)), ..base })
        };
        let exit = Expr {
            origin: token("exit"),
            kind: ExprKind::Call { callee: SmolStr::new_static("exit"), args: Vec::new() },
        };
        let body = Stmt {
            origin: token("{"),
            kind: StmtKind::Block(vec![Stmt { origin: token("exit"), kind: StmtKind::Expr(exit) }]),
        };
        let component = |name: &str, arg| Component { origin: token(name), functor: name.into(), arg };
        let ms = Literal::Number(i64::try_from(timeout).unwrap_or(i64::MAX));
        let point = plain_point(vec![component("timer", None), component("ms", Some(ms))]);
        self.add_synthetic_probe(token("probe").0, point, body);
    }

    /// If a condition reads globals: a begin probe after which all conditions are evaluated for the first time.
    pub(super) fn condition_probe(&mut self) {
        let reading = self
            .program
            .probes
            .iter()
            .filter_map(|probe| probe.condition.as_ref())
            .find(|condition| reads_global(condition));
        let Some(condition) = reading else { return };
        let base = condition.origin.0.clone();
        let expansion = Expansion { kind: ExpansionKind::Synthetic, invocation: base.clone() };
        let origin = Origin(Token { expansion: Some(Arc::new(expansion)), ..base });
        let component =
            Component { origin: origin.clone(), functor: SmolStr::new_static("begin"), arg: None };
        let body = Stmt { origin: origin.clone(), kind: StmtKind::Block(Vec::new()) };
        let before = self.program.probes.len();
        self.add_synthetic_probe(origin.0, plain_point(vec![component]), body);
        if let Some(probe) = self.program.probes.get_mut(before) {
            probe.lineage.evaluates_conditions = true;
        }
    }

    fn add_synthetic_probe(&mut self, token: Token, point: ProbePoint, body: Stmt<Parsed>) {
        let link = Rc::new(Link::declared(token, vec![point], Arc::new(body), true));
        // Without `rethrow` errors are in the bag already.
        for matched in self.derive_probes(&link, false, false).unwrap_or_default() {
            self.add_probe(matched);
        }
    }
}

fn plain_point(components: Vec<Component>) -> ProbePoint {
    ProbePoint { components, optional: false, sufficient: false, condition: None }
}

/// `if (!condition) next`.
fn guard(condition: &Expr<Bound>) -> Stmt<Bound> {
    let origin = condition.origin.clone();
    let operand = Box::new(condition.clone());
    let refused = Expr { origin: origin.clone(), kind: ExprKind::Unary { op: UnaryOp::Not, operand } };
    let next = Stmt { origin: origin.clone(), kind: StmtKind::Next };
    Stmt { origin, kind: StmtKind::If { condition: refused, then: Box::new(next), otherwise: None } }
}

/// Puts the locals of a statement in front of all others, as if it had been bound first. Returns the old numbers by the
/// new ones; the statement has the new ones already.
fn locals_first(locals: &mut Vec<Local>, first: &mut Stmt<Bound>) -> IndexSet<u32> {
    let mut order: IndexSet<u32> = IndexSet::new();
    names_in_stmt(first, &mut |name| {
        if let Name::Var(VarRef::Local(id)) = name {
            order.insert(id.0);
        }
    });
    order.extend(0..locals.len() as u32);
    *locals = order.iter().filter_map(|old| locals.get(*old as usize).cloned()).collect();
    names_in_stmt(first, &mut |name| renumber(&order, name));
    order
}

/// Gives a local its new number.
fn renumber(order: &IndexSet<u32>, name: Name<'_>) {
    if let Name::Var(VarRef::Local(id)) = name
        && let Some(place) = order.get_index_of(&id.0)
    {
        id.0 = place as u32;
    }
}

fn prepend(root: &mut Stmt<Bound>, first: Stmt<Bound>) {
    if let StmtKind::Block(list) = &mut root.kind {
        root.origin = first.origin.clone();
        list.insert(0, first);
    }
}

/// The point that listings print for a probe.
pub(super) fn listed_point(probe: &Probe) -> String {
    match &probe.lineage.script_point {
        Some(point) => point_text(point, true),
        None => point_text(&probe.point, true),
    }
}
