//! A file's declarations as text: the `-p1` dump (staptree.cxx: `stapfile::print`), or text that parses back to the same
//! declarations.

use super::ast::*;
use crate::tree::print::{Form, Names, Printer};
use smol_str::SmolStr;

/// Names of parsed trees: themselves.
pub struct ParsedNames;

impl Names<Parsed> for ParsedNames {
    fn variable(&self, variable: &SmolStr) -> SmolStr {
        variable.clone()
    }

    fn callee(&self, callee: &SmolStr) -> SmolStr {
        callee.clone()
    }
}

/// One file of the `-p1` dump, from `# file NAME` on. The dump starts with a line `# parse tree dump`, and after the user's
/// files, as after each library file that `-v` adds, comes an empty line.
pub fn file(name: &str, script: &Script, form: Form) -> String {
    let text = declarations(script, form);
    format!("# file {name}\n{text}")
}

/// The declarations of a file. In the faithful form the order is upstream's too, so text that parses back gives lists
/// equal to those of `script`.
pub fn declarations(script: &Script, form: Form) -> String {
    let mut dump = Dump { printer: Printer::new(&ParsedNames, form), faithful: form == Form::Faithful };
    for embed in &script.embeds {
        dump.put(&format!("%{{{}%}}", embed.code));
    }
    for global in &script.globals {
        dump.global(global);
    }
    for alias in &script.aliases {
        dump.alias(alias);
    }
    for probe in &script.probes {
        dump.put("probe ");
        dump.points(&probe.points, ",");
        dump.printer.stmt(&probe.body);
        dump.put("\n");
    }
    for function in &script.functions {
        dump.function(function);
    }
    dump.printer.text
}

/// An alias up to its body: `a = b = P, Q` (staptree.cxx: `probe_alias::printsig`).
pub fn alias_signature(alias: &Alias, form: Form) -> String {
    let mut dump = Dump { printer: Printer::new(&ParsedNames, form), faithful: form == Form::Faithful };
    dump.alias_signature(alias);
    dump.printer.text
}

/// A probe point with its `?`, `!` and condition.
pub fn point(point: &ProbePoint, form: Form) -> String {
    let mut dump = Dump { printer: Printer::new(&ParsedNames, form), faithful: form == Form::Faithful };
    dump.point(point);
    dump.printer.text
}

struct Dump<'a> {
    printer: Printer<'a, Parsed>,
    faithful: bool,
}

impl Dump<'_> {
    fn put(&mut self, text: &str) {
        self.printer.text.push_str(text);
    }

    fn global(&mut self, global: &Global) {
        if self.faithful && global.private {
            self.put("private ");
        }
        self.put("global ");
        self.put(&global.name);
        if global.wrap {
            self.put("%");
        }
        if let Some(size) = global.size {
            self.put(&format!("[{size}]"));
        }
        if let Some(init) = &global.init {
            self.put(" = ");
            self.printer.literal(init);
        }
        self.put("\n");
    }

    fn point(&mut self, point: &ProbePoint) {
        for (index, component) in point.components.iter().enumerate() {
            if index > 0 {
                self.put(".");
            }
            self.put(&component.functor);
            if let Some(arg) = &component.arg {
                self.put("(");
                self.printer.literal(arg);
                self.put(")");
            }
        }
        if point.sufficient {
            self.put("!");
        } else if point.optional {
            self.put("?");
        }
        if let Some(condition) = &point.condition {
            self.put(" if (");
            self.printer.expr(condition);
            self.put(")");
        }
    }

    fn points(&mut self, points: &[ProbePoint], separator: &str) {
        for (index, point) in points.iter().enumerate() {
            if index > 0 {
                self.put(separator);
            }
            self.point(point);
        }
    }

    fn alias_signature(&mut self, alias: &Alias) {
        self.points(&alias.names, " = ");
        self.put(if alias.epilogue_style { " += " } else { " = " });
        self.points(&alias.points, ", ");
    }

    fn alias(&mut self, alias: &Alias) {
        self.put("probe ");
        self.alias_signature(alias);
        self.printer.stmt(&alias.body);
        if self.faithful
            && let Some(epilogue) = &alias.epilogue
        {
            self.put(", ");
            self.printer.stmt(epilogue);
        }
        self.put("\n");
    }

    fn function(&mut self, function: &Function) {
        let declared = |declared: Option<DeclaredType>| match declared {
            Some(DeclaredType::Long) if self.faithful => ":long",
            Some(DeclaredType::String) if self.faithful => ":string",
            _ => "",
        };
        let params: Vec<String> = function
            .params
            .iter()
            .map(|param| format!("{}{}", param.name, declared(param.declared)))
            .collect();
        let mut text = String::new();
        if self.faithful && function.private {
            text.push_str("private ");
        }
        let kind = declared(function.declared);
        text.push_str(&format!("function {}{kind} ({})", function.name, params.join(", ")));
        if let Some(priority) = function.priority.filter(|_| self.faithful) {
            text.push_str(&format!(":{priority}"));
        }
        self.put(&text);
        self.put("\n");
        match &function.body {
            FunctionBody::Script(body) => self.printer.stmt(body),
            FunctionBody::Embedded(embed) => self.put(&format!("%{{{}%}}", embed.code)),
        }
        self.put("\n");
    }
}
