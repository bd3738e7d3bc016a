//! The binary's options: what it answers by itself, and what it refuses.

mod support;

use support::{Machine, ran};

#[test]
fn help_and_version_answer_on_standard_output() {
    let machine = Machine::new();
    for words in [&["--help"][..], &["-h"], &["-vh", "-Z"]] {
        let run = machine.run(words).expect_status(0);
        assert!(run.out.contains("--emit-staprun=FILE"), "{}", run.out);
        assert_eq!(run.err, "");
    }
    let run = machine.run(&["--version"]).expect_status(0);
    // Wrappers look for `version (\d+\.\d+)`.
    assert!(run.out.starts_with("Systemtap translator/driver (version 5.6/"), "{}", run.out);
    assert!(run.out.contains(concat!("rstap ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn wrong_options_get_getopts_words_and_a_hint() {
    let machine = Machine::new();
    let cases = [
        (&["--foo"][..], "unrecognized option '--foo'"),
        (&["-Z"], "invalid option -- 'Z'"),
        (&["-p"], "option requires an argument -- 'p'"),
        (&["--dump"], "option '--dump' is ambiguous; possibilities:"),
    ];
    for (words, message) in cases {
        let run = machine.run(words).expect_status(1);
        assert!(run.err.lines().next().unwrap().contains(message), "{}", run.err);
        assert!(run.err.contains("Try '--help' for more information. [man stap]"), "{}", run.err);
        assert_eq!(run.out, "");
    }
}

#[test]
fn refused_values_and_combinations() {
    let machine = Machine::new();
    let cases = [
        (&["-p9", "-e", ""][..], "Invalid pass number (should be 1-5)."),
        (&[], "A script must be specified."),
        (&["-l", "x", "-p2"], "Cannot specify -p with -l/-L/--dump-* switches."),
        (&["-e", "x", "-c", "a", "-x", "2"], "You can't specify -c and -x together."),
        (
            &["-D", "1"],
            "ERROR: Safety pattern mismatch for -D parameter ('1' vs. '^[a-z_][a-z_0-9]*(=-?[a-z_0-9]+)?$') rc=1",
        ),
        (&["--remote=x", "-e", ""], "ERROR: --remote is not supported by this version of systemtap"),
        (&["--bpf"], "ERROR: --runtime=bpf unavailable; this build lacks BPF feature"),
    ];
    for (words, message) in cases {
        let run = machine.run(words).expect_status(1);
        assert_eq!(run.err.lines().next(), Some(message));
    }
}

#[test]
fn the_resource_file_comes_first() {
    let machine = Machine::new();
    machine.write("home/.systemtap/rc", "-p9\n");
    let run = machine.run(&["-p1", "-e", "probe begin { }"]).expect_status(1);
    assert_eq!(run.err, "Invalid pass number (should be 1-5).\n");
    machine.write("home/.systemtap/rc", "-I $NO_SUCH_VARIABLE\n");
    let run = machine.run(&["-V"]).expect_status(1);
    assert!(run.err.starts_with("Error processing extra options in "), "{}", run.err);
    machine.write("elsewhere/rc", "--version");
    let run = ran(machine.command().env("SYSTEMTAP_DIR", machine.path("elsewhere")).arg("-Z"));
    assert_eq!(run.status, 0);
}

#[test]
fn the_list_of_repairs_needs_no_runtime() {
    let run = Machine::new().run(&["--list-repairs"]).expect_status(0);
    assert!(run.out.contains("task_work_cancel"), "{}", run.out);
}

#[test]
fn a_missing_runtime_has_no_profile() {
    let machine = Machine::new();
    let run = machine.run(&["--print-runtime-profile"]).expect_status(1);
    let err = machine.neutral(&run.err);
    assert!(err.starts_with("ERROR: no SystemTap runtime in \"DIR/runtime\""), "{err}");
}

#[test]
fn a_missing_kernel_tree_is_named() {
    let machine = Machine::new();
    machine.remove("kernel/.config");
    let run = machine.run(&["-p1", "-e", "probe begin { }"]).expect_status(1);
    let err = machine.neutral(&run.err);
    let first = "Checking \"DIR/kernel/.config\" failed with error: No such file or directory";
    assert_eq!(err.lines().next(), Some(first));
    assert!(err.contains("Install the headers package"), "{err}");
    assert!(machine.is_clean());
}

#[test]
fn limits_are_no_bug() {
    let machine = Machine::new();
    for limit in ["--rlimit-nproc=1", "--rlimit-as=500000000", "--rlimit-cpu=100", "--rlimit-fsize=100000"] {
        let run = machine.run(&[limit, "-p2", "-e", "probe begin { exit() }"]).expect_status(0);
        assert!(run.out.contains("# probes"), "{limit}: {}", run.err);
    }
}
