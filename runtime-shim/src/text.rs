//! The installed runtime's own text: what every decision about the runtime is made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::files::Files;

/// All C files of a runtime directory by path relative to it (`linux/runtime.h`), as text.
///
/// The user-space back ends (`dyninst`, `bpf`, `stapbpf`) are left out: they never reach a kernel module. Names are
/// known from the start; a file is read once, when it is first asked for: passes 1 and 2 look at a few of hundreds.
#[derive(Debug, Clone)]
pub struct RuntimeText {
    dir: PathBuf,
    /// `None` for texts that are in memory.
    disk: Option<Arc<dyn Files>>,
    files: BTreeMap<String, OnceLock<String>>,
}

/// Why a directory is not a usable runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeTextError {
    /// The directory is absent or has no `runtime.h`.
    #[error(
        "no SystemTap runtime in \"{dir}\": there is no {missing}\n\
         Install the distribution's systemtap package (the runtime may be in systemtap-common or systemtap-devel), \
         or name its directory with -R."
    )]
    NoRuntime {
        /// The directory that was looked at.
        dir: String,
        /// The file which every runtime has and this one lacks.
        missing: &'static str,
    },
}

/// Key of a tapset file that belongs to the runtime's surface: its embedded C calls kernel functions whose
/// form repairs have to know. It is read from the tapset beside the runtime, if there is one.
pub const TAPSET_UTRACE: &str = "../tapset/linux/utrace.stp";
/// The same for the names of NFS errors.
pub const TAPSET_NFSDERRNO: &str = "../tapset/linux/nfsderrno.stp";
/// All of them.
const TAPSET_FILES: [&str; 2] = [TAPSET_UTRACE, TAPSET_NFSDERRNO];

/// Sub-directories that are no part of the kernel runtime.
const FOREIGN: [&str; 3] = ["dyninst", "bpf", "stapbpf"];

