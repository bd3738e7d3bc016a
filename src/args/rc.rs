//! The words of a resource file, split as `wordexp(3)` with `WRDE_NOCMD | WRDE_UNDEF` splits them. What patterns of file
//! names stand for is for the caller to find out.

/// Why a line cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RcError {
    /// A quote without its partner, or a lone backslash.
    #[error("unterminated quote")]
    Quote,
    /// A character that means something to a shell but not here.
    #[error("unquoted special character")]
    Special,
    /// `$(...)` or backquotes.
    #[error("command substitution")]
    Command,
    /// `$NAME` of a variable that is not set.
    #[error("undefined variable")]
    Undefined,
}

/// One word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// The same as a pattern of file names, with backslashes before what was quoted, if it is one.
    pub pattern: Option<String>,
}

/// Stands before characters that were quoted and would mean something in a pattern. No line of a file has it.
const QUOTED: char = '\0';

impl Word {
    fn new(marked: &str) -> Self {
        let text = marked.replace(QUOTED, "");
        let mut before = None;
        let mut is_pattern = false;
        for letter in marked.chars() {
            is_pattern |= matches!(letter, '*' | '?' | '[') && before != Some(QUOTED);
            before = Some(letter);
        }
        Word { text, pattern: is_pattern.then(|| marked.replace(QUOTED, "\\")) }
    }
}

/// Adds a quoted character.
fn quote(word: &mut String, letter: char) {
    if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
        word.push(QUOTED);
    }
    word.push(letter);
}

/// Words of one line. `variable` looks up an environment variable.
///
/// # Errors
/// [`RcError`]; upstream then refuses the whole file.
pub fn split(line: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Word>, RcError> {
    let (mut words, mut word, mut open) = (Vec::new(), String::new(), false);
    let mut chars =
        line.chars().filter(|letter| *letter != QUOTED).collect::<Vec<_>>().into_iter().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            '\'' => {
                open = true;
                loop {
                    match chars.next().ok_or(RcError::Quote)? {
                        '\'' => break,
                        c => quote(&mut word, c),
                    }
                }
            }
            '"' => {
                open = true;
                loop {
                    match chars.next().ok_or(RcError::Quote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(RcError::Quote)? {
                            c @ ('"' | '\\' | '$' | '`') => quote(&mut word, c),
                            c => ['\\', c].into_iter().for_each(|c| quote(&mut word, c)),
                        },
                        '$' => expand(&mut chars, variable)?.chars().for_each(|c| quote(&mut word, c)),
                        '`' => return Err(RcError::Command),
                        c => quote(&mut word, c),
                    }
                }
            }
            '\\' => {
                open = true;
                quote(&mut word, chars.next().ok_or(RcError::Quote)?);
            }
            '$' => {
                // Unquoted values are split again.
                let value = expand(&mut chars, variable)?;
                let mut parts = value.split_whitespace().peekable();
                if value.starts_with(char::is_whitespace) && !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                while let Some(part) = parts.next() {
                    word.push_str(part);
                    if parts.peek().is_some() || value.ends_with(char::is_whitespace) {
                        words.push(std::mem::take(&mut word));
                    }
                }
            }
            '~' if word.is_empty() && !open && matches!(chars.peek(), None | Some('/' | ' ' | '\t')) => {
                match variable("HOME") {
                    Some(home) => word.push_str(&home),
                    None => word.push('~'),
                }
            }
            '`' => return Err(RcError::Command),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '{' | '}' => return Err(RcError::Special),
            c => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    Ok(words.iter().map(|word| Word::new(word)).collect())
}

type Chars = std::iter::Peekable<std::vec::IntoIter<char>>;

/// What follows a `$`.
fn expand(chars: &mut Chars, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, RcError> {
    let braced = match chars.peek() {
        Some('(') => return Err(RcError::Command),
        Some('{') => {
            chars.next();
            true
        }
        _ => false,
    };
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    if braced && chars.next() != Some('}') {
        return Err(RcError::Quote);
    }
    if name.is_empty() {
        return Ok("$".into());
    }
    variable(&name).ok_or(RcError::Undefined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, RcError> {
        Ok(split_line(line)?.into_iter().map(|word| word.text).collect())
    }

    fn split_line(line: &str) -> Result<Vec<Word>, RcError> {
        split(line, &|name| match name {
            "HOME" => Some("/home/me".into()),
            "TWO" => Some("a b".into()),
            _ => None,
        })
    }

    #[test]
    fn words_and_quotes() {
        assert_eq!(
            words(r#" -v  --vp 12 -e 'a b' "c\"d" e\ f '' "#).unwrap(),
            ["-v", "--vp", "12", "-e", "a b", "c\"d", "e f", ""]
        );
    }

    #[test]
    fn what_is_quoted_is_no_pattern() {
        let patterns = |line| -> Vec<Option<String>> {
            split_line(line).unwrap().into_iter().map(|word| word.pattern).collect()
        };
        assert_eq!(patterns(r#"-I a\*b "x?" '[y]'"#), [None, None, None, None]);
        assert_eq!(patterns(r#"~/t*/'*'?x"#), [Some(r"/home/me/t*/\*?x".into())]);
        assert_eq!(words(r#"a\*"*"'?'"#).unwrap(), ["a**?"]);
    }

    #[test]
    fn variables_and_the_home_directory() {
        assert_eq!(
            words(r#"-I ~/t -I$HOME/t "$TWO" $TWO x~ "#).unwrap(),
            ["-I", "/home/me/t", "-I/home/me/t", "a b", "a", "b", "x~"]
        );
        assert_eq!(words("${HOME}x").unwrap(), ["/home/mex"]);
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(words("$NOPE"), Err(RcError::Undefined));
        assert_eq!(words("$(ls)"), Err(RcError::Command));
        assert_eq!(words("a;b"), Err(RcError::Special));
        assert_eq!(words("'a"), Err(RcError::Quote));
    }
}
