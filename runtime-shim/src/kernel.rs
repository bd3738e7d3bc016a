//! The kernel that is built for: its release, configuration, exports, compiler and function names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use crate::files::Files;
use crate::text::has_word;

/// Where to look for a kernel.
#[derive(Debug, Clone)]
pub struct KernelLocation {
    /// The build tree: `/lib/modules/RELEASE/build`, or the directory given by `-r`.
    pub build: PathBuf,
    /// The release asked for, if it is known already (`uname -r`, `-r RELEASE`); else it is read from the tree.
    pub release: Option<String>,
    /// What stands before `/boot/System.map-RELEASE`; empty without `--sysroot`.
    pub sysroot: PathBuf,
    /// Machine name as `uname -m` or `-a` gives it.
    pub machine: String,
}

/// The compiler that the tree was configured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// `CONFIG_CC_VERSION_TEXT` without quotes, or an empty text on old trees.
    pub text: String,
    /// `CONFIG_CC_IS_CLANG=y`.
    pub clang: bool,
}

impl Compiler {
    /// The program's name, for finding its file before kbuild has been asked (cache keys): the first word of the
    /// text that names a compiler (`x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0`, `Debian clang version 19`).
    pub fn program(&self) -> &str {
        let usual = if self.clang { "clang" } else { "gcc" };
        self.text.split_whitespace().find(|word| word.contains(usual)).unwrap_or(usual)
    }
}

/// A kernel build tree, read.
#[derive(Debug, Clone)]
pub struct KernelTree {
    /// `6.12.107+deb13-amd64`.
    pub release: String,
    /// The build tree as given.
    pub build: PathBuf,
    /// The source tree (`BUILD/source` or `BUILD/../source`), if there is one beside the build tree.
    pub source: Option<PathBuf>,
    /// Kernel name of the architecture (`x86_64`, `arm64`, ...), see [`normalize_machine`].
    pub arch: String,
    /// `LINUX_VERSION_CODE`: `major << 16 | minor << 8 | min(sublevel, 255)`.
    pub version_code: u32,
    /// `.config`.
    pub config: Config,
    /// Symbols that `vmlinux` exports without a namespace.
    pub exports: Lazy<Arc<BTreeSet<String>>>,
    /// `System.map`, for [`read_functions`]; `None` if no real one is installed.
    pub function_table: Option<PathBuf>,
    /// Declarations of kernel headers which repairs ask about: header path below `include/`, text.
    headers: Lazy<BTreeMap<&'static str, String>>,
}

/// A kernel configuration, as the text of `.config`; it is read when somebody asks for an option.
#[derive(Debug, Clone)]
pub struct Config {
    /// Path, size and time of the file: what tells it from others.
    pub identity: String,
    text: Lazy<String>,
}

impl Config {
    /// A configuration with this text.
    pub fn from_text(text: &str) -> Self {
        let copy = text.to_owned();
        Config { identity: copy.clone(), text: Lazy::new(move || copy) }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of an option, with its quotes; `None` if it is not set.
    pub fn get(&self, option: &str) -> Option<&str> {
        let at_start = |at: usize| at == 0 || self.text.as_bytes().get(at - 1) == Some(&b'\n');
        self.text.match_indices(option).filter(|(at, _)| at_start(*at)).find_map(|(at, _)| {
            let value = self.text.get(at + option.len()..)?.strip_prefix('=')?;
            value.lines().next().or(Some(""))
        })
    }
}

/// Why a kernel cannot be built for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No `.config`: no headers for this release (session.cxx:parse_kernel_config).
    #[error(
        "Checking \"{path}\" failed with error: No such file or directory\n\
         Install the headers package for this kernel release (linux-headers-{release} or kernel-devel-{release}), \
         or name a build tree with -r."
    )]
    NoConfig {
        /// The `.config` looked for.
        path: String,
        /// The release asked for, or a placeholder.
        release: String,
    },
    /// No `Module.symvers` (session.cxx:parse_kernel_exports) or no `Makefile` (buildrun.cxx).
    #[error(
        "Checking \"{path}\" failed with error: No such file or directory\n\
         Ensure kernel development headers & makefiles are installed."
    )]
    Incomplete {
        /// The file looked for.
        path: String,
    },
    /// The tree does not say which release it is for (main.cxx).
    #[error(
        "ERROR: kernel release isn't found in \"{dir}\"\nThe directory is no configured kernel build tree."
    )]
    NoRelease {
        /// The build tree.
        dir: String,
    },
    /// The tree is for another release than the one asked for.
    #[error(
        "the kernel build tree \"{dir}\" is for release {found}, not {wanted}\n\
         Install the headers package of release {wanted}."
    )]
    OtherRelease {
        /// The build tree.
        dir: String,
        /// `UTS_RELEASE` of the tree.
        found: String,
        /// The release asked for.
        wanted: String,
    },
}

