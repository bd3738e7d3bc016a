//! Options that `stap` does not have.

use super::low::{DiagnosticsForm, Special};
use super::passes::bad_value;
use super::{Category, Flag, Takes, text};

const BASE: Flag = Flag { category: Category::Own, ..Flag::EMPTY };

/// The options, in the order of the help text.
pub const FLAGS: &[Flag] = &[
    Flag {
        long: Some("diagnostics"),
        takes: Takes::Required("FORM"),
        doc: "Print errors and warnings as stap does (stap), framed with labels and advice (rich), or as one JSON \
              object for each line (json). Without it: rich on a terminal that is not a dumb one, stap \
              elsewhere.",
        update: |low, value| {
            low.diagnostics = Some(match text(value).as_str() {
                "stap" => DiagnosticsForm::Stap,
                "rich" => DiagnosticsForm::Rich,
                "json" => DiagnosticsForm::Json,
                other => return Err(bad_value(other, "--diagnostics")),
            });
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("emit-staprun"),
        takes: Takes::Required("FILE"),
        doc: "With -p4: write the command of pass 5 to FILE, one word for each line.",
        update: |low, value| {
            low.emit_staprun = value.map(Into::into);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("list-repairs"),
        doc: "List what rstap can make up for in a runtime that does not fit its kernel, and exit.",
        update: |low, _| {
            low.special = Some(Special::ListRepairs);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("print-runtime-profile"),
        doc: "Print what the runtime in use has, and exit.",
        update: |low, _| {
            low.special = Some(Special::RuntimeProfile);
            Ok(())
        },
        ..BASE
    },
    Flag {
        long: Some("strict-warnings"),
        doc: "In pass 4, let a warning of the compiler under the kernel's own flags fail the build, unless it is about \
              the runtime's text.",
        update: |low, _| {
            low.strict_warnings = true;
            Ok(())
        },
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::low::Special;
    use super::super::parse;

    #[test]
    fn forms_of_diagnostics() {
        let read = |word: &str| parse(&["stap".into(), word.into()], false);
        assert!(read("--diagnostics=json").is_ok());
        assert_eq!(
            read("--diagnostics=x").unwrap_err().to_string(),
            "Invalid argument 'x' for --diagnostics."
        );
        assert_eq!(read("--list-repairs").unwrap().special, Some(Special::ListRepairs));
    }
}
