//! Probe aliases: what a point becomes when it names one (elaborate.cxx: `alias_expansion_builder`).

use super::Resolver;
use super::pattern::{Failure, Matched};
use super::uses;
use crate::diag::Diagnostic;
use crate::source::{FileId, Token};
use crate::syntax::ast::{Alias, Component, Parsed, ProbePoint};
use crate::tree::walk::{ChildMut, expr_children_mut, stmt_children_mut};
use crate::tree::{BinaryOp, Expr, ExprKind, Origin, Stmt};
use smol_str::SmolStr;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

/// How deep aliases may stand for aliases. Each level costs stack, here and in upstream.
const MAX_DEPTH: usize = 100;

/// From this depth on dumps leave out what an alias was expanded from: the text doubles with each level.
const MAX_NESTED_TEXT: usize = 10;

/// Which alias: a file and the number of the alias in it.
pub(super) type AliasId = (FileId, usize);

/// A probe on its way to derived probes: the one that the script declares, or what an alias makes of it.
#[derive(Debug)]
pub(super) struct Link {
    /// The probe that this one was expanded from.
    pub parent: Option<Rc<Link>>,
    /// For expansions of an alias.
    pub alias: Option<Expanded>,
    /// The declaration's token; for expansions the component that named the alias.
    pub origin: Token,
    /// Where it attaches.
    pub points: Vec<ProbePoint>,
    /// What it runs, in order; all parts share one scope.
    pub parts: Vec<Arc<Stmt<Parsed>>>,
    /// Made by the translator.
    pub synthetic: bool,
    /// The declaration is marked in [`crate::syntax::ast::VersionDependent`].
    pub version_dependent: bool,
    signature: OnceCell<SmolStr>,
}

/// The alias of a [`Link`].
#[derive(Debug, Clone)]
pub(super) struct Expanded {
    /// Which one.
    pub id: AliasId,
    /// Its first name, with the suffix of the use.
    pub point: ProbePoint,
    /// False if the suffix has wildcards: then the point is not the final word of the script.
    pub well_formed: bool,
    /// The declaration without its bodies, as dumps print it.
    pub header: SmolStr,
}

/// Bodies of an alias, shared by all its expansions.
#[derive(Debug, Clone)]
pub(super) struct AliasBodies {
    before: Vec<Arc<Stmt<Parsed>>>,
    after: Vec<Arc<Stmt<Parsed>>>,
    asks_probewrite: bool,
    header: SmolStr,
}

impl Link {
    /// A declared probe.
    pub fn declared(
        origin: Token,
        points: Vec<ProbePoint>,
        body: Arc<Stmt<Parsed>>,
        synthetic: bool,
    ) -> Self {
        Link {
            parent: None,
            alias: None,
            origin,
            points,
            parts: vec![body],
            synthetic,
            version_dependent: false,
            signature: OnceCell::new(),
        }
    }

    /// The same with the mark of its declaration.
    pub fn depends_on_version(mut self, yes: bool) -> Self {
        self.version_dependent = yes;
        self
    }

    /// The same probe with another body.
    pub fn with_body(&self, body: Arc<Stmt<Parsed>>) -> Self {
        Link {
            parent: self.parent.clone(),
            alias: self.alias.clone(),
            origin: self.origin.clone(),
            points: self.points.clone(),
            parts: vec![body],
            synthetic: self.synthetic,
            version_dependent: self.version_dependent,
            signature: OnceCell::new(),
        }
    }

    /// This link and those it was expanded from, the script's last.
    pub fn chain(&self) -> impl Iterator<Item = &Link> {
        std::iter::successors(Some(self), |link| link.parent.as_deref())
    }

    /// The declaration that all started with.
    pub fn root(&self) -> &Link {
        self.chain().last().unwrap_or(self)
    }

    /// The point as `pp` chains know it.
    pub fn point(&self) -> Option<&ProbePoint> {
        match &self.alias {
            Some(alias) => Some(&alias.point),
            None => self.points.first(),
        }
    }

    /// What `-p2` prints for this link (staptree.cxx: `probe::printsig`, `derived_probe::printsig`).
    pub fn signature(&self) -> &SmolStr {
        self.signature.get_or_init(|| match (&self.alias, &self.parent) {
            (Some(alias), Some(parent)) if self.chain().nth(MAX_NESTED_TEXT).is_none() => {
                let mut text = format!("{} /* ", alias.header);
                for link in parent.chain() {
                    let _ = write!(text, " <- {}", link.signature());
                }
                text.push_str(" */ ");
                text.into()
            }
            _ => self.declaration(),
        })
    }

