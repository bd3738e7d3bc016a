//! Typed statements and expressions to planned ones: order of evaluation, temporaries, faults, actions and locks.
//!
//! Evaluation is left to right. A value that has been computed but not yet used is only a description
//! ([`Val`], [`Text`]); if a later sibling would change what it reads, it is copied to a temporary first.

mod array;
mod assign;
mod call;
mod foreach;
mod print;
mod stmt;
mod value;

pub use stmt::Duty;

use super::effects::{EffectTable, Effects};
use super::ir::{Arg, CursorRead, Label, LabelKind, Op, Place, Spot, Text, Val};
use super::{Format, FormatTable, Params, RegexTable, Sizes, TextLengths, names};
use frontend::diag::Diagnostic;
use frontend::hir::{Bound, Callee, GlobalId, LocalId, Program, VarRef};
use frontend::session::Session;
use frontend::source::{SourceMap, Token};
use frontend::tree::{Expr, ExprKind};
use frontend::types::{Owner, Type, TypeTable};
use std::collections::BTreeSet;

/// Result of a planning step; boxed, because diagnostics are large.
pub type Planned<T> = Result<T, Box<Diagnostic>>;

/// What lowering needs to know of the whole program.
pub struct Context<'a> {
    /// Options.
    pub session: &'a Session,
    /// For positions.
    pub sources: &'a SourceMap,
    /// The program.
    pub program: &'a Program,
    /// Its types.
    pub types: &'a TypeTable,
    /// What functions read and write.
    pub effects: &'a EffectTable<'a>,
    /// Parameters of every function.
    pub params: &'a [Params],
    /// Which functions may call themselves.
    pub recursive: &'a [bool],
    /// How long strings may be.
    pub texts: TextLengths,
    /// See [`Settings::announce_statements`](crate::plan::Settings::announce_statements).
    pub announce_statements: bool,
}

/// Tables that all bodies share.
#[derive(Debug, Default)]
pub struct Tables {
    /// Compiled formats.
    pub formats: FormatTable,
    /// Regular expressions.
    pub regexes: RegexTable,
}

/// What a planned value reads.
#[derive(Debug, Clone, Default)]
struct Reads {
    locals: BTreeSet<LocalId>,
    globals: BTreeSet<GlobalId>,
    memory: bool,
    /// It may be a string that is longer than a buffer.
    long: bool,
}

impl Reads {
    fn clash(&self, effects: &Effects) -> bool {
        !self.locals.is_disjoint(&effects.local_writes)
            || !self.globals.is_disjoint(&effects.writes)
            || (self.memory && effects.opaque)
    }

    fn add(&mut self, other: &Reads) {
        self.locals.extend(&other.locals);
        self.globals.extend(&other.globals);
        self.memory |= other.memory;
        self.long |= other.long;
    }
}

/// A foreach that encloses the code at hand.
struct Scope {
    array: GlobalId,
    /// `None` if the body changes a key variable.
    keys: Option<Vec<VarRef>>,
    cursor: u32,
}

/// A walk of the buckets of a scalar statistic's histogram, whose counts were fetched in front of it.
struct BucketWalk {
    stat: GlobalId,
    bucket: VarRef,
    data: u32,
}

/// The state of planning one body.
pub struct Lowerer<'a> {
    cx: &'a Context<'a>,
    tables: &'a mut Tables,
    owner: Owner,
    ops: Vec<Op>,
    level: Sizes,
    /// Peak of each kind of temporary.
    pub sizes: Sizes,
    pointers: Vec<Reads>,
    actions: u32,
    count_actions: bool,
    labels: u32,
    loops: Vec<(Label, Label)>,
    scopes: Vec<Scope>,
    bucket_walks: Vec<BucketWalk>,
    aggregated: Vec<GlobalId>,
    in_try: u32,
    /// C text in the body may set an error that tells neither where it is from nor leaves.
    foreign_errors: bool,
    /// Globals in the lock table of the probe; `None` where no locks are taken.
    locks: Option<BTreeSet<GlobalId>>,
    /// Locals that are read somewhere.
    pub read_locals: BTreeSet<LocalId>,
    /// Locals that occur at all.
    pub used_locals: BTreeSet<LocalId>,
}

