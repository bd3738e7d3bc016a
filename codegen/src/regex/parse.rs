//! Pattern text to tree: a recursive descent that follows upstream's grammar (stapregex-parse.cxx).

use super::MAX_DEPTH;
use super::ast::{Node, alternative};
use super::charset::{ByteSet, named_class};
use super::cursor::Cursor;
use super::error::{RegexError, RegexErrorKind};

/// Repetition counts from here on are refused.
const TOO_MANY_REPETITIONS: u32 = 12345;

/// A parsed pattern.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The tree; with tags it starts with tag 0 and ends with tag 1.
    pub(super) node: Node,
    /// Groups that record their match, the whole match included; 0 without tags.
    pub(super) groups: u32,
}

/// A tree with the depth of nesting in it, which bounds the recursion of everything that walks it.
struct Deep {
    node: Node,
    depth: usize,
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    tagged: bool,
    groups: u32,
    /// Groups open at this point.
    open: usize,
}

/// Parses `pattern`, the text of a script string literal with its C escapes still in it.
pub(super) fn parse(pattern: &[u8], tagged: bool) -> Result<Parsed, RegexError> {
    let mut parser = Parser { cursor: Cursor::new(pattern), tagged, groups: u32::from(tagged), open: 0 };
    let mut node = parser.expression()?.node;
    if tagged {
        node = group(0, node);
    }
    // The expression stops at a closing parenthesis. When that is the pattern's last character the cursor is
    // finished already, and upstream lets it pass: "a)" is "a".
    if !parser.cursor.finished {
        return Err(RegexError::at(RegexErrorKind::Unbalanced, parser.cursor.pos));
    }
    Ok(Parsed { node, groups: parser.groups })
}

/// `node` between the two tags of group `number`.
fn group(number: u32, node: Node) -> Node {
    Node::Cat(vec![Node::Tag(2 * number), node, Node::Tag(2 * number + 1)])
}

fn is_postfix(c: u8) -> bool {
    matches!(c, b'*' | b'+' | b'?' | b'{')
}

fn is_special(c: u8) -> bool {
    is_postfix(c) || matches!(c, b'.' | b'[' | b'(' | b')' | b'\\' | b'|' | b'^' | b'$')
}

