//! `--rlimit-*` (session.cxx: `apply_rlimits`).

use crate::args::low::Rlimit;
use crate::world::workers;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

/// Sets the limits of this process and of those that it starts. A limit that may not be raised is only a remark.
///
/// # Errors
/// Upstream's message.
pub fn apply(limits: &[(Rlimit, u64)]) -> Result<(), String> {
    if !limits.is_empty() {
        // A limit may make it impossible to start them later.
        workers::start();
    }
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
