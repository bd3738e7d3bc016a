//! The token layer's second half: gives each token the meaning it has where it stands, so that the grammar needs no
//! separators between statements and has no conflicts.
//!
//! It follows upstream's parser, which is greedy: an operator continues an expression wherever it can. So the meaning
//! of a token follows from the bracket it is in and from what the token before it left behind ([`Position`]).

use super::Gates;
use super::class::{Class, Id, Lexeme};
use super::condition::parse_unsigned;
use super::context::{Context, Frame, Position, Section, Stage};
use super::errors::{expects_statement, needs_guru};
use super::fault::{Fault, Place};
use super::preprocess::PreprocessError;
use super::token::RawToken;
use super::words::{is_name_piece, operator_word, pretty_split, print_word};
use crate::source::TokenKind;
use smol_str::SmolStr;
use std::collections::HashMap;

#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) frame: Frame,
    /// The operand that the bracket belongs to has had its `++`.
    pub(super) stepped: bool,
    /// A comparison stands in front of that operand.
    compared: bool,
    /// Commas in it so far.
    pub(super) commas: u8,
    /// `?` without their `:` so far.
    pub(super) questions: u32,
    /// The word in front of it.
    pub(super) word: Option<(Class, Id)>,
}

/// The classifier's state in front of a token, as far as messages need it; taken for every token, so it is no more than
/// copied.
#[derive(Clone, Copy)]
struct Before {
    /// The innermost bracket, the commas in it, and whether a `?` waits in it.
    open: Option<(Frame, u8, bool)>,
    position: Position,
    section: Section,
    previous: Option<Class>,
    previous_id: Id,
    histogram: Option<(Class, Id)>,
    wants_catch: bool,
    after_catch: bool,
    list_closed: bool,
}

/// A token that is refused before the grammar sees it.
struct Refusal {
    site: &'static str,
    message: &'static str,
    /// Recovery starts behind it.
    taken: bool,
}

/// Hands the tokens of a file to the grammar.
pub(crate) struct Classifier<'i> {
    pub(super) tokens: &'i [RawToken],
    errors: &'i [(usize, PreprocessError)],
    pub(super) gates: Gates,
    privileged: bool,
    /// Globals declared so far, and whether they are private.
    globals: HashMap<SmolStr, bool>,
    /// The declaration at hand is private.
    private: bool,
    /// A comparison stands in front of the operand at hand: `=~` does not follow then.
    pub(super) compared: bool,
    /// Index of the next token.
    pub(super) next: usize,
    /// How many of `errors` have been reported.
    reported: usize,
    pub(super) frames: Vec<Open>,
    pub(super) position: Position,
    pub(super) stepped: bool,
    section: Section,
    pub(super) previous: Option<Class>,
    previous_id: Id,
    pub(super) histogram: Option<(Class, Id)>,
    pub(super) wants_catch: bool,
    pub(super) after_catch: bool,
    pub(super) list_closed: bool,
    /// The word before `(` is a histogram after `in`.
    pub(super) after_in: bool,
    /// State in front of the token handed out last.
    before: Before,
}

impl<'i> Classifier<'i> {
    /// A classifier at the start of a file's tokens.
    pub fn new(
        tokens: &'i [RawToken],
        errors: &'i [(usize, PreprocessError)],
        gates: Gates,
        privileged: bool,
    ) -> Self {
        Classifier {
            tokens,
            errors,
            gates,
            privileged,
            globals: HashMap::new(),
            private: false,
            compared: false,
            next: 0,
            reported: 0,
            frames: Vec::new(),
            position: Position::Start,
            stepped: false,
            section: Section::None,
            previous: None,
            previous_id: Id(0),
            histogram: None,
            wants_catch: false,
            after_catch: false,
            list_closed: false,
            after_in: false,
            before: Before {
                open: None,
                position: Position::Start,
                section: Section::None,
                previous: None,
                previous_id: Id(0),
                histogram: None,
                wants_catch: false,
                after_catch: false,
                list_closed: false,
            },
        }
    }

