//! The comparisons of `%( ... %? ... %)` (parse.cxx: `eval_pp_conditional`).

use crate::session::Session;
use crate::source::{Token, TokenKind};
use crate::wildcard::{Escape, is_pattern, matches};
use std::cmp::Ordering;

/// Why a comparison makes no sense: the site, the message, and which operand to point at.
pub(crate) struct BadCondition {
    pub site: &'static str,
    pub message: &'static str,
    pub token: Token,
}

type Answer = Result<bool, BadCondition>;

fn bad<T>(site: &'static str, message: &'static str, token: &Token) -> Result<T, BadCondition> {
    Err(BadCondition { site, message, token: token.clone() })
}

/// Evaluates `left op right`. The answer depends on nothing but the three tokens and the session.
pub(crate) fn evaluate(session: &Session, left: &Token, op: &Token, right: &Token) -> Answer {
    use TokenKind::{Identifier, Number, String};
    let word = if left.kind == Identifier { left.text.as_str() } else { "" };
    match word {
        "kernel_v" => compare_version(session.kernel.base_version(), op, right),
        "kernel_vr" => compare_version(&session.kernel.release, op, right),
        "systemtap_v" => compare_version(&session.compatible.0, op, right),
        "systemtap_privilege" => {
            let text = string(right, "cond-privilege-string")?;
            equality(session.privilege.name() == text, op, "cond-privilege-op")
        }
        "guru_mode" => {
            if right.kind != Number {
                return bad("cond-guru-number", "expected number", right);
            }
            let wanted = number(right)?;
            if !(0..=1).contains(&wanted) {
                return bad("cond-guru-range", "expected 0 or 1", op);
            }
            equality(i64::from(session.guru) == wanted, op, "cond-guru-op")
        }
        "arch" => {
            let text = string(right, "cond-arch-string")?;
            equality(matches(text, &session.kernel.arch, Escape::None), op, "cond-arch-op")
        }
        "runtime" => {
            let text = string(right, "cond-runtime-string")?;
            equality(matches(text, "kernel", Escape::None), op, "cond-runtime-op")
        }
        _ if word.starts_with("CONFIG_") => compare_config(session, left, op, right),
        _ => match (left.kind, right.kind) {
            (String, String) => compare(left.text.cmp(&right.text), op),
            (Number, Number) => compare(number(left)?.cmp(&number(right)?), op),
            (String, Number) if op.kind == TokenKind::Operator => {
                bad("cond-string-right", "expected string literal as right value", right)
            }
            (Number, String) if op.kind == TokenKind::Operator => {
                bad("cond-number-right", "expected number literal as right value", right)
            }
            _ => bad(
                "cond-left",
                "expected 'arch', 'kernel_v', 'kernel_vr', 'systemtap_v',\n             \
                 'runtime', 'systemtap_privilege', 'CONFIG_...', or\n             \
                 comparison between strings or integers",
                left,
            ),
        },
    }
}

fn string<'a>(token: &'a Token, site: &'static str) -> Result<&'a str, BadCondition> {
    if token.kind == TokenKind::String {
        Ok(&token.text)
    } else {
        bad(site, "expected string literal", token)
    }
}

fn number(token: &Token) -> Result<i64, BadCondition> {
    // Decimal only; upstream dies of an uncaught exception on anything else.
    match token.text.parse() {
        Ok(value) => Ok(value),
        Err(_) => bad("cond-number", "number invalid or out of range", token),
    }
}

fn operator(token: &Token) -> &str {
    if token.kind == TokenKind::Operator { &token.text } else { "" }
}

fn equality(equal: bool, op: &Token, site: &'static str) -> Answer {
    match operator(op) {
        "==" => Ok(equal),
        "!=" => Ok(!equal),
        _ => bad(site, "expected '==' or '!='", op),
    }
}

fn compare(ordering: Ordering, op: &Token) -> Answer {
    Ok(match operator(op) {
        "<=" => ordering.is_le(),
        ">=" => ordering.is_ge(),
        "<" => ordering.is_lt(),
        ">" => ordering.is_gt(),
        "==" => ordering.is_eq(),
        "!=" => ordering.is_ne(),
        _ => return bad("cond-op", "expected comparison operator", op),
    })
}

