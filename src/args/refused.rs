//! Options of `stap` that this version does not serve. They are recognised, so that their arguments are not taken for
//! scripts, and each says that it does nothing.

use super::{ArgError, Category, Flag, Support, Takes};

/// The run is the same without it.
const IGNORED: Flag = Flag { category: Category::Refused, support: Support::Ignored, ..Flag::EMPTY };
/// The run would be another one without it.
const REFUSED: Flag = Flag { category: Category::Refused, support: Support::Refused, ..Flag::EMPTY };

/// The options, in the order of the help text.
pub const FLAGS: &[Flag] = &[
    Flag { short: Some('i'), long: Some("interactive"), doc: "Interactive mode.", ..REFUSED },
    Flag { long: Some("language-server"), doc: "Serve an editor.", ..REFUSED },
    Flag {
        long: Some("monitor"),
        takes: Takes::Optional("SECONDS"),
        doc: "Watch and steer the script while it runs.",
        ..REFUSED
    },
    Flag { short: Some('q'), doc: "Keep account of the tapset's use.", ..IGNORED },
    Flag { short: Some('P'), doc: "Skip the prologues of functions.", ..IGNORED },
    Flag {
        long: Some("prologue-searching"),
        takes: Takes::Optional("WHEN"),
        doc: "Skip the prologues of functions: auto, always or never.",
        update: |_, value| match value.map(|word| word.to_string_lossy()).as_deref() {
            None | Some("auto" | "always" | "never") => Ok(()),
            Some(other) => {
                Err(ArgError::Invalid(format!("Invalid argument '{other}' for --prologue-searching.")))
            }
        },
        ..IGNORED
    },
    Flag { long: Some("save-uprobes"), doc: "Keep the uprobes module.", ..IGNORED },
    Flag {
        long: Some("download-debuginfo"),
        takes: Takes::Optional("OPTION"),
        doc: "Fetch debug files by means of abrt.",
        ..IGNORED
    },
    Flag {
        long: Some("build-as"),
        takes: Takes::Optional("USER"),
        doc: "Run passes 1 to 4 as USER.",
        update: |_, value| match value {
            // Upstream takes the option without a value and does nothing (session.cxx: LONG_OPT_BUILD_AS).
            None => Ok(()),
            Some(_) => Err(ArgError::Refused("--build-as".into())),
        },
        category: Category::Refused,
        ..Flag::EMPTY
    },
    Flag {
        long: Some("remote"),
        takes: Takes::Required("URI"),
        doc: "Run pass 5 on another machine.",
        ..REFUSED
    },
    Flag { long: Some("remote-prefix"), doc: "Number the lines of remote output.", ..IGNORED },
    Flag {
        long: Some("use-server"),
        takes: Takes::Optional("SPEC"),
        doc: "Use a compile server.",
        ..IGNORED
    },
    Flag {
        long: Some("use-server-on-error"),
        takes: Takes::Optional("yes|no"),
        doc: "Use a compile server when the local build fails.",
        ..IGNORED
    },
    Flag {
        long: Some("list-servers"),
        takes: Takes::Optional("PROPERTIES"),
        doc: "List compile servers.",
        ..REFUSED
    },
    Flag {
        long: Some("trust-servers"),
        takes: Takes::Optional("SPEC"),
        doc: "Trust compile servers.",
        ..REFUSED
    },
    Flag {
        long: Some("use-http-server"),
        takes: Takes::Required("SPEC"),
        doc: "Use a compile server over HTTP.",
        ..IGNORED
    },
    Flag {
        long: Some("sign-module"),
        takes: Takes::Optional("PATH"),
        doc: "Sign the module with the machine owner's key.",
        ..REFUSED
    },
    Flag { long: Some("benchmark-sdt"), doc: "Measure static probes.", ..REFUSED },
    Flag {
        long: Some("benchmark-sdt-loops"),
        takes: Takes::Required("N"),
        doc: "Rounds of --benchmark-sdt.",
        ..REFUSED
    },
    Flag {
        long: Some("benchmark-sdt-threads"),
        takes: Takes::Required("N"),
        doc: "Threads of --benchmark-sdt.",
        ..REFUSED
    },
    // In upstream's letters without a meaning (cmdline.h).
    Flag { short: Some('j'), update: |_, _| Err(unhandled(106)), ..REFUSED },
    Flag { short: Some('J'), takes: Takes::Required("ARG"), update: |_, _| Err(unhandled(74)), ..REFUSED },
];

fn unhandled(code: u8) -> ArgError {
    ArgError::Invalid(format!("Unhandled argument code {code}"))
}
