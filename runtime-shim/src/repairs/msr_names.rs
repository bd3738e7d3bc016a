//! Linux 6.16 renamed the accessors of 64-bit model-specific registers; 7.x dropped the old names.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "msr-names",
    symptom: "implicit declaration of rdmsrl or wrmsrl",
    remedy: "defines them by rdmsrq and wrmsrq",
    applies,
    pieces,
};

const HEADER: &str = "arch/x86/include/asm/msr.h";

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.arch == "x86_64"
        && at.kernel.header_has(HEADER, "#define rdmsrq(")
        && !at.kernel.header_has(HEADER, "#define rdmsrl(")
        && !at.rt.has_word("rdmsrq")
}

fn pieces(_: &Situation<'_>) -> Pieces {
    let header = "\
#include <asm/msr.h>
#define rdmsrl(msr, value) rdmsrq(msr, value)
#define wrmsrl(msr, value) wrmsrq(msr, value)
";
    Pieces { header: header.to_owned(), ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn only_where_the_old_names_are_gone() {
        assert!(with("5.1", "7.2", applies));
        assert!(!with("5.1", "6.12", applies));
        assert!(!with("5.6", "7.2", applies));
    }
}
