//! Names that generated code and this crate agree on.

/// A macro that the shim header defines if some repair has work to do when the module starts.
///
/// The emitter writes, in `systemtap_module_init` right after `_stp_handle_kallsyms_lookups()` and its check:
///
/// ```c
/// #ifdef RSTAP_SHIM_INIT
/// rc = RSTAP_SHIM_INIT();
/// if (rc) goto out;
/// #endif
/// ```
///
/// so that the same C text builds against every runtime and kernel, and with upstream's own makefile.
pub const SHIM_INIT: &str = "RSTAP_SHIM_INIT";
