//! An ELF file's sections, symbols, unwind and line data in the form of the runtime's tables (translate.cxx:
//! `dump_section_list`, `dump_symbol_tables`, `get_unwind_data`, `dump_line_tables`).

use super::elf::{Elf, ElfSymbol, Kind};
use super::{BuildId, Object, Section, Table, Wanted, relocate};
use object::elf::{SHT_NOBITS, SHT_PROGBITS, STT_FUNC, STT_NOTYPE, STT_OBJECT};
use std::collections::BTreeMap;

/// Longest table that is put into a module (translate.cxx: `MAX_UNWIND_TABLE_SIZE`).
const LARGEST_TABLE: usize = 32 << 20;

/// The section of a kernel module that has most of its code.
const TEXT: &str = ".text";

/// The tables of a file. `debug` is its separate debug file, which has the symbols of a stripped file.
pub fn object(elf: &Elf<'_>, debug: Option<&Elf<'_>>, wanted: Wanted) -> Object {
    let mut object = Object {
        sections: sections(elf),
        build_id: elf.build_id.map(|(bits, at)| BuildId { bits: bits.to_vec(), offset: base_free(elf, at) }),
        ..Object::default()
    };
    if wanted.symbols {
        let symbols = debug.filter(|debug| !elf.full && debug.full).unwrap_or(elf);
        add_symbols(&mut object.sections, elf, symbols);
    }
    let debug_frames = || debug.filter(|debug| debug.section(".debug_frame").is_some()).unwrap_or(elf);
    if wanted.unwind && elf.kind == Kind::Relocatable {
        add_frames_of_text(&mut object, debug_frames());
    } else if wanted.unwind {
        let table = |name: &str| {
            let section = elf.section(name).filter(|section| section.kind == SHT_PROGBITS)?;
            Some(Table { address: base_free(elf, section.address), ..bytes(&section.contents(elf))? })
        };
        object.eh_frame = table(".eh_frame");
        object.eh_frame_hdr = table(".eh_frame_hdr").filter(|_| object.eh_frame.is_some());
        add_frames(&mut object, debug_frames());
    }
    if wanted.lines {
        add_lines(&mut object, elf);
        if elf.kind == Kind::Relocatable && object.debug_line.is_some() {
            place_text(&mut object, elf);
        }
    }
    object
}

/// Puts `.debug_frame` into an object that is loaded as a whole.
pub fn add_frames(object: &mut Object, elf: &Elf<'_>) {
    object.debug_frame = elf.section(".debug_frame").and_then(|section| bytes(&section.contents(elf)));
    if let (Some(frame), Some(section)) = (&object.debug_frame, object.sections.first_mut()) {
        section.frame_index = frame_index(&frame.bytes, elf.wide, elf.little_endian);
    }
}

/// Puts `.debug_frame` into a kernel module. The index goes to `.text`, the only section of several that the runtime
/// looks for frames in (translate.cxx: `dump_unwindsym_cxt`).
fn add_frames_of_text(object: &mut Object, elf: &Elf<'_>) {
    object.debug_frame = relocate::contents(elf, ".debug_frame").and_then(|frame| bytes(&frame));
    let Some(frame) = &object.debug_frame else { return };
    let index = frame_index(&frame.bytes, elf.wide, elf.little_endian);
    if let Some(text) = object.sections.iter_mut().find(|section| section.name == TEXT) {
        text.frame_index = index;
    }
    place_text(object, elf);
}

/// Notes where the tables of a kernel module think that its code is.
fn place_text(object: &mut Object, elf: &Elf<'_>) {
    if let Some(text) = object.sections.iter_mut().find(|section| section.name == TEXT) {
        text.load_address = relocate::place_of(elf, TEXT);
    }
}

/// Puts the line table into an object.
pub fn add_lines(object: &mut Object, elf: &Elf<'_>) {
    let table = |name: &str| relocate::contents(elf, name).and_then(|contents| bytes(&contents));
    object.debug_line = table(".debug_line");
    object.debug_line_str = table(".debug_line_str").filter(|_| object.debug_line.is_some());
}

fn bytes(data: &[u8]) -> Option<Table> {
    let fits = !data.is_empty() && data.len() <= LARGEST_TABLE;
    fits.then(|| Table { address: 0, bytes: data.to_vec() })
}

/// An address by its distance from where the file is loaded; fixed files are loaded where they say.
fn base_free(elf: &Elf<'_>, address: u64) -> u64 {
    if elf.kind == Kind::Shared { address.wrapping_sub(elf.extent.0) } else { address }
}

fn sections(elf: &Elf<'_>) -> Vec<Section> {
    let whole = |name: &str| {
        let size = elf.extent.1.saturating_sub(elf.extent.0);
        vec![Section { name: name.into(), size, ..Section::default() }]
    };
    match elf.kind {
        Kind::Fixed => whole(".absolute"),
        Kind::Shared => whole(".dynamic"),
        Kind::Relocatable => elf
            .sections
            .iter()
            .filter(|section| section.loaded && matches!(section.kind, SHT_PROGBITS | SHT_NOBITS))
            .map(|section| Section { name: section.name.into(), size: section.size, ..Section::default() })
            .collect(),
    }
}

