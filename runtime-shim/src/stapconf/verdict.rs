//! What a compile test says: the feature is there, it is not, or the test itself is broken.

use crate::command::Outcome;

/// The answer of one feature test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The macro is defined.
    Yes,
    /// The macro is not defined, because the kernel lacks the feature.
    No,
    /// The test failed for a reason that is not the feature; the compiler's words.
    Broken(String),
}

/// Warnings that the tests make errors of (see `TEST_WARNINGS` beside), because these are how a feature shows
/// that it is missing. An error from any other warning option says nothing about the feature.
const SIGNALS: [&str; 8] = [
    "implicit-function-declaration",
    "int-conversion",
    "incompatible-pointer-types",
    "incompatible-function-pointer-types",
    "implicit-int",
    "strict-prototypes",
    "declaration-missing-parameter-type",
    "return-mismatch",
];

/// One error line with where it is.
struct Diagnostic<'a> {
    file: &'a str,
    message: &'a str,
    fatal: bool,
}

/// Judges the outcome of compiling the test `file` (the path as the compiler was given it) with text `test`.
///
/// The first error decides, since later ones may only follow from it. It is the feature's own signal if it is
/// located in the test itself (or in a macro that the test expands) and is a hard error or one of the warnings which
/// the tests turn into errors; a missing header is a signal only if the test itself includes it. Everything else (an
/// error inside a kernel header, a missing header of a header, an unknown option, a crash, a warning class made an
/// error by someone else) is broken.
pub fn judge(file: &str, test: &str, outcome: &Outcome) -> Verdict {
    if outcome.success {
        return Verdict::Yes;
    }
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    if let Some(crash) = lines.iter().find(|line| line.contains("internal compiler error")) {
        return broken(crash);
    }
    let Some((at, line, first)) =
        lines.iter().enumerate().find_map(|(at, line)| Some((at, line, parse(line)?)))
    else {
        let words = outcome.stderr.trim();
        return broken(if words.is_empty() { "the compiler failed without a word" } else { words });
    };
    // Where a macro's body is at fault, the compiler names the macro's header and adds where it was used.
    let expanded_here = lines
        .iter()
        .skip(at + 1)
        .take_while(|line| parse(line).is_none())
        .any(|line| line.starts_with(file) && line.contains("in expansion of macro"));
    let here = first.file == file || expanded_here;
    let missing = first.message.split_once(": No such file").map(|(name, _)| name.trim_matches(['\'', '"']));
    let signal = match (first.fatal, option_of(first.message)) {
        (true, _) => missing.is_some_and(|name| includes(test, name)),
        (false, Some(option)) => SIGNALS.contains(&option),
        (false, None) => true,
    };
    if here && signal { Verdict::No } else { broken(line) }
}

fn broken(words: &str) -> Verdict {
    Verdict::Broken(words.trim().to_owned())
}

/// `file:line:column: error: message` or `fatal error`; errors without a place (`cc1: error: ...`) have the
/// program's name as file. "cc1: some warnings being treated as errors" is no diagnostic.
fn parse(line: &str) -> Option<Diagnostic<'_>> {
    let (place, message, fatal) = if let Some((place, message)) = line.split_once(": fatal error: ") {
        (place, message, true)
    } else {
        let (place, message) = line.split_once(": error: ")?;
        (place, message, false)
    };
    // The place may lack the column, or line and column both.
    let mut file = place;
    for _ in 0..2 {
        match file.rsplit_once(':') {
            Some((rest, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
                file = rest
            }
            _ => break,
        }
    }
    Some(Diagnostic { file, message, fatal })
}

/// The warning option in `[-Werror=option]`, `[-Woption]` or clang's `[-Werror,-Woption]`.
fn option_of(message: &str) -> Option<&str> {
    let inside = message.trim_end().strip_suffix(']')?.rsplit_once("[-W")?.1;
    let option = inside.strip_prefix("error=").or_else(|| inside.strip_prefix("error,-W")).unwrap_or(inside);
    Some(option.split_once('=').map_or(option, |(name, _)| name))
}

fn includes(test: &str, header: &str) -> bool {
    test.lines().any(|line| {
        let Some(rest) = line.trim_start().strip_prefix('#') else { return false };
        let Some(rest) = rest.trim_start().strip_prefix("include") else { return false };
        rest.trim().trim_matches(['<', '>', '"']) == header
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/rt/linux/autoconf-x.c";

    fn verdict(test: &str, stderr: &str) -> Verdict {
        judge(FILE, test, &Outcome { success: false, stderr: stderr.to_owned(), ..Outcome::default() })
    }

    #[test]
    fn the_features_own_signals_mean_no() {
        for message in [
            "implicit declaration of function 'cpu_clock' [-Werror=implicit-function-declaration]",
            "'struct task_struct' has no member named 'uid'",
            "implicit declaration of function 'f' [-Wimplicit-function-declaration]",
            "too few arguments to function 'on_each_cpu'",
            "call to undeclared function 'f' [-Werror,-Wimplicit-function-declaration]",
            "passing argument 1 of 'f' from incompatible pointer type [-Wincompatible-pointer-types]",
        ] {
            let stderr = format!(
                "{FILE}: In function 'f':\n{FILE}:5:3: error: {message}\ncc1: some warnings being treated as errors\n"
            );
            assert_eq!(verdict("", &stderr), Verdict::No, "{message}");
        }
    }

    #[test]
    fn a_missing_header_is_a_signal_only_for_the_test_that_asks_for_it() {
        let stderr = format!(
            "{FILE}:1:10: fatal error: linux/genhd.h: No such file or directory\ncompilation terminated.\n"
        );
        assert_eq!(verdict("#include <linux/genhd.h>\n", &stderr), Verdict::No);
        let inside = "/k/include/linux/x.h:3:10: fatal error: asm/gone.h: No such file or directory\n";
        assert!(matches!(verdict("#include <linux/x.h>\n", inside), Verdict::Broken(_)));
    }

    #[test]
    fn what_follows_from_a_signal_does_not_count() {
        let stderr = format!(
            "{FILE}:3:60: error: 'struct proc_ns_operations' has no member named 'type'\n\
             {FILE}:3:67: error: positional initialization of field [-Werror=designated-init]\n"
        );
        assert_eq!(verdict("", &stderr), Verdict::No);
    }

    #[test]
    fn other_failures_are_broken() {
        for stderr in [
            "cc1: error: unrecognized command-line option '-fnew'\n".to_owned(),
            format!("{FILE}:3:1: internal compiler error: Segmentation fault\n"),
            format!("{FILE}:3:5: error: no previous prototype for 'foo' [-Werror=missing-prototypes]\n"),
            "/k/include/linux/sched.h:9:1: error: unknown type name 'u128'\n".to_owned(),
            String::new(),
        ] {
            assert!(matches!(verdict("", &stderr), Verdict::Broken(_)), "{stderr}");
        }
    }

    #[test]
    fn an_error_in_a_macro_belongs_to_its_user() {
        let stderr = format!(
            "/k/include/linux/list.h:9:1: error: 'struct hlist_node' has no member named 'x'\n\
             {FILE}:4:2: note: in expansion of macro 'hlist_for_each_entry'\n"
        );
        assert_eq!(verdict("", &stderr), Verdict::No);
    }
}