    /// Where the token handed out last stood, for messages about it.
    pub fn context(&self) -> Context {
        let before = &self.before;
        Context {
            frame: before.open.map(|(frame, _, _)| frame),
            position: before.position,
            section: before.section,
            previous: before.previous.map(|class| (class, before.previous_id)),
            commas: before.open.map_or(0, |(_, commas, _)| commas),
            histogram: before.histogram,
            wants_catch: before.wants_catch,
            after_catch: before.after_catch,
            list_closed: before.list_closed,
            wants_colon: before.open.is_some_and(|(_, _, waits)| waits),
        }
    }

    /// Starts anew at a token, as if a declaration could begin there.
    pub fn restart(&mut self, at: u32) {
        self.next = at as usize;
        self.frames.clear();
        self.position = Position::Start;
        self.stepped = false;
        self.section = Section::None;
        self.previous = None;
        self.wants_catch = false;
        self.after_catch = false;
        self.list_closed = false;
    }

    /// True if the next token is there, and no error stands in front of it.
    pub fn at_token(&self) -> bool {
        let error = self.errors.get(self.reported).is_some_and(|(index, _)| *index <= self.next);
        self.next < self.tokens.len() && !error
    }

    /// The preprocessor's error in front of token `at`, if there is one that has not been reported.
    pub fn pending_error(&mut self, at: u32) -> Option<Fault> {
        let (index, error) = self.errors.get(self.reported)?;
        if *index > at as usize {
            return None;
        }
        self.reported += 1;
        Some(Fault {
            site: error.site,
            message: error.message.clone(),
            place: error.token.clone().map_or(Place::Forgotten, Place::At),
            resume: *index as u32,
            skip: true,
            cause: error.cause.clone(),
        })
    }

    /// The next token with its meaning; `None` at the end.
    pub fn next_lexeme(&mut self) -> Option<Result<(u32, Lexeme, u32), Box<Fault>>> {
        if self.reported < self.errors.len()
            && let Some(fault) = self.pending_error(self.next as u32)
        {
            return Some(Err(Box::new(fault)));
        }
        if self.previous == Some(Class::Number)
            && let Some(fault) = self.bad_number()
        {
            return Some(Err(Box::new(fault)));
        }
        self.skip_after_statistic();
        self.before = Before {
            open: self.frames.last().map(|open| (open.frame, open.commas, open.questions > 0)),
            position: self.position,
            section: self.section,
            previous: self.previous,
            previous_id: self.previous_id,
            histogram: self.histogram,
            wants_catch: std::mem::take(&mut self.wants_catch),
            after_catch: std::mem::take(&mut self.after_catch),
            list_closed: std::mem::take(&mut self.list_closed),
        };
        let index = self.next as u32;
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        let class = match self.classify(token) {
            Ok(class) => class,
            Err(Refusal { site, message, taken }) => {
                return Some(Err(Box::new(Fault::saw(site, message, token, Id(index), taken))));
            }
        };
        if !self.privileged
            && matches!(class, Class::Embedded | Class::Const | Class::Register | Class::Deref)
            && let Some(fault) = needs_guru(&self.context(), class, token, Id(index))
        {
            return Some(Err(Box::new(fault)));
        }
        self.previous = Some(class);
        self.previous_id = Id(index);
        Some(Ok((index, Lexeme(class, Id(index)), index + 1)))
    }

    /// The error of a number, the previous token, that the grammar has taken although it is none: upstream looks at its value at once.
    fn bad_number(&self) -> Option<Fault> {
        let token = self.tokens.get(self.previous_id.0 as usize)?;
        if parse_unsigned(&token.token.text).is_some() {
            return None;
        }
        Some(Fault::saw("number", "number invalid or out of range", token, self.previous_id, true))
    }

    pub(super) fn frame(&self) -> Option<Frame> {
        self.frames.last().map(|open| open.frame)
    }

    pub(super) fn push(&mut self, frame: Frame) {
        let word = self.previous.map(|class| (class, self.previous_id));
        self.frames.push(Open {
            frame,
            stepped: self.stepped,
            compared: self.compared,
            commas: 0,
            questions: 0,
            word,
        });
        self.stepped = false;
        self.compared = false;
    }

    pub(super) fn pop(&mut self) {
        if let Some(open) = self.frames.pop() {
            self.stepped = open.stepped;
            self.compared = open.compared;
        }
    }

    pub(super) fn replace(&mut self, frame: Frame) {
        if let Some(open) = self.frames.last_mut() {
            open.frame = frame;
        }
    }

