//! One transfer over WebRTC from this machine to itself.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use str0m::Input;
use str0m::net::{Protocol, Receive, Transmit};
use tokio::time::{sleep_until, timeout};
use viral_wire::frame::Encoding;
use viral_wire::signal::PeerNumber;
use viral_wire::{Digest, Frame};

use crate::link::{Link, LinkConfig, LinkEvent};
use crate::sockets::Sockets;

/// Longest that it may take.
const TRANSFER_WAIT: Duration = Duration::from_secs(5);

/// What is sent, in bytes: one piece of a large asset.
const BODY_LEN: usize = 64 * 1024;

/// One end: a connection and its socket.
struct End {
    link: Link,
    sockets: Sockets,
    transmits: VecDeque<Transmit>,
    is_open: bool,
    arrived: bool,
}

/// Connects to itself and sends one piece; how long that took, or what failed.
pub(super) async fn loop_back() -> Result<Duration, String> {
    match timeout(TRANSFER_WAIT, run()).await {
        Ok(took) => took,
        Err(_) => Err(format!("nothing arrived within {} s", TRANSFER_WAIT.as_secs())),
    }
}

async fn run() -> Result<Duration, String> {
    let began = Instant::now();
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let [(config, near), (other_config, far)] = [socket().await?, socket().await?];
    let (offering, offer) = Link::offering(&config, began, 1, 1).map_err(|error| said(&error))?;
    let (answering, answer) =
        Link::answering(&other_config, began, 1, (PeerNumber::from_bits(1), 1), &offer).map_err(|error| said(&error))?;
    let mut ends = [End::new(offering, near), End::new(answering, far)];
    ends[0].link.accept(began, PeerNumber::from_bits(2), &answer).map_err(|error| said(&error))?;
    let body = vec![0x76; BODY_LEN];
    let piece = Frame::Piece { id: Digest::of(&body).piece_id(), encoding: Encoding::Raw, body };
    let (mut is_sent, mut turn) = (false, 0);
    loop {
        let now = Instant::now();
        for end in &mut ends {
            end.turn(now)?;
        }
        if ends[1].arrived {
            return Ok(began.elapsed());
        }
        if ends[0].is_open && ends[1].is_open && !is_sent {
            is_sent = ends[0].link.send(&piece, 0);
        }
        if is_sent {
            turn += 1;
            ends[0].link.write_piece(now, turn);
            ends[0].turn(now)?;
        }
        let due = ends[0].link.due.min(ends[1].link.due).min(now + Duration::from_millis(50));
        tokio::select! {
            () = ends[0].sockets.readable() => {}
            () = ends[1].sockets.readable() => {}
            () = sleep_until(due.into()) => {}
        }
    }
}

async fn socket() -> Result<(LinkConfig, Sockets), String> {
    let sockets = Sockets::bind(&[IpAddr::V4(Ipv4Addr::LOCALHOST)], BODY_LEN).await.map_err(|error| error.to_string())?;
    let config = LinkConfig::new(&sockets.addresses()).map_err(|error| error.to_string())?;
    Ok((config, sockets))
}

impl End {
    fn new(link: Link, sockets: Sockets) -> Self {
        Self { link, sockets, transmits: VecDeque::new(), is_open: false, arrived: false }
    }

    /// Takes what came, and sends what is to be sent.
    fn turn(&mut self, now: Instant) -> Result<(), String> {
        let mut came: Vec<(SocketAddr, SocketAddr, Vec<u8>)> = Vec::new();
        self.sockets.receive(&mut [0; 2048], 64, |source, destination, bytes| {
            came.push((source, destination, bytes.to_vec()));
            true
        });
        for (source, destination, bytes) in &came {
            if let Ok(receive) = Receive::new(Protocol::Udp, *source, *destination, bytes) {
                self.link.handle_input(Input::Receive(now, receive)).map_err(|error| error.to_string())?;
            }
        }
        if self.link.due <= now {
            self.link.handle_input(Input::Timeout(now)).map_err(|error| error.to_string())?;
        }
        let (is_open, arrived) = (&mut self.is_open, &mut self.arrived);
        let drained = self.link.drain(now, &mut self.transmits, |event| match event {
            LinkEvent::Opened => *is_open = true,
            LinkEvent::Frame(Frame::Piece { .. }) => *arrived = true,
            LinkEvent::Frame(_) | LinkEvent::Malformed | LinkEvent::Low | LinkEvent::Path | LinkEvent::Closed => {}
        });
        drained.map_err(|error| error.to_string())?;
        while let Some(transmit) = self.transmits.pop_front() {
            self.sockets.send(transmit.source, transmit.destination, &transmit.contents);
        }
        Ok(())
    }
}
