//! Reading and writing signals: length first, then JSON, then the limits of each field.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Answer, AnswerPost, Beyond, Counts, DoctorPost, Offer, PeerToTracker, PersonalPost, Push, RecordPost, ThinBoot, TimePost,
    TrackerToPeer, VisitPost,
};
use crate::{
    limits::{
        ANSWER_POST_LEN_MAX, ANSWERS_MAX, BOOT_VERSION, DOCTOR_CHECKS_MAX, DOCTOR_POST_LEN_MAX, ERROR_MESSAGE_LEN_MAX, LOADED_ASSETS_MAX,
        MANIFEST_ASSETS_MAX, OFFERS_PER_LEECHER_MAX, OFFERS_PER_PEER_MAX, PATH_LEN_MAX, PERSONAL_POST_LEN_MAX, RECORD_PATHS_MAX,
        RECORD_POST_LEN_MAX, SHARE_PIECES_MAX, SIGNAL_LEN_MAX, SOURCES_MAX, STUN_PORTS_MAX, TIME_POST_LEN_MAX, VISIT_POST_LEN_MAX,
    },
    text::is_path,
};

/// Why bytes are not the signal expected. Always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Longer than this kind of message may be.
    #[error("message is {len} bytes, limit {max}")]
    TooLong {
        /// Bytes of the message.
        len: usize,
        /// Its limit.
        max: usize,
    },
    /// Not the JSON of this kind of message.
    #[error("malformed message: {detail}")]
    Json {
        /// What the parser found, and where.
        detail: String,
    },
    /// Well-formed, but this field is outside its limits.
    #[error("field {0} is outside its limits")]
    Limit(&'static str),
}

/// A message that comes as JSON from a remote.
pub trait Signal: Serialize + DeserializeOwned {
    /// Largest JSON text, in bytes.
    const LEN_MAX: usize;

    /// Names the first field outside its limits.
    fn check(&self) -> Result<(), &'static str>;
}

/// Reads one message.
pub fn decode<T: Signal>(bytes: &[u8]) -> Result<T, SignalError> {
    if bytes.len() > T::LEN_MAX {
        return Err(SignalError::TooLong { len: bytes.len(), max: T::LEN_MAX });
    }
    let signal: T = serde_json::from_slice(bytes).map_err(|error| SignalError::Json { detail: error.to_string() })?;
    signal.check().map_err(SignalError::Limit)?;
    Ok(signal)
}

/// Writes one message.
pub fn encode<T: Signal>(signal: &T) -> String {
    serde_json::to_string(signal).expect("signals are structs of strings and numbers, which always have a json form")
}

/// Writes one message so that it can stand inside a `<script type="application/json">`: no `<` remains.
pub fn encode_for_html<T: Signal>(signal: &T) -> String {
    encode(signal).replace('<', "\\u003c")
}

impl Signal for PeerToTracker {
    const LEN_MAX: usize = SIGNAL_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Register { page, .. } => check_path(page, "page"),
            Self::Offers { offers } => require((1..=OFFERS_PER_PEER_MAX).contains(&offers.len()), "offers"),
            Self::Loaded { page, assets } => check_used(page, assets),
            Self::Find { count, .. } => require((1..=OFFERS_PER_LEECHER_MAX).contains(&usize::from(*count)), "count"),
            Self::Answers { answers, .. } => check_answers(answers),
            Self::Counts(counts) => check_counts(counts),
            Self::Held { .. }
            | Self::Share { .. }
            | Self::Unshare {}
            | Self::Nat { .. }
            | Self::Closed { .. }
            | Self::Opened { .. }
            | Self::Report(_) => Ok(()),
        }
    }
}

