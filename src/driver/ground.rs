//! Pass 0: the kernel that is built for and the runtime that is used.

use super::Stop;
use crate::session::Settings;
use crate::terminal::Terminal;
use crate::world::OsWorld;
use runtime_shim::kernel::{KernelLocation, KernelTree};
use runtime_shim::profile::{Level, RuntimeProfile, Standing, staprun_level};
use runtime_shim::text::RuntimeText;
use std::path::Path;
use std::sync::OnceLock;

/// The installed runtime, read.
#[derive(Debug)]
pub struct Runtime {
    /// Its files.
    pub text: RuntimeText,
    standing: Standing,
    profile: OnceLock<RuntimeProfile>,
}

impl Runtime {
    /// Finds a runtime and its level. `staprun` tells the level where the files cannot.
    ///
    /// # Errors
    /// A message with the next step.
    pub fn read(directory: &Path, staprun: &Path) -> Result<Self, String> {
        let text = RuntimeText::read(&OsWorld, directory).map_err(|error| error.to_string())?;
        let named = std::fs::read(staprun).ok().and_then(|program| staprun_level(&program));
        let standing = Standing::of(&text, named).map_err(|error| error.to_string())?;
        Ok(Runtime { text, standing, profile: OnceLock::new() })
    }

    /// What the files offer. They are read when this is first asked for, which passes 1 and 2 do not.
    pub fn profile(&self) -> &RuntimeProfile {
        self.profile.get_or_init(|| RuntimeProfile::sniff(&self.text, self.standing))
    }

    /// The level that the runtime has.
    pub fn level(&self) -> Level {
        self.standing.level
    }
}

/// What pass 0 found. Passes 1 and 2 do without a runtime, so its absence is an error of pass 3.
#[derive(Debug)]
pub struct Ground {
    /// The kernel's build tree.
    pub kernel: KernelTree,
    /// The runtime, or why there is none.
    pub runtime: Result<Runtime, String>,
}

/// Level that is assumed for passes 1 and 2 where there is no runtime: the newest known.
const NEWEST: Level = Level { major: 5, minor: 6 };

impl Ground {
    /// Reads build tree and runtime.
    ///
    /// # Errors
    /// If the build tree is missing or incomplete (session.cxx: `parse_kernel_config`).
    pub fn survey(settings: &Settings, terminal: &mut Terminal) -> Result<Self, Stop> {
        if settings.low.verbose > 1 {
            terminal.line(&format!("Session arch: {} release: {}", settings.arch, settings.release));
            terminal.line(&format!("Build tree: \"{}\"", settings.paths.build_tree.display()));
        }
        let location = KernelLocation {
            build: settings.paths.build_tree.clone(),
            release: Some(settings.release.clone()),
            sysroot: settings.low.sysroot.clone().unwrap_or_default(),
            machine: settings.arch.clone(),
        };
        let kernel = KernelTree::read(&OsWorld, &location).map_err(|error| {
            terminal.line(&error.to_string());
            Stop::Failed
        })?;
        let runtime = Runtime::read(&settings.paths.runtime, &settings.paths.staprun);
        if kernel.function_table.is_none() {
            terminal.warn("Kernel function symbol table missing [man warning::symbols]");
        }
        Ok(Ground { kernel, runtime })
    }

    /// The runtime, for the passes that need one.
    ///
    /// # Errors
    /// If there is none; the reason is printed.
    pub fn runtime(&self, terminal: &Terminal) -> Result<&Runtime, Stop> {
        self.runtime.as_ref().map_err(|reason| {
            terminal.line(&format!("ERROR: {reason}"));
            terminal.line("Pass 3: translation failed.  [man error::pass3]");
            Stop::Failed
        })
    }

    /// Level of the runtime, or the newest known without one.
    pub fn level(&self) -> Level {
        self.runtime.as_ref().map_or(NEWEST, Runtime::level)
    }
}

/// The text of `--version`: the level of the runtime in use first, since wrappers look for `version X.Y`.
pub fn version(runtime: &Result<Runtime, String>) -> String {
    let level = runtime.as_ref().map_or(NEWEST, Runtime::level);
    let mut text = format!(
        "Systemtap translator/driver (version {level}/rust, rstap {})\n\
         rstap translates for the installed SystemTap runtime and is no part of SystemTap.\n\
         This is free software under the GNU General Public License, version 2 or later; there is no warranty.\n",
        env!("CARGO_PKG_VERSION")
    );
    match runtime {
        Ok(runtime) => text.push_str(&format!("runtime: {}, level {level}\n", runtime.text.dir().display())),
        Err(reason) => text.push_str(&format!("runtime: none: {reason}\n")),
    }
    text.push_str("enabled features: KERNEL_RUNTIME\n");
    text
}
