//! The whole parser, at all levels of the language: no input makes it panic, and every place it names exists.
#![no_main]

use frontend::session::Version;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (level, text) = data.split_first().unwrap_or((&0, &[]));
    let mut session = rstap_fuzz::session();
    let level = ["5.6", "1.0", "2.2", "2.5", "2.9", "3.9", "5.4", "5.5"][usize::from(level % 8)];
    session.compatible = Version(level.into());
    session.guru = data.len() % 2 == 0;
    let parse = rstap_fuzz::parse_script(&session, text);
    for diagnostic in parse.diagnostics.iter() {
        let token = diagnostic.token.as_ref().map(|token| token.outermost());
        assert!(token.is_none_or(|token| token.pos.offset as usize <= text.len()));
    }
});
