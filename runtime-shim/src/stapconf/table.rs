//! Which feature test answers which `STAPCONF_` macro.
//!
//! Facts from upstream's buildrun.cxx:compile_pass, the union of 4.8 to 5.6. A test whose file the runtime does not
//! have is not run; a test file that is not listed here belongs to a newer runtime (see `Plan::new`).

/// A question to `Module.symvers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// This symbol.
    One(&'static str),
    /// Both symbols.
    Both(&'static str, &'static str),
    /// At least one of two.
    Either(&'static str, &'static str),
}

/// A compile test: file below `linux/` of the runtime, and macro without `STAPCONF_`.
pub(super) struct Compiled {
    /// `autoconf-task-uid.c`.
    pub file: &'static str,
    /// `TASK_UID`.
    pub name: &'static str,
}

const fn c(file: &'static str, name: &'static str) -> Compiled {
    Compiled { file, name }
}

/// Compile tests, sorted by macro.
#[rustfmt::skip]
pub(super) const COMPILED: &[Compiled] = &[
    c("autoconf-514-panic.c", "514_PANIC"),
    c("autoconf-access_ok_2args.c", "ACCESS_OK_2ARGS"),
    c("autoconf-alloc-percpu-align.c", "ALLOC_PERCPU_ALIGN"),
    c("autoconf-asm-access-ok.c", "ASM_ACCESS_OK"),
    c("autoconf-asm-syscall.c", "ASM_SYSCALL_H"),
    c("autoconf-asm-tlbflush-h.c", "ASM_TLBFLUSH_H"),
    c("autoconf-atomic_fetch_add_unless.c", "ATOMIC_FETCH_ADD_UNLESS"),
    c("autoconf-bio-bi_opf.c", "BIO_BI_OPF"),
    c("autoconf-blk-types.c", "BLK_TYPES"),
    c("autoconf-compat_sigaction.c", "COMPAT_SIGACTION"),
    c("autoconf-compat-utimbuf.c", "COMPAT_UTIMBUF"),
    c("autoconf-constant-tsc.c", "CONSTANT_TSC"),
    c("autoconf-cpu-clock.c", "CPU_CLOCK"),
    c("autoconf-del_timer_sync.c", "DEL_TIMER_SYNC"),
    c("autoconf-do_sock_getsockopt.c", "DO_SOCK_GETSOCKOPT"),
    c("autoconf-dpath-path.c", "DPATH_PATH"),
    c("autoconf-d-real-inode.c", "D_REAL_INODE"),
    c("autoconf-files_lookup_fd_raw.c", "FILES_LOOKUP_FD_RAW"),
    c("autoconf-file_lock_core.c", "FILE_LOCK_CORE"),
    c("autoconf-from_kuid_munged.c", "FROM_KUID_MUNGED"),
    c("autoconf-fs_supers-hlist.c", "FS_SUPERS_HLIST"),
    c("autoconf-generated-compile.c", "GENERATED_COMPILE"),
    c("autoconf-genhd.c", "GENHD_H"),
    c("autoconf-get-kretprobe.c", "GET_KRETPROBE"),
    c("autoconf-get_user_pages-flags.c", "GET_USER_PAGES_FLAGS"),
    c("autoconf-get_user_pages-notask_struct.c", "GET_USER_PAGES_NOTASK_STRUCT"),
    c("autoconf-get_user_pages-no-mm.c", "GET_USER_PAGES_NO_MM"),
    c("autoconf-get_user_pages_remote-flags.c", "GET_USER_PAGES_REMOTE_FLAGS"),
    c("autoconf-get_user_pages_remote-flags_locked.c", "GET_USER_PAGES_REMOTE_FLAGS_LOCKED"),
    c("autoconf-get_user_pages_remote-locked.c", "GET_USER_PAGES_REMOTE_LOCKED"),
    c("autoconf-get_user_pages_remote-notask_struct.c", "GET_USER_PAGES_REMOTE_NOTASK_STRUCT"),
    c("autoconf-get_user_page_vma_remote.c", "GET_USER_PAGE_VMA_REMOTE"),
    c("autoconf-grsecurity.c", "GRSECURITY"),
    c("autoconf-hlist-4args.c", "HLIST_4ARGS"),
    c("autoconf-hlist_add_tail_rcu.c", "HLIST_ADD_TAIL_RCU"),
    c("autoconf-hrtimer-getset-expires.c", "HRTIMER_GETSET_EXPIRES"),
    c("autoconf-hrtimer_init.c", "HRTIMER_INIT"),
    c("autoconf-hrtimer-rel.c", "HRTIMER_REL"),
    c("autoconf-hw_breakpoint_context.c", "HW_BREAKPOINT_CONTEXT"),
    c("autoconf-inode-private.c", "INODE_PRIVATE"),
    c("autoconf-inode-rwsem.c", "INODE_RWSEM"),
    c("autoconf-inode-uretprobes.c", "INODE_URETPROBES"),
    c("autoconf-kallsyms_6_3.c", "KALLSYMS_6_3"),
    c("autoconf-kallsyms_6_4.c", "KALLSYMS_6_4"),
    c("autoconf-kernel_read-new-args.c", "KERNEL_READ_NEW_ARGS"),
    c("autoconf-save-stack-trace.c", "KERNEL_STACKTRACE"),
    c("autoconf-save-stack-trace-no-bp.c", "KERNEL_STACKTRACE_NO_BP"),
    c("autoconf-unwind-stack-trace.c", "KERNEL_UNWIND_STACK"),
    c("autoconf-kprobe-symbol-name.c", "KPROBE_SYMBOL_NAME"),
    c("autoconf-ktime-get-real.c", "KTIME_GET_REAL"),
    c("autoconf-linux-filelock-h.c", "LINUX_FILELOCK_H"),
    c("autoconf-linux-sched_headers.c", "LINUX_SCHED_HEADERS"),
    c("autoconf-uaccess.c", "LINUX_UACCESS_H"),
    c("autoconf-uidgid.c", "LINUX_UIDGID_H"),
    c("autoconf-linux-unaligned-h.c", "LINUX_UNALIGNED_H"),
    c("autoconf-local-clock.c", "LOCAL_CLOCK"),
    c("autoconf-lockdown-debugfs.c", "LOCKDOWN_DEBUGFS"),
    c("autoconf-lockdown-kernel.c", "LOCKDOWN_KERNEL"),
    c("autoconf-mmap_lock.c", "MMAP_LOCK"),
    c("autoconf-mm-context-vdso.c", "MM_CONTEXT_VDSO"),
    c("autoconf-mm-context-vdso-base.c", "MM_CONTEXT_VDSO_BASE"),
    c("autoconf-mm-shmempages.c", "MM_SHMEMPAGES"),
    c("autoconf-module_layout.c", "MODULE_LAYOUT"),
    c("autoconf-module_memory.c", "MODULE_MEMORY"),
    c("autoconf-module-sect-attrs.c", "MODULE_SECT_ATTRS"),
    c("autoconf-mod_kallsyms.c", "MOD_KALLSYMS"),
    c("autoconf-nameidata.c", "NAMEIDATA_CLEANUP"),
    c("autoconf-netfilter.c", "NETFILTER_V313"),
    c("autoconf-netfilter-313b.c", "NETFILTER_V313B"),
    c("autoconf-netfilter-4_1.c", "NETFILTER_V41"),
    c("autoconf-netfilter-4_4.c", "NETFILTER_V44"),
    c("autoconf-nmi-uaccess-okay.c", "NMI_UACCESS_OKAY"),
    c("autoconf-nsset-complete.c", "NSSET_COMPLETE"),
    c("autoconf-old-inode-uprobes.c", "OLD_INODE_UPROBES"),
    c("autoconf-oneachcpu-retry.c", "ONEACHCPU_RETRY"),
    c("autoconf-pagefault_disable.c", "PAGEFAULT_DISABLE"),
    c("autoconf-pde_data.c", "PDE_DATA2"),
    c("perf_event_counter_context.c", "PERF_COUNTER_CONTEXT"),
    c("perf_probe_handler_nmi.c", "PERF_HANDLER_NMI"),
    c("autoconf-perf-structpid.c", "PERF_STRUCTPID"),
    c("autoconf-pr32194-uprobe-register-unregister.c", "PR32194_UPROBE_REGISTER_UNREGISTER"),
    c("autoconf-pr33324-prev_padding.c", "PR33324_PREV_PADDING"),
    c("autoconf-pr33574-pno-type.c", "PR33574_PNO_TYPE"),
    c("autoconf-procfs-owner.c", "PROCFS_OWNER"),
    c("autoconf-proc_ops.c", "PROC_OPS"),
    c("autoconf-rcu_is_watching.c", "RCU_IS_WATCHING"),
    c("autoconf-real-parent.c", "REAL_PARENT"),
    c("autoconf-regset.c", "REGSET"),
    c("autoconf-relay_buf-per_cpu_ptr.c", "RELAY_BUF_PER_CPU_PTR"),
    c("autoconf-relay-umode_t.c", "RELAY_UMODE_T"),
    c("autoconf-ring_buffer-flags.c", "RING_BUFFER_FLAGS"),
    c("autoconf-ring_buffer_lost_events.c", "RING_BUFFER_LOST_EVENTS"),
    c("autoconf-ring_buffer_read_prepare.c", "RING_BUFFER_READ_PREPARE"),
    c("autoconf-set_fs.c", "SET_FS"),
    c("autoconf-smpcall-4args.c", "SMPCALL_4ARGS"),
    c("autoconf-smpcall-5args.c", "SMPCALL_5ARGS"),
    c("autoconf-stacktrace_h.c", "STACKTRACE_H"),
    c("autoconf-stacktrace_ops-int-address.c", "STACKTRACE_OPS_INT_ADDRESS"),
    c("autoconf-stacktrace_ops-warning.c", "STACKTRACE_OPS_WARNING"),
    c("autoconf-stack-trace-save-regs.c", "STACK_TRACE_SAVE_REGS"),
    c("autoconf-syscall_get_args_3args.c", "SYSCALL_GET_ARGS_3ARGS"),
    c("autoconf-task-state.c", "TASK_STATE"),
    c("autoconf-task-uid.c", "TASK_UID"),
    c("autoconf-task_work_cancel_func.c", "TASK_WORK_CANCEL_FUNC"),
    c("autoconf-task_work-struct.c", "TASK_WORK_STRUCT"),
    c("autoconf-time32.c", "TIME32_H"),
    c("autoconf-time32-old.c", "TIME32_OLD_H"),
    c("autoconf-timerfd.c", "TIMERFD_H"),
    c("autoconf-timer_delete_sync.c", "TIMER_DELETE_SYNC"),
    c("autoconf-time-types.c", "TIME_TYPES_H"),
    c("autoconf-tracepoint-declare-tp.c", "TRACEPOINT_DECLARE_TP"),
    c("autoconf-tracepoint-has-data.c", "TRACEPOINT_HAS_DATA"),
    c("autoconf-tracepoint-strings.c", "TRACEPOINT_STRINGS"),
    c("autoconf-tracepoint-typecheck.c", "TRACEPOINT_TYPECHECK"),
    c("autoconf-trace-printk.c", "TRACE_PRINTK"),
    c("autoconf-twa_resume.c", "TWA_RESUME"),
    c("autoconf-uapi-mount.c", "UAPI_LINUX_MOUNT_H"),
    c("autoconf-udelay_simple.c", "UDELAY_SIMPLE"),
    c("autoconf-uprobes-cb-data.c", "UPROBES_CB_DATA"),
    c("autoconf-uprobe-get-pc.c", "UPROBE_GET_PC"),
    c("autoconf-user-access-begin-2-args.c", "USER_ACCESS_BEGIN_2_ARGS"),
    c("autoconf-user-access-begin-3-args.c", "USER_ACCESS_BEGIN_3_ARGS"),
    c("autoconf-user-access-end.c", "USER_ACCESS_END"),
    c("autoconf-utrace-regset.c", "UTRACE_REGSET"),
    c("autoconf-utrace-via-tracepoints.c", "UTRACE_VIA_TRACEPOINTS"),
    c("autoconf-utrace-via-tracepoints2.c", "UTRACE_VIA_TRACEPOINTS2"),
    c("autoconf-vm-area-pte.c", "VM_AREA_PTE"),
    c("autoconf-walk-stack.c", "WALK_STACK"),
    c("autoconf-x86-fs.c", "X86_FS"),
    c("autoconf-x86-gs.c", "X86_GS"),
    c("autoconf-x86-uniregs.c", "X86_UNIREGS"),
    c("autoconf-x86-xfs.c", "X86_XFS"),
];