/// Headers whose declarations decide whether a repair applies: below `include/`, or from the top for `arch/`.
const ASKED_HEADERS: [&str; 13] = [
    "arch/x86/include/asm/msr.h",
    "arch/x86/include/asm/percpu.h",
    "linux/hrtimer.h",
    "linux/namei.h",
    "linux/proc_ns.h",
    "linux/relay.h",
    "linux/sched/signal.h",
    "linux/string.h",
    "linux/task_work.h",
    "linux/timer.h",
    "linux/unaligned.h",
    "linux/uprobes.h",
    "uapi/linux/nfs.h",
];
/// Asked of too, apart because a kernel without them is usual.
const ASKED_NEW_HEADERS: [&str; 2] = ["linux/unwind_deferred_types.h", "trace/events/sched.h"];

impl KernelTree {
    /// Reads a kernel build tree. Of its large files it makes sure that they are there; they are read when they are
    /// asked for.
    ///
    /// # Errors
    /// A part of the tree is missing, or it is for another release.
    pub fn read(files: &(impl Files + Clone + 'static), at: &KernelLocation) -> Result<Self, KernelError> {
        let named = |name: &str| at.build.join(name);
        let config_path = named(".config");
        let Some(config_stat) = files.stat(&config_path).filter(|_| files.is_readable(&config_path)) else {
            let release = at.release.clone().unwrap_or_else(|| "$(uname -r)".to_owned());
            return Err(KernelError::NoConfig { path: config_path.display().to_string(), release });
        };
        let incomplete = |name: &str| KernelError::Incomplete { path: named(name).display().to_string() };
        if let Some(missing) =
            ["Module.symvers", "Makefile"].into_iter().find(|name| !files.is_readable(&named(name)))
        {
            return Err(incomplete(missing));
        }
        // The compiled-in release is what the module is checked against; kbuild's own note of it differs where a
        // distribution overrides it (Debian 12: 6.1.0-50-amd64 against 6.1.176).
        let found = files
            .text(&named("include/generated/utsrelease.h"))
            .and_then(|text| Some(text.split_once("UTS_RELEASE \"")?.1.split_once('"')?.0.to_owned()))
            .or_else(|| Some(files.text(&named("include/config/kernel.release"))?.trim().to_owned()));
        let release = match (found, &at.release) {
            (Some(found), Some(wanted)) if found != *wanted => {
                let (dir, wanted) = (at.build.display().to_string(), wanted.clone());
                return Err(KernelError::OtherRelease { dir, found, wanted });
            }
            (Some(found), _) => found,
            (None, Some(wanted)) => wanted.clone(),
            (None, None) => return Err(KernelError::NoRelease { dir: at.build.display().to_string() }),
        };
        let version_code = files
            .text(&named("include/generated/uapi/linux/version.h"))
            .and_then(|text| version_code_of(&text))
            .or_else(|| version_code_from_release(&release))
            .ok_or_else(|| incomplete("include/generated/uapi/linux/version.h"))?;
        let source = source_tree(files, &at.build);
        let disk: Arc<dyn Files> = Arc::new(files.clone());
        let (symvers, symvers_disk) = (named("Module.symvers"), disk.clone());
        let config = Config {
            identity: format!("{} {} {}", config_path.display(), config_stat.size, config_stat.mtime_ns),
            text: {
                let disk = disk.clone();
                Lazy::new(move || disk.text(&config_path).unwrap_or_default())
            },
        };
        let roots: Vec<PathBuf> = source.iter().chain([&at.build]).cloned().collect();
        Ok(Self {
            function_table: function_table(files, at, &release),
            build: at.build.clone(),
            arch: normalize_machine(&at.machine).to_owned(),
            exports: Lazy::new(move || {
                Arc::new(parse_exports(&symvers_disk.text(&symvers).unwrap_or_default()))
            }),
            release,
            source,
            version_code,
            config,
            headers: Lazy::new(move || read_headers(&*disk, &roots)),
        })
    }

    /// The compiler named in the tree.
    pub fn compiler(&self) -> Compiler {
        Compiler {
            text: self.config.get("CONFIG_CC_VERSION_TEXT").map_or("", |v| v.trim_matches('"')).to_owned(),
            clang: self.config.get("CONFIG_CC_IS_CLANG") == Some("y"),
        }
    }

    /// Whether a `.config` option is `y` or `m`.
    pub fn configured(&self, option: &str) -> bool {
        self.config.get(option).is_some_and(|value| value == "y" || value == "m")
    }

    /// Whether `vmlinux` exports a symbol (no namespace).
    pub fn exports(&self, symbol: &str) -> bool {
        self.exports.contains(symbol)
    }

    /// Whether the kernel is at least `major.minor`.
    pub fn at_least(&self, major: u32, minor: u32) -> bool {
        self.version_code >= (major << 16 | minor << 8)
    }

    /// Whether a kernel header (path below `include/`, one of those read) has this identifier.
    pub fn header_declares(&self, header: &str, word: &str) -> bool {
        self.headers.get(header).is_some_and(|text| has_word(text, word))
    }

    /// Whether one of the asked-for headers contains `text` literally.
    pub fn header_has(&self, header: &str, text: &str) -> bool {
        self.headers.get(header).is_some_and(|content| content.contains(text))
    }

    /// Whether one of the asked-for headers is there at all.
    pub fn has_header(&self, header: &str) -> bool {
        self.headers.contains_key(header)
    }

    /// `major.minor.sublevel` from the version code.
    pub fn version(&self) -> String {
        let code = self.version_code;
        format!("{}.{}.{}", code >> 16, code >> 8 & 0xff, code & 0xff)
    }
}

/// The kernel's name of a machine (staputil.cxx:normalize_machine); unknown names stay.
pub fn normalize_machine(machine: &str) -> &str {
    match machine {
        "i486" | "i586" | "i686" => "i386",
        "sun4u" => "sparc64",
        "s390x" => "s390",
        "aarch64" => "arm64",
        "riscv64" => "riscv",
        "sa110" => "arm",
        m if m.starts_with("arm") && m != "arm64" => "arm",
        m if m.starts_with("ppc") => "powerpc",
        m if m.starts_with("mips") => "mips",
        m if m.starts_with("sh2") || m.starts_with("sh3") || m.starts_with("sh4") => "sh",
        m => m,
    }
}

/// The headers that repairs ask about, from the first tree that has them.
fn read_headers(files: &dyn Files, roots: &[PathBuf]) -> BTreeMap<&'static str, String> {
    let read = |name: &'static str| {
        let below = if name.starts_with("arch/") { "" } else { "include" };
        Some((name, roots.iter().find_map(|root| files.text(&root.join(below).join(name)))?))
    };
    ASKED_HEADERS.into_iter().chain(ASKED_NEW_HEADERS).filter_map(read).collect()
}

