//! Pass 1: the library is looked up, the user's scripts are parsed.

use super::Stop;
use super::cache::Cache;
use super::clock::{Stopwatch, count, memory};
use crate::session::{ScriptSource, Settings};
use crate::terminal::Terminal;
use crate::world::OsWorld;
use frontend::resolve::library::Library;
use frontend::resolve::listing;
use frontend::session::{Mode, Session};
use frontend::source::{FileKind, SourceFile, SourceMap};
use frontend::syntax::ast::Script;
use frontend::syntax::{self, LibraryMacros};
use frontend::tree::print::Form;
use frontend::world::World as _;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tapset_loader::Tapset;

/// What pass 1 gives.
pub struct Parsed<'a> {
    /// The script, then those of `-E`.
    pub scripts: Vec<Arc<Script>>,
    /// The tapset.
    pub library: Tapset<'a>,
    /// All files.
    pub sources: SourceMap,
    /// Script arguments that the user's files use, from 1.
    pub used_arguments: BTreeSet<usize>,
}

/// The tapset's index as it lies in the cache, which the library looks into as long as it lives.
pub type IndexBytes = OnceCell<Option<memmap2::Mmap>>;

/// A text of the user's.
struct UserText {
    name: String,
    kind: FileKind,
    bytes: Vec<u8>,
}

/// Runs the pass and prints what it prints. `None` if the run ends here as it should.
///
/// # Errors
/// [`Stop::Failed`] after the messages were printed.
pub fn parse<'a>(
    settings: &Settings,
    session: &'a Session,
    index: &'a IndexBytes,
    terminal: &mut Terminal,
) -> Result<Option<Parsed<'a>>, Stop> {
    let watch = Stopwatch::start();
    let verbosity = session.verbosity[0];
    let mut failed = false;
    let mut sources = SourceMap::new();
    let cache = settings.paths.cache.as_deref().map(Cache::new);
    let name = tapset_loader::index::name(session);
    let index = index.get_or_init(|| cache.as_ref().and_then(|cache| cache.index(&name)));
    let loaded =
        tapset_loader::load(session, &OsWorld, &mut sources, script_identity(settings), index.as_deref());
    if let (Some(cache), Some(index)) = (&cache, &loaded.index) {
        // A cache that cannot be written costs the next run some time.
        let _ = cache.put_index(&name, index);
    }
    for note in &loaded.notes {
        terminal.line(note);
    }
    for error in &loaded.usage_errors {
        terminal.line(error);
        failed = true;
    }
    failed |= loaded.failed;
    let library = loaded.tapset;
    let warnings = library.take_diagnostics();
    terminal.diagnostics(&sources, warnings);
    let mut used_arguments = BTreeSet::new();
    let mut scripts = Vec::new();
    match user_texts(settings) {
        Ok(texts) => {
            for text in texts {
                let source = SourceFile::new(text.name, text.kind, &text.bytes);
                match parse_one(
                    session,
                    source,
                    library.macros(),
                    &mut sources,
                    &mut used_arguments,
                    terminal,
                ) {
                    Some(script) => scripts.push(Arc::new(script)),
                    None => failed = true,
                }
            }
        }
        Err(message) => {
            terminal.line(&message);
            failed = true;
        }
    }
    failed |= terminal.renderer.errors() > 0;
    if session.mode == Mode::DumpProbeAliases {
        terminal.out(listing::dump_probe_aliases(&library, verbosity > 0).as_bytes());
    } else if !failed && session.last_pass == 1 {
        terminal.out(dump(session, &scripts, &library, &sources).as_bytes());
        let warnings = library.take_diagnostics();
        terminal.diagnostics(&sources, warnings);
    }
    if verbosity > 0 {
        terminal.line(&format!(
            "Pass 1: parsed user script and {} {}{}",
            count(library.script_count(), "library script"),
            memory(),
            watch.text()
        ));
    }
    if failed {
        if !session.mode.is_dump() {
            terminal.line("Pass 1: parse failed.  [man error::pass1]");
        }
        return Err(Stop::Failed);
    }
    let parsed = Parsed { scripts, library, sources, used_arguments };
    Ok(if session.last_pass == 1 || session.mode == Mode::DumpProbeAliases { None } else { Some(parsed) })
}

