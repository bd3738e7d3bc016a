//! Linux 6.8 removed `strlcpy`, which the runtime, the tapset and generated code use everywhere.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "strlcpy",
    symptom: "implicit declaration of strlcpy",
    remedy: "defines it by strscpy",
    applies,
    pieces,
};

fn applies(at: &Situation<'_>) -> bool {
    !at.kernel.header_declares("linux/string.h", "strlcpy")
        && !at.profile.own_strlcpy
        && at.kernel.at_least(6, 8)
}

fn pieces(_: &Situation<'_>) -> Pieces {
    // strscpy returns the length copied or -E2BIG; strlcpy's callers only ask whether the size was reached.
    let header = "\
#include <linux/string.h>
#define strlcpy(dest, src, size) ({ \\
	size_t rstap_size_ = (size); \\
	ssize_t rstap_length_ = strscpy((dest), (src), rstap_size_); \\
	rstap_length_ < 0 ? rstap_size_ : (size_t)rstap_length_; \\
})
";
    Pieces { header: header.to_owned(), ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn only_where_neither_kernel_nor_runtime_has_it() {
        assert!(with("4.8", "6.12", applies));
        assert!(!with("4.8", "6.1", applies));
        assert!(!with("5.1", "6.12", applies));
    }
}
