//! What the tables need of an ELF file, of either class and byte order, as plain values.

use object::elf::{
    ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD, ET_EXEC, ET_REL, FileHeader32, FileHeader64, PT_DYNAMIC, PT_INTERP,
    PT_LOAD, SHF_ALLOC, SHN_ABS, SHN_COMMON, SHN_UNDEF, SHT_DYNSYM, SHT_NOBITS, SHT_NOTE, SHT_SYMTAB,
};
use object::read::elf::{
    Dyn as _, FileHeader, Note, NoteIterator, ProgramHeader as _, SectionHeader as _, Sym as _,
};
use object::{Endianness, FileKind};
use std::borrow::Cow;
use std::io::Read as _;

/// How a file's addresses become those of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Section by section (`.ko`).
    Relocatable,
    /// Not at all.
    Fixed,
    /// By one distance.
    Shared,
}

/// A section.
#[derive(Debug, Clone)]
pub struct ElfSection<'data> {
    /// Name.
    pub name: &'data str,
    /// `SHT_*`.
    pub kind: u32,
    /// It is in memory.
    pub loaded: bool,
    /// Address in the file's own numbering.
    pub address: u64,
    /// Bytes in memory.
    pub size: u64,
    /// The bytes of the file: none for `.bss`; see [`ElfSection::contents`] for those that may be compressed.
    pub data: &'data [u8],
    /// The bytes are compressed.
    pub compressed: bool,
}

/// No section is larger; what would decompress to more is taken as empty.
const LARGEST_SECTION: u64 = 1 << 30;

impl<'data> ElfSection<'data> {
    /// The section's bytes, decompressed; empty if they are damaged. `elf` is the file that it is in.
    pub fn contents(&self, elf: &Elf<'_>) -> Cow<'data, [u8]> {
        if !self.compressed {
            return Cow::Borrowed(self.data);
        }
        let unpacked = self.unpack(elf).unwrap_or_default();
        Cow::Owned(unpacked)
    }

    /// `Elf32_Chdr` or `Elf64_Chdr`, and what follows it.
    fn unpack(&self, elf: &Elf<'_>) -> Option<Vec<u8>> {
        let word = self.data.get(..4)?.try_into().ok()?;
        let kind = if elf.little_endian { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) };
        let packed = self.data.get(if elf.wide { 24 } else { 12 }..)?;
        let mut unpacked = Vec::new();
        match kind {
            ELFCOMPRESS_ZLIB => {
                let reader = flate2::read::ZlibDecoder::new(packed);
                reader.take(LARGEST_SECTION).read_to_end(&mut unpacked).ok()?
            }
            ELFCOMPRESS_ZSTD => {
                let reader = ruzstd::decoding::StreamingDecoder::new(packed).ok()?;
                reader.take(LARGEST_SECTION).read_to_end(&mut unpacked).ok()?
            }
            _ => return None,
        };
        Some(unpacked)
    }
}

/// A symbol with a name and a place.
#[derive(Debug, Clone, Copy)]
pub struct ElfSymbol<'data> {
    /// Name.
    pub name: &'data str,
    /// `STT_*`.
    pub kind: u8,
    /// Index into the sections.
    pub section: usize,
    /// An address, in relocatable files an offset in the section.
    pub value: u64,
}

/// A file.
#[derive(Debug, Clone)]
pub struct Elf<'data> {
    /// The whole file.
    pub data: &'data [u8],
    /// Kind.
    pub kind: Kind,
    /// Addresses have 64 bits.
    pub wide: bool,
    /// Least significant byte first.
    pub little_endian: bool,
    /// All sections, the null one first.
    pub sections: Vec<ElfSection<'data>>,
    /// Symbols of `.symtab`, or of `.dynsym` in a stripped file.
    pub symbols: Vec<ElfSymbol<'data>>,
    /// The symbols are those of `.symtab`.
    pub full: bool,
    /// First address and the one behind the last; 0 and 0 in relocatable files.
    pub extent: (u64, u64),
    /// Build id, and its address (in a relocatable file: the offset in its section).
    pub build_id: Option<(&'data [u8], u64)>,
    /// Dynamic linker.
    pub interpreter: Option<&'data str>,
    /// Names of the libraries that it needs.
    pub needed: Vec<&'data str>,
    /// Directories to look for them in.
    pub run_path: Vec<&'data str>,
}

impl<'data> Elf<'data> {
    /// Reads a file; `None` if it is none or damaged.
    pub fn parse(data: &'data [u8]) -> Option<Self> {
        match FileKind::parse(data).ok()? {
            FileKind::Elf32 => read(FileHeader32::<Endianness>::parse(data).ok()?, data),
            FileKind::Elf64 => read(FileHeader64::<Endianness>::parse(data).ok()?, data),
            _ => None,
        }
    }

    /// The first section of a name.
    pub fn section(&self, name: &str) -> Option<&ElfSection<'data>> {
        self.sections.iter().find(|section| section.name == name)
    }
}

