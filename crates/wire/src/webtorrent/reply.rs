//! What a tracker says, written straight into one string: `bittorrent-tracker` compares `info_hash` with its own and takes a message of another one for somebody else's.

use std::fmt::Write as _;

use super::{id::Id, types::Action};

/// How many peers a torrent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Those with everything.
    pub complete: u32,
    /// The others.
    pub incomplete: u32,
    /// How often one became complete here.
    pub downloaded: u32,
}

/// The reply to an announce. `interval_s`: seconds until the client is to announce again.
#[must_use]
pub fn announced(info_hash: &Id, interval_s: u32, counts: Counts) -> String {
    let mut out = begun(Action::Announce, 160);
    field(&mut out, "info_hash", info_hash);
    let Counts { complete, incomplete, .. } = counts;
    let _ = write!(out, ",\"interval\":{interval_s},\"complete\":{complete},\"incomplete\":{incomplete}}}");
    out
}

/// Passes an offer on: from a peer, and the raw JSON of the offer.
#[must_use]
pub fn offer(info_hash: &Id, from_peer_id: &Id, offer_id: &Id, raw: &str) -> String {
    passed_on("offer", info_hash, from_peer_id, offer_id, raw)
}

/// Passes an answer on to the peer that made the offer.
#[must_use]
pub fn answer(info_hash: &Id, from_peer_id: &Id, offer_id: &Id, raw: &str) -> String {
    passed_on("answer", info_hash, from_peer_id, offer_id, raw)
}

/// The reply to a scrape.
#[must_use]
pub fn scraped(files: impl IntoIterator<Item = (Id, Counts)>) -> String {
    let mut out = begun(Action::Scrape, 160);
    out.push_str(",\"files\":{");
    for (index, (info_hash, counts)) in files.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        info_hash.write(&mut out);
        let Counts { complete, incomplete, downloaded } = counts;
        let _ = write!(out, ":{{\"complete\":{complete},\"incomplete\":{incomplete},\"downloaded\":{downloaded}}}");
    }
    out.push_str("}}");
    out
}

/// Why nothing came of an announce. `reason` is text without characters that JSON escapes.
#[must_use]
pub fn failed(info_hash: &Id, reason: &str) -> String {
    let mut out = begun(Action::Announce, 160 + reason.len());
    field(&mut out, "info_hash", info_hash);
    end_with_reason(out, reason)
}

/// The same of a message whose `info_hash` is sent back as it came, a string in JSON, if it has one.
pub(super) fn failed_as_sent(action: Action, info_hash: Option<&str>, reason: &str) -> String {
    let mut out = begun(action, 160 + reason.len() + info_hash.map_or(0, str::len));
    if let Some(info_hash) = info_hash {
        let _ = write!(out, ",\"info_hash\":{info_hash}");
    }
    end_with_reason(out, reason)
}

fn end_with_reason(mut out: String, reason: &str) -> String {
    out.push_str(",\"failure reason\":");
    out.push_str(&serde_json::Value::from(reason).to_string());
    out.push('}');
    out
}

fn passed_on(what: &str, info_hash: &Id, from_peer_id: &Id, offer_id: &Id, raw: &str) -> String {
    let mut out = begun(Action::Announce, 192 + raw.len());
    field(&mut out, "info_hash", info_hash);
    field(&mut out, "peer_id", from_peer_id);
    field(&mut out, "offer_id", offer_id);
    out.push_str(",\"");
    out.push_str(what);
    out.push_str("\":");
    out.push_str(raw);
    out.push('}');
    out
}

fn begun(action: Action, capacity: usize) -> String {
    let mut out = String::with_capacity(capacity);
    out.push_str(match action {
        Action::Announce => "{\"action\":\"announce\"",
        Action::Scrape => "{\"action\":\"scrape\"",
    });
    out
}

fn field(out: &mut String, name: &str, id: &Id) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    id.write(out);
}
