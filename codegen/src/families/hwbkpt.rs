//! `kernel.data`, `process.data`: hardware breakpoints on data.
//!
//! | point | meaning |
//! |---|---|
//! | `kernel.data(ADDRESS)[.length(N)].write`, `.rw` | N bytes (default 1) at an address are written, or read and written |
//! | `kernel.data("symbol").write`, `.rw` | the same for a kernel symbol, found when the module starts |
//! | `process.data(ADDRESS)[.length(N)].write`, `.rw` | the same in the process of `-c` or `-x` |
//!
//! The number of breakpoints is the hardware's (4 on x86). Runtime: `linux/stap-hw-breakpoint.h` where it exists.
//! Source: upstream tapsets.cxx, `hwbkpt_builder`.

use super::perf::{OVERFLOW_PARAMETERS, TAKE_REGISTERS};
use super::{EmitFamily, Group, GroupContext, GroupProbe, Mechanism, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::{CWriter, literal};
use crate::families::point::{self, rewritten};
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{Access, Answer, DeriveContext, Derived, Family, Param, Pattern};
use frontend::session::Session;
use frontend::syntax::ast::ProbePoint;
use frontend::tree::Literal;
use runtime_shim::profile::HwBreakpoint;
use smol_str::SmolStr;
use std::any::Any;
use std::sync::Arc;

/// A data breakpoint.
#[derive(Debug)]
pub struct Hwbkpt {
    /// False for `process.data`.
    pub in_kernel: bool,
    /// Address, 0 if there is a symbol instead.
    pub address: u64,
    /// Symbol, empty if there is an address.
    pub symbol: SmolStr,
    /// Bytes that are watched.
    pub length: i64,
    /// True for `.rw`.
    pub on_read: bool,
}

impl Attachment for Hwbkpt {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

macro_rules! patterns {
    ($($root:literal $access:ident [$(($name:literal, $param:ident)),+];)+) => {
        &[$(Pattern {
            components: &[($root, Param::None), $(($name, Param::$param)),+],
            access: Access::$access,
        }),+]
    };
}

const PATTERNS: &[Pattern] = patterns! {
    "kernel" Privileged [("data", Number), ("write", None)];
    "kernel" Privileged [("data", Number), ("rw", None)];
    "kernel" Privileged [("data", Number), ("length", Number), ("write", None)];
    "kernel" Privileged [("data", Number), ("length", Number), ("rw", None)];
    "kernel" Privileged [("data", String), ("write", None)];
    "kernel" Privileged [("data", String), ("rw", None)];
    "process" All [("data", Number), ("write", None)];
    "process" All [("data", Number), ("rw", None)];
    "process" All [("data", Number), ("length", Number), ("write", None)];
    "process" All [("data", Number), ("length", Number), ("rw", None)];
    "process" All [("data", String), ("write", None)];
    "process" All [("data", String), ("rw", None)];
    "process" All [("data", String), ("length", Number), ("write", None)];
    "process" All [("data", String), ("length", Number), ("rw", None)];
};

/// The family.
#[derive(Debug)]
pub struct HwbkptFamily;

impl Family for HwbkptFamily {
    fn name(&self) -> &'static str {
        "hwbkpt"
    }

    fn builder(&self) -> &'static str {
        "hwbkpt builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn available(&self, session: &Session, pattern: &Pattern) -> bool {
        let in_process = pattern.components[0].0 == "process";
        let by_name = pattern.components[1].1 == Param::String;
        let (major, minor) = if by_name { (5, 6) } else { (5, 1) };
        !in_process || !session.version.before(major, minor)
    }

    fn access(&self, session: &Session, pattern: &Pattern) -> Access {
        // Those of a process became everyone's with the dyninst runtime's own (NEWS of 5.6).
        if session.version.before(5, 6) { Access::Privileged } else { pattern.access }
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let kernel = &context.session.kernel;
        let root = if point::has(point, "kernel") { "kernel" } else { "process" };
        for option in ["CONFIG_PERF_EVENTS", "CONFIG_HAVE_HW_BREAKPOINT"] {
            if kernel.config.get(option).is_none_or(|value| value != "y") {
                let message = format!("{option} not available on this kernel");
                return Err(point::error("hwbkpt.config", point, message));
            }
        }
        if kernel.arch == "arm64" {
            let message = format!("{root}.data probes are not supported on arm64 kernels");
            return Err(point::error("hwbkpt.arch", point, message));
        }
        let in_kernel = root == "kernel";
        let symbol = point::string(point, "data").cloned().unwrap_or_default();
        if !in_kernel && !symbol.is_empty() {
            let message = "process.data(\"name\") requires --runtime=dyninst (or use process.data(ADDRESS))";
            return Err(point::error("hwbkpt.symbol", point, message));
        }
        let address = point::number(point, "data").unwrap_or(0) as u64;
        let length = point::number(point, "length").unwrap_or(1);
        let on_read = point::has(point, "rw");
        let mut components = vec![(root, None)];
        if address != 0 {
            components.push(("data", Some(Literal::Address(address))));
        } else if !symbol.is_empty() {
            components.push(("data", Some(Literal::String(symbol.clone()))));
        }
        // tapsets.cxx: `hwbkpt_derived_probe`, whose length is an unsigned number of 32 bits
        if length != 0 {
            components.push(("length", Some(Literal::Number(i64::from(length as u32)))));
        }
        components.push((if on_read { "rw" } else { "write" }, None));
        let attachment = Hwbkpt { in_kernel, address, symbol, length, on_read };
        let mut via = point.clone();
        if address != 0
            && let Some(data) = via.components.get_mut(1)
        {
            data.arg = Some(Literal::Address(address));
        }
        let derived = Derived::plain(rewritten(point, components), Arc::new(attachment));
        Ok(vec![Derived { via: Some(via), ..derived }])
    }
}

