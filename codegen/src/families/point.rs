//! Reading the parameters of a matched probe point, and writing points and expressions that families make up.

use frontend::diag::Diagnostic;
use frontend::resolve::derive::Answer;
use frontend::source::Token;
use frontend::syntax::ast::{
    Component, DeclaredType, Embed, Function, FunctionBody, Param, Parsed, ProbePoint,
};
use frontend::tree::{Expr, ExprKind, Literal, Origin, Target, TargetBase, TargetStep};
use smol_str::SmolStr;

/// A pattern of probe points: `pattern!(Privileged: ("kprobe", None), ("function", String))`.
macro_rules! pattern {
    ($access:ident: $(($name:literal, $param:ident)),+) => {
        frontend::resolve::derive::Pattern {
            components: &[$(($name, frontend::resolve::derive::Param::$param)),+],
            access: frontend::resolve::derive::Access::$access,
        }
    };
}
pub(super) use pattern;

/// The component of that name.
pub fn component<'a>(point: &'a ProbePoint, functor: &str) -> Option<&'a Component> {
    point.components.iter().find(|component| component.functor == functor)
}

/// True if the point has a component of that name, with or without a parameter.
pub fn has(point: &ProbePoint, functor: &str) -> bool {
    component(point, functor).is_some()
}

/// Numeric parameter of the component of that name.
pub fn number(point: &ProbePoint, functor: &str) -> Option<i64> {
    component(point, functor)?.arg.as_ref()?.number()
}

/// String parameter of the component of that name.
pub fn string<'a>(point: &'a ProbePoint, functor: &str) -> Option<&'a SmolStr> {
    component(point, functor)?.arg.as_ref()?.string()
}

/// An error at the first component of a point.
pub fn error(site: &'static str, point: &ProbePoint, message: impl Into<String>) -> Box<Diagnostic> {
    let error = Diagnostic::semantic(site, message);
    Box::new(match point.components.first() {
        Some(first) => error.at(&first.origin.0),
        None => error,
    })
}

/// The refusal of the context variable that is `expr`, at its place.
///
/// # Errors
/// Always.
pub fn refused(expr: &Expr<Parsed>, site: &'static str, message: impl Into<String>) -> Answer<Expr<Parsed>> {
    Err(Box::new(Diagnostic::semantic(site, message).at(&expr.origin.0)))
}

/// An error without a place of its own: `resolve` wraps it in "while resolving probe point", which has one.
pub fn plain_error(site: &'static str, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::semantic(site, message))
}

/// A point like `like` (same suffixes and condition) with other components; all of them stand where `like` starts.
pub fn rewritten(like: &ProbePoint, components: Vec<(&str, Option<Literal>)>) -> ProbePoint {
    let origin = like.components.first().map(|first| first.origin.clone());
    let components = components
        .into_iter()
        .filter_map(|(functor, arg)| {
            Some(Component { origin: origin.clone()?, functor: functor.into(), arg })
        })
        .collect();
    ProbePoint { components, ..like.clone() }
}

/// `name(args)`, standing where `origin` stands.
pub fn call(origin: &Origin, name: &str, args: Vec<Expr<Parsed>>) -> Expr<Parsed> {
    Expr { origin: origin.clone(), kind: ExprKind::Call { callee: name.into(), args } }
}

/// A number, standing where `origin` stands.
pub fn number_literal(origin: &Origin, value: i64) -> Expr<Parsed> {
    Expr { origin: origin.clone(), kind: ExprKind::Number { value, hex: false } }
}

/// A variable, standing where `origin` stands.
pub fn variable(origin: &Origin, name: &str) -> Expr<Parsed> {
    Expr { origin: origin.clone(), kind: ExprKind::Var(name.into()) }
}

/// A function in C that a family brings along.
pub fn embedded_function(
    token: &Token,
    name: &str,
    result: Option<DeclaredType>,
    params: &[(&str, DeclaredType)],
    code: &str,
) -> Function {
    let origin = Origin(token.clone());
    let params = params
        .iter()
        .map(|(name, declared)| Param {
            origin: origin.clone(),
            name: (*name).into(),
            declared: Some(*declared),
        })
        .collect();
    Function {
        origin: origin.clone(),
        name: name.into(),
        private: false,
        declared: result,
        params,
        priority: None,
        body: FunctionBody::Embedded(Embed { origin, code: code.into() }),
    }
}

/// Refuses a target with members, indexes or a pretty print: such variables are plain numbers or strings
/// (staptree.cxx: `target_symbol::assert_no_components`).
///
/// # Errors
/// At the first step.
pub fn no_components(
    target: &Target<Parsed>,
    family: &str,
    expr: &Expr<Parsed>,
) -> Result<(), Box<Diagnostic>> {
    let name = match &target.base {
        TargetBase::Symbol(name) => name.as_str(),
        TargetBase::Cast { .. } | TargetBase::Var { .. } | TargetBase::Value(_) => "",
    };
    let (origin, message) = match target.path.first() {
        None => return Ok(()),
        Some(TargetStep::Member(origin, _)) => {
            (origin, format!("{family} variable '{name}' may not be used as a structure"))
        }
        Some(TargetStep::Literal(origin, _) | TargetStep::Index(origin, _)) => {
            (origin, format!("{family} variable '{name}' may not be used as array"))
        }
        Some(TargetStep::Pretty(origin, _)) => {
            (origin, format!("{family} variable '{name}' may not be pretty-printed"))
        }
    };
    let token = if origin.0.text.is_empty() { &expr.origin.0 } else { &origin.0 };
    Err(Box::new(Diagnostic::semantic("target.components", message).at(token)))
}