impl Signal for TrackerToPeer {
    const LEN_MAX: usize = SIGNAL_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Manifest { page, .. } => check_path(page, "page"),
            Self::Used { page, assets } => check_used(page, assets),
            Self::Answer { push, beyond, .. } => check_push(push.as_ref()).and_then(|()| check_beyond(*beyond)),
            Self::Peers { offers } => check_offers(offers),
            Self::OffersWanted { count } => require(usize::from(*count) <= OFFERS_PER_PEER_MAX, "offers_wanted"),
            Self::Welcome { offers_wanted: count, stun, .. } => {
                require(usize::from(*count) <= OFFERS_PER_PEER_MAX, "offers_wanted")?;
                check_stun(stun)
            }
            Self::Error { message, .. } => require(message.len() <= ERROR_MESSAGE_LEN_MAX, "message"),
            Self::Share { pieces, .. } => require(pieces.len() <= SHARE_PIECES_MAX, "pieces"),
            Self::Dropped { .. } | Self::Limits { .. } | Self::Relayed { .. } => Ok(()),
        }
    }
}

impl Signal for AnswerPost {
    const LEN_MAX: usize = ANSWER_POST_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        check_answers(&self.answers)
    }
}

impl Signal for VisitPost {
    const LEN_MAX: usize = VISIT_POST_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        check_counts(&self.counts)?;
        require(self.faults.len() <= SOURCES_MAX, "faults")
    }
}

impl Signal for DoctorPost {
    const LEN_MAX: usize = DOCTOR_POST_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        require(self.bad.len() + self.limited.len() <= DOCTOR_CHECKS_MAX, "bad")
    }
}

impl Signal for RecordPost {
    const LEN_MAX: usize = RECORD_POST_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        require((1..=RECORD_PATHS_MAX).contains(&self.paths.len()), "paths")?;
        self.paths.iter().try_for_each(|path| check_path(path, "paths"))
    }
}

impl Signal for TimePost {
    const LEN_MAX: usize = TIME_POST_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

impl Signal for PersonalPost {
    const LEN_MAX: usize = PERSONAL_POST_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

impl Signal for ThinBoot {
    const LEN_MAX: usize = SIGNAL_LEN_MAX;

    fn check(&self) -> Result<(), &'static str> {
        require(self.version == BOOT_VERSION, "version")?;
        check_path(&self.page, "page")?;
        require(u64::from(self.critical) <= MANIFEST_ASSETS_MAX as u64, "critical")?;
        check_stun(&self.stun)?;
        check_offers(&self.offers)
    }
}

fn require(holds: bool, field: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(field) }
}

fn check_path(path: &str, field: &'static str) -> Result<(), &'static str> {
    require(is_path(path, PATH_LEN_MAX), field)
}

fn check_used(page: &str, assets: &[String]) -> Result<(), &'static str> {
    check_path(page, "page")?;
    require(assets.len() <= LOADED_ASSETS_MAX, "assets")?;
    assets.iter().try_for_each(|path| check_path(path, "assets"))
}

fn check_answers(answers: &[Answer]) -> Result<(), &'static str> {
    require((1..=ANSWERS_MAX).contains(&answers.len()), "answers")
}

fn check_offers(offers: &[Offer]) -> Result<(), &'static str> {
    require(offers.len() <= OFFERS_PER_LEECHER_MAX, "offers")?;
    offers.iter().try_for_each(|offer| check_push(offer.push.as_ref()).and_then(|()| check_beyond(offer.beyond)))
}

fn check_stun(ports: &[u16]) -> Result<(), &'static str> {
    require(ports.len() <= STUN_PORTS_MAX && !ports.contains(&0), "stun")
}

fn check_push(push: Option<&Push>) -> Result<(), &'static str> {
    require(push.is_none_or(|push| push.stripe < push.stripes), "push")
}

fn check_beyond(beyond: Option<Beyond>) -> Result<(), &'static str> {
    require(beyond.is_none_or(|beyond| beyond.stripes > 0), "beyond")
}

fn check_counts(counts: &Counts) -> Result<(), &'static str> {
    require(counts.sources.len() <= SOURCES_MAX, "sources")
}
