//! The one edge where diagnostics become text: which of them are printed, and in which of three forms.

mod colors;
mod json;
mod rich;
mod stap;

pub use colors::Palette;

use frontend::diag::{Diagnostic, Severity, Stage};
use frontend::source::{FileId, SourceMap};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The form in which diagnostics are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Upstream's, which scripts match on (language.md 17).
    Stap(Palette),
    /// With frames, labels, notes and help; `true` for colours.
    Rich(bool),
    /// One JSON object for each line.
    Json,
}

/// What decides whether a diagnostic is printed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Verbosity of the pass at hand: from 1 on nothing counts as a repetition.
    pub verbosity: u32,
    /// `-l`, `-L` and the like: semantic errors are silent up to verbosity 1.
    pub dump_mode: bool,
    /// `-w`.
    pub suppress_warnings: bool,
    /// `-W`.
    pub warnings_are_errors: bool,
    /// `--semantic-keep-going`: every semantic error is kept for the catalogue.
    pub keep_going: bool,
}

/// Prints diagnostics, each site once, and counts them.
#[derive(Debug)]
pub struct Renderer {
    form: Form,
    /// What decides whether a diagnostic is printed; the driver sets the verbosity at the start of each pass.
    pub filter: Filter,
    seen_errors: BTreeSet<String>,
    seen_warnings: BTreeSet<String>,
    /// Those of `seen_errors` that fail nothing.
    excused_errors: usize,
    suppressed_errors: usize,
    suppressed_warnings: usize,
    last_file: Option<FileId>,
    catalogue: Vec<Diagnostic>,
}

impl Renderer {
    /// A renderer that has printed nothing yet.
    pub fn new(form: Form, filter: Filter) -> Self {
        Renderer {
            form,
            filter,
            seen_errors: BTreeSet::new(),
            seen_warnings: BTreeSet::new(),
            excused_errors: 0,
            suppressed_errors: 0,
            suppressed_warnings: 0,
            last_file: None,
            catalogue: Vec::new(),
        }
    }

