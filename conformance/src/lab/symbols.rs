//! The table of a kernel's symbols, which Debian's kernel packages leave out.
//!
//! Without a `System.map` stap knows no kernel function, and refuses probe points that would work on a machine with
//! debug packages. The kernel itself has the table: it is read in a VM once, and kept.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::batch::{self, Job, JobEnd};
use super::bounded::Ended;
use super::progress::say;
use super::vm::Vm;
use super::{IoContext, Lab, LabError, Result, Root, place};

/// Where the folder belongs inside a root.
pub const INSIDE: &str = "/boot";

/// The file's name there, by which translators look for it (stap's session.cxx: parse_kernel_functions).
pub fn file_name(root: &Root) -> String {
    format!("System.map-{}", root.release())
}

/// A folder for [`INSIDE`] that holds the symbol table of the root's kernel, made by booting it if it is not there.
///
/// # Errors
/// The kernel does not boot, or the folder cannot be written.
pub fn ready(lab: &Lab, root: &Root) -> Result<PathBuf> {
    let dir = lab.vm_dir()?.join(format!("boot-{}-{}", root.suite(), root.release()));
    let _lock = lab.lock(&format!("symbols-{}", root.suite()))?;
    let table = dir.join(file_name(root));
    if table.exists() {
        return Ok(dir);
    }
    say(&format!("{}: booting {} to read its symbols (once)", root.suite(), root.release()));
    fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
    let config = format!("config-{}", root.release());
    let installed = root.dir().join("boot").join(&config);
    fs::copy(&installed, dir.join(&config)).doing(|| format!("copying {}", installed.display()))?;
    let job = Job {
        name: "reading the kernel's symbols".into(),
        command: "echo 0 > /proc/sys/kernel/kptr_restrict; exec cat /proc/kallsyms".into(),
        files: Vec::new(),
        modules: Vec::new(),
        limit: Some(Duration::from_secs(60)),
        wanted: Vec::new(),
    };
    let results = batch::run(&Vm::prepare(lab, root)?, &[job], |_| {})?;
    match results.first() {
        Some(result) if result.end == JobEnd::Program(Ended::Exited(0)) => {
            place::write_whole(&table, of_the_kernel(&result.stdout).as_bytes())?;
            Ok(dir)
        }
        _ => Err(LabError::Unexpected { what: format!("{} did not tell its symbols", root.release()) }),
    }
}

/// The lines of `/proc/kallsyms` without those of modules, which end in `[module]`.
fn of_the_kernel(kallsyms: &str) -> String {
    kallsyms.lines().filter(|line| !line.ends_with(']')).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_modules_are_left_out() {
        let text =
            "ffffffff81000000 T _stext\nffffffffc0000000 t helper\t[some_module]\nffffffff81000010 t f\n";
        assert_eq!(of_the_kernel(text), "ffffffff81000000 T _stext\nffffffff81000010 t f\n");
    }
}
