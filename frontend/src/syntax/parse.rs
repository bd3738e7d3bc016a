//! The entry points: drives lexer, token layer and grammar over a file, and goes on after errors.

use super::Gates;
use super::ast::Script;
use super::builder::Builder;
use super::class::{Id, Lexeme};
use super::classify::Classifier;
use super::errors::{unexpected, unexpected_end};
use super::fault::Fault;
use super::grammar::ScriptParser;
use super::lexer::Lexer;
use super::preprocess::{LibraryMacros, MAX_ERRORS, Stream, preprocess};
use super::token::RawToken;
use super::words::operator_word;
use crate::diag::{Diagnostic, Diagnostics};
use crate::session::Session;
use crate::source::{FileId, FileKind, SourceFile, Token, TokenKind};
use lalrpop_util::ParseError;
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// What parsing a file gives.
#[derive(Debug, Clone)]
pub struct Parse {
    /// The declarations; those of a file with errors are not complete.
    pub script: Script,
    /// Errors and warnings in source order.
    pub diagnostics: Diagnostics,
    /// Numbers (from 1) of the script arguments that the file pasted with `$N` or `@N`.
    pub used_arguments: BTreeSet<usize>,
    /// True if the text asks for the script's arguments or their number: its meaning may then differ between runs.
    pub asks_arguments: bool,
    /// True if no declaration was ever begun: there was no token to parse, or none in front of which preprocessing went
    /// well.
    pub empty: bool,
    /// True if the file had a token before preprocessing.
    pub saw_tokens: bool,
}

/// Parses a script or a tapset file. The source's kind says whether it is privileged.
pub fn parse(session: &Session, file: FileId, source: &SourceFile, macros: &LibraryMacros) -> Parse {
    let gates = Gates::new(session, source);
    let mut stream = run_preprocessor(session, file, source, macros, gates);
    join_strings(&mut stream, gates);
    let privileged = source.kind.is_library() || session.guru;
    let mut builder = Builder::new(file, privileged, &stream, gates);
    let mut classifier = Classifier::new(&stream.tokens, &stream.errors, gates, privileged);
    let mut faults = Vec::new();
    let parser = ScriptParser::new();
    let mut empty = true;
    loop {
        empty &= !classifier.at_token();
        let result = parser.parse(&mut builder, std::iter::from_fn(|| classifier.next_lexeme()));
        let fault = match result {
            Ok(()) => None,
            Err(ParseError::User { error }) => Some(*error),
            Err(ParseError::UnrecognizedToken { token: (_, Lexeme(class, id), _), .. }) => {
                Some(unexpected(&classifier.context(), class, &stream.tokens, id))
            }
            Err(ParseError::ExtraToken { token: (_, Lexeme(class, id), _) }) => {
                Some(unexpected(&classifier.context(), class, &stream.tokens, id))
            }
            Err(ParseError::UnrecognizedEof { .. } | ParseError::InvalidToken { .. }) => {
                Some(unexpected_end(&classifier.context(), &stream.tokens))
            }
        };
        faults.extend(builder.pending.take().map(|pending| *pending));
        let Some(fault) = fault else { break };
        if faults.len() >= MAX_ERRORS {
            break;
        }
        let resume = recover(&fault, &stream, &mut classifier, &mut faults);
        classifier.restart(resume);
    }
    let script = builder.script;
    let mut diagnostics = std::mem::take(&mut stream.warnings);
    for fault in faults {
        diagnostics.push(fault.into_diagnostic(file, session.arguments.len()));
    }
    Parse {
        script,
        diagnostics,
        used_arguments: stream.used_arguments,
        asks_arguments: stream.asks_arguments,
        empty,
        saw_tokens: stream.saw_tokens,
    }
}

/// Notes an error and finds the token at which the next declaration may start.
fn recover(fault: &Fault, stream: &Stream, classifier: &mut Classifier<'_>, faults: &mut Vec<Fault>) -> u32 {
    faults.push(fault.clone());
    let mut at = fault.resume;
    if !fault.skip {
        return at;
    }
    loop {
        while let Some(error) = classifier.pending_error(at) {
            faults.push(error);
        }
        let Some(token) = stream.tokens.get(at as usize) else { return at };
        if starts_declaration(token) {
            return at;
        }
        at += 1;
    }
}

fn starts_declaration(token: &RawToken) -> bool {
    match token.token.kind {
        TokenKind::Keyword => {
            matches!(token.token.text.as_str(), "probe" | "private" | "global" | "function")
        }
        TokenKind::Embedded => true,
        _ => false,
    }
}

fn run_preprocessor(
    session: &Session,
    file: FileId,
    source: &SourceFile,
    macros: &LibraryMacros,
    gates: Gates,
) -> Stream {
    let lexer = Lexer::new(file, source.bytes(), &session.arguments, gates);
    preprocess(session, lexer, macros, &|name| is_operator_name(name, gates))
}

