//! What one visitor gives: greetings, manifests, pieces, and word of what came.
//!
//! Drive it as [`client`](super) says. It is [`Upload`] and [`Announce`] over one set of pieces, and the manifests, to which the limits of both apply.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use viral_wire::frame::RefuseReason;
use viral_wire::limits::{HELLO_MANIFESTS_MAX, MANIFEST_PART_LEN_MAX};
use viral_wire::push::planned;
use viral_wire::signal::Push;
use viral_wire::{Digest, Frame, PieceId};

use super::announce::{Announce, AnnounceOutput};
use super::held::HeldPieces;
use super::manifests::Manifests;
use crate::fetch::{Fault, PeerKey};
use crate::upload::{BUSY, CAPPED, Upload, UploadConfig, UploadOutput};

/// What the host must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServingOutput {
    /// Send a frame.
    Frame {
        /// To whom.
        peer: PeerKey,
        /// What.
        frame: Frame,
        /// Before less urgent ones of the same channel.
        urgency: u64,
    },
    /// Read a piece and send it; then [`Serving::handle_sent`], or [`Serving::handle_unsent`].
    Piece {
        /// To whom.
        peer: PeerKey,
        /// Which.
        id: PieceId,
        /// Before less urgent ones.
        urgency: u64,
    },
    /// The other end is at fault: close the connection and report it.
    Fault {
        /// Whose connection.
        peer: PeerKey,
        /// Why.
        fault: Fault,
    },
}

/// What is between this visitor and one that it serves.
#[derive(Debug, Default)]
struct Served {
    /// A manifest it asked for before it was here, or while the upload limit was used up.
    awaits: Option<Digest>,
    /// Manifests that it was sent: each once.
    sent: Vec<Digest>,
    /// How often it asked for one.
    asked: usize,
}

/// Serves the peers of one visitor.
#[derive(Debug)]
pub struct Serving {
    /// Leechers to serve at once; 0 = nothing is uploaded.
    slots: u8,
    held: HeldPieces,
    upload: Upload,
    announce: Announce,
    peers: BTreeMap<PeerKey, Served>,
    /// When manifests that the upload limit holds back may leave.
    manifests_due: Option<u64>,
    /// Of the pieces that came while this visitor is one of a crowd, until it has all of them: how many had come by then.
    arrival_numbers: HashMap<PieceId, u64>,
    out: VecDeque<ServingOutput>,
}

impl Serving {
    /// Nothing is held and nobody is served. `bytes_per_s`: as in [`UploadConfig`].
    #[must_use]
    pub fn new(slots: u8, bytes_per_s: u64) -> Self {
        Self {
            slots,
            held: HeldPieces::default(),
            upload: Upload::new(UploadConfig { slots: slots.into(), bytes_per_s, ..UploadConfig::default() }),
            announce: Announce::new(slots > 0),
            peers: BTreeMap::new(),
            manifests_due: None,
            arrival_numbers: HashMap::new(),
            out: VecDeque::new(),
        }
    }

    /// What is held.
    #[must_use]
    pub fn held(&self) -> &HeldPieces {
        &self.held
    }

    /// Pieces were found in the store.
    pub fn handle_found(&mut self, id: PieceId, len: u32) {
        self.held.insert(id, len);
    }

    /// A piece was verified and stored. `arrival`: how many came before, in a crowd. What is new here is new to most of a crowd: the sooner it leaves, the sooner
    /// others pass it on.
    pub fn handle_kept(&mut self, now: u64, id: PieceId, len: u32, arrival: Option<u64>) {
        self.held.insert(id, len);
        self.announce.handle_kept(now, id);
        self.arrival_numbers.extend(arrival.map(|number| (id, number)));
    }

    /// Everything is here: no piece is newer than others any more.
    pub fn handle_done(&mut self) {
        self.arrival_numbers.clear();
    }

    /// A piece cannot be read any more.
    pub fn handle_gone(&mut self, id: &PieceId) {
        self.held.remove(id);
    }

