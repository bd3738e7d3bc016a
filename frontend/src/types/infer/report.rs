//! Type errors in upstream's words, each raised once.

use super::{Decl, Findings, Inference, Node, Owner, Telling};
use crate::diag::{Diagnostic, Diagnostics};
use crate::hir::LocalId;
use crate::source::{Token, TokenKind};
use crate::types::Type;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

impl<'a> Inference<'a> {
    /// Keeps a diagnostic unless its place has one already: later rounds meet the same problem again, and one
    /// contradiction is seen from several sides. What a later one knows of the other place is added to the first.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if let Some(token) = &diagnostic.token {
            match self.findings.places.entry((token.pos, token.outermost().pos)) {
                Entry::Occupied(entry) => {
                    if let Some(kept) = self.findings.reports.get_mut(*entry.get()) {
                        kept.cause = kept.cause.take().or(diagnostic.cause);
                    }
                    return;
                }
                Entry::Vacant(entry) => {
                    entry.insert(self.findings.reports.len());
                }
            }
        }
        self.findings.reports.push(diagnostic);
    }

    pub(super) fn into_findings(self) -> (HashMap<Node, Type>, Findings) {
        (self.nodes, self.findings)
    }

    pub(super) fn into_diagnostics(self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        self.findings.reports.into_iter().for_each(|report| diagnostics.push(report));
        diagnostics
    }

    /// A declaration's type is unknown; an error in the last round, once for each declaration.
    pub(super) fn unknown_decl(&mut self, token: &Token, decl: Decl) {
        if self.asserting && !self.findings.unknowns.insert(decl) {
            self.unresolved += 1;
            return;
        }
        self.unknown(token);
    }

    /// A type is unknown; an error in the last round.
    pub(super) fn unknown(&mut self, token: &Token) {
        self.unresolved += 1;
        if self.asserting && self.worst == 0 {
            self.report(
                Diagnostic::semantic("types.unresolved", "unresolved type ")
                    .at(token)
                    .note("nothing in the program says whether this is a number or a string"),
            );
        }
    }

    /// A statistic or a string where none is allowed; an error in the last round.
    pub(super) fn invalid(&mut self, token: &Token, found: Type) {
        self.unresolved += 1;
        if self.asserting {
            let message = match token.kind {
                TokenKind::Operator => "invalid operator".to_owned(),
                _ => format!("invalid type {found}"),
            };
            self.report(Diagnostic::semantic("types.invalid", message).at(token));
        }
    }

    /// Counts a contradiction, and answers whether it is to be told. The worse its kind, the more is known of where it
    /// comes from.
    fn tells(&mut self, kind: u8) -> bool {
        self.unresolved += 1;
        self.mismatches += 1;
        if self.telling == Telling::Last && !self.asserting {
            self.worst = self.worst.max(kind);
            return false;
        }
        self.worst <= kind
    }

    /// Two sides of an operator differ.
    pub(super) fn mismatch_sides(&mut self, token: &Token, left: Type, right: Type) {
        if !self.tells(1) {
            return;
        }
        let message = format!("type mismatch: left and right sides don't agree ({left} vs {right})");
        let label = format!("{left} on the left, {right} on the right");
        self.report(labelled(Diagnostic::semantic("types.mismatch-sides", message).at(token), label));
    }

    /// The place wants one type, the expression has another.
    pub(super) fn mismatch(&mut self, token: &Token, expected: Type, found: Type) {
        if !self.tells(2) {
            return;
        }
        let mut message = format!("type mismatch: expected {expected}");
        if found != Type::Unknown {
            message += &format!(" but found {found}");
        }
        let label = format!("this is {found}, {expected} is wanted here");
        self.report(labelled(Diagnostic::semantic("types.mismatch-expected", message).at(token), label));
    }

    /// A use contradicts its declaration; `index` is the key of an array or the parameter of a call. The place that
    /// gave the declaration its type is chained, if it was found in this stage.
    pub(super) fn mismatch_decl(&mut self, token: &Token, found: Type, decl: Decl, index: Option<usize>) {
        if !self.tells(3) {
            return;
        }
        let index = index.or_else(|| self.parameter_index(decl));
        let declared = match (decl, index) {
            (Decl::Global(id), Some(key)) => self.table.global(id).keys.get(key).copied().unwrap_or_default(),
            _ => self.decl_type(decl),
        };
        let Some(first) = self.findings.first.get(&(decl, index)).cloned() else {
            let declared = self.decl_type(decl);
            let message = format!("type mismatch: expected {found} but found {declared}");
            let label = format!("declared as {declared}, used as {found}");
            self.report(labelled(Diagnostic::semantic("types.mismatch-declared", message).at(token), label));
            return;
        };
        let mut message = format!("type mismatch ({found})");
        let mut cause = format!("type was first inferred here ({})", self.decl_type(decl));
        if let Some(index) = index {
            message = format!("index {index} {message}");
            // Upstream names the type of the array's elements here even if the key is at fault.
            cause = format!("type of index {index} was first inferred here ({})", self.decl_type(decl));
        }
        let error = Diagnostic::semantic("types.mismatch-inferred", message)
            .at(token)
            .because(Diagnostic::semantic("types.first-inferred", cause).at(&first));
        self.report(labelled(error, format!("{found} here, {declared} before")));
    }

    /// Inside a function its own parameters are numbered as in calls.
    fn parameter_index(&self, decl: Decl) -> Option<usize> {
        let function = self.function?;
        match decl {
            Decl::Local(Owner::Function(owner), LocalId(id))
                if owner == function && (id as usize) < self.program.function(function).params =>
            {
                Some(id as usize)
            }
            _ => None,
        }
    }
}

/// Says what the place of an error shows, for the rich form.
fn labelled(mut error: Diagnostic, label: String) -> Diagnostic {
    error.labels[0] = Some(label);
    error
}
