//! Reads a command line with the flag table, word by word as GNU `getopt_long` does: letters in clusters, long names
//! by any unambiguous prefix, words that are no options anywhere in the line.
//!
//! Hand-written, because the usual crates do not hand unknown words after the script to the script while options
//! may still follow them, do not complete prefixes as `getopt_long` does, and have their own messages.

use super::{ArgError, Flag, LowArgs, Support, Takes, flags};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Reads the words of a command line, the program's name first. `posix` (`POSIXLY_CORRECT`) ends the options at the
/// first word that is none.
///
/// # Errors
/// The first objection. Options up to it have been read; a [`Special`](super::low::Special) ends the reading at once.
pub fn parse(words: &[OsString], posix: bool) -> Result<LowArgs, ArgError> {
    let program = words.first().map_or_else(|| "rstap".into(), |word| word.to_string_lossy().into_owned());
    let mut reader = Reader { program, rest: words.get(1..).unwrap_or(&[]).iter(), low: LowArgs::default() };
    while let Some(word) = reader.rest.next() {
        match word.as_bytes() {
            b"--" => {
                let rest: Vec<OsString> = reader.rest.by_ref().cloned().collect();
                reader.low.words.extend(rest);
            }
            [b'-', b'-', name @ ..] => reader.long(name)?,
            [b'-', letters @ ..] if !letters.is_empty() => reader.cluster(letters)?,
            _ => {
                reader.low.words.push(word.clone());
                if posix {
                    let rest: Vec<OsString> = reader.rest.by_ref().cloned().collect();
                    reader.low.words.extend(rest);
                }
            }
        }
        if reader.low.special.is_some() {
            break;
        }
    }
    Ok(reader.low)
}

struct Reader<'a> {
    program: String,
    rest: std::slice::Iter<'a, OsString>,
    low: LowArgs,
}

