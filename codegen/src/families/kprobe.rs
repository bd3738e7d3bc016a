//! `kprobe.*`: kernel functions by symbol, without debug information.
//!
//! | point | meaning |
//! |---|---|
//! | `kprobe.function("f")`, `.call` | entry of a kernel function; `* ? [ {` make a pattern |
//! | `kprobe.function("f").return[.maxactive(N)]` | its return; `@entry(expression)` is evaluated at entry |
//! | `kprobe.module("m").function("f")...` | the same in a module |
//! | `kprobe.statement(ADDRESS).absolute`, `kernel.statement(ADDRESS).absolute` | an address, `-g` only |
//!
//! No context variables, save that `$$vars`, `$$parms` and `$$locals` are empty at `kernel.statement`. Privileged. The
//! names are those of the kernel's symbol table; where no table is at hand an exact name is taken as it is, and the kernel
//! says at registration if there is no such function.

use super::{EmitFamily, Group, GroupContext, GroupProbe, Mechanism, OnTheFly, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::{CWriter, literal};
use crate::families::point::{self, pattern, rewritten};
use frontend::diag::Diagnostic;
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{Answer, DeriveContext, Derived, Family, Pattern, TargetUse, Targets};
use frontend::resolve::suggest;
use frontend::syntax::ast::{Parsed, ProbePoint};
use frontend::tree::{Expr, ExprKind, Literal, Target, TargetBase, TargetStep};
use frontend::wildcard::{self, Escape};
use smol_str::{SmolStr, format_smolstr};
use std::any::Any;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// Where a kprobe goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A symbol: `function`, or `module:function`.
    Symbol(SmolStr),
    /// An address as the kernel sees it.
    Absolute(u64),
}

/// A kprobe or kretprobe.
#[derive(Debug)]
pub struct Kprobe {
    /// Where.
    pub place: Place,
    /// Module that the place is in, empty for the kernel.
    pub module: SmolStr,
    /// True for kretprobes.
    pub on_return: bool,
    /// `.maxactive(N)`.
    pub max_active: Option<i64>,
    /// Registration may fail silently.
    pub optional: bool,
}

impl Attachment for Kprobe {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

const PATTERNS: &[Pattern] = &[
    pattern!(Privileged: ("kprobe", None), ("function", String)),
    pattern!(Privileged: ("kprobe", None), ("function", String), ("call", None)),
    pattern!(Privileged: ("kprobe", None), ("function", String), ("return", None)),
    pattern!(Privileged: ("kprobe", None), ("function", String), ("return", None), ("maxactive", Number)),
    pattern!(Privileged: ("kprobe", None), ("module", String), ("function", String)),
    pattern!(Privileged: ("kprobe", None), ("module", String), ("function", String), ("call", None)),
    pattern!(Privileged: ("kprobe", None), ("module", String), ("function", String), ("return", None)),
    pattern!(Privileged: ("kprobe", None),
        ("module", String),
        ("function", String),
        ("return", None),
        ("maxactive", Number)
    ),
    pattern!(Privileged: ("kprobe", None), ("statement", Number), ("absolute", None)),
    pattern!(Privileged: ("kernel", None), ("statement", Number), ("absolute", None)),
];

/// The family.
#[derive(Debug)]
pub struct KprobeFamily;

impl Family for KprobeFamily {
    fn name(&self) -> &'static str {
        "kprobe"
    }

