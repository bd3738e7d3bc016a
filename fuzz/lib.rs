//! What the fuzz targets share. Run one with `cargo +nightly fuzz run parse fuzz/corpus/parse fuzz/seeds/scripts` (any
//! target but `index`, whose seeds are in `fuzz/seeds/index`); the first folder collects what is found.

use frontend::session::Session;
use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::{LibraryMacros, Parse, parse};

/// A session with arguments to paste and conditions to meet.
pub fn session() -> Session {
    let mut session = Session { guru: true, ..Session::for_tests() };
    session.arguments = vec!["17".into(), "a \"quoted\" text".into(), "x /* y".into()];
    session.kernel.config.insert("CONFIG_SMP", "y");
    session.kernel.config.insert("CONFIG_HZ", "250");
    session
}

/// Parses a script of the user's.
pub fn parse_script(session: &Session, text: &[u8]) -> Parse {
    let source = SourceFile::new("<input>", FileKind::User, text);
    parse(session, FileId(0), &source, &LibraryMacros::new())
}
