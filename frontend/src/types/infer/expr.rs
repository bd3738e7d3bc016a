//! The inference's visit of expressions. `self.wanted` is the type that the place wants.

use super::{Decl, Inference, Node, Thrown};
use crate::diag::Diagnostic;
use crate::hir::{Bound, Callee, LocalId};
use crate::source::Token;
use crate::tree::{
    AssignOp, BinaryOp, Conversion, Expr, ExprKind, FormatPart, Hist, Indexable, Key, Measure, Print,
    PrintLayout, Target, TargetBase, TargetStep,
};
use crate::types::{Owner, Type, has_tag};

impl<'a> Inference<'a> {
    /// Type that an expression has shown so far; literals show theirs without being visited.
    pub(super) fn node_type(&self, expr: &Expr<Bound>) -> Type {
        match &expr.kind {
            ExprKind::Number { .. } => Type::Long,
            ExprKind::String(_) => Type::String,
            // What a visit leaves there is not counted, so that the round in which it is read might be the last one.
            ExprKind::Perf(_) => Type::Long,
            _ => self.node(Node::of(expr)),
        }
    }

    pub(super) fn expr(&mut self, expr: &'a Expr<Bound>) -> Result<(), Thrown> {
        let token = &expr.origin.0;
        let node = Node::of(expr);
        match &expr.kind {
            ExprKind::Number { .. } => self.literal(token, Type::Long),
            ExprKind::String(_) => self.literal(token, Type::String),
            ExprKind::Embedded(code) => {
                let is_string = has_tag(code, "/* string */");
                self.settle_once(node, if is_string { Type::String } else { Type::Long });
            }
            ExprKind::Var(var) => {
                let decl = self.decl_of(*var);
                self.link(node, decl, token, self.wanted, false);
            }
            ExprKind::Index { base, keys } => self.access(node, token, self.decl_of(*base), keys)?,
            ExprKind::Bucket { hist, index } => self.bucket(node, token, hist, index)?,
            ExprKind::Unary { operand, .. } | ExprKind::Step { operand, .. } => {
                self.number_wanted(token);
                self.want(Type::Long, operand)?;
                self.settle_once(node, Type::Long);
            }
            ExprKind::Binary { op, left, right } => match op {
                BinaryOp::Less
                | BinaryOp::LessEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual
                | BinaryOp::Equal
                | BinaryOp::NotEqual => {
                    self.number_wanted(token);
                    let mismatches = self.mismatches;
                    self.want(self.node_type(right), left)?;
                    let wanted = self.unless_contradicted(mismatches, self.node_type(left));
                    self.want(wanted, right)?;
                    self.sides(token, left, right, mismatches);
                    self.settle_once(node, Type::Long);
                }
                _ => self.numeric(expr, left, right)?,
            },
            ExprKind::Concat(parts) => {
                if !matches!(self.wanted, Type::Unknown | Type::String) {
                    self.invalid(token, self.wanted);
                }
                for part in parts {
                    self.want(Type::String, part)?;
                }
                self.settle_once(node, Type::String);
            }
            ExprKind::Ternary { condition, then, otherwise } => {
                self.ternary(expr, condition, then, otherwise)?;
            }
            ExprKind::Assign { op, target, value } => self.assign(expr, *op, target, value)?,
            ExprKind::In { keys, base } => {
                let wanted = std::mem::take(&mut self.wanted);
                match base {
                    // The element stands where the array's name does (parse.cxx: `parse_array_in`).
                    Indexable::Array { origin, var } => {
                        let array = self.decl_of(*var);
                        self.access(Node::access(expr), &origin.0, array, keys)?;
                    }
                    Indexable::Hist(hist) => {
                        if let [Key::Expr(index)] = keys.as_slice() {
                            self.bucket(Node::access(expr), &hist.origin.0, hist, index)?;
                        } else {
                            self.unknown(&hist.origin.0);
                        }
                    }
                }
                if self.node(node) == Type::Unknown && matches!(wanted, Type::String | Type::Stats) {
                    self.mismatch(token, wanted, Type::Long);
                } else {
                    self.settle_once(node, Type::Long);
                }
            }
            ExprKind::Match { subject, .. } => {
                self.number_wanted(token);
                self.want(Type::String, subject)?;
                self.wanted = Type::String;
                self.settle_once(node, Type::Long);
            }
            ExprKind::Call { callee, args } => self.call(expr, callee, args)?,
            ExprKind::Print(print) => self.print(expr, print)?,
            ExprKind::Stat { stat, .. } => {
                self.want(Type::Stats, stat)?;
                self.settle_once(node, Type::Long);
            }
            ExprKind::Hist(hist) => self.hist(hist)?,
            ExprKind::Target(target) => self.target(expr, target)?,
            ExprKind::Register { .. } => {
                if self.wanted != Type::Long {
                    self.invalid(token, self.wanted);
                }
                self.settle_once(node, Type::Long);
            }
            ExprKind::Deref { address, .. } => {
                if self.wanted != Type::Long {
                    self.invalid(token, self.wanted);
                }
                self.expr(address)?;
                self.settle_once(node, Type::Long);
            }
            // The rest stands for something that resolution or folding replaces; the early stage waits for that.
            _ if self.is_early() => {}
            ExprKind::Defined(inner) => {
                self.expr(inner)?;
                self.leftover(token, "types.unexpected-defined", "unexpected @defined");
            }
            ExprKind::ProbeWrite(_) => return Err(thrown(token, "unexpected @probewrite")),
            ExprKind::Entry(_) => {
                return Err(thrown(token, "internal error: @entry is only valid in .return probes"));
            }
            ExprKind::Perf(_) | ExprKind::Enumerator(_) => {
                self.number_wanted(token);
                self.nodes.insert(node, Type::Long);
            }
            ExprKind::EnumName { value, .. } => {
                let message = "@enumname requires a typed $variable or a type string argument; \
                               unresolved enumeration type";
                self.leftover(token, "types.enumname", message);
                self.nodes.insert(node, Type::String);
                self.want(Type::String, value)?;
            }
        }
        Ok(())
    }

