//! Upstream's own groups of test scripts, run with both tools side by side.
//!
//! Each group is a folder of upstream's `testsuite/`: the scripts of a group ending in `ok` should be accepted up to
//! the group's pass, those of one ending in `ko` refused. The judge is not that promise but what the root's own
//! stap does: a newer tree's scripts may be too new for an older stap, and some need what a root lacks.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::split_words;
use crate::lab::bounded::{self, Ended, Limits};
use crate::lab::recipe::SHARE;
use crate::lab::{IoContext, Lab, Result, Root, place, symbols};
use crate::tool::Tool;

/// Where upstream's tree appears inside the root.
const UPSTREAM: &str = "/mnt/upstream";

/// How the reason of a script starts that rstap cannot serve without debug information.
const NEEDS_DEBUG_INFORMATION: &str = "needs debug information";

/// Counts up when the way of running a script changes, so that kept verdicts of stap are not used any more.
const RUNNER_VERSION: u32 = 1;

/// A pair of upstream's groups, named after the last pass that its scripts go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `parseok`, `parseko`: pass 1.
    Parse,
    /// `semok`, `semko`: pass 2.
    Sem,
    /// `transok`, `transko`: pass 3.
    Trans,
    /// `buildok`, `buildko`: pass 4.
    Build,
    /// Every script of the whole tree in pass 1, with `-g` and some arguments; what pass 1 prints is compared too.
    ParseAll,
}

impl Group {
    /// The names of its folders; `None` for all there are.
    pub fn folders(self) -> Option<[&'static str; 2]> {
        match self {
            Group::Parse => Some(["parseok", "parseko"]),
            Group::Sem => Some(["semok", "semko"]),
            Group::Trans => Some(["transok", "transko"]),
            Group::Build => Some(["buildok", "buildko"]),
            Group::ParseAll => None,
        }
    }

    /// Variables for the runs. stap 5.6 derives the probes of a file in several threads, so which error it prints
    /// first is a race; with one thread it is the first in the script (staputil.cxx:stap_nthreads).
    fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Group::Sem | Group::Trans | Group::Build => &[("STAP_NTHREADS", "1")],
            Group::Parse | Group::ParseAll => &[],
        }
    }

    /// Whether the tools get the kernel's symbol table, without which stap refuses most of what these scripts probe.
    fn needs_symbols(self) -> bool {
        matches!(self, Group::Trans | Group::Build)
    }

    /// What one run of one tool may use.
    pub fn limits(self) -> Limits {
        let seconds = match self {
            Group::Parse | Group::ParseAll => 120,
            Group::Sem | Group::Trans => 240,
            Group::Build => 420,
        };
        Limits { time: Duration::from_secs(seconds), memory: Some(8 << 30) }
    }
}

/// One of upstream's scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Folder and file, for instance `semko/one.stp`.
    pub name: String,
    /// The file on the host.
    path: PathBuf,
    start: Start,
}

impl Script {
    /// The file on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// How upstream's harness starts a script (testsuite/lib/systemtap.exp:stap_run_batch).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    /// Its first line is `#! stap WORDS`: stap with these words and the file's name.
    Stap(Vec<String>),
    /// Anything else is a program of its own; one without `#!` is a shell script, as for the shell.
    Program(Vec<String>),
    /// Whatever its first line says: stap, only to parse it.
    Parse,
}

impl Script {
    /// Whether upstream says that it should be accepted: it is in a folder whose name ends in `ok`.
    pub fn should_be_accepted(&self) -> bool {
        self.name.split('/').next().is_some_and(|folder| folder.ends_with("ok"))
    }
}

/// Arguments for scripts that are only parsed: numbers, which most places of a script take.
const ARGUMENTS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

