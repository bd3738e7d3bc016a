//! Steps on arrays and statistics, in the runtime's words (runtime contract 1.12).

use super::expr::Speller;
use super::writer::CWriter;
use crate::plan::ir::{Arg, Fault, HistSource, Op, Place, SortBy, StatSource, Text};
use crate::plan::storage::GlobalKind;
use frontend::hir::GlobalId;
use frontend::tree::{SortDirection, StatOp};
use frontend::types::StatInfo;

/// Writes one of the steps that are about arrays and statistics.
pub fn write_op(spell: &Speller<'_>, out: &mut CWriter, op: &Op) {
    match op {
        Op::SetElement { array, keys, value, at } => {
            let value = match value {
                Arg::Long(val) => spell.val(val),
                // The runtime takes NULL for an empty string.
                Arg::Text(Text::Literal(text)) if text.is_empty() => String::from("NULL"),
                Arg::Text(text @ Text::Literal(_)) => spell.text(text),
                Arg::Text(text) => {
                    format!("({}[0] ? {} : NULL)", spell.text(text), spell.key_text(text))
                }
            };
            let call = format!(
                "_stp_map_set_{} ({}{}, {value})",
                spell.suffix(*array),
                spell.global(*array),
                spell.keys(keys)
            );
            checked(spell, out, &call, &Fault::Overflow(*array), at);
        }
        Op::Sample(stat, value) => {
            let info = stat_info(spell, *stat);
            let flags = bit_flags(&info);
            out.line("preempt_disable ();");
            out.line(format!("_stp_stat_add ({}, {}, {flags});", spell.global(*stat), spell.val(value)));
            out.line("preempt_enable_no_resched ();");
        }
        Op::SampleElement { array, keys, value, at } => {
            let info = stat_info(spell, *array);
            let call = format!(
                "_stp_pmap_add_{} ({}{}, {}, {})",
                spell.suffix(*array),
                spell.global(*array),
                spell.keys(keys),
                spell.val(value),
                bit_flags(&info)
            );
            checked(spell, out, &call, &Fault::Overflow(*array), at);
        }
        Op::FetchStat { to, source } => out.line(format!("data{to} = {};", fetch(spell, source))),
        Op::CheckStat { data, at } => {
            out.open(format!("if (unlikely (data{data} == NULL || data{data}->count == 0)) {{"));
            spell.fail(out, &Fault::EmptyAggregate, at);
            out.close("}");
        }
        Op::CountOrSum { to, data, op } => {
            let field = if *op == StatOp::Sum { "sum" } else { "count" };
            out.line(format!("{} = likely (data{data}) ? data{data}->{field} : 0;", spell.place(*to)));
        }
        Op::Aggregate { array, at } => {
            let call = format!("_stp_pmap_agg_{} ({})", spell.suffix(*array), spell.global(*array));
            out.open(format!("if (unlikely ({call} == NULL)) {{"));
            spell.fail(out, &Fault::Aggregation(*array), at);
            out.close("}");
        }
        Op::Sort { array, by, direction, limit } => {
            let column = match by {
                SortBy::Value => String::from("0"),
                SortBy::Key(key) => (key + 1).to_string(),
                SortBy::Stat(op) => sort_column(*op).to_owned(),
            };
            // The runtime's sense of direction is the opposite of the script's.
            let direction = match direction {
                SortDirection::Ascending => -1,
                SortDirection::Descending => 1,
            };
            let (suffix, walked) = (spell.suffix(*array), spell.walked(*array));
            out.line(match limit {
                Some(limit) => {
                    format!(
                        "_stp_map_sortn_{suffix} ({walked}, {}, {column}, {direction});",
                        spell.val(limit)
                    )
                }
                None => format!("_stp_map_sort_{suffix} ({walked}, {column}, {direction});"),
            });
        }
        Op::Start { cursor, array } => {
            out.line(format!("cursor{cursor} = _stp_map_start ({});", spell.walked(*array)));
        }
        Op::Advance { cursor, array } => {
            out.line(format!("cursor{cursor} = _stp_map_iter ({}, cursor{cursor});", spell.walked(*array)));
        }
        Op::DeleteAtCursor { cursor, array } => {
            out.line(format!("cursor{cursor} = _stp_map_iterdel ({}, cursor{cursor});", spell.walked(*array)))
        }
        Op::UnlessCursor(cursor, label) => out.line(format!("if (!cursor{cursor}) goto {};", label.name())),
        Op::DeleteElement(array, keys) => {
            let kind = if spell.is_stat_map(*array) { "pmap" } else { "map" };
            out.line(format!(
                "_stp_{kind}_del_{} ({}{});",
                spell.suffix(*array),
                spell.global(*array),
                spell.keys(keys)
            ));
        }
        Op::Clear(global) => {
            let kind = spell.plan.globals.get(global.0 as usize).map(|global| &global.kind);
            let function = match kind {
                Some(GlobalKind::StatMap { .. }) => "_stp_pmap_clear",
                Some(GlobalKind::Stat(_)) => "_stp_stat_clear",
                _ => "_stp_map_clear",
            };
            out.line(format!("{function} ({});", spell.global(*global)));
        }
        Op::PrintHist { source, data, result } => print_hist(spell, out, source, *data, *result),
        // Everything else is a statement of its own right.
        _ => {}
    }
}

