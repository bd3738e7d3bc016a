//! The bound program as text, in the form of upstream's `-p2` dump (main.cxx: `printscript`).

use super::{Body, Bound, Callee, FunctionBody, Global, Probe, Program, VarRef};
use crate::session::Version;
use crate::syntax::ast::{Component, ProbePoint};
use crate::tree::Literal;
use crate::tree::print::{Form, Names, expr, stmt};
use crate::types::{Owner, TypeTable, functions_by_name};
use smol_str::SmolStr;
use std::fmt::Write;

/// The whole dump, as the `stap` of that level prints it. Bodies are included from verbosity 1 on.
pub fn program(program: &Program, types: &TypeTable, verbosity: u32, level: &Version) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_program(&mut out, program, types, verbosity, level);
    out
}

/// Concatenations have had more than two operands since 5.6 (language.md 27).
fn form(level: &Version) -> Form {
    if level.before(5, 6) { Form::UpstreamBinaryConcat } else { Form::Upstream }
}

/// The chain of points between its comment signs. Before 5.0 no point of a chain had a chain of its own
/// (observed: 4.8).
fn chain(probe: &Probe, level: &Version) -> String {
    let chain = &probe.lineage.chain;
    if !level.before(5, 0) {
        return format!(" /* {chain} */ ");
    }
    let mut flat = String::new();
    let mut rest = chain.as_str();
    while let Some((before, nested)) = rest.split_once(" /* ") {
        flat.push_str(before);
        rest = nested.split_once(" */ ").map_or("", |(_, after)| after);
    }
    flat.push_str(rest);
    format!(" /*{flat} */")
}

fn write_program(
    out: &mut String,
    program: &Program,
    types: &TypeTable,
    verbosity: u32,
    level: &Version,
) -> std::fmt::Result {
    if !program.embeds.is_empty() {
        writeln!(out, "# global embedded code")?;
    }
    for embed in &program.embeds {
        writeln!(out, "%{{{}%}}", embed.code)?;
    }
    if !program.globals.is_empty() {
        writeln!(out, "# globals")?;
    }
    for (global, types) in program.globals.iter().zip(&types.globals) {
        out.push_str(&global_signature(global, types));
        if verbosity > 0
            && let Some(init) = &global.init
        {
            write!(out, " = {}", literal(init))?;
        }
        out.push('\n');
    }
    if !program.functions.is_empty() {
        writeln!(out, "# functions")?;
    }
    for id in functions_by_name(program) {
        let function = program.function(id);
        let owner = Owner::Function(id);
        let names = function.locals().iter().map(|local| local.name.as_str());
        let mut variables: Vec<String> =
            names.zip(types.locals(owner)).map(|(name, kind)| format!("{name}:{kind}")).collect();
        let locals = variables.split_off(function.params.min(variables.len()));
        writeln!(out, "{}:{} ({})", function.name, types.result(id), variables.join(", "))?;
        write_locals(out, &locals)?;
        if verbosity > 0 {
            match &function.body {
                FunctionBody::Script(body) => write_body(out, program, body, form(level))?,
                FunctionBody::Embedded { code, .. } => writeln!(out, "{{ %{{{code}%}} }}")?,
            }
        }
    }
    if !program.probes.is_empty() {
        writeln!(out, "# probes")?;
    }
    for (probe, locals) in program.probes.iter().zip(&types.probe_locals) {
        write_point(out, program, probe, form(level))?;
        writeln!(out, "{}", chain(probe, level))?;
        let locals: Vec<String> = probe
            .body
            .locals
            .iter()
            .zip(locals)
            .map(|(local, kind)| format!("{}:{kind}", local.name))
            .collect();
        write_locals(out, &locals)?;
        if verbosity > 0 {
            write_body(out, program, &probe.body, form(level))?;
        }
    }
    Ok(())
}

/// The final point with its flags and its condition (staptree.cxx: `probe_point::print`).
fn write_point(out: &mut String, program: &Program, probe: &Probe, form: Form) -> std::fmt::Result {
    out.push_str(&point(&probe.point));
    if probe.point.sufficient {
        out.push('!');
    } else if probe.point.optional {
        out.push('?');
    }
    if let Some(condition) = &probe.condition {
        let names = BodyNames { program, body: &probe.body };
        write!(out, " if ({})", expr(&names, form, condition))?;
    }
    out.push_str(&probe.lineage.remark);
    Ok(())
}

fn write_locals(out: &mut String, locals: &[String]) -> std::fmt::Result {
    if !locals.is_empty() {
        writeln!(out, "  # locals")?;
    }
    for local in locals {
        writeln!(out, "  {local}")?;
    }
    Ok(())
}

fn write_body(out: &mut String, program: &Program, body: &Body, form: Form) -> std::fmt::Result {
    let names = BodyNames { program, body };
    writeln!(out, "{{ {} }}", stmt(&names, form, &body.root))
}

/// Names inside a body: globals and functions by their C names, locals as written.
struct BodyNames<'a> {
    program: &'a Program,
    body: &'a Body,
}

impl Names<Bound> for BodyNames<'_> {
    fn deleted(&self, variable: &VarRef) -> SmolStr {
        match variable {
            VarRef::Local(_) => self.variable(variable),
            VarRef::Global(id) => {
                self.program.globals.get(id.0 as usize).map(|global| global.name.clone()).unwrap_or_default()
            }
        }
    }

    fn variable(&self, variable: &VarRef) -> SmolStr {
        match variable {
            VarRef::Local(id) => self.body.locals.get(id.0 as usize).map(|local| local.name.clone()),
            VarRef::Global(id) => {
                self.program.globals.get(id.0 as usize).map(|global| global.mangled.clone())
            }
        }
        .unwrap_or_default()
    }

    fn callee(&self, callee: &Callee) -> SmolStr {
        let first = callee.candidates.first().and_then(|id| self.program.functions.get(id.0 as usize));
        first.map_or_else(|| callee.name.clone(), |function| function.mangled.clone())
    }
}

/// `name%[10]:long [string, long]` (staptree.cxx: `vardecl::printsig`).
fn global_signature(global: &Global, types: &crate::types::GlobalType) -> String {
    let mut text = global.name.to_string();
    if global.wrap {
        text.push('%');
    }
    if let Some(size) = global.size {
        text += &format!("[{size}]");
    }
    text += &format!(":{}", types.value);
    if !types.keys.is_empty() {
        let keys: Vec<String> = types.keys.iter().map(ToString::to_string).collect();
        text += &format!(" [{}]", keys.join(", "));
    }
    text
}

/// A probe point without its `?`, `!` and condition.
pub fn point(point: &ProbePoint) -> String {
    point.components.iter().map(component).collect::<Vec<_>>().join(".")
}

fn component(component: &Component) -> String {
    match &component.arg {
        None => component.functor.to_string(),
        Some(arg) => format!("{}({})", component.functor, literal(arg)),
    }
}

/// A literal as the dumps write it: of a string's characters only `"` needs a backslash.
pub fn literal(value: &Literal) -> String {
    match value {
        Literal::Number(number) => number.to_string(),
        Literal::Address(address) => format!("{address:#x}"),
        Literal::String(text) => format!("\"{}\"", text.replace('"', "\\\"")),
    }
}

/// The points that a probe comes from, as errors name it (elaborate.cxx: `derived_locations`).
pub fn derived_from(probe: &Probe) -> String {
    probe.derivation.iter().map(point).collect::<Vec<_>>().join(" from: ")
}
