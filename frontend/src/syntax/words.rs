//! Words with a meaning of their own: print operators, `@` operators, and names in probe points and paths.

use super::Gates;
use super::class::Class;
use super::token::RawToken;
use crate::source::TokenKind;

/// True for a token that continues the name of a component.
pub(crate) fn is_name_piece(token: &RawToken) -> bool {
    !token.spaced
        && match token.token.kind {
            TokenKind::Identifier | TokenKind::Keyword => true,
            TokenKind::Operator => token.token.text == "*",
            _ => false,
        }
}

/// Splits `name$` or `name$$` of a target or member into name and dollars; `None` if it does not end in dollars.
pub(crate) fn pretty_split(text: &str) -> Option<(&str, &str)> {
    let name = text.trim_end_matches('$');
    (!name.is_empty() && name.len() < text.len()).then(|| text.split_at(name.len()))
}

/// The print family (staptree.cxx: `print_format::create`).
pub(crate) fn print_word(text: &str) -> Option<Class> {
    Some(match text {
        "print" | "sprint" => Class::Print,
        "println" | "sprintln" => Class::PrintLine,
        "print_char" => Class::PrintChar,
        "printd" | "printdln" | "sprintd" | "sprintdln" => Class::PrintDelimited,
        "printf" | "sprintf" => Class::PrintFormat,
        _ => return None,
    })
}

/// The `@` operators that exist at a level of compatibility.
pub(crate) fn operator_word(text: &str, gates: Gates) -> Option<Class> {
    Some(match text {
        "@cast" => Class::Cast,
        "@var" => Class::Var,
        "@defined" => Class::Defined,
        "@probewrite" => Class::ProbeWrite,
        "@const" => Class::Const,
        "@enum" if gates.has(5, 5) => Class::Enum,
        "@enumname" if gates.has(5, 6) => Class::EnumName,
        "@entry" => Class::Entry,
        "@perf" => Class::Perf,
        "@kregister" | "@uregister" if gates.has(4, 0) => Class::Register,
        "@kderef" | "@uderef" if gates.has(4, 0) => Class::Deref,
        "@avg" | "@count" | "@sum" | "@min" | "@max" => Class::Stat,
        "@variance" => Class::Variance,
        "@hist_log" => Class::HistLog,
        "@hist_linear" => Class::HistLinear,
        _ => return None,
    })
}

/// True for words that are followed by `(` and arguments.
pub(crate) fn takes_arguments(class: Class) -> bool {
    use Class::*;
    matches!(
        class,
        Print
            | PrintLine
            | PrintChar
            | PrintDelimited
            | PrintFormat
            | Cast
            | Var
            | Defined
            | ProbeWrite
            | Const
            | Enum
            | EnumName
            | Entry
            | Perf
            | Register
            | Deref
            | Stat
            | Variance
            | HistLog
            | HistLinear
            | FirstHistLog
            | FirstHistLinear
    )
}
