//! The bound program as text, in the form of upstream's `-p2` dump (main.cxx: `printscript`).

use super::{Body, Bound, Callee, Function, FunctionBody, FunctionId, Global, Local, Probe, Program, VarRef};
use crate::session::Version;
use crate::source::SourceMap;
use crate::syntax::ast::{Component, ProbePoint};
use crate::tree::Literal;
use crate::tree::print::{Form, Names, expr, stmt};
use crate::types::{Owner, Type, TypeTable, functions_by_name};
use smol_str::{SmolStr, format_smolstr};
use std::fmt::Write;

/// The whole dump, as the `stap` of that level prints it. Bodies are included from verbosity 1 on.
///
/// Private names have the path of their file in them there, which must not get into the C code: it is put in here.
pub fn program(
    program: &Program,
    types: &TypeTable,
    sources: &SourceMap,
    verbosity: u32,
    level: &Version,
) -> String {
    let dump = Dump { program, types, files: private_files(program, sources), level };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = dump.write(&mut out, verbosity);
    out
}

/// The final point of a probe with its `?` or `!` and its condition, as `-p2` and texts at run time have it
/// (translate.cxx: `STAP_PROBE_INIT` takes `sole_location`).
pub fn final_point(
    program: &Program,
    types: &TypeTable,
    sources: &SourceMap,
    level: &Version,
    probe: &Probe,
) -> String {
    // Only a condition has names.
    let files = if probe.condition.is_some() { private_files(program, sources) } else { Vec::new() };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = Dump { program, types, files, level }.write_point(&mut out, probe);
    out
}

/// A body as `-p2 -v` prints it.
pub fn body(
    program: &Program,
    types: &TypeTable,
    sources: &SourceMap,
    level: &Version,
    body: &Body,
) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = Dump { program, types, files: private_files(program, sources), level }
        .write_body(&mut out, body, false);
    out
}

/// A name as upstream mangles it, with the path of the file in that of a private declaration.
pub fn upstream_name(program: &Program, sources: &SourceMap, mangled: &str) -> String {
    if !mangled.starts_with("__private_") {
        return mangled.to_owned();
    }
    for (ours, upstreams) in private_files(program, sources) {
        if let Some(rest) = mangled.strip_prefix(&*ours) {
            return upstreams + rest;
        }
    }
    mangled.to_owned()
}

/// What private names start with: as the program has it, and as upstream prints it (staputil.cxx: `detox_path`).
/// Longer ones come first.
fn private_files(program: &Program, sources: &SourceMap) -> Vec<(String, String)> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let mut files: Vec<(String, String)> = program
        .tags
        .iter()
        .map(|(tag, file)| {
            let path: String = sources.file(*file).name.bytes().map(|byte| plain(char::from(byte))).collect();
            (format!("__private_{tag}_"), format!("__private_{path}_"))
        })
        .collect();
    files.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    files
}

/// One dump.
struct Dump<'a> {
    program: &'a Program,
    types: &'a TypeTable,
    files: Vec<(String, String)>,
    level: &'a Version,
}

/// The chain of points between its comment signs, which have stood apart since 5.0 (observed: 4.8).
fn chain(chain: &str, level: &Version) -> String {
    if level.before(5, 0) { format!(" /*{chain} */") } else { format!(" /* {chain} */ ") }
}

