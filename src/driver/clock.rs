//! Times and memory as the pass lines print them (main.cxx: `TIMESPRINT`; staputil.cxx: `getmemusage`).

use nix::sys::resource::{UsageWho, getrusage};
use std::time::Instant;

/// Measures a pass.
#[derive(Debug)]
pub struct Stopwatch {
    real: Instant,
    user_ms: i64,
    system_ms: i64,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        let (user_ms, system_ms) = used();
        Stopwatch { real: Instant::now(), user_ms, system_ms }
    }

    /// `in Ausr/Bsys/Creal ms.`, children included.
    pub fn text(&self) -> String {
        let (user, system) = used();
        format!(
            "in {}usr/{}sys/{}real ms.",
            user - self.user_ms,
            system - self.system_ms,
            self.real.elapsed().as_millis()
        )
    }
}

/// Milliseconds of processor time of this process and its ended children.
fn used() -> (i64, i64) {
    let times = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(|who| {
        getrusage(who).map_or((0, 0), |usage| {
            let ms = |time: nix::sys::time::TimeVal| time.tv_sec() * 1000 + time.tv_usec() / 1000;
            (ms(usage.user_time()), ms(usage.system_time()))
        })
    });
    times.into_iter().fold((0, 0), |sum, time| (sum.0 + time.0, sum.1 + time.1))
}

/// `using Avirt/Bres/Cshr/Ddata kb, `.
pub fn memory() -> String {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let kb: Vec<u64> =
        text.split_whitespace().map(|pages| pages.parse::<u64>().unwrap_or(0) * page_size() / 1024).collect();
    let field = |index: usize| kb.get(index).copied().unwrap_or(0);
    format!("using {}virt/{}res/{}shr/{}data kb, ", field(0), field(1), field(2), field(5))
}

fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

/// `1 probe`, `2 probes`, `0 probes`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_the_lines() {
        let digits =
            |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect::<String>();
        let squeezed = |text: &str| {
            let mut text = digits(text);
            while text.contains("99") {
                text = text.replace("99", "9");
            }
            text
        };
        assert_eq!(squeezed(&Stopwatch::start().text()), "in 9usr/9sys/9real ms.");
        assert_eq!(squeezed(&memory()), "using 9virt/9res/9shr/9data kb, ");
        assert_eq!([0, 1, 2].map(|n| count(n, "probe")), ["0 probes", "1 probe", "2 probes"]);
    }
}
