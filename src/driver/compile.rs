//! Pass 4: from C to a module, by kbuild, with the repairs that the runtime needs on this kernel.

use super::Stop;
use super::cache::Cache;
use super::clock::Stopwatch;
use super::ground::Runtime;
use crate::session::Settings;
use crate::terminal::Terminal;
use crate::world::OsWorld;
use crate::world::children::{self, Output};
use crate::world::scratch::Scratch;
use crate::world::workers;
use frontend::session::Session;
use rayon::prelude::*;
use runtime_shim::cache::{self, Key};
use runtime_shim::command::{Command, FileToWrite, Outcome};
use runtime_shim::files::Files;
use runtime_shim::kbuild::{BuildFailure, Cause, ModuleBuild, Noise, diagnose};
use runtime_shim::kernel::KernelTree;
use runtime_shim::repairs::{self, Situation};
use runtime_shim::stapconf::{KernelFlags, Plan, Stapconf, flag_query};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// C text to build: units in link order, and what they include.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// File names and texts of the units, the script's first.
    pub units: Vec<(String, String)>,
    /// Other files.
    pub headers: Vec<(String, String)>,
}

/// A module on disk.
#[derive(Debug, Clone)]
pub struct Module {
    /// In the temporary directory, or in the cache.
    pub path: PathBuf,
    /// True if it was built before.
    pub cached: bool,
    /// True if it is in the cache now.
    pub stored: bool,
}

/// Everything that pass 4 looks at.
pub struct Workshop<'a> {
    /// Options.
    pub settings: &'a Settings,
    /// The session.
    pub session: &'a Session,
    /// The kernel.
    pub kernel: &'a KernelTree,
    /// The runtime.
    pub runtime: &'a Runtime,
    /// Where files are made.
    pub scratch: &'a Scratch,
    /// The cache, if it is used.
    pub cache: Option<Cache>,
}

impl<'a> Workshop<'a> {
    /// Puts everything in its place.
    pub fn new(
        settings: &'a Settings,
        session: &'a Session,
        kernel: &'a KernelTree,
        runtime: &'a Runtime,
        scratch: &'a Scratch,
    ) -> Self {
        let cache = settings.paths.cache.as_deref().map(Cache::new);
        Workshop { settings, session, kernel, runtime, scratch, cache }
    }

    /// Runs the pass and prints what it prints. The path is what pass 5 loads, and what `-p4` and `--emit-staprun`
    /// leave behind: in the temporary directory, the cache or the current directory.
    ///
    /// # Errors
    /// [`Stop::Failed`] after the messages were printed, [`Stop::Interrupted`].
    pub fn compile(&self, sources: &Sources, terminal: &mut Terminal) -> Result<PathBuf, Stop> {
        let watch = Stopwatch::start();
        let verbosity = self.session.verbosity[3];
        terminal.renderer.filter.verbosity = verbosity;
        let built = self.build(sources, terminal);
        let file = format!("{}.ko", self.session.module_name);
        if verbosity > 0 {
            match &built {
                Ok(module) if module.cached => {
                    terminal.line(&format!("Pass 4: using cached {}", module.path.display()));
                }
                _ => terminal.line(&format!("Pass 4: compiled C into \"{file}\" {}", watch.text())),
            }
        }
        let module = built.inspect_err(|stop| {
            if *stop == Stop::Failed {
                terminal.line("Pass 4: compilation failed.  [man error::pass4]");
            }
        })?;
        let last = self.session.last_pass == 4;
        let mut path = module.path;
        if self.settings.low.module_name.is_some() || (last && !module.stored) {
            let kept = std::env::current_dir().unwrap_or_default().join(&file);
            fs::copy(&path, &kept).map_err(|error| {
                terminal.line(&format!("ERROR: cannot write \"{}\": {error}", kept.display()));
                Stop::Failed
            })?;
            if last {
                path = kept;
            }
        }
        if last {
            let shown = if module.stored { path.display().to_string() } else { file };
            terminal.out(format!("{shown}\n").as_bytes());
        } else if module.stored {
            path = self.own_copy(&path, &file);
        }
        Ok(path)
    }

    /// The cache may be cleaned by others before staprun has read the module.
    fn own_copy(&self, stored: &Path, file: &str) -> PathBuf {
        let copy = self.scratch.path().join(file);
        if copy.exists() || fs::copy(stored, &copy).is_ok() { copy } else { stored.to_path_buf() }
    }

