//! Parses files and reports errors: `parse [-g] [-t] [-a ARG] FILE.stpm... FILE.stp...`; `-t` says all are tapset files.
//! The `.stpm` files must come first.

use frontend::diag::{Diagnostic, TokenTag};
use frontend::session::{Session, Version};
use frontend::source::{FileKind, SourceFile, SourceMap, TokenKind};
use frontend::syntax::dump::{declarations, file};
use frontend::syntax::{LibraryMacros, parse, parse_macros};
use frontend::tree::print::Form;
use std::time::Instant;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut session = Session::for_tests();
    let mut verbose = false;
    let (mut kind, mut files, mut dump, mut round_trip) = (FileKind::User, Vec::new(), false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-g" => session.guru = true,
            "-p" => dump = true,
            "-R" => round_trip = true,
            "-v" => verbose = true,
            "-t" => kind = FileKind::Tapset,
            "-a" => session.arguments.extend(arguments.next()),
            "-c" => {
                let config =
                    arguments.next().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
                for (name, value) in config.lines().filter_map(|line| line.split_once('=')) {
                    session.kernel.config.insert(name, value);
                }
            }
            "-C" => session.compatible = Version(arguments.next().unwrap_or_default()),
            "-r" => session.kernel.release = arguments.next().unwrap_or_default(),
            _ => files.push(argument),
        }
    }
    let mut map = SourceMap::new();
    let mut macros = LibraryMacros::new();
    let (mut errors, mut bytes) = (0, 0);
    let start = Instant::now();
    for name in files {
        let Ok(text) = std::fs::read(&name) else {
            eprintln!("cannot read {name}");
            continue;
        };
        bytes += text.len();
        let is_macros = name.ends_with(".stpm");
        let kind = if is_macros { FileKind::TapsetMacros } else { kind };
        let id = map.add(SourceFile::new(name.as_str(), kind, &text));
        let diagnostics = if is_macros {
            parse_macros(&session, id, map.file(id), &mut macros)
        } else {
            let parse = parse(&session, id, map.file(id), &macros);
            if dump {
                println!("# parse tree dump\n{}", file(&name, &parse.script, Form::Upstream));
            }
            if round_trip && !parse.diagnostics.has_errors() {
                let text = declarations(&parse.script, Form::Faithful);
                let copy = map.add(SourceFile::new("copy", kind, text.as_bytes()));
                let again = self::parse(
                    &Session { guru: true, ..session.clone() },
                    copy,
                    map.file(copy),
                    &LibraryMacros::new(),
                );
                let equal = again.script.globals == parse.script.globals
                    && again.script.functions == parse.script.functions
                    && again.script.aliases == parse.script.aliases
                    && again.script.probes == parse.script.probes
                    && again.script.embeds == parse.script.embeds;
                if !equal || again.diagnostics.has_errors() {
                    println!(
                        "{name}: ROUND TRIP {:?}",
                        again
                            .diagnostics
                            .iter()
                            .map(|d| (&d.message, d.token.as_ref().map(|t| map.describe(t.pos))))
                            .collect::<Vec<_>>()
                    );
                    if dump {
                        println!("{text}");
                    }
                }
            }
            parse.diagnostics
        };
        diagnostics
            .iter()
            .filter(|diagnostic| !diagnostic.is_error())
            .for_each(|warning| println!("WARNING: {}", warning.message));
        let mut seen = std::collections::BTreeSet::new();
        for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
            errors += 1;
            let mut next = (seen.insert(diagnostic.site) || verbose).then_some(diagnostic);
            while let Some(shown) = next {
                print_like_stap(&map, shown);
                next = shown.cause.as_deref();
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "{errors} diagnostics, {bytes} bytes, {seconds:.3} s, {:.1} MB/s",
        bytes as f64 / seconds / 1e6
    );
}

/// The lines of upstream's messages that name things, without the source text.
fn print_like_stap(map: &SourceMap, diagnostic: &Diagnostic) {
    println!("parse error: {}", diagnostic.message);
    let Some(token) = &diagnostic.token else { return };
    let mut kind = format!("{:?}", token.kind).to_lowercase();
    if token.kind == TokenKind::Embedded {
        kind = "embedded-code".into();
    }
    let text = match token.kind {
        TokenKind::Embedded | TokenKind::Keyword => String::new(),
        _ => format!(" '{}'", token.text.replace(|letter: char| letter.is_control(), "?")),
    };
    match diagnostic.tag {
        TokenTag::At => println!("         at: {kind}{text} at {}", map.describe(token.pos)),
        TokenTag::Saw => println!("        saw: {kind}{text} at {}", map.describe(token.pos)),
        TokenTag::SawEof => println!("        saw: {} EOF", map.file(token.pos.file).name),
    }
}
