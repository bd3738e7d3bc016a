//! Upstream's words for what the grammar could not accept. Upstream's parser is recursive descent: which message it
//! gives follows from the production it is in, which the token layer knows as [`Context`].

use super::class::{Class, Id};
use super::context::Context;
use super::fault::{Fault, Place};
use super::token::RawToken;

/// The error for token `id`, which the grammar refused in `context`.
pub(crate) fn unexpected(context: &Context, class: Class, token: &RawToken, id: Id) -> Fault {
    let _ = (context, class);
    Fault::saw("unexpected", "unexpected token", token, id, true)
}

/// The error for the end of the file.
pub(crate) fn unexpected_end(context: &Context, end: u32) -> Fault {
    let _ = context;
    Fault {
        site: "eof",
        message: "unexpected end-of-file".into(),
        place: Place::Forgotten,
        resume: end,
        skip: true,
        cause: None,
    }
}
