//! Upstream's scripts: which there are in a group, and how each is started.

use std::fs;
use std::path::{Path, PathBuf};

use super::Group;
use super::analyse::{self, Words};
use crate::case::split_words;
use crate::lab::{IoContext, Result};

/// One of upstream's scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Folder and file, for instance `semko/one.stp`.
    pub name: String,
    /// The file on the host.
    pub(super) path: PathBuf,
    pub(super) start: Start,
}

/// What stands before folder and file in the names of scripts that are printed by pass 1 and tried again.
pub(super) const PARSED_AGAIN: &str = "parse-semok/";

/// The same for scripts whose C is inspected.
pub(super) const EMITTED: &str = "emitted/";

impl Script {
    /// The file on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file below upstream's `testsuite`.
    pub(super) fn file(&self) -> &str {
        let prefixed = [PARSED_AGAIN, EMITTED].iter().find_map(|prefix| self.name.strip_prefix(prefix));
        prefixed.unwrap_or(&self.name)
    }
}

/// How upstream's harness starts a script (testsuite/lib/systemtap.exp:stap_run_batch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Its first line is `#! stap WORDS`: stap with these words and the file's name.
    Stap(Vec<String>),
    /// Anything else is a program of its own; one without `#!` is a shell script, as for the shell.
    Program(Vec<String>),
    /// Whatever its first line says: stap, only to parse it.
    Parse,
    /// Pass 2 of the script and of what pass 1 prints of it, with these options.
    ParsedAgain(Vec<String>),
    /// Up to pass 3, with these options.
    Emitted(Vec<String>),
    /// Pass 2 with these words, in the folder of the script.
    Analyse(Words),
}

impl Script {
    /// Whether upstream says that it should be accepted: it is in a folder whose name ends in `ok`.
    pub fn should_be_accepted(&self) -> bool {
        self.file().split('/').next().is_some_and(|folder| folder.ends_with("ok"))
    }
}

/// Arguments for scripts that are only parsed: numbers, which most places of a script take.
pub(super) const ARGUMENTS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

/// The scripts of a group below upstream's folder, by name.
///
/// # Errors
/// A folder or file cannot be read.
pub fn scripts(upstream: &Path, group: Group) -> Result<Vec<Script>> {
    let mut scripts = Vec::new();
    let Some(folders) = group.folders() else {
        add_all(&upstream.join("testsuite"), "", &mut scripts)?;
        if group == Group::SemAll {
            for folder in ["doc", "stap-exporter"].map(|folder| upstream.join(folder)) {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if folder.is_dir() {
                    add_all(&folder, &format!("../{name}/"), &mut scripts)?;
                }
            }
            for script in &mut scripts {
                let bytes = fs::read(&script.path).doing(|| format!("reading {}", script.path.display()))?;
                script.start = Start::Analyse(analyse::words(&script.path, &first_line(&bytes)));
            }
        }
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        return Ok(scripts);
    };
    for folder in folders {
        let dir = upstream.join("testsuite").join(folder);
        let reading = || format!("reading {}", dir.display());
        for entry in fs::read_dir(&dir).doing(reading)? {
            let path = entry.doing(reading)?.path();
            let is_script = path.is_file() && path.extension().is_some_and(|extension| extension == "stp");
            if let (true, Some(file)) = (is_script, path.file_name()) {
                let name = format!("{folder}/{}", file.to_string_lossy());
                let bytes = fs::read(&path).doing(|| format!("reading {}", path.display()))?;
                match (group, start(&first_line(&bytes))) {
                    (Group::ParseSem, Start::Stap(words)) => {
                        let name = format!("{PARSED_AGAIN}{name}");
                        scripts.push(Script { name, start: Start::ParsedAgain(without_pass(&words)), path });
                    }
                    (Group::Emit, Start::Stap(words)) => {
                        let name = format!("{EMITTED}{name}");
                        scripts.push(Script { name, start: Start::Emitted(without_pass(&words)), path });
                    }
                    // It says itself which passes it goes through.
                    (Group::ParseSem | Group::Emit, _) => {}
                    (_, start) => scripts.push(Script { name, start, path }),
                }
            }
        }
    }
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scripts)
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&byte| byte == b'\n').next().unwrap_or_default()).into_owned()
}

/// Adds all scripts below a folder; `prefix` is its path from the top, with a slash at the end.
fn add_all(dir: &Path, prefix: &str, scripts: &mut Vec<Script>) -> Result<()> {
    let reading = || format!("reading {}", dir.display());
    for entry in fs::read_dir(dir).doing(reading)? {
        let entry = entry.doing(reading)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = format!("{prefix}{}", name.to_string_lossy());
        let kind = entry.file_type().doing(reading)?;
        if kind.is_dir() {
            add_all(&path, &format!("{name}/"), scripts)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "stp") {
            scripts.push(Script { name, start: Start::Parse, path });
        }
    }
    Ok(())
}

fn start(first_line: &str) -> Start {
    if let Some(words) = first_line.strip_prefix("#! stap ") {
        // A line that a shell could not split is left whole; stap refuses it then.
        return Start::Stap(split_words(words).unwrap_or_else(|_| vec![words.to_owned()]));
    }
    match first_line.strip_prefix("#!").map(str::split_whitespace) {
        Some(words) if words.clone().next().is_some() => Start::Program(words.map(str::to_owned).collect()),
        _ => Start::Program(vec!["/bin/sh".into()]),
    }
}

/// Options without the one that names the last pass, which may stand in a cluster: `-gp4` is `-g`.
pub(super) fn without_pass(words: &[String]) -> Vec<String> {
    let flags = |letter: char| "gtuvwW".contains(letter);
    let plain = |word: &String| {
        let letters = word.strip_prefix('-')?;
        let (before, after) = letters.split_at(letters.find('p')?);
        let after = after.strip_prefix('p')?.strip_prefix(|digit: char| digit.is_ascii_digit())?;
        before.chars().all(flags).then(|| format!("-{before}{after}"))
    };
    words.iter().map(|word| plain(word).unwrap_or_else(|| word.clone())).filter(|word| word != "-").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_of_the_last_pass_goes() {
        let without =
            |line: &str| without_pass(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).join(" ");
        assert_eq!(without("-gp4 -wp2 -p3"), "-g -w");
        assert_eq!(without("-p2u --skip-badvars -DX=p1"), "-u --skip-badvars -DX=p1");
    }

    #[test]
    fn the_first_line_says_how_to_start() {
        assert_eq!(start("#! stap -u -p2"), Start::Stap(vec!["-u".into(), "-p2".into()]));
        assert_eq!(start("#! /bin/sh"), Start::Program(vec!["/bin/sh".into()]));
        assert_eq!(start("//bin/true && exec stap"), Start::Program(vec!["/bin/sh".into()]));
        assert_eq!(start(""), Start::Program(vec!["/bin/sh".into()]));
    }
}
