//! `--rlimit-*` (session.cxx: `apply_rlimits`), and the threads that must be there before.

use crate::args::low::Rlimit;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

/// Sets the limits of this process and of those that it starts. A limit that may not be raised is only a remark.
///
/// # Errors
/// Upstream's message.
pub fn apply(limits: &[(Rlimit, u64)]) -> Result<(), String> {
    for (which, value) in limits {
        let (resource, no_core) = match which {
            Rlimit::AddressSpace => (Resource::RLIMIT_AS, true),
            Rlimit::Cpu => (Resource::RLIMIT_CPU, false),
            Rlimit::Processes => (Resource::RLIMIT_NPROC, false),
            Rlimit::Stack => (Resource::RLIMIT_STACK, true),
            Rlimit::FileSize => (Resource::RLIMIT_FSIZE, false),
        };
        set(resource, which.name(), *value)?;
        // Running out of memory would leave a core file behind.
        if no_core {
            set(Resource::RLIMIT_CORE, "rlimit-core", 0)?;
        }
    }
    Ok(())
}

fn set(resource: Resource, name: &str, value: u64) -> Result<(), String> {
    match setrlimit(resource, value, value) {
        Ok(()) => Ok(()),
        Err(error) => {
            let message = format!("Unable to set resource limits for {name}: {}", error.desc());
            if error == Errno::EPERM {
                eprintln!("{message}");
                return Ok(());
            }
            Err(message)
        }
    }
}

/// Starts the threads that parse and test in parallel, before any limit of the command line makes that impossible. Where
/// it is impossible already, the calling thread does their work.
pub fn start_workers() {
    let wanted = std::thread::available_parallelism().map_or(1, usize::from);
    // A pool that cannot start its threads cannot be tried twice, so others try whether they could.
    let tried: Vec<_> =
        (0..wanted).map(|_| std::thread::Builder::new().spawn(std::thread::yield_now)).collect();
    let enough = tried.iter().all(Result::is_ok);
    tried.into_iter().flatten().for_each(|thread| drop(thread.join()));
    let pool = rayon::ThreadPoolBuilder::new();
    let pool = if enough { pool.num_threads(wanted) } else { pool.num_threads(1).use_current_thread() };
    if let Err(error) = pool.build_global() {
        eprintln!("rstap: cannot start threads: {error}");
    }
}
