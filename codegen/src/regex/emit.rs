//! The C text of an automaton.
//!
//! Upstream writes each state as a switch over 129 cases; with kernels built without jump tables these become trees
//! of comparisons. The tables here are the same automaton: byte classes are the coarsest partition that no pattern
//! set cuts, so replacing a byte by its class loses nothing, and a row holds what each arm of the switch did. A
//! state's finish lists are what upstream does on entering an accepting state, and on the NUL. Two things are not
//! written: the comparison of lengths (a later match with the same start is always longer), and the extra step
//! after NUL (it cannot record anything).
//!
//! The loop ends at NUL, or after MAXSTRINGLEN bytes or those of the longest literal, each list of assignments at its own
//! zero. A tagged one never looks beyond MAXSTRINGLEN: `matched()` takes what it finds from a copy of that length.
//! Nothing is on the stack but a few integers.

use std::fmt::Write as _;

use super::Dfa;
use super::tables::{Assignment, FIRST_ROW, Finish, MATCHED, POSITION, STOP, Tables};

/// Appends the automaton's C function.
pub(super) fn write(dfa: &Dfa, name: &str, longest: Option<usize>, out: &mut String) {
    let mut text = String::new();
    header(dfa, name, &mut text);
    if dfa.groups == 0 {
        untagged(&dfa.tables, longest, &mut text)
    } else {
        tagged(dfa, &mut text)
    }
    text.push_str("}\n");
    out.push_str(&text);
}

/// Appends a line; the text is only in memory, so writing cannot fail.
macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}

