//! Upstream's words for what the grammar could not accept (language.md 18).
//!
//! Upstream's parser is recursive descent: which message it gives, whether it has taken the token by then, and which
//! `throw` it is (messages of one site are printed once) follow from the production it is in. The token layer knows the
//! production as [`Context`].

use super::class::{Class, Id};
use super::context::{Context, Frame, Position, Section, Stage};
use super::fault::{Fault, Place};
use super::token::RawToken;
use crate::source::TokenKind;

/// What upstream would say at a place, and how it looks at the token there.
struct Wanted {
    site: &'static str,
    message: String,
    look: Look,
}

/// How upstream looks at the token that it complains about.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// It peeks: the token is there for recovery, and the end of the file gives the same message.
    Peek,
    /// It takes the token after it has peeked at it: at the end of the file that is "unexpected end-of-file".
    Take,
    /// It takes the token without a look before: at the end of the file the last thing it saw is the token before.
    Next,
    /// The same, but the token before was dropped.
    NextAfterSwallow,
}

fn wanted(site: &'static str, message: impl Into<String>, look: Look) -> Wanted {
    Wanted { site, message: message.into(), look }
}

/// `expected 'x'` of the helper that most productions share.
fn known(text: &str, look: Look) -> Wanted {
    wanted("expect-known", format!("expected '{text}'"), look)
}

fn one_of(list: &str) -> Wanted {
    wanted("expect-one-of", format!("expected one of '{list}'"), Look::Take)
}

fn kind(name: &str) -> Wanted {
    wanted("expect-kind", format!("expected {name}"), Look::NextAfterSwallow)
}

/// A value: anything that starts an expression.
fn value() -> Wanted {
    wanted("literal", "expected literal string or number", Look::Peek)
}

fn literal() -> Wanted {
    wanted("literal", "expected literal string or number", Look::NextAfterSwallow)
}

/// The error for token `id`, which the grammar refused in `context`.
pub(crate) fn unexpected(context: &Context, class: Class, tokens: &[RawToken], id: Id) -> Fault {
    let token = &tokens[id.0 as usize];
    if let Some(fault) = odd(context, class, tokens, id) {
        return fault;
    }
    let wanted = expectation(context);
    // Values start with `@words` too, and only there an unknown one is looked at.
    if wanted.site == "literal" && wanted.look == Look::Peek {
        if class == Class::UnknownWord {
            let message = format!("unknown operator {}", token.token.text);
            return Fault::saw("unknown-operator", message, token, id, true);
        }
        if statement_starts(context) && !starts_expression(token) {
            return Fault::saw("statement", "expected statement", token, id, false);
        }
        return Fault::saw(wanted.site, wanted.message, token, id, true);
    }
    Fault::saw(wanted.site, wanted.message, token, id, wanted.look != Look::Peek)
}

/// The error for the end of the file.
pub(crate) fn unexpected_end(context: &Context, tokens: &[RawToken]) -> Fault {
    let end = Id(tokens.len() as u32);
    let nothing = |site: &'static str, message: String| Fault {
        site,
        message,
        place: Place::Forgotten,
        resume: end.0,
        skip: true,
        cause: None,
    };
    if context.position == Position::Hist
        && let Some(fault) = base_histogram(context, tokens, end)
    {
        return fault;
    }
    if let Some((Class::Return, _)) = context.previous {
        return nothing("return-end", "expected ';', '}' or an expression statement".into());
    }
    let wanted = expectation(context);
    if wanted.site == "literal" && wanted.look == Look::Peek {
        return match context.frame {
            Some(frame) if frame.is_block() && context.position != Position::Operand => {
                nothing("statement", "expected statement".into())
            }
            Some(Frame::ForHeader(0 | 2)) => nothing("for-end", "expression statement expected".into()),
            _ => nothing("value-end", "expected value".into()),
        };
    }
    let previous = context.previous.and_then(|(_, id)| tokens.get(id.0 as usize));
    match (wanted.look, previous) {
        (Look::Peek, _) => nothing(wanted.site, wanted.message),
        (Look::Next, Some(previous)) => {
            Fault::saw("eof", "unexpected end-of-file", previous, Id(end.0.saturating_sub(1)), true)
        }
        _ => nothing("eof", "unexpected end-of-file".into()),
    }
}

