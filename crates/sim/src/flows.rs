//! Messages as flows: each has an equal share of every line on its way, and of those the smallest is its rate.
//!
//! Cheaper than packets by orders of magnitude, and without their losses and queues. Small messages take their time on the way and nothing else.

mod shares;

use std::collections::VecDeque;

use viral_netsim::plan::{Network, ORIGIN};

use crate::carrier::{Carried, ConnId, Kind, NetEvent, Side};
use crate::clock::{MS, Nanos, SECOND_NS};
use crate::message::Payload;
use crate::slots::Slots;
use crate::timeline::Timeline;
use shares::{FlowId, Shares};

/// Bytes on the line for each byte of a message between peers: headers 7 %, acknowledgements and other small packets 7 %, what SCTP sends twice 4 % (docs/LAB.md).
const CHANNEL_FACTOR: f64 = 1.19;

/// The same of TCP: headers 3.6 %, and what is lost in a queue of 100 ms.
const TCP_FACTOR: f64 = 1.05;

/// A longer message is a flow. In bytes.
const FLOW_LEN_MIN: u32 = 4_096;

/// TCP's first window, in bytes: what a new connection sends in its first round trip.
const WINDOW_START: f64 = 14_480.0;

/// As in packets: an end that is gone without a word is noticed after this.
const GONE_WAIT: Nanos = 10_000 * MS;

#[derive(Debug)]
enum Due {
    Open(ConnId, Side),
    Begin(ConnId, Side),
    /// A flow may have ended.
    Flow(FlowId),
    Arrive(ConnId, Side, Payload),
    Acknowledged(ConnId, Side, u32),
    Gone(ConnId, Side),
}

#[derive(Debug, Default)]
struct Direction {
    waiting: VecDeque<(u32, Payload)>,
    flow: Option<FlowId>,
    /// A message that becomes a flow once the window has grown.
    is_beginning: bool,
    is_warm: bool,
    in_flight: usize,
    /// Nothing arrives before this: order is kept.
    arrives: Nanos,
}

#[derive(Debug)]
struct Conn {
    kind: Kind,
    ends: [usize; 2],
    is_open: [bool; 2],
    is_started: bool,
    is_closed: [bool; 2],
    directions: [Direction; 2],
}

/// The network in flows.
pub struct Flows {
    network: Network,
    shares: Shares,
    conns: Slots<Conn>,
    timeline: Timeline<Due>,
    mute: Vec<bool>,
    carried: Carried,
    events: VecDeque<NetEvent>,
}

