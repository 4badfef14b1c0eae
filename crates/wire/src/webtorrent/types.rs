//! What messages are about.

use serde::Deserialize;

/// What a message is about, and its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A peer says that it is there.
    Announce,
    /// Somebody asks how many are there.
    Scrape,
}

/// Why a peer announces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It is still there. The usual one, and what an empty text means.
    #[default]
    #[serde(alias = "", alias = "paused")]
    Update,
    /// It begins.
    Started,
    /// It has everything now.
    Completed,
    /// It leaves.
    Stopped,
}

/// A list could be read as the values of fields that it does not name.
pub(super) fn is_object(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{')
}
