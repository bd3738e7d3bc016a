//! What one function does, line by line.

use super::text::{Body, Line};

/// The check behind every call that can fail.
const LOOKS_FOR_ERRORS: &str = "if (unlikely (c->last_error || c->aborted)) goto out;";
/// The check behind every count.
const LOOKS_AT_COUNT: &str = "if (unlikely (c->actionremaining <= 0)) {";
/// More 64-bit variables than this are in the context, not on the stack.
const VARIABLES: usize = 64;

/// What is unsafe in a function; `timed` says that actions are counted.
pub fn faults(body: &Body, timed: bool) -> Vec<String> {
    let mut faults = Vec::new();
    stack(body, &mut faults);
    if body.is_function() {
        nesting(body, &mut faults);
    }
    if body.embedded {
        return faults;
    }
    calls(body, &mut faults);
    copies(body, &mut faults);
    pointers(body, &mut faults);
    if timed {
        counts(body, &mut faults);
        loops(body, &mut faults);
        tries(body, &mut faults);
    }
    faults
}

fn own(body: &Body) -> impl Iterator<Item = (usize, &Line)> {
    body.lines.iter().enumerate().filter(|(_, line)| !line.embedded && !line.text.starts_with('#'))
}

fn text(body: &Body, at: usize) -> &str {
    body.lines.get(at).map_or("", |line| &line.text)
}

/// Pointers and a bounded number of numbers, nothing else.
fn stack(body: &Body, faults: &mut Vec<String>) {
    let mut variables = 0;
    for (_, line) in own(body).take_while(|(_, line)| !(body.embedded && line.text == "{" && line.depth == 0))
    {
        let text = line.text.as_str();
        let kind = ["string_t ", "char ", "unsigned char ", "int ", "struct context "];
        let array = text.starts_with("int64_t ") && text.contains('[');
        let by_value = kind.iter().any(|kind| text.starts_with(kind)) && !text.contains('*');
        if text.ends_with(';') && (array || by_value || text.contains(" alloca (")) {
            faults.push(format!("on the stack: {text}"));
        }
        if text.starts_with("int64_t ") {
            variables += text.matches(',').count() + 1;
        }
    }
    if variables > VARIABLES {
        faults.push(format!("{variables} variables on the stack"));
    }
}

/// A function knows how deep calls may go, before it changes anything.
fn nesting(body: &Body, faults: &mut Vec<String>) {
    let find = |wanted: &str| body.lines.iter().position(|line| line.text == wanted);
    let check = find("if (unlikely (c->nesting+1 >= MAXNESTING)) {");
    let (deeper, back) = (find("c->nesting++;"), find("c->nesting--;"));
    if check.is_none() || deeper.is_none() || check > deeper {
        faults.push("does not look how deep calls are".into());
    }
    if back.is_none() || back < body.lines.iter().position(|line| line.text.starts_with("out:")) {
        faults.push("does not come back on every way out".into());
    }
}

fn calls(body: &Body, faults: &mut Vec<String>) {
    for (at, line) in own(body) {
        let called = line.text.starts_with("function_") && line.text.ends_with(" (c);");
        if called && text(body, at + 1) != LOOKS_FOR_ERRORS {
            faults.push(format!("no look for errors behind {}", line.text));
        }
    }
}

fn copies(body: &Body, faults: &mut Vec<String>) {
    for (_, line) in own(body) {
        for unbounded in ["strcpy (", "strcat (", "sprintf ("] {
            let found = |at: usize| !line.text[..at].ends_with(['n', 'l', 'p', 'v', '_']);
            if line.text.match_indices(unbounded).any(|(at, _)| found(at)) {
                faults.push(format!("without a limit: {}", line.text));
            }
        }
        let copy = line.text.starts_with("strlcpy (") || line.text.starts_with("strlcat (");
        if copy && !line.text.ends_with(", MAXSTRINGLEN);") {
            faults.push(format!("with another limit: {}", line.text));
        }
    }
}

/// Pointers that the emitter makes are looked at before use; a script's numbers never become pointers.
fn pointers(body: &Body, faults: &mut Vec<String>) {
    let mut unsure: Vec<String> = Vec::new();
    for (_, line) in own(body) {
        let text = line.text.as_str();
        let casts = ["(char *) (", "(void *) (", "(int64_t *) ("];
        if casts.iter().any(|cast| text.contains(cast)) || reads_through_a_value(text) {
            faults.push(format!("a pointer out of a number: {text}"));
        }
        for (at, _) in text.match_indices("->") {
            let start =
                text[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
            let pointer = &text[start..at];
            let tested =
                [format!("{pointer} == NULL || "), format!("likely ({pointer}) ? "), format!("{pointer} ? ")];
            let here = tested.iter().any(|test| text[..at].contains(test.as_str()));
            match pointer {
                // The context, its frame, and the kernel's own pointer to the process that runs.
                "c" | "l" | "current" => {}
                // `global(x)->hist`: made by a constructor that must not fail.
                "" if text[..at].ends_with(')') => {}
                pointer if pointer.starts_with("data") => {
                    if unsure.iter().any(|other| other == pointer) && !here {
                        faults.push(format!("{pointer} may be null: {text}"));
                    }
                }
                _ => faults.push(format!("an unknown pointer: {text}")),
            }
        }
        let names: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        for name in names.iter().filter(|name| is_cursor(name)) {
            let used = text.contains(&format!("({name}")) || text.contains(&format!(", {name})"));
            // The runtime's step to the next element takes null.
            let step = text.starts_with(&format!("{name} = "));
            let test = text.starts_with(&format!("if (!{name})"));
            if used && !step && !test && unsure.iter().any(|other| other == name) {
                faults.push(format!("{name} may be null: {text}"));
            }
        }
        note(text, &mut unsure);
    }
}

/// `*(x)` that is not the end of a product.
fn reads_through_a_value(text: &str) -> bool {
    text.match_indices('*').any(|(at, _)| {
        let before = text[..at].trim_end().chars().next_back();
        let product = before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ')' | ']'));
        !product && text[at + 1..].trim_start().starts_with('(')
    })
}

