//! Options that say what comes out of a run, and where.

use super::low::Color;
use super::passes::bad_value;
use super::{ArgError, Category, Flag, Takes, number, safe, text};
use std::ffi::OsStr;

const BASE: Flag = Flag { category: Category::Output, ..Flag::EMPTY };

/// The options, in the order of the help text.
pub const FLAGS: &[Flag] = &[
    Flag {
        short: Some('v'),
        doc: "Say more, in every pass. May be repeated.",
        update: |low, _| {
            low.verbose += 1;
            low.verbosity.iter_mut().for_each(|level| *level += 1);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("vp"),
        takes: Takes::Required("DIGITS"),
        doc: "Say more in some passes: digit N is added to the verbosity of pass N.",
        update: |low, value| {
            let value = text(value);
            let digits: Option<Vec<u32>> = value.chars().map(|c| c.to_digit(10)).collect();
            let wrong = "Invalid --vp argument: it takes 1 to 5 digits.";
            let digits = digits
                .filter(|digits| (1..=5).contains(&digits.len()))
                .ok_or_else(|| ArgError::Invalid(wrong.into()))?;
            for (level, digit) in low.verbosity.iter_mut().zip(digits) {
                *level += digit;
            }
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('k'),
        doc: "Keep the temporary directory.",
        update: |low, _| {
            low.keep = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('o'),
        takes: Takes::Required("FILE"),
        doc: "The script's output goes to FILE; strftime formats are expanded.",
        update: |low, value| {
            low.output = value.map(OsStr::to_owned);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('w'),
        doc: "Print no warnings.",
        update: |low, _| {
            low.suppress_warnings = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('W'),
        doc: "Warnings are errors.",
        update: |low, _| {
            low.warnings_are_errors = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('b'),
        doc: "Bulk mode: one output file for each processor.",
        update: |low, _| {
            low.bulk = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('s'),
        takes: Takes::Required("MB"),
        doc: "Size of the buffers between kernel and staprun in megabytes.",
        update: |low, value| {
            let size = number(&text(value)).filter(|size| (1..=4095).contains(size));
            let wrong = "Invalid buffer size (should be 1-4095).";
            low.buffer_size = Some(size.ok_or_else(|| ArgError::Invalid(wrong.into()))?);
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('F'),
        doc: "Flight recorder: with -o run in the background, without it leave the output in memory.",
        update: |low, _| {
            low.flight_recorder = true;
            Ok(())
        },
        ..BASE
    },
    Flag {
        short: Some('S'),
        takes: Takes::Required("MB[,N]"),
        doc: "Start another output file after MB megabytes, and keep the last N.",
        update: |low, value| {
            let value = text(value);
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let (size, files) = value.split_once(',').unwrap_or((&value, "0"));
            safe(digits(size) && digits(files), "-S parameter", &value, "^[0-9]+(,[0-9]+)?$")?;
            low.file_sizes = Some(value);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("color"),
        alias: Some("colour"),
        takes: Takes::Optional("WHEN"),
        doc: "Colours in messages: auto, always or never.",
        update: |low, value| {
            low.color = Some(match value.map(|value| value.to_string_lossy()).as_deref() {
                None | Some("always") => Color::Always,
                Some("auto") => Color::Auto,
                Some("never") => Color::Never,
                Some(other) => return Err(bad_value(other, "--color")),
            });
            Ok(())
        },
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::low::{Color, LowArgs};
    use super::super::parse;

    fn read(line: &[&str]) -> Result<LowArgs, String> {
        let words: Vec<_> = std::iter::once("stap").chain(line.iter().copied()).map(Into::into).collect();
        parse(&words, false).map_err(|error| error.to_string())
    }

    #[test]
    fn verbosity_by_pass() {
        assert_eq!(read(&["-v", "--vp", "00102"]).unwrap().verbosity, [1, 1, 2, 1, 3]);
        for bad in ["", "123456", "1x"] {
            assert!(read(&["--vp", bad]).unwrap_err().starts_with("Invalid --vp"), "{bad}");
        }
    }

    #[test]
    fn buffer_sizes() {
        assert_eq!(read(&["-s", "4095"]).unwrap().buffer_size, Some(4095));
        for bad in ["0", "4096", "x", "1x"] {
            assert_eq!(read(&["-s", bad]).unwrap_err(), "Invalid buffer size (should be 1-4095).", "{bad}");
        }
    }

    #[test]
    fn file_sizes() {
        for good in ["1", "10,2"] {
            assert_eq!(read(&["-S", good]).unwrap().file_sizes.as_deref(), Some(good));
        }
        for bad in ["", "1,", ",1", "1,2,3", "a"] {
            assert!(read(&["-S", bad]).unwrap_err().contains("Safety pattern mismatch"), "{bad}");
        }
    }

    #[test]
    fn colours() {
        assert_eq!(read(&["--color"]).unwrap().color, Some(Color::Always));
        assert_eq!(read(&["--colour=never"]).unwrap().color, Some(Color::Never));
        assert_eq!(read(&["--color=x"]).unwrap_err(), "Invalid argument 'x' for --color.");
    }
}
