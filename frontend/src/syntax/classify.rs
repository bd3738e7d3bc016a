//! The token layer's second half: gives each token the meaning it has where it stands, so that the grammar needs no
//! separators between statements and has no conflicts.
//!
//! It follows upstream's parser, which is greedy: an operator continues an expression wherever it can. So the meaning
//! of a token follows from the bracket it is in and from what the token before it left behind ([`Position`]).

use super::Gates;
use super::class::{Class, Id, Lexeme};
use super::context::{Context, Frame, Position, Section, Stage};
use super::fault::{Fault, Place};
use super::preprocess::PreprocessError;
use super::token::RawToken;
use super::words::{is_name_piece, operator_word, pretty_split, print_word, takes_arguments};
use crate::source::TokenKind;

#[derive(Debug, Clone, Copy)]
struct Open {
    frame: Frame,
    /// The operand that the bracket belongs to has had its `++`.
    stepped: bool,
}

/// Hands the tokens of a file to the grammar.
pub(crate) struct Classifier<'i> {
    tokens: &'i [RawToken],
    errors: &'i [(usize, PreprocessError)],
    gates: Gates,
    /// Index of the next token.
    next: usize,
    /// How many of `errors` have been reported.
    reported: usize,
    frames: Vec<Open>,
    position: Position,
    stepped: bool,
    section: Section,
    previous: Option<Class>,
    before_previous: Option<Class>,
    /// The word before `(` is a histogram after `in`.
    after_in: bool,
    /// State in front of the token handed out last.
    pub context: Context,
}

impl<'i> Classifier<'i> {
    /// A classifier at the start of a file's tokens.
    pub fn new(tokens: &'i [RawToken], errors: &'i [(usize, PreprocessError)], gates: Gates) -> Self {
        Classifier {
            tokens,
            errors,
            gates,
            next: 0,
            reported: 0,
            frames: Vec::new(),
            position: Position::Start,
            stepped: false,
            section: Section::None,
            previous: None,
            before_previous: None,
            after_in: false,
            context: Context {
                frame: None,
                position: Position::Start,
                section: Section::None,
                previous: None,
                before_previous: None,
            },
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
        self.before_previous = None;
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
        if let Some(fault) = self.pending_error(self.next as u32) {
            return Some(Err(Box::new(fault)));
        }
        self.context = Context {
            frame: self.frame(),
            position: self.position,
            section: self.section,
            previous: self.previous,
            before_previous: self.before_previous,
        };
        let index = self.next as u32;
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        let class = match self.classify(token) {
            Ok(class) => class,
            Err((site, message)) => {
                return Some(Err(Box::new(Fault::saw(site, message, token, Id(index), true))));
            }
        };
        self.before_previous = self.previous;
        self.previous = Some(class);
        Some(Ok((index, Lexeme(class, Id(index)), index + 1)))
    }

    fn frame(&self) -> Option<Frame> {
        self.frames.last().map(|open| open.frame)
    }

    fn push(&mut self, frame: Frame) {
        self.frames.push(Open { frame, stepped: self.stepped });
        self.stepped = false;
    }

    fn pop(&mut self) {
        if let Some(open) = self.frames.pop() {
            self.stepped = open.stepped;
        }
    }

    fn replace(&mut self, frame: Frame) {
        if let Some(open) = self.frames.last_mut() {
            open.frame = frame;
        }
    }

    /// True if a component of a probe point is expected.
    fn wants_component(&self) -> bool {
        matches!(self.frame(), Some(Frame::Header | Frame::PointGroup)) && self.position == Position::Operand
    }

    fn ended(&self) -> bool {
        !matches!(self.position, Position::Start | Position::Operand)
    }

    /// An operand starts here; if one has just ended, so has its statement.
    fn operand(&mut self, position: Position) {
        if self.ended() {
            self.stepped = false;
        }
        self.position = position;
    }

    /// An operator after which an operand must follow.
    fn operator(&mut self, class: Class) -> Class {
        self.stepped = false;
        self.position = Position::Operand;
        class
    }

    fn classify(&mut self, token: &RawToken) -> Result<Class, (&'static str, &'static str)> {
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
                if self.frame() == Some(Frame::Signature) {
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
            TokenKind::Identifier => self.identifier(text),
            TokenKind::Keyword => self.keyword(text)?,
            TokenKind::Operator if text.starts_with('@') => self.word(text),
            TokenKind::Operator => self.punctuation(text),
        })
    }