    fn builder(&self) -> &'static str {
        "kprobe builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let max_active = point::number(point, "maxactive");
        if let Some(address) = point::number(point, "statement") {
            if !is_privileged(context) {
                let message = "absolute statement probe in unprivileged script; need stap -g";
                return Err(Box::new(Diagnostic::semantic("kprobe.absolute", message).at(context.origin)));
            }
            let by_kernel = point::has(point, "kernel");
            let final_point = rewritten(
                point,
                vec![
                    (if by_kernel { "kernel" } else { "kprobe" }, None),
                    ("statement", Some(Literal::Address(address as u64))),
                    ("absolute", None),
                ],
            );
            let place = Place::Absolute(address as u64);
            let mut derived = derived(point, final_point, place, SmolStr::default(), max_active);
            if by_kernel {
                derived.targets = Some(Arc::new(NoScope));
                derived.plain_calls = true;
                // tapsets.cxx: `dwarf_derived_probe::printsig`, with no section before the plus sign
                derived.remark = format_smolstr!(" /* pc=+{:#x} */", address as u64);
            }
            return Ok(vec![derived]);
        }
        let Some(function) = point::string(point, "function") else { return Ok(Vec::new()) };
        let with_suffixes = |head: Vec<(&'static str, Option<Literal>)>| {
            let mut components = head;
            for suffix in ["call", "return"] {
                if point::has(point, suffix) {
                    components.push((suffix, None));
                }
            }
            if let Some(value) = max_active {
                components.push(("maxactive", Some(Literal::Number(value))));
            }
            rewritten(point, components)
        };
        if let Some(module) = point::string(point, "module") {
            let module = module_name(module);
            let final_point = with_suffixes(vec![
                ("kprobe", None),
                ("module", Some(Literal::String(module.clone()))),
                ("function", Some(Literal::String(function.clone()))),
            ]);
            let place = Place::Symbol(format!("{module}:{function}").into());
            return Ok(vec![derived(point, final_point, place, module, max_active)]);
        }
        let matches = matching_functions(context, function)?;
        Ok(matches
            .into_iter()
            .map(|name| {
                let head = vec![("kprobe", None), ("function", Some(Literal::String(name.clone())))];
                derived(point, with_suffixes(head), Place::Symbol(name), SmolStr::default(), max_active)
            })
            .collect())
    }
}

/// Targets at an address of which nothing is known: upstream asks debug information's part here too, without a scope
/// (tapsets.cxx: `dwarf_var_expanding_visitor::visit_target_symbol`).
#[derive(Debug)]
struct NoScope;

impl Targets for NoScope {
    fn locate(
        &self,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Answer<Expr<Parsed>> {
        let fail = |site, message: &str| point::refused(expr, site, message);
        match &target.base {
            TargetBase::Symbol(name) if matches!(name.as_str(), "$$vars" | "$$parms" | "$$locals") => {
                if !matches!(usage, TargetUse::Read) {
                    return fail("kprobe.write", "cannot write to context variable");
                }
                if target.address_of {
                    return fail("kprobe.address", "cannot take address of context variable");
                }
                if !matches!(target.path.first(), Some(TargetStep::Pretty(..))) {
                    point::no_components(target, "dwarf", expr)?;
                }
                Ok(Expr { origin: expr.origin.clone(), kind: ExprKind::String(SmolStr::default()) })
            }
            _ => fail(
                "kprobe.no-scope",
                "debuginfo scope not found for module '', cannot resolve context variable [man error::dwarf]",
            ),
        }
    }
}

/// True if the location may do what needs `-g`.
fn is_privileged(context: &DeriveContext<'_>) -> bool {
    context.session.guru || context.tapset_file.is_some()
}

fn derived(
    point: &ProbePoint,
    final_point: ProbePoint,
    place: Place,
    module: SmolStr,
    max_active: Option<i64>,
) -> Derived {
    let on_return = point::has(point, "return");
    // tapsets.cxx: `kprobe_derived_probe::printsig`
    let remark = match &place {
        Place::Symbol(name) => format_smolstr!(" /*  name = {name}*/"),
        Place::Absolute(_) => SmolStr::new_static(" /*  name = */"),
    };
    let entry = on_return.then(|| {
        let kept: Vec<_> = final_point
            .components
            .iter()
            .map(|component| match component.functor.as_str() {
                "return" => ("call", None),
                functor => (functor, component.arg.clone()),
            })
            .collect();
        let attachment = Kprobe {
            place: place.clone(),
            module: module.clone(),
            on_return: false,
            max_active: None,
            optional: point.optional,
        };
        let mut entry = Derived::plain(rewritten(&final_point, kept), Arc::new(attachment));
        entry.remark = remark.clone();
        entry.folds = true;
        Box::new(entry)
    });
    let attachment = Kprobe { place, module, on_return, max_active, optional: point.optional };
    Derived { entry, remark, folds: true, ..Derived::plain(final_point, Arc::new(attachment)) }
}

/// The module's name as the kernel spells it: the base name of a path, dashes as underscores
/// (tapsets.cxx: `handle_module_token`, `modname_from_path`).
fn module_name(given: &str) -> SmolStr {
    let base = given.rsplit('/').next().unwrap_or(given);
    let stem = [".ko.gz", ".ko.xz", ".ko.zst", ".ko"].iter().find_map(|suffix| base.strip_suffix(suffix));
    stem.unwrap_or(base).replace('-', "_").into()
}

/// Kernel functions that a name or pattern means.
fn matching_functions(
    context: &DeriveContext<'_>,
    function: &SmolStr,
) -> Result<Vec<SmolStr>, Box<Diagnostic>> {
    let known = &context.session.kernel.functions;
    if !function.contains(['*', '?', '[', '{']) {
        if known.is_empty() || known.contains(function.as_str()) {
            return Ok(vec![function.clone()]);
        }
        return no_match(context, function);
    }
    // Sorted, like upstream's list: it tries all alternatives on one name after the other.
    let matches: BTreeSet<&String> =
        expand_braces(function).iter().flat_map(|pattern| names_like(known, pattern)).collect();
    let matches: Vec<SmolStr> = matches.into_iter().map(SmolStr::from).collect();
    if matches.is_empty() { no_match(context, function) } else { Ok(matches) }
}

/// The names that a pattern matches. Only names with the pattern's literal start are looked at: there are 200,000 names,
/// and `syscall.*` alone brings a thousand patterns, most of which are plain names once their braces are gone.
fn names_like<'n>(known: &'n BTreeSet<String>, pattern: &str) -> Vec<&'n String> {
    let Some(special) = pattern.find(['*', '?', '[', '\\']) else {
        return known.get(pattern).into_iter().collect();
    };
    let start = &pattern[..special];
    known
        .range::<str, _>((Bound::Included(start), Bound::Unbounded))
        .take_while(|name| name.starts_with(start))
        .filter(|name| wildcard::matches(pattern, name, Escape::Backslash))
        .collect()
}

