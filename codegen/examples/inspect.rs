//! Inspects emitted C: `inspect FILE...` prints `FILE: fault` for each rule that the text of a main unit breaks.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut failed = false;
    for path in std::env::args().skip(1) {
        let faults = match std::fs::read_to_string(&path) {
            Ok(source) => codegen::inspect::faults(&source),
            Err(error) => vec![error.to_string()],
        };
        for fault in &faults {
            println!("{path}: {fault}");
        }
        failed |= !faults.is_empty();
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