    /// This link without what it was expanded from.
    fn declaration(&self) -> SmolStr {
        match &self.alias {
            Some(alias) => alias.header.clone(),
            None => {
                let points: Vec<String> =
                    self.points.iter().map(|point| super::point_text(point, true)).collect();
                points.join(",").into()
            }
        }
    }
}

/// ` <- a <- b`: the link and those it was expanded from. Only the declaration that a probe was derived from without
/// any alias shows resolved names and folded operands in its conditions: aliases work with copies. In a `nested` chain
/// each link has the chain of its own.
pub(super) fn chain_text(link: &Link, nested: bool, mangled: &dyn Fn(&str) -> Option<SmolStr>) -> String {
    let mut text = String::new();
    for (index, step) in link.chain().enumerate() {
        if index == 0 && step.alias.is_none() {
            let point = |point: &ProbePoint| super::text::resolved_point_text(point, mangled);
            let points: Vec<String> = step.points.iter().map(point).collect();
            let _ = write!(text, " <- {}", points.join(","));
        } else if nested {
            let _ = write!(text, " <- {}", step.signature());
        } else {
            let _ = write!(text, " <- {}", step.declaration());
        }
    }
    text
}

/// Declaration of an alias without its bodies (staptree.cxx: `probe_alias::printsig`).
pub fn alias_header(alias: &Alias) -> String {
    let list = |points: &[ProbePoint], separator: &str| {
        let points: Vec<String> = points.iter().map(|point| super::point_text(point, true)).collect();
        points.join(separator)
    };
    let sign = if alias.epilogue_style { "+=" } else { "=" };
    format!("{} {sign} {}", list(&alias.names, " = "), list(&alias.points, ", "))
}

impl Resolver<'_> {
    fn alias_bodies(&mut self, id: AliasId) -> Option<(Arc<crate::syntax::ast::Script>, AliasBodies)> {
        let script = self.script(id.0)?;
        if let Some(bodies) = self.alias_bodies.get(&id) {
            return Some((script, bodies.clone()));
        }
        let alias = script.aliases.get(id.1)?;
        let first = Arc::new(alias.body.clone());
        let second = alias.epilogue.clone().map(Arc::new);
        let asks_probewrite =
            uses::has_probewrite(&first) || second.as_ref().is_some_and(|body| uses::has_probewrite(body));
        let (before, after) = if alias.epilogue_style {
            (Vec::new(), vec![first])
        } else {
            (vec![first], second.into_iter().collect())
        };
        let bodies = AliasBodies { before, after, asks_probewrite, header: alias_header(alias).into() };
        self.alias_bodies.insert(id, bodies.clone());
        Some((script, bodies))
    }

    /// Derives the probes of an alias for a use of it; `suffix` is what the point has beyond the alias's name.
    ///
    /// # Errors
    /// The alias leads back to itself, or (only with a suffix) a point of the alias does not take the suffix.
    pub(super) fn expand_alias(
        &mut self,
        id: AliasId,
        usage: &Rc<Link>,
        point: &ProbePoint,
        suffix: &[Component],
    ) -> Result<Vec<Matched>, Failure> {
        if let Some(own) = &usage.alias
            && usage.chain().skip(1).any(|link| link.alias.as_ref().is_some_and(|alias| alias.id == own.id))
        {
            let first = &point.components[0].origin.0;
            let message = format!(
                "recursive loop in alias expansion of {} at {{place}}",
                super::point_text(point, true)
            );
            let error = Diagnostic::semantic("resolve/alias-recursion", message).mentioning(first);
            return Err(Failure::Recursion(Box::new(error)));
        }
        if usage.chain().nth(MAX_DEPTH).is_some() {
            let message = "probe aliases are nested too deeply";
            let error = Diagnostic::semantic("resolve/alias-depth", message).at(&usage.origin);
            return Err(Failure::Recursion(Box::new(error)));
        }
        let Some((script, bodies)) = self.alias_bodies(id) else { return Ok(Vec::new()) };
        let alias = &script.aliases[id.1];
        let points = alias
            .points
            .iter()
            .map(|inner| {
                let mut inner = inner.clone();
                inner.components.extend(suffix.iter().cloned());
                inner.condition = both(inner.condition.take(), point.condition.as_deref());
                inner
            })
            .collect();
        let mut parts = Vec::with_capacity(usage.parts.len() + bodies.before.len() + bodies.after.len());
        parts.extend(bodies.before.iter().cloned());
        parts.extend(usage.parts.iter().cloned());
        parts.extend(bodies.after.iter().cloned());
        if bodies.asks_probewrite || usage.parts.iter().any(|part| uses::has_probewrite(part)) {
            let written = uses::written_names(usage.parts.iter().map(|part| &**part));
            for part in &mut parts {
                if uses::has_probewrite(part) {
                    let mut answered = (**part).clone();
                    answer_probewrites(&mut answered, &written);
                    *part = Arc::new(answered);
                }
            }
        }
        let mut name = alias.names.first().cloned().unwrap_or_else(|| point.clone());
        name.condition = None;
        name.components.extend(suffix.iter().cloned());
        let well_formed = !suffix.iter().any(|component| component.functor.contains('*'));
        let link = Rc::new(Link {
            parent: Some(usage.clone()),
            alias: Some(Expanded { id, point: name, well_formed, header: bodies.header.clone() }),
            origin: point.components[0].origin.0.clone(),
            points,
            parts,
            synthetic: usage.synthetic,
            version_dependent: false,
            signature: OnceCell::new(),
        });
        let derived = self.derive_probes(&link, point.optional, !suffix.is_empty())?;
        if !derived.is_empty() {
            self.join(id.0);
        }
        Ok(derived)
    }
}