/// The scripts of a group below upstream's folder, by name.
///
/// # Errors
/// A folder or file cannot be read.
pub fn scripts(upstream: &Path, group: Group) -> Result<Vec<Script>> {
    let mut scripts = Vec::new();
    let Some(folders) = group.folders() else {
        add_all(&upstream.join("testsuite"), "", &mut scripts)?;
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        return Ok(scripts);
    };
    for folder in folders {
        let dir = upstream.join("testsuite").join(folder);
        let reading = || format!("reading {}", dir.display());
        for entry in fs::read_dir(&dir).doing(reading)? {
            let path = entry.doing(reading)?.path();
            let is_script = path.is_file() && path.extension().is_some_and(|extension| extension == "stp");
            if let (true, Some(file)) = (is_script, path.file_name()) {
                let name = format!("{folder}/{}", file.to_string_lossy());
                let bytes = fs::read(&path).doing(|| format!("reading {}", path.display()))?;
                let first =
                    String::from_utf8_lossy(bytes.split(|&byte| byte == b'\n').next().unwrap_or_default())
                        .into_owned();
                scripts.push(Script { name, start: start(&first), path });
            }
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scripts)
}

/// Adds all scripts below a folder; `prefix` is its path from the top, with a slash at the end.
fn add_all(dir: &Path, prefix: &str, scripts: &mut Vec<Script>) -> Result<()> {
    let reading = || format!("reading {}", dir.display());
    for entry in fs::read_dir(dir).doing(reading)? {
        let entry = entry.doing(reading)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = format!("{prefix}{}", name.to_string_lossy());
        let kind = entry.file_type().doing(reading)?;
        if kind.is_dir() {
            add_all(&path, &format!("{name}/"), scripts)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "stp") {
            scripts.push(Script { name, start: Start::Parse, path });
        }
    }
    Ok(())
}

fn start(first_line: &str) -> Start {
    if let Some(words) = first_line.strip_prefix("#! stap ") {
        // A line that a shell could not split is left whole; stap refuses it then.
        return Start::Stap(split_words(words).unwrap_or_else(|_| vec![words.to_owned()]));
    }
    match first_line.strip_prefix("#!").map(str::split_whitespace) {
        Some(words) if words.clone().next().is_some() => Start::Program(words.map(str::to_owned).collect()),
        _ => Start::Program(vec!["/bin/sh".into()]),
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
    /// How long the run took, in milliseconds.
    pub milliseconds: u64,
}

impl Opinion {
    /// Whether the script was accepted.
    pub fn accepts(&self) -> bool {
        self.ended.is_success()
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
}

impl<'a> Bench<'a> {
    /// Prepares for the scripts of `group`.
    ///
    /// # Errors
    /// The root's stap does not tell its version, or its kernel not its symbols.
    pub fn new(lab: &'a Lab, root: &'a Root, upstream: &'a Path, group: Group) -> Result<Bench<'a>> {
        let symbols = group.needs_symbols().then(|| symbols::ready(lab, root)).transpose()?;
        Ok(Bench { lab, root, upstream, group, stap_version: stap_version(root)?, symbols })
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
        if script.start == Start::Parse {
            key.update(b"parse");
        }
        let kept =
            self.lab.verdict_dir()?.join(format!("{}-{}", self.root.suite(), &key.finalize().to_hex()[..32]));
        let known = fs::read_to_string(&kept).ok().and_then(|text| serde_json::from_str(&text).ok());
        // That stap took too long once may have been the machine's fault: it is asked again.
        let finished = |opinion: &Opinion| opinion.ended != Ended::TimedOut;
        if let Some(opinion) = known.as_ref().and_then(Opinion::from_json).filter(finished) {
            return Ok(opinion);
        }
        let opinion = self.ask(&Tool::Stap, script)?;
        place::write_whole(&kept, opinion.to_json().to_string().as_bytes())?;
        Ok(opinion)
    }

    /// What a tool makes of a script, by running it.
    ///
    /// # Errors
    /// The root cannot be entered.
    pub fn ask(&self, tool: &Tool, script: &Script) -> Result<Opinion> {
        let scratch = self.lab.scratch("suite")?;
        let command = self.command(tool, script, scratch.path())?;
        let finished = bounded::run(command, self.group.limits())?;
        Ok(Opinion {
            ended: finished.ended,
            error: first_error(&finished.stderr),
            failed_pass: failed_pass(&finished.stderr),
            output: match script.start {
                Start::Parse => blake3::hash(finished.stdout.as_bytes()).to_hex()[..16].to_owned(),
                Start::Stap(_) | Start::Program(_) => String::new(),
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
        let variables = self.group.variables().iter();
        let entry = variables.fold(tool.entry(self.root), |entry, (name, value)| entry.env(name, value));
        let entry = entry
            .bind_read_only(self.upstream, UPSTREAM)
            .bind(scratch, SHARE)
            .cwd(SHARE)
            .env("SRCDIR", UPSTREAM)
            .env("PATH", format!("{SHARE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        let entry = match &self.symbols {
            Some(dir) => entry.bind_read_only(dir, symbols::INSIDE),
            None => entry,
        };
        let path = format!("{UPSTREAM}/testsuite/{}", script.name);
        let mut words = match &script.start {
            Start::Stap(words) => [vec![format!("{SHARE}/bin/stap")], words.clone()].concat(),
            Start::Program(words) => words.clone(),
            Start::Parse => [format!("{SHARE}/bin/stap"), "-g".into(), "-p1".into()].to_vec(),
        };
        words.push(path);
        if script.start == Start::Parse {
            words.extend(ARGUMENTS.map(str::to_owned));
        }
        let program = words.remove(0);
        entry.command(program, words)
    }
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

/// The differences that are accepted, each with its reason: lines of `group/name.stp: reason`, or
/// `group/name.stp [root]: reason` when it holds in one root only. A result of a run-time test is written
/// `group/name.exp "what was tested"` instead of `group/name.stp`, all results of one as `group/name.exp`. `#` starts a
/// comment.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<(String, Option<String>, String)>);

impl Known {
    /// Reads the list.
    ///
    /// # Errors
    /// The number and text of the first line that is not of the form.
    pub fn parse(text: &str) -> std::result::Result<Known, String> {
        let mut known = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (subject, reason) = split_reason(line)
                .filter(|(subject, reason)| subject.contains('/') && !reason.trim().is_empty())
                .ok_or_else(|| format!("line {}: not `group/name.stp: reason`: {line}", number + 1))?;
            let (name, root) = match subject.strip_suffix(']').and_then(|subject| subject.rsplit_once(" [")) {
                Some((name, root)) => (name, Some(root.to_owned())),
                None => (subject, None),
            };
            known.push((name.to_owned(), root, reason.trim().to_owned()));
        }
        Ok(Known(known))
    }

    /// Why what rstap made of this script in this root is accepted although stap made something else of it. A script that
    /// is said to need debug information must have been refused in pass 2: nothing else can be due to that.
    pub fn excuse(&self, name: &str, root: &str, rstap: &Opinion) -> Option<&str> {
        let reason = self.reason(name, root)?;
        let refused = rstap.ended == Ended::Exited(1) && rstap.failed_pass == Some(2) && !rstap.crashed;
        (refused || !reason.starts_with(NEEDS_DEBUG_INFORMATION)).then_some(reason)
    }

    /// Why a difference of this script in this root is accepted.
    pub fn reason(&self, name: &str, root: &str) -> Option<&str> {
        let matches = |known: &&(String, Option<String>, String)| {
            known.0 == name && known.1.as_deref().is_none_or(|only| only == root)
        };
        self.0.iter().find(matches).map(|(_, _, reason)| reason.as_str())
    }
}

/// Cuts a line of the list at the colon before the reason, which is not one inside a quoted name.
fn split_reason(line: &str) -> Option<(&str, &str)> {
    let quoted = line.find(".exp \"").map_or(0, |at| at + ".exp \"".len());
    let from = if quoted > 0 { quoted + line[quoted..].find(['"'])? } else { 0 };
    let colon = from + line[from..].find(": ")?;
    Some((&line[..colon], &line[colon + 2..]))
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
            milliseconds: 1,
        }
    }

    #[test]
    fn the_first_line_says_how_to_start() {
        assert_eq!(start("#! stap -u -p2"), Start::Stap(vec!["-u".into(), "-p2".into()]));
        assert_eq!(start("#! /bin/sh"), Start::Program(vec!["/bin/sh".into()]));
        assert_eq!(start("//bin/true && exec stap"), Start::Program(vec!["/bin/sh".into()]));
        assert_eq!(start(""), Start::Program(vec!["/bin/sh".into()]));
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

    #[test]
    fn known_differences_may_be_of_one_result() {
        let known =
            Known::parse("maps/a.exp \"b: c (d) [e]\" [forky]: so it is: here\nmaps/a.exp \"f\": always\n")
                .unwrap();
        assert_eq!(known.reason("maps/a.exp \"b: c (d) [e]\"", "forky"), Some("so it is: here"));
        assert_eq!(known.reason("maps/a.exp \"b: c (d) [e]\"", "trixie"), None);
        assert_eq!(known.reason("maps/a.exp \"f\"", "trixie"), Some("always"));
    }

    #[test]
    fn known_differences_may_be_of_one_root() {
        let known = Known::parse("# c\n\nsemko/a.stp: better words\nsemok/b.stp [forky]: newer\n").unwrap();
        assert_eq!(known.reason("semko/a.stp", "trixie"), Some("better words"));
        assert_eq!(known.reason("semok/b.stp", "trixie"), None);
        assert_eq!(known.reason("semok/b.stp", "forky"), Some("newer"));
        assert!(Known::parse("no reason\n").unwrap_err().starts_with("line 1"));
    }

    #[test]
    fn the_want_of_debug_information_excuses_a_refusal_only() {
        let known =
            Known::parse("buildok/a.stp: needs debug information: a type\nbuildok/b.stp: other\n").unwrap();
        let in_pass = |pass| Opinion { failed_pass: pass, ..opinion(1, "e") };
        assert!(known.excuse("buildok/a.stp", "forky", &in_pass(Some(2))).is_some());
        assert_eq!(known.excuse("buildok/a.stp", "forky", &in_pass(Some(4))), None);
        assert_eq!(known.excuse("buildok/a.stp", "forky", &in_pass(None)), None);
        assert!(known.excuse("buildok/b.stp", "forky", &in_pass(Some(4))).is_some());
    }

    #[test]
    fn the_projects_list_is_well_formed() {
        Known::parse(include_str!("../known-differences.txt")).unwrap();
    }
}
