//! Search order of tapset files (main.cxx: `passes_0_4`): which directories, and which files of them.

use frontend::session::Session;
use frontend::world::World;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The two kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// Macro files.
    Stpm,
    /// Scripts.
    Stp,
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
    /// Lines that `-vv` and `-vvv` print.
    pub notes: Vec<String>,
}

/// What a search found, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// `.stpm`.
    pub macros: Search,
    /// `.stp`.
    pub scripts: Search,
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

/// Finds all files. A file whose inode, or whose path below its root, was seen before is left out.
pub fn search(session: &Session, world: &dyn World) -> Found {
    let collector = || Collector { verbosity: session.verbosity[0], ..Collector::default() };
    let (mut macros, mut scripts) = (collector(), collector());
    let subdirectories = subdirectories(&session.kernel.release, &session.kernel.arch);
    for root in &session.tapset_roots {
        let root = root.to_string_lossy();
        let tree = format!("{root}/PATH");
        for subdirectory in &subdirectories {
            let directory = format!("{root}{subdirectory}");
            let mut candidates = Vec::new();
            collect(world, &directory, &tree, &mut candidates);
            candidates.sort_by(|(_, left), (_, right)| left.path.cmp(&right.path));
            let (of_macros, of_scripts) =
                candidates.into_iter().partition(|(extension, _)| *extension == Extension::Stpm);
            macros.take(of_macros, "Searched for library macro files:", &root, &directory);
            scripts.take(of_scripts, "Searched:", &root, &directory);
        }
    }
    Found { macros: macros.found, scripts: scripts.found }
}

/// What was found so far, with what tells a file that was seen before.
#[derive(Default)]
struct Collector {
    found: Search,
    verbosity: u32,
    identities: HashSet<(u64, u64)>,
    names: HashSet<String>,
}

impl Collector {
    /// Takes the files of a directory.
    fn take(&mut self, files: Vec<(Extension, FoundFile)>, what: &str, root: &str, directory: &str) {
        if files.is_empty() {
            return;
        }
        let (count, before) = (files.len(), self.found.files.len());
        for (_, file) in files {
            let name = file.path.to_string_lossy();
            let reason = if !self.identities.insert(file.identity) {
                Some("inode")
            } else {
                let tail = name.get(root.len()..).unwrap_or(&name).to_owned();
                (!self.names.insert(tail)).then_some("name")
            };
            match reason {
                Some(reason) => self.note(3, || format!("Skipping tapset \"{name}\", duplicate {reason}.")),
                None => {
                    self.note(3, || format!("Processing tapset \"{name}\""));
                    self.found.files.push(file);
                }
            }
        }
        let processed = self.found.files.len() - before;
        self.note(2, || format!("{what} \"{directory}\", found: {count}, processed: {processed}"));
    }

    fn note(&mut self, level: u32, text: impl FnOnce() -> String) {
        if self.verbosity >= level {
            self.found.notes.push(text());
        }
    }
}

/// Adds the files of a directory; goes into sub-directories of `tree` only.
fn collect(world: &dyn World, directory: &str, tree: &str, files: &mut Vec<(Extension, FoundFile)>) {
    let Ok(names) = world.list(Path::new(directory)) else { return };
    let enters =
        |path: &str| path == tree || path.strip_prefix(tree).is_some_and(|rest| rest.starts_with('/'));
    for name in names {
        let path = format!("{directory}/{name}");
        let extension = extension_of(&name);
        if extension.is_none() && !enters(&path) {
            continue;
        }
        let Some(stat) = world.stat(Path::new(&path)) else { continue };
        if stat.is_dir {
            if enters(&path) {
                collect(world, &path, tree, files);
            }
        } else if let Some(extension) = extension {
            let path = PathBuf::from(path);
            let (size, mtime_ns, identity) = (stat.size, stat.mtime_ns, stat.identity);
            files.push((extension, FoundFile { path, size, mtime_ns, identity }));
        }
    }
}

fn extension_of(name: &str) -> Option<Extension> {
    match name.rsplit_once('.')?.1 {
        "stp" => Some(Extension::Stp),
        "stpm" => Some(Extension::Stpm),
        _ => None,
    }
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
        let found = search(&session, &world);
        let names = |search: Search| -> Vec<String> {
            search.files.into_iter().map(|file| file.path.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(
            names(found.scripts),
            [
                "/t/linux/6.12/a.stp",
                "/t/linux/a.stp",
                "/t/PATH/usr/bin/d.stp",
                "/t/b.stp",
                "/mine/linux/z.stp"
            ]
        );
        assert_eq!(names(found.macros), ["/t/m.stpm"]);
    }
}
