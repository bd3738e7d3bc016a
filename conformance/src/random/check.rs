//! Running programs with a tool: what pass 2 makes of them, and what they do in the VM.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rayon::prelude::*;

use super::tree::Program;
use crate::end_to_end::difference;
use crate::lab::batch::{self, Built, Job, JobEnd, JobResult};
use crate::lab::bounded::{self, Ended, Limits};
use crate::lab::recipe::SHARE;
use crate::lab::vm::Vm;
use crate::lab::{IoContext, Lab, Result, Root, symbols};
use crate::tool::{Tool, shell_quoted};

/// What passes 1 to 4 of one program may use.
const BUILD_LIMITS: Limits = Limits { time: Duration::from_secs(600), memory: Some(8 << 30) };
/// What pass 2 of all programs may use.
const PASS_2_LIMITS: Limits = Limits { time: Duration::from_secs(7200), memory: None };
/// What pass 5 of one program may use, in a VM without acceleration on a busy machine.
const RUN_LIMIT: Duration = Duration::from_secs(180);

/// A tool in a root.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// The root whose runtime and kernel are used.
    pub root: &'a Root,
    /// The translator.
    pub tool: Tool,
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended, and in which pass.
    pub end: String,
    /// What it printed.
    pub stdout: String,
    /// Its messages, without those that tell times.
    pub stderr: String,
    /// What the kernel had against it.
    pub kernel: Vec<String>,
}

impl Outcome {
    /// Whether the program came to pass 5.
    pub fn has_run(&self) -> bool {
        self.end.starts_with("pass 5")
    }

    /// How another outcome of the same program differs from this one; `None` when it does not. What the kernel had
    /// against both, at whatever line of their C, is no difference.
    pub fn difference(&self, other: &Outcome) -> Option<String> {
        let mut found = String::new();
        for (what, expected, is) in [
            ("end", &self.end, &other.end),
            ("standard output", &self.stdout, &other.stdout),
            ("standard error", &self.stderr, &other.stderr),
        ] {
            if expected != is {
                found.push_str(&format!("{what}:\n{}\n", difference(expected, is)));
            }
        }
        let known: Vec<String> = self.kernel.iter().map(|line| without_digits(line)).collect();
        for line in other.kernel.iter().filter(|line| !known.contains(&without_digits(line))) {
            found.push_str(&format!("kernel log: {line}\n"));
        }
        (!found.is_empty()).then_some(found)
    }
}