fn no_match(context: &DeriveContext<'_>, function: &SmolStr) -> Result<Vec<SmolStr>, Box<Diagnostic>> {
    // The comparison with every name of the kernel is worth it only if someone reads the result.
    if !context.suggestions {
        return Ok(Vec::new());
    }
    let candidates: BTreeSet<SmolStr> = context.session.kernel.functions.iter().map(SmolStr::from).collect();
    let similar = suggest::closest(function, &candidates, 5);
    if similar.is_empty() {
        return Ok(Vec::new());
    }
    let noun = if similar.contains(',') { "functions" } else { "function" };
    Err(point::plain_error("kprobe.no-match", format!("no match (similar {noun}: {similar})")))
}

/// `a{b,c}d` as `abd` and `acd`; an unclosed brace stands for itself.
fn expand_braces(pattern: &str) -> Vec<String> {
    let Some(open) = pattern.find('{') else { return vec![pattern.to_string()] };
    let mut depth = 0usize;
    let mut starts = vec![open + 1];
    for (offset, character) in pattern[open..].char_indices() {
        let at = open + offset;
        match character {
            '{' => depth += 1,
            ',' if depth == 1 => starts.push(at + 1),
            '}' => {
                depth -= 1;
                if depth == 0 {
                    let ends = starts.iter().skip(1).map(|start| start - 1).chain([at]);
                    return starts
                        .iter()
                        .zip(ends)
                        .flat_map(|(&start, end)| {
                            expand_braces(&format!(
                                "{}{}{}",
                                &pattern[..open],
                                &pattern[start..end],
                                &pattern[at + 1..]
                            ))
                        })
                        .collect();
                }
            }
            _ => {}
        }
    }
    vec![pattern.to_string()]
}

impl EmitFamily for KprobeFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::Kprobe)
    }

    /// Upstream's pass 2 takes any limit, and its pass 3 dies of an assertion.
    fn check(&self, probe: &Probe) -> Result<(), Box<Diagnostic>> {
        let max_active =
            probe.attachment.as_any().downcast_ref::<Kprobe>().and_then(|kprobe| kprobe.max_active);
        match max_active.map(u16::try_from) {
            Some(Err(_)) => {
                let message = format!("maxactive value out of range [0,{}]", u16::MAX);
                Err(point::error("kprobe.maxactive", &probe.point, message))
            }
            _ => Ok(()),
        }
    }
}

/// The table of kprobes and kretprobes.
#[derive(Debug)]
pub struct KprobeMechanism;