impl Parser<'_> {
    fn error<T>(&self, kind: RegexErrorKind) -> Result<T, RegexError> {
        Err(RegexError::at(kind, self.cursor.last_pos))
    }

    fn error_here<T>(&self, kind: RegexErrorKind) -> Result<T, RegexError> {
        Err(RegexError::at(kind, self.cursor.pos))
    }

    fn deep(&self, node: Node, depth: usize) -> Result<Deep, RegexError> {
        if depth > MAX_DEPTH {
            return self.error(RegexErrorKind::TooDeep(MAX_DEPTH));
        }
        Ok(Deep { node, depth })
    }

    /// term { '|' term }
    fn expression(&mut self) -> Result<Deep, RegexError> {
        let mut result = self.term()?;
        while self.cursor.peek()? == b'|' {
            self.cursor.next()?;
            let right = self.term()?;
            result =
                Deep { node: alternative(result.node, right.node), depth: result.depth.max(right.depth) };
        }
        Ok(result)
    }

    /// factor { factor }
    fn term(&mut self) -> Result<Deep, RegexError> {
        let first = self.factor()?;
        let mut depth = first.depth;
        let mut parts = vec![first.node];
        while !matches!(self.cursor.peek()?, 0 | b'|' | b')') {
            let part = self.factor()?;
            depth = depth.max(part.depth);
            parts.push(part.node);
        }
        let node = if parts.len() == 1 { parts.remove(0) } else { Node::Cat(parts) };
        Ok(Deep { node, depth })
    }

    /// A run of ordinary characters, a dot, class, group or anchor, and its postfix operators.
    fn factor(&mut self) -> Result<Deep, RegexError> {
        let c = self.cursor.peek()?;
        if matches!(c, 0 | b'|' | b')') {
            return Ok(Deep { node: Node::Empty, depth: 0 });
        }
        if is_postfix(c) {
            return self.error(RegexErrorKind::Unexpected(char::from(c)));
        }
        if is_special(c) && c != b'\\' {
            self.cursor.next()?;
        }
        let mut before = None;
        let atom = match c {
            b'.' => Deep { node: Node::Set(ByteSet::any()), depth: 0 },
            b'[' => {
                let set = self.class()?;
                self.expect(b']')?;
                Deep { node: Node::Set(set), depth: 0 }
            }
            b'(' => self.group()?,
            b'^' => Deep { node: Node::Start, depth: 0 },
            b'$' => Deep { node: Node::End, depth: 0 },
            _ => {
                let (run, last) = self.literal(c)?;
                match last {
                    Some(last) => {
                        before = Some(run);
                        Deep { node: last, depth: 0 }
                    }
                    None => Deep { node: run, depth: 0 },
                }
            }
        };
        let result = self.postfix(atom)?;
        Ok(match before {
            Some(run) => Deep { node: Node::Cat(vec![run, result.node]), depth: result.depth },
            None => result,
        })
    }

    /// A run of ordinary characters; when a postfix operator follows, the last one apart, as it alone is governed.
    fn literal(&mut self, first: u8) -> Result<(Node, Option<Node>), RegexError> {
        let mut run = Vec::new();
        let mut c = first;
        while c != 0 && (!is_special(c) || c == b'\\') {
            if c == b'\\' {
                self.cursor.next()?;
                c = self.cursor.peek()?;
            }
            self.cursor.next()?;
            let following = self.cursor.peek()?;
            if is_postfix(following) {
                return Ok((literal_node(run), Some(Node::Set(ByteSet::one(c)))));
            }
            run.push(c);
            c = following;
        }
        Ok((literal_node(run), None))
    }

    /// What follows an opening parenthesis, the closing one included.
    fn group(&mut self) -> Result<Deep, RegexError> {
        let mut tagged = self.tagged;
        if self.cursor.peek()? == b'?' {
            self.cursor.next()?;
            match self.cursor.peek()? {
                // Upstream up to 5.6 forgets to take the colon, and matches one. Nobody can want that.
                b':' => self.cursor.next()?,
                0 => return self.error(RegexErrorKind::UnexpectedGroup(String::new())),
                c => return self.error(RegexErrorKind::UnexpectedGroup(format!("{}'", char::from(c)))),
            };
            tagged = false;
        }
        // Numbered by opening parenthesis, so before the inside is parsed.
        let number = self.groups;
        if tagged {
            self.groups += 1;
        }
        self.open += 1;
        if self.open > MAX_DEPTH {
            return self.error(RegexErrorKind::TooDeep(MAX_DEPTH));
        }
        let inside = self.expression()?;
        self.open -= 1;
        self.expect(b')')?;
        // The wrapping also hides what is inside from alternative() and from the check on repeated anchors.
        let node = if tagged { group(number, inside.node) } else { Node::Cat(vec![inside.node]) };
        self.deep(node, inside.depth + 1)
    }

    /// Applies the postfix operators that follow `atom`.
    fn postfix(&mut self, atom: Deep) -> Result<Deep, RegexError> {
        let mut result = atom;
        loop {
            let c = self.cursor.peek()?;
            if !is_postfix(c) {
                return Ok(result);
            }
            self.cursor.next()?;
            if matches!(result.node, Node::Start | Node::End) {
                return self.error(RegexErrorKind::AnchorClosure(char::from(c)));
            }
            let depth = result.depth + 1;
            let node = match c {
                b'*' => result.node.star(),
                b'+' => Node::Plus(Box::new(result.node)),
                b'?' => result.node.optional(),
                _ => {
                    let (min, max) = self.bounds()?;
                    self.repeat(result.node, min, max)?
                }
            };
            result = self.deep(node, depth)?;
        }
    }

    fn repeat(&self, node: Node, min: u32, max: Option<u32>) -> Result<Node, RegexError> {
        Ok(match (min, max) {
            // With tags the groups inside still count, but nothing is left of them either way.
            (0, Some(0)) => Node::Empty,
            (0, None) => node.star(),
            (1, None) => Node::Plus(Box::new(node)),
            (_, Some(max)) if max < min => {
                return self.error(RegexErrorKind::InvertedRepetition(min, max));
            }
            _ => Node::Repeat { node: Box::new(node), min, max },
        })
    }

    /// What follows an opening brace, the closing one included: fewest and most times.
    fn bounds(&mut self) -> Result<(u32, Option<u32>), RegexError> {
        let min = self.number()?;
        match self.cursor.next()? {
            b'}' => Ok((min, Some(min))),
            b',' => match self.cursor.peek()? {
                b'}' => {
                    self.cursor.next()?;
                    Ok((min, None))
                }
                c if c.is_ascii_digit() => {
                    let max = self.number()?;
                    self.expect(b'}')?;
                    Ok((min, Some(max)))
                }
                _ => self.error_here(RegexErrorKind::ExpectedBraceOrNumber),
            },
            _ => self.error(RegexErrorKind::ExpectedCommaOrBrace),
        }
    }

    fn number(&mut self) -> Result<u32, RegexError> {
        let mut digits = String::new();
        loop {
            let c = self.cursor.peek()?;
            if !c.is_ascii_digit() {
                break;
            }
            self.cursor.next()?;
            digits.push(char::from(c));
        }
        if digits.is_empty() {
            return self.error_here(RegexErrorKind::ExpectedNumber);
        }
        match digits.parse::<i64>() {
            Err(_) => self.error_here(RegexErrorKind::BadNumber(digits)),
            Ok(value) => match u32::try_from(value) {
                Ok(value) if value < TOO_MANY_REPETITIONS => Ok(value),
                _ => self.error_here(RegexErrorKind::NumberTooLarge(digits)),
            },
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), RegexError> {
        // Any trouble in reading, be it the end or a bad escape, is reported as the end.
        match self.cursor.next() {
            Err(_) => self.error(RegexErrorKind::ExpectedFoundEnd(char::from(wanted))),
            Ok(c) if c == wanted => Ok(()),
            Ok(c) => self.error(RegexErrorKind::Expected(char::from(wanted), char::from(c))),
        }
    }

    /// A bracket expression between its brackets. A closing bracket in first place is an ordinary member.
    fn class(&mut self) -> Result<ByteSet, RegexError> {
        let inverted = self.cursor.peek()? == b'^';
        if inverted {
            self.cursor.next()?;
        }
        let mut set = ByteSet::default();
        loop {
            if self.cursor.finished {
                return self.error(RegexErrorKind::UnclosedClass);
            }
            set.add(&self.class_item()?);
            if self.cursor.peek()? == b']' {
                break;
            }
        }
        Ok(if inverted { set.inverted() } else { set })
    }

    /// One member: a character, a range or a named class.
    fn class_item(&mut self) -> Result<ByteSet, RegexError> {
        let mut low = self.cursor.peek()?;
        match low {
            b'\\' => {
                self.cursor.next()?;
                low = self.cursor.peek()?;
                self.cursor.next()?;
            }
            b'[' => {
                self.cursor.next()?;
                if self.cursor.peek()? == b':' {
                    return self.named_class();
                }
            }
            _ => {
                self.cursor.next()?;
            }
        }
        let mut set = ByteSet::default();
        if !self.cursor.has_two() || self.cursor.peek()? != b'-' || self.cursor.raw() == b']' {
            set.add_range(low, low);
            return Ok(set);
        }
        self.cursor.next()?;
        let high = self.cursor.peek()?;
        if high < low {
            return self.error_here(RegexErrorKind::InvertedRange(char::from(low), char::from(high)));
        }
        self.cursor.next()?;
        set.add_range(low, high);
        Ok(set)
    }

    /// A named class; the cursor looks at the colon after the bracket.
    fn named_class(&mut self) -> Result<ByteSet, RegexError> {
        self.cursor.next()?;
        let mut name = Vec::new();
        loop {
            let c = self.cursor.peek()?;
            if self.cursor.finished {
                let name = String::from_utf8_lossy(&name).into_owned();
                return self.error_here(RegexErrorKind::UnclosedNamedClass(name));
            }
            if c == b':' && self.cursor.has_two() && self.cursor.raw() == b']' {
                self.cursor.next()?;
                self.cursor.next()?;
                return named_class(&name).ok_or_else(|| {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    RegexError::nowhere(RegexErrorKind::UnknownClass(name))
                });
            }
            name.push(c);
            self.cursor.next()?;
        }
    }
}

/// The characters of `run` one after the other.
fn literal_node(run: Vec<u8>) -> Node {
    let mut nodes: Vec<_> = run.into_iter().map(|c| Node::Set(ByteSet::one(c))).collect();
    match nodes.len() {
        0 => Node::Empty,
        1 => nodes.remove(0),
        _ => Node::Cat(nodes),
    }
}
