//! What the runtime's functions for symbols and backtraces look things up in: for each object its sections, symbols,
//! unwind and line data (runtime contract 3).
//!
//! [`collect`] reads files, through [`World`], and decides; [`write_symbols`](crate::emit::symbols::write_symbols)
//! spells the result. Objects are those of `-d`, `--ldd`, `--all-modules`, `-c`, `-x`, and those that probes are in.
//! Tables of a kind are there only if some function of the script asks for that kind (`pragma:symbols`, `pragma:unwind`,
//! `pragma:lines`): they are large.

#[cfg(test)]
mod debug_tests;
mod elf;
mod find;
mod from_elf;
mod kernel;
mod libraries;
mod packed;
mod relocate;
#[cfg(test)]
mod tests;

use crate::families;
use crate::plan::{Needs, Plan};
use elf::Elf;
use find::{below_sysroot, contents, debug_file, is_user_object, module_file, module_name, vdso_images};
use frontend::resolve::executable::{find_executable, without_sysroot};
use frontend::session::Session;
use frontend::world::World;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The kernel's name among the objects.
const KERNEL: &str = "kernel";

/// Everything that goes into the tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    /// Kernel and its modules first.
    pub objects: Vec<Object>,
    /// Asked for, but nothing is known of them.
    pub missing: Vec<String>,
}

/// A file that code is loaded from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Name of the kernel's module, or the path of a program or library.
    pub name: String,
    /// Path of the file, if there is one.
    pub path: Option<String>,
    /// Parts that are loaded each to a place of their own.
    pub sections: Vec<Section>,
    /// Identity of the file, which the runtime compares with what is loaded.
    pub build_id: Option<BuildId>,
    /// `.eh_frame`.
    pub eh_frame: Option<Table>,
    /// `.eh_frame_hdr`, the search table for it.
    pub eh_frame_hdr: Option<Table>,
    /// `.debug_frame`.
    pub debug_frame: Option<Table>,
    /// `.debug_line`.
    pub debug_line: Option<Table>,
    /// `.debug_line_str`.
    pub debug_line_str: Option<Table>,
}

/// A part of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The section's name; `_stext`, `.dynamic` and `.absolute` for objects that are loaded as a whole.
    pub name: String,
    /// Bytes in memory.
    pub size: u64,
    /// Distances from the section's start, rising, and names.
    pub symbols: Vec<(u64, String)>,
    /// Search table for [`Object::debug_frame`].
    pub frame_index: Option<Vec<u8>>,
    /// Where the tables of frames and lines think that the section starts; 0 for distances.
    pub load_address: u64,
}

/// A section's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where the section is, by its distance from where the object is loaded.
    pub address: u64,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// Identity of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildId {
    /// The id.
    pub bits: Vec<u8>,
    /// Its place: distance from where the object is loaded, for a kernel module from its section's start.
    pub offset: u64,
}

/// Kinds of tables.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    symbols: bool,
    unwind: bool,
    lines: bool,
}

impl From<Needs> for Wanted {
    fn from(needs: Needs) -> Self {
        Wanted { symbols: needs.symbols, unwind: needs.unwind, lines: needs.lines }
    }
}

