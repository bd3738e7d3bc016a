//! The token layer's first half: conditionals and macros (parse.cxx: `scan_pp`, `scan_pp1`, `skip_pp`).
//!
//! A whole file is preprocessed before it is parsed. What goes wrong becomes an entry of [`Stream::errors`], tied to the
//! token it stands in front of, so that the parser meets errors of both kinds in source order.

use super::condition::evaluate;
use super::lexer::Lexer;
use super::token::{RawToken, plain};
use crate::diag::{Diagnostic, Diagnostics};
use crate::session::Session;
use crate::source::{Expansion, ExpansionKind, Token, TokenKind};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Macros that may be active at once. Real ones nest a few deep; a macro that expands to itself has no end.
const MAX_ACTIVE_MACROS: usize = 1000;

/// Tokens that the macros of one file may expand to. Macros that double each other's output grow beyond any memory.
const MAX_EXPANDED_TOKENS: usize = 2_000_000;

/// Errors after which a file is given up: macros can multiply one mistake without end.
pub(crate) const MAX_ERRORS: usize = 10_000;

/// A macro.
#[derive(Debug, Clone)]
pub(crate) struct Macro {
    /// Token of its name in the definition.
    pub token: Token,
    /// Names of its parameters; without parameters an invocation takes no parentheses.
    pub params: Vec<SmolStr>,
    /// Raw tokens between `%(` and `%)`.
    pub body: Arc<Vec<RawToken>>,
}

/// The macros of the `.stpm` files, by name without `@`.
#[derive(Debug, Clone, Default)]
pub struct LibraryMacros {
    pub(crate) macros: BTreeMap<SmolStr, Arc<Macro>>,
}

impl LibraryMacros {
    /// No macros.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names without `@`, sorted.
    pub fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.macros.keys()
    }
}

/// What an error was about, before it is known what the parser saw last.
#[derive(Debug, Clone)]
pub(crate) struct PreprocessError {
    pub site: &'static str,
    pub message: String,
    /// The token at fault; `None` if the tokens ran out.
    pub token: Option<RawToken>,
    /// Where an earlier definition is.
    pub cause: Option<Box<Diagnostic>>,
}

/// Tokens of a file after preprocessing.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// The tokens.
    pub tokens: Vec<RawToken>,
    /// True if two strings follow each other somewhere.
    pub adjacent_strings: bool,
    /// Errors, each with the index of the token that it stands in front of; sorted by index.
    pub errors: Vec<(usize, PreprocessError)>,
    /// Conditions about `systemtap_v` that were evaluated, each as the index of the token that it stands in front of;
    /// sorted.
    pub version_conditions: Vec<usize>,
    /// Warnings.
    pub warnings: Diagnostics,
    /// Macros that the file defines.
    pub macros: BTreeMap<SmolStr, Arc<Macro>>,
    /// True if the file has a token, used or not.
    pub saw_tokens: bool,
    /// True if the text asks for the script's arguments or their number.
    pub asks_arguments: bool,
    /// Numbers of the arguments that were pasted.
    pub used_arguments: std::collections::BTreeSet<usize>,
}

/// Arguments of an active macro: name to tokens, and the arguments that were in force where they were written.
type Arguments = BTreeMap<SmolStr, Argument>;

#[derive(Clone)]
struct Argument {
    body: Arc<Vec<RawToken>>,
    scope: Rc<Arguments>,
}

/// A macro or a macro argument that is being read.
struct Activation {
    expansion: Arc<Expansion>,
    body: Arc<Vec<RawToken>>,
    cursor: usize,
    arguments: Rc<Arguments>,
    library: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Branch {
    KeepThen,
    SkipThen,
    KeepElse,
    SkipElse,
}

struct Preprocessor<'a> {
    session: &'a Session,
    lexer: Lexer<'a>,
    library: &'a LibraryMacros,
    /// A token of the file that was looked at and is to be read next.
    put_back: Option<RawToken>,
    macros: BTreeMap<SmolStr, Arc<Macro>>,
    active: Vec<Activation>,
    conditionals: Vec<(RawToken, Branch)>,
    /// A condition about `systemtap_v` was evaluated since the last token.
    asked_version: bool,
    warnings: Diagnostics,
    expanded: usize,
    is_operator_word: &'a dyn Fn(&str) -> bool,
}

