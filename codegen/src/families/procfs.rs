//! `procfs.*`: files below `/proc/systemtap/MODULE/` that a script serves.
//!
//! | point | meaning |
//! |---|---|
//! | `procfs[("path")][.umask(U)].read[.maxsize(N)]` | someone reads the file; assign `$value` (`=`, `.=`) |
//! | `procfs[("path")][.umask(U)].write` | someone wrote to it; read `$value` |
//!
//! The default path is `command`. `procfs("__stdin").write` receives the standard input of the run (`input.char`,
//! `input.line`). Runtime: `procfs.c`, `linux/procfs-probes.c`. Source: upstream tapset-procfs.cxx.

use super::{EmitFamily, Group, GroupContext, GroupProbe, Mechanism, Sections};
use crate::emit::entry::Entry;
use crate::emit::writer::{CWriter, literal};
use crate::families::point::{self, call, embedded_function, pattern};
use frontend::diag::Diagnostic;
use frontend::hir::{Attachment, Probe};
use frontend::resolve::derive::{
    Answer, DeriveContext, Derived, Effect, Family, Pattern, TargetUse, Targets,
};
use frontend::syntax::ast::{DeclaredType, Parsed, ProbePoint};
use frontend::tree::{AssignOp, Expr, Target, TargetBase};
use smol_str::SmolStr;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A procfs probe.
#[derive(Debug)]
pub struct Procfs {
    /// Path below the module's directory.
    pub path: SmolStr,
    /// True for `.write`.
    pub write: bool,
    /// `.maxsize(N)`.
    pub max_size: Option<i64>,
    /// Permission bits to take away.
    pub umask: i64,
}

impl Attachment for Procfs {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

const PATTERNS: &[Pattern] = &[
    pattern!(Privileged: ("procfs", None), ("read", None)),
    pattern!(Privileged: ("procfs", None), ("read", None), ("maxsize", Number)),
    pattern!(Privileged: ("procfs", None), ("umask", Number), ("read", None)),
    pattern!(Privileged: ("procfs", None), ("umask", Number), ("read", None), ("maxsize", Number)),
    pattern!(Privileged: ("procfs", None), ("write", None)),
    pattern!(Privileged: ("procfs", None), ("umask", Number), ("write", None)),
    pattern!(Privileged: ("procfs", String), ("read", None)),
    pattern!(Privileged: ("procfs", String), ("read", None), ("maxsize", Number)),
    pattern!(Privileged: ("procfs", String), ("umask", Number), ("read", None)),
    pattern!(Privileged: ("procfs", String), ("umask", Number), ("read", None), ("maxsize", Number)),
    pattern!(Privileged: ("procfs", String), ("write", None)),
    pattern!(Privileged: ("procfs", String), ("umask", Number), ("write", None)),
];

/// The family.
#[derive(Debug)]
pub struct ProcfsFamily;

impl Family for ProcfsFamily {
    fn name(&self) -> &'static str {
        "procfs"
    }

    fn builder(&self) -> &'static str {
        "procfs builder"
    }

    fn patterns(&self) -> &'static [Pattern] {
        PATTERNS
    }

    fn derive(&self, context: &DeriveContext<'_>, point: &ProbePoint) -> Answer<Vec<Derived>> {
        let write = point::has(point, "write");
        let umask = point::number(point, "umask").unwrap_or(if write { 0o022 } else { 0o044 });
        let max_size = point::number(point, "maxsize");
        if max_size.is_some_and(|size| size <= 0) {
            return Err(point::plain_error("procfs.maxsize", "maxsize must be greater than 0"));
        }
        let path = match point::string(point, "procfs") {
            Some(path) => {
                check_path(point, path)?;
                path.clone()
            }
            None => SmolStr::new_static("command"),
        };
        let mut derived =
            Derived::plain(point.clone(), Arc::new(Procfs { path: path.clone(), write, max_size, umask }));
        derived.effects.push(Effect::Embed(SmolStr::new_static("#include \"procfs-probes.h\"")));
        if path == "__stdin" {
            derived.effects.push(Effect::ReadsStdin);
        }
        derived.targets = Some(Arc::new(Value { write }));
        derived.folds = true;
        let string = Some(DeclaredType::String);
        derived.functions = if write {
            vec![embedded_function(context.origin, GET, string, &[], GET_CODE)]
        } else {
            let value = [("value", DeclaredType::String)];
            vec![
                embedded_function(context.origin, SET, string, &value, SET_CODE),
                embedded_function(context.origin, APPEND, string, &value, APPEND_CODE),
            ]
        };
        Ok(vec![derived])
    }
}

