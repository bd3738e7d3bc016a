//! `emit()`: a plan to C text. The order of the file is that of the runtime contract, section 1.2.

pub mod body;
pub mod entry;
pub mod expr;
pub mod globals;
pub mod maps;
pub mod module;
pub mod print;
pub mod report;
pub mod stmt;
pub mod symbols;
pub mod writer;

use crate::families::{GroupContext, MECHANISMS, Sections};
use crate::plan::{Plan, ProbePlan};
use frontend::session::Session;
use writer::{CWriter, literal};

/// A source file besides the main one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Name without directory and `.c`; the driver puts the module's name and `_` in front of it.
    pub stem: String,
    /// Text.
    pub text: String,
    /// Its object is linked behind the main one.
    pub trailer: bool,
}

/// C text of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CUnit {
    /// `MODULE_src.c`.
    pub source: String,
    /// `stap_common.h`, included by all units.
    pub common_header: String,
    /// `stap_symbols.c`.
    pub symbols: String,
    /// Other units.
    pub extra: Vec<Unit>,
}

/// A mechanism of this module with its texts.
pub(crate) struct Active {
    /// Its texts.
    pub sections: Sections,
}

/// Spells a plan. The same plan gives the same bytes.
pub fn emit(_session: &Session, plan: &Plan) -> CUnit {
    let mut active = Vec::new();
    for mechanism in MECHANISMS {
        let cx = GroupContext::new(plan, mechanism.group());
        if mechanism.active(&cx) {
            active.push(Active { sections: mechanism.sections(&cx) });
        }
    }
    let mut extra: Vec<Unit> = active
        .iter()
        .flat_map(|active| &active.sections.units)
        .map(|(stem, text)| Unit { stem: stem.clone(), text: text.clone(), trailer: false })
        .collect();
    extra.push(trailer());
    CUnit {
        source: source(plan, &active),
        common_header: common_header(plan),
        symbols: symbols::write_symbols(plan),
        extra,
    }
}

/// A zero word that ends the module's own unwind data; its object must be the last with such data.
fn trailer() -> Unit {
    let text = "__extension__ unsigned int T_800[]\n  \
                __attribute__((used, section(\".eh_frame\"), aligned(4))) = { 0 };\n";
    Unit { stem: "aux_0".into(), text: text.into(), trailer: true }
}

fn source(plan: &Plan, active: &[Active]) -> String {
    let mut out = CWriter::new();
    write_head(&mut out, plan, active);
    write_embeds(&mut out, plan, false);
    out.gap();
    out.open("struct context {");
    out.directive("#include \"common_probe_context.h\"");
    body::write_frames(&mut out, plan);
    print::write_locals(&mut out, plan);
    out.close("};");
    // One spelling for both generations of runtimes.
    out.directive(if plan.frames_remember_statements() {
        "#define STAP_LAST_STMT (c->last_stmt[c->nesting+1])"
    } else {
        "#define STAP_LAST_STMT (c->last_stmt)"
    });
    out.directive("#include \"runtime_context.h\"");
    globals::write_map_types(&mut out, plan);
    print::write_functions(&mut out, plan);
    out.gap();
    module::write_refresher(&mut out, plan);
    out.directive("#include \"namespaces.h\"");
    if plan.needs.unwind {
        out.directive("#include \"stack.c\"");
    }
    if plan.profile.sym2 {
        out.directive("#include \"sym2.c\"");
    }
    out.gap();
    globals::write_struct(&mut out, plan);
    out.directive("#include \"common_session_state.h\"");
    out.directive("#include \"probe_lock.h\"");
    out.lines("#ifdef STAP_NEED_GETTIMEOFDAY\n#include \"time.c\"\n#endif");
    write_regexes(&mut out, plan);
    out.gap();
    for &index in &plan.function_order {
        if let Some(function) = plan.functions.get(index) {
            // A name that is too long for the kernel's tools is only told by a remark.
            if !function.c_name.ends_with(function.name.as_str()) {
                out.line(expr::remark(&function.name));
            }
            out.line(format!("static void {} (struct context * __restrict__ c);", function.c_name));
        }
    }
    out.gap();
    write_probe_type(&mut out, plan);
    for probe in plan.probes.iter().filter(|probe| probe.owns_handler) {
        body::write_handler(&mut out, plan, probe);
    }
    out.gap();
    write_probe_table(&mut out, plan);
    write_functions(&mut out, plan);
    for active in active {
        out.gap();
        out.lines(&active.sections.declarations);
    }
    out.gap();
    out.lines("#ifdef STAP_NEED_TRACEPOINTS\n#include \"linux/stp_tracepoint.c\"\n#endif");
    module::write_module(&mut out, plan, active);
    write_embeds(&mut out, plan, true);
    out.gap();
    out.line("MODULE_DESCRIPTION(\"systemtap-generated probe\");");
    out.line("MODULE_LICENSE(\"GPL\");");
    for (tag, value) in &plan.settings.modinfo {
        out.line(format!("MODULE_INFO({tag}, {});", literal(value)));
    }
    globals::write_params(&mut out, plan);
    out.finish()
}

