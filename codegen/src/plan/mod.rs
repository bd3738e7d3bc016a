//! `plan()`: a typed program to a [`Plan`], in which every name, temporary, lock, size and order is decided.

pub mod actions;
pub mod effects;
pub mod frame;
pub mod ir;
pub mod locks;
pub mod loops;
pub mod lower;
pub mod names;
mod planner;
pub mod printing;
pub mod storage;
mod texts;
pub mod verify;

use crate::families::{self, Group};
use effects::{EffectTable, Effects, tagged};
use frontend::diag::{Diagnostic, Diagnostics};
use frontend::hir::{Function, FunctionBody, GlobalId, Probe, Program, dump};
use frontend::session::Session;
use frontend::source::{FileKind, SourceMap};
use frontend::tree::walk::{all_exprs, all_stmts};
use frontend::tree::{ExprKind, FormatPart, StmtKind};
use frontend::types::{Type, TypeTable};
use indexmap::IndexSet;
use ir::{Op, Val};
use locks::LockPlan;
use lower::{Context, Tables};
use planner::Planner;
use runtime_shim::profile::{LastStatement, RuntimeProfile};
use smol_str::SmolStr;
use storage::{BodyPlan, GlobalKind, GlobalPlan, MapType};
pub use texts::TextLengths;

/// How many temporaries of each kind are alive at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers.
    pub longs: u32,
    /// String buffers.
    pub buffers: u32,
    /// Pointers to strings.
    pub pointers: u32,
    /// Pointers to array nodes.
    pub cursors: u32,
    /// Pointers to statistics.
    pub stats: u32,
}

/// Parameters of a function, as callers must know them.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// For each parameter: a string that is passed as a pointer, because the function does not write it.
    pub pointers: Vec<bool>,
    /// The body may say `next`.
    pub has_next: bool,
}

/// A distinct format: one C function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Format {
    /// Prints; else makes a string.
    pub to_stream: bool,
    /// Text and conversions.
    pub parts: Vec<FormatPart>,
}

impl Format {
    /// True if printing can raise an error: only dumps of memory can.
    pub fn can_fail(&self) -> bool {
        let dumps = |part: &FormatPart| matches!(part, FormatPart::Conversion(one) if matches!(one.letter, 'm' | 'M'));
        self.parts.iter().any(dumps)
    }

    /// `stp_printf_3`, `stp_sprintf_1`: numbered together, from 1.
    pub fn name(&self, index: usize) -> String {
        format!("stp_{}_{}", if self.to_stream { "printf" } else { "sprintf" }, index + 1)
    }
}

/// Distinct formats in order of first use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatTable(IndexSet<Format>);

impl FormatTable {
    /// Number of a format, which is added if it is new.
    pub fn insert(&mut self, format: Format) -> usize {
        self.0.insert_full(format).0
    }

    /// Every format.
    pub fn iter(&self) -> impl Iterator<Item = &Format> {
        self.0.iter()
    }

    /// The format of that number.
    pub fn get(&self, index: usize) -> Option<&Format> {
        self.0.get_index(index)
    }
}

/// Distinct regular expressions in order of first use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegexTable(IndexSet<SmolStr>);

impl RegexTable {
    /// Number of a pattern, which is added if it is new.
    pub fn insert(&mut self, pattern: &SmolStr) -> usize {
        self.0.insert_full(pattern.clone()).0
    }

    /// Every pattern.
    pub fn iter(&self) -> impl Iterator<Item = &SmolStr> {
        self.0.iter()
    }
}

/// A function's C text.
#[derive(Debug, Clone)]
pub struct CodePlan {
    /// The text.
    pub code: SmolStr,
    /// Globals that it names by pragma: (unmangled name, global, written).
    pub globals: Vec<(SmolStr, GlobalId, bool)>,
    /// Where it stands, if statements announce themselves.
    pub position: Option<SmolStr>,
}

/// A function.
#[derive(Debug, Clone)]
pub struct FunctionPlan {
    /// C name.
    pub c_name: String,
    /// Name in the script.
    pub name: SmolStr,
    /// Position of the declaration.
    pub position: SmolStr,
    /// The same as run-time errors give it.
    pub blame: SmolStr,
    /// Type of the value; unknown is void.
    pub result: Type,
    /// Number of parameters.
    pub params: usize,
    /// Storage of locals, and the steps.
    pub body: BodyPlan,
    /// C text instead of steps.
    pub code: Option<CodePlan>,
    /// Statements to check for at entry.
    pub precheck: Option<u32>,
    /// Names that `STAP_ARG_x` is defined for, with their C fields.
    pub arg_macros: Vec<(SmolStr, String)>,
    /// Fields carry their script names, too (language level 1.7 and older).
    pub old_style: bool,
}

