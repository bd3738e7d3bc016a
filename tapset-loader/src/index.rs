//! The index on disk: summaries of tapset files, so that a run parses only the files that its script reaches.
//!
//! The bytes come in and go out as data; the driver keeps them in the user's cache folder under [`name`]. They are
//! believed only as far as they are true: the whole is checked by a hash, facts about the session by [`name`] and a
//! fingerprint of the macro files, and each file by path, size and modification time. What does not hold is parsed anew.
//!
//! Layout, numbers in little endian: magic and format version (8 bytes), blake3 of the rest (32), fingerprint of the
//! macros (32), then for each file: path, size (8), mtime (16), flags (1), functions, globals, aliases. A text is its
//! length (4) and its bytes, a list its length (4) and its items.

use crate::paths::FoundFile;
use crate::summary::Summary;
use frontend::resolve::derive::Param;
use frontend::session::Session;
use smol_str::SmolStr;
use std::collections::HashMap;

/// Changes whenever the layout, or what the parser makes of a file, changes.
pub const MAGIC: &[u8; 8] = b"rstapIX1";

/// Name of the file that keeps the index of a session: one for each set of facts that conditionals can ask for.
///
/// Script arguments are not among them: files that ask for those are parsed in every run.
pub fn name(session: &Session) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(env!("CARGO_PKG_VERSION"));
    for root in &session.tapset_roots {
        add(&root.to_string_lossy());
    }
    add("roots end");
    add(&session.version.0);
    add(&session.compatible.0);
    add(session.privilege.name());
    add(if session.guru { "guru" } else { "" });
    add(&session.kernel.release);
    add(&session.kernel.arch);
    add(session.kernel.config.identity());
    let hash = hash.finalize().to_hex();
    format!("tapset-{}.index", &hash[..32])
}

/// Fingerprint of the macro files: any change of theirs can change what other files define.
pub fn fingerprint(macros: &[FoundFile]) -> [u8; 32] {
    let mut writer = Writer::default();
    for file in macros {
        writer.file(file);
    }
    *blake3::hash(&writer.bytes).as_bytes()
}

/// Summaries by path, as read from an index.
pub struct Index<'a> {
    entries: HashMap<&'a str, Entry<'a>>,
}

struct Entry<'a> {
    size: u64,
    mtime_ns: i128,
    summary: Stored<'a>,
}

/// A summary as the index has it. It is taken apart only if somebody wants to know what the file defines.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    bytes: &'a [u8],
}

impl Stored<'_> {
    /// Whether the file must be parsed in every run: one with errors says so each time, and one that asks for script
    /// arguments may define something else.
    pub fn needs_parsing(&self) -> bool {
        self.bytes.first().is_none_or(|flags| *flags != 0)
    }

    /// The summary, `None` if the bytes make no sense.
    pub fn summary(&self) -> Option<Summary> {
        Reader { bytes: self.bytes }.summary()
    }
}

impl<'a> Index<'a> {
    /// Reads an index. `None` if it is damaged, of another format, or made with other macros.
    pub fn read(bytes: &'a [u8], fingerprint: &[u8; 32]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (hash, body) = rest.split_at_checked(32)?;
        if hash != blake3::hash(body).as_bytes() {
            return None;
        }
        let mut reader = Reader { bytes: body };
        if reader.take(32)? != fingerprint {
            return None;
        }
        let mut entries = HashMap::new();
        while !reader.bytes.is_empty() {
            let path = reader.text()?;
            let size = u64::from_le_bytes(reader.array()?);
            let mtime_ns = i128::from_le_bytes(reader.array()?);
            let length = reader.number()?;
            let summary = Stored { bytes: reader.take(length)? };
            entries.insert(path, Entry { size, mtime_ns, summary });
        }
        Some(Index { entries })
    }

    /// The summary of a file, if the file is still the one that it was made from.
    pub fn summary(&self, file: &FoundFile) -> Option<Stored<'a>> {
        let entry = self.entries.get(file.path.to_str()?)?;
        let same = entry.size == file.size && entry.mtime_ns == file.mtime_ns;
        same.then_some(entry.summary)
    }

    /// How many files it knows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if it knows none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// An index as bytes.
