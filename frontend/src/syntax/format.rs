//! printf formats: text to parts (staptree.cxx: `print_format::string_to_components`).

use crate::tree::{Conversion, Flag, FormatPart, Measure};
use smol_str::SmolStr;

/// Why a format is wrong.
pub(crate) struct BadFormat {
    pub site: &'static str,
    pub message: &'static str,
}

const INVALID: BadFormat =
    BadFormat { site: "format-conversion", message: "invalid or missing conversion specifier" };
const INCOMPLETE: BadFormat =
    BadFormat { site: "format-incomplete", message: "trailing incomplete print format conversion" };

/// Takes a format apart. Its text still has C escapes, which are text here.
pub(crate) fn parse_format(format: &str) -> Result<Vec<FormatPart>, BadFormat> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(percent) = rest.find('%') {
        text.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        if rest.is_empty() {
            return Err(INVALID);
        }
        if let Some(after) = rest.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        if !text.is_empty() {
            parts.push(FormatPart::Text(SmolStr::from(std::mem::take(&mut text))));
        }
        let (conversion, after) = parse_conversion(rest)?;
        parts.push(FormatPart::Conversion(conversion));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(FormatPart::Text(SmolStr::from(text)));
    }
    Ok(parts)
}

/// The conversion after `%`, and what follows it.
fn parse_conversion(text: &str) -> Result<(Conversion, &str), BadFormat> {
    let flag = match text.as_bytes().first() {
        Some(b'0') => Some(Flag::Zero),
        Some(b'+') => Some(Flag::Plus),
        Some(b'-') => Some(Flag::Minus),
        Some(b' ') => Some(Flag::Space),
        Some(b'#') => Some(Flag::Special),
        _ => None,
    };
    let rest = &text[usize::from(flag.is_some())..];
    let (width, rest) = parse_measure(rest);
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(rest) => parse_measure(rest),
        None => (Measure::None, rest),
    };
    let rest = rest.strip_prefix('l').unwrap_or(rest);
    match rest.chars().next() {
        Some(letter @ ('d' | 'i' | 'u' | 'o' | 'x' | 'X' | 'p' | 'c' | 's' | 'b' | 'm' | 'M')) => {
            Ok((Conversion { flag, width, precision, letter }, &rest[1..]))
        }
        Some(_) => Err(INVALID),
        // Upstream loses a bare `%` with nothing but `l` behind it; everything else is "partly composed".
        None => Err(INCOMPLETE),
    }
}

/// Digits or `*`; digits alone wrap like upstream's `unsigned`.
fn parse_measure(text: &str) -> (Measure, &str) {
    if let Some(rest) = text.strip_prefix('*') {
        return (Measure::Dynamic, rest);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return (Measure::None, text);
    }
    let value = text[..digits]
        .bytes()
        .fold(0u32, |value, digit| value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
    (Measure::Static(value), &text[digits..])
}
