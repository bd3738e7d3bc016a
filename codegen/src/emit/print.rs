//! Compiled print formats: one C function for each, in two passes over its values: how many bytes, then the bytes
//! (translate.cxx: `emit_compiled_printfs`; runtime contract 1.13).

use super::writer::{CWriter, script_literal};
use crate::plan::{Format, Plan};
use frontend::tree::{Conversion, Flag, FormatPart, Measure};

fn conversions(format: &Format) -> impl Iterator<Item = &Conversion> {
    format.parts.iter().filter_map(|part| match part {
        FormatPart::Conversion(conversion) => Some(conversion),
        FormatPart::Text(_) => None,
    })
}

/// Writes the argument structures, inside of `struct context`.
pub fn write_locals(out: &mut CWriter, plan: &Plan) {
    out.open("union {");
    for (index, format) in plan.formats.iter().enumerate() {
        let name = format.name(index);
        out.open(format!("struct {name}_locals {{"));
        let mut arg = 0;
        for conversion in conversions(format) {
            for measure in [conversion.width, conversion.precision] {
                if measure == Measure::Dynamic {
                    out.line(format!("int64_t arg{arg};"));
                    arg += 1;
                }
            }
            let kind = if conversion.letter == 's' { "const char *" } else { "int64_t " };
            out.line(format!("{kind}arg{arg};"));
            arg += 1;
        }
        if !format.to_stream {
            out.line("char *__retvalue;");
        }
        out.close(format!("}} {name};"));
    }
    out.close("} printf_locals;");
}

/// Writes the functions.
pub fn write_functions(out: &mut CWriter, plan: &Plan) {
    let has_text =
        plan.formats.iter().any(|format| format.parts.iter().any(|part| matches!(part, FormatPart::Text(_))));
    if has_text {
        out.gap();
        out.line("/* Copies the literal parts of formats; end is the last byte that may be written. */");
        out.open("static char *stp_put_text (char *str, const char *end, const char *src) {");
        out.line("while (*src && str <= end)");
        out.line("  *str++ = *src++;");
        out.line("return str;");
        out.close("}");
    }
    let old_pointers = plan.settings.compatible < (1, 3);
    for (index, format) in plan.formats.iter().enumerate() {
        out.gap();
        write_function(out, format, &format.name(index), old_pointers);
    }
}

fn write_function(out: &mut CWriter, format: &Format, name: &str, old_pointers: bool) {
    out.open(format!("static void {name} (struct context * __restrict__ c) {{"));
    out.line(format!("struct {name}_locals * __restrict__ l = & c->printf_locals.{name};"));
    out.line("char *str, *end;");
    let converts = conversions(format).next().is_some();
    if converts {
        out.line("int width, precision;");
    }
    if format.to_stream {
        out.line("unsigned long irqflags;");
        out.line("int num_bytes = 0;");
        out.line("(void) l;");
        write_parts(out, format, &Pass::Size, old_pointers);
        out.line("num_bytes = clamp (num_bytes, 0, STP_BUFFER_SIZE);");
        out.line("if (!_stp_print_trylock_irqsave (&irqflags))");
        out.line("  return;");
        out.line("str = (char *) _stp_reserve_bytes (num_bytes);");
        out.line("end = str ? str + num_bytes - 1 : NULL;");
        out.open("if (str && str <= end) {");
        write_parts(out, format, &Pass::Write { to_stream: true }, old_pointers);
        out.close("}");
        if format.can_fail() {
            out.label("err_unlock:");
        }
        out.line("_stp_print_unlock_irqrestore (&irqflags);");
    } else {
        out.line("str = l->__retvalue;");
        out.line("end = str + MAXSTRINGLEN - 1;");
        write_parts(out, format, &Pass::Write { to_stream: false }, old_pointers);
        out.line("if (str <= end)");
        out.line("  *str = '\\0';");
        out.line("else");
        out.line("  *end = '\\0';");
    }
    out.close("}");
}

enum Pass {
    Size,
    Write { to_stream: bool },
}