    /// True if a component of a probe point is expected.
    pub(super) fn wants_component(&self) -> bool {
        matches!(self.frame(), Some(Frame::Header | Frame::PointGroup)) && self.position == Position::Operand
    }

    pub(super) fn ended(&self) -> bool {
        !matches!(self.position, Position::Start | Position::Operand)
    }

    /// An operand starts here; if one has just ended, so has its statement.
    pub(super) fn operand(&mut self, position: Position) {
        if self.ended() {
            self.statement_ends();
        }
        self.position = position;
    }

    pub(super) fn statement_ends(&mut self) {
        self.stepped = false;
        self.compared = false;
        if let Some(open) = self.frames.last_mut() {
            open.questions = 0;
        }
    }

    /// An operator after which an operand must follow.
    pub(super) fn operator(&mut self, class: Class) -> Class {
        use Class::*;
        self.stepped = false;
        let tighter = matches!(
            class,
            Shift
                | Dot
                | Plus
                | Minus
                | Times
                | Divide
                | Modulo
                | PrefixPlus
                | PrefixMinus
                | Not
                | Complement
        );
        self.compared = class == Compare || (self.compared && tighter);
        self.position = Position::Operand;
        class
    }

    fn classify(&mut self, token: &RawToken) -> Result<Class, Refusal> {
        let text = token.token.text.as_str();
        Ok(match token.token.kind {
            TokenKind::Junk => Class::Other,
            TokenKind::Number => {
                self.operand(Position::Value);
                Class::Number
            }
            TokenKind::String => {
                let pattern = self.previous == Some(Class::Match);
                self.operand(if pattern { Position::Loose } else { Position::Value });
                Class::String
            }
            TokenKind::Embedded => {
                if matches!(self.frame(), Some(Frame::Signature(_))) {
                    self.pop();
                    self.position = Position::Start;
                } else if self.frames.is_empty() {
                    self.position = Position::Start;
                } else {
                    self.operand(Position::Value);
                }
                Class::Embedded
            }
            TokenKind::Identifier | TokenKind::Keyword if self.wants_component() => self.component(),
            TokenKind::Identifier | TokenKind::Keyword if self.previous == Some(Class::Arrow) => {
                self.position = if text.ends_with('$') { Position::Pretty } else { Position::Target };
                Class::Member
            }
            TokenKind::Identifier => {
                self.check_global(&token.token.text)?;
                self.identifier(text)
            }
            TokenKind::Keyword => self.keyword(text)?,
            TokenKind::Operator if text.starts_with('@') => self.word(text),
            // Upstream looks for a path behind the `$` of a pretty print, only to refuse it.
            TokenKind::Operator if self.position == Position::Pretty && matches!(text, "->" | "[") => {
                let message = "-> and [ are not accepted for a pretty-printing variable";
                return Err(Refusal { site: "pretty-steps", message, taken: false });
            }
            TokenKind::Operator => self.punctuation(text),
        })
    }

    /// Takes all pieces of a component's name; the builder puts them together.
    pub(super) fn component(&mut self) -> Class {
        while self.tokens.get(self.next).is_some_and(is_name_piece)
            && self.errors.get(self.reported).is_none_or(|(index, _)| *index > self.next)
        {
            self.next += 1;
        }
        self.position = Position::Value;
        Class::Component
    }

    /// Finds a second global of one name where upstream does: as soon as the name is read.
    fn check_global(&mut self, name: &SmolStr) -> Result<(), Refusal> {
        let declares = self.section == Section::Global
            && self.frames.is_empty()
            && matches!(self.previous, Some(Class::Global | Class::Private | Class::Comma));
        if !declares {
            return Ok(());
        }
        match self.globals.insert(name.clone(), self.private) {
            None => Ok(()),
            Some(private) if private == self.private => {
                Err(Refusal { site: "global-duplicate", message: "duplicate global name", taken: true })
            }
            Some(_) => {
                let message = "global versus private variable declaration conflict";
                Err(Refusal { site: "global-private", message, taken: true })
            }
        }
    }

