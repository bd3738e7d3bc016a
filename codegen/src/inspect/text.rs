//! Emitted C taken apart: functions, without the words in strings and comments.

/// A handler or a function of the script.
#[derive(Debug)]
pub struct Body {
    /// Its C name.
    pub name: String,
    /// Its lines, trimmed.
    pub lines: Vec<Line>,
    /// It is C text of a script or tapset.
    pub embedded: bool,
}

/// A line of C.
#[derive(Debug)]
pub struct Line {
    /// Without blanks at both ends.
    pub text: String,
    /// How many braces are open where it begins.
    pub depth: usize,
    /// It belongs to an expression in C of the script.
    pub embedded: bool,
}

impl Body {
    /// True if the function of a script, not the handler of a probe.
    pub fn is_function(&self) -> bool {
        self.name.starts_with("function_")
    }
}

/// The same text with empty strings and without comments; lines stay lines.
pub fn without_words(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match from.as_bytes() {
            [b'"', ..] => {
                out.push_str("\"\"");
                1 + closing_quote(&from[1..])
            }
            [b'\'', b'\\', _, b'\'', ..] => 4,
            [b'\'', _, b'\'', ..] => 3,
            [b'/', b'*', ..] => {
                let length = from[2..].find("*/").map_or(from.len(), |end| end + 4);
                out.extend(from[..length].matches('\n'));
                length
            }
            [b'/', b'/', ..] => from.find('\n').unwrap_or(from.len()),
            _ => {
                let length = from.chars().next().map_or(0, char::len_utf8);
                out.push_str(&from[..length]);
                length
            }
        };
        rest = from.get(length..).unwrap_or_default();
    }
    out + rest
}

/// Bytes up to and with the quote that ends a string; a string does not go over the end of its line.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' if !escaped => return at,
            b'"' if !escaped => return at + 1,
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
    text.len()
}

/// Handlers and script functions of a plain text.
pub fn bodies(plain: &str) -> Vec<Body> {
    let head = " (struct context * __restrict__ c) {\n";
    let found = plain.match_indices(head).filter_map(|(at, _)| {
        let name = plain[..at].rsplit(' ').next()?.to_owned();
        // Texts of print statements are made by functions of their own, which follow a format and have no loops.
        let is_body = name.starts_with("function_") || name.starts_with("probe_");
        let end = plain[at..].find("\n}\n").map_or(plain.len(), |end| at + end);
        is_body.then(|| body(name, &plain[at + head.len()..end]))
    });
    found.collect()
}

fn body(name: String, text: &str) -> Body {
    let mut lines = Vec::new();
    let (mut depth, mut expression) = (0_usize, false);
    for line in text.lines() {
        let text = line.trim();
        // `x = ((int64_t) (CODE));` may have many lines.
        expression |= ["= ((int64_t) (", "= ((const char *) ("].iter().any(|start| text.contains(start));
        expression |= text.starts_with("(void) (") && text != "(void) l;";
        let closed = text.chars().take_while(|&c| c == '}').count();
        lines.push(Line { text: text.to_owned(), depth: depth.saturating_sub(closed), embedded: expression });
        depth = (depth + text.matches('{').count()).saturating_sub(text.matches('}').count());
        expression &= !text.ends_with(");");
    }
    // C of a script stands in a block of its own; all other blocks begin with labels.
    let is_code = |pair: &[Line]| matches!(pair, [open, next] if open.text == "{" && open.depth == 0 && !next.text.starts_with("__label__"));
    let embedded = name.starts_with("function_") && lines.windows(2).any(is_code);
    Body { name, lines, embedded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_left_out_and_lines_stay() {
        let text = "a = \"x { \\\" }\"; /* it's\n here */ b = '{'; c = '\\''; // end {\nd = x / y;";
        assert_eq!(without_words(text), "a = \"\"; \n b = ; c = ; \nd = x / y;");
    }

    #[test]
    fn code_of_scripts_is_told_from_blocks() {
        let code = "  {\n int x;\n  }\n";
        assert!(body("function_f".into(), code).embedded);
        assert!(!body("probe_0".into(), code).embedded);
        assert!(!body("function_f".into(), "  {\n    __label__ out;\n  }\n").embedded);
    }
}