fn write_head(out: &mut CWriter, plan: &Plan, active: &[Active]) {
    // Texts of the runtime's own errors.
    for (name, text) in [
        (
            "RUNTIME_H_01",
            "myproc-unprivileged tapset function called without is_myproc checking for pid %d (euid %d)",
        ),
        ("LOC2C_01", "read fault [man error::fault] at 0x%lx"),
        ("LOC2C_02", "write fault [man error::fault] at 0x%lx"),
        ("LOC2C_03", "divide by zero in DWARF operand (%s)"),
        ("LOC2C_04", "register access fault [man error::fault]"),
    ] {
        out.directive(format!("#define STAP_MSG_{name} {}", literal(text)));
    }
    out.directive("#define STAP_VERSION(a, b) ( ((a) << 8) + (b) )");
    let (major, minor) = plan.settings.compatible;
    out.directive("#ifndef STAP_COMPAT_VERSION");
    out.directive(format!("#define STAP_COMPAT_VERSION STAP_VERSION({major}, {minor})"));
    out.directive("#endif");
    out.directive("#pragma GCC diagnostic ignored \"-Wtautological-compare\"");
    out.directive("#include \"runtime_defines.h\"");
    for active in active {
        out.lines(&active.sections.defines);
    }
    out.directive("#include \"linux/perf_read.h\"");
    out.directive("#define STP_PR_STAPUSR 0x2");
    out.directive("#define STP_PR_STAPSYS 0x4");
    out.directive("#define STP_PR_STAPDEV 0x8");
    out.directive(format!("#define STP_PRIVILEGE 0x{:x}", plan.settings.privilege));
    out.line("int stp_required_privilege __attribute__((section(\".stap_privilege\"))) = STP_PRIVILEGE;");
    out.directive("#include \"stap_common.h\"");
    out.line("static void systemtap_module_refresh (const char *modname);");
    out.directive("#include \"runtime.h\"");
    out.directive("#include <linux/mutex.h>");
    out.line("static DEFINE_MUTEX(module_refresh_mutex);");
    out.directive("#include <linux/version.h>");
    out.directive("#define STP_ON_THE_FLY_TIMER_ENABLE");
}

fn write_embeds(out: &mut CWriter, plan: &Plan, suffix: bool) {
    for embed in plan.embeds.iter().filter(|embed| embed.suffix == suffix) {
        out.gap();
        out.raw(&embed.code);
    }
}

fn write_regexes(out: &mut CWriter, plan: &Plan) {
    let longest = plan.texts.has_long_literals().then_some(plan.texts.longest_literal);
    for (index, dfa) in plan.regexes.iter().enumerate() {
        let mut text = String::new();
        dfa.write_c(&format!("__stp_dfa{index}"), longest, &mut text);
        out.gap();
        out.raw(&text);
    }
}

/// Texts of a probe are arrays when they are about equally long, and pointers otherwise: whichever is smaller.
fn text_field(name: &str, lengths: impl Iterator<Item = usize> + Clone) -> String {
    let longest = lengths.clone().max().unwrap_or(0);
    let (sum, count) = lengths.fold((0_usize, 0), |(sum, count), length| (sum + length, count + 1));
    let average = sum.checked_div(count).unwrap_or(0);
    if longest - average < 3 * std::mem::size_of::<u64>() {
        format!("const char {name}[{}];", longest + 1)
    } else {
        format!("const char * const {name};")
    }
}

