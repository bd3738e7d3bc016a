//! One module per subcommand; each has its arguments and a function that returns the exit status.

pub mod bench;
pub mod cases;
pub mod compare;
pub mod emitted;
mod here;
pub mod oracle;
pub mod random;
pub mod round_trip;
pub mod run;
pub mod suite;
pub mod suite_run;
pub mod test;
pub mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use conformance::lab::Suite;

/// A status of 0 to 255 as the program's own; anything else is a plain failure.
pub fn exit_code(status: Option<i32>) -> ExitCode {
    status.and_then(|status| u8::try_from(status).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// What is to be compared with stap, or run with it.
#[derive(clap::Args)]
pub struct Choice {
    /// A root to use; repeatable (forky, the one whose stap works, unless given)
    #[arg(long = "root")]
    roots: Vec<Suite>,
    /// Write the verdicts as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only cases (their names) or command lines that contain one of these
    filters: Vec<String>,
}
