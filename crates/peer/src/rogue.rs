//! A peer on the real wire that does not do what it should: for the tests of this crate, and for the lab's hostile crowd.
//!
//! Only with the feature `rogue`; the product is built without it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use url::Url;
use viral_swarm::client::config::FIND_MS_MAX;
use viral_swarm::client::peers::Introduction;
use viral_swarm::fetch::PeerKey;
use viral_wire::frame::Encoding;
use viral_wire::limits::{MANIFEST_PART_LEN_MAX, WANT_IDS_MAX};
use viral_wire::push::planned;
use viral_wire::signal::{Answer, Offer, PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Digest, Frame, Manifest, Piece, PieceId};

use crate::get::GetError;
use crate::limits::{DATAGRAM_LEN_MAX, DATAGRAMS_PER_TURN, SOCKET_BUFFER_LEN, VISITOR_SLOTS};
use crate::link::LinkEvent;
use crate::links::Links;
use crate::origin::Origin;
use crate::peer::PeerError;
use crate::sockets::{Sockets, own_addresses};
use crate::throttle::Throttle;
use crate::tracker_client::{TrackerClient, TrackerEvent};

/// Length of a forged piece that no manifest names, in bytes: the average of small assets.
const UNKNOWN_PIECE_LEN: u32 = 16 * 1024;

/// Peers it asks for at a time.
const VICTIMS_WANTED: u8 = 4;

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crime {
    /// Says that it has everything, and sends other bytes than the piece's to whoever asks.
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
    /// Asks for the same pieces and the manifest again and again.
    Hogs,
}

/// A peer that the tracker takes for a complete seeder.
pub struct Rogue {
    crime: Crime,
    links: Links,
    /// Where its connections come from.
    met: HashMap<PeerKey, Introduction>,
    sockets: Sockets,
    tracker: TrackerClient,
    origin: Origin,
    known: Option<Known>,
    offers_wanted: u8,
    find_at: Instant,
    forged_bytes: u64,
    /// What a hog was given: bytes of pieces, and how many manifests began.
    taken: (u64, u32),
    /// Its connection ended.
    is_shown_out: bool,
}

/// The page's manifest, which it really has.
struct Known {
    digest: Digest,
    blob: Vec<u8>,
    bytes: u64,
    pieces: Vec<Piece>,
    lens: HashMap<PieceId, u32>,
}

impl Rogue {
    /// Registers for the page at `url`; every socket leaves from `bind` if there is one.
    ///
    /// # Errors
    /// When the address is none, or no socket can be opened.
    pub async fn join(url: &Url, bind: Option<IpAddr>, crime: Crime) -> Result<Self, GetError> {
        let origin = Origin::new(url, bind, Throttle::new(None))?;
        let refused = |cause: io::Error| PeerError::Socket { bind, cause };
        let addresses = match bind {
            Some(bind) => vec![bind],
            None => own_addresses(origin.address().await).map_err(refused)?,
        };
        let sockets = Sockets::bind(&addresses, SOCKET_BUFFER_LEN).await.map_err(refused)?;
        let links = Links::new(&sockets.addresses()).map_err(|error| PeerError::Crypto(error.to_string()))?;
        let register = PeerToTracker::Register { page: url.path().to_owned(), manifest: None, ticket: None, slots: VISITOR_SLOTS };
        let tracker = TrackerClient::open(&origin, vec![register]);
        let find_at = Instant::now() + Duration::from_millis(FIND_MS_MAX);
        Ok(Self {
            crime,
            links,
            met: HashMap::new(),
            sockets,
            tracker,
            origin,
            known: None,
            offers_wanted: 0,
            find_at,
            forged_bytes: 0,
            taken: (0, 0),
            is_shown_out: false,
        })
    }

    /// Bytes sent so far in place of pieces.
    #[must_use]
    pub fn forged_bytes(&self) -> u64 {
        self.forged_bytes
    }

    /// What a hog was given before it was shown out: bytes of pieces, and manifests.
    #[must_use]
    pub fn taken(&self) -> (u64, u32) {
        self.taken
    }

    /// Goes on until it is dropped, a hog until it is shown out. Dropped by the tracker it comes back under another number.
    pub async fn run(&mut self) {
        let mut buffer = vec![0; DATAGRAM_LEN_MAX];
        while !self.is_shown_out {
            let due = self.links.poll_timeout().map_or(self.find_at, |due| due.min(self.find_at));
            let mut signal = None;
            tokio::select! {
                () = self.sockets.readable() => {
                    let links = &mut self.links;
                    self.sockets.receive(&mut buffer, DATAGRAMS_PER_TURN, |source: SocketAddr, destination, bytes| {
                        links.handle_datagram(Instant::now(), source, destination, bytes);
                        true
                    });
                }
                event = self.tracker.next() => signal = Some(event),
                () = sleep_until(due.into()) => self.links.handle_timeout(Instant::now()),
            }
            match signal {
                Some(TrackerEvent::Signal(signal)) => self.handle_signal(*signal).await,
                Some(TrackerEvent::Lost(_)) => self.links.withdraw_offers(),
                None => {}
            }
            if self.find_at <= Instant::now() {
                self.find();
            }
            while let Some((key, event)) = self.links.poll_event() {
                self.handle_link(key, event);
            }
            self.links.flush(Instant::now());
            while let Some(transmit) = self.links.poll_transmit() {
                self.sockets.send(transmit.source, transmit.destination, &transmit.contents);
            }
        }
    }

