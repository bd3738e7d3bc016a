//! `bench size`: what a module takes in the kernel's memory.

use std::path::Path;

use anyhow::Context;
use object::elf::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE};
use object::{Object as _, ObjectSection as _, SectionFlags, SectionKind};

use super::scripts::SCRIPTS;
use super::{Bench, scripts};

/// Bytes, as `size` counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sizes {
    /// Of `text`, what the processor can run.
    code: u64,
    /// What is never written.
    text: u64,
    /// What is written and comes from the file.
    data: u64,
    /// What is zero at first.
    bss: u64,
}

/// Prints the table.
///
/// # Errors
/// A module cannot be made or read.
pub fn run(bench: &Bench) -> anyhow::Result<bool> {
    let all: Vec<_> = SCRIPTS.iter().collect();
    let mut columns = Vec::new();
    for tool in &bench.tools {
        let modules = scripts::modules(&bench.lab, &bench.root, tool, &all, &bench.cache, &bench.files)?;
        columns.push(modules.iter().map(|module| sizes(module)).collect::<anyhow::Result<Vec<_>>>()?);
    }
    println!("{}, bytes of a module: text (of it code) + data + bss", bench.root.release());
    println!("{:<12} {:>38} {:>38}", "", "stap", "rstap");
    let shown =
        |sizes: &Sizes| format!("{:>8} ({:>7}) {:>7} {:>7}", sizes.text, sizes.code, sizes.data, sizes.bss);
    let mut met = true;
    for (index, script) in SCRIPTS.iter().enumerate() {
        let (Some(stap), Some(rstap)) = (
            columns.first().and_then(|column| column.get(index)),
            columns.get(1).and_then(|column| column.get(index)),
        ) else {
            continue;
        };
        let above = rstap.text > stap.text || rstap.data > stap.data || rstap.bss > stap.bss;
        met &= !above;
        let verdict = if above { "missed" } else { "met" };
        println!("{:<12} {:>38} {:>38}  {verdict}", script.name, shown(stap), shown(rstap));
    }
    Ok(met)
}

fn sizes(module: &Path) -> anyhow::Result<Sizes> {
    let data = std::fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    let file = object::File::parse(&*data).with_context(|| format!("parsing {}", module.display()))?;
    let mut sizes = Sizes::default();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let has = |flag: u32| sh_flags & u64::from(flag) != 0;
        if !has(SHF_ALLOC) {
            continue;
        }
        if has(SHF_EXECINSTR) {
            sizes.code += section.size();
        }
        if has(SHF_EXECINSTR) || !has(SHF_WRITE) {
            sizes.text += section.size();
        } else if section.kind() == SectionKind::UninitializedData {
            sizes.bss += section.size();
        } else {
            sizes.data += section.size();
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_counted_once() {
        let own = std::env::current_exe().unwrap();
        let sizes = sizes(&own).unwrap();
        assert!(sizes.code > 0 && sizes.code < sizes.text, "{sizes:?}");
        assert!(sizes.data > 0 && sizes.bss > 0, "{sizes:?}");
        let memory = sizes.text + sizes.data + sizes.bss;
        let data = std::fs::read(&own).unwrap();
        let file = object::File::parse(&*data).unwrap();
        let loaded: u64 =
            object::Object::segments(&file).map(|segment| object::ObjectSegment::size(&segment)).sum();
        assert!(memory <= loaded + 4096 && memory * 10 > loaded * 9, "{memory} of {loaded}");
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(sizes(Path::new("/no/such/module.ko")).is_err());
        assert!(sizes(Path::new("/etc/passwd")).is_err());
    }
}
