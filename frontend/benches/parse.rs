//! Speed of the parser on generated scripts: `cargo bench -p frontend`. Bytes per second must not fall as scripts grow.

use divan::counter::BytesCount;
use frontend::session::Session;
use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::dump::declarations;
use frontend::syntax::{LibraryMacros, parse};
use frontend::tree::print::Form;
use std::fmt::Write;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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

/// What a generated script may consist of nearly only: each shape leans on another part of the parser.
const SHAPES: [&str; 7] =
    ["probes", "functions", "expressions", "strings", "comments", "conditionals", "macros"];

/// A script of about that many bytes in one shape.
fn shape(name: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 10_000);
    if name == "macros" {
        text.push_str("@define twice(x) %( (@x + @x) %)\n@define seven %( 7 %)\n");
    }
    for index in 0.. {
        if text.len() >= bytes {
            break;
        }
        // Writing to a string cannot fail.
        let _ = match name {
            "probes" => writeln!(text, "probe timer.ms({}) {{ println({index}) }}", index + 1),
            "functions" => writeln!(text, "function f{index}(a, b) {{ return f{}(b, a + 1) }}", index / 2),
            "expressions" => {
                let term = format!(" + (y[{index}] * 3 - f(x, -{index})) / (2 << z % 7)");
                writeln!(text, "probe begin {{ x = 0{} == 1 ? a : b . \"c\" }}", term.repeat(40))
            }
            "strings" => {
                writeln!(text, "probe begin {{ s = \"text \\t number {index}, and some more of it\" }}")
            }
            "comments" => {
                writeln!(text, "# about {index}\n// more about it\n/* and\n more * still */ global g{index}")
            }
            "conditionals" => {
                let half = index % 2;
                writeln!(
                    text,
                    "%( {half} == 1 && kernel_v >= \"6.1\" %? global a{index} %: global b{index} %)"
                )
            }
            _ => writeln!(text, "function f{index}(a) {{ return @twice(a * @seven) - @twice({index}) }}"),
        };
    }
    text
}

#[divan::bench(args = [100_000, 1_000_000, 4_000_000], sample_count = 15)]
fn parse_script(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    parse_text(bencher, &script(bytes));
}

#[divan::bench(args = SHAPES, consts = [1_000_000, 4_000_000], sample_count = 7)]
fn parse_shape<const BYTES: usize>(bencher: divan::Bencher<'_, '_>, name: &str) {
    parse_text(bencher, &shape(name, BYTES));
}

fn parse_text(bencher: divan::Bencher<'_, '_>, text: &str) {
    let session = Session::for_tests();
    let source = SourceFile::new("bench.stp", FileKind::User, text.as_bytes());
    let wrong = parse(&session, FileId(0), &source, &LibraryMacros::new()).diagnostics;
    assert!(!wrong.has_errors(), "{:?}", wrong.into_iter().next());
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
