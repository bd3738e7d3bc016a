//! Operators, for the token layer: infix, prefix or postfix, and what may follow.

use super::class::Class;
use super::classify::Classifier;
use super::context::{Frame, Position, Stage};

impl Classifier<'_> {
    /// What an operator means here.
    pub(super) fn punctuation(&mut self, text: &str) -> Class {
        match text {
            "(" => self.open(),
            ")" if self.too_early() => self.comma(),
            ")" => self.close(),
            "[" => self.open_bracket(),
            "]" => self.close_bracket(),
            "{" => self.open_brace(),
            "}" => self.close_brace(),
            ";" => self.semicolon(),
            "," => self.comma(),
            ":" => {
                let declares = matches!(self.frame(), Some(Frame::Signature(_) | Frame::Params));
                if let Some(open) = self.frames.last_mut() {
                    open.questions = open.questions.saturating_sub(1);
                }
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
            "?" => {
                if let Some(open) = self.frames.last_mut() {
                    open.questions += 1;
                }
                self.operator(Class::Question)
            }
            "*" if self.wants_component() => self.component(),
            "*" if self.ended() => self.operator(Class::Times),
            "*" => {
                self.position = Position::Value;
                Class::Any
            }
            "+" | "-" => self.plus_minus(text == "+"),
            "++" | "--" => self.step(),
            "&" if self.ended() => self.operator(Class::BitAnd),
            "&" => {
                // `stepped` stays: `++&x` steps the whole.
                self.position = Position::Operand;
                Class::AddressOf
            }
            "!" => self.prefix(Class::Not),
            "~" => self.prefix(Class::Complement),
            "->" if !self.gates.has(2, 6) && matches!(self.position, Position::Name | Position::Value) => {
                self.operator(Class::Other)
            }
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

    fn comma(&mut self) -> Class {
        if let Some(open) = self.frames.last_mut() {
            open.commas = open.commas.saturating_add(1);
        }
        self.operator(Class::Comma)
    }

    /// True for the `)` of a print operator with delimiter that has not had two values. Upstream reads "`,` or `)`" there
    /// and goes on with the next value, whichever it was (parse.cxx: `parse_symbol`).
    fn too_early(&self) -> bool {
        let open = self.frames.last();
        self.ended()
            && open.is_some_and(|open| {
                matches!(open.frame, Frame::Word(Class::PrintDelimited, _)) && open.commas < 2
            })
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
            (false, false, false) if matches!(self.previous, Some(Class::PrefixStep | Class::AddressOf)) => {
                // The sign of a literal: `stepped` stays.
                self.position = Position::Operand;
                Class::PrefixMinus
            }
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
            Some(Frame::Block | Frame::TryBlock) if !ends => Class::Null,
            _ => Class::Semicolon,
        };
        self.statement_ends();
        self.position = Position::Start;
        class
    }
}
