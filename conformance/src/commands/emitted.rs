//! `suite emit`: the C that rstap emits for every script that passes pass 3, read by the inspection of safety rules
//! (`codegen/src/inspect`): upstream's scripts, and the project's own cases.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context;
use conformance::case::Case;
use conformance::lab::bounded::{self, Ended};
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite};
use conformance::report::{Report, Verdict};
use conformance::suite::{self, Bench, Group};
use conformance::tool::{Tool, build};
use rayon::prelude::*;

use super::{cases, oracle, suite::Arguments};

/// Where the folder of the project's cases appears inside the root.
const CASES: &str = "/mnt/cases";

/// Inspects, and lists every fault.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let lab = Lab::open()?;
    let tool = Tool::Rstap { dir: build::rstap()? };
    let inspector = build::example("codegen", "inspect")?;
    let own = cases::load(&arguments.filters)?;
    let mut report = Report::default();
    for suite in crate::chosen(&arguments.roots, &[Suite::Forky]) {
        let root = Root::ready(&lab, suite)?;
        let inspect = |(name, command): (String, Command)| -> anyhow::Result<(String, Verdict)> {
            let verdict = inspect(&lab, command, &inspector)?;
            Ok((name, verdict))
        };
        let mut results = own
            .par_iter()
            .map(|case| inspect((case.name.clone(), command_of_case(&tool, &root, case)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if let Some(upstream) = &arguments.upstream {
            let bench = Bench::new(&lab, &root, upstream, Group::Emit)?;
            let mut scripts = suite::scripts(upstream, Group::Emit)?;
            scripts.retain(|script| {
                arguments.filters.is_empty()
                    || arguments.filters.iter().any(|part| script.name.contains(part))
            });
            let of_script = |script: &suite::Script| {
                let scratch = lab.scratch("emit")?;
                let command = bench.command(&tool, script, scratch.path())?;
                inspect((script.name.clone(), command))
            };
            results.extend(scripts.par_iter().map(of_script).collect::<anyhow::Result<Vec<_>>>()?);
        }
        let looked_at = results.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::Skipped(_))).count();
        say(&format!("{suite}: the C of {looked_at} of {} scripts was inspected", results.len()));
        for (name, verdict) in results {
            report.add(&name, suite.name(), verdict);
        }
    }
    oracle::finish_without_table(&report, arguments.json.as_ref())
}

fn command_of_case(tool: &Tool, root: &Root, case: &Case) -> anyhow::Result<Command> {
    let folder = case.path.parent().context("a case has no folder")?;
    let file = case.path.file_name().context("a case has no file")?;
    let entry = tool.entry(root).bind_read_only(folder, CASES).cwd(CASES);
    let mut words = vec!["-p3".to_owned()];
    words.extend(case.args.iter().cloned());
    words.push(file.to_string_lossy().into_owned());
    words.extend(case.words.iter().cloned());
    Ok(entry.command(tool.program(), words)?)
}

fn inspect(lab: &Lab, command: Command, inspector: &Path) -> anyhow::Result<Verdict> {
    let finished = bounded::run(command, Group::Emit.limits())?;
    match finished.ended {
        Ended::Exited(0) if finished.stdout.is_empty() => {
            return Ok(Verdict::Skipped("lists something, or ends before pass 3".into()));
        }
        Ended::Exited(0) => {}
        Ended::Exited(1) if !finished.stderr.contains("panicked at") => {
            return Ok(Verdict::Skipped(format!("refused: {}", suite::first_error(&finished.stderr))));
        }
        ended => return Ok(Verdict::Failed(vec![format!("rstap: {ended}\n{}", finished.stderr)])),
    }
    let scratch = lab.scratch("inspect")?;
    let file: PathBuf = scratch.path().join("module.c");
    std::fs::write(&file, &finished.stdout).with_context(|| format!("writing {}", file.display()))?;
    let output = Command::new(inspector).arg(&file).output().context("starting the inspection")?;
    if output.status.success() {
        return Ok(Verdict::Passed);
    }
    let said = String::from_utf8_lossy(&output.stdout).replace(&format!("{}: ", file.display()), "");
    Ok(Verdict::Failed(said.lines().map(str::to_owned).collect()))
}
