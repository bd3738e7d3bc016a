//! What a run-time test asks for that is not compared here, told from its files.
//!
//! A test that probes functions, statements or marks of programs, or the kernel by its debug information, tests another
//! part of the translator than the one that makes C of a script. Points that need neither (`process.begin`,
//! `process("...").syscall`, `timer.*`, `kprobe.*`...) are no reason to leave a test out.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Test;
use crate::lab::{IoContext, Result};

/// Why a test is left out, unless all are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Functions, statements, marks or libraries of programs.
    Programs,
    /// The kernel's debug information, or its tracepoints.
    DebugInformation,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Need::Programs => "probes inside programs",
            Need::DebugInformation => "needs debug information",
        })
    }
}

/// What a test needs, from its `.exp` file and the scripts beside it whose names begin with the test's name; `None` if
/// it can be compared.
///
/// # Errors
/// A file cannot be read.
pub fn need(upstream: &Path, test: &Test) -> Result<Option<Need>> {
    let path = upstream.join("testsuite").join(&test.name);
    let read = |path: &Path| {
        let bytes = fs::read(path).doing(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut text = read(&path)?;
    for script in scripts_of(&path)? {
        text.push_str(&read(&script)?);
    }
    Ok(need_of_text(&text))
}

/// `NAME.stp`, `NAME_x.stp` and `NAME1.stp` beside `NAME.exp`, in order.
fn scripts_of(test: &Path) -> Result<Vec<std::path::PathBuf>> {
    let (Some(dir), Some(stem)) = (test.parent(), test.file_stem()) else { return Ok(Vec::new()) };
    let stem = stem.to_string_lossy();
    let reading = || format!("reading {}", dir.display());
    let mut scripts = Vec::new();
    for entry in fs::read_dir(dir).doing(reading)? {
        let name = entry.doing(reading)?.file_name().to_string_lossy().into_owned();
        let rest = name.strip_suffix(".stp").and_then(|name| name.strip_prefix(&*stem));
        let first = rest.map(|rest| rest.chars().next());
        if first.is_some_and(|first| first.is_none_or(|c| c == '_' || c.is_ascii_digit())) {
            scripts.push(dir.join(name));
        }
    }
    scripts.sort();
    Ok(scripts)
}

fn need_of_text(text: &str) -> Option<Need> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let code = code.join("\n");
    match () {
        () if PROGRAMS.is_match(&code) => Some(Need::Programs),
        () if DEBUG_INFORMATION.is_match(&code) => Some(Need::DebugInformation),
        () => None,
    }
}

// `uprobes_p` is how upstream's tests ask whether the kernel has probes in programs; `sdt` starts the names of what
// they use for marks.
static PROGRAMS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"\buprobes_p\b|\bsdt_|\.library\(|\.(mark|provider|plt)\(|process(\([^)]*\))?\.(function|statement|library|plt)\b"#,
    )
});
static DEBUG_INFORMATION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(kernel|module\([^)]*\))\.(function|statement|trace|inline)\b"));

#[allow(clippy::expect_used, reason = "the patterns are constants, and a test compiles them")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_need_no_tables_are_no_reason() {
        for text in [
            r#"stap -e {probe process("/bin/ls").begin, process.syscall { }}"#,
            r#"probe kprobe.function("vfs_read").return, timer.profile, perf.sw.cpu_clock {}"#,
            "# like kernel.function(\"x\"), but\nprobe begin {}",
            "probe syscall.open, process(1).thread.end {}",
        ] {
            assert_eq!(need_of_text(text), None, "{text}");
        }
    }

    #[test]
    fn points_inside_programs_and_of_debug_information_are_told() {
        for (text, need) in [
            ("if {![uprobes_p]} { return }", Need::Programs),
            (r#"process("./a").function("main")"#, Need::Programs),
            (r#"probe process.mark("x") {}"#, Need::Programs),
            (r#"probe process(\"$exe\").statement("*@a.c:1") {}"#, Need::Programs),
            (r#"probe kernel.function("vfs_read") {}"#, Need::DebugInformation),
            (r#"probe module("ext4").function("*") {}"#, Need::DebugInformation),
            (r#"probe kernel.trace("sched_switch") {}"#, Need::DebugInformation),
        ] {
            assert_eq!(need_of_text(text), Some(need), "{text}");
        }
    }

    #[test]
    fn scripts_beside_a_test_count() {
        let upstream = tempfile::tempdir().unwrap();
        let dir = upstream.path().join("testsuite/systemtap.base");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.exp"), "stap_run $test").unwrap();
        fs::write(dir.join("ab.exp"), "stap_run $test").unwrap();
        fs::write(dir.join("ab.stp"), "probe kernel.trace(\"x\") {}").unwrap();
        let test = |name: &str| Test { name: format!("systemtap.base/{name}.exp") };
        assert_eq!(need(upstream.path(), &test("a")).unwrap(), None);
        assert_eq!(need(upstream.path(), &test("ab")).unwrap(), Some(Need::DebugInformation));
        fs::write(dir.join("a2.stp"), "probe process.function(\"f\") {}").unwrap();
        assert_eq!(need(upstream.path(), &test("a")).unwrap(), Some(Need::Programs));
    }
}
