//! The lab judged by real VMs: hung and deadly jobs, leaks and kernel complaints must be seen and named.
//!
//! These need a root and take a minute, so they are ignored by a plain `cargo test`; `cargo lab test` runs them.

use std::time::Duration;

use conformance::lab::batch::{self, Job, JobEnd, JobResult};
use conformance::lab::bounded::Ended;
use conformance::lab::kernel_log::Kind;
use conformance::lab::vm::Vm;
use conformance::lab::{Lab, Root, Suite};

fn job(name: &str, command: &str) -> Job {
    Job {
        name: name.into(),
        command: command.into(),
        files: vec![],
        modules: vec!["dummy".into()],
        limit: Some(Duration::from_secs(30)),
        wanted: Vec::new(),
    }
}

#[test]
#[ignore = "boots VMs; part of `cargo lab test`"]
fn one_bad_job_does_not_lose_the_others() {
    let mut hung = job("hung", "echo early; trap '' TERM; while :; do sleep 1; done");
    hung.limit = Some(Duration::from_secs(2));
    // The finished root that is there, or a new one of the default suite.
    let lab = Lab::open().unwrap();
    let finished = Suite::ALL.into_iter().find_map(|suite| Root::existing(&lab, suite).unwrap());
    let root = finished.unwrap_or_else(|| Root::ready(&lab, Suite::Trixie).unwrap());
    let vm = Vm::prepare(&lab, &root).unwrap();
    let jobs = [
        job("fine", "echo out; echo err >&2; exit 3"),
        hung,
        job("warns", "echo 'lab: WARNING: CPU: 0 PID: 1 at test' > /dev/kmsg"),
        job("leaks", "modprobe dummy"),
        job("clean again", "grep -c ^dummy /proc/modules"),
        job("deadly", "echo last words; sync; echo c > /proc/sysrq-trigger; sleep 60"),
        job("after death", "echo alive"),
    ];
    let mut heard = Vec::new();
    let results = batch::run(&vm, &jobs, |result| heard.push(result.name.clone())).unwrap();
    let names: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(names, jobs.each_ref().map(|job| job.name.as_str()));
    assert_eq!(heard, names);
    let [fine, hung, warns, leaks, clean, deadly, after] = <[JobResult; 7]>::try_from(results).unwrap();

    assert_eq!(fine.end, JobEnd::Program(Ended::Exited(3)));
    assert_eq!((fine.stdout.as_str(), fine.stderr.as_str()), ("out\n", "err\n"));
    assert!(fine.kernel_is_content(), "{fine:?}");

    assert_eq!(hung.end, JobEnd::Program(Ended::TimedOut));
    assert_eq!(hung.stdout, "early\n");

    let kinds: Vec<Kind> = warns.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [Kind::Warning]);
    assert!(!warns.kernel_is_content());

    assert_eq!(leaks.leaked, ["dummy"]);
    assert!(!leaks.kernel_is_content());
    assert_eq!(clean.stdout, "0\n", "what one job leaves must not disturb the next");

    let JobEnd::KilledVm { console } = &deadly.end else { panic!("{deadly:?}") };
    assert!(console.contains("sysrq"), "{console}");
    assert_eq!(deadly.stdout, "last words\n");
    assert!(deadly.problems.iter().any(|problem| problem.kind == Kind::Oops), "{deadly:?}");

    assert_eq!(after.end, JobEnd::Program(Ended::Exited(0)));
    assert_eq!(after.stdout, "alive\n");
}
