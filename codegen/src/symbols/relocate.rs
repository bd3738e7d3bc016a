//! Debugging sections of relocatable files: kernel modules are linked when they are loaded, so what points to code in
//! `.debug_frame` and `.debug_line` is an open relocation. Here sections get places, and the relocations are applied
//! for them; the runtime replaces the place of `.text` by the real one (translate.cxx: `get_unwind_data`, where libdwfl
//! does the same).

use super::elf::{Elf, Kind};
use object::read::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};
use object::{RelocationKind, SectionIndex};

/// Where the first section goes. Not 0, which the runtime takes for no place (unwind.c: `adjustStartLoc`).
const FIRST: u64 = 0x1_0000;
/// Sections begin at multiples of this; none of a kernel module asks for more.
const ALIGNMENT: u64 = 0x1_0000;

/// The places of the sections that are loaded, by their indexes, one behind the other; 0 for the others.
pub fn places(elf: &Elf<'_>) -> Vec<u64> {
    let mut next = FIRST;
    let place = |section: &super::elf::ElfSection<'_>| {
        if !section.loaded {
            return 0;
        }
        let here = next;
        // One byte more, so that no section ends where the next one begins.
        next = next.saturating_add(section.size + 1).next_multiple_of(ALIGNMENT);
        here
    };
    elf.sections.iter().map(place).collect()
}

/// The place of the section with that name; 0 if it is not loaded.
pub fn place_of(elf: &Elf<'_>, name: &str) -> u64 {
    let index = elf.sections.iter().position(|section| section.name == name);
    index.and_then(|index| places(elf).get(index).copied()).unwrap_or(0)
}

/// A section's bytes with its relocations applied. `None` if there is no such section, or one of the relocations is of a
/// kind that such sections do not have.
pub fn contents(elf: &Elf<'_>, name: &str) -> Option<Vec<u8>> {
    let mut bytes = elf.section(name)?.contents(elf).into_owned();
    if elf.kind != Kind::Relocatable {
        return Some(bytes);
    }
    let places = places(elf);
    let file = object::File::parse(elf.data).ok()?;
    let place = |index: SectionIndex| places.get(index.0).copied().unwrap_or(0);
    for (offset, relocation) in file.section_by_name(name)?.relocations() {
        let target = match relocation.target() {
            RelocationTarget::Symbol(index) => {
                let symbol = file.symbol_by_index(index).ok()?;
                symbol.address().wrapping_add(symbol.section_index().map_or(0, place))
            }
            RelocationTarget::Section(index) => place(index),
            _ => 0,
        };
        let width = usize::from(relocation.size() / 8);
        if relocation.kind() != RelocationKind::Absolute || !matches!(width, 4 | 8) {
            return None;
        }
        let at = usize::try_from(offset).ok()?;
        let field = bytes.get_mut(at..at.checked_add(width)?)?;
        let mut value = target.wrapping_add_signed(relocation.addend());
        if relocation.has_implicit_addend() {
            value = value.wrapping_add(number(field, elf.little_endian));
        }
        write(field, value, elf.little_endian);
    }
    Some(bytes)
}

fn number(bytes: &[u8], little_endian: bool) -> u64 {
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if little_endian { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
}

fn write(field: &mut [u8], value: u64, little_endian: bool) {
    let bytes = value.to_le_bytes();
    for (to, byte) in field.iter_mut().zip(bytes) {
        *to = byte;
    }
    if !little_endian {
        field.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, from_elf};
    use super::*;
    use crate::testing::c_compilers;

    const SOURCE: &str = "int other (int);\n\
        __attribute__((section(\".init.text\"))) int start (int x) { return other (x) + 1; }\n\
        int first (int x) { return other (x) + 2; }\n\
        int second (int x) { return other (x) * other (x + 1); }\n";

    /// An object as kernel modules are: frames for debuggers only. `None` without a compiler.
    fn compiled(flags: &[&str]) -> Option<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.c"), SOURCE).unwrap();
        let output = c_compilers()
            .first()?
            .to_command()
            .args(["-c", "-g", "-O1", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"])
            .args(flags)
            .arg("a.c")
            .current_dir(dir.path())
            .output()
            .ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(std::fs::read(dir.path().join("a.o")).unwrap())
    }

    fn check(data: &[u8]) {
        let elf = Elf::parse(data).unwrap();
        assert_eq!(elf.kind, Kind::Relocatable);
        let wanted = Wanted { symbols: true, unwind: true, lines: true };
        let object = from_elf::object(&elf, None, wanted);
        let section = |name: &str| object.sections.iter().find(|section| section.name == name).unwrap();
        let text = section(".text");
        assert_eq!(text.load_address, place_of(&elf, ".text"));
        assert!(text.load_address != 0);
        assert!(section(".init.text").frame_index.is_none());
        // The index has the functions' places, and leads to their entries.
        let index = text.frame_index.as_ref().unwrap();
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let words: Vec<u64> = index[4..].chunks(8).map(word).collect();
        assert_eq!(words[1], 3, "entries");
        let entries: Vec<(u64, u64)> = words[2..].chunks(2).map(|pair| (pair[0], pair[1])).collect();
        let init = place_of(&elf, ".init.text");
        let mut expected: Vec<u64> = text.symbols.iter().map(|(at, _)| text.load_address + at).collect();
        expected.push(init);
        expected.sort_unstable();
        assert_eq!(entries.iter().map(|(first, _)| *first).collect::<Vec<_>>(), expected);
        let frame = &object.debug_frame.as_ref().unwrap().bytes;
        for (first, at) in entries {
            let entry = usize::try_from(at).unwrap();
            // Length, common entry, first address.
            assert_eq!(word(&frame[entry + 8..entry + 16]), first);
        }
        // The lines begin at the same places: `DW_LNE_set_address` and eight bytes.
        let lines = &object.debug_line.as_ref().unwrap().bytes;
        let has = |address: u64| {
            let wanted = [&[0, 9, 2][..], &address.to_le_bytes()].concat();
            lines.windows(wanted.len()).any(|window| window == wanted)
        };
        assert!(has(text.load_address) && has(init), "{lines:?}");
    }

    #[test]
    fn frames_of_kernel_modules_are_linked() {
        let Some(data) = compiled(&[]) else { return };
        check(&data);
        if let Some(packed) = compiled(&["-gz=zlib"]) {
            check(&packed);
        }
    }

    #[test]
    fn damage_is_no_panic() {
        let Some(data) = compiled(&[]) else { return };
        for cut in (0..data.len()).step_by(97) {
            if let Some(elf) = Elf::parse(&data[..cut]) {
                let _ = contents(&elf, ".debug_frame");
            }
        }
        for at in (0..data.len()).step_by(3) {
            let mut bad = data.clone();
            bad[at] ^= 0xff;
            if let Some(elf) = Elf::parse(&bad) {
                let _ = contents(&elf, ".debug_frame");
            }
        }
    }
}
