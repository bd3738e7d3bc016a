//! The unit with symbol and unwind tables (runtime contract 3.1). Without debug information it only holds the entry
//! that stands for the module itself.

use super::writer::CWriter;
use crate::plan::Plan;

/// Name of the unit.
pub const UNIT: &str = "stap_symbols.c";

/// Writes the unit.
pub fn write_symbols(plan: &Plan) -> String {
    let mut out = CWriter::new();
    out.directive("#include <linux/module.h>");
    out.directive("#include <linux/kernel.h>");
    out.directive("#include <sym.h>");
    out.directive("#include \"stap_common.h\"");
    out.gap();
    out.line("/* The module itself; the runtime fills in where it was loaded. */");
    out.line("static struct _stp_symbol _stp_module_self_symbols_0[] = {{0}};");
    out.line("static struct _stp_symbol _stp_module_self_symbols_1[] = {{0}};");
    out.open("static struct _stp_section _stp_module_self_sections[] = {");
    for (index, name) in [".symtab", ".text"].iter().enumerate() {
        out.line(format!(
            "{{ .name = \"{name}\", .symbols = _stp_module_self_symbols_{index}, .num_symbols = 0 }},"
        ));
    }
    out.close("};");
    out.line("static uint8_t _stp_module_self_eh_frame[] = {0};");
    out.open("static struct _stp_module _stp_module_self = {");
    out.line(".name = \"stap_self_tmp_value\",");
    out.line(".path = \"stap_self_tmp_value\",");
    out.line(".num_sections = 2,");
    out.line(".sections = _stp_module_self_sections,");
    out.line(".eh_frame = _stp_module_self_eh_frame,");
    out.line(".eh_frame_len = 0,");
    out.line(".unwind_hdr_addr = 0,");
    out.line(".unwind_hdr = NULL,");
    out.line(".unwind_hdr_len = 0,");
    out.line(".debug_frame = NULL,");
    out.line(".debug_frame_len = 0,");
    out.line(".debug_line = NULL,");
    out.line(".debug_line_len = 0,");
    if plan.profile.debug_line_str {
        out.line(".debug_line_str = NULL,");
        out.line(".debug_line_str_len = 0,");
    }
    out.close("};");
    out.gap();
    out.line("struct _stp_module *_stp_modules[] = { & _stp_module_self };");
    out.line("const unsigned _stp_num_modules = ARRAY_SIZE (_stp_modules);");
    out.line("unsigned long _stp_kretprobe_trampoline = -1;");
    out.finish()
}
