//! For tests: a script to its analysed program, with a library and families made up here.

use super::{Analysis, parse_texts};
use crate::diag::{Diagnostic, Severity};
use crate::hir::{Attachment, dump};
use crate::resolve::derive::{Access, Answer, DeriveContext, Derived, Family, Param, Pattern};
use crate::session::Session;
use crate::source::Token;
use crate::syntax::ast::ProbePoint;
use crate::types;
use crate::world::MemoryWorld;
use expect_test::Expect;
use std::any::Any;
use std::sync::Arc;

/// Functions that the tests may call: pure, stable, with effects.
const TAPSET: &str = r#"
function pid:long () %{ /* pure */ /* unprivileged */ STAP_RETVALUE = current->tgid; %}
function uid:long () %{ /* pure */ /* unprivileged */ /* stable */ STAP_RETVALUE = 0; %}
function cpu:long () %{ /* pure */ /* unprivileged */ /* stable */ STAP_RETVALUE = smp_processor_id(); %}
function strlen:long (s:string) %{ /* pure */ /* unprivileged */ STAP_RETVALUE = strlen(STAP_ARG_s); %}
function error (msg:string) %{ /* unprivileged */ CONTEXT->last_error = STAP_ARG_msg; %}
function exit () %{ /* unprivileged */ _stp_exit(); %}
"#;

#[derive(Debug)]
struct Nothing;

impl Attachment for Nothing {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct TestFamily;

impl Family for TestFamily {
    fn name(&self) -> &'static str {
        "be"
    }

    fn builder(&self) -> &'static str {
        "test builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        const fn plain(components: &'static [(&'static str, Param)]) -> Pattern {
            Pattern { components, access: Access::All }
        }
        const PATTERNS: &[Pattern] = &[
            plain(&[("begin", Param::None)]),
            plain(&[("begin", Param::Number)]),
            plain(&[("end", Param::None)]),
            plain(&[("error", Param::None)]),
            plain(&[("never", Param::None)]),
            plain(&[("timer", Param::None), ("s", Param::Number)]),
        ];
        PATTERNS
    }

    fn derive(&self, _context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        Ok(vec![Derived::plain(point.clone(), Arc::new(Nothing))])
    }
}

/// Analyses a script with default options and `-g`.
pub fn analyse(text: &str) -> Analysis {
    analyse_with(text, &Session { guru: true, ..Session::for_tests() })
}

/// Analyses a script: passes 1 and 2, and the checks of pass 3.
pub fn analyse_with(text: &str, session: &Session) -> Analysis {
    let texts = parse_texts(session, &[("script.stp", text)], &[("tapset/test.stp", TAPSET)]);
    let mut analysis = texts.analyse(session, &MemoryWorld::default(), &[&TestFamily]);
    if !analysis.diagnostics.has_errors() {
        analysis.diagnostics.append(types::check(&analysis.program, &analysis.types));
    }
    analysis
}

/// Compares the messages of several scripts, one script for each line.
pub fn check_messages(scripts: &str, expected: &Expect) {
    check_messages_with(scripts, &Session { guru: true, ..Session::for_tests() }, expected);
}

/// The same with options of one's own.
pub fn check_messages_with(scripts: &str, session: &Session, expected: &Expect) {
    let mut out = String::new();
    for script in scripts.lines().map(str::trim).filter(|line| !line.is_empty()) {
        out += &format!("{script}\n");
        for line in analyse_with(script, session).messages().lines() {
            out += &format!("    {line}\n");
        }
    }
    expected.assert_eq(&out);
}

impl Analysis {
    /// One line for each diagnostic: what it says, and where.
    pub fn messages(&self) -> String {
        let mut out = String::new();
        for diagnostic in self.diagnostics.iter() {
            self.describe(diagnostic, 0, &mut out);
        }
        out
    }

    fn describe(&self, diagnostic: &Diagnostic, depth: usize, out: &mut String) {
        let place = |token: &Token| {
            let (line, column) = self.sources.file(token.pos.file).line_column(token.pos.offset);
            format!("{line}:{column} '{}'", token.text)
        };
        let kind = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Trace => "trace",
            Severity::Warning | Severity::Remark => "warning",
        };
        *out += &format!("{}{kind}: {}", "  ".repeat(depth), diagnostic.message);
        for token in diagnostic.token.iter().chain(&diagnostic.second) {
            *out += &format!(" @ {}", place(token));
        }
        out.push('\n');
        if let Some(cause) = &diagnostic.cause {
            self.describe(cause, depth + 1, out);
        }
    }

    /// The messages, and the dump unless there were errors.
    pub fn report(&self) -> String {
        let mut out = self.messages();
        if !self.diagnostics.has_errors() {
            let level = crate::session::Version("5.6".into());
            out += &dump::program(&self.program, &self.types, &self.sources, 1, &level);
        }
        out
    }
}
