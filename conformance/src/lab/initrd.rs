//! The initrd of a root's VM: a static shell, the modules that the root file system needs, and our own init.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::progress::failure;
use super::{IoContext, Lab, LabError, Result, Root, host, place};

const INIT: &str = include_str!("guest/init.sh");

/// What mounts the root: 9p over virtio, and an overlay to write to. Those built into the kernel are left out.
const WANTED: &[&str] = &["virtio_pci", "9pnet_virtio", "9p", "overlay"];

/// The initrd for `root`, made when it is not in the cache.
///
/// # Errors
/// No static busybox, or the modules cannot be read or unpacked.
pub fn ready(lab: &Lab, root: &Root) -> Result<PathBuf> {
    let recipe = blake3::hash(format!("{INIT}{WANTED:?}").as_bytes()).to_hex();
    let name = format!("initrd-{}-{}-{}", root.suite(), root.release(), &recipe[..12]);
    let path = lab.vm_dir()?.join(name);
    if !path.exists() {
        place::write_whole(&path, &build(&root.modules())?)?;
    }
    Ok(path)
}

fn build(modules: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for dir in ["bin", "modules", "proc", "sys", "dev", "lower", "upper", "new"] {
        archive.directory(dir);
    }
    archive.console();
    archive.file("init", 0o755, INIT.as_bytes());
    archive.file("bin/busybox", 0o755, &busybox()?);
    let mut order = String::new();
    for path in load_order(&read(&modules.join("modules.dep"))?, &read(&modules.join("modules.builtin"))?)? {
        let name = format!("{}.ko", module_name(&path));
        archive.file(&format!("modules/{name}"), 0o644, &unpacked(&modules.join(&path))?);
        order.push_str(&name);
        order.push('\n');
    }
    archive.file("order", 0o644, order.as_bytes());
    Ok(archive.finish())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).doing(|| format!("reading {}", path.display()))
}

fn busybox() -> Result<Vec<u8>> {
    let path = host::find_program("busybox").ok_or_else(|| LabError::Unexpected {
        what: "busybox is not installed (package busybox-static)".into(),
    })?;
    let bytes = fs::read(&path).doing(|| format!("reading {}", path.display()))?;
    // A dynamic program names its loader in the file; the one in package busybox is such a program.
    if bytes.windows(8).any(|window| window == b"/ld-linu") {
        let what = format!("{} is not static: install the package busybox-static", path.display());
        return Err(LabError::Unexpected { what });
    }
    Ok(bytes)
}

/// The module files to load, in an order that satisfies their dependencies, from `modules.dep` ("file: what it
/// needs", the first needed last; man modules.dep) and `modules.builtin`.
fn load_order(dep: &str, builtin: &str) -> Result<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    for wanted in WANTED {
        if builtin.lines().any(|path| module_name(path) == *wanted) {
            continue;
        }
        let (path, needs) = dep
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(path, _)| module_name(path) == *wanted)
            .ok_or_else(|| LabError::Unexpected { what: format!("the kernel has no module {wanted}") })?;
        for file in needs.split_whitespace().rev().chain([path]) {
            if !order.iter().any(|earlier| earlier == file) {
                order.push(file.to_owned());
            }
        }
    }
    Ok(order)
}

/// `kernel/fs/a-b.ko.xz` is the module `a_b`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(path).doing(|| format!("reading {}", path.display())),
    };
    let mut command = Command::new(program);
    command.arg("-dcq").arg(path);
    let output = command.output().doing(|| format!("starting {program}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let tail = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Err(failure(&command, &output.status.to_string(), tail))
    }
}

/// A cpio archive in the `newc` format (the kernel's Documentation/driver-api/early-userspace/buffer-format).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn directory(&mut self, name: &str) {
        self.entry(name, 0o040_755, (0, 0), b"");
    }

    fn file(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entry(name, 0o100_000 | mode, (0, 0), content);
    }

    /// `/dev/console`, which the kernel opens for init before there is a devtmpfs.
    fn console(&mut self) {
        self.entry("dev/console", 0o020_600, (5, 1), b"");
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0]
            .map(|f| format!("{f:08x}"));
        self.bytes.extend_from_slice(b"070701");
        self.bytes.extend_from_slice(fields.concat().as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs.ko.xz\n\
                       kernel/net/9p/9pnet-virtio.ko.xz: kernel/net/9p/9pnet.ko.xz\n\
                       kernel/fs/overlayfs/overlay.ko.xz:\n";

    #[test]
    fn modules_load_after_what_they_need_and_built_in_ones_not_at_all() {
        let order = load_order(DEP, "kernel/drivers/virtio/virtio_pci.ko\n").unwrap();
        let names: Vec<String> = order.iter().map(|path| module_name(path)).collect();
        assert_eq!(names, ["9pnet", "9pnet_virtio", "netfs", "9p", "overlay"]);
    }

    #[test]
    fn a_missing_module_is_named() {
        let error = load_order(DEP, "").unwrap_err().to_string();
        assert_eq!(error, "the kernel has no module virtio_pci");
    }

    #[test]
    fn the_archive_is_one_that_cpio_reads() {
        let mut archive = Archive::default();
        archive.directory("a");
        archive.file("a/b", 0o644, b"hello");
        let bytes = archive.finish();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), &bytes).unwrap();
        let listing =
            Command::new("cpio").arg("-it").stdin(fs::File::open(dir.path().join("x")).unwrap()).output();
        if let Ok(listing) = listing {
            assert_eq!(String::from_utf8_lossy(&listing.stdout), "a\na/b\n");
        }
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.starts_with(b"07070100000001000041ed"));
    }
}