    fn literal(&mut self, token: &Token, found: Type) {
        if self.wanted != Type::Unknown && self.wanted != found {
            self.mismatch(token, self.wanted, found);
        }
    }

    /// The node is a number; complains if the place wants something else.
    fn number_wanted(&mut self, token: &Token) {
        if matches!(self.wanted, Type::Stats | Type::String) {
            self.invalid(token, self.wanted);
        }
    }

    /// Something that should be gone by now: unresolved, and an error in the last round.
    fn leftover(&mut self, token: &Token, site: &'static str, message: &str) {
        self.unresolved += 1;
        if self.asserting {
            self.report(Diagnostic::semantic(site, message).at(token));
        }
    }

    /// Compares the types of two operands, unless visiting them (since `mismatches` were counted) has shown already
    /// what is wrong.
    fn sides(&mut self, token: &Token, left: &Expr<Bound>, right: &Expr<Bound>, mismatches: usize) {
        let (left, right) = (self.node_type(left), self.node_type(right));
        if left != Type::Unknown && right != Type::Unknown && left != right && self.mismatches == mismatches {
            self.mismatch_sides(token, left, right);
        }
    }

    /// The type that the second operand should have, if the first one did not contradict the second one already.
    fn unless_contradicted(&self, mismatches: usize, wanted: Type) -> Type {
        if self.mismatches == mismatches { wanted } else { Type::Unknown }
    }

    /// A value whose type is still unknown. Variables are reported as such.
    fn unknown_value(&mut self, expr: &Expr<Bound>) {
        match &expr.kind {
            ExprKind::Var(_) | ExprKind::Index { .. } => self.unresolved += 1,
            _ => self.unknown(&expr.origin.0),
        }
    }

    /// An operator on two numbers.
    fn numeric(
        &mut self,
        expr: &'a Expr<Bound>,
        left: &'a Expr<Bound>,
        right: &'a Expr<Bound>,
    ) -> Result<(), Thrown> {
        let token = &expr.origin.0;
        self.number_wanted(token);
        let mismatches = self.mismatches;
        self.want(Type::Long, left)?;
        self.want(Type::Long, right)?;
        self.sides(token, left, right, mismatches);
        self.settle_once(Node::of(expr), Type::Long);
        Ok(())
    }

