//! Symbols of the kernel itself, from a table as `/proc/kallsyms` and `System.map` are (translate.cxx: `dump_kallsyms`).

use super::{KERNEL, Object, Section};
use frontend::session::Session;
use frontend::world::World;
use std::path::{Path, PathBuf};

/// The symbol that the runtime learns the address of; all others are told by their distance from it.
const START: &str = "_stext";
/// The symbol behind the last one.
const END: &str = "_end";

/// The kernel's section with its symbols, or `None` if no table has them.
///
/// The running kernel's own table is asked first, because there is always one; installed ones are often stubs.
pub fn object(session: &Session, world: &dyn World, symbols: bool) -> Option<Object> {
    places(session, world).into_iter().find_map(|place| {
        let text = world.read(&place).ok()?;
        let (size, list) = parse(&String::from_utf8_lossy(&text))?;
        let symbols = if symbols { list } else { Vec::new() };
        let section = Section { name: START.into(), size, symbols, frame_index: None };
        Some(Object { name: KERNEL.into(), sections: vec![section], ..Object::default() })
    })
}

/// Files that may be such a table of the target kernel, best first.
fn places(session: &Session, world: &dyn World) -> Vec<PathBuf> {
    let release = &session.kernel.release;
    let below = |path: String| match &session.sysroot {
        Some(sysroot) => sysroot.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    let running = world.read(Path::new("/proc/sys/kernel/osrelease")).ok();
    let running = running.is_some_and(|running| running.trim_ascii() == release.as_bytes());
    let mut places = Vec::new();
    if running && session.sysroot.is_none() {
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
            let object = object(&session, world, true).unwrap();
            object.sections[0].symbols.last().unwrap().1.clone()
        };
        let running = map.clone().with("/proc/kallsyms", own).with("/proc/sys/kernel/osrelease", "7.1\n");
        assert_eq!(name(&running), "only_here");
        let other = running.with("/proc/sys/kernel/osrelease", "7.2\n");
        assert_eq!(name(&other), "some_data");
        assert_eq!(name(&map), "some_data");
    }
}
