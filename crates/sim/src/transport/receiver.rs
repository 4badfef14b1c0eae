//! The receiving end: what came, in which order it is handed out, and when it is acknowledged.

use std::collections::{BTreeSet, VecDeque};

use viral_netsim::link::Nanos;

use super::Protocol;

/// Which numbers came.
#[derive(Debug, Default)]
struct Came {
    /// All below this.
    whole: u32,
    /// Those beyond it.
    beyond: BTreeSet<u32>,
}

impl Came {
    /// One more came. False if it had come before.
    fn insert(&mut self, number: u32) -> bool {
        if number != self.whole {
            return number > self.whole && self.beyond.insert(number);
        }
        self.whole += 1;
        while self.beyond.first() == Some(&self.whole) {
            self.beyond.pop_first();
            self.whole += 1;
        }
        true
    }
}

/// The receiving end of one direction. Numbers of packets and places in a stream count from 0 and are never used twice.
#[derive(Debug, Default)]
pub struct Receiver {
    packets: Came,
    /// What came, in order of arrival, since the sender last read it.
    log: VecDeque<u32>,
    /// How many entries of the log were forgotten.
    log_start: u64,
    /// The places of each stream.
    streams: [Came; 2],
    /// Packets that came and were not acknowledged.
    unacknowledged: u32,
    /// When they are acknowledged at the latest.
    ack_at: Option<Nanos>,
}

impl Receiver {
    /// A packet came. Whether it is acknowledged at once; otherwise [`Self::ack_at`] may have changed.
    pub fn handle_packet(&mut self, now: Nanos, protocol: &Protocol, number: u32, stream: usize, place: u32) -> bool {
        if !self.packets.insert(number) {
            // Sent twice: whoever did so is told at once.
            return true;
        }
        self.log.push_back(number);
        self.streams[stream].insert(place);
        self.unacknowledged += 1;
        if !self.packets.beyond.is_empty() || self.unacknowledged >= 2 {
            return true;
        }
        self.ack_at = Some(now + protocol.ack_wait);
        false
    }

    /// All places of a stream below this came.
    #[must_use]
    pub fn in_order(&self, stream: usize) -> u32 {
        self.streams[stream].whole
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

    /// The next packet of which an acknowledgement tells and none before it told.
    pub fn read(&mut self, until: u64) -> Option<u32> {
        if self.log_start >= until {
            return None;
        }
        let number = self.log.pop_front()?;
        self.log_start += 1;
        Some(number)
    }
}
