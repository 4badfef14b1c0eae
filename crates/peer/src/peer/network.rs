//! The sockets of one peer and the connections behind them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use viral_swarm::client::reflexive::Reflexive;
use viral_wire::stun::{Transaction, decode_success, encode_request, is_success};

use super::{PeerConfig, PeerError};
use crate::limits::{DATAGRAM_LEN_MAX, DATAGRAMS_PER_TURN, LIMITED_BUFFER_LEN_MIN, LIMITED_BUFFER_MS, SOCKET_BUFFER_LEN};
use crate::links::Links;
use crate::sockets::{Sockets, own_addresses};
use crate::throttle::Throttle;

/// Datagrams in and out.
pub(super) struct Network {
    pub(super) sockets: Sockets,
    pub(super) links: Links,
    /// How the world sees the sockets.
    pub(super) reflexive: Reflexive,
    server: IpAddr,
    throttle: Throttle,
    buffer: Vec<u8>,
}

impl Network {
    /// Opens sockets on all addresses at which others may reach this peer, or on the one that it is told.
    pub(super) async fn open(config: &PeerConfig) -> Result<Self, PeerError> {
        let server = config.origin.address().await.to_canonical();
        let sockets = open_sockets(config, server).await?;
        let links = Links::new(&sockets.addresses()).map_err(|error| PeerError::Crypto(error.to_string()))?;
        let reflexive = Reflexive::new(rand::random());
        Ok(Self { sockets, links, reflexive, server, throttle: config.throttle.clone(), buffer: vec![0; DATAGRAM_LEN_MAX] })
    }

    /// The server says at these ports how it sees the sockets.
    pub(super) fn ask(&mut self, now_ms: u64, ports: &[u16]) {
        self.reflexive.handle_servers(now_ms, self.server, ports, &self.sockets.addresses());
        self.send_questions();
    }

    /// Sends what is to be asked now. What the system does not take is asked again.
    pub(super) fn send_questions(&mut self) {
        while let Some(question) = self.reflexive.poll() {
            self.sockets.send(question.from, question.to, &encode_request(&question.transaction));
        }
    }

    /// Until when the download limit allows to read nothing.
    pub(super) fn read_at(&self) -> Option<Instant> {
        self.throttle.due(Instant::now())
    }

    /// Reads what the sockets have, as far as the download limit allows.
    pub(super) fn receive(&mut self) {
        let (links, throttle, reflexive) = (&mut self.links, &self.throttle, &mut self.reflexive);
        let now = Instant::now();
        self.sockets.receive(&mut self.buffer, DATAGRAMS_PER_TURN, |source, destination, bytes| {
            let mapped = answer_to(reflexive, destination, source, bytes);
            match mapped {
                Some((transaction, mapped)) => _ = reflexive.handle_success(destination, source, transaction, mapped),
                None => links.handle_datagram(now, source, destination, bytes),
            }
            throttle.take(now, bytes.len()).is_none()
        });
    }

    /// Sends what waits until the system has no more room for it.
    pub(super) fn flush(&mut self) {
        self.links.flush(Instant::now());
        while let Some(transmit) = self.links.poll_transmit() {
            if !self.sockets.send(transmit.source, transmit.destination, &transmit.contents) {
                self.links.push_back(transmit);
                return;
            }
        }
    }
}

/// What the server says in answer to a question of ours; other datagrams, connections' own STUN among them, are none.
fn answer_to(reflexive: &Reflexive, socket: SocketAddr, from: SocketAddr, bytes: &[u8]) -> Option<(Transaction, SocketAddr)> {
    let awaited = reflexive.awaited(socket, from).filter(|_| is_success(bytes))?;
    decode_success(bytes, &awaited).ok().map(|mapped| (awaited, mapped))
}

async fn open_sockets(config: &PeerConfig, server: IpAddr) -> Result<Sockets, PeerError> {
    let refused = |cause| PeerError::Socket { bind: config.bind, cause };
    let receive_buffer_len = match config.down {
        Some(rate) => {
            usize::try_from(rate.0 * LIMITED_BUFFER_MS / 1_000).unwrap_or(usize::MAX).clamp(LIMITED_BUFFER_LEN_MIN, SOCKET_BUFFER_LEN)
        }
        None => SOCKET_BUFFER_LEN,
    };
    let addresses: Vec<IpAddr> = match config.bind {
        Some(bind) if !bind.is_unspecified() => vec![bind],
        Some(_) | None => own_addresses(server).map_err(refused)?,
    };
    if addresses.is_empty() {
        return Err(refused(io::Error::other("this machine has no address that others could reach")));
    }
    Sockets::bind(&addresses, receive_buffer_len).await.map_err(refused)
}
