//! What a probe family is to the front half: patterns of probe points, and a function from a matched point to
//! derived probes. The families themselves are in `codegen/src/families`, one file each, with their emission.

use crate::diag::Diagnostic;
use crate::hir::Attachment;
use crate::session::Session;
use crate::source::Token;
use crate::syntax::ast::{Function, Parsed, ProbePoint};
use crate::tree::{AssignOp, Expr, Stmt, Target, TargetBase};
use crate::world::World;
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

/// Kind of a component's parameter. `f`, `f("s")` and `f(1)` are three different patterns (elaborate.cxx: `match_key`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Param {
    /// None.
    None,
    /// A string.
    String,
    /// A number.
    Number,
}

/// Who may use a pattern (elaborate.cxx: `bind_privilege`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, `--unprivileged` included.
    All,
    /// `stapdev` and `stapsys`.
    Privileged,
}

/// A pattern of probe points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Components with the kind of their parameter.
    pub components: &'static [(&'static str, Param)],
    /// Who may use it.
    pub access: Access,
}

/// What `derive` may look at.
pub struct DeriveContext<'a> {
    /// The session.
    pub session: &'a Session,
    /// Files (kernel symbols, executables).
    pub world: &'a dyn World,
    /// The declaration's token, for errors and made-up nodes.
    pub origin: &'a Token,
    /// Path of the tapset file that the location is written in, if it is one.
    pub tapset_file: Option<&'a str>,
    /// False where an error would not be printed (optional points, listings): then costly comparisons with every known
    /// name are not worth it.
    pub suggestions: bool,
}

/// How a target expression is used.
#[derive(Debug, Clone)]
pub enum TargetUse<'a> {
    /// For its value.
    Read,
    /// As the left side of an assignment; the expression to return does the assignment and has its value.
    Write {
        /// The operator.
        op: AssignOp,
        /// The right side.
        value: &'a Expr<Parsed>,
    },
}

/// What a family says to a point or to a context variable: what it is, or the message why it is not.
pub type Answer<T> = Result<T, Box<Diagnostic>>;

/// What `$x` means in the probes of one derived point. Asked when `resolve` meets a target expression.
pub trait Targets: fmt::Debug + Send + Sync {
    /// An expression without that target: a local, a call of a tapset function, embedded C...
    ///
    /// # Errors
    /// Why it does not exist; printed only if the expression survives folding (`@defined`, `--skip-badvars`).
    fn locate(
        &self,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Answer<Expr<Parsed>>;

    /// True if [`Targets::locate`] is to be asked for targets that start like that: of `$x` by default, of `@cast`,
    /// `@var` and autocasts only if the family reads debug information.
    fn knows(&self, base: &TargetBase<Parsed>) -> bool {
        matches!(base, TargetBase::Symbol(_))
    }

    /// Names and C types of the context variables, for `-L`.
    fn listing(&self) -> Vec<(SmolStr, SmolStr)> {
        Vec::new()
    }
}

/// A synthetic local that the probe's entry code fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryLocal {
    /// Name, starting with `__`.
    pub name: SmolStr,
}

/// Something that a derived probe asks of the whole session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// File-level C that must stand before the context structure; each text enters once.
    Embed(SmolStr),
    /// Standard input is forwarded to the module.
    ReadsStdin,
    /// A perf counter that `@perf("name")` can read; the path is empty for system-wide ones.
    PerfCounter {
        /// Name.
        name: SmolStr,
        /// Path of the process.
        process: SmolStr,
    },
}

/// A probe as the family derived it, its body not yet bound.
#[derive(Debug, Clone)]
pub struct Derived {
    /// Well-formed final point.
    pub point: ProbePoint,
    /// A well-formed point between the script's and the final one, if the family makes one: listings and `pn()` prefer
    /// it to the final point.
    pub via: Option<ProbePoint>,
    /// What `-p2` prints right behind the final point: ` /* pc=... */`.
    pub remark: SmolStr,
    /// What the family needs at emission.
    pub attachment: Arc<dyn Attachment>,
    /// Meaning of `$x`; `None` if the family has no context variables.
    pub targets: Option<Arc<dyn Targets>>,
    /// Locals that the entry code fills.
    pub entry_locals: Vec<EntryLocal>,
    /// Functions that [`Targets::locate`] lets the body call. Each target calls a copy, which joins the session then.
    pub functions: Vec<Function>,
    /// Statements to run before the handler's.
    pub prologue: Vec<Stmt<Parsed>>,
    /// For return probes: the probe in which `@entry(...)` is evaluated.
    pub entry: Option<Box<Derived>>,
    /// Upstream resolves the calls of such a handler while it derives it, as for all points of debug information: functions
    /// that depend on the context are copied for it (tapsets.cxx: `var_expanding_visitor::visit_functioncall`), and see
    /// [`crate::hir::Probe::plain_calls`]. In the functions that other handlers call there is no context.
    pub plain_calls: bool,
    /// Upstream folds the constants of such a handler before it looks names up, so that branches which cannot run need not
    /// make sense (elaborate.h: `var_expand_const_fold_loop`).
    pub folds: bool,
    /// What else it asks for.
    pub effects: Vec<Effect>,
}

impl Derived {
    /// A probe without context variables or effects.
    pub fn plain(point: ProbePoint, attachment: Arc<dyn Attachment>) -> Self {
        Derived {
            point,
            via: None,
            remark: SmolStr::default(),
            attachment,
            targets: None,
            entry_locals: Vec::new(),
            functions: Vec::new(),
            prologue: Vec::new(),
            entry: None,
            plain_calls: false,
            folds: false,
            effects: Vec::new(),
        }
    }
}

/// A probe family, as `resolve` sees it.
pub trait Family: Sync {
    /// Key of the family in [`crate::hir::Probe::family`].
    fn name(&self) -> &'static str;

    /// As messages name it: `timer builder`.
    fn builder(&self) -> &'static str;

    /// The points it serves.
    fn patterns(&self) -> &'static [Pattern];

    /// False for patterns that stap of the session's level does not know: they are not registered at all.
    fn available(&self, _session: &Session, _pattern: &Pattern) -> bool {
        true
    }

    /// Who may use a pattern, if that has changed between levels.
    fn access(&self, _session: &Session, pattern: &Pattern) -> Access {
        pattern.access
    }

    /// Derived probes of a point that matched one of the patterns (component by component, wildcards already
    /// replaced). An empty list is "no match".
    ///
    /// # Errors
    /// In upstream's words; `resolve` wraps it in "while resolving probe point".
    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>>;
}
