//! Messages in packets over the lab's network: every packet passes the queues of all links on its way.

mod looks;

use std::collections::VecDeque;

use viral_netsim::fabric::Fabric;
use viral_netsim::link::Nanos;
use viral_netsim::packet::{Destination, Packet};
use viral_netsim::plan::Network;

use crate::carrier::{Carried, ConnId, Kind, NetEvent, Side};
use crate::clock::MS;
use crate::message::Payload;
use crate::slots::Slots;
use crate::timeline::Timeline;
use crate::transport::{Half, SCTP, TCP};
use looks::Looks;

/// Who sends which step of a handshake, and bytes of its packet. TCP: SYN and its answer.
const TCP_STEPS: &[(Side, u32)] = &[(Side::A, 60), (Side::B, 60)];

/// A check each way and their answers, the first DTLS flight, the other side's with its certificate, and the end of both: three round trips.
const CHANNEL_STEPS: &[(Side, u32)] = &[(Side::B, 128), (Side::A, 256), (Side::B, 256), (Side::A, 300), (Side::B, 1_180), (Side::A, 960)];

/// A SYN that nobody answered is sent again after this, doubled each time (RFC 6298 section 2).
const STEP_WAIT: Nanos = 1_000 * MS;

/// The same of ICE and DTLS, whose first timeouts are 250 and 1,000 ms.
const CHANNEL_STEP_WAIT: Nanos = 500 * MS;

/// Steps of one handshake that are sent again.
const STEPS_MAX: u32 = 7;

/// Bytes of a packet that ends a connection.
const CLOSE_LEN: u32 = 100;

/// An end that is gone without a word is noticed after this: str0m's ICE finds nobody at the other end.
pub(crate) const GONE_WAIT: Nanos = 10_000 * MS;

#[derive(Debug, Clone, Copy)]
enum Body {
    Data { side: Side, number: u32, stream: u8, place: u32 },
    Ack { side: Side, until: u64 },
    Step(u8),
    Close { from: Side },
}

/// What stands for a packet.
#[derive(Debug, Clone, Copy)]
struct Token {
    to: u32,
    len: u32,
    conn: ConnId,
    body: Body,
}

impl Packet for Token {
    fn wire_len(&self) -> usize {
        self.len as usize
    }

    fn destination(&self) -> Destination {
        Destination::Endpoint(self.to as usize)
    }
}

#[derive(Debug, Clone, Copy)]
enum Timer {
    Repeat(Side),
    Ack(Side),
    Step(u8),
    Gone(Side),
}

#[derive(Debug)]
struct Conn {
    kind: Kind,
    ends: [usize; 2],
    /// Steps of the handshake that came.
    step: u8,
    is_started: bool,
    /// Steps that were sent again.
    repeats: u32,
    is_open: [bool; 2],
    is_closed: [bool; 2],
    /// The directions away from A and away from B.
    halves: [Half; 2],
    /// When the timers of a direction are looked at, for repetition and acknowledgement.
    looks: [[Looks; 2]; 2],
}

/// The network in packets.
pub struct Packets {
    fabric: Fabric<Token>,
    conns: Slots<Conn>,
    timers: Timeline<(ConnId, Timer)>,
    /// Endpoints that say nothing any more.
    mute: Vec<bool>,
    events: VecDeque<NetEvent>,
}

impl Packets {
    /// An idle network.
    #[must_use]
    pub fn new(network: Network) -> Self {
        let mute = vec![false; network.endpoints.len()];
        Self { fabric: Fabric::new(network), conns: Slots::default(), timers: Timeline::default(), mute, events: VecDeque::new() }
    }

    /// A connection between two endpoints. One of TCP begins at once; a data channel with [`Self::start`].
    pub fn open(&mut self, now: Nanos, kind: Kind, a: usize, b: usize) -> ConnId {
        let protocol = if kind == Kind::Tcp { TCP } else { SCTP };
        let conn = Conn {
            kind,
            ends: [a, b],
            step: 0,
            is_started: false,
            repeats: 0,
            is_open: [false; 2],
            is_closed: [false; 2],
            halves: [Half::new(protocol), Half::new(protocol)],
            looks: Default::default(),
        };
        let id = self.conns.insert(conn);
        if kind == Kind::Tcp {
            self.send_step(now, id, 0);
        }
        id
    }

    /// The maker of an offer heard the answer: it begins the handshake.
    pub fn start(&mut self, now: Nanos, id: ConnId) {
        self.send_step(now, id, 0);
    }

    /// The endpoint at one end.
    #[must_use]
    pub fn end(&self, id: ConnId, side: Side) -> Option<usize> {
        self.conn(id).map(|conn| conn.ends[side.index()])
    }

