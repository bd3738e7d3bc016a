//! Linux 6.16 replaced `lookup_one_len` by `lookup_noperm`.

use super::{Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "lookup-one-len",
    symptom: "transport/debugfs.c: implicit declaration of lookup_one_len",
    remedy: "defines it by lookup_noperm",
    applies,
    pieces,
};

const HEADER: &str = "linux/namei.h";

fn applies(at: &Situation<'_>) -> bool {
    at.kernel.header_declares(HEADER, "lookup_noperm")
        && !at.kernel.header_declares(HEADER, "lookup_one_len")
        && !at.rt.file_has_word("transport/debugfs.c", "lookup_noperm")
}

fn pieces(_: &Situation<'_>) -> Pieces {
    let header = "\
#include <linux/dcache.h>
#include <linux/namei.h>
#define lookup_one_len(name, base, length) \\
	lookup_noperm(&(struct qstr)QSTR_INIT((name), (length)), (base))
";
    Pieces { header: header.to_owned(), ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn only_where_the_old_name_is_gone() {
        assert!(with("5.1", "7.2", applies));
        assert!(!with("5.1", "6.12", applies));
    }
}