/// Exported symbols by upstream's rule (session.cxx:parse_kernel_exports): exactly four non-empty fields, from
/// `vmlinux`. A fifth field is a namespace, and such a symbol cannot be linked by name alone.
fn parse_exports(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split('\t').filter(|field| !field.is_empty());
            let (_crc, name, module, kind) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let plain = fields.next().is_none() && module == "vmlinux" && kind.starts_with("EXPORT_SYMBOL");
            plain.then(|| name.to_owned())
        })
        .collect()
}

fn version_code_of(text: &str) -> Option<u32> {
    text.lines().find_map(|line| line.strip_prefix("#define LINUX_VERSION_CODE ")?.trim().parse().ok())
}

fn version_code_from_release(release: &str) -> Option<u32> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let sublevel = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some(major << 16 | minor << 8 | sublevel.min(255))
}

/// The source tree: a `source` link inside or beside the build tree, or the tree that the build tree's `Makefile`
/// includes (both Debian's and kbuild's own `O=` stubs are one `include` line).
fn source_tree(files: &dyn Files, build: &Path) -> Option<PathBuf> {
    let has_kernel_headers = |dir: &Path| files.exists(&dir.join("include/linux/kernel.h"));
    let makefile = files.text(&build.join("Makefile")).unwrap_or_default();
    let included = makefile.lines().find_map(|line| {
        line.trim().strip_prefix("include ")?.trim().strip_suffix("/Makefile").map(PathBuf::from)
    });
    let beside = build.parent().map(|parent| parent.join("source"));
    [Some(build.to_path_buf()), included, Some(build.join("source")), beside]
        .into_iter()
        .flatten()
        .find(|dir| has_kernel_headers(dir))
}

