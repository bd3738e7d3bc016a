//! Upstream's form of diagnostics, byte for byte without colours (language.md 17; session.cxx: `build_error_msg`,
//! `print_error_source`, `print_token`).

use super::Palette;
use frontend::diag::{Diagnostic, Severity, Stage, TokenTag};
use frontend::source::{ExpansionKind, FileId, SourceMap, Token, TokenKind};

/// One diagnostic being written.
pub struct Page<'a> {
    /// Files that tokens point into.
    pub sources: &'a SourceMap,
    /// Colours.
    pub palette: &'a Palette,
    /// Verbosity of the pass.
    pub verbosity: u32,
    /// File of the last token of a semantic error or warning: not repeated by the next one.
    pub last_file: &'a mut Option<FileId>,
    /// The text so far. Bytes, since source lines are.
    pub out: Vec<u8>,
}

impl Page<'_> {
    /// Writes a diagnostic without its causes.
    pub fn write(&mut self, diagnostic: &Diagnostic) {
        match (diagnostic.severity, diagnostic.stage) {
            (Severity::Warning, _) => self.write_warning(diagnostic),
            (Severity::Remark | Severity::Trace, _) => {}
            (Severity::Error, Stage::Parse) => self.write_parse_error(diagnostic),
            (Severity::Error, Stage::Semantic) => self.write_semantic_error(diagnostic),
            (Severity::Error, Stage::Session) => self.put(&format!("ERROR: {}\n", diagnostic.message)),
        }
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn paint(&mut self, key: &str, text: &str) {
        let painted = self.palette.paint(key, text);
        self.put(&painted);
    }

    fn write_parse_error(&mut self, diagnostic: &Diagnostic) {
        self.paint("error", "parse error:");
        self.put(&format!(" {}\n", diagnostic.message));
        match (&diagnostic.token, diagnostic.tag) {
            (Some(token), TokenTag::SawEof) => {
                let file = &self.sources.file(token.pos.file).name;
                self.put(&format!("        saw: {file} EOF\n"));
            }
            (Some(token), tag) => {
                let word = if tag == TokenTag::At { "at" } else { "saw" };
                self.put(&format!("     {word:>6}: "));
                self.write_token(token);
                self.put("\n");
                self.write_source("     ", token);
            }
            (None, _) => {}
        }
        self.put("\n");
    }

    fn write_semantic_error(&mut self, diagnostic: &Diagnostic) {
        const ALIGN: &str = "        ";
        self.paint("error", "semantic error:");
        self.put(&format!(" {}", diagnostic.message));
        if diagnostic.token.is_none() && diagnostic.second.is_none() {
            self.put("\n");
        } else {
            self.put(": ");
        }
        for (index, token) in diagnostic.token.iter().chain(&diagnostic.second).enumerate() {
            self.write_short_token(token);
            self.put("\n");
            if index == 0 {
                self.write_site(diagnostic);
            }
            self.write_source(ALIGN, token);
        }
        if diagnostic.token.is_none() && diagnostic.second.is_none() {
            self.write_site(diagnostic);
        }
        if let Some(limitation) = diagnostic.limitation {
            self.put(&format!("{ALIGN}note: {limitation}\n"));
        }
        self.put("\n");
    }

    /// Where in the translator the error was raised, with `-vv`.
    fn write_site(&mut self, diagnostic: &Diagnostic) {
        if self.verbosity > 1 {
            self.put(&format!("   thrown from: {}\n", diagnostic.site));
        }
    }

    fn write_warning(&mut self, diagnostic: &Diagnostic) {
        self.paint("warning", "WARNING:");
        self.put(&format!(" {}", diagnostic.message));
        if let Some(token) = &diagnostic.token {
            self.put(": ");
            self.write_short_token(token);
        }
        self.put("\n");
        if let Some(token) = &diagnostic.token {
            self.write_source(" ", token);
        }
    }

    /// `identifier 'x' at FILE:LINE:COLUMN`.
    fn write_token(&mut self, token: &Token) {
        let place = self.sources.describe(token.pos);
        self.put(&kind_and_text(token));
        self.put(" at ");
        self.paint("source", &place);
    }

    /// The same, without the file's name if the last token was of that file too.
    fn write_short_token(&mut self, token: &Token) {
        if self.last_file.replace(token.pos.file) == Some(token.pos.file) {
            let (line, column) = self.sources.file(token.pos.file).line_column(token.pos.offset);
            self.put(&kind_and_text(token));
            self.put(" at ");
            self.paint("source", &format!(":{line}:{column}"));
        } else {
            self.write_token(token);
        }
    }

    /// The source line with a caret under the token, then the same for what it was expanded from.
    fn write_source(&mut self, align: &str, token: &Token) {
        let file = self.sources.file(token.pos.file);
        let (line, column) = file.line_column(token.pos.offset);
        let text = file.line_text(line).unwrap_or_default();
        let before = &text[..text.len().min(column as usize - 1)];
        let rest = &text[before.len()..];
        self.put(align);
        self.put("source: ");
        let mut pad = 0;
        if self.palette.is_on() {
            self.out.extend_from_slice(before);
            if rest.starts_with(token.text.as_bytes()) {
                self.paint("token", &token.text);
                self.out.extend_from_slice(&rest[token.text.len()..]);
            } else {
                // The token is not what the line says there: it came from a macro or an argument.
                self.put(" ... ");
                self.paint("token", &token.text);
                self.put(" ... ");
                self.out.extend_from_slice(rest);
                pad = 5;
            }
        } else {
            self.out.extend_from_slice(text);
        }
        self.put("\n");
        self.put(align);
        self.put("        ");
        // White space of the line stays as it is, so that tabs line up.
        let blanks = before.iter().map(|&byte| if is_space(byte) { byte } else { b' ' });
        self.out.extend(blanks);
        self.out.extend(std::iter::repeat_n(b' ', column as usize - 1 - before.len() + pad));
        self.paint("caret", "^");
        self.put("\n");
        if let Some(expansion) = &token.expansion {
            self.put(match expansion.kind {
                ExpansionKind::Macro => "\tin expansion of macro: ",
                ExpansionKind::Synthetic => "\tin synthesized code from: ",
            });
            self.write_token(&expansion.invocation);
            self.put("\n");
            self.write_source(align, &expansion.invocation);
        }
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// `identifier 'x'`; keywords and embedded code have no content (parse.cxx: `operator <<`).
pub fn kind_and_text(token: &Token) -> String {
    let kind = match token.kind {
        TokenKind::Identifier => "identifier",
        TokenKind::Operator => "operator",
        TokenKind::String => "string",
        TokenKind::Number => "number",
        TokenKind::Junk => "junk",
        TokenKind::Keyword => return "keyword".to_owned(),
        TokenKind::Embedded => return "embedded-code".to_owned(),
    };
    let printable = |byte: u8| if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '?' };
    let text: String = token.text.bytes().map(printable).collect();
    format!("{kind} '{text}'")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{one_file, word};
    use super::super::{Filter, Form, Palette, Renderer};
    use expect_test::{Expect, expect};
    use frontend::diag::Diagnostic;
    use frontend::source::{
        Expansion, ExpansionKind, FileKind, Pos, SourceFile, SourceMap, Token, TokenKind,
    };
    use std::sync::Arc;

    fn check(sources: &SourceMap, diagnostics: &[Diagnostic], expected: &Expect) {
        let mut renderer = Renderer::new(Form::Stap(Palette::none()), Filter::default());
        let text: Vec<u8> = diagnostics.iter().flat_map(|d| renderer.diagnostic(sources, d)).collect();
        expected.assert_eq(&String::from_utf8(text).unwrap());
    }

    #[test]
    fn parse_errors() {
        let (sources, file) = one_file("probe begin {\n\tfoo(x}\n");
        let brace = Token::new(TokenKind::Operator, "}", Pos { file, offset: 20 });
        let keyword = Token::new(TokenKind::Keyword, "probe", Pos { file, offset: 0 });
        let mut eof = Diagnostic::parse("c", "expected statement").at(&brace);
        eof.tag = frontend::diag::TokenTag::SawEof;
        check(
            &sources,
            &[
                Diagnostic::parse("a", "expected literal string or number").saw(&brace),
                Diagnostic::parse("b", "odd").at(&keyword),
                eof,
            ],
            &expect![[r#"
                parse error: expected literal string or number
                        saw: operator '}' at <input>:2:7
                     source: 	foo(x}
                             	     ^

                parse error: odd
                         at: keyword at <input>:1:1
                     source: probe begin {
                             ^

                parse error: expected statement
                        saw: <input> EOF

            "#]],
        );
    }

    #[test]
    fn semantic_errors_chain_and_do_not_repeat_the_file() {
        let (sources, file) = one_file("probe nosuch { }");
        let token = word(file, 6, "nosuch");
        let cause = Diagnostic::semantic("b", "probe point mismatch").at(&token);
        check(
            &sources,
            &[
                Diagnostic::semantic("a", "while resolving probe point").at(&token).because(cause),
                Diagnostic::semantic("c", "type mismatch (long vs. string)").at(&token).and(&token),
                Diagnostic::semantic("d", "no probes found"),
                Diagnostic::semantic("e", "no match").at(&token).limitation("not yet"),
            ],
            &expect![[r#"
                semantic error: while resolving probe point: identifier 'nosuch' at <input>:1:7
                        source: probe nosuch { }
                                      ^

                semantic error: probe point mismatch: identifier 'nosuch' at :1:7
                        source: probe nosuch { }
                                      ^

                semantic error: type mismatch (long vs. string): identifier 'nosuch' at :1:7
                        source: probe nosuch { }
                                      ^
                identifier 'nosuch' at :1:7
                        source: probe nosuch { }
                                      ^

                semantic error: no probes found

                semantic error: no match: identifier 'nosuch' at :1:7
                        source: probe nosuch { }
                                      ^
                        note: not yet

            "#]],
        );
    }

    #[test]
    fn warnings_and_expansions() {
        let mut sources = SourceMap::new();
        let library = sources.add(SourceFile::new("m.stpm", FileKind::TapsetMacros, b"@define m %( x %)\n"));
        let user = sources.add(SourceFile::new("u.stp", FileKind::User, b"probe begin { @m }\n"));
        let invocation = Token::new(TokenKind::Operator, "@m", Pos { file: user, offset: 14 });
        let mut token = word(library, 13, "x");
        token.expansion = Some(Arc::new(Expansion { kind: ExpansionKind::Macro, invocation }));
        check(
            &sources,
            &[
                Diagnostic::warning("w", "side effect free, unused").at(&token),
                Diagnostic::warning("v", "old"),
            ],
            &expect![[r#"
                WARNING: side effect free, unused: identifier 'x' at m.stpm:1:14
                 source: @define m %( x %)
                                      ^
                	in expansion of macro: operator '@m' at u.stp:1:15
                 source: probe begin { @m }
                                       ^
                WARNING: old
            "#]],
        );
    }

    #[test]
    fn colours_show_the_token_even_if_the_line_does_not() {
        let (sources, file) = one_file("probe $1 { }");
        let palette = Palette::parse(Some("token=1:caret=2"));
        let mut renderer = Renderer::new(Form::Stap(palette), Filter::default());
        let error = Diagnostic::semantic("a", "no").at(&word(file, 6, "nosuch"));
        let text = String::from_utf8(renderer.diagnostic(&sources, &error)).unwrap();
        let plain =
            text.replace("\x1b[K", "").replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[m", "");
        expect![[r#"
            semantic error: no: identifier 'nosuch' at <input>:1:7
                    source: probe  ... nosuch ... $1 { }
                                       ^

        "#]]
        .assert_eq(&plain);
    }
}
