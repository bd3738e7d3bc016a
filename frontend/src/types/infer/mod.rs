//! Type inference to fixpoint (elaborate.cxx: `typeresolution_info`).
//!
//! Each visit of an expression brings a wanted type from above and leaves a type at the expression. Both meet at the
//! declarations, which keep the first type that they were given. What upstream reports, and where, depends on the
//! order of these meetings, so the visitor keeps upstream's order: functions by mangled name, then probes, repeated
//! until nothing changes.

mod expr;
mod report;
mod stmt;

use super::{Owner, Type, TypeTable, functions_by_name};
use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::dump::derived_from;
use crate::hir::{Bound, FunctionBody, FunctionId, GlobalId, LocalId, ProbeId, Program, VarRef};
use crate::session::Session;
use crate::source::{Pos, Token};
use crate::tree::{Expr, Origin};
use std::collections::{HashMap, HashSet};

/// Looks for contradictions and fills in what is already certain; run before each round of constant folding
/// (elaborate.cxx: `initial_typeres_pass`). Nothing is said about types that stay unknown.
///
/// `fold_probes` folds constants in handlers once every body has been seen: what it removes was checked by itself, but
/// its type no longer binds what is around it. It changes the trees in place and returns the addresses of expressions
/// that it put in the place of others.
pub fn early(
    session: &Session,
    program: &mut Program,
    table: &mut TypeTable,
    fold_probes: impl FnOnce(&mut Program) -> Vec<usize>,
) -> Diagnostics {
    let mut first_look = Inference::new(session, program, table, Stage::Early);
    if let Err(error) = first_look.round() {
        first_look.report(*error);
        return first_look.into_diagnostics();
    }
    let (mut nodes, findings) = first_look.into_findings();
    for address in fold_probes(program) {
        nodes.remove(&Node::Expr(address));
        nodes.remove(&Node::Access(address));
    }
    let fresh = Inference::new(session, program, table, Stage::Early);
    let mut inference = Inference { nodes, findings, ..fresh };
    if let Err(error) = inference.run_early() {
        inference.report(*error);
    }
    inference.into_diagnostics()
}

/// Infers the types of a program whose constants are folded (elaborate.cxx: `semantic_pass_types`).
///
/// `known` is what the early stage found ([`TypeTable::declared`] if there was none): upstream's declarations keep
/// their first type even if the code that gave it was folded away.
pub fn infer(session: &Session, program: &Program, known: TypeTable) -> (TypeTable, Diagnostics) {
    let mut table = known;
    let mut inference = Inference::new(session, program, &mut table, Stage::Final);
    if let Err(error) = inference.run_final() {
        inference.report(*error);
    }
    let diagnostics = inference.into_diagnostics();
    (table, diagnostics)
}

/// An error that ends the whole stage, where upstream throws instead of printing.
type Thrown = Box<Diagnostic>;

/// Which of the two stages runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Early,
    Final,
}

/// When contradictions are told, which is the same for both stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// As soon as they are met: since 5.4.
    AtOnce,
    /// Before: in a last round, only those of the worst kind (elaborate.cxx: `mismatch_complexity`), or all if verbose.
    Last,
}

/// A declaration that has a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Decl {
    Local(Owner, LocalId),
    Global(GlobalId),
    Result(FunctionId),
}

/// Identity of a node of the tree for the time of one stage: its address. Inside a stage no node is added to a tree. The kind keeps a node apart
/// from a part of it that happens to lie at the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Expr(usize),
    /// The array access inside `[keys] in array`.
    Access(usize),
    /// A variable that is named outside of expressions: foreach variables and bases, catch variables.
    Name(usize),
}

impl Node {
    fn of(expr: &Expr<Bound>) -> Self {
        Node::Expr(std::ptr::from_ref(expr).addr())
    }

    fn access(expr: &Expr<Bound>) -> Self {
        Node::Access(std::ptr::from_ref(expr).addr())
    }

    fn name(origin: &Origin) -> Self {
        Node::Name(std::ptr::from_ref(origin).addr())
    }
}

/// What outlives a change of the program.
#[derive(Default)]
struct Findings {
    /// Where a declaration (or its n-th key, or parameter by way of a call) got its type.
    first: HashMap<(Decl, Option<usize>), Token>,
    reports: Vec<Diagnostic>,
    /// Which report stands for a place.
    places: HashMap<(Pos, Pos), usize>,
    /// Declarations that were reported as unknown.
    unknowns: HashSet<Decl>,
}

