//! Where things are: runtime, tapsets, kernel build tree, caches, programs.

use crate::args::LowArgs;
use crate::world::environment::Environment;
use frontend::world::World;
use std::path::{Path, PathBuf};

/// Directories and programs of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// Directory of the installed runtime and tapset.
    pub package_data: PathBuf,
    /// The runtime's C, absolute.
    pub runtime: PathBuf,
    /// Tapset directories in search order; the first is the built-in one.
    pub tapset_roots: Vec<PathBuf>,
    /// The kernel build tree.
    pub build_tree: PathBuf,
    /// Our cache, `None` without a home or with `--disable-cache`.
    pub cache: Option<PathBuf>,
    /// Where the temporary directory is made.
    pub temporary: PathBuf,
    /// The loader.
    pub staprun: PathBuf,
    /// Directories of `$PATH`.
    pub search: Vec<PathBuf>,
}

/// Where packages and `make install` put the runtime and the tapset.
const PACKAGE_DATA: [&str; 2] = ["/usr/share/systemtap", "/usr/local/share/systemtap"];

impl Paths {
    /// Looks them up (session.cxx: constructor of `systemtap_session`).
    pub fn find(low: &LowArgs, env: &Environment, world: &dyn World) -> Self {
        let search: Vec<PathBuf> = env.path("PATH").map_or_else(Vec::new, |list| {
            std::env::split_paths(&list).filter(|directory| !directory.as_os_str().is_empty()).collect()
        });
        let staprun = env
            .path("SYSTEMTAP_STAPRUN")
            .or_else(|| {
                ["/usr/bin/staprun", "/usr/local/bin/staprun"]
                    .map(PathBuf::from)
                    .into_iter()
                    .find(|p| world.stat(p).is_some())
            })
            .or_else(|| {
                search.iter().map(|directory| directory.join("staprun")).find(|p| world.stat(p).is_some())
            })
            .unwrap_or_else(|| PathBuf::from("/usr/bin/staprun"));
        let package_data = PACKAGE_DATA
            .map(PathBuf::from)
            .into_iter()
            // A staprun elsewhere has its share directory beside its bin directory.
            .chain(staprun.parent().and_then(Path::parent).map(|prefix| prefix.join("share/systemtap")))
            .find(|directory| world.stat(&directory.join("runtime")).is_some())
            .unwrap_or_else(|| PathBuf::from(PACKAGE_DATA[0]));
        let runtime = low
            .runtime
            .clone()
            .or_else(|| env.path("SYSTEMTAP_RUNTIME"))
            .unwrap_or_else(|| package_data.join("runtime"));
        let mut tapset_roots =
            vec![env.path("SYSTEMTAP_TAPSET").unwrap_or_else(|| package_data.join("tapset"))];
        let shared = env.text("XDG_DATA_DIRS").unwrap_or_default();
        let shared = shared.split(':').filter(|directory| !directory.is_empty());
        tapset_roots.extend(shared.map(|directory| PathBuf::from(format!("{directory}/systemtap/tapset"))));
        tapset_roots.extend(low.include.iter().cloned());
        Paths {
            runtime: env.directory.join(runtime),
            build_tree: build_tree(low, env),
            cache: if low.disable_cache { None } else { cache(env) },
            temporary: env.path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp")),
            package_data,
            tapset_roots,
            staprun,
            search,
        }
    }

    /// The release to build for: `-r RELEASE`, or what the tree of `-r /path` says, or the running kernel's.
    ///
    /// # Errors
    /// Upstream's message if there is none.
    pub fn release(&self, low: &LowArgs, env: &Environment, world: &dyn World) -> Result<String, String> {
        let asked = asked_release(low, env);
        if !asked.starts_with('/') {
            return if asked.is_empty() {
                Err("ERROR: kernel release isn't specified".to_owned())
            } else {
                Ok(asked)
            };
        }
        // A tree without a .config is reported as that, by pass 0.
        let file = self.build_tree.join("include/config/kernel.release");
        let text = world.read(&file).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let first = text.as_deref().and_then(|text| text.lines().next()).unwrap_or_default();
        if first.is_empty() {
            let tree = self.build_tree.display();
            return Err(format!("ERROR: kernel release isn't found in \"{tree}\""));
        }
        Ok(first.to_owned())
    }
}

