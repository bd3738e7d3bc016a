//! `cargo lab suite run`: upstream's run-time tests, driven by DejaGnu in VMs, with stap and rstap.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use conformance::dejagnu::{self, Driver, End, Kept, Outcome, Pace, Test, sum};
use conformance::lab::progress::say;
use conformance::lab::{Lab, Root, Suite};
use conformance::report::{Report, Verdict};
use conformance::suite::Known;
use conformance::tool::{Tool, build};

use super::oracle;
use super::suite::Arguments;

/// stap's outcomes by the tests' names.
type Verdicts = BTreeMap<String, Outcome>;

/// The root whose stap runs what it builds, and so can be compared with.
const ORACLE: Suite = Suite::Forky;

/// Runs the tests with both tools and lists every difference.
pub fn run(arguments: &Arguments, upstream: &Path, known: &Known) -> anyhow::Result<ExitCode> {
    let (tests, left_out) = chosen_tests(arguments, upstream)?;
    let lab = Lab::open()?;
    let pace = Pace::new(Duration::from_secs(arguments.limit), arguments.together);
    let drive = |root: &Root, tool: &Tool, tests: &[Test], kept: Option<&Kept>| {
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        root.add_dejagnu(&lab)?;
        let driver = Driver::new(&lab, root, upstream, tool, pace, arguments.logs.as_deref())?;
        driver.run(tests, |test, outcome| {
            say(&format!("{}, {}: {}: {}", root.suite(), tool.name(), test.name, outcome.summary()));
            // What did not end by itself may do so on another day.
            match kept.filter(|_| outcome.end == End::Finished) {
                Some(kept) => kept.keep(test, outcome),
                None => Ok(()),
            }
        })
    };
    let ask_stap = |doubtful: &dyn Fn(&Test) -> bool| -> anyhow::Result<Verdicts> {
        let root = Root::ready(&lab, ORACLE)?;
        let kept = Kept::new(&lab, &root, upstream)?;
        let unknown = |test: &&Test| doubtful(test) && kept.outcome(test).is_none();
        let missing: Vec<Test> = tests.iter().filter(unknown).cloned().collect();
        let outcomes = drive(&root, &Tool::Stap, &missing, Some(&kept))?;
        let mut verdicts: Verdicts = missing.iter().map(|test| test.name.clone()).zip(outcomes).collect();
        verdicts.extend(tests.iter().filter_map(|test| Some((test.name.clone(), kept.outcome(test)?))));
        Ok(verdicts)
    };
    let mut report = Report::default();
    for (test, need) in &left_out {
        report.add(&test.name, ORACLE.name(), Verdict::Skipped(need.to_string()));
    }
    let mut verdicts = match arguments.rstap_only || arguments.doubtful_only {
        true => Verdicts::new(),
        false => ask_stap(&|_| true)?,
    };
    if arguments.stap_only {
        for (name, outcome) in &verdicts {
            report.add(name, ORACLE.name(), Verdict::Skipped(format!("stap: {}", outcome.summary())));
        }
        return oracle::finish_without_table(&report, arguments.json.as_ref());
    }
    let rstap = Tool::Rstap { dir: build::rstap()? };
    let mut by_suite = Vec::new();
    for suite in crate::chosen(&arguments.roots, &[Suite::Forky]) {
        by_suite.push((suite, drive(&Root::ready(&lab, suite)?, &rstap, &tests, None)?));
    }
    if arguments.doubtful_only {
        let all = by_suite.iter().flat_map(|(_, outcomes)| tests.iter().zip(outcomes));
        let doubtful: BTreeSet<&Test> =
            all.filter(|(_, outcome)| !passes_all(outcome)).map(|(test, _)| test).collect();
        verdicts = ask_stap(&|test| doubtful.contains(test))?;
    }
    for (suite, outcomes) in &by_suite {
        for (test, outcome) in tests.iter().zip(outcomes) {
            let verdict = judge(known, *suite, test, verdicts.get(&test.name), outcome);
            report.add(&test.name, suite.name(), verdict);
        }
        print!("{}", counts(*suite, &tests, &verdicts, outcomes));
    }
    oracle::finish_without_table(&report, arguments.json.as_ref())
}

