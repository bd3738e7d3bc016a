//! Search order of tapset files (main.cxx: `passes_0_4`): which directories, and which files of them.

use frontend::session::Session;
use frontend::world::World;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Which files are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Macro files.
    Stpm,
    /// Scripts.
    Stp,
}

impl Extension {
    fn suffix(self) -> &'static str {
        match self {
            Extension::Stpm => ".stpm",
            Extension::Stp => ".stp",
        }
    }
}

/// A file of the search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Root directory, sub-directory and name, as messages print it.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub mtime_ns: i128,
    /// Device and inode.
    pub identity: (u64, u64),
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// The files, in the order in which they take effect.
    pub files: Vec<FoundFile>,
    /// Lines that `-vv` (level 2) and `-vvv` (level 3) print.
    pub notes: Vec<(u32, String)>,
}

/// Sub-directories of a root, the most special first: `linux/6.12.3-1/x86_64` ... `linux`, then without `linux`.
pub fn subdirectories(release: &str, arch: &str) -> Vec<String> {
    let mut versions = vec![format!("/{release}")];
    let mut version = release.split('-').next().unwrap_or(release);
    if version != release {
        versions.push(format!("/{version}"));
    }
    // The kernel family: parts are cut off the end as long as two are left.
    while version.matches('.').count() > 1 {
        version = version.rsplit_once('.').map_or(version, |(rest, _)| rest);
        versions.push(format!("/{version}"));
    }
    versions.push(String::new());
    let plain: Vec<String> =
        versions.iter().flat_map(|version| [format!("{version}/{arch}"), version.clone()]).collect();
    plain.iter().map(|version| format!("/linux{version}")).chain(plain.iter().cloned()).collect()
}

/// Finds all files with an extension. A file whose inode, or whose path below its root, was seen before is left out.
pub fn search(session: &Session, world: &dyn World, extension: Extension) -> Search {
    let mut found = Search::default();
    let mut identities = HashSet::new();
    let mut names = HashSet::new();
    let subdirectories = subdirectories(&session.kernel.release, &session.kernel.arch);
    for root in &session.tapset_roots {
        let root_text = root.to_string_lossy();
        let tree = format!("{root_text}/PATH");
        for subdirectory in &subdirectories {
            let directory = format!("{root_text}{subdirectory}");
            let mut candidates = Vec::new();
            collect(world, &directory, &tree, extension, &mut candidates);
            candidates.sort_by(|left, right| left.path.cmp(&right.path));
            let count = candidates.len();
            let before = found.files.len();
            for file in candidates {
                let name = file.path.to_string_lossy();
                let reason = if !identities.insert(file.identity) {
                    Some("inode")
                } else {
                    let tail = name.get(root_text.len()..).unwrap_or(&name).to_owned();
                    (!names.insert(tail)).then_some("name")
                };
                match reason {
                    Some(reason) => {
                        found.notes.push((3, format!("Skipping tapset \"{name}\", duplicate {reason}.")));
                    }
                    None => {
                        found.notes.push((3, format!("Processing tapset \"{name}\"")));
                        found.files.push(file);
                    }
                }
            }
            if count > 0 {
                let what = match extension {
                    Extension::Stpm => "Searched for library macro files:",
                    Extension::Stp => "Searched:",
                };
                let processed = found.files.len() - before;
                found
                    .notes
                    .push((2, format!("{what} \"{directory}\", found: {count}, processed: {processed}")));
            }
        }
    }
    found
}

/// Adds the files of a directory; goes into sub-directories of `tree` only.
fn collect(world: &dyn World, directory: &str, tree: &str, extension: Extension, files: &mut Vec<FoundFile>) {
    let Ok(names) = world.list(Path::new(directory)) else { return };
    let enters =
        |path: &str| path == tree || path.strip_prefix(tree).is_some_and(|rest| rest.starts_with('/'));
    for name in names {
        let path = format!("{directory}/{name}");
        let wanted = has_extension(&name, extension);
        if !wanted && !enters(&path) {
            continue;
        }
        let Some(stat) = world.stat(Path::new(&path)) else { continue };
        if stat.is_dir {
            if enters(&path) {
                collect(world, &path, tree, extension, files);
            }
        } else if wanted {
            let path = PathBuf::from(path);
            files.push(FoundFile { path, size: stat.size, mtime_ns: stat.mtime_ns, identity: stat.identity });
        }
    }
}

fn has_extension(name: &str, extension: Extension) -> bool {
    name.ends_with(extension.suffix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    #[test]
    fn the_most_special_directory_comes_first() {
        assert_eq!(
            subdirectories("6.12.3-1-amd64", "x86_64")[..10],
            [
                "/linux/6.12.3-1-amd64/x86_64",
                "/linux/6.12.3-1-amd64",
                "/linux/6.12.3/x86_64",
                "/linux/6.12.3",
                "/linux/6.12/x86_64",
                "/linux/6.12",
                "/linux/x86_64",
                "/linux",
                "/6.12.3-1-amd64/x86_64",
                "/6.12.3-1-amd64",
            ]
        );
        assert_eq!(
            subdirectories("6.12", "a"),
            ["/linux/6.12/a", "/linux/6.12", "/linux/a", "/linux", "/6.12/a", "/6.12", "/a", ""]
        );
    }

    #[test]
    fn the_first_of_two_files_with_a_name_wins() {
        let world = MemoryWorld::new()
            .with("/t/linux/a.stp", "")
            .with("/t/linux/6.12/a.stp", "")
            .with("/t/b.stp", "")
            .with("/t/deep/c.stp", "")
            .with("/t/PATH/usr/bin/d.stp", "")
            .with("/t/m.stpm", "")
            .with("/mine/b.stp", "")
            .with("/mine/linux/z.stp", "");
        let mut session = Session::for_tests();
        session.kernel.release = "6.12.0-test".into();
        session.tapset_roots = vec!["/t".into(), "/mine".into()];
        let names = |extension| -> Vec<String> {
            let files = search(&session, &world, extension).files;
            files.into_iter().map(|file| file.path.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(
            names(Extension::Stp),
            [
                "/t/linux/6.12/a.stp",
                "/t/linux/a.stp",
                "/t/PATH/usr/bin/d.stp",
                "/t/b.stp",
                "/mine/linux/z.stp"
            ]
        );
        assert_eq!(names(Extension::Stpm), ["/t/m.stpm"]);
    }
}
