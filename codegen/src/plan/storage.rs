//! Where things live: locals and temporaries of a body, globals, array types, and how deep calls nest.

use super::Sizes;
use super::ir::Op;
use super::lower::Lowerer;
use super::names;
use frontend::hir::{Bound, FunctionBody, FunctionId, Global, Local, Program};
use frontend::tree::walk::all_exprs;
use frontend::tree::{ExprKind, Literal, Stmt};
use frontend::types::{GlobalType, StatInfo, Type};
use smol_str::SmolStr;

/// Numbers up to this many are C variables (registers, or the kernel stack); further ones live in the context.
pub const AUTOMATIC_LOCALS: usize = 10;
/// The same for temporary numbers. Together they bound a handler's stack frame.
pub const AUTOMATIC_LONGS: u32 = 16;

/// Where a local lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalPlace {
    /// C variable of the handler.
    Automatic,
    /// Number in the context.
    Long,
    /// String buffer in the context.
    Buffer,
    /// Pointer to somebody else's string, in the context.
    Pointer,
}

/// A local or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPlan {
    /// `l_x`.
    pub c_name: String,
    /// Name in the script.
    pub name: SmolStr,
    /// Where it lives; `None` if nobody uses it.
    pub place: Option<LocalPlace>,
    /// Starts as 0 or "" (parameters and what entry code fills do not).
    pub initialise: bool,
}

impl LocalPlan {
    /// True for fields of the context.
    pub fn in_frame(&self) -> bool {
        self.place.is_some_and(|place| place != LocalPlace::Automatic)
    }
}

/// Storage and steps of a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BodyPlan {
    /// Locals by number.
    pub locals: Vec<LocalPlan>,
    /// Temporaries.
    pub sizes: Sizes,
    /// Steps.
    pub ops: Vec<Op>,
    /// Entry code fills some of the locals.
    pub has_entry_locals: bool,
    /// The body may be entered again before it is left: it keeps its numbers in the context, since `-D MAXNESTING` may
    /// ask for more levels than the kernel's stack has room for.
    pub recursive: bool,
}

impl BodyPlan {
    /// How many temporary numbers are C variables.
    pub fn automatic_longs(&self) -> u32 {
        if self.recursive { 0 } else { self.sizes.longs.min(AUTOMATIC_LONGS) }
    }
}

/// Decides where the locals of a planned body live.
pub fn plan_body(
    locals: &[Local],
    types: &[Type],
    params: usize,
    pointers: &[bool],
    has_embedded: bool,
    recursive: bool,
    mut lowerer: Lowerer<'_>,
) -> BodyPlan {
    let mut automatic = if recursive { AUTOMATIC_LOCALS } else { 0 };
    let mut planned = Vec::with_capacity(locals.len());
    for (index, local) in locals.iter().enumerate() {
        let id = frontend::hir::LocalId(index as u32);
        let param = index < params;
        let used = param || local.synthetic || has_embedded || lowerer.used_locals.contains(&id);
        let place = match types.get(index) {
            _ if !used => None,
            Some(Type::String) if param && pointers.get(index) == Some(&true) => Some(LocalPlace::Pointer),
            Some(Type::String) => Some(LocalPlace::Buffer),
            // Embedded C reaches locals through the context, and callers and entry code store there.
            _ if param || local.synthetic || has_embedded => Some(LocalPlace::Long),
            _ if automatic < AUTOMATIC_LOCALS && lowerer.read_locals.contains(&id) => {
                automatic += 1;
                Some(LocalPlace::Automatic)
            }
            _ => Some(LocalPlace::Long),
        };
        planned.push(LocalPlan {
            c_name: names::local(&local.name),
            name: local.name.clone(),
            place,
            initialise: !param && !local.synthetic,
        });
    }
    BodyPlan {
        locals: planned,
        sizes: lowerer.sizes,
        ops: lowerer.take_ops(),
        has_entry_locals: locals.iter().any(|local| local.synthetic),
        recursive,
    }
}

/// Storage of a function that is C text.
pub fn plan_embedded(locals: &[Local], types: &[Type], pointers: &[bool]) -> BodyPlan {
    let locals = locals
        .iter()
        .enumerate()
        .map(|(index, local)| LocalPlan {
            c_name: names::local(&local.name),
            name: local.name.clone(),
            place: Some(match types.get(index) {
                Some(Type::String) if pointers.get(index) == Some(&true) => LocalPlace::Pointer,
                Some(Type::String) => LocalPlace::Buffer,
                _ => LocalPlace::Long,
            }),
            initialise: false,
        })
        .collect();
    BodyPlan { locals, ..BodyPlan::default() }
}

/// True if a body contains embedded C.
pub fn has_embedded(root: &Stmt<Bound>) -> bool {
    let mut found = false;
    all_exprs(root, &mut |expr| found |= matches!(expr.kind, ExprKind::Embedded(_)));
    found
}

/// What a global is in C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GlobalKind {
    /// `int64_t`.
    Long(Option<i64>),
    /// `string_t`.
    Text(Option<SmolStr>),
    /// `MAP`.
    Map {
        /// Key and value types.
        of: MapType,
        /// Declared capacity.
        size: Option<i64>,
        /// A full array forgets its oldest element.
        wrap: bool,
    },
    /// `PMAP`: an array of statistics.
    StatMap {
        /// Key and value types.
        of: MapType,
        /// Declared capacity.
        size: Option<i64>,
        /// A full array forgets its oldest element.
        wrap: bool,
        /// What is kept.
        stat: StatInfo,
    },
    /// `Stat`.
    Stat(StatInfo),
}

