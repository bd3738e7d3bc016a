//! Scripts with a few tokens changed, through passes 1 to 3: whatever a script says, no pass panics, and what the front
//! half accepts has a plan that holds, and C without warnings, or a diagnostic.
//!
//! A test run tries some hundreds. For a long search name how many with `RSTAP_MUTATIONS`, and folders of scripts and
//! of a tapset with `RSTAP_MUTATIONS_SCRIPTS` and `RSTAP_MUTATIONS_TAPSET`; `RSTAP_MUTATIONS_SEED` starts elsewhere.

use super::TAPSET;
use super::compile::{EVERYTHING, compile, has_stand_ins};
use crate::testing::{c_compilers, profile};
use crate::{emit, families, plan};
use frontend::session::Session;
use frontend::source::{FileId, FileKind, SourceFile};
use frontend::syntax::tokens;
use frontend::testing::parse_texts;
use frontend::world::MemoryWorld;
use std::env;
use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Stack for deep trees, as the program itself has.
const STACK: usize = 512 << 20;

/// Steele, Lea and Flood's generator, small and the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// A script cut at its tokens; each piece has the white space and comments behind it.
fn pieces(text: &str) -> Vec<String> {
    let source = SourceFile::new("<input>", FileKind::User, text.as_bytes());
    let session = Session { arguments: vec!["1".into(); 9], ..Session::for_tests() };
    let mut cuts: Vec<usize> =
        tokens(&session, FileId(0), &source).iter().map(|token| token.pos.offset as usize).collect();
    cuts.push(text.len());
    cuts.dedup();
    cuts.windows(2).filter_map(|pair| text.get(pair[0]..pair[1]).map(str::to_owned)).collect()
}

/// What may stand where the other does, roughly.
fn class(piece: &str) -> u8 {
    match piece.as_bytes().first() {
        Some(b'0'..=b'9') => b'0',
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => b'a',
        Some(b'@' | b'$') => b'@',
        Some(b'"') => b'"',
        Some(b'(' | b')' | b'[' | b']' | b'{' | b'}') => b'(',
        _ => b'+',
    }
}

const AWKWARD: &[&str] = &[
    "0 ",
    "-1 ",
    "9223372036854775807 ",
    "0x8000000000000000 ",
    "\"\" ",
    "\"%d\" ",
    "@count(",
    "@hist_log(s)",
    "in ",
    "next ",
    "return ",
    "delete ",
    "<<< ",
    ".= ",
    "=~ ",
    "%{ 1 %} ",
    "$x ",
    "@defined($y) ",
    "@entry(1) ",
    "? ",
    ": ",
    "foreach (q in a) ",
    "if (0) ",
    "try { } catch ",
    "[*, 1] ",
    "++ ",
    "-- ",
    "! ",
    "global z ",
    "* ",
    "; ",
    ", ",
];

/// A script with one to three changes.
fn mutated(dice: &mut Dice, corpus: &[Vec<String>]) -> String {
    let mut script = dice.pick(corpus).cloned().unwrap_or_default();
    for _ in 0..=dice.below(3) {
        let at = dice.below(script.len());
        let Some(here) = script.get(at).cloned() else { break };
        let same_class: Vec<String> =
            script.iter().filter(|piece| class(piece) == class(&here)).cloned().collect();
        match dice.below(14) {
            0..=7 => script[at] = dice.pick(&same_class).cloned().unwrap_or_default(),
            8 => script[at] = dice.pick(AWKWARD).map(|text| (*text).to_owned()).unwrap_or_default(),
            9 => script.insert(at, dice.pick(AWKWARD).map(|text| (*text).to_owned()).unwrap_or_default()),
            10 => drop(script.remove(at)),
            11 => script.insert(at, here),
            12 => {
                let other = dice.pick(corpus).cloned().unwrap_or_default();
                let range = range(dice, other.len());
                let inserted = other[range].to_vec();
                script.splice(at..at, inserted);
            }
            _ => {
                let range = range(dice, script.len());
                script.drain(range);
            }
        }
    }
    script.concat()
}

