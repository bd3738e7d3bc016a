//! Parses files, prints their trees and parses those; each file whose second tree is not the first one is named.
//!
//! `round_trip [--release RELEASE] [--config FILE] [--macros FILE...] [--tapset FILE...] [--script FILE...]`: the words
//! decide what the files after them are. Scripts that do not parse are only counted; files of a tapset must parse.

use frontend::session::{Config, Session};
use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::dump::declarations;
use frontend::syntax::{LibraryMacros, parse, parse_macros};
use frontend::tree::print::Form;
use std::process::ExitCode;

/// Stack for the deepest trees that parse.
const STACK: usize = 512 << 20;

fn main() -> ExitCode {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(check_all);
    let failed = thread.map(|thread| thread.join().unwrap_or(1)).unwrap_or(1);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Checks all files and returns how many failed.
fn check_all() -> usize {
    let mut session = Session { guru: true, ..Session::for_tests() };
    session.arguments = (1..=9).map(|number| number.to_string()).collect();
    let mut macros = LibraryMacros::new();
    let (mut files, mut refused, mut failed) = (0, 0, 0);
    let mut role = String::new();
    for word in std::env::args().skip(1) {
        if word.starts_with("--") {
            role = word;
            continue;
        }
        if role == "--release" {
            session.kernel.release = word;
            continue;
        }
        let text = match std::fs::read(&word) {
            Ok(text) => text,
            Err(error) => {
                println!("{word}: {error}");
                failed += 1;
                continue;
            }
        };
        let kind = match role.as_str() {
            "--config" => {
                session.kernel.config = Config::from(&*String::from_utf8_lossy(&text));
                continue;
            }
            "--macros" => FileKind::TapsetMacros,
            "--tapset" => FileKind::Tapset,
            _ => FileKind::User,
        };
        let source = SourceFile::new(word.as_str(), kind, &text);
        if kind == FileKind::TapsetMacros {
            parse_macros(&session, FileId(0), &source, &mut macros);
            continue;
        }
        files += 1;
        match check(&session, &source, &macros) {
            Outcome::Same => {}
            Outcome::Refused if kind == FileKind::Tapset => {
                println!("{word}: does not parse");
                failed += 1;
            }
            Outcome::Refused => refused += 1,
            Outcome::Differs(why) => {
                println!("{word}: {why}");
                failed += 1;
            }
        }
    }
    println!("{files} files, {refused} do not parse, {failed} failed");
    failed
}

enum Outcome {
    Same,
    Refused,
    Differs(String),
}

fn check(session: &Session, source: &SourceFile, macros: &LibraryMacros) -> Outcome {
    let first = parse(session, FileId(0), source, macros);
    if first.diagnostics.has_errors() {
        return Outcome::Refused;
    }
    let text = declarations(&first.script, Form::Faithful);
    let copy = SourceFile::new(source.name.clone(), source.kind, text.as_bytes());
    let second = parse(session, FileId(0), &copy, &LibraryMacros::new());
    if let Some(error) = second.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        return Outcome::Differs(format!("what it prints does not parse: {}", error.message));
    }
    if first.script == second.script { Outcome::Same } else { Outcome::Differs("another tree".into()) }
}
