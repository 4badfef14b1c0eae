//! What clients ask of a tracker, read without copying what is only passed on.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    fault::{Fault, FaultReason},
    id::Id,
    types::{Action, Event, is_object},
};
use crate::limits::{ANNOUNCE_LEN_MAX, ANNOUNCE_OFFERS_MAX, ANNOUNCE_SDP_LEN_MAX, SCRAPE_HASHES_MAX};

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// It is there, offers to connect, or answers an offer.
    Announce(Announce<'a>),
    /// How many are there of each of these, at most [`SCRAPE_HASHES_MAX`].
    Scrape(Vec<Id>),
}

/// A peer of a torrent says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce<'a> {
    /// The torrent.
    pub info_hash: Id,
    /// The peer.
    pub peer_id: Id,
    /// Why it says so.
    pub event: Event,
    /// Whether it has everything: `left` is 0. Nothing where it does not say.
    pub is_complete: Option<bool>,
    /// To how many others its offers are to go. Nothing where it does not say: to as many as there are offers.
    pub wanted: Option<usize>,
    /// At most [`ANNOUNCE_OFFERS_MAX`]; those after them were left out.
    pub offers: Vec<OfferIn<'a>>,
    /// Its answer to an offer.
    pub answer: Option<AnswerIn<'a>>,
}

/// A ready-made offer, for one other peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferIn<'a> {
    /// An object of JSON, as it came, of at most [`ANNOUNCE_SDP_LEN_MAX`] bytes.
    pub offer: &'a str,
    /// Its name among those of the peer.
    pub offer_id: Id,
}

/// An answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerIn<'a> {
    /// An object of JSON, as it came, of at most [`ANNOUNCE_SDP_LEN_MAX`] bytes.
    pub answer: &'a str,
    /// The offer.
    pub offer_id: Id,
    /// Whose it is.
    pub to_peer_id: Id,
}

/// Reads a message.
///
/// # Errors
/// When it is no request, or breaks a limit. The sender is told by [`Fault::reply`]; nothing speaks for closing its socket.
pub fn parse(text: &str) -> Result<Request<'_>, Fault<'_>> {
    if text.len() > ANNOUNCE_LEN_MAX {
        return Err(Fault::of(text, FaultReason::TooLong { len: text.len() }));
    }
    let read = serde_json::from_str::<Fields<'_>>(text).ok().filter(|_| is_object(text));
    let Some(read) = read else { return Err(Fault::find(text)) };
    match read.action {
        Action::Announce => announce(read).map(Request::Announce),
        Action::Scrape => scrape(read.info_hash).map(Request::Scrape),
    }
    .map_err(|reason| Fault::of(text, reason))
}

fn announce(read: Fields<'_>) -> Result<Announce<'_>, FaultReason> {
    let Fields { info_hash: Hashes { first: Some(info_hash), others, is_list: false }, peer_id, .. } = read else {
        return Err(FaultReason::InfoHash);
    };
    debug_assert!(others.is_empty(), "those of a list");
    let answer = match (read.answer, read.offer_id, read.to_peer_id) {
        (None, ..) => None,
        (Some(answer), Some(offer_id), Some(to_peer_id)) => {
            Some(AnswerIn { answer: relayed(answer.get(), FaultReason::Answer)?, offer_id, to_peer_id })
        }
        (Some(_), ..) => return Err(FaultReason::Answer),
    };
    let offers = read.offers.0;
    for offer in &offers {
        relayed(offer.offer, FaultReason::Offers)?;
    }
    Ok(Announce {
        info_hash,
        peer_id: peer_id.ok_or(FaultReason::PeerId)?,
        event: read.event.unwrap_or_default(),
        is_complete: read.left.0.map(|left| left == 0.0),
        wanted: read.numwant.0.filter(|wanted| *wanted >= 0.0).map(|wanted| wanted as usize),
        offers,
        answer,
    })
}

fn scrape(hashes: Hashes) -> Result<Vec<Id>, FaultReason> {
    match hashes {
        Hashes { others, .. } if others.len() >= SCRAPE_HASHES_MAX => Err(FaultReason::TooManyHashes),
        Hashes { first: None, .. } => Err(FaultReason::InfoHash),
        Hashes { first: Some(first), mut others, .. } => {
            others.insert(0, first);
            Ok(others)
        }
    }
}

/// What is passed on as it came: an object, which is all that other clients expect.
fn relayed(raw: &str, otherwise: FaultReason) -> Result<&str, FaultReason> {
    match raw.len() {
        _ if !raw.starts_with('{') => Err(otherwise),
        len if len > ANNOUNCE_SDP_LEN_MAX => Err(FaultReason::SdpTooLong),
        _ => Ok(raw),
    }
}

/// A message as it is written. What else it may have (`uploaded`, `downloaded`, `trackerid`) is nobody's concern here.
#[derive(Deserialize)]
struct Fields<'a> {
    action: Action,
    #[serde(default)]
    info_hash: Hashes,
    peer_id: Option<Id>,
    event: Option<Event>,
    #[serde(default)]
    left: Number,
    #[serde(default)]
    numwant: Number,
    #[serde(borrow, default)]
    offers: Offers<'a>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    offer_id: Option<Id>,
    to_peer_id: Option<Id>,
}

/// One info-hash, or a list of them.
#[derive(Default)]
struct Hashes {
    first: Option<Id>,
    /// Never more than the limit.
    others: Vec<Id>,
    is_list: bool,
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Hashes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an info-hash or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hashes, E> {
                let first = Id::of_characters(text).ok_or_else(|| E::custom("no info-hash"))?;
                Ok(Hashes { first: Some(first), ..Hashes::default() })
            }

            fn visit_unit<E: de::Error>(self) -> Result<Hashes, E> {
                Ok(Hashes::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hashes, A::Error> {
                let mut hashes = Hashes { first: list.next_element()?, is_list: true, ..Hashes::default() };
                while hashes.others.len() < SCRAPE_HASHES_MAX {
                    let Some(hash) = list.next_element()? else { return Ok(hashes) };
                    hashes.others.push(hash);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(hashes)
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// A number, whatever JavaScript made of it: `Infinity` and `NaN` are null in JSON.
#[derive(Default)]
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

/// The first offers; the others are skipped.
#[derive(Default)]
struct Offers<'a>(Vec<OfferIn<'a>>);

/// An offer as it is written.
#[derive(Deserialize)]
struct OfferFields<'a> {
    #[serde(borrow)]
    offer: &'a RawValue,
    offer_id: Id,
}

impl<'de: 'a, 'a> Deserialize<'de> for Offers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Offers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of offers")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Offers<'de>, E> {
                Ok(Offers::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Offers<'de>, A::Error> {
                let mut offers = Vec::new();
                while offers.len() < ANNOUNCE_OFFERS_MAX {
                    let Some(OfferFields { offer, offer_id }) = list.next_element()? else { return Ok(Offers(offers)) };
                    if offers.is_empty() {
                        offers.reserve_exact(ANNOUNCE_OFFERS_MAX);
                    }
                    offers.push(OfferIn { offer: offer.get(), offer_id });
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Offers(offers))
            }
        }
        deserializer.deserialize_any(List)
    }
}
