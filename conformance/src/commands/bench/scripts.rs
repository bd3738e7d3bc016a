//! Scripts whose modules are compared, and the modules that both tools make of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, symbols};
use conformance::tool::Tool;

use super::{CACHE, FILES};

/// The system call that triggers probes: nothing else calls it often.
const POINT: &str = "kprobe.function(\"__x64_sys_getppid\")";

/// A script.
pub struct Script {
    /// Its name in the table and, with the tool's, of its module.
    pub name: &'static str,
    /// What it does for each hit, where `POINT` stands for the probe point, and at the end.
    text: &'static str,
}

impl Script {
    /// Its probe is hit once by each call of the system call.
    pub fn counts(&self) -> bool {
        self.text.contains("POINT")
    }
}

/// All scripts.
pub const SCRIPTS: &[Script] = &[
    Script { name: "hello", text: "probe begin { println(\"hello\") exit() }" },
    Script { name: "empty", text: "global n probe POINT { if (n) println(n) } probe end { n = 1 }" },
    Script { name: "counter", text: "global n probe POINT { n++ } probe end { println(n) }" },
    Script {
        name: "branches",
        text: "global n, m, on probe POINT { if (on) { n++ m = n * 2 } else if (pid() == 1) m++ else n += m } \
               probe end { println(n, m, on) on = 1 }",
    },
    Script {
        name: "array",
        text: "global a probe POINT { a[tid()]++ } probe end { foreach (t in a) println(a[t]) }",
    },
    Script {
        name: "text_keys",
        text: "global a probe POINT { a[execname()] += 2 } \
               probe end { foreach (t in a) printf(\"%s %d\\n\", t, a[t]) }",
    },
    Script {
        name: "aggregate",
        text: "global s probe POINT { s <<< 3 } probe end { println(@count(s), @sum(s)) }",
    },
    Script {
        name: "aggregates",
        text: "global s probe POINT { s[tid()] <<< 3 } \
               probe end { foreach (t in s) println(@count(s[t]), @avg(s[t])) }",
    },
    Script {
        name: "printf",
        text: "probe timer.s(1) { printf(\"%d %s %x %5d %-10s\\n\", tid(), execname(), pid(), cpu(), pp()) }",
    },
    Script {
        name: "foreach",
        text: "global a probe timer.s(1) { a[tid(), execname()]++ } \
               probe end { foreach ([t-, e] in a limit 10) printf(\"%d %s %d\\n\", t, e, a[t, e]) }",
    },
    Script {
        name: "strings",
        text: "probe timer.s(1) { s = execname() . \"-\" . sprintf(\"%d\", pid()) \
               if (substr(s, 0, 3) == \"foo\") println(s, strlen(s)) \
               t = tokenize(s, \"-\") if (isinstr(t, \"x\")) println(t) }",
    },
    Script { name: "syscall", text: "probe nd_syscall.openat { printf(\"%s(%s)\\n\", name, argstr) }" },
];

/// The module of each script, made by one tool in `folder`, which is [`FILES`] inside the root.
///
/// # Errors
/// A script is refused, or a file cannot be written.
pub fn modules(
    lab: &Lab,
    root: &Root,
    tool: &Tool,
    scripts: &[&Script],
    cache: &Path,
    folder: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let boot = symbols::ready(lab, root)?;
    let entry = tool
        .entry(root)
        .bind(cache, CACHE)
        .env("SYSTEMTAP_DIR", CACHE)
        .bind(folder, FILES)
        .bind_read_only(&boot, symbols::INSIDE)
        .cwd(FILES);
    let mut modules = Vec::new();
    for script in scripts {
        let name = format!("{}_{}", tool.name(), script.name);
        say(&format!("building {name}"));
        let file = format!("{}.stp", script.name);
        std::fs::write(folder.join(&file), script.text.replace("POINT", POINT))
            .with_context(|| format!("writing {file}"))?;
        let words = ["-p4", "-m", &name, &file];
        let output = entry.command(tool.program(), words)?.output().context("entering the root")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {said}");
        modules.push(folder.join(format!("{name}.ko")));
    }
    Ok(modules)
}
