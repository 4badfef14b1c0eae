//! How much a visit to a page uses.

/// How much of the site a visit to a page uses, without the page's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Too few visits have told.
    Unknown {
        /// Bytes known already, from static references and the votes so far.
        at_least: u64,
    },
    /// Enough visits have told.
    Known {
        /// Median of the bytes used, over networks.
        bytes: u64,
    },
}

impl Default for Size {
    /// Nothing is known.
    fn default() -> Self {
        Self::Unknown { at_least: 0 }
    }
}

impl Size {
    /// The same with the page's document, of this many bytes.
    #[must_use]
    pub fn with_document(self, len: u64) -> Self {
        match self {
            Self::Unknown { at_least } => Self::Unknown { at_least: at_least.saturating_add(len) },
            Self::Known { bytes } => Self::Known { bytes: bytes.saturating_add(len) },
        }
    }
}
