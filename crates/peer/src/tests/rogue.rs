//! A seeder that does not do what it should.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::time::sleep_until;
use viral_swarm::fetch::PeerKey;
use viral_wire::frame::Encoding;
use viral_wire::signal::{PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Digest, Frame, Manifest, PieceId};

use super::world::{Stayer, World};
use crate::link::LinkEvent;
use crate::links::Links;
use crate::origin::Origin;
use crate::sockets::Sockets;
use crate::throttle::Throttle;
use crate::tracker::{Tracker, TrackerEvent};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crime {
    /// Sends other bytes than the piece's.
    Forges,
    /// Sends another manifest than the one it names.
    ForgesManifest,
    /// Opens and never sends anything.
    IsSilent,
    /// Sends 10,000 `have` frames.
    Floods,
    /// Sends a piece that nobody asked for.
    SendsUnasked,
    /// Sends a piece whose body inflates to far too much.
    SendsBombs,
}

pub(super) struct Rogue {
    crime: Crime,
    links: Links,
    sockets: Sockets,
    tracker: Tracker,
    origin: Origin,
    manifest: Option<(Digest, Vec<u8>)>,
}

impl Rogue {
    /// A rogue that the tracker takes for a complete seeder.
    pub(super) async fn join(world: &World, crime: Crime) -> Stayer {
        let origin = Origin::new(&world.url("/"), None, Throttle::new(None)).unwrap();
        let sockets = Sockets::bind(&[[127, 0, 0, 1].into()], 1 << 20).unwrap();
        let links = Links::new(&sockets.addresses()).unwrap();
        let register = PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 8 };
        let tracker = Tracker::open(&origin, register);
        let rogue = Self { crime, links, sockets, tracker, origin, manifest: None };
        let stayer = Stayer(tokio::spawn(rogue.run()));
        world.until_seeders(1).await;
        stayer
    }

    async fn run(mut self) {
        let mut buffer = vec![0; 2_000];
        loop {
            let due = self.links.poll_timeout().unwrap_or_else(|| Instant::now() + std::time::Duration::from_secs(1));
            let mut signal = None;
            tokio::select! {
                () = self.sockets.readable() => {
                    let links = &mut self.links;
                    self.sockets.receive(&mut buffer, 64, |source: SocketAddr, destination, bytes| {
                        links.handle_datagram(Instant::now(), source, destination, bytes);
                        true
                    });
                }
                event = self.tracker.next() => signal = Some(event),
                () = sleep_until(due.into()) => self.links.handle_timeout(Instant::now()),
            }
            if let Some(TrackerEvent::Signal(signal)) = signal {
                self.handle_signal(*signal).await;
            }
            while let Some((key, event)) = self.links.poll_event() {
                match event {
                    LinkEvent::Opened => self.greet(key),
                    LinkEvent::Closed => self.links.close(Instant::now(), key, None),
                    LinkEvent::Frame(_) | LinkEvent::Malformed | LinkEvent::Low => {}
                }
            }
            self.links.flush(Instant::now());
            while let Some(transmit) = self.links.poll_transmit() {
                self.sockets.send(transmit.source, transmit.destination, &transmit.contents);
            }
        }
    }

    async fn handle_signal(&mut self, signal: TrackerToPeer) {
        match signal {
            TrackerToPeer::Manifest { manifest, .. } => {
                let blob = self.origin.manifest(&manifest).await.unwrap();
                let bytes = Manifest::decode(&blob).unwrap().bytes();
                self.manifest = Some((manifest, blob.to_vec()));
                self.tracker.send(PeerToTracker::Held { manifest, pieces: 1_000, bytes });
                self.make_offers(2);
            }
            TrackerToPeer::OffersWanted { count } => self.make_offers(count),
            TrackerToPeer::Answer { offer, peer, description, .. } => drop(self.links.accept(Instant::now(), offer, peer, &description)),
            TrackerToPeer::Welcome { .. }
            | TrackerToPeer::Peers { .. }
            | TrackerToPeer::Share { .. }
            | TrackerToPeer::Dropped { .. }
            | TrackerToPeer::Error { .. } => {}
        }
    }

    fn make_offers(&mut self, count: u8) {
        let offers = (0..count).map(|_| self.links.offer(Instant::now()).unwrap());
        let offers = offers.map(|(offer, description)| ReadyOffer { offer, description }).collect();
        self.tracker.send(PeerToTracker::Offers { offers });
    }

    fn greet(&mut self, key: PeerKey) {
        let now = Instant::now();
        if self.crime == Crime::IsSilent {
            return;
        }
        let Some((digest, blob)) = self.manifest.clone() else { return };
        self.links.send(now, key, &Frame::Hello { manifests: vec![digest] });
        // The plan promised this one.
        let first = Manifest::decode(&blob).unwrap().distinct_pieces()[0].id();
        let body = if self.crime == Crime::ForgesManifest { vec![7; blob.len()] } else { blob };
        let total = body.len() as u32;
        self.links.send(now, key, &Frame::ManifestPart { manifest: digest, offset: 0, total, body });
        match self.crime {
            Crime::Floods => {
                for n in 0..10_000_u32 {
                    let id = Digest::of(&n.to_be_bytes()).piece_id();
                    self.links.send(now, key, &Frame::Have { ids: vec![id] });
                }
            }
            Crime::SendsUnasked => self.give(key, Digest::of(b"nobody asked").piece_id(), Encoding::Raw, vec![1; 1_000]),
            Crime::Forges => self.give(key, first, Encoding::Raw, vec![66; 16 * 1024]),
            Crime::SendsBombs => {
                let (encoding, body) = crate::packing::pack(&vec![0; 8 << 20], true);
                self.give(key, first, encoding, body.to_vec());
            }
            Crime::ForgesManifest | Crime::IsSilent => {}
        }
    }

    fn give(&mut self, key: PeerKey, id: PieceId, encoding: Encoding, body: Vec<u8>) {
        self.links.send(Instant::now(), key, &Frame::Piece { id, encoding, body });
    }
}