/// Parses a file of the user's. `None` if there were errors; they are printed, and their number.
fn parse_one(
    session: &Session,
    source: SourceFile,
    macros: &LibraryMacros,
    sources: &mut SourceMap,
    used_arguments: &mut BTreeSet<usize>,
    terminal: &mut Terminal,
) -> Option<Script> {
    let id = sources.add(source);
    let source = sources.file(id).clone();
    let parse = syntax::parse(session, id, &source, macros);
    let errors = parse.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    terminal.diagnostics(sources, parse.diagnostics);
    used_arguments.extend(parse.used_arguments);
    if parse.empty {
        let how = if parse.saw_tokens { " after preprocessing" } else { "" };
        terminal.line(&format!("Input file '{}' is empty{how}.", source.name));
        return None;
    }
    if errors > 0 {
        terminal.line(&format!("{}.", count(errors, "parse error")));
        return None;
    }
    Some(parse.script)
}

/// The user's texts, in the order in which they are parsed.
fn user_texts(settings: &Settings) -> Result<Vec<UserText>, String> {
    let user = |name: &str, bytes: Vec<u8>| UserText { name: name.to_owned(), kind: FileKind::User, bytes };
    let mut texts = Vec::new();
    match &settings.script {
        ScriptSource::Text(text) => texts.push(user("<input>", text.clone())),
        ScriptSource::Pattern(pattern) => {
            texts.push(user("<input>", format!("probe {pattern} {{}}").into_bytes()));
        }
        ScriptSource::Stdin => {
            let mut text = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut text);
            read.map_err(|error| format!("Input file '<input>' can't be opened for reading: {error}."))?;
            texts.push(user("<input>", text));
        }
        ScriptSource::File(path) => {
            let path = if settings.low.example { example(settings, path)? } else { path.clone() };
            texts.push(user(&path.to_string_lossy(), read_script(&path)?));
        }
        ScriptSource::None => {}
    }
    for (index, text) in settings.low.extra_scripts.iter().enumerate() {
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(text.as_os_str()).to_vec();
        texts.push(UserText { name: format!("<input{}>", index + 1), kind: FileKind::Extra, bytes });
    }
    Ok(texts)
}

/// Device and inode of the script: run by itself a tapset file would define everything twice.
fn script_identity(settings: &Settings) -> Option<(u64, u64)> {
    match &settings.script {
        ScriptSource::File(path) => Some(OsWorld.stat(path)?.identity),
        _ => None,
    }
}

fn read_script(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let Some(stat) = OsWorld.stat(path) else {
        return Err(format!("Input file '{name}' is missing."));
    };
    let unreadable = || format!("Input file '{name}' can't be opened for reading.");
    if stat.is_dir {
        // What upstream's reading of a directory comes to.
        return Ok(Vec::new());
    }
    OsWorld.read(path).map(|bytes| bytes.to_vec()).map_err(|_| unreadable())
}

/// `--example`: the script of that name anywhere below the examples of the installation.
fn example(settings: &Settings, name: &Path) -> Result<PathBuf, String> {
    let root = settings.paths.package_data.join("examples");
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in OsWorld.list(&directory).unwrap_or_default() {
            let path = directory.join(&entry);
            match OsWorld.stat(&path) {
                Some(stat) if stat.is_dir => open.push(path),
                Some(_) if Path::new(&entry) == name && entry.ends_with(".stp") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    match found.as_slice() {
        [] => Err(format!("Example '{}' was not found under '{}'", name.display(), root.display())),
        [one] => Ok(one.clone()),
        many => {
            let list: Vec<String> = many.iter().map(|path| format!("  {}", path.display())).collect();
            Err(format!("Multiple examples found: \n{}", list.join("\n")))
        }
    }
}

/// `-p1` (main.cxx): the user's files, then with `-v` those of the library.
fn dump(session: &Session, scripts: &[Arc<Script>], library: &Tapset<'_>, sources: &SourceMap) -> String {
    let form = if session.version.before(5, 6) { Form::UpstreamBinaryConcat } else { Form::Upstream };
    let file = |script: &Script| syntax::dump::file(&sources.file(script.file).name, script, form);
    let mut text = String::from("# parse tree dump\n");
    text.extend(scripts.iter().map(|script| file(script)));
    text.push('\n');
    if session.verbosity[0] > 0 {
        for name in library.macro_files() {
            text.push_str(&format!("# file {name}\n\n"));
        }
        for id in library.files() {
            text.push_str(&file(&library.script(id)));
            text.push('\n');
        }
    }
    text
}