    /// Builds the module, or finds it in the cache.
    ///
    /// # Errors
    /// [`Stop::Failed`] after the message was printed, [`Stop::Interrupted`].
    fn build(&self, sources: &Sources, terminal: &mut Terminal) -> Result<Module, Stop> {
        let verbosity = self.session.verbosity[3];
        let conf = self.stapconf(terminal)?;
        let situation = self.situation(&conf);
        let fail = |terminal: &mut Terminal, message: String| {
            terminal.line(&format!("ERROR: {message}"));
            Stop::Failed
        };
        repairs::check(&situation).map_err(|error| fail(terminal, error.to_string()))?;
        let remedies = repairs::remedies(&situation);
        if verbosity > 1 && !remedies.names.is_empty() {
            terminal.line(&format!("Repairs of the runtime: {}", remedies.names.join(", ")));
        }
        let low = &self.settings.low;
        let build = ModuleBuild {
            name: self.session.module_name.clone(),
            dir: self.scratch.path().to_path_buf(),
            units: sources.units.clone(),
            headers: sources.headers.clone(),
            macros: self.session.macros.clone(),
            make_words: low.kbuild_words.clone(),
            guru: self.session.guru,
            debug_info: low.debug,
            strict: low.strict_warnings,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            noise: if verbosity > 2 { Noise::Commands } else { Noise::Quiet },
        };
        let plan = build
            .plan(self.kernel, &self.runtime.text, &conf, &remedies)
            .map_err(|error| fail(terminal, error.to_string()))?;
        let conf_key = self.stapconf_key();
        let key = cache::module_key(&conf_key, &build, &remedies);
        let keeps_build = low.keep || low.debug || low.module_name.is_some();
        let cache = self.cache.as_ref().filter(|_| !keeps_build);
        if let Some(path) =
            cache.filter(|_| !low.poison_cache).and_then(|c| c.module(&key.digest, &build.name))
        {
            return Ok(Module { path, cached: true, stored: true });
        }
        make_links(&plan.links).map_err(|error| fail(terminal, error.to_string()))?;
        write_all(&plan.files).map_err(|error| fail(terminal, error.to_string()))?;
        if verbosity > 1 {
            terminal.line(&format!("Running {}", plan.command.argv.join(" ")));
        }
        let outcome = self.run(&plan.command, terminal)?;
        let log = format!("{}{}", outcome.stdout, outcome.stderr);
        if verbosity > 1 || (verbosity > 0 && !outcome.success) {
            terminal.raw(&log);
        } else if outcome.success {
            // It is silent, unless `-B` asked for something.
            terminal.out(outcome.stdout.as_bytes());
        }
        if !outcome.success {
            return Err(fail(terminal, diagnose(self.kernel, &self.runtime.text, &log).to_string()));
        }
        if fs::metadata(&plan.module).is_err() {
            let message = format!("kbuild made no \"{}\"", plan.module.display());
            return Err(fail(terminal, message));
        }
        if low.debug {
            self.write_layouts(&plan.module, terminal)?;
        }
        let why = format!("{}{}", conf_key.log, key.log);
        let stored =
            cache.and_then(|cache| cache.put_module(&key.digest, &build.name, &plan.module, &why).ok());
        Ok(Module { path: stored.clone().unwrap_or(plan.module), cached: false, stored: stored.is_some() })
    }

    /// What the repairs decide from.
    fn situation<'b>(&'b self, conf: &'b Stapconf) -> Situation<'b> {
        Situation { rt: &self.runtime.text, profile: self.runtime.profile(), kernel: self.kernel, conf }
    }

