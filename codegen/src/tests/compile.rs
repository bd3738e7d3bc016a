//! Compile checks: emitted C through the host's compiler, with stand-ins for the runtime's headers, no warning allowed.

use super::{emit_with, session};
use crate::CUnit;
use crate::testing::c_compilers;
use frontend::session::{Session, Version};
use std::collections::BTreeSet;
use std::path::Path;

/// Everything that a script can say, once.
pub(super) const EVERYTHING: &str = r#"
global n = 3, s = "x", a[10], b%, st, sa, l9, sizes
function fact:long(k:long) { if (k < 2) return 1; return k * fact(k - 1) }
function pick(v) { if (v > 3) next; return v }
function pick(v) { return v * 10 }
function join:string(p:string, q:string) { p .= q; return p }
function pass(p:string) { return b[p] . p }
function guarded(v) { try { return 1 / v } catch (m) { return strlen_of(m) } }
function strlen_of:long(p:string) %{ /* unmodified-fnargs */ STAP_RETVALUE = strlen (STAP_ARG_p); %}
function bump() %{ /* pragma:read:n */ /* pragma:write:n */ STAP_GLOBAL_SET_n (STAP_GLOBAL_GET_n () + 1); %}
probe begin(-5), begin {
  n = (n < 1) < 9; n = !n == 3; n = ~(n > 1) + ~!n; n = !n & 6; n = (n && 2) == 4; n = (s == "x") == n
  n = 9223372036854775807 + 1; n = (9223372036854775807 * 3) << 63; n = -9223372036854775807 - 2 < 3 << 70
  n += fact(4) * pick(n) - (n << 2) >> 1; n = n >>> 3 ^ ~n | -n & 0xff
  s = n > 3 ? join(s, "y") : s . "z" . sprint(n); s .= s
  a[n, s] = 7 / n; a[n, s]++; --a[1, "q"]; a[2, s] %= n + 1; a[1, "b"] <<= 65
  b["k"] = s; b[s] .= "w"; b[b["k"]] = b["j"]; println(pass(s), pass(n ? "u" : s))
  st <<< n; sa[n, s] <<< 5; sa[1, "x"] <<< n++
  l9[1, "2", 3, "4", 5, "6", 7, "8", 9] = 10
  if (n && !s_is_empty() || [1, "b"] in a) delete a[1, "b"]; else if ([*, "q"] in a) delete a[*, "q"]
  foreach ([i, j-] in a limit n) { if (i == 3) continue; if (i > 9) break; printf("%d %s %d\n", i, j, a[i, j]) }
  foreach (v = [i, j] in a[*, "x"]) println(v)
  foreach ([i, j] in sa @max+) println(@count(sa[i, j]), @avg(sa[i, j]), @variance(sa[2, "x"], 3))
  foreach (h in @hist_log(st) limit 5) println(@hist_log(st)[h], h in @hist_log(st))
  print(@hist_log(st)); s = sprint(@hist_linear(sizes, 0, 100, 10)); sizes <<< 5
  for (i = 0; i < 5; i++) while (n-- > 0) { try { println(1 / n) } catch (e) { println(e); next } }
  printf("%5.2s|%-*d|%p|%c|%%|%#x|%.*m\n", s, 7, n, 100, 65, 255, 4, 0)
  print_char(n); println(guarded(n), s =~ "x[0-9]", s !~ "y", sprintf("%d-%s", n, s)); bump()
  delete a; delete n; delete s; delete st; delete sa; delete sa[1, "x"]; delete sa[*, "x"]
  println([1, "x"] in sa, [*, "x"] in sa, %{ /* pure */ 1 + 1 %}, %{ /* string */ "text" %})
}
function s_is_empty() { return s == "" }
probe timer.ms(10) { n++; if (n > 3) { st <<< n } else println(@count(st)) }
probe timer.hz(5) if (n > 3) { sa[1, "t"] <<< 1 }
probe timer.jiffies(10).randomize(2) { printf("%s", s); a[n, "t"] = 1 }
probe end, error { println(@sum(st), @min(st)) }
"#;

fn suffixes(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for marker in ["_stp_map_new_", "_stp_pmap_new_"] {
        for (at, _) in source.match_indices(marker) {
            let rest = &source[at + marker.len()..];
            found.insert(rest.chars().take_while(char::is_ascii_alphabetic).collect());
        }
    }
    found
}

/// Declarations of the functions that the runtime generates for an array type.
fn prototypes(suffix: &str) -> String {
    let (keys, value) = suffix.split_at(suffix.len() - 1);
    let keys: String = keys.chars().map(|key| if key == 's' { ", char *" } else { ", int64_t" }).collect();
    let (map, value) = match value {
        "x" => ("PMAP", "struct stat_data *"),
        "s" => ("MAP", "char *"),
        _ => ("MAP", "int64_t"),
    };
    let common = format!(
        "int64_t _stp_map_key_get_int64_{suffix} (struct map_node *, int);\n\
         char *_stp_map_key_get_str_{suffix} (struct map_node *, int);\n\
         int64_t _stp_map_get_int64_{suffix} (struct map_node *);\n\
         char *_stp_map_get_str_{suffix} (struct map_node *);\n\
         struct stat_data *_stp_map_get_stat_data_{suffix} (struct map_node *);\n\
         void _stp_map_sort_{suffix} (MAP, int, int);\n\
         void _stp_map_sortn_{suffix} (MAP, int, int, int);\n\
         {value} _stp_map_get_{suffix} (MAP{keys});\n"
    );
    let own = if map == "PMAP" {
        format!(
            "PMAP _stp_pmap_new_{suffix} (int, ...);\n\
             int _stp_pmap_add_{suffix} (PMAP{keys}, int64_t, int, int, int, int, int);\n\
             {value} _stp_pmap_get_{suffix} (PMAP{keys});\n\
             void _stp_pmap_del_{suffix} (PMAP{keys});\n\
             MAP _stp_pmap_agg_{suffix} (PMAP);\n"
        )
    } else {
        format!(
            "MAP _stp_map_new_{suffix} (int, ...);\n\
             int _stp_map_set_{suffix} (MAP{keys}, {value});\n\
             int _stp_map_exists_{suffix} (MAP{keys});\n\
             void _stp_map_del_{suffix} (MAP{keys});\n"
        )
    };
    common + &own
}