/// Reads what the plan's functions will look things up in. Objects that cannot be read are [`Symbols::missing`], which
/// is worth a warning and nothing more: addresses are printed instead of names.
pub fn collect(session: &Session, plan: &Plan, world: &dyn World) -> Symbols {
    let wanted = Wanted::from(plan.needs);
    let mut names = asked_for(session, world);
    names.extend(plan.derived.iter().filter_map(|probe| {
        let path = families::family(probe.family)?.object(probe)?;
        Some(below_sysroot(session, Path::new(&path)).display().to_string())
    }));
    if session.symbols_of_libraries {
        let programs: Vec<_> = names.iter().filter(|name| is_user_object(name)).cloned().collect();
        for program in programs {
            let found = libraries::libraries(session, world, Path::new(&program));
            names.extend(found.iter().map(|path| path.display().to_string()));
        }
    }
    // Maps of the kernel's images for processes are only known where maps are tracked.
    if plan.needs.vma {
        names.extend(vdso_images(session, world).iter().map(|path| path.display().to_string()));
    }
    let mut symbols = Symbols::default();
    let (of_processes, of_kernel): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| is_user_object(name));
    for name in of_kernel {
        let object = if name == KERNEL {
            kernel::object(session, world, wanted)
        } else {
            kernel_module(session, world, &name, wanted)
        };
        symbols.add(name, object);
    }
    for name in of_processes {
        let object = user_object(session, world, &name, wanted);
        symbols.add(name, object);
    }
    symbols
}

impl Symbols {
    fn add(&mut self, name: String, object: Option<Object>) {
        match object {
            Some(object) => self.objects.push(object),
            None => self.missing.push(name),
        }
    }
}

/// The objects that the command line names.
fn asked_for(session: &Session, world: &dyn World) -> BTreeSet<String> {
    let canonical = |path: &Path| world.canonical(path).map(|path| path.display().to_string());
    let mut names: BTreeSet<String> = BTreeSet::new();
    for object in &session.symbol_objects {
        let found = canonical(Path::new(object)).unwrap_or_else(|| object.clone());
        names.insert(if is_user_object(&found) {
            let path = below_sysroot(session, Path::new(&found));
            canonical(&path).unwrap_or_else(|| path.display().to_string())
        } else {
            found
        });
    }
    if let Ok(program) = session.command_program.as_deref()
        && !program.is_empty()
    {
        let path = find_executable(session, world, program);
        names.extend(canonical(&path));
    }
    if let Some(pid) = session.target_pid {
        names.extend(canonical(Path::new(&format!("/proc/{pid}/exe"))));
    }
    if session.symbols_of_all_modules {
        let loaded = world.read(Path::new("/proc/modules")).unwrap_or_default();
        let loaded = String::from_utf8_lossy(&loaded).into_owned();
        names.extend(loaded.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned));
        names.insert(KERNEL.to_owned());
    }
    names
}

fn kernel_module(session: &Session, world: &dyn World, name: &str, wanted: Wanted) -> Option<Object> {
    let file = module_file(session, world, name)?;
    let file = world.canonical(&file).unwrap_or(file);
    let data = contents(world, &file)?;
    let elf = Elf::parse(&data).filter(|elf| elf.kind == elf::Kind::Relocatable)?;
    let debug = debug_data(session, world, &file, &elf, wanted);
    let object = from_elf::object(&elf, debug.as_deref().and_then(Elf::parse).as_ref(), wanted);
    Some(Object {
        name: if name.contains('/') { module_name(name) } else { name.to_owned() },
        path: Some(without_sysroot(session, &file).display().to_string()),
        ..object
    })
}

fn user_object(session: &Session, world: &dyn World, path: &str, wanted: Wanted) -> Option<Object> {
    let data = contents(world, Path::new(path))?;
    let elf = Elf::parse(&data).filter(|elf| elf.kind != elf::Kind::Relocatable)?;
    let debug = debug_data(session, world, Path::new(path), &elf, wanted);
    let object = from_elf::object(&elf, debug.as_deref().and_then(Elf::parse).as_ref(), wanted);
    let path = without_sysroot(session, Path::new(path)).display().to_string();
    Some(Object { name: path.clone(), path: Some(path), ..object })
}

/// Contents of the separate debug file, if it could tell more.
fn debug_data(
    session: &Session,
    world: &dyn World,
    path: &Path,
    elf: &Elf<'_>,
    wanted: Wanted,
) -> Option<Arc<[u8]>> {
    let more = (wanted.symbols && !elf.full) || wanted.unwind;
    if more { debug_file(session, world, path, elf) } else { None }
}
