//! Diagnostics for people at a terminal: frames, labels, notes and help, by codespan-reporting.

use codespan_reporting::diagnostic::{Diagnostic as Report, Label};
use codespan_reporting::files::{Error, Files};
use codespan_reporting::term;
use codespan_reporting::term::termcolor::{Ansi, NoColor, WriteColor};
use frontend::diag::{Diagnostic, Severity, Stage};
use frontend::source::{ExpansionKind, FileId, SourceMap, Token, TokenKind};
use std::ops::Range;

/// Text of a diagnostic with its causes.
pub fn render(sources: &SourceMap, diagnostic: &Diagnostic, color: bool) -> Vec<u8> {
    let texts = Texts::new(sources);
    let report = report(sources, diagnostic);
    let config = term::Config { tab_width: 8, ..term::Config::default() };
    // Writing to memory fails only for a place outside its file, which would be a bug of the pass that made it: then
    // the message alone must do.
    let drawn = if color {
        draw(Ansi::new(Vec::new()), &config, &texts, &report).map(Ansi::into_inner)
    } else {
        draw(NoColor::new(Vec::new()), &config, &texts, &report).map(NoColor::into_inner)
    };
    drawn.unwrap_or_else(|_| format!("{}\n", report.message).into_bytes())
}

fn draw<W: WriteColor>(
    mut writer: W,
    config: &term::Config,
    texts: &Texts<'_>,
    report: &Report<usize>,
) -> Result<W, Error> {
    term::emit(&mut writer, config, texts, report)?;
    Ok(writer)
}

/// The innermost cause is the message; what it interrupted goes into labels and notes.
fn report(sources: &SourceMap, diagnostic: &Diagnostic) -> Report<usize> {
    let mut chain = vec![diagnostic];
    while let Some(cause) = chain.last().and_then(|last| last.cause.as_deref()) {
        chain.push(cause);
    }
    let inner = chain.pop().unwrap_or(diagnostic);
    let word = match (inner.severity, inner.stage) {
        (Severity::Warning, _) | (_, Stage::Session) => "",
        (_, Stage::Parse) => "parse error: ",
        (_, Stage::Semantic) => "semantic error: ",
    };
    let mut report = match inner.severity {
        Severity::Error => Report::error(),
        Severity::Warning => Report::warning(),
    };
    report.message = format!("{word}{}", inner.message);
    let tokens = inner.token.iter().chain(&inner.second).zip(&inner.labels);
    for (index, (token, label)) in tokens.enumerate() {
        let mut mark = match index {
            0 => Label::primary(token.pos.file.0 as usize, range(sources, token)),
            _ => Label::secondary(token.pos.file.0 as usize, range(sources, token)),
        };
        mark.message = label.clone().unwrap_or_default();
        report.labels.push(mark);
        mark_expansions(sources, token, &mut report);
    }
    for outer in chain.iter().rev() {
        match &outer.token {
            Some(token) if Some(token.pos) != inner.token.as_ref().map(|token| token.pos) => {
                let file = token.pos.file.0 as usize;
                let mark = Label::secondary(file, range(sources, token)).with_message(&outer.message);
                report.labels.push(mark);
                mark_expansions(sources, token, &mut report);
            }
            _ => report.notes.push(outer.message.clone()),
        }
    }
    for link in chain.iter().copied().chain([inner]) {
        report.notes.extend(link.notes.iter().cloned());
        report.notes.extend(link.help.iter().map(|help| format!("help: {help}")));
    }
    report
}

fn mark_expansions(sources: &SourceMap, token: &Token, report: &mut Report<usize>) {
    let mut token = token;
    while let Some(expansion) = &token.expansion {
        token = &expansion.invocation;
        let message = match expansion.kind {
            ExpansionKind::Macro => "in expansion of this macro",
            ExpansionKind::Synthetic => "in code made for this",
        };
        let mark = Label::secondary(token.pos.file.0 as usize, range(sources, token));
        report.labels.push(mark.with_message(message));
    }
}