fn range(dice: &mut Dice, of: usize) -> Range<usize> {
    let start = dice.below(of);
    start..of.min(start + dice.below(12))
}

/// How far a script came: the number of the last pass that it went through, 4 if the C went through the compiler,
/// which it does if there is one and the stand-ins have all that it needs.
fn passes(script: &str, tapset: &[(&str, &str)], options: Session, compiler: Option<&cc::Tool>) -> u8 {
    let session = Session { arguments: vec!["7".into(), "some \"text\"".into()], ..options };
    let texts = parse_texts(&session, &[("<input>", script)], tapset);
    if texts.diagnostics.has_errors() {
        return 0;
    }
    let analysed = texts.analyse(&session, &MemoryWorld::new(), &families::front());
    if analysed.diagnostics.has_errors() {
        return 1;
    }
    match plan(&session, &analysed.sources, &analysed.program, &analysed.types, &profile(5, 6)) {
        Ok(plan) => {
            let unit = emit(&session, &plan);
            // What somebody's own C says is not ours to judge.
            if let Some(compiler) = compiler.filter(|_| !script.contains("%{") && has_stand_ins(&unit)) {
                compile(compiler, &unit, true);
                return 4;
            }
            3
        }
        Err(said) => {
            assert!(said.has_errors(), "refused without a word");
            2
        }
    }
}

/// Files below a folder whose names end so, in order.
fn files(dir: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => open.push(path),
                false if endings.iter().any(|end| path.to_string_lossy().ends_with(end)) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

fn search() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases");
    let scripts = env::var_os("RSTAP_MUTATIONS_SCRIPTS").map_or(cases, PathBuf::from);
    let mut corpus = vec![pieces(EVERYTHING)];
    corpus.extend(files(&scripts, &[".stp"]).iter().map(|path| pieces(&read(path))));
    assert!(corpus.len() > 20, "no scripts in {}", scripts.display());
    let library: Vec<(String, String)> = match env::var_os("RSTAP_MUTATIONS_TAPSET") {
        Some(dir) => files(Path::new(&dir), &[".stp", ".stpm"])
            .iter()
            .map(|path| (path.display().to_string(), read(path)))
            .filter(|(name, _)| !name.contains("linux/") || name.contains("linux/x86_64"))
            .collect(),
        None => vec![("tapset.stp".into(), TAPSET.into())],
    };
    let tapset: Vec<(&str, &str)> = library.iter().map(|(name, text)| (&**name, &**text)).collect();
    let mut dice = Dice(number("RSTAP_MUTATIONS_SEED", 20));
    let compilers = c_compilers();
    let mut reached = [0; 5];
    // The compiler takes most of the time.
    let most_compiled = if env::var_os("RSTAP_MUTATIONS").is_some() { i32::MAX } else { 10 };
    for _ in 0..number("RSTAP_MUTATIONS", 300) {
        let script = mutated(&mut dice, &corpus);
        let guru = dice.below(2) == 0;
        let unoptimized = dice.below(4) == 0;
        let options = Session { guru, unoptimized, ..Session::for_tests() };
        let compiler = compilers.first().filter(|_| reached[4] < most_compiled);
        match catch_unwind(AssertUnwindSafe(|| passes(&script, &tapset, options, compiler))) {
            Ok(pass) => reached[usize::from(pass)] += 1,
            Err(_) => {
                panic!(
                    "this script (guru: {guru}, unoptimized: {unoptimized}) makes a pass panic, or C that does not compile:\n{script}"
                )
            }
        }
    }
    eprintln!("refused in pass 1, 2, 3, translated, and compiled: {reached:?}");
    let farthest = if compilers.is_empty() { 3 } else { 4 };
    assert!(reached.iter().sum::<i32>() < 100 || (reached[1] > 0 && reached[farthest] > 0), "{reached:?}");
}

#[test]
fn changed_scripts_make_no_pass_panic() {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(search).unwrap();
    thread.join().unwrap();
}
