//! Functions with the same parameters and body become one (elaborate.cxx: `semantic_pass_opt6`).

use super::rewrite::{Name, keep_functions, names_in_program};
use crate::hir::{Function, FunctionBody, FunctionId, Program};
use crate::tree::Origin;
use crate::types::{Owner, TypeTable, functions_by_name};
use std::collections::HashMap;

/// Merges until nothing changes: calls of merged functions may make their callers equal.
pub(super) fn merge_functions(program: &mut Program, table: &mut TypeTable) {
    loop {
        // Only functions with equal signatures are compared; the first by name stays.
        let mut kept: HashMap<String, Vec<FunctionId>> = HashMap::new();
        let mut replacement: Vec<FunctionId> = (0..program.functions.len() as u32).map(FunctionId).collect();
        let mut keep = vec![true; program.functions.len()];
        for id in functions_by_name(program) {
            let function = program.function(id);
            let twins = kept.entry(signature(function, id, table)).or_default();
            if let Some(twin) = twins.iter().find(|twin| same_body(program.function(**twin), function)) {
                replacement[id.0 as usize] = *twin;
                keep[id.0 as usize] = false;
            } else {
                twins.push(id);
            }
        }
        if !keep.contains(&false) {
            return;
        }
        let origins: Vec<Origin> = program.functions.iter().map(|function| function.origin.clone()).collect();
        names_in_program(program, &mut |name| {
            let Name::Callee(callee, origin) = name else { return };
            for candidate in &mut callee.candidates {
                let twin = replacement[candidate.0 as usize];
                if twin != *candidate {
                    *candidate = twin;
                    // What called it is said to stand where the function does that stays.
                    *origin = origins[twin.0 as usize].clone();
                }
            }
        });
        keep_functions(program, table, &keep);
    }
}

/// Type of the value, names and types of the parameters.
fn signature(function: &Function, id: FunctionId, table: &TypeTable) -> String {
    let types = table.locals(Owner::Function(id));
    let params = function.locals().iter().zip(types).take(function.params);
    let params: Vec<String> = params.map(|(local, kind)| format!("{}:{kind}", local.name)).collect();
    format!("{} ({})", table.result(id), params.join(", "))
}

fn same_body(one: &Function, other: &Function) -> bool {
    match (&one.body, &other.body) {
        (FunctionBody::Script(one), FunctionBody::Script(other)) => {
            let names = |body: &crate::hir::Body| {
                body.locals.iter().map(|local| local.name.clone()).collect::<Vec<_>>()
            };
            one.root == other.root && names(one) == names(other)
        }
        (
            FunctionBody::Embedded { code, globals, .. },
            FunctionBody::Embedded { code: other_code, globals: other_globals, .. },
        ) => code == other_code && globals == other_globals,
        _ => false,
    }
}