/// The error of a token that only privileged files may have, where the grammar would accept it. Parsing resumes right
/// there, not at the next declaration.
pub(crate) fn needs_guru(context: &Context, class: Class, token: &RawToken, id: Id) -> Option<Fault> {
    let kernel_form = || token.token.text.starts_with("@k");
    let (site, what) = match class {
        Class::Embedded => ("", ""),
        Class::Const => ("const", "@const"),
        Class::Register if kernel_form() => ("kregister", "@kregister"),
        Class::Deref if kernel_form() => ("kderef", "@kderef"),
        _ => return None,
    };
    let wanted = expectation(context);
    let value = wanted.site == "literal" && wanted.look == Look::Peek;
    let declaration = matches!(wanted.site, "declaration" | "block");
    let (site, message, taken) = match class {
        Class::Embedded if value => (
            "embedded-expression",
            "embedded expression code in unprivileged script; need stap -g".into(),
            false,
        ),
        Class::Embedded if declaration => {
            ("embedded-code", "embedded code in unprivileged script; need stap -g".into(), true)
        }
        _ if value => (site, format!("using {what} operator not permitted; need stap -g"), true),
        _ => return None,
    };
    let mut fault = Fault::saw(site, message, token, id, taken);
    fault.skip = false;
    Some(fault)
}

/// Errors that do not follow from what was expected.
fn odd(context: &Context, class: Class, tokens: &[RawToken], id: Id) -> Option<Fault> {
    let token = &tokens[id.0 as usize];
    match (context.frame, class) {
        _ if context.position == Position::Hist => base_histogram(context, tokens, id),
        (Some(Frame::ForeachHeader(Stage::Base)), Class::UnknownWord)
            if context.position != Position::Operand =>
        {
            Some(Fault::saw("foreach-statistic", "expected statistical operation", token, id, false))
        }
        (Some(Frame::Header), Class::BraceClose) if context.position != Position::Operand => {
            Some(Fault::saw("probe-point", "expected probe point specifier", token, id, false))
        }
        (Some(Frame::PointGroup), Class::BraceOpen | Class::Assign | Class::AddAssign)
            if context.position != Position::Operand =>
        {
            Some(Fault::saw("group-points-close", "expected '}'", token, id, false))
        }
        (Some(Frame::Word(Class::Stat, _)), Class::Comma) if context.position != Position::Operand => {
            Some(at("stat-params", "not more than 1 parameter allowed", token, id))
        }
        (Some(Frame::Word(Class::Variance, _)), Class::Comma) if context.position != Position::Operand => {
            Some(at("stat-params", "not more than 2 parameters allowed", token, id))
        }
        _ => None,
    }
}

/// A histogram that is neither indexed nor printed.
fn base_histogram(context: &Context, tokens: &[RawToken], id: Id) -> Option<Fault> {
    match context.histogram {
        Some((Class::HistLog | Class::HistLinear, word)) => {
            let mut fault = at(
                "base-histogram",
                "base histogram operator where expression expected",
                tokens.get(word.0 as usize)?,
                id,
            );
            fault.resume = id.0;
            Some(fault)
        }
        _ => None,
    }
}

fn at(site: &'static str, message: &str, token: &RawToken, id: Id) -> Fault {
    Fault { place: Place::At(token.clone()), ..Fault::saw(site, message, token, id, true) }
}

/// True where a statement may start, or could if the one before has ended.
fn statement_starts(context: &Context) -> bool {
    context.frame.is_some_and(Frame::is_block) && context.position != Position::Operand
}

/// True if a token here would start a statement, or could if the one before has ended.
pub(crate) fn expects_statement(context: &Context) -> bool {
    let wanted = expectation(context);
    statement_starts(context) && wanted.site == "literal" && wanted.look == Look::Peek
}

/// Kinds of token that upstream tries as an expression statement.
fn starts_expression(token: &RawToken) -> bool {
    !matches!(token.token.kind, TokenKind::Keyword | TokenKind::Junk)
}

