//! The one writer of C text: indentation, blocks, directives.

/// C text under construction. Every method ends its line, so output always stands at the start of one.
#[derive(Debug, Default)]
pub struct CWriter {
    text: String,
    depth: usize,
}

impl CWriter {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }

    /// One line at the current depth; an empty one gets no blanks.
    pub fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            for _ in 0..self.depth {
                self.text.push_str("  ");
            }
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// An empty line, unless the last one is empty.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A line that opens a block: `if (x) {`.
    pub fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.depth += 1;
    }

    /// A line that closes a block: `}`.
    pub fn close(&mut self, line: impl AsRef<str>) {
        self.depth = self.depth.saturating_sub(1);
        self.line(line);
    }

    /// A line that closes one block and opens another: `} else {`.
    pub fn middle(&mut self, line: impl AsRef<str>) {
        self.close(line);
        self.depth += 1;
    }

    /// A label or the like, one step further left.
    pub fn label(&mut self, line: impl AsRef<str>) {
        self.depth = self.depth.saturating_sub(1);
        self.line(line);
        self.depth += 1;
    }

    /// A preprocessor directive, at the left margin.
    pub fn directive(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Several lines; each keeps its own indentation on top of the current depth, directives stay at the margin.
    pub fn lines(&mut self, lines: impl AsRef<str>) {
        for line in lines.as_ref().lines() {
            if line.starts_with('#') { self.directive(line) } else { self.line(line) }
        }
    }

    /// Text that is not ours, as it is, with a newline at its end.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// A C string literal of a script literal, whose C escapes are still in it and stay. What C would read otherwise is
/// escaped: quotes, control characters, bytes beyond ASCII, and `??`, which begins a trigraph.
pub fn script_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let bytes = text.as_bytes();
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        index += 1;
        match byte {
            b'\\' => {
                // An escape is kept with the character that it escapes.
                out.push('\\');
                match bytes.get(index) {
                    Some(&next) if (0x20..0x7f).contains(&next) => {
                        out.push(char::from(next));
                        index += 1;
                    }
                    Some(b'\n') => {
                        // A backslash before a line break joins lines in C: nothing is left of both.
                        out.pop();
                        index += 1;
                    }
                    _ => out.push('\\'),
                }
            }
            b'"' => out.push_str("\\\""),
            b'?' if bytes.get(index) == Some(&b'?') => out.push_str("\\?"),
            b'\n' => out.push_str("\\n"),
            0x20..0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

/// A C string literal of plain text.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for &byte in text.as_bytes() {
        match byte {
            b'\\' | b'"' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            0x20..0x7f => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

/// Text for the inside of a C comment.
pub fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_escapes_stay_and_quotes_are_added() {
        assert_eq!(script_literal(r#"a\n"b\"\\"#), r#""a\n\"b\"\\""#);
        assert_eq!(script_literal("tab\there"), r#""tab\011here""#);
        assert_eq!(script_literal("é"), r#""\303\251""#);
        assert_eq!(script_literal("what??!"), r#""what\??!""#);
        assert_eq!(script_literal("end\\"), r#""end\\""#);
    }

    #[test]
    fn blocks_indent_and_directives_do_not() {
        let mut out = CWriter::new();
        out.open("if (x) {");
        out.directive("#ifdef Y");
        out.lines("a;\n#endif\nb;");
        out.middle("} else {");
        out.label("out:");
        out.close("}");
        assert_eq!(out.finish(), "if (x) {\n#ifdef Y\n  a;\n#endif\n  b;\n} else {\nout:\n}\n");
    }
}
