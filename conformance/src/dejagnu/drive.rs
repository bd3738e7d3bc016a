//! Running `.exp` files with one tool in VMs, whose modules are built in the root.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::Flock;
use rayon::prelude::*;

use super::Test;
use super::builder::Builder;
use super::outcome::{self, End, LATE, Outcome, Read};
use crate::lab::batch::{self, Job};
use crate::lab::bounded::{self, Limits};
use crate::lab::progress::say;
use crate::lab::symbols::{self, INSIDE};
use crate::lab::vm::{Folder, Vm};
use crate::lab::{IoContext, Lab, LabError, Result, Root, place};
use crate::tool::Tool;

/// The `kill` of the VM. Upstream's driver stops a group of processes that it has started and waits until signal 0 does
/// not reach it any more, at most 15 seconds (testsuite/lib/systemtap.exp: kill_still_alive). Since it collects the
/// leader only afterwards, and zombies can be signalled, that was always 15 seconds. Here a group of zombies is gone.
const KILL: &str = r#"#!/bin/bash
for last; do :; done
case "$1 $last" in "-0 -"[0-9]*) ;; *) exec /usr/bin/kill "$@" ;; esac
for stat in /proc/[0-9]*/stat; do
	{ read -r line < "$stat"; } 2> /dev/null || continue
	set -- ${line##*) }
	if [ "$3" = "${last#-}" ] && [ "$1" != Z ]; then exit 0; fi
done
echo "kill: ($last) - No such process" >&2
exit 1
"#;

/// Where upstream's tree appears in the VM.
const UPSTREAM: &str = "/mnt/upstream";
/// Where the tool's folders appear: `bin` with the tool as `stap`, `guest` with programs of the VM, `cache`, and
/// `here`, the working directory, which is a new one for each call of `runtest`.
const PLACE: &str = "/mnt/suite";

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// One test, in the VM.
    pub test: Duration,
    /// How many tests share a call of `runtest`, round for round. Its start costs as much as some tests.
    pub tests_in_job: [usize; 3],
    /// How many such calls share a boot at most, because what the VM keeps in memory grows.
    pub jobs_in_boot: usize,
}

impl Pace {
    /// A limit for one test, and how many tests share a call at first.
    pub fn new(test: Duration, together: usize) -> Pace {
        Pace { test, tests_in_job: [together.max(1), 4, 1], jobs_in_boot: 4 }
    }
}

/// DejaGnu's files: results only, and everything.
const SUMMARY: &str = "systemtap.sum";
const LOG: &str = "systemtap.log";
/// In the tool's folder: what the VM wants built.
const REQUESTS: &str = "requests";
/// Where the folder with the kernel's symbol table appears in the VM, whose own one of that name keeps its other files.
const BOOT: &str = "/mnt/boot";

/// Drives tests with one tool in one root.
#[derive(Debug)]
pub struct Driver<'a> {
    lab: &'a Lab,
    root: &'a Root,
    upstream: &'a Path,
    tool: Tool,
    pace: Pace,
    vm: Vm,
    /// The folder with the kernel's symbol table.
    boot: PathBuf,
    builder: Builder<'a>,
    place: PathBuf,
    /// Where DejaGnu's logs are put for people, if anywhere.
    logs: Option<PathBuf>,
    /// The tool's folders are for one driver at a time.
    _lock: Flock<File>,
}