/// A global.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalPlan {
    /// `s___global_x`.
    pub c_name: String,
    /// In messages: `__global_x`, or with the path of the file that has it to itself.
    pub shown: String,
    /// Name of the module parameter: for globals that scripts name, even if they cannot be set.
    pub param: Option<SmolStr>,
    /// What it is.
    pub kind: GlobalKind,
}

/// Key and value types of an array; ordered like upstream orders its instantiations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapType {
    /// Keys.
    pub keys: Vec<Type>,
    /// Value.
    pub value: Type,
}

impl MapType {
    /// Suffix of the runtime's functions: a letter for each key, then one for the value.
    pub fn suffix(&self) -> String {
        let letter = |of: &Type| match of {
            Type::String => 's',
            Type::Stats => 'x',
            Type::Long | Type::Unknown => 'i',
        };
        self.keys.iter().chain(std::iter::once(&self.value)).map(letter).collect()
    }
}

/// Decides what a global is in C.
/// `shown` is its name in messages.
pub fn plan_global(global: &Global, shown: String, types: &GlobalType) -> GlobalPlan {
    let of = MapType { keys: types.keys.clone(), value: types.value };
    let kind = match (types.keys.is_empty(), types.value) {
        (false, Type::Stats) => {
            GlobalKind::StatMap { of, size: global.size, wrap: global.wrap, stat: types.stat.clone() }
        }
        (false, _) => GlobalKind::Map { of, size: global.size, wrap: global.wrap },
        (true, Type::Stats) => GlobalKind::Stat(types.stat.clone()),
        (true, Type::String) => GlobalKind::Text(global.init.as_ref().and_then(Literal::string).cloned()),
        (true, _) => GlobalKind::Long(global.init.as_ref().and_then(Literal::number)),
    };
    let settable = !global.synthetic && global.mangled.starts_with("__global_");
    GlobalPlan {
        c_name: names::global(global),
        shown,
        param: settable.then(|| global.mangled.strip_prefix("__global_").unwrap_or_default().into()),
        kind,
    }
}

/// Distinct array types in the order of upstream's set: by keys, then by value.
pub fn map_types(globals: &[GlobalPlan]) -> Vec<MapType> {
    let mut types: Vec<MapType> = globals
        .iter()
        .filter_map(|global| match &global.kind {
            GlobalKind::Map { of, .. } | GlobalKind::StatMap { of, .. } => Some(of.clone()),
            _ => None,
        })
        .collect();
    types.sort();
    types.dedup();
    types
}

/// More recursion levels than the longest chain of distinct calls (translate.cxx: `translate_pass`).
const RECURSION: u32 = 10;
/// A bound for the search on programs with very many recursive functions.
const MOST_STEPS: u32 = 200_000;

/// How deep calls go (translate.cxx: `recursion_info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nesting {
    /// The longest chain of calls from any function; recursion adds one.
    pub deepest: u32,
    /// Whether a function calls itself, over others or not.
    pub recursive: bool,
}

impl Nesting {
    /// `MAXNESTING`: one more for the probe that starts a chain, and some for recursion.
    pub fn levels(self) -> u32 {
        self.deepest + 1 + if self.recursive { RECURSION } else { 0 }
    }
}

/// Looks for the longest chain of calls.
pub fn nesting(calls: &Calls) -> Nesting {
    let mut search = Search { calls, deepest: 0, recursive: false, steps: 0, depth: vec![0; calls.len()] };
    for root in 0..calls.len() {
        let mut chain = Vec::new();
        search.visit(root, &mut chain);
    }
    Nesting { deepest: search.deepest, recursive: search.recursive }
}

/// Functions that may call themselves, over others or not.
pub fn recursive_functions(calls: &Calls) -> Vec<bool> {
    let reaches_itself = |start: usize| {
        let mut seen = vec![false; calls.len()];
        let mut open = vec![start];
        while let Some(function) = open.pop() {
            for callee in calls[function].iter().flatten().map(|callee| callee.0 as usize) {
                if callee == start {
                    return true;
                }
                if !std::mem::replace(&mut seen[callee], true) {
                    open.push(callee);
                }
            }
        }
        false
    };
    (0..calls.len()).map(reaches_itself).collect()
}

/// The calls in each function, each with what it may lead to.
pub type Calls = [Vec<Vec<FunctionId>>];

/// Looks for the calls of a program.
pub fn calls(program: &Program) -> Vec<Vec<Vec<FunctionId>>> {
    program.functions.iter().map(|function| callees(&function.body)).collect()
}

struct Search<'a> {
    calls: &'a Calls,
    deepest: u32,
    recursive: bool,
    steps: u32,
    /// Deepest chain on which a function was reached; reached again on a shorter one it brings nothing new.
    depth: Vec<u32>,
}

impl Search<'_> {
    fn visit(&mut self, function: usize, chain: &mut Vec<usize>) {
        let all = self.calls;
        for call in &all[function] {
            for callee in call {
                let callee = callee.0 as usize;
                let depth = chain.len() as u32 + 1;
                self.deepest = self.deepest.max(depth);
                self.steps += 1;
                if chain.contains(&callee) {
                    self.recursive = true;
                    // Upstream does not look at what else this call may lead to.
                    break;
                }
                if self.steps > MOST_STEPS || (!self.recursive && self.depth[callee] >= depth) {
                    continue;
                }
                self.depth[callee] = self.depth[callee].max(depth);
                chain.push(callee);
                self.visit(callee, chain);
                chain.pop();
            }
        }
    }
}

fn callees(body: &FunctionBody) -> Vec<Vec<FunctionId>> {
    let mut found = Vec::new();
    if let FunctionBody::Script(body) = body {
        all_exprs(&body.root, &mut |expr| {
            if let ExprKind::Call { callee, .. } = &expr.kind {
                found.push(callee.candidates.clone());
            }
        });
    }
    found
}
