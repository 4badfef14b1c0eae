//! The sending end: messages become packets as far as the window allows, and what is lost is sent again.

use std::collections::VecDeque;

use viral_netsim::link::Nanos;

use super::{Protocol, Receiver};
use crate::clock::MS;
use crate::message::Payload;

/// The longest wait before a packet is sent again (RFC 9260 section 16: RTO.Max).
const REPEAT_MAX: Nanos = 60_000 * MS;

/// Packets that left later and came, until an earlier one counts as lost (RFC 5681 section 3.2).
const LATER_MAX: u64 = 3;

/// A packet to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number.
    pub number: u32,
    /// Its stream.
    pub stream: u8,
    /// Its place in the stream.
    pub place: u32,
    /// Bytes of the whole packet.
    pub len: u32,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    stream: u8,
    place: u32,
    len: u32,
    sent_at: Nanos,
    /// How many packets had left before.
    order: u64,
    is_repeated: bool,
    is_lost: bool,
    is_acknowledged: bool,
}

/// One direction of a connection, with both of its ends.
#[derive(Debug)]
pub struct Half {
    protocol: Protocol,
    /// Of each stream: bytes left of each message.
    queues: [VecDeque<(u32, Option<Payload>)>; 2],
    /// Of each stream: the place that ends each message on its way.
    ends: [VecDeque<(u32, Payload)>; 2],
    places: [u32; 2],
    flight: VecDeque<Sent>,
    /// Number of the first packet of `flight`.
    first: u32,
    /// Bytes that left and are neither acknowledged nor lost.
    outstanding: u64,
    /// Bytes of each stream that were handed over and are not acknowledged.
    unacknowledged: [usize; 2],
    lost: VecDeque<u32>,
    sent: u64,
    /// The latest packet that came, by the order in which they left.
    latest: u64,
    window: f64,
    threshold: f64,
    /// No further decrease for the loss of packets before this one.
    recovers_until: u32,
    round_trip: Option<(f64, f64)>,
    backoff: u32,
    repeat_at: Option<Nanos>,
    /// The other end of this direction.
    pub receiver: Receiver,
}