    fn ternary(
        &mut self,
        expr: &'a Expr<Bound>,
        condition: &'a Expr<Bound>,
        then: &'a Expr<Bound>,
        otherwise: &'a Expr<Bound>,
    ) -> Result<(), Thrown> {
        let node = Node::of(expr);
        let mut wanted = self.wanted;
        self.want(Type::Long, condition)?;
        if wanted == Type::Unknown {
            wanted = self.node(node);
        }
        self.want(wanted, then)?;
        self.want(wanted, otherwise)?;
        let (here, then, otherwise) = (self.node(node), self.node_type(then), self.node_type(otherwise));
        if wanted == Type::Unknown && here != Type::Unknown {
            return Ok(());
        }
        if wanted != Type::Unknown && here == Type::Unknown {
            self.settle(node, wanted);
        } else if wanted == Type::Unknown && then != Type::Unknown {
            self.settle(node, then);
        } else if wanted == Type::Unknown && otherwise != Type::Unknown {
            self.settle(node, otherwise);
        } else if here != wanted {
            self.mismatch(&expr.origin.0, wanted, here);
        }
        Ok(())
    }

    fn assign(
        &mut self,
        expr: &'a Expr<Bound>,
        op: AssignOp,
        target: &'a Expr<Bound>,
        value: &'a Expr<Bound>,
    ) -> Result<(), Thrown> {
        let (token, node) = (&expr.origin.0, Node::of(expr));
        if self.wanted == Type::Stats {
            self.invalid(token, self.wanted);
        }
        if op == AssignOp::Aggregate {
            if self.wanted == Type::String {
                self.invalid(token, self.wanted);
            }
            self.want(Type::Stats, target)?;
            self.want(Type::Long, value)?;
            if matches!(self.node(node), Type::Unknown | Type::Stats) {
                self.settle(node, Type::Long);
            }
            return Ok(());
        }
        for side in [target, value] {
            if self.node_type(side) == Type::Stats {
                self.invalid(&side.origin.0, Type::Stats);
                return Ok(());
            }
        }
        match op {
            AssignOp::Aggregate => Ok(()),
            AssignOp::Compound(_) => self.numeric(expr, target, value),
            AssignOp::Concat => {
                if matches!(self.wanted, Type::Long | Type::Stats) {
                    self.invalid(token, self.wanted);
                }
                self.want(Type::String, target)?;
                self.want(Type::String, value)?;
                self.settle_once(node, Type::String);
                Ok(())
            }
            AssignOp::Set => {
                let mut wanted = self.wanted;
                if wanted == Type::Unknown {
                    wanted = self.node(node);
                }
                let mismatches = self.mismatches;
                self.want(known_or(wanted, self.node_type(value)), target)?;
                let known = self.unless_contradicted(mismatches, self.node_type(target));
                self.want(known_or(wanted, known), value)?;
                if wanted != Type::Unknown && self.node(node) == Type::Unknown {
                    self.settle(node, wanted);
                }
                let left = self.node_type(target);
                if wanted == Type::Unknown && left != Type::Unknown {
                    self.settle(node, left);
                }
                self.sides(token, target, value, mismatches);
                Ok(())
            }
        }
    }

    /// Number of keys of an array; 0 for anything else.
    pub(super) fn key_count(&self, array: Decl) -> usize {
        match array {
            Decl::Global(id) => self.table.globals.get(id.0 as usize).map_or(0, |g| g.keys.len()),
            Decl::Local(..) | Decl::Result(_) => 0,
        }
    }

    /// Type of the n-th key of an array.
    pub(super) fn key_type(&self, array: Decl, index: usize) -> Type {
        match array {
            Decl::Global(id) => self.table.global(id).keys.get(index).copied().unwrap_or_default(),
            Decl::Local(..) | Decl::Result(_) => Type::Unknown,
        }
    }

