//! Where the executable of `process("name")` is (staputil.cxx: `find_executable`).

use crate::session::Session;
use crate::world::World;
use std::path::{Path, PathBuf};

/// The canonical path of an executable.
///
/// A name with a slash is taken as it is (below the sysroot, if there is one), any other is looked up in `$PATH` (any
/// readable file will do) and then in the working directory. A name that is not found is given back unchanged, as
/// upstream does: the caller decides what that means.
pub fn find_executable(session: &Session, world: &dyn World, name: &str) -> PathBuf {
    let below_sysroot = |path: &Path| match &session.sysroot {
        Some(sysroot) => sysroot.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_path_buf(),
    };
    let readable =
        |path: &PathBuf| world.stat(path).is_some_and(|stat| !stat.is_dir && stat.mode & 0o444 != 0);
    let directories = if name.contains('/') { &[] } else { &session.search_path[..] };
    let found = directories.iter().map(|directory| below_sysroot(&directory.join(name))).find(readable);
    let path = found.unwrap_or_else(|| below_sysroot(Path::new(name)));
    world.canonical(&path).unwrap_or_else(|| PathBuf::from(name))
}

/// The path as the target sees it: without the sysroot in front.
pub fn without_sysroot(session: &Session, path: &Path) -> PathBuf {
    match session.sysroot.as_deref().and_then(|sysroot| path.strip_prefix(sysroot).ok()) {
        Some(rest) => Path::new("/").join(rest),
        None => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::MemoryWorld;

    #[test]
    fn looks_in_the_search_path_only_without_a_slash() {
        let mut session = Session::for_tests();
        session.search_path = vec!["/sbin".into(), "/bin".into()];
        let world = MemoryWorld::new()
            .with_executable("/bin/ls", "")
            .with_executable("here", "")
            .with_executable("ls", "");
        assert_eq!(find_executable(&session, &world, "ls"), Path::new("/bin/ls"));
        assert_eq!(find_executable(&session, &world, "/bin/ls"), Path::new("/bin/ls"));
        assert_eq!(find_executable(&session, &world, "cat"), Path::new("cat"));
        assert_eq!(find_executable(&session, &world, "here"), Path::new("/here"));
    }
}
