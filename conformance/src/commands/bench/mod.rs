//! `cargo lab bench`: what the same work costs with rstap and with stap in the same root.
//!
//! Time and memory of the tools themselves: a table is a list of [`Task`]s; [`tables`] makes them, [`measure`] runs one
//! command once, and this module puts the two tools side by side. To add a table, add a name and a function there.
//! What their modules cost, by the scripts in [`scripts`]: [`size`] and [`hits`].

mod hits;
mod measure;
mod scripts;
mod sem;
mod size;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use conformance::lab::enter::Entry;
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite};
use conformance::tool::{Tool, build};
use measure::{Cost, run_once};
use tables::Task;

/// Where rstap's cache appears inside the root.
const CACHE: &str = "/mnt/cache";
/// Where a table's files appear inside the root.
const FILES: &str = "/mnt/bench";

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The table to make
    table: TableName,
    /// The root to use
    #[arg(long, default_value = "forky")]
    root: Suite,
    /// How many times each command is run; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The build of rstap
    #[arg(long, default_value = "release")]
    profile: build::Profile,
    /// The folder of upstream's source, for `sem`
    #[arg(long)]
    upstream: Option<PathBuf>,
    /// Only scripts whose `folder/name` contains one of these, for `sem`
    filters: Vec<String>,
    /// Do not run stap, only rstap
    #[arg(long)]
    rstap_only: bool,
    /// Fail when rstap misses a goal (measure on a quiet machine)
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum TableName {
    /// The short script in passes 1 and 2, with and without an index, and large scripts
    Pass1,
    /// Bytes of modules
    Size,
    /// Instructions for each hit of a probe, counted in a VM
    Hits,
    /// Passes 1 and 2 of upstream's `semok` scripts
    Sem,
}

/// Where the tables are made.
struct Bench {
    lab: Lab,
    root: Root,
    /// stap, then rstap.
    tools: [Tool; 2],
    /// Host folder that is [`CACHE`] inside the root.
    cache: PathBuf,
    /// Host folder that is [`FILES`] inside the root.
    files: PathBuf,
}

/// Measures and prints the table.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.runs > 0, "--runs must be at least 1");
    let lab = Lab::open()?;
    let root = Root::ready(&lab, arguments.root)?;
    let tools = [Tool::Stap, Tool::Rstap { dir: build::rstap_with(arguments.profile)? }];
    let scratch = lab.scratch("bench")?;
    let (cache, files) = (scratch.path().join("cache"), scratch.path().join("files"));
    for folder in [&cache, &files] {
        std::fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let bench = Bench { lab, root, tools, cache, files };
    let met = match arguments.table {
        TableName::Pass1 => times(&bench, &tables::pass1(), arguments)?,
        TableName::Size => size::run(&bench)?,
        TableName::Hits => hits::run(&bench)?,
        TableName::Sem => {
            let Some(upstream) = &arguments.upstream else {
                println!(
                    "skipped: upstream's scripts are not part of this project; name its source with --upstream DIR"
                );
                return Ok(ExitCode::SUCCESS);
            };
            let plan = sem::Plan { upstream, runs: arguments.runs, filters: &arguments.filters };
            sem::run(&bench.lab, &bench.root, &bench.tools, &plan)?
        }
    };
    Ok(if arguments.check && !met { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints a table of times; true if every goal was met.
fn times(bench: &Bench, tasks: &[Task], arguments: &Arguments) -> anyhow::Result<bool> {
    let Bench { root, tools, cache, files, .. } = bench;
    for task in tasks {
        if let Some((name, text)) = &task.file {
            std::fs::write(files.join(name), text).with_context(|| format!("writing {name}"))?;
        }
    }
    println!("{}, median of {}", root.release(), arguments.runs);
    println!("{:<34} {:>10} {:>8} {:>10} {:>8}  goal", "", "stap ms", "MiB", "rstap ms", "MiB");
    let mut missed = 0;
    for task in tasks {
        let mut costs = Vec::new();
        for tool in tools {
            let skipped = arguments.rstap_only && matches!(tool, Tool::Stap);
            let entry = tool.entry(root).bind(cache, CACHE).env("XDG_CACHE_HOME", CACHE).bind(files, FILES);
            costs.push(if skipped { None } else { Some(median(tool, &entry, task, arguments.runs)?) });
        }
        let (stap, rstap) = (costs.first().copied().flatten(), costs.last().copied().flatten());
        let verdict = rstap.map_or_else(String::new, |cost| task.verdict(cost, stap));
        missed += usize::from(verdict.contains("missed"));
        let shown = |cost: Option<Cost>| match cost {
            Some(cost) => format!("{:>10.1} {:>8.1}", cost.milliseconds, cost.mebibytes),
            None => format!("{:>10} {:>8}", "-", "-"),
        };
        println!("{:<34} {} {}  {verdict}", task.name, shown(stap), shown(rstap));
    }
    Ok(missed == 0)
}

/// The median time and the largest memory of some runs, after one that warms the caches.
fn median(tool: &Tool, entry: &Entry, task: &Task, runs: usize) -> anyhow::Result<Cost> {
    let mut costs = Vec::new();
    for round in 0..=runs {
        say(&format!("{} with {}, {round} of {runs}", task.name, tool.name()));
        let words = task.words(tool, FILES);
        let cost = run_once(entry.command(tool.program(), words)?)
            .with_context(|| format!("{} with {}", task.name, tool.name()))?;
        if round > 0 {
            costs.push(cost);
        }
    }
    costs.sort_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds));
    let mebibytes = costs.iter().map(|cost| cost.mebibytes).fold(0.0, f64::max);
    let middle = costs.get(runs / 2).context("no run")?;
    Ok(Cost { milliseconds: middle.milliseconds, mebibytes })
}
