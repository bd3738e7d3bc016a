//! The whole collection, over files made here: a kernel module, and this test's own program.

use super::*;
use crate::tests::plan_with;
use frontend::world::MemoryWorld;
use object::write::{Object as Writer, SectionKind, StandardSection, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

const ALL: Wanted = Wanted { symbols: true, unwind: true, lines: true };

/// A kernel module with two sections that have symbols, one without, and a build id.
fn module() -> Vec<u8> {
    let mut file = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let text = file.section_id(StandardSection::Text);
    let data = file.section_id(StandardSection::Data);
    let note = file.add_section(Vec::new(), b".note.gnu.build-id".to_vec(), SectionKind::Note);
    let comment = file.add_section(Vec::new(), b".comment".to_vec(), SectionKind::Other);
    file.append_section_data(text, &[0x90; 64], 16);
    file.append_section_data(data, &[0; 16], 8);
    file.append_section_data(note, b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\xaa\xbb\xcc\xdd", 4);
    file.append_section_data(comment, b"nobody loads this", 1);
    let mut add = |name: &str, value: u64, kind: SymbolKind, section: SymbolSection| {
        let name = name.as_bytes().to_vec();
        let (scope, flags) = (SymbolScope::Linkage, SymbolFlags::None);
        file.add_symbol(Symbol { name, value, size: 0, kind, scope, weak: false, section, flags });
    };
    add("second", 32, SymbolKind::Text, SymbolSection::Section(text));
    add("first", 16, SymbolKind::Text, SymbolSection::Section(text));
    add("table", 8, SymbolKind::Data, SymbolSection::Section(data));
    add("version", 0, SymbolKind::Data, SymbolSection::Absolute);
    add("elsewhere", 0, SymbolKind::Text, SymbolSection::Undefined);
    add("remark", 0, SymbolKind::Data, SymbolSection::Section(comment));
    file.write().unwrap()
}

fn names(section: &Section) -> Vec<(u64, &str)> {
    section.symbols.iter().map(|(at, name)| (*at, name.as_str())).collect()
}

#[test]
fn a_kernel_module_has_each_section_with_its_symbols() {
    let mut session = Session::for_tests();
    session.kernel.release = "7".into();
    let world = MemoryWorld::new()
        .with("/lib/modules/7/modules.dep", "kernel/my-fs.ko:\n")
        .with("/lib/modules/7/kernel/my-fs.ko", module());
    let object = kernel_module(&session, &world, "my_fs", ALL).unwrap();
    assert_eq!(object.name, "my_fs");
    assert_eq!(object.path.as_deref(), Some("/lib/modules/7/kernel/my-fs.ko"));
    let section = |name: &str| object.sections.iter().find(|section| section.name == name);
    assert_eq!(names(section(".text").unwrap()), [(16, "first"), (32, "second")]);
    assert_eq!(names(section(".data").unwrap()), [(8, "table")]);
    assert!(section(".comment").is_none());
    let id = object.build_id.unwrap();
    assert_eq!((id.bits.as_slice(), id.offset), (&[0xaa, 0xbb, 0xcc, 0xdd][..], 16));
    let by_path = kernel_module(&session, &world, "/lib/modules/7/kernel/my-fs.ko", ALL).unwrap();
    assert_eq!(by_path.name, "my_fs");
}

#[test]
fn a_program_is_one_section_with_its_frames() {
    let path = std::env::current_exe().unwrap();
    let data = std::fs::read(&path).unwrap();
    let elf = Elf::parse(&data).unwrap();
    let object = from_elf::object(&elf, None, ALL);
    let [section] = object.sections.as_slice() else { panic!("one section") };
    assert_eq!(section.name, if elf.kind == elf::Kind::Shared { ".dynamic" } else { ".absolute" });
    assert!(section.symbols.is_sorted());
    assert!(section.symbols.iter().any(|(_, name)| name.contains("kernel_module")));
    let (frames, header) = (object.eh_frame.unwrap(), object.eh_frame_hdr.unwrap());
    assert_eq!(header.bytes[0], 1, "version");
    // The header's second word is the distance to the frames.
    let distance = i32::from_le_bytes(header.bytes[4..8].try_into().unwrap());
    assert_eq!(header.address.wrapping_add(4).wrapping_add_signed(distance.into()), frames.address);
    assert!(
        from_elf::object(&elf, None, Wanted { symbols: false, unwind: false, lines: false })
            .eh_frame
            .is_none()
    );
}

#[test]
fn damaged_files_are_missing_and_no_panic() {
    let session = Session::for_tests();
    let good = module();
    for cut in (0..good.len()).step_by(7) {
        let world = MemoryWorld::new().with("/x.ko", &good[..cut]).with("/x", &good[..cut]);
        let _ = kernel_module(&session, &world, "/x.ko", ALL);
        let _ = user_object(&session, &world, "/x", ALL);
    }
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    for cut in [0, 1, 63, 64, 100, 4096, own.len() / 2] {
        let world = MemoryWorld::new().with("/x", &own[..cut]);
        let _ = user_object(&session, &world, "/x", ALL);
    }
}

/// Names of the objects, and what is missing, of a script with those options.
fn collected(script: &str, world: &MemoryWorld, set: impl Fn(&mut Session)) -> (Vec<String>, Vec<String>) {
    let mut session = Session::for_tests();
    session.kernel.release = "7".into();
    set(&mut session);
    let symbols = collect(&session, &plan_with(&session, script).unwrap(), world);
    (symbols.objects.into_iter().map(|object| object.name).collect(), symbols.missing)
}

#[test]
fn objects_are_those_that_are_named() {
    let world = MemoryWorld::new()
        .with("/boot/System.map-7", "1000 T _stext\n1010 T f\n2000 B _end\n")
        .with("/lib/modules/7/modules.dep", "kernel/my-fs.ko:\n")
        .with("/lib/modules/7/kernel/my-fs.ko", module())
        .with("/proc/modules", "my_fs 16384 0 - Live 0x0\n");
    let script = "probe begin { println(1) }";
    assert_eq!(collected(script, &world, |_| ()), (vec![], vec![]));
    let some = collected(script, &world, |session| {
        session.symbol_objects = ["nosuch", "kernel", "/no/such"].map(Into::into).into();
    });
    assert_eq!(some, (vec!["kernel".into()], vec!["nosuch".into(), "/no/such".into()]));
    let all = collected(script, &world, |session| session.symbols_of_all_modules = true);
    assert_eq!(all.0, ["kernel", "my_fs"]);
}
