//! Tree to text, for both phases: in the form of upstream's dumps (`-p1`, `-p2 -v`; staptree.cxx: `print` methods), or in
//! one that parses back to the same tree. Upstream's form does not always do that: it doubles backslashes in formats,
//! and its extra `;` and `{}` are statements of their own.

mod statement;

use super::{
    AssignOp, Expr, ExprKind, Hist, HistKind, Indexable, Key, Literal, Phase, Print, PrintLayout, Stmt,
    Target, TargetBase, TargetStep,
};
use smol_str::SmolStr;
use std::fmt::Write;

/// What the printer asks of a phase.
pub trait Names<P: Phase> {
    /// A variable, as the text shall name it.
    fn variable(&self, variable: &P::Var) -> SmolStr;
    /// What a call calls.
    fn callee(&self, callee: &P::Callee) -> SmolStr;

    /// The C of the expression that a call stands for, if it was made of one.
    fn embedded(&self, _callee: &P::Callee) -> Option<SmolStr> {
        None
    }

    /// The variable of `delete NAME`, which upstream leaves under the name that the script gives it.
    fn deleted(&self, variable: &P::Var) -> SmolStr {
        self.variable(variable)
    }
}

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Upstream's since 5.6: a concatenation is `(a . b . c)`.
    Upstream,
    /// Upstream's before 5.6: concatenations print like other binary operators, `((a) . (b)) . (c)`.
    UpstreamBinaryConcat,
    /// Parses back to the same tree.
    Faithful,
}

/// Prints expressions and statements into one text.
pub struct Printer<'a, P: Phase> {
    names: &'a dyn Names<P>,
    form: Form,
    /// What has been printed so far.
    pub text: String,
}

/// An expression as text.
pub fn expr<P: Phase>(names: &dyn Names<P>, form: Form, expr: &Expr<P>) -> String {
    let mut printer = Printer::new(names, form);
    printer.expr(expr);
    printer.text
}

/// A statement as text, without the `;` that a block puts after it.
pub fn stmt<P: Phase>(names: &dyn Names<P>, form: Form, stmt: &Stmt<P>) -> String {
    let mut printer = Printer::new(names, form);
    printer.stmt(stmt);
    printer.text
}

impl<'a, P: Phase> Printer<'a, P> {
    /// A printer with nothing printed.
    pub fn new(names: &'a dyn Names<P>, form: Form) -> Self {
        Printer { names, form, text: String::new() }
    }

    fn faithful(&self) -> bool {
        self.form == Form::Faithful
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn number(&mut self, value: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}");
    }