fn is_cursor(name: &str) -> bool {
    name.strip_prefix("cursor").is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Keeps account of which pointers were set and not looked at.
fn note(text: &str, unsure: &mut Vec<String>) {
    if let Some((name, _)) =
        text.split_once(" = ").filter(|(name, _)| is_cursor(name) || name.starts_with("data"))
    {
        unsure.retain(|other| other != name);
        unsure.push(name.to_owned());
    }
    unsure.retain(|name| {
        !text.starts_with(&format!("if (!{name})"))
            && !text.starts_with(&format!("if (unlikely ({name} == NULL || "))
    });
}

fn counts(body: &Body, faults: &mut Vec<String>) {
    for (at, line) in own(body) {
        if !line.text.starts_with("c->actionremaining -= ") {
            continue;
        }
        let end = body.lines[at + 1..].iter().position(|line| line.text == "}").map_or(at, |end| at + end);
        if text(body, at + 1) != LOOKS_AT_COUNT || text(body, end) != "goto out;" {
            faults.push(format!("nobody looks at the count of {}", line.text));
        }
    }
}

/// Loops are labels `top_N` with a jump back; nothing else jumps back, and C's own loops are not used.
fn loops(body: &Body, faults: &mut Vec<String>) {
    let label = |line: &Line| line.text.split_once(':').map(|(name, _)| name.to_owned()).unwrap_or_default();
    for (at, line) in own(body) {
        let word = |word: &str| line.text.starts_with(word);
        if word("for (") || word("while (") || word("do {") || word("do ") {
            faults.push(format!("a loop without a label: {}", line.text));
        }
        let Some((_, target)) = line.text.split_once("goto ") else { continue };
        let target = target.trim_end_matches(';');
        // `out` and `deref_fault` are declared in several blocks, all of which end with them.
        let known = ["out", "deref_fault", "normal_fallthrough"].contains(&target);
        let back = !known && body.lines[..at].iter().any(|line| label(line) == target);
        if back && !target.starts_with("top_") {
            faults.push(format!("a jump back to {target}"));
        }
    }
    for (top, line) in own(body).filter(|(_, line)| line.text.starts_with("top_")) {
        let name = label(line);
        let jump = format!("goto {name};");
        let Some(end) =
            body.lines.iter().rposition(|line| line.text.ends_with(&jump)).filter(|end| *end > top)
        else {
            continue;
        };
        let inside = &body.lines[top + 1..end];
        // What the loop itself does, in every round: on the level of the jump back, outside of inner loops.
        let level = body.lines[end].depth;
        let counted = |line: &Line| line.depth <= level && line.text.starts_with("c->actionremaining -= ");
        let walk = inside.first().and_then(|line| line.text.strip_prefix("if (!cursor")?.split_once(')'));
        match walk {
            Some((number, _)) => {
                let goes_on = format!("cursor{number} = _stp_map_iter");
                if !inside.iter().any(|line| line.text.starts_with(&goes_on)) {
                    faults.push(format!("{name} never comes to an end"));
                }
                // Only `foreach` has a place to continue at; looking for a slice and deleting it are one statement.
                let next = name.replace("top_", "continue_");
                let statements = inside.iter().any(|line| label(line) == next);
                if statements && !inside.iter().any(|line| line.text.starts_with("c->actionremaining -= ")) {
                    faults.push(format!("{name} counts no actions"));
                }
            }
            None if !inside.iter().any(counted) => faults.push(format!("{name} counts no actions")),
            None => {}
        }
    }
}

/// An error about used up actions goes through every `catch`.
fn tries(body: &Body, faults: &mut Vec<String>) {
    for (at, line) in own(body) {
        if line.text == "if (likely (c->last_error == NULL)) goto out;"
            && text(body, at + 1) != "if (unlikely (c->actionremaining <= 0)) goto out;"
        {
            faults.push("catches that the actions are used up".into());
        }
        if line.text == "__label__ normal_fallthrough;" {
            let caught = body.lines[at..]
                .iter()
                .any(|line| line.text.starts_with("if (likely (c->last_error == NULL))"));
            if !caught {
                faults.push("a try without a look at the error".into());
            }
        }
    }
}