type Next = Result<Option<RawToken>, Box<PreprocessError>>;

fn error<T>(
    site: &'static str,
    message: impl Into<String>,
    token: Option<RawToken>,
) -> Result<T, Box<PreprocessError>> {
    Err(Box::new(PreprocessError { site, message: message.into(), token, cause: None }))
}

/// Preprocesses a file. `is_operator_word` tells names (without `@`) whose redefinition deserves a warning.
pub(crate) fn preprocess(
    session: &Session,
    lexer: Lexer<'_>,
    library: &LibraryMacros,
    is_operator_word: &dyn Fn(&str) -> bool,
) -> Stream {
    let mut preprocessor = Preprocessor {
        session,
        lexer,
        library,
        put_back: None,
        macros: BTreeMap::new(),
        active: Vec::new(),
        conditionals: Vec::new(),
        asked_version: false,
        warnings: Diagnostics::new(),
        expanded: 0,
        is_operator_word,
    };
    let mut stream = Stream::default();
    let total = preprocessor.lexer.remaining();
    loop {
        if stream.tokens.len() == stream.tokens.capacity() {
            stream.make_room(total, preprocessor.lexer.remaining());
        }
        // Most tokens are not the preprocessor's business.
        if preprocessor.is_idle()
            && let Some(token) = preprocessor.lexer.next_token()
        {
            if !concerns_preprocessor(&token) {
                stream.push(token);
                continue;
            }
            preprocessor.put_back = Some(token);
        }
        let next = preprocessor.next();
        if std::mem::take(&mut preprocessor.asked_version) {
            stream.version_conditions.push(stream.tokens.len());
        }
        match next {
            Ok(Some(token)) => stream.push(token),
            Ok(None) => break,
            Err(error) => stream.errors.push((stream.tokens.len(), *error)),
        }
        if stream.errors.len() >= MAX_ERRORS {
            break;
        }
    }
    stream.warnings = preprocessor.warnings;
    stream.warnings.append(std::mem::take(&mut preprocessor.lexer.warnings));
    stream.macros = preprocessor.macros;
    stream.saw_tokens = preprocessor.lexer.saw_tokens;
    stream.asks_arguments = preprocessor.lexer.asks_arguments;
    stream.used_arguments = preprocessor.lexer.used_arguments;
    stream
}

/// True for tokens that may start a macro, a definition, or a part of a conditional.
fn concerns_preprocessor(token: &RawToken) -> bool {
    token.token.kind == TokenKind::Operator && token.token.text.starts_with(['@', '%'])
}

impl Stream {
    /// Makes room for as many tokens as the rest of the file will have if it is like the part that was read: fresh memory
    /// is much of what a large file costs, so it is not taken by doubling.
    fn make_room(&mut self, total: usize, remaining: usize) {
        const FIRST: usize = 1024;
        let have = self.tokens.len();
        let per_byte = have as f64 / total.saturating_sub(remaining).max(1) as f64;
        // A little more, because the next step would copy all of them; but a short start does not tell much.
        let expected = (per_byte * remaining as f64 * 1.06) as usize;
        self.tokens.reserve_exact(expected.min(have * 64).max(have / 8).max(FIRST));
    }

    fn push(&mut self, token: RawToken) {
        let is_string = token.token.kind == TokenKind::String;
        self.adjacent_strings |=
            is_string && self.tokens.last().is_some_and(|last| last.token.kind == TokenKind::String);
        self.tokens.push(token);
    }
}

