//! File names that match a pattern, as `glob(3)` finds them.

use frontend::wildcard::{self, Escape};
use std::path::Path;

/// Names of the files that a pattern stands for, sorted; none if there are none. A backslash takes the meaning of the
/// character behind it. Names that start with a dot need a dot in the pattern.
pub fn matching(pattern: &str) -> Vec<String> {
    let (mut found, rest) = match pattern.strip_prefix('/') {
        Some(rest) => (vec!["/".to_owned()], rest),
        None => (vec![String::new()], pattern),
    };
    let mut parts = rest.split('/').peekable();
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_some() { "/" } else { "" };
        found = found.iter().flat_map(|start| below(start, part)).map(|name| name + end).collect();
    }
    found.retain(|name| Path::new(name).symlink_metadata().is_ok());
    found.sort();
    found
}

/// What a part of a pattern stands for in a folder, whose name ends in a slash or is empty.
fn below(folder: &str, part: &str) -> Vec<String> {
    if !wildcard::is_pattern(part) {
        return vec![format!("{folder}{}", part.replace('\\', ""))];
    }
    let place = if folder.is_empty() { "." } else { folder };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') || part.starts_with('.'))
        .filter(|name| wildcard::matches(part, name, Escape::Backslash))
        .map(|name| format!("{folder}{name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_match_one_level_each() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().to_str().unwrap();
        for name in ["b1", "a1", ".c1"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("a1/x*y"), "").unwrap();
        let names = |pattern: &str| -> Vec<String> {
            let found = matching(&format!("{top}/{pattern}"));
            found.iter().map(|name| name[top.len() + 1..].to_owned()).collect()
        };
        assert_eq!(names("*1"), ["a1", "b1"]);
        assert_eq!(names(".*"), [".c1"]);
        assert_eq!(names("?1/x\\*?"), ["a1/x*y"]);
        assert_eq!(names("[b-z]1"), ["b1"]);
        assert_eq!(names("q*"), Vec::<String>::new());
    }
}