/// What upstream expects in a context.
fn expectation(context: &Context) -> Wanted {
    let ended = !matches!(context.position, Position::Start | Position::Operand);
    if context.wants_catch {
        return known("catch", Look::NextAfterSwallow);
    }
    if context.list_closed {
        return wanted("list", "unexpected comma-separated expression list", Look::Peek);
    }
    if context.wants_colon && ended {
        return wanted("ternary-colon", "expected ':'", Look::Take);
    }
    match context.previous.map(|(class, _)| class) {
        Some(Class::Arrow) => {
            return wanted("expect-kind2", "expected identifier or keyword", Look::Next);
        }
        Some(Class::Match) => {
            return wanted("literal-string", "expected literal string", Look::Next);
        }
        Some(Class::In) => {
            let look = match context.frame {
                Some(Frame::ForeachHeader(_)) => Look::NextAfterSwallow,
                _ => Look::Next,
            };
            return wanted("indexable", "expected identifier or statistical operation", look);
        }
        Some(Class::Try) => return wanted("block", "expected '{'", Look::Next),
        Some(Class::Catch) => return wanted("block", "expected '{'", Look::Take),
        Some(Class::If) if matches!(context.frame, Some(Frame::Header | Frame::PointGroup)) => {
            return wanted("condition-open", "expected '('", Look::Peek);
        }
        Some(Class::If) => return wanted("if-open", "expected '('", Look::Next),
        Some(Class::While) => return wanted("while-open", "expected '('", Look::Next),
        Some(Class::For) => return wanted("for-open", "expected '('", Look::Next),
        Some(Class::Foreach) => return wanted("foreach-open", "expected '('", Look::Next),
        Some(class) if super::words::takes_arguments(class) => return known("(", Look::Next),
        Some(Class::Close) if catch_variable_closed(context) => {
            return wanted("block", "expected '{'", Look::NextAfterSwallow);
        }
        _ => {}
    }
    match context.frame {
        None => declaration(context),
        Some(Frame::Header | Frame::PointGroup) => probe_point(context, ended),
        Some(Frame::Signature(_) | Frame::Params) => signature(context, ended),
        Some(Frame::ForeachHeader(_) | Frame::ForeachKeys | Frame::Slice) => foreach(context, ended),
        Some(Frame::Word(class, _)) => argument(class, context, ended),
        Some(Frame::CatchVariable) if ended => known(")", Look::Next),
        Some(Frame::CatchVariable) => wanted("catch-name", "expected identifier", Look::NextAfterSwallow),
        Some(Frame::ComponentArg) if ended => {
            let look = match context.previous {
                Some((Class::Number, _)) => Look::Next,
                _ => Look::Take,
            };
            wanted("component-close", "expected ')'", look)
        }
        Some(Frame::ComponentArg) => literal(),
        Some(Frame::Size) if ended => known("]", Look::NextAfterSwallow),
        Some(Frame::Size) => wanted("number-expected", "expected number", Look::NextAfterSwallow),
        Some(Frame::Block | Frame::TryBlock) => value(),
        Some(_) if !ended => value(),
        Some(Frame::Condition) => wanted("condition-close", "expected ')'", Look::Peek),
        Some(Frame::IfHeader) => wanted("if-close", "expected ')'", Look::Take),
        Some(Frame::WhileHeader) => wanted("while-close", "expected ')'", Look::Take),
        Some(Frame::ForHeader(0)) => wanted("for-init", "expected ';'", Look::Take),
        Some(Frame::ForHeader(1)) => wanted("for-condition", "expected ';'", Look::Take),
        Some(Frame::ForHeader(_)) => wanted("for-close", "expected ')'", Look::Take),
        Some(Frame::Group) => wanted("group-close", "expected ')'", Look::Take),
        Some(Frame::Call) => one_of(") ,"),
        Some(Frame::List) => wanted("list-close", "expected ',' or ']'", Look::Peek),
        Some(Frame::Index) => one_of("] ,"),
        Some(Frame::Bucket | Frame::Step) => known("]", Look::Take),
    }
}

/// True right behind `catch (name)`.
fn catch_variable_closed(context: &Context) -> bool {
    context.position == Position::Start && context.after_catch
}

fn declaration(context: &Context) -> Wanted {
    let identifier = |site, look| wanted(site, "expected identifier", look);
    match (context.section, context.previous.map(|(class, _)| class)) {
        (Section::Global, Some(Class::Private)) => {
            wanted("private", "expected 'function' or identifier", Look::NextAfterSwallow)
        }
        (Section::Global, Some(Class::Global | Class::Comma)) => {
            identifier("global-name", Look::NextAfterSwallow)
        }
        (Section::Global, Some(Class::Assign)) => Wanted { look: Look::Next, ..literal() },
        (Section::Global, Some(Class::PrefixMinus)) => literal(),
        (Section::Probe, Some(Class::Comma)) => wanted("block", "expected '{'", Look::NextAfterSwallow),
        _ => {
            let message = "expected 'probe', 'global', 'private', 'function', or '%{'";
            wanted("declaration", message, Look::Peek)
        }
    }
}

fn probe_point(context: &Context, ended: bool) -> Wanted {
    if !ended {
        let look = match context.previous {
            Some((Class::Probe, _)) => Look::Next,
            _ => Look::NextAfterSwallow,
        };
        return wanted("component", "expected identifier or '*' or '{'", look);
    }
    wanted("points", "expected one of ', { } = +='", Look::Peek)
}

