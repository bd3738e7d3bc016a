//! Linux 6.12 moved `asm/unaligned.h` to `linux/unaligned.h`.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "unaligned-header",
    symptom: "fatal error: asm/unaligned.h: No such file or directory",
    remedy: "provides a header of that name",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    let asks =
        at.rt.file_has("sym.c", "<asm/unaligned.h>") && !at.rt.file_has("sym.c", "<linux/unaligned.h>");
    asks && at.kernel.has_header("linux/unaligned.h")
}

fn pieces(_: &Situation<'_>) -> Pieces {
    let text = "/* The kernel's header of this name moved. */\n#include <linux/unaligned.h>\n".to_owned();
    Pieces { include_files: vec![("asm/unaligned.h", text)], ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::text::RuntimeText;

    #[test]
    fn only_where_the_runtime_asks_and_the_kernel_moved_it() {
        let ask = |version: &str, text: &str| {
            with("5.1", version, |at| {
                let rt = RuntimeText::from_pairs("/rt", &[("sym.c", text)]);
                applies(&Situation { rt: &rt, ..*at })
            })
        };
        assert!(ask("6.12", "#include <asm/unaligned.h>\n"));
        assert!(!ask("6.1", "#include <asm/unaligned.h>\n"));
        assert!(!ask("6.12", "#include <linux/unaligned.h>\n#include <asm/unaligned.h>\n"));
    }
}