/// Both conditions, the alias's first (elaborate.cxx: `add_condition`).
fn both(inner: Option<Box<Expr<Parsed>>>, outer: Option<&Expr<Parsed>>) -> Option<Box<Expr<Parsed>>> {
    match (inner, outer) {
        (None, outer) => outer.cloned().map(Box::new),
        (inner, None) => inner,
        (Some(inner), Some(outer)) => Some(Box::new(Expr {
            origin: inner.origin.clone(),
            kind: ExprKind::Binary { op: BinaryOp::LogicalAnd, left: inner, right: Box::new(outer.clone()) },
        })),
    }
}

/// Puts 1 or 0 in place of each `@probewrite(name)`: whether the handler writes that name.
fn answer_probewrites(stmt: &mut Stmt<Parsed>, written: &BTreeSet<SmolStr>) {
    stmt_children_mut(stmt, &mut |child| match child {
        ChildMut::Expr(expr) => answer_in_expr(expr, written),
        ChildMut::Stmt(stmt) => answer_probewrites(stmt, written),
    });
}

fn answer_in_expr(expr: &mut Expr<Parsed>, written: &BTreeSet<SmolStr>) {
    if let ExprKind::ProbeWrite(name) = &expr.kind {
        let value = i64::from(written.contains(name));
        // The token tells the answer from a number that somebody wrote.
        let mut token = expr.origin.0.clone();
        token.text = SmolStr::new_static("@probewrite");
        *expr = Expr { origin: Origin(token), kind: ExprKind::Number { value, hex: false } };
        return;
    }
    expr_children_mut(expr, &mut |child| answer_in_expr(child, written));
}

impl Resolver<'_> {
    /// Enters the aliases of the user into the tree, behind those of the library (session.cxx: `register_library_aliases`).
    pub(super) fn register_aliases(&mut self) {
        for script in self.user {
            for (index, alias) in script.aliases.iter().enumerate() {
                for name in &alias.names {
                    match illegal_name(name) {
                        Some(cause) => self.diagnostics.push(
                            Diagnostic::semantic("resolve/alias", "while registering probe alias")
                                .at(&alias.origin.0)
                                .because(cause),
                        ),
                        None => {
                            let names = name.components.iter().map(|component| component.functor.clone());
                            self.tree.add_alias(names, (script.file, index));
                        }
                    }
                }
            }
        }
    }
}

/// Why an alias cannot have that name.
fn illegal_name(name: &ProbePoint) -> Option<Diagnostic> {
    name.components.iter().find_map(|component| {
        if component.arg.is_some() {
            let message = format!("alias component {} contains illegal parameter", component.functor);
            Some(Diagnostic::semantic("resolve/alias-parameter", message))
        } else if component.functor == "*" {
            let message = "invalid use of wildcard probe point component";
            Some(Diagnostic::semantic("resolve/alias-wildcard", message))
        } else {
            None
        }
    })
}
