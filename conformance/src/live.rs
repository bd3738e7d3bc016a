//! One job in a VM with its output shown as it comes, and the user's Ctrl-C passed on.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::lab::batch::{self, Job, JobResult, Survival};
use crate::lab::vm::{Folder, Vm};
use crate::lab::{IoContext, LabError, Result};
use crate::tool::{StaprunWords, shell_quoted};

/// How often new output is looked for.
const POLL: Duration = Duration::from_millis(30);
/// With so many interrupts the user wants out at once (upstream's main.cxx:handle_interrupt).
const TOO_MANY: usize = 3;

/// Counts the interrupts that the user has sent since the watch began; they no longer end this process.
#[derive(Clone, Debug)]
pub struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Begins to watch SIGINT and SIGTERM.
    ///
    /// # Errors
    /// The handlers cannot be set.
    pub fn watch() -> Result<Interrupts> {
        let count = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            let count = Arc::clone(&count);
            // SAFETY: the handler only adds to an atomic number, which is async-signal-safe.
            unsafe {
                signal_hook::low_level::register(signal, move || {
                    count.fetch_add(1, Ordering::SeqCst);
                })
            }
            .doing(|| "setting signal handlers".into())?;
        }
        Ok(Interrupts(count))
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Name of the file that is a job's standard input.
pub const STDIN: &str = "stdin";

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// staprun's command line.
    pub words: &'a StaprunWords,
    /// The module's file on the host, under its final name.
    pub module: &'a Path,
    /// What staprun reads from its standard input: a file called [`STDIN`] on the host; nothing if there is none.
    pub input: Option<&'a Path>,
    /// A host folder, and the place in the VM where it is shown and where staprun starts.
    pub folder: Option<(&'a Path, &'a str)>,
}

/// Times in milliseconds, as upstream's pass lines have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Of staprun and its children, in user mode.
    pub user: u64,
    /// The same, in the kernel.
    pub system: u64,
    /// By the clock, inside the VM: booting is not part of it.
    pub real: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct LiveRun {
    /// As for a job of a batch.
    pub result: JobResult,
    /// How long it took.
    pub times: Times,
}

/// Boots and runs, copying the job's streams to this process's own.
///
/// # Errors
/// The VM does not boot, the user gives up before it does or insists on leaving, or a stream cannot be written.
pub fn run(vm: &Vm, live: &Live<'_>, interrupts: &Interrupts) -> Result<LiveRun> {
    let mut share = vm.share()?;
    if let Some((host, inside)) = live.folder {
        share.add_folder(Folder { host: host.to_owned(), inside: inside.to_owned(), read_only: false })?;
    }
    let job = job(live);
    batch::prepare(&share, 0, &job)?;
    let before = interrupts.count();
    let dir = batch::job_dir(&share, 0);
    let mut running = vm.boot(&share, &|| interrupts.count() > before)?;
    let mut streams = [Follow::new(dir.join("stdout"), 1), Follow::new(dir.join("stderr"), 2)];
    let mut passed_on = before;
    let survival = loop {
        let alive = running.is_alive()?;
        let over = dir.join("done").exists();
        for stream in &mut streams {
            stream.copy()?;
        }
        match (over, alive) {
            (true, _) => break Survival::Alive,
            (false, false) => break Survival::Lost,
            (false, true) => {}
        }
        let count = interrupts.count();
        if count - before >= TOO_MANY {
            eprintln!("Too many interrupts received, exiting.");
            return Err(LabError::Interrupted);
        }
        if count > passed_on {
            passed_on = count;
            fs::write(dir.join("interrupt"), "").doing(|| "interrupting the script".into())?;
        }
        std::thread::sleep(POLL);
    };
    let result = batch::collect(&share, 0, &job, survival)?;
    Ok(LiveRun { result, times: times(&fs::read_to_string(dir.join("times")).unwrap_or_default()) })
}

fn job(live: &Live<'_>) -> Job {
    let file = live.module.file_name().unwrap_or_default().to_string_lossy();
    let staprun = live.words.shell_command(&format!("{}/jobs/0000/{file}", crate::lab::recipe::SHARE));
    let cd = live.folder.map(|(_, inside)| format!("cd {}\n", shell_quoted(inside))).unwrap_or_default();
    let input = live.input.map(|_| format!(" < \"$job/{STDIN}\"")).unwrap_or_default();
    // The shell outlives an interrupt of the group to write the times; its own trap makes it wait for staprun.
    let command = format!(
        "trap : INT TERM\njob=$PWD\n{cd}started=$EPOCHREALTIME\n{staprun}{input}\nstatus=$?\n\
         {{ echo $started $EPOCHREALTIME; times; }} > \"$job/times\"\nexit $status\n"
    );
    Job {
        name: live.words.module_name().to_owned(),
        command,
        files: std::iter::once(live.module).chain(live.input).map(Path::to_owned).collect(),
        modules: vec![live.words.module_name().to_owned()],
        limit: None,
        wanted: Vec::new(),
    }
}

/// Reads "start end" in seconds, then bash's `times`: the shell's own line and its children's.
fn times(text: &str) -> Times {
    let mut lines = text.lines();
    let seconds = |word: &str| word.replace(',', ".").parse::<f64>().ok();
    let clock: Vec<f64> = lines.next().unwrap_or_default().split_whitespace().filter_map(seconds).collect();
    let children: Vec<f64> = lines
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| {
            let (minutes, rest) = word.strip_suffix('s')?.split_once('m')?;
            Some(seconds(minutes)? * 60.0 + seconds(rest)?)
        })
        .collect();
    // Truncation is what upstream's integer division does too; negative clocks cannot be helped.
    let milliseconds = |seconds: f64| (seconds.max(0.0) * 1000.0) as u64;
    match (clock[..].as_ref(), children[..].as_ref()) {
        ([start, end], [user, system]) => Times {
            user: milliseconds(*user),
            system: milliseconds(*system),
            real: milliseconds(end - start),
        },
        _ => Times::default(),
    }
}

/// A growing file whose new bytes are copied to one of this process's streams.
struct Follow {
    path: PathBuf,
    file: Option<File>,
    stream: u8,
}

impl Follow {
    fn new(path: PathBuf, stream: u8) -> Follow {
        Follow { path, file: None, stream }
    }

    fn copy(&mut self) -> Result<()> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).doing(|| format!("reading {}", self.path.display()))?;
        let written = match self.stream {
            1 => std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush()),
            _ => std::io::stderr().write_all(&bytes),
        };
        written.doing(|| "writing the script's output".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_children() {
        let text = "100.250000 101.500000\n0m9.000s 0m9.000s\n0m0.010s 1m0.020s\n";
        assert_eq!(times(text), Times { user: 10, system: 60_020, real: 1250 });
        assert_eq!(times(""), Times::default());
    }
}
