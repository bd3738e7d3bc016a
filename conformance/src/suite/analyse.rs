//! Every script of upstream's tree in pass 2: with which words each is started, and which differences are for want of debug
//! information.

use std::path::Path;

use crate::case::split_words;

use super::script::ARGUMENTS;

/// Words for stap: those before the script's name and those after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub options: Vec<String>,
    pub arguments: Vec<String>,
}

/// The words for pass 2 of a script: those that an example's description tests it with (`test_check` in the `.meta` file
/// beside it), else those of its first line, else `-g` and some numbers, which most places of a script take.
pub(super) fn words(path: &Path, first_line: &str) -> Words {
    let described = std::fs::read_to_string(path.with_extension("meta")).ok();
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let described = described.as_deref().and_then(|text| {
        text.lines().filter_map(|line| line.strip_prefix("test_check:")).find_map(|line| of_check(line, file))
    });
    described.or_else(|| of_first_line(first_line)).unwrap_or_else(|| Words {
        options: vec!["-g".into(), "-p2".into()],
        arguments: ARGUMENTS.map(str::to_owned).to_vec(),
    })
}

/// `stap -p4 -w FILE ARGUMENTS`, unless a shell would have to make something of it.
fn of_check(line: &str, file: &str) -> Option<Words> {
    if line.contains(['$', '`', '|', ';', '<', '>', '&']) {
        return None;
    }
    let words = split_words(line.trim()).ok()?;
    let (program, words) = words.split_first()?;
    let at = words.iter().position(|word| word == file)?;
    (program == "stap")
        .then(|| Words { options: in_pass_2(&words[..at]), arguments: words[at + 1..].to_vec() })
}

/// `#! stap -u -p4`, `#! /usr/bin/env stap`.
fn of_first_line(line: &str) -> Option<Words> {
    let words = split_words(line.strip_prefix("#!")?).ok()?;
    let at = words.iter().position(|word| word == "stap" || word.ends_with("/stap"))?;
    Some(Words { options: in_pass_2(&words[at + 1..]), arguments: ARGUMENTS.map(str::to_owned).to_vec() })
}

/// Options with pass 2 as the last one, whatever they said: `-gp4` is `-g -p2`. What only pass 5 needs goes.
fn in_pass_2(words: &[String]) -> Vec<String> {
    let mut options = super::script::without_pass(words);
    options.push("-p2".into());
    options
}

/// What shows in the output of pass 2 that stap found points or types by debug information, by compiling headers or in
/// the tables of programs and modules.
const MARKS: [&str; 8] = [
    "kernel.trace(",
    "kernel.tracepoint(",
    "kernel.function(",
    "module(",
    "_dwarf_",
    ".function(",
    ".statement(",
    ".mark(",
];

/// True if what stap printed rests on such things.
pub(super) fn rests_on_debug_information(stdout: &str) -> bool {
    MARKS.iter().any(|mark| stdout.contains(mark))
}

/// What rstap says, in its form for machines, of what it cannot serve for want of debug information.
const REFUSALS: [&str; 6] = [
    "need symbols or debug information",
    "\"site\":\"resolve/target\"",
    "\"site\":\"resolve/var\"",
    "\"site\":\"resolve/cast\"",
    "\"site\":\"resolve/autocast\"",
    "\"site\":\"types.enumname\"",
];

/// True if rstap's messages name such a thing.
pub(super) fn wants_debug_information(messages: &str) -> bool {
    REFUSALS.iter().any(|refusal| messages.contains(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: Option<Words>) -> Option<String> {
        words.map(|words| format!("{} FILE {}", words.options.join(" "), words.arguments.join(" ")))
    }

    #[test]
    fn descriptions_and_first_lines_name_options() {
        let check = of_check(" stap -gp4 -I tapset x.stp 'a b'", "x.stp");
        assert_eq!(line(check).as_deref(), Some("-g -I tapset -p2 FILE a b"));
        assert_eq!(of_check("stap -p4 x.stp -x $$", "x.stp"), None);
        let first = of_first_line("#! /usr/bin/env stap -u -p4");
        assert_eq!(line(first).as_deref(), Some("-u -p2 FILE 1 2 3 4 5 6"));
        assert_eq!(of_first_line("#! /bin/sh"), None);
    }
}
