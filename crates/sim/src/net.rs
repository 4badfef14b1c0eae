//! Either network behind one face.

use viral_netsim::plan::Network;

use crate::carrier::{Carried, ConnId, Kind, NetEvent, Side};
use crate::clock::Nanos;
use crate::flows::Flows;
use crate::message::Payload;
use crate::packets::Packets;

/// How closely the network is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Every packet in every queue: for up to some thousand visitors.
    Packets,
    /// Transfers with equal shares of their lines: for up to a million.
    Flows,
}

/// A network.
pub enum Net {
    /// In packets.
    Packets(Box<Packets>),
    /// In flows.
    Flows(Box<Flows>),
}

macro_rules! either {
    ($net:expr, $inner:ident => $call:expr) => {
        match $net {
            Net::Packets($inner) => $call,
            Net::Flows($inner) => $call,
        }
    };
}

impl Net {
    /// An idle network.
    #[must_use]
    pub fn new(network: Network, fidelity: Fidelity) -> Self {
        match fidelity {
            Fidelity::Packets => Self::Packets(Box::new(Packets::new(network))),
            Fidelity::Flows => Self::Flows(Box::new(Flows::new(network))),
        }
    }

    /// See [`Packets::open`].
    pub fn open(&mut self, now: Nanos, kind: Kind, a: usize, b: usize) -> ConnId {
        either!(self, net => net.open(now, kind, a, b))
    }

    /// See [`Packets::start`].
    pub fn start(&mut self, now: Nanos, id: ConnId) {
        either!(self, net => net.start(now, id));
    }

    /// See [`Packets::end`].
    #[must_use]
    pub fn end(&self, id: ConnId, side: Side) -> Option<usize> {
        either!(self, net => net.end(id, side))
    }

    /// See [`Packets::send`].
    pub fn send(&mut self, now: Nanos, id: ConnId, side: Side, len: u32, payload: Payload) {
        either!(self, net => net.send(now, id, side, len, payload));
    }

    /// See [`Packets::in_flight`].
    #[must_use]
    pub fn in_flight(&self, id: ConnId, side: Side) -> usize {
        either!(self, net => net.in_flight(id, side))
    }

    /// See [`Packets::close`].
    pub fn close(&mut self, now: Nanos, id: ConnId, side: Side, tells: bool) {
        either!(self, net => net.close(now, id, side, tells));
    }

    /// See [`Packets::mute`].
    pub fn mute(&mut self, endpoint: usize) {
        either!(self, net => net.mute(endpoint));
    }

    /// See [`Packets::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Nanos> {
        either!(self, net => net.poll_timeout())
    }

    /// See [`Packets::poll`].
    pub fn poll(&mut self, now: Nanos) -> Option<NetEvent> {
        either!(self, net => net.poll(now))
    }

    /// See [`Packets::carried`].
    #[must_use]
    pub fn carried(&self) -> Carried {
        either!(self, net => net.carried())
    }
}
