//! Probe points as text, in the form of upstream's dumps (staptree.cxx: `probe_point::print`).

use crate::optimise::fold::fold_operands;
use crate::syntax::ast::{Parsed, ProbePoint};
use crate::tree::print::{self, Form, Names};
use crate::tree::{Expr, Literal};
use smol_str::SmolStr;
use std::fmt::Write;

/// Names in conditions: as written, or, where `mangled` knows a name to be a global's, by their C names.
struct ConditionNames<'a> {
    mangled: &'a dyn Fn(&str) -> Option<SmolStr>,
}

impl Names<Parsed> for ConditionNames<'_> {
    fn variable(&self, name: &SmolStr) -> SmolStr {
        (self.mangled)(name).unwrap_or_else(|| name.clone())
    }

    fn callee(&self, name: &SmolStr) -> SmolStr {
        name.clone()
    }
}

/// A probe point; `extras` adds `?`, `!` and the condition as written.
pub fn point_text(point: &ProbePoint, extras: bool) -> String {
    text(point, extras, &|condition| {
        print::expr(&ConditionNames { mangled: &|_| None }, Form::Upstream, condition)
    })
}

/// The same with everything, and with folded operands and the C names of globals in the condition, as upstream prints it
/// once names are resolved.
pub(super) fn resolved_point_text(point: &ProbePoint, mangled: &dyn Fn(&str) -> Option<SmolStr>) -> String {
    text(point, true, &|condition| {
        let mut condition = condition.clone();
        fold_operands(&mut condition);
        print::expr(&ConditionNames { mangled }, Form::Upstream, &condition)
    })
}

fn text(point: &ProbePoint, extras: bool, shown: &dyn Fn(&Expr<Parsed>) -> String) -> String {
    let mut text = String::new();
    for (index, component) in point.components.iter().enumerate() {
        let dot = if index > 0 { "." } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{dot}{}", component.functor);
        let _ = match &component.arg {
            None => Ok(()),
            Some(Literal::Number(value)) => write!(text, "({value})"),
            Some(Literal::Address(value)) => write!(text, "({value:#x})"),
            Some(Literal::String(value)) => write!(text, "(\"{}\")", value.replace('"', "\\\"")),
        };
    }
    if extras {
        if point.sufficient {
            text.push('!');
        } else if point.optional {
            text.push('?');
        }
        if let Some(condition) = &point.condition {
            let _ = write!(text, " if ({})", shown(condition));
        }
    }
    text
}
