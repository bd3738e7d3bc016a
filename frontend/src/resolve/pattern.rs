//! Probe points to derived probes: the tree of patterns and the walk through it
//! (elaborate.cxx: `match_node::find_and_build`, `derive_probes`).

use super::Resolver;
use super::alias::{AliasId, Link};
use super::derive::{Access, DeriveContext, Derived, Effect, Family, Param};
use super::library::AliasEntry;
use super::suggest;
use super::symbolic::SYMBOLIC;
use super::text::point_text;
use crate::diag::Diagnostic;
use crate::session::{Mode, Privilege, Session};
use crate::source::Token;
use crate::syntax::ast::{Component, Parsed, ProbePoint};
use crate::tree::{Expr, Literal};
use crate::wildcard::{self, Escape};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A component as the tree knows it. The order is upstream's: by name, then no parameter, number, string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: SmolStr,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    None,
    Number,
    String,
}

impl From<Param> for Shape {
    fn from(param: Param) -> Self {
        match param {
            Param::None => Shape::None,
            Param::Number => Shape::Number,
            Param::String => Shape::String,
        }
    }
}

impl Key {
    fn of(component: &Component) -> Self {
        let shape = match &component.arg {
            None => Shape::None,
            Some(Literal::String(_)) => Shape::String,
            Some(Literal::Number(_) | Literal::Address(_)) => Shape::Number,
        };
        Key { name: component.functor.clone(), shape }
    }

    fn text(&self) -> SmolStr {
        match self.shape {
            Shape::None => self.name.clone(),
            Shape::Number => format_smolstr!("{}(number)", self.name),
            Shape::String => format_smolstr!("{}(string)", self.name),
        }
    }
}

/// What derives the points that end at a node.
#[derive(Clone, Copy)]
enum Builder {
    Alias(AliasId),
    Family(&'static dyn Family),
}

struct Node {
    children: BTreeMap<Key, usize>,
    builders: Vec<Builder>,
    access: Access,
    /// Aliases of the library that belong below this node, which is not done before somebody comes here.
    folded: Vec<usize>,
}

impl Node {
    fn new() -> Self {
        Node {
            children: BTreeMap::new(),
            builders: Vec::new(),
            access: Access::Privileged,
            folded: Vec::new(),
        }
    }
}

/// All known patterns: aliases and the families' points.
///
/// The library has thousands of aliases, of which a script needs a few: below the nodes next to the root they are put
/// into the tree when a walk comes there.
pub(super) struct PatternTree<'a> {
    nodes: Vec<Node>,
    library: &'a [AliasEntry],
}

const ROOT: usize = 0;

impl<'a> PatternTree<'a> {
    /// A tree with the aliases of a library, which come before all that is added later.
    pub fn new(library: &'a [AliasEntry]) -> Self {
        let mut tree = PatternTree { nodes: vec![Node::new()], library };
        for (index, entry) in library.iter().enumerate() {
            let first = entry.components.iter().take(1).map(|(name, _)| alias_key(name));
            let node = tree.bind(ROOT, first);
            tree.nodes[node].folded.push(index);
        }
        tree
    }

    /// Puts the aliases below a node into the tree, if they are not there yet.
    fn unfold(&mut self, at: usize) {
        for index in std::mem::take(&mut self.nodes[at].folded) {
            let entry = &self.library[index];
            let node = self.bind(at, entry.components.iter().skip(1).map(|(name, _)| alias_key(name)));
            self.add_builder(node, (entry.file, entry.alias));
        }
    }

    fn add_builder(&mut self, node: usize, alias: AliasId) {
        self.nodes[node].access = Access::All;
        self.nodes[node].builders.push(Builder::Alias(alias));
    }

    /// The node of a pattern that starts below `start`.
    fn bind(&mut self, start: usize, components: impl Iterator<Item = Key>) -> usize {
        let mut at = start;
        for key in components {
            at = match self.nodes[at].children.get(&key) {
                Some(&child) => child,
                None => {
                    self.nodes.push(Node::new());
                    let child = self.nodes.len() - 1;
                    self.nodes[at].children.insert(key, child);
                    child
                }
            };
        }
        at
    }