/// Export tests, sorted by macro.
#[rustfmt::skip]
pub(super) const EXPORTED: &[(&str, Exported)] = &[
    ("ADD_TIMER_ON", Exported::One("add_timer_on")),
    ("ATOMIC_DEC_AND_LOCK_EXPORTED_PR33978", Exported::One("atomic_dec_and_lock")),
    ("CPU_KHZ", Exported::One("cpu_khz")),
    ("DISK_GET_PART", Exported::One("disk_get_part")),
    ("GET_MM_EXE_FILE_EXPORTED", Exported::One("get_mm_exe_file")),
    ("GET_USER_PAGES_REMOTE", Exported::One("get_user_pages_remote")),
    ("HRTIMER_GET_RES", Exported::One("hrtimer_get_res")),
    ("KALLSYMS_LOOKUP_NAME_EXPORTED", Exported::One("kallsyms_lookup_name")),
    ("KALLSYMS_ON_EACH_SYMBOL_EXPORTED", Exported::One("kallsyms_on_each_symbol")),
    ("KERN_PATH", Exported::One("kern_path")),
    ("KERN_PATH_PARENT", Exported::One("kern_path_parent")),
    ("KTIME_GET_REAL_FAST_NS", Exported::One("ktime_get_real_fast_ns")),
    ("LOCK_TASK_SIGHAND_EXPORTED", Exported::One("lock_task_sighand")),
    ("LOOKUP_NOPERM", Exported::One("lookup_noperm")),
    ("MODULE_MUTEX", Exported::One("module_mutex")),
    ("MODULE_TEXT_ADDRESS", Exported::One("__module_text_address")),
    ("NF_REGISTER_HOOK", Exported::One("nf_register_hook")),
    ("PATH_LOOKUP", Exported::One("path_lookup")),
    ("PDE_DATA", Exported::One("PDE_DATA")),
    ("PROBE_KERNEL", Exported::Both("probe_kernel_read", "probe_kernel_write")),
    ("PROC_CREATE_DATA", Exported::One("proc_create_data")),
    ("SAVE_STACK_TRACE_REGS_EXPORTED", Exported::One("save_stack_trace_regs")),
    ("SIGNAL_WAKE_UP_EXPORTED", Exported::One("signal_wake_up")),
    ("SIGNAL_WAKE_UP_STATE_EXPORTED", Exported::One("signal_wake_up_state")),
    ("SIGSET_FROM_COMPAT_EXPORTED", Exported::One("sigset_from_compat")),
    ("SYNCHRONIZE_KERNEL", Exported::One("synchronize_kernel")),
    ("SYNCHRONIZE_RCU", Exported::One("synchronize_rcu")),
    ("SYNCHRONIZE_SCHED", Exported::One("synchronize_sched")),
    ("TASK_USER_REGSET_VIEW_EXPORTED", Exported::One("task_user_regset_view")),
    ("TASK_WORK_ADD_EXPORTED", Exported::One("task_work_add")),
    ("TASK_WORK_CANCEL_EXPORTED", Exported::One("task_work_cancel")),
    ("TRY_TO_WAKE_UP_EXPORTED", Exported::One("try_to_wake_up")),
    ("TSC_KHZ", Exported::One("tsc_khz")),
    ("UDELAY_SIMPLE_EXPORTED", Exported::One("udelay_simple")),
    ("UNREGISTER_KPROBES", Exported::Both("unregister_kprobes", "unregister_kretprobes")),
    ("UPROBE_GET_SWBP_ADDR_EXPORTED", Exported::One("uprobe_get_swbp_addr")),
    ("UPROBE_REGISTER_EXPORTED", Exported::Either("uprobe_register", "register_uprobe")),
    ("UPROBE_UNREGISTER_EXPORTED", Exported::Either("uprobe_unregister", "unregister_uprobe")),
    ("VFS_PATH_LOOKUP", Exported::One("vfs_path_lookup")),
    ("VMALLOC_NODE", Exported::One("vmalloc_node")),
    ("VM_AREA", Exported::Both("alloc_vm_area", "free_vm_area")),
    ("VZALLOC", Exported::One("vzalloc")),
    ("VZALLOC_NODE", Exported::One("vzalloc_node")),
    ("WAKE_UP_STATE_EXPORTED", Exported::One("wake_up_state")),
    ("__LOCK_TASK_SIGHAND_EXPORTED", Exported::One("__lock_task_sighand")),
];

/// Macros that no runtime, tapset or translator from 4.8 on reads: what their tests say cannot matter.
pub(super) const NEVER_READ: &[&str] = &[
    "COMPAT_SIGACTION",
    "INODE_PRIVATE",
    "MODULE_SECT_ATTRS",
    "RCU_IS_WATCHING",
    "RING_BUFFER_FLAGS",
    "RING_BUFFER_LOST_EVENTS",
    "RING_BUFFER_READ_PREPARE",
    "SAVE_STACK_TRACE_REGS_EXPORTED",
    "VM_AREA",
    "VM_AREA_PTE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_have_no_double() {
        assert!(COMPILED.is_sorted_by(|a, b| a.name < b.name));
        assert!(EXPORTED.is_sorted_by(|a, b| a.0 < b.0));
        let mut files: Vec<_> = COMPILED.iter().map(|test| test.file).collect();
        files.sort_unstable();
        assert!(files.is_sorted_by(|a, b| a < b));
    }
}
