//! Walks through arrays.

use super::{Generator, Scope, Value};
use crate::random::tree::{Kind, Statement, pieces, statement};

impl Generator {
    /// A `foreach` over an array, in any of its forms.
    pub(super) fn walk(&mut self, scope: &mut Scope, depth: usize) -> Statement {
        let arrays = self.globals(|global| !global.keys.is_empty());
        let Some(array) = self.one_of(&arrays) else { return self.print(scope, depth) };
        let global = self.globals[array].clone();
        let names: Vec<String> = global.keys.iter().map(|_| self.name("k")).collect();
        // One thing can be sorted by: a key, the value, or what a statistic says.
        let direction = self.dice.pick(&["+", "-"]);
        let sort = self.dice.weighted(&[(5, "key"), (4, "value"), (3, "none")]);
        let sorted = self.dice.below(names.len());
        let plain = match &global.value {
            Value::Plain(kind) => Some(*kind),
            Value::Statistic(_) => None,
        };
        let value = match plain {
            Some(kind) if self.dice.chance(35) => Some((self.name("v"), kind)),
            _ => None,
        };
        let mut head = String::from("foreach (");
        if let Some((name, _)) = &value {
            let mark = if sort == "value" { direction } else { "" };
            head.push_str(&format!("{name}{mark} = "));
        }
        let keys: Vec<String> =
            names
                .iter()
                .enumerate()
                .map(|(index, name)| {
                    if sort == "key" && index == sorted { format!("{name}{direction}") } else { name.clone() }
                })
                .collect();
        match keys.as_slice() {
            [key] if self.dice.chance(80) => head.push_str(key),
            keys => head.push_str(&format!("[{}]", keys.join(", "))),
        }
        head.push_str(&format!(" in {}", global.name));
        // Where probes become one, stap 5.6 forgets to rename what a slice says.
        let slice = match !self.merges && self.dice.chance(15) {
            true => self.keys(scope, array, depth, true),
            false => pieces![],
        };
        let mut order = String::new();
        if sort == "value" && value.is_none() {
            if plain.is_none() && self.dice.chance(80) {
                order.push_str(self.dice.pick(&[" @count", " @sum", " @min", " @max", " @avg"]));
            }
            order.push_str(direction);
        }
        let limit = match self.dice.chance(20) {
            true => pieces![" limit ", self.small(scope, 3)],
            false => pieces![],
        };
        let (longs, texts) = (scope.longs.len(), scope.texts.len());
        for (name, kind) in names.into_iter().zip(global.keys).chain(value) {
            match kind {
                Kind::Long => scope.longs.push(name),
                Kind::Text => scope.texts.push(name),
            }
        }
        let is_first = scope.walked.insert(array);
        let shown: Vec<String> =
            scope.longs[longs..].iter().chain(&scope.texts[texts..]).take(9).cloned().collect();
        let mut body = self.body(scope, 3);
        if self.dice.chance(70) {
            scope.has_effects = true;
            body.insert(0, statement![format!("println(\"at \", {});", shown.join(", \" \", "))]);
        }
        if is_first {
            scope.walked.remove(&array);
        }
        scope.longs.truncate(longs);
        scope.texts.truncate(texts);
        statement![head, slice, order, limit, ") ", body]
    }
}
