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

/// True if a link of a chain only says what the translator was doing when the next link happened.
fn is_context(diagnostic: &Diagnostic) -> bool {
    let message = &diagnostic.message;
    diagnostic.cause.is_some() && (message.starts_with("while ") || message.starts_with("resolution failed "))
}

/// The first link that says what is wrong is the message; the others go into labels and notes.
fn report(sources: &SourceMap, diagnostic: &Diagnostic) -> Report<usize> {
    let mut main = diagnostic;
    while let Some(cause) = main.cause.as_deref().filter(|_| is_context(main)) {
        main = cause;
    }
    let mut report = match main.severity {
        Severity::Error => Report::error(),
        Severity::Warning | Severity::Remark | Severity::Trace => Report::warning(),
    };
    report.code = match (main.severity, main.stage) {
        (Severity::Warning | Severity::Remark | Severity::Trace, _) | (_, Stage::Session) => None,
        (_, Stage::Parse) => Some("parse".into()),
        (_, Stage::Semantic) => Some("semantic".into()),
    };
    let (message, similar) = split_similar(&main.message);
    report.message = message.to_owned();
    let tokens = main.token.iter().chain(&main.second).zip(&main.labels);
    for (index, (token, label)) in tokens.enumerate() {
        let mut mark = match index {
            0 => Label::primary(token.pos.file.0 as usize, range(sources, token)),
            _ => Label::secondary(token.pos.file.0 as usize, range(sources, token)),
        };
        mark.message = label.clone().unwrap_or_default();
        report.labels.push(mark);
        mark_expansions(sources, token, &mut report);
    }
    let mut link = Some(diagnostic);
    while let Some(at) = link {
        link = at.cause.as_deref();
        if !std::ptr::eq(at, main) {
            match &at.token {
                Some(token) if Some(token.pos) != main.token.as_ref().map(|token| token.pos) => {
                    let file = token.pos.file.0 as usize;
                    let mark = Label::secondary(file, range(sources, token)).with_message(&at.message);
                    report.labels.push(mark);
                    mark_expansions(sources, token, &mut report);
                }
                _ => report.notes.push(at.message.clone()),
            }
        }
        report.notes.extend(at.limitation.map(str::to_owned));
        report.notes.extend(at.notes.iter().cloned());
        report.notes.extend(at.help.iter().map(|help| format!("help: {help}")));
    }
    report.notes.extend(similar.map(|names| format!("help: similar names are {names}")));
    report
}

/// Parts upstream's ` (similar: a, b)` from a message.
fn split_similar(message: &str) -> (&str, Option<&str>) {
    match message.split_once(" (similar: ") {
        Some((message, rest)) if rest.ends_with(')') => (message, Some(&rest[..rest.len() - 1])),
        _ => (message, None),
    }
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
    fn what_is_wrong_comes_before_what_was_being_done() {
        let (sources, file) = one_file("probe nosuch {\n\tlog(\"a\")\n}\n");
        let token = word(file, 6, "nosuch");
        let cause = Diagnostic::semantic("b", "probe point mismatch").at(&token).help("is it spelled right?");
        let error = Diagnostic::semantic("a", "while resolving probe point").at(&token).because(cause);
        expect![[r#"
            error[semantic]: probe point mismatch
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
    fn a_second_place_of_an_error_is_a_label() {
        let (sources, file) = one_file("global a probe begin { a[1]=1 a = 2 }");
        let first = Diagnostic::semantic("b", "arity 1 first inferred here").at(&word(file, 23, "a"));
        let error =
            Diagnostic::semantic("a", "inconsistent arity (1 vs 0)").at(&word(file, 30, "a")).because(first);
        expect![[r#"
            error[semantic]: inconsistent arity (1 vs 0)
              ┌─ <input>:1:31
              │
            1 │ global a probe begin { a[1]=1 a = 2 }
              │                        -      ^
              │                        │       
              │                        arity 1 first inferred here

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
