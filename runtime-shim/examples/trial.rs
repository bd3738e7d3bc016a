//! Drives the whole crate by hand against a runtime and kernel, with C that upstream's `stap -p3 -k` has written.
//!
//! For developers of repairs. The driver in `src/` is the real user; this shows the call sequence in one place.
//!
//! ```text
//! trial [--root DIR] [--runtime DIR] [--via "CMD ARG..."] [--strict] [--guru] profile | stapconf | repairs | build OUT SOURCE_DIR...
//! ```
//!
//! `--root` is where all paths are looked up, `--via` the words before each command that is run (to enter that
//! root). `OUT` and `SOURCE_DIR` are paths inside the root; a source directory holds one script's `MOD_src.c` etc.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, UNIX_EPOCH};

use runtime_shim::command::{Command, FileToWrite, Outcome};
use runtime_shim::files::{Files, Stat};
use runtime_shim::kbuild::{ModuleBuild, diagnose};
use runtime_shim::kernel::{KernelLocation, KernelTree};
use runtime_shim::profile::{RuntimeProfile, Standing, staprun_level};
use runtime_shim::repairs::{self, Situation};
use runtime_shim::stapconf::{KernelFlags, Plan, Stapconf, Verdict, flag_query};
use runtime_shim::text::RuntimeText;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Files below a root directory, with absolute symbolic links kept inside it.
#[derive(Debug, Clone)]
struct Rooted {
    root: PathBuf,
}

impl Rooted {
    fn resolve(&self, path: &Path) -> PathBuf {
        let mut todo: Vec<PathBuf> = path.iter().map(PathBuf::from).rev().collect();
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.to_str() {
                Some("/") => at = PathBuf::new(),
                Some("..") => {
                    at.pop();
                }
                Some(".") => {}
                _ => {
                    let next = at.join(&part);
                    match std::fs::read_link(self.root.join(&next)) {
                        Ok(target) if links < 40 => {
                            links += 1;
                            todo.extend(target.iter().map(PathBuf::from).rev());
                        }
                        _ => at = next,
                    }
                }
            }
        }
        self.root.join(at)
    }
}

impl Files for Rooted {
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(self.resolve(path)).ok()
    }

    fn list(&self, dir: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.resolve(dir)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn stat(&self, path: &Path) -> Option<Stat> {
        let meta = std::fs::metadata(self.resolve(path)).ok()?;
        let mtime = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Stat { size: meta.len(), mtime_ns: mtime.as_nanos() as i128 })
    }
}

struct Runner {
    files: Rooted,
    via: Vec<String>,
}

