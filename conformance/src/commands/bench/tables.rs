//! What is measured: each function makes the tasks of one table.

use std::fmt::Write as _;

use conformance::tool::Tool;

use super::measure::Cost;

/// Something that both tools do.
pub struct Task {
    /// Its name in the table.
    pub name: String,
    /// The words for both tools; `{}` is the path of the file.
    pub words: Vec<String>,
    /// Words for rstap only.
    pub rstap_words: Vec<String>,
    /// A file that it reads: name and text.
    pub file: Option<(String, String)>,
    /// What rstap should keep to.
    pub goal: Goal,
}

/// Limits for rstap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Goal {
    /// Milliseconds.
    pub milliseconds: Option<f64>,
    /// MiB.
    pub mebibytes: Option<f64>,
    /// As fast as stap at least.
    pub as_stap: bool,
}

impl Task {
    /// The command line for a tool; files are in `folder`.
    pub fn words(&self, tool: &Tool, folder: &str) -> Vec<String> {
        let file = self.file.as_ref().map_or_else(String::new, |(name, _)| format!("{folder}/{name}"));
        let own = if matches!(tool, Tool::Rstap { .. }) { &self.rstap_words[..] } else { &[] };
        own.iter()
            .chain(&self.words)
            .map(|word| if word == "{}" { file.clone() } else { word.clone() })
            .collect()
    }

    /// What the goal is and whether `rstap` met it.
    pub fn verdict(&self, rstap: Cost, stap: Option<Cost>) -> String {
        let stap_ms = stap.filter(|_| self.goal.as_stap).map(|cost| cost.milliseconds);
        let limits = [
            (self.goal.milliseconds, rstap.milliseconds, "ms"),
            (self.goal.mebibytes, rstap.mebibytes, "MiB"),
            (stap_ms, rstap.milliseconds, "ms (stap's)"),
        ];
        let mut text = String::new();
        for (limit, value, unit) in
            limits.into_iter().filter_map(|(limit, value, unit)| Some((limit?, value, unit)))
        {
            let separator = if text.is_empty() { "" } else { ", " };
            let outcome = if value <= limit { "met" } else { "missed" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{limit:.0} {unit}: {outcome}");
        }
        text
    }
}

/// The script that everything is measured with.
const HELLO: &str = "probe oneshot { println(\"Hello World\") }";

fn hello(name: &str, words: &[&str], rstap_words: &[&str], goal: Goal) -> Task {
    let words = words.iter().chain(&["-e", HELLO]).map(|word| (*word).to_owned()).collect();
    let rstap_words = rstap_words.iter().map(|word| (*word).to_owned()).collect();
    Task { name: name.to_owned(), words, rstap_words, file: None, goal }
}

/// Pass 1 (and what pass 2 adds) of the shortest script, and pass 1 of long ones.
pub fn pass1() -> Vec<Task> {
    let within = |milliseconds, mebibytes| Goal {
        milliseconds: Some(milliseconds),
        mebibytes: Some(mebibytes),
        as_stap: false,
    };
    let mut tasks = vec![
        hello("hello -p1, index warm", &["-p1"], &[], within(10.0, 25.0)),
        hello(
            "hello -p1, no index",
            &["-p1"],
            &["--disable-cache"],
            Goal { as_stap: true, ..Goal::default() },
        ),
        hello("hello -p2, index warm", &["-p2"], &[], Goal { milliseconds: Some(15.0), ..Goal::default() }),
    ];
    for megabytes in [1, 2, 4] {
        let name = format!("{megabytes}mb.stp");
        tasks.push(Task {
            name: format!("{megabytes} MB script -p1, index warm"),
            words: ["-p1", "{}"].map(str::to_owned).to_vec(),
            rstap_words: Vec::new(),
            file: Some((name, long_script(megabytes * 1_000_000))),
            goal: Goal { as_stap: true, ..Goal::default() },
        });
    }
    tasks
}

/// A script of about that many bytes, of the kind that programs write.
fn long_script(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 1000);
    for index in 0.. {
        if text.len() >= bytes {
            break;
        }
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "global counts_{index}, total_{index} = {index} # one of many\n\
             function compute_{index}:long (first:long, second:long) {{\n  \
               if (first > second && total_{index} != 0) return first * 2 + second % 7\n  \
               return counts_{index}[first, \"name\"] - (second | 0x{index:x})\n\
             }}\n\
             probe timer.s({}) {{\n  \
               foreach ([key-, name] in counts_{index} limit 20)\n    \
                 printf(\"%d %s: %d\\n\", key, name, counts_{index}[key, name])\n  \
               x = compute_{index}({index}, 7) . \"text\"\n  \
               delete counts_{index} // and start again\n\
             }}\n",
            index % 50 + 1
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed() {
        let cost = |milliseconds, mebibytes| Cost { milliseconds, mebibytes };
        let tasks = pass1();
        assert_eq!(tasks[0].verdict(cost(9.0, 30.0), None), "10 ms: met, 25 MiB: missed");
        assert_eq!(tasks[1].verdict(cost(9.0, 30.0), Some(cost(8.0, 1.0))), "8 ms (stap's): missed");
        assert_eq!(tasks[1].verdict(cost(9.0, 30.0), None), "");
    }

    #[test]
    fn words_name_the_file() {
        let tasks = pass1();
        assert_eq!(tasks[3].words(&Tool::Stap, "/f"), ["-p1", "/f/1mb.stp"]);
        assert_eq!(tasks[1].words(&Tool::Stap, "/f")[0], "-p1");
        assert_eq!(tasks[1].words(&Tool::Rstap { dir: "/".into() }, "/f")[0], "--disable-cache");
    }
}
