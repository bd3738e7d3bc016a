//! `rstap`: a drop-in replacement for `stap`.

mod args;
mod driver;
mod render;
mod session;
mod terminal;
mod world;

use std::process::ExitCode;

/// The C library's allocator gives a second thread memory by the page, with a system call for each.
///
/// It does not ask for transparent huge pages (the feature `no_thp`): a run touches a few MiB, and a kernel that has to
/// make room for a huge page first took five times as long for the whole run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stack of the thread that translates: trees are walked recursively, and scripts may nest deeply.
const STACK: usize = 512 << 20;

fn main() -> ExitCode {
    // A panic is a bug of ours: one message about it, and the temporary directory is gone before.
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload();
        let text = what.downcast_ref::<&str>().copied().or(what.downcast_ref::<String>().map(String::as_str));
        let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
        eprintln!("rstap: internal error{place}: {}", text.unwrap_or("no message"));
        eprintln!("This is a bug in rstap. Please report it with the script and the command line.");
    }));
    if let Err(error) = world::children::watch_signals() {
        eprintln!("rstap: cannot watch for signals: {error}");
    }
    // Less is enough for most scripts where so much cannot be had, or is not wanted.
    let modest = std::env::args_os().any(|word| word.as_encoded_bytes().starts_with(b"--rlimit-a"));
    let sizes = if modest { [STACK / 8, STACK / 16, STACK / 64] } else { [STACK, STACK / 8, STACK / 64] };
    let started = sizes.into_iter().find_map(|size| {
        std::thread::Builder::new().name("rstap".into()).stack_size(size).spawn(driver::main).ok()
    });
    let status = match started {
        Some(thread) => thread.join().unwrap_or(1),
        None => driver::main(),
    };
    world::scratch::remove_pending();
    ExitCode::from(status)
}
