//! The receiving end: what came, in which order it is handed out, and when it is acknowledged.

use std::collections::{BTreeSet, VecDeque};

use viral_netsim::link::Nanos;

use super::Protocol;

/// The receiving end of one direction. Numbers of packets and places in a stream count from 0 and are never used twice.
#[derive(Debug, Default)]
pub struct Receiver {
    /// All packets below this came.
    whole: u32,
    /// Those beyond it that came.
    beyond: BTreeSet<u32>,
    /// What came, in order of arrival, since the sender last read it.
    log: VecDeque<u32>,
    /// How many entries of the log were forgotten.
    log_start: u64,
    /// Of each stream: all places below this came, and those beyond it that did.
    streams: [(u32, BTreeSet<u32>); 2],
    /// Packets that came and were not acknowledged.
    unacknowledged: u32,
    /// When they are acknowledged at the latest.
    ack_at: Option<Nanos>,
}

impl Receiver {
    /// A packet came. Whether it is acknowledged at once; otherwise [`Self::ack_at`] may have changed.
    pub fn handle_packet(&mut self, now: Nanos, protocol: &Protocol, number: u32, stream: usize, place: u32) -> bool {
        if number < self.whole || !self.beyond.insert(number) {
            // Sent twice: whoever did so is told at once.
            return true;
        }
        while self.beyond.remove(&self.whole) {
            self.whole += 1;
        }
        self.log.push_back(number);
        let (next, ahead) = &mut self.streams[stream];
        ahead.insert(place);
        while ahead.remove(next) {
            *next += 1;
        }
        self.unacknowledged += 1;
        if !self.beyond.is_empty() || self.unacknowledged >= 2 {
            return true;
        }
        self.ack_at = Some(now + protocol.ack_wait);
        false
    }

    /// All places of a stream below this came.
    #[must_use]
    pub fn in_order(&self, stream: usize) -> u32 {
        self.streams[stream].0
    }

    /// When an acknowledgement is due.
    #[must_use]
    pub fn ack_at(&self) -> Option<Nanos> {
        self.ack_at
    }

    /// An acknowledgement leaves: it tells of everything that came until now, which is so many entries of the log.
    pub fn acknowledge(&mut self) -> u64 {
        self.unacknowledged = 0;
        self.ack_at = None;
        self.log_start + self.log.len() as u64
    }

    /// What an acknowledgement tells that none before it told.
    pub fn read(&mut self, until: u64) -> impl Iterator<Item = u32> + '_ {
        let count = usize::try_from(until.saturating_sub(self.log_start)).unwrap_or(0).min(self.log.len());
        self.log_start += count as u64;
        self.log.drain(..count)
    }
}