/// The tokens of a file as the lexer cuts them: with arguments pasted, before macros and conditionals.
pub fn tokens(session: &Session, file: FileId, source: &SourceFile) -> Vec<Token> {
    let gates = Gates::new(session, source);
    let mut lexer = Lexer::new(file, source.bytes(), &session.arguments, gates);
    std::iter::from_fn(|| lexer.next_token()).map(|raw| raw.token).collect()
}

/// True for the names whose use as a macro deserves a warning (parse.cxx: `lexer::atwords`).
fn is_operator_name(name: &str, gates: Gates) -> bool {
    match name {
        "const" | "variance" => gates.has(3, 1),
        _ => operator_word(&format!("@{name}"), gates).is_some(),
    }
}

/// Joins string literals that follow each other. Nothing may come between them but white space (and, since 2.0,
/// comments).
fn join_strings(stream: &mut Stream, gates: Gates) {
    let adjacent = |left: &RawToken, right: &RawToken| {
        left.token.kind == TokenKind::String
            && right.token.kind == TokenKind::String
            && (gates.has(2, 0) || !right.commented)
    };
    if !stream.adjacent_strings {
        return;
    }
    let mut errors = stream.errors.iter_mut().peekable();
    let mut conditions = stream.version_conditions.iter_mut().peekable();
    let mut joined: Vec<RawToken> = Vec::with_capacity(stream.tokens.len());
    let mut tail = String::new();
    for (index, token) in std::mem::take(&mut stream.tokens).into_iter().enumerate() {
        let mut broken = false;
        while let Some(error) = errors.next_if(|(at, _)| *at == index) {
            broken = true;
            error.0 = joined.len();
        }
        while let Some(condition) = conditions.next_if(|at| **at == index) {
            *condition = joined.len();
        }
        match joined.last_mut() {
            Some(last) if !broken && adjacent(last, &token) => {
                if tail.is_empty() {
                    tail.push_str(&last.token.text);
                }
                tail.push_str(&token.token.text);
            }
            last => {
                if let Some(last) = last
                    && !tail.is_empty()
                {
                    last.token.text = SmolStr::from(std::mem::take(&mut tail));
                }
                joined.push(token);
            }
        }
    }
    if let Some(last) = joined.last_mut()
        && !tail.is_empty()
    {
        last.token.text = SmolStr::from(tail);
    }
    for error in errors {
        error.0 = joined.len();
    }
    for condition in conditions {
        *condition = joined.len();
    }
    stream.tokens = joined;
}

/// Site of the error that a macro of an earlier `.stpm` file is defined again.
pub const DEFINED_AGAIN: &str = "macro-file-duplicate";

/// Reads a `.stpm` file and adds its macros: all of them, or none if anything is wrong.
///
/// `macros` are those of the files before it in search order.
pub fn parse_macros(
    session: &Session,
    file: FileId,
    source: &SourceFile,
    macros: &mut LibraryMacros,
) -> Diagnostics {
    let gates = Gates::new(session, source);
    let stream = run_preprocessor(session, file, source, macros, gates);
    let mut diagnostics = stream.warnings;
    // Upstream stops at the first error, and any token that is left is one.
    let error = stream.errors.into_iter().next();
    let stray = stream.tokens.first();
    let fault = match (error, stray) {
        (Some((0, error)), _) | (Some((_, error)), None) => Some(Fault {
            site: error.site,
            message: error.message,
            place: error.token.map_or(super::fault::Place::Forgotten, super::fault::Place::At),
            resume: 0,
            skip: true,
            cause: error.cause,
        }),
        (_, Some(token)) => Some(Fault {
            place: super::fault::Place::At(token.clone()),
            ..Fault::saw(
                "macro-file-token",
                format!("unexpected token in library macro file '{}'", source.name),
                token,
                Id(0),
                true,
            )
        }),
        (None, None) => stream.macros.iter().find_map(|(name, entry)| {
            let earlier = macros.macros.get(name)?;
            let message = format!("duplicate definition of library macro '@{name}'");
            let first = Diagnostic::parse("macro-file-first", format!("macro '@{name}' first defined here"))
                .at(&earlier.token);
            Some(Fault {
                site: DEFINED_AGAIN,
                message,
                place: super::fault::Place::At(super::token::plain(entry.token.clone())),
                resume: 0,
                skip: true,
                cause: Some(Box::new(first)),
            })
        }),
    };
    match fault {
        Some(fault) => diagnostics.push(fault.into_diagnostic(file, session.arguments.len())),
        None => macros.macros.extend(stream.macros),
    }
    diagnostics
}

/// Parses the pattern of `-l` and `-L` as the script `probe PATTERN {}`; `file` is the number that its tokens get.
/// The source that is returned has the text that positions refer to.
pub fn parse_probe_pattern(
    session: &Session,
    file: FileId,
    pattern: &str,
    macros: &LibraryMacros,
) -> (SourceFile, Parse) {
    let text = format!("probe {pattern} {{}}");
    let source = SourceFile::new("<input>", FileKind::User, text.as_bytes());
    let parse = parse(session, file, &source, macros);
    (source, parse)
}
