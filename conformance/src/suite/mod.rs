//! Upstream's own groups of test scripts, run with both tools side by side.
//!
//! Each group is a folder of upstream's `testsuite/`: the scripts of a group ending in `ok` should be accepted up to
//! the group's pass, those of one ending in `ko` refused. The judge is not that promise but what the root's own
//! stap does: a newer tree's scripts may be too new for an older stap, and some need what a root lacks.

mod analyse;
mod known;
mod script;

pub use known::Known;
use script::{ARGUMENTS, Start};
pub use script::{Script, scripts};

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::bounded::{self, Ended, Limits};
use crate::lab::enter::Entry;
use crate::lab::progress::say;
use crate::lab::recipe::SHARE;
use crate::lab::{IoContext, Lab, LabError, Result, Root, place, symbols};
use crate::tool::Tool;

/// Where upstream's tree appears inside the root.
const UPSTREAM: &str = "/mnt/upstream";

/// Where a tool finds what it keeps, inside the root.
const KEPT: &str = "/mnt/kept";

/// Pass 2 of a script, and of what pass 1 prints of it. Arguments: the file, and options.
const PARSED_AGAIN: &str = "file=$1; shift
stap -p2 \"$@\" \"$file\" > /dev/null || exit 11
stap -p1 \"$@\" \"$file\" > parsed.stp || exit 12
stap -p2 \"$@\" parsed.stp > /dev/null || exit 13";

/// Exit status of [`PARSED_AGAIN`] when the script itself is refused.
const REFUSED_AS_WRITTEN: Ended = Ended::Exited(11);

/// Counts up when the way of running a script changes, so that kept verdicts of stap are not used any more.
const RUNNER_VERSION: u32 = 1;

/// A pair of upstream's groups, named after the last pass that its scripts go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `parseok`, `parseko`: pass 1.
    Parse,
    /// `semok`, `semko`: pass 2.
    Sem,
    /// What pass 1 prints of the scripts that should be accepted, in pass 2 (upstream's `parse-semok.exp`).
    ParseSem,
    /// `transok`, `transko`: pass 3.
    Trans,
    /// `buildok`, `buildko`: pass 4.
    Build,
    /// What should be accepted, up to pass 3: the C is inspected.
    Emit,
    /// Every script of the whole tree in pass 1, with `-g` and some arguments; what pass 1 prints is compared too.
    ParseAll,
    /// Every script of the whole tree in pass 2; what pass 2 prints is compared too.
    SemAll,
}

impl Group {
    /// The names of its folders; `None` for all there are.
    pub fn folders(self) -> Option<&'static [&'static str]> {
        match self {
            Group::Parse => Some(&["parseok", "parseko"]),
            Group::Sem => Some(&["semok", "semko"]),
            Group::ParseSem | Group::Emit => Some(&["semok", "transok", "buildok"]),
            Group::Trans => Some(&["transok", "transko"]),
            Group::Build => Some(&["buildok", "buildko"]),
            Group::ParseAll | Group::SemAll => None,
        }
    }

    /// Variables for the runs. stap 5.6 derives the probes of a file in several threads, so which error it prints
    /// first is a race; with one thread it is the first in the script (staputil.cxx:stap_nthreads).
    fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Group::Sem | Group::ParseSem | Group::Trans | Group::Build | Group::Emit | Group::SemAll => {
                &[("STAP_NTHREADS", "1")]
            }
            Group::Parse | Group::ParseAll => &[],
        }
    }

    /// Whether the tools get the kernel's symbol table, without which stap refuses most of what these scripts probe.
    fn needs_symbols(self) -> bool {
        matches!(self, Group::ParseSem | Group::Trans | Group::Build | Group::Emit | Group::SemAll)
    }

    /// What one run of one tool may use.
    pub fn limits(self) -> Limits {
        let seconds = match self {
            Group::Parse | Group::ParseAll => 120,
            Group::Sem | Group::Trans | Group::Emit | Group::SemAll => 240,
            Group::ParseSem | Group::Build => 420,
        };
        Limits { time: Duration::from_secs(seconds), memory: Some(8 << 30) }
    }
}