/// A probe.
#[derive(Debug, Clone)]
pub struct ProbePlan {
    /// Position in `stap_probes`.
    pub index: usize,
    /// C name of the handler; another probe's if both do the same.
    pub handler: Option<String>,
    /// True if the handler is emitted for this probe.
    pub owns_handler: bool,
    /// Final point.
    pub point: String,
    /// Point as the script spells it.
    pub script_point: String,
    /// `FILE:LINE:COLUMN`.
    pub position: SmolStr,
    /// ` from: ...` chain.
    pub derivation: String,
    /// Storage and steps.
    pub body: BodyPlan,
    /// Lock table.
    pub locks: Vec<LockPlan>,
    /// True if the handler takes locks at all.
    pub takes_locks: bool,
    /// Statements to check for at entry.
    pub precheck: Option<u32>,
    /// Conditions of other probes that this one may change.
    pub conditions: Vec<ConditionPlan>,
    /// C that the family wants in front of the body.
    pub prologue: Vec<String>,
    /// Group that carries it; `None` for probes that never run.
    pub group: Option<Group>,
}

/// Re-evaluation of a probe's condition.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionPlan {
    /// Whose.
    pub probe: usize,
    /// Steps before the value is known.
    pub ops: Vec<Op>,
    /// The value.
    pub value: Val,
    /// The probe can be armed and disarmed while it runs.
    pub on_the_fly: bool,
}

/// File-level C.
#[derive(Debug, Clone)]
pub struct EmbedPlan {
    /// Text.
    pub code: SmolStr,
    /// Belongs behind the probes (`pragma:suffix`).
    pub suffix: bool,
}

/// What tapset C asks for by pragma.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Stack unwinding.
    pub unwind: bool,
    /// Symbol tables.
    pub symbols: bool,
    /// Line tables.
    pub lines: bool,
    /// Memory maps of processes.
    pub vma: bool,
    /// Sub-matches of regular expressions.
    pub tagged_dfa: bool,
}

/// Options and facts that show in the C text.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the script, for the kernel log.
    pub script: String,
    /// Language level, major and minor.
    pub compatible: (u32, u32),
    /// Level of the runtime, as `--version` gives it.
    pub version: String,
    /// Release that the module is for.
    pub release: String,
    /// Mask of `--privilege`.
    pub privilege: u32,
    /// `--skip-badvars`.
    pub skip_badvars: bool,
    /// `-b`.
    pub bulk: bool,
    /// `-t`.
    pub timing: bool,
    /// Standard output is no terminal.
    pub stdout_not_a_tty: bool,
    /// `--suppress-handler-errors`.
    pub suppress_handler_errors: bool,
    /// `--suppress-time-limits`.
    pub suppress_time_limits: bool,
    /// `-D STP_EXECTRACE`, with a runtime that knows it: every statement announces itself in the kernel's log.
    pub announce_statements: bool,
    /// `-D DEBUG_PROBES`: every hit logs the state of the session.
    pub log_session_states: bool,
    /// `--modinfo`.
    pub modinfo: Vec<(String, String)>,
    /// Name of the module.
    pub module_name: String,
}

/// Everything that the emitter spells.
#[derive(Debug)]
pub struct Plan {
    /// Options.
    pub settings: Settings,
    /// The runtime.
    pub profile: RuntimeProfile,
    /// File-level C.
    pub embeds: Vec<EmbedPlan>,
    /// By [`GlobalId`].
    pub globals: Vec<GlobalPlan>,
    /// Array types, in the order of their instantiation.
    pub map_types: Vec<MapType>,
    /// By [`FunctionId`](frontend::hir::FunctionId).
    pub functions: Vec<FunctionPlan>,
    /// Indexes into `functions` by C name.
    pub function_order: Vec<usize>,
    /// By [`ProbeId`](frontend::hir::ProbeId).
    pub probes: Vec<ProbePlan>,
    /// The derived probes that the plans were made from, with their families' attachments.
    pub derived: Vec<Probe>,
    /// Compiled formats.
    pub formats: FormatTable,
    /// Compiled patterns.
    pub regexes: Vec<crate::regex::Dfa>,
    /// How long strings may be.
    pub texts: TextLengths,
    /// How deep calls go.
    pub nesting: storage::Nesting,
    /// Pragmas.
    pub needs: Needs,
    /// The background timer that applies changed conditions is needed.
    pub refresh_timer: bool,
    /// Perf counters: name and path of the process.
    pub perf_counters: Vec<(SmolStr, SmolStr)>,
    /// Symbol, unwind and line tables; [`plan`] leaves them empty, see [`collect`](crate::symbols::collect).
    pub symbols: crate::symbols::Symbols,
}

