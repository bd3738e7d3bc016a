//! Calls of script functions: arguments, overloads, results, actions.

use super::{Lowerer, Planned};
use crate::plan::actions::count_function;
use crate::plan::effects::Effects;
use crate::plan::ir::{Arg, Call, LabelKind, Op, Place, Val};
use frontend::hir::{Bound, Callee, FunctionId, LocalId, VarRef};
use frontend::source::Token;
use frontend::tree::{Expr, ExprKind};
use frontend::types::{Owner, Type};

impl Lowerer<'_> {
    /// A call for its number.
    pub(super) fn call_val(&mut self, callee: &Callee, args: &[Expr<Bound>], token: &Token) -> Planned<Val> {
        match self.call(callee, args, token, None, true)? {
            Some(place) => Ok(Val::Place(place)),
            None => Err(Self::error("call:void", "unresolved type ", token)),
        }
    }

    /// A call. `buffer` receives a string result and must not be changed by the callee; `wanted` asks for a number.
    pub(super) fn call(
        &mut self,
        callee: &Callee,
        args: &[Expr<Bound>],
        token: &Token,
        buffer: Option<Place>,
        wanted: bool,
    ) -> Planned<Option<Place>> {
        let Some(&last) = callee.candidates.last() else {
            return Err(Self::error("call:none", "unresolved function", token));
        };
        let exprs: Vec<&Expr<Bound>> = args.iter().collect();
        let mut values = self.sequence(&exprs)?;
        let mut effects = Effects::default();
        for id in &callee.candidates {
            let own = self.cx.effects.of_function(*id);
            effects.reads.extend(&own.reads);
            effects.writes.extend(&own.writes);
            effects.opaque |= own.opaque;
            if self.cx.program.function(*id).params != args.len() {
                return Err(Self::error("call:arity", "invalid length argument list", token));
            }
        }
        let overloaded = callee.candidates.len() > 1;
        for (index, (value, expr)) in values.iter_mut().zip(args).enumerate() {
            // A local goes on as it is, even if it is a pointer to a long literal (translate.cxx: visit_functioncall).
            if !matches!(expr.kind, ExprKind::Var(VarRef::Local(_))) {
                let taken = std::mem::replace(value, Arg::Long(Val::Const(0)));
                *value = self.cut(expr, taken);
            }
            let by_pointer = callee.candidates.iter().any(|id| self.param_is_pointer(*id, index));
            if overloaded {
                let kept = self.stable(std::mem::replace(value, Arg::Long(Val::Const(0))));
                *value = if self.clashes(&kept, &effects) { self.spill(kept) } else { kept };
            } else if by_pointer && self.clashes(value, &effects) {
                let taken = std::mem::replace(value, Arg::Long(Val::Const(0)));
                *value = self.spill(taken);
            }
        }
        let type_of_result = self.result_type(callee);
        let to = match type_of_result {
            Type::Long if wanted => Some(self.long()),
            _ => None,
        };
        let at = self.blame(token);
        let end = self.label(LabelKind::CallEnd, self.labels);
        for &id in &callee.candidates {
            let function = id.0 as usize;
            self.push(Op::Call(Call { function, args: values.clone(), result: buffer, at: at.clone() }));
            if self.count_actions
                && !self.cx.session.unoptimized
                && let Some(count) = count_function(self.cx.program, id)
            {
                self.record_actions(count, token, true);
            }
            if let Some(to) = to {
                self.push(Op::TakeResult { to, function });
            }
            if overloaded && id != last {
                self.push(Op::UnlessNext(end));
            }
        }
        if overloaded {
            self.push(Op::Label(end));
        }
        if self.cx.params[last.0 as usize].has_next {
            self.push(Op::Exhausted { at });
        }
        Ok(to)
    }

    fn param_is_pointer(&self, id: FunctionId, index: usize) -> bool {
        self.cx.params[id.0 as usize].pointers.get(index).copied().unwrap_or(false)
    }

    /// True if a local of this body is a parameter that is passed as a pointer.
    pub(super) fn is_pointer_param(&self, id: LocalId) -> bool {
        match self.owner {
            Owner::Function(function) => self.param_is_pointer(function, id.0 as usize),
            Owner::Probe(_) => false,
        }
    }
}
