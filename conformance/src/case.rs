//! End-to-end cases: scripts whose leading comments say how to run them and what must come out.
//!
//! To add a case, put `NAME.stp` into `conformance/cases/` with any of these lines at its top:
//!
//! | line | meaning |
//! | --- | --- |
//! | `# args: -g -DX=1` | options for the translator, split like shell words |
//! | `# words: a b` | arguments of the script itself |
//! | `# stdout: text` | one expected line; repeatable; a sibling `NAME.out` holds longer texts |
//! | `# stderr: text` | a text that must occur in the standard error; repeatable |
//! | `# exit: 1` | the expected exit status (0 unless given) |
//! | `# fails: build` | the expected failure is one of passes 1 to 4: no module is loaded |
//! | `# needs: runtime>=5.0 linux>=6.2` | conditions on the root |
//! | `# roots: forky trixie` | the only roots it is for |
//! | `# stdin: text` | one line of the run's standard input, which is empty unless given; repeatable |
//! | `# interrupt: text` | send one Ctrl-C to the run when it has printed this text |
//! | `# then: cat out.txt` | a line of shell that runs after it in the same folder, its output behind that of the run; repeatable |
//! | `# limit: 30` | seconds that pass 5 may take (60 unless given) |
//!
//! Other comments stay comments as long as they do not look like `# word: text` in lower case.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lab::{IoContext, LabError, Suite};

/// How long pass 5 may take when a case does not say.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The file's stem; also the module's name, after a prefix.
    pub name: String,
    /// The script file.
    pub path: PathBuf,
    /// Options for the translator.
    pub args: Vec<String>,
    /// Arguments of the script.
    pub words: Vec<String>,
    /// What must come out.
    pub expected: Expected,
    /// Conditions on the root.
    pub needs: Vec<Need>,
    /// The roots it is for; empty for all.
    pub roots: Vec<Suite>,
    /// How long pass 5 may take.
    pub limit: Duration,
    /// The run is interrupted when its standard output has this text.
    pub interrupt: Option<String>,
    /// What the run reads.
    pub stdin: Option<String>,
    /// Lines of shell that follow the run.
    pub then: Option<String>,
}

/// What must come out of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The whole standard output, when the case says one.
    pub stdout: Option<String>,
    /// Texts that occur in the standard error.
    pub stderr: Vec<String>,
    /// The exit status.
    pub exit: i32,
    /// Whether one of passes 1 to 4 must fail.
    pub fails_in_build: bool,
}

/// A condition such as `linux>=6.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What is compared.
    pub subject: Subject,
    /// The least version that will do.
    pub at_least: Vec<u32>,
    /// The condition as written.
    pub text: String,
}

/// What a [`Need`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The version of the installed systemtap.
    Runtime,
    /// The version of the root's kernel.
    Linux,
}

/// Facts of a root that needs are compared with.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// For instance `5.1`.
    pub runtime: Vec<u32>,
    /// For instance `6.12.9`.
    pub linux: Vec<u32>,
}

impl Need {
    /// Whether a root with these facts will do.
    pub fn is_met(&self, facts: &Facts) -> bool {
        match self.subject {
            Subject::Runtime => facts.runtime >= self.at_least,
            Subject::Linux => facts.linux >= self.at_least,
        }
    }
}

/// The numbers at the start of a version: `6.12.9+deb13` is 6, 12, 9.
pub fn version_numbers(text: &str) -> Vec<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].split('.').map_while(|number| number.parse().ok()).collect()
}

impl Case {
    /// All cases of a folder, by name.
    ///
    /// # Errors
    /// The folder or a file cannot be read, or a file has a wrong directive.
    pub fn load_all(dir: &Path) -> Result<Vec<Case>, LabError> {
        let reading = || format!("reading {}", dir.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).doing(reading)? {
            let path = entry.doing(reading)?.path();
            if path.extension().is_some_and(|extension| extension == "stp") {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| Case::load(path)).collect()
    }

    /// The case in a file, with its sibling `.out` if there is one.
    ///
    /// # Errors
    /// The file cannot be read or has a wrong directive.
    pub fn load(path: &Path) -> Result<Case, LabError> {
        let text = fs::read_to_string(path).doing(|| format!("reading {}", path.display()))?;
        let mut case = Case::parse(path, &text)
            .map_err(|what| LabError::Unexpected { what: format!("{}: {what}", path.display()) })?;
        let out = path.with_extension("out");
        if out.exists() {
            case.expected.stdout =
                Some(fs::read_to_string(&out).doing(|| format!("reading {}", out.display()))?);
        }
        Ok(case)
    }

    fn parse(path: &Path, text: &str) -> Result<Case, String> {
        let name =
            path.file_stem().and_then(|stem| stem.to_str()).ok_or("the file's name is not plain text")?;
        let expected = Expected { stdout: None, stderr: Vec::new(), exit: 0, fails_in_build: false };
        let mut case = Case {
            name: name.to_owned(),
            path: path.to_owned(),
            args: Vec::new(),
            words: Vec::new(),
            expected,
            needs: Vec::new(),
            roots: Vec::new(),
            limit: DEFAULT_LIMIT,
            interrupt: None,
            stdin: None,
            then: None,
        };
        for (number, line) in text.lines().enumerate().take_while(|(_, line)| line.starts_with('#')) {
            if let Some((key, value)) = directive(line) {
                case.set(key, value).map_err(|why| format!("line {}: {why}", number + 1))?;
            }
        }
        Ok(case)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "args" => self.args.extend(split_words(value)?),
            "words" => self.words.extend(split_words(value)?),
            "stdout" => push_line(&mut self.expected.stdout, value),
            "stdin" => push_line(&mut self.stdin, value),
            "then" => push_line(&mut self.then, value),
            "stderr" => self.expected.stderr.push(value.to_owned()),
            "exit" => {
                self.expected.exit = value.parse().map_err(|_| format!("`{value}` is not an exit status"))?
            }
            "fails" if value == "build" => self.expected.fails_in_build = true,
            "fails" => return Err(format!("a case can only fail in `build`, not in `{value}`")),
            "interrupt" => self.interrupt = Some(value.to_owned()),
            "needs" => {
                for text in value.split_whitespace() {
                    self.needs.push(parse_need(text)?);
                }
            }
            "roots" => {
                for name in value.split_whitespace() {
                    self.roots.push(name.parse()?);
                }
            }
            "limit" => {
                let seconds = value.parse().map_err(|_| format!("`{value}` is not a number of seconds"))?;
                self.limit = Duration::from_secs(seconds);
            }
            _ => return Err(format!("there is no directive `{key}`")),
        }
        Ok(())
    }