fn write_probe_type(out: &mut CWriter, plan: &Plan) {
    let lengths = |text: fn(&ProbePlan) -> usize| plan.probes.iter().map(text);
    out.open("struct stap_probe {");
    // What only counters and the runtime's debugging texts ask for.
    out.directive(
        "#if defined(STP_TIMING) || defined(STP_ALIBI) || defined(DEBUG_KPROBES) || defined(DEBUG_UPROBES) \\\n  \
         || defined(DEBUG_STP_ON_THE_FLY)",
    );
    out.line("const size_t index;");
    out.directive("#define STAP_PROBE_INIT_INDEX(I) .index = (I),");
    out.directive("#else");
    out.directive("#define STAP_PROBE_INIT_INDEX(I)");
    out.directive("#endif");
    out.line("void (* const ph) (struct context *);");
    out.line("unsigned cond_enabled:1;");
    out.directive("#if defined(STP_TIMING) || defined(STP_ALIBI)");
    out.line(text_field("location", lengths(|probe| probe.position.len())));
    out.line(text_field("derivation", lengths(|probe| probe.derivation.len())));
    out.directive("#define STAP_PROBE_INIT_TIMING(L, D) .location = (L), .derivation = (D),");
    out.directive("#else");
    out.directive("#define STAP_PROBE_INIT_TIMING(L, D)");
    out.directive("#endif");
    out.line(text_field("pp", lengths(|probe| probe.point.len())));
    out.directive("#ifdef STP_NEED_PROBE_NAME");
    out.line(text_field("pn", lengths(|probe| probe.script_point.len())));
    out.directive("#define STAP_PROBE_INIT_NAME(PN) .pn = (PN),");
    out.directive("#else");
    out.directive("#define STAP_PROBE_INIT_NAME(PN)");
    out.directive("#endif");
    out.directive(
        "#define STAP_PROBE_INIT(I, PH, PP, PN, L, D) \\\n  \
         { STAP_PROBE_INIT_INDEX(I) .ph = (PH), .cond_enabled = 1, .pp = (PP), STAP_PROBE_INIT_NAME(PN) STAP_PROBE_INIT_TIMING(L, D) }",
    );
    out.close("};");
    out.line("static struct stap_probe stap_probes[];");
}

/// Writes the functions. What C text of scripts and tapsets leaves unused is nothing to warn of.
fn write_functions(out: &mut CWriter, plan: &Plan) {
    let mut quiet = false;
    let functions = plan.function_order.iter().filter_map(|&index| plan.functions.get(index));
    for function in functions {
        if function.code.is_some() != quiet {
            quiet = !quiet;
            out.gap();
            if quiet {
                out.directive("#pragma GCC diagnostic push");
                for kind in ["label", "variable", "but-set-variable"] {
                    out.directive(format!("#pragma GCC diagnostic ignored \"-Wunused-{kind}\""));
                }
            } else {
                out.directive("#pragma GCC diagnostic pop");
            }
        }
        body::write_function(out, plan, function);
    }
    if quiet {
        out.directive("#pragma GCC diagnostic pop");
    }
}

fn write_probe_table(out: &mut CWriter, plan: &Plan) {
    // With `never` alone nobody asks for it.
    let used = plan.probes.iter().any(|probe| probe.handler.is_some());
    let unused = if used { "" } else { "__attribute__ ((unused)) " };
    out.open(format!("static {unused}struct stap_probe stap_probes[] = {{"));
    for probe in &plan.probes {
        let handler = probe.handler.as_ref().map_or("NULL".to_owned(), |handler| format!("&{handler}"));
        out.line(format!(
            "STAP_PROBE_INIT({}, {handler}, {}, {}, {}, {}),",
            probe.index,
            literal(&probe.point),
            literal(&probe.script_point),
            literal(&probe.position),
            literal(&probe.derivation)
        ));
    }
    out.close("};");
}

fn common_header(plan: &Plan) -> String {
    let settings = &plan.settings;
    let mut out = CWriter::new();
    out.lines(format!("#ifndef MAXNESTING\n#define MAXNESTING {}\n#endif", plan.nesting.levels()));
    let most = |of: fn(&crate::regex::Dfa) -> u32| plan.regexes.iter().map(of).max().unwrap_or(0);
    out.directive(format!("#define STAPREGEX_MAX_MAP {}", most(crate::regex::Dfa::num_map_items)));
    out.directive(format!("#define STAPREGEX_MAX_TAG {}", most(crate::regex::Dfa::num_tags)));
    out.directive(format!("#define STP_SKIP_BADVARS {}", u8::from(settings.skip_badvars)));
    if settings.bulk {
        out.directive("#define STP_BULKMODE");
    }
    if settings.timing {
        out.directive("#define STP_TIMING");
    }
    if settings.stdout_not_a_tty {
        out.lines("#ifndef STP_FORCE_STDOUT_TTY\n#define STP_STDOUT_NOT_ATTY\n#endif");
    }
    if plan.needs.unwind {
        out.directive("#define STP_NEED_UNWIND_DATA 1");
    }
    if plan.needs.lines {
        out.directive("#define STP_NEED_LINE_DATA 1");
    }
    out.directive(format!("#define STP_PROBE_COUNT {}", plan.probes.len()));
    // Architectures on which the runtime can unwind by tables.
    out.lines(
        "#if defined(__arm__) || defined(__i386__) || defined(__x86_64__) || defined(__powerpc64__) \\\n    \
         || defined(__s390x__) || defined(__aarch64__) || defined(__mips__)\n\
         #ifdef STP_NEED_UNWIND_DATA\n\
         #ifndef STP_USE_DWARF_UNWINDER\n\
         #define STP_USE_DWARF_UNWINDER\n\
         #endif\n\
         #endif\n\
         #endif",
    );
    out.finish()
}