impl Flows {
    /// An idle network.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self {
            shares: Shares::new(&network),
            conns: Slots::default(),
            timeline: Timeline::default(),
            mute: vec![false; network.endpoints.len()],
            carried: Carried::default(),
            events: VecDeque::new(),
            network,
        }
    }

    /// See [`Packets::open`](crate::packets::Packets::open).
    pub fn open(&mut self, now: Nanos, kind: Kind, a: usize, b: usize) -> ConnId {
        let conn =
            Conn { kind, ends: [a, b], is_open: [false; 2], is_started: false, is_closed: [false; 2], directions: Default::default() };
        let id = self.conns.insert(conn);
        if kind == Kind::Tcp {
            self.start(now, id);
        }
        id
    }

    /// See [`Packets::start`](crate::packets::Packets::start).
    pub fn start(&mut self, now: Nanos, id: ConnId) {
        let Some(conn) = self.conn_mut(id) else { return };
        conn.is_started = true;
        let (kind, [a, b]) = (conn.kind, conn.ends);
        if self.network.is_unreachable(a, b) || (kind == Kind::DataChannel && (self.mute[a] || self.mute[b])) {
            return;
        }
        let way = self.delay(a, b);
        // A round trip for TCP; for a data channel two and a half and three, as in packets.
        let (opens_a, opens_b) = if kind == Kind::Tcp { (2 * way, way) } else { (5 * way, 6 * way) };
        self.timeline.push(now + opens_a, Due::Open(id, Side::A));
        self.timeline.push(now + opens_b, Due::Open(id, Side::B));
    }

    /// The endpoint at one end.
    #[must_use]
    pub fn end(&self, id: ConnId, side: Side) -> Option<usize> {
        self.conn(id).map(|conn| conn.ends[side.index()])
    }

    /// See [`Packets::send`](crate::packets::Packets::send).
    pub fn send(&mut self, now: Nanos, id: ConnId, side: Side, len: u32, payload: Payload) {
        let Some(conn) = self.conn_mut(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
        let is_piece = conn.kind == Kind::DataChannel && payload.channel() as usize == 1;
        let direction = &mut conn.directions[side.index()];
        if is_piece {
            direction.in_flight += len as usize;
        }
        let is_alone = conn.kind == Kind::DataChannel && !is_piece;
        if is_alone && conn.is_open[side.index()] {
            return self.send_small(now, id, side, len, payload);
        }
        direction.waiting.push_back((len, payload));
        self.advance(now, id, side);
    }

    /// Bytes of pieces that left one end and were not acknowledged.
    #[must_use]
    pub fn in_flight(&self, id: ConnId, side: Side) -> usize {
        self.conn(id).map_or(0, |conn| conn.directions[side.index()].in_flight)
    }

    /// See [`Packets::close`](crate::packets::Packets::close).
    pub fn close(&mut self, now: Nanos, id: ConnId, side: Side, tells: bool) {
        let Some(conn) = self.conn_mut(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
        conn.is_closed[side.index()] = true;
        let (is_over, is_started, [a, b]) = (conn.is_closed == [true; 2], conn.is_started, conn.ends);
        let flows = conn.directions.each_mut().map(|direction| {
            direction.waiting.clear();
            direction.flow.take()
        });
        flows.into_iter().flatten().for_each(|flow| self.stop(now, flow));
        if is_over {
            self.conns.remove(id);
        } else if is_started {
            let reaches = tells && !self.network.is_unreachable(a, b);
            let after = if reaches { self.delay(a, b) } else { GONE_WAIT };
            self.timeline.push(now + after, Due::Gone(id, side.other()));
        }
    }

    /// See [`Packets::mute`](crate::packets::Packets::mute).
    pub fn mute(&mut self, endpoint: usize) {
        self.mute[endpoint] = true;
    }

    /// When [`Self::poll`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        self.timeline.next_at()
    }

    /// What happened until `now`.
    pub fn poll(&mut self, now: Nanos) -> Option<NetEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let due = self.timeline.pop_due(now)?;
            self.handle_due(now, due);
        }
    }

    /// What was carried so far.
    #[must_use]
    pub fn carried(&self) -> Carried {
        self.carried
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(id)
    }

    fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(id)
    }

    fn delay(&self, a: usize, b: usize) -> Nanos {
        let (from, to) = (&self.network.endpoints[a], &self.network.endpoints[b]);
        let own = from.delay_ns + to.delay_ns;
        if from.gateway.is_some() && from.gateway == to.gateway {
            return own;
        }
        let shared =
            |gateway: Option<usize>| gateway.and_then(|gateway| self.network.gateways.get(gateway)).map_or(0, |line| line.delay_ns);
        own + shared(from.gateway) + shared(to.gateway)
    }

    fn handle_due(&mut self, now: Nanos, due: Due) {
        match due {
            Due::Open(id, side) => {
                let Some(conn) = self.conn_mut(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
                conn.is_open[side.index()] = true;
                self.events.push_back(NetEvent::Opened { conn: id, side });
                self.advance(now, id, side);
            }
            Due::Begin(id, side) => {
                let Some(conn) = self.conn_mut(id) else { return };
                conn.directions[side.index()].is_beginning = false;
                conn.directions[side.index()].is_warm = true;
                self.advance(now, id, side);
            }
            Due::Flow(flow) => self.handle_flow(now, flow),
            Due::Arrive(id, side, payload) => {
                let is_mute = self.end(id, side).is_some_and(|end| self.mute[end]);
                let Some(conn) = self.conn(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
                if !is_mute || conn.kind == Kind::Tcp {
                    self.events.push_back(NetEvent::Message { conn: id, side, payload });
                }
            }
            Due::Acknowledged(id, side, len) => {
                let is_mute = self.end(id, side.other()).is_some_and(|end| self.mute[end]);
                let Some(conn) = self.conn_mut(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
                if !is_mute {
                    let direction = &mut conn.directions[side.index()];
                    direction.in_flight = direction.in_flight.saturating_sub(len as usize);
                    self.events.push_back(NetEvent::Acknowledged { conn: id, side });
                }
            }
            Due::Gone(id, side) => {
                if self.conn(id).is_some_and(|conn| !conn.is_closed[side.index()]) {
                    self.events.push_back(NetEvent::Closed { conn: id, side });
                }
            }
        }
    }

    /// Begins the next message of a direction, if none is on its way.
    fn advance(&mut self, now: Nanos, id: ConnId, side: Side) {
        loop {
            let Some(conn) = self.conn_mut(id).filter(|conn| conn.is_open[side.index()]) else { return };
            let (from, to) = (conn.ends[side.index()], conn.ends[side.other().index()]);
            let kind = conn.kind;
            let direction = &mut conn.directions[side.index()];
            if direction.flow.is_some() || direction.is_beginning {
                return;
            }
            let Some((len, _)) = direction.waiting.front() else { return };
            let len = *len;
            if len < FLOW_LEN_MIN {
                let Some((len, payload)) = direction.waiting.pop_front() else { return };
                self.send_small(now, id, side, len, payload);
                continue;
            }
            let is_warm = direction.is_warm;
            direction.is_beginning = !is_warm;
            if !is_warm {
                // The window doubles each round trip until the line is full: what that takes longer than the line at once.
                let way = self.delay(from, to);
                let full = f64::from(len).min(self.shares.line_rate(from, to) * 2.0 * way as f64 / SECOND_NS as f64);
                let rounds = (full / WINDOW_START).max(1.0).log2().ceil();
                self.timeline.push(now + (rounds * 2.0 * way as f64) as Nanos, Due::Begin(id, side));
                return;
            }
            let factor = if kind == Kind::Tcp { TCP_FACTOR } else { CHANNEL_FACTOR };
            let flow = self.shares.start(now, from, to, f64::from(len) * factor, (id, side));
            let Some(conn) = self.conn_mut(id) else { return };
            conn.directions[side.index()].flow = Some(flow);
            self.schedule();
            return;
        }
    }

    /// Lines were shared anew: some flows end sooner than was known.
    fn schedule(&mut self) {
        while let Some((at, flow)) = self.shares.poll_sooner() {
            self.timeline.push(at, Due::Flow(flow));
        }
    }

    fn handle_flow(&mut self, now: Nanos, flow: FlowId) {
        let Some((id, side)) = self.shares.ended(now, flow) else { return self.schedule() };
        self.stop(now, flow);
        let Some(conn) = self.conn_mut(id) else { return };
        let direction = &mut conn.directions[side.index()];
        direction.flow = None;
        if let Some((len, payload)) = direction.waiting.pop_front() {
            self.deliver(now, id, side, len, payload, 0);
        }
        self.advance(now, id, side);
    }

    fn stop(&mut self, now: Nanos, flow: FlowId) {
        if let Some((from, to, bytes)) = self.shares.stop(now, flow) {
            self.count(from, to, bytes);
        }
        self.schedule();
    }

    fn count(&mut self, from: usize, to: usize, bytes: f64) {
        let bytes = bytes as u64;
        self.carried.count += 1;
        if from == ORIGIN {
            self.carried.origin_up_bytes += bytes;
        } else if to != ORIGIN {
            self.carried.peer_bytes += bytes;
        }
        let (from, to) = (self.network.endpoints[from].gateway, self.network.endpoints[to].gateway);
        if to.is_some() && from != to {
            self.carried.gateway_down_bytes += bytes;
        }
    }

    fn send_small(&mut self, now: Nanos, id: ConnId, side: Side, len: u32, payload: Payload) {
        let Some(conn) = self.conn(id) else { return };
        let (from, to) = (conn.ends[side.index()], conn.ends[side.other().index()]);
        let takes = f64::from(len) / self.shares.line_rate(from, to) * SECOND_NS as f64;
        self.count(from, to, f64::from(len + 60));
        self.deliver(now, id, side, len, payload, takes as Nanos);
    }

    fn deliver(&mut self, now: Nanos, id: ConnId, side: Side, len: u32, payload: Payload, takes: Nanos) {
        let Some(conn) = self.conn(id) else { return };
        let way = self.delay(conn.ends[0], conn.ends[1]);
        let is_piece = conn.kind == Kind::DataChannel && payload.channel() as usize == 1;
        let Some(conn) = self.conn_mut(id) else { return };
        let direction = &mut conn.directions[side.index()];
        let mut at = now + way + takes;
        if conn.kind == Kind::Tcp || is_piece {
            at = at.max(direction.arrives);
            direction.arrives = at;
        }
        self.timeline.push(at, Due::Arrive(id, side.other(), payload));
        if is_piece {
            self.timeline.push(at + way, Due::Acknowledged(id, side, len));
        }
    }
}
