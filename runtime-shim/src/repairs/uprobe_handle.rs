//! Linux 6.12 gave uprobes a handle: `uprobe_register` returns it, and `uprobe_unregister` is two functions.
//!
//! A runtime before 5.2 finds no `uprobe_unregister` exported, looks it up by name at the start of every module,
//! with or without uprobes, and fails. One from 5.2 that does not know the cookie argument which handlers got in
//! Linux 6.13 is led back to the old interface, which it also still has.

use super::{Correction, Pieces, Repair, Situation};

pub(super) const REPAIR: Repair = Repair {
    name: "uprobe-handle",
    symptom: "ERROR: Can't resolve uprobe_unregister! at the start of every module",
    remedy: "gives uprobes-inode.c the old interface over the new one",
    applies,
    pieces,
};

const HEADER: &str = "linux/uprobes.h";

fn applies(at: &Situation<'_>) -> bool {
    let new_kernel = at.kernel.header_declares(HEADER, "uprobe_unregister_nosync");
    let knows_cookie = at.rt.file_has_word("linux/uprobes-inode.c", "STAPCONF_UPROBES_CB_DATA");
    new_kernel && (!at.profile.uprobe_handle || cookie(at) && !knows_cookie)
}

fn cookie(at: &Situation<'_>) -> bool {
    at.kernel.header_has(HEADER, "__u64 *data")
}

fn pieces(at: &Situation<'_>) -> Pieces {
    // Since 6.13 handlers get a cookie, which the runtime has no use for.
    let cookie = if cookie(at) { ", __u64 *cookie" } else { "" };
    let header = format!(
        "\
#include <linux/err.h>
#include <linux/uprobes.h>
struct rstap_uprobe_consumer {{
	int (*handler)(struct rstap_uprobe_consumer *self, struct pt_regs *regs);
	int (*ret_handler)(struct rstap_uprobe_consumer *self, unsigned long func, struct pt_regs *regs);
	struct uprobe_consumer kernel;
	struct uprobe *handle;
}};

static int __attribute__((unused))
rstap_uprobe_hit(struct uprobe_consumer *kernel, struct pt_regs *regs{cookie})
{{
	struct rstap_uprobe_consumer *self = container_of(kernel, struct rstap_uprobe_consumer, kernel);
	return self->handler(self, regs);
}}

static int __attribute__((unused))
rstap_uprobe_return(struct uprobe_consumer *kernel, unsigned long func, struct pt_regs *regs{cookie})
{{
	struct rstap_uprobe_consumer *self = container_of(kernel, struct rstap_uprobe_consumer, kernel);
	return self->ret_handler(self, func, regs);
}}

static int __attribute__((unused))
rstap_uprobe_register(struct inode *inode, loff_t offset, struct rstap_uprobe_consumer *self)
{{
	struct uprobe *handle;

	self->kernel.handler = self->handler ? rstap_uprobe_hit : NULL;
	self->kernel.ret_handler = self->ret_handler ? rstap_uprobe_return : NULL;
	handle = uprobe_register(inode, offset, 0, &self->kernel);
	if (IS_ERR_OR_NULL(handle))
		return handle ? PTR_ERR(handle) : -EINVAL;
	self->handle = handle;
	return 0;
}}

static void __attribute__((unused))
rstap_uprobe_unregister(struct rstap_uprobe_consumer *self)
{{
	if (!self->handle)
		return;
	uprobe_unregister_nosync(self->handle, &self->kernel);
	/* The runtime frees the consumer next: no handler may still run. */
	uprobe_unregister_sync();
	self->handle = NULL;
}}

#define uprobe_consumer rstap_uprobe_consumer
#define uprobe_register(inode, offset, consumer) rstap_uprobe_register((inode), (offset), (consumer))
#define uprobe_unregister(inode, offset, consumer) rstap_uprobe_unregister(consumer)
"
    );
    Pieces {
        corrections: vec![
            Correction { name: "UPROBE_REGISTER_EXPORTED", value: true },
            Correction { name: "UPROBE_UNREGISTER_EXPORTED", value: true },
            Correction { name: "PR32194_UPROBE_REGISTER_UNREGISTER", value: false },
        ],
        header,
        ..Pieces::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn handlers_have_the_kernels_arguments() {
        let header = with("5.1", "6.12", pieces).header;
        assert!(header.contains("rstap_uprobe_hit(struct uprobe_consumer *kernel, struct pt_regs *regs)"));
        let header = with("5.1", "7.2", pieces).header;
        assert!(header.contains("struct pt_regs *regs, __u64 *cookie)"));
    }

    #[test]
    fn only_for_the_old_interface_on_the_new_kernel() {
        assert!(with("5.1", "6.12", applies));
        assert!(!with("5.1", "6.1", applies));
        assert!(!with("5.6", "7.2", applies));
    }

    #[test]
    fn a_runtime_with_handles_but_no_cookie_gets_the_old_interface() {
        use crate::text::RuntimeText;
        let ask = |version: &str| {
            with("5.6", version, |at| {
                let text = "#if defined(STAPCONF_PR32194_UPROBE_REGISTER_UNREGISTER)";
                let rt = RuntimeText::from_pairs("/rt", &[("linux/uprobes-inode.c", text)]);
                applies(&Situation { rt: &rt, ..*at })
            })
        };
        assert!(ask("7.2"));
        assert!(!ask("6.12"));
    }
}
