//! What this peer gives: greetings, manifests, pieces, and news of what it has.

use std::time::Instant;

use bytes::Bytes;
use viral_swarm::fetch::{Fault, PeerKey};
use viral_swarm::upload::{BUSY, CAPPED, UploadOutput};
use viral_wire::frame::{Encoding, RefuseReason};
use viral_wire::limits::{HELLO_MANIFESTS_MAX, MANIFEST_PART_LEN_MAX, QUERY_IDS_MAX};
use viral_wire::push::planned;
use viral_wire::signal::PeerToTracker;
use viral_wire::{Digest, Frame, PieceId, piece_codec};

use super::Peer;
use crate::limits::{HAVE_MS, INTERESTED_IDS_MAX};

impl Peer {
    /// Both channels of a connection opened.
    pub(super) fn handle_open(&mut self, key: PeerKey) {
        let now = Instant::now();
        let complete: Vec<Digest> = {
            let whole = self.manifests.iter().rev().filter(|known| self.store.count(&known.pieces).0 as usize == known.pieces.len());
            whole.take(HELLO_MANIFESTS_MAX).map(|known| known.digest).collect()
        };
        self.links.send(now, key, &Frame::Hello { manifests: complete });
        let Some(link) = self.links.get(key) else { return };
        let (peer, offer, dialled, push) = (link.peer, link.offer, link.dialled, link.push);
        let ms = u32::try_from(now.duration_since(link.started_at).as_millis()).unwrap_or(u32::MAX);
        let mut pushed = Vec::new();
        if let Some(push) = push.filter(|_| !dialled && self.slots > 0) {
            self.send_manifest(key, &push.manifest);
            pushed = self.manifests.get(&push.manifest).map(|known| planned(&push, &known.pieces)).unwrap_or_default();
            pushed.retain(|id| self.store.has(id));
        }
        if let Some(manifest) = self.sought.filter(|_| !(dialled && push.is_some())) {
            self.links.send(now, key, &Frame::WantManifest { manifest });
        }
        let now = self.now();
        self.fetch.handle_open(now, key);
        self.upload.handle_open(now, key, &pushed);
        if let Some(peer) = peer {
            tracing::debug!(%peer, dialled, ms, "connection opened");
            self.signal(PeerToTracker::Opened { peer, offer, ms });
        }
    }

    /// Sends a manifest that is known, once to each; later where the upload limit allows nothing now.
    fn send_manifest(&mut self, key: PeerKey, digest: &Digest) {
        let Some(known) = self.manifests.get(digest).filter(|_| self.slots > 0) else { return };
        let (now_ms, now, blob) = (self.now(), Instant::now(), known.blob.clone());
        let Some(link) = self.links.get(key).filter(|link| !link.manifests_sent.contains(digest)) else { return };
        if let Some(due) = self.upload.throttled_until(now_ms) {
            link.awaits = Some(*digest);
            self.manifests_due = Some(due);
            return;
        }
        link.awaits = None;
        link.manifests_sent.push(*digest);
        self.upload.handle_other_sent(now_ms, blob.len() as u64);
        let total = u32::try_from(blob.len()).unwrap_or(u32::MAX);
        for (index, body) in blob.chunks(MANIFEST_PART_LEN_MAX).enumerate() {
            let offset = u32::try_from(index * MANIFEST_PART_LEN_MAX).unwrap_or(u32::MAX);
            // Before every piece: none can be verified without it.
            let part = Frame::ManifestPart { manifest: *digest, offset, total, body: body.to_vec() };
            self.links.send_urgent(now, key, &part, u64::MAX);
        }
    }

    /// Whoever asked for a manifest in vain gets it, if it is here now and the upload limit allows it.
    pub(super) fn pass_manifests(&mut self) {
        self.manifests_due = None;
        let waiting: Vec<(PeerKey, Digest)> = self.links.opened().filter_map(|link| Some((link.key, link.awaits?))).collect();
        for (key, digest) in waiting {
            self.send_manifest(key, &digest);
        }
    }

    /// A frame with which the other end asks for something.
    pub(super) fn handle_asked(&mut self, key: PeerKey, frame: Frame) {
        let now = self.now();
        match frame {
            Frame::Want { ids } => {
                let store = &self.store;
                self.upload.handle_held(store.held_len(), false);
                self.upload.handle_want(now, key, &ids, |id| store.has(id));
            }
            Frame::Cancel { ids } => self.upload.handle_cancel(now, key, &ids),
            Frame::Query { ids } => self.handle_query(key, ids),
            Frame::WantManifest { manifest } => {
                let is_known = self.manifests.get(&manifest).is_some();
                let Some(link) = self.links.get(key) else { return };
                // One request is 33 bytes, the answer up to 4 MiB.
                link.manifests_asked += 1;
                if link.manifests_asked > HELLO_MANIFESTS_MAX {
                    return self.fetch_fault(key, Fault::Malformed);
                }
                if is_known {
                    self.send_manifest(key, &manifest);
                } else {
                    link.awaits = Some(manifest);
                }
            }
            Frame::Hello { .. }
            | Frame::Have { .. }
            | Frame::Refuse { .. }
            | Frame::Bye { .. }
            | Frame::Piece { .. }
            | Frame::ManifestPart { .. } => {}
        }
    }

