//! Sets of bytes, and the named classes a bracket expression may use.

/// A set of byte values. NUL is never a member: it ends the subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    /// Every byte but NUL: what `.` matches.
    pub(super) fn any() -> Self {
        let mut set = Self::default();
        set.add_range(1, 255);
        set
    }

    /// The set of one byte.
    pub(super) fn one(byte: u8) -> Self {
        let mut set = Self::default();
        set.add_range(byte, byte);
        set
    }

    /// Adds `low..=high`, leaving NUL out.
    pub(super) fn add_range(&mut self, low: u8, high: u8) {
        for byte in low.max(1)..=high {
            self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
    }

    /// Adds every member of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// Every byte but NUL that is not a member.
    pub(super) fn inverted(&self) -> Self {
        let mut set = Self(self.0.map(|word| !word));
        set.0[0] &= !1;
        set
    }

    /// Whether `byte` is a member.
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}

/// The class written `[:name:]`, if there is one (stapregex-parse.cxx:named_char_class).
///
/// They are the C locale's, but for two facts of upstream: `cntrl` has no NUL, and `punct` has no backslash
/// (there it is eaten as an escape when the table is built).
pub(super) fn named_class(name: &[u8]) -> Option<ByteSet> {
    let ranges: &[(u8, u8)] = match name {
        b"alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        b"alnum" => &[(b'A', b'Z'), (b'a', b'z'), (b'0', b'9')],
        b"blank" => &[(b' ', b' '), (b'\t', b'\t')],
        b"cntrl" => &[(0x01, 0x1f), (0x7f, 0x7f)],
        b"d" | b"digit" => &[(b'0', b'9')],
        b"xdigit" => &[(b'0', b'9'), (b'a', b'f'), (b'A', b'F')],
        b"graph" => &[(0x21, 0x7e)],
        b"l" | b"lower" => &[(b'a', b'z')],
        b"print" => &[(0x20, 0x7e)],
        b"punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'['), (b']', b'`'), (b'{', b'~')],
        b"s" | b"space" => &[(b' ', b' '), (b'\t', b'\r')],
        b"u" | b"upper" => &[(b'A', b'Z')],
        _ => return None,
    };
    let mut set = ByteSet::default();
    for &(low, high) in ranges {
        set.add_range(low, high);
    }
    Some(set)
}