    fn identifier(&mut self, text: &str) -> Class {
        if self.previous == Some(Class::In) {
            self.position = Position::Loose;
            return Class::Name;
        }
        let declares = match self.frame() {
            None => true,
            Some(frame) => matches!(
                frame,
                Frame::Signature(_)
                    | Frame::Params
                    | Frame::CatchVariable
                    | Frame::ForeachKeys
                    | Frame::ForeachHeader(Stage::Keys)
                    | Frame::Word(Class::ProbeWrite, _)
            ),
        };
        if declares {
            self.position = Position::Name;
            return Class::Name;
        }
        if text.bytes().all(|byte| byte == b'$')
            && match self.position {
                Position::Target => true,
                Position::Name | Position::Value => self.gates.has(2, 6),
                _ => false,
            }
        {
            self.position = Position::Pretty;
            return Class::Dollars;
        }
        if text.starts_with('$') {
            let pretty = pretty_split(text).is_some();
            self.operand(if pretty { Position::Pretty } else { Position::Target });
            return Class::Target;
        }
        let class = print_word(text).unwrap_or(Class::Name);
        self.operand(if class == Class::Name { Position::Name } else { Position::Operand });
        class
    }

    fn keyword(&mut self, text: &str) -> Result<Class, Refusal> {
        let top = self.frames.is_empty();
        let in_block = self.frame().is_some_and(Frame::is_block);
        let class = match text {
            "probe" | "global" | "private" | "function" => {
                let (class, section) = match text {
                    "probe" => (Class::Probe, Section::Probe),
                    "global" => (Class::Global, Section::Global),
                    "private" => (Class::Private, Section::Global),
                    _ => (Class::Function, Section::Function),
                };
                if top {
                    self.private =
                        class == Class::Private || (self.private && self.previous == Some(Class::Private));
                    self.section = section;
                    match class {
                        Class::Probe => self.push(Frame::Header),
                        Class::Function => self.push(Frame::Signature(false)),
                        _ => {}
                    }
                }
                self.position = Position::Operand;
                return Ok(class);
            }
            "if" => Class::If,
            "else" => Class::Else,
            "for" => Class::For,
            "foreach" => Class::Foreach,
            "in" => {
                if self.frame() == Some(Frame::ForeachHeader(Stage::Keys)) {
                    self.replace(Frame::ForeachHeader(Stage::Base));
                }
                return Ok(self.operator(Class::In));
            }
            "limit" => {
                if self.frame() == Some(Frame::ForeachHeader(Stage::Base)) {
                    self.replace(Frame::ForeachHeader(Stage::Limit));
                }
                return Ok(self.operator(Class::Limit));
            }
            "return" => {
                if self.section != Section::Function && expects_statement(&self.context()) {
                    let message = "found 'return' not in function context";
                    return Err(Refusal { site: "return", message, taken: true });
                }
                let void = self
                    .tokens
                    .get(self.next)
                    .is_some_and(|next| next.is_operator(";") || next.is_operator("}"));
                if void {
                    self.position = Position::Start;
                    return Ok(Class::ReturnVoid);
                }
                return Ok(self.operator(Class::Return));
            }
            "delete" => return Ok(self.operator(Class::Delete)),
            "while" => Class::While,
            "break" => Class::Break,
            "continue" => Class::Continue,
            "next" => Class::Next,
            "string" => Class::StringType,
            "long" => Class::LongType,
            "try" => Class::Try,
            _ => Class::Catch,
        };
        if in_block {
            self.position = Position::Start;
            self.statement_ends();
        }
        Ok(class)
    }

    /// A word that starts with `@` and is no macro.
    fn word(&mut self, text: &str) -> Class {
        let class = operator_word(text, self.gates);
        let after_in = self.previous == Some(Class::In);
        self.after_in = after_in;
        let histogram = matches!(class, Some(Class::HistLog | Class::HistLinear));
        if after_in && !histogram {
            self.position = Position::Loose;
            return Class::Name;
        }
        if self.frame() == Some(Frame::ForeachHeader(Stage::Base)) && !after_in {
            return match class {
                Some(Class::Stat | Class::Variance) => Class::SortStat,
                _ => Class::UnknownWord,
            };
        }
        let first = self.previous == Some(Class::Open)
            && matches!(self.frame(), Some(Frame::Word(Class::Print | Class::PrintLine, _)));
        self.operand(Position::Operand);
        match class {
            Some(Class::HistLog) if first => Class::FirstHistLog,
            Some(Class::HistLinear) if first => Class::FirstHistLinear,
            Some(class) => class,
            None => Class::UnknownWord,
        }
    }
}
