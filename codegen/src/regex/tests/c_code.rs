//! The emitted C, compiled without a warning and run against the interpreter.

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::second_engine::pattern;
use crate::regex::{Captures, Dfa, compile};
use crate::testing::c_compilers;

/// What the functions find around them in a module; then a driver that calls each on each line of standard input.
const BEFORE: &str = r#"
#include <stdio.h>
#include <string.h>
#define MAXSTRINGLEN 64
struct context {
	struct {
		char matched_str[MAXSTRINGLEN];
		unsigned result:1;
		unsigned num_final_tags;
		int tag_states[STAPREGEX_MAX_TAG][STAPREGEX_MAX_MAP];
		int tag_vals[STAPREGEX_MAX_TAG];
	} last_match;
	int canary;
};
static size_t copy_string(char *to, const char *from, size_t size)
{
	snprintf(to, size, "%s", from);
	return strlen(from);
}
#define strlcpy copy_string
"#;
const AFTER: &str = r#"
int main(void)
{
	static char line[1000];
	static struct context c;
	unsigned i, k;
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		for (i = 0; i < sizeof all / sizeof *all; i++) {
			memset(&c, 0x5a, sizeof c);
			printf("%d", all[i](&c, line));
			if (tagged[i]) {
				printf("%d%d", c.last_match.result, !strncmp(line, c.last_match.matched_str, MAXSTRINGLEN - 1));
				if (c.last_match.result)
					for (k = 0; k < c.last_match.num_final_tags; k++)
						printf(" %d", c.last_match.tag_vals[k]);
			}
			puts(c.canary == 0x5a5a5a5a ? "" : " overrun");
		}
	}
	return 0;
}
"#;

/// What the driver prints for one automaton and subject.
fn expected(dfa: &Dfa, captures: Option<Captures>) -> String {
    let tagged = dfa.num_tags() > 0;
    let Some(captures) = captures else { return if tagged { "001" } else { "0" }.to_owned() };
    let mut text = if tagged { "111" } else { "1" }.to_owned();
    for group in captures.groups {
        let (start, end) = group.map_or((-1, -1), |(start, end)| (start as i64, end as i64));
        text += &format!(" {start} {end}");
    }
    text
}

