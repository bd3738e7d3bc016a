//! What the grammar's actions call: declarations. Expressions are in `build_expr`, statements in `build_stmt`.

use super::Gates;
use super::ast::*;
use super::build_expr::Waiting;
pub(crate) use super::build_expr::{args, rest_args};
pub(crate) use super::build_stmt::{ForeachHead, ForeachKey};
use super::class::Id;
use super::fault::{Fault, Place};
use super::preprocess::Stream;
use super::token::RawToken;
use super::words::is_name_piece;
use crate::source::{FileId, Token};
use crate::tree::*;
use lalrpop_util::ParseError;
use smol_str::SmolStr;
use std::collections::HashSet;

/// A node and how deep the tree below it is.
#[derive(Debug, Clone)]
pub(crate) struct Deep<T> {
    /// The node.
    pub node: T,
    /// Longest path to a leaf.
    pub depth: u32,
}

impl<T> Deep<T> {
    /// A node without children.
    pub fn shallow(node: T) -> Self {
        Deep { node, depth: 0 }
    }
}

/// Makes room for one entry in an empty list. Most lists of keys and statements have no more, entries are large, and a
/// list that grows by itself starts with four.
pub(super) fn reserve_one<T>(list: &mut Vec<T>) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
}

/// An expression in the making.
pub(crate) type Value = Deep<Box<Expr<Parsed>>>;

/// What an action that can fail returns.
pub(crate) type Checked<T> = Result<T, ParseError<u32, super::class::Lexeme, Box<Fault>>>;

/// Name, type and parameters of a function. It is kept in a box, so that the grammar's stack has small entries.
pub(crate) struct Signature {
    name: Id,
    declared: Option<DeclaredType>,
    params: Vec<Param>,
    priority: Option<i64>,
}

/// Names of an alias and how they were joined to what follows.
pub(crate) struct AliasHead {
    names: Vec<ProbePoint>,
    epilogue_style: bool,
}

/// Collects the declarations of a file.
pub(crate) struct Builder<'i> {
    /// Tokens of the file.
    pub tokens: &'i [RawToken],
    /// What has been declared so far.
    pub script: Script,
    /// Gates of `--compatible`.
    pub gates: Gates,
    /// Names of the parameters of the function at hand.
    params: HashSet<SmolStr>,
    /// Empty between runs of operators; kept for its memory.
    pub(super) waiting: Vec<Waiting>,
    /// Number of the last parameter's name.
    last_param: Id,
    /// See [`Stream::version_conditions`].
    version_conditions: &'i [usize],
    /// How many of them upstream had evaluated at the end of the last declaration.
    forgotten_conditions: usize,
    /// First error of the declaration at hand that does not stop the grammar: nesting that is too deep.
    pub pending: Option<Box<Fault>>,
}

impl<'i> Builder<'i> {
    /// A builder for a file without declarations.
    pub fn new(file: FileId, privileged: bool, stream: &'i Stream, gates: Gates) -> Self {
        Builder {
            tokens: &stream.tokens,
            script: Script::new(file, privileged),
            gates,
            params: HashSet::new(),
            waiting: Vec::new(),
            last_param: Id(0),
            version_conditions: &stream.version_conditions,
            forgotten_conditions: 0,
            pending: None,
        }
    }

    /// True if a condition about `systemtap_v` was evaluated between the start of the declaration at hand and a token of
    /// it (parse.cxx: `systemtap_v_seen`).
    fn asked_version(&self, token: Id) -> bool {
        let next = self.version_conditions.get(self.forgotten_conditions);
        next.is_some_and(|&at| at <= token.0 as usize)
    }

    /// A declaration has ended in front of token `end`. Where upstream looks at that token (`peeks`) to find out, the
    /// conditions in front of it are evaluated too early to belong to what follows.
    pub fn end_declaration(&mut self, end: u32, peeks: bool) {
        let end = end as usize + usize::from(peeks);
        self.forgotten_conditions = self.version_conditions.partition_point(|&at| at < end);
    }

