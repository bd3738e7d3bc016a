//! fnmatch(3) over bytes, as upstream uses it: for functors, `%( %)` operands, function and file patterns.

/// What a backslash in a pattern means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// The next character stands for itself.
    Backslash,
    /// Nothing special (`FNM_NOESCAPE`).
    None,
}

/// True if a text has characters that make it a pattern: `*`, `?` or `[`.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// True if `pattern` (with `*`, `?`, `[a-z]`, `[!a-z]`) matches the whole of `text`. `/` and a leading `.` are ordinary.
/// Takes time proportional to the product of both lengths at most.
pub fn matches(pattern: &str, text: &str, escape: Escape) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut position) = (0, 0);
    // The last `*` and the first text byte it does not cover: only that one can still be stretched.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, position));
                at += 1;
                continue;
            }
            None if position == text.len() => return true,
            None => None,
            Some(_) if position == text.len() => None,
            Some(&first) => match_one(first, &pattern[at..], text[position], escape),
        };
        if let Some(length) = step {
            at += length;
            position += 1;
            continue;
        }
        match retry {
            Some((star, from)) if from < text.len() => {
                retry = Some((star, from + 1));
                at = star + 1;
                position = from + 1;
            }
            _ => return false,
        }
    }
}

/// Length of the pattern piece at the start of `rest` (whose first byte is `first`) if it matches `byte`.
fn match_one(first: u8, rest: &[u8], byte: u8, escape: Escape) -> Option<usize> {
    match (first, escape) {
        (b'?', _) => Some(1),
        (b'[', _) => match match_bracket(rest, byte) {
            Some((matched, length)) => matched.then_some(length),
            None => (byte == b'[').then_some(1),
        },
        (b'\\', Escape::Backslash) if rest.len() > 1 => (rest[1] == byte).then_some(2),
        _ => (first == byte).then_some(1),
    }
}

/// Whether a byte is in the bracket expression at the start of `pattern`, and that expression's length; `None` if the
/// bracket is not closed.
fn match_bracket(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(negated);
    let mut at = first;
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((found != negated, at + 1));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_fnmatch() {
        let accepts = |pattern: &str, text: &str| matches(pattern, text, Escape::Backslash);
        assert!(accepts("vfs_*", "vfs_read"));
        assert!(accepts("*_re?d", "vfs_read"));
        assert!(accepts("v[a-g]s*", "vfs_read"));
        assert!(!accepts("v[!a-g]s*", "vfs_read"));
        assert!(accepts("*a*d", "vfs_read"));
        assert!(!accepts("*a*e", "vfs_read"));
        assert!(accepts("*", ""));
        assert!(!accepts("?", ""));
        assert!(accepts("[", "["));
        assert!(accepts("[]]", "]"));
        assert!(accepts("\\*", "*"));
        assert!(!accepts("\\*", "x"));
        assert!(matches("\\*", "\\x", Escape::None));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let text = "a".repeat(2000);
        assert!(!matches(&"a*b*".repeat(60), &text, Escape::None));
    }
}
