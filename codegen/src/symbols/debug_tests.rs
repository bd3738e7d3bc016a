//! Separate debug files and debug kernels, made here.

use super::*;
use frontend::world::MemoryWorld;

const ALL: Wanted = Wanted { symbols: true, unwind: true, lines: true };
const PROGBITS: u32 = 1;
const NOTE: u32 = 7;
const ALLOC: u64 = 2;
const COMPRESSED: u64 = 0x800;
const FUNC: u8 = 2;

/// A section of a file in the making: name, type, flags, address, contents.
type Part = (&'static str, u32, u64, u64, Vec<u8>);

/// An ELF file of 64 bits with one loaded segment, those sections, and a symbol table (name, value, type, section) if
/// there are symbols.
fn file(kind: u16, segment: (u64, u64), parts: &[Part], symbols: &[(&str, u64, u8, u16)]) -> Vec<u8> {
    let mut parts: Vec<Part> = parts.to_vec();
    let mut strings = vec![0];
    if !symbols.is_empty() {
        let mut table = vec![0; 24];
        for (name, value, kind, section) in symbols {
            table.extend((strings.len() as u32).to_le_bytes());
            table.extend([0x10 | kind, 0]);
            table.extend(section.to_le_bytes());
            table.extend(value.to_le_bytes());
            table.extend(0_u64.to_le_bytes());
            strings.extend(name.bytes().chain([0]));
        }
        parts.push((".symtab", 2, 0, 0, table));
        parts.push((".strtab", 3, 0, 0, strings));
    }
    let mut names = vec![0];
    let at: Vec<u32> = parts
        .iter()
        .map(|part| {
            let at = names.len() as u32;
            names.extend(part.0.bytes().chain([0]));
            at
        })
        .collect();
    parts.push(("", 3, 0, 0, names));
    let (mut data, mut headers) = (Vec::new(), vec![0; 64]);
    for (index, (name, kind, flags, address, bytes)) in parts.iter().enumerate() {
        while data.len() % 8 != 0 {
            data.push(0);
        }
        headers.extend(at.get(index).copied().unwrap_or(0).to_le_bytes());
        headers.extend(kind.to_le_bytes());
        for word in [*flags, *address, 120 + data.len() as u64, bytes.len() as u64] {
            headers.extend(word.to_le_bytes());
        }
        let (link, entry) = if *name == ".symtab" { (index as u32 + 2, 24_u64) } else { (0, 0) };
        headers.extend(link.to_le_bytes());
        headers.extend(1_u32.to_le_bytes());
        headers.extend(4_u64.to_le_bytes());
        headers.extend(entry.to_le_bytes());
        data.extend(bytes);
    }
    while data.len() % 8 != 0 {
        data.push(0);
    }
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend(kind.to_le_bytes());
    out.extend(62_u16.to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    for word in [0, 64, 120 + data.len() as u64] {
        out.extend(word.to_le_bytes());
    }
    out.extend(0_u32.to_le_bytes());
    let count = parts.len() as u16 + 1;
    for half in [64, 56, 1, 64, count, count - 1] {
        out.extend(half.to_le_bytes());
    }
    out.extend(1_u32.to_le_bytes());
    out.extend(5_u32.to_le_bytes());
    for word in [0, segment.0, segment.0, 0, segment.1, 0x1000] {
        out.extend(word.to_le_bytes());
    }
    out.extend(data);
    out.extend(headers);
    out
}

fn text(address: u64) -> Part {
    (".text", PROGBITS, ALLOC, address, vec![0x90; 64])
}

fn id_note(address: u64, id: [u8; 4]) -> Part {
    let note = [b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0".as_slice(), &id].concat();
    (".notes", NOTE, ALLOC, address, note)
}

/// `.debug_frame` with one entry for code at `address`.
fn frames(address: u64) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(8_u32.to_le_bytes());
    frame.extend(u32::MAX.to_le_bytes());
    frame.extend([4, 0, 1, 0x78]);
    frame.extend(20_u32.to_le_bytes());
    frame.extend(0_u32.to_le_bytes());
    frame.extend(address.to_le_bytes());
    frame.extend(64_u64.to_le_bytes());
    frame
}

/// A section's bytes behind a header that says how they are compressed.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = Vec::new();
    for word in [1, bytes.len() as u64, 1] {
        out.extend(word.to_le_bytes());
    }
    let mut packer = flate2::write::ZlibEncoder::new(out, flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn names(object: &Object) -> Vec<&str> {
    object.sections[0].symbols.iter().map(|(_, name)| name.as_str()).collect()
}

/// A stripped library, and its debug file.
fn library(link: Option<&str>) -> (Vec<u8>, Vec<u8>) {
    let frame = (".debug_frame", PROGBITS, COMPRESSED, 0, zlib(&frames(0x1000)));
    let symbols = [("inner", 0x1000, FUNC, 1), ("other", 0x1020, FUNC, 1)];
    let debug = file(3, (0x1000, 64), &[text(0x1000), id_note(0x1040, *b"abcd"), frame], &symbols);
    let mut parts = vec![text(0x1000), id_note(0x1040, *b"abcd")];
    if let Some(name) = link {
        let mut bytes = [name.as_bytes(), &[0]].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let mut sum = flate2::Crc::new();
        sum.update(&debug);
        bytes.extend(sum.sum().to_le_bytes());
        parts.push((".gnu_debuglink", PROGBITS, 0, 0, bytes));
    }
    (file(3, (0x1000, 64), &parts, &[]), debug)
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let session = Session::for_tests();
    let (stripped, debug) = library(None);
    let world = MemoryWorld::new().with("/lib/a.so", stripped);
    let alone = user_object(&session, &world, "/lib/a.so", ALL).unwrap();
    assert!(names(&alone).is_empty() && alone.debug_frame.is_none());
    assert_eq!(alone.build_id.as_ref().map(|id| id.bits.as_slice()), Some(&b"abcd"[..]));
    let world = world.with("/usr/lib/debug/.build-id/61/626364.debug", debug);
    let object = user_object(&session, &world, "/lib/a.so", ALL).unwrap();
    assert_eq!(names(&object), ["inner", "other"]);
    // Decompressed, and with a search table.
    assert_eq!(object.debug_frame.unwrap().bytes, frames(0x1000));
    assert!(object.sections[0].frame_index.is_some());
}

#[test]
fn a_debug_file_is_found_by_its_link() {
    let session = Session::for_tests();
    let (stripped, debug) = library(Some("a.so.debug"));
    let world = MemoryWorld::new().with("/lib/a.so", stripped);
    let look = |world: &MemoryWorld| {
        let object = user_object(&session, world, "/lib/a.so", ALL).unwrap();
        names(&object).len()
    };
    for place in ["/lib/a.so.debug", "/lib/.debug/a.so.debug", "/usr/lib/debug/lib/a.so.debug"] {
        assert_eq!(look(&world.clone().with(place, &debug)), 2, "{place}");
        let mut other = debug.clone();
        other.push(0);
        assert_eq!(look(&world.clone().with(place, other)), 0, "the checksum is another one: {place}");
    }
    assert_eq!(look(&world.with("/elsewhere/a.so.debug", &debug)), 0);
    // A link that leads back, out of the directory, or nowhere.
    for name in ["a.so", "../a.so.debug", ""] {
        let (stripped, debug) = library(Some(name));
        assert_eq!(look(&MemoryWorld::new().with("/lib/a.so", stripped).with("/a.so.debug", debug)), 0);
    }
}

const START: u64 = 0xffff_ffff_8100_0000;

fn vmlinux(id: [u8; 4]) -> Vec<u8> {
    let frame = (".debug_frame", PROGBITS, COMPRESSED, 0, zlib(&frames(START + 16)));
    let lines = (".debug_line", PROGBITS, 0, 0, b"lines".to_vec());
    let symbols = [
        ("per_cpu", 0x10, 1, 1),
        ("_stext", START, 0, 1),
        ("do_it", START + 16, FUNC, 1),
        ("a.c", START + 16, 4, 1),
        ("entry", START + 32, 0, 1),
        ("_end", START + 0x200, 0, 1),
    ];
    file(2, (START, 0x200), &[text(START), id_note(START + 0x100, id), frame, lines], &symbols)
}

#[test]
fn a_debug_kernel_has_symbols_frames_and_lines() {
    let mut session = Session::for_tests();
    session.kernel.release = "7".into();
    let table = "1000 T _stext\n1010 T from_table\n2000 B _end\n";
    let world = MemoryWorld::new().with("/boot/System.map-7", table);
    let of = |world: &MemoryWorld, wanted: Wanted| kernel::object(&session, world, wanted).unwrap();
    assert_eq!(names(&of(&world, ALL)), ["_stext", "from_table"]);
    let path = "/usr/lib/debug/boot/vmlinux-7";
    let world = world.with(path, vmlinux(*b"7777"));
    let object = of(&world, ALL);
    assert_eq!((object.name.as_str(), object.path.as_deref()), ("kernel", Some(path)));
    assert_eq!(names(&object), ["_stext", "do_it", "entry"]);
    let section = &object.sections[0];
    assert_eq!((section.name.as_str(), section.size, section.load_address), ("_stext", 0x200, START));
    assert_eq!(object.debug_frame.unwrap().bytes, frames(START + 16));
    assert_eq!(object.debug_line.unwrap().bytes, b"lines");
    assert!(section.frame_index.is_some() && object.eh_frame.is_none());
    let id = object.build_id.unwrap();
    assert_eq!((id.bits.as_slice(), id.offset), (&b"7777"[..], 0x110));
    let only_symbols = of(&world, Wanted { symbols: true, unwind: false, lines: false });
    assert!(only_symbols.debug_frame.is_none() && only_symbols.debug_line.is_none());
    let nothing = of(&world, Wanted { symbols: false, unwind: false, lines: false });
    assert_eq!((nothing.path.as_deref(), names(&nothing).len()), (None, 0), "it is not even read");
}

#[test]
fn the_debug_kernel_is_that_of_the_running_one() {
    let mut session = Session::for_tests();
    session.kernel.release = "7".into();
    let notes = id_note(0, *b"7777").4;
    let world = MemoryWorld::new()
        .with("/proc/sys/kernel/osrelease", "7\n")
        .with(
            "/sys/kernel/notes",
            [b"\x06\0\0\0\x01\0\0\0\0\x01\0\0Linux\0\0\0\0\0\0\0".to_vec(), notes].concat(),
        )
        .with("/proc/kallsyms", "1000 T _stext\n1010 T from_table\n2000 B _end\n");
    let path = |world: &MemoryWorld| kernel::object(&session, world, ALL).unwrap().path;
    // One of another build, or without symbols (headers packages have such).
    let other = world.clone().with("/boot/vmlinux-7", vmlinux(*b"8888"));
    assert_eq!(path(&other), None);
    let types_only = file(2, (START, 0x200), &[text(START), id_note(START + 0x100, *b"7777")], &[]);
    assert_eq!(path(&world.clone().with("/lib/modules/7/build/vmlinux", types_only)), None);
    let by_id = "/usr/lib/debug/.build-id/37/373737.debug";
    let both = other.with(by_id, vmlinux(*b"7777"));
    assert_eq!(path(&both).as_deref(), Some(by_id));
}

#[test]
fn damage_is_no_panic() {
    let mut session = Session::for_tests();
    session.kernel.release = "7".into();
    let (stripped, debug) = library(Some("a.so.debug"));
    let kernel = vmlinux(*b"7777");
    let cut = |data: &[u8], at: usize| data[..at.min(data.len())].to_vec();
    for at in (0..kernel.len().max(debug.len())).step_by(3) {
        let world = MemoryWorld::new()
            .with("/lib/a.so", &stripped)
            .with("/usr/lib/debug/.build-id/61/626364.debug", cut(&debug, at))
            .with("/boot/vmlinux-7", cut(&kernel, at))
            .with("/proc/sys/kernel/osrelease", "7\n")
            .with("/sys/kernel/notes", cut(&id_note(0, *b"7777").4, at / 16));
        let _ = user_object(&session, &world, "/lib/a.so", ALL);
        let _ = kernel::object(&session, &world, ALL);
        let mut flipped = kernel.clone();
        flipped[at.min(kernel.len() - 1)] ^= 0xff;
        let _ = kernel::object(&session, &MemoryWorld::new().with("/boot/vmlinux-7", flipped), ALL);
    }
}
