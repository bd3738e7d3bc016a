//! The kernel itself: from an installed debug kernel, or its symbols from a table as `/proc/kallsyms` and `System.map`
//! are (translate.cxx: `dump_unwindsyms`, `dump_kallsyms`).

use super::elf::{self, Elf, ElfSymbol, Kind};
use super::find::{below_sysroot, build_id_file, contents};
use super::{BuildId, KERNEL, Object, Section, Wanted, from_elf};
use frontend::resolve::executable::without_sysroot;
use frontend::session::Session;
use frontend::world::World;
use object::elf::{STT_FUNC, STT_NOTYPE, STT_OBJECT};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The symbol that the runtime learns the address of; all others are told by their distance from it.
const START: &str = "_stext";
/// The symbol behind the last one.
const END: &str = "_end";

/// The kernel's section with its symbols, or `None` if neither a debug kernel nor a table has them.
///
/// An installed debug kernel has frames and lines, too; without one the symbols come from a table. The running kernel's
/// own is asked first, because there is always one; installed ones are often stubs.
pub fn object(session: &Session, world: &dyn World, wanted: Wanted) -> Option<Object> {
    if (wanted.symbols || wanted.unwind || wanted.lines)
        && let Some(object) = debug_kernel(session, world, wanted)
    {
        return Some(object);
    }
    places(session, world).into_iter().find_map(|place| {
        let text = world.read(&place).ok()?;
        let (size, list) = parse(&String::from_utf8_lossy(&text))?;
        let symbols = if wanted.symbols { list } else { Vec::new() };
        Some(kernel(Section { size, symbols, ..Section::default() }))
    })
}

fn kernel(section: Section) -> Object {
    let sections = vec![Section { name: START.into(), ..section }];
    Object { name: KERNEL.into(), sections, ..Object::default() }
}

/// The kernel from a `vmlinux` with symbols, where debug packages put it (setupdwfl.cxx: `setup_dwfl_kernel`; the paths
/// are those of libdwfl). One without a symbol table, which headers packages have for its type information, is none.
fn debug_kernel(session: &Session, world: &dyn World, wanted: Wanted) -> Option<Object> {
    let running = running(session, world).then(|| running_id(world)).flatten();
    let release = &session.kernel.release;
    let usual = [
        format!("/usr/lib/debug/lib/modules/{release}/vmlinux"),
        format!("/usr/lib/debug/lib/modules/{release}/vmlinux.debug"),
        format!("/usr/lib/debug/boot/vmlinux-{release}"),
        format!("/boot/vmlinux-{release}"),
        format!("/lib/modules/{release}/vmlinux"),
        format!("/lib/modules/{release}/build/vmlinux"),
    ];
    let by_id = running.as_deref().and_then(|id| build_id_file(session, id));
    let usual = usual.iter().map(|path| below_sysroot(session, Path::new(path)));
    by_id.into_iter().chain(usual).find_map(|path| {
        let data = contents(world, &path)?;
        let elf = Elf::parse(&data).filter(|elf| elf.full && elf.kind != Kind::Relocatable)?;
        // The runtime refuses to start with the tables of another kernel.
        let id = elf.build_id;
        if let (Some(running), Some((id, _))) = (&running, id)
            && running != id
        {
            return None;
        }
        let mut object = from_vmlinux(&elf, wanted)?;
        object.path = Some(without_sysroot(session, &path).display().to_string());
        Some(object)
    })
}

/// The tables of a `vmlinux`; `None` if it does not tell where the kernel starts.
fn from_vmlinux(elf: &Elf<'_>, wanted: Wanted) -> Option<Object> {
    let address =
        |name: &str| elf.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.value);
    let start = address(START)?;
    let end = address(END).unwrap_or(elf.extent.1);
    let is_place = |symbol: &&ElfSymbol<'_>| {
        // What assembler code enters the kernel by has no type.
        matches!(symbol.kind, STT_FUNC | STT_OBJECT | STT_NOTYPE)
            && !symbol.name.is_empty()
            && (start..end).contains(&symbol.value)
            && elf.sections.get(symbol.section).is_some_and(|section| section.loaded)
    };
    let mut symbols = BTreeMap::new();
    if wanted.symbols {
        // Of several at one place the last one of the file stays (translate.cxx: `dump_symbol_tables`).
        let places = elf.symbols.iter().filter(is_place);
        symbols.extend(places.map(|symbol| (symbol.value - start, symbol.name.to_owned())));
    }
    let symbols = symbols.into_iter().collect();
    let size = end.saturating_sub(start);
    let mut object = kernel(Section { size, symbols, load_address: start, ..Section::default() });
    object.build_id = elf
        .build_id
        .map(|(bits, address)| BuildId { bits: bits.to_vec(), offset: address.wrapping_sub(start) });
    if wanted.unwind {
        from_elf::add_frames(&mut object, elf);
    }
    if wanted.lines {
        from_elf::add_lines(&mut object, elf);
    }
    Some(object)
}

