//! What an operator tries out: shares of visitors, and whether any take part.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use viral_swarm::rollout::Share;

use super::ValueError;
use super::values::serde_as_text;

/// A share of visitors, written in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub Share);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Percent {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse().map(Self).map_err(|error| ValueError::Share(text.to_owned(), error))
    }
}

/// Whether visitors take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They do.
    Live,
    /// It is only counted who would.
    Shadow,
}

serde_as_text!(Percent);
