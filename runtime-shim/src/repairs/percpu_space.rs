//! Linux 6.15 puts per-CPU pointers into an address space of the compiler's own (x86, gcc 14 and later).
//!
//! Runtimes before 5.3 keep them in plain pointers, which the compiler then refuses to mix.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "percpu-space",
    symptom: "linux/alloc.c: assignment from pointer to non-enclosed address space",
    remedy: "switches the kernel headers back to plain pointers",
    applies,
    pieces,
};

const HEADER: &str = "arch/x86/include/asm/percpu.h";

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.arch == "x86_64"
        && at.kernel.header_declares(HEADER, "USE_TYPEOF_UNQUAL")
        && at.rt.has_file("linux/map_runtime.h")
        && !at.rt.file_has_word("linux/map_runtime.h", "__percpu")
}

fn pieces(_: &Situation<'_>) -> Pieces {
    // The headers have this path for older compilers; it must be chosen before asm/percpu.h is read.
    let prelude = "\
#include <linux/compiler.h>
#undef USE_TYPEOF_UNQUAL
#undef __percpu_qual
#define __percpu_qual
";
    Pieces { prelude: prelude.to_owned(), ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn only_for_plain_pointers_on_such_a_kernel() {
        assert!(with("5.1", "7.2", applies));
        assert!(!with("5.1", "6.12", applies));
        assert!(!with("5.6", "7.2", applies));
    }
}