impl Plan {
    /// True if every frame of the call stack remembers the statement it is at; else the context has one for all.
    pub fn frames_remember_statements(&self) -> bool {
        self.profile.last_stmt == LastStatement::PerNesting
    }
}

/// Keys that the runtime's arrays can have.
const MOST_KEYS: usize = 9;

/// Plans a program.
///
/// `types` must be the table that `infer` made for this very program.
///
/// # Errors
/// What cannot be said in C, with its position.
pub fn plan(
    session: &Session,
    sources: &SourceMap,
    program: &Program,
    types: &TypeTable,
    profile: &RuntimeProfile,
) -> Result<Plan, Diagnostics> {
    let effects = EffectTable::new(program, types);
    let params: Vec<Params> = program.functions.iter().map(|f| params(f, session, types, program)).collect();
    let calls = storage::calls(program);
    let recursive = storage::recursive_functions(&calls);
    let settings = settings(session, sources, profile);
    let announce_statements = settings.announce_statements;
    let texts = TextLengths::of(session, program);
    let cx = Context {
        session,
        sources,
        program,
        types,
        effects: &effects,
        params: &params,
        recursive: &recursive,
        texts,
        announce_statements,
    };
    let mut planner = Planner { cx: &cx, tables: Tables::default(), diagnostics: Diagnostics::new() };
    let functions = planner.functions();
    let probes = planner.probes();
    let mut diagnostics = planner.diagnostics;
    let tables = planner.tables;
    let needs = needs(program);
    let regexes = compile_regexes(&tables, needs.tagged_dfa, &mut diagnostics);
    let globals: Vec<GlobalPlan> = program
        .globals
        .iter()
        .enumerate()
        .map(|(index, global)| {
            let shown = dump::upstream_name(program, sources, &global.mangled);
            storage::plan_global(global, shown, types.global(GlobalId(index as u32)))
        })
        .collect();
    for (global, planned) in program.globals.iter().zip(&globals) {
        if let GlobalKind::Map { of, .. } | GlobalKind::StatMap { of, .. } = &planned.kind
            && of.keys.len() > MOST_KEYS
        {
            let message = "excessive key arity == too many array indexes";
            diagnostics.push(Diagnostic::semantic("plan:keys", message).at(&global.origin.0));
        }
    }
    for probe in &program.probes {
        if let Some(Err(error)) = families::family(probe.family).map(|family| family.check(probe)) {
            diagnostics.push(*error);
        }
    }
    let mut function_order: Vec<usize> = (0..functions.len()).collect();
    function_order.sort_by(|&left, &right| functions[left].c_name.cmp(&functions[right].c_name));
    let refresh_timer = probes.iter().any(|probe| {
        let safe = probe.group.is_none_or(|group| families::mechanism(group).on_the_fly().safe);
        !safe && probe.conditions.iter().any(|condition| condition.on_the_fly)
    });
    let plan = Plan {
        settings,
        profile: profile.clone(),
        embeds: embeds(program, session),
        map_types: storage::map_types(&globals),
        globals,
        functions,
        function_order,
        probes,
        derived: program.probes.clone(),
        formats: tables.formats,
        regexes,
        texts,
        nesting: storage::nesting(&calls),
        needs,
        refresh_timer,
        perf_counters: program.perf_counters.clone(),
        symbols: crate::symbols::Symbols::default(),
    };
    if let Err(problem) = verify::verify(&plan) {
        diagnostics.push(*problem);
    }
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(plan) }
}

fn params(function: &Function, session: &Session, types: &TypeTable, program: &Program) -> Params {
    let index = program.functions.iter().position(|other| std::ptr::eq(other, function)).unwrap_or(0);
    let locals = &types.function_locals[index];
    // With -u neither is looked for (elaborate.cxx: is_unmodified_string_fnarg, semantic_pass_overload).
    let optimized = !session.unoptimized;
    let is_string = |param: usize| optimized && locals.get(param) == Some(&Type::String);
    match &function.body {
        FunctionBody::Script(body) => {
            let effects: Effects = EffectTable::locals_only().of_stmt(&body.root);
            let mut has_next = false;
            all_stmts(&body.root, &mut |stmt| has_next |= optimized && matches!(stmt.kind, StmtKind::Next));
            let pointers = (0..function.params)
                .map(|param| {
                    let id = frontend::hir::LocalId(param as u32);
                    is_string(param) && !effects.local_writes.contains(&id)
                })
                .collect();
            Params { pointers, has_next }
        }
        FunctionBody::Embedded { code, .. } => {
            let unmodified = tagged(code, "unmodified-fnargs");
            let pointers = (0..function.params).map(|param| unmodified && is_string(param)).collect();
            Params { pointers, has_next: optimized && code.contains("STAP_NEXT;") }
        }
    }
}

