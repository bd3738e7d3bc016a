//! A library made of texts, a small probe family, and programs as text.

use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::{Attachment, FunctionBody, Program};
use crate::resolve::derive::{
    Access, Answer, DeriveContext, Derived, Family, Param, Pattern, TargetUse, Targets,
};
use crate::resolve::{point_text, resolve};
use crate::session::Session;
use crate::syntax::ast::{Parsed, ProbePoint};
use crate::testing::parse_texts;
use crate::tree::{Expr, ExprKind, Target, TargetBase};
use crate::world::MemoryWorld;
use smol_str::SmolStr;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

/// `begin`, `end`, `timer.s(N)`, and `kp.function("f")` with `.return`: `$x` is known there, and `"none"` is not found.
#[derive(Debug)]
pub struct TestFamily;

#[derive(Debug)]
struct Nothing;

impl Attachment for Nothing {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug)]
struct OneVariable;

impl Targets for OneVariable {
    fn locate(
        &self,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Answer<Expr<Parsed>> {
        match (&target.base, usage) {
            (TargetBase::Symbol(name), TargetUse::Read) if name == "$x" => {
                Ok(Expr { origin: expr.origin.clone(), kind: ExprKind::Number { value: 42, hex: false } })
            }
            (TargetBase::Symbol(name), _) => {
                let message = format!("unable to find {name}");
                Err(Box::new(Diagnostic::semantic("test/target", message).at(&expr.origin.0)))
            }
            _ => Err(Box::new(Diagnostic::semantic("test/target", "no such thing").at(&expr.origin.0))),
        }
    }

    fn listing(&self) -> Vec<(SmolStr, SmolStr)> {
        vec![("$x".into(), "int".into())]
    }
}

const PATTERNS: &[Pattern] = &[
    Pattern { components: &[("begin", Param::None)], access: Access::All },
    Pattern { components: &[("begin", Param::Number)], access: Access::All },
    Pattern { components: &[("end", Param::None)], access: Access::All },
    Pattern { components: &[("timer", Param::None), ("s", Param::Number)], access: Access::All },
    Pattern { components: &[("timer", Param::None), ("ms", Param::Number)], access: Access::All },
    Pattern { components: &[("kp", Param::None), ("function", Param::String)], access: Access::Privileged },
    Pattern {
        components: &[("kp", Param::None), ("function", Param::String), ("return", Param::None)],
        access: Access::Privileged,
    },
];

impl Family for TestFamily {
    fn name(&self) -> &'static str {
        "test"
    }

    fn builder(&self) -> &'static str {
        "test builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, _context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let argument = point.components.get(1).and_then(|component| component.arg.as_ref());
        if argument.and_then(|argument| argument.string()).is_some_and(|name| name == "none") {
            return Ok(Vec::new());
        }
        let mut derived = Derived::plain(point.clone(), Arc::new(Nothing));
        if point.components[0].functor == "kp" {
            derived.targets = Some(Arc::new(OneVariable));
            derived.plain_calls = true;
            derived.folds = true;
            if point.components.len() == 3 {
                let mut at_entry = derived.clone();
                at_entry.point.components.pop();
                derived.entry = Some(Box::new(at_entry));
            }
        }
        Ok(vec![derived])
    }
}

/// Parses and resolves with the given library files.
pub fn run_with(session: &Session, library: &[(&str, &str)], scripts: &[&str]) -> (Program, Diagnostics) {
    let scripts: Vec<(&str, &str)> = scripts.iter().map(|text| ("<input>", *text)).collect();
    let texts = parse_texts(session, &scripts, library);
    assert!(!texts.diagnostics.has_errors(), "{:?}", texts.diagnostics);
    resolve(session, &MemoryWorld::new(), &texts.scripts, &texts.library, &[&TestFamily])
}

/// The same without options.
pub fn run(library: &[(&str, &str)], script: &str) -> (Program, Diagnostics) {
    run_with(&Session::for_tests(), library, &[script])
}

/// First lines of all diagnostics with their chains, one per line.
pub fn messages(diagnostics: &Diagnostics) -> Vec<String> {
    let text = |diagnostic: &Diagnostic| {
        let mut line = diagnostic.message.clone();
        if let Some(token) = &diagnostic.token {
            line += &format!(" @{}:{}", token.pos.file.0, token.pos.offset);
        }
        line
    };
    diagnostics
        .iter()
        .map(|diagnostic| {
            let mut line = text(diagnostic);
            let mut cause = &diagnostic.cause;
            while let Some(inner) = cause {
                line += &format!(" <- {}", text(inner));
                cause = &inner.cause;
            }
            line
        })
        .collect()
}

/// Names of what is in the program: `probes | functions | globals`.
pub fn names(program: &Program) -> String {
    let probes: Vec<String> = program.probes.iter().map(|probe| point_text(&probe.point, true)).collect();
    let functions: Vec<&str> = program.functions.iter().map(|function| function.mangled.as_str()).collect();
    let globals: Vec<&str> = program.globals.iter().map(|global| global.mangled.as_str()).collect();
    format!("{} | {} | {}", probes.join(" "), functions.join(" "), globals.join(" "))
}

/// Names of the locals of a probe.
pub fn locals(program: &Program, probe: usize) -> Vec<String> {
    program.probes[probe].body.locals.iter().map(|local| local.name.to_string()).collect()
}

/// Every id in every body is in range.
pub fn check_ids(program: &Program) {
    use crate::hir::VarRef;
    use crate::tree::walk::all_exprs;
    let check = |root: &crate::tree::Stmt<crate::hir::Bound>, locals: usize| {
        all_exprs(root, &mut |expr| match &expr.kind {
            ExprKind::Var(VarRef::Local(id)) => assert!((id.0 as usize) < locals),
            ExprKind::Var(VarRef::Global(id)) | ExprKind::Index { base: VarRef::Global(id), .. } => {
                assert!((id.0 as usize) < program.globals.len());
            }
            ExprKind::Call { callee, .. } => {
                assert!(!callee.candidates.is_empty());
                for id in &callee.candidates {
                    assert!((id.0 as usize) < program.functions.len());
                }
            }
            _ => {}
        });
    };
    for probe in &program.probes {
        check(&probe.body.root, probe.body.locals.len());
    }
    for function in &program.functions {
        if let FunctionBody::Script(body) = &function.body {
            check(&body.root, body.locals.len());
        }
    }
    let unique: BTreeSet<&SmolStr> = program.functions.iter().map(|function| &function.mangled).collect();
    assert_eq!(unique.len(), program.functions.len());
}
