//! Reads emitted C back and says what in it is unsafe: the rules that every handler keeps, whatever the planner meant.
//!
//! | rule | where |
//! |---|---|
//! | loops count actions, and the count is looked at | [`steps`] |
//! | caught errors do not hide that the actions are used up | [`steps`] |
//! | nothing is read through a pointer that may be null or that a script made | [`steps`] |
//! | calls look for errors, functions for the nesting; no arrays on the stack; copies are bounded | [`steps`] |
//! | locks: all that are needed, no others, shared where they can be, in one order, released on every way out | [`locks`] |
//!
//! It knows the emitter's spelling, not C: text that the emitter would not write is a fault too. C of scripts and
//! tapsets is not looked into, except for the globals that it names.

mod locks;
mod steps;
mod text;

/// What is unsafe in the text of a module's main unit, one sentence each; empty if all is well.
pub fn faults(source: &str) -> Vec<String> {
    let plain = text::without_words(source);
    let bodies = text::bodies(&plain);
    let mut faults = Vec::new();
    if bodies.is_empty() && plain.contains(", &probe_") {
        faults.push("no handler was found".to_owned());
    }
    let timed = plain.contains("c->actionremaining = MAXACTION");
    for body in &bodies {
        let about = |fault: String| format!("{}: {fault}", body.name);
        faults.extend(steps::faults(body, timed).into_iter().map(about));
    }
    faults.extend(locks::faults(&plain, &bodies));
    faults
}
