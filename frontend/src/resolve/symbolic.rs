//! Probe points whose meaning comes from debug information or symbol tables, as long as no family serves them: known to
//! the pattern tree, so that listings, suggestions, `?` and `!` work, but never found.

use super::derive::{Access, Answer, DeriveContext, Derived, Family, Param, Pattern};
use super::executable::find_executable;
use crate::diag::Diagnostic;
use crate::session::Session;
use crate::syntax::ast::{Component, ProbePoint};
use crate::tree::Literal;
use std::sync::LazyLock;

/// The stand-in family. It gives way wherever another family has the same pattern.
pub static SYMBOLIC: Symbolic = Symbolic;

/// Type of [`SYMBOLIC`].
#[derive(Debug)]
pub struct Symbolic;

type Part = (&'static str, Param);

/// Suffixes of `function(...)`: the suffix, whether it takes `.pc().die()` cookies, and where it is known.
const FUNCTION: &[(&[Part], bool, Known)] = &[
    (&[], true, Known::Everywhere),
    (&[("call", Param::None)], true, Known::Everywhere),
    (&[("exported", Param::None)], true, Known::Everywhere),
    (&[("return", Param::None)], true, Known::Everywhere),
    (&[("return", Param::None), ("maxactive", Param::Number)], true, Known::Kernel),
    (&[("inline", Param::None)], true, Known::ByName),
    (&[("callee", Param::String)], true, Known::ByName),
    (&[("callee", Param::String), ("call", Param::None)], false, Known::ByName),
    (&[("callee", Param::String), ("return", Param::None)], false, Known::ByName),
    (&[("callees", Param::None)], false, Known::ByName),
    (&[("callees", Param::Number)], false, Known::ByName),
    (&[("label", Param::String)], true, Known::ByName),
];

/// Suffixes of `statement(...)`.
const STATEMENT: &[(&[Part], bool, Known)] =
    &[(&[], true, Known::Everywhere), (&[("nearest", Param::None)], true, Known::Everywhere)];

/// Where a suffix is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Everywhere,
    /// In the kernel and its modules.
    Kernel,
    /// If the function is given by name.
    ByName,
}

/// `.pc(N).die(N)` in both orders: cookies that 5.6 puts behind points that it has resolved already.
const COOKIES: [[Part; 2]; 2] =
    [[("die", Param::Number), ("pc", Param::Number)], [("pc", Param::Number), ("die", Param::Number)]];

/// Points below a process other than functions and statements.
const PROCESS: &[&[Part]] = &[
    &[("mark", Param::String)],
    &[("provider", Param::String), ("mark", Param::String)],
    &[("plt", Param::None)],
    &[("plt", Param::None), ("return", Param::None)],
    &[("plt", Param::String)],
    &[("plt", Param::String), ("return", Param::None)],
];

const ABSOLUTE: [Part; 2] = [("statement", Param::Number), ("absolute", Param::None)];

/// Collects patterns. The slices live as long as the process: there is one table.
struct Table(Vec<Pattern>);

impl Table {
    fn add(&mut self, access: Access, parts: &[&[Part]]) {
        self.0.push(Pattern { components: parts.concat().leak(), access });
    }

    fn functions_and_statements(&mut self, access: Access, root: &[Part]) {
        for param in [Param::Number, Param::String] {
            for (head, suffixes) in [("function", FUNCTION), ("statement", STATEMENT)] {
                for (suffix, cookies, known) in suffixes {
                    let fits = match known {
                        Known::Everywhere => true,
                        Known::Kernel => access == Access::Privileged,
                        Known::ByName => param == Param::String,
                    };
                    if !fits {
                        continue;
                    }
                    let head = [(head, param)];
                    self.add(access, &[root, &head, suffix]);
                    for cookie in COOKIES.iter().filter(|_| *cookies) {
                        self.add(access, &[root, &head, suffix, cookie]);
                    }
                }
            }
        }
    }
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut table = Table(Vec::new());
    let kernel = [("kernel", Param::None)];
    let module = [("module", Param::String)];
    for root in [&kernel, &module] {
        table.functions_and_statements(Access::Privileged, root);
        table.add(Access::Privileged, &[root, &[("tracepoint", Param::String)]]);
    }
    table.add(Access::Privileged, &[&kernel, &[("trace", Param::String)]]);
    let mark = ("mark", Param::String);
    table.add(Access::Privileged, &[&kernel, &[mark]]);
    table.add(Access::Privileged, &[&kernel, &[mark, ("format", Param::String)]]);
    for param in [Param::None, Param::String] {
        table.add(Access::Privileged, &[&[("xdp", param)]]);
        table.add(Access::Privileged, &[&kernel, &[("xdp", param)]]);
    }
    let syscall = ("tp_syscall", Param::String);
    table.add(Access::Privileged, &[&[syscall]]);
    table.add(Access::Privileged, &[&[syscall, ("return", Param::None)]]);
    let library = ("library", Param::String);
    for param in [Param::None, Param::String, Param::Number] {
        let process = ("process", param);
        let mut roots = vec![vec![process]];
        if param == Param::Number {
            table.add(Access::All, &[&[process], &ABSOLUTE]);
            table.add(Access::All, &[&[process], &ABSOLUTE, &[("return", Param::None)]]);
        } else {
            roots.push(vec![process, library]);
        }
        for root in &roots {
            table.functions_and_statements(Access::All, root);
            for point in PROCESS {
                table.add(Access::All, &[root, point]);
            }
        }
    }
    table.0
});