    /// Sends a message of `len` bytes from one end.
    pub fn send(&mut self, now: Nanos, id: ConnId, side: Side, len: u32, payload: Payload) {
        let Some(conn) = self.conn_mut(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
        let stream = if conn.kind == Kind::Tcp { 0 } else { payload.channel() as usize };
        conn.halves[side.index()].write(stream, len, payload);
        if conn.is_open[side.index()] {
            self.transmit(now, id, side);
        }
    }

    /// Bytes of pieces that left one end and were not acknowledged.
    #[must_use]
    pub fn in_flight(&self, id: ConnId, side: Side) -> usize {
        self.conn(id).map_or(0, |conn| conn.halves[side.index()].in_flight(1))
    }

    /// One end closes; `tells`: the other hears of it.
    pub fn close(&mut self, now: Nanos, id: ConnId, side: Side, tells: bool) {
        let Some(conn) = self.conn_mut(id).filter(|conn| !conn.is_closed[side.index()]) else { return };
        conn.is_closed[side.index()] = true;
        let (from, to) = (conn.ends[side.index()], conn.ends[side.other().index()]);
        let is_known = conn.is_started;
        if conn.is_closed == [true; 2] {
            return self.forget(id);
        }
        if tells && is_known {
            self.put(now, from, Token { to: to as u32, len: CLOSE_LEN, conn: id, body: Body::Close { from: side } });
        }
        // Whoever was never heard of is found out by whoever waits.
        if is_known {
            self.timers.push(now + GONE_WAIT, (id, Timer::Gone(side.other())));
        }
    }

    /// From now on an endpoint answers no peer. Its kernel goes on to answer TCP.
    pub fn mute(&mut self, endpoint: usize) {
        self.mute[endpoint] = true;
    }

    /// When [`Self::poll`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        self.fabric.poll_timeout().into_iter().chain(self.timers.next_at()).min()
    }