fn signature(context: &Context, ended: bool) -> Wanted {
    let previous = context.previous.map(|(class, _)| class);
    let types = "expected 'string' or 'long'";
    let is_type = matches!(previous, Some(Class::StringType | Class::LongType));
    match (context.frame, previous) {
        (Some(Frame::Params), Some(Class::Colon)) => wanted("param-type", types, Look::NextAfterSwallow),
        (Some(Frame::Params), _) if is_type => {
            wanted("params-close", "expected ',' or ')'", Look::NextAfterSwallow)
        }
        (Some(Frame::Params), _) if ended => wanted("params-close", "expected ',' or ')'", Look::Next),
        (Some(Frame::Params), _) => wanted("param-name", "expected identifier", Look::NextAfterSwallow),
        (_, Some(Class::Function)) => wanted("function-name", "expected identifier", Look::NextAfterSwallow),
        (Some(Frame::Signature(false)), Some(Class::Colon)) => {
            wanted("function-type", types, Look::NextAfterSwallow)
        }
        (Some(Frame::Signature(false)), Some(Class::Name)) => {
            wanted("function-open", "expected '('", Look::Next)
        }
        (Some(Frame::Signature(false)), _) => wanted("function-open", "expected '('", Look::NextAfterSwallow),
        (_, Some(Class::Colon | Class::PrefixMinus)) => literal(),
        (_, Some(Class::Close)) => wanted("block", "expected '{'", Look::Peek),
        _ => wanted("block", "expected '{'", Look::Take),
    }
}

fn foreach(context: &Context, ended: bool) -> Wanted {
    let previous = context.previous.map(|(class, _)| class);
    let name = || wanted("foreach-name", "expected identifier", Look::Take);
    match context.frame {
        Some(Frame::ForeachKeys) if ended => wanted("foreach-keys", "expected ',' or ']'", Look::Peek),
        Some(Frame::ForeachKeys) => Wanted { look: Look::NextAfterSwallow, ..name() },
        Some(Frame::Slice) if ended => wanted("foreach-slice", "expected ',' or ']'", Look::Peek),
        Some(Frame::ForeachHeader(Stage::Keys)) if ended => wanted("foreach-in", "expected 'in'", Look::Take),
        Some(Frame::ForeachHeader(Stage::Keys)) => name(),
        Some(Frame::ForeachHeader(Stage::Base)) if previous == Some(Class::SortStat) => {
            wanted("foreach-direction", "expected sort directive", Look::Peek)
        }
        Some(Frame::ForeachHeader(Stage::Base)) => wanted("foreach-close", "expected ')'", Look::Take),
        Some(Frame::ForeachHeader(Stage::Limit)) if ended => {
            wanted("foreach-close", "expected ')'", Look::Take)
        }
        _ => value(),
    }
}

/// Inside the parentheses of an `@` operator or a print operator.
fn argument(class: Class, context: &Context, ended: bool) -> Wanted {
    let commas = context.commas;
    let number = || wanted("number-expected", "expected number", Look::NextAfterSwallow);
    let text = || wanted("literal-string", "expected literal string", Look::NextAfterSwallow);
    let close = |look| known(")", look);
    // What ends a token that is not an expression has not been peeked at.
    let after_token = Look::NextAfterSwallow;
    match (class, ended) {
        (Class::Cast, false) if commas > 0 => kind("string"),
        (Class::Cast, true) if commas == 0 => known(",", Look::Take),
        (Class::Var | Class::Const, false) => kind("string"),
        (Class::ProbeWrite, false) => kind("identifier"),
        (Class::ProbeWrite | Class::Register, true) => close(after_token),
        (Class::Enum | Class::Perf, false) => text(),
        (Class::EnumName, false) if commas > 0 => kind("string"),
        (Class::Register, false) => number(),
        (Class::Deref, false) if commas == 0 => number(),
        (Class::Deref, true) if commas == 0 => known(",", after_token),
        (Class::Variance, false) if commas > 0 => number(),
        (Class::HistLinear | Class::FirstHistLinear, false) if commas > 0 => number(),
        (Class::HistLinear | Class::FirstHistLinear, true) if commas == 0 => known(",", Look::Take),
        (Class::HistLinear | Class::FirstHistLinear, true) if commas < 3 => known(",", after_token),
        (Class::HistLinear | Class::FirstHistLinear, true) => close(after_token),
        (Class::PrintDelimited | Class::PrintFormat, false) if commas == 0 => text(),
        (Class::Print | Class::PrintLine, true) if context.position == Position::Hist => close(Look::Take),
        (
            Class::Print | Class::PrintLine | Class::PrintChar | Class::PrintDelimited | Class::PrintFormat,
            true,
        ) => one_of(", )"),
        (_, true) => close(Look::Take),
        (_, false) => value(),
    }
}
