//! The matrix as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json as object};

use super::{Cell, Judgement, Pair};
use crate::nat::Kind;

/// Width of a column, in characters.
const WIDTH: usize = 13;

/// The matrix, then what stands out. `yes` is followed by the milliseconds to the first piece.
#[must_use]
pub fn text(cells: &[Cell]) -> String {
    let mut text = String::from(
        "Row seeds, column comes. yes: connected, and milliseconds to the first piece; no: introduced in vain; -: not introduced.\n\n",
    );
    let (rows, columns) = (kinds(cells, |pair| pair.0), kinds(cells, |pair| pair.1));
    let is_square = rows.len() * columns.len() == cells.iter().filter(|cell| matches!(cell.pair, Pair::Apart(..))).count();
    if is_square && rows.len() > 1 {
        let _ = write!(text, "{:<19}", "");
        columns.iter().for_each(|kind| _ = write!(text, "{:<WIDTH$.11}", kind.name()));
        text.push('\n');
        for row in rows {
            let _ = write!(text, "{:<19}", row.name());
            for column in &columns {
                let cell = cells.iter().find(|cell| cell.pair == Pair::Apart(row, *column));
                let _ = write!(text, "{:<WIDTH$}", cell.map_or_else(String::new, shown));
            }
            text.push('\n');
        }
        text.push('\n');
    } else {
        cells.iter().filter(|cell| matches!(cell.pair, Pair::Apart(..))).for_each(|cell| _ = writeln!(text, "{}", line(cell)));
    }
    cells.iter().filter(|cell| !matches!(cell.pair, Pair::Apart(..))).for_each(|cell| _ = writeln!(text, "{}", line(cell)));
    for (judgement, what) in [
        (Judgement::InVain, "introduced, though they cannot connect"),
        (Judgement::Missed, "not introduced, though they could connect"),
        (Judgement::AgainstTheory, "AGAINST THEORY"),
    ] {
        let named: Vec<&str> = cells.iter().filter(|cell| cell.judgement == judgement).map(|cell| cell.name.as_str()).collect();
        let _ = writeln!(text, "\n{what}: {}{}", named.len(), if named.is_empty() { "" } else { ":" });
        named.iter().for_each(|name| _ = writeln!(text, "  {name}"));
    }
    text
}

/// One JSON object.
#[must_use]
pub fn json(cells: &[Cell]) -> Value {
    let count = |judgement| cells.iter().filter(|cell| cell.judgement == judgement).count();
    object!({
        "scenario": "nat",
        "pairs": cells,
        "right": count(Judgement::Right),
        "in_vain": count(Judgement::InVain),
        "missed": count(Judgement::Missed),
        "against_theory": count(Judgement::AgainstTheory),
    })
}

/// One pair in one line.
pub(super) fn line(cell: &Cell) -> String {
    format!("{}: {}, {:.0} % from the other one {:?}", cell.name, shown(cell), cell.from_peers * 100.0, cell.failures)
}

fn shown(cell: &Cell) -> String {
    match (cell.was_introduced, cell.has_connected, cell.first_piece_ms) {
        (_, true, Some(ms)) => format!("yes {ms}"),
        (_, true, None) => "yes".to_owned(),
        (true, false, _) => "no".to_owned(),
        (false, false, _) => "-".to_owned(),
    }
}

/// The kinds of one side, in the order in which they come.
fn kinds(cells: &[Cell], side: impl Fn((Kind, Kind)) -> Kind) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for cell in cells {
        if let Pair::Apart(offerer, answerer) = cell.pair {
            let kind = side((offerer, answerer));
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    kinds
}
