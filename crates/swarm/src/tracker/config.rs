//! What the operator may set about the tracker, and its defaults.

use crate::{
    limits::{
        FORGED_REPORTS_MIN, MESSAGE_BURST_MAX, MESSAGES_PER_S, OFFER_AGE_MAX_MS, OFFERS_WANTED, OPEN_WAIT_MS, PUSH_BYTES_MAX,
        RANDOM_SHARE_PERMILLE, RESERVE_MS, SESSIONS_MAX, SLOTS_MAX, SOLE_REPORTER_DROPS_MAX, TICKET_AGE_MAX_MS, TICKETS_MAX,
        UP_BYTES_PER_S,
    },
    locality::Ladder,
};

/// Settings of a [`Tracker`](super::Tracker).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackerConfig {
    /// On which tiers visitors may be introduced to each other.
    pub ladder: Ladder,
    /// Sessions at once; the newest beyond is refused.
    pub sessions_max: usize,
    /// Thin visits remembered at once; beyond, no visitor is offered peers.
    pub tickets_max: usize,
    /// How long a thin visit is remembered after its last sign of life, in milliseconds.
    pub ticket_age_max_ms: u64,
    /// How long an offer waits for the leecher to whom it was given, in milliseconds.
    pub reserve_ms: u64,
    /// Age at which an unanswered offer is thrown away and a new one asked for, in milliseconds.
    pub offer_age_max_ms: u64,
    /// How long an answered offer may take to open, in milliseconds.
    pub open_wait_ms: u64,
    /// Ready-made offers each seeder is asked to keep.
    pub offers_wanted: u8,
    /// Leechers one seeder serves at a time; it may want fewer.
    pub slots_max: u8,
    /// Upload rate asked of each seeder, in bytes per second; 0 is no cap.
    pub up_bytes_per_s: u32,
    /// Upload asked of each visitor in a day of its visit, in bytes; 0 is no cap. Whoever gave so much is introduced to nobody until the next.
    pub up_bytes_per_day: u64,
    /// Bytes one seeder pushes unasked at its own `open`.
    pub push_bytes_max: u32,
    /// Share of picks that are random among equally near peers, in permille, so that swarms stay connected.
    pub random_share_permille: u16,
    /// Networks whose visitors report forged pieces at which a peer is dropped; among neighbours so many visitors.
    pub forged_reports_min: usize,
    /// Peers that one network may have dropped as their sole reporter, all of its own, in ten minutes.
    pub sole_reporter_drops_max: u32,
    /// Messages a peer may send at once.
    pub message_burst_max: u32,
    /// Messages a peer may send over time, per second.
    pub messages_per_s: u32,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            ladder: Ladder::default(),
            sessions_max: SESSIONS_MAX,
            tickets_max: TICKETS_MAX,
            ticket_age_max_ms: TICKET_AGE_MAX_MS,
            reserve_ms: RESERVE_MS,
            offer_age_max_ms: OFFER_AGE_MAX_MS,
            open_wait_ms: OPEN_WAIT_MS,
            offers_wanted: OFFERS_WANTED,
            slots_max: SLOTS_MAX,
            up_bytes_per_s: UP_BYTES_PER_S,
            up_bytes_per_day: 0,
            push_bytes_max: PUSH_BYTES_MAX,
            random_share_permille: RANDOM_SHARE_PERMILLE,
            forged_reports_min: FORGED_REPORTS_MIN,
            sole_reporter_drops_max: SOLE_REPORTER_DROPS_MAX,
            message_burst_max: MESSAGE_BURST_MAX,
            messages_per_s: MESSAGES_PER_S,
        }
    }
}