/// Puts symbols into sections, sorted; of several at one place the last one of the file stays.
fn add_symbols(sections: &mut [Section], elf: &Elf<'_>, source: &Elf<'_>) {
    let mut maps: Vec<BTreeMap<u64, &str>> = vec![BTreeMap::new(); sections.len()];
    for symbol in &source.symbols {
        if !names_a_place(elf, symbol) {
            continue;
        }
        let place = match elf.kind {
            Kind::Relocatable => source
                .sections
                .get(symbol.section)
                .filter(|section| symbol.value <= section.size)
                .and_then(|section| sections.iter().position(|other| other.name == section.name)),
            Kind::Fixed | Kind::Shared => {
                let loaded = source.sections.get(symbol.section).is_some_and(|section| section.loaded);
                (loaded && (elf.extent.0..elf.extent.1).contains(&symbol.value)).then_some(0)
            }
        };
        if let Some(map) = place.and_then(|place| maps.get_mut(place)) {
            let value =
                if elf.kind == Kind::Relocatable { symbol.value } else { base_free(elf, symbol.value) };
            map.insert(value, symbol.name);
        }
    }
    for (section, map) in sections.iter_mut().zip(maps) {
        section.symbols = map.into_iter().map(|(at, name)| (at, name.to_owned())).collect();
    }
}

/// Functions and data; in kernel modules also what assembler code did not give a type.
fn names_a_place(elf: &Elf<'_>, symbol: &ElfSymbol<'_>) -> bool {
    !symbol.name.is_empty()
        && match symbol.kind {
            STT_FUNC | STT_OBJECT => true,
            STT_NOTYPE => elf.kind == Kind::Relocatable && !symbol.name.starts_with('$'),
            _ => false,
        }
}

/// The search table for `.debug_frame` that linkers do not make, in the form of `.eh_frame_hdr` with absolute values: the
/// places of the entries by their first address (translate.cxx: `create_debug_frame_hdr`). `None` if there are none.
fn frame_index(frame: &[u8], wide: bool, little_endian: bool) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| {
        let order: Box<dyn Iterator<Item = &u8>> =
            if little_endian { Box::new(bytes.iter().rev()) } else { Box::new(bytes.iter()) };
        order.fold(0_u64, |value, &byte| value << 8 | u64::from(byte))
    };
    let mut entries: Vec<(u64, u64)> = Vec::new();
    let mut at = 0_usize;
    while at + 4 <= frame.len() {
        // The 64-bit format has a mark before the length; it is independent of the class of the file.
        let short = number(frame.get(at..at + 4)?);
        let (length, id_size) =
            if short == 0xffff_ffff { (number(frame.get(at + 4..at + 12)?), 8) } else { (short, 4) };
        let body = at + if id_size == 8 { 12 } else { 4 };
        let end = usize::try_from(length).ok().and_then(|length| body.checked_add(length))?;
        let entry = frame.get(body..end)?;
        let common = if id_size == 8 { u64::MAX } else { 0xffff_ffff };
        if let Some(id) = entry.get(..id_size)
            && number(id) != common
            && let Some(first) = entry.get(id_size..id_size + if wide { 8 } else { 4 })
        {
            entries.push((number(first), at as u64));
        }
        at = end;
    }
    if entries.is_empty() {
        return None;
    }
    entries.sort_unstable();
    let word = |value: u64| -> Vec<u8> {
        let mut bytes = value.to_le_bytes()[..if wide { 8 } else { 4 }].to_vec();
        if !little_endian {
            bytes.reverse();
        }
        bytes
    };
    // Version, then the encodings: of an unused pointer, of the count (udata8 or udata4), of the entries (absolute).
    let mut index = vec![1, 0, if wide { 4 } else { 3 }, 0];
    index.extend(word(0));
    index.extend(word(entries.len() as u64));
    for (first, place) in entries {
        index.extend(word(first));
        index.extend(word(place));
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_by_address() {
        // A common entry of 8 bytes, and two frames out of order.
        let mut frame = Vec::new();
        frame.extend(8_u32.to_le_bytes());
        frame.extend(u32::MAX.to_le_bytes());
        frame.extend([1, 0, 1, 0x78]);
        for first in [0x2000_u64, 0x1000] {
            frame.extend(20_u32.to_le_bytes());
            frame.extend(0_u32.to_le_bytes());
            frame.extend(first.to_le_bytes());
            frame.extend(16_u64.to_le_bytes());
        }
        let index = frame_index(&frame, true, true).unwrap();
        let words: Vec<u64> =
            index[4..].chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(index[..4], [1, 0, 4, 0]);
        assert_eq!(words, [0, 2, 0x1000, 36, 0x2000, 12]);
        assert!(frame_index(&frame[..20], true, true).is_none(), "cut short");
        assert!(frame_index(&[], true, true).is_none());
    }
}