/// Where the names of kernel functions are. The last place is where Debian's debug packages put the real file; the one in
/// `/boot` is a stub there, which yields no text symbol and so is passed over.
fn function_table(files: &dyn Files, at: &KernelLocation, release: &str) -> Option<PathBuf> {
    let under = |path: String| {
        if at.sysroot.as_os_str().is_empty() {
            PathBuf::from(path)
        } else {
            at.sysroot.join(path.trim_start_matches('/'))
        }
    };
    let places = [
        at.build.join("System.map"),
        under(format!("/boot/System.map-{release}")),
        under(format!("/usr/lib/debug/boot/System.map-{release}")),
    ];
    // A table of megabytes is not read before someone asks for a name; a small file may be a stub.
    places.into_iter().find(|place| match files.stat(place) {
        Some(stat) if stat.size > 1 << 16 => true,
        Some(_) => !read_functions(files, place).is_empty(),
        None => false,
    })
}

/// Names of kernel functions: the text symbols of a `System.map`.
pub fn read_functions(files: &dyn Files, table: &Path) -> BTreeSet<String> {
    let text = files.text(table).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (_address, kind, name) = (fields.next()?, fields.next()?, fields.next()?);
            matches!(kind, "t" | "T").then(|| name.to_owned())
        })
        .collect()
}

/// A value that is made when someone first asks for it; copies share it.
#[derive(Clone)]
pub struct Lazy<T>(Arc<LazyLock<T, Make<T>>>);

type Make<T> = Box<dyn FnOnce() -> T + Send + Sync>;