/// `-r`, else `SYSTEMTAP_RELEASE`, else the running kernel's release.
fn asked_release(low: &LowArgs, env: &Environment) -> String {
    let asked = low.release.clone().filter(|release| !release.is_empty());
    asked.or_else(|| env.text("SYSTEMTAP_RELEASE")).unwrap_or_else(|| env.release.clone())
}

/// `/lib/modules/RELEASE/build` below the sysroot, or the path of `-r` as it is.
fn build_tree(low: &LowArgs, env: &Environment) -> PathBuf {
    let asked = asked_release(low, env);
    if asked.starts_with('/') {
        return PathBuf::from(asked);
    }
    let below = format!("lib/modules/{asked}/build");
    low.sysroot.as_deref().unwrap_or(Path::new("/")).join(below)
}

/// Our own cache: apart from upstream's, whose names are hashes of other things.
fn cache(env: &Environment) -> Option<PathBuf> {
    if let Some(directory) = env.path("SYSTEMTAP_DIR") {
        return Some(directory.join("rstap-cache"));
    }
    let base = env.path("XDG_CACHE_HOME").or_else(|| Some(env.path("HOME")?.join(".cache")))?;
    Some(base.join("rstap"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use frontend::world::MemoryWorld;

    fn env(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            release: "6.1.0-x".into(),
            directory: "/here".into(),
            ..Environment::default()
        }
    }

    #[test]
    fn tapset_directories_in_order() {
        let low = LowArgs { include: vec!["mine".into()], ..LowArgs::default() };
        let env = env(&[("SYSTEMTAP_TAPSET", "/t"), ("XDG_DATA_DIRS", "/a::/b")]);
        let paths = Paths::find(&low, &env, &MemoryWorld::new());
        let roots: Vec<_> = paths.tapset_roots.iter().map(|root| root.to_string_lossy()).collect();
        assert_eq!(roots, ["/t", "/a/systemtap/tapset", "/b/systemtap/tapset", "mine"]);
    }

    #[test]
    fn an_installation_elsewhere_is_found_by_its_staprun() {
        let world = MemoryWorld::new()
            .with("/opt/st/bin/staprun", "")
            .with("/opt/st/share/systemtap/runtime/runtime.h", "");
        let paths = Paths::find(&LowArgs::default(), &env(&[("PATH", "/bin:/opt/st/bin")]), &world);
        assert_eq!(paths.staprun, Path::new("/opt/st/bin/staprun"));
        assert_eq!(paths.runtime, Path::new("/opt/st/share/systemtap/runtime"));
    }

    #[test]
    fn the_release_and_its_tree() {
        let world = MemoryWorld::new().with("/tree/include/config/kernel.release", "5.4.3\n");
        let find = |release: Option<&str>, sysroot: Option<&str>| {
            let low = LowArgs {
                release: release.map(Into::into),
                sysroot: sysroot.map(Into::into),
                ..LowArgs::default()
            };
            let paths = Paths::find(&low, &env(&[]), &world);
            (paths.release(&low, &env(&[]), &world), paths.build_tree.to_string_lossy().into_owned())
        };
        assert_eq!(find(None, None), (Ok("6.1.0-x".into()), "/lib/modules/6.1.0-x/build".into()));
        assert_eq!(find(Some("9"), Some("/r")), (Ok("9".into()), "/r/lib/modules/9/build".into()));
        assert_eq!(find(Some("/tree"), Some("/r")), (Ok("5.4.3".into()), "/tree".into()));
        assert_eq!(find(Some("/none"), None).0, Err("ERROR: kernel release isn't found in \"/none\"".into()));
    }

    #[test]
    fn a_relative_runtime_is_made_absolute() {
        let low = LowArgs { runtime: Some("rt".into()), ..LowArgs::default() };
        let paths = Paths::find(&low, &env(&[]), &MemoryWorld::new());
        assert_eq!(paths.runtime, Path::new("/here/rt"));
    }

    #[test]
    fn the_cache_follows_the_environment() {
        let cache = |variables: &[(&str, &str)]| {
            Paths::find(&LowArgs::default(), &env(variables), &MemoryWorld::new()).cache
        };
        assert_eq!(cache(&[]), None);
        assert_eq!(cache(&[("HOME", "/h")]), Some("/h/.cache/rstap".into()));
        assert_eq!(cache(&[("HOME", "/h"), ("SYSTEMTAP_DIR", "/d")]), Some("/d/rstap-cache".into()));
    }
}
