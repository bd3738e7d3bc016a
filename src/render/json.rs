//! Diagnostics as JSON, one object for each line.

use frontend::diag::{Diagnostic, Severity, Stage};
use frontend::source::{ExpansionKind, SourceMap, Token};
use serde_json::{Map, Value, json};

/// A diagnostic with its causes, newline included.
pub fn render(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    format!("{}\n", object(sources, diagnostic))
}

/// A line that is no diagnostic.
pub fn line(text: &str) -> String {
    format!("{}\n", json!({ "severity": "note", "message": text }))
}

fn object(sources: &SourceMap, diagnostic: &Diagnostic) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Remark => "remark",
        Severity::Trace => "trace",
    };
    let stage = match diagnostic.stage {
        Stage::Parse => "parse",
        Stage::Semantic => "semantic",
        Stage::Session => "session",
    };
    let mut map = Map::new();
    map.insert("severity".into(), severity.into());
    map.insert("stage".into(), stage.into());
    map.insert("site".into(), diagnostic.site.into());
    map.insert("message".into(), diagnostic.message.clone().into());
    let places: Vec<Value> = diagnostic
        .token
        .iter()
        .chain(&diagnostic.second)
        .zip(&diagnostic.labels)
        .map(|(token, label)| place(sources, token, label.as_deref()))
        .collect();
    map.insert("places".into(), places.into());
    if let Some(limitation) = diagnostic.limitation {
        map.insert("limitation".into(), limitation.into());
    }
    if !diagnostic.notes.is_empty() {
        map.insert("notes".into(), diagnostic.notes.clone().into());
    }
    if let Some(help) = &diagnostic.help {
        map.insert("help".into(), help.clone().into());
    }
    if let Some(cause) = &diagnostic.cause {
        map.insert("cause".into(), object(sources, cause));
    }
    if !diagnostic.further.is_empty() {
        let further = diagnostic.further.iter().map(|error| object(sources, error)).collect();
        map.insert("further".into(), Value::Array(further));
    }
    map.into()
}

/// A token with its place, then the places it was expanded from.
fn place(sources: &SourceMap, token: &Token, label: Option<&str>) -> Value {
    let file = sources.file(token.pos.file);
    let (line, column) = file.line_column(token.pos.offset);
    let mut map = Map::new();
    map.insert("file".into(), file.name.as_str().into());
    map.insert("line".into(), line.into());
    map.insert("column".into(), column.into());
    map.insert("token".into(), token.text.as_str().into());
    if let Some(label) = label {
        map.insert("label".into(), label.into());
    }
    if let Some(expansion) = &token.expansion {
        let kind = match expansion.kind {
            ExpansionKind::Macro => "macro",
            ExpansionKind::Synthetic => "synthetic",
        };
        map.insert("expansion".into(), kind.into());
        map.insert("from".into(), place(sources, &expansion.invocation, None));
    }
    map.into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{one_file, word};
    use super::*;
    use expect_test::expect;

    #[test]
    fn an_object_for_each_line() {
        let (sources, file) = one_file("probe x {}");
        let token = word(file, 6, "x");
        let cause = Diagnostic::semantic("b", "mismatch").at(&token).help("try \"begin\"");
        let error = Diagnostic::semantic("a", "while resolving").at(&token).because(cause);
        expect![[r#"
            {"severity":"error","stage":"semantic","site":"a","message":"while resolving","places":[{"file":"<input>","line":1,"column":7,"token":"x"}],"cause":{"severity":"error","stage":"semantic","site":"b","message":"mismatch","places":[{"file":"<input>","line":1,"column":7,"token":"x"}],"help":"try \"begin\""}}
        "#]]
        .assert_eq(&render(&sources, &error));
        assert_eq!(line("a\nb"), "{\"severity\":\"note\",\"message\":\"a\\nb\"}\n");
    }
}
