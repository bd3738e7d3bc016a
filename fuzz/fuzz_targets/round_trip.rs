//! What parses prints to a text that parses to the same declarations.
#![no_main]

use frontend::syntax::dump::declarations;
use frontend::tree::print::Form;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let session = rstap_fuzz::session();
    let first = rstap_fuzz::parse_script(&session, data);
    if first.diagnostics.has_errors() {
        return;
    }
    let text = declarations(&first.script, Form::Faithful);
    let second = rstap_fuzz::parse_script(&session, text.as_bytes());
    assert!(!second.diagnostics.has_errors(), "{text}\n{:?}", second.diagnostics);
    assert_eq!(first.script, second.script, "{text}");
});