/// Fields of the context and the functions that need it.
fn context(per_nesting: bool) -> [(&'static str, String); 3] {
    let last_stmt = if per_nesting { "const char *last_stmt[MAXNESTING+1]" } else { "const char *last_stmt" };
    let fields = format!(
        "const char *probe_point; int probe_type; unsigned user_mode_p, full_uregs_p; long actionremaining;\n\
         int nesting, next, aborted, locked; string_t error_buffer; const char *last_error; {last_stmt};\n\
         struct pt_regs *kregs, *uregs, *sregs; struct {{ int x; }} ips; cycles_t cycles_base, cycles_sum;\n"
    );
    let runtime_context = "struct context *_stp_runtime_entryfn_get_context (void);\n\
         void _stp_runtime_entryfn_put_context (struct context *); int _stp_runtime_contexts_alloc (void);\n\
         void _stp_runtime_contexts_free (void); void _stp_runtime_context_wait (void);\n\
         void _stp_softerror_handler (struct context *);\n";
    let state = "#define global(name) (stp_global.name)\n#define global_set(name, val) (stp_global.name = (val))\n\
         #define global_lock(name) (&(stp_global.name ## _lock))\n#define global_lock_init(name) ((void) global_lock(name))\n";
    [
        ("common_probe_context.h", fields),
        ("runtime_context.h", runtime_context.to_owned()),
        ("common_session_state.h", state.to_owned()),
    ]
}

/// Headers that emitted C may include and of which the checks need nothing.
const EMPTY: [&str; 14] = [
    "linux/perf_read.h",
    "linux/mutex.h",
    "linux/workqueue.h",
    "linux/version.h",
    "runtime.h",
    "map-gen.c",
    "map.c",
    "timer.h",
    "timer.c",
    "namespaces.h",
    "sym2.c",
    "stack.c",
    "probe_lock.h",
    "time.c",
];

/// Whether the stand-ins have all that a unit includes; those of some mechanisms they have not.
pub(super) fn has_stand_ins(unit: &CUnit) -> bool {
    // The last one stands behind a condition that is not met.
    const WITH_TEXT: [&str; 7] = [
        "runtime_defines.h",
        "common_probe_context.h",
        "runtime_context.h",
        "common_session_state.h",
        "alloc.c",
        "stap_common.h",
        "linux/stp_tracepoint.c",
    ];
    let mut quoted =
        unit.source.lines().filter_map(|line| line.strip_prefix("#include \"")?.strip_suffix('"'));
    quoted.all(|name| EMPTY.contains(&name) || WITH_TEXT.contains(&name))
}

/// Compiles a unit; any warning fails.
pub(super) fn compile(compiler: &cc::Tool, unit: &CUnit, per_nesting: bool) {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("runtime_defines.h", include_str!("stub_runtime.h"));
    for (name, text) in context(per_nesting) {
        write(name, &text);
    }
    let maps: String = suffixes(&unit.source).iter().map(|suffix| prototypes(suffix)).collect();
    write("alloc.c", &maps);
    for empty in EMPTY {
        write(empty, "");
    }
    write("stap_common.h", &unit.common_header);
    // The runtime itself uses the globals, though not in its stand-ins.
    let source =
        format!("{}\nvoid *globals (void);\nvoid *globals (void) {{ return &stp_global; }}\n", unit.source);
    write("main.c", &source);
    let output = compiler
        .to_command()
        .args(["-std=gnu11", "-c", "-O2", "-Wall", "-Wextra", "-Wdeclaration-after-statement", "-Werror"])
        .args([
            "-Wno-unused-parameter",
            "-Wno-unused-function",
            "-Wno-sign-compare",
            "-Wno-missing-field-initializers",
        ])
        .args(["-Wno-unused-but-set-variable", "-Wno-type-limits", "-I."])
        .arg("main.c")
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{text}", compiler.path().display());
}

fn check_level(level: &str, options: Session, script: &str) {
    let session = Session { version: Version(level.into()), compatible: Version(level.into()), ..options };
    let unit = emit_with(&session, script).unwrap();
    for compiler in c_compilers() {
        compile(&compiler, &unit, level == "5.6");
    }
}

#[test]
fn everything_compiles_for_the_three_levels() {
    for level in ["4.8", "5.1", "5.6"] {
        check_level(level, session(), EVERYTHING);
    }
}

#[test]
fn everything_compiles_with_options() {
    check_level("5.6", Session { suppress_handler_errors: true, unoptimized: true, ..session() }, EVERYTHING);
    check_level("5.1", Session { suppress_handler_errors: true, bulk: true, ..session() }, EVERYTHING);
}

#[test]
fn handlers_that_never_run_compile() {
    for level in ["4.8", "5.1", "5.6"] {
        check_level(level, session(), "probe never { println(1) }");
    }
}
