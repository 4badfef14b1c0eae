//! Sites as tables `[[site]]`.

use serde::Deserialize;
use toml::Spanned;

use super::entry::{Entry, SiteFault, SitesError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    site: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    cidr: Vec<Spanned<String>>,
    #[serde(default)]
    policy: String,
}

pub(super) fn entries(text: &str) -> Result<Vec<Entry>, SitesError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        SiteFault::Syntax(error.message().replace('\n', " ")).at(line)
    })?;
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut entries = Vec::new();
    for Table { name, cidr, policy } in file.site {
        for range in cidr {
            let line = lines.of(range.span().start);
            entries.push(Entry::new(line, &name, range.get_ref(), &policy)?);
        }
    }
    Ok(entries)
}

/// The lines of places that come one after the other, each byte looked at once.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, at: usize) -> usize {
        let at = at.min(self.text.len());
        if at < self.at {
            return line_at(self.text, at);
        }
        self.line += newlines(&self.text.as_bytes()[self.at..at]);
        self.at = at;
        self.line
    }
}

fn line_at(text: &str, at: usize) -> usize {
    1 + newlines(&text.as_bytes()[..at.min(text.len())])
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