    /// Takes all pieces of a component's name; the builder puts them together.
    fn component(&mut self) -> Class {
        while self.tokens.get(self.next).is_some_and(is_name_piece)
            && self.errors.get(self.reported).is_none_or(|(index, _)| *index > self.next)
        {
            self.next += 1;
        }
        self.position = Position::Value;
        Class::Component
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
                Frame::Signature
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

    fn keyword(&mut self, text: &str) -> Result<Class, (&'static str, &'static str)> {
        let top = self.frames.is_empty();
        let in_block = self.frame() == Some(Frame::Block);
        let class = match text {
            "probe" | "global" | "private" | "function" => {
                let (class, section) = match text {
                    "probe" => (Class::Probe, Section::Probe),
                    "global" => (Class::Global, Section::Global),
                    "private" => (Class::Private, Section::Global),
                    _ => (Class::Function, Section::Function),
                };
                if top {
                    self.section = section;
                    match class {
                        Class::Probe => self.push(Frame::Header),
                        Class::Function => self.push(Frame::Signature),
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
                if in_block && self.position != Position::Operand && self.section != Section::Function {
                    return Err(("return", "found 'return' not in function context"));
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
            self.stepped = false;
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

    fn punctuation(&mut self, text: &str) -> Class {
        match text {
            "(" => self.open(),
            ")" => self.close(),
            "[" => self.open_bracket(),
            "]" => self.close_bracket(),
            "{" => self.open_brace(),
            "}" => self.close_brace(),
            ";" => self.semicolon(),
            "," => self.operator(Class::Comma),
            ":" => {
                let declares = matches!(self.frame(), Some(Frame::Signature | Frame::Params));
                let old = !declares && !self.gates.has(4, 0);
                self.operator(if old { Class::OldColon } else { Class::Colon })
            }
            "?" | "!" if matches!(self.frame(), Some(Frame::Header | Frame::PointGroup)) => {
                if text == "?" {
                    Class::Question
                } else {
                    Class::Not
                }
            }
            "?" => self.operator(Class::Question),
            "*" if self.wants_component() => self.component(),
            "*" if self.ended() => self.operator(Class::Times),
            "*" => {
                self.position = Position::Value;
                Class::Any
            }
            "+" | "-" => self.plus_minus(text == "+"),
            "++" | "--" => self.step(),
            "&" if self.ended() => self.operator(Class::BitAnd),
            "&" => self.operator(Class::AddressOf),
            "!" => self.prefix(Class::Not),
            "~" => self.prefix(Class::Complement),
            "->" => self.arrow(),
            "=" => self.operator(Class::Assign),
            "+=" => self.operator(Class::AddAssign),
            "-=" | "*=" | "/=" | "%=" | "<<=" | ">>=" | "&=" | "^=" | "|=" | ".=" | "<<<" => {
                self.operator(Class::OtherAssign)
            }
            "||" => self.operator(Class::Or),
            "&&" => self.operator(Class::And),
            "|" => self.operator(Class::BitOr),
            "^" => self.operator(Class::BitXor),
            "<" | ">" | "<=" | ">=" | "==" | "!=" => self.operator(Class::Compare),
            "=~" | "!~" => self.operator(Class::Match),
            "<<" | ">>" | ">>>" => self.operator(Class::Shift),
            "." => self.operator(Class::Dot),
            "/" => self.operator(Class::Divide),
            "%" if self.frames.is_empty() => Class::Modulo,
            "%" => self.operator(Class::Modulo),
            _ => self.operator(Class::Other),
        }
    }

    fn prefix(&mut self, class: Class) -> Class {
        self.operator(class)
    }

    fn arrow(&mut self) -> Class {
        // `stepped` stays: the member belongs to the operand that was stepped.
        self.position = Position::Operand;
        Class::Arrow
    }

    fn plus_minus(&mut self, plus: bool) -> Class {
        let sorts = matches!(
            self.frame(),
            Some(Frame::ForeachKeys | Frame::ForeachHeader(Stage::Keys | Stage::Base))
        );
        let binary = matches!(
            self.position,
            Position::Name | Position::Target | Position::Value | Position::Pretty | Position::Stepped
        );
        match (sorts, binary, plus) {
            (true, _, true) => Class::SortUp,
            (true, _, false) => Class::SortDown,
            (false, true, true) => self.operator(Class::Plus),
            (false, true, false) => self.operator(Class::Minus),
            (false, false, true) => self.prefix(Class::PrefixPlus),
            (false, false, false) => self.prefix(Class::PrefixMinus),
        }
    }

    fn step(&mut self) -> Class {
        let postfix = !self.stepped
            && matches!(
                self.position,
                Position::Name | Position::Target | Position::Value | Position::Pretty
            );
        if postfix {
            self.position = Position::Stepped;
            return Class::PostfixStep;
        }
        self.position = Position::Operand;
        self.stepped = true;
        Class::PrefixStep
    }

    fn open(&mut self) -> Class {
        let in_header = matches!(self.frame(), Some(Frame::Header | Frame::PointGroup));
        let frame = match self.previous {
            Some(Class::If) if in_header => Frame::Condition,
            Some(Class::If) => Frame::IfHeader,
            Some(Class::While) => Frame::WhileHeader,
            Some(Class::For) => Frame::ForHeader(0),
            Some(Class::Foreach) => Frame::ForeachHeader(Stage::Keys),
            Some(Class::Catch) => Frame::CatchVariable,
            Some(Class::Component) => Frame::ComponentArg,
            Some(class) if takes_arguments(class) => Frame::Word(class, self.after_in),
            _ if self.frame() == Some(Frame::Signature) => Frame::Params,
            _ if self.position == Position::Name => Frame::Call,
            _ => Frame::Group,
        };
        if frame == Frame::Group {
            self.operand(Position::Operand);
        }
        self.push(frame);
        self.position = Position::Operand;
        if frame == Frame::Call { Class::CallOpen } else { Class::Open }
    }

    fn close(&mut self) -> Class {
        let position = match self.frame() {
            Some(Frame::IfHeader | Frame::WhileHeader | Frame::ForHeader(_) | Frame::ForeachHeader(_)) => {
                Position::Start
            }
            Some(Frame::CatchVariable) => Position::Start,
            Some(Frame::Word(class, after_in)) => match class {
                Class::Cast | Class::Var => Position::Target,
                Class::HistLog | Class::HistLinear if after_in => Position::Loose,
                Class::HistLog | Class::HistLinear | Class::FirstHistLog | Class::FirstHistLinear => {
                    Position::Name
                }
                _ => Position::Value,
            },
            Some(Frame::ComponentArg | Frame::Condition | Frame::Params | Frame::Group | Frame::Call) => {
                Position::Value
            }
            _ => return Class::Close,
        };
        self.pop();
        self.position = position;
        Class::Close
    }

    fn open_bracket(&mut self) -> Class {
        let (frame, class) = match (self.frame(), self.position) {
            (None, _) => (Frame::Index, Class::IndexOpen),
            (Some(Frame::ForeachHeader(Stage::Keys)), _) => (Frame::ForeachKeys, Class::ListOpen),
            (Some(Frame::ForeachHeader(Stage::Base)), _) | (_, Position::Name) => {
                (Frame::Index, Class::IndexOpen)
            }
            (_, Position::Target) => (Frame::Step, Class::StepOpen),
            (_, Position::Value | Position::Pretty) if self.gates.has(2, 6) => (Frame::Step, Class::StepOpen),
            _ => (Frame::List, Class::ListOpen),
        };
        if frame == Frame::List {
            self.operand(Position::Operand);
        }
        self.push(frame);
        self.position = Position::Operand;
        class
    }

    fn close_bracket(&mut self) -> Class {
        let position = match self.frame() {
            Some(Frame::List | Frame::ForeachKeys) => Position::Loose,
            Some(Frame::Step) => Position::Target,
            Some(Frame::Index) => Position::Value,
            _ => return Class::BracketClose,
        };
        self.pop();
        self.position = match self.frame() {
            Some(Frame::ForeachHeader(Stage::Base)) => Position::Loose,
            _ => position,
        };
        Class::BracketClose
    }

    fn open_brace(&mut self) -> Class {
        if self.wants_component() {
            self.push(Frame::PointGroup);
            return Class::GroupOpen;
        }
        match self.frame() {
            Some(Frame::Header | Frame::Signature) => self.replace(Frame::Block),
            Some(Frame::PointGroup) => return Class::BraceOpen,
            _ => self.push(Frame::Block),
        }
        self.position = Position::Start;
        Class::BraceOpen
    }

    fn close_brace(&mut self) -> Class {
        match self.frame() {
            Some(Frame::PointGroup) => {
                self.pop();
                self.position = Position::Value;
            }
            Some(Frame::Block) => {
                self.pop();
                self.position = Position::Start;
            }
            _ => {}
        }
        Class::BraceClose
    }

    fn semicolon(&mut self) -> Class {
        let ends = self.ended()
            || matches!(
                self.previous,
                Some(Class::Break | Class::Continue | Class::Next | Class::ReturnVoid)
            );
        let class = match self.frame() {
            Some(Frame::ForHeader(count)) => {
                self.replace(Frame::ForHeader(count.saturating_add(1)));
                self.position = Position::Operand;
                return Class::Semicolon;
            }
            Some(Frame::Block) if !ends => Class::Null,
            _ => Class::Semicolon,
        };
        self.position = Position::Start;
        class
    }
}
