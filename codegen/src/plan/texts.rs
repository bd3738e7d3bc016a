//! How long a string may be. A buffer holds `MAXSTRINGLEN` bytes, its NUL included; literals can be longer, and are used
//! whole where no copy of them is made.

use frontend::hir::{FunctionBody, Program};
use frontend::session::Session;
use frontend::tree::{ExprKind, Stmt, walk};

/// Room for text in the smallest buffer that a runtime has by itself (runtime_defines.h, 32 bit).
const LEAST: usize = 255;

/// What is known of the lengths of a program's strings, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLengths {
    /// So much fits into every buffer.
    pub fitting: usize,
    /// Of the longest literal; as it is written, so that it may be less.
    pub longest_literal: usize,
}

impl TextLengths {
    /// Of a program that is compiled with the session's `-D` options.
    pub fn of(session: &Session, program: &Program) -> Self {
        let given = session.macros.iter().rev().find_map(|text| text.trim().strip_prefix("MAXSTRINGLEN="));
        let fitting = match given {
            // What the preprocessor makes of another text is not known here.
            Some(text) => text.parse::<usize>().map_or(0, |bytes| bytes.saturating_sub(1)),
            None => LEAST,
        };
        let mut longest_literal = 0;
        let mut look = |root: &Stmt<_>| {
            walk::all_exprs(root, &mut |expr| {
                if let ExprKind::String(text) = &expr.kind {
                    longest_literal = longest_literal.max(text.len());
                }
            });
        };
        for function in &program.functions {
            if let FunctionBody::Script(body) = &function.body {
                look(&body.root);
            }
        }
        program.probes.iter().for_each(|probe| look(&probe.body.root));
        TextLengths { fitting, longest_literal }
    }

    /// True if some literal may not fit into a buffer.
    pub fn has_long_literals(&self) -> bool {
        self.longest_literal > self.fitting
    }

    /// True if what embedded C makes fits by all likelihood: names of processes and files, points, errors.
    pub fn code_fits(&self) -> bool {
        self.fitting >= LEAST
    }
}
