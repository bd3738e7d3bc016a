//! Speed of the parser on generated scripts: `cargo bench -p frontend`. Bytes per second must not fall as scripts grow.

use divan::counter::BytesCount;
use frontend::session::Session;
use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::dump::declarations;
use frontend::syntax::{LibraryMacros, parse};
use frontend::tree::print::Form;
use std::fmt::Write;

fn main() {
    divan::main();
}

/// A script of about that many bytes, of the kind that programs write: many probes, functions and globals.
fn script(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1000);
    for index in 0.. {
        if text.len() >= bytes {
            break;
        }
        let period = index % 50 + 1;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "global counts_{index}, total_{index} = {index}
             function compute_{index}:long (first:long, second:long) {{
               if (first > second && total_{index} != 0) return first * 2 + second % 7
               for (i = 0; i < 10; i++) {{ counts_{index}[i, execname()] += i << 2 }}
               return counts_{index}[first, \"name\"] - (second | 0x{index:x})
             }}
             probe timer.s({period}), kernel.function(\"do_{index}\").return? {{
               foreach ([key-, name] in counts_{index} limit 20)
                 printf(\"%d %s: %d\\n\", key, name, counts_{index}[key, name])
               x = compute_{index}(pid(), tid()) . \"text\" . sprint($file->f_path->dentry[2])
               delete counts_{index} // and start again
             }}\n"
        );
    }
    text
}

#[divan::bench(args = [100_000, 1_000_000, 4_000_000], sample_count = 15)]
fn parse_script(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    let text = script(bytes);
    let session = Session::for_tests();
    let source = SourceFile::new("bench.stp", FileKind::User, text.as_bytes());
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| parse(&session, FileId(0), &source, &LibraryMacros::new()));
}

#[divan::bench(args = [1_000_000], sample_count = 15)]
fn print_script(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    let text = script(bytes);
    let session = Session::for_tests();
    let source = SourceFile::new("bench.stp", FileKind::User, text.as_bytes());
    let parse = parse(&session, FileId(0), &source, &LibraryMacros::new());
    bencher.counter(BytesCount::new(text.len())).bench(|| declarations(&parse.script, Form::Upstream));
}