    /// The node of a pattern, below whose first node everything is in its place.
    fn node_of(&mut self, mut components: impl Iterator<Item = Key>) -> usize {
        let first = self.bind(ROOT, components.next().into_iter());
        self.unfold(first);
        self.bind(first, components)
    }

    /// Adds an alias. Everybody may use aliases; what they stand for is checked when they are expanded.
    pub fn add_alias(&mut self, components: impl Iterator<Item = SmolStr>, alias: AliasId) {
        let node = self.node_of(components.map(|name| Key { name, shape: Shape::None }));
        self.add_builder(node, alias);
    }

    /// Adds all points of a family that the session's level knows.
    pub fn add_family(&mut self, session: &Session, family: &'static dyn Family) {
        for pattern in family.patterns().iter().filter(|pattern| family.available(session, pattern)) {
            let keys = pattern
                .components
                .iter()
                .map(|(name, param)| Key { name: SmolStr::new_static(name), shape: Shape::from(*param) });
            let node = self.node_of(keys);
            self.nodes[node].access = family.access(session, pattern);
            self.nodes[node].builders.push(Builder::Family(family));
        }
    }

    /// Adds the stand-in for debug information where no family serves the point.
    pub fn add_symbolic(&mut self, session: &Session) {
        let family: &'static dyn Family = &SYMBOLIC;
        for pattern in family.patterns().iter().filter(|pattern| family.available(session, pattern)) {
            let keys = pattern
                .components
                .iter()
                .map(|(name, param)| Key { name: SmolStr::new_static(name), shape: Shape::from(*param) });
            let node = self.node_of(keys);
            let node = &mut self.nodes[node];
            if !node.builders.iter().any(|builder| matches!(builder, Builder::Family(_))) {
                node.access = pattern.access;
                node.builders.push(Builder::Family(family));
            }
        }
    }

    /// Every point that a family serves and the session's user may use, in tree order, one per line
    /// (elaborate.cxx: `match_node::dump`).
    pub fn dump(&self, privilege: Privilege) -> String {
        let mut text = String::new();
        self.dump_node(ROOT, "", privilege, &mut text);
        text
    }

    fn dump_node(&self, at: usize, name: &str, privilege: Privilege, text: &mut String) {
        let node = &self.nodes[at];
        let served = node.builders.iter().any(|builder| matches!(builder, Builder::Family(_)));
        if served && is_allowed(node.access, privilege) {
            text.push_str(name);
            text.push('\n');
        }
        let dot = if name.is_empty() { "" } else { "." };
        for (key, &child) in &node.children {
            self.dump_node(child, &format!("{name}{dot}{}", key.text()), privilege, text);
        }
    }
}

/// Names of aliases have no parameters.
fn alias_key(name: &SmolStr) -> Key {
    Key { name: name.clone(), shape: Shape::None }
}

fn is_allowed(access: Access, privilege: Privilege) -> bool {
    access == Access::All || privilege != Privilege::User
}

/// A derived probe and how it came about.
#[derive(Debug)]
pub(super) struct Matched {
    /// The probe that it was derived from.
    pub link: Rc<Link>,
    /// What the family made.
    pub derived: Derived,
    /// The family's name.
    pub family: &'static str,
    /// Conditions of the point and of all aliases.
    pub condition: Option<Box<Expr<Parsed>>>,
}

/// Why a point could not be resolved.
#[derive(Debug)]
pub(super) enum Failure {
    /// The usual case; wildcards hide it.
    Error(Box<Diagnostic>),
    /// An alias that leads back to itself: suffix matching must not turn it into a mismatch.
    Recursion(Box<Diagnostic>),
}

impl Failure {
    fn into_diagnostic(self) -> Diagnostic {
        match self {
            Failure::Error(diagnostic) | Failure::Recursion(diagnostic) => *diagnostic,
        }
    }
}

fn error(site: &'static str, message: impl Into<String>, token: &Token) -> Failure {
    Failure::Error(Box::new(Diagnostic::semantic(site, message).at(token)))
}

fn is_glob(functor: &str) -> bool {
    functor.contains('*')
}