/// What a tool made of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// How the run ended.
    pub ended: Ended,
    /// The first line that reports an error; empty when there is none.
    pub error: String,
    /// The pass that failed, if the tool said so.
    pub failed_pass: Option<u8>,
    /// A digest of what it printed to the standard output, where that is compared; else empty.
    pub output: String,
    /// Whether the tool itself failed: a panic.
    pub crashed: bool,
    /// Whether it rests on debug information, or ends for want of it; known of [`Group::SemAll`] only.
    pub debug_information: bool,
    /// How long the run took, in milliseconds.
    pub milliseconds: u64,
}

impl Opinion {
    /// Whether the script was accepted.
    pub fn accepts(&self) -> bool {
        self.ended.is_success()
    }

    /// Whether the script was refused before what this is about: nothing that pass 1 printed was tried in pass 2.
    pub fn refuses_as_written(&self) -> bool {
        self.ended == REFUSED_AS_WRITTEN
    }

    fn to_json(&self) -> Value {
        let (kind, number) = match self.ended {
            Ended::Exited(code) => ("exited", code),
            Ended::Signalled(signal) => ("signalled", signal),
            Ended::TimedOut => ("timed out", 0),
        };
        json!({
            "ended": kind,
            "number": number,
            "error": self.error,
            "output": self.output,
            "failed_pass": self.failed_pass,
            "crashed": self.crashed,
            "debug": self.debug_information,
            "ms": self.milliseconds,
        })
    }

    fn from_json(value: &Value) -> Option<Opinion> {
        let number = i32::try_from(value["number"].as_i64()?).ok()?;
        let ended = match value["ended"].as_str()? {
            "exited" => Ended::Exited(number),
            "signalled" => Ended::Signalled(number),
            "timed out" => Ended::TimedOut,
            _ => return None,
        };
        let error = value["error"].as_str()?.to_owned();
        Some(Opinion {
            ended,
            error,
            // Kept verdicts of an earlier lab do not say.
            failed_pass: value["failed_pass"].as_u64().and_then(|pass| u8::try_from(pass).ok()),
            output: value["output"].as_str().unwrap_or_default().to_owned(),
            crashed: value["crashed"].as_bool()?,
            debug_information: value["debug"].as_bool().unwrap_or_default(),
            milliseconds: value["ms"].as_u64()?,
        })
    }
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.error.is_empty() { "" } else { ": " };
        write!(f, "{}{}{separator}{}", self.ended, if self.crashed { ", panicked" } else { "" }, self.error)
    }
}

/// Runs scripts with both tools in one root.
pub struct Bench<'a> {
    lab: &'a Lab,
    root: &'a Root,
    upstream: &'a Path,
    group: Group,
    stap_version: String,
    /// The host's folder with the kernel's symbol table, for the groups that need it.
    symbols: Option<PathBuf>,
    /// For what is compiled: where each tool keeps what it found out about the kernel, which takes it a minute.
    kept: Option<TempDir>,
    /// Whether stap has looked at the kernel's tracepoints in this run.
    tracepoints_known: Mutex<bool>,
}

