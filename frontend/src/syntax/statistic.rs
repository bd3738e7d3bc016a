//! A quirk of upstream's parser: what it skips inside `@count(...)` and its kin.

use super::class::Class;
use super::classify::Classifier;
use super::context::{Frame, Position};
use super::token::RawToken;
use crate::source::TokenKind;

impl Classifier<'_> {
    /// Upstream skips whatever stands between the operand of `@count(...)` and the next `)` or `,`.
    pub(super) fn skip_after_statistic(&mut self) {
        let in_statistic = matches!(self.frame(), Some(Frame::Word(Class::Stat | Class::Variance, _)));
        let ends = |token: &RawToken| token.is_operator(")") || token.is_operator(",");
        let complete = self.ended() && self.frames.last().is_some_and(|open| open.questions == 0);
        if in_statistic && complete && !self.tokens.get(self.next).is_none_or(|token| self.continues(token)) {
            while self.tokens.get(self.next).is_some_and(|token| !ends(token)) {
                self.next += 1;
            }
        }
    }

    /// True if a token goes on with the expression that could end here.
    fn continues(&self, token: &RawToken) -> bool {
        let text = token.token.text.as_str();
        let value =
            matches!(self.position, Position::Name | Position::Target | Position::Value | Position::Pretty);
        match token.token.kind {
            TokenKind::Operator => match text {
                "(" => self.position == Position::Name,
                "[" => value || self.position == Position::Hist,
                "->" => value,
                "++" | "--" => value && !self.stepped,
                "=~" | "!~" => self.position != Position::Loose && !self.compared,
                "!" | "~" | "{" | "}" | ";" | ":" | "]" => false,
                "&" | "^" | "|" | "&&" | "||" | "?" | ")" | "," | "<<<" => true,
                "==" | "<=" | ">=" | "!=" => self.position != Position::Loose,
                _ if text.ends_with('=') => true,
                _ => self.position != Position::Loose && !text.starts_with('@'),
            },
            TokenKind::Keyword => {
                // Behind `[x]` and `x =~ "y"`, but not behind `x in y`.
                let key = matches!(self.previous, Some(Class::BracketClose | Class::String));
                text == "in" && (self.position != Position::Loose || key)
            }
            TokenKind::Identifier => {
                value && self.position != Position::Pretty && text.bytes().all(|byte| byte == b'$')
            }
            _ => false,
        }
    }
}
