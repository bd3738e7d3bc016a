//! `cargo lab random`: programs made by chance, run by stap and by rstap, whose output must be the same byte for byte.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite};
use conformance::random::check::{self, Outcome, Side};
use conformance::random::shrink::smaller;
use conformance::random::{generate, tree::Program};
use conformance::tool::{Tool, build};

/// Arguments of `random`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The root to use; in another than forky, where stap runs nothing, rstap on forky is the measure
    #[arg(long, default_value = "forky")]
    root: Suite,
    /// The first program's seed; the others have the numbers after it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many programs
    #[arg(long, default_value_t = 30)]
    count: u64,
    /// How many programs share a boot of the VM
    #[arg(long, default_value_t = 30)]
    batch: usize,
    /// Compare only the dump and the messages of pass 2
    #[arg(long)]
    pass_2: bool,
    /// Make each program that shows a difference as small as it can be while it shows one
    #[arg(long)]
    shrink: bool,
    /// How many smaller programs are tried at once, and how many times that
    #[arg(long, default_value_t = 12)]
    tries: usize,
    /// Only print the programs
    #[arg(long)]
    print: bool,
    /// Compare this script instead of random ones; a line `# options: WORDS` gives it options
    #[arg(long)]
    script: Vec<std::path::PathBuf>,
}

/// Two tools, and in which passes they are compared.
struct Comparison<'a> {
    lab: &'a Lab,
    sides: [Side<'a>; 2],
    pass_2: bool,
    batch: usize,
}

/// Makes and compares programs.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.batch > 0 && arguments.tries > 0, "a batch has at least one program");
    let seeds: Vec<u64> = (arguments.seed..arguments.seed + arguments.count).collect();
    if arguments.print {
        for &seed in &seeds {
            print!("{}", labelled(&generate::program(seed), &seed.to_string()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut named: Vec<(String, Program)> = Vec::new();
    for path in &arguments.script {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let program = Program::of_text(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
        named.push((path.display().to_string(), program));
    }
    if named.is_empty() {
        named.extend(seeds.iter().map(|&seed| (seed.to_string(), generate::program(seed))));
    }
    let lab = Lab::open()?;
    let rstap = Tool::Rstap { dir: build::rstap()? };
    let root = Root::ready(&lab, arguments.root)?;
    let forky = Root::ready(&lab, Suite::Forky)?;
    let measure = if arguments.root == Suite::Forky { Tool::Stap } else { rstap.clone() };
    let comparison = Comparison {
        lab: &lab,
        sides: [Side { root: &forky, tool: measure }, Side { root: &root, tool: rstap }],
        pass_2: arguments.pass_2,
        batch: if arguments.pass_2 { 200 } else { arguments.batch },
    };
    let mut different = 0;
    let mut refused = 0;
    let mut done = 0;
    for batch in named.chunks(comparison.batch) {
        let programs: Vec<Program> = batch.iter().map(|(_, program)| program.clone()).collect();
        let [expected, found] = comparison.outcomes(&programs)?;
        for (((name, program), expected), found) in batch.iter().zip(expected).zip(found) {
            let accepted =
                if arguments.pass_2 { expected.end.ends_with("exit status 0") } else { expected.has_run() };
            refused += u64::from(!accepted);
            if !accepted && !arguments.pass_2 {
                println!("seed {name}: not accepted by the measure: {}", last_message(&expected));
                // Whatever it prints, it must not hurt the kernel.
                found.kernel.iter().for_each(|line| println!("kernel log: {line}"));
                continue;
            }
            let Some(difference) = expected.difference(&found) else { continue };
            different += 1;
            println!("seed {name}: {} of {}\n{difference}", expected.end, program.size());
            if arguments.shrink {
                let small = shrink(&comparison, program, arguments.tries)?;
                let [expected, found] = comparison.outcomes(std::slice::from_ref(&small))?;
                let difference = expected[0].difference(&found[0]).unwrap_or_default();
                println!("{}{difference}", labelled(&small, name));
            }
        }
        done += batch.len();
        say(&format!("{done} of {} programs", named.len()));
    }
    println!("{} programs, {different} with differences, {refused} not accepted by the measure", named.len());
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn labelled(program: &Program, name: &str) -> String {
    format!("# seed {name}\n# options: {}\n{program}", program.options.join(" "))
}

fn last_message(outcome: &Outcome) -> String {
    let text = outcome.stderr.lines().find(|line| line.contains("error:")).unwrap_or_default();
    format!("{}: {text}", outcome.end)
}

impl Comparison<'_> {
    fn outcomes(&self, programs: &[Program]) -> anyhow::Result<[Vec<Outcome>; 2]> {
        let [first, second] = [&self.sides[0], &self.sides[1]].map(|side| match self.pass_2 {
            true => check::pass_2(self.lab, side, programs),
            false => check::run(self.lab, side, programs, &|step| say(step)),
        });
        Ok([first?, second?])
    }
}

/// Goes from program to smaller program as long as one of the first `tries * tries` smaller ones shows a difference.
fn shrink(comparison: &Comparison<'_>, program: &Program, tries: usize) -> anyhow::Result<Program> {
    let mut program = program.clone();
    let tries = if comparison.pass_2 { 100 } else { tries };
    'smaller: loop {
        for some in smaller(&program).chunks(tries).take(tries) {
            let [expected, found] = comparison.outcomes(some)?;
            let differs = |index: &usize| expected[*index].difference(&found[*index]).is_some();
            if let Some(index) = (0..some.len()).find(differs) {
                say(&format!("{} statements", some[index].size()));
                program = some[index].clone();
                continue 'smaller;
            }
        }
        return Ok(program);
    }
}
