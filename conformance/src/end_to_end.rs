//! Running cases in a root: passes 1 to 4 inside it, then all modules in one boot of its kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;

use crate::case::{Case, Facts, version_numbers};
use crate::lab::batch::{self, Built, Job, JobEnd, JobResult};
use crate::lab::bounded::{self, Ended, Limits};
use crate::lab::recipe::SHARE;
use crate::lab::vm::Vm;
use crate::lab::{IoContext, Lab, Result, Root, symbols};
use crate::report::Verdict;
use crate::tool::{Tool, shell_quoted};

/// What passes 1 to 4 of a case may use. A first run in a root does all feature tests of the runtime.
const BUILD_LIMITS: Limits = Limits { time: Duration::from_secs(420), memory: Some(8 << 30) };

/// The file with what a case's run reads, beside its module.
const STDIN: &str = "stdin.txt";

/// A case with its verdict in one root.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What it printed in pass 5, when it got there.
    pub stdout: Option<String>,
}

/// The facts of a root that cases ask for.
///
/// # Errors
/// The root's package list cannot be read.
pub fn facts(root: &Root) -> Result<Facts> {
    let path = root.dir().join("var/lib/dpkg/status");
    let status = fs::read_to_string(&path).doing(|| format!("reading {}", path.display()))?;
    Ok(Facts { runtime: package_version(&status, "systemtap"), linux: version_numbers(root.release()) })
}

fn package_version(status: &str, package: &str) -> Vec<u32> {
    let name = format!("Package: {package}");
    status
        .split("\n\n")
        .find(|paragraph| paragraph.lines().any(|line| line == name))
        .and_then(|paragraph| paragraph.lines().find_map(|line| line.strip_prefix("Version: ")))
        .map(version_numbers)
        .unwrap_or_default()
}

