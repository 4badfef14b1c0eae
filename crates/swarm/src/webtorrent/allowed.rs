//! The torrents that a tracker serves, as a file lists them.

use std::collections::HashSet;

use viral_wire::webtorrent::{Id, IdError};

/// Torrents that a tracker serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(HashSet<Id>);

/// Why a file lists no torrents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct AllowedError {
    /// 1-based.
    line: usize,
    error: IdError,
}

impl Allowed {
    /// Reads a file: an info-hash in each line. What stands after `#` is a comment.
    ///
    /// # Errors
    /// When a line says anything else, with its number: nothing of such a file is used.
    pub fn parse(text: &str) -> Result<Self, AllowedError> {
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        let lines = lines.map(|(index, line)| (index + 1, line.split('#').next().unwrap_or_default().trim()));
        let read = |(line, text): (usize, &str)| text.parse().map_err(|error| AllowedError { line, error });
        lines.filter(|(_, text)| !text.is_empty()).map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it serves this one.
    #[must_use]
    pub fn contains(&self, info_hash: &Id) -> bool {
        self.0.contains(info_hash)
    }

    /// How many it serves.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it serves none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Id> for Allowed {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> Self {
        Self(ids.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_an_info_hash_in_each_line_and_a_mistake_is_named() {
        let hex = "08ada5a7a6183aae1e09d831df6748d566095a10";
        let text = format!("\u{feff}# Sintel\r\n{hex}  # a comment\r\n\r\n  BCW2LJ5GDA5K4HQJ3AY56Z2I2VTASWQQ\nh1SGeFOAB/gRTdYz+AbC\n");
        let allowed = Allowed::parse(&text).unwrap();
        assert_eq!(allowed.len(), 2, "two of them are one");
        assert!(allowed.contains(&hex.parse().unwrap()) && allowed.contains(&Id(*b"h1SGeFOAB/gRTdYz+AbC")));
        let error = Allowed::parse(&format!("{hex}\n\nnonsense\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 3: `nonsense` is no info-hash"), "{error}");
        assert!(Allowed::parse("").is_ok_and(|allowed| allowed.is_empty()));
    }
}
