//! Automatic display: globals of the script that are written but never read get a probe at the end that prints them
//! (elaborate.cxx: `add_global_var_display`).

use super::effects::{Effects, Variable};
use crate::diag::Diagnostic;
use crate::hir::{Body, Bound, Global, GlobalId, Lineage, Local, LocalId, Probe, Program, VarRef};
use crate::resolve::derive::{DeriveContext, Family, Param};
use crate::session::Session;
use crate::source::{Expansion, ExpansionKind, SourceMap, Token};
use crate::syntax::ast::{Component, ProbePoint};
use crate::tree::{
    BinaryOp, Conversion, Expr, ExprKind, Flag, Foreach, FormatPart, Indexable, Key, Measure, Origin, Print,
    PrintLayout, SortColumn, SortDirection, StatOp, Stmt, StmtKind,
};
use crate::types::{GlobalType, Type, TypeTable};
use crate::world::World;
use smol_str::SmolStr;
use std::sync::Arc;

/// Makes the probe `end` with an empty body, for a token that the translator made up.
pub type DeriveEnd<'a> = &'a dyn Fn(&Token) -> Result<Vec<Probe>, Box<Diagnostic>>;

/// What a [`DeriveEnd`] does with the families of the session: asks the one that serves `end`.
///
/// # Errors
/// Those of the family.
pub fn end_probe(
    session: &Session,
    world: &dyn World,
    families: &[&'static dyn Family],
    token: &Token,
) -> Result<Vec<Probe>, Box<Diagnostic>> {
    let origin = Origin(token.clone());
    let component = Component { origin: origin.clone(), functor: SmolStr::new_static("end"), arg: None };
    let point =
        ProbePoint { components: vec![component], optional: false, sufficient: false, condition: None };
    let serves = |family: &&&'static dyn Family| {
        family.patterns().iter().any(|pattern| pattern.components == [("end", Param::None)])
    };
    let Some(family) = families.iter().find(serves) else { return Ok(Vec::new()) };
    let context = DeriveContext { session, world, origin: token, tapset_file: None, suggestions: false };
    let probes = family.derive(&context, &point)?.into_iter().map(|derived| Probe {
        origin: origin.clone(),
        point: derived.point,
        derivation: vec![point.clone()],
        lineage: Lineage { chain: SmolStr::new_static(" <- end"), ..Lineage::default() },
        primary: false,
        synthetic: true,
        plain_calls: false,
        family: family.name(),
        attachment: derived.attachment,
        condition: None,
        body: Body {
            locals: Vec::new(),
            root: Stmt { origin: origin.clone(), kind: StmtKind::Block(Vec::new()) },
        },
    });
    Ok(probes.collect())
}

/// Adds the probes, in the order of the globals.
///
/// # Errors
/// Those of `derive_end`.
pub(super) fn add(
    session: &Session,
    sources: &SourceMap,
    program: &mut Program,
    table: &mut TypeTable,
    derive_end: DeriveEnd<'_>,
) -> Result<(), Box<Diagnostic>> {
    if session.mode.is_dump() || !session.global_var_display {
        return Ok(());
    }
    let found = Effects::new(program).handlers_and_conditions(program);
    for index in 0..program.globals.len() {
        let id = GlobalId(index as u32);
        let variable = Variable::Global(id);
        let global = &program.globals[index];
        let wanted = found.read.contains(&variable) && found.used.contains(&variable);
        if wanted
            || !found.written.contains(&variable)
            || global.synthetic
            || sources.file(global.file).kind.is_library()
        {
            continue;
        }
        let invocation = global.origin.0.clone();
        let mut token = invocation.clone();
        token.expansion = Some(Arc::new(Expansion { kind: ExpansionKind::Synthetic, invocation }));
        let types = table.global(id).clone();
        let maker = Maker { origin: Origin(token), id, global, types: &types, session };
        let (locals, kinds, statement) = maker.body();
        for mut probe in derive_end(&maker.origin.0)? {
            probe.body.locals.clone_from(&locals);
            probe.body.root =
                Stmt { origin: maker.origin.clone(), kind: StmtKind::Block(vec![statement.clone()]) };
            program.probes.push(probe);
            table.probe_locals.push(kinds.clone());
        }
    }
    Ok(())
}

const SUMMARY: [(StatOp, &str); 5] = [
    (StatOp::Count, "@count"),
    (StatOp::Min, "@min"),
    (StatOp::Max, "@max"),
    (StatOp::Sum, "@sum"),
    (StatOp::Average, "@avg"),
];

struct Maker<'a> {
    origin: Origin,
    id: GlobalId,
    global: &'a Global,
    types: &'a GlobalType,
    session: &'a Session,
}

