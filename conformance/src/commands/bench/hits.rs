//! `bench hits`: how many instructions a probe costs each time it is hit.
//!
//! A VM with one emulated processor counts instructions as time: `-icount shift=0` makes every instruction last one
//! nanosecond and one tick of the time stamp counter. A small program makes 100,000 system calls, without and with each
//! module loaded; the difference, divided by the calls, is what the probe, the kernel's kprobe included, costs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use conformance::lab::batch::{self, Job};
use conformance::lab::vm::Vm;

use super::scripts::{self, SCRIPTS, Script};
use super::{Bench, FILES};

/// System calls of the program.
const CALLS: f64 = 100_000.0;
/// The program.
const PROGRAM: &str = include_str!("hits.c");

/// Prints the table.
///
/// # Errors
/// A module cannot be made, or the VM fails.
pub fn run(bench: &Bench) -> anyhow::Result<bool> {
    let counted: Vec<&Script> = SCRIPTS.iter().filter(|script| script.counts()).collect();
    let mut jobs = vec![job("nothing", "./hits", vec![program(bench)?], Vec::new())];
    for tool in &bench.tools {
        let modules = scripts::modules(&bench.lab, &bench.root, tool, &counted, &bench.cache, &bench.files)?;
        for (module, script) in modules.into_iter().zip(&counted) {
            let name = format!("{}_{}", tool.name(), script.name);
            let command = format!("staprun -c ./hits ./{name}.ko");
            jobs.push(job(&name, &command, vec![bench.files.join("hits"), module], vec![name.clone()]));
        }
    }
    let vm = Vm::prepare(&bench.lab, &bench.root)?.counting_instructions();
    let results = batch::run(&vm, &jobs, |_| {})?;
    let ticks = |index: usize| -> anyhow::Result<f64> {
        let result = results.get(index).context("a job is missing")?;
        let line = result.stdout.lines().find_map(|line| line.strip_prefix("ticks "));
        let ticks = line.and_then(|ticks| ticks.parse().ok());
        ticks.with_context(|| format!("{}: {}{}", result.name, result.stdout, result.stderr))
    };
    let nothing = ticks(0)?;
    println!("{}, instructions for each hit (without a probe {:.0})", bench.root.release(), nothing / CALLS);
    println!("{:<12} {:>8} {:>8}", "", "stap", "rstap");
    let mut met = true;
    for (index, script) in counted.iter().enumerate() {
        let cost =
            |tool: usize| ticks(1 + tool * counted.len() + index).map(|ticks| (ticks - nothing) / CALLS);
        let (stap, rstap) = (cost(0)?, cost(1)?);
        // Timer interrupts come at other places each time: less than one in a thousand.
        let above = rstap > stap * 1.005;
        met &= !above;
        println!("{:<12} {stap:>8.0} {rstap:>8.0}  {}", script.name, if above { "missed" } else { "met" });
    }
    Ok(met)
}

/// Compiles the program in the root, which has a compiler.
fn program(bench: &Bench) -> anyhow::Result<PathBuf> {
    std::fs::write(bench.files.join("hits.c"), PROGRAM).context("writing hits.c")?;
    let tool = bench.tools.first().context("no tool")?;
    let entry = tool.entry(&bench.root).bind(&bench.files, FILES).cwd(FILES);
    let output =
        entry.command("gcc", ["-O2", "-o", "hits", "hits.c"])?.output().context("entering the root")?;
    ensure!(output.status.success(), "hits.c: {}", String::from_utf8_lossy(&output.stderr));
    Ok(bench.files.join("hits"))
}

fn job(name: &str, command: &str, files: Vec<PathBuf>, modules: Vec<String>) -> Job {
    let limit = Some(Duration::from_secs(120));
    Job { name: name.into(), command: format!("exec {command}"), files, modules, wanted: Vec::new(), limit }
}
