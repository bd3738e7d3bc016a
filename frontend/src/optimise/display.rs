//! Automatic display: globals of the script that are written but never read get a probe at the end that prints them
//! (elaborate.cxx: `add_global_var_display`).

use super::effects::{Effects, Variable};
use crate::diag::Diagnostic;
use crate::hir::{Body, Bound, Global, GlobalId, Lineage, Local, LocalId, Probe, Program, VarRef};
use crate::resolve::derive::{DeriveContext, Family, Param};
use crate::session::Session;
use crate::source::{
    Expansion, ExpansionKind, FileId, FileKind, Pos, SourceFile, SourceMap, Token, TokenKind,
};
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

/// Adds the probes, in the order of the globals. The text that each would have in a script becomes a source of its own,
/// under the name of the global's file, since the errors of a run tell places in it.
///
/// # Errors
/// Those of `derive_end`.
pub(super) fn add(
    session: &Session,
    sources: &mut SourceMap,
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
        let name = sources.file(invocation.pos.file).name.clone();
        let file = sources.add(SourceFile::pending(name, FileKind::Synthetic));
        let expansion = Arc::new(Expansion { kind: ExpansionKind::Synthetic, invocation });
        let types = table.global(id).clone();
        let mut maker = Maker {
            text: String::new(),
            file,
            expansion: expansion.clone(),
            id,
            global,
            types: &types,
            session,
        };
        let head = maker.token(TokenKind::Keyword, "probe");
        maker.space(" ");
        let end = maker.token(TokenKind::Identifier, "end");
        maker.space(" ");
        let block = maker.token(TokenKind::Operator, "{");
        maker.space("\n");
        let (locals, kinds, statement) = maker.body();
        maker.space("}\n");
        let text = maker.text;
        for mut probe in derive_end(&end.0)? {
            probe.origin = head.clone();
            probe.body.locals.clone_from(&locals);
            probe.body.root = Stmt { origin: block.clone(), kind: StmtKind::Block(vec![statement.clone()]) };
            program.probes.push(probe);
            table.probe_locals.push(kinds.clone());
        }
        sources.file(file).fill(text.as_bytes());
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

/// Writes the text of a display and makes its nodes, both from left to right.
struct Maker<'a> {
    text: String,
    file: FileId,
    expansion: Arc<Expansion>,
    id: GlobalId,
    global: &'a Global,
    types: &'a GlobalType,
    session: &'a Session,
}

