//! The two translators, and running their passes 1 to 4 inside a root.

pub mod build;
pub mod options;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::enter::Entry;
use crate::lab::{IoContext, LabError, Result, Root};
use options::StapOptions;

/// Where the folder of our program appears inside a root.
const PROGRAM_DIR: &str = "/mnt/rstap";
/// The file into which rstap writes staprun's words, in its working directory.
const STAPRUN_FILE: &str = "staprun-words";

/// A translator.
#[derive(Clone, Debug)]
pub enum Tool {
    /// Ours, with the folder on the host that holds the program.
    Rstap {
        /// The folder of the program `rstap`.
        dir: PathBuf,
    },
    /// The root's own stap: the oracle.
    Stap,
}

impl Tool {
    /// The name that people know it by.
    pub fn name(&self) -> &'static str {
        match self {
            Tool::Rstap { .. } => "rstap",
            Tool::Stap => "stap",
        }
    }

    /// An entry into `root` in which the tool can be started.
    pub fn entry(&self, root: &Root) -> Entry {
        match self {
            // A static program does not load the uname library; this variable is stap's own for the same purpose.
            Tool::Rstap { dir } => {
                Entry::new(root).bind(dir, PROGRAM_DIR).env("SYSTEMTAP_RELEASE", root.release())
            }
            Tool::Stap => Entry::new(root),
        }
    }

    /// The program's path inside the root.
    pub fn program(&self) -> String {
        match self {
            Tool::Rstap { .. } => format!("{PROGRAM_DIR}/rstap"),
            Tool::Stap => "/usr/bin/stap".into(),
        }
    }

    /// The folder that must be shown for the program to be there, and where.
    pub fn folder(&self) -> Option<(&Path, &'static str)> {
        match self {
            Tool::Rstap { dir } => Some((dir, PROGRAM_DIR)),
            Tool::Stap => None,
        }
    }

    /// A command for the tool in `entry` (made by [`Tool::entry`]) that does `words` up to pass 4 and leaves what is
    /// needed for pass 5 in `dir`, which is the entry's folder `inside`.
    ///
    /// # Errors
    /// The root cannot be entered.
    pub fn build_command(&self, entry: &Entry, words: &[String], inside: &str) -> Result<Command> {
        let mut all = options::with_last_pass_4(words);
        match self {
            Tool::Rstap { .. } => {
                let file = format!("{inside}/{STAPRUN_FILE}");
                all.splice(0..0, ["--emit-staprun".to_owned(), file]);
            }
            Tool::Stap => {}
        }
        entry.command(self.program(), all)
    }

    /// The words of pass 5 after a successful build with `words`, which printed `stdout` and left its files in `dir`;
    /// `cwd` is where it ran, inside the root. The module is named by its path inside the root.
    ///
    /// # Errors
    /// The translator did not say where the module is.
    pub fn staprun_words(
        &self,
        words: &[String],
        stdout: &str,
        dir: &Path,
        cwd: &str,
    ) -> Result<StaprunWords> {
        let list = match self {
            Tool::Rstap { .. } => {
                let path = dir.join(STAPRUN_FILE);
                let text = fs::read_to_string(&path).doing(|| {
                    format!("reading the words for staprun that rstap should have left in {}", path.display())
                })?;
                text.lines().map(str::to_owned).collect()
            }
            // With -p4 stap prints the module's file: in its cache, or with -m in the working directory.
            Tool::Stap => {
                let module = stdout.lines().last().unwrap_or_default();
                let path =
                    if module.starts_with('/') { module.to_owned() } else { format!("{cwd}/{module}") };
                StapOptions::scan(words).staprun_words(&path)
            }
        };
        StaprunWords::new(list)
    }
}

/// The command line of staprun, with the module's place in it known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaprunWords {
    words: Vec<String>,
    module: usize,
}

impl StaprunWords {
    fn new(words: Vec<String>) -> Result<StaprunWords> {
        // -c and -o take any word, so the module is the last one with the ending; only VAR=VAL words follow it.
        let module = words.iter().rposition(|word| word.ends_with(".ko"));
        match module {
            Some(module) => Ok(StaprunWords { words, module }),
            None => Err(LabError::Unexpected { what: format!("staprun's words name no module: {words:?}") }),
        }
    }

    /// The module's path.
    pub fn module(&self) -> &str {
        &self.words[self.module]
    }

    /// Whether the script reads standard input (`staprun -i`).
    pub fn reads_stdin(&self) -> bool {
        self.has_option("-i")
    }

    /// Whether a command of the user runs beside the script (`staprun -c`), which may read standard input.
    pub fn runs_command(&self) -> bool {
        self.has_option("-c")
    }

    /// The same for a script that reads standard input. Which scripts do, only the translator knows.
    pub fn with_stdin(mut self) -> StaprunWords {
        if !self.reads_stdin() {
            self.words.insert(1, "-i".into());
            self.module += 1;
        }
        self
    }

    fn has_option(&self, option: &str) -> bool {
        self.words[..self.module].iter().any(|word| word == option)
    }

    /// The module's name: its file's, without the ending.
    pub fn module_name(&self) -> &str {
        let file = self.module().rsplit('/').next().unwrap_or_default();
        file.strip_suffix(".ko").unwrap_or(file)
    }

    /// A shell command with these words, the module being at `path`, and the installed staprun found by `PATH`.
    pub fn shell_command(&self, path: &str) -> String {
        let with_path = self.words.iter().enumerate().map(|(index, word)| match index {
            0 => "staprun".to_owned(),
            index if index == self.module => shell_quoted(path),
            _ => shell_quoted(word),
        });
        with_path.collect::<Vec<_>>().join(" ")
    }
}

/// A word that the shell takes as it is.
pub fn shell_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_among_other_words() {
        let words =
            ["/usr/bin/staprun", "-c", "cat a.ko", "/tmp/x/stap_1.ko", "n=1"].map(str::to_owned).to_vec();
        let words = StaprunWords::new(words).unwrap();
        assert_eq!((words.module(), words.module_name()), ("/tmp/x/stap_1.ko", "stap_1"));
        assert!(words.runs_command() && !words.reads_stdin());
        let with_stdin = words.clone().with_stdin();
        assert!(with_stdin.reads_stdin());
        assert_eq!(with_stdin.shell_command("y.ko"), "staprun '-i' '-c' 'cat a.ko' 'y.ko' 'n=1'");
        assert_eq!(words.shell_command("./y.ko"), "staprun '-c' 'cat a.ko' './y.ko' 'n=1'");
        assert!(StaprunWords::new(vec!["staprun".into()]).is_err());
    }

    #[test]
    fn quotes_survive_the_shell() {
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    }
}
