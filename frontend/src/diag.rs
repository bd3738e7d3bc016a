//! Diagnostics as data. They are made here and in the passes, and rendered at one edge (`src/render`).

use crate::source::Token;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Stops the run at the end of the current pass.
    Error,
    /// Printed, and counted as an error with `-W`.
    Warning,
    /// Tells the user of an error that stap prints and forgets: it counts as nothing, whatever the options. In stap's form
    /// only the error that it wraps and the notes are there.
    Remark,
    /// Tells how a pass goes on: one line, without its place. Raised only where the pass is very verbose (`-vv`).
    Trace,
}

/// The word in front of an error's message: `parse error: ...`, `semantic error: ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Found while reading tokens (pass 1).
    Parse,
    /// Found while analysing or translating (passes 2 and 3).
    Semantic,
    /// Found while setting the session up; printed as `ERROR: ...`.
    Session,
}

/// How the token of a parse error is introduced (language.md 17.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TokenTag {
    /// `at:`: the error names this token.
    #[default]
    At,
    /// `saw:`: the parser met this token where it wanted something else.
    Saw,
    /// `saw: FILE EOF`: the parser ran out of tokens; the token only says in which file.
    SawEof,
}

/// One message: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Which pass speaks.
    pub stage: Stage,
    /// Stable identity of the place in the translator that raises it. Upstream prints one error for each site
    /// (session.cxx: `print_error`), so this is the key for "similar messages suppressed".
    pub site: &'static str,
    /// First line, in upstream's wording where scripts and tests match on it.
    pub message: String,
    /// The place to look at.
    pub token: Option<Token>,
    /// How `token` is introduced in parse errors.
    pub tag: TokenTag,
    /// A second place, printed after the first.
    pub second: Option<Token>,
    /// A token that the message itself talks about: `{token}` in `message` stands for its description, `{place}` for
    /// its position.
    pub mention: Option<Token>,
    /// What each place shows, for the rich form: labels of `token` and `second`.
    pub labels: [Option<String>; 2],
    /// What this program does not do yet, if that is why; in every form, because stap has no such words.
    pub limitation: Option<&'static str>,
    /// Extra lines that explain; rich form only.
    pub notes: Vec<String>,
    /// What to do about it; rich form only.
    pub help: Option<String>,
    /// The error that this one wraps ("while resolving probe point" ...), printed after it.
    pub cause: Option<Box<Diagnostic>>,
    /// More errors like `cause`, when this is about all errors of a file; not in the rich form.
    pub further: Vec<Diagnostic>,
}

impl Diagnostic {
    fn new(severity: Severity, stage: Stage, site: &'static str, message: String) -> Self {
        Diagnostic {
            severity,
            stage,
            site,
            message,
            token: None,
            tag: TokenTag::At,
            second: None,
            mention: None,
            labels: [None, None],
            limitation: None,
            notes: Vec::new(),
            help: None,
            cause: None,
            further: Vec::new(),
        }
    }

    /// An error of pass 1.
    pub fn parse(site: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Stage::Parse, site, message.into())
    }

    /// An error of passes 2 and 3.
    pub fn semantic(site: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Stage::Semantic, site, message.into())
    }

    /// An error of the set-up: options, kernel, runtime.
    pub fn session(site: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Stage::Session, site, message.into())
    }

    /// A warning.
    pub fn warning(site: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Stage::Semantic, site, message.into())
    }

    /// A remark.
    pub fn remark(site: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Remark, Stage::Parse, site, message.into())
    }

    /// A line of a trace.
    pub fn trace(site: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Trace, Stage::Semantic, site, message.into())
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, token: &Token) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// Names the place of a parse error as the token that was seen instead of the wanted one.
    #[must_use]
    pub fn saw(mut self, token: &Token) -> Self {
        self.token = Some(token.clone());
        self.tag = TokenTag::Saw;
        self
    }

    /// Names a second place.
    #[must_use]
    pub fn and(mut self, token: &Token) -> Self {
        self.second = Some(token.clone());
        self
    }

    /// Names the token that `{token}` or `{place}` in the message stands for.
    #[must_use]
    pub fn mentioning(mut self, token: &Token) -> Self {
        self.mention = Some(token.clone());
        self
    }

    /// The message to print. `token` describes a token (`identifier 'x' at FILE:1:2`), `place` a position.
    pub fn text(&self, token: impl FnOnce(&Token) -> String, place: impl FnOnce(&Token) -> String) -> String {
        match &self.mention {
            Some(mention) if self.message.contains("{token}") => {
                self.message.replacen("{token}", &token(mention), 1)
            }
            Some(mention) => self.message.replacen("{place}", &place(mention), 1),
            None => self.message.clone(),
        }
    }

    /// Says that the reason is something that this program does not do yet.
    #[must_use]
    pub fn limitation(mut self, limitation: impl Into<Option<&'static str>>) -> Self {
        self.limitation = limitation.into();
        self
    }

    /// Adds a line of explanation.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Wraps another error.
    #[must_use]
    pub fn because(mut self, cause: Diagnostic) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Adds an error that stands beside the one it wraps.
    #[must_use]
    pub fn because_also(mut self, error: Diagnostic) -> Self {
        self.further.push(error);
        self
    }

    /// True for errors.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The bag that a pass fills and its caller renders.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty bag.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds all of another bag.
    pub fn append(&mut self, mut other: Diagnostics) {
        self.list.append(&mut other.list);
    }

    /// True if an error is among them.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// All of them, in the order in which they were raised.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// True if nothing was raised.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<T: IntoIterator<Item = Diagnostic>>(list: T) -> Self {
        Diagnostics { list: list.into_iter().collect() }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