/// The bytes of a token, at least one unless the file ends there.
fn range(sources: &SourceMap, token: &Token) -> Range<usize> {
    let bytes = sources.file(token.pos.file).bytes();
    let start = (token.pos.offset as usize).min(bytes.len());
    let rest = &bytes[start..];
    let spelled = match token.kind {
        // A string's text is without its quotes.
        TokenKind::String if rest.first() == Some(&b'"') => token.text.len() + 2,
        _ if rest.starts_with(token.text.as_bytes()) => token.text.len(),
        _ => {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@' | b'#');
            rest.iter().take_while(|byte| word(byte)).count()
        }
    };
    let line = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    start..start + spelled.clamp(1, line.max(1)).min(rest.len())
}

/// Sources as text: each byte that is no ASCII becomes `?` unless the whole file is UTF-8, so that offsets stay.
struct Texts<'a> {
    sources: &'a SourceMap,
    texts: Vec<std::sync::OnceLock<String>>,
}

impl<'a> Texts<'a> {
    fn new(sources: &'a SourceMap) -> Self {
        let texts = sources.iter().map(|_| std::sync::OnceLock::new()).collect();
        Texts { sources, texts }
    }

    fn text(&self, id: usize) -> Result<&str, Error> {
        let cell = self.texts.get(id).ok_or(Error::FileMissing)?;
        Ok(cell.get_or_init(|| {
            let bytes = self.sources.file(FileId(id as u32)).bytes();
            match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }).collect(),
            }
        }))
    }
}

impl<'a> Files<'a> for Texts<'a> {
    type FileId = usize;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, id: usize) -> Result<&'a str, Error> {
        self.text(id)?;
        Ok(&self.sources.file(FileId(id as u32)).name)
    }

    fn source(&'a self, id: usize) -> Result<&'a str, Error> {
        self.text(id)
    }

    fn line_index(&'a self, id: usize, byte: usize) -> Result<usize, Error> {
        self.text(id)?;
        let (line, _) = self.sources.file(FileId(id as u32)).line_column(byte as u32);
        Ok(line as usize - 1)
    }

    fn line_range(&'a self, id: usize, line: usize) -> Result<Range<usize>, Error> {
        let text = self.text(id)?;
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1));
        let mut starts = starts.skip(line);
        let start = starts.next().ok_or(Error::LineTooLarge { given: line, max: 0 })?;
        Ok(start..starts.next().unwrap_or(text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{one_file, word};
    use super::*;
    use expect_test::expect;
    use frontend::source::Pos;

    fn plain(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
        String::from_utf8(render(sources, diagnostic, false)).unwrap()
    }

    #[test]
    fn the_cause_comes_first() {
        let (sources, file) = one_file("probe nosuch {\n\tlog(\"a\")\n}\n");
        let token = word(file, 6, "nosuch");
        let cause = Diagnostic::semantic("b", "probe point mismatch").at(&token).help("is it spelled right?");
        let error = Diagnostic::semantic("a", "while resolving probe point").at(&token).because(cause);
        expect![[r#"
            error: semantic error: probe point mismatch
              ┌─ <input>:1:7
              │
            1 │ probe nosuch {
              │       ^^^^^^
              │
              = while resolving probe point
              = help: is it spelled right?

        "#]]
        .assert_eq(&plain(&sources, &error));
    }

    #[test]
    fn places_at_the_end_and_strange_bytes_are_no_trouble() {
        let mut sources = SourceMap::new();
        let file = frontend::source::SourceFile::new("x", frontend::source::FileKind::User, b"a \xff b");
        let file = sources.add(file);
        for offset in [2, 4, 5, 9] {
            let token = Token::new(TokenKind::Junk, "\u{fffd}", Pos { file, offset });
            assert!(plain(&sources, &Diagnostic::parse("a", "odd").at(&token)).contains("odd"));
        }
        let empty =
            sources.add(frontend::source::SourceFile::new("y", frontend::source::FileKind::User, b""));
        let token = Token::new(TokenKind::Junk, "x", Pos { file: empty, offset: 0 });
        assert!(plain(&sources, &Diagnostic::parse("a", "odd").at(&token)).contains("odd"));
    }
}
