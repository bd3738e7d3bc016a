//! `cargo lab suite`: upstream's scripts with stap and rstap side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use conformance::lab::bounded::Ended;
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite};
use conformance::report::{Report, Verdict};
use conformance::suite::{self, Bench, Group, Known, Opinion, Script};
use conformance::tool::{Tool, build};
use rayon::prelude::*;

use super::{emitted, oracle, round_trip, suite_run};

/// Arguments of `suite`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The group of scripts, by the last pass that they go through; `run`: the tests of what scripts do
    group: GroupName,
    /// The folder of upstream's source; without it there is nothing to compare
    #[arg(long)]
    pub upstream: Option<PathBuf>,
    /// A root to use; repeatable (forky unless given)
    #[arg(long = "root")]
    pub roots: Vec<Suite>,
    /// Compare only whether a script is accepted, not the words with which it is refused
    #[arg(long)]
    verdicts_only: bool,
    /// Only fill the cache of stap's verdicts
    #[arg(long, hide = true)]
    pub stap_only: bool,
    /// How many scripts, or VMs, to run at the same time (the number of processors unless given)
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Write all results as JSON to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// With `run`: leave DejaGnu's summaries and logs in this folder
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// With `run`: how many seconds one test may take in the VM
    #[arg(long, default_value_t = 300)]
    pub limit: u64,
    /// With `run`: how many tests share a call of `runtest` at first
    #[arg(long, default_value_t = 16)]
    pub together: usize,
    /// With `run`: also tests that probe inside programs or need debug information
    #[arg(long)]
    pub all: bool,
    /// With `run`: ask stap only about tests that rstap does not pass; stap takes longer
    #[arg(long)]
    pub doubtful_only: bool,
    /// With `run`: do not compare with stap, only count
    #[arg(long)]
    pub rstap_only: bool,
    /// Only scripts or tests whose `folder/name` contains one of these
    pub filters: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum GroupName {
    Parse,
    Sem,
    Trans,
    Build,
    /// Every script in pass 1, whatever its group
    ParseAll,
    /// The C of every script that passes pass 3, and of our own cases, against the rules of safety
    Emit,
    /// Every script in pass 2, with the options that it names
    SemAll,
    Run,
}

impl GroupName {
    /// The groups of scripts; none for tests that are no scripts.
    fn scripts(self) -> &'static [Group] {
        match self {
            GroupName::Parse => &[Group::Parse],
            GroupName::Sem => &[Group::Sem, Group::ParseSem],
            GroupName::Trans => &[Group::Trans],
            GroupName::Build => &[Group::Build],
            GroupName::ParseAll => &[Group::ParseAll],
            GroupName::SemAll => &[Group::SemAll],
            GroupName::Run | GroupName::Emit => &[],
        }
    }
}

/// Compares and lists every difference; fails when one is not in the list of known ones.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if matches!(arguments.group, GroupName::Emit) {
        return emitted::run(arguments);
    }
    let Some(upstream) = &arguments.upstream else {
        println!(
            "skipped: upstream's scripts are not part of this project; name its source with --upstream DIR"
        );
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(jobs) = arguments.jobs {
        rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global().context("starting threads")?;
    }
    let known = known()?;
    let groups = arguments.group.scripts();
    if groups.is_empty() {
        return suite_run::run(arguments, upstream, &known);
    }
    let lab = Lab::open()?;
    let rstap = match arguments.stap_only {
        true => None,
        false => Some(Tool::Rstap { dir: build::rstap()? }),
    };
    let mut report = Report::default();
    for suite in crate::chosen(&arguments.roots, &[Suite::Forky]) {
        let root = Root::ready(&lab, suite)?;
        for &group in groups {
            let scripts = scripts(upstream, group, &arguments.filters)?;
            if scripts.is_empty() {
                continue;
            }
            let bench = Bench::new(&lab, &root, upstream, group)?;
            let opinions = ask(&bench, rstap.as_ref(), &scripts)?;
            let accepted = |count: usize| format!("{count} of {} scripts", opinions.len());
            let by_stap = opinions.iter().filter(|(_, opinions)| opinions.stap.accepts()).count();
            let by_rstap =
                opinions.iter().filter(|(_, both)| both.rstap.as_ref().is_some_and(Opinion::accepts)).count();
            say(&format!("{suite}: stap accepts {}, rstap {}", accepted(by_stap), accepted(by_rstap)));
            for (script, opinions) in opinions {
                report.add(&script.name, suite.name(), judge(arguments, &known, suite, script, &opinions));
            }
            if group == Group::ParseAll && !arguments.stap_only {
                let files: Vec<PathBuf> = scripts.iter().map(|script| script.path().to_owned()).collect();
                report.add("printed and parsed again", suite.name(), round_trip::of_scripts(&root, &files));
            }
        }
    }
    oracle::finish_without_table(&report, arguments.json.as_ref())
}

