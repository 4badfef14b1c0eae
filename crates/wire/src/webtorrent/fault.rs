//! What is wrong with a message, so that its sender can be told. A client shows a failure only where `action` and `info_hash` stand beside it, and leaves where they do not.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    id::Id,
    reply::failed_as_sent,
    types::{Action, Event, is_object},
};
use crate::limits::{ANNOUNCE_LEN_MAX, ANNOUNCE_SDP_LEN_MAX, SCRAPE_HASHES_MAX};

/// Longest `info_hash` that is sent back though it is none, in bytes of JSON: 40 hexadecimal digits, which is what a wrong one mostly is, and then some.
const ECHO_LEN_MAX: usize = 256;

/// A message that is no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<'a> {
    /// What it asked for, as far as it can be told.
    action: Action,
    /// Its `info_hash`, as it was sent: a string in JSON.
    info_hash: Option<&'a str>,
    /// What is wrong.
    pub reason: FaultReason,
}

/// What is wrong with a message. Its text is what the sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultReason {
    /// Too long to be read.
    #[error("message of {len} bytes, limit {max}", max = ANNOUNCE_LEN_MAX)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// No object of JSON.
    #[error("message is no JSON object")]
    NotJson,
    /// Something else is asked for.
    #[error("action must be \"announce\" or \"scrape\"")]
    Action,
    /// No info-hash.
    #[error("info_hash must be a string of 20 characters, one for each byte (40 hexadecimal digits are not)")]
    InfoHash,
    /// More than are answered at once.
    #[error("a scrape names at most {max} info hashes", max = SCRAPE_HASHES_MAX)]
    TooManyHashes,
    /// No peer id.
    #[error("peer_id must be a string of 20 characters, one for each byte")]
    PeerId,
    /// No event.
    #[error("event must be started, completed, stopped, paused, update or left out")]
    Event,
    /// No number.
    #[error("left and numwant must be numbers or null")]
    Number,
    /// No offers.
    #[error("offers must be a list of objects with offer, an object, and offer_id, a string of 20 characters")]
    Offers,
    /// No answer.
    #[error("answer must be an object, with to_peer_id and offer_id of 20 characters beside it")]
    Answer,
    /// Longer than anybody's.
    #[error("an offer or answer has at most {max} bytes", max = ANNOUNCE_SDP_LEN_MAX)]
    SdpTooLong,
    /// The same field twice, or anything else.
    #[error("message cannot be read as an announce or a scrape")]
    Other,
}

impl Fault<'_> {
    /// What its sender is told.
    #[must_use]
    pub fn reply(&self) -> String {
        failed_as_sent(self.action, self.info_hash, &self.reason.to_string())
    }
}

/// Every field of a request, whatever it is.
#[derive(Deserialize, Default)]
struct Fields<'a> {
    #[serde(borrow, default)]
    action: Option<&'a RawValue>,
    #[serde(borrow, default)]
    info_hash: Option<&'a RawValue>,
    #[serde(borrow, default)]
    peer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    offers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    answer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    left: Option<&'a RawValue>,
    #[serde(borrow, default)]
    numwant: Option<&'a RawValue>,
}

impl<'a> Fault<'a> {
    /// The same fault of a message that is known to be JSON, or to be too long to be looked at.
    pub(super) fn of(text: &'a str, reason: FaultReason) -> Self {
        let fields = if text.len() > ANNOUNCE_LEN_MAX { Fields::default() } else { serde_json::from_str(text).unwrap_or_default() };
        Self::with(&fields, reason)
    }

    /// Looks for what is wrong with a message that cannot be read.
    pub(super) fn find(text: &'a str) -> Self {
        let unread = |reason| Self { action: Action::Announce, info_hash: None, reason };
        match serde_json::from_str::<Fields<'a>>(text) {
            _ if !is_object(text) => unread(FaultReason::NotJson),
            Ok(fields) => Self::with(&fields, reason(&fields)),
            Err(error) => unread(if error.is_data() { FaultReason::Other } else { FaultReason::NotJson }),
        }
    }

    fn with(fields: &Fields<'a>, reason: FaultReason) -> Self {
        let action = fields.action.and_then(|action| serde_json::from_str(action.get()).ok()).unwrap_or(Action::Announce);
        let is_echo = |hash: &&str| hash.starts_with('"') && hash.len() <= ECHO_LEN_MAX;
        Self { action, info_hash: fields.info_hash.map(RawValue::get).filter(is_echo), reason }
    }
}

fn reason(fields: &Fields<'_>) -> FaultReason {
    let is = |field: Option<&RawValue>, first: &[u8]| field.is_some_and(|field| first.contains(&field.get().as_bytes()[0]));
    let is_id = |field: Option<&RawValue>| field.is_some_and(|field| serde_json::from_str::<Id>(field.get()).is_ok());
    let Some(action) = fields.action.and_then(|action| serde_json::from_str::<Action>(action.get()).ok()) else {
        return FaultReason::Action;
    };
    // Of a scrape nothing else matters.
    if action == Action::Scrape || !is_id(fields.info_hash) {
        return FaultReason::InfoHash;
    }
    let is_number = |field: Option<&RawValue>| field.is_none() || is(field, b"-0123456789");
    match () {
        () if !is_id(fields.peer_id) => FaultReason::PeerId,
        () if fields.event.is_some() && serde_json::from_str::<Event>(fields.event.map_or("", RawValue::get)).is_err() => {
            FaultReason::Event
        }
        () if !is_number(fields.left) || !is_number(fields.numwant) => FaultReason::Number,
        () if fields.answer.is_some() => FaultReason::Answer,
        () if fields.offers.is_some() => FaultReason::Offers,
        () => FaultReason::Other,
    }
}
