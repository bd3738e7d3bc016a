//! Linux 6.10 and later dropped two NFS status codes that no standard knows; the tapset of runtimes up to 5.1 names them.

use super::{Pieces, Repair, Situation};
use crate::text::TAPSET_NFSDERRNO;

pub(super) const REPAIR: Repair = Repair {
    name: "nfs-status",
    symptom: "NFSERR_EAGAIN or NFSERR_OPNOTSUPP undeclared in scripts that name NFS errors",
    remedy: "defines them with the numbers that they had",
    applies,
    pieces,
};

const HEADER: &str = "uapi/linux/nfs.h";

/// The names with their numbers (uapi/linux/nfs.h up to Linux 6.9; nfsderrno.stp of 5.6).
const CODES: [(&str, u32); 2] = [("NFSERR_EAGAIN", 11), ("NFSERR_OPNOTSUPP", 45)];

fn missing<'a>(at: &'a Situation<'_>) -> impl Iterator<Item = (&'static str, u32)> + 'a {
    let tapset = at.rt.file(TAPSET_NFSDERRNO).unwrap_or_default();
    CODES.into_iter().filter(move |(name, _)| {
        at.kernel.has_header(HEADER)
            && !at.kernel.header_declares(HEADER, name)
            && tapset.contains(name)
            && !tapset.contains(&format!("#define {name} "))
    })
}

fn applies(at: &Situation<'_>) -> bool {
    missing(at).next().is_some()
}

fn pieces(at: &Situation<'_>) -> Pieces {
    let header = missing(at).map(|(name, number)| format!("#define {name} {number}\n")).collect();
    Pieces { header, ..Pieces::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;
    use crate::kernel::KernelTree;
    use crate::kernel::tests::{location, tree};
    use crate::text::RuntimeText;

    fn header(tapset: &str, declared: &str) -> Option<String> {
        let kernel =
            KernelTree::read(&tree("6.12.1", 396_289, "", &[(HEADER, declared)]), &location()).unwrap();
        with("5.1", "6.12", |at| {
            let rt = RuntimeText::from_pairs("/rt", &[(TAPSET_NFSDERRNO, tapset)]);
            let at = Situation { rt: &rt, kernel: &kernel, ..*at };
            applies(&at).then(|| pieces(&at).header)
        })
    }

    #[test]
    fn what_the_kernel_lacks_and_the_tapset_names_is_defined() {
        let old = "{ __constant_htonl(NFSERR_EAGAIN), __constant_htonl(NFSERR_OPNOTSUPP) }";
        let both = "#define NFSERR_EAGAIN 11\n#define NFSERR_OPNOTSUPP 45\n";
        assert_eq!(header(old, "NFS_OK = 0,").as_deref(), Some(both));
        let one = "#define NFSERR_EAGAIN 11\n";
        assert_eq!(header(old, "NFSERR_OPNOTSUPP = 45,").as_deref(), Some(one));
        let knows = "#ifndef NFSERR_EAGAIN\n#define NFSERR_EAGAIN 11\n#endif\n";
        assert_eq!(header(knows, "NFS_OK = 0,"), None);
        assert_eq!(header("", "NFS_OK = 0,"), None);
    }
}
