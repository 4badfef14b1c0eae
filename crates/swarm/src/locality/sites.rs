//! The operator's sites: which addresses belong to which office, read from a file of CSV or TOML.
//!
//! CSV has a line `name, CIDR, policy` for each range of addresses, TOML a table `[[site]]` with `name`, `cidr` (a list) and `policy`. Of ranges that lie in each other the
//! smallest one counts.

mod csv;
mod entry;
mod ranges;
mod toml;

use std::net::IpAddr;

use self::ranges::Ranges;
use super::{ladder::SharePolicy, place::SiteId};
use crate::limits::SITES_FILE_LEN_MAX;

pub use entry::{SiteFault, SitesError};

/// How a file of sites is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SitesFormat {
    /// Lines of `name, CIDR, policy`.
    Csv,
    /// Tables `[[site]]`.
    Toml,
}

/// The sites of one file.
#[derive(Debug, Clone, Default)]
pub struct Sites {
    ranges: Ranges,
    len: usize,
}

impl Sites {
    /// Reads a file of sites.
    ///
    /// # Errors
    /// When anything in it is no range of a site, with its line: nothing of such a file is used.
    pub fn parse(text: &str, format: SitesFormat) -> Result<Self, SitesError> {
        if text.len() > SITES_FILE_LEN_MAX {
            return Err(SitesError::TooLong { len: text.len() });
        }
        let text = text.trim_start_matches('\u{feff}');
        let entries = match format {
            SitesFormat::Csv => csv::entries(text)?,
            SitesFormat::Toml => toml::entries(text)?,
        };
        let distinct = entry::distinct(entries)?;
        Ok(Self { len: distinct.len(), ranges: Ranges::of(&distinct) })
    }

    /// The site of an address, and what its visitors may do; none if it belongs to no site.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<(SiteId, SharePolicy)> {
        self.ranges.find(address)
    }

    /// Ranges of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests;