    /// A literal of a declaration.
    pub fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Number(value) => self.number(value),
            Literal::Address(value) => {
                let _ = write!(self.text, "{value:#x}");
            }
            Literal::String(text) => self.string(text),
        }
    }

    /// A string literal. Its content is escaped for C already; only quotes need a backslash, and newlines, which upstream
    /// prints as they are.
    fn string(&mut self, text: &str) {
        self.text.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.put("\\\""),
                '\n' if self.faithful() => self.put("\\\n"),
                _ => self.text.push(letter),
            }
        }
        self.text.push('"');
    }

    /// A string where upstream escapes what is escaped already (staputil.h: `lex_cast_qstring`).
    fn quoted(&mut self, text: &str) {
        if self.faithful() {
            self.string(text);
            return;
        }
        self.text.push('"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => {
                    self.text.push('\\');
                    self.text.push(char::from(byte));
                }
                b' '..=b'~' => self.text.push(char::from(byte)),
                _ => {
                    let _ = write!(self.text, "\\{byte:03o}");
                }
            }
        }
        self.text.push('"');
    }

    fn grouped(&mut self, expr: &Expr<P>) {
        self.put("(");
        self.expr(expr);
        self.put(")");
    }

    /// Where upstream prints no parentheses although the grammar wants some for anything but a simple value.
    fn grouped_if_faithful(&mut self, expr: &Expr<P>) {
        let simple = matches!(
            expr.kind,
            ExprKind::Number { .. }
                | ExprKind::String(_)
                | ExprKind::Var(_)
                | ExprKind::Index { .. }
                | ExprKind::Call { .. }
        );
        if self.faithful() && !simple { self.grouped(expr) } else { self.expr(expr) }
    }

    fn list<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.put(", ");
            }
            print(self, item);
        }
    }

    fn keys(&mut self, keys: &[Key<P>]) {
        self.list(keys, |this, key| match key {
            Key::Expr(expr) => this.expr(expr),
            Key::Any(_) => this.put("*"),
        });
    }

    fn variable(&mut self, variable: &P::Var) {
        let name = self.names.variable(variable);
        self.put(&name);
    }

    fn hist(&mut self, hist: &Hist<P>) {
        match hist.kind {
            HistKind::Log => {
                self.put("@hist_log(");
                self.expr(&hist.stat);
                self.put(")");
            }
            HistKind::Linear { low, high, width } => {
                self.put("@hist_linear(");
                self.expr(&hist.stat);
                let _ = write!(self.text, ", {low}, {high}, {width})");
            }
        }
    }

    fn indexable(&mut self, base: &Indexable<P>) {
        match base {
            Indexable::Array { var, .. } => self.variable(var),
            Indexable::Hist(hist) => self.hist(hist),
        }
    }

    fn target(&mut self, target: &Target<P>) {
        if target.address_of {
            self.put("&");
        }
        match &target.base {
            TargetBase::Symbol(name) => self.put(name),
            TargetBase::Cast { value, type_name, module } => {
                self.put("@cast(");
                self.expr(value);
                self.put(", ");
                self.quoted(type_name);
                self.module(module);
                self.put(")");
            }
            TargetBase::Var { name, module } => {
                self.put("@var(");
                if self.faithful() {
                    self.string(name);
                } else {
                    let _ = write!(self.text, "\"{name}\"");
                }
                self.module(module);
                self.put(")");
            }
            TargetBase::Value(value) => self.grouped(value),
        }
        for step in &target.path {
            match step {
                TargetStep::Member(_, name) | TargetStep::Pretty(_, name) => {
                    self.put("->");
                    self.put(name);
                }
                TargetStep::Literal(_, index) => {
                    self.put("[");
                    self.number(index);
                    self.put("]");
                }
                TargetStep::Index(_, index) => {
                    self.put("[");
                    self.expr(index);
                    self.put("]");
                }
            }
        }
    }

    fn module(&mut self, module: &str) {
        if !module.is_empty() {
            self.put(", ");
            self.quoted(module);
        }
    }

    fn infix(&mut self, left: &Expr<P>, operator: &str, right: &Expr<P>) {
        self.grouped(left);
        self.put(" ");
        self.put(operator);
        self.put(" ");
        self.grouped(right);
    }

    fn concat(&mut self, parts: &[Expr<P>]) {
        if self.form == Form::UpstreamBinaryConcat {
            // Left associative: each operand but the first closes a parenthesis.
            for _ in 1..parts.len() {
                self.put("(");
            }
            for (index, part) in parts.iter().enumerate() {
                match index {
                    0 => self.expr(part),
                    _ => {
                        self.put(") . (");
                        self.expr(part);
                        self.put(")");
                    }
                }
            }
            return;
        }
        self.put("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.put(" . ");
            }
            self.grouped_if_faithful(part);
        }
        self.put(")");
    }

    fn print(&mut self, print: &Print<P>) {
        if print.to_string {
            self.put("s");
        }
        let mut first = true;
        match &print.layout {
            PrintLayout::Char => self.put("print_char("),
            PrintLayout::Format { text, .. } => {
                self.put("printf(");
                self.quoted(text);
                first = false;
            }
            PrintLayout::Plain { delimiter, newline } => {
                self.put("print");
                if delimiter.is_some() {
                    self.put("d");
                }
                self.put(if *newline { "ln(" } else { "(" });
                if let Some(delimiter) = delimiter {
                    self.quoted(delimiter);
                    first = false;
                }
            }
        }
        if let Some(hist) = &print.hist {
            self.hist(hist);
        }
        for arg in &print.args {
            if !first {
                self.put(", ");
            }
            first = false;
            self.expr(arg);
        }
        self.put(")");
    }

    fn call(&mut self, word: &str, value: &Expr<P>) {
        self.put(word);
        self.put("(");
        self.expr(value);
        self.put(")");
    }

    fn embedded(&mut self, code: &str) {
        let space = if self.faithful() { "" } else { " " };
        let _ = write!(self.text, "%{{{space}{code}{space}%}}");
    }

    /// An expression.
    pub fn expr(&mut self, expr: &Expr<P>) {
        match &expr.kind {
            ExprKind::Number { value, hex: true } => {
                let _ = write!(self.text, "{value:#x}");
            }
            // A negative literal would come back as a negation.
            ExprKind::Number { value, .. } if self.faithful() => self.number(*value as u64),
            ExprKind::Number { value, .. } => self.number(value),
            ExprKind::String(text) => self.string(text),
            ExprKind::Embedded(code) => self.embedded(code),
            ExprKind::Var(variable) => self.variable(variable),
            ExprKind::Index { base, keys } => {
                self.variable(base);
                self.put("[");
                self.keys(keys);
                self.put("]");
            }
            ExprKind::Bucket { hist, index } => {
                self.hist(hist);
                self.put("[");
                self.expr(index);
                self.put("]");
            }
            ExprKind::Unary { op, operand } => {
                self.put(op.spelling());
                self.grouped(operand);
            }
            ExprKind::Step { up, prefix, operand } => {
                let operator = if *up { "++" } else { "--" };
                if *prefix {
                    self.put(operator);
                }
                self.grouped(operand);
                if !*prefix {
                    self.put(operator);
                }
            }
            ExprKind::Binary { op, left, right } => self.infix(left, op.spelling(), right),
            ExprKind::Concat(parts) => self.concat(parts),
            ExprKind::Ternary { condition, then, otherwise } => {
                self.grouped(condition);
                self.put("?");
                self.grouped(then);
                self.put(":");
                self.grouped(otherwise);
            }
            ExprKind::Assign { op, target, value } => {
                let operator = match op {
                    AssignOp::Set => "=".to_owned(),
                    AssignOp::Aggregate => "<<<".to_owned(),
                    AssignOp::Concat => ".=".to_owned(),
                    AssignOp::Compound(op) => format!("{}=", op.spelling()),
                };
                self.infix(target, &operator, value);
            }
            ExprKind::In { keys, base } => {
                self.put("[");
                self.list(keys, |this, key| match key {
                    Key::Expr(expr) => this.grouped_if_faithful(expr),
                    Key::Any(_) => this.put("*"),
                });
                self.put("] in ");
                self.indexable(base);
            }
            ExprKind::Match { negated, subject, pattern, .. } => {
                self.grouped(subject);
                self.put(if *negated { " !~ " } else { " =~ " });
                self.string(pattern);
            }
            ExprKind::Call { callee, .. } if let Some(code) = self.names.embedded(callee) => {
                self.embedded(&code);
            }
            ExprKind::Call { callee, args } => {
                let name = self.names.callee(callee);
                self.put(&name);
                self.put("(");
                self.list(args, |this, arg| this.expr(arg));
                self.put(")");
            }
            ExprKind::Print(print) => self.print(print),
            ExprKind::Stat { op, stat, shift } => {
                self.put(op.word());
                self.put("(");
                self.expr(stat);
                if *shift != 0 {
                    let _ = write!(self.text, ", {shift}");
                }
                self.put(")");
            }
            ExprKind::Hist(hist) => self.hist(hist),
            ExprKind::Target(target) => self.target(target),
            ExprKind::Defined(inner) => self.call("@defined", inner),
            ExprKind::Entry(inner) => self.call("@entry", inner),
            ExprKind::ProbeWrite(name) => {
                let _ = write!(self.text, "@probewrite({name})");
            }
            ExprKind::Perf(name) => {
                self.put("@perf(");
                self.string(name);
                self.put(")");
            }
            ExprKind::Enumerator(name) => {
                self.put("@enum(");
                self.string(name);
                self.put(")");
            }
            ExprKind::EnumName { value, type_name, module } => {
                self.put("@enumname(");
                self.expr(value);
                if !type_name.is_empty() {
                    self.module(type_name);
                    self.module(module);
                }
                self.put(")");
            }
            ExprKind::Register { user, number } => {
                let letter = if *user { "u" } else { "k" };
                let _ = write!(self.text, "@{letter}register({number})");
            }
            ExprKind::Deref { user, size, address } => {
                let letter = if *user { "u" } else { "k" };
                let _ = write!(self.text, "@{letter}deref({size}, ");
                self.expr(address);
                self.put(")");
            }
        }
    }
}