impl Maker<'_> {
    /// Locals with their types, and the one statement.
    fn body(&mut self) -> (Vec<Local>, Vec<Type>, Stmt<Bound>) {
        let mut format = Format::default();
        format.text(&self.global.name);
        if self.types.keys.is_empty() {
            let statement = if self.types.value == Type::Stats {
                self.unless_empty(format)
            } else {
                self.values(format, &[])
            };
            return (Vec::new(), Vec::new(), statement);
        }
        let keys = &self.types.keys;
        format.text("[");
        for (index, key) in keys.iter().enumerate() {
            if index > 0 {
                format.text(",");
            }
            if *key == Type::String {
                format.text("\"").conversion('s', true).text("\"");
            } else {
                format.conversion('d', true);
            }
        }
        format.text("]");
        let mut kinds = keys.clone();
        let mut names: Vec<String> = (0..keys.len()).map(|index| format!("__idx{index}")).collect();
        let foreach = self.token(TokenKind::Keyword, "foreach");
        self.space(" (");
        let mut value = None;
        if self.types.value != Type::Stats {
            let local = VarRef::Local(LocalId(names.len() as u32));
            value = Some((self.token(TokenKind::Identifier, "__val"), local));
            self.space(" = ");
        }
        self.space("[");
        let mut indexes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            self.comma(index);
            let origin = self.token(TokenKind::Identifier, name);
            indexes.push((origin, VarRef::Local(LocalId(index as u32))));
        }
        if value.is_some() {
            names.push("__val".into());
            kinds.push(self.types.value);
        }
        self.space("] in ");
        let array = self.token(TokenKind::Identifier, &self.global.name);
        self.space("-)\n");
        let locals = indexes.iter().chain(&value).zip(&names).map(|((origin, _), name)| Local {
            origin: origin.clone(),
            name: name.into(),
            declared: None,
            synthetic: false,
        });
        let locals = locals.collect();
        let body = self.values(format, &names[..self.types.keys.len()]);
        let kind = StmtKind::Foreach(Box::new(Foreach {
            keys: indexes,
            value,
            base: Indexable::Array { origin: array, var: VarRef::Global(self.id) },
            slice: Vec::new(),
            sort: Some((SortColumn::Value(None), SortDirection::Descending)),
            limit: None,
            body,
        }));
        (locals, kinds, Stmt { origin: foreach, kind })
    }

    /// The printf of one element, which the locals of these names index.
    fn values(&mut self, mut format: Format, indexes: &[String]) -> Stmt<Bound> {
        match self.types.value {
            Type::Stats => {
                let letter = if self.session.compatible.before(1, 4) { 'x' } else { 'd' };
                for (_, name) in SUMMARY {
                    format.text(&format!(" {name}=")).conversion(letter, true);
                }
            }
            Type::String => {
                format.text("=\"").conversion('s', true).text("\"");
            }
            Type::Long | Type::Unknown => {
                format.text("=").conversion('d', false);
            }
        }
        let printf = self.token(TokenKind::Identifier, "printf");
        self.space(" ");
        self.print(printf, format, |this| {
            let mut args = this.indexes(indexes, true);
            if this.types.value == Type::Stats {
                for (op, name) in SUMMARY {
                    this.space(",");
                    args.push(this.stat(op, name, indexes));
                }
            } else {
                this.space(",");
                args.push(if indexes.is_empty() {
                    this.global()
                } else {
                    let origin = this.token(TokenKind::Identifier, "__val");
                    Expr { origin, kind: ExprKind::Var(VarRef::Local(LocalId(indexes.len() as u32))) }
                });
            }
            args
        })
    }

    /// A scalar statistic without samples has no values to print.
    fn unless_empty(&mut self, format: Format) -> Stmt<Bound> {
        let origin = self.token(TokenKind::Keyword, "if");
        self.space(" (");
        let left = Box::new(self.stat(StatOp::Count, "@count", &[]));
        self.space(" ");
        let equal = self.token(TokenKind::Operator, "==");
        self.space(" ");
        let zero = self.token(TokenKind::Number, "0");
        self.space(")\n");
        let right = Box::new(Expr { origin: zero, kind: ExprKind::Number { value: 0, hex: false } });
        let condition = Expr { origin: equal, kind: ExprKind::Binary { op: BinaryOp::Equal, left, right } };
        let mut none = Format::default();
        none.text(&format!("{} @count=0x0", self.global.name));
        let printf = self.token(TokenKind::Identifier, "printf");
        let then = Box::new(self.print(printf, none, |_| Vec::new()));
        self.space("else\n");
        let otherwise = Some(Box::new(self.values(format, &[])));
        Stmt { origin, kind: StmtKind::If { condition, then, otherwise } }
    }

    /// From the parenthesis on; `args` writes and makes what follows the format.
    fn print(
        &mut self,
        origin: Origin,
        mut format: Format,
        args: impl FnOnce(&mut Self) -> Vec<Expr<Bound>>,
    ) -> Stmt<Bound> {
        format.text("\\n");
        let layout = format.layout();
        self.space("(\"");
        if let PrintLayout::Format { text, .. } = &layout {
            self.space(&text.replace('"', "\\\""));
        }
        self.space("\"");
        let args = args(self);
        self.space(")\n");
        let print = ExprKind::Print(Print { to_string: false, layout, args, hist: None });
        let value = Expr { origin: origin.clone(), kind: print };
        Stmt { origin, kind: StmtKind::Expr(value) }
    }

    fn stat(&mut self, op: StatOp, name: &str, indexes: &[String]) -> Expr<Bound> {
        let origin = self.token(TokenKind::Operator, name);
        self.space("(");
        let stat = if indexes.is_empty() {
            self.global()
        } else {
            let origin = self.token(TokenKind::Identifier, &self.global.name);
            self.space("[");
            let keys = self.indexes(indexes, false).into_iter().map(Key::Expr).collect();
            self.space("]");
            Expr { origin, kind: ExprKind::Index { base: VarRef::Global(self.id), keys } }
        };
        self.space(")");
        Expr { origin, kind: ExprKind::Stat { op, stat: Box::new(stat), shift: 0 } }
    }

    fn global(&mut self) -> Expr<Bound> {
        let origin = self.token(TokenKind::Identifier, &self.global.name);
        Expr { origin, kind: ExprKind::Var(VarRef::Global(self.id)) }
    }

    /// The locals that index the array; `follow` if something stands in front of them.
    fn indexes(&mut self, names: &[String], follow: bool) -> Vec<Expr<Bound>> {
        let mut made = Vec::new();
        for (index, name) in names.iter().enumerate() {
            self.comma(index + usize::from(follow));
            let origin = self.token(TokenKind::Identifier, name);
            made.push(Expr { origin, kind: ExprKind::Var(VarRef::Local(LocalId(index as u32))) });
        }
        made
    }

    fn comma(&mut self, before: usize) {
        if before > 0 {
            self.space(",");
        }
    }

    /// Text that no node stems from.
    fn space(&mut self, text: &str) {
        self.text += text;
    }

    fn token(&mut self, kind: TokenKind, text: &str) -> Origin {
        let pos = Pos { file: self.file, offset: self.text.len() as u32 };
        self.text += text;
        Origin(Token { kind, text: text.into(), pos, expansion: Some(self.expansion.clone()) })
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
