//! `cargo lab bench sem`: passes 1 and 2 of upstream's `semok` scripts, each against a tenth of stap's time.
//!
//! Only scripts that both tools accept are measured: what one refuses it does not finish.

use std::path::Path;

use anyhow::Context;
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root};
use conformance::suite::{self, Bench, Group, Script};
use conformance::tool::Tool;

use super::measure::run_once;

/// rstap's share of stap's time that is allowed.
const SHARE: f64 = 0.1;

/// What to measure, and how often.
pub struct Plan<'a> {
    /// Upstream's folder.
    pub upstream: &'a Path,
    /// How many times each command is run; the median counts.
    pub runs: usize,
    /// Only scripts whose `folder/name` contains one of these.
    pub filters: &'a [String],
}

/// One row.
struct Row {
    name: String,
    stap: f64,
    rstap: f64,
}

impl Row {
    fn share(&self) -> f64 {
        self.rstap / self.stap
    }
}

/// Prints the table, largest share first; true if no script takes more than it may.
///
/// # Errors
/// The root cannot be entered, or a command fails that succeeded before.
pub fn run(lab: &Lab, root: &Root, tools: &[Tool; 2], plan: &Plan<'_>) -> anyhow::Result<bool> {
    let bench = Bench::new(lab, root, plan.upstream, Group::Sem)?;
    let mut scripts = suite::scripts(plan.upstream, Group::Sem)?;
    scripts.retain(|script| {
        let chosen = plan.filters.is_empty() || plan.filters.iter().any(|word| script.name.contains(word));
        chosen && script.name.starts_with("semok/")
    });
    let mut rows = Vec::new();
    for (index, script) in scripts.iter().enumerate() {
        say(&format!("{} of {}: {}", index + 1, scripts.len(), script.name));
        // These runs warm the caches too.
        if !bench.stap(script)?.accepts() || !bench.ask(&tools[1], script)?.accepts() {
            continue;
        }
        let [stap, rstap] = [&tools[0], &tools[1]].map(|tool| median(lab, &bench, tool, script, plan.runs));
        rows.push(Row { name: script.name.clone(), stap: stap?, rstap: rstap? });
    }
    println!("{}, median of {}", root.release(), plan.runs);
    print!("{}", table(&mut rows));
    Ok(rows.iter().all(|row| row.share() <= SHARE))
}

/// The median time of one tool, in milliseconds.
fn median(lab: &Lab, bench: &Bench<'_>, tool: &Tool, script: &Script, runs: usize) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let scratch = lab.scratch("bench")?;
        let mut command = bench.command(tool, script, scratch.path())?;
        // The suite's single thread is for equal messages; here stap may use what it likes.
        command.env_remove("STAP_NTHREADS");
        let cost = run_once(command).with_context(|| format!("{} with {}", script.name, tool.name()))?;
        times.push(cost.milliseconds);
    }
    times.sort_by(f64::total_cmp);
    times.get(runs / 2).copied().context("no run")
}

/// The rows and a line that sums them up.
fn table(rows: &mut [Row]) -> String {
    rows.sort_by(|a, b| b.share().total_cmp(&a.share()));
    let mut text = format!("{:<34} {:>10} {:>10} {:>7}\n", "", "stap ms", "rstap ms", "share");
    for Row { name, stap, rstap } in rows.iter() {
        let share = rstap / stap;
        let verdict = if share > SHARE { "  missed" } else { "" };
        text += &format!("{name:<34} {stap:>10.1} {rstap:>10.1} {:>6.1}%{verdict}\n", share * 100.0);
    }
    let met = rows.iter().filter(|row| row.share() <= SHARE).count();
    text + &format!("{met} of {} scripts within {:.0}% of stap's time\n", rows.len(), SHARE * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_share_comes_first() {
        let row = |name: &str, stap, rstap| Row { name: name.into(), stap, rstap };
        let text = table(&mut [row("semok/a.stp", 100.0, 5.0), row("semok/b.stp", 100.0, 20.0)]);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines[1].starts_with("semok/b.stp") && lines[1].ends_with("20.0%  missed"), "{text}");
        assert!(lines[2].ends_with("5.0%"), "{text}");
        assert_eq!(lines[3], "1 of 2 scripts within 10% of stap's time");
    }
}