    /// Forgets all pieces but these.
    pub fn retain(&mut self, keep: impl Fn(&PieceId) -> bool) {
        self.held.retain(keep);
    }

    /// Another version is served: everybody may take it, whatever it took before.
    pub fn handle_renewed(&mut self) {
        self.upload.handle_held(self.held.bytes(), true);
    }

    /// What the tracker allows: leechers at once, bytes per second and in each day; 0 = no cap.
    pub fn handle_limits(&mut self, now: u64, slots: u8, bytes_per_s: u64, bytes_per_day: u64) {
        self.upload.handle_limits(now, slots.min(self.slots).into(), bytes_per_s);
        self.upload.handle_volume(now, bytes_per_day);
    }

    /// Whether nothing more is given to anybody today.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.upload.is_spent()
    }

    /// Both channels of a peer opened; `push` is what it is to be sent unasked.
    pub fn handle_open(&mut self, now: u64, peer: PeerKey, push: Option<&Push>, manifests: &Manifests) {
        self.peers.insert(peer, Served::default());
        let whole = manifests.iter().rev().filter(|known| self.held.count(&known.pieces).0 as usize == known.pieces.len());
        let whole = whole.take(HELLO_MANIFESTS_MAX).map(|known| known.digest).collect();
        self.send(peer, Frame::Hello { manifests: whole });
        let mut pushed = Vec::new();
        if let Some(push) = push.filter(|_| self.slots > 0) {
            self.send_manifest(now, peer, push.manifest, manifests);
            pushed = manifests.get(&push.manifest).map(|known| planned(push, &known.pieces)).unwrap_or_default();
            pushed.retain(|id| self.held.has(id));
        }
        self.upload.handle_open(now, peer, &pushed);
    }

    /// A connection is over.
    pub fn handle_closed(&mut self, now: u64, peer: PeerKey) {
        self.peers.remove(&peer);
        self.upload.handle_closed(now, peer);
        self.announce.handle_closed(peer);
    }

    /// A frame with which a peer asks for something, or says what it holds.
    pub fn handle_frame(&mut self, now: u64, peer: PeerKey, frame: &Frame, manifests: &Manifests) {
        let held = &self.held;
        match frame {
            Frame::Want { ids } => {
                self.upload.handle_held(held.bytes(), false);
                self.upload.handle_want(now, peer, ids, |id| held.has(id));
            }
            Frame::Cancel { ids } => self.upload.handle_cancel(now, peer, ids),
            Frame::Query { ids } => self.announce.handle_query(peer, ids, |id| held.has(id)),
            Frame::Have { ids } => self.announce.handle_held_by(peer, ids),
            Frame::Piece { id, .. } => self.announce.handle_held_by(peer, &[*id]),
            Frame::WantManifest { manifest } => self.handle_want_manifest(now, peer, *manifest, manifests),
            Frame::Hello { .. } | Frame::Refuse { .. } | Frame::Bye { .. } | Frame::ManifestPart { .. } => {}
        }
    }

    /// What the peer's channel has buffered, in bytes: after each send and when it runs low.
    pub fn handle_buffered(&mut self, now: u64, peer: PeerKey, bytes: u64) {
        self.upload.handle_buffered(now, peer, bytes);
    }

    /// A piece was handed to the channel; [`Self::handle_buffered`] goes before it.
    pub fn handle_sent(&mut self, now: u64, peer: PeerKey, id: PieceId, wire_bytes: u32) {
        self.upload.handle_sent(now, peer, id, wire_bytes);
    }

    /// A piece could not be sent.
    pub fn handle_unsent(&mut self, now: u64, peer: PeerKey, id: PieceId) {
        self.upload.handle_missing(now, peer, id);
    }

    /// Whoever asked for a manifest in vain gets it, if it is here now and the upload limit allows it.
    pub fn pass_manifests(&mut self, now: u64, manifests: &Manifests) {
        self.manifests_due = None;
        let waiting: Vec<(PeerKey, Digest)> = self.peers.iter().filter_map(|(&peer, served)| Some((peer, served.awaits?))).collect();
        for (peer, digest) in waiting {
            self.send_manifest(now, peer, digest, manifests);
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64, manifests: &Manifests) {
        if self.upload.poll_timeout().is_some_and(|at| at <= now) {
            self.upload.handle_timeout(now);
        }
        if self.manifests_due.is_some_and(|at| at <= now) {
            self.pass_manifests(now, manifests);
        }
        self.announce.handle_timeout(now);
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<ServingOutput> {
        if let Some(output) = self.poll_said() {
            return Some(output);
        }
        Some(match self.upload.poll()? {
            UploadOutput::Send { peer, id } => {
                ServingOutput::Piece { peer, id, urgency: self.arrival_numbers.get(&id).copied().unwrap_or(0) }
            }
            UploadOutput::Refuse { peer, reason, ids } => {
                let reason = match reason {
                    BUSY => RefuseReason::Busy,
                    CAPPED => RefuseReason::Capped,
                    _ => RefuseReason::NotHeld,
                };
                frame_to(peer, Frame::Refuse { reason, ids })
            }
            UploadOutput::Drop { peer, fault } => ServingOutput::Fault { peer, fault },
        })
    }

    /// Like [`Self::poll`], without what the upload engine wants done.
    pub fn poll_said(&mut self) -> Option<ServingOutput> {
        let have = |AnnounceOutput::Have { peer, ids }| frame_to(peer, Frame::Have { ids });
        self.out.pop_front().or_else(|| self.announce.poll().map(have))
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        [self.upload.poll_timeout(), self.manifests_due, self.announce.poll_timeout()].into_iter().flatten().min()
    }

    fn handle_want_manifest(&mut self, now: u64, peer: PeerKey, digest: Digest, manifests: &Manifests) {
        let Some(served) = self.peers.get_mut(&peer) else { return };
        // One request is 33 bytes, the answer up to 4 MiB.
        served.asked += 1;
        if served.asked > HELLO_MANIFESTS_MAX {
            self.out.push_back(ServingOutput::Fault { peer, fault: Fault::Malformed });
        } else if manifests.get(&digest).is_some() {
            self.send_manifest(now, peer, digest, manifests);
        } else {
            served.awaits = Some(digest);
        }
    }

    /// Sends a manifest that is known, once to each; later where the upload limit allows nothing now.
    fn send_manifest(&mut self, now: u64, peer: PeerKey, digest: Digest, manifests: &Manifests) {
        let Some(known) = manifests.get(&digest).filter(|_| self.slots > 0) else { return };
        let Some(served) = self.peers.get_mut(&peer).filter(|served| !served.sent.contains(&digest)) else { return };
        if let Some(due) = self.upload.throttled_until(now) {
            served.awaits = Some(digest);
            self.manifests_due = Some(due);
            return;
        }
        served.awaits = None;
        served.sent.push(digest);
        self.upload.handle_other_sent(now, known.blob.len() as u64);
        let total = u32::try_from(known.blob.len()).unwrap_or(u32::MAX);
        for (index, body) in known.blob.chunks(MANIFEST_PART_LEN_MAX).enumerate() {
            let offset = u32::try_from(index * MANIFEST_PART_LEN_MAX).unwrap_or(u32::MAX);
            let frame = Frame::ManifestPart { manifest: digest, offset, total, body: body.to_vec() };
            // Before every piece: none can be verified without it.
            self.out.push_back(ServingOutput::Frame { peer, frame, urgency: u64::MAX });
        }
    }

    fn send(&mut self, peer: PeerKey, frame: Frame) {
        self.out.push_back(frame_to(peer, frame));
    }
}

fn frame_to(peer: PeerKey, frame: Frame) -> ServingOutput {
    ServingOutput::Frame { peer, frame, urgency: 0 }
}
