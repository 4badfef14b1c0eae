//! Packets on their way, by when they arrive at their next stage.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::link::Nanos;

/// Where on its way a packet is about to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    GatewayUp,
    Middle,
    GatewayDown,
    Down,
    Arrived,
}

/// When a packet arrives. The packet stands apart, so that little is moved to keep the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival {
    pub(super) at: Nanos,
    /// Order of entry: packets due at the same time stay in order.
    number: u64,
    pub(super) stage: Stage,
    /// Place of its [`Flight`].
    slot: u32,
}

/// A packet and its ends.
#[derive(Debug)]
pub(super) struct Flight<P> {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) packet: P,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Flights<P> {
    arrivals: BinaryHeap<Reverse<Arrival>>,
    /// None: the place is free.
    flights: Vec<Option<Flight<P>>>,
    free: Vec<u32>,
    entered: u64,
}

impl<P> Flights<P> {
    pub(super) fn new() -> Self {
        Self { arrivals: BinaryHeap::new(), flights: Vec::new(), free: Vec::new(), entered: 0 }
    }

    /// When the first arrives.
    pub(super) fn next_at(&self) -> Option<Nanos> {
        self.arrivals.peek().map(|Reverse(arrival)| arrival.at)
    }

    /// One more, behind all that are due at the same time.
    pub(super) fn push(&mut self, at: Nanos, stage: Stage, flight: Flight<P>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flights.push(None);
            u32::try_from(self.flights.len() - 1).expect("no network holds so many packets")
        });
        self.flights[slot as usize] = Some(flight);
        self.entered += 1;
        self.arrivals.push(Reverse(Arrival { at, number: self.entered, stage, slot }));
    }

    /// The first, if it has arrived.
    pub(super) fn first_due(&self, now: Nanos) -> Option<(Arrival, &Flight<P>)> {
        let Reverse(arrival) = self.arrivals.peek().filter(|Reverse(arrival)| arrival.at <= now)?;
        self.flights[arrival.slot as usize].as_ref().map(|flight| (*arrival, flight))
    }

    /// The first goes on to a stage where it arrives then.
    pub(super) fn go_on(&mut self, at: Nanos, stage: Stage) {
        if let Some(mut first) = self.arrivals.peek_mut() {
            (first.0.at, first.0.stage) = (at, stage);
        }
    }

    /// Takes out the first.
    pub(super) fn pop(&mut self) -> Option<Flight<P>> {
        let Reverse(arrival) = self.arrivals.pop()?;
        self.free.push(arrival.slot);
        self.flights[arrival.slot as usize].take()
    }
}
