//! Linux 6.10 made `vzalloc` and its like macros over `..._noprof`, which is what it exports.
//!
//! Runtimes up to upstream's 5.1 find no `vzalloc` exported and define their own, over the kernel's macro.

use super::{Correction, Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "vmalloc-exports",
    symptom: "linux/alloc.c: vzalloc_node and its like are redefined",
    remedy: "corrects three STAPCONF answers",
    applies,
    pieces,
};

/// STAPCONF macro (and test), and what the kernel exports for it now.
const RENAMED: [(&str, &str); 3] = [
    ("VZALLOC", "vzalloc_noprof"),
    ("VZALLOC_NODE", "vzalloc_node_noprof"),
    ("VMALLOC_NODE", "vmalloc_node_noprof"),
];

fn applies(at: &Situation<'_>) -> bool {
    at.rt.file_has_word("linux/alloc.c", "STAPCONF_VZALLOC")
        && RENAMED.iter().any(|(name, symbol)| at.kernel.exports(symbol) && !at.conf.is(name))
}

fn pieces(at: &Situation<'_>) -> Pieces {
    let corrections = RENAMED
        .iter()
        .filter(|(_, symbol)| at.kernel.exports(symbol))
        .map(|(name, _)| Correction { name, value: true })
        .collect();
    Pieces { corrections, ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::text::RuntimeText;

    #[test]
    fn only_for_a_runtime_with_fallbacks() {
        assert!(!with("5.1", "6.12", applies));
        let pieces = with("5.1", "6.12", |at| {
            let rt = RuntimeText::from_pairs("/rt", &[("linux/alloc.c", "#ifndef STAPCONF_VZALLOC\n")]);
            let at = Situation { rt: &rt, ..*at };
            assert!(applies(&at));
            pieces(&at)
        });
        assert_eq!(pieces.corrections, [Correction { name: "VZALLOC", value: true }]);
    }
}
