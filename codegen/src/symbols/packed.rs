//! Kernel modules as distributions install them: plain, or packed by gzip, xz or zstd.

use std::borrow::Cow;
use std::io::Read as _;

/// No kernel module is larger; what unpacks to more is refused.
const LARGEST: u64 = 1 << 30;

/// A file's contents without packing; `None` if they are damaged or too large.
pub fn unpack(data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut unpacked = Vec::new();
    let size = match data {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(data).take(LARGEST).read_to_end(&mut unpacked).ok()?
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            lzma_rust2::XzReader::new(data, true).take(LARGEST).read_to_end(&mut unpacked).ok()?
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ruzstd::decoding::StreamingDecoder::new(data)
            .ok()?
            .take(LARGEST)
            .read_to_end(&mut unpacked)
            .ok()?,
        plain => return Some(Cow::Borrowed(plain)),
    };
    ((size as u64) < LARGEST).then_some(Cow::Owned(unpacked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_unpacked_and_the_rest_is_as_it_is() {
        // "hello", by gzip without name and time.
        let packed = [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86, 0xa6, 0x10,
            0x36, 5, 0, 0, 0,
        ];
        assert_eq!(unpack(&packed).unwrap().as_ref(), b"hello");
        assert_eq!(unpack(b"hello").unwrap().as_ref(), b"hello");
    }

    #[test]
    fn damage_is_no_panic() {
        assert!(unpack(&[0x1f, 0x8b, 1, 2, 3]).is_none());
        assert!(unpack(b"\xfd7zXZ\0\0\x04").is_none());
        assert!(unpack(&[0x28, 0xb5, 0x2f, 0xfd, 9]).is_none());
    }
}
