//! Making a program smaller: all programs with one thing less, those that lose most first.

use super::tree::{Expression, Piece, Program, Statement};

/// Programs that are one step smaller than this one: an option or a declaration less, some statements of a block less, a
/// statement replaced by a block of its own, or an expression replaced by a part of it or by a literal. Most of them
/// mean something else, and some mean nothing: who asks must try them.
pub fn smaller(program: &Program) -> Vec<Program> {
    let mut found = Vec::new();
    for options in without_some(&program.options) {
        found.push(Program { options, ..program.clone() });
    }
    for declarations in without_some(&program.declarations) {
        found.push(Program { declarations, ..program.clone() });
    }
    for (index, declaration) in program.declarations.iter().enumerate() {
        for pieces in smaller_pieces(&declaration.pieces) {
            let mut declarations = program.declarations.clone();
            declarations[index] = Statement { pieces };
            found.push(Program { declarations, ..program.clone() });
        }
    }
    found.sort_by_key(|program| program.to_string().len());
    found
}

/// The list without its halves, quarters and so on, down to single members.
fn without_some<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    let mut found = Vec::new();
    let mut length = list.len();
    while length > 0 {
        for start in (0..list.len()).step_by(length) {
            let end = (start + length).min(list.len());
            found.push([&list[..start], &list[end..]].concat());
        }
        length /= 2;
    }
    found
}

fn smaller_pieces(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut found = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let variants: Vec<Piece> = match piece {
            Piece::Text(_) => Vec::new(),
            Piece::Expression(expression) => {
                smaller_expressions(expression).into_iter().map(Piece::from).collect()
            }
            Piece::Block(block) => smaller_blocks(block).into_iter().map(Piece::from).collect(),
            Piece::Group(pieces) => smaller_pieces(pieces).into_iter().map(Piece::from).collect(),
        };
        for variant in variants {
            let mut pieces = pieces.to_vec();
            pieces[index] = variant;
            found.push(pieces);
        }
    }
    found
}

fn smaller_expressions(expression: &Expression) -> Vec<Expression> {
    let least = Expression::least(expression.kind);
    if *expression == least {
        return Vec::new();
    }
    let mut found = vec![least];
    for piece in &expression.pieces {
        match piece {
            Piece::Expression(inner) if inner.kind == expression.kind => found.push(inner.clone()),
            _ => {}
        }
    }
    let kind = expression.kind;
    found.extend(smaller_pieces(&expression.pieces).into_iter().map(|pieces| Expression { kind, pieces }));
    found
}

fn smaller_blocks(block: &[Statement]) -> Vec<Vec<Statement>> {
    let mut found = without_some(block);
    for (index, statement) in block.iter().enumerate() {
        for piece in &statement.pieces {
            if let Piece::Block(inner) = piece {
                found.push([&block[..index], inner, &block[index + 1..]].concat());
            }
        }
        for pieces in smaller_pieces(&statement.pieces) {
            let mut block = block.to_vec();
            block[index] = Statement { pieces };
            found.push(block);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::tree::{long, statement};

    #[test]
    fn a_difference_is_found_step_by_step() {
        let sum = long!["(", long!["f(", long!["7"], ")"], " + ", long!["2"], ")"];
        let loops =
            statement!["while (", long!["1"], ") ", vec![statement!["x = ", sum], statement!["y = 2"]]];
        let mut program = Program {
            options: vec!["-g".into()],
            declarations: vec![
                statement!["global x"],
                statement!["probe begin ", vec![statement![";"], loops]],
            ],
        };
        let differs = |program: &Program| program.to_string().contains("f(");
        while let Some(next) = smaller(&program).into_iter().find(differs) {
            program = next;
        }
        assert_eq!(program.to_string(), "probe begin {\n  x = f(0)\n}\n");
        assert!(program.options.is_empty());
    }
}