/// One stage over one program.
struct Inference<'a> {
    program: &'a Program,
    telling: Telling,
    verbose: bool,
    table: &'a mut TypeTable,
    stage: Stage,
    /// Types that nodes have shown so far.
    nodes: HashMap<Node, Type>,
    /// Type that the node about to be visited should have; as in upstream a visit may leave another one behind.
    wanted: Type,
    /// How many nodes and declarations got a type in this round.
    resolved: usize,
    /// How many problems this round met.
    unresolved: usize,
    /// Last round: unknown and invalid types are errors.
    asserting: bool,
    /// Owner of the locals of the body at hand.
    owner: Owner,
    /// Unless it is a probe's: the function at hand.
    function: Option<FunctionId>,
    findings: Findings,
    /// How many contradictions were met, reported or not.
    mismatches: usize,
    /// With [`Telling::Last`]: the worst kind of contradiction of this round, 0 if there was none.
    worst: u8,
}

impl<'a> Inference<'a> {
    fn new(session: &Session, program: &'a Program, table: &'a mut TypeTable, stage: Stage) -> Self {
        Inference {
            program,
            telling: if session.version.before(5, 4) { Telling::Last } else { Telling::AtOnce },
            verbose: session.verbosity[1] > 0,
            table,
            stage,
            nodes: HashMap::new(),
            wanted: Type::Unknown,
            resolved: 0,
            unresolved: 0,
            asserting: false,
            owner: Owner::Probe(ProbeId(0)),
            function: None,
            findings: Findings::default(),
            mismatches: 0,
            worst: 0,
        }
    }

    /// Visits everything once.
    fn round(&mut self) -> Result<(), Thrown> {
        self.resolved = 0;
        for id in functions_by_name(self.program) {
            self.visit_function(id)?;
        }
        for index in 0..self.program.probes.len() {
            self.visit_probe(ProbeId(index as u32))?;
        }
        Ok(())
    }

    fn run_early(&mut self) -> Result<(), Thrown> {
        loop {
            self.round()?;
            if self.resolved > 0 {
                self.worst = 0;
            } else if self.worst == 0 || self.asserting {
                return Ok(());
            } else {
                self.asserting = true;
                if self.verbose {
                    self.worst = 1;
                }
            }
        }
    }

    fn run_final(&mut self) -> Result<(), Thrown> {
        loop {
            self.resolved = 0;
            self.unresolved = 0;
            for id in functions_by_name(self.program) {
                self.visit_function(id).map_err(|cause| {
                    let function = &self.program.function(id).name;
                    while_processing("types.while-function", format!("function {function}"), *cause)
                })?;
                self.check_locals(Owner::Function(id));
            }
            for (index, probe) in self.program.probes.iter().enumerate() {
                let id = ProbeId(index as u32);
                self.visit_probe(id).map_err(|cause| {
                    let point = derived_from(probe);
                    while_processing("types.while-probe", format!("probe {point}"), *cause)
                })?;
                self.check_locals(Owner::Probe(id));
            }
            for (index, global) in self.program.globals.iter().enumerate() {
                if self.table.globals[index].value == Type::Unknown {
                    self.unknown_decl(&global.origin.0, Decl::Global(GlobalId(index as u32)));
                }
                if global.arity.unwrap_or(0) == 0 && global.wrap {
                    let message = "wrapping not supported for scalars";
                    return Err(Box::new(
                        Diagnostic::semantic("types.wrap-scalar", message).at(&global.origin.0),
                    ));
                }
            }
            if self.resolved == 0 {
                if self.unresolved == 0 || self.asserting {
                    return Ok(());
                }
                self.asserting = true;
                if self.verbose {
                    self.worst = 0;
                }
            } else {
                self.worst = 0;
            }
        }
    }

    fn visit_function(&mut self, id: FunctionId) -> Result<(), Thrown> {
        let program = self.program;
        if let FunctionBody::Script(body) = &program.function(id).body {
            self.owner = Owner::Function(id);
            self.function = Some(id);
            self.wanted = Type::Unknown;
            self.stmt(&body.root)?;
        }
        Ok(())
    }

    fn visit_probe(&mut self, id: ProbeId) -> Result<(), Thrown> {
        let program = self.program;
        let probe = &program.probes[id.0 as usize];
        self.owner = Owner::Probe(id);
        self.function = None;
        self.wanted = Type::Unknown;
        self.stmt(&probe.body.root)?;
        if let Some(condition) = &probe.condition {
            self.wanted = Type::Long;
            self.expr(condition)?;
        }
        Ok(())
    }