pub fn write<'a>(
    fingerprint: &[u8; 32],
    files: impl Iterator<Item = (&'a FoundFile, &'a Summary)>,
) -> Vec<u8> {
    let mut body = Writer::default();
    body.bytes.extend_from_slice(fingerprint);
    for (file, summary) in files {
        let mut writer = Writer::default();
        writer.summary(summary);
        body.file(file);
        body.number(writer.bytes.len());
        body.bytes.extend_from_slice(&writer.bytes);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(blake3::hash(&body.bytes).as_bytes());
    bytes.append(&mut body.bytes);
    bytes
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn number(&mut self, number: usize) {
        // No list or name comes near the limit; what would is cut short, and found damaged when it is read.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn texts(&mut self, texts: &[SmolStr]) {
        self.number(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    fn file(&mut self, file: &FoundFile) {
        self.text(&file.path.to_string_lossy());
        self.bytes.extend_from_slice(&file.size.to_le_bytes());
        self.bytes.extend_from_slice(&file.mtime_ns.to_le_bytes());
    }

    fn summary(&mut self, summary: &Summary) {
        self.bytes.push(u8::from(summary.broken) | u8::from(summary.volatile) << 1);
        self.texts(&summary.functions);
        self.texts(&summary.globals);
        self.number(summary.aliases.len());
        for (alias, components) in &summary.aliases {
            self.number(*alias);
            self.number(components.len());
            for (name, param) in components {
                self.text(name);
                self.bytes.push(match param {
                    Param::None => 0,
                    Param::String => 1,
                    Param::Number => 2,
                });
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// A list. Its length is not believed until that many items were there.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut list = Vec::with_capacity(count.min(self.bytes.len()));
        for _ in 0..count {
            list.push(item(self)?);
        }
        Some(list)
    }

    fn texts(&mut self) -> Option<Vec<SmolStr>> {
        self.list(|reader| reader.text().map(SmolStr::new))
    }

    fn summary(&mut self) -> Option<Summary> {
        let [flags] = self.array()?;
        Some(Summary {
            broken: flags & 1 != 0,
            volatile: flags & 2 != 0,
            functions: self.texts()?,
            globals: self.texts()?,
            aliases: self.list(|reader| Some((reader.number()?, reader.list(Self::component)?)))?,
        })
    }

    fn component(&mut self) -> Option<(SmolStr, Param)> {
        let name = SmolStr::new(self.text()?);
        let param = match self.array()? {
            [0] => Param::None,
            [1] => Param::String,
            [2] => Param::Number,
            _ => return None,
        };
        Some((name, param))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Vec<FoundFile>, Vec<Summary>) {
        let file = |path: &str, size| FoundFile { path: path.into(), size, mtime_ns: -5, identity: (1, 2) };
        let summary = Summary {
            broken: false,
            volatile: true,
            functions: vec!["f".into(), "a name that does not fit into a small string".into()],
            globals: vec!["g".into()],
            aliases: vec![(3, vec![("p".into(), Param::None), ("q".into(), Param::Number)])],
        };
        (
            vec![file("/t/a.stp", 10), file("/t/b.stp", 0)],
            vec![summary, Summary { broken: true, ..Summary::default() }],
        )
    }

    #[test]
    fn what_is_written_is_read() {
        let (files, summaries) = example();
        let bytes = write(&[7; 32], files.iter().zip(&summaries));
        let index = Index::read(&bytes, &[7; 32]).unwrap();
        assert_eq!(index.len(), 2);
        let summary = |file: &FoundFile| index.summary(file).map(|stored| stored.summary().unwrap());
        assert_eq!(summary(&files[0]).as_ref(), Some(&summaries[0]));
        assert_eq!(summary(&files[1]).as_ref(), Some(&summaries[1]));
        assert_eq!(summary(&FoundFile { size: 11, ..files[0].clone() }), None);
        assert_eq!(summary(&FoundFile { mtime_ns: 0, ..files[0].clone() }), None);
        assert!(Index::read(&bytes, &[8; 32]).is_none());
    }

    #[test]
    fn damage_is_found() {
        let (files, summaries) = example();
        let bytes = write(&[7; 32], files.iter().zip(&summaries));
        for end in 0..bytes.len() {
            assert!(Index::read(&bytes[..end], &[7; 32]).is_none(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Index::read(&damaged, &[7; 32]).is_none(), "changed at {at}");
        }
    }

    #[test]
    fn bytes_with_the_right_hash_are_not_trusted_either() {
        let (files, summaries) = example();
        let good = write(&[7; 32], files.iter().zip(&summaries));
        for at in 72..good.len() {
            let mut body = good[40..].to_vec();
            body[at - 40] = 0xff;
            let mut bytes = MAGIC.to_vec();
            bytes.extend_from_slice(blake3::hash(&body).as_bytes());
            bytes.extend_from_slice(&body);
            if let Some(index) = Index::read(&bytes, &[7; 32]) {
                files.iter().for_each(|file| drop(index.summary(file).map(|stored| stored.summary())));
            }
        }
    }
}