fn write_parts(out: &mut CWriter, format: &Format, pass: &Pass, old_pointers: bool) {
    let mut arg = 0;
    for part in &format.parts {
        match part {
            FormatPart::Text(text) => {
                let literal = script_literal(text);
                out.line(match pass {
                    Pass::Size => format!("num_bytes += sizeof ({literal}) - 1;"),
                    Pass::Write { .. } => format!("str = stp_put_text (str, end, {literal});"),
                });
            }
            FormatPart::Conversion(conversion) => {
                write_conversion(out, conversion, &mut arg, pass, old_pointers);
            }
        }
    }
}

fn write_conversion(
    out: &mut CWriter,
    conversion: &Conversion,
    arg: &mut usize,
    pass: &Pass,
    old_pointers: bool,
) {
    let mut next = || {
        *arg += 1;
        format!("l->arg{}", *arg - 1)
    };
    let limit = match pass {
        Pass::Size => "STP_BUFFER_SIZE",
        Pass::Write { .. } => "end - str + 1",
    };
    let mut measure = |measure: Measure| match measure {
        Measure::None => String::from("-1"),
        Measure::Static(value) => format!("clamp_t (int, {value}, 0, {limit})"),
        Measure::Dynamic => format!("clamp_t (int, {}, 0, {limit})", next()),
    };
    out.line(format!("width = {};", measure(conversion.width)));
    out.line(format!("precision = {};", measure(conversion.precision)));
    let mut value = next();
    let flags = flags(conversion);
    let call = match conversion.letter {
        'c' => match pass {
            Pass::Size => format!("_stp_vsprint_char_size ({value}, width, {flags})"),
            Pass::Write { .. } => format!("_stp_vsprint_char (str, end, {value}, width, {flags})"),
        },
        's' | 'm' | 'M' => {
            if conversion.letter != 's' {
                value = format!("(const char *) (intptr_t) {value}");
            }
            let letter = conversion.letter;
            match pass {
                Pass::Size => {
                    format!("_stp_vsprint_memory_size ({value}, width, precision, '{letter}', {flags})")
                }
                Pass::Write { .. } => {
                    format!("_stp_vsprint_memory (str, end, {value}, width, precision, '{letter}', {flags})")
                }
            }
        }
        'b' => match pass {
            Pass::Size => format!("_stp_vsprint_binary_size ({value}, width, precision)"),
            Pass::Write { .. } => {
                format!("_stp_vsprint_binary (str, end, {value}, width, precision, {flags})")
            }
        },
        letter => {
            if letter == 'p' && old_pointers {
                // Before language level 1.3 a pointer had the width of a machine word.
                out.line("if (width == -1)");
                out.line("  width = 2 + 2 * sizeof (void *);");
                out.line("precision = width - 2;");
                if conversion.flag != Some(Flag::Minus) {
                    out.line("precision = min_t (int, precision, 2 * sizeof (void *));");
                }
                value = format!("(unsigned long) {value}");
            }
            let base = match letter {
                'o' => 8,
                'x' | 'X' | 'p' => 16,
                _ => 10,
            };
            match pass {
                Pass::Size => format!("number_size ({value}, {base}, width, precision, {flags})"),
                Pass::Write { .. } => {
                    format!("number (str, end, {value}, {base}, width, precision, {flags})")
                }
            }
        }
    };
    match pass {
        Pass::Size => out.line(format!("num_bytes += {call};")),
        Pass::Write { to_stream } => {
            out.line(format!("str = {call};"));
            if matches!(conversion.letter, 'm' | 'M') {
                out.open("if (unlikely (str == NULL)) {");
                if *to_stream {
                    out.line("_stp_unreserve_bytes (num_bytes);");
                    out.line("goto err_unlock;");
                } else {
                    out.line("return;");
                }
                out.close("}");
            }
        }
    }
}

/// The runtime's flag bits (vsprintf.h): ZEROPAD 1, SIGN 2, PLUS 4, SPACE 8, LEFT 16, SPECIAL 32, LARGE 64.
fn flags(conversion: &Conversion) -> u32 {
    let given = match conversion.flag {
        None => 0,
        Some(Flag::Zero) => 1,
        Some(Flag::Plus) => 4,
        Some(Flag::Space) => 8,
        Some(Flag::Minus) => 16,
        Some(Flag::Special) => 32,
    };
    given
        | match conversion.letter {
            'd' | 'i' => 2,
            'p' => 32,
            'X' => 64,
            _ => 0,
        }
}
