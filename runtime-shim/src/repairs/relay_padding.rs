//! Linux 6.16 took `prev_padding` from `struct rchan_buf` and from the callback that starts a sub-buffer.

use super::overlay::edited;
use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "relay-padding",
    symptom: "transport/relay_v2.c: 'struct rchan_buf' has no member named 'prev_padding'",
    remedy: "edits the four places in a copy",
    applies,
    pieces,
};

const FILE: &str = "transport/relay_v2.c";

/// The padding is only handed to a callback that never looks at it.
const EDITS: [(&str, &str); 4] = [
    ("buf->prev_padding = buf->chan->subbuf_size - buf->offset;", ""),
    (
        "buf->padding[old_subbuf] = buf->prev_padding;",
        "buf->padding[old_subbuf] = buf->chan->subbuf_size - buf->offset;",
    ),
    ("subbuf_start(buf, new, old, buf->prev_padding)", "subbuf_start(buf, new, old)"),
    (
        "void *prev_subbuf,\n                                             size_t prev_padding)",
        "void *prev_subbuf)",
    ),
];

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.has_header("linux/relay.h")
        && !at.kernel.header_declares("linux/relay.h", "prev_padding")
        && !at.rt.file_has_word(FILE, "STAPCONF_PR33324_PREV_PADDING")
        && edited(at.rt, FILE, &EDITS).is_some()
}

fn pieces(at: &Situation<'_>) -> Pieces {
    let overlay = edited(at.rt, FILE, &EDITS).map(|text| (FILE, text)).into_iter().collect();
    Pieces { overlay, ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::text::RuntimeText;

    #[test]
    fn a_copy_without_the_padding() {
        let old: String = EDITS.iter().map(|(from, _)| format!("{from}\n")).collect();
        let ask = |version: &str, text: &str| {
            with("5.1", version, |at| {
                let rt = RuntimeText::from_pairs("/rt", &[(FILE, text)]);
                let at = Situation { rt: &rt, ..*at };
                applies(&at).then(|| pieces(&at))
            })
        };
        assert_eq!(ask("6.12", &old), None);
        let (name, text) = ask("7.2", &old).unwrap().overlay.remove(0);
        assert_eq!(name, FILE);
        assert!(!text.contains("prev_padding"), "{text}");
        assert_eq!(ask("7.2", &format!("#if STAPCONF_PR33324_PREV_PADDING\n{old}")), None);
    }
}