impl<'a> Bench<'a> {
    /// Prepares for the scripts of `group`.
    ///
    /// # Errors
    /// The root's stap does not tell its version, or its kernel not its symbols.
    pub fn new(lab: &'a Lab, root: &'a Root, upstream: &'a Path, group: Group) -> Result<Bench<'a>> {
        let symbols = group.needs_symbols().then(|| symbols::ready(lab, root)).transpose()?;
        let kept = (group == Group::Build).then(|| kept(lab)).transpose()?;
        let tracepoints_known = Mutex::new(false);
        Ok(Bench {
            lab,
            root,
            upstream,
            group,
            stap_version: stap_version(root)?,
            symbols,
            kept,
            tracepoints_known,
        })
    }

    /// What stap makes of a script; kept from an earlier run when nothing has changed.
    ///
    /// # Errors
    /// The script cannot be read or run.
    pub fn stap(&self, script: &Script) -> Result<Opinion> {
        let content = fs::read(&script.path).doing(|| format!("reading {}", script.path.display()))?;
        let mut key = blake3::Hasher::new();
        for part in
            [script.name.as_bytes(), &content, self.stap_version.as_bytes(), self.root.release().as_bytes()]
        {
            key.update(&(part.len() as u64).to_le_bytes());
            key.update(part);
        }
        for (name, value) in self.group.variables() {
            key.update(name.as_bytes()).update(value.as_bytes());
        }
        if self.symbols.is_some() {
            key.update(b"symbols");
        }
        key.update(&RUNNER_VERSION.to_le_bytes());
        match &script.start {
            Start::Parse => {
                key.update(b"parse");
            }
            Start::Analyse(words) => {
                key.update(format!("{words:?}").as_bytes());
            }
            Start::Stap(_) | Start::Program(_) | Start::ParsedAgain(_) | Start::Emitted(_) => {}
        }
        let kept =
            self.lab.verdict_dir()?.join(format!("{}-{}", self.root.suite(), &key.finalize().to_hex()[..32]));
        let known = fs::read_to_string(&kept).ok().and_then(|text| serde_json::from_str(&text).ok());
        // That stap took too long once may have been the machine's fault: it is asked again.
        let finished = |opinion: &Opinion| opinion.ended != Ended::TimedOut;
        if let Some(opinion) = known.as_ref().and_then(Opinion::from_json).filter(finished) {
            return Ok(opinion);
        }
        self.learn_tracepoints()?;
        let opinion = self.ask(&Tool::Stap, script)?;
        place::write_whole(&kept, opinion.to_json().to_string().as_bytes())?;
        Ok(opinion)
    }

    /// Lets stap find out about the kernel's tracepoints once, with all the time that it takes. A script at whose limit it
    /// is stopped meanwhile would leave failures in its cache, and it would go by these from then on.
    fn learn_tracepoints(&self) -> Result<()> {
        // A panic of another thread while it had the lock ends the run anyway.
        let mut known = self.tracepoints_known.lock().unwrap_or_else(PoisonError::into_inner);
        if !*known && !matches!(self.group, Group::Parse | Group::ParseAll) {
            let limits = Limits { time: Duration::from_secs(1800), ..self.group.limits() };
            let command = self.entry(&Tool::Stap).command("stap", ["-l", "kernel.trace(\"*\")"])?;
            say("stap looks at the kernel's tracepoints, which may take minutes");
            if bounded::run(command, limits)?.ended == Ended::TimedOut {
                let what = "stap does not come to an end with the kernel's tracepoints".into();
                return Err(LabError::Unexpected { what });
            }
            *known = true;
        }
        Ok(())
    }

    /// The root as a tool of this bench sees it.
    fn entry(&self, tool: &Tool) -> Entry {
        let variables = self.group.variables().iter();
        let entry = variables.fold(tool.entry(self.root), |entry, (name, value)| entry.env(name, value));
        let entry = match &self.symbols {
            Some(dir) => entry.bind_read_only(dir, symbols::INSIDE),
            None => entry,
        };
        match &self.kept {
            Some(dir) => entry.bind(&dir.path().join(tool.name()), KEPT).env("SYSTEMTAP_DIR", KEPT),
            None => entry,
        }
    }

    /// What a tool makes of a script, by running it.
    ///
    /// # Errors
    /// The root cannot be entered.
    pub fn ask(&self, tool: &Tool, script: &Script) -> Result<Opinion> {
        let scratch = self.lab.scratch("suite")?;
        let command = self.command(tool, script, scratch.path())?;
        let finished = bounded::run(command, self.group.limits())?;
        let debug_information = match (&script.start, tool) {
            (Start::Analyse(_), Tool::Stap) => analyse::rests_on_debug_information(&finished.stdout),
            (Start::Analyse(_), Tool::Rstap { .. }) if !finished.ended.is_success() => {
                let scratch = self.lab.scratch("suite")?;
                let mut command = self.command(tool, script, scratch.path())?;
                command.arg("--diagnostics=json");
                analyse::wants_debug_information(&bounded::run(command, self.group.limits())?.stderr)
            }
            _ => false,
        };
        Ok(Opinion {
            ended: finished.ended,
            error: first_error(&finished.stderr),
            failed_pass: failed_pass(&finished.stderr),
            debug_information,
            output: match script.start {
                Start::Parse | Start::Analyse(_) => {
                    blake3::hash(finished.stdout.as_bytes()).to_hex()[..16].to_owned()
                }
                Start::Stap(_) | Start::Program(_) | Start::ParsedAgain(_) | Start::Emitted(_) => {
                    String::new()
                }
            },
            crashed: finished.stderr.contains("panicked at"),
            milliseconds: u64::try_from(finished.elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// The command that runs a script with a tool; `scratch` is an empty folder on the host that it may use.
    ///
    /// # Errors
    /// The root cannot be entered.
    pub fn command(&self, tool: &Tool, script: &Script, scratch: &Path) -> Result<Command> {
        // Scripts that start stap themselves find the tool under that name.
        let bin = scratch.join("bin");
        let link = bin.join("stap");
        fs::create_dir(&bin).doing(|| format!("making {}", bin.display()))?;
        std::os::unix::fs::symlink(tool.program(), &link).doing(|| format!("making {}", link.display()))?;
        let entry = self
            .entry(tool)
            .bind_read_only(self.upstream, UPSTREAM)
            .bind(scratch, SHARE)
            .cwd(SHARE)
            .env("SRCDIR", UPSTREAM)
            .env("PATH", format!("{SHARE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        let path = format!("{UPSTREAM}/testsuite/{}", script.file());
        let mut words = match &script.start {
            Start::Stap(words) => [vec![format!("{SHARE}/bin/stap")], words.clone()].concat(),
            Start::Program(words) => words.clone(),
            Start::Parse => [format!("{SHARE}/bin/stap"), "-g".into(), "-p1".into()].to_vec(),
            Start::Analyse(words) => [vec![format!("{SHARE}/bin/stap")], words.options.clone()].concat(),
            Start::ParsedAgain(_) => ["/bin/sh", "-c", PARSED_AGAIN, "sh"].map(str::to_owned).to_vec(),
            Start::Emitted(words) => {
                [vec![format!("{SHARE}/bin/stap"), "-p3".into()], words.clone()].concat()
            }
        };
        words.push(path.clone());
        match &script.start {
            Start::Parse => words.extend(ARGUMENTS.map(str::to_owned)),
            Start::ParsedAgain(options) => words.extend_from_slice(options),
            Start::Analyse(own) => words.extend_from_slice(&own.arguments),
            Start::Stap(_) | Start::Program(_) | Start::Emitted(_) => {}
        }
        // Options of examples name folders beside them.
        let entry = match (&script.start, path.rsplit_once('/')) {
            (Start::Analyse(_), Some((folder, _))) => entry.cwd(folder),
            _ => entry,
        };
        let program = words.remove(0);
        entry.command(program, words)
    }
}

/// A folder for each tool. A warning about the C that rstap emits counts as a refusal.
fn kept(lab: &Lab) -> Result<TempDir> {
    let dir = lab.scratch("suite-kept")?;
    let made = |path: &Path| format!("making {}", path.display());
    for name in ["stap", "rstap"] {
        let path = dir.path().join(name);
        fs::create_dir(&path).doing(|| made(&path))?;
    }
    let options = dir.path().join("rstap/rc");
    fs::write(&options, "--strict-warnings\n").doing(|| made(&options))?;
    Ok(dir)
}

/// What the root's stap says about its version: one line.
///
/// # Errors
/// It cannot be started.
pub fn stap_version(root: &Root) -> Result<String> {
    let command = Tool::Stap.entry(root).command("stap", ["--version"])?;
    let output = bounded::run(command, Group::Parse.limits())?;
    // stap prints its version to the standard error.
    let version = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(version.lines().next().unwrap_or_default().to_owned())
}

/// The first line that reports an error: the ones that upstream's passes start with, else the last line there is
/// (a usage error has no mark).
pub fn first_error(stderr: &str) -> String {
    let marked = ["parse error:", "semantic error:", "ERROR:", "WARNING: "];
    let is_error = |line: &&str| marked[..3].iter().any(|mark| line.contains(mark));
    // Debian's stap ends every failure with a tip.
    let is_other =
        |line: &&str| !line.trim().is_empty() && !line.starts_with(marked[3]) && !line.starts_with("Tip: ");
    let line = stderr.lines().find(is_error).or_else(|| stderr.lines().find(is_other));
    line.unwrap_or_default().trim_end().to_owned()
}

/// The pass that the line `Pass N: ... failed.` names.
fn failed_pass(stderr: &str) -> Option<u8> {
    let line = stderr.lines().find(|line| line.starts_with("Pass ") && line.contains(" failed."))?;
    line["Pass ".len()..].split(':').next()?.parse().ok()
}

/// How the two tools differ on a script, or nothing when they agree. With `compare_errors` a script that both
/// refuse must be refused with the same first line; where stap's refusal came from the compiler, in pass 4, rstap's must
/// too, but the words are about other C.
pub fn difference(stap: &Opinion, rstap: &Opinion, compare_errors: bool) -> Option<String> {
    if rstap.crashed
        || matches!(rstap.ended, Ended::Signalled(_) | Ended::TimedOut) && stap.ended != rstap.ended
    {
        return Some(format!("rstap: {rstap}\nstap:  {stap}"));
    }
    let same_verdict = stap.accepts() == rstap.accepts();
    if stap.refuses_as_written() || rstap.refuses_as_written() {
        // Its words are compared where the script is tested by itself.
        return (stap.ended != rstap.ended).then(|| format!("stap:  {stap}\nrstap: {rstap}"));
    }
    let same_words = match stap.failed_pass {
        _ if stap.accepts() || !compare_errors => true,
        Some(4) => rstap.failed_pass == Some(4),
        _ => stap.error == rstap.error,
    };
    match (same_verdict, same_words) {
        (true, true) if stap.accepts() && stap.output != rstap.output => {
            Some("both accept it, and print different trees".to_owned())
        }
        (true, true) => None,
        _ => Some(format!("stap:  {stap}\nrstap: {rstap}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinion(code: i32, error: &str) -> Opinion {
        Opinion {
            ended: Ended::Exited(code),
            error: error.into(),
            output: String::new(),
            failed_pass: None,
            crashed: false,
            debug_information: false,
            milliseconds: 1,
        }
    }

    #[test]
    fn warnings_are_not_the_error() {
        let stderr = "WARNING: no table\nsemantic error: a at x\n source:\nsemantic error: b\n";
        assert_eq!(first_error(stderr), "semantic error: a at x");
        assert_eq!(first_error("WARNING: x\nInvalid pass number\nTry\n"), "Invalid pass number");
        assert_eq!(first_error("Tip: /usr/share/doc/x should help you get started.\n"), "");
        assert_eq!(first_error(""), "");
    }

    #[test]
    fn verdict_and_first_error_are_compared() {
        assert_eq!(difference(&opinion(0, ""), &opinion(0, "x"), true), None);
        assert_eq!(difference(&opinion(1, "a"), &opinion(1, "a"), true), None);
        assert_eq!(difference(&opinion(1, "a"), &opinion(1, "b"), false), None);
        assert!(difference(&opinion(1, "a"), &opinion(1, "b"), true).is_some());
        assert!(difference(&opinion(0, ""), &opinion(1, ""), false).is_some());
        let other_tree = Opinion { output: "x".into(), ..opinion(0, "") };
        assert!(difference(&opinion(0, ""), &other_tree, true).is_some());
        let crash = Opinion { crashed: true, ..opinion(1, "a") };
        assert!(difference(&opinion(1, "a"), &crash, false).is_some());
    }

    #[test]
    fn a_script_that_both_refuse_as_written_is_no_difference() {
        assert_eq!(difference(&opinion(11, "a"), &opinion(11, "b"), true), None);
        assert!(difference(&opinion(11, "a"), &opinion(13, "a"), true).is_some());
        assert!(difference(&opinion(0, ""), &opinion(13, "a"), true).is_some());
    }

    #[test]
    fn a_compilers_words_are_not_compared() {
        let in_pass = |pass, error| Opinion { failed_pass: Some(pass), ..opinion(1, error) };
        assert_eq!(difference(&in_pass(4, "a"), &in_pass(4, "b"), true), None);
        assert!(difference(&in_pass(4, "a"), &in_pass(3, "b"), true).is_some());
        assert!(difference(&in_pass(2, "a"), &in_pass(2, "b"), true).is_some());
        assert_eq!(failed_pass("x\nPass 4: compilation failed.  [man error::pass4]\n"), Some(4));
        assert_eq!(failed_pass("Pass 4: compiled C\n"), None);
    }

    #[test]
    fn an_opinion_survives_being_kept() {
        let kept = Opinion { ended: Ended::Signalled(11), ..opinion(0, "e") };
        assert_eq!(Opinion::from_json(&kept.to_json()), Some(kept));
        assert_eq!(Opinion::from_json(&json!({ "ended": "new" })), None);
    }
}
