//! Keys and file names of the cache: what a cached result depends on, and nothing else.

use crate::files::{Files, Stat};
use crate::kbuild::ModuleBuild;
use crate::kernel::KernelTree;
use crate::repairs::Remedies;
use crate::text::RuntimeText;

/// Changed whenever this crate decides something differently for the same inputs.
pub const SHIM_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-1");

/// A key under construction: labelled inputs in a fixed order.
///
/// The log of inputs is kept, so that a cache entry can be accompanied by a file that says why it is what it is.
#[derive(Debug, Clone, Default)]
pub struct KeyBuilder {
    hasher: blake3::Hasher,
    log: String,
}

/// A finished key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// 40 hexadecimal digits.
    pub digest: String,
    /// One line for each input: label, and value or (for long ones) its digest.
    pub log: String,
}

impl KeyBuilder {
    /// Adds one input. Labels and lengths go in too, so that no two lists of inputs run together.
    pub fn add(&mut self, label: &str, value: &str) -> &mut Self {
        self.hasher.update(&(label.len() as u64).to_le_bytes());
        self.hasher.update(label.as_bytes());
        self.hasher.update(&(value.len() as u64).to_le_bytes());
        self.hasher.update(value.as_bytes());
        let shown = if value.len() > 200 || value.contains('\n') {
            format!("{} bytes, {}", value.len(), short(&blake3::hash(value.as_bytes())))
        } else {
            value.to_owned()
        };
        self.log.push_str(&format!("{label}: {shown}\n"));
        self
    }

    /// Adds the state of a file by path, size and time; an absent file is an input too.
    pub fn add_stat(&mut self, label: &str, path: &str, stat: Option<Stat>) -> &mut Self {
        let state = stat.map_or_else(|| "absent".to_owned(), |s| format!("{} {}", s.size, s.mtime_ns));
        self.add(label, &format!("{path} {state}"))
    }

    /// The key.
    pub fn finish(&self) -> Key {
        Key { digest: short(&self.hasher.finalize()), log: self.log.clone() }
    }
}

/// 160 bits are plenty against accidents and leave room in a module's name.
fn short(hash: &blake3::Hash) -> String {
    hash.to_hex().chars().take(40).collect()
}

/// The key of a kernel's STAPCONF answers.
///
/// Upstream's key (hash.cxx:get_base_hash) lacks `Module.symvers`, which decides the export tests, and takes the
/// `gcc` in `PATH` where the tree may name another compiler; here both are right. `compiler` is the compiler program
/// as the driver found it in `PATH` by [`crate::kernel::Compiler::program`]: path and state.
pub fn stapconf_key(
    files: &dyn Files,
    kernel: &KernelTree,
    rt: &RuntimeText,
    compiler: (&str, Option<Stat>),
    make_words: &[String],
) -> Key {
    let mut key = KeyBuilder::default();
    key.add("kind", "stapconf").add("shim", SHIM_VERSION);
    key.add("release", &kernel.release).add("arch", &kernel.arch);
    for name in [".config", "Module.symvers", "Makefile", "include/generated/autoconf.h", ".version"] {
        let path = kernel.build.join(name);
        key.add_stat("kernel file", &path.display().to_string(), files.stat(&path));
    }
    if let Some(source) = &kernel.source {
        key.add_stat("kernel source", &source.display().to_string(), files.stat(&source.join("Makefile")));
    }
    key.add("compiler named", &kernel.compiler().text);
    key.add_stat("compiler", compiler.0, compiler.1);
    key.add("runtime", &rt.dir().display().to_string()).add("runtime text", &rt.digest());
    for word in make_words {
        key.add("make word", word);
    }
    key.finish()
}

