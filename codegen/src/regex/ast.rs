//! The tree a pattern is parsed into.

use super::charset::ByteSet;

/// A sub-expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Matches the empty string.
    Empty,
    /// Matches one byte of the set.
    Set(ByteSet),
    /// `^`: only at the start of the subject.
    Start,
    /// `$`: only at its end.
    End,
    /// Records the current position.
    Tag(u32),
    /// One after the other.
    Cat(Vec<Node>),
    /// Any of these, the earlier the better.
    Alt(Vec<Node>),
    /// Once or more, the more the better.
    Plus(Box<Node>),
    /// `min` times to `max` times (`None`: any number), the more the better.
    Repeat {
        /// What is repeated.
        node: Box<Node>,
        /// Fewest times.
        min: u32,
        /// Most times.
        max: Option<u32>,
    },
}

impl Node {
    /// `self` or, less willingly, nothing.
    pub(super) fn optional(self) -> Self {
        alternative(self, Node::Empty)
    }

    /// Any number of times, zero too.
    pub(super) fn star(self) -> Self {
        alternative(Node::Plus(Box::new(self)), Node::Empty)
    }
}

/// `a|b`.
///
/// Upstream (stapregex-tree.cxx:make_alt) gathers the single-byte alternatives into one set and puts it first.
/// That shows: `(ab|a)` prefers `a`, so it is done here too.
pub(super) fn alternative(a: Node, b: Node) -> Node {
    let mut bytes = None;
    let mut rest = Vec::new();
    for side in [a, b] {
        let mut branches = match side {
            Node::Alt(branches) => branches,
            other => vec![other],
        };
        if let Some(Node::Set(set)) = branches.first() {
            bytes.get_or_insert_with(ByteSet::default).add(set);
            branches.remove(0);
        }
        rest.append(&mut branches);
    }
    if let Some(set) = bytes {
        rest.insert(0, Node::Set(set));
    }
    match rest.len() {
        0 => Node::Empty,
        1 => rest.remove(0),
        _ => Node::Alt(rest),
    }
}