impl Half {
    /// Nothing was sent.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            queues: Default::default(),
            ends: Default::default(),
            places: [0; 2],
            flight: VecDeque::new(),
            first: 0,
            outstanding: 0,
            unacknowledged: [0; 2],
            lost: VecDeque::new(),
            sent: 0,
            latest: 0,
            window: protocol.window_start * f64::from(protocol.segment_len),
            threshold: f64::INFINITY,
            recovers_until: 0,
            round_trip: None,
            backoff: 0,
            repeat_at: None,
            receiver: Receiver::default(),
        }
    }

    /// How it is parametrised.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Takes a message of `len` bytes; [`Self::next`] gives its packets.
    pub fn write(&mut self, stream: usize, len: u32, payload: Payload) {
        let len = len.max(1);
        self.unacknowledged[stream] += len as usize;
        self.queues[stream].push_back((len, Some(payload)));
    }

    /// Bytes of a stream that were handed over and are not acknowledged.
    #[must_use]
    pub fn in_flight(&self, stream: usize) -> usize {
        self.unacknowledged[stream]
    }

    /// The next packet that may leave now.
    pub fn next(&mut self, now: Nanos) -> Option<Outgoing> {
        let has_room = self.outstanding == 0 || self.outstanding as f64 + f64::from(self.protocol.segment_len) <= self.window;
        if !has_room {
            return None;
        }
        while let Some(number) = self.lost.pop_front() {
            if let Some(outgoing) = self.repeat(now, number) {
                return Some(outgoing);
            }
        }
        let stream = self.queues.iter().position(|queue| !queue.is_empty())?;
        let len = self.fill(stream);
        let place = self.places[stream];
        self.places[stream] += 1;
        let number = self.first + self.flight.len() as u32;
        self.sent += 1;
        self.flight.push_back(Sent {
            stream: stream as u8,
            place,
            len,
            sent_at: now,
            order: self.sent,
            is_repeated: false,
            is_lost: false,
            is_acknowledged: false,
        });
        self.outstanding += u64::from(len);
        self.arm(now, false);
        Some(Outgoing { number, stream: stream as u8, place, len: len + self.protocol.header_len })
    }

    /// Takes as much of a stream's messages as one packet holds; its bytes.
    fn fill(&mut self, stream: usize) -> u32 {
        let mut len = 0;
        while len < self.protocol.segment_len {
            let Some((left, payload)) = self.queues[stream].front_mut() else { break };
            let taken = (*left).min(self.protocol.segment_len - len);
            len += taken;
            *left -= taken;
            if *left > 0 {
                break;
            }
            if let Some(payload) = payload.take() {
                self.ends[stream].push_back((self.places[stream], payload));
            }
            self.queues[stream].pop_front();
        }
        len
    }

    fn repeat(&mut self, now: Nanos, number: u32) -> Option<Outgoing> {
        let index = number.checked_sub(self.first)? as usize;
        let sent = self.flight.get_mut(index).filter(|sent| sent.is_lost && !sent.is_acknowledged)?;
        self.sent += 1;
        (sent.sent_at, sent.order, sent.is_lost, sent.is_repeated) = (now, self.sent, false, true);
        let outgoing = Outgoing { number, stream: sent.stream, place: sent.place, len: sent.len + self.protocol.header_len };
        self.outstanding += u64::from(sent.len);
        self.arm(now, false);
        Some(outgoing)
    }

    /// An acknowledgement came that tells of so much of the receiver's log. Whether anything is new.
    pub fn handle_ack(&mut self, now: Nanos, until: u64) -> bool {
        let was_full = self.outstanding as f64 + f64::from(self.protocol.segment_len) > self.window;
        let mut bytes = 0;
        while let Some(number) = self.receiver.read(until) {
            let Some(sent) = number.checked_sub(self.first).and_then(|index| self.flight.get_mut(index as usize)) else { continue };
            if std::mem::replace(&mut sent.is_acknowledged, true) {
                continue;
            }
            let sent = *sent;
            bytes += sent.len;
            self.latest = self.latest.max(sent.order);
            self.unacknowledged[usize::from(sent.stream)] -= sent.len as usize;
            if !sent.is_lost {
                self.outstanding -= u64::from(sent.len);
            }
            if !sent.is_repeated {
                self.measure((now - sent.sent_at) as f64);
            }
        }
        if bytes == 0 {
            return false;
        }
        self.backoff = 0;
        let first = self.first;
        while self.flight.front().is_some_and(|sent| sent.is_acknowledged) {
            self.flight.pop_front();
            self.first += 1;
        }
        if was_full && self.first >= self.recovers_until {
            self.grow(f64::from(bytes));
        }
        self.find_lost();
        // It goes on while the first packet is missing (RFC 6298 section 5, RFC 9260 section 6.3.2).
        self.arm(now, self.first > first);
        true
    }

    fn grow(&mut self, bytes: f64) {
        let segment = f64::from(self.protocol.segment_len);
        if self.window < self.threshold {
            self.window += bytes;
        } else {
            self.window += segment * bytes / self.window;
        }
    }

    fn measure(&mut self, took: f64) {
        self.round_trip = Some(match self.round_trip {
            None => (took, took / 2.0),
            Some((smooth, varies)) => (smooth * 0.875 + took * 0.125, varies * 0.75 + (smooth - took).abs() * 0.25),
        });
    }

    /// What left well before something that came is lost.
    fn find_lost(&mut self) {
        let mut is_any = None;
        for (index, sent) in self.flight.iter_mut().enumerate() {
            if sent.is_repeated {
                // That it was lost once more only a timeout tells.
                continue;
            }
            if sent.order + LATER_MAX > self.latest {
                break;
            }
            if sent.is_acknowledged || sent.is_lost {
                continue;
            }
            sent.is_lost = true;
            self.outstanding -= u64::from(sent.len);
            let number = self.first + index as u32;
            self.lost.push_back(number);
            is_any = Some(number);
        }
        if is_any.is_some_and(|number| number >= self.recovers_until) {
            self.recovers_until = self.first + self.flight.len() as u32;
            self.window = (self.window * self.protocol.decrease).max(2.0 * f64::from(self.protocol.segment_len));
            self.threshold = self.window;
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn repeat_at(&self) -> Option<Nanos> {
        self.repeat_at
    }

    /// Time passed: what is not acknowledged is sent again. Whether there is anything to send.
    pub fn handle_timeout(&mut self, now: Nanos) -> bool {
        if self.repeat_at.is_none_or(|at| at > now) {
            return false;
        }
        self.repeat_at = None;
        let segment = f64::from(self.protocol.segment_len);
        if self.backoff == 0 {
            self.threshold = (self.window * self.protocol.decrease).max(2.0 * segment);
        }
        self.window = segment;
        self.backoff += 1;
        // What is repeated now makes the window grow again.
        self.recovers_until = self.first;
        self.lost.clear();
        for (index, sent) in self.flight.iter_mut().enumerate().filter(|(_, sent)| !sent.is_acknowledged) {
            if !std::mem::replace(&mut sent.is_lost, true) {
                self.outstanding -= u64::from(sent.len);
            }
            self.lost.push_back(self.first + index as u32);
        }
        self.arm(now, true);
        true
    }

    /// Sets the timer for what is in flight; `restart`: something moved.
    fn arm(&mut self, now: Nanos, restart: bool) {
        if self.flight.is_empty() {
            self.repeat_at = None;
        } else if restart || self.repeat_at.is_none() {
            self.repeat_at = Some(now + self.wait());
        }
    }

    fn wait(&self) -> Nanos {
        let Some((smooth, varies)) = self.round_trip else { return (self.protocol.repeat_start << self.backoff.min(6)).min(REPEAT_MAX) };
        (((smooth + 4.0 * varies) as Nanos).max(self.protocol.repeat_min) << self.backoff.min(6)).min(REPEAT_MAX)
    }

    /// The next message that is whole at the receiver.
    pub fn arrived(&mut self) -> Option<Payload> {
        (0..2).find_map(|stream| {
            let until = self.receiver.in_order(stream);
            self.ends[stream].pop_front_if(|(place, _)| *place < until).map(|(_, payload)| payload)
        })
    }
}
