//! Running many jobs in one boot, each with its own limit, output, status and kernel log.
//!
//! A job that hangs is stopped by the agent inside the VM. A job that takes the whole VM down is named, keeps what
//! it had printed, and the jobs after it run in a new boot.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bounded::Ended;
use super::kernel_log::{self, Kind, Problem};
use super::vm::{Folder, Running, Share, Vm, last_lines};
use super::{IoContext, LabError, Result};

/// How much longer than a job's limit the host waits before it gives the VM up, and how long the agent may be silent.
const GRACE: Duration = Duration::from_secs(90);
/// How often the host looks at the shared folder.
const POLL: Duration = Duration::from_millis(30);

/// One thing to do in a VM.
#[derive(Clone, Debug)]
pub struct Job {
    /// A name for people.
    pub name: String,
    /// A bash script; its working directory is the job's folder, with `files` in it.
    pub command: String,
    /// Host files copied into the job's folder under their own names.
    pub files: Vec<PathBuf>,
    /// Names of kernel modules that the job loads and must unload.
    pub modules: Vec<String>,
    /// Wall-clock time inside the VM; none for as long as it likes.
    pub limit: Option<Duration>,
    /// Names of files in the job's folder that are wanted back, for instance because the job writes them.
    pub wanted: Vec<String>,
}

/// A script after passes 1 to 4, with what is known already if there is nothing to run.
#[derive(Clone, Debug)]
pub enum Built<T> {
    /// There is no module, and this is why.
    Over(T),
    /// There is a module.
    Module(Box<Job>),
}

/// The jobs of those that have a module, in order.
pub fn jobs<T>(built: &[Built<T>]) -> Vec<Job> {
    let job = |built: &Built<T>| match built {
        Built::Module(job) => Some((**job).clone()),
        Built::Over(_) => None,
    };
    built.iter().filter_map(job).collect()
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// Like any program.
    Program(Ended),
    /// The VM died or hung while it ran; its console says more.
    KilledVm {
        /// The lines of the console that tell how it died.
        console: String,
    },
}

/// What came out of a job.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The job's name.
    pub name: String,
    /// How it ended.
    pub end: JobEnd,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The contents of the wanted files, in their order; a file that is not there has none.
    pub wanted: Vec<String>,
    /// What the kernel complained about while it ran.
    pub problems: Vec<Problem>,
    /// Modules that were still loaded afterwards.
    pub leaked: Vec<String>,
}

impl JobResult {
    /// Whether the kernel has nothing against the job: no complaint that counts, no module left, VM alive.
    pub fn kernel_is_content(&self) -> bool {
        self.leaked.is_empty()
            && !matches!(self.end, JobEnd::KilledVm { .. })
            && !self.problems.iter().any(|problem| problem.kind.is_failure())
    }

    /// Whether the jobs after it need a new boot: the VM is gone or damaged, or has a module that the agent, who
    /// unloads those that the job named, knows nothing about.
    fn spoils_vm(&self, job: &Job) -> bool {
        matches!(self.end, JobEnd::KilledVm { .. })
            || self.leaked.iter().any(|module| !job.modules.contains(module))
            || self.problems.iter().any(|problem| matches!(problem.kind, Kind::Oops | Kind::Bug))
    }
}

/// Runs all jobs in as few boots as possible; results come in the jobs' order. `on_result` hears of each as soon
/// as it is there.
///
/// # Errors
/// The VM cannot be booted, or the shared folder cannot be used. A failing job is not an error.
pub fn run(vm: &Vm, jobs: &[Job], on_result: impl FnMut(&JobResult)) -> Result<Vec<JobResult>> {
    run_with(vm, jobs, &[], on_result)
}

/// The same with more folders of the host in the VM.
///
/// # Errors
/// As for [`run`].
pub fn run_with(
    vm: &Vm,
    jobs: &[Job],
    folders: &[Folder],
    mut on_result: impl FnMut(&JobResult),
) -> Result<Vec<JobResult>> {
    let mut results: Vec<JobResult> = Vec::new();
    while results.len() < jobs.len() {
        let pending = &jobs[results.len()..];
        let mut share = vm.share()?;
        for folder in folders {
            share.add_folder(folder.clone())?;
        }
        for (index, job) in pending.iter().enumerate() {
            prepare(&share, index, job)?;
        }
        let mut running = vm.boot(&share, &|| false)?;
        for (index, job) in pending.iter().enumerate() {
            let end = wait(&mut running, index, job)?;
            let result = collect(&share, index, job, end)?;
            on_result(&result);
            let spoilt = result.spoils_vm(job);
            results.push(result);
            if spoilt {
                break;
            }
        }
    }
    Ok(results)
}