impl Preprocessor<'_> {
    /// True if the next token comes from the file and is not skipped.
    fn is_idle(&self) -> bool {
        self.active.is_empty()
            && !matches!(self.conditionals.last(), Some((_, Branch::SkipThen | Branch::SkipElse)))
    }

    /// The next token of the file or of the innermost active macro; `None` at the end of either.
    fn raw(&mut self) -> Option<RawToken> {
        let Some(activation) = self.active.last_mut() else {
            return self.put_back.take().or_else(|| self.lexer.next_token());
        };
        let mut token = activation.body.get(activation.cursor)?.clone();
        activation.cursor += 1;
        self.expanded += 1;
        token.token.expansion = Some(activation.expansion.clone());
        Some(token)
    }

    /// The next token with macros expanded and definitions taken out.
    fn expand(&mut self, skipping: bool) -> Next {
        loop {
            if self.expanded > MAX_EXPANDED_TOKENS {
                let outermost = self.active.first().map(|activation| activation.expansion.invocation.clone());
                self.active.clear();
                self.expanded = 0;
                return error("macro-expansion-size", "macro expansion too large", outermost.map(plain));
            }
            let Some(token) = self.raw() else {
                if self.active.pop().is_none() {
                    return Ok(None);
                }
                continue;
            };
            if token.token.kind != TokenKind::Operator || !token.token.text.starts_with('@') {
                return Ok(Some(token));
            }
            if token.token.text == "@define" && !skipping {
                self.define(token)?;
                continue;
            }
            let name = &token.token.text[1..];
            let scope = self.active.last();
            let in_library = scope.is_some_and(|activation| activation.library);
            if let Some(argument) = scope.and_then(|activation| activation.arguments.get(name)).cloned() {
                self.activate(token.token, argument.body, argument.scope, false)?;
            } else if let Some(found) = self.macros.get(name).filter(|_| !in_library).cloned() {
                self.invoke(token, &found, false)?;
            } else if let Some(found) = self.library.macros.get(name).cloned() {
                self.invoke(token, &found, true)?;
            } else {
                return Ok(Some(token));
            }
        }
    }

    fn activate(
        &mut self,
        invocation: Token,
        body: Arc<Vec<RawToken>>,
        arguments: Rc<Arguments>,
        library: bool,
    ) -> Result<(), Box<PreprocessError>> {
        if self.active.len() >= MAX_ACTIVE_MACROS {
            let outermost = self.active.first().map(|activation| activation.expansion.invocation.clone());
            self.active.clear();
            return error("macro-recursion", "macro expansion nested too deeply", outermost.map(plain));
        }
        let expansion = Arc::new(Expansion { kind: ExpansionKind::Macro, invocation });
        self.active.push(Activation { expansion, body, cursor: 0, arguments, library });
        Ok(())
    }

    /// `@name` or `@name(arguments)`.
    fn invoke(&mut self, name: RawToken, found: &Macro, library: bool) -> Result<(), Box<PreprocessError>> {
        let mut arguments = Arguments::new();
        let count = found.params.len();
        if count > 0 {
            let scope = self.active.last().map(|activation| activation.arguments.clone()).unwrap_or_default();
            let open = self.raw();
            if !open.as_ref().is_some_and(|token| token.is_operator("(")) {
                let plural = if count == 1 { "" } else { "s" };
                let message = format!(
                    "expected '(' in invocation of macro '{}' taking {count} parameter{plural}",
                    name.token.text
                );
                return error("macro-open", message, open);
            }
            for (index, param) in found.params.iter().enumerate() {
                let (body, end) = self.argument();
                arguments.insert(param.clone(), Argument { body: Arc::new(body), scope: scope.clone() });
                let Some(end) = end else {
                    return error("macro-end", "could not find end of macro invocation", Some(name));
                };
                let last = index + 1 == count;
                if end.is_operator(",") && last {
                    let message =
                        format!("too many parameters for macro '{}' (expected {count})", name.token.text);
                    return error("macro-many", message, Some(end));
                }
                if end.is_operator(")") && !last {
                    let message =
                        format!("too few parameters for macro '{}' (expected {count})", name.token.text);
                    return error("macro-few", message, Some(end));
                }
            }
        }
        self.activate(name.token, found.body.clone(), Rc::new(arguments), library)
    }

    /// Raw tokens up to the `,` or `)` that ends an argument, and that token.
    fn argument(&mut self) -> (Vec<RawToken>, Option<RawToken>) {
        let mut body = Vec::new();
        let mut nesting = 0usize;
        while let Some(token) = self.raw() {
            if token.is_operator("(") || token.is_operator("[") {
                nesting += 1;
            } else if nesting > 0 && (token.is_operator(")") || token.is_operator("]")) {
                nesting -= 1;
            } else if nesting == 0 && (token.is_operator(")") || token.is_operator(",")) {
                return (body, Some(token));
            }
            body.push(token);
        }
        (body, None)
    }

    /// `@define name(params) %( body %)`, of which `@define` is read.
    fn define(&mut self, define: RawToken) -> Result<(), Box<PreprocessError>> {
        if !self.active.is_empty() {
            return error("define-nested", "'@define' forbidden inside macro body", Some(define));
        }
        let is_identifier = |token: &Option<RawToken>| {
            token.as_ref().is_some_and(|token| token.token.kind == TokenKind::Identifier)
        };
        let name = self.lexer.next_token();
        let Some(name) = name.clone().filter(|_| is_identifier(&name)) else {
            return error("define-name", "expected identifier", name);
        };
        let text = name.token.text.clone();
        if let Some(earlier) = self.macros.get(&text) {
            let cause = Diagnostic::parse("define-first", format!("macro '@{text}' first defined here"))
                .at(&earlier.token);
            return Err(Box::new(PreprocessError {
                site: "define-again",
                message: format!("attempt to redefine macro '@{text}' in the same file"),
                token: Some(name),
                cause: Some(Box::new(cause)),
            }));
        }
        if text == "define" {
            return error("define-define", "attempt to redefine '@define'", Some(name));
        }
        if (self.is_operator_word)(&text) {
            let message = format!("macro redefines built-in operator '@{text}'");
            self.warnings.push(Diagnostic::warning("define-operator", message).at(&name.token));
        }
        let mut params = Vec::new();
        let mut token = self.lexer.next_token();
        let has_params = token.as_ref().is_some_and(|token| token.is_operator("("));
        // Upstream enters the macro here, with the parameters read so far, even if its definition turns out wrong.
        let enter = |this: &mut Self, params: &[SmolStr], body: Vec<RawToken>| {
            let entry = Macro { token: name.token.clone(), params: params.to_vec(), body: Arc::new(body) };
            this.macros.insert(text.clone(), Arc::new(entry));
        };
        if has_params {
            loop {
                let param = self.lexer.next_token();
                let Some(found) = param.clone().filter(|_| is_identifier(&param)) else {
                    enter(self, &params, Vec::new());
                    return error("define-param", "expected identifier", param);
                };
                params.push(found.token.text);
                token = self.lexer.next_token();
                if token.as_ref().is_some_and(|token| token.is_operator(",")) {
                    continue;
                }
                if token.as_ref().is_some_and(|token| token.is_operator(")")) {
                    token = self.lexer.next_token();
                    break;
                }
                enter(self, &params, Vec::new());
                return error("define-params", "expected ',' or ')'", token);
            }
        }
        if !token.as_ref().is_some_and(|token| token.is_operator("%(")) {
            enter(self, &params, Vec::new());
            return match has_params {
                true => error("define-body-params", "expected '%('", token),
                false => error("define-body", "expected '%(' or '('", token),
            };
        }
        let mut body = Vec::new();
        let mut nesting = 0usize;
        let closed = loop {
            let Some(token) = self.lexer.next_token() else { break false };
            if token.is_operator("%(") {
                nesting += 1;
            } else if token.is_operator("%)") {
                if nesting == 0 {
                    break true;
                }
                nesting -= 1;
            }
            body.push(token);
        };
        enter(self, &params, body);
        if !closed {
            return error("define-end", "incomplete macro definition - missing '%)'", Some(name));
        }
        Ok(())
    }

    /// The next token for the grammar.
    fn next(&mut self) -> Next {
        loop {
            let branch = self.conditionals.last().map(|(_, branch)| *branch);
            let token = match branch {
                Some(Branch::SkipThen | Branch::SkipElse) => self.skip(),
                _ => self.expand(false)?,
            };
            let Some(token) = token else {
                return match self.conditionals.pop() {
                    Some((open, _)) => error("cond-eof", "incomplete conditional at end of file", Some(open)),
                    None => Ok(None),
                };
            };
            if token.token.kind != TokenKind::Operator || !token.token.text.starts_with('%') {
                return Ok(Some(token));
            }
            match token.token.text.as_str() {
                "%?" => {
                    return error("cond-stray-then", "incomplete conditional - missing '%('", Some(token));
                }
                "%:" => {
                    let next = match branch {
                        None => {
                            return error(
                                "cond-stray-else",
                                "incomplete conditional - missing '%('",
                                Some(token),
                            );
                        }
                        Some(Branch::KeepElse | Branch::SkipElse) => {
                            return error("cond-else", "invalid conditional - duplicate '%:'", Some(token));
                        }
                        Some(Branch::KeepThen) => Branch::SkipElse,
                        Some(Branch::SkipThen) => Branch::KeepElse,
                    };
                    if let Some(last) = self.conditionals.last_mut() {
                        last.1 = next;
                    }
                }
                "%)" => {
                    if self.conditionals.pop().is_none() {
                        return error("cond-stray-end", "incomplete conditional - missing '%('", Some(token));
                    }
                }
                "%(" => self.condition(token)?,
                _ => return Ok(Some(token)),
            }
        }
    }

    /// The condition after `%(`, up to and including `%?`.
    fn condition(&mut self, open: RawToken) -> Result<(), Box<PreprocessError>> {
        let mut result = false;
        let mut all = true;
        loop {
            let (left, op, right) = (self.expand(false)?, self.expand(false)?, self.expand(false)?);
            let (Some(left), Some(op), Some(right)) = (left, op, right) else {
                return error("cond-incomplete", "incomplete condition after '%('", Some(open));
            };
            match evaluate(self.session, &left.token, &op.token, &right.token) {
                Ok(answer) => {
                    all &= answer;
                    self.asked_version |= left.token.text == "systemtap_v";
                }
                Err(bad) => {
                    let culprit = [left, op, right].into_iter().find(|token| token.token == bad.token);
                    return error(bad.site, bad.message, culprit);
                }
            }
            let next = self.expand(false)?;
            if next.as_ref().is_some_and(|token| token.is_operator("&&")) {
                continue;
            }
            result |= all;
            all = true;
            if next.as_ref().is_some_and(|token| token.is_operator("||")) {
                continue;
            }
            if !next.as_ref().is_some_and(|token| token.is_operator("%?")) {
                return error("cond-then", "expected '%?' marker for conditional", Some(open));
            }
            let branch = if result { Branch::KeepThen } else { Branch::SkipThen };
            self.conditionals.push((open, branch));
            return Ok(());
        }
    }

    /// Skips to the `%:`, `%?` or `%)` of the innermost conditional and returns it. Errors on the way do not count.
    fn skip(&mut self) -> Option<RawToken> {
        let mut nesting = 0usize;
        loop {
            let token = match self.expand(true) {
                Ok(token) => token?,
                Err(_) => continue,
            };
            if token.token.kind != TokenKind::Operator {
                continue;
            }
            match token.token.text.as_str() {
                "%(" => nesting += 1,
                "%)" if nesting > 0 => nesting -= 1,
                "%:" | "%?" | "%)" if nesting == 0 => return Some(token),
                _ => {}
            }
        }
    }
}