    /// Why the case is not for a root, or nothing when it is.
    pub fn not_for(&self, suite: Suite, facts: &Facts) -> Option<String> {
        if !self.roots.is_empty() && !self.roots.contains(&suite) {
            return Some("not for this root".into());
        }
        self.needs.iter().find(|need| !need.is_met(facts)).map(|need| format!("needs {}", need.text))
    }

    /// The name of the module that the case is made into.
    pub fn module_name(&self) -> String {
        let plain =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
        format!("case_{}", plain.collect::<String>())
    }
}

fn push_line(text: &mut Option<String>, line: &str) {
    let text = text.get_or_insert_default();
    text.push_str(line);
    text.push('\n');
}

/// Takes `# key: value` apart; other comments are not directives.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("# ")?.split_once(':')?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_key.then(|| (key, value.strip_prefix(' ').unwrap_or(value)))
}

fn parse_need(text: &str) -> Result<Need, String> {
    let wrong = || format!("`{text}` is not a condition such as linux>=6.2");
    let (subject, version) = text.split_once(">=").ok_or_else(wrong)?;
    let subject = match subject {
        "runtime" => Subject::Runtime,
        "linux" => Subject::Linux,
        _ => return Err(wrong()),
    };
    let at_least = version_numbers(version);
    if at_least.is_empty() { Err(wrong()) } else { Ok(Need { subject, at_least, text: text.into() }) }
}

/// Splits like a shell without expansions: blanks separate, quotes group, a backslash takes the next character.
///
/// # Errors
/// A quote is not closed.
pub fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is not closed in `{text}`"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Case, String> {
        Case::parse(Path::new("dir/Some-Name.stp"), text)
    }

    #[test]
    fn directives_end_at_the_first_line_that_is_no_comment() {
        let case = parse(
            "#! stap\n# What it is about: a comment.\n# args: -g -D'A B'=1\n# stdout: one\n# stdout:   two\n\
             # stdout:\n# stdin: in\n# then: ls\n# exit: 1\n# stderr: ERROR\n# limit: 5\n# roots: forky\n# needs: linux>=6.2\n\
             probe begin {}\n# exit: 9\n",
        )
        .unwrap();
        assert_eq!(case.args, ["-g", "-DA B=1"]);
        assert_eq!(case.expected.stdout.as_deref(), Some("one\n  two\n\n"));
        assert_eq!(case.stdin.as_deref(), Some("in\n"));
        assert_eq!(case.then.as_deref(), Some("ls\n"));
        assert_eq!((case.expected.exit, case.limit), (1, Duration::from_secs(5)));
        assert_eq!(case.module_name(), "case_some_name");
        assert_eq!(case.roots, [Suite::Forky]);
    }

    #[test]
    fn wrong_directives_are_refused_with_their_line() {
        assert_eq!(parse("# x\n# exitt: 1\n").unwrap_err(), "line 2: there is no directive `exitt`");
        assert!(parse("# needs: moon>=1\n").unwrap_err().contains("`moon>=1` is not a condition"));
        assert!(parse("# args: 'x\n").unwrap_err().contains("not closed"));
        assert!(parse("# roots: sarge\n").unwrap_err().contains("no root `sarge`"));
    }

    #[test]
    fn needs_compare_versions_by_number() {
        let case = parse("# needs: linux>=6.2 runtime>=5.0\n").unwrap();
        let facts = |runtime: &str, linux: &str| Facts {
            runtime: version_numbers(runtime),
            linux: version_numbers(linux),
        };
        assert_eq!(case.not_for(Suite::Forky, &facts("5.6", "7.2.12+deb14")), None);
        assert_eq!(case.not_for(Suite::Trixie, &facts("5.1", "6.12.9")), None);
        assert_eq!(
            case.not_for(Suite::Bookworm, &facts("4.8", "6.1.0")).as_deref(),
            Some("needs linux>=6.2")
        );
    }

    #[test]
    fn words_are_split_like_a_shell_would() {
        assert_eq!(split_words(r#"a 'b c' "d \" e" f\ g '' "#).unwrap(), ["a", "b c", "d \" e", "f g", ""]);
    }

    #[test]
    fn the_cases_of_the_project_are_well_formed() {
        let cases = Case::load_all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))).unwrap();
        assert!(!cases.is_empty());
        for case in &cases {
            let checked = case.expected.stdout.is_some() || !case.expected.stderr.is_empty();
            assert!(checked, "{} expects nothing", case.name);
            assert!(case.module_name().len() <= 55, "{} has too long a name", case.name);
        }
    }
}