    /// The answers of the runtime's feature tests, from the cache or by running them.
    ///
    /// # Errors
    /// As [`Workshop::build`].
    fn stapconf(&self, terminal: &mut Terminal) -> Result<Stapconf, Stop> {
        let key = self.stapconf_key().digest;
        let poison = self.settings.low.poison_cache;
        let cached = self.cache.as_ref().filter(|_| !poison).and_then(|cache| cache.stapconf(&key));
        if let Some(header) = cached {
            return Ok(Stapconf::parse(&header));
        }
        let fail = |terminal: &mut Terminal, message: String| {
            terminal.line(&format!("ERROR: {message}"));
            Stop::Failed
        };
        let directory = self.scratch.path().join("flags");
        let (files, query) = flag_query(self.kernel, &directory);
        write_all(&files).map_err(|error| fail(terminal, error.to_string()))?;
        let answer = self.run(&query, terminal)?;
        let flags = KernelFlags::parse(self.kernel, &answer.stdout, &answer.stderr)
            .map_err(|error| fail(terminal, error.to_string()))?;
        let tests = Plan::new(&self.runtime.text);
        if self.session.verbosity[3] > 1 {
            for note in &tests.unknown {
                terminal.line(&format!("Feature test of a newer runtime: {note}"));
            }
        }
        workers::start();
        let outcomes: io::Result<Vec<Outcome>> = tests
            .compile
            .par_iter()
            .map(|test| Ok(children::run(&test.command(&flags), Output::Capture)?.outcome))
            .collect();
        let outcomes = outcomes.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => Stop::Interrupted,
            _ => {
                let name = flags.compiler.first().cloned().unwrap_or_default();
                fail(terminal, self.no_program(&name, &error))
            }
        })?;
        if children::interrupted() {
            return Err(Stop::Interrupted);
        }
        let verdicts = tests.compile.iter().zip(&outcomes).map(|(test, outcome)| test.judge(outcome));
        let conf = tests.finish(self.kernel, verdicts);
        conf.check().map_err(|error| fail(terminal, error.to_string()))?;
        if let Some(cache) = &self.cache {
            // Without it the tests just run again.
            let _ = cache.put_stapconf(&key, &conf.header());
        }
        Ok(conf)
    }

    /// Puts what `pahole` says of the module's types beside it, as `--debug` does in stap 5.6. It may not be installed,
    /// and the module is good whatever it makes of it.
    ///
    /// # Errors
    /// [`Stop::Interrupted`].
    fn write_layouts(&self, module: &Path, terminal: &mut Terminal) -> Result<(), Stop> {
        if self.session.verbosity[3] > 1 {
            terminal.line(&format!("Pass 4: running pahole on {}", module.display()));
        }
        let argv = vec!["pahole".to_owned(), module.display().to_string()];
        let Ok(outcome) = attempt(&Command { argv, ..Command::default() })? else { return Ok(()) };
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        let path = module.with_extension("pahole");
        if let Err(error) = fs::write(&path, text) {
            terminal.line(&format!("WARNING: {}: {error}", path.display()));
        }
        Ok(())
    }

    /// Runs a program that the build cannot do without.
    fn run(&self, command: &Command, terminal: &mut Terminal) -> Result<Outcome, Stop> {
        attempt(command)?.map_err(|error| {
            let name = command.argv.first().cloned().unwrap_or_default();
            terminal.line(&format!("ERROR: {}", self.no_program(&name, &error)));
            Stop::Failed
        })
    }

    fn no_program(&self, name: &str, error: &io::Error) -> String {
        if error.kind() != io::ErrorKind::NotFound {
            return format!("cannot run \"{name}\": {error}");
        }
        let compiler = name.contains("gcc") || name.contains("clang") || name == "cc";
        let cause = if compiler { Cause::NoCompiler(name.into()) } else { Cause::NoProgram(name.into()) };
        BuildFailure { cause, errors: Vec::new(), release: self.kernel.release.clone() }.to_string()
    }

    /// Key of the feature tests' answers.
    fn stapconf_key(&self) -> Key {
        // The first word names the compiler: `x86_64-linux-gnu-gcc-14 (Debian ...) 14.2.0`.
        let compiler = self.kernel.compiler();
        let name = compiler.text.split_whitespace().next().unwrap_or("gcc");
        let found = self.settings.paths.search.iter().map(|directory| directory.join(name));
        let found = found.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from(name));
        let stat = Files::stat(&OsWorld, &found);
        let path = found.display().to_string();
        let words = &self.settings.low.kbuild_words;
        cache::stapconf_key(&OsWorld, self.kernel, &self.runtime.text, (&path, stat), words)
    }
}

/// Runs a program, if there is one. A signal to end stops the run, whatever the program made of it.
fn attempt(command: &Command) -> Result<io::Result<Outcome>, Stop> {
    let ended = children::run(command, Output::Capture);
    if children::interrupted() {
        return Err(Stop::Interrupted);
    }
    Ok(ended.map(|ended| ended.outcome))
}

/// Makes symbolic links, with the directories they are in.
fn make_links(links: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    for (link, target) in links {
        let make = || {
            fs::create_dir_all(link.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
            std::os::unix::fs::symlink(target, link)
        };
        make().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot link \"{}\": {error}", link.display()))
        })?;
    }
    Ok(())
}

fn write_all(files: &[FileToWrite]) -> io::Result<()> {
    for file in files {
        let write = || {
            fs::create_dir_all(file.path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
            fs::write(&file.path, &file.text)
        };
        write().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot write \"{}\": {error}", file.path.display()))
        })?;
    }
    Ok(())
}
