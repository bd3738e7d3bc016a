//! Options that say which passes run, and how they translate.

use super::low::{Rlimit, Special};
use super::{ArgError, Category, Flag, LowArgs, Takes, is_word, number, pair, safe, text};
use frontend::session::Privilege;
use std::ffi::OsStr;

const BASE: Flag = Flag { category: Category::Passes, ..Flag::EMPTY };

/// The options, in the order of the help text.
pub const FLAGS: &[Flag] = &[
    Flag {
        short: Some('p'),
        takes: Takes::Required("NUMBER"),
        doc: "Stop after pass NUMBER: 1 parse, 2 elaborate, 3 translate, 4 compile, 5 run.",
        update: |low, value| {
            let pass = number(&text(value)).filter(|pass| (1..=5).contains(pass));
            low.last_pass = Some(pass.ok_or_else(|| invalid("Invalid pass number (should be 1-5)."))?);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('g'),
        doc: "Guru mode: the script may contain C and write to the kernel.",
        update: |low, _| {
            low.guru = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('u'),
        doc: "Leave unused and needless code in.",
        update: |low, _| {
            low.unoptimized = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('t'),
        doc: "Measure the time that each probe takes and print it at the end.",
        update: |low, _| {
            low.timing = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('T'),
        takes: Takes::Required("SECONDS"),
        doc: "End the script after SECONDS.",
        update: |low, value| {
            let ms = seconds(text(value).trim_start()).map(|seconds| (seconds * 1000.0) as i64);
            let ms = ms.filter(|ms| (1..=i64::from(i32::MAX)).contains(ms));
            let ms = ms.ok_or_else(|| invalid("Invalid timeout interval."))?;
            low.timeout_ms = Some(ms as u64);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('B'),
        takes: Takes::Required("NAME=VALUE"),
        doc: "Give kbuild another word. May be repeated.",
        update: |low, value| {
            low.kbuild_words.push(text(value));
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("debug"),
        doc: "Build the module with debug information; keep its files, what the compiler made in between, and the layouts \
              of its types where pahole is installed.",
        update: |low, _| {
            low.debug = true;
            low.keep = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("modinfo"),
        takes: Takes::Required("NAME=VALUE"),
        doc: "Put a MODULE_INFO line into the module. May be repeated.",
        update: |low, value| {
            let value = text(value);
            let ok = value.split_once('=').is_some_and(|(name, value)| is_word(name) && !value.is_empty());
            safe(ok, "--modinfo parameter", &value, "^[a-z_][a-z0-9_]*=.+$")?;
            low.modinfo.push(pair(&value));
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("skip-badvars"),
        doc: "Context variables that do not exist are 0, with a warning.",
        update: |low, _| {
            low.skip_badvars = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("compatible"),
        takes: Takes::Required("VERSION"),
        doc: "Follow the language as VERSION had it.",
        update: |low, value| {
            low.compatible = Some(text(value));
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("check-version"),
        doc: "Warn about declarations that stand behind conditions about the version.",
        update: |low, _| {
            low.check_version = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("privilege"),
        takes: Takes::Required("LEVEL"),
        doc: "Refuse what LEVEL (stapusr, stapsys or stapdev) may not do.",
        update: |low, value| {
            let value = text(value);
            let level = value.parse().map_err(|()| bad_value(&value, "--privilege"))?;
            privilege(low, level)
        },
        ..BASE
    },
    Flag {
        long: Some("unprivileged"),
        doc: "The same as --privilege=stapusr.",
        update: |low, _| privilege(low, Privilege::User),
        ..BASE
    },
    Flag {
        long: Some("suppress-handler-errors"),
        doc: "Run-time errors end the handler quietly instead of the script.",
        update: |low, _| {
            low.suppress_handler_errors = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("suppress-time-limits"),
        doc: "Handlers may run for any time; needs -g before it.",
        update: |low, _| {
            if !low.guru {
                return Err(invalid("ERROR --suppress-time-limits requires guru mode (-g)"));
            }
            low.suppress_time_limits = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("semantic-keep-going"),
        doc: "Go on with pass 2 after errors and list all of them for programs at the end.",
        update: |low, _| {
            low.semantic_keep_going = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("no-global-var-display"),
        doc: "Do not print globals that are written but never read at the end of the run.",
        update: |low, _| {
            low.no_global_var_display = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("disable-cache"),
        doc: "Use no cache.",
        update: |low, _| {
            low.disable_cache = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("poison-cache"),
        doc: "Build anew and put the result into the cache.",
        update: |low, _| {
            low.poison_cache = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("clean-cache"),
        doc: "Empty the cache of rstap and exit.",
        update: |low, _| {
            low.special = Some(Special::CleanCache);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("tmpdir"),
        takes: Takes::Required("DIR"),
        doc: "Work in DIR, which is not removed, instead of a temporary directory.",
        update: |low, value| {
            low.tmpdir = value.map(Into::into);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("rlimit-as"),
        takes: Takes::Required("BYTES"),
        doc: "Limit the address space of rstap and the programs that it starts.",
        update: |low, value| rlimit(low, Rlimit::AddressSpace, value),
        ..BASE
    },
    Flag {
        long: Some("rlimit-cpu"),
        takes: Takes::Required("SECONDS"),
        doc: "Limit their processor time.",
        update: |low, value| rlimit(low, Rlimit::Cpu, value),
        ..BASE
    },
    Flag {
        long: Some("rlimit-nproc"),
        takes: Takes::Required("NUMBER"),
        doc: "Limit the number of processes.",
        update: |low, value| rlimit(low, Rlimit::Processes, value),
        ..BASE
    },
    Flag {
        long: Some("rlimit-stack"),
        takes: Takes::Required("BYTES"),
        doc: "Limit the stack.",
        update: |low, value| rlimit(low, Rlimit::Stack, value),
        ..BASE
    },
    Flag {
        long: Some("rlimit-fsize"),
        takes: Takes::Required("BYTES"),
        doc: "Limit the size of files.",
        update: |low, value| rlimit(low, Rlimit::FileSize, value),
        ..BASE
    },
];

/// A number of seconds as `strtod` reads it: hexadecimal ones without an exponent, too.
fn seconds(text: &str) -> Option<f64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(f64::from),
        None => text.parse().ok(),
    }
}

fn invalid(message: &str) -> ArgError {
    ArgError::Invalid(message.into())
}

/// Upstream's text for a word that is none of those an option knows.
pub(super) fn bad_value(value: &str, option: &str) -> ArgError {
    ArgError::Invalid(format!("Invalid argument '{value}' for {option}."))
}

/// A level may be given again, but not another one.
fn privilege(low: &mut LowArgs, level: Privilege) -> Result<(), ArgError> {
    if low.privilege.is_some_and(|known| known != level) {
        return Err(invalid("Privilege level may be set only once."));
    }
    low.privilege = Some(level);
    Ok(())
}

/// The argument is what `strtoul` with base 0 reads: decimal, hexadecimal or octal.
fn rlimit(low: &mut LowArgs, which: Rlimit, value: Option<&OsStr>) -> Result<(), ArgError> {
    let value = text(value);
    let name = which.name();
    if value.is_empty() {
        return Err(ArgError::Invalid(format!("An --{name} option value must be specified.")));
    }
    let parsed = match (value.strip_prefix("0x"), value.strip_prefix('0')) {
        (Some(hex), _) => u64::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => value.parse().ok(),
    };
    let parsed = parsed.ok_or_else(|| {
        ArgError::Invalid(match which {
            Rlimit::AddressSpace => format!("Unable to convert rlimit-as resource limit '{value}'."),
            _ => format!("Unable to convert resource limit '{value}' for {name}"),
        })
    })?;
    low.rlimits.push((which, parsed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{LowArgs, parse};
    use frontend::session::Privilege;

    fn read(line: &[&str]) -> Result<LowArgs, String> {
        let words: Vec<_> = std::iter::once("stap").chain(line.iter().copied()).map(Into::into).collect();
        parse(&words, false).map_err(|error| error.to_string())
    }

    #[test]
    fn prologue_searching_knows_three_words() {
        assert!(read(&["--prologue-searching=never"]).is_ok());
        let problem = "Invalid argument 'blah' for --prologue-searching.";
        assert_eq!(read(&["--prologue-searching=blah"]).unwrap_err(), problem);
    }

    #[test]
    fn pass_numbers() {
        assert_eq!(read(&["-p5"]).unwrap().last_pass, Some(5));
        for bad in ["-p0", "-p6", "-px", "-p1x"] {
            assert_eq!(read(&[bad]).unwrap_err(), "Invalid pass number (should be 1-5).", "{bad}");
        }
    }

    #[test]
    fn timeouts_are_kept_in_milliseconds() {
        assert_eq!(read(&["-T", "1.5"]).unwrap().timeout_ms, Some(1500));
        assert_eq!(read(&["-T", "0x10"]).unwrap().timeout_ms, Some(16000));
        for bad in ["0", "0.0001", "-1", "x", "inf", "nan", "1e10", "0x"] {
            assert_eq!(read(&["-T", bad]).unwrap_err(), "Invalid timeout interval.", "{bad}");
        }
    }

    #[test]
    fn one_privilege_level() {
        assert_eq!(
            read(&["--unprivileged", "--privilege=stapusr"]).unwrap().privilege,
            Some(Privilege::User)
        );
        assert_eq!(
            read(&["--unprivileged", "--privilege=stapdev"]).unwrap_err(),
            "Privilege level may be set only once."
        );
        assert_eq!(read(&["--privilege=root"]).unwrap_err(), "Invalid argument 'root' for --privilege.");
    }

    #[test]
    fn time_limits_need_guru_mode_before() {
        assert!(read(&["-g", "--suppress-time-limits"]).unwrap().suppress_time_limits);
        assert!(read(&["--suppress-time-limits", "-g"]).is_err());
    }

    #[test]
    fn limits_are_read_in_three_bases() {
        let low = read(&["--rlimit-as=0x10", "--rlimit-cpu=010", "--rlimit-stack=0"]).unwrap();
        assert_eq!(low.rlimits.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [16, 8, 0]);
        assert!(read(&["--rlimit-fsize=1k"]).is_err());
        assert!(read(&["--rlimit-fsize="]).unwrap_err().contains("must be specified"));
    }
}
