//! The unit with symbol, unwind and line tables (runtime contract 3.1). The runtime takes the loaded addresses of
//! sections from `staprun` and from the kernel; the last entry stands for the module itself.

use super::writer::{CWriter, literal};
use crate::plan::Plan;
use crate::symbols::{Object, Section, Table};
use std::fmt::Write as _;

/// Name of the unit.
pub const UNIT: &str = "stap_symbols.c";

/// Writes the unit.
pub fn write_symbols(plan: &Plan) -> String {
    let mut out = CWriter::new();
    out.directive("#include <linux/module.h>");
    out.directive("#include <linux/kernel.h>");
    // It says which tables are wanted, and so what the next header declares.
    out.directive("#include \"stap_common.h\"");
    out.directive("#include <sym.h>");
    for (index, object) in plan.symbols.objects.iter().enumerate() {
        out.gap();
        write_object(&mut out, plan, index, object);
    }
    out.gap();
    write_self(&mut out, plan);
    out.gap();
    let modules: String =
        (0..plan.symbols.objects.len()).map(|index| format!("& _stp_module_{index}, ")).collect();
    out.line(format!("struct _stp_module *_stp_modules[] = {{ {modules}& _stp_module_self }};"));
    out.line("const unsigned _stp_num_modules = ARRAY_SIZE (_stp_modules);");
    out.line("unsigned long _stp_kretprobe_trampoline = -1;");
    out.finish()
}

fn write_self(out: &mut CWriter, plan: &Plan) {
    // The unwinder, which fills it in, is in another unit.
    let linkage = if plan.needs.unwind || plan.needs.lines { "" } else { "static " };
    out.line("/* The module itself; the runtime fills in where it was loaded. */");
    // First, so that this single byte comes last in memory, where nothing has to be aligned behind it.
    out.line("static uint8_t _stp_module_self_eh_frame[] = {0};");
    out.line(format!("{linkage}struct _stp_symbol _stp_module_self_symbols_0[] = {{{{0}}}};"));
    out.line(format!("{linkage}struct _stp_symbol _stp_module_self_symbols_1[] = {{{{0}}}};"));
    out.open(format!("{linkage}struct _stp_section _stp_module_self_sections[] = {{"));
    for (index, name) in [".symtab", ".text"].iter().enumerate() {
        out.line(format!(
            "{{ .name = \"{name}\", .symbols = _stp_module_self_symbols_{index}, .num_symbols = 0 }},"
        ));
    }
    out.close("};");
    out.open(format!("{linkage}struct _stp_module _stp_module_self = {{"));
    out.line(".name = \"stap_self_tmp_value\",");
    out.line(".path = \"stap_self_tmp_value\",");
    out.line(".num_sections = 2,");
    out.line(".sections = _stp_module_self_sections,");
    out.line(".eh_frame = _stp_module_self_eh_frame,");
    out.close("};");
}

fn write_object(out: &mut CWriter, plan: &Plan, index: usize, object: &Object) {
    out.line(format!("/* {} */", super::writer::comment(&object.name)));
    let prefix = format!("_stp_module_{index}");
    let tables = tables(plan, object);
    for (name, table) in &tables {
        write_bytes(out, &format!("{prefix}_{name}"), &table.bytes);
    }
    for (number, section) in object.sections.iter().enumerate() {
        if let Some(index) = &section.frame_index {
            write_bytes(out, &format!("{prefix}_debug_frame_hdr_{number}"), index);
        }
        write_symbol_table(out, &format!("{prefix}_symbols_{number}"), section);
    }
    out.open(format!("static struct _stp_section {prefix}_sections[] = {{"));
    for (number, section) in object.sections.iter().enumerate() {
        let mut line = format!(
            "{{ .name = {}, .size = 0x{:x}, .symbols = {prefix}_symbols_{number}, .num_symbols = {}",
            literal(&section.name),
            section.size,
            section.symbols.len()
        );
        if let Some(index) = &section.frame_index {
            let name = format!("{prefix}_debug_frame_hdr_{number}");
            line += &format!(", .debug_hdr = {name}, .debug_hdr_len = {}", index.len());
        }
        if section.load_address != 0 {
            line += &format!(", .sec_load_offset = 0x{:x}", section.load_address);
        }
        out.line(line + " },");
    }
    out.close("};");
    out.open(format!("static struct _stp_module {prefix} = {{"));
    out.line(format!(".name = {},", literal(&object.name)));
    if let Some(path) = &object.path {
        out.line(format!(".path = {},", literal(path)));
    }
    out.line(format!(".sections = {prefix}_sections,"));
    out.line(format!(".num_sections = ARRAY_SIZE ({prefix}_sections),"));
    for (name, table) in &tables {
        // The runtime's name for the search table is another one.
        let field = if *name == "eh_frame_hdr" { "unwind_hdr" } else { name };
        out.line(format!(".{field} = {prefix}_{name},"));
        out.line(format!(".{field}_len = {},", table.bytes.len()));
        if field == "unwind_hdr" || field == "eh_frame" {
            out.line(format!(".{field}_addr = 0x{:x},", table.address));
        }
    }
    if let Some(id) = &object.build_id {
        let bits: String = id.bits.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        out.line(format!(".build_id_bits = (unsigned char *) \"{bits}\","));
        out.line(format!(".build_id_len = {},", id.bits.len()));
        out.line(format!(".build_id_offset = 0x{:x},", id.offset));
    }
    out.close("};");
}

/// The tables that an object has and the runtime knows, with the names of their fields.
fn tables<'a>(plan: &Plan, object: &'a Object) -> Vec<(&'static str, &'a Table)> {
    let all = [
        ("debug_frame", &object.debug_frame),
        ("eh_frame", &object.eh_frame),
        ("eh_frame_hdr", &object.eh_frame_hdr),
        ("debug_line", &object.debug_line),
        ("debug_line_str", &object.debug_line_str),
    ];
    all.into_iter()
        .filter(|(name, _)| *name != "debug_line_str" || plan.profile.debug_line_str)
        .filter_map(|(name, table)| Some((name, table.as_ref()?)))
        .collect()
}

/// The runtime looks at the first element even if it is told that there are none.
fn write_symbol_table(out: &mut CWriter, name: &str, section: &Section) {
    if section.symbols.is_empty() {
        out.line(format!("static struct _stp_symbol {name}[] = {{{{0}}}};"));
        return;
    }
    out.open(format!("static struct _stp_symbol {name}[] = {{"));
    for (at, symbol) in &section.symbols {
        out.line(format!("{{ 0x{at:x}, {} }},", literal(symbol)));
    }
    out.close("};");
}

/// Bytes as string literals: compilers read these many times faster than lists of numbers. The final NUL is no part of
/// the table.
fn write_bytes(out: &mut CWriter, name: &str, bytes: &[u8]) {
    const PER_LINE: usize = 32;
    out.open(format!("static uint8_t {name}[] ="));
    let mut lines = bytes.chunks(PER_LINE).peekable();
    while let Some(chunk) = lines.next() {
        let mut text = String::with_capacity(4 * PER_LINE + 3);
        text.push('"');
        for byte in chunk {
            match byte {
                b'"' | b'\\' | b'?' => text.extend(['\\', char::from(*byte)]),
                b' '..=b'~' => text.push(char::from(*byte)),
                // Three digits: what follows may be a digit, too. Writing to a string cannot fail.
                other => drop(write!(text, "\\{other:03o}")),
            }
        }
        text.push_str(if lines.peek().is_some() { "\"" } else { "\";" });
        out.line(text);
    }
    out.close("");
}