    /// What happened until `now`.
    pub fn poll(&mut self, now: Nanos) -> Option<NetEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if let Some((id, timer)) = self.timers.pop_due(now) {
                self.handle_timer(now, id, timer);
            } else if let Some(delivery) = self.fabric.poll(now) {
                self.handle_packet(now, delivery.packet);
            } else {
                return None;
            }
        }
    }

    /// What was carried so far.
    #[must_use]
    pub fn carried(&self) -> Carried {
        let counts = self.fabric.counts();
        Carried {
            origin_up_bytes: self.fabric.origin_up_bytes(),
            gateway_down_bytes: self.fabric.gateway_down_bytes(),
            peer_bytes: counts.from_peers_bytes,
            count: counts.delivered,
            lost: counts.dropped_queue + counts.dropped_loss,
        }
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(id)
    }

    fn conn_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(id)
    }

    fn forget(&mut self, id: ConnId) {
        self.conns.remove(id);
    }

    fn put(&mut self, now: Nanos, from: usize, token: Token) {
        self.fabric.handle_packet(now, from, token);
    }

    fn steps(kind: Kind) -> &'static [(Side, u32)] {
        if kind == Kind::Tcp { TCP_STEPS } else { CHANNEL_STEPS }
    }

    fn send_step(&mut self, now: Nanos, id: ConnId, step: u8) {
        let Some(conn) = self.conn_mut(id) else { return };
        let Some((side, len)) = Self::steps(conn.kind).get(usize::from(step)).copied() else { return };
        if conn.is_closed[side.index()] || conn.repeats >= STEPS_MAX {
            return;
        }
        let wait = if conn.kind == Kind::Tcp { STEP_WAIT } else { CHANNEL_STEP_WAIT } << conn.repeats;
        conn.is_started = true;
        let (from, to) = (conn.ends[side.index()], conn.ends[side.other().index()]);
        self.put(now, from, Token { to: to as u32, len, conn: id, body: Body::Step(step) });
        self.timers.push(now + wait, (id, Timer::Step(step)));
    }

    fn handle_timer(&mut self, now: Nanos, id: ConnId, timer: Timer) {
        let Some(conn) = self.conn_mut(id) else { return };
        match timer {
            Timer::Step(step) => {
                if conn.step == step {
                    conn.repeats += 1;
                    self.send_step(now, id, step);
                }
            }
            Timer::Gone(side) => {
                if !conn.is_closed[side.index()] {
                    self.events.push_back(NetEvent::Closed { conn: id, side });
                }
            }
            Timer::Repeat(side) => {
                conn.looks[side.index()][0].handle_due();
                let is_silent = conn.is_closed[side.index()];
                let mute = self.mute[self.conn(id).map_or(0, |conn| conn.ends[side.index()])];
                let Some(conn) = self.conn_mut(id) else { return };
                if is_silent || (mute && conn.kind == Kind::DataChannel) {
                    return;
                }
                conn.halves[side.index()].handle_timeout(now);
                self.transmit(now, id, side);
            }
            Timer::Ack(side) => {
                conn.looks[side.index()][1].handle_due();
                let due = conn.halves[side.index()].receiver.ack_at();
                if due.is_some_and(|due| due <= now) {
                    self.acknowledge(now, id, side);
                } else {
                    self.watch(id, side);
                }
            }
        }
    }

    /// Sends what the window of a direction allows.
    fn transmit(&mut self, now: Nanos, id: ConnId, side: Side) {
        loop {
            let Some(conn) = self.conn_mut(id) else { return };
            let Some(packet) = conn.halves[side.index()].next(now) else { break };
            let (from, to) = (conn.ends[side.index()], conn.ends[side.other().index()]);
            let body = Body::Data { side, number: packet.number, stream: packet.stream, place: packet.place };
            self.put(now, from, Token { to: to as u32, len: packet.len, conn: id, body });
        }
        self.watch(id, side);
    }

    /// Sees that the timers of a direction are looked at when they are due.
    fn watch(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let half = &conn.halves[side.index()];
        let dues = [half.repeat_at(), half.receiver.ack_at()];
        let looks = conn.looks[side.index()].iter_mut();
        for ((look, due), timer) in looks.zip(dues).zip([Timer::Repeat(side), Timer::Ack(side)]) {
            if let Some(at) = due.filter(|at| look.plan(*at)) {
                self.timers.push(at, (id, timer));
            }
        }
    }

    /// The receiver of what `side` sends acknowledges it.
    fn acknowledge(&mut self, now: Nanos, id: ConnId, side: Side) {
        let Some(conn) = self.conn_mut(id) else { return };
        let half = &mut conn.halves[side.index()];
        let (until, len) = (half.receiver.acknowledge(), half.protocol().ack_len);
        let (from, to) = (conn.ends[side.other().index()], conn.ends[side.index()]);
        self.put(now, from, Token { to: to as u32, len, conn: id, body: Body::Ack { side, until } });
    }

    fn handle_packet(&mut self, now: Nanos, token: Token) {
        let is_mute = self.mute[token.to as usize];
        let id = token.conn;
        let Some(conn) = self.conn_mut(id).filter(|conn| !is_mute || conn.kind == Kind::Tcp) else { return };
        match token.body {
            Body::Step(step) => self.handle_step(now, id, step),
            Body::Data { side, number, stream, place } => {
                if conn.is_closed[side.other().index()] {
                    return;
                }
                let half = &mut conn.halves[side.index()];
                let protocol = *half.protocol();
                let at_once = half.receiver.handle_packet(now, &protocol, number, usize::from(stream), place);
                let arrived: Vec<Payload> = std::iter::from_fn(|| half.arrived()).collect();
                let message = |payload| NetEvent::Message { conn: id, side: side.other(), payload };
                self.events.extend(arrived.into_iter().map(message));
                if at_once {
                    self.acknowledge(now, id, side);
                } else {
                    self.watch(id, side);
                }
            }
            Body::Ack { side, until } => {
                if conn.is_closed[side.index()] {
                    return;
                }
                let half = &mut conn.halves[side.index()];
                let pieces = half.in_flight(1);
                if half.handle_ack(now, until) {
                    let is_less = half.in_flight(1) < pieces;
                    self.transmit(now, id, side);
                    if is_less {
                        self.events.push_back(NetEvent::Acknowledged { conn: id, side });
                    }
                }
            }
            Body::Close { from } => {
                if !conn.is_closed[from.other().index()] {
                    self.events.push_back(NetEvent::Closed { conn: id, side: from.other() });
                }
            }
        }
    }

    fn handle_step(&mut self, now: Nanos, id: ConnId, step: u8) {
        let Some(conn) = self.conn_mut(id) else { return };
        let steps = Self::steps(conn.kind);
        let Some((sender, _)) = steps.get(usize::from(step)) else { return };
        let side = sender.other();
        if conn.is_closed[side.index()] {
            return;
        }
        let is_new = step == conn.step;
        if is_new {
            conn.step += 1;
        }
        // Each end is open with the last step that it hears.
        if is_new && usize::from(step) + 2 >= steps.len() {
            conn.is_open[side.index()] = true;
            self.events.push_back(NetEvent::Opened { conn: id, side });
            self.transmit(now, id, side);
        }
        self.send_step(now, id, step + 1);
    }
}
