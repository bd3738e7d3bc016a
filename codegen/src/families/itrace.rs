//! `process("p").insn` and `.insn.block`: single-stepping of programs, in stap before 5.0.
//!
//! It works on kernels with CONFIG_UTRACE only, which no mainline kernel has ever had; on all others stap refuses the
//! points with the error below. Source: upstream 4.8 tapset-itrace.cxx.

use super::{EmitFamily, Group};
use crate::families::point;
use frontend::diag::Diagnostic;
use frontend::hir::Probe;
use frontend::resolve::derive::{Access, DeriveContext, Derived, Family, Param, Pattern};
use frontend::session::Session;
use frontend::syntax::ast::ProbePoint;

const PATTERNS: &[Pattern] = &[
    Pattern { components: &[("process", Param::String), ("insn", Param::None)], access: Access::Privileged },
    Pattern { components: &[("process", Param::Number), ("insn", Param::None)], access: Access::Privileged },
    Pattern {
        components: &[("process", Param::String), ("insn", Param::None), ("block", Param::None)],
        access: Access::Privileged,
    },
    Pattern {
        components: &[("process", Param::Number), ("insn", Param::None), ("block", Param::None)],
        access: Access::Privileged,
    },
];

/// The family.
#[derive(Debug)]
pub struct ItraceFamily;

impl Family for ItraceFamily {
    fn name(&self) -> &'static str {
        "itrace"
    }

    fn builder(&self) -> &'static str {
        "itrace builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn available(&self, session: &Session, _pattern: &Pattern) -> bool {
        session.version.before(5, 0)
    }

    fn derive(&self, _: &DeriveContext<'_>, _: &ProbePoint) -> Result<Vec<Derived>, Box<Diagnostic>> {
        Err(point::plain_error("itrace.kernel", "process probes not available without kernel CONFIG_UTRACE"))
    }
}

impl EmitFamily for ItraceFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        None
    }
}