impl<T> Lazy<T> {
    fn new(make: impl FnOnce() -> T + Send + Sync + 'static) -> Self {
        Lazy(Arc::new(LazyLock::new(Box::new(make))))
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    /// A build tree in memory with the given release, version code and `task_work.h`/`uprobes.h` declarations.
    pub(crate) fn tree(release: &str, code: u32, symvers: &str, headers: &[(&str, &str)]) -> MemoryFiles {
        let mut files = MemoryFiles::new()
            .with(
                "/kb/.config",
                "CONFIG_UPROBES=y\nCONFIG_CC_VERSION_TEXT=\"gcc-14 (D) 14.2.0\"\n# CONFIG_X is not set\n",
            )
            .with("/kb/Makefile", "override ARCH = x86\ninclude /ks/Makefile\n")
            .with("/kb/Module.symvers", symvers)
            .with("/kb/include/config/kernel.release", format!("{release}\n"))
            .with(
                "/kb/include/generated/uapi/linux/version.h",
                format!("#define LINUX_VERSION_CODE {code}\n"),
            )
            .with("/ks/include/linux/kernel.h", "");
        for (name, text) in headers {
            let path = match name.strip_prefix("../") {
                Some(top) => format!("/ks/{top}"),
                None => format!("/ks/include/{name}"),
            };
            files = files.with(path, *text);
        }
        files
    }

    /// Where [`tree`] is.
    pub(crate) fn location() -> KernelLocation {
        KernelLocation {
            build: PathBuf::from("/kb"),
            release: None,
            sysroot: PathBuf::new(),
            machine: "x86_64".to_owned(),
        }
    }

    const SYMVERS: &str = "0x1\tplain\tvmlinux\tEXPORT_SYMBOL_GPL\t\n0x2\tspaced\tvmlinux\tEXPORT_SYMBOL\tNS\n\
                           0x3\tmodules\tfs/ext4/ext4\tEXPORT_SYMBOL\t\n";

    #[test]
    fn a_tree_is_read() {
        let files =
            tree("6.12.107+x", 396395, SYMVERS, &[("linux/task_work.h", "x task_work_cancel_func(y);")]);
        let kernel = KernelTree::read(&files, &location()).unwrap();
        assert_eq!(kernel.release, "6.12.107+x");
        assert_eq!(kernel.version(), "6.12.107");
        assert!(kernel.at_least(6, 12) && !kernel.at_least(6, 13));
        assert_eq!(kernel.source.as_deref(), Some(Path::new("/ks")));
        assert!(kernel.configured("CONFIG_UPROBES") && !kernel.configured("CONFIG_X"));
        assert_eq!(kernel.compiler().text, "gcc-14 (D) 14.2.0");
        assert_eq!(kernel.compiler().program(), "gcc-14");
        let clang = Compiler { text: "Debian clang version 19".to_owned(), clang: true };
        assert_eq!(clang.program(), "clang");
        assert!(kernel.header_declares("linux/task_work.h", "task_work_cancel_func"));
        assert!(!kernel.header_declares("linux/task_work.h", "task_work_cancel"));
    }

    #[test]
    fn exports_in_a_namespace_or_of_modules_do_not_count() {
        let kernel = KernelTree::read(&tree("6.1.0", 393472, SYMVERS, &[]), &location()).unwrap();
        assert_eq!(kernel.exports.iter().collect::<Vec<_>>(), ["plain"]);
    }

    #[test]
    fn missing_pieces_are_named() {
        let files = tree("6.1.0", 393472, SYMVERS, &[]);
        let error = |files: MemoryFiles| KernelTree::read(&files, &location()).unwrap_err().to_string();
        assert!(
            error(files.clone().without("/kb/.config"))
                .starts_with("Checking \"/kb/.config\" failed with error")
        );
        assert!(
            error(files.clone().without("/kb/Module.symvers")).starts_with("Checking \"/kb/Module.symvers\"")
        );
        assert!(
            error(files.clone().without("/kb/include/config/kernel.release"))
                .contains("isn't found in \"/kb\"")
        );
        let override_ =
            files.clone().with("/kb/include/generated/utsrelease.h", "#define UTS_RELEASE \"6.1.0-50\"\n");
        assert_eq!(KernelTree::read(&override_, &location()).unwrap().release, "6.1.0-50");
        let other = KernelLocation { release: Some("6.2.0".to_owned()), ..location() };
        let error = KernelTree::read(&files, &other).unwrap_err();
        assert!(matches!(error, KernelError::OtherRelease { .. }));
    }

    #[test]
    fn a_stub_system_map_has_no_functions() {
        let files = tree("6.1.0", 393472, SYMVERS, &[])
            .with("/boot/System.map-6.1.0", "ffffffffffffffff B The real System.map is elsewhere\n")
            .with(
                "/usr/lib/debug/boot/System.map-6.1.0",
                "ffffffff81000000 T vfs_read\nffffffff81000001 D data\n",
            );
        let kernel = KernelTree::read(&files, &location()).unwrap();
        let table = kernel.function_table.unwrap();
        assert_eq!(read_functions(&files, &table).into_iter().collect::<Vec<_>>(), ["vfs_read"]);
    }

    #[test]
    fn machines_have_kernel_names() {
        let names = ["x86_64", "aarch64", "armv7l", "ppc64le", "s390x", "riscv64", "i686"];
        assert_eq!(
            names.map(normalize_machine),
            ["x86_64", "arm64", "arm", "powerpc", "s390", "riscv", "i386"]
        );
    }

    #[test]
    fn the_release_stands_in_for_the_version_header() {
        assert_eq!(version_code_from_release("6.1.176-amd64"), Some(393648));
        assert_eq!(version_code_from_release("4.4.302+"), Some(4 << 16 | 4 << 8 | 255));
    }
}