    fn handle_query(&mut self, key: PeerKey, ids: Vec<PieceId>) {
        // Who uploads nothing holds nothing for others.
        let (held, lacked): (Vec<PieceId>, Vec<PieceId>) = ids.into_iter().partition(|id| self.slots > 0 && self.store.has(id));
        let Some(link) = self.links.get(key) else { return };
        if self.slots > 0 && link.interested.len() + lacked.len() <= INTERESTED_IDS_MAX {
            link.interested.extend(lacked);
        }
        self.links.send(Instant::now(), key, &Frame::Have { ids: held });
    }

    /// The other end holds these: that we do, too, is no news to it. In a crowd it saves every second word.
    pub(super) fn note_held_by(&mut self, key: PeerKey, ids: &[PieceId]) {
        if let Some(link) = self.links.get(key) {
            for id in ids {
                link.interested.remove(id);
            }
        }
    }

    /// A piece is here now; whoever asked about it will hear of it.
    pub(super) fn queue_have(&mut self, id: PieceId) {
        self.have_queue.push(id);
        self.have_at = self.have_at.or_else(|| Some(self.now() + HAVE_MS));
    }

    pub(super) fn send_haves(&mut self) {
        self.have_at = None;
        let have_queue = std::mem::take(&mut self.have_queue);
        let keys: Vec<PeerKey> = self.links.opened().filter(|link| !link.interested.is_empty()).map(|link| link.key).collect();
        for key in keys {
            let Some(link) = self.links.get(key) else { continue };
            let ids: Vec<PieceId> = have_queue.iter().filter(|id| link.interested.remove(*id)).copied().collect();
            for ids in ids.chunks(QUERY_IDS_MAX) {
                self.links.send(Instant::now(), key, &Frame::Have { ids: ids.to_vec() });
            }
        }
    }

    /// Does what the upload engine wants done.
    pub(super) fn do_upload(&mut self, output: UploadOutput) {
        match output {
            UploadOutput::Send { peer, id } => self.send_piece(peer, id),
            UploadOutput::Refuse { peer, reason, ids } => {
                let reason = match reason {
                    BUSY => RefuseReason::Busy,
                    CAPPED => RefuseReason::Capped,
                    _ => RefuseReason::NotHeld,
                };
                self.links.send(Instant::now(), peer, &Frame::Refuse { reason, ids });
            }
            UploadOutput::Drop { peer, fault } => self.fetch_fault(peer, fault),
        }
    }

    fn send_piece(&mut self, key: PeerKey, id: PieceId) {
        let now = self.now();
        let encoded = self.encoded.get(&id).or_else(|| {
            let compressible = self.store.is_compressible(&id);
            let raw = self.store.read(&id)?;
            let deflated = compressible.then(|| piece_codec::deflated(&raw)).flatten();
            let (encoding, body) =
                deflated.map_or_else(|| (Encoding::Raw, Bytes::copy_from_slice(&raw)), |body| (Encoding::DeflateRaw, body.into()));
            if compressible {
                self.encoded.insert(id, encoding, body.clone());
            }
            Some((encoding, body))
        });
        let len = encoded.as_ref().map_or(0, |(_, body)| body.len());
        // What is new here is new to most of a crowd: the sooner it leaves, the sooner others pass it on.
        let urgency = self.arrival_numbers.get(&id).copied().unwrap_or(0);
        let sent = encoded.is_some_and(|(encoding, body)| {
            self.links.send_urgent(Instant::now(), key, &Frame::Piece { id, encoding, body: body.into() }, urgency)
        });
        if !sent {
            return self.upload.handle_missing(now, key, id);
        }
        self.totals.bytes_to_peers += len as u64;
        if let Some(link) = self.links.get(key) {
            self.upload.handle_buffered(now, key, link.buffered());
        }
        self.upload.handle_sent(now, key, id, u32::try_from(len).unwrap_or(u32::MAX));
        self.report_soon();
    }

    /// The pieces channel of a connection has room again.
    pub(super) fn handle_low(&mut self, key: PeerKey) {
        let now = self.now();
        if let Some(link) = self.links.get(key) {
            self.upload.handle_buffered(now, key, link.buffered());
        }
    }
}
