//! Runtimes up to 5.5 end structures in arrays of length 0, which a kernel with the bounds sanitizer reports.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "bounds-sanitizer",
    symptom: "UBSAN: array-index-out-of-bounds in the kernel log when a script uses an array",
    remedy: "builds the module without the sanitizer",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.configured("CONFIG_UBSAN_BOUNDS") && at.rt.file_has("map.h", "hashes[0];")
}

fn pieces(_: &Situation<'_>) -> Pieces {
    Pieces { make_lines: vec!["UBSAN_SANITIZE := n"], ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::kernel::Config;
    use crate::text::RuntimeText;

    #[test]
    fn only_with_both() {
        let ask = |text: &str, sanitizer: bool| {
            with("5.1", "7.2", |at| {
                let rt = RuntimeText::from_pairs("/rt", &[("map.h", text)]);
                let mut kernel = at.kernel.clone();
                if sanitizer {
                    kernel.config = Config::from_text("CONFIG_UBSAN_BOUNDS=y\n");
                }
                applies(&Situation { rt: &rt, kernel: &kernel, ..*at })
            })
        };
        assert!(ask("struct mhlist_head hashes[0];", true));
        assert!(!ask("struct mhlist_head hashes[0];", false));
        assert!(!ask("struct mhlist_head hashes[];", true));
    }
}
