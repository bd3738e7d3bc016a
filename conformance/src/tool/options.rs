//! As much of stap's command line as the lab must understand to split a run into its passes.
//!
//! The grammar is getopt's with the short options of upstream's `cmdline.h`; which words go to staprun, and in what
//! order, is upstream's `buildrun.cxx:make_kernel_run_command`.

/// Short options that take a value.
const SHORT_WITH_VALUE: &str = "pIeEoRramcxDBslLdSJGT";

/// Long options that take their value as the next word when it is not attached.
const LONG_WITH_VALUE: &[&str] =
    &["vp", "runtime", "sysroot", "sysenv", "remote", "tmpdir", "modinfo", "build-as"];

/// Long options that end the run before pass 5.
const LONG_NO_RUN: &[&str] = &[
    "help",
    "version",
    "dump-probe-types",
    "dump-probe-aliases",
    "dump-functions",
    "clean-cache",
    "language-server",
    "list-repairs",
    "print-runtime-profile",
    "interactive",
];

/// What the lab wants to know of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StapOptions {
    /// The last pass, 5 unless `-p` says otherwise.
    pub last_pass: u32,
    /// How often `-v` was given.
    pub verbose: usize,
    /// The name after `-m`.
    pub module: Option<String>,
    /// Whether an option such as `-l` or `--version` means that nothing is run.
    pub no_run: bool,
    /// staprun's options in the order of upstream.
    staprun: StaprunOptions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct StaprunOptions {
    quiet: bool,
    output: Option<String>,
    command: Option<String>,
    target: Option<String>,
    buffer: Option<String>,
    flight: bool,
    sizes: Option<String>,
    color: Option<String>,
    globals: Vec<String>,
}

impl StapOptions {
    /// Reads a command line (without the program's name). Wrong words are left for the translator to refuse.
    pub fn scan(words: &[String]) -> StapOptions {
        let staprun = StaprunOptions::default();
        let mut options = StapOptions { last_pass: 5, verbose: 0, module: None, no_run: false, staprun };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            } else if let Some(long) = word.strip_prefix("--") {
                options.take_long(long);
                if LONG_WITH_VALUE.contains(&long) {
                    words.next();
                }
            } else if let Some(cluster) = word.strip_prefix('-') {
                options.take_cluster(cluster, &mut words);
            }
        }
        options
    }

    fn take_long(&mut self, long: &str) {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        self.no_run |= LONG_NO_RUN.contains(&name);
        if matches!(name, "color" | "colour") {
            self.staprun.color = Some(value.unwrap_or("always").to_owned()).filter(|when| when != "auto");
        }
    }

    fn take_cluster<'w>(&mut self, cluster: &'w str, rest: &mut impl Iterator<Item = &'w str>) {
        for (at, letter) in cluster.char_indices() {
            if SHORT_WITH_VALUE.contains(letter) {
                let attached = &cluster[at + letter.len_utf8()..];
                let value = if attached.is_empty() { rest.next().unwrap_or_default() } else { attached };
                self.take_value(letter, value);
                return;
            }
            match letter {
                'v' => self.verbose += 1,
                'w' => self.staprun.quiet = true,
                'F' => self.staprun.flight = true,
                'V' | 'h' | 'i' => self.no_run = true,
                _ => {}
            }
        }
    }

    fn take_value(&mut self, letter: char, value: &str) {
        let value = value.to_owned();
        match letter {
            // A wrong number is the translator's to refuse: it gets the word too.
            'p' => self.last_pass = value.parse().unwrap_or(0),
            'm' => self.module = Some(value.strip_suffix(".ko").map_or(value.clone(), str::to_owned)),
            'l' | 'L' => self.no_run = true,
            'o' => self.staprun.output = Some(value),
            'c' => self.staprun.command = Some(value),
            'x' => self.staprun.target = Some(value),
            's' => self.staprun.buffer = Some(value),
            'S' => self.staprun.sizes = Some(value),
            'G' => self.staprun.globals.push(value),
            _ => {}
        }
    }

    /// Whether the user wants a script to be run.
    pub fn runs_script(&self) -> bool {
        self.last_pass == 5 && !self.no_run
    }

    /// staprun's words for a module at `path`. The lab names modules itself, so `-R` (rename) never occurs.
    pub fn staprun_words(&self, path: &str) -> Vec<String> {
        let mut words = vec!["staprun".to_owned()];
        let own = &self.staprun;
        words.extend(std::iter::repeat_n("-v".to_owned(), self.verbose.saturating_sub(1)));
        words.extend(own.quiet.then(|| "-w".to_owned()));
        let with_value =
            [("-o", &own.output), ("-c", &own.command), ("-t", &own.target), ("-b", &own.buffer)];
        for (letter, value) in with_value {
            words.extend(value.iter().flat_map(|value| [letter.to_owned(), value.clone()]));
        }
        if own.flight {
            words.push(if own.output.is_some() { "-D".into() } else { "-L".into() });
        }
        for (letter, value) in [("-S", &own.sizes), ("-C", &own.color)] {
            words.extend(value.iter().flat_map(|value| [letter.to_owned(), value.clone()]));
        }
        words.push(path.to_owned());
        words.extend(own.globals.iter().cloned());
        words
    }
}

/// The same command line, stopping after pass 4: the option goes to the end (the last `-p` wins), but before a `--`.
pub fn with_last_pass_4(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.insert(end, "-p4".into());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(line: &str) -> StapOptions {
        StapOptions::scan(&crate::case::split_words(line).unwrap())
    }

    #[test]
    fn passes_and_verbosity_are_found_in_clusters() {
        assert_eq!(scan("-vvp4 x.stp").last_pass, 4);
        assert_eq!(scan("-vvp4 x.stp").verbose, 2);
        assert_eq!(scan("-p 2 -v").last_pass, 2);
        assert_eq!(scan("x.stp -k -p3").last_pass, 3);
        assert!(scan("-v -e 'probe begin {}'").runs_script());
    }

    #[test]
    fn values_are_not_taken_for_options() {
        assert!(scan("-e -p4").runs_script());
        assert!(scan("-I -l x.stp").runs_script());
        assert!(scan("x.stp -- -p4").runs_script());
        assert!(scan("--runtime -V x.stp").runs_script());
    }

    #[test]
    fn listing_and_help_run_nothing() {
        for line in ["-l 'timer.*'", "--version", "-V", "--dump-functions", "-vL x", "-h"] {
            assert!(!scan(line).runs_script(), "{line}");
        }
    }

    #[test]
    fn staprun_gets_its_words_in_upstreams_order() {
        let options = scan("-Ga=1 -vvw -x 7 -o out -c 'ls -l' -s4 -S 1,2 -F --color x.stp");
        let words = options.staprun_words("/m.ko");
        let expected = "staprun -v -w -o out -c 'ls -l' -t 7 -b 4 -D -S 1,2 -C always /m.ko a=1";
        assert_eq!(words, crate::case::split_words(expected).unwrap());
    }

    #[test]
    fn the_last_pass_goes_before_script_words_that_are_protected() {
        let words = ["x.stp", "--", "-v"].map(str::to_owned);
        assert_eq!(with_last_pass_4(&words), ["x.stp", "-p4", "--", "-v"]);
    }
}