    /// Text of a diagnostic for standard error, empty if it is not to be printed
    /// (session.cxx: `print_error`, `print_warning`).
    pub fn diagnostic(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<u8> {
        let spelled = spelled(sources, diagnostic);
        match diagnostic.severity {
            Severity::Warning => self.warning(sources, &spelled),
            Severity::Remark => self.remark(sources, &spelled),
            Severity::Trace => self.line(&spelled.message).into_bytes(),
            Severity::Error => self.error(sources, &spelled),
        }
    }

    fn warning(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<u8> {
        let filter = self.filter;
        let mut out = self.wrapped_errors(sources, diagnostic);
        if filter.suppress_warnings && (!filter.dump_mode || filter.verbosity <= 1) {
            return out;
        }
        let new = self.seen_warnings.insert(diagnostic.message.clone());
        if !new && filter.verbosity == 0 {
            self.suppressed_warnings += 1;
            return out;
        }
        out.extend(self.draw(sources, diagnostic));
        out
    }

    fn remark(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<u8> {
        let mut out = self.wrapped_errors(sources, diagnostic);
        out.extend(self.draw(sources, diagnostic));
        out
    }

    /// The errors that a warning or remark wraps come first in stap's form, and are there even with `-w`: the parser prints
    /// each kind once and their number, the warning is its caller's (main.cxx: tapset files). They fail nothing, but such an
    /// error of the user's own is then a repetition.
    fn wrapped_errors(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<u8> {
        let (Some(cause), Form::Stap(_)) = (&diagnostic.cause, &self.form) else { return Vec::new() };
        let mut out = Vec::new();
        for error in std::iter::once(&**cause).chain(&diagnostic.further) {
            let new = self.seen_errors.insert(sites(error));
            self.excused_errors += usize::from(new);
            if !new && self.filter.verbosity == 0 {
                self.suppressed_errors += 1;
                continue;
            }
            let links = std::iter::successors(Some(error), |link| link.cause.as_deref());
            links.for_each(|link| out.extend(self.draw(sources, link)));
        }
        for note in &diagnostic.notes {
            out.extend(format!("{note}\n").into_bytes());
        }
        out
    }

    fn error(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<u8> {
        let filter = self.filter;
        let semantic = diagnostic.stage == Stage::Semantic;
        if semantic && filter.keep_going {
            self.catalogue.push(diagnostic.clone());
        }
        let new = self.seen_errors.insert(sites(diagnostic));
        if semantic && filter.dump_mode && filter.verbosity <= 1 {
            return Vec::new();
        }
        if !new && filter.verbosity == 0 {
            self.suppressed_errors += 1;
            return Vec::new();
        }
        // Only the first form prints the links of a chain one by one, and each of them once.
        if matches!(self.form, Form::Stap(_)) {
            let mut out = Vec::new();
            let mut link = Some(diagnostic);
            while let Some(error) = link {
                let first = std::ptr::eq(error, diagnostic);
                if first || self.seen_errors.insert(sites(error)) || filter.verbosity > 1 {
                    out.extend(self.draw(sources, error));
                }
                link = error.cause.as_deref();
            }
            return out;
        }
        self.draw(sources, diagnostic)
    }

    fn draw(&mut self, sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<u8> {
        match &self.form {
            Form::Stap(palette) => {
                let mut page = stap::Page {
                    sources,
                    palette,
                    verbosity: self.filter.verbosity,
                    last_file: &mut self.last_file,
                    out: Vec::new(),
                };
                page.write(diagnostic);
                page.out
            }
            Form::Rich(color) => rich::render(sources, diagnostic, *color),
            Form::Json => json::render(sources, diagnostic).into_bytes(),
        }
    }

    /// A line that is no diagnostic (pass times, remarks), in the form of the run. The text has no final newline.
    pub fn line(&self, text: &str) -> String {
        match self.form {
            Form::Json => json::line(text),
            _ => format!("{text}\n"),
        }
    }

    /// A warning without a place.
    pub fn plain_warning(&mut self, message: &str) -> Vec<u8> {
        self.warning(&SourceMap::new(), &Diagnostic::warning("plain", message))
    }

    /// How many different errors there were, warnings included with `-W` (session.h: `num_errors`).
    pub fn errors(&self) -> usize {
        let warnings = if self.filter.warnings_are_errors { self.seen_warnings.len() } else { 0 };
        self.seen_errors.len() - self.excused_errors + warnings
    }

    /// What was held back (session.cxx: `report_suppression`).
    pub fn suppressed(&self) -> String {
        let mut out = String::new();
        let counts = [("error", self.suppressed_errors), ("warning", self.suppressed_warnings)];
        for (kind, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let text = format!("Number of similar {kind} messages suppressed: {count}.");
            let text = match &self.form {
                Form::Stap(palette) => palette.paint(kind, &text),
                _ => text,
            };
            out.push_str(&self.line(&text));
        }
        if !out.is_empty() {
            out.push_str(&self.line("Rerun with -v to see them."));
        }
        out
    }

    /// The list of `--semantic-keep-going` (session.cxx: `dump_saved_semantic_errors`), one error for each line,
    /// fields parted by tabs: file, line, column, token, message.
    pub fn catalogue(&self, sources: &SourceMap) -> String {
        let mut out = format!("SEMANTIC_ERRORS: {}\n", self.catalogue.len());
        let flat = |text: &str| text.replace(['\t', '\n', '\r'], " ");
        for error in &self.catalogue {
            let mut link = Some(error);
            while let Some(error) = link {
                let place = match error.second.as_ref().or(error.token.as_ref()) {
                    Some(token) => {
                        let file = sources.file(token.pos.file);
                        let (line, column) = file.line_column(token.pos.offset);
                        format!("{}\t{line}\t{column}\t{}", file.name, flat(&token.text))
                    }
                    None => "-\t0\t0\t-".to_owned(),
                };
                out.push_str(&format!("SEMANTIC_ERROR\t{place}\t{}\n", flat(&error.message)));
                link = error.cause.as_deref();
            }
        }
        out.push_str("SEMANTIC_ERRORS_END\n");
        out
    }
}

/// Identity of an error: its site and those of its causes (staptree.h: `errsrc_chain`).
fn sites(diagnostic: &Diagnostic) -> String {
    let mut all = diagnostic.site.to_owned();
    let mut link = diagnostic.cause.as_deref();
    while let Some(cause) = link {
        all.push('|');
        all.push_str(cause.site);
        link = cause.cause.as_deref();
    }
    all
}

/// The diagnostic with the tokens that its messages mention spelled out.
fn spelled<'d>(sources: &SourceMap, diagnostic: &'d Diagnostic) -> Cow<'d, Diagnostic> {
    let mut links = std::iter::successors(Some(diagnostic), |link| link.cause.as_deref());
    if links.all(|link| link.mention.is_none()) {
        return Cow::Borrowed(diagnostic);
    }
    let mut copy = diagnostic.clone();
    copy.message = diagnostic.text(
        |token| format!("{} at {}", stap::kind_and_text(token), sources.describe(token.pos)),
        |token| sources.describe(token.pos),
    );
    copy.cause = diagnostic.cause.as_deref().map(|cause| Box::new(spelled(sources, cause).into_owned()));
    Cow::Owned(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::source::{FileKind, Pos, SourceFile, Token, TokenKind};

    pub(super) fn one_file(text: &str) -> (SourceMap, FileId) {
        let mut sources = SourceMap::new();
        let file = sources.add(SourceFile::new("<input>", FileKind::User, text.as_bytes()));
        (sources, file)
    }

    pub(super) fn word(file: FileId, offset: u32, text: &str) -> Token {
        Token::new(TokenKind::Identifier, text, Pos { file, offset })
    }

    fn plain(filter: Filter) -> Renderer {
        Renderer::new(Form::Stap(Palette::none()), filter)
    }

    #[test]
    fn one_error_for_each_site_unless_verbose() {
        let (sources, file) = one_file("a b");
        let error = |at, text| Diagnostic::semantic("x", "no").at(&word(file, at, text));
        let mut quiet = plain(Filter::default());
        assert!(!quiet.diagnostic(&sources, &error(0, "a")).is_empty());
        assert!(quiet.diagnostic(&sources, &error(2, "b")).is_empty());
        assert_eq!(quiet.errors(), 1);
        assert_eq!(
            quiet.suppressed(),
            "Number of similar error messages suppressed: 1.\nRerun with -v to see them.\n"
        );
        let mut loud = plain(Filter { verbosity: 1, ..Filter::default() });
        assert!(!loud.diagnostic(&sources, &error(0, "a")).is_empty());
        assert!(!loud.diagnostic(&sources, &error(2, "b")).is_empty());
        assert_eq!(loud.suppressed(), "");
    }

    #[test]
    fn warnings_repeat_by_message_and_count_as_errors_on_demand() {
        let (sources, file) = one_file("a b");
        let warning = |at| Diagnostic::warning("x", "odd").at(&word(file, at, "a"));
        let mut renderer = plain(Filter { warnings_are_errors: true, ..Filter::default() });
        assert!(!renderer.diagnostic(&sources, &warning(0)).is_empty());
        assert!(renderer.diagnostic(&sources, &warning(2)).is_empty());
        assert_eq!(renderer.errors(), 1);
        let mut silent = plain(Filter { suppress_warnings: true, ..Filter::default() });
        assert!(silent.diagnostic(&sources, &warning(0)).is_empty());
        assert_eq!((silent.errors(), silent.suppressed()), (0, String::new()));
    }

    #[test]
    fn the_error_behind_a_skipped_file_is_printed_whatever_the_options() {
        let (sources, file) = one_file("a b");
        let about = |about: Diagnostic| {
            about.note("1 parse error.").because(Diagnostic::parse("x", "odd").at(&word(file, 2, "b")))
        };
        let error = "parse error: odd\n     at: identifier 'b' at <input>:1:3\n source: a b\n           ^\n";
        let squeeze = |text: Vec<u8>| {
            let text = String::from_utf8(text).expect("text");
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join("|")
        };
        let error = squeeze(error.into());
        for suppress_warnings in [false, true] {
            let filter = Filter { suppress_warnings, warnings_are_errors: true, ..Filter::default() };
            let mut renderer = plain(filter);
            let remark = renderer.diagnostic(&sources, &about(Diagnostic::remark("y", "skipped")));
            assert_eq!(squeeze(remark), format!("{error}|1 parse error."));
            assert_eq!(renderer.errors(), 0);
            let mut renderer = plain(filter);
            let warning = renderer.diagnostic(&sources, &about(Diagnostic::warning("y", "skipped")));
            let rest = if suppress_warnings { "" } else { "|WARNING: skipped" };
            assert_eq!(squeeze(warning), format!("{error}|1 parse error.{rest}"));
            assert_eq!(renderer.errors(), usize::from(!suppress_warnings));
        }
    }

    #[test]
    fn each_kind_of_error_behind_skipped_files_is_printed_once() {
        let (sources, file) = one_file("a b");
        let error = |site, text| Diagnostic::parse(site, format!("{text}.")).at(&word(file, 2, "b"));
        let about = Diagnostic::remark("y", "skipped").because(error("p", "odd")).note("3 parse errors.");
        let about = about.because_also(error("q", "even")).because_also(error("p", "odd"));
        let mut renderer = plain(Filter::default());
        let lines = |text: Vec<u8>| {
            let text = String::from_utf8(text).expect("text");
            text.lines().filter(|line| line.ends_with('.')).map(str::to_owned).collect::<Vec<_>>().join("|")
        };
        let first = renderer.diagnostic(&sources, &about);
        assert_eq!(lines(first), "parse error: odd.|parse error: even.|3 parse errors.");
        assert_eq!(lines(renderer.diagnostic(&sources, &about)), "3 parse errors.");
        assert_eq!(renderer.errors(), 0);
        assert!(renderer.suppressed().starts_with("Number of similar error messages suppressed: 4."));
        // The user's own error of that kind is a repetition, but the run has failed by then.
        assert!(renderer.diagnostic(&sources, &error("p", "odd")).is_empty());
    }

    #[test]
    fn listings_count_semantic_errors_silently() {
        let (sources, file) = one_file("a b");
        let error = Diagnostic::semantic("x", "no").at(&word(file, 0, "a"));
        let mut renderer = plain(Filter { dump_mode: true, verbosity: 1, ..Filter::default() });
        assert!(renderer.diagnostic(&sources, &error).is_empty());
        assert_eq!(renderer.errors(), 1);
    }

    #[test]
    fn the_catalogue_has_every_error() {
        let (sources, file) = one_file("a b");
        let filter = Filter { keep_going: true, ..Filter::default() };
        let mut renderer = plain(filter);
        let cause = Diagnostic::semantic("y", "because\tso").at(&word(file, 2, "b"));
        let error = Diagnostic::semantic("x", "no").because(cause);
        renderer.diagnostic(&sources, &error);
        renderer.diagnostic(&sources, &error);
        assert_eq!(
            renderer.catalogue(&sources),
            "SEMANTIC_ERRORS: 2\n\
             SEMANTIC_ERROR\t-\t0\t0\t-\tno\nSEMANTIC_ERROR\t<input>\t1\t3\tb\tbecause so\n\
             SEMANTIC_ERROR\t-\t0\t0\t-\tno\nSEMANTIC_ERROR\t<input>\t1\t3\tb\tbecause so\n\
             SEMANTIC_ERRORS_END\n"
        );
    }
}