fn needs(program: &Program) -> Needs {
    let mut needs = Needs::default();
    let mut look = |code: &str| {
        needs.unwind |= tagged(code, "pragma:unwind");
        needs.symbols |= tagged(code, "pragma:symbols");
        needs.lines |= tagged(code, "pragma:lines");
        needs.vma |= tagged(code, "pragma:vma");
        needs.tagged_dfa |= tagged(code, "pragma:tagged_dfa");
    };
    for embed in &program.embeds {
        look(&embed.code);
    }
    let bodies = program.functions.iter().filter_map(|function| match &function.body {
        FunctionBody::Script(body) => Some(&**body),
        FunctionBody::Embedded { .. } => None,
    });
    for body in bodies.chain(program.probes.iter().map(|probe| &probe.body)) {
        all_exprs(&body.root, &mut |expr| {
            if let ExprKind::Embedded(code) = &expr.kind {
                look(code);
            }
        });
    }
    for function in &program.functions {
        if let FunctionBody::Embedded { code, .. } = &function.body {
            look(code);
        }
    }
    needs
}

fn compile_regexes(tables: &Tables, tagged: bool, diagnostics: &mut Diagnostics) -> Vec<crate::regex::Dfa> {
    let mut compiled = Vec::new();
    for pattern in tables.regexes.iter() {
        match crate::regex::compile(pattern, tagged) {
            Ok(dfa) => compiled.push(dfa),
            // It was in no body that [`check_regexes`] saw.
            Err(error) => diagnostics.push(Diagnostic::semantic("plan:regex", error.to_string())),
        }
    }
    compiled
}

/// Checks the patterns of all `=~` and `!~`: a wrong one is an error of pass 2 (elaborate.cxx: `gen_dfa_table`), which
/// upstream ends with it.
pub fn check_regexes(program: &Program) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let functions = program.functions.iter().filter_map(|function| match &function.body {
        FunctionBody::Script(body) => Some(&**body),
        FunctionBody::Embedded { .. } => None,
    });
    let mut seen = std::collections::BTreeSet::new();
    for body in functions.chain(program.probes.iter().map(|probe| &probe.body)) {
        all_exprs(&body.root, &mut |expr| {
            if let ExprKind::Match { pattern, place, .. } = &expr.kind
                && seen.insert(pattern)
                && !diagnostics.has_errors()
                && let Err(error) = crate::regex::compile(pattern, false)
            {
                diagnostics.push(Diagnostic::semantic("plan:regex", error.to_string()).at(&place.0));
            }
        });
    }
    diagnostics
}

fn embeds(program: &Program, session: &Session) -> Vec<EmbedPlan> {
    let suffixes = !session.version.before(5, 6);
    program
        .embeds
        .iter()
        .map(|embed| EmbedPlan {
            code: embed.code.clone(),
            suffix: suffixes && embed.code.contains("pragma:suffix"),
        })
        .collect()
}

fn settings(session: &Session, sources: &SourceMap, profile: &RuntimeProfile) -> Settings {
    let script = sources.iter().find(|(_, file)| file.kind == FileKind::User);
    let script = script.map_or("<input>", |(_, file)| file.name.as_str());
    Settings {
        script: script.rsplit('/').next().unwrap_or(script).to_owned(),
        compatible: session.compatible.major_minor(),
        version: session.version.to_string(),
        release: session.kernel.release.clone(),
        privilege: match session.privilege {
            frontend::session::Privilege::User => 2,
            frontend::session::Privilege::System => 4,
            frontend::session::Privilege::Developer => 8,
        },
        skip_badvars: session.skip_badvars,
        bulk: session.bulk,
        timing: session.timing,
        stdout_not_a_tty: !session.stdout_is_terminal && !session.version.before(5, 0),
        suppress_handler_errors: session.suppress_handler_errors,
        suppress_time_limits: session.suppress_time_limits,
        announce_statements: profile.exectrace && defines(session, "STP_EXECTRACE"),
        log_session_states: defines(session, "DEBUG_PROBES"),
        modinfo: session.modinfo.clone(),
        module_name: session.module_name.clone(),
    }
}

/// Whether `-D` defines a macro.
fn defines(session: &Session, name: &str) -> bool {
    session.macros.iter().any(|text| text.split('=').next() == Some(name))
}
