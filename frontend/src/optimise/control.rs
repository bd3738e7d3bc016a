//! Code that cannot be reached: statements behind a jump, and overloads behind one that always returns
//! (elaborate.cxx: `semantic_pass_dead_control`, `semantic_pass_overload`).

use super::Round;
use super::rewrite::{Name, names_in_program};
use crate::diag::Diagnostic;
use crate::hir::{Bound, FunctionBody, Program};
use crate::tree::walk::{ChildMut, all_stmts, stmt_children_mut};
use crate::tree::{Stmt, StmtKind};
use crate::types::{functions_by_name, has_tag};

/// Drops what follows `return`, `next`, `break` and `continue` in a block.
pub(super) fn unreachable_statements(round: &mut Round<'_>, program: &mut Program) {
    for probe in &mut program.probes {
        stmt(round, &mut probe.body.root);
    }
    for id in functions_by_name(program) {
        if let FunctionBody::Script(body) = &mut program.functions[id.0 as usize].body {
            stmt(round, &mut body.root);
        }
    }
}

fn stmt(round: &mut Round<'_>, statement: &mut Stmt<Bound>) {
    let StmtKind::Block(list) = &mut statement.kind else {
        stmt_children_mut(statement, &mut |child| {
            if let ChildMut::Stmt(child) = child {
                stmt(round, child);
            }
        });
        return;
    };
    // Upstream does not look into the last statement of a block; flattening brings it up later.
    for index in 0..list.len().saturating_sub(1) {
        stmt(round, &mut list[index]);
        if is_jump(&list[index]) {
            if round.session.verbosity[1] > 3 {
                let message = "statement will never be reached";
                round.warn(Diagnostic::warning("control.statement", message).at(&list[index + 1].origin.0));
            }
            list.truncate(index + 1);
            round.changed = true;
            break;
        }
    }
}

fn is_jump(statement: &Stmt<Bound>) -> bool {
    matches!(statement.kind, StmtKind::Return(_) | StmtKind::Next | StmtKind::Break | StmtKind::Continue)
}

/// Drops candidates of calls that no call can fall through to.
pub(super) fn unreachable_overloads(round: &mut Round<'_>, program: &mut Program) {
    let falls_through: Vec<bool> = program
        .functions
        .iter()
        .map(|function| match &function.body {
            FunctionBody::Script(body) => {
                let mut found = false;
                all_stmts(&body.root, &mut |child| found |= child.kind == StmtKind::Next);
                found
            }
            FunctionBody::Embedded { code, .. } => has_tag(code, "STAP_NEXT;"),
        })
        .collect();
    let origins: Vec<_> = program.functions.iter().map(|function| function.origin.0.clone()).collect();
    names_in_program(program, &mut |name| {
        let Name::Callee(callee, _) = name else { return };
        let through = callee.candidates.iter().take_while(|id| falls_through[id.0 as usize]).count();
        let reachable = 1 + through;
        if reachable < callee.candidates.len() {
            if round.session.verbosity[1] > 3 {
                for id in &callee.candidates[reachable..] {
                    let message = "instance of overloaded function will never be reached";
                    let warning = Diagnostic::warning("control.overload", message);
                    round.warn(warning.at(&origins[id.0 as usize]));
                }
            }
            callee.candidates.truncate(reachable);
            round.changed = true;
        }
    });
}