/// Runs `cases` with `tool` in `root`; the results come in the cases' order. `progress` hears of each step.
///
/// # Errors
/// The root cannot be entered or its VM does not boot. A failing case is not an error.
pub fn run(
    lab: &Lab,
    root: &Root,
    tool: &Tool,
    cases: &[Case],
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Vec<CaseResult>> {
    let facts = facts(root)?;
    let scratch = lab.scratch("cases")?;
    let boot = symbols::ready(lab, root)?;
    let build = |case: &Case| {
        if let Some(why) = case.not_for(root.suite(), &facts) {
            return Ok(Built::Over(Verdict::Skipped(why)));
        }
        let built = build(root, tool, case, &boot, scratch.path());
        progress(&format!("{}: {}: passes 1 to 4", root.suite(), case.name));
        built
    };
    // The first build fills the tool's cache of feature tests, which the others then share.
    let built: Vec<Result<Built<Verdict>>> = match cases.split_first() {
        Some((first, rest)) => {
            std::iter::once(build(first)).chain(rest.par_iter().map(build).collect::<Vec<_>>()).collect()
        }
        None => Vec::new(),
    };
    let built = built.into_iter().collect::<Result<Vec<Built<Verdict>>>>()?;
    let jobs = batch::jobs(&built);
    let ran = if jobs.is_empty() {
        Vec::new()
    } else {
        let vm = Vm::prepare(lab, root)?;
        progress(&format!("{}: booting {} for {} modules", root.suite(), root.release(), jobs.len()));
        batch::run(&vm, &jobs, |result| progress(&format!("{}: {}: pass 5", root.suite(), result.name)))?
    };
    let mut ran = ran.into_iter();
    let results = cases.iter().zip(built).map(|(case, built)| match built {
        Built::Over(verdict) => CaseResult { name: case.name.clone(), verdict, stdout: None },
        Built::Module(_) => {
            let verdict = ran.next().map(|result| (judge(case, &result), result.stdout));
            // There is one result for each job.
            let (verdict, stdout) =
                verdict.unwrap_or((Verdict::Failed(vec!["it was not run".into()]), String::new()));
            CaseResult { name: case.name.clone(), verdict, stdout: Some(stdout) }
        }
    });
    Ok(results.collect())
}

/// Passes 1 to 4 of one case, in a folder of its own below `scratch`, with the kernel's symbols in `boot`.
fn build(root: &Root, tool: &Tool, case: &Case, boot: &Path, scratch: &Path) -> Result<Built<Verdict>> {
    let dir = scratch.join(&case.name);
    fs::create_dir_all(&dir).doing(|| format!("making {}", dir.display()))?;
    let script = format!("{}.stp", case.name);
    fs::copy(&case.path, dir.join(&script)).doing(|| format!("copying {}", case.path.display()))?;
    let mut words = vec!["-m".to_owned(), case.module_name()];
    if let Tool::Rstap { .. } = tool {
        // A warning about the emitted C is a failure.
        words.push("--strict-warnings".into());
    }
    words.extend(case.args.iter().cloned());
    words.push(script);
    words.extend(case.words.iter().cloned());
    let entry = tool.entry(root).bind_read_only(boot, symbols::INSIDE).bind(&dir, SHARE).cwd(SHARE);
    let finished = bounded::run(tool.build_command(&entry, &words, SHARE)?, BUILD_LIMITS)?;
    if case.expected.fails_in_build || !finished.ended.is_success() {
        return Ok(Built::Over(judge_build(case, finished.ended, &finished.stderr)));
    }
    let words = match tool.staprun_words(&words, &finished.stdout, &dir, SHARE) {
        // rstap says itself that staprun is to read.
        Ok(words) if matches!(tool, Tool::Stap) && case.stdin.is_some() => words.with_stdin(),
        Ok(words) => words,
        Err(error) => return Ok(Built::Over(Verdict::Failed(vec![error.to_string()]))),
    };
    let module = on_host(root, &dir, words.module());
    if !module.exists() {
        let why = format!("passes 1 to 4 ended well but left no module {}", words.module());
        return Ok(Built::Over(Verdict::Failed(vec![why])));
    }
    let file = module.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut staprun = words.shell_command(&format!("./{file}"));
    let mut files = vec![module];
    if let Some(text) = &case.stdin {
        let path = dir.join(STDIN);
        fs::write(&path, text).doing(|| format!("writing {}", path.display()))?;
        files.push(path);
        staprun += &format!(" <{STDIN}");
    }
    Ok(Built::Module(Box::new(Job {
        name: case.name.clone(),
        command: job_command(&staprun, case),
        modules: vec![words.module_name().to_owned()],
        files,
        limit: Some(case.limit),
        wanted: Vec::new(),
    })))
}

/// The script of a job: staprun, interrupted when its output has the case's text, and the lines that follow it. The
/// job's streams are files in its working directory.
fn job_command(staprun: &str, case: &Case) -> String {
    let run = match case.interrupt.as_deref() {
        None => format!("{staprun}\n"),
        Some(text) => format!(
            "{staprun} &\nwhile ! grep -qF {} stdout && kill -0 $!; do sleep 0.2; done\nkill -INT $!\nwait $!\n",
            shell_quoted(text)
        ),
    };
    match &case.then {
        Some(then) => format!("{run}status=$?\n{then}exit $status\n"),
        None if case.interrupt.is_none() => format!("exec {run}"),
        None => run,
    }
}

/// The host's path of a file that was named inside the root: in the case's folder or the root's own.
fn on_host(root: &Root, dir: &Path, inside: &str) -> PathBuf {
    match inside.strip_prefix(SHARE) {
        Some(rest) => dir.join(rest.trim_start_matches('/')),
        None if inside.starts_with('/') => root.dir().join(inside.trim_start_matches('/')),
        None => dir.join(inside),
    }
}

/// Judges a case that did not get a module.
fn judge_build(case: &Case, ended: Ended, stderr: &str) -> Verdict {
    let mut reasons = Vec::new();
    if !case.expected.fails_in_build {
        reasons.push(format!("passes 1 to 4: {ended}"));
    } else if ended != Ended::Exited(case.expected.exit) {
        reasons.push(format!("passes 1 to 4: {ended}, not exit status {}", case.expected.exit));
    }
    reasons.extend(missing_texts(case, stderr));
    verdict(reasons, stderr)
}

/// Judges a case by what came out of pass 5.
fn judge(case: &Case, result: &JobResult) -> Verdict {
    let mut reasons = Vec::new();
    match &result.end {
        JobEnd::Program(ended) if *ended == Ended::Exited(case.expected.exit) => {}
        JobEnd::Program(ended) => reasons.push(format!("{ended}, not exit status {}", case.expected.exit)),
        JobEnd::KilledVm { console } => reasons.push(format!("the VM died or hung:\n{console}")),
    }
    if let Some(expected) = &case.expected.stdout
        && *expected != result.stdout
    {
        reasons.push(format!("standard output differs:\n{}", difference(expected, &result.stdout)));
    }
    reasons.extend(missing_texts(case, &result.stderr));
    reasons.extend(result.leaked.iter().map(|module| format!("the module {module} stayed loaded")));
    for problem in result.problems.iter().filter(|problem| problem.kind.is_failure()) {
        let context = problem.context.iter().map(|line| format!("\n  {line}")).collect::<String>();
        reasons.push(format!("kernel log, {}: {}{context}", problem.kind, problem.line));
    }
    verdict(reasons, &result.stderr)
}

fn missing_texts(case: &Case, stderr: &str) -> Vec<String> {
    let missing = case.expected.stderr.iter().filter(|text| !stderr.contains(*text));
    missing.map(|text| format!("standard error lacks: {text}")).collect()
}

fn verdict(mut reasons: Vec<String>, stderr: &str) -> Verdict {
    if reasons.is_empty() {
        return Verdict::Passed;
    }
    if !stderr.is_empty() {
        reasons.push(format!("standard error was:\n{}", indented(stderr, 40)));
    }
    Verdict::Failed(reasons)
}

fn indented(text: &str, most: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

/// Both texts side by side, as far as they differ: `-` expected, `+` found.
pub fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same_start = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str], mark: &str| {
        lines[same_start..].iter().take(20).map(|line| format!("  {mark}{line}\n")).collect::<String>()
    };
    let skipped = if same_start > 0 { format!("  ({same_start} equal lines)\n") } else { String::new() };
    format!("{skipped}{}{}", rest(&expected, "-"), rest(&found, "+")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Expected;

    fn case(stdout: &str) -> Case {
        Case {
            name: "x".into(),
            path: "x.stp".into(),
            args: vec![],
            words: vec![],
            expected: Expected {
                stdout: Some(stdout.into()),
                stderr: vec!["ERROR: a".into()],
                exit: 1,
                fails_in_build: false,
            },
            needs: vec![],
            roots: vec![],
            limit: Duration::from_secs(1),
            interrupt: None,
            stdin: None,
            then: None,
        }
    }

    fn result(stdout: &str, stderr: &str, code: i32) -> JobResult {
        JobResult {
            name: "x".into(),
            end: JobEnd::Program(Ended::Exited(code)),
            stdout: stdout.into(),
            stderr: stderr.into(),
            wanted: Vec::new(),
            problems: vec![],
            leaked: vec![],
        }
    }

    #[test]
    fn a_case_passes_when_all_is_as_expected() {
        assert_eq!(judge(&case("a\n"), &result("a\n", "ERROR: a b\n", 1)), Verdict::Passed);
    }

    #[test]
    fn each_deviation_is_a_reason() {
        let mut bad = result("b\n", "", 0);
        bad.leaked.push("m".into());
        bad.problems = crate::lab::kernel_log::problems("WARNING: CPU: 0 at x\n");
        let Verdict::Failed(reasons) = judge(&case("a\n"), &bad) else { panic!("it passed") };
        assert_eq!(reasons.len(), 5, "{reasons:?}");
        assert_eq!(reasons[0], "exit status 0, not exit status 1");
        assert_eq!(reasons[1], "standard output differs:\n  -a\n  +b");
    }

    #[test]
    fn a_build_may_be_expected_to_fail() {
        let mut case = case("");
        case.expected.fails_in_build = true;
        assert_eq!(judge_build(&case, Ended::Exited(1), "ERROR: a"), Verdict::Passed);
        assert_ne!(judge_build(&case, Ended::Exited(0), "ERROR: a"), Verdict::Passed);
        case.expected.fails_in_build = false;
        assert_ne!(judge_build(&case, Ended::Exited(1), "ERROR: a"), Verdict::Passed);
    }

    #[test]
    fn an_interrupted_job_waits_for_its_text() {
        let mut case = case("");
        assert_eq!(job_command("staprun x", &case), "exec staprun x\n");
        case.interrupt = Some("it's on".into());
        let script = job_command("staprun x", &case);
        assert!(script.starts_with("staprun x &\n"), "{script}");
        assert!(script.contains(r"grep -qF 'it'\''s on' stdout"), "{script}");
    }

    #[test]
    fn what_follows_a_run_keeps_its_status() {
        let mut case = case("");
        case.then = Some("cat out\n".into());
        assert_eq!(job_command("staprun x", &case), "staprun x\nstatus=$?\ncat out\nexit $status\n");
    }

    #[test]
    fn equal_beginnings_are_left_out_of_a_difference() {
        assert_eq!(difference("1\n2\n3\n", "1\n2\n4\n"), "  (2 equal lines)\n  -3\n  +4");
    }

    #[test]
    fn the_version_of_a_package_is_found() {
        let status =
            "Package: systemtap-common\nVersion: 9\n\nPackage: systemtap\nStatus: ok\nVersion: 5.1-5\n";
        assert_eq!(package_version(status, "systemtap"), [5, 1]);
    }
}