fn header(dfa: &Dfa, name: &str, out: &mut String) {
    out.push_str("// DFA for \"");
    for byte in dfa.pattern.bytes() {
        match byte {
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push_str("\"\n");
    let signature = format!("int {name} (struct context * __restrict__ c, const char *str)");
    line!(out, "{signature};");
    line!(out, "{signature}");
    line!(out, "{{");
}

/// The narrowest type for numbers up to `most`.
fn narrowest(most: u32) -> &'static str {
    match most {
        0..=0xff => "unsigned char",
        0x100..=0xffff => "unsigned short",
        _ => "unsigned int",
    }
}

/// `static const` array `name` in the narrowest type that fits, `per_line` numbers a line.
fn array(name: &str, values: &[u32], per_line: usize, out: &mut String) {
    let most = values.iter().max().copied().unwrap_or(0);
    line!(out, "\tstatic const {} {name}[{}] = {{", narrowest(most), values.len());
    for chunk in values.chunks(per_line.clamp(1, 24)) {
        let numbers: Vec<_> = chunk.iter().map(u32::to_string).collect();
        line!(out, "\t\t{},", numbers.join(", "));
    }
    line!(out, "\t}};");
}

/// The class of each byte. Class 0, the largest, is what C fills in.
fn classes(tables: &Tables, out: &mut String) {
    let mut runs: Vec<(usize, usize, u8)> = Vec::new();
    for (byte, &class) in tables.class_of.iter().enumerate().skip(1) {
        match runs.last_mut() {
            Some((_, last, same)) if *same == class && *last + 1 == byte => *last = byte,
            _ => runs.push((byte, byte, class)),
        }
    }
    runs.retain(|&(_, _, class)| class != 0);
    let entries: Vec<_> = runs
        .iter()
        .map(|&(first, last, class)| match first == last {
            true => format!("[{}] = {class}", c_byte(first)),
            false => format!("[{} ... {}] = {class}", c_byte(first), c_byte(last)),
        })
        .collect();
    line!(out, "\tstatic const unsigned char class_of[256] = {{");
    if entries.is_empty() {
        line!(out, "\t\t0,");
    }
    for chunk in entries.chunks(6) {
        line!(out, "\t\t{},", chunk.join(", "));
    }
    line!(out, "\t}};");
}

/// A byte as C source: a character where that reads better, else a number.
fn c_byte(byte: usize) -> String {
    match u8::try_from(byte) {
        Ok(c @ (b'\'' | b'\\')) => format!("'\\{}'", char::from(c)),
        Ok(c @ b' '..=b'~') => format!("'{}'", char::from(c)),
        _ => byte.to_string(),
    }
}

fn untagged(tables: &Tables, longest: Option<usize>, out: &mut String) {
    if tables.start < FIRST_ROW {
        line!(out, "\t(void) c;");
        line!(out, "\t(void) str;");
        line!(out, "\treturn {};", u32::from(tables.start == MATCHED));
        return;
    }
    classes(tables, out);
    line!(
        out,
        "\t/* A line per state, a column per class: the next state, {STOP} for no, {MATCHED} for yes. */"
    );
    let next: Vec<_> = tables.rows.iter().flat_map(|row| row.next.iter().map(|(to, _)| *to)).collect();
    array("next_state", &next, tables.classes, out);
    let at_end: Vec<_> = tables.rows.iter().map(|row| u32::from(row.at_end != Finish::No)).collect();
    array("match_at_end", &at_end, 24, out);
    line!(out, "\tunsigned int state = {}, i;\n", tables.start);
    line!(out, "\t(void) c;");
    let most = match longest {
        None => "(MAXSTRINGLEN)".to_owned(),
        Some(length) => format!("((MAXSTRINGLEN) > {length} ? (MAXSTRINGLEN) : {length})"),
    };
    line!(out, "\tfor (i = 0; i < (unsigned int) {most} && str[i] != '\\0'; i++) {{");
    line!(
        out,
        "\t\tstate = next_state[(state - {FIRST_ROW}) * {} + class_of[(unsigned char) str[i]]];",
        tables.classes
    );
    line!(out, "\t\tif (state < {FIRST_ROW})\n\t\t\treturn state == {MATCHED};\n\t}}");
    line!(out, "\treturn match_at_end[state - {FIRST_ROW}];");
}

/// The assignment lists, one after the other, each distinct one once.
struct Lists {
    /// The lists with the index each starts at: pairs of target + 1 and source, ended by 0. The empty one is first.
    known: indexmap::IndexMap<Vec<Assignment>, u32>,
    /// The index after the last list.
    length: u32,
    /// The register that holds the current position.
    position: u32,
}

impl Lists {
    fn new(position: u32) -> Self {
        Self { known: [(Vec::new(), 0)].into(), length: 1, position }
    }

    fn index(&mut self, list: &[Assignment]) -> u32 {
        if let Some(&index) = self.known.get(list) {
            return index;
        }
        let index = self.length;
        self.length += u32::try_from(2 * list.len() + 1).unwrap_or(u32::MAX / 2);
        self.known.insert(list.to_vec(), index);
        index
    }

    fn finish(&mut self, finish: &Finish) -> u32 {
        match finish {
            Finish::No => 0,
            Finish::Yes(list) => self.index(list),
        }
    }

    fn write(&self, out: &mut String) {
        let most = self.known.keys().flatten().map(|load| load.target + 1).max().unwrap_or(0);
        line!(out, "\tstatic const {} list[{}] = {{", narrowest(most.max(self.position)), self.length);
        for list in self.known.keys() {
            out.push_str("\t\t");
            for load in list {
                let source = if load.source == POSITION { self.position } else { load.source };
                let _ = write!(out, "{}, {source}, ", load.target + 1);
            }
            out.push_str("0,\n");
        }
        line!(out, "\t}};");
    }
}

fn tagged(dfa: &Dfa, out: &mut String) {
    let tables = &dfa.tables;
    let mut lists = Lists::new(tables.registers);
    let initial = lists.index(&tables.initial);
    let mut next = Vec::new();
    let mut load = Vec::new();
    let mut on_entry = Vec::new();
    let mut at_end = Vec::new();
    for row in &tables.rows {
        for (to, actions) in &row.next {
            next.push(*to);
            load.push(lists.index(actions));
        }
        on_entry.push(lists.finish(&row.on_entry));
        at_end.push(lists.finish(&row.at_end));
    }
    if tables.rows.is_empty() {
        // Nothing can match; C has no empty arrays.
        for array in [&mut next, &mut load, &mut on_entry, &mut at_end] {
            array.push(0);
        }
    }
    classes(tables, out);
    line!(out, "\t/* A line per state, a column per class: the next state, {STOP} for none. */");
    array("next_state", &next, tables.classes, out);
    line!(out, "\t/* The same for the list of loads to do on the way. */");
    array("load", &load, tables.classes, out);
    line!(out, "\t/* Per state the list of tags to set when a match ends here, and when the string does. */");
    array("match_here", &on_entry, 24, out);
    array("match_at_end", &at_end, 24, out);
    line!(out, "\t/* Lists of (target + 1, source register), each ended by 0. */");
    lists.write(out);
    line!(out, "\tint *reg = &c->last_match.tag_states[0][0];");
    line!(out, "\tint *tag = c->last_match.tag_vals;");
    line!(out, "\tunsigned int state = {}, todo = {initial}, i, k;\n", tables.start);
    line!(out, "\tfor (k = 0; k < STAPREGEX_MAX_TAG; k++)\n\t\ttag[k] = -1;");
    line!(out, "\tfor (i = 0; ; i++) {{");
    line!(out, "\t\treg[{}] = (int) i; /* the position, as a source */", lists.position);
    line!(out, "\t\tfor (k = todo; list[k] != 0; k += 2)");
    line!(out, "\t\t\treg[list[k] - 1] = reg[list[k + 1]];");
    line!(out, "\t\tif (state < {FIRST_ROW})\n\t\t\tbreak;");
    line!(out, "\t\tstate -= {FIRST_ROW};");
    // The first pair of a list is tag 0's: where the match starts. The first match found stays, but for longer
    // ones from the same start.
    let record = |array: &str, out: &mut String| {
        line!(out, "\t\tk = {array}[state];");
        line!(out, "\t\tif (k != 0 && (tag[0] < 0 || tag[0] == reg[list[k + 1]]))");
        line!(out, "\t\t\tfor (; list[k] != 0; k += 2)\n\t\t\t\ttag[list[k] - 1] = reg[list[k + 1]];");
    };
    record("match_here", out);
    line!(out, "\t\tif (i < (unsigned int) (MAXSTRINGLEN) && str[i] != '\\0') {{");
    line!(out, "\t\t\tk = state * {} + class_of[(unsigned char) str[i]];", tables.classes);
    line!(out, "\t\t\ttodo = load[k];\n\t\t\tstate = next_state[k];\n\t\t\tcontinue;\n\t\t}}");
    record("match_at_end", out);
    line!(out, "\t\tbreak;\n\t}}");
    line!(out, "\tstrlcpy(c->last_match.matched_str, str, MAXSTRINGLEN);");
    line!(out, "\tc->last_match.result = tag[0] >= 0;");
    line!(out, "\tif (!c->last_match.result)\n\t\treturn 0;");
    line!(out, "\tc->last_match.num_final_tags = {};\n\treturn 1;", dfa.num_tags());
}