    /// An element of an array: its type, and each key's.
    fn access(
        &mut self,
        node: Node,
        token: &'a Token,
        array: Decl,
        keys: &'a [Key<Bound>],
    ) -> Result<(), Thrown> {
        self.link(node, array, token, self.wanted, false);
        if keys.len() != self.key_count(array) {
            self.unknown(token);
            return Ok(());
        }
        for (index, key) in keys.iter().enumerate() {
            if let Key::Expr(key) = key {
                self.key(array, index, key)?;
            }
        }
        Ok(())
    }

    /// One key of an array.
    pub(super) fn key(&mut self, array: Decl, index: usize, key: &'a Expr<Bound>) -> Result<(), Thrown> {
        self.want(self.key_type(array, index), key)?;
        self.match_key(array, index, &key.origin.0, self.node_type(key));
        Ok(())
    }

    /// Compares a key that was just visited with the array's, which learns from it.
    pub(super) fn match_key(&mut self, array: Decl, index: usize, token: &'a Token, found: Type) {
        let mut formal = self.key_type(array, index);
        if matches!(found, Type::Long | Type::String) && formal == Type::Unknown {
            if let Decl::Global(id) = array
                && let Some(slot) = self.table.globals[id.0 as usize].keys.get_mut(index)
            {
                *slot = found;
                formal = found;
            }
            self.learned(array, Some(index), token);
        }
        if found == Type::Stats {
            self.invalid(token, found);
        }
        if found != Type::Unknown && formal != Type::Unknown && found != formal {
            self.mismatch_decl(token, found, array, Some(index));
        }
        if found == Type::Unknown {
            self.unknown(token);
        }
    }

    fn bucket(
        &mut self,
        node: Node,
        token: &'a Token,
        hist: &'a Hist<Bound>,
        index: &'a Expr<Bound>,
    ) -> Result<(), Thrown> {
        self.want(Type::Long, index)?;
        if self.node_type(index) != Type::Long {
            self.unknown(token);
        }
        self.hist(hist)?;
        if self.node(node) != Type::Long {
            self.settle(node, Type::Long);
        }
        Ok(())
    }

    pub(super) fn hist(&mut self, hist: &'a Hist<Bound>) -> Result<(), Thrown> {
        self.want(Type::Stats, &hist.stat)
    }