impl<'a> Driver<'a> {
    /// Prepares the tool's folders and the root's VM, when no other driver has them.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn new(
        lab: &'a Lab,
        root: &'a Root,
        upstream: &'a Path,
        tool: &'a Tool,
        pace: Pace,
        logs: Option<&Path>,
    ) -> Result<Driver<'a>> {
        let name = format!("{}-{}", root.suite(), tool.name());
        let lock = lab.lock(&format!("suite-{name}"))?;
        let place = lab.suite_dir()?.join(name);
        for folder in ["bin", "guest", "here", "cache/stap", "cache/rstap"] {
            let dir = place.join(folder);
            fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
        }
        // A VM keeps what it has read of the program, and must not see how it is built anew meanwhile.
        let tool = match tool {
            Tool::Rstap { dir } => {
                let copy = place.join("program");
                fs::create_dir_all(&copy).doing(|| format!("making {}", copy.display()))?;
                copy_program(&dir.join("rstap"), &copy.join("rstap"))?;
                Tool::Rstap { dir: copy }
            }
            Tool::Stap => Tool::Stap,
        };
        link(Path::new(&tool.program()), &place.join("bin/stap"))?;
        // Tests look for it beside stap. It belongs to no translator.
        link(Path::new("/usr/bin/dtrace"), &place.join("bin/dtrace"))?;
        let builder = Builder::new(root, place.join(REQUESTS))?;
        let make = Builder::make(&format!("{PLACE}/{REQUESTS}"));
        for (name, text) in [("make", make.as_str()), ("kill", KILL)] {
            let program = place.join("guest").join(name);
            place::write_whole(&program, text.as_bytes())?;
            executable(&program)?;
        }
        let vm = Vm::prepare(lab, root)?;
        let driver = Driver {
            lab,
            root,
            upstream,
            tool,
            pace,
            vm,
            boot: symbols::ready(lab, root)?,
            builder,
            place,
            logs: logs.map(Path::to_owned),
            _lock: lock,
        };
        driver.warm_up()?;
        Ok(driver)
    }

    /// Lets the tool make one module in the root. What it keeps of this, answers of feature tests for instance, takes
    /// very long in the VM.
    fn warm_up(&self) -> Result<()> {
        let here = self.lab.scratch("dejagnu")?;
        let entry = self
            .tool
            .entry(self.root)
            .read_only()
            .bind(&self.place, PLACE)
            .bind(here.path(), format!("{PLACE}/here"))
            .cwd("/");
        let script = format!(
            "{}SYSTEMTAP_DIR=$PWD/.systemtap-root exec {} -p4 -e 'probe begin {{ exit() }}'",
            preparation(),
            self.tool.program()
        );
        let limits = Limits { time: Duration::from_secs(300), memory: None };
        let finished = bounded::run(entry.command("bash", ["-c", &script])?, limits)?;
        match finished.ended.is_success() {
            true => Ok(()),
            false => Err(LabError::Unexpected {
                what: format!("{} makes no module: {}", self.tool.name(), finished.stderr.trim_end()),
            }),
        }
    }

    /// Runs all tests, in as many VMs at once as there are threads to wait for them; the outcomes come in the tests'
    /// order. `on_outcome` hears of each when it is known.
    ///
    /// # Errors
    /// The VM does not boot, or `on_outcome` fails. A failing test is no error.
    pub fn run<'t>(
        &self,
        tests: &'t [Test],
        mut on_outcome: impl FnMut(&Test, &Outcome) -> Result<()> + Send,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes: BTreeMap<&Test, Outcome> = BTreeMap::new();
        // What is not clear from a call with several tests, for instance which of them made the kernel complain,
        // each test is asked alone.
        for tests_in_job in self.pace.tests_in_job {
            let open: Vec<&Test> = tests.iter().filter(|test| !outcomes.contains_key(test)).collect();
            let chunks: Vec<&[&Test]> = open.chunks(tests_in_job).collect();
            // Tests sleep and wait much of their time, so that more VMs than processors are of use.
            let share = chunks.len().div_ceil(rayon::current_num_threads());
            let boots: Vec<&[&[&Test]]> = chunks.chunks(self.pace.jobs_in_boot.min(share).max(1)).collect();
            let heard = Mutex::new((&mut on_outcome, &mut outcomes));
            let hear = |read: Read<'t, '_>| {
                self.keep_logs(read.test, read.summary, read.log);
                // A panic in another thread ends the run anyway.
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                let (on_outcome, outcomes) = &mut *heard;
                on_outcome(read.test, &read.outcome)?;
                outcomes.insert(read.test, read.outcome);
                Ok(())
            };
            self.builder.serve_during(|| boots.par_iter().try_for_each(|boot| self.boot(boot, &hear)))?;
        }
        let nothing = || Outcome::empty(End::KilledVm);
        Ok(tests.iter().map(|test| outcomes.remove(test).unwrap_or_else(nothing)).collect())
    }

    /// Runs calls of `runtest`, each with some tests, in one boot (or more, if the VM breaks down).
    fn boot<'t>(&self, calls: &[&[&'t Test]], hear: &dyn Fn(Read<'t, '_>) -> Result<()>) -> Result<()> {
        let jobs: Vec<Job> = calls.iter().map(|tests| self.job(tests)).collect();
        let mut next = calls.iter();
        let mut failure = Ok(());
        batch::run_with(&self.vm, &jobs, &self.folders(), |result| {
            let Some(tests) = next.next() else { return };
            for read in outcome::read_job(tests, result) {
                if failure.is_ok() {
                    failure = hear(read);
                }
            }
        })?;
        failure
    }

    fn folders(&self) -> Vec<Folder> {
        let folder = |host: &Path, inside: &str, read_only| Folder {
            host: host.to_owned(),
            inside: inside.to_owned(),
            read_only,
        };
        let mut folders = vec![
            folder(self.upstream, UPSTREAM, true),
            folder(&self.boot, BOOT, true),
            folder(&self.place, PLACE, false),
        ];
        folders.extend(self.tool.folder().map(|(host, inside)| folder(host, inside, true)));
        folders
    }

    /// A job that drives some tests.
    fn job(&self, tests: &[&Test]) -> Job {
        // Debian 12 and 13 have a file of that name, which says where the real one is.
        let name = symbols::file_name(self.root);
        let table = format!("{INSIDE}/{name}");
        // At the end everything that tests left running is cleared away: of all processes of the VM, only this shell
        // and the agent, which is process 1, are spared by a signal to everyone.
        let command = format!(
            "job=$PWD\nmountpoint -q {table} || {{ : >> {table} && mount --bind {BOOT}/{name} {table}; }} || exit\n\
             mount -t tmpfs tmpfs {PLACE}/here\n{preparation}PATH={PLACE}/guest:$PATH\n\
             {runtest} > \"$job/output\" 2>&1 &\npid=$!\n{watch}\
             wait $pid\n[ $late = 1 ] && status={LATE} || status=0\n\
             kill -TERM -1\nsleep 1\nkill -KILL -1\ncd /\numount {PLACE}/here\nexit $status\n",
            preparation = preparation(),
            runtest = runtest(tests, "\"$job\""),
            watch = watch(self.pace.test),
        );
        let tests_in_job = u32::try_from(tests.len()).unwrap_or(u32::MAX);
        Job {
            name: tests.first().map(|test| test.name.clone()).unwrap_or_default(),
            command,
            files: Vec::new(),
            modules: Vec::new(),
            limit: Some(self.pace.test.saturating_mul(tests_in_job) + Duration::from_secs(120)),
            wanted: [SUMMARY, LOG].map(str::to_owned).to_vec(),
        }
    }

    /// Leaves a test's summary and log where people want them. That this fails is no reason to lose the results.
    fn keep_logs(&self, test: &Test, sum: &str, log: &str) {
        let Some(logs) = &self.logs else { return };
        let dir = logs.join(format!("{}-{}", self.root.suite(), self.tool.name()));
        let path = dir.join(format!("{}.log", test.name.replace('/', "-")));
        let written = fs::create_dir_all(&dir).and_then(|()| fs::write(&path, format!("{sum}\n{log}")));
        if let Err(error) = written {
            say(&format!("{}: {error}", path.display()));
        }
    }
}