/// A test that is left out, and why.
type LeftOut = (Test, dejagnu::Need);

/// The tests that filters name and that need nothing else (all, if they are asked for), and what the others need.
fn chosen_tests(arguments: &Arguments, upstream: &Path) -> anyhow::Result<(Vec<Test>, Vec<LeftOut>)> {
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    for test in dejagnu::tests(upstream, &arguments.filters)? {
        match dejagnu::need(upstream, &test)?.filter(|_| !arguments.all) {
            Some(need) => left_out.push((test, need)),
            None => chosen.push(test),
        }
    }
    Ok((chosen, left_out))
}

/// True for an outcome that needs no comparison: something passed and nothing failed.
fn passes_all(outcome: &Outcome) -> bool {
    outcome.is_content() && outcome.has_passed()
}

/// Whether rstap's outcome is stap's.
fn judge(known: &Known, suite: Suite, test: &Test, stap: Option<&Outcome>, rstap: &Outcome) -> Verdict {
    let Some(stap) = stap else {
        return match rstap.is_content() {
            true => Verdict::Passed,
            false => Verdict::Failed(vec![rstap.summary()]),
        };
    };
    if stap.end == End::TimedOut {
        return Verdict::Skipped(format!(
            "stap itself takes longer than the limit; rstap: {}",
            rstap.summary()
        ));
    }
    let mut differences = Vec::new();
    let mut accepted = Vec::new();
    // A reason may be for one result, or for all of a test's.
    let reason = |name: &str| {
        let one = format!("{} \"{name}\"", test.name);
        known.reason(&one, suite.name()).or_else(|| known.reason(&test.name, suite.name()))
    };
    let mut add = |name: &str, text: String| match reason(name) {
        Some(reason) => accepted.push(format!("{name}: {reason}")),
        None => differences.push(text),
    };
    if stap.end != rstap.end {
        add("end", format!("stap {}, rstap {}", stap.summary(), rstap.summary()));
    }
    for difference in sum::differences(&stap.lines, &rstap.lines) {
        add(&difference.name, difference.to_string());
    }
    for complaint in rstap.complaints.iter().filter(|complaint| !stap.complaints.contains(complaint)) {
        add("kernel", complaint.clone());
    }
    match () {
        () if !differences.is_empty() && stap.lacks_debuginfo && !stap.has_passed() => {
            Verdict::Skipped(format!("stap itself needs debug information: {}", stap.summary()))
        }
        () if !differences.is_empty() && rstap.is_content() && rstap.has_passed() && !stap.is_content() => {
            Verdict::Skipped(format!("rstap passes where stap fails: {}", differences.join("; ")))
        }
        () if !differences.is_empty() => Verdict::Failed(differences),
        () if !accepted.is_empty() => Verdict::Skipped(format!("known differences: {}", accepted.join("; "))),
        () if !stap.is_tested() => Verdict::Skipped(format!("neither tests anything: {}", stap.summary())),
        () => Verdict::Passed,
    }
}

/// A table of groups: how many results of which status each tool has.
fn counts(suite: Suite, tests: &[Test], stap: &BTreeMap<String, Outcome>, rstap: &[Outcome]) -> String {
    let mut text = String::new();
    for group in dejagnu::GROUPS {
        let of_group = || tests.iter().zip(rstap).filter(|(test, _)| test.group() == group);
        if of_group().next().is_none() {
            continue;
        }
        let stap = dejagnu::totals(of_group().filter_map(|(test, _)| stap.get(&test.name)));
        let rstap = dejagnu::totals(of_group().map(|(_, outcome)| outcome));
        text.push_str(&format!("{group} ({suite}): stap {stap}; rstap {rstap}\n"));
    }
    text
}
