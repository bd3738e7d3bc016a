//! What parses, printed and parsed again: the tapsets of the roots and upstream's scripts.
//!
//! The parser is asked by way of a program of its own (`frontend/examples/round_trip.rs`), since the lab does not depend on
//! the translator's crates.

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::lab::Root;
use conformance::report::Verdict;
use conformance::tool::build;

/// Folders of the tapset that belong to one back end: each has macros of its own, some under the same names.
const BACK_ENDS: [&str; 3] = ["linux", "bpf", "dyninst"];

/// Every file of a root's tapset; none may fail to parse.
pub fn of_tapset(root: &Root) -> Verdict {
    let tapset = tapset(root);
    let scripts = files(&tapset, "stp", |_| true);
    let mut failures = Vec::new();
    for back_end in BACK_ENDS {
        let mine = |script: &&PathBuf| *owner(&tapset, script).unwrap_or(&BACK_ENDS[0]) == back_end;
        let scripts: Vec<PathBuf> = scripts.iter().filter(mine).cloned().collect();
        if let Verdict::Failed(why) = check(root, &macros(&tapset, back_end), "--tapset", &scripts) {
            failures.extend(why);
        }
    }
    if failures.is_empty() { Verdict::Passed } else { Verdict::Failed(failures) }
}

/// Some scripts, with the macros of a root's tapset. Those that do not parse are left out.
pub fn of_scripts(root: &Root, scripts: &[PathBuf]) -> Verdict {
    check(root, &macros(&tapset(root), BACK_ENDS[0]), "--script", scripts)
}

/// The back end whose folder a file of the tapset is in; `None` for what all share.
fn owner(tapset: &Path, file: &Path) -> Option<&'static &'static str> {
    BACK_ENDS.iter().find(|back_end| file.starts_with(tapset.join(back_end)))
}

/// The macro files that scripts of a back end see: the shared ones and its own.
fn macros(tapset: &Path, back_end: &str) -> Vec<PathBuf> {
    files(tapset, "stpm", |file| owner(tapset, file).is_none_or(|owner| *owner == back_end))
}

fn tapset(root: &Root) -> PathBuf {
    root.dir().join("usr/share/systemtap/tapset")
}

fn check(root: &Root, macros: &[PathBuf], kind: &str, scripts: &[PathBuf]) -> Verdict {
    let program = match build::example("frontend", "round_trip") {
        Ok(program) => program,
        Err(error) => return Verdict::Failed(vec![error.to_string()]),
    };
    let mut command = Command::new(program);
    command.arg("--release").arg(root.release());
    command.arg("--config").arg(root.dir().join(format!("boot/config-{}", root.release())));
    command.arg("--macros").args(macros).arg(kind).args(scripts);
    match command.output() {
        Ok(output) if output.status.success() => Verdict::Passed,
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Verdict::Failed(String::from_utf8_lossy(&said).lines().map(str::to_owned).collect())
        }
        Err(error) => Verdict::Failed(vec![format!("cannot be started: {error}")]),
    }
}

/// The files below a folder with that ending which are `wanted`, sorted.
fn files(folder: &Path, ending: &str, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let (mut todo, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) && wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