    /// Locals (parameters too are covered by this: an unknown one is reported where it is used) must end up known,
    /// and cannot be statistics.
    fn check_locals(&mut self, owner: Owner) {
        let program = self.program;
        let (locals, skip) = match owner {
            Owner::Function(id) => {
                let function = program.function(id);
                (function.locals(), function.params)
            }
            Owner::Probe(id) => (program.probes[id.0 as usize].body.locals.as_slice(), 0),
        };
        for (index, local) in locals.iter().enumerate().skip(skip) {
            match self.table.local(owner, LocalId(index as u32)) {
                Type::Unknown => {
                    let decl = Decl::Local(owner, LocalId(index as u32));
                    self.unknown_decl(&local.origin.0, decl);
                }
                Type::Stats => {
                    self.unresolved += 1;
                    if self.asserting {
                        let message = "stat locals not supported, missing global declaration? ";
                        let error = Diagnostic::semantic("types.stat-local", message);
                        self.report(error.at(&local.origin.0).help("declare it: `global NAME`"));
                    }
                }
                Type::Long | Type::String => {}
            }
        }
    }

    fn decl_of(&self, var: VarRef) -> Decl {
        match var {
            VarRef::Local(id) => Decl::Local(self.owner, id),
            VarRef::Global(id) => Decl::Global(id),
        }
    }

    fn decl_type(&self, decl: Decl) -> Type {
        match decl {
            Decl::Local(owner, id) => self.table.local(owner, id),
            Decl::Global(id) => self.table.globals.get(id.0 as usize).map_or(Type::Unknown, |g| g.value),
            Decl::Result(id) => self.table.result(id),
        }
    }

    fn set_decl(&mut self, decl: Decl, found: Type) {
        let slot = match decl {
            Decl::Local(Owner::Function(function), id) => self
                .table
                .function_locals
                .get_mut(function.0 as usize)
                .and_then(|locals| locals.get_mut(id.0 as usize)),
            Decl::Local(Owner::Probe(probe), id) => self
                .table
                .probe_locals
                .get_mut(probe.0 as usize)
                .and_then(|locals| locals.get_mut(id.0 as usize)),
            Decl::Global(id) => self.table.globals.get_mut(id.0 as usize).map(|global| &mut global.value),
            Decl::Result(id) => self.table.results.get_mut(id.0 as usize),
        };
        if let Some(slot) = slot {
            *slot = found;
        }
    }

    fn node(&self, node: Node) -> Type {
        self.nodes.get(&node).copied().unwrap_or_default()
    }

    /// Gives a node its type and counts it.
    fn settle(&mut self, node: Node, found: Type) {
        self.nodes.insert(node, found);
        self.resolved += 1;
    }

    /// Gives a node its type unless it has one.
    fn settle_once(&mut self, node: Node, found: Type) {
        if self.node(node) == Type::Unknown {
            self.settle(node, found);
        }
    }

    /// Counts a declaration's new type and remembers who gave it.
    fn learned(&mut self, decl: Decl, index: Option<usize>, token: &'a Token) {
        self.resolved += 1;
        self.findings.first.insert((decl, index), token.clone());
    }

    /// Brings a use, its declaration and the wanted type together (elaborate.cxx: `resolve_2types`).
    fn link(&mut self, node: Node, decl: Decl, token: &'a Token, wanted: Type, accept_unknown: bool) {
        use Type::Unknown;
        loop {
            let (here, there) = (self.node(node), self.decl_type(decl));
            if here != Unknown && here == there && (wanted == Unknown || wanted == here) {
                return;
            }
            if here != Unknown && there != Unknown && here != there {
                return self.mismatch_decl(token, here, decl, None);
            }
            if wanted != Unknown
                && ((here != Unknown && here != wanted) || (there != Unknown && there != wanted))
            {
                return self.mismatch_decl(token, wanted, decl, None);
            }
            if here == Unknown && wanted != Unknown {
                self.settle(node, wanted);
            } else if here == Unknown && there != Unknown {
                self.settle(node, there);
            } else if here != Unknown {
                self.set_decl(decl, here);
                self.learned(decl, None, token);
            } else {
                if !accept_unknown {
                    self.unknown_decl(token, decl);
                }
                return;
            }
            if self.telling == Telling::Last {
                // There is another round, since something was learned.
                return;
            }
        }
    }
}

fn while_processing(site: &'static str, what: String, cause: Diagnostic) -> Thrown {
    Box::new(Diagnostic::semantic(site, format!("while processing {what}")).because(cause))
}