impl RuntimeText {
    /// Finds all `.c` and `.h` files below `dir`.
    ///
    /// # Errors
    /// `dir` is no runtime.
    pub fn read(files: &(impl Files + Clone + 'static), dir: &Path) -> Result<Self, RuntimeTextError> {
        for missing in ["runtime.h", "linux/runtime.h", "transport/transport_msgs.h"] {
            if !files.exists(&dir.join(missing)) {
                return Err(RuntimeTextError::NoRuntime { dir: dir.display().to_string(), missing });
            }
        }
        let disk: Arc<dyn Files> = Arc::new(files.clone());
        let mut text = Self { dir: dir.to_path_buf(), disk: Some(disk), files: BTreeMap::new() };
        text.walk(files, "", 0);
        for name in TAPSET_FILES {
            if files.exists(&text.path_of(name)) {
                text.files.insert(name.to_owned(), OnceLock::new());
            }
        }
        Ok(text)
    }

    /// A runtime from texts in memory, for tests: pairs of relative path and content.
    pub fn from_pairs(dir: impl Into<PathBuf>, pairs: &[(&str, &str)]) -> Self {
        let files =
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned().into())).collect();
        Self { dir: dir.into(), disk: None, files }
    }

    fn walk(&mut self, files: &dyn Files, below: &str, depth: usize) {
        // The real tree is two levels deep; the limit only stops a loop of symbolic links.
        if depth > 4 {
            return;
        }
        for name in files.list(&self.dir.join(below)) {
            let relative = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            if name.ends_with(".c") || name.ends_with(".h") {
                self.files.insert(relative, OnceLock::new());
            } else if !name.contains('.') && !FOREIGN.contains(&name.as_str()) {
                self.walk(files, &relative, depth + 1);
            }
        }
    }

    /// The runtime directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a file is. The tapset's file is named from the parent, since the directory may be reached by a link.
    fn path_of(&self, name: &str) -> PathBuf {
        match (name.strip_prefix("../"), self.dir.parent()) {
            (Some(beside), Some(parent)) => parent.join(beside),
            _ => self.dir.join(name),
        }
    }

    /// The text of one file, by path relative to the runtime directory. One that cannot be read is empty.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(|text| self.text(name, text))
    }

    fn text<'a>(&self, name: &str, text: &'a OnceLock<String>) -> &'a str {
        let read = || self.disk.as_ref().and_then(|disk| disk.text(&self.path_of(name))).unwrap_or_default();
        text.get_or_init(read)
    }

    fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), self.text(name, text)))
    }

    /// Whether the runtime has this file.
    pub fn has_file(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether this file is there and contains `needle` literally.
    pub fn file_has(&self, name: &str, needle: &str) -> bool {
        self.file(name).is_some_and(|text| text.contains(needle))
    }

    /// Whether `word` stands as a whole C identifier in one file.
    pub fn file_has_word(&self, name: &str, word: &str) -> bool {
        self.file(name).is_some_and(|text| has_word(text, word))
    }

    /// Whether `word` stands as a whole C identifier in any file outside the feature tests.
    pub fn has_word(&self, word: &str) -> bool {
        let own = self
            .files
            .iter()
            .filter(|(name, _)| !is_feature_test(name) && !TAPSET_FILES.contains(&name.as_str()));
        own.map(|(name, text)| self.text(name, text)).any(|text| has_word(text, word))
    }

    /// Relative paths of all files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A digest over the names and contents of all files: two runtimes with equal digests are the same text.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, text) in self.texts() {
            hasher.update(name.as_bytes());
            hasher.update(&[0]);
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Whether a file of the runtime is one of its compile tests (`linux/autoconf-*.c` and two with other names).
pub fn is_feature_test(name: &str) -> bool {
    let Some(file) = name.strip_prefix("linux/") else { return false };
    (file.starts_with("autoconf-")
        || matches!(file, "perf_event_counter_context.c" | "perf_probe_handler_nmi.c"))
        && file.ends_with(".c")
}

/// Whether `word` occurs in `text` with no identifier character on either side.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let ident = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = text.as_bytes();
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(|b| ident(*b));
        let after = bytes.get(at + word.len()).is_some_and(|b| ident(*b));
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    fn small() -> MemoryFiles {
        MemoryFiles::new()
            .with("/rt/runtime.h", "#include \"linux/runtime.h\"\n")
            .with("/rt/linux/runtime.h", "static int systemtap_wq_x;\n")
            .with("/rt/linux/autoconf-x.c", "int lonely_word;\n")
            .with("/rt/transport/transport_msgs.h", "STP_START,\n")
            .with("/rt/dyninst/runtime.h", "int not_ours;\n")
    }

    #[test]
    fn reads_the_kernel_part_only() {
        let text = RuntimeText::read(&small(), Path::new("/rt")).unwrap();
        assert!(text.has_file("linux/runtime.h"));
        assert!(!text.has_word("not_ours"));
        assert!(!text.has_word("lonely_word"), "feature tests are not the runtime's own text");
    }

    #[test]
    fn words_are_whole() {
        let text = RuntimeText::read(&small(), Path::new("/rt")).unwrap();
        assert!(text.has_word("systemtap_wq_x"));
        assert!(!text.has_word("systemtap_wq"));
    }

    #[test]
    fn an_empty_directory_is_no_runtime() {
        let error = RuntimeText::read(&MemoryFiles::new(), Path::new("/none")).unwrap_err();
        assert!(error.to_string().starts_with("no SystemTap runtime in \"/none\": there is no runtime.h"));
    }

    #[test]
    fn the_digest_follows_the_text() {
        let one = RuntimeText::read(&small(), Path::new("/rt")).unwrap().digest();
        let two = RuntimeText::read(&small().with("/rt/a.h", "x"), Path::new("/rt")).unwrap().digest();
        assert_ne!(one, two);
    }
}
