//! Building kernel modules for a VM in its root, at native speed.
//!
//! In the VM `make` is [`MAKE`], which passes everything that builds a module through a shared folder: a request is a
//! folder with the module's files in `files.tar` and the words of the command, one to a line, in `words`; the answer is
//! what `make` left in `built.tar`, `stdout`, `stderr`, and, last, `status`. One large file passes faster than many.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lab::bounded::{self, Ended, Finished, Limits};
use crate::lab::enter::Entry;
use crate::lab::progress::say;
use crate::lab::recipe::{CONTAINED, UNCHANGED};
use crate::lab::{IoContext, Result, Root};

/// How long one module may take.
const LIMIT: Duration = Duration::from_secs(600);
/// How often the shared folder is looked at.
const POLL: Duration = Duration::from_millis(30);
/// Where a request's folder appears in the root.
const REQUEST: &str = "/mnt/request";

/// The `make` of the VM. `requests` in it is the shared folder's path there; nobody writes to `/run/tick` (see the
/// VM's agent), so that reading it is a sleep that takes no new process.
const MAKE: &str = r#"#!/bin/bash
for word; do case $word in M=*) dir=${word#M=} ;; esac; done
[ -n "$dir" ] || exec /usr/bin/make "$@"
request=$(mktemp -d requests/XXXXXXXX) && tar -C "$dir" -cf "$request/files.tar" . || exit 125
printf '%s\n' "$dir" "$@" > "$request/new" && mv "$request/new" "$request/words"
exec 9<> /run/tick
until [ -e "$request/status" ]; do read -rt 0.2 -u 9; done
[ ! -e "$request/built.tar" ] || tar -C "$dir" -xf "$request/built.tar"
cat "$request/stdout"
cat "$request/stderr" >&2
status=$(< "$request/status")
rm -rf "$request"
exit "$status"
"#;

/// Serves the requests of VMs that share a folder.
#[derive(Debug)]
pub struct Builder<'a> {
    root: &'a Root,
    requests: PathBuf,
}

impl<'a> Builder<'a> {
    /// Builds in `root` what is asked for in the folder `requests`, which is emptied.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(root: &'a Root, requests: PathBuf) -> Result<Builder<'a>> {
        // There may be none; anything else shows when it is made.
        let _ = fs::remove_dir_all(&requests);
        fs::create_dir_all(&requests).doing(|| format!("making {}", requests.display()))?;
        Ok(Builder { root, requests })
    }

    /// The text of the VM's `make`, where the folder of requests is at `inside`.
    pub fn make(inside: &str) -> String {
        MAKE.replace("requests/", &format!("{inside}/"))
    }

    /// Serves requests while `work` runs.
    pub fn serve_during<T>(&self, work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for request in self.new_requests() {
                        scope.spawn(move || {
                            if let Err(error) = self.answer(&request) {
                                say(&format!("building for the VM: {error}"));
                            }
                        });
                    }
                    std::thread::sleep(POLL);
                }
            });
            // Also when `work` panics: otherwise its thread would wait for the one above forever.
            let _over = OnDrop(|| over.store(true, Ordering::Relaxed));
            work()
        })
    }

    /// The requests that nobody has taken; they are taken now.
    fn new_requests(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.requests).into_iter().flatten().flatten();
        // A request may be withdrawn at any time, so a rename that fails is no error.
        entries
            .map(|entry| entry.path())
            .filter(|request| fs::rename(request.join("words"), request.join("taken")).is_ok())
            .collect()
    }

    fn answer(&self, request: &Path) -> Result<()> {
        let finished = self.build(request)?;
        let status = match finished.ended {
            Ended::Exited(status) => status,
            Ended::Signalled(signal) => 128 + signal,
            Ended::TimedOut => 124,
        };
        let texts = [("stdout", finished.stdout), ("stderr", finished.stderr), ("new", status.to_string())];
        for (name, text) in texts {
            let path = request.join(name);
            fs::write(&path, text).doing(|| format!("writing {}", path.display()))?;
        }
        // Its being there says that the rest is there.
        fs::rename(request.join("new"), request.join("status"))
            .doing(|| format!("answering {}", request.display()))
    }

    /// Runs `make` in a copy of the files that has the path they have in the VM.
    fn build(&self, request: &Path) -> Result<Finished> {
        let taken = request.join("taken");
        let text = fs::read_to_string(&taken).doing(|| format!("reading {}", taken.display()))?;
        let mut lines = text.lines();
        let dir = lines.next().unwrap_or_default();
        let script = format!(
            "dir=$1 && shift && mkdir -p \"$dir\" && tar -C \"$dir\" -xf {REQUEST}/files.tar || exit 125\n\
             setpriv --bounding-set=-sys_module,-sys_boot,-sys_rawio,-sys_time,-sys_ptrace,-syslog make \"$@\"\n\
             status=$?\ntar -C \"$dir\" -cf {REQUEST}/built.tar . && exit $status"
        );
        let shell = ["bash", "-c", &script, "make", dir];
        let mut words = [CONTAINED, &["--net"], UNCHANGED, &shell].concat();
        words.extend(lines);
        let entry = Entry::new(self.root).read_only().bind(request, REQUEST).cwd("/");
        bounded::run(entry.command("unshare", words)?, Limits { time: LIMIT, memory: None })
    }
}

/// Does something when it goes out of scope.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_make_of_the_vm_is_valid_shell() {
        let text = Builder::make("/mnt/x");
        assert!(text.contains("mktemp -d /mnt/x/XXXXXXXX"), "{text}");
        let status = std::process::Command::new("bash").args(["-n", "-c", &text]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}