/// Makes a symbolic link, in place of one from an earlier run.
fn link(target: &Path, link: &Path) -> Result<()> {
    // That there was none is no error, and anything else shows when the link is made.
    let _ = fs::remove_file(link);
    std::os::unix::fs::symlink(target, link).doing(|| format!("making {}", link.display()))
}

/// Lets everyone run a program.
fn executable(program: &Path) -> Result<()> {
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(program, mode).doing(|| format!("setting the mode of {}", program.display()))
}

/// Copies a program under a new inode, unless the copy is there already.
fn copy_program(program: &Path, copy: &Path) -> Result<()> {
    let copying = || format!("copying {}", program.display());
    let text = fs::read(program).doing(copying)?;
    if fs::read(copy).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let part = copy.with_extension("part");
    fs::copy(program, &part).doing(copying)?;
    fs::rename(&part, copy).doing(copying)
}

/// Shell lines that watch `pid` and stop it when no new test has begun for so long.
fn watch(limit: Duration) -> String {
    format!(
        "late=0 seen=-1 since=0\n\
         while kill -0 $pid 2> /dev/null; do\n\
         \tcount=$(grep -c '^Running {UPSTREAM}' \"$job/{SUMMARY}\" 2> /dev/null)\n\
         \tif [ \"$count\" != \"$seen\" ]; then seen=$count since=$SECONDS; fi\n\
         \tif [ $((SECONDS - since)) -ge {} ]; then late=1; kill -KILL $pid; fi\n\
         \tsleep 2\ndone\n",
        limit.as_secs()
    )
}

/// Shell lines that set the environment as upstream's makefile does (testsuite/Makefile.am: RUNTEST), for tools that
/// were installed from Debian's packages, and the tool's caches in the working directory that becomes current.
fn preparation() -> String {
    let programs = format!("{PLACE}/bin");
    format!(
        "export PATH={programs}:$PATH LANG=C XDG_DATA_DIRS= BASE_MICROTESTS_FULL=1 SYSTEMTAP_TESTREMOTES=\n\
         export SYSTEMTAP_RUNTIME=/usr/share/systemtap/runtime SYSTEMTAP_TAPSET=/usr/share/systemtap/tapset\n\
         export SYSTEMTAP_PATH={programs} SYSTEMTAP_SPATH=/usr/sbin SYSTEMTAP_INCLUDES=/usr/include\n\
         export PKGLIBDIR=/usr/lib/systemtap CRASH_LIBDIR=/usr/lib/systemtap SYSCONFDIR=/etc PYTHON3=/usr/bin/python3\n\
         cd {PLACE}/here && mkdir .systemtap-root || exit\n\
         ln -s {PLACE}/cache/stap .systemtap-root/cache\n\
         ln -s {PLACE}/cache/rstap .systemtap-root/rstap-cache\n"
    )
}

/// The command for some tests, with their summary and log in the folder `out` (a word of the shell).
fn runtest(tests: &[&Test], out: &str) -> String {
    let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    format!(
        "runtest --tool systemtap --tool_opts install --srcdir {UPSTREAM}/testsuite --outdir {out} {}",
        names.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_text_is_valid() {
        let test = Test { name: "systemtap.maps/ix.exp".into() };
        let text = format!(
            "{}{}&\npid=$!\n{}",
            preparation(),
            runtest(&[&test, &test], "\"$job\""),
            watch(Duration::from_secs(3))
        );
        for text in [text.as_str(), KILL] {
            let status = std::process::Command::new("bash").args(["-n", "-c", text]).status();
            assert!(status.is_ok_and(|status| status.success()), "{text}");
        }
    }
}
