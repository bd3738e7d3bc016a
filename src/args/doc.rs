//! The help text, made from the flag table.

use super::{Category, Flag, Takes, flags};
use std::fmt::Write as _;

/// Column in which the sentences start.
const INDENT: usize = 26;
/// Widest line.
const WIDTH: usize = 100;

/// Usage and all options, grouped; ends with a newline.
pub fn help() -> String {
    let mut out = String::from(
        "\
Usage: rstap [options] FILE [arguments]        Run the script in FILE.
   or: rstap [options] - [arguments]           Run the script on standard input.
   or: rstap [options] -e SCRIPT [arguments]   Run SCRIPT.
   or: rstap [options] -l PROBE                List matching probe points.
   or: rstap [options] -L PROBE                List matching probe points with their variables.
   or: rstap [options] --dump-probe-types | --dump-probe-aliases | --dump-functions

Options come from the file rc in $SYSTEMTAP_DIR (default ~/.systemtap) and from the command line. They may stand
after FILE; the word -- ends them.
",
    );
    let titles = [
        (Category::Script, "What to run"),
        (Category::Passes, "Translation"),
        (Category::Target, "Kernel and process"),
        (Category::Output, "Output"),
        (Category::Own, "Not in stap"),
        (Category::Refused, "Known from stap, not served by this version"),
    ];
    for (category, title) in titles {
        let _ = write!(out, "\n{title}:\n");
        for flag in flags().filter(|flag| flag.category == category && !flag.doc.is_empty()) {
            write_flag(&mut out, flag);
        }
    }
    out
}

/// One option: its spellings, then its sentences from column [`INDENT`] on.
fn write_flag(out: &mut String, flag: &Flag) {
    let mut head = String::from("  ");
    if let Some(short) = flag.short {
        let _ = write!(head, "-{short}");
    }
    for (index, long) in flag.long.into_iter().enumerate() {
        if flag.short.is_some() && index == 0 {
            head.push_str(", ");
        }
        let _ = write!(head, "--{long}");
    }
    match flag.takes {
        Takes::Nothing => {}
        Takes::Required(name) => {
            let between = if flag.long.is_some() { "=" } else { " " };
            let _ = write!(head, "{between}{name}");
        }
        Takes::Optional(name) => {
            let _ = write!(head, "[={name}]");
        }
    }
    let mut column = head.len();
    out.push_str(&head);
    if column + 1 > INDENT {
        out.push('\n');
        column = 0;
    }
    let _ = write!(out, "{:1$}", "", INDENT - column);
    column = INDENT;
    for (index, word) in flag.doc.split_whitespace().enumerate() {
        if index > 0 && column + 1 + word.len() > WIDTH {
            let _ = write!(out, "\n{:1$}", "", INDENT);
            column = INDENT;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_flag_is_in_the_help() {
        let help = help();
        for flag in flags().filter(|flag| !flag.doc.is_empty()) {
            let name = match (flag.long, flag.short) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("-{short} "),
                (None, None) => continue,
            };
            assert!(help.contains(&name), "{name}");
        }
        assert!(help.lines().all(|line| line.len() <= 116), "a line is too long");
    }
}