impl Family for Symbolic {
    fn name(&self) -> &'static str {
        "symbolic"
    }

    fn builder(&self) -> &'static str {
        "DWARF builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        &PATTERNS
    }

    fn available(&self, session: &Session, pattern: &Pattern) -> bool {
        let has = |name: &str| pattern.components.iter().any(|(component, _)| *component == name);
        if has("kernel") && has("mark") {
            return session.version.before(5, 5);
        }
        !session.version.before(5, 6) || !["die", "tracepoint", "xdp", "tp_syscall"].into_iter().any(has)
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let session = context.session;
        if point.components.iter().any(|component| component.functor == "absolute")
            && !session.guru
            && context.tapset_file.is_none()
        {
            let message = "absolute statement probe in unprivileged script; need stap -g";
            return Err(Box::new(Diagnostic::semantic("resolve/absolute-guru", message).at(context.origin)));
        }
        let first = &point.components[0];
        if first.functor == "process"
            && first.arg.is_none()
            && session.command.is_none()
            && session.target_pid.is_none()
        {
            let message =
                "unspecified process probe is invalid without a -c COMMAND or -x PID [man stapprobes]";
            return Err(Box::new(Diagnostic::semantic("resolve/process-unspecified", message)));
        }
        check_executable(context, first)?;
        Err(Box::new(
            Diagnostic::semantic("resolve/no-match", "no match")
                .limitation("probe points that need symbols or debug information are not supported yet"),
        ))
    }
}

/// A program that is named, by neither path, pattern nor build id, must be on the search path (tapsets.cxx:
/// `dwarf_builder::build`).
fn check_executable(context: &DeriveContext<'_>, first: &Component) -> Answer<()> {
    let Some(name) = first.arg.as_ref().filter(|_| first.functor == "process").and_then(Literal::string)
    else {
        return Ok(());
    };
    let is_build_id = name.len() == BUILD_ID_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if name.contains(['/', '*', '?', '[']) || is_build_id {
        return Ok(());
    }
    let path = find_executable(context.session, context.world, name);
    if path.is_absolute() {
        return Ok(());
    }
    let message = format!("cannot find executable '{}'", path.display());
    Err(Box::new(Diagnostic::semantic("resolve/no-executable", message)))
}

/// How many digits stap takes for a build id.
const BUILD_ID_LENGTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_upstreams_points() {
        let text: Vec<String> = PATTERNS
            .iter()
            .map(|pattern| {
                let words: Vec<String> = pattern
                    .components
                    .iter()
                    .map(|(name, param)| match param {
                        Param::None => (*name).to_string(),
                        Param::Number => format!("{name}(number)"),
                        Param::String => format!("{name}(string)"),
                    })
                    .collect();
                words.join(".")
            })
            .collect();
        for wanted in [
            "kernel.function(string).callee(string).pc(number).die(number)",
            "kernel.function(number).return.maxactive(number)",
            "module(string).statement(string).nearest",
            "process.library(string).plt(string).return",
            "process(number).statement(number).absolute.return",
        ] {
            assert!(text.iter().any(|point| point == wanted), "{wanted}");
        }
        assert!(!text.iter().any(|point| point.starts_with("process") && point.contains("maxactive")));
        assert!(!text.iter().any(|point| point == "kernel.function(number).inline"));
        let mut unique = text.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), text.len());
    }
    #[test]
    fn programs_must_be_there() {
        use crate::session::Session;
        use crate::source::{FileId, Pos, Token, TokenKind};
        use crate::tree::Origin;
        use crate::world::MemoryWorld;
        let mut session = Session::for_tests();
        session.search_path = vec!["/bin".into()];
        let world = MemoryWorld::new().with_executable("/bin/ls", "");
        let token = Token::new(TokenKind::Identifier, "process", Pos { file: FileId(0), offset: 0 });
        let suggestions = true;
        let context = DeriveContext {
            session: &session,
            world: &world,
            origin: &token,
            tapset_file: None,
            suggestions,
        };
        let message = |name: &str| {
            let arg = Some(Literal::String(name.into()));
            let first = Component { origin: Origin(token.clone()), functor: "process".into(), arg };
            check_executable(&context, &first).err().map(|error| error.message)
        };
        assert_eq!(message("ls"), None);
        assert_eq!(message("/bin/l*"), None);
        assert_eq!(message("lss").as_deref(), Some("cannot find executable 'lss'"));
        assert_eq!(message("/bin/lss"), None);
    }
}