fn checked(spell: &Speller<'_>, out: &mut CWriter, call: &str, fault: &Fault, at: &str) {
    out.open(format!("if (unlikely ({call})) {{"));
    spell.fail(out, fault, at);
    out.close("}");
}

fn fetch(spell: &Speller<'_>, source: &StatSource) -> String {
    match source {
        StatSource::Scalar(stat) => format!("_stp_stat_get ({}, 0)", spell.global(*stat)),
        StatSource::Element(array, keys) => {
            format!("_stp_pmap_get_{} ({}{})", spell.suffix(*array), spell.global(*array), spell.keys(keys))
        }
        StatSource::Aggregated(array, keys) => {
            format!("_stp_map_get_{} ({}{})", spell.suffix(*array), spell.walked(*array), spell.keys(keys))
        }
        StatSource::Cursor { cursor, array } => {
            format!("_stp_map_get_stat_data_{} (cursor{cursor})", spell.suffix(*array))
        }
    }
}

fn print_hist(spell: &Speller<'_>, out: &mut CWriter, source: &HistSource, data: u32, result: Option<Place>) {
    let hist = match source {
        HistSource::Scalar(stat) => format!("&({}->hist)", spell.global(*stat)),
        HistSource::Element(array) => format!("&({}->hist)", spell.walked(*array)),
    };
    out.line(match result {
        None => format!("_stp_stat_print_histogram ({hist}, data{data});"),
        Some(to) => {
            format!("_stp_stat_print_histogram_buf ({}, MAXSTRINGLEN, {hist}, data{data});", spell.place(to))
        }
    });
}

fn stat_info(spell: &Speller<'_>, global: GlobalId) -> StatInfo {
    match spell.plan.globals.get(global.0 as usize).map(|global| &global.kind) {
        Some(GlobalKind::Stat(info) | GlobalKind::StatMap { stat: info, .. }) => info.clone(),
        _ => StatInfo::default(),
    }
}

fn sort_column(op: StatOp) -> &'static str {
    match op {
        StatOp::Count | StatOp::Variance => "SORT_COUNT",
        StatOp::Sum => "SORT_SUM",
        StatOp::Min => "SORT_MIN",
        StatOp::Max => "SORT_MAX",
        StatOp::Average => "SORT_AVG",
    }
}

/// Which running numbers a sample must update: count, sum, minimum, maximum, variance.
fn flags(info: &StatInfo) -> [bool; 5] {
    let has = |op| info.ops.contains(&op);
    let derived = has(StatOp::Average) || has(StatOp::Variance);
    [
        has(StatOp::Count) || derived,
        has(StatOp::Sum) || derived,
        has(StatOp::Min),
        has(StatOp::Max),
        has(StatOp::Variance),
    ]
}

fn bit_flags(info: &StatInfo) -> String {
    flags(info).map(|flag| u8::from(flag).to_string()).join(", ")
}

/// `STAT_OP_COUNT, STAT_OP_VARIANCE, 0, `: what the constructor is told to keep.
pub fn stat_tokens(info: &StatInfo) -> String {
    info.ops
        .iter()
        .map(|op| match op {
            StatOp::Count => "STAT_OP_COUNT, ".to_owned(),
            StatOp::Sum => "STAT_OP_SUM, ".to_owned(),
            StatOp::Min => "STAT_OP_MIN, ".to_owned(),
            StatOp::Max => "STAT_OP_MAX, ".to_owned(),
            StatOp::Average => "STAT_OP_AVG, ".to_owned(),
            StatOp::Variance => format!("STAT_OP_VARIANCE, {}, ", info.shift),
        })
        .collect()
}