impl Dump<'_> {
    /// Concatenations have had more than two operands since 5.6 (language.md 27).
    fn form(&self) -> Form {
        if self.level.before(5, 6) { Form::UpstreamBinaryConcat } else { Form::Upstream }
    }

    /// A name with the path in it, if it is a private one.
    fn shown(&self, name: &str) -> SmolStr {
        let known =
            self.files.iter().find_map(|(prefix, path)| Some((name.find(prefix.as_str())?, prefix, path)));
        match known {
            Some((at, prefix, path)) => {
                format_smolstr!("{}{path}{}", &name[..at], &name[at + prefix.len()..])
            }
            None => name.into(),
        }
    }

    fn write(&self, out: &mut String, verbosity: u32) -> std::fmt::Result {
        let program = self.program;
        if !program.embeds.is_empty() {
            writeln!(out, "# global embedded code")?;
        }
        for embed in &program.embeds {
            writeln!(out, "%{{{}%}}", embed.code)?;
        }
        if !program.globals.is_empty() {
            writeln!(out, "# globals")?;
        }
        for (global, types) in program.globals.iter().zip(&self.types.globals) {
            out.push_str(&global_signature(global, types));
            if verbosity > 0
                && let Some(init) = &global.init
            {
                write!(out, " = {}", literal(init))?;
            }
            out.push('\n');
        }
        let written = |id: &FunctionId| program.function(*id).expression.is_none();
        let functions: Vec<FunctionId> = functions_by_name(program).into_iter().filter(written).collect();
        if !functions.is_empty() {
            writeln!(out, "# functions")?;
        }
        for id in functions {
            let function = program.function(id);
            let mut variables = self.variables(function.locals(), self.types.locals(Owner::Function(id)));
            let locals = variables.split_off(function.params.min(variables.len()));
            let name = self.shown(&function.name);
            writeln!(out, "{name}:{} ({})", self.types.result(id), variables.join(", "))?;
            write_locals(out, &locals)?;
            if verbosity > 0 {
                match &function.body {
                    FunctionBody::Script(body) => self.write_body(out, body, false)?,
                    FunctionBody::Embedded { code, .. } => writeln!(out, "{{ %{{{code}%}} }}")?,
                }
            }
        }
        if !program.probes.is_empty() {
            writeln!(out, "# probes")?;
        }
        for (probe, locals) in program.probes.iter().zip(&self.types.probe_locals) {
            self.write_point(out, probe)?;
            out.push_str(&probe.lineage.remark);
            // Conditions in it may name private variables.
            let mut points = probe.lineage.chain.clone();
            for (prefix, path) in &self.files {
                points = points.replace(prefix.as_str(), path).into();
            }
            writeln!(out, "{}", chain(&points, self.level))?;
            write_locals(out, &self.variables(&probe.body.locals, locals))?;
            if verbosity > 0 {
                self.write_body(out, &probe.body, probe.plain_calls)?;
            }
        }
        Ok(())
    }

    /// `name:type` of each.
    fn variables(&self, locals: &[Local], types: &[Type]) -> Vec<String> {
        let signature = |(local, kind): (&Local, &Type)| format!("{}:{kind}", self.shown(&local.name));
        locals.iter().zip(types).map(signature).collect()
    }

    /// The final point with its flags and its condition (staptree.cxx: `probe_point::print`).
    fn write_point(&self, out: &mut String, probe: &Probe) -> std::fmt::Result {
        out.push_str(&point(&probe.point));
        if probe.point.sufficient {
            out.push('!');
        } else if probe.point.optional {
            out.push('?');
        }
        if let Some(condition) = &probe.condition {
            let names = BodyNames { dump: self, body: &probe.body, plain_calls: false };
            write!(out, " if ({})", expr(&names, self.form(), condition))?;
        }
        Ok(())
    }

    fn write_body(&self, out: &mut String, body: &Body, plain_calls: bool) -> std::fmt::Result {
        let names = BodyNames { dump: self, body, plain_calls };
        writeln!(out, "{{ {} }}", stmt(&names, self.form(), &body.root))
    }
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

/// True for the variables of the `catch`es around merged handlers: upstream numbers their declarations only
/// (elaborate.cxx: `semantic_pass_opt8`).
fn is_combined_error(name: &str) -> bool {
    let number = name.strip_prefix("__error_").and_then(|rest| rest.strip_suffix("__"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Names inside a body: globals and functions by their C names, locals as written.
struct BodyNames<'a> {
    dump: &'a Dump<'a>,
    body: &'a Body,
    plain_calls: bool,
}

impl BodyNames<'_> {
    /// The function of a call; of several with the name, the first one that is tried.
    fn called(&self, callee: &Callee) -> Option<&Function> {
        callee.candidates.first().and_then(|id| self.dump.program.functions.get(id.0 as usize))
    }
}

impl Names<Bound> for BodyNames<'_> {
    fn deleted(&self, variable: &VarRef) -> SmolStr {
        match variable {
            VarRef::Local(_) => self.variable(variable),
            VarRef::Global(id) => {
                let global = self.dump.program.globals.get(id.0 as usize);
                global.map(|global| global.name.clone()).unwrap_or_default()
            }
        }
    }

    fn variable(&self, variable: &VarRef) -> SmolStr {
        let name = match variable {
            VarRef::Local(id) => {
                let local = self.body.locals.get(id.0 as usize);
                if local.is_some_and(|local| is_combined_error(&local.name)) {
                    return SmolStr::new_static("__error__");
                }
                local.map(|local| &local.name)
            }
            VarRef::Global(id) => self.dump.program.globals.get(id.0 as usize).map(|global| &global.mangled),
        };
        name.map(|name| self.dump.shown(name)).unwrap_or_default()
    }

    fn embedded(&self, callee: &Callee) -> Option<SmolStr> {
        self.called(callee)?.expression.clone()
    }

    fn callee(&self, callee: &Callee) -> SmolStr {
        if self.plain_calls {
            return callee.name.clone();
        }
        self.dump.shown(self.called(callee).map_or(&callee.name, |function| &function.mangled))
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