    async fn handle_signal(&mut self, signal: TrackerToPeer) {
        match signal {
            TrackerToPeer::Welcome { offers_wanted, .. } => self.offers_wanted = offers_wanted,
            TrackerToPeer::Manifest { manifest, .. } => {
                if self.learn(manifest).await {
                    self.boast();
                }
            }
            TrackerToPeer::OffersWanted { count } => self.make_offers(count),
            TrackerToPeer::Answer { offer, peer, description, push, .. } => {
                if let Some(key) = self.links.accept(Instant::now(), offer, peer, &description) {
                    self.met.insert(key, Introduction { number: peer, offer, push, dialled: false, beyond: None });
                }
            }
            TrackerToPeer::Peers { offers } => self.dial(offers),
            TrackerToPeer::Limits { .. }
            | TrackerToPeer::Share { .. }
            | TrackerToPeer::Used { .. }
            | TrackerToPeer::Dropped { .. }
            | TrackerToPeer::Relayed { .. }
            | TrackerToPeer::Error { .. } => {}
        }
    }

    /// Whether the page's manifest is known now.
    async fn learn(&mut self, digest: Digest) -> bool {
        if self.known.as_ref().is_some_and(|known| known.digest == digest) {
            return true;
        }
        let Ok(blob) = self.origin.manifest(&digest).await else { return false };
        let Ok(manifest) = Manifest::decode(&blob) else { return false };
        let pieces = manifest.distinct_pieces();
        let lens = pieces.iter().map(|piece| (piece.id(), piece.len)).collect();
        self.known = Some(Known { digest, blob: blob.to_vec(), bytes: manifest.bytes(), pieces, lens });
        true
    }

    /// Tells the tracker that it has everything.
    fn boast(&mut self) {
        let Some(known) = &self.known else { return };
        let pieces = u32::try_from(known.pieces.len()).unwrap_or(u32::MAX);
        self.tracker.send(PeerToTracker::Held { manifest: known.digest, pieces, bytes: known.bytes });
        let wanted = std::mem::take(&mut self.offers_wanted);
        self.make_offers(wanted);
        self.find();
    }

    fn make_offers(&mut self, count: u8) {
        let offers = (0..count).filter_map(|_| self.links.offer(Instant::now()).ok());
        let offers: Vec<_> = offers.map(|(offer, description)| ReadyOffer { offer, description }).collect();
        if !offers.is_empty() {
            self.tracker.send(PeerToTracker::Offers { offers });
        }
    }

    /// Asks for others to meet, as one who lacks pieces would. Only a forger has anything for them.
    fn find(&mut self) {
        self.find_at = Instant::now() + Duration::from_millis(FIND_MS_MAX);
        if matches!(self.crime, Crime::Forges | Crime::Hogs) && self.links.has_room() {
            self.tracker.send(PeerToTracker::Find { manifest: None, count: VICTIMS_WANTED });
        }
    }

    fn dial(&mut self, offers: Vec<Offer>) {
        let mut answers = Vec::new();
        for Offer { peer, offer, description, .. } in offers {
            if let Ok((key, description)) = self.links.answer(Instant::now(), (peer, offer), &description) {
                self.met.insert(key, Introduction { number: peer, offer, push: None, dialled: true, beyond: None });
                answers.push(Answer { peer, offer, description });
            }
        }
        if !answers.is_empty() {
            self.tracker.send(PeerToTracker::Answers { answers, tell: None });
        }
    }

    fn handle_link(&mut self, key: PeerKey, event: LinkEvent) {
        match event {
            LinkEvent::Opened => {
                // Who says nothing of its connections is soon left in peace.
                if let Some(&Introduction { number: peer, offer, .. }) = self.met.get(&key) {
                    self.tracker.send(PeerToTracker::Opened { peer, offer, ms: 0 });
                }
                self.greet(key);
            }
            LinkEvent::Frame(frame) if self.crime == Crime::Forges => self.forge(key, frame),
            LinkEvent::Frame(frame) if self.crime == Crime::Hogs => self.hog(key, frame),
            LinkEvent::Closed => {
                self.is_shown_out = self.crime == Crime::Hogs;
                self.links.close(Instant::now(), key, None);
                if let Some(Introduction { number: peer, offer, .. }) = self.met.remove(&key) {
                    self.tracker.send(PeerToTracker::Closed { peer, offer, cause: None });
                }
            }
            LinkEvent::Path | LinkEvent::Frame(_) | LinkEvent::Malformed | LinkEvent::Low => {}
        }
    }