/// A path must name a file below the module's directory.
fn check_path(point: &ProbePoint, path: &str) -> Result<(), Box<Diagnostic>> {
    let mut parts = path.split('/').peekable();
    let mut first = true;
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let problem = match part {
            "" if last => "procfs path cannot end with a '/'",
            "" if first => "procfs path cannot start with a '/'",
            "" => "procfs path component cannot be empty",
            "." | ".." => "procfs path cannot be relative (and contain '.' or '..')",
            _ => {
                first = false;
                continue;
            }
        };
        return Err(point::error("procfs.path", point, problem));
    }
    Ok(())
}

const GET: &str = "_procfs_value_get";
const SET: &str = "_procfs_value_set";
const APPEND: &str = "_procfs_value_append";

/// The runtime hands the writer's buffer on as a user pointer with its length.
const GET_CODE: &str = " /* pure */ /* stable */
  const struct _stp_procfs_data *file = CONTEXT->ips.procfs_data;
  size_t length = min_t(size_t, file->count, MAXSTRINGLEN - 1);
  if (_stp_copy_from_user(STAP_RETVALUE, file->buffer, length))
    length = 0;
  STAP_RETVALUE[length] = '\\0';
";

const SET_CODE: &str = " /* unmodified-fnargs */
  struct _stp_procfs_data *file = CONTEXT->ips.procfs_data;
  size_t length = strlen(STAP_ARG_value);
  strlcpy(file->buffer, STAP_ARG_value, file->bufsize);
  if (length >= file->bufsize)
    STAP_ERROR(\"buffer size exceeded, consider .maxsize(%lu).\", (unsigned long)length + 1);
  file->count = length;
";

const APPEND_CODE: &str = " /* unmodified-fnargs */
  struct _stp_procfs_data *file = CONTEXT->ips.procfs_data;
  size_t length = file->count + strlen(STAP_ARG_value);
  strlcat(file->buffer, STAP_ARG_value, file->bufsize);
  if (length >= file->bufsize)
    STAP_ERROR(\"buffer size exceeded, consider .maxsize(%lu).\", (unsigned long)length + 1);
  file->count = length;
";

/// `$value`.
#[derive(Debug)]
struct Value {
    write: bool,
}

impl Targets for Value {
    fn locate(
        &self,
        target: &Target<Parsed>,
        usage: &TargetUse<'_>,
        expr: &Expr<Parsed>,
    ) -> Answer<Expr<Parsed>> {
        let fail = |site, message: &str| point::refused(expr, site, message);
        if target.base != TargetBase::Symbol("$value".into()) {
            return fail("procfs.symbol", "invalid target symbol for procfs probe, $value expected");
        }
        point::no_components(target, "procfs", expr)?;
        if target.address_of {
            return fail("procfs.address", "cannot take address of procfs variable");
        }
        match (usage, self.write) {
            (TargetUse::Read, true) => Ok(call(&expr.origin, GET, Vec::new())),
            (TargetUse::Write { op: AssignOp::Set, value }, false) => {
                Ok(call(&expr.origin, SET, vec![(*value).clone()]))
            }
            (TargetUse::Write { op: AssignOp::Concat, value }, false) => {
                Ok(call(&expr.origin, APPEND, vec![(*value).clone()]))
            }
            (TargetUse::Write { .. }, false) => fail(
                "procfs.operator",
                "Only the following assign operators are implemented on procfs read target variables: '=', '.='",
            ),
            (TargetUse::Write { .. }, true) => {
                fail("procfs.read-only", "procfs $value variable is read-only in a procfs write probe")
            }
            (TargetUse::Read, false) => {
                fail("procfs.write-only", "procfs $value variable cannot be read in a procfs read probe")
            }
        }
    }
}

impl EmitFamily for ProcfsFamily {
    fn group(&self, _: &Probe) -> Option<Group> {
        Some(Group::Procfs)
    }
}

/// The files of a session.
#[derive(Debug)]
pub struct ProcfsMechanism;

/// The probes of one path.
#[derive(Default)]
struct File<'a> {
    read: Option<(&'a GroupProbe<'a>, &'a Procfs)>,
    writes: Vec<(&'a GroupProbe<'a>, &'a Procfs)>,
}

impl File<'_> {
    fn buffer_size(&self) -> String {
        match self.read {
            Some((_, Procfs { max_size: Some(size), .. })) => size.to_string(),
            Some(_) => "STP_PROCFS_BUFSIZE".into(),
            None => "MAXSTRINGLEN".into(),
        }
    }

    fn permissions(&self) -> i64 {
        let (mut granted, mut taken) = (0, 0);
        if let Some((_, read)) = self.read {
            granted |= 0o444;
            taken |= read.umask;
        }
        if let Some((_, write)) = self.writes.first() {
            granted |= 0o222;
            taken |= write.umask;
        }
        granted & !taken
    }
}

impl Mechanism for ProcfsMechanism {
    fn group(&self) -> Group {
        Group::Procfs
    }

    /// A file is filled by one handler (tapset-procfs.cxx: `enroll`).
    fn check(&self, probes: &[&Probe]) -> Result<(), Box<Diagnostic>> {
        let mut read = BTreeSet::new();
        for probe in probes {
            if let Some(Procfs { path, write: false, .. }) = probe.attachment.as_any().downcast_ref()
                && !read.insert(path)
            {
                let message = format!("only one read procfs probe can exist for procfs path \"{path}\"");
                return Err(point::plain_error("procfs.reads", message));
            }
        }
        Ok(())
    }

    fn sections(&self, cx: &GroupContext<'_>) -> Sections {
        let mut files: BTreeMap<&str, File<'_>> = BTreeMap::new();
        for probe in &cx.probes {
            let Some(procfs) = probe.attachment::<Procfs>() else { continue };
            let file = files.entry(&procfs.path).or_default();
            if procfs.write {
                file.writes.push((probe, procfs));
            } else {
                file.read = Some((probe, procfs));
            }
        }
        let count = files.len();
        let mut out = CWriter::new();
        out.line("/* files below /proc */");
        out.lines(format!(
            "#ifndef STP_MAX_PROCFS_FILES\n#define STP_MAX_PROCFS_FILES {count}\n#endif\n\
             #include \"procfs.c\"\n#include \"procfs-probes.c\""
        ));
        write_tables(&mut out, &files);
        out.gap();
        write_read_callback(&mut out, cx, files.values().any(|file| file.read.is_some()));
        out.gap();
        write_write_callback(&mut out, cx, files.values().any(|file| !file.writes.is_empty()));
        let shutdown = format!(
            "_stp_close_procfs ();\n\
             for (i = 0; i < {count}; i++)\n\
             \x20 _spp_shutdown (&stap_procfs_probes[i]);\n"
        );
        Sections {
            declarations: out.finish(),
            kernel_init: "rc = _stp_mkdir_proc_module ();\n".into(),
            kernel_exit: "_stp_rmdir_proc_module ();\n".into(),
            init: format!(
                "for (i = 0; i < {count}; i++) {{\n\
                 \x20 struct stap_procfs_probe *spp = &stap_procfs_probes[i];\n\
                 \x20 probe_point = spp->read_probe ? spp->read_probe->pp : spp->write_probes[0]->pp;\n\
                 \x20 _spp_init (spp);\n\
                 \x20 rc = _stp_create_procfs (spp->path, &_stp_proc_fops, spp->permissions, spp);\n\
                 \x20 if (rc) {{\n\
                 \x20   _stp_close_procfs ();\n\
                 \x20   for (; i >= 0; i--)\n\
                 \x20     _spp_shutdown (&stap_procfs_probes[i]);\n\
                 \x20   break;\n\
                 \x20 }}\n\
                 }}\n"
            ),
            exit: shutdown,
            ..Sections::default()
        }
    }
}

fn write_tables(out: &mut CWriter, files: &BTreeMap<&str, File<'_>>) {
    out.open("static struct stap_procfs_probe_buffer {");
    for (index, file) in files.values().enumerate() {
        out.line(format!("char buf_{index}[{}];", file.buffer_size()));
    }
    out.close("} stap_procfs_probe_buffers;");
    for (index, file) in files.values().enumerate().filter(|(_, file)| !file.writes.is_empty()) {
        let pointers: Vec<String> = file.writes.iter().map(|(probe, _)| probe.pointer()).collect();
        out.line(format!(
            "static struct stap_probe *stap_procfs_writes_{index}[] = {{ {} }};",
            pointers.join(", ")
        ));
    }
    out.open("static struct stap_procfs_probe stap_procfs_probes[] = {");
    for (index, (path, file)) in files.iter().enumerate() {
        out.open("{");
        out.line(format!(".path = {},", literal(path)));
        if let Some((probe, _)) = file.read {
            out.line(format!(".read_probe = {},", probe.pointer()));
        }
        if !file.writes.is_empty() {
            out.line(format!(".write_probes = stap_procfs_writes_{index},"));
        }
        out.line(format!(".num_write_probes = {},", file.writes.len()));
        out.line(format!(".buffer = stap_procfs_probe_buffers.buf_{index},"));
        out.line(format!(".bufsize = {},", file.buffer_size()));
        out.line(format!(".permissions = 0{:o},", file.permissions()));
        out.close("},");
    }
    out.close("};");
}

/// A second access while a handler of this context runs counts as a skipped probe.
const ENTER_FILE: &str = "if (c->ips.procfs_data == NULL)\n\
     \x20 c->ips.procfs_data = &pdata;\n\
     else {\n\
     \x20 if (unlikely (atomic_inc_return (skipped_count()) > MAXSKIPPED)) {\n\
     \x20   atomic_set (session_state(), STAP_SESSION_ERROR);\n\
     \x20   _stp_exit ();\n\
     \x20 }\n\
     \x20 goto probe_epilogue;\n\
     }";

/// The runtime calls it even where no file can be read.
fn write_read_callback(out: &mut CWriter, cx: &GroupContext<'_>, readable: bool) {
    out.open("static int _stp_proc_fill_read_buffer (struct stap_procfs_probe *spp) {");
    if readable {
        out.line("struct _stp_procfs_data pdata;");
        let before = format!(
            "pdata.buffer = spp->buffer;\npdata.bufsize = spp->bufsize;\npdata.count = spp->count;\n{ENTER_FILE}"
        );
        let entry = Entry {
            before_handler: &before,
            after_handler: "c->ips.procfs_data = NULL;\n\
                            spp->needs_fill = 0;\n\
                            spp->count = strlen (spp->buffer);",
            ..Entry::running("spp->read_probe", "stp_probe_type_procfs")
        };
        cx.entry(out, &entry);
        out.open("if (spp->needs_fill) {");
        out.line("spp->needs_fill = 0;");
        out.line("return -EIO;");
        out.close("}");
    }
    out.line("return 0;");
    out.close("}");
}

/// The runtime calls it even where no file can be written.
fn write_write_callback(out: &mut CWriter, cx: &GroupContext<'_>, writable: bool) {
    out.open(
        "static int _stp_process_write_buffer (struct stap_procfs_probe *spp, const char __user *buf, size_t count) {",
    );
    out.line("int retval = 0;");
    if writable {
        out.line("struct _stp_procfs_data pdata;");
        let before = format!(
            "if (count >= MAXSTRINGLEN)\n\
             \x20 count = MAXSTRINGLEN - 1;\n\
             pdata.bufsize = spp->bufsize;\n\
             if (count >= pdata.bufsize)\n\
             \x20 count = pdata.bufsize - 1;\n\
             pdata.buffer = (char *) buf;\n\
             pdata.count = count;\n\
             {ENTER_FILE}"
        );
        let entry = Entry {
            before_handler: &before,
            after_handler: "c->ips.procfs_data = NULL;\n\
                            if (c->last_error == NULL)\n\
                            \x20 retval = count;",
            ..Entry::running("spp->write_probes[0]", "stp_probe_type_procfs")
        };
        cx.entry(out, &entry);
    }
    out.line("return retval;");
    out.close("}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::testing::{derive, derive_error};

    #[test]
    fn paths_stay_below_the_directory() {
        assert_eq!(derive(&ProcfsFamily, "procfs.read").len(), 1);
        assert_eq!(derive(&ProcfsFamily, "procfs(\"a/b\").write").len(), 1);
        for (path, problem) in [
            ("/a", "procfs path cannot start with a '/'"),
            ("a/", "procfs path cannot end with a '/'"),
            ("a//b", "procfs path component cannot be empty"),
            ("a/../b", "procfs path cannot be relative (and contain '.' or '..')"),
        ] {
            assert_eq!(derive_error(&ProcfsFamily, &format!("procfs(\"{path}\").read")), problem);
        }
    }

    #[test]
    fn sizes_are_positive() {
        assert_eq!(derive_error(&ProcfsFamily, "procfs.read.maxsize(0)"), "maxsize must be greater than 0");
    }
}