impl Maker<'_> {
    /// Locals with their types, and the one statement.
    fn body(&self) -> (Vec<Local>, Vec<Type>, Stmt<Bound>) {
        let mut format = Format::default();
        let mut locals: Vec<Local> = Vec::new();
        let mut kinds = self.types.keys.clone();
        format.text(&self.global.name);
        if self.types.keys.is_empty() {
            let statement = self.values(format, Vec::new(), self.expr(ExprKind::Var(self.var())));
            return (locals, kinds, self.unless_empty(statement));
        }
        format.text("[");
        for (index, key) in self.types.keys.iter().enumerate() {
            if index > 0 {
                format.text(",");
            }
            if *key == Type::String {
                format.text("\"").conversion('s', true).text("\"");
            } else {
                format.conversion('d', true);
            }
            locals.push(self.local(&format!("__idx{index}")));
        }
        format.text("]");
        let indexes: Vec<VarRef> =
            (0..locals.len() as u32).map(|index| VarRef::Local(LocalId(index))).collect();
        let args: Vec<Expr<Bound>> = indexes.iter().map(|&index| self.expr(ExprKind::Var(index))).collect();
        let is_stat = self.types.value == Type::Stats;
        let element = if is_stat {
            let keys = args.iter().cloned().map(Key::Expr).collect();
            self.expr(ExprKind::Index { base: self.var(), keys })
        } else {
            locals.push(self.local("__val"));
            kinds.push(self.types.value);
            self.expr(ExprKind::Var(VarRef::Local(LocalId(indexes.len() as u32))))
        };
        let value = (!is_stat).then(|| (self.origin.clone(), VarRef::Local(LocalId(indexes.len() as u32))));
        let body = self.values(format, args, element);
        let foreach = Foreach {
            keys: indexes.into_iter().map(|index| (self.origin.clone(), index)).collect(),
            value,
            base: Indexable::Array { origin: self.origin.clone(), var: self.var() },
            slice: Vec::new(),
            sort: Some((SortColumn::Value(None), SortDirection::Descending)),
            limit: None,
            body,
        };
        (locals, kinds, self.stmt(StmtKind::Foreach(Box::new(foreach))))
    }

    /// The printf of one element.
    fn values(&self, mut format: Format, mut args: Vec<Expr<Bound>>, value: Expr<Bound>) -> Stmt<Bound> {
        match self.types.value {
            Type::Stats => {
                let letter = if self.session.compatible.before(1, 4) { 'x' } else { 'd' };
                for (op, name) in SUMMARY {
                    format.text(&format!(" {name}=")).conversion(letter, true);
                    args.push(self.stat(op, value.clone()));
                }
            }
            Type::String => {
                format.text("=\"").conversion('s', true).text("\"");
                args.push(value);
            }
            Type::Long | Type::Unknown => {
                format.text("=").conversion('d', false);
                args.push(value);
            }
        }
        self.print(format, args)
    }

    /// A scalar statistic without samples has no values to print.
    fn unless_empty(&self, statement: Stmt<Bound>) -> Stmt<Bound> {
        if self.types.value != Type::Stats {
            return statement;
        }
        let count = self.stat(StatOp::Count, self.expr(ExprKind::Var(self.var())));
        let zero = self.expr(ExprKind::Number { value: 0, hex: false });
        let mut format = Format::default();
        format.text(&format!("{} @count=0x0", self.global.name));
        self.stmt(StmtKind::If {
            condition: self.expr(ExprKind::Binary {
                op: BinaryOp::Equal,
                left: Box::new(count),
                right: Box::new(zero),
            }),
            then: Box::new(self.print(format, Vec::new())),
            otherwise: Some(Box::new(statement)),
        })
    }

    fn print(&self, mut format: Format, args: Vec<Expr<Bound>>) -> Stmt<Bound> {
        format.text("\\n");
        let layout = format.layout();
        self.stmt(StmtKind::Expr(self.expr(ExprKind::Print(Print {
            to_string: false,
            layout,
            args,
            hist: None,
        }))))
    }

    fn stat(&self, op: StatOp, stat: Expr<Bound>) -> Expr<Bound> {
        self.expr(ExprKind::Stat { op, stat: Box::new(stat), shift: 0 })
    }

    fn var(&self) -> VarRef {
        VarRef::Global(self.id)
    }

    fn local(&self, name: &str) -> Local {
        Local { origin: self.origin.clone(), name: name.into(), declared: None, synthetic: false }
    }

    fn expr(&self, kind: ExprKind<Bound>) -> Expr<Bound> {
        Expr { origin: self.origin.clone(), kind }
    }

    fn stmt(&self, kind: StmtKind<Bound>) -> Stmt<Bound> {
        Stmt { origin: self.origin.clone(), kind }
    }
}

/// A printf format under construction: as text and taken apart.
#[derive(Default)]
struct Format {
    text: String,
    parts: Vec<FormatPart>,
}

impl Format {
    fn text(&mut self, text: &str) -> &mut Self {
        self.text += text;
        if let Some(FormatPart::Text(last)) = self.parts.last_mut() {
            *last = SmolStr::new(format!("{last}{text}"));
        } else {
            self.parts.push(FormatPart::Text(text.into()));
        }
        self
    }

    fn conversion(&mut self, letter: char, special: bool) -> &mut Self {
        self.text.push('%');
        if special {
            self.text.push('#');
        }
        self.text.push(letter);
        self.parts.push(FormatPart::Conversion(Conversion {
            flag: special.then_some(Flag::Special),
            width: Measure::None,
            precision: Measure::None,
            letter,
        }));
        self
    }

    fn layout(self) -> PrintLayout {
        PrintLayout::Format { text: self.text.into(), parts: self.parts }
    }
}