impl Mechanism for KprobeMechanism {
    fn group(&self) -> Group {
        Group::Kprobe
    }

    fn on_the_fly(&self) -> OnTheFly {
        OnTheFly { supported: true, safe: false }
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        // The last one comes first in upstream's table, a multimap by module. Of several kprobes at one place the kernel
        // runs the one that was registered last first, so handlers run in the script's order.
        let entries: Vec<(&GroupProbe<'_>, &Kprobe)> =
            cx.probes.iter().rev().filter_map(|probe| Some((probe, probe.attachment::<Kprobe>()?))).collect();
        let count = entries.len();
        let mut out = CWriter::new();
        out.line("/* kprobes and kretprobes */");
        // The runtime's table has its names as pointers or as arrays: whichever is smaller.
        let longest = entries.iter().map(|(_, kprobe)| module_of(kprobe).len()).max().unwrap_or(0);
        let module = if longest < std::mem::size_of::<u64>() {
            format!("const char module[{}]", longest + 1)
        } else {
            "const char * const module".to_owned()
        };
        out.lines(format!(
            "#define STAP_KPROBE_PROBE_STR_module {module}\n\
             #define STAP_KPROBE_PROBE_STR_section const char section[1]\n\
             #include \"linux/kprobes.c\"\n\
             #undef STAP_KPROBE_PROBE_STR_module\n\
             #undef STAP_KPROBE_PROBE_STR_section"
        ));
        out.lines(format!(
            "#if defined(STAPCONF_UNREGISTER_KPROBES)\nstatic void * stap_unreg_kprobes[{count}];\n#endif"
        ));
        out.line(format!("static struct stap_kprobe stap_kprobes[{count}];"));
        out.open("static struct stap_kprobe_probe stap_kprobe_probes[] = {");
        for (index, (probe, kprobe)) in entries.iter().enumerate() {
            write_table_entry(&mut out, index, probe, kprobe);
        }
        out.close("};");
        out.gap();
        write_kprobe_callback(&mut out, cx, count);
        out.gap();
        write_kretprobe_callback(&mut out, cx, count);
        let table = "stap_kprobe_probes, ARRAY_SIZE (stap_kprobe_probes)";
        Sections {
            declarations: out.finish(),
            // The runtime names the probe that fails itself.
            init: format!("probe_point = NULL;\nrc = stapkp_init ({table});\n"),
            refresh: format!("stapkp_refresh (modname, {table});\n"),
            exit: format!("stapkp_exit ({table});\n"),
            ..Sections::default()
        }
    }
}

/// An absolute address belongs to the kernel; a symbol needs no module, it carries its own.
fn module_of(kprobe: &Kprobe) -> &str {
    match &kprobe.place {
        Place::Symbol(_) => kprobe.module.as_str(),
        Place::Absolute(_) => "kernel",
    }
}

fn write_table_entry(out: &mut CWriter, index: usize, probe: &GroupProbe<'_>, kprobe: &Kprobe) {
    let (address, symbol) = match &kprobe.place {
        Place::Symbol(symbol) => (0, Some(symbol)),
        Place::Absolute(address) => (*address, None),
    };
    out.open("{");
    if kprobe.on_return {
        out.line(".return_p = 1,");
    }
    if let Some(limit) = kprobe.max_active {
        out.line(format!(".maxactive_p = 1, .maxactive_val = {limit},"));
    }
    if kprobe.optional {
        out.line(".optional_p = 1,");
    }
    out.line(format!(".address = (unsigned long) {address:#x}ULL,"));
    out.line(format!(".module = {}, .section = \"\",", literal(module_of(kprobe))));
    if let Some(symbol) = symbol {
        out.line(format!(".symbol_name = {}, .offset = 0,", literal(symbol)));
    }
    out.line(format!(".probe = {}, .kprobe = &stap_kprobes[{index}],", probe.pointer()));
    out.close("},");
}

/// The table's entry follows from the place of the kernel's structure in the array.
fn index_of(pointer: &str, count: usize) -> String {
    format!(
        "int kprobe_idx = ((uintptr_t) {pointer} - (uintptr_t) stap_kprobes) / sizeof (struct stap_kprobe);\n\
         struct stap_kprobe_probe *skp = &stap_kprobe_probes[(kprobe_idx >= 0 && kprobe_idx < {count}) ? kprobe_idx : 0];"
    )
}

fn write_kprobe_callback(out: &mut CWriter, cx: &GroupContext<'_>, count: usize) {
    out.open("static int enter_kprobe_probe (struct kprobe *inst, struct pt_regs *regs) {");
    out.lines(index_of("inst", count));
    out.line("unsigned long kprobes_ip;");
    let entry = Entry {
        // Tapset functions expect the instruction pointer at the probed address, not behind the breakpoint.
        before_handler: "c->kregs = regs;\n\
                         kprobes_ip = REG_IP (c->kregs);\n\
                         SET_REG_IP (regs, (unsigned long) inst->addr);",
        after_handler: "SET_REG_IP (regs, kprobes_ip);",
        ..Entry::running("skp->probe", "stp_probe_type_kprobe")
    };
    cx.entry(out, &entry);
    out.line("return 0;");
    out.close("}");
}

fn write_kretprobe_callback(out: &mut CWriter, cx: &GroupContext<'_>, count: usize) {
    out.open(
        "static int enter_kretprobe_common (struct kretprobe_instance *inst, struct pt_regs *regs, int entry) {",
    );
    out.line("struct kretprobe *krp = get_kretprobe (inst);");
    out.lines(index_of("krp", count));
    out.line("const struct stap_probe *sp = entry ? skp->entry_probe : skp->probe;");
    out.open("if (sp) {");
    out.line("unsigned long kprobes_ip;");
    let entry = Entry {
        before_handler: "c->kregs = regs;\n\
                         c->ips.krp.pi = inst;\n\
                         c->ips.krp.pi_longs = skp->saved_longs;\n\
                         kprobes_ip = REG_IP (c->kregs);\n\
                         if (entry)\n\
                         \x20 SET_REG_IP (regs, (unsigned long) get_kretprobe (inst)->kp.addr);\n\
                         else\n\
                         \x20 SET_REG_IP (regs, (unsigned long) _stp_ret_addr_r (inst));",
        after_handler: "SET_REG_IP (regs, kprobes_ip);",
        ..Entry::running("sp", "stp_probe_type_kretprobe")
    };
    cx.entry(out, &entry);
    out.close("}");
    out.line("return 0;");
    out.close("}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::testing::derive;
    use crate::tests::plan_with;
    use frontend::session::Session;

    #[test]
    fn braces() {
        assert_eq!(expand_braces("__{ia32,x64}_sys_{open,close}").len(), 4);
        assert_eq!(expand_braces("a{b"), ["a{b"]);
        assert_eq!(expand_braces("a{b,c{d,e}}"), ["ab", "acd", "ace"]);
    }

    #[test]
    fn limits_are_checked_when_c_is_made() {
        let family = &KprobeFamily;
        assert_eq!(derive(family, "kprobe.function(\"vfs_read\").return.maxactive(99999)").len(), 1);
        let plan = |limit: &str| {
            let script = format!("probe kprobe.function(\"f\").return.maxactive({limit}) {{ println(1) }}");
            plan_with(&Session { guru: true, ..Session::for_tests() }, &script).map(|_| ())
        };
        assert_eq!(plan("65535"), Ok(()));
        assert_eq!(plan("99999").unwrap_err(), "maxactive value out of range [0,65535]");
        assert!(plan("-1").is_err());
    }

    #[test]
    fn addresses_of_the_kernel_have_no_variables() {
        let plan = |body: &str| {
            let script = format!("probe kernel.statement(5).absolute {{ {body} }}");
            plan_with(&Session { guru: true, ..Session::for_tests() }, &script).map(|_| ())
        };
        assert_eq!(plan("println($$vars, $$parms, $$locals$, @defined($x))"), Ok(()));
        assert!(plan("println($$return)").unwrap_err().starts_with("debuginfo scope not found"));
        assert_eq!(plan("$$vars = \"a\"").unwrap_err(), "cannot write to context variable");
        assert_eq!(plan("println(&$$vars)").unwrap_err(), "cannot take address of context variable");
    }

    #[test]
    fn modules() {
        assert_eq!(module_name("/lib/modules/x/ext4.ko.xz"), "ext4");
        assert_eq!(module_name("snd-hda"), "snd_hda");
    }
}
