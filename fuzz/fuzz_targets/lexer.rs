//! The lexer alone: tokens come in the order of the text, and each has its place in it.
#![no_main]

use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::tokens;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = SourceFile::new("<input>", FileKind::User, data);
    let tokens = tokens(&rstap_fuzz::session(), FileId(0), &source);
    let offsets: Vec<usize> = tokens.iter().map(|token| token.pos.offset as usize).collect();
    assert!(offsets.is_sorted() && offsets.iter().all(|&offset| offset < source.bytes().len()));
});