/// True if the kernel that runs here is the target.
fn running(session: &Session, world: &dyn World) -> bool {
    let running = world.read(Path::new("/proc/sys/kernel/osrelease")).ok();
    session.sysroot.is_none()
        && running.is_some_and(|running| running.trim_ascii() == session.kernel.release.as_bytes())
}

/// Build id of the kernel that runs here.
fn running_id(world: &dyn World) -> Option<Vec<u8>> {
    let notes = world.read(Path::new("/sys/kernel/notes")).ok()?;
    elf::build_id_of_notes(&notes)
}

/// Files that may be such a table of the target kernel, best first.
fn places(session: &Session, world: &dyn World) -> Vec<PathBuf> {
    let release = &session.kernel.release;
    let below = |path: String| below_sysroot(session, Path::new(&path));
    let mut places = Vec::new();
    if running(session, world) {
        places.push(PathBuf::from("/proc/kallsyms"));
    }
    places.push(below(format!("/boot/System.map-{release}")));
    places.push(below(format!("/lib/modules/{release}/System.map")));
    places.push(below(format!("/usr/lib/debug/boot/System.map-{release}")));
    places
}

/// Size of the kernel and its symbols by rising distance from the start; of several at one place the first.
/// `None` if the table does not tell addresses (`/proc/kallsyms` for those who may not know them) or has no start.
fn parse(text: &str) -> Option<(u64, Vec<(u64, String)>)> {
    let mut start = None;
    let mut last = 0;
    let mut symbols = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        if name == END || words.next().is_some() {
            break;
        }
        if name == START && address != 0 {
            start = Some(address);
        }
        if let Some(start) = start
            && address != last
            && address >= start
        {
            symbols.push((address - start, name.to_owned()));
            last = address;
        }
    }
    let start = start?;
    // Both kinds of tables are sorted, but nothing promises it, and the runtime halves intervals.
    symbols.sort_by_key(|(distance, _)| *distance);
    Some((last - start, symbols))
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    const TABLE: &str = "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _stext\nffffffff81000000 T _text\n\
                         ffffffff81000010 t do_one\nffffffff81000020 D some_data\nffffffff81000030 B _end\n\
                         ffffffffc0000000 t helper\t[nfs]\n";

    #[test]
    fn distances_from_the_start_up_to_the_end() {
        let (size, symbols) = parse(TABLE).unwrap();
        assert_eq!(size, 0x20);
        let symbols: Vec<_> = symbols.iter().map(|(at, name)| (*at, name.as_str())).collect();
        assert_eq!(symbols, [(0, "_stext"), (0x10, "do_one"), (0x20, "some_data")]);
    }

    #[test]
    fn hidden_addresses_are_no_table() {
        assert!(parse("0000000000000000 T _stext\n0000000000000000 T vfs_read\n").is_none());
        assert!(parse("ffffffffffffffff B The real System.map is elsewhere\n").is_none());
        assert!(parse("").is_none());
    }

    #[test]
    fn the_running_kernel_is_asked_first_if_it_is_the_target() {
        let mut session = Session::for_tests();
        session.kernel.release = "7.1".into();
        let map = MemoryWorld::new().with("/boot/System.map-7.1", TABLE);
        let own = "ffffffff82000000 T _stext\nffffffff82000100 T only_here\nffffffff82000200 B _end\n";
        let name = |world: &MemoryWorld| {
            let object =
                object(&session, world, Wanted { symbols: true, unwind: true, lines: true }).unwrap();
            object.sections[0].symbols.last().unwrap().1.clone()
        };
        let running = map.clone().with("/proc/kallsyms", own).with("/proc/sys/kernel/osrelease", "7.1\n");
        assert_eq!(name(&running), "only_here");
        let other = running.with("/proc/sys/kernel/osrelease", "7.2\n");
        assert_eq!(name(&other), "some_data");
        assert_eq!(name(&map), "some_data");
    }
}
