//! Lexer, conditionals and macros: any bytes as a macro file.
#![no_main]

use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::{LibraryMacros, parse_macros};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = SourceFile::new("input.stpm", FileKind::TapsetMacros, data);
    let mut macros = LibraryMacros::new();
    let session = rstap_fuzz::session();
    parse_macros(&session, FileId(0), &source, &mut macros);
    // The same again defines everything twice.
    parse_macros(&session, FileId(0), &source, &mut macros);
});
