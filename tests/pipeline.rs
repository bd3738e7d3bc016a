//! All five passes of the binary, with a compiler and a loader that only pretend: order, messages, what stays where.

// Helpers outside of the tests fail them, too.
#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use support::{Machine, Ran};

const HELLO: &str = "probe begin { exit() }";

/// True if this user may load modules; without that pass 5 ends before it begins.
fn is_root() -> bool {
    let root = nix::unistd::getuid().is_root();
    if !root {
        eprintln!("skipped: pass 5 needs root");
    }
    root
}

/// A text without the machine's directory, numbers and generated names.
fn shape(machine: &Machine, text: &str) -> String {
    let mut out = String::new();
    for line in machine.neutral(text).lines() {
        let words = line.split(' ').map(|word| {
            if word.contains("virt/") || word.contains("usr/") {
                return "N".to_owned();
            }
            let parts = word.split('/').map(|part| {
                let quote = if part.ends_with('"') { "\"" } else { "" };
                let open = if part.starts_with('"') { "\"" } else { "" };
                let name = part.trim_matches('"');
                match name {
                    _ if name.ends_with("_src.c") => format!("{open}NAME_src.c{quote}"),
                    _ if name.starts_with("stap_") && name.ends_with(".ko") => {
                        format!("{open}NAME.ko{quote}")
                    }
                    _ if name.starts_with("stap") && name.len() == 10 => "TEMP".to_owned(),
                    _ if name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit()) => "KEY".to_owned(),
                    _ => part.to_owned(),
                }
            });
            parts.collect::<Vec<_>>().join("/")
        });
        out.push_str(&words.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out
}

#[test]
fn five_passes_and_what_they_say() {
    if !is_root() {
        return;
    }
    let machine = Machine::new().with_tools("echo Hello; for word; do echo \"$word\"; done >&2");
    let run = machine.run(&["-v", "-G", "x=1", "-o", "out", "-e", HELLO]).expect_status(0);
    assert_eq!(run.out, "Hello\n");
    expect_test::expect![[r#"
        Pass 1: parsed user script and 3 library scripts using N kb, in N ms.
        Pass 2: analyzed script: 1 probe, 1 function, 0 embeds, 0 globals using N kb, in N ms.
        Pass 3: translated to C into "DIR/tmp/TEMP/NAME_src.c" using N kb, in N ms.
        Pass 4: compiled C into "NAME.ko" in N ms.
        Pass 5: starting run.
        -o
        out
        -R
        DIR/tmp/TEMP/NAME.ko
        x=1
        Pass 5: run completed in N ms.
    "#]]
    .assert_eq(&shape(&machine, &run.err));
    assert!(machine.is_clean());
}

#[test]
fn a_module_is_built_once() {
    let machine = Machine::new().with_tools("");
    let first = machine.run(&["-p4", "-e", HELLO]).expect_status(0);
    let second = machine.run(&["-v", "-p4", "-e", HELLO]).expect_status(0);
    assert_eq!(first.out, second.out);
    let module = first.out.trim_end();
    assert!(machine.neutral(module).starts_with("DIR/home/.cache/rstap/modules/"), "{module}");
    assert!(fs::read_to_string(module).unwrap().starts_with("module stap_"));
    assert!(second.err.contains(&format!("Pass 4: using cached {module}\n")), "{}", second.err);
    for other in [&["-g", "-p4", "-e", HELLO][..], &["-D", "X", "-p4", "-e", HELLO]] {
        assert_ne!(machine.run(other).expect_status(0).out, first.out);
    }
    let poisoned = machine.run(&["-v", "--poison-cache", "-p4", "-e", HELLO]).expect_status(0);
    assert!(poisoned.err.contains("Pass 4: compiled C into"), "{}", poisoned.err);
    machine.run(&["--clean-cache"]).expect_status(0);
    assert!(!fs::exists(module).unwrap());
    assert!(machine.is_clean());
}

#[test]
fn a_named_module_stays_in_the_current_directory() {
    let machine = Machine::new().with_tools("");
    let run = machine.run(&["-p4", "-m", "mine", "--emit-staprun=argv", "-c", "ls -l", "-e", HELLO]);
    assert_eq!(run.expect_status(0).out, "mine.ko\n");
    assert_eq!(fs::read_to_string(machine.path("mine.ko")).unwrap(), "module mine\n");
    let words = machine.neutral(&fs::read_to_string(machine.path("argv")).unwrap());
    // A module with a name of its own is not renamed.
    assert_eq!(words, "DIR/bin/staprun\n-c\nls -l\nDIR/mine.ko\n");
    assert!(machine.is_clean());
}

#[test]
fn without_a_cache_the_module_stays_too() {
    let machine = Machine::new().with_tools("");
    let run = machine.run(&["-p4", "--disable-cache", "-e", HELLO]).expect_status(0);
    assert!(machine.path(run.out.trim_end()).exists());
    assert!(!machine.path("home/.cache").exists());
}

#[test]
fn pass_3_prints_the_c() {
    let machine = Machine::new().with_tools("");
    let run = machine.run(&["-p3", "-e", HELLO]).expect_status(0);
    assert!(run.out.contains("MODULE_LICENSE(\"GPL\");"));
    assert!(machine.is_clean());
    let again = machine.run(&["-p3", "-e", HELLO]).expect_status(0);
    assert_eq!(run.out, again.out, "the same input gives the same text");
}

#[test]
fn the_stack_of_a_script_is_told_at_verbosity_2() {
    let machine = Machine::new().with_tools("");
    let script = "function text:string() { return \"x\" } function f(n) { return n ? f(n - 1) : 0 } \
                  probe begin { s = text() println(s, f(3)) }";
    let run = machine.run(&["-vv", "-p3", "-e", script]).expect_status(0);
    assert!(
        run.err.contains("function recursion-analysis: max-nesting 2  recursive\n")
            && run.err.contains("context frame: "),
        "{}",
        run.err
    );
}

#[test]
fn what_more_goals_of_the_build_print_is_shown() {
    let machine = Machine::new().with_tools("");
    let run = machine.run(&["-p4", "-m", "asked", "-B", "kernelrelease", "-e", HELLO]).expect_status(0);
    assert!(run.out.starts_with("the release\n"), "{}", run.out);
}

#[test]
fn debug_keeps_the_build_and_the_layouts_of_types() {
    let machine = Machine::new().with_tools("");
    machine.write("own/.keep", "");
    machine.write_program("bin/pahole", "#!/bin/sh\necho \"layouts in $1\"\n");
    let words = ["--debug", "--tmpdir=own", "-p4", "-m", "kept", "-e", HELLO];
    machine.run(&words).expect_status(0);
    let layouts = fs::read_to_string(machine.path("own/kept.pahole")).unwrap();
    assert!(layouts.starts_with("layouts in ") && layouts.ends_with("/own/kept.ko\n"), "{layouts}");
    let makefile = fs::read_to_string(machine.path("own/Makefile")).unwrap();
    assert!(makefile.contains("-save-temps=obj"), "{makefile}");
    // It serves only to look at.
    machine.write_program("bin/pahole", "#!/bin/sh\nexit 1\n");
    machine.run(&words).expect_status(0);
}

#[test]
fn the_way_of_probe_points_is_told_at_verbosity_2() {
    let machine = Machine::new().with_tools("");
    let script = "probe a = begin ! , end { println(1) } probe a { println(2) } probe begin { println(3) }";
    let run = machine.run(&["--vp", "02", "-p2", "-e", script]).expect_status(0);
    let expected = "derive-probes (location #0): a of keyword at <input>:1:40\n\
                    derive-probes (location #0): begin! of identifier 'a' at <input>:1:46\n\
                    Probe point begin! sufficient, skipped end\n\
                    derive-probes (location #0): begin of keyword at <input>:1:63\n";
    assert!(run.err.starts_with(expected), "{}", run.err);
    let run = machine.run(&["--vp", "01", "-p2", "-e", script]).expect_status(0);
    assert!(!run.err.contains("derive-probes"), "{}", run.err);
}

#[test]
fn what_pass_3_prints_is_what_pass_4_builds() {
    // So it compiles as it is: the end-to-end scripts have the kernel's makefiles compile this very text.
    let machine = Machine::new().with_tools("");
    machine.write("own/.keep", "");
    for options in [&["-g"][..], &["-t", "-b", "-DSTP_EXTRA=1"]] {
        let words = |pass| [&["--tmpdir=own", "--disable-cache", pass], options, &["-e", HELLO]].concat();
        let printed = machine.run(&words("-p3")).expect_status(0).out;
        let source = || {
            let files = fs::read_dir(machine.path("own")).unwrap().map(|file| file.unwrap().path());
            let mut sources = files.filter(|path| path.to_string_lossy().ends_with("_src.c"));
            let source = sources.next().unwrap();
            assert_eq!(sources.next(), None);
            source
        };
        fs::remove_file(source()).unwrap();
        machine.run(&words("-p4")).expect_status(0);
        assert_eq!(fs::read_to_string(source()).unwrap(), printed);
        fs::remove_file(source()).unwrap();
    }
}

#[test]
fn a_kept_directory_is_named() {
    let machine = Machine::new().with_tools("");
    let run = machine.run(&["-k", "-p4", "-e", HELLO]).expect_status(0);
    let line = run.err.lines().last().unwrap();
    let directory = line.strip_prefix("Keeping temporary directory \"").unwrap().trim_end_matches('"');
    assert!(fs::read_dir(directory).unwrap().count() > 3);
    for words in [["-k", "-p1", "-e", HELLO], ["-k", "-p2", "-e", HELLO], ["-k", "-p1", "-e", "probe"]] {
        let run = machine.run(&words);
        assert!(run.err.contains("Keeping temporary directory \"/"), "{}", run.err);
    }
    machine.write("own/.keep", "");
    let run = machine.run(&["--tmpdir=own", "-p3", "-e", HELLO]).expect_status(0);
    assert_eq!(run.err, "");
    let files: Vec<String> = fs::read_dir(machine.path("own"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    for unit in ["_src.c", "_aux_0.c", "stap_symbols.c", "stap_common.h"] {
        assert!(files.iter().any(|file| file.ends_with(unit)), "no {unit} among {files:?}");
    }
}

#[test]
fn c_that_does_not_compile() {
    let machine = Machine::new().with_tools("");
    let script = "function f() %{ does not compile %} probe begin { f() }";
    let run = machine.run(&["-g", "-p4", "-e", script]).expect_status(1);
    assert!(run.err.contains("error: expected expression"), "{}", run.err);
    assert!(run.err.ends_with("Pass 4: compilation failed.  [man error::pass4]\n"), "{}", run.err);
    assert!(machine.is_clean());
}

#[test]
fn programs_and_parts_that_are_missing() {
    let machine = Machine::new().with_tools("");
    machine.write("kernel/.config", "CONFIG_CC_VERSION_TEXT=\"no-such-gcc (Test) 1.0\"\n");
    machine.write("runtime/linux/autoconf-task-uid.c", "int x;\n");
    machine.write_program("bin/make", "#!/bin/sh\necho rstap-kbuild-variable CC=no-such-gcc\necho rstap-kbuild-variable KBUILD_CFLAGS=-O2\n");
    let run = machine.run(&["-p4", "-e", HELLO]).expect_status(1);
    assert!(run.err.starts_with("ERROR: the compiler \"no-such-gcc\""), "{}", run.err);
    machine.remove("runtime/runtime.h");
    let run = machine.run(&["-p4", "-e", HELLO]).expect_status(1);
    assert!(run.err.starts_with("ERROR: no SystemTap runtime in "), "{}", run.err);
    assert!(machine.is_clean());
}

#[test]
fn runtimes_that_are_newer_older_or_of_another_staprun() {
    let machine = Machine::new().with_tools("exit 0");
    let newer = "#define STAP_TRACE_MAGIC \"x\"\n  STP_START = 0x58,\n";
    machine.write("runtime/transport/transport_msgs.h", newer);
    machine
        .write("runtime/linux/timer.h", "#define STP_HRTIMER_SETUP(t, f, c, m)\n#define STP_UNHEARD_OF(x)");
    let run = machine.run(&["-p3", "-e", HELLO]).expect_status(0);
    assert_eq!(
        machine.neutral(&run.err),
        "Note: the runtime in \"DIR/runtime\" is newer than rstap knows: its messages start at 0x58, which no known \
         release uses\n"
    );
    assert_eq!(machine.run(&["-w", "-p3", "-e", HELLO]).expect_status(0).err, "");
    if is_root() {
        // stapio beside staprun does not look for the mark that this runtime makes.
        machine.write("lib/systemtap/stapio", "older");
        let run = machine.run(&["-w", "-e", HELLO]).expect_status(1);
        assert!(
            run.err.starts_with("ERROR: staprun is of another generation than the runtime: "),
            "{}",
            run.err
        );
    }
    machine.write("runtime/linux/map_runtime.h", "MAP map[];");
    let run = machine.run(&["-p3", "-e", HELLO]).expect_status(1);
    assert!(run.err.contains("is older than 4.8"), "{}", run.err);
    assert!(machine.is_clean());
}

#[test]
fn staprun_that_fails() {
    if !is_root() {
        return;
    }
    let machine = Machine::new().with_tools("exit 3");
    let run = machine.run(&["-e", HELLO]).expect_status(1);
    assert_eq!(
        machine.neutral(&run.err),
        "WARNING: DIR/bin/staprun exited with status: 3\nPass 5: run failed.  [man error::pass5]\n"
    );
    machine.remove("bin/staprun");
    let run = machine.run(&["-e", HELLO]).expect_status(1);
    assert!(run.err.contains("Install the distribution's systemtap-runtime package"), "{}", run.err);
    assert!(machine.is_clean());
}

/// Starts rstap and waits until a file says that the run has come to its slow part.
fn started(machine: &Machine, words: &[&str], sign: &str) -> Child {
    let mut command = machine.command();
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let start = Instant::now();
    while !machine.path(sign).exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the run never got to {sign}");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(100));
}

fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn the_first_interrupt_ends_the_script_in_order() {
    if !is_root() {
        return;
    }
    let machine = Machine::new()
        .with_tools("trap 'echo end probes; exit 0' TERM\n: > started\nwhile :; do sleep 0.1; done");
    let child = started(&machine, &["-e", HELLO], "started");
    interrupt(&child);
    let run = finish(child).expect_status(0);
    assert_eq!(run.out, "end probes\n");
    assert_eq!(run.err, "");
    assert!(machine.is_clean());
}

#[test]
fn the_third_interrupt_ends_rstap() {
    if !is_root() {
        return;
    }
    // It must end some day: nobody else waits for it.
    let loops = "trap '' TERM INT\n: > started\nfor i in 1 2 3 4 5; do sleep 1; done >/dev/null 2>&1";
    let machine = Machine::new().with_tools(loops);
    let child = started(&machine, &["-e", HELLO], "started");
    (0..3).for_each(|_| interrupt(&child));
    let run = finish(child).expect_status(1);
    assert_eq!(run.err, "Too many interrupts received, exiting.\n");
    assert!(machine.is_clean());
}

#[test]
fn an_interrupt_of_the_build_leaves_nothing_behind() {
    let machine = Machine::new().with_tools("");
    machine.write_program("bin/make", "#!/bin/sh\n: > started\nexec sleep 60\n");
    let child = started(&machine, &["-p4", "-e", HELLO], "started");
    interrupt(&child);
    let start = Instant::now();
    finish(child).expect_status(1);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(machine.is_clean());
}