/// Puts a job into the shared folder, as its `index`-th.
///
/// # Errors
/// A file cannot be copied or written.
pub fn prepare(share: &Share, index: usize, job: &Job) -> Result<()> {
    let dir = job_dir(share, index);
    fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
    // Programs in the VM may run as another user.
    let mode = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&dir, mode).doing(|| format!("setting the mode of {}", dir.display()))?;
    for file in &job.files {
        let name = file
            .file_name()
            .ok_or_else(|| LabError::Unexpected { what: format!("{} has no file name", file.display()) })?;
        fs::copy(file, dir.join(name)).doing(|| format!("copying {}", file.display()))?;
    }
    let limit = job.limit.map_or(0, |limit| limit.as_secs().max(1));
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).doing(|| format!("writing {}", path.display()))
    };
    write("command", job.command.clone())?;
    write("limit", format!("{limit}\n"))?;
    write("modules", job.modules.iter().map(|module| format!("{module}\n")).collect())
}

/// A job's folder on the host.
pub fn job_dir(share: &Share, index: usize) -> PathBuf {
    share.path().join("jobs").join(format!("{index:04}"))
}

/// Waits for a job's end; the answer says whether the VM survived it.
fn wait(running: &mut Running<'_>, index: usize, job: &Job) -> Result<Survival> {
    let dir = job_dir(running.share(), index);
    let started = Instant::now();
    loop {
        // Asked first: when the VM has gone, what it wrote before is complete.
        let alive = running.is_alive()?;
        if dir.join("done").exists() {
            return Ok(Survival::Alive);
        }
        let late = job.limit.is_some_and(|limit| started.elapsed() > limit + GRACE);
        if !alive || late || is_silent(&dir) {
            return Ok(Survival::Lost);
        }
        std::thread::sleep(POLL);
    }
}

/// Whether the agent has not shown itself for so long that the VM must hang.
fn is_silent(job: &Path) -> bool {
    let beat = fs::metadata(job.join("alive")).and_then(|metadata| metadata.modified());
    beat.ok().and_then(|beat| beat.elapsed().ok()).is_some_and(|silence| silence > GRACE)
}

/// Whether the VM survived a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// It did, and the job's results are complete.
    Alive,
    /// It died or hung.
    Lost,
}

/// How many lines of a lost VM's console are looked at: enough for the backtraces of several processors.
const CONSOLE: usize = 400;

/// Reads what a job left in the shared folder.
///
/// # Errors
/// The VM survived, but a result is missing or unreadable.
pub fn collect(share: &Share, index: usize, job: &Job, survival: Survival) -> Result<JobResult> {
    let dir = job_dir(share, index);
    let end = match survival {
        Survival::Lost => {
            JobEnd::KilledVm { console: kernel_log::death(&last_lines(&share.console(), CONSOLE), 40) }
        }
        Survival::Alive if dir.join("timed-out").exists() => JobEnd::Program(Ended::TimedOut),
        Survival::Alive => JobEnd::Program(ended(&read(&dir.join("status"))?)?),
    };
    let (log, leaked) = match survival {
        Survival::Lost => (last_lines(&share.console(), CONSOLE), Vec::new()),
        Survival::Alive => (read(&dir.join("kernel-log"))?, leaked(&dir, &job.modules)?),
    };
    Ok(JobResult {
        name: job.name.clone(),
        end,
        stdout: read(&dir.join("stdout")).unwrap_or_default(),
        stderr: read(&dir.join("stderr")).unwrap_or_default(),
        wanted: job.wanted.iter().map(|name| read(&dir.join(name)).unwrap_or_default()).collect(),
        problems: kernel_log::problems(&log),
        leaked,
    })
}

/// The shell reports a death by signal N as 128 + N.
fn ended(status: &str) -> Result<Ended> {
    let code: i32 = status
        .trim()
        .parse()
        .map_err(|_| LabError::Unexpected { what: format!("the VM reported the status `{status}`") })?;
    Ok(if code > 128 { Ended::Signalled(code - 128) } else { Ended::Exited(code) })
}

/// Modules that came with the job and stayed: the ones it named, and any with the name that stap itself gives.
fn leaked(dir: &Path, modules: &[String]) -> Result<Vec<String>> {
    let before = read(&dir.join("modules-before"))?;
    let after = read(&dir.join("modules-after"))?;
    let before: BTreeSet<&str> = before.lines().collect();
    let suspicious = |name: &&str| name.starts_with("stap_") || modules.iter().any(|module| module == name);
    Ok(after.lines().filter(|name| !before.contains(name)).filter(suspicious).map(str::to_owned).collect())
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).doing(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shells_status_becomes_an_end() {
        assert_eq!(ended("0\n").unwrap(), Ended::Exited(0));
        assert_eq!(ended("137\n").unwrap(), Ended::Signalled(9));
        assert!(ended("").is_err());
    }

    #[test]
    fn a_module_that_stays_is_a_leak_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("modules-before"), "old\nstap_0\n").unwrap();
        fs::write(dir.path().join("modules-after"), "mine\nold\nother\nstap_0\nstap_1\n").unwrap();
        assert_eq!(leaked(dir.path(), &["mine".into()]).unwrap(), ["mine", "stap_1"]);
        assert_eq!(leaked(dir.path(), &[]).unwrap(), ["stap_1"]);
    }
}