impl Reader<'_> {
    fn problem(&self, problem: String) -> ArgError {
        ArgError::Getopt { program: self.program.clone(), problem }
    }

    /// `-vv`, `-p4`, `-DN=V`: a letter that takes an argument takes the rest of the word, or the next word.
    fn cluster(&mut self, letters: &[u8]) -> Result<(), ArgError> {
        let mut left = letters;
        while let [letter, rest @ ..] = left {
            left = rest;
            let letter = char::from(*letter);
            let Some(flag) = flags().find(|flag| flag.short == Some(letter)) else {
                return Err(self.problem(format!("invalid option -- '{letter}'")));
            };
            let spelled = format!("-{letter}");
            if !matches!(flag.takes, Takes::Required(_)) {
                self.apply(flag, &spelled, None)?;
                if self.low.special.is_some() {
                    return Ok(());
                }
                continue;
            }
            let value = if rest.is_empty() {
                let missing = self.problem(format!("option requires an argument -- '{letter}'"));
                self.rest.next().cloned().ok_or(missing)?
            } else {
                OsStr::from_bytes(rest).to_owned()
            };
            return self.apply(flag, &spelled, Some(&value));
        }
        Ok(())
    }

    /// `--name`, `--name=value`, `--name value`.
    fn long(&mut self, word: &[u8]) -> Result<(), ArgError> {
        let (name, value) = match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (&word[..at], Some(OsStr::from_bytes(&word[at + 1..]).to_owned())),
            None => (word, None),
        };
        let typed = String::from_utf8_lossy(name).into_owned();
        let (flag, full) = self.find(&typed)?;
        let spelled = format!("--{full}");
        let value = match (flag.takes, value) {
            (Takes::Nothing, Some(_)) => {
                return Err(self.problem(format!("option '{spelled}' doesn't allow an argument")));
            }
            (Takes::Required(_), None) => {
                let missing = self.problem(format!("option '{spelled}' requires an argument"));
                Some(self.rest.next().cloned().ok_or(missing)?)
            }
            (_, value) => value,
        };
        self.apply(flag, &spelled, value.as_deref())
    }

    /// The flag of that long name, or of the one name that starts with it.
    fn find(&self, typed: &str) -> Result<(&'static Flag, &'static str), ArgError> {
        let names: Vec<(&'static Flag, &'static str)> = flags()
            .flat_map(|flag| flag.long.into_iter().chain(flag.alias).map(move |name| (flag, name)))
            .collect();
        if let Some(exact) = names.iter().find(|(_, name)| *name == typed) {
            return Ok(*exact);
        }
        let close: Vec<_> = names.into_iter().filter(|(_, name)| name.starts_with(typed)).collect();
        match close.as_slice() {
            [] => Err(self.problem(format!("unrecognized option '--{typed}'"))),
            [first, rest @ ..] if rest.iter().all(|(flag, _)| std::ptr::eq(*flag, first.0)) => Ok(*first),
            all => {
                let list: String = all.iter().map(|(_, name)| format!(" '--{name}'")).collect();
                Err(self.problem(format!("option '--{typed}' is ambiguous; possibilities:{list}")))
            }
        }
    }

    fn apply(&mut self, flag: &Flag, spelled: &str, value: Option<&OsStr>) -> Result<(), ArgError> {
        (flag.update)(&mut self.low, value)?;
        match flag.support {
            Support::Full => Ok(()),
            Support::Ignored => {
                self.low.ignored.push(spelled.to_owned());
                Ok(())
            }
            Support::Refused => Err(ArgError::Refused(spelled.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::low::Special;
    use super::*;
    use frontend::session::Mode;

    fn read(line: &[&str]) -> Result<LowArgs, String> {
        let words: Vec<OsString> =
            std::iter::once("stap").chain(line.iter().copied()).map(Into::into).collect();
        parse(&words, false).map_err(|error| error.to_string())
    }

    #[test]
    fn letters_cluster_and_take_the_rest_of_their_word() {
        let low = read(&["-vvkp4", "-DA=1", "-D", "B", "x.stp"]).unwrap();
        assert_eq!(low.verbosity, [2; 5]);
        assert!(low.keep);
        assert_eq!(low.last_pass, Some(4));
        assert_eq!(low.macros, ["A=1", "B"]);
        assert_eq!(low.words, ["x.stp"]);
    }

    #[test]
    fn options_after_the_script_are_options_and_two_dashes_end_them() {
        let low = read(&["x.stp", "a", "-g", "b", "--", "-v", "--", "c"]).unwrap();
        assert!(low.guru);
        assert_eq!(low.verbosity, [0; 5]);
        assert_eq!(low.words, ["x.stp", "a", "b", "-v", "--", "c"]);
    }

    #[test]
    fn posix_order_ends_options_at_the_first_word() {
        let words: Vec<OsString> = ["stap", "-g", "x.stp", "-v"].map(Into::into).to_vec();
        let low = parse(&words, true).unwrap();
        assert!(low.guru);
        assert_eq!(low.words, ["x.stp", "-v"]);
    }

    #[test]
    fn a_lone_dash_is_a_word() {
        assert_eq!(read(&["-", "-v"]).unwrap().words, ["-"]);
    }

    #[test]
    fn long_names_may_be_cut() {
        assert_eq!(read(&["--dump-f"]).unwrap().mode, Mode::DumpFunctions);
        assert_eq!(
            read(&["--dump"]).unwrap_err(),
            "stap: option '--dump' is ambiguous; possibilities: '--dump-probe-types' '--dump-probe-aliases' \
             '--dump-functions'"
        );
        // Two spellings of one option are no ambiguity.
        assert!(read(&["--colo=never"]).is_ok());
        assert_eq!(read(&["--foo"]).unwrap_err(), "stap: unrecognized option '--foo'");
    }

    #[test]
    fn arguments_of_long_names() {
        assert_eq!(read(&["--vp", "01"]).unwrap().verbosity, [0, 1, 0, 0, 0]);
        assert_eq!(read(&["--vp=2"]).unwrap().verbosity, [2, 0, 0, 0, 0]);
        assert_eq!(read(&["--vp"]).unwrap_err(), "stap: option '--vp' requires an argument");
        assert_eq!(read(&["--help=x"]).unwrap_err(), "stap: option '--help' doesn't allow an argument");
        // An optional argument is never the next word.
        assert_eq!(read(&["--color", "x"]).unwrap().words, ["x"]);
    }

    #[test]
    fn what_getopt_says() {
        assert_eq!(read(&["-Z"]).unwrap_err(), "stap: invalid option -- 'Z'");
        assert_eq!(read(&["-p"]).unwrap_err(), "stap: option requires an argument -- 'p'");
    }

    #[test]
    fn version_ends_the_line() {
        assert_eq!(read(&["-V", "-Z"]).unwrap().special, Some(Special::Version));
        assert_eq!(read(&["-hZ"]).unwrap().special, Some(Special::Help));
    }

    #[test]
    fn what_is_not_served_says_so() {
        assert_eq!(
            read(&["--remote=host", "-e", ""]).unwrap_err(),
            "ERROR: --remote is not supported by this version of systemtap"
        );
        assert_eq!(read(&["--save-uprobes"]).unwrap().ignored, ["--save-uprobes"]);
    }
}
