//! Where in a file something is.

/// A table of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Table {
    /// Above all tables.
    Root,
    /// The only one of its name.
    One(&'static str),
    /// One of several: its name and which, counted from 0.
    Many(&'static str, usize),
}

/// The line of a byte, counted from 1.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1
}

/// The line of a key in its table, or else of the table's head, counted from 1.
pub(super) fn line_of(text: &str, table: &Table, key: &str) -> Option<usize> {
    let (mut in_table, mut head, mut count) = (*table == Table::Root, None, 0);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            in_table = match table {
                Table::Root => false,
                Table::One(name) => line.trim_matches(['[', ']']).trim() == *name,
                Table::Many(name, index) => {
                    let is_one = line.starts_with("[[") && line.trim_matches(['[', ']']).trim() == *name;
                    count += usize::from(is_one);
                    is_one && count == index + 1
                }
            };
            if in_table {
                head = Some(number + 1);
            }
        } else if in_table && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return Some(number + 1);
        }
    }
    head
}
