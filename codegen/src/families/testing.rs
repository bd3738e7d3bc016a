//! Derivation of a single point, for the tests of families.

use frontend::resolve::derive::{DeriveContext, Derived, Family};
use frontend::session::Session;
use frontend::source::{FileId, Pos, Token, TokenKind};
use frontend::syntax::ast::{Component, ProbePoint};
use frontend::tree::Literal;
use frontend::world::MemoryWorld;

/// A session whose kernel has what every family asks for.
pub fn session() -> Session {
    let mut session = Session::for_tests();
    for option in [
        "CONFIG_PERF_EVENTS",
        "CONFIG_HAVE_HW_BREAKPOINT",
        "CONFIG_TRACEPOINTS",
        "CONFIG_ARCH_SUPPORTS_UPROBES",
        "CONFIG_UPROBES",
    ] {
        session.kernel.config.insert(option, "y");
    }
    session.kernel.exports = ["perf_event_create_kernel_counter".to_owned()].into_iter().collect();
    session.kernel.functions =
        ["vfs_read", "vfs_write", "__x64_sys_close"].map(String::from).into_iter().collect();
    session
}

/// Takes `a.b(1).c("x")` apart.
pub fn point(text: &str) -> ProbePoint {
    let mut components = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['.', '(']).unwrap_or(rest.len());
        let functor = &rest[..end];
        let offset = (text.len() - rest.len()) as u32;
        rest = &rest[end..];
        let arg = rest.strip_prefix('(').map(|inside| {
            let (quoted, body) = match inside.strip_prefix('"') {
                Some(body) => (true, body),
                None => (false, inside),
            };
            let close = body.find(if quoted { "\")" } else { ")" }).unwrap();
            rest = &body[close + if quoted { 2 } else { 1 }..];
            let body = &body[..close];
            if quoted { Literal::String(body.into()) } else { Literal::Number(body.parse().unwrap()) }
        });
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let token = Token::new(TokenKind::Identifier, functor, Pos { file: FileId(0), offset });
        components.push(Component { origin: token.into(), functor: functor.into(), arg });
    }
    ProbePoint { components, optional: false, sufficient: false, condition: None }
}

fn run(family: &dyn Family, text: &str) -> Result<Vec<Derived>, Box<frontend::diag::Diagnostic>> {
    let session = session();
    let world = MemoryWorld::new().with_executable("/bin/ls", "").with("/proc/1/exe", "");
    let origin = Token::new(TokenKind::Keyword, "probe", Pos { file: FileId(0), offset: 0 });
    let context = DeriveContext {
        session: &session,
        world: &world,
        origin: &origin,
        tapset_file: None,
        suggestions: true,
    };
    family.derive(&context, &point(text))
}

/// What a point derives to.
pub fn derive(family: &dyn Family, text: &str) -> Vec<Derived> {
    run(family, text).unwrap()
}

/// The message that a point fails with.
pub fn derive_error(family: &dyn Family, text: &str) -> String {
    run(family, text).unwrap_err().message
}
