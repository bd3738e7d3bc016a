//! Linux 6.17 has a `struct unwind_cache` of its own; runtimes before 5.4 use that name and its neighbour.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "unwind-names",
    symptom: "unwind/unwind.h: redefinition of 'struct unwind_cache'",
    remedy: "renames the runtime's two structures",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.header_declares("linux/unwind_deferred_types.h", "unwind_cache")
        && at.rt.file_has("unwind/unwind.h", "struct unwind_cache {")
}

fn pieces(_: &Situation<'_>) -> Pieces {
    let header = "\
#include <linux/sched.h>
#include <linux/unwind_deferred.h>
#define unwind_cache rstap_unwind_cache
#define unwind_context rstap_unwind_context
";
    Pieces { header: header.to_owned(), ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::text::RuntimeText;

    #[test]
    fn only_where_both_have_the_name() {
        let ask = |version: &str, text: &str| {
            with("5.1", version, |at| {
                let rt = RuntimeText::from_pairs("/rt", &[("unwind/unwind.h", text)]);
                applies(&Situation { rt: &rt, ..*at })
            })
        };
        assert!(ask("7.2", "struct unwind_cache {"));
        assert!(!ask("6.12", "struct unwind_cache {"));
        assert!(!ask("7.2", "struct stp_unwind_cache {"));
    }
}