/// One walk: the probe that is derived, what was found, and which builders found nothing.
struct Walk<'w> {
    usage: &'w Rc<Link>,
    found: &'w mut Vec<Matched>,
    builders: &'w mut BTreeSet<&'static str>,
}

impl Resolver<'_> {
    /// Derives all points of a probe. `optional`: the use that led here may fail silently. `rethrow`: an error is
    /// given back instead of being reported, for aliases with a suffix.
    ///
    /// # Errors
    /// Only with `rethrow`.
    pub(super) fn derive_probes(
        &mut self,
        link: &Rc<Link>,
        optional: bool,
        rethrow: bool,
    ) -> Result<Vec<Matched>, Failure> {
        let outer = self.parent_optional;
        self.parent_optional |= optional;
        // Errors below are reported right there, even if a wildcard led here.
        let hidden = if rethrow { self.hidden } else { std::mem::take(&mut self.hidden) };
        let result = self.derive_points(link, rethrow);
        self.hidden = hidden;
        self.parent_optional = outer;
        result
    }

    fn derive_points(&mut self, link: &Rc<Link>, rethrow: bool) -> Result<Vec<Matched>, Failure> {
        let mut found = Vec::new();
        let mut tolerated: Vec<Diagnostic> = Vec::new();
        let traced = self.session.verbosity[1] > 1;
        for (index, point) in link.points.iter().enumerate() {
            let traced = traced.then(|| point_text(point, true));
            if let Some(point) = &traced {
                let message = format!("derive-probes (location #{index}): {point} of {{token}}");
                self.diagnostics.push(Diagnostic::trace("resolve/derive", message).mentioning(&link.origin));
            }
            let mut builders = BTreeSet::new();
            let before = found.len();
            let first = &point.components[0].origin.0;
            let mut walk = Walk { usage: link, found: &mut found, builders: &mut builders };
            let outcome = self.find_and_build(ROOT, point, 0, &mut walk);
            let may_fail = point.optional || self.parent_optional;
            let failure = match outcome {
                Err(failure) if may_fail => {
                    // Worth telling only if something that must be there is missing too.
                    tolerated.push(while_resolving(
                        "resolve/optional-point",
                        first,
                        failure.into_diagnostic(),
                    ));
                    continue;
                }
                Err(failure) => Some(failure),
                Ok(()) if found.len() == before && !may_fail => {
                    Some(Failure::Error(Box::new(Diagnostic::semantic("resolve/no-match", "no match"))))
                }
                Ok(()) => None,
            };
            if let Some(failure) = failure {
                if rethrow {
                    return Err(failure);
                }
                if self.session.mode == Mode::Run || self.session.verbosity[1] > 1 {
                    let error = while_resolving("resolve/point", first, failure.into_diagnostic());
                    let error = if self.session.verbosity[1] > 0 && !builders.is_empty() {
                        let names: Vec<&str> = builders.into_iter().collect();
                        let message = format!("resolution failed in {}", names.join(", "));
                        Diagnostic::semantic("resolve/builders", message).because(error)
                    } else {
                        error
                    };
                    self.diagnostics.push(error);
                    for diagnostic in &tolerated {
                        self.diagnostics.push(diagnostic.clone());
                    }
                }
                continue;
            }
            if point.sufficient && found.len() > before {
                if let Some(point) = &traced {
                    let others = link.points[index + 1..].iter();
                    let skipped: String =
                        others.map(|point| format!(" {}", point_text(point, true))).collect();
                    let message = format!("Probe point {point} sufficient, skipped{skipped}");
                    self.diagnostics.push(Diagnostic::trace("resolve/sufficient", message));
                }
                break;
            }
        }
        Ok(found)
    }

    /// Walks down from a node with the components from `position` on.
    fn find_and_build(
        &mut self,
        at: usize,
        point: &ProbePoint,
        position: usize,
        walk: &mut Walk<'_>,
    ) -> Result<(), Failure> {
        let quiet = u32::from(point.optional || point.sufficient);
        self.quiet += quiet;
        self.tree.unfold(at);
        let result = match point.components.get(position) {
            None => self.build(at, point, walk),
            Some(component) if component.functor.contains("**") => {
                self.expand_double_glob(at, point, position, walk)
            }
            Some(component) if is_glob(&component.functor) => self.expand_glob(at, point, position, walk),
            Some(component) => match self.tree.nodes[at].children.get(&Key::of(component)) {
                Some(&child) => self.find_and_build(child, point, position + 1, walk),
                None => self.try_suffix(at, point, position, "probe point mismatch", walk),
            },
        };
        self.quiet -= quiet;
        result
    }

    /// All components have matched: lets every builder of the node derive its probes.
    fn build(&mut self, at: usize, point: &ProbePoint, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let last = &point.components[point.components.len() - 1].origin.0;
        let node = &self.tree.nodes[at];
        if node.builders.is_empty() {
            let follow: String = node.children.keys().map(|key| format!(" {}", key.text())).collect();
            let message = format!("probe point truncated (follow: {follow})");
            return Err(error("resolve/truncated", message, last));
        }
        if !is_allowed(node.access, self.session.privilege) {
            let message =
                format!("probe point is not allowed for --privilege={}", self.session.privilege.name());
            return Err(error("resolve/point-privilege", message, last));
        }
        let before = walk.found.len();
        let builders = node.builders.clone();
        for builder in &builders {
            match *builder {
                Builder::Alias(alias) => {
                    let derived = self.expand_alias(alias, walk.usage, point, &[])?;
                    walk.found.extend(derived);
                }
                Builder::Family(family) => self.derive_family(family, point, walk)?,
            }
        }
        if walk.found.len() == before {
            walk.builders.extend(builders.iter().map(|builder| match builder {
                Builder::Alias(_) => "alias expansion builder",
                Builder::Family(family) => family.builder(),
            }));
        }
        Ok(())
    }

    fn derive_family(
        &mut self,
        family: &'static dyn Family,
        point: &ProbePoint,
        walk: &mut Walk<'_>,
    ) -> Result<(), Failure> {
        let file = point.components[0].origin.0.outermost().pos.file;
        let tapset_file = if self.is_user(file) { None } else { self.library.name(file) };
        let context = DeriveContext {
            session: self.session,
            world: self.world,
            origin: &walk.usage.origin,
            tapset_file: tapset_file.as_deref(),
            suggestions: self.errors_are_read(),
        };
        let derived = family.derive(&context, point).map_err(Failure::Error)?;
        for effect in derived.iter().flat_map(|derived| &derived.effects) {
            if let Effect::PerfCounter { name, .. } = effect
                && !self.counters.insert(name.clone())
            {
                let duplicate = Diagnostic::semantic("perf.duplicate", "duplicate counter name");
                return Err(Failure::Error(Box::new(duplicate)));
            }
        }
        walk.found.extend(derived.into_iter().map(|derived| Matched {
            link: walk.usage.clone(),
            derived,
            family: family.name(),
            condition: point.condition.clone(),
        }));
        Ok(())
    }

    /// `foo**bar`: first `foo*bar` in this component, then `foo*` followed by `**bar`. An argument stays behind.
    fn expand_double_glob(
        &mut self,
        at: usize,
        point: &ProbePoint,
        position: usize,
        walk: &mut Walk<'_>,
    ) -> Result<(), Failure> {
        let before = walk.found.len();
        let component = &point.components[position];
        let functor = component.functor.as_str();
        let start = functor.find("**").unwrap_or(functor.len());
        let prefix = &functor[..start];
        let suffix = functor[start..].trim_start_matches('*');

        let mut simple = point.clone();
        simple.components[position].functor = format_smolstr!("{prefix}*{suffix}");
        // A branch of a wildcard may fail without a word.
        let _ = self.quietly(|this| this.find_and_build(at, &simple, position, walk));

        let mut deeper = point.clone();
        deeper.components[position].functor = format_smolstr!("{prefix}*");
        deeper.components[position].arg = None;
        let mut rest = component.clone();
        rest.functor = format_smolstr!("**{suffix}");
        deeper.components.insert(position + 1, rest);
        // Components below the deepest pattern cannot match: the walk ends there.
        let _ = self.quietly(|this| this.find_and_build(at, &deeper, position, walk));

        self.after_glob(at, point, position, before, walk)
    }

    fn expand_glob(
        &mut self,
        at: usize,
        point: &ProbePoint,
        position: usize,
        walk: &mut Walk<'_>,
    ) -> Result<(), Failure> {
        let before = walk.found.len();
        let wanted = Key::of(&point.components[position]);
        let matching: Vec<(SmolStr, usize)> = self.tree.nodes[at]
            .children
            .iter()
            .filter(|(key, _)| {
                key.shape == wanted.shape && wildcard::matches(&wanted.name, &key.name, Escape::None)
            })
            .map(|(key, &child)| (key.name.clone(), child))
            .collect();
        for (name, child) in matching {
            let mut plain = point.clone();
            plain.components[position].functor = name;
            // A branch of a wildcard may fail without a word.
            let _ = self.quietly(|this| this.find_and_build(child, &plain, position + 1, walk));
        }
        self.after_glob(at, point, position, before, walk)
    }

    fn after_glob(
        &mut self,
        at: usize,
        point: &ProbePoint,
        position: usize,
        before: usize,
        walk: &mut Walk<'_>,
    ) -> Result<(), Failure> {
        if walk.found.len() > before {
            return Ok(());
        }
        let message = "probe point mismatch: didn't find any wildcard matches";
        self.try_suffix(at, point, position, message, walk)
    }

    /// Nothing below the node matches the components from `position` on: they may be the suffix of an alias that ends
    /// here. If not, `message` is the error.
    fn try_suffix(
        &mut self,
        at: usize,
        point: &ProbePoint,
        position: usize,
        message: &str,
        walk: &mut Walk<'_>,
    ) -> Result<(), Failure> {
        let before = walk.found.len();
        let token = &point.components[position].origin.0;
        if !self.session.compatible.before(2, 0) {
            for builder in self.tree.nodes[at].builders.clone() {
                let outcome = match builder {
                    Builder::Alias(alias) => {
                        self.expand_alias(alias, walk.usage, point, &point.components[position..])
                    }
                    Builder::Family(_) => Err(error("resolve/suffix", "invalid suffix for probe", token)),
                };
                match outcome {
                    Ok(derived) => walk.found.extend(derived),
                    Err(Failure::Recursion(error)) => return Err(Failure::Error(error)),
                    Err(Failure::Error(_)) if point.optional => {}
                    Err(Failure::Error(mut error)) => {
                        // The place to look at is the suffix, not the alias's declaration.
                        error.token = Some(token.clone());
                        error.second = None;
                        error.cause = None;
                        return Err(Failure::Error(error));
                    }
                }
            }
        }
        if !point.optional && walk.found.len() == before {
            let similar = self.similar_functors(at, &point.components[position].functor);
            let site = if is_glob(&point.components[position].functor) {
                "resolve/wildcard"
            } else {
                "resolve/mismatch"
            };
            return Err(error(site, format!("{message}{similar}"), token));
        }
        Ok(())
    }

    /// False where an error will not be printed: optional points, branches of a wildcard, listings.
    fn errors_are_read(&self) -> bool {
        let listing = matches!(self.session.mode, Mode::List | Mode::ListVariables);
        self.quiet == 0 && self.hidden == 0 && !(listing && self.session.verbosity[1] < 2)
    }

    /// ` (similar: ...)` among the siblings; nothing where nobody will read it.
    fn similar_functors(&self, at: usize, functor: &str) -> String {
        if !self.errors_are_read() {
            return String::new();
        }
        let wanted = match functor.find('*') {
            Some(star) if star > 0 => &functor[..star],
            _ => functor,
        };
        let names: BTreeSet<SmolStr> =
            self.tree.nodes[at].children.keys().map(|key| key.name.clone()).collect();
        suggest::similar(wanted, &names)
    }

    /// Walks a branch of a wildcard, whose errors nobody will read.
    fn quietly<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        self.hidden += 1;
        let result = act(self);
        self.hidden -= 1;
        result
    }
}

fn while_resolving(site: &'static str, token: &Token, cause: Diagnostic) -> Diagnostic {
    Diagnostic::semantic(site, "while resolving probe point").at(token).because(cause)
}