fn run(compiler: &cc::Tool, dir: &Path, source: &str, subjects: &str) -> String {
    std::fs::write(dir.join("all.c"), source).unwrap();
    std::fs::write(dir.join("subjects"), subjects).unwrap();
    let output = compiler
        .to_command()
        .current_dir(dir)
        .args(["-O2", "-Wall", "-Wextra", "-Wmissing-prototypes", "-Wmissing-declarations", "-Werror"])
        .args(["-Wdeclaration-after-statement", "all.c", "-o", "all"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{source}", String::from_utf8_lossy(&output.stderr));
    let subjects = std::fs::File::open(dir.join("subjects")).unwrap();
    let output = Command::new(dir.join("all")).stdin(subjects).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn same_as_interpreter() {
    let compilers = c_compilers();
    if compilers.is_empty() {
        eprintln!("skipped: no C compiler");
        return;
    }
    let mut runner = TestRunner::deterministic();
    let mut patterns: Vec<String> =
        (0..60).map(|_| pattern().new_tree(&mut runner).unwrap().current()).collect();
    let fixed = [
        "",
        "^",
        "$",
        "^$",
        "a^",
        "($)*",
        "x",
        "^foo.*bar$",
        "'[\\\"]",
        "\\xff\\x80",
        "(.)(.)(.)$",
        "(a|b){7}c",
        "([[:alpha:]]+)=([^;]*);?",
        "b{300}",
        "[a-y]",
        "(a*)(b|(c))*d?",
        "[^a-c]*(d|$)",
        "abcd|c",
    ];
    patterns.extend(fixed.map(str::to_owned));
    let dfas: Vec<Dfa> = patterns
        .iter()
        .flat_map(|pattern| [false, true].map(|tagged| compile(pattern, tagged).unwrap()))
        .collect();
    let mut subjects: Vec<String> =
        (0..200).map(|_| "[abcd]{0,12}".new_tree(&mut runner).unwrap().current()).collect();
    subjects.extend(["foo bar", "x=1;y=2", "'", "é", "key=value;", "caaadbbb"].map(str::to_owned));
    // As long as a string may be, and (which cannot happen) longer.
    subjects.extend(["ab".repeat(31), "c".repeat(63), "d".repeat(64), "d".repeat(64) + "x"]);

    let most = |count: fn(&Dfa) -> u32| dfas.iter().map(count).max().unwrap_or(0);
    let mut source = format!(
        "#define STAPREGEX_MAX_TAG {}\n#define STAPREGEX_MAX_MAP {}\n{BEFORE}",
        most(Dfa::num_tags),
        most(Dfa::num_map_items)
    );
    let mut table = "static int (*const all[])(struct context *, const char *) = {\n".to_owned();
    let mut tagged = "static const char tagged[] = {".to_owned();
    for (number, dfa) in dfas.iter().enumerate() {
        dfa.write_c(&format!("__stp_dfa{number}"), None, &mut source);
        table += &format!("\t__stp_dfa{number},\n");
        tagged += if dfa.num_tags() > 0 { "1," } else { "0," };
    }
    source += &format!("{table}}};\n{tagged}}};\n{AFTER}");

    let mut wanted = String::new();
    for subject in &subjects {
        // The C gives up after MAXSTRINGLEN bytes.
        let seen = &subject.as_bytes()[..subject.len().min(64)];
        for dfa in &dfas {
            wanted += &expected(dfa, dfa.matches(seen));
            wanted.push('\n');
        }
    }
    let input = subjects.join("\n") + "\n";
    for compiler in compilers {
        let dir = tempfile::tempdir().unwrap();
        let found = run(&compiler, dir.path(), &source, &input);
        for (index, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
            let (subject, dfa) = (&subjects[index / dfas.len()], &dfas[index % dfas.len()]);
            let compiler = compiler.path().display();
            assert_eq!(found, wanted, "{compiler}: {:?} {subject:?}", dfa.pattern());
        }
        assert_eq!(found.lines().count(), wanted.lines().count());
    }
}

/// Tables of more than 256 states need wider numbers; the text is the same every time.
#[test]
fn types_and_determinism() {
    let text = |pattern, tagged| {
        let mut out = String::new();
        compile(pattern, tagged).unwrap().write_c("f", None, &mut out);
        out
    };
    assert!(text("^a{300}b", false).contains("static const unsigned short next_state"));
    assert!(text("^a{200}b", false).contains("static const unsigned char next_state"));
    for pattern in ["(a|b)*(c)?[^d]{2}x", "([[:alnum:]_]+)@(([[:alnum:]_]+\\\\.)+)[a-z]{2,4}"] {
        assert_eq!(text(pattern, true), text(pattern, true));
    }
    // A pattern cannot leave the comment.
    assert!(text("a\n*/\"", false).starts_with("// DFA for \"a\\x0a*/\"\"\n"));
}

#[test]
fn untagged_text() {
    let mut out = String::new();
    compile("ab?$", false).unwrap().write_c("__stp_dfa0", None, &mut out);
    expect![[r#"
        // DFA for "ab?$"
        int __stp_dfa0 (struct context * __restrict__ c, const char *str);
        int __stp_dfa0 (struct context * __restrict__ c, const char *str)
        {
        	static const unsigned char class_of[256] = {
        		['a'] = 1, ['b'] = 2,
        	};
        	/* A line per state, a column per class: the next state, 0 for no, 1 for yes. */
        	static const unsigned char next_state[9] = {
        		2, 3, 2,
        		2, 3, 4,
        		2, 3, 2,
        	};
        	static const unsigned char match_at_end[3] = {
        		0, 1, 1,
        	};
        	unsigned int state = 2, i;

        	(void) c;
        	for (i = 0; i < (unsigned int) (MAXSTRINGLEN) && str[i] != '\0'; i++) {
        		state = next_state[(state - 2) * 3 + class_of[(unsigned char) str[i]]];
        		if (state < 2)
        			return state == 1;
        	}
        	return match_at_end[state - 2];
        }
    "#]]
    .assert_eq(&out);
}

#[test]
fn tagged_text() {
    let mut out = String::new();
    compile("^(a|b)+$", true).unwrap().write_c("__stp_dfa1", None, &mut out);
    expect![[r#"
        // DFA for "^(a|b)+$"
        int __stp_dfa1 (struct context * __restrict__ c, const char *str);
        int __stp_dfa1 (struct context * __restrict__ c, const char *str)
        {
        	static const unsigned char class_of[256] = {
        		['a' ... 'b'] = 1,
        	};
        	/* A line per state, a column per class: the next state, 0 for none. */
        	static const unsigned char next_state[4] = {
        		0, 3,
        		0, 3,
        	};
        	/* The same for the list of loads to do on the way. */
        	static const unsigned char load[4] = {
        		0, 6,
        		0, 11,
        	};
        	/* Per state the list of tags to set when a match ends here, and when the string does. */
        	static const unsigned char match_here[2] = {
        		0, 0,
        	};
        	static const unsigned char match_at_end[2] = {
        		0, 18,
        	};
        	/* Lists of (target + 1, source register), each ended by 0. */
        	static const unsigned char list[27] = {
        		0,
        		1, 4, 2, 4, 0,
        		3, 4, 4, 4, 0,
        		2, 2, 3, 4, 4, 4, 0,
        		1, 0, 2, 4, 3, 1, 4, 3, 0,
        	};
        	int *reg = &c->last_match.tag_states[0][0];
        	int *tag = c->last_match.tag_vals;
        	unsigned int state = 2, todo = 1, i, k;

        	for (k = 0; k < STAPREGEX_MAX_TAG; k++)
        		tag[k] = -1;
        	for (i = 0; ; i++) {
        		reg[4] = (int) i; /* the position, as a source */
        		for (k = todo; list[k] != 0; k += 2)
        			reg[list[k] - 1] = reg[list[k + 1]];
        		if (state < 2)
        			break;
        		state -= 2;
        		k = match_here[state];
        		if (k != 0 && (tag[0] < 0 || tag[0] == reg[list[k + 1]]))
        			for (; list[k] != 0; k += 2)
        				tag[list[k] - 1] = reg[list[k + 1]];
        		if (i < (unsigned int) (MAXSTRINGLEN) && str[i] != '\0') {
        			k = state * 2 + class_of[(unsigned char) str[i]];
        			todo = load[k];
        			state = next_state[k];
        			continue;
        		}
        		k = match_at_end[state];
        		if (k != 0 && (tag[0] < 0 || tag[0] == reg[list[k + 1]]))
        			for (; list[k] != 0; k += 2)
        				tag[list[k] - 1] = reg[list[k + 1]];
        		break;
        	}
        	strlcpy(c->last_match.matched_str, str, MAXSTRINGLEN);
        	c->last_match.result = tag[0] >= 0;
        	if (!c->last_match.result)
        		return 0;
        	c->last_match.num_final_tags = 4;
        	return 1;
        }
    "#]]
    .assert_eq(&out);
}
