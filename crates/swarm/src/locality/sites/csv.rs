//! Sites as lines of `name, CIDR, policy`.

use csv::{ReaderBuilder, StringRecord, Trim};

use super::entry::{Entry, SiteFault, SitesError};
use crate::limits::SITE_RANGES_MAX;

/// The lines that say something: no comments (`#`), and not the first one if it only names the fields.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, SitesError> {
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let mut entries = Vec::new();
    for (at, (text, line)) in lines.enumerate() {
        let record = fields(text).map_err(|fault| fault.at(line))?;
        if at == 0 && is_header(&record) {
            continue;
        }
        // Those that repeat others are left out later.
        if entries.len() >= 2 * SITE_RANGES_MAX {
            return Err(SiteFault::TooMany.at(line));
        }
        entries.push(match record.iter().collect::<Vec<_>>().as_slice() {
            [name, range] => Entry::new(line, name, range, "")?,
            [name, range, policy] => Entry::new(line, name, range, policy)?,
            other => return Err(SiteFault::Fields(other.len()).at(line)),
        });
    }
    Ok(entries)
}

/// The fields of one line. A field in quotes may have commas, but no site's name has a line break.
fn fields(line: &str) -> Result<StringRecord, SiteFault> {
    // A reader costs more than many such lines, and files have a hundred thousand.
    if !line.contains(['"', '\u{feff}']) {
        return Ok(line.split(',').map(str::trim).collect());
    }
    read(line)
}

/// The fields of one line by the rules of CSV.
fn read(line: &str) -> Result<StringRecord, SiteFault> {
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).buffer_capacity(line.len()).from_reader(line.as_bytes());
    let mut record = StringRecord::new();
    reader.read_record(&mut record).map_err(|error| SiteFault::Syntax(error.to_string()))?;
    Ok(record)
}

fn is_header(record: &StringRecord) -> bool {
    let names = |at: usize, name: &str| record.get(at).is_some_and(|field| field.eq_ignore_ascii_case(name));
    names(0, "name") && names(1, "cidr")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_without_quotes_has_the_fields_that_a_reader_finds(line in "[^\"\r\n]{1,40}") {
            prop_assert_eq!(fields(&line), read(&line));
        }
    }
}
