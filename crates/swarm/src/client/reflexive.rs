//! How the world sees the sockets of one visitor: asks the server by STUN, keeps a NAT from forgetting, and tells what kind it is.
//!
//! Drive it: call [`handle_servers`](Reflexive::handle_servers) once the server's ports are known, send what [`poll`](Reflexive::poll) gives, and give back what comes. Time is in
//! milliseconds and never decreases.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use viral_wire::limits::STUN_PORTS_MAX;
use viral_wire::signal::NatKind;
use viral_wire::stun::Transaction;

use crate::limits::{STUN_AGAIN_MS, STUN_KEEP_MS, STUN_TRIES_MAX, STUN_WAIT_MS};
use crate::random::Random;

/// A question to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StunQuestion {
    /// From this socket.
    pub from: SocketAddr,
    /// To this port of the server.
    pub to: SocketAddr,
    /// As a Binding request with this transaction.
    pub transaction: Transaction,
}

/// Asks for all sockets of one visitor.
#[derive(Debug)]
pub struct Reflexive {
    random: Random,
    servers: Vec<SocketAddr>,
    sockets: Vec<Socket>,
    /// Until when it is worth waiting for a first answer.
    waits_until_ms: u64,
    out: VecDeque<StunQuestion>,
}

/// What is known of one socket.
#[derive(Debug)]
struct Socket {
    address: SocketAddr,
    /// What each port of the server said last.
    mapped: [Option<SocketAddr>; STUN_PORTS_MAX],
    /// The questions of this round, those that have no answer yet.
    asked: [Option<Transaction>; STUN_PORTS_MAX],
    tries: u32,
    asked_ms: u64,
    due_ms: u64,
    /// Rounds in a row in which two ports said two things.
    differed: u32,
}

impl Reflexive {
    /// Asks nobody yet. Transactions are drawn from `seed`, which nobody else must know.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), servers: Vec::new(), sockets: Vec::new(), waits_until_ms: 0, out: VecDeque::new() }
    }

    /// The server answers at these ports; `sockets` of its family ask there from now on. The same ports again change nothing, none end it.
    pub fn handle_servers(&mut self, now_ms: u64, server: IpAddr, ports: &[u16], sockets: &[SocketAddr]) {
        let servers: Vec<SocketAddr> = ports.iter().take(STUN_PORTS_MAX).map(|port| SocketAddr::new(server, *port)).collect();
        if servers == self.servers {
            return;
        }
        let of_family = sockets.iter().filter(|socket| socket.is_ipv4() == server.is_ipv4() && !socket.ip().is_loopback());
        let fresh = |address: &SocketAddr| Socket {
            address: *address,
            mapped: [None; STUN_PORTS_MAX],
            asked: [None; STUN_PORTS_MAX],
            tries: 0,
            asked_ms: now_ms,
            due_ms: now_ms,
            differed: 0,
        };
        self.sockets = if servers.is_empty() { Vec::new() } else { of_family.map(fresh).collect() };
        self.servers = servers;
        self.waits_until_ms = now_ms + STUN_WAIT_MS;
        self.handle_timeout(now_ms);
    }

    /// The server answered. False if nobody asked that: it is none of ours.
    pub fn handle_success(&mut self, socket: SocketAddr, server: SocketAddr, transaction: Transaction, mapped: SocketAddr) -> bool {
        let Some(port) = self.servers.iter().position(|known| *known == server) else { return false };
        let Some(socket) = self.sockets.iter_mut().find(|known| known.address == socket) else { return false };
        if socket.asked[port] != Some(transaction) {
            return false;
        }
        socket.asked[port] = None;
        socket.mapped[port] = Some(SocketAddr::new(mapped.ip().to_canonical(), mapped.port()));
        if socket.asked == [None; STUN_PORTS_MAX] {
            let differs = matches!(socket.mapped, [Some(one), Some(other)] if one != other);
            socket.differed = if differs { socket.differed.saturating_add(1) } else { 0 };
            socket.due_ms = socket.asked_ms + STUN_KEEP_MS;
        }
        true
    }

    /// The transaction that a socket waits for from a port of the server, to tell its answers from other datagrams.
    #[must_use]
    pub fn awaited(&self, socket: SocketAddr, server: SocketAddr) -> Option<Transaction> {
        let port = self.servers.iter().position(|known| *known == server)?;
        self.sockets.iter().find(|known| known.address == socket)?.asked[port]
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        for socket in self.sockets.iter_mut().filter(|socket| socket.due_ms <= now_ms) {
            let is_new = socket.asked == [None; STUN_PORTS_MAX] || socket.tries >= STUN_TRIES_MAX;
            if is_new {
                socket.tries = 0;
                for (asked, _) in socket.asked.iter_mut().zip(&self.servers) {
                    *asked = Some(transaction(&mut self.random));
                }
            }
            socket.tries += 1;
            // Whoever does not answer is asked again as late as if it had.
            let pause_ms = if socket.tries >= STUN_TRIES_MAX { STUN_KEEP_MS } else { STUN_AGAIN_MS << (socket.tries - 1) };
            socket.asked_ms = now_ms;
            socket.due_ms = now_ms + pause_ms;
            for (asked, to) in socket.asked.iter().zip(&self.servers) {
                self.out.extend(asked.map(|transaction| StunQuestion { from: socket.address, to: *to, transaction }));
            }
        }
    }

    /// When to call [`Self::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.sockets.iter().map(|socket| socket.due_ms).min()
    }

    /// The next question to send.
    pub fn poll(&mut self) -> Option<StunQuestion> {
        self.out.pop_front()
    }

    /// Until when a first answer is worth waiting for, in milliseconds; `None` if there is nothing to wait for.
    #[must_use]
    pub fn waits_until(&self, now_ms: u64) -> Option<u64> {
        let is_waiting = self.waits_until_ms > now_ms && self.sockets.iter().any(|socket| socket.mapped[0].is_none());
        is_waiting.then_some(self.waits_until_ms)
    }

    /// Each socket that the world sees otherwise than this machine does, and how.
    #[must_use]
    pub fn mapped(&self) -> Vec<(SocketAddr, SocketAddr)> {
        let mapped = |socket: &Socket| Some((socket.address, socket.mapped[0].filter(|mapped| *mapped != socket.address)?));
        self.sockets.iter().filter_map(mapped).collect()
    }

    /// What this visitor is behind, once two ports of the server told; one round alone may have met somebody else's port.
    #[must_use]
    pub fn nat(&self) -> Option<NatKind> {
        let kind = |socket: &Socket| match socket.mapped {
            [Some(one), Some(other)] if one != other => (socket.differed > 1).then_some(NatKind::Symmetric),
            [Some(one), Some(_)] if one == socket.address => Some(NatKind::Open),
            [Some(_), Some(_)] => Some(NatKind::PortRestricted),
            _ => None,
        };
        // The way to the server is that of the first socket which has one; the others are of other networks.
        self.sockets.iter().find_map(kind)
    }
}

fn transaction(random: &mut Random) -> Transaction {
    let (one, other) = (random.next_u64().to_be_bytes(), random.next_u64().to_be_bytes());
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&one);
    bytes[8..].copy_from_slice(&other[..4]);
    bytes
}
