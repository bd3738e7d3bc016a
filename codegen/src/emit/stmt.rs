//! Planned steps to C statements.

use super::expr::{Speller, guard, operator};
use super::maps;
use super::writer::{CWriter, literal};
use crate::plan::ir::{Arg, Call, CodeResult, Fault, LabelKind, Op, Place, Text, Val};
use crate::plan::storage::{GlobalKind, LocalPlace};
use frontend::hir::GlobalId;
use frontend::tree::BinaryOp;
use frontend::types::Type;
use smol_str::SmolStr;

impl Speller<'_> {
    /// Writes steps, one after the other.
    pub fn ops(&self, out: &mut CWriter, ops: &[Op]) {
        for op in ops {
            self.op(out, op);
        }
    }

    fn op(&self, out: &mut CWriter, op: &Op) {
        match op {
            Op::Position(position) => {
                out.line(super::expr::remark(position));
                if self.plan.settings.announce_statements {
                    write_announcement(out, position);
                }
            }
            Op::Set(to, val) => out.line(format!("{} = {};", self.place(*to), self.val(val))),
            Op::Update(to, op, val) => self.update(out, *to, *op, val),
            Op::Copy(to, text) => self.copy(out, *to, text),
            Op::Append(to, text) => {
                out.line(format!("strlcat ({}, {}, MAXSTRINGLEN);", self.place(*to), self.text(text)));
            }
            Op::Point(number, text) => out.line(format!("p{number} = {};", self.text(text))),
            Op::Code { to, code, globals } => self.code(out, *to, code, globals),
            Op::Eval(val) => out.line(format!("(void) ({});", self.val(val))),
            Op::If(condition, then, otherwise) => self.branch(out, condition, then, otherwise),
            Op::Label(label) => {
                // A label needs a statement, even at the end of a block; nobody may ever `continue`, and nothing
                // leaves `while (1)`.
                let unused = if label.kind == LabelKind::Top { "" } else { " __attribute__((unused))" };
                out.label(format!("{}:{unused};", label.name()));
            }
            Op::Goto(label) => out.line(format!("goto {};", label.name())),
            Op::Leave => out.line("goto out;"),
            Op::NextOverload => {
                out.line("c->next = 1;");
                out.line("goto out;");
            }
            Op::Check { condition, fault, at } => {
                let condition = match condition {
                    Val::Binary(..) => format!("!({})", self.condition(condition)),
                    Val::Place(place) => format!("{} == 0", self.place(*place)),
                    condition => format!("({}) == 0", self.val(condition)),
                };
                out.open(format!("if (unlikely ({condition})) {{"));
                self.fail(out, fault, at);
                out.close("}");
            }
            Op::At(at) => self.blame(out, at),
            Op::LeaveOnError => out.line("if (unlikely (c->last_error || c->aborted)) goto out;"),
            Op::Actions { count, at } => {
                out.line(format!("c->actionremaining -= {count};"));
                out.open("if (unlikely (c->actionremaining <= 0)) {");
                out.line("c->last_error = \"MAXACTION exceeded\";");
                self.blame(out, at);
                out.line("goto out;");
                out.close("}");
            }
            Op::FirstLock => {
                out.line("if (!stp_lock_probe (locks, ARRAY_SIZE (locks)))");
                out.line("  goto out;");
                out.line("c->locked = 1;");
            }
            Op::Lock => write_lock(out),
            Op::Unlock => write_unlock(out),
            Op::Call(call) => self.call(out, call),
            Op::UnlessNext(label) => out.line(format!("if (!c->next) goto {};", label.name())),
            Op::Exhausted { at } => {
                out.open("if (unlikely (c->next)) {");
                self.fail(out, &Fault::Exhausted, at);
                out.close("}");
            }
            Op::TakeResult { to, function } => {
                let name = self.function_name(*function);
                out.line(format!("{} = c->locals[c->nesting+1].{name}.__retvalue;", self.place(*to)));
            }
            Op::Print(text) => out.line(format!("_stp_print ({});", self.text(text))),
            Op::PrintChar(val) => out.line(format!("_stp_print_char ({});", self.val(val))),
            Op::Format { format, args, result, at } => {
                if let Some(at) = at {
                    self.blame(out, at);
                }
                self.format(out, *format, args, *result);
            }
            Op::CheckDump { size, at } => {
                // A negative size is a huge one.
                out.open(format!("if ((uint64_t) ({}) > PAGE_SIZE) {{", self.val(size)));
                out.line("snprintf (c->error_buffer, sizeof (c->error_buffer),");
                out.line(format!(
                    "          \"%lld is too many bytes for a memory dump\", (long long) ({}));",
                    self.val(size)
                ));
                out.line("c->last_error = c->error_buffer;");
                self.blame(out, at);
                out.line("goto out;");
                out.close("}");
            }
            Op::Try { body, handler, variable, entry } => {
                self.try_catch(out, body, handler, *variable, entry)
            }
            Op::StoreMemory { user, size, address, value } => out.line(format!(
                "store_{}deref({size}, ({}), ({}));",
                if *user { 'u' } else { 'k' },
                self.val(address),
                self.val(value)
            )),
            Op::StoreRegister { user, number, value } => out.line(format!(
                "{}_store_register({number}, ({}));",
                if *user { 'u' } else { 'k' },
                self.val(value)
            )),
            Op::SetElement { .. }
            | Op::Sample(..)
            | Op::SampleElement { .. }
            | Op::FetchStat { .. }
            | Op::CheckStat { .. }
            | Op::CountOrSum { .. }
            | Op::Aggregate { .. }
            | Op::Sort { .. }
            | Op::Start { .. }
            | Op::Advance { .. }
            | Op::DeleteAtCursor { .. }
            | Op::UnlessCursor(..)
            | Op::DeleteElement(..)
            | Op::Clear(_)
            | Op::PrintHist { .. } => maps::write_op(self, out, op),
        }
    }

    /// `STAP_LAST_STMT = "...";`
    fn blame(&self, out: &mut CWriter, at: &str) {
        out.line(format!("STAP_LAST_STMT = {};", literal(at)));
    }

    /// Sets the error and leaves.
    pub fn fail(&self, out: &mut CWriter, fault: &Fault, at: &str) {
        out.line(format!("c->last_error = {};", literal(&self.fault(fault))));
        self.blame(out, at);
        out.line("goto out;");
    }

    fn fault(&self, fault: &Fault) -> String {
        match fault {
            Fault::DivisionByZero => "division by 0".into(),
            Fault::EmptyAggregate => "empty aggregate".into(),
            Fault::BucketRange => "histogram index out of range".into(),
            Fault::Exhausted => "all functions exhausted".into(),
            // Upstream prints the C text of the array, and so do we.
            Fault::Aggregation(array) => format!("aggregation overflow in {}", self.global(*array)),
            Fault::Overflow(array) => match self.plan.globals.get(array.0 as usize).map(|g| &g.kind) {
                Some(
                    GlobalKind::Map { size: Some(size), .. } | GlobalKind::StatMap { size: Some(size), .. },
                ) => format!("Array overflow, check size limit ({size})"),
                _ => "Array overflow, check MAXMAPENTRIES".into(),
            },
        }
    }

    fn update(&self, out: &mut CWriter, to: Place, op: BinaryOp, val: &Val) {
        let to = self.place(to);
        match op {
            BinaryOp::Divide => out.line(format!("{to} = _stp_div64 (NULL, {to}, {});", self.val(val))),
            BinaryOp::Modulo => out.line(format!("{to} = _stp_mod64 (NULL, {to}, {});", self.val(val))),
            BinaryOp::ShiftRightLogical => {
                out.line(format!("{to} = (int64_t)((uint64_t){to} >> {});", self.shift(val)));
            }
            BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
                out.line(format!("{to} {}= {};", operator(op), self.shift(val)));
            }
            _ => out.line(format!("{to} {}= {};", operator(op), self.val(val))),
        }
    }

    fn copy(&self, out: &mut CWriter, to: Place, text: &Text) {
        let place = self.place(to);
        match text {
            Text::Literal(text) if text.is_empty() => out.line(format!("{place}[0] = '\\0';")),
            Text::Place(from) if *from == to => {}
            text => out.line(format!("strlcpy ({place}, {}, MAXSTRINGLEN);", self.text(text))),
        }
    }

    fn code(
        &self,
        out: &mut CWriter,
        to: Option<CodeResult>,
        code: &str,
        globals: &[(SmolStr, GlobalId, bool)],
    ) {
        self.define_globals(out, globals);
        let code = guard(code);
        match to {
            Some(CodeResult::Long(to)) => out.line(format!("{} = ((int64_t) ({code}));", self.place(to))),
            Some(CodeResult::Pointer(number)) => out.line(format!("p{number} = ((const char *) ({code}));")),
            None => out.line(format!("(void) ({code});")),
        }
        self.undefine_globals(out, globals);
    }

    /// `STAP_GLOBAL_GET_x` and `STAP_GLOBAL_SET_x` for C text that names globals by pragma.
    pub fn define_globals(&self, out: &mut CWriter, globals: &[(SmolStr, GlobalId, bool)]) {
        for (name, id, written) in globals {
            let global = self.global(*id);
            let suffix = self.suffix(*id);
            let kind = self.plan.globals.get(id.0 as usize).map(|global| &global.kind);
            let scalar = !matches!(kind, Some(GlobalKind::Map { .. } | GlobalKind::StatMap { .. }));
            match (written, scalar) {
                (false, true) => out.directive(format!("#define STAP_GLOBAL_GET_{name}() {global}")),
                (false, false) => out.directive(format!(
                    "#define STAP_GLOBAL_GET_{name}(...) _stp_map_get_{suffix} ({global}, __VA_ARGS__)"
                )),
                (true, true) if matches!(kind, Some(GlobalKind::Text(_))) => out.directive(format!(
                    "#define STAP_GLOBAL_SET_{name}(val) strlcpy ({global}, val, MAXSTRINGLEN)"
                )),
                (true, true) => out.directive(format!(
                    "#define STAP_GLOBAL_SET_{name}(val) global_set ({}, val)",
                    self.plan.globals.get(id.0 as usize).map_or("", |global| &global.c_name)
                )),
                (true, false) => out.directive(format!(
                    "#define STAP_GLOBAL_SET_{name}(...) ({{ int rc = _stp_map_set_{suffix} ({global}, __VA_ARGS__); \
                     if (unlikely (rc)) {{ c->last_error = {}; goto out; }} rc; }})",
                    literal(&self.fault(&Fault::Overflow(*id)))
                )),
            }
        }
    }

    /// Takes [`Speller::define_globals`] back.
    pub fn undefine_globals(&self, out: &mut CWriter, globals: &[(SmolStr, GlobalId, bool)]) {
        for (name, _, written) in globals {
            out.directive(format!("#undef STAP_GLOBAL_{}_{name}", if *written { "SET" } else { "GET" }));
        }
    }

    fn branch(&self, out: &mut CWriter, condition: &Val, then: &[Op], otherwise: &[Op]) {
        match (then, otherwise) {
            ([], [Op::Goto(label)]) => {
                out.line(format!("if (!({})) goto {};", self.condition(condition), label.name()));
            }
            ([Op::Goto(label)], []) => {
                out.line(format!("if ({}) goto {};", self.condition(condition), label.name()));
            }
            ([], otherwise) => {
                out.open(format!("if (!({})) {{", self.condition(condition)));
                self.ops(out, otherwise);
                out.close("}");
            }
            (then, otherwise) => {
                out.open(format!("if ({}) {{", self.condition(condition)));
                self.ops(out, then);
                if !otherwise.is_empty() {
                    out.middle("} else {");
                    self.ops(out, otherwise);
                }
                out.close("}");
            }
        }
    }

    fn function_name(&self, function: usize) -> &str {
        self.plan.functions.get(function).map_or("", |function| &function.c_name)
    }

    fn call(&self, out: &mut CWriter, call: &Call) {
        let Some(function) = self.plan.functions.get(call.function) else { return };
        let name = &function.c_name;
        let frame = format!("c->locals[c->nesting+1].{name}");
        for (arg, local) in call.args.iter().zip(&function.body.locals) {
            let field = format!("{frame}.{}", local.c_name);
            match (arg, local.place) {
                (Arg::Text(text), Some(LocalPlace::Buffer)) => {
                    out.line(format!("strlcpy ({field}, {}, MAXSTRINGLEN);", self.text(text)));
                }
                (arg, _) => out.line(format!("{field} = {};", self.arg(arg))),
            }
        }
        if let (Some(result), Type::String) = (call.result, function.result) {
            out.line(format!("{frame}.__retvalue = &{}[0];", self.place(result)));
        }
        self.blame(out, &call.at);
        out.line(format!("{name} (c);"));
        out.line("if (unlikely (c->last_error || c->aborted)) goto out;");
    }

    fn format(&self, out: &mut CWriter, format: usize, args: &[Arg], result: Option<Place>) {
        let Some(planned) = self.plan.formats.get(format) else { return };
        let name = planned.name(format);
        for (index, arg) in args.iter().enumerate() {
            out.line(format!("c->printf_locals.{name}.arg{index} = {};", self.arg(arg)));
        }
        if let Some(result) = result {
            out.line(format!("c->printf_locals.{name}.__retvalue = {};", self.place(result)));
        }
        out.line(format!("{name} (c);"));
    }

    /// The inner labels catch what the body raises. `out` without an error is `next` or `return`: passed on.
    fn try_catch(
        &self,
        out: &mut CWriter,
        body: &[Op],
        handler: &[Op],
        variable: Option<Place>,
        entry: &[Op],
    ) {
        out.open("{");
        out.line("__label__ normal_fallthrough;");
        out.open("{");
        out.line("__label__ deref_fault;");
        out.line("__label__ out;");
        self.ops(out, body);
        out.line("goto normal_fallthrough;");
        out.label("deref_fault: __attribute__((unused));");
        out.label("out: __attribute__((unused));");
        out.close("}");
        out.line("if (likely (c->last_error == NULL)) goto out;");
        if !self.plan.settings.suppress_time_limits {
            out.line("if (unlikely (c->actionremaining <= 0)) goto out;");
        }
        if let Some(variable) = variable {
            self.copy(out, variable, &Text::LastError);
        }
        out.line("c->last_error = NULL;");
        if self.plan.frames_remember_statements() {
            out.line("memset (&c->last_stmt[c->nesting+2], 0,");
            out.line("        (MAXNESTING - (c->nesting+1)) * sizeof (c->last_stmt[0]));");
        }
        self.ops(out, entry);
        self.ops(out, handler);
        out.label("normal_fallthrough:;");
        out.close("}");
    }
}

/// Writes the line that `-D STP_EXECTRACE` puts in front of each statement (translate.cxx: `visit_block` and its kin).
pub fn write_announcement(out: &mut CWriter, position: &str) {
    let text = literal(position);
    out.line(format!("__stp_exectrace (__FILE__ \":\" _STRINGIFY (__LINE__) \" \" {text});"));
}

/// Takes the probe's locks, unless it has them. If that fails, this hit is skipped.
pub fn write_lock(out: &mut CWriter) {
    out.open("if (c->locked == 0) {");
    out.line("if (!stp_lock_probe (locks, ARRAY_SIZE (locks)))");
    out.line("  goto out;");
    out.line("c->locked = 1;");
    out.middle("} else if (unlikely (c->locked == 2)) {");
    out.line("_stp_error (\"invalid lock state\");");
    out.close("}");
}

/// Releases the probe's locks, if it has them. They are not taken again in this hit.
pub fn write_unlock(out: &mut CWriter) {
    out.open("if (c->locked == 1) {");
    out.line("stp_unlock_probe (locks, ARRAY_SIZE (locks));");
    out.line("c->locked = 2;");
    out.close("}");
}