/// Why a script is not compared whose points or types rstap does not find.
const NEEDS_DEBUG_INFORMATION: &str = "needs debug information";

/// The list of accepted differences.
fn known() -> anyhow::Result<Known> {
    let list = build::workspace().join("conformance/known-differences.txt");
    let text = std::fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    Known::parse(&text).map_err(|why| anyhow!("{}: {why}", list.display()))
}

fn scripts(upstream: &Path, group: Group, filters: &[String]) -> anyhow::Result<Vec<Script>> {
    let mut scripts = suite::scripts(upstream, group)?;
    scripts.retain(|script| filters.is_empty() || filters.iter().any(|filter| script.name.contains(filter)));
    Ok(scripts)
}

/// Both tools' opinions; rstap's is missing when only stap was asked.
struct Opinions {
    stap: Opinion,
    rstap: Option<Opinion>,
}

fn ask<'s>(
    bench: &Bench<'_>,
    rstap: Option<&Tool>,
    scripts: &'s [Script],
) -> anyhow::Result<Vec<(&'s Script, Opinions)>> {
    let done = AtomicUsize::new(0);
    let ask_one = |script: &'s Script| -> anyhow::Result<(&'s Script, Opinions)> {
        let stap = bench.stap(script)?;
        let rstap = rstap.map(|tool| bench.ask(tool, script)).transpose()?;
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(25) || count == scripts.len() {
            say(&format!("{count} of {} scripts", scripts.len()));
        }
        Ok((script, Opinions { stap, rstap }))
    };
    scripts.par_iter().map(ask_one).collect()
}

fn judge(
    arguments: &Arguments,
    known: &Known,
    suite: Suite,
    script: &Script,
    opinions: &Opinions,
) -> Verdict {
    let Some(rstap) = &opinions.rstap else {
        return Verdict::Skipped(format!("stap: {}", opinions.stap));
    };
    match opinions.stap.ended {
        Ended::TimedOut => return Verdict::Skipped("stap itself takes longer than the limit".into()),
        Ended::Signalled(signal) if !rstap.crashed => {
            return Verdict::Skipped(format!("stap itself dies of signal {signal}; rstap: {rstap}"));
        }
        Ended::Signalled(_) | Ended::Exited(_) => {}
    }
    if opinions.stap.refuses_as_written() && rstap.refuses_as_written() {
        return Verdict::Skipped(
            "neither accepts it as written, so that its printed form says nothing".into(),
        );
    }
    if script.should_be_accepted() && opinions.stap.failed_pass == Some(4) && rstap.accepts() {
        // stap's own C or runtime does not compile for this kernel: rstap is better, not different.
        return Verdict::Passed;
    }
    match suite::difference(&opinions.stap, rstap, !arguments.verdicts_only) {
        None => Verdict::Passed,
        Some(_) if !rstap.crashed && (opinions.stap.debug_information || rstap.debug_information) => {
            Verdict::Skipped(NEEDS_DEBUG_INFORMATION.into())
        }
        Some(difference) => match known.excuse(&script.name, suite.name(), rstap) {
            Some(reason) => Verdict::Skipped(format!("known difference: {reason}")),
            None => Verdict::Failed(vec![difference]),
        },
    }
}
