//! Where the files are that tables are made of.

use super::packed::unpack;
use frontend::session::Session;
use frontend::world::World;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Endings of kernel modules (setupdwfl.cxx: `is_user_module`).
const MODULE_ENDINGS: [&str; 5] = [".ko", ".ko.gz", ".ko.bz2", ".ko.xz", ".ko.zst"];

/// True for an object that processes map; else it is the kernel or one of its modules.
pub fn is_user_object(name: &str) -> bool {
    name.contains('/') && !MODULE_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// A path of the target on this machine.
pub fn below_sysroot(session: &Session, path: &Path) -> PathBuf {
    match &session.sysroot {
        Some(sysroot) => sysroot.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_path_buf(),
    }
}

/// Name of a kernel module in the kernel, from its file's (setupdwfl.cxx: `modname_from_path`).
pub fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let end = file.rfind(".ko").or_else(|| file.rfind('.')).unwrap_or(file.len());
    file[..end].replace([',', '-'], "_")
}

/// File of a kernel module, by the list of modules that `depmod` made for the target kernel.
pub fn module_file(session: &Session, world: &dyn World, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return world.stat(&path).map(|_| path);
    }
    let directory = below_sysroot(session, Path::new(&format!("/lib/modules/{}", session.kernel.release)));
    let list = world.read(&directory.join("modules.dep")).ok()?;
    let wanted = module_name(&format!("{name}.ko"));
    let list = String::from_utf8_lossy(&list);
    let mut files = list.lines().filter_map(|line| line.split(':').next());
    files.find(|file| module_name(file) == wanted).map(|file| directory.join(file))
}

/// Contents of a file, unpacked. `None` if it cannot be read.
pub fn contents(world: &dyn World, path: &Path) -> Option<Vec<u8>> {
    let data = world.read(path).ok()?;
    Some(match unpack(&data)? {
        Cow::Borrowed(plain) => plain.to_vec(),
        Cow::Owned(unpacked) => unpacked,
    })
}

/// Contents of the separate debug file of a build id, where distributions put it.
pub fn debug_file(session: &Session, world: &dyn World, build_id: &[u8]) -> Option<Vec<u8>> {
    let hex: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2)?;
    let path = format!("/usr/lib/debug/.build-id/{first}/{rest}.debug");
    contents(world, &below_sysroot(session, Path::new(&path)))
}

/// The images with which the kernel serves system calls to processes; their maps have no file name, so they are told by
/// these (translate.cxx: `add_unwindsym_vdso`).
pub fn vdso_images(session: &Session, world: &dyn World) -> Vec<PathBuf> {
    let release = &session.kernel.release;
    let directory = below_sysroot(session, Path::new(&format!("/lib/modules/{release}/vdso")));
    let names = world.list(&directory).unwrap_or_default();
    let images = names.into_iter().filter(|name| name.starts_with("vdso") && name.ends_with(".so"));
    images.map(|name| directory.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    #[test]
    fn modules_and_programs_are_told_apart() {
        assert!(is_user_object("/bin/ls") && is_user_object("./a.out"));
        assert!(!is_user_object("kernel") && !is_user_object("ext4") && !is_user_object("/m/x.ko.xz"));
    }

    #[test]
    fn a_module_is_found_by_either_spelling() {
        let mut session = Session::for_tests();
        session.kernel.release = "7".into();
        let list = "kernel/fs/ext4.ko.xz: kernel/lib/crc16.ko.xz\nkernel/net/af-key.ko:\n";
        let world = MemoryWorld::new().with("/lib/modules/7/modules.dep", list);
        let find = |name: &str| module_file(&session, &world, name);
        assert_eq!(find("ext4").unwrap(), Path::new("/lib/modules/7/kernel/fs/ext4.ko.xz"));
        assert_eq!(find("af_key").unwrap(), Path::new("/lib/modules/7/kernel/net/af-key.ko"));
        assert_eq!(find("af-key"), find("af_key"));
        assert_eq!(find("crc16"), None);
    }
}
