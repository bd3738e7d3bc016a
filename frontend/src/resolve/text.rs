//! Probe points as text, in the form of upstream's dumps (staptree.cxx: `probe_point::print`).

use crate::syntax::ast::{Parsed, ProbePoint};
use crate::tree::Literal;
use crate::tree::print::{self, Form, Names};
use smol_str::{SmolStr, format_smolstr};
use std::fmt::Write;

/// Names in conditions: as written, or, if `mangled` says that a name is a global's, by their C names.
struct ConditionNames<'a> {
    is_global: &'a dyn Fn(&str) -> bool,
}

impl Names<Parsed> for ConditionNames<'_> {
    fn variable(&self, name: &SmolStr) -> SmolStr {
        if (self.is_global)(name) { format_smolstr!("__global_{name}") } else { name.clone() }
    }

    fn callee(&self, name: &SmolStr) -> SmolStr {
        name.clone()
    }
}

/// A probe point; `extras` adds `?`, `!` and the condition as written.
pub fn point_text(point: &ProbePoint, extras: bool) -> String {
    resolved_point_text(point, extras, &|_| false)
}

/// The same with the C names of globals in the condition, as upstream prints it once names are resolved.
pub(super) fn resolved_point_text(
    point: &ProbePoint,
    extras: bool,
    is_global: &dyn Fn(&str) -> bool,
) -> String {
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
            let names = ConditionNames { is_global };
            let _ = write!(text, " if ({})", print::expr(&names, Form::Upstream, condition));
        }
    }
    text
}