impl Runner {
    fn run(&self, command: &Command) -> Result<Outcome> {
        let mut words = self.via.clone();
        words.push("env".to_owned());
        for (name, value) in &command.env {
            if value.is_none() {
                words.extend(["-u".to_owned(), name.clone()]);
            }
        }
        if let Some(cwd) = &command.cwd {
            words.extend(["-C".to_owned(), cwd.display().to_string()]);
        }
        for (name, value) in &command.env {
            if let Some(value) = value {
                words.push(format!("{name}={value}"));
            }
        }
        words.extend(command.argv.iter().cloned());
        let (program, arguments) = words.split_first().ok_or("nothing to run")?;
        let output = process::Command::new(program).args(arguments).output()?;
        Ok(Outcome {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn write(&self, files: &[FileToWrite]) -> Result<()> {
        for file in files {
            let path = self.files.root.join(file.path.strip_prefix("/")?);
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            std::fs::write(path, &file.text)?;
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut root = PathBuf::from("/");
    let mut runtime = PathBuf::from("/usr/share/systemtap/runtime");
    let (mut via, mut strict, mut guru, mut words) = (Vec::new(), false, false, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--root" => root = PathBuf::from(args.next().ok_or("--root DIR")?),
            "--via" => via = args.next().ok_or("--via CMD")?.split_whitespace().map(str::to_owned).collect(),
            "--runtime" => runtime = PathBuf::from(args.next().ok_or("--runtime DIR")?),
            "--strict" => strict = true,
            "--guru" => guru = true,
            _ => words.push(arg),
        }
    }
    let runner = Runner { files: Rooted { root }, via };
    let files = &runner.files;

    // 1. The runtime, and whether staprun belongs to it.
    let rt = RuntimeText::read(files, &runtime)?;
    let staprun = files.read(Path::new("/usr/bin/staprun")).unwrap_or_default();
    let stapio = ["/usr/lib/systemtap/stapio", "/usr/libexec/systemtap/stapio"]
        .iter()
        .find_map(|path| files.read(Path::new(path)));
    let profile = RuntimeProfile::sniff(&rt, Standing::of(&rt, staprun_level(&staprun))?);
    profile.check_staprun(&rt, &staprun, stapio.as_deref())?;
    if words.first().is_some_and(|word| word == "profile") {
        print!("{profile}");
        return Ok(());
    }

    // 2. The kernel.
    let release = files.list(Path::new("/lib/modules")).into_iter().next().ok_or("no kernel")?;
    let location = KernelLocation {
        build: PathBuf::from(format!("/lib/modules/{release}/build")),
        release: Some(release),
        sysroot: PathBuf::new(),
        machine: std::env::consts::ARCH.to_owned(),
    };
    let kernel = KernelTree::read(files, &location)?;

    // 3. The feature tests, cached by hand here (the driver uses `cache`).
    let cached = runner.files.root.join(format!("tmp/shim/stapconf_{}.h", rt.digest()));
    let conf = match std::fs::read_to_string(&cached) {
        Ok(text) => Stapconf::parse(&text),
        Err(_) => {
            let conf = ask(&runner, &rt, &kernel)?;
            std::fs::create_dir_all(runner.files.root.join("tmp/shim"))?;
            std::fs::write(&cached, conf.header())?;
            conf
        }
    };
    if words.first().is_some_and(|word| word == "stapconf") {
        print!("{}", conf.header());
        println!("{:?}", conf.counts());
    }
    conf.check()?;

    // 4. The repairs.
    let at = Situation { rt: &rt, profile: &profile, kernel: &kernel, conf: &conf };
    repairs::check(&at)?;
    let remedies = repairs::remedies(&at);
    if words.first().is_some_and(|word| word == "repairs") {
        for row in repairs::list(&at) {
            println!("{row}");
        }
    }

    // 5. The build.
    let [what, out, sources @ ..] = words.as_slice() else { return Ok(()) };
    if what != "build" {
        return Ok(());
    }
    for source in sources {
        let name = Path::new(source).file_name().ok_or("a directory")?.to_string_lossy().into_owned();
        let dir = Path::new(out).join(&name);
        let mut build = ModuleBuild {
            name: format!("st_{name}"),
            dir: dir.clone(),
            guru,
            strict,
            jobs: 2,
            ..ModuleBuild::default()
        };
        for file in files.list(Path::new(source)) {
            let Some(text) = files.text(&Path::new(source).join(&file)) else { continue };
            if file == "stap_common.h" {
                build.headers.push((file, text));
            } else if file == "stap_symbols.c" || file.ends_with("_src.c") || file.contains("_aux_") {
                build.units.push((file, adapt(&text)));
            }
        }
        let _ = std::fs::remove_dir_all(runner.files.root.join(dir.strip_prefix("/")?));
        let plan = build.plan(&kernel, &rt, &conf, &remedies)?;
        for (link, target) in &plan.links {
            let link = runner.files.root.join(link.strip_prefix("/")?);
            if let Some(dir) = link.parent() {
                std::fs::create_dir_all(dir)?;
            }
            std::os::unix::fs::symlink(target, link)?;
        }
        runner.write(&plan.files)?;
        let start = Instant::now();
        let outcome = runner.run(&plan.command)?;
        let made = files.exists(&plan.module);
        println!(
            "{name}: {} in {:.1} s",
            if outcome.success && made { "ok" } else { "FAILED" },
            start.elapsed().as_secs_f32()
        );
        let log = format!("{}{}", outcome.stdout, outcome.stderr);
        let warnings = log.lines().filter(|line| line.contains("warning: ") || line.contains("WARNING: "));
        warnings.take(6).for_each(|line| println!("  {line}"));
        if !outcome.success {
            println!("{}", diagnose(&kernel, &rt, &log));
        }
    }
    Ok(())
}

/// Runs the feature tests, as many at once as there are processors.
fn ask(runner: &Runner, rt: &RuntimeText, kernel: &KernelTree) -> Result<Stapconf> {
    let (query, command) = flag_query(kernel, Path::new("/tmp/shim/flags"));
    runner.write(&query)?;
    let answer = runner.run(&command)?;
    let flags = KernelFlags::parse(kernel, &answer.stdout, &answer.stderr)?;
    let plan = Plan::new(rt);
    let verdicts = Mutex::new(vec![Verdict::No; plan.compile.len()]);
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(test) = plan.compile.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = match runner.run(&test.command(&flags)) {
                        Ok(outcome) => test.judge(&outcome),
                        Err(error) => Verdict::Broken(error.to_string()),
                    };
                    let at = plan.compile.iter().position(|other| other.name == test.name);
                    if let (Ok(mut all), Some(at)) = (verdicts.lock(), at)
                        && let Some(place) = all.get_mut(at)
                    {
                        *place = verdict;
                    }
                }
            });
        }
    });
    Ok(plan.finish(kernel, verdicts.into_inner()?))
}

/// Makes upstream's C what our emitter writes: the shim's start, and a declaration split in two.
fn adapt(text: &str) -> String {
    let lookups = "rc = _stp_handle_kallsyms_lookups();\n  if (rc) goto out;\n";
    let start = "#ifdef RSTAP_SHIM_INIT\n  rc = RSTAP_SHIM_INIT();\n  if (rc) goto out;\n#endif\n";
    text.replace(lookups, &format!("{lookups}{start}"))
        .replace("} static stap_probes[];", "};\nstatic struct stap_probe stap_probes[];")
}
