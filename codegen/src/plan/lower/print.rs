//! The print family: what can be printed at once, what needs a compiled format.

use super::{Lowerer, Planned};
use crate::plan::Format;
use crate::plan::ir::{Arg, HistSource, Op, Place, Spot, Text, Val};
use frontend::hir::Bound;
use frontend::source::Token;
use frontend::tree::{Conversion, Expr, ExprKind, FormatPart, Measure, Print, PrintLayout};

/// More arguments than this would need too much stack (translate.cxx: `visit_print_format`).
const MOST_ARGUMENTS: usize = 32;

impl Lowerer<'_> {
    /// A print operator; `to` receives the string of the `s` forms.
    pub(super) fn print(&mut self, print: &Print<Bound>, token: &Token, to: Option<Place>) -> Planned<()> {
        if let Some(hist) = &print.hist {
            let (data, global) = self.fetch_stat(&hist.stat)?;
            let at = self.blame(token);
            self.push(Op::CheckStat { data, at });
            let source = match &hist.stat.kind {
                ExprKind::Index { .. } => HistSource::Element(global),
                _ => HistSource::Scalar(global),
            };
            self.push(Op::PrintHist { source, data, result: to });
            return Ok(());
        }
        if print.args.len() > MOST_ARGUMENTS {
            let message = format!("too many arguments to print ({})", print.args.len());
            return Err(Self::error("print:many", message, token));
        }
        if print.layout == PrintLayout::Char
            && to.is_none()
            && let [arg] = print.args.as_slice()
        {
            let value = self.val(arg)?;
            self.push(Op::PrintChar(value));
            return Ok(());
        }
        let parts = self.parts(print);
        let exprs: Vec<&Expr<Bound>> = print.args.iter().collect();
        let mut args = self.cut_sequence(&exprs)?;
        let mut wanted = 0;
        for part in &parts {
            if let FormatPart::Conversion(conversion) = part {
                wanted += 1
                    + usize::from(conversion.width == Measure::Dynamic)
                    + usize::from(conversion.precision == Measure::Dynamic);
            }
        }
        if wanted != args.len() {
            let message = "Wrong number of args to formatted print operator";
            return Err(Self::error("print:args", message, token));
        }
        let dump_at = self.check_dumps(&parts, &mut args, print, token)?;
        if to.is_none()
            && let Some(text) = whole_text(&parts, &args)
        {
            if text != Text::Literal("".into()) {
                self.push(Op::Print(text));
            }
            return Ok(());
        }
        let format = Format { to_stream: to.is_none(), parts };
        let can_fail = self.foreign_errors || dump_at.is_some();
        let format = self.format(format);
        self.push(Op::Format { format, args, result: to, at: dump_at });
        if can_fail {
            self.push(Op::LeaveOnError);
        }
        Ok(())
    }

    /// The format of any print operator.
    fn parts(&self, print: &Print<Bound>) -> Vec<FormatPart> {
        let plain = |letter| {
            FormatPart::Conversion(Conversion {
                flag: None,
                width: Measure::None,
                precision: Measure::None,
                letter,
            })
        };
        match &print.layout {
            PrintLayout::Format { parts, .. } => merge(parts.iter().cloned()),
            PrintLayout::Char => print.args.iter().map(|_| plain('c')).collect(),
            PrintLayout::Plain { delimiter, newline } => {
                let mut parts = Vec::new();
                for (index, arg) in print.args.iter().enumerate() {
                    if let (Some(delimiter), true) = (delimiter, index > 0) {
                        parts.push(FormatPart::Text(delimiter.clone()));
                    }
                    parts.push(plain(if self.is_string(arg) { 's' } else { 'd' }));
                }
                if *newline {
                    parts.push(FormatPart::Text("\\n".into()));
                }
                merge(parts.into_iter())
            }
        }
    }

    /// `%m` and `%M` may not dump more than a page. Returns what is to blame if the last one cannot read its memory.
    fn check_dumps(
        &mut self,
        parts: &[FormatPart],
        args: &mut [Arg],
        print: &Print<Bound>,
        token: &Token,
    ) -> Planned<Option<Spot>> {
        let mut next = 0;
        let mut last = None;
        for part in parts {
            let FormatPart::Conversion(conversion) = part else { continue };
            next += usize::from(conversion.width == Measure::Dynamic);
            let precision = next;
            next += usize::from(conversion.precision == Measure::Dynamic);
            next += 1;
            if !matches!(conversion.letter, 'm' | 'M') {
                continue;
            }
            let at = match conversion.precision {
                Measure::Dynamic => {
                    let Some(Arg::Long(size)) = args.get(precision).cloned() else {
                        return Err(Self::error("print:size", "expected numeric type", token));
                    };
                    let size = self.stable_val(size);
                    if let Some(slot) = args.get_mut(precision) {
                        *slot = Arg::Long(size.clone());
                    }
                    let blamed = print.args.get(precision).map_or(token, |arg| &arg.origin.0);
                    let at = self.blame(blamed);
                    self.push(Op::CheckDump { size, at: at.clone() });
                    at
                }
                // A page has at least 4096 bytes on every architecture, so most constants need no check.
                Measure::Static(size) if size > 4096 => {
                    let at = self.blame(token);
                    self.push(Op::CheckDump { size: Val::Const(i64::from(size)), at: at.clone() });
                    at
                }
                Measure::Static(_) | Measure::None => self.blame(token),
            };
            last = Some(at);
        }
        Ok(last)
    }
}

/// Joins neighbouring texts and drops empty ones.
fn merge(parts: impl Iterator<Item = FormatPart>) -> Vec<FormatPart> {
    let mut merged: Vec<FormatPart> = Vec::new();
    for part in parts {
        match (merged.last_mut(), part) {
            (_, FormatPart::Text(text)) if text.is_empty() => {}
            (Some(FormatPart::Text(last)), FormatPart::Text(text)) => *last = format!("{last}{text}").into(),
            (_, part) => merged.push(part),
        }
    }
    merged
}

/// The one string that the call prints, if it does no formatting.
fn whole_text(parts: &[FormatPart], args: &[Arg]) -> Option<Text> {
    let plain = |conversion: &Conversion| {
        conversion.letter == 's'
            && conversion.flag.is_none()
            && conversion.width == Measure::None
            && conversion.precision == Measure::None
    };
    match (parts, args) {
        ([], []) => Some(Text::Literal("".into())),
        ([FormatPart::Text(text)], []) => Some(Text::Literal(text.clone())),
        ([FormatPart::Conversion(conversion)], [Arg::Text(text)]) if plain(conversion) => Some(text.clone()),
        ([FormatPart::Conversion(conversion), FormatPart::Text(end)], [Arg::Text(Text::Literal(text))])
            if plain(conversion) =>
        {
            Some(Text::Literal(format!("{text}{end}").into()))
        }
        _ => None,
    }
}