/// Passes 1 and 2 of all programs, with the bodies in the dump. One entry into the root serves all.
///
/// # Errors
/// The root cannot be entered, or files cannot be written.
pub fn pass_2(lab: &Lab, side: &Side<'_>, programs: &[Program]) -> Result<Vec<Outcome>> {
    let scratch = lab.scratch("random")?;
    let write = |name: String, text: String| {
        let path = scratch.path().join(name);
        fs::write(&path, text).doing(|| format!("writing {}", path.display()))
    };
    for (index, program) in programs.iter().enumerate() {
        let options: Vec<String> = program.options.iter().map(|option| shell_quoted(option)).collect();
        let script = format!("{index}.stp");
        let command = format!(
            "STAP_NTHREADS=1 timeout -s KILL 100 {} -p2 -v {} {script} > {index}.out 2> {index}.err\necho $? > {index}.status\n",
            side.tool.program(),
            options.join(" ")
        );
        write(script, program.to_string())?;
        write(format!("{index}.sh"), command)?;
    }
    let boot = symbols::ready(lab, side.root)?;
    let entry = side.tool.entry(side.root).bind_read_only(&boot, symbols::INSIDE);
    let entry = entry.bind(scratch.path(), SHARE).cwd(SHARE);
    let all = "ls *.sh | xargs -P $(nproc) -n 1 sh";
    bounded::run(entry.command("/bin/bash", ["-c", all])?, PASS_2_LIMITS)?;
    let read = |name: String| {
        let path = scratch.path().join(name);
        let bytes = fs::read(&path).doing(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    (0..programs.len())
        .map(|index| {
            Ok(Outcome {
                end: format!("pass 2: exit status {}", read(format!("{index}.status"))?.trim()),
                stdout: read(format!("{index}.out"))?,
                stderr: messages(&read(format!("{index}.err"))?),
                kernel: Vec::new(),
            })
        })
        .collect()
}

/// The text without the lines that tell how long passes took, and without the tip that Debian's stap ends with.
fn messages(stderr: &str) -> String {
    let is_noise =
        |line: &str| line.starts_with("Pass ") && line.ends_with(" ms.") || line.starts_with("Tip: ");
    stderr.lines().filter(|line| !is_noise(line)).map(|line| format!("{line}\n")).collect()
}

/// All passes of all programs: modules are built in the root and run in one boot of its kernel, on one processor, since
/// what a statistic's elements are sorted from depends on the processors that fed it.
///
/// # Errors
/// The root cannot be entered, or its VM does not boot.
pub fn run(
    lab: &Lab,
    side: &Side<'_>,
    programs: &[Program],
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Vec<Outcome>> {
    let scratch = lab.scratch("random")?;
    let boot = symbols::ready(lab, side.root)?;
    let one = |(index, program): (usize, &Program)| {
        let built = build(side, program, &boot, &scratch.path().join(index.to_string()));
        progress(&format!("{} on {}: program {index} built", side.tool.name(), side.root.suite()));
        built
    };
    let built = programs.par_iter().enumerate().map(one).collect::<Result<Vec<Built<Outcome>>>>()?;
    let jobs = batch::jobs(&built);
    let mut ran = Vec::new();
    if !jobs.is_empty() {
        let vm = Vm::prepare(lab, side.root)?;
        progress(&format!("{} on {}: {} modules run", side.tool.name(), side.root.suite(), jobs.len()));
        ran = batch::run(&vm, &jobs, |_| {})?;
    }
    let mut ran = ran.into_iter();
    let outcome = |built| match built {
        Built::Over(outcome) => outcome,
        Built::Module(_) => ran.next().map_or_else(Outcome::none, outcome_of),
    };
    Ok(built.into_iter().map(outcome).collect())
}

fn without_digits(line: &str) -> String {
    line.replace(|c: char| c.is_ascii_digit(), "")
}

impl Outcome {
    fn none() -> Outcome {
        Outcome { end: "not run".into(), stdout: String::new(), stderr: String::new(), kernel: Vec::new() }
    }
}

fn build(side: &Side<'_>, program: &Program, boot: &Path, dir: &Path) -> Result<Built<Outcome>> {
    fs::create_dir_all(dir).doing(|| format!("making {}", dir.display()))?;
    let script = dir.join("program.stp");
    fs::write(&script, program.to_string()).doing(|| format!("writing {}", script.display()))?;
    let mut words = ["-m", "random_program"].map(str::to_owned).to_vec();
    match side.tool {
        // Many of these programs make gcc warn about stap's C (`*` or constants as conditions, shifts by negative
        // numbers), and a warning would end the build.
        Tool::Stap => words.extend(["-B", "KCFLAGS=-w"].map(str::to_owned)),
        Tool::Rstap { .. } => words.push("--strict-warnings".into()),
    }
    words.extend(program.options.iter().cloned());
    words.push("program.stp".into());
    let entry = side.tool.entry(side.root).bind_read_only(boot, symbols::INSIDE).bind(dir, SHARE).cwd(SHARE);
    let finished = bounded::run(side.tool.build_command(&entry, &words, SHARE)?, BUILD_LIMITS)?;
    if !finished.ended.is_success() {
        return Ok(Built::Over(Outcome {
            end: format!("passes 1 to 4: {}", finished.ended),
            stdout: String::new(),
            stderr: messages(&finished.stderr),
            kernel: Vec::new(),
        }));
    }
    let words = side.tool.staprun_words(&words, &finished.stdout, dir, SHARE)?;
    let command = words.shell_command("./random_program.ko");
    Ok(Built::Module(Box::new(Job {
        name: "random_program".into(),
        command: format!("exec taskset -c 0 {command}\n"),
        files: vec![dir.join("random_program.ko")],
        modules: vec!["random_program".into()],
        limit: Some(RUN_LIMIT),
        wanted: Vec::new(),
    })))
}

fn outcome_of(result: JobResult) -> Outcome {
    let mut kernel: Vec<String> = result
        .problems
        .iter()
        .filter(|problem| problem.kind.is_failure())
        .map(|problem| format!("{}: {}", problem.kind, problem.line))
        .collect();
    kernel.extend(result.leaked.iter().map(|module| format!("the module {module} stayed loaded")));
    let end = match &result.end {
        JobEnd::Program(Ended::Exited(code)) => format!("pass 5: exit status {code}"),
        JobEnd::Program(ended) => format!("pass 5: {ended}"),
        JobEnd::KilledVm { console } => format!("the VM died or hung:\n{console}"),
    };
    Outcome { end, stdout: result.stdout, stderr: result.stderr, kernel }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_no_difference_and_messages_are() {
        let outcome = |stderr: &str| Outcome { stderr: messages(stderr), ..Outcome::none() };
        let first = outcome("Pass 1: parsed user script in 10usr/0sys/10real ms.\nWARNING: x\n");
        assert_eq!(first.difference(&outcome("Pass 1: parsed in 3usr ms.\nWARNING: x\n")), None);
        let found = first.difference(&outcome("WARNING: y\n")).unwrap();
        assert_eq!(found, "standard error:\n  -WARNING: x\n  +WARNING: y\n");
    }
}
