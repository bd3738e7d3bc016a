//! Brackets, for the token layer: which bracket it is, and what it leaves behind when it closes.

use super::class::Class;
use super::classify::Classifier;
use super::context::{Frame, Position, Stage};
use super::words::takes_arguments;

impl Classifier<'_> {
    pub(super) fn open(&mut self) -> Class {
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
            _ if self.frame() == Some(Frame::Signature(false)) => {
                self.replace(Frame::Signature(true));
                Frame::Params
            }
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

    pub(super) fn close(&mut self) -> Class {
        let position = match self.frame() {
            Some(Frame::IfHeader | Frame::WhileHeader | Frame::ForHeader(_) | Frame::ForeachHeader(_)) => {
                Position::Start
            }
            Some(Frame::CatchVariable) => {
                self.after_catch = true;
                Position::Start
            }
            Some(Frame::Word(class, after_in)) => match class {
                Class::Cast | Class::Var => Position::Target,
                Class::HistLog | Class::HistLinear if after_in => Position::Loose,
                Class::HistLog | Class::HistLinear | Class::FirstHistLog | Class::FirstHistLinear => {
                    self.histogram = self.frames.last().and_then(|open| open.word);
                    Position::Hist
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

    pub(super) fn open_bracket(&mut self) -> Class {
        let first_of_print =
            matches!(self.histogram, Some((Class::FirstHistLog | Class::FirstHistLinear, _)));
        let (frame, class) = match (self.frame(), self.position) {
            (None, _) => (Frame::Size, Class::IndexOpen),
            (Some(Frame::ForeachHeader(Stage::Keys)), _) => (Frame::ForeachKeys, Class::ListOpen),
            (Some(Frame::ForeachHeader(Stage::Base)), _) => (Frame::Slice, Class::IndexOpen),
            (_, Position::Hist) if first_of_print => (Frame::Bucket, Class::IndexOpen),
            (_, Position::Name | Position::Hist) => (Frame::Index, Class::IndexOpen),
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

    pub(super) fn close_bracket(&mut self) -> Class {
        let position = match self.frame() {
            Some(Frame::List) => {
                self.list_closed = self.frames.last().is_some_and(|open| open.commas > 0);
                Position::Loose
            }
            Some(Frame::ForeachKeys) => Position::Loose,
            Some(Frame::Step) => Position::Target,
            Some(Frame::Index | Frame::Size) => Position::Value,
            Some(Frame::Bucket) => Position::Stepped,
            Some(Frame::Slice) => Position::Loose,
            _ => return Class::BracketClose,
        };
        self.pop();
        self.position = position;
        Class::BracketClose
    }

    pub(super) fn open_brace(&mut self) -> Class {
        if self.wants_component() {
            self.push(Frame::PointGroup);
            return Class::GroupOpen;
        }
        match self.frame() {
            Some(Frame::Header | Frame::Signature(_)) => self.replace(Frame::Block),
            Some(Frame::PointGroup) => return Class::BraceOpen,
            _ if self.previous == Some(Class::Try) => self.push(Frame::TryBlock),
            _ => self.push(Frame::Block),
        }
        self.position = Position::Start;
        Class::BraceOpen
    }

    pub(super) fn close_brace(&mut self) -> Class {
        match self.frame() {
            Some(Frame::PointGroup) => {
                self.pop();
                self.position = Position::Value;
            }
            Some(block @ (Frame::Block | Frame::TryBlock)) => {
                self.pop();
                self.position = Position::Start;
                self.wants_catch = block == Frame::TryBlock;
            }
            _ => {}
        }
        Class::BraceClose
    }
}