    /// The forger's answer to what others ask of it.
    fn forge(&mut self, key: PeerKey, frame: Frame) {
        match frame {
            Frame::Query { ids } => drop(self.links.send(key, &Frame::Have { ids })),
            Frame::Want { ids } => ids.into_iter().for_each(|id| self.give_forged(key, id)),
            Frame::WantManifest { manifest } => {
                if let Some(blob) = self.known.as_ref().filter(|known| known.digest == manifest).map(|known| known.blob.clone()) {
                    self.give_manifest(key, manifest, &blob);
                }
            }
            Frame::Hello { .. }
            | Frame::Cancel { .. }
            | Frame::Have { .. }
            | Frame::Refuse { .. }
            | Frame::Bye { .. }
            | Frame::Piece { .. }
            | Frame::ManifestPart { .. } => {}
        }
    }

    /// The hog's answer to what it is given: the same again, and manifests once there are no more pieces.
    fn hog(&mut self, key: PeerKey, frame: Frame) {
        let Some(manifest) = self.known.as_ref().map(|known| known.digest) else { return };
        match frame {
            Frame::Piece { id, body, .. } => {
                self.taken.0 += body.len() as u64;
                // Small ones again and again would be too many frames, which is another crime.
                // The first request for a piece that was pushed is taken for one that crossed it.
                for _ in 0..if body.len() >= UNKNOWN_PIECE_LEN as usize { 2 } else { 0 } {
                    self.links.send(key, &Frame::Want { ids: vec![id] });
                }
            }
            Frame::ManifestPart { offset: 0, .. } => self.taken.1 += 1,
            Frame::Refuse { .. } => {
                for _ in 0..100 {
                    self.links.send(key, &Frame::WantManifest { manifest });
                }
            }
            Frame::Bye { .. } => self.is_shown_out = true,
            Frame::Hello { .. }
            | Frame::Want { .. }
            | Frame::Cancel { .. }
            | Frame::Query { .. }
            | Frame::WantManifest { .. }
            | Frame::Have { .. }
            | Frame::ManifestPart { .. } => {}
        }
    }

    fn greet(&mut self, key: PeerKey) {
        let Some(known) = self.known.as_ref().filter(|_| self.crime != Crime::IsSilent) else { return };
        let (digest, blob, first) = (known.digest, known.blob.clone(), known.pieces.first().map(Piece::id));
        let push = self.met.get(&key).filter(|from| !from.dialled).and_then(|from| from.push);
        let promised: Vec<PieceId> = push.map_or_else(Vec::new, |push| planned(&push, &known.pieces));
        self.links.send(key, &Frame::Hello { manifests: vec![digest] });
        if self.crime == Crime::ForgesManifest {
            self.give_manifest(key, digest, &vec![7; blob.len()]);
        } else if push.is_some() {
            self.give_manifest(key, digest, &blob);
        }
        match self.crime {
            // One is enough to be found out; whatever follows it is not looked at any more.
            Crime::Forges => promised.first().into_iter().for_each(|id| self.give_forged(key, *id)),
            Crime::Floods => {
                for n in 0..10_000_u32 {
                    let id = Digest::of(&n.to_be_bytes()).piece_id();
                    self.links.send(key, &Frame::Have { ids: vec![id] });
                }
            }
            Crime::SendsUnasked => self.give(key, Digest::of(b"nobody asked").piece_id(), Encoding::Raw, vec![1; 1_000]),
            Crime::SendsBombs => {
                let body = viral_wire::piece_codec::deflated(&vec![0; 8 << 20]).unwrap_or_default();
                first.into_iter().for_each(|id| self.give(key, id, Encoding::DeflateRaw, body.clone()));
            }
            Crime::Hogs => {
                for _ in 0..2 {
                    self.links.send(key, &Frame::WantManifest { manifest: digest });
                }
                let ids = self.known.iter().flat_map(|known| known.pieces.iter().take(WANT_IDS_MAX).map(Piece::id)).collect();
                self.links.send(key, &Frame::Want { ids });
            }
            Crime::ForgesManifest | Crime::IsSilent => {}
        }
    }

    fn give_manifest(&mut self, key: PeerKey, manifest: Digest, blob: &[u8]) {
        let total = u32::try_from(blob.len()).unwrap_or(u32::MAX);
        for (index, body) in blob.chunks(MANIFEST_PART_LEN_MAX).enumerate() {
            let offset = u32::try_from(index * MANIFEST_PART_LEN_MAX).unwrap_or(u32::MAX);
            self.links.send(key, &Frame::ManifestPart { manifest, offset, total, body: body.to_vec() });
        }
    }

    /// Sends as many bytes as the piece has, none of them its own.
    fn give_forged(&mut self, key: PeerKey, id: PieceId) {
        let len = self.known.as_ref().and_then(|known| known.lens.get(&id)).copied().unwrap_or(UNKNOWN_PIECE_LEN);
        let frame = Frame::Piece { id, encoding: Encoding::Raw, body: vec![66; len as usize] };
        if self.links.send(key, &frame) {
            self.forged_bytes += u64::from(len);
        }
    }

    fn give(&mut self, key: PeerKey, id: PieceId, encoding: Encoding, body: Vec<u8>) {
        self.links.send(key, &Frame::Piece { id, encoding, body });
    }
}
