//! A command as data: this crate says what to run, the driver runs it.

use std::path::PathBuf;

/// A program to start, without a shell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Program and arguments; the program is looked up in `PATH` if it has no slash.
    pub argv: Vec<String>,
    /// Working directory; `None` is the driver's own.
    pub cwd: Option<PathBuf>,
    /// Changes to the driver's environment: a value to set, or `None` to unset.
    pub env: Vec<(String, Option<String>)>,
}

/// What came back from a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Whether it ended with status 0.
    pub success: bool,
    /// Standard output as text; empty if the driver did not keep it.
    pub stdout: String,
    /// Standard error as text.
    pub stderr: String,
}

/// A file to write before a command is run: path and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileToWrite {
    /// Absolute path; its directory is to be made if it is missing.
    pub path: PathBuf,
    /// Whole content.
    pub text: String,
}

/// Splits a line into words as a POSIX shell would, without any expansion: quotes group, a backslash escapes.
///
/// `make` hands flags to a shell, so that is how the text of its variables has to be read.
pub fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut open) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                open = true;
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                open = true;
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => word.push('\\'),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                open = true;
                word.extend(chars.next());
            }
            c if c.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            c => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// One word in the form in which a shell reads it back unchanged.
pub fn shell_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_a_shell_splits_them() {
        assert_eq!(
            shell_words(r#"gcc  -DX='"a b"' -D"Y=\"1\"" '' -I./x\ y"#),
            ["gcc", "-DX=\"a b\"", "-DY=\"1\"", "", "-I./x y"]
        );
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        for word in ["", "plain", "a b", "it's", "$HOME", "\"q\"", "back\\slash", "a\tb"] {
            assert_eq!(shell_words(&shell_quote(word)), [word]);
        }
    }
}