/// The key of a built module: everything that reaches the compiler, but neither the module's name nor the directory.
///
/// `conf` is the [`stapconf_key`], which stands for kernel, compiler and runtime. The texts of `build` must not
/// contain the module's name or anything else that differs from run to run.
pub fn module_key(conf: &Key, build: &ModuleBuild, remedies: &Remedies) -> Key {
    let mut key = KeyBuilder::default();
    key.add("kind", "module").add("shim", SHIM_VERSION).add("stapconf", &conf.digest);
    key.add("shim header", &remedies.header);
    for fix in &remedies.corrections {
        key.add("correction", &format!("{}={}", fix.name, u8::from(fix.value)));
    }
    for word in &remedies.compiler_flags {
        key.add("shim flag", word);
    }
    for (name, text) in &remedies.include_files {
        key.add(name, text);
    }
    for line in &remedies.make_lines {
        key.add("make line", line);
    }
    for (name, text) in &remedies.overlay {
        key.add(name, text);
    }
    for (at, (_, text)) in build.units.iter().enumerate() {
        key.add(&format!("unit {at}"), text);
    }
    for (name, text) in &build.headers {
        key.add(name, text);
    }
    for name in &build.macros {
        key.add("macro", name);
    }
    for word in &build.make_words {
        key.add("make word", word);
    }
    for (label, on) in [("guru", build.guru), ("debug", build.debug_info), ("strict", build.strict)] {
        key.add(label, if on { "1" } else { "0" });
    }
    key.finish()
}

impl Key {
    /// Sub-directory of the cache: two digits, so that no directory grows large.
    pub fn dir(&self) -> &str {
        self.digest.get(..2).unwrap_or_default()
    }

    /// Name of a module with this key: 46 characters, at most [`crate::kbuild::MODULE_NAME_MAX`]. `staprun -R` may
    /// rename it. The prefix is our own, so that stap's cache and ours never mix.
    pub fn module_name(&self) -> String {
        format!("rstap_{}", self.digest)
    }

    /// Name of the STAPCONF header with this key.
    pub fn stapconf_file(&self) -> String {
        format!("rstapconf_{}.h", self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kbuild::MODULE_NAME_MAX;
    use crate::kernel::KernelLocation;
    use crate::kernel::tests::{location, tree};
    use crate::profile::tests::runtime;

    fn key(symvers: &str, compiler_size: u64) -> Key {
        let files = tree("6.1.0", 393_472, symvers, &[]);
        let kernel = KernelTree::read(&files, &KernelLocation { ..location() }).unwrap();
        let stat = Some(Stat { size: compiler_size, mtime_ns: 1 });
        stapconf_key(&files, &kernel, &runtime("4.8"), ("/usr/bin/gcc-12", stat), &[])
    }

    #[test]
    fn each_input_counts() {
        assert_eq!(key("", 1), key("", 1));
        assert_ne!(key("", 1).digest, key("", 2).digest);
        assert_ne!(key("", 1).digest, key("0x1\ta\tvmlinux\tEXPORT_SYMBOL\t\n", 1).digest);
    }

    #[test]
    fn names_fit() {
        let key = key("", 1);
        assert!(key.module_name().len() <= MODULE_NAME_MAX);
        assert_eq!(key.dir().len(), 2);
        assert!(key.log.starts_with("kind: stapconf\nshim: "), "{}", key.log);
    }

    #[test]
    fn neither_name_nor_directory_reach_a_modules_key() {
        let conf = key("", 1);
        let build = |name: &str, text: &str| ModuleBuild {
            name: name.to_owned(),
            dir: format!("/tmp/{name}").into(),
            units: vec![(format!("{name}_src.c"), text.to_owned())],
            ..ModuleBuild::default()
        };
        let of = |build: &ModuleBuild| module_key(&conf, build, &Remedies::default());
        assert_eq!(of(&build("a", "int x;")), of(&build("b", "int x;")));
        assert_ne!(of(&build("a", "int x;")).digest, of(&build("a", "int y;")).digest);
        let guru = ModuleBuild { guru: true, ..build("a", "int x;") };
        assert_ne!(of(&build("a", "int x;")).digest, of(&guru).digest);
    }

    #[test]
    fn inputs_do_not_run_together() {
        let digest = |pairs: &[(&str, &str)]| {
            let mut key = KeyBuilder::default();
            pairs.iter().for_each(|(label, value)| {
                key.add(label, value);
            });
            key.finish().digest
        };
        assert_ne!(digest(&[("a", "bc")]), digest(&[("ab", "c")]));
        assert_ne!(digest(&[("a", "b"), ("a", "c")]), digest(&[("a", "b\na: c")]));
    }
}
