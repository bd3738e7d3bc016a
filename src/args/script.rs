//! Options that say what to run.

use super::low::Special;
use super::{ArgError, Category, Flag, LowArgs, Takes, is_word, pair, safe, text, word_and};
use frontend::session::Mode;
use std::ffi::OsStr;

const BASE: Flag = Flag { category: Category::Script, ..Flag::EMPTY };

/// The options, in the order of the help text.
pub const FLAGS: &[Flag] = &[
    Flag {
        short: Some('h'),
        long: Some("help"),
        doc: "Print this text and exit.",
        update: |low, _| {
            low.special = Some(Special::Help);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('V'),
        long: Some("version"),
        doc: "Print the level of the runtime in use and the version of rstap, and exit.",
        update: |low, _| {
            low.special = Some(Special::Version);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('e'),
        takes: Takes::Required("SCRIPT"),
        doc: "The script's text; all words of the command line go to the script as arguments.",
        update: |low, value| {
            if low.script.is_some() {
                return Err(ArgError::Invalid("Only one script can be given on the command line.".into()));
            }
            low.script = value.map(OsStr::to_owned);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('E'),
        takes: Takes::Required("SCRIPT"),
        doc: "Text that is run along with the script. May be repeated.",
        update: |low, value| {
            low.extra_scripts.extend(value.map(OsStr::to_owned));
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("example"),
        doc: "FILE is the name of one of the installed example scripts.",
        update: |low, _| {
            low.example = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('I'),
        takes: Takes::Required("DIR"),
        doc: "Read the tapset files of DIR too. May be repeated.",
        update: |low, value| {
            low.include.extend(value.map(Into::into));
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('D'),
        takes: Takes::Required("NAME[=VALUE]"),
        doc: "Define a macro in the generated C. May be repeated.",
        update: |low, value| {
            let value = text(value);
            let ok = match value.split_once('=') {
                Some((name, value)) => {
                    is_word(name) && word_and("_").all(value.strip_prefix('-').unwrap_or(value))
                }
                None => is_word(&value),
            };
            safe(ok, "-D parameter", &value, "^[a-z_][a-z_0-9]*(=-?[a-z_0-9]+)?$")?;
            low.macros.push(value);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('G'),
        takes: Takes::Required("VARIABLE=VALUE"),
        doc: "Set a global variable of the script. May be repeated.",
        update: |low, value| {
            let value = text(value);
            let ok = value
                .split_once('=')
                .is_some_and(|(name, value)| is_word(name) && word_and("_.-").all(value));
            safe(ok, "-G parameter", &value, "^[a-z_][a-z0-9_]*=[a-z0-9_.-]+$")?;
            low.globals.push(pair(&value));
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('l'),
        takes: Takes::Required("PROBE"),
        doc: "List the probe points that match.",
        update: |low, value| {
            dump(low, Mode::List)?;
            low.pattern = text(value);
            low.suppress_warnings = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('L'),
        takes: Takes::Required("PROBE"),
        doc: "List the probe points that match, with their variables.",
        update: |low, value| {
            dump(low, Mode::ListVariables)?;
            low.pattern = text(value);
            // Unused variables must survive to be listed.
            low.unoptimized = true;
            low.suppress_warnings = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("dump-probe-types"),
        doc: "List every kind of probe point.",
        update: |low, _| dump(low, Mode::DumpProbeTypes),
        ..BASE
    },
    Flag {
        long: Some("dump-probe-aliases"),
        doc: "List the probe aliases of the tapset.",
        update: |low, _| {
            dump(low, Mode::DumpProbeAliases)?;
            low.suppress_warnings = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("dump-functions"),
        doc: "List the functions of the tapset.",
        update: |low, _| {
            dump(low, Mode::DumpFunctions)?;
            low.suppress_warnings = true;
            // All of them are unused.
            low.unoptimized = true;
            Ok(())
        },
        ..BASE
    },
];

/// Enters a dump mode; there is at most one.
fn dump(low: &mut LowArgs, mode: Mode) -> Result<(), ArgError> {
    if low.mode.is_dump() {
        let message = "ERROR: only one of the -l/-L/--dump-* switches may be specified";
        return Err(ArgError::Invalid(message.into()));
    }
    low.mode = mode;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn read(line: &[&str]) -> Result<super::LowArgs, String> {
        let words: Vec<_> = std::iter::once("stap").chain(line.iter().copied()).map(Into::into).collect();
        parse(&words, false).map_err(|error| error.to_string())
    }

    #[test]
    fn one_script() {
        assert_eq!(
            read(&["-e", "a", "-e", "b"]).unwrap_err(),
            "Only one script can be given on the command line."
        );
    }

    #[test]
    fn one_dump_mode() {
        assert!(read(&["-l", "a", "--dump-functions"]).unwrap_err().starts_with("ERROR: only one of"));
        assert!(read(&["-L", "a"]).unwrap().unoptimized);
    }

    #[test]
    fn macros_must_be_harmless() {
        for good in ["A", "a_1=2", "X=-1", "_=y_"] {
            assert!(read(&["-D", good]).is_ok(), "{good}");
        }
        for bad in ["1x", "A=", "A=b c", "A=--1", "", "A;b", "A=-"] {
            assert!(read(&["-D", bad]).is_err(), "{bad}");
        }
        assert_eq!(
            read(&["-D", "1x"]).unwrap_err(),
            "ERROR: Safety pattern mismatch for -D parameter ('1x' vs. '^[a-z_][a-z_0-9]*(=-?[a-z_0-9]+)?$') rc=1"
        );
    }

    #[test]
    fn globals_must_be_harmless() {
        assert_eq!(read(&["-Gx=1.5-a"]).unwrap().globals, [("x".into(), "1.5-a".into())]);
        for bad in ["x", "x=", "1=2", "x=a b"] {
            assert!(read(&["-G", bad]).is_err(), "{bad}");
        }
    }
}
