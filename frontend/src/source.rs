//! Source files and places in them: [`SourceMap`], [`Pos`], and the [`Token`] that every tree node points back to.

use smol_str::SmolStr;
use std::sync::{Arc, OnceLock};

/// Index of a file in the [`SourceMap`] of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// Why a file is read; decides what is allowed in it and how its errors weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// The script itself: a file, standard input or `-e` text.
    User,
    /// Text of an `-E` option, parsed after the script.
    Extra,
    /// A `.stp` file of the tapset search path. Privileged: embedded C is allowed without `-g`.
    Tapset,
    /// A `.stpm` file of the tapset search path: `@define`s only.
    TapsetMacros,
    /// Text made by the translator itself.
    Synthetic,
}

impl FileKind {
    /// True for the files of the tapset search path.
    pub fn is_library(self) -> bool {
        matches!(self, FileKind::Tapset | FileKind::TapsetMacros)
    }
}

/// One source text with the name that messages print. A library file may be known before it is read.
#[derive(Debug)]
pub struct SourceFile {
    /// As printed: the path as given, `<input>`, `<input1>`...
    pub name: SmolStr,
    /// Role of the file.
    pub kind: FileKind,
    bytes: OnceLock<Arc<[u8]>>,
    line_starts: OnceLock<Vec<u32>>,
}

impl SourceFile {
    /// Wraps a text; everything from the first NUL byte on is dropped, as upstream's lexer does.
    pub fn new(name: impl Into<SmolStr>, kind: FileKind, bytes: &[u8]) -> Self {
        let file = Self::pending(name, kind);
        file.fill(bytes);
        file
    }

    /// A file whose text has not been read yet: empty until [`SourceFile::fill`].
    pub fn pending(name: impl Into<SmolStr>, kind: FileKind) -> Self {
        SourceFile { name: name.into(), kind, bytes: OnceLock::new(), line_starts: OnceLock::new() }
    }

    /// Gives a pending file its text, cut at the first NUL byte. A file that has a text keeps it.
    pub fn fill(&self, bytes: &[u8]) {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        self.bytes.get_or_init(|| Arc::from(&bytes[..end]));
    }

    /// The text, empty as long as the file is pending.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get().map_or(&[], |bytes| bytes)
    }

    fn line_starts(&self) -> &[u32] {
        if self.bytes.get().is_none() {
            return &[0];
        }
        self.line_starts.get_or_init(|| {
            let newlines = self.bytes().iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            std::iter::once(0).chain(newlines.map(|(index, _)| index as u32 + 1)).collect()
        })
    }

    /// Line and column of a byte offset, both 1-based; a column is a byte, a tab counts one.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset).max(1);
        (line as u32, offset - starts[line - 1] + 1)
    }

    /// Text of a 1-based line without its newline; `None` past the end.
    pub fn line_text(&self, line: u32) -> Option<&[u8]> {
        let starts = self.line_starts();
        let start = *starts.get((line as usize).checked_sub(1)?)? as usize;
        let rest = self.bytes().get(start..)?;
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        Some(&rest[..end])
    }
}

/// All files of a session, in the order in which they were added.
#[derive(Debug, Default, Clone)]
pub struct SourceMap {
    files: Vec<Arc<SourceFile>>,
}

impl SourceMap {
    /// A map without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and returns its number.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(Arc::new(file));
        FileId(self.files.len() as u32 - 1)
    }

    /// The file of that number. Numbers come only from [`SourceMap::add`] of the same session.
    pub fn file(&self, id: FileId) -> &Arc<SourceFile> {
        &self.files[id.0 as usize]
    }

    /// Every file with its number.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Arc<SourceFile>)> {
        self.files.iter().enumerate().map(|(index, file)| (FileId(index as u32), file))
    }

    /// `FILE:LINE:COLUMN` of a position.
    pub fn describe(&self, pos: Pos) -> String {
        let file = self.file(pos.file);
        let (line, column) = file.line_column(pos.offset);
        format!("{}:{line}:{column}", file.name)
    }
}

/// A byte in a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    /// The file.
    pub file: FileId,
    /// Byte offset from the start of the file, below 4 GiB.
    pub offset: u32,
}

/// Token kinds as upstream's messages name them (parse.cxx: `operator <<` of `token`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenKind {
    /// A word that is not a keyword, and every word that starts with `@`... in a call position.
    Identifier,
    /// Punctuation, and words that start with `@`.
    Operator,
    /// A string literal, without its quotes.
    String,
    /// A number literal as spelled.
    Number,
    /// A reserved word.
    Keyword,
    /// `%{ ... %}` without its brackets.
    Embedded,
    /// Something that the lexer could not make sense of.
    Junk,
}

/// A token as the parser saw it: what it says, where it stands, and through which expansions it came there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Kind, as printed.
    pub kind: TokenKind,
    /// Content, as printed between quotes.
    pub text: SmolStr,
    /// First byte of the token, or of the `$1`/`@1` that pasted it.
    pub pos: Pos,
    /// The macro invocation or the translator's own text that this token came from.
    pub expansion: Option<Arc<Expansion>>,
}

impl Token {
    /// A token that stands in the source itself.
    pub fn new(kind: TokenKind, text: impl Into<SmolStr>, pos: Pos) -> Self {
        Token { kind, text: text.into(), pos, expansion: None }
    }

    /// The outermost place in the source that led to this token: itself, or the macro invocation furthest out.
    pub fn outermost(&self) -> &Token {
        let mut token = self;
        while let Some(expansion) = &token.expansion {
            token = &expansion.invocation;
        }
        token
    }
}

/// One step of the chain that leads from a token to the text the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// What kind of step.
    pub kind: ExpansionKind,
    /// The token that was expanded (which may itself stem from an expansion).
    pub invocation: Token,
}

/// How a token came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpansionKind {
    /// From the body of a macro.
    Macro,
    /// From text that the translator made for the invocation token.
    Synthetic,
}
