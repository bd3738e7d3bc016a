//! The reader of the tapset's index: bytes as they are, and bytes with a hash that makes them believed.
#![no_main]

use tapset_loader::index::Index;
use tapset_loader::paths::FoundFile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let fingerprint = [0; 32];
    let file = |path: &str| FoundFile { path: path.into(), size: 0, mtime_ns: 0, identity: (0, 0) };
    let ask = |bytes: &[u8]| {
        if let Some(index) = Index::read(bytes, &fingerprint) {
            for path in ["a", ""] {
                index.summary(&file(path)).map(|stored| (stored.needs_parsing(), stored.summary()));
            }
        }
    };
    ask(data);
    let body = [&fingerprint, data].concat();
    let mut bytes = tapset_loader::index::MAGIC.to_vec();
    bytes.extend_from_slice(blake3::hash(&body).as_bytes());
    bytes.extend_from_slice(&body);
    ask(&bytes);
});