impl<'a> Lowerer<'a> {
    /// Starts a body. `count_actions` is false if the body's statements are checked once at its entry.
    pub fn new(
        cx: &'a Context<'a>,
        tables: &'a mut Tables,
        owner: Owner,
        count_actions: bool,
        locks: Option<BTreeSet<GlobalId>>,
    ) -> Self {
        Lowerer {
            cx,
            tables,
            owner,
            ops: Vec::new(),
            level: Sizes::default(),
            sizes: Sizes::default(),
            pointers: Vec::new(),
            actions: 0,
            count_actions,
            labels: 0,
            loops: Vec::new(),
            scopes: Vec::new(),
            bucket_walks: Vec::new(),
            aggregated: Vec::new(),
            in_try: 0,
            foreign_errors: false,
            locks,
            read_locals: BTreeSet::new(),
            used_locals: BTreeSet::new(),
        }
    }

    /// The steps so far.
    pub fn take_ops(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.ops)
    }

    fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Runs `build` and returns the steps it made apart.
    fn apart<T>(&mut self, build: impl FnOnce(&mut Self) -> Planned<T>) -> Planned<(Vec<Op>, T)> {
        let outer = std::mem::take(&mut self.ops);
        let result = build(self);
        let inner = std::mem::replace(&mut self.ops, outer);
        Ok((inner, result?))
    }

    fn blame(&self, token: &Token) -> Spot {
        names::blame(self.cx.sources, token).into()
    }

    /// Notes where upstream would say it is. Where an error can only come from steps that tell the place of their own,
    /// nobody would read it.
    fn passes(&mut self, at: &Spot) {
        if self.foreign_errors {
            self.push(Op::At(at.clone()));
        }
    }

    fn error(site: &'static str, message: impl Into<String>, token: &Token) -> Box<Diagnostic> {
        Box::new(Diagnostic::semantic(site, message).at(token))
    }

    // Temporaries.

    fn long(&mut self) -> Place {
        let number = self.level.longs;
        self.level.longs += 1;
        self.sizes.longs = self.sizes.longs.max(self.level.longs);
        Place::Long(number)
    }

    fn buffer(&mut self) -> Place {
        let number = self.level.buffers;
        self.level.buffers += 1;
        self.sizes.buffers = self.sizes.buffers.max(self.level.buffers);
        Place::Buffer(number)
    }

    fn pointer(&mut self, reads: Reads) -> u32 {
        let number = self.level.pointers;
        self.level.pointers += 1;
        self.sizes.pointers = self.sizes.pointers.max(self.level.pointers);
        self.pointers.truncate(number as usize);
        self.pointers.push(reads);
        number
    }

    fn cursor(&mut self) -> u32 {
        let number = self.level.cursors;
        self.level.cursors += 1;
        self.sizes.cursors = self.sizes.cursors.max(self.level.cursors);
        number
    }

    fn data(&mut self) -> u32 {
        let number = self.level.stats;
        self.level.stats += 1;
        self.sizes.stats = self.sizes.stats.max(self.level.stats);
        number
    }

    /// Runs `build`; temporaries that it takes are free again afterwards.
    fn scoped<T>(&mut self, build: impl FnOnce(&mut Self) -> Planned<T>) -> Planned<T> {
        let level = self.level;
        let result = build(self);
        self.level = level;
        result
    }

    fn label(&mut self, kind: LabelKind, number: u32) -> Label {
        self.labels = self.labels.max(number + 1);
        Label { kind, number }
    }

    // Types.

    fn type_of(&self, expr: &Expr<Bound>) -> Type {
        match &expr.kind {
            ExprKind::String(_) | ExprKind::Concat(_) => Type::String,
            ExprKind::Embedded(code) if super::effects::tagged(code, "string") => Type::String,
            ExprKind::Var(var) | ExprKind::Index { base: var, .. } => self.cx.types.var(self.owner, *var),
            ExprKind::Ternary { then, .. } => self.type_of(then),
            ExprKind::Assign { op: frontend::tree::AssignOp::Aggregate, .. } => Type::Long,
            ExprKind::Assign { target, .. } => self.type_of(target),
            ExprKind::Call { callee, .. } => self.result_type(callee),
            ExprKind::Print(print) if print.to_string => Type::String,
            _ => Type::Long,
        }
    }

    fn result_type(&self, callee: &Callee) -> Type {
        callee
            .candidates
            .first()
            .and_then(|id| self.cx.types.results.get(id.0 as usize))
            .copied()
            .unwrap_or_default()
    }

    fn is_string(&self, expr: &Expr<Bound>) -> bool {
        self.type_of(expr) == Type::String
    }

    // What values read.

    fn place_reads(&self, place: Place, reads: &mut Reads) {
        match place {
            Place::Local(id) => {
                reads.locals.insert(id);
                reads.long |= self.cx.texts.has_long_literals() && self.is_pointer_param(id);
            }
            Place::Global(id) => {
                reads.globals.insert(id);
            }
            Place::Long(_) | Place::Buffer(_) | Place::Return => {}
        }
    }

    fn args_reads(&self, args: &[Arg], reads: &mut Reads) {
        for arg in args {
            self.arg_reads(arg, reads);
        }
    }

    fn arg_reads(&self, arg: &Arg, reads: &mut Reads) {
        match arg {
            Arg::Long(val) => self.val_reads(val, reads),
            Arg::Text(text) => self.text_reads(text, reads),
        }
    }

    fn val_reads(&self, val: &Val, reads: &mut Reads) {
        match val {
            Val::Const(_) | Val::Stat { .. } => {}
            Val::Place(place) => self.place_reads(*place, reads),
            Val::Unary(_, operand) => self.val_reads(operand, reads),
            Val::Binary(_, left, right) => {
                self.val_reads(left, reads);
                self.val_reads(right, reads);
            }
            Val::Select(condition, then, otherwise) => {
                self.val_reads(condition, reads);
                self.val_reads(then, reads);
                self.val_reads(otherwise, reads);
            }
            Val::Compare(_, left, right) => {
                self.text_reads(left, reads);
                self.text_reads(right, reads);
            }
            Val::Match { subject, .. } => self.text_reads(subject, reads),
            Val::Element(array, keys) | Val::Exists(array, keys) => {
                reads.globals.insert(*array);
                self.args_reads(keys, reads);
            }
            Val::Cursor(CursorRead::Key { array, .. } | CursorRead::Value { array, .. }) => {
                reads.globals.insert(*array);
            }
            Val::Bucket { index, .. } => self.val_reads(index, reads),
            Val::Buckets(_) => {}
            Val::Code(_) | Val::Register { .. } => reads.memory = true,
            Val::Deref { address, .. } => {
                reads.memory = true;
                self.val_reads(address, reads);
            }
        }
    }

    fn text_reads(&self, text: &Text, reads: &mut Reads) {
        match text {
            Text::Literal(text) => reads.long |= text.len() > self.cx.texts.fitting,
            Text::LastError => {}
            Text::Place(place) => self.place_reads(*place, reads),
            Text::Pointer(number) => {
                if let Some(behind) = self.pointers.get(*number as usize) {
                    reads.add(behind);
                }
            }
            Text::Element(array, keys) => {
                reads.globals.insert(*array);
                self.args_reads(keys, reads);
            }
            Text::Cursor(CursorRead::Key { array, .. } | CursorRead::Value { array, .. }) => {
                reads.globals.insert(*array);
            }
            Text::Code(_) => {
                reads.memory = true;
                reads.long |= !self.cx.texts.code_fits();
            }
        }
    }

    fn clashes(&self, arg: &Arg, effects: &Effects) -> bool {
        let mut reads = Reads::default();
        self.arg_reads(arg, &mut reads);
        reads.clash(effects)
    }

    /// Copies a value to a temporary.
    fn spill(&mut self, arg: Arg) -> Arg {
        match arg {
            Arg::Long(val) => Arg::Long(self.spill_val(val)),
            Arg::Text(text) => Arg::Text(self.spill_text(text)),
        }
    }

    fn spill_val(&mut self, val: Val) -> Val {
        match val {
            Val::Const(_) | Val::Place(Place::Long(_)) => val,
            val => {
                let to = self.long();
                self.push(Op::Set(to, val));
                Val::Place(to)
            }
        }
    }

    fn spill_text(&mut self, text: Text) -> Text {
        match text {
            Text::Literal(_) | Text::Place(Place::Buffer(_)) => text,
            text => {
                let to = self.buffer();
                self.push(Op::Copy(to, text));
                Text::Place(to)
            }
        }
    }

    /// The value of an expression where upstream copies it: what is no literal has at most the length of a buffer
    /// (translate.cxx: `c_assign` to a `tmpvar`).
    fn cut(&mut self, expr: &Expr<Bound>, arg: Arg) -> Arg {
        match arg {
            Arg::Text(text) if !matches!(expr.kind, ExprKind::String(_)) => {
                let mut reads = Reads::default();
                self.text_reads(&text, &mut reads);
                if !reads.long {
                    return Arg::Text(text);
                }
                let to = self.buffer();
                self.push(Op::Copy(to, text));
                Arg::Text(Text::Place(to))
            }
            arg => arg,
        }
    }

    /// [`Lowerer::sequence`], each value being [cut](Lowerer::cut).
    fn cut_sequence(&mut self, exprs: &[&Expr<Bound>]) -> Planned<Vec<Arg>> {
        let args = self.sequence(exprs)?;
        Ok(exprs.iter().zip(args).map(|(expr, arg)| self.cut(expr, arg)).collect())
    }

    /// A value that may be written twice: evaluating it again costs nothing.
    fn stable_val(&mut self, val: Val) -> Val {
        match val {
            Val::Place(_) => val,
            val => self.spill_val(val),
        }
    }

    fn stable(&mut self, arg: Arg) -> Arg {
        match arg {
            Arg::Long(val) => Arg::Long(self.stable_val(val)),
            Arg::Text(text @ (Text::Place(_) | Text::Pointer(_))) => Arg::Text(text),
            Arg::Text(text) => Arg::Text(self.spill_text(text)),
        }
    }

    /// Evaluates expressions left to right.
    fn sequence(&mut self, exprs: &[&Expr<Bound>]) -> Planned<Vec<Arg>> {
        let effects: Vec<Effects> = exprs.iter().map(|expr| self.cx.effects.of_expr(expr)).collect();
        let mut args = Vec::with_capacity(exprs.len());
        for (index, expr) in exprs.iter().enumerate() {
            let mut arg = self.arg(expr)?;
            if effects[index + 1..].iter().any(|later| self.clashes(&arg, later)) {
                arg = self.spill(arg);
            }
            args.push(arg);
        }
        Ok(args)
    }

    fn arg(&mut self, expr: &Expr<Bound>) -> Planned<Arg> {
        match self.type_of(expr) {
            Type::String => Ok(Arg::Text(self.text(expr)?)),
            Type::Long => Ok(Arg::Long(self.val(expr)?)),
            Type::Stats => Err(Self::error("lower:stats", "statistic in rvalue context", &expr.origin.0)),
            Type::Unknown => Err(Self::error("lower:unknown", "unresolved type ", &expr.origin.0)),
        }
    }

    fn place_of(&mut self, var: VarRef) -> Place {
        match var {
            VarRef::Local(id) => {
                self.used_locals.insert(id);
                Place::Local(id)
            }
            VarRef::Global(id) => Place::Global(id),
        }
    }

    fn read_place(&mut self, var: VarRef) -> Place {
        if let VarRef::Local(id) = var {
            self.read_locals.insert(id);
        }
        self.place_of(var)
    }

    fn format(&mut self, format: Format) -> usize {
        self.tables.formats.insert(format)
    }
}