    fn call(
        &mut self,
        expr: &'a Expr<Bound>,
        callee: &'a Callee,
        args: &'a [Expr<Bound>],
    ) -> Result<(), Thrown> {
        let (token, node) = (&expr.origin.0, Node::of(expr));
        let wanted = self.wanted;
        let program = self.program;
        if callee.candidates.is_empty() {
            let message = format!("internal error: unresolved function call to '{}'", callee.name);
            return Err(thrown(token, &message));
        }
        for &candidate in &callee.candidates {
            self.wanted = wanted;
            self.link(node, Decl::Result(candidate), token, wanted, true);
            if self.node(node) == Type::Stats {
                self.invalid(token, Type::Stats);
            }
            let function = program.function(candidate);
            if args.len() != function.params {
                self.unknown(token);
                continue;
            }
            for (index, arg) in args.iter().enumerate() {
                let parameter = Decl::Local(Owner::Function(candidate), LocalId(index as u32));
                self.want(self.decl_type(parameter), arg)?;
                let found = self.node_type(arg);
                let mut formal = self.decl_type(parameter);
                if matches!(found, Type::Long | Type::String) && formal == Type::Unknown {
                    self.set_decl(parameter, found);
                    formal = found;
                    self.learned(parameter, Some(index), &arg.origin.0);
                }
                if found == Type::Stats {
                    self.invalid(&arg.origin.0, found);
                }
                if formal == Type::Stats {
                    self.invalid(&function.locals()[index].origin.0, formal);
                }
                if found != Type::Unknown && formal != Type::Unknown && formal != found {
                    self.mismatch_decl(&arg.origin.0, found, parameter, Some(index));
                }
                if found == Type::Unknown {
                    self.unknown_value(arg);
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, expr: &'a Expr<Bound>, print: &'a Print<Bound>) -> Result<(), Thrown> {
        let (token, node) = (&expr.origin.0, Node::of(expr));
        let mut unknown_args = false;
        match (&print.hist, &print.layout) {
            (Some(hist), _) => self.hist(hist)?,
            (None, PrintLayout::Format { parts, .. }) => {
                let conversions = parts.iter().filter_map(|part| match part {
                    FormatPart::Conversion(conversion) => Some(conversion),
                    FormatPart::Text(_) => None,
                });
                let wanted: Vec<Type> = conversions.flat_map(conversion_args).collect();
                if wanted.len() != print.args.len() {
                    let message = "Wrong number of args to formatted print operator";
                    let error = Diagnostic::semantic("types.print-args", message).at(token).note(format!(
                        "the format takes {}, it is given {}",
                        wanted.len(),
                        print.args.len()
                    ));
                    return Err(Box::new(error));
                }
                for (arg, wanted) in print.args.iter().zip(wanted) {
                    self.argument(wanted, arg)?;
                }
            }
            (None, _) => {
                for arg in &print.args {
                    self.want(Type::Unknown, arg)?;
                    if self.node_type(arg) == Type::Unknown {
                        self.unknown_value(arg);
                        unknown_args = true;
                    }
                }
            }
        }
        if unknown_args {
            // The arguments were reported.
            self.nodes.remove(&node);
            self.unresolved += 1;
        } else {
            self.settle_once(node, if print.to_string { Type::String } else { Type::Long });
        }
        Ok(())
    }

    /// An argument whose type the format dictates.
    fn argument(&mut self, wanted: Type, arg: &'a Expr<Bound>) -> Result<(), Thrown> {
        self.want(wanted, arg)?;
        match self.node_type(arg) {
            Type::Unknown => self.settle(Node::of(arg), wanted),
            found if found != wanted => self.mismatch(&arg.origin.0, wanted, found),
            _ => {}
        }
        Ok(())
    }

    /// A target that survived: in the last round its own reason is printed.
    fn target(&mut self, expr: &'a Expr<Bound>, target: &'a Target<Bound>) -> Result<(), Thrown> {
        let token = &expr.origin.0;
        let (operand, always, message) = match &target.base {
            TargetBase::Value(value) => (Some(value), false, "unknown type in dereference".to_owned()),
            _ if self.is_early() => return Ok(()),
            TargetBase::Symbol(_) => (None, false, "unresolved target-symbol expression".to_owned()),
            TargetBase::Var { .. } => (None, true, "unresolved @var() expression".to_owned()),
            TargetBase::Cast { type_name, module, .. } => {
                (None, true, format!("type definition '{type_name}' not found in '{module}'"))
            }
        };
        if self.asserting || always {
            let program = self.program;
            let reason = program.missing.iter().find(|missing| missing.token == *token);
            let error = reason.map_or_else(
                || {
                    let error = Diagnostic::semantic("types.unresolved-target", message).at(token);
                    error.limitation(target.limitation())
                },
                |missing| missing.reason.clone(),
            );
            self.report(error);
        }
        if let Some(operand) = operand {
            self.want(Type::Long, operand)?;
        }
        if matches!(target.path.last(), Some(TargetStep::Pretty(..))) && operand.is_none() {
            self.nodes.insert(Node::of(expr), Type::String);
        }
        self.unresolved += 1;
        Ok(())
    }
}

fn known_or(wanted: Type, other: Type) -> Type {
    if wanted == Type::Unknown { other } else { wanted }
}

fn thrown(token: &Token, message: &str) -> Thrown {
    Box::new(Diagnostic::semantic("types.leftover", message).at(token))
}

/// Types of the arguments that one conversion takes: dynamic width, dynamic precision, the value.
fn conversion_args(conversion: &Conversion) -> impl Iterator<Item = Type> + use<> {
    let measure = |measure| (measure == Measure::Dynamic).then_some(Type::Long);
    let value = if conversion.letter == 's' { Type::String } else { Type::Long };
    [measure(conversion.width), measure(conversion.precision), Some(value)].into_iter().flatten()
}