fn read<'data, H: FileHeader<Endian = Endianness>>(
    header: &'data H,
    data: &'data [u8],
) -> Option<Elf<'data>> {
    let endian = header.endian().ok()?;
    let table = header.sections(endian, data).ok()?;
    let kind = match header.e_type(endian) {
        ET_REL => Kind::Relocatable,
        ET_EXEC => Kind::Fixed,
        _ => Kind::Shared,
    };
    let utf8 = |bytes: &'data [u8]| std::str::from_utf8(bytes).unwrap_or("");
    let sections: Vec<ElfSection<'data>> = table
        .iter()
        .map(|section| {
            let compressed = section.compression(endian, data).ok().flatten().is_some();
            ElfSection {
                name: table.section_name(endian, section).map_or("", utf8),
                kind: section.sh_type(endian),
                loaded: section.sh_flags(endian).into() & u64::from(SHF_ALLOC) != 0,
                address: section.sh_addr(endian).into(),
                size: section.sh_size(endian).into(),
                data: match section.sh_type(endian) {
                    SHT_NOBITS => &[],
                    _ => section.data(endian, data).unwrap_or(&[]),
                },
                compressed,
            }
        })
        .collect();
    let mut full = true;
    let mut symbols = table.symbols(endian, data, SHT_SYMTAB).ok()?;
    if symbols.is_empty() {
        full = false;
        symbols = table.symbols(endian, data, SHT_DYNSYM).ok()?;
    }
    let strings = symbols.strings();
    let symbols = symbols
        .iter()
        .filter_map(|symbol| {
            let name = utf8(symbol.name(endian, strings).ok()?);
            let section = match symbol.st_shndx(endian) {
                // The last are names of versions.
                SHN_UNDEF | SHN_COMMON | SHN_ABS => return None,
                index => usize::from(index),
            };
            Some(ElfSymbol { name, kind: symbol.st_type(), section, value: symbol.st_value(endian).into() })
        })
        .collect();
    let mut elf = Elf {
        data,
        kind,
        wide: header.is_class_64(),
        little_endian: header.is_little_endian(),
        sections,
        symbols,
        full,
        extent: (0, 0),
        build_id: None,
        interpreter: None,
        needed: Vec::new(),
        run_path: Vec::new(),
    };
    let segments = header.program_headers(endian, data).ok()?;
    let mut extent: Option<(u64, u64)> = None;
    for segment in segments {
        let start: u64 = segment.p_vaddr(endian).into();
        match segment.p_type(endian) {
            PT_LOAD => {
                let align: u64 = segment.p_align(endian).into();
                let low = start & align.max(1).wrapping_neg();
                let high = start.saturating_add(segment.p_memsz(endian).into());
                extent = Some(extent.map_or((low, high), |(first, last)| (first.min(low), last.max(high))));
            }
            PT_INTERP => {
                let bytes = segment.data(endian, data).unwrap_or(&[]);
                elf.interpreter = Some(utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)));
            }
            PT_DYNAMIC => {
                let Some((entries, link)) = table.dynamic(endian, data).ok().flatten() else { continue };
                let Ok(names) = table.strings(endian, data, link) else { continue };
                for entry in entries {
                    let Ok(text) = entry.string(endian, names).map(utf8) else { continue };
                    match entry.tag32(endian) {
                        Some(object::elf::DT_NEEDED) => elf.needed.push(text),
                        Some(object::elf::DT_RUNPATH | object::elf::DT_RPATH) => {
                            elf.run_path.extend(text.split(':'))
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if elf.build_id.is_none()
            && let Ok(Some(notes)) = segment.notes(endian, data)
        {
            let bytes = segment.data(endian, data).unwrap_or(&[]);
            elf.build_id = build_id(endian, notes, bytes).map(|(id, offset)| (id, start + offset));
        }
    }
    elf.extent = extent.unwrap_or_default();
    if elf.build_id.is_none() {
        let relative = elf.kind == Kind::Relocatable;
        for section in table.iter().filter(|section| section.sh_type(endian) == SHT_NOTE) {
            if let (None, Ok(Some(notes)), Ok(bytes)) =
                (elf.build_id, section.notes(endian, data), section.data(endian, data))
            {
                let base = if relative { 0 } else { section.sh_addr(endian).into() };
                elf.build_id = build_id(endian, notes, bytes).map(|(id, offset)| (id, base + offset));
            }
        }
    }
    Some(elf)
}

/// The build id among notes, and where in `bytes`, which the notes are in, it is.
fn build_id<'data, H: FileHeader>(
    endian: H::Endian,
    mut notes: NoteIterator<'data, H>,
    bytes: &'data [u8],
) -> Option<(&'data [u8], u64)> {
    while let Ok(Some(note)) = notes.next() {
        let note: Note<'data, H> = note;
        if note.name() == b"GNU" && note.n_type(endian) == object::elf::NT_GNU_BUILD_ID {
            let id = note.desc();
            let offset = id.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
            return (!id.is_empty()).then_some((id, offset as u64));
        }
    }
    None
}

/// The build id among notes of this machine's own kernel, as `/sys/kernel/notes` has them.
pub fn build_id_of_notes(notes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = notes;
    loop {
        let word = |at: usize| Some(u32::from_ne_bytes(rest.get(at..at + 4)?.try_into().ok()?) as usize);
        let (name, id, kind) = (word(0)?, word(4)?, word(8)?);
        let description = 12 + name.checked_next_multiple_of(4)?;
        let end = description.checked_add(id)?;
        if rest.get(12..12 + name)? == b"GNU\0" && kind == object::elf::NT_GNU_BUILD_ID as usize {
            return rest.get(description..end).map(<[u8]>::to_vec);
        }
        rest = rest.get(end.checked_next_multiple_of(4)?..)?;
    }
}