fn compare_version(have: &str, op: &Token, right: &Token) -> Answer {
    let wanted = string(right, "cond-version-string")?;
    match operator(op) {
        "==" | "!=" if is_pattern(wanted) => {
            Ok(matches(wanted, have, Escape::None) == (operator(op) == "=="))
        }
        "<=" | ">=" | "<" | ">" if is_pattern(wanted) => {
            bad("cond-wildcard", "wildcard not allowed with order comparison operators", op)
        }
        "==" | "!=" | "<=" | ">=" | "<" | ">" => compare(strverscmp(have.as_bytes(), wanted.as_bytes()), op),
        _ => bad("cond-version-op", "expected comparison operator", op),
    }
}

fn compare_config(session: &Session, left: &Token, op: &Token, right: &Token) -> Answer {
    let value = |token: &Token| session.kernel.config.get(token.text.as_str()).unwrap_or("");
    let have = value(left);
    match right.kind {
        TokenKind::String => equality(matches(&right.text, have, Escape::None), op, "cond-config-op"),
        TokenKind::Number => match strtoll(have) {
            Some(have) => compare(have.cmp(&number(right)?), op),
            None => bad("cond-config-number", "Config option value not a number", left),
        },
        TokenKind::Identifier if right.text.starts_with("CONFIG_") => {
            let other = value(right);
            match (strtoll(have), strtoll(other)) {
                (Some(have), Some(other)) => compare(have.cmp(&other), op),
                _ => compare(have.cmp(other), op),
            }
        }
        _ => bad(
            "cond-config-right",
            "expected string, number literal or other CONFIG_... as right side operand",
            right,
        ),
    }
}

/// `strtoll(text, 0, 0)` of a whole text; the empty text is 0.
fn strtoll(text: &str) -> Option<i64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    if text.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = i128::from(parse_unsigned(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `strtoull(text, 0, 0)` of a whole text that starts with a digit: decimal, `0x`, `0b`, leading-zero octal.
/// `None` if it has other characters or is above 2^64-1.
pub(crate) fn parse_unsigned(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (&text[2..], 16),
        [b'0', b'b' | b'B', _, ..] => (&text[2..], 2),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// strverscmp(3): like strcmp, but runs of digits compare as numbers, and with leading zeros as fractions.
pub(crate) fn strverscmp(left: &[u8], right: &[u8]) -> Ordering {
    let Some(differ) = (0..left.len().max(right.len())).find(|&at| left.get(at) != right.get(at)) else {
        return Ordering::Equal;
    };
    let digit = |text: &[u8], at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let byte = |text: &[u8], at: usize| text.get(at).copied().unwrap_or(0);
    let plain = byte(left, differ).cmp(&byte(right, differ));
    // The run of digits that the difference is in, or follows, starts here (equal in both up to `differ`).
    let start = (0..differ).rev().take_while(|&at| digit(left, at)).last().unwrap_or(differ);
    let both = digit(left, differ) && digit(right, differ);
    let inside = start < differ;
    if !both && !inside {
        return plain;
    }
    let leading_zero = byte(left, start) == b'0' && (inside || digit(left, start + 1))
        || byte(right, start) == b'0' && (inside || digit(right, start + 1));
    if leading_zero {
        // A fraction: more zeros make it smaller, and a run of zeros only is larger than what continues it.
        let zeros = (start..differ).all(|at| byte(left, at) == b'0');
        return match (digit(left, differ), digit(right, differ)) {
            (true, false) if zeros => Ordering::Less,
            (false, true) if zeros => Ordering::Greater,
            _ => plain,
        };
    }
    let run = |text: &[u8]| (differ..).take_while(|&at| digit(text, at)).count();
    match (run(left), run(right)) {
        (0, 0) => plain,
        (left, right) => left.cmp(&right).then(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_the_manual_page_says() {
        let order = ["000", "00", "01", "010", "09", "0", "1", "9", "10"];
        for pair in order.windows(2) {
            assert_eq!(strverscmp(pair[0].as_bytes(), pair[1].as_bytes()), Ordering::Less, "{pair:?}");
            assert_eq!(strverscmp(pair[1].as_bytes(), pair[0].as_bytes()), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(strverscmp(b"6.12.9", b"6.12.38"), Ordering::Less);
        assert_eq!(strverscmp(b"6.12", b"6.12.0"), Ordering::Less);
        assert_eq!(strverscmp(b"6.2", b"6.12"), Ordering::Less);
        assert_eq!(strverscmp(b"4.19", b"4.19"), Ordering::Equal);
    }
}