    /// The token of that number.
    pub fn token(&self, id: Id) -> &'i Token {
        &self.tokens[id.0 as usize].token
    }

    /// Its text.
    pub fn text(&self, id: Id) -> SmolStr {
        self.token(id).text.clone()
    }

    /// A node's origin.
    pub fn origin(&self, id: Id) -> Origin {
        Origin(self.token(id).clone())
    }

    /// An error that upstream raises with the last token it saw: `saw:`.
    pub fn saw<T>(&self, site: &'static str, message: impl Into<String>, id: Id, taken: bool) -> Checked<T> {
        let fault = Fault::saw(site, message, &self.tokens[id.0 as usize], id, taken);
        Err(ParseError::User { error: Box::new(fault) })
    }

    /// An error that upstream raises when it has peeked at what follows `id`.
    pub fn saw_next<T>(&self, site: &'static str, message: &str, id: Id) -> Checked<T> {
        let next = Id(id.0 + 1);
        match self.tokens.get(next.0 as usize) {
            Some(_) => self.saw(site, message, next, false),
            None => self.forgotten(site, message, next),
        }
    }

    /// An error that names its token: `at:`. Recovery starts at `resume`.
    pub fn at<T>(
        &self,
        site: &'static str,
        message: impl Into<String>,
        token: &Token,
        resume: Id,
    ) -> Checked<T> {
        let raw = super::token::plain(token.clone());
        Err(ParseError::User {
            error: Box::new(Fault {
                site,
                message: message.into(),
                place: Place::At(raw),
                resume: resume.0,
                skip: true,
                cause: None,
            }),
        })
    }

    /// An error that upstream raises right after it dropped its last token: `saw: FILE EOF`.
    pub fn forgotten<T>(&self, site: &'static str, message: impl Into<String>, resume: Id) -> Checked<T> {
        Err(ParseError::User {
            error: Box::new(Fault {
                site,
                message: message.into(),
                place: Place::Forgotten,
                resume: resume.0,
                skip: true,
                cause: None,
            }),
        })
    }

    fn embed(&self, token: Id) -> Embed {
        Embed { origin: self.origin(token), code: self.text(token) }
    }

    /// File-level `%{ %}`.
    pub fn add_embed(&mut self, token: Id) {
        let embed = self.embed(token);
        self.script.embeds.push(embed);
    }

    /// The name of a global. The token layer has made sure that it is the first one of that name.
    pub fn start_global(&mut self, name: Id, private: bool) -> Id {
        if self.asked_version(name) {
            self.script.version_dependent.globals.insert(self.script.globals.len());
        }
        self.script.globals.push(Global {
            origin: self.origin(name),
            name: self.text(name),
            private,
            wrap: false,
            size: None,
            init: None,
        });
        name
    }

    /// The rest of the global that was started last.
    pub fn finish_global(
        &mut self,
        name: Id,
        wrap: bool,
        size: Option<i64>,
        init: Option<Literal>,
    ) -> Checked<()> {
        let bracket = Id(name.0 + 3 + u32::from(wrap));
        if size.is_some_and(|size| size <= 0 || size > i64::from(i32::MAX)) {
            return self.forgotten("global-size", "array size out of range", bracket);
        }
        if size.is_some() && init.is_some() {
            let equals = Id(bracket.0 + 1);
            return self.saw("global-init", "only scalar globals can be initialized", equals, false);
        }
        if let Some(global) = self.script.globals.last_mut() {
            global.wrap = wrap;
            global.size = size;
            global.init = init;
        }
        Ok(())
    }

    /// One more parameter of a function.
    pub fn param(
        &mut self,
        mut list: Vec<Param>,
        name: Id,
        declared: Option<DeclaredType>,
    ) -> Checked<Vec<Param>> {
        let text = self.text(name);
        if list.is_empty() {
            self.params.clear();
        }
        if !self.params.insert(text.clone()) {
            return self.saw("param-duplicate", "duplicate parameter names", name, true);
        }
        self.last_param = name;
        list.push(Param { origin: self.origin(name), name: text, declared });
        Ok(list)
    }

    /// A function up to its body.
    pub fn signature(
        &mut self,
        name: Id,
        declared: Option<DeclaredType>,
        params: Vec<Param>,
        priority: Option<(Literal, u32)>,
    ) -> Checked<Box<Signature>> {
        let priority = match priority {
            None => None,
            Some((Literal::Number(number), _)) if number >= 1 => Some(number),
            Some((Literal::Number(_) | Literal::Address(_), end)) => {
                return self.saw("priority", "specified priority must be > 0", Id(end - 1), true);
            }
            Some((Literal::String(_), end)) => {
                return self.saw_next("priority-number", "expected literal number", Id(end - 1));
            }
        };
        Ok(Box::new(Signature { name, declared, params, priority }))
    }

    /// A body of statements.
    pub fn script_body(&mut self, block: Deep<Box<Stmt<Parsed>>>) -> Box<FunctionBody> {
        Box::new(FunctionBody::Script(block.node))
    }

    /// A body in C.
    pub fn embedded_body(&mut self, token: Id) -> Box<FunctionBody> {
        Box::new(FunctionBody::Embedded(self.embed(token)))
    }

    /// A function.
    pub fn add_function(&mut self, private: bool, signature: Signature, body: FunctionBody) {
        let Signature { name, declared, params, priority } = signature;
        if !params.is_empty() && self.asked_version(self.last_param) {
            self.script.version_dependent.functions.insert(self.script.functions.len());
        }
        self.script.functions.push(Function {
            origin: self.origin(name),
            name: self.text(name),
            private,
            declared,
            params,
            priority,
            body,
        });
    }

    /// A probe that ends in front of token `end`.
    pub fn add_probe(
        &mut self,
        keyword: Id,
        points: Vec<ProbePoint>,
        body: Deep<Box<Stmt<Parsed>>>,
        end: u32,
    ) {
        if self.asked_version(Id(end.saturating_sub(1))) {
            self.script.version_dependent.probes.insert(self.script.probes.len());
        }
        self.script.probes.push(Probe { origin: self.origin(keyword), points, body: *body.node });
    }

    /// An alias that ends in front of token `end`. Returns whether upstream has looked at that token by then: it asks for
    /// the comma of a second body.
    pub fn add_alias(
        &mut self,
        keyword: Id,
        head: AliasHead,
        points: Vec<ProbePoint>,
        body: Deep<Box<Stmt<Parsed>>>,
        epilogue: Option<(Id, Deep<Box<Stmt<Parsed>>>)>,
        end: u32,
    ) -> Checked<bool> {
        if head.epilogue_style
            && let Some((comma, _)) = epilogue
        {
            let message = "Combined prologue and epilogue cannot be defined with '+='";
            return self.saw("alias-epilogue", message, comma, false);
        }
        let peeks = epilogue.is_none();
        if self.asked_version(Id(if peeks { end } else { end.saturating_sub(1) })) {
            self.script.version_dependent.aliases.insert(self.script.aliases.len());
        }
        self.script.aliases.push(Alias {
            origin: self.origin(keyword),
            names: head.names,
            epilogue_style: head.epilogue_style,
            points,
            body: *body.node,
            epilogue: epilogue.map(|(_, body)| *body.node),
        });
        Ok(peeks)
    }

    /// One more name of an alias.
    pub fn alias_head(
        &mut self,
        head: Option<AliasHead>,
        mut points: Vec<ProbePoint>,
        op: Id,
    ) -> Checked<AliasHead> {
        let (Some(point), true) = (points.pop(), points.is_empty()) else {
            return self.saw("probe-point", "expected probe point specifier", op, false);
        };
        if point.optional || point.sufficient {
            let message = "probe point alias name cannot be optional nor sufficient";
            return self.at("alias-suffix", message, &point.components[0].origin.0, op);
        }
        let mut head = head.unwrap_or(AliasHead { names: Vec::new(), epilogue_style: false });
        head.names.push(point);
        head.epilogue_style |= self.token(op).text == "+=";
        Ok(head)
    }

    /// One component: its name may be several tokens without space between them.
    pub fn component(&mut self, name: Id, arg: Option<Literal>) -> Vec<ProbePoint> {
        let mut origin = self.token(name).clone();
        let pieces = self.tokens[name.0 as usize + 1..].iter().take_while(|token| is_name_piece(token));
        let mut text = String::from(origin.text.as_str());
        for piece in pieces {
            text.push_str(&piece.token.text);
        }
        if text.len() > origin.text.len() {
            origin.text = SmolStr::from(text);
        }
        let component = Component { functor: origin.text.clone(), origin: Origin(origin), arg };
        vec![ProbePoint { components: vec![component], optional: false, sufficient: false, condition: None }]
    }

    /// `left.right`: each point of the left group continued by each of the right one.
    pub fn product(
        &mut self,
        left: Vec<ProbePoint>,
        dot: Id,
        right: Vec<ProbePoint>,
    ) -> Checked<Vec<ProbePoint>> {
        if left.len() * right.len() > MAX_POINTS {
            return self.saw("probe-product", "too many probe points", dot, false);
        }
        let ended = |head: &&ProbePoint| head.optional || head.sufficient || head.condition.is_some();
        if let Some(head) = left.iter().find(ended) {
            let message = "'?', '!' or condition must only be specified in suffix";
            return self.at("point-suffix", message, &head.components[0].origin.0, dot);
        }
        // Without groups the one point grows, since copying it for each of its components would take quadratic time.
        if let [tail] = right.as_slice() {
            let mut left = left;
            for head in &mut left {
                head.components.extend(tail.components.iter().cloned());
                head.optional = tail.optional;
                head.sufficient = tail.sufficient;
                head.condition.clone_from(&tail.condition);
            }
            return Ok(left);
        }
        let mut product = Vec::with_capacity(left.len() * right.len());
        for head in &left {
            for tail in &right {
                let mut components = head.components.clone();
                components.extend(tail.components.iter().cloned());
                product.push(ProbePoint { components, ..tail.clone() });
            }
        }
        Ok(product)
    }

    /// `?`, `!` and `if (...)` after a sequence of components.
    pub fn suffix(
        &mut self,
        mut points: Vec<ProbePoint>,
        suffix: Option<Id>,
        condition: Option<(Value, Id)>,
    ) -> Checked<Vec<ProbePoint>> {
        if let Some(suffix) = suffix {
            if points.iter().any(|point| point.optional || point.sufficient) {
                return self.saw("point-respecified", "'?' or '!' respecified", suffix, false);
            }
            let sufficient = self.token(suffix).text == "!";
            for point in &mut points {
                point.optional = true;
                point.sufficient = sufficient;
            }
        }
        if let Some((condition, close)) = condition {
            if points.iter().any(|point| point.condition.is_some()) {
                return self.saw("condition-respecified", "condition respecified", close, false);
            }
            for point in &mut points {
                point.condition = Some(condition.node.clone());
            }
        }
        Ok(points)
    }

    /// A string as a literal.
    pub fn string_literal(&mut self, token: Id) -> Literal {
        Literal::String(self.text(token))
    }

    /// A number with an optional sign.
    pub fn number_literal(&mut self, token: Id, negative: bool) -> Checked<i64> {
        let value = super::condition::parse_unsigned(&self.token(token).text);
        match value {
            Some(value) if !negative || value <= 1 << 63 => {
                let value = value as i64;
                Ok(if negative { value.wrapping_neg() } else { value })
            }
            _ => self.saw("number", "number invalid or out of range", token, true),
        }
    }
}

/// Points that the groups of one probe may multiply out to.
const MAX_POINTS: usize = 100_000;
