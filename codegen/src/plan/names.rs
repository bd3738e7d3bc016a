//! C names. What tapset C relies on is fixed by the runtime contract (section 1.5); everything else is short.

use frontend::hir::{Function, Global};
use frontend::source::{SourceMap, Token, TokenKind};

/// Longest C name that `staprun` and kernel symbol tables carry without harm (translate.cxx: `c_funcname`).
const LONGEST: usize = 128 - 9 - 32;

/// `s___global_x`.
pub fn global(global: &Global) -> String {
    format!("s_{}", global.mangled)
}

/// `function___global_f__overload_0`; a running number if that is too long.
pub fn function(function: &Function, index: usize) -> String {
    let name = format!("function_{}", function.mangled);
    if name.len() > LONGEST { format!("function_{index}") } else { name }
}

/// `l_x`.
pub fn local(name: &str) -> String {
    format!("l_{name}")
}

/// `FILE:LINE:COLUMN`.
pub fn position(sources: &SourceMap, token: &Token) -> String {
    sources.describe(token.pos)
}

/// A token as run-time errors print it: `identifier 'x' at FILE:LINE:COLUMN`; keywords go without their text
/// (parse.cxx: `operator <<` of `token`).
pub fn blame(sources: &SourceMap, token: &Token) -> String {
    let class = match token.kind {
        TokenKind::Identifier => "identifier",
        TokenKind::Operator => "operator",
        TokenKind::String => "string",
        TokenKind::Number => "number",
        TokenKind::Keyword => return format!("keyword at {}", position(sources, token)),
        TokenKind::Embedded => return format!("embedded-code at {}", position(sources, token)),
        TokenKind::Junk => "junk",
    };
    format!("{class} '{}' at {}", token.text, position(sources, token))
}
