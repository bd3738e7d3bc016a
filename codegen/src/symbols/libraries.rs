//! `--ldd`: the libraries that a program's dynamic linker would load, by its rules and without running it.

use super::elf::Elf;
use super::find::{below_sysroot, contents};
use frontend::session::Session;
use frontend::wildcard::{self, Escape};
use frontend::world::World;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Directories that are searched last (ld.so(8)).
const STANDARD: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The canonical paths, as the target sees them, of everything that `program` needs, its dynamic linker among it.
pub fn libraries(session: &Session, world: &dyn World, program: &Path) -> BTreeSet<PathBuf> {
    let mut configured = Vec::new();
    read_configuration(session, world, Path::new("/etc/ld.so.conf"), 0, &mut configured);
    configured.extend(STANDARD.map(PathBuf::from));
    let mut found = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut open = vec![program.to_path_buf()];
    while let Some(path) = open.pop() {
        let Some(data) = contents(world, &path) else { continue };
        let Some(elf) = Elf::parse(&data) else { continue };
        let origin = path.parent().unwrap_or(Path::new("/")).display().to_string();
        let own: Vec<PathBuf> = elf
            .run_path
            .iter()
            .map(|directory| directory.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin).into())
            .collect();
        let wanted = elf.needed.iter().copied().chain(elf.interpreter);
        for name in wanted.filter(|name| names.insert(name.to_string())) {
            let place = |directory: &PathBuf| {
                let path = world.canonical(&below_sysroot(session, &directory.join(name)))?;
                // A library of the other word size has the same name elsewhere.
                let fits = Elf::parse(&world.read(&path).ok()?)?.wide == elf.wide;
                fits.then_some(path)
            };
            let path = if name.contains('/') {
                world.canonical(&below_sysroot(session, Path::new(name)))
            } else {
                own.iter().chain(&configured).find_map(place)
            };
            if let Some(path) = path
                && found.insert(path.clone())
            {
                open.push(path);
            }
        }
    }
    found
}

/// The directories of the dynamic linker's configuration, in order; `include` lines are followed a few levels deep.
fn read_configuration(
    session: &Session,
    world: &dyn World,
    file: &Path,
    depth: u32,
    directories: &mut Vec<PathBuf>,
) {
    const DEEPEST: u32 = 4;
    let text = world.read(&below_sysroot(session, file)).unwrap_or_default();
    for line in String::from_utf8_lossy(&text).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.split_once(char::is_whitespace) {
            Some(("include", pattern)) if depth < DEEPEST => {
                let pattern = file.parent().unwrap_or(Path::new("/")).join(pattern.trim());
                let (Some(directory), Some(pattern)) =
                    (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
                else {
                    continue;
                };
                let names = world.list(&below_sysroot(session, directory)).unwrap_or_default();
                for name in names.iter().filter(|name| wildcard::matches(pattern, name, Escape::Backslash)) {
                    read_configuration(session, world, &directory.join(name), depth + 1, directories);
                }
            }
            None if line.starts_with('/') => directories.push(PathBuf::from(line)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    #[test]
    fn the_configuration_is_followed() {
        let world = MemoryWorld::new()
            .with("/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n/opt/lib # mine\n")
            .with("/etc/ld.so.conf.d/a.conf", "# first\n/a/lib\n")
            .with("/etc/ld.so.conf.d/b.conf", "/b/lib\n")
            .with("/etc/ld.so.conf.d/README", "/no/lib\n");
        let mut directories = Vec::new();
        let session = Session::for_tests();
        read_configuration(&session, &world, Path::new("/etc/ld.so.conf"), 0, &mut directories);
        assert_eq!(directories, ["/a/lib", "/b/lib", "/opt/lib"].map(PathBuf::from));
    }
}
