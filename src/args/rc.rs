//! The words of a resource file, split as `wordexp(3)` with `WRDE_NOCMD | WRDE_UNDEF` splits them.
//!
//! Patterns of file names (`*`) stay as they are: upstream expands them, but no option of the file has a use for it.

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

/// Words of one line. `variable` looks up an environment variable.
///
/// # Errors
/// [`RcError`]; upstream then refuses the whole file.
pub fn split(line: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, RcError> {
    let (mut words, mut word, mut open) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
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
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                open = true;
                loop {
                    match chars.next().ok_or(RcError::Quote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(RcError::Quote)? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        '$' => word.push_str(&expand(&mut chars, variable)?),
                        '`' => return Err(RcError::Command),
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                open = true;
                word.push(chars.next().ok_or(RcError::Quote)?);
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
    Ok(words)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows a `$`.
fn expand(chars: &mut Chars<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, RcError> {
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
