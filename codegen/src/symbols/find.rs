//! Where the files are that tables are made of.

use super::elf::Elf;
use super::packed::unpack;
use frontend::resolve::executable::without_sysroot;
use frontend::session::Session;
use frontend::world::World;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
pub fn contents(world: &dyn World, path: &Path) -> Option<Arc<[u8]>> {
    let data = world.read(path).ok()?;
    let unpacked = match unpack(&data)? {
        Cow::Borrowed(_) => None,
        Cow::Owned(unpacked) => Some(unpacked),
    };
    Some(unpacked.map_or(data, Arc::from))
}

/// Where distributions put the separate debug file of a build id.
pub fn build_id_file(session: &Session, build_id: &[u8]) -> Option<PathBuf> {
    let hex: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2).filter(|(_, rest)| !rest.is_empty())?;
    Some(below_sysroot(session, Path::new(&format!("/usr/lib/debug/.build-id/{first}/{rest}.debug"))))
}

/// Contents of the separate debug file of the file at `path`: by its build id, else by the name and checksum in
/// `.gnu_debuglink`, in the places where the debugger looks (libdwfl's `dwfl_standard_find_debuginfo`, which
/// setupdwfl.cxx asks).
pub fn debug_file(session: &Session, world: &dyn World, path: &Path, elf: &Elf<'_>) -> Option<Arc<[u8]>> {
    let by_id = elf.build_id.and_then(|(id, _)| contents(world, &build_id_file(session, id)?));
    if by_id.is_some() {
        return by_id;
    }
    let link = elf.section(".gnu_debuglink")?.contents(elf);
    let end = link.iter().position(|&byte| byte == 0)?;
    let name =
        std::str::from_utf8(&link[..end]).ok().filter(|name| !name.contains('/') && !name.is_empty())?;
    // The checksum is behind the name, at a place that four divides.
    let sum: [u8; 4] = link.get(end / 4 * 4 + 4..)?.get(..4)?.try_into().ok()?;
    let sum = if elf.little_endian { u32::from_le_bytes(sum) } else { u32::from_be_bytes(sum) };
    let directory = path.parent()?;
    let inside = without_sysroot(session, directory);
    let global = Path::new("/usr/lib/debug").join(inside.strip_prefix("/").unwrap_or(&inside));
    let places = [directory.to_path_buf(), directory.join(".debug"), below_sysroot(session, &global)];
    places.into_iter().map(|place| place.join(name)).filter(|file| file != path).find_map(|file| {
        let data = world.read(&file).ok()?;
        let mut found = flate2::Crc::new();
        found.update(&data);
        (found.sum() == sum).then_some(data)
    })
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