impl EmitFamily for HwbkptFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::HardwareBreakpoint)
    }
}

/// The breakpoints of a session.
#[derive(Debug)]
pub struct HwbkptMechanism;

impl Mechanism for HwbkptMechanism {
    fn group(&self) -> Group {
        Group::HardwareBreakpoint
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let entries: Vec<_> =
            cx.probes.iter().filter_map(|probe| Some((probe, probe.attachment::<Hwbkpt>()?))).collect();
        let count = entries.len();
        let generation = cx.plan.profile.hwbkpt;
        let mut out = CWriter::new();
        out.line("/* hardware breakpoints */");
        out.lines("#include <linux/perf_event.h>\n#include <linux/hw_breakpoint.h>");
        if generation != HwBreakpoint::Emitted {
            out.line("#include <linux/stap-hw-breakpoint.h>");
        }
        out.lines(OVERFLOW_PARAMETERS);
        out.line("static void enter_hwbkpt_probe (STAP_OVERFLOW_PARAMETERS);");
        out.line(format!("static struct perf_event_attr stap_hwbkpt_probe_array[{count}];"));
        match generation {
            HwBreakpoint::Emitted => {
                out.line(format!("static struct perf_event * __percpu * stap_hwbkpt_ret_array[{count}];"));
                out.lines(
                    "struct stap_hwbkpt_probe {\n\
                     \x20 unsigned registered_p : 1;\n\
                     \x20 const char * const symbol;\n\
                     \x20 const unsigned long address;\n\
                     \x20 uint8_t atype;\n\
                     \x20 unsigned int len;\n\
                     \x20 const struct stap_probe * const probe;\n\
                     };",
                );
            }
            HwBreakpoint::OneArray => out.line(format!("static void * stap_hwbkpt_ret_array[{count}];")),
            HwBreakpoint::TwoArrays => {
                out.line(format!("static struct perf_event * stap_hwbkpt_u_ret_array[{count}];"));
                out.line(format!("static struct perf_event * __percpu * stap_hwbkpt_k_ret_array[{count}];"));
            }
        }
        out.open("static struct stap_hwbkpt_probe stap_hwbkpt_probes[] = {");
        for (probe, breakpoint) in &entries {
            write_table_entry(&mut out, probe, breakpoint, generation);
        }
        out.close("};");
        out.gap();
        write_handler_call(&mut out, cx);
        out.gap();
        write_callback(&mut out, count);
        out.line("#undef STAP_OVERFLOW_PARAMETERS");
        let arrays = match generation {
            HwBreakpoint::Emitted => {
                return Sections {
                    declarations: out.finish(),
                    init: own_init(count),
                    exit: own_exit(count),
                    ..Sections::default()
                };
            }
            HwBreakpoint::OneArray => "stap_hwbkpt_ret_array",
            HwBreakpoint::TwoArrays => "stap_hwbkpt_u_ret_array, stap_hwbkpt_k_ret_array",
        };
        Sections {
            declarations: out.finish(),
            init: format!(
                "rc = stap_hwbkpt_init (&enter_hwbkpt_probe, stap_hwbkpt_probes, {count}, stap_hwbkpt_probe_array, {arrays}, &probe_point);\n"
            ),
            exit: format!("stap_hwbkpt_exit (stap_hwbkpt_probes, {count}, {arrays});\n"),
            ..Sections::default()
        }
    }
}

