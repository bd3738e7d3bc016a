//! Linux 6.18 moved the type of a namespace from its operations to the namespace.

use super::overlay::edited;
use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "namespace-type",
    symptom: "linux/stap_fs.h: 'const struct proc_ns_operations' has no member named 'type'",
    remedy: "edits the one place in a copy",
    applies,
    pieces,
};

const FILE: &str = "linux/stap_fs.h";
const EDITS: [(&str, &str); 1] = [("ns->ops->type", "ns->ns_type")];

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.has_header("linux/proc_ns.h")
        && !at.kernel.header_has("linux/proc_ns.h", "\tint type;")
        && !at.rt.file_has_word(FILE, "STAPCONF_PR33574_PNO_TYPE")
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
    fn a_copy_that_asks_the_namespace() {
        let ask = |version: &str| {
            with("5.1", version, |at| {
                let rt = RuntimeText::from_pairs("/rt", &[(FILE, "if (ns->ops->type != CLONE_NEWNS)")]);
                let at = Situation { rt: &rt, ..*at };
                applies(&at).then(|| pieces(&at).overlay)
            })
        };
        assert_eq!(ask("6.12"), None);
        assert_eq!(ask("7.2").unwrap(), [(FILE, "if (ns->ns_type != CLONE_NEWNS)".to_owned())]);
    }
}