fn write_table_entry(
    out: &mut CWriter,
    probe: &GroupProbe<'_>,
    breakpoint: &Hwbkpt,
    generation: HwBreakpoint,
) {
    let access = if breakpoint.on_read { "HW_BREAKPOINT_R | HW_BREAKPOINT_W" } else { "HW_BREAKPOINT_W" };
    // The first runtimes knew kernel breakpoints only.
    let kernel = match generation {
        HwBreakpoint::Emitted => String::new(),
        HwBreakpoint::OneArray | HwBreakpoint::TwoArrays => {
            format!(".kernel_p = {}, ", u8::from(breakpoint.in_kernel))
        }
    };
    out.line(format!(
        "{{ {kernel}.address = (unsigned long) {:#x}ULL, .atype = {access}, .len = {}, .probe = {}, .symbol = {} }},",
        breakpoint.address,
        breakpoint.length,
        probe.pointer(),
        literal(&breakpoint.symbol)
    ));
}

fn write_handler_call(out: &mut CWriter, cx: &GroupContext<'_>) {
    out.open("static void hit_hwbkpt_probe (const struct stap_probe *stp, struct pt_regs *regs) {");
    let entry = Entry { before_handler: TAKE_REGISTERS, ..Entry::running("stp", "stp_probe_type_hwbkpt") };
    cx.entry(out, &entry);
    out.close("}");
}

/// The event says which breakpoint fired only by its attributes, and several probes may have the same ones: all of their
/// handlers run, for each of their events.
fn write_callback(out: &mut CWriter, count: usize) {
    out.open("static void enter_hwbkpt_probe (STAP_OVERFLOW_PARAMETERS) {");
    out.line("unsigned int i;");
    out.line("if (event->attr.type != PERF_TYPE_BREAKPOINT)");
    out.line("  return;");
    out.open(format!("for (i = 0; i < {count}; i++) {{"));
    out.line("struct perf_event_attr *hp = &stap_hwbkpt_probe_array[i];");
    out.line("if (event->attr.bp_addr == hp->bp_addr && event->attr.bp_type == hp->bp_type");
    out.line("    && event->attr.bp_len == hp->bp_len)");
    out.line("  hit_hwbkpt_probe (stap_hwbkpt_probes[i].probe, regs);");
    out.close("}");
    out.close("}");
}

/// What later runtimes do in `stap_hwbkpt_init`. A symbol that does not exist is a warning, as there.
fn own_init(count: usize) -> String {
    format!(
        "for (i = 0; i < {count}; i++) {{\n\
         \x20 struct stap_hwbkpt_probe *skp = &stap_hwbkpt_probes[i];\n\
         \x20 struct perf_event_attr *hp = &stap_hwbkpt_probe_array[i];\n\
         \x20 hw_breakpoint_init (hp);\n\
         \x20 hp->bp_addr = skp->address ? skp->address : kallsyms_lookup_name (skp->symbol);\n\
         \x20 if (!hp->bp_addr) {{\n\
         \x20   _stp_warn (\"Probe %s registration skipped: invalid symbol %s \", skp->probe->pp, skp->symbol);\n\
         \x20   continue;\n\
         \x20 }}\n\
         \x20 hp->bp_type = skp->atype;\n\
         \x20 hp->bp_len = skp->len <= 1 ? HW_BREAKPOINT_LEN_1 : skp->len == 2 ? HW_BREAKPOINT_LEN_2\n\
         \x20            : skp->len <= 4 ? HW_BREAKPOINT_LEN_4 : HW_BREAKPOINT_LEN_8;\n\
         \x20 probe_point = skp->probe->pp;\n\
         \x20 stap_hwbkpt_ret_array[i] = register_wide_hw_breakpoint (hp, &enter_hwbkpt_probe, NULL);\n\
         \x20 if (IS_ERR ((void __force *) stap_hwbkpt_ret_array[i])) {{\n\
         \x20   int err = PTR_ERR ((void __force *) stap_hwbkpt_ret_array[i]);\n\
         \x20   stap_hwbkpt_ret_array[i] = NULL;\n\
         \x20   _stp_warn (\"Hwbkpt probe %s: registration error [man warning::pass5] %d, addr %p, name %s\",\n\
         \x20              probe_point, err, (void *) skp->address, skp->symbol);\n\
         \x20 }} else\n\
         \x20   skp->registered_p = 1;\n\
         }}\n"
    )
}

fn own_exit(count: usize) -> String {
    format!(
        "for (i = 0; i < {count}; i++) {{\n\
         \x20 struct stap_hwbkpt_probe *skp = &stap_hwbkpt_probes[i];\n\
         \x20 if (!skp->registered_p)\n\
         \x20   continue;\n\
         \x20 unregister_wide_hw_breakpoint (stap_hwbkpt_ret_array[i]);\n\
         \x20 skp->registered_p = 0;\n\
         }}\n"
    )
}
