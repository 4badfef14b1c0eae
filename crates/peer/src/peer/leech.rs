//! What this peer takes: dials, the manifest, pieces from peers and from the origin.

use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;
use viral_swarm::fetch::{Accepted, Fetch, FetchConfig, FetchOutput, PeerKey, Source};
use viral_wire::frame::{ByeReason, Encoding};
use viral_wire::push::planned;
use viral_wire::signal::{Answer, AnswerPost, Fault, FaultReport, Offer, PeerToTracker};
use viral_wire::{AssetRecord, Digest, Frame, PieceId, piece_codec};

use super::{Peer, PeerError};
use crate::limits::{EARLY_BYTES_MAX, MANIFEST_WAIT_MS, ORIGIN_PROBE_MS};
use crate::origin::OriginEvent;
use crate::parts::Part;

impl Peer {
    /// Dials the offers that came with the visit; their answers leave in one post.
    pub(super) fn join(&mut self, offers: Vec<Offer>) {
        self.manifest_at = self.sought.map(|_| if offers.is_empty() { 0 } else { MANIFEST_WAIT_MS });
        let answers = self.dial(offers);
        if let (Some(ticket), false) = (self.ticket, answers.is_empty()) {
            let (origin, events) = (self.origin.clone(), self.event_sender.clone());
            self.requests.spawn(async move {
                let outcome = origin.answer(&AnswerPost { ticket, answers }).await;
                let _ = events.send(OriginEvent::Answered(outcome)).await;
            });
        }
    }

    /// Prepares a connection for each offer that is of use and gives back the answers.
    pub(super) fn dial(&mut self, offers: Vec<Offer>) -> Vec<Answer> {
        let mut answers = Vec::new();
        for Offer { peer, offer, description, push } in offers {
            if !self.meets || !self.links.has_room() {
                break;
            }
            match self.links.answer(Instant::now(), (peer, offer), &description) {
                Ok((key, description)) => {
                    if let Some(link) = self.links.get(key) {
                        link.push = push;
                    }
                    let announced_push = self.announced_push(key);
                    self.fetch.handle_dial(self.now(), key, &announced_push);
                    answers.push(Answer { peer, offer, description });
                }
                Err(error) => tracing::debug!(%peer, %error, "offer is of no use"),
            }
        }
        answers
    }

    /// The pieces that the other end of a dial will send unasked, as far as they are known.
    fn announced_push(&mut self, key: PeerKey) -> Vec<PieceId> {
        let push = self.links.get(key).filter(|link| link.dialled).and_then(|link| link.push);
        push.and_then(|push| self.manifests.get(&push.manifest).map(|known| planned(&push, &known.pieces))).unwrap_or_default()
    }

    /// A frame with which the other end gives something.
    pub(super) fn handle_given(&mut self, key: PeerKey, frame: Frame) {
        let now = self.now();
        match frame {
            Frame::Hello { manifests } => {
                let complete = self.wanted().is_some_and(|wanted| manifests.contains(&wanted));
                if let Some(link) = self.links.get(key) {
                    link.holds = manifests;
                }
                self.fetch.handle_hello(now, key, complete);
            }
            Frame::Have { ids } => {
                self.note_held_by(key, &ids);
                self.fetch.handle_have(now, key, &ids);
            }
            Frame::Refuse { ids, .. } => self.fetch.handle_refuse(now, key, &ids),
            Frame::Piece { id, encoding, body } => {
                self.note_held_by(key, &[id]);
                self.handle_piece(key, id, encoding, body);
            }
            Frame::ManifestPart { manifest, offset, total, body } => self.handle_part(key, manifest, (offset, total), &body),
            Frame::Want { .. } | Frame::Cancel { .. } | Frame::Query { .. } | Frame::WantManifest { .. } | Frame::Bye { .. } => {}
        }
    }

    /// The manifest whose pieces the engine fetches, known yet or not.
    pub(super) fn wanted(&self) -> Option<Digest> {
        self.sought.or_else(|| self.manifests.current().map(|known| known.digest))
    }

    fn handle_part(&mut self, key: PeerKey, manifest: Digest, (offset, total): (u32, u32), body: &[u8]) {
        // Looked at even if the manifest came another way: a liar must not stay.
        let Some(link) = self.links.get(key) else { return };
        match link.parts.handle(offset, total, body) {
            Part::Missing => {}
            Part::Fault => self.fetch_fault(key, Fault::Malformed),
            Part::Whole(blob) if Digest::of(&blob) != manifest => {
                self.totals.bans += 1;
                self.drop_link(key, Fault::Forged);
            }
            Part::Whole(blob) => {
                if self.sought == Some(manifest) {
                    self.use_manifest(manifest, blob.into());
                }
            }
        }
    }

    /// Asks the origin for the manifest that no peer gave in time, and again until somebody does.
    pub(super) fn ask_manifest(&mut self) {
        self.manifest_at = self.sought.map(|_| self.now() + ORIGIN_PROBE_MS);
        let Some(digest) = self.sought.filter(|sought| self.asked_manifest != Some(*sought)) else { return };
        self.asked_manifest = Some(digest);
        let (origin, events) = (self.origin.clone(), self.event_sender.clone());
        self.requests.spawn(async move {
            let blob = origin.manifest(&digest).await;
            let _ = events.send(OriginEvent::Manifest { digest, blob }).await;
        });
    }

    /// The manifest is here: what the store has of it is held, everything else is fetched.
    fn use_manifest(&mut self, digest: Digest, blob: Bytes) {
        self.sought = None;
        self.manifest_at = None;
        self.advanced_at = Instant::now();
        let replaced = self.manifests.current().is_some();
        match self.manifests.insert(digest, blob) {
            Ok(_) => {
                if replaced {
                    self.upload.handle_held(self.store.held_len(), true);
                    self.renew_listing();
                    self.reset_fetch();
                }
                self.begin_leasing();
                self.take_up();
                self.pass_manifests();
            }
            Err(error) => self.failure = Some(error.into()),
        }
        self.renew_registration();
        for (key, id, encoding, body) in std::mem::take(&mut self.early) {
            self.handle_piece(key, id, encoding, body);
        }
        self.early_bytes = 0;
        self.report_soon();
        self.look_for_peers();
    }

    /// Fetches these assets, in this order, as far as they are not here.
    pub(crate) fn add_records(&mut self, records: &[AssetRecord]) {
        for record in records {
            if let Err(error) = self.store.add(record) {
                self.failure = Some(PeerError::Store(error));
                return;
            }
        }
        let now = self.now();
        let mut seen = HashSet::new();
        let pieces: Vec<_> = records.iter().flat_map(|record| &record.pieces).filter(|piece| seen.insert(piece.id())).copied().collect();
        self.fetch.add_pieces(now, &pieces);
        let held: Vec<PieceId> = pieces.iter().map(|piece| piece.id()).filter(|id| self.store.has(id)).collect();
        self.fetch.handle_held(now, &held);
        self.use_document(records);
        let keys: Vec<PeerKey> = self.links.answered().map(|link| link.key).collect();
        for key in keys {
            let announced_push = self.announced_push(key);
            self.fetch.handle_push_announced(now, key, &announced_push);
        }
    }

    /// The document that came with a full answer is part of the app: its pieces are here already.
    fn use_document(&mut self, records: &[AssetRecord]) {
        let Some((document, record)) = self.document.take().zip(records.first()) else { return };
        if Digest::of(&document) != record.digest {
            return;
        }
        let mut rest = document;
        for piece in &record.pieces {
            let raw = rest.split_to(piece.len as usize);
            if !self.store.has(&piece.id()) {
                self.keep(Source::Origin, piece.id(), &raw);
                self.fetch.handle_held(self.now(), &[piece.id()]);
            }
        }
    }

    /// A fresh engine for a new version: the old one's pieces are of no interest any more, and it remembers only so many.
    pub(super) fn reset_fetch(&mut self) {
        self.fetch = Fetch::new(FetchConfig { seed: rand::random() });
        self.reset_at = Some(Instant::now());
        let now = self.now();
        let wanted = self.wanted();
        let links: Vec<_> =
            self.links.answered().map(|link| (link.key, link.opened, wanted.is_some_and(|wanted| link.holds.contains(&wanted)))).collect();
        for (key, opened, complete) in links {
            self.fetch.handle_dial(now, key, &[]);
            if opened {
                self.fetch.handle_open(now, key);
                self.fetch.handle_hello(now, key, complete);
            }
        }
    }

    fn handle_piece(&mut self, key: PeerKey, id: PieceId, encoding: Encoding, body: Vec<u8>) {
        if self.manifests.current().is_none() && self.sought.is_some() {
            self.early_bytes += body.len();
            if self.early_bytes > EARLY_BYTES_MAX {
                self.fetch_fault(key, Fault::Malformed);
            } else {
                self.early.push((key, id, encoding, body));
            }
            return;
        }
        match self.fetch.accept(Source::Peer(key), id) {
            Accepted::Take { .. } => self.take(Source::Peer(key), id, encoding, &body),
            Accepted::Late => {}
            Accepted::Unasked => {
                let is_stranger = self.links.get(key).is_some_and(|link| self.reset_at.is_none_or(|at| link.started_at > at));
                // A peer that we dialled may push what is here anyway; one from before a new version may send what was asked then.
                if is_stranger && !self.store.has(&id) {
                    self.fetch_fault(key, Fault::Unasked);
                }
            }
        }
    }

    /// Inflates and verifies a piece, and keeps it if it is genuine.
    fn take(&mut self, source: Source, id: PieceId, encoding: Encoding, body: &[u8]) {
        let Some(piece) = self.store.piece(&id) else { return };
        let raw = piece_codec::decode_verified(&piece, encoding, body);
        let held = self.fetch.progress().held;
        self.fetch.handle_piece(self.now(), source, id, raw.is_some());
        let Some(raw) = raw.filter(|_| self.fetch.progress().held > held) else { return };
        self.keep(source, id, &raw);
        if encoding == Encoding::DeflateRaw && self.store.is_compressible(&id) {
            self.encoded.insert(id, encoding, Bytes::copy_from_slice(body));
        }
    }

    /// Stores a verified piece and counts it.
    fn keep(&mut self, source: Source, id: PieceId, raw: &[u8]) {
        if let Err(error) = self.store.put(&id, raw) {
            self.failure = Some(PeerError::Store(error));
            return;
        }
        let len = raw.len() as u64;
        tracing::trace!(%id, ?source, len, "piece kept");
        match source {
            Source::Origin => self.totals.bytes_from_origin += len,
            Source::Peer(key) => {
                self.totals.bytes_from_peers += len;
                if let Some(peer) = self.links.get(key).and_then(|link| link.peer) {
                    *self.totals.sources.entry(peer).or_default() += len;
                }
            }
        }
        self.totals.pieces_verified += 1;
        let now = Instant::now();
        self.advanced_at = now;
        self.first_piece_at.get_or_insert(now);
        self.queue_have(id);
        if self.in_crowd && !self.fetch.progress().done {
            self.arrival_numbers.insert(id, self.totals.pieces_verified.into());
        }
        self.report_soon();
    }

    /// Something came from the origin.
    pub(super) fn handle_origin(&mut self, event: OriginEvent) {
        while self.requests.try_join_next().is_some() {}
        match event {
            OriginEvent::Piece { id, encoding, body } => {
                self.origin_fault = None;
                if matches!(self.fetch.accept(Source::Origin, id), Accepted::Take { .. }) {
                    self.take(Source::Origin, id, encoding, &body);
                }
            }
            OriginEvent::Served { ids, outcome } => {
                if let Err(error) = outcome {
                    self.note_origin_fault(&error);
                }
                let left: Vec<PieceId> = ids.into_iter().filter(|id| !self.store.has(id)).collect();
                if !left.is_empty() {
                    self.fetch.handle_origin_failed(self.now(), &left);
                }
            }
            OriginEvent::Manifest { digest, blob } => {
                self.asked_manifest = self.asked_manifest.filter(|asked| *asked != digest);
                match blob {
                    Ok(blob) => {
                        self.origin_fault = None;
                        if self.sought == Some(digest) {
                            self.use_manifest(digest, blob);
                        }
                    }
                    Err(error) => self.note_origin_fault(&error),
                }
            }
            OriginEvent::Listed(listing) => self.handle_listing(listing),
            OriginEvent::Answered(Ok(())) => {}
            OriginEvent::Answered(Err(error)) => {
                tracing::debug!(%error, "answers were not taken");
                let unopened: Vec<PeerKey> =
                    self.links.answered().filter(|link| link.dialled && !link.opened).map(|link| link.key).collect();
                for key in unopened {
                    self.end_link(key, None);
                }
            }
        }
    }

    fn note_origin_fault(&mut self, error: &crate::origin::OriginError) {
        tracing::debug!(%error, "the origin did not give what was asked");
        self.origin_fault = Some(error.to_string());
    }

    /// Does what the fetch engine wants done.
    pub(super) fn do_fetch(&mut self, output: FetchOutput) {
        let now = Instant::now();
        match output {
            FetchOutput::Want { peer, ids } => drop(self.links.send(now, peer, &Frame::Want { ids })),
            FetchOutput::Cancel { peer, ids } => drop(self.links.send(now, peer, &Frame::Cancel { ids })),
            FetchOutput::Query { peer, ids } => drop(self.links.send(now, peer, &Frame::Query { ids })),
            FetchOutput::AskOrigin { ids } => {
                let (origin, events) = (self.origin.clone(), self.event_sender.clone());
                self.requests.spawn(async move {
                    let outcome = origin.pieces(&ids, &events).await;
                    let _ = events.send(OriginEvent::Served { ids, outcome }).await;
                });
            }
            FetchOutput::AskLease { done } => self.ask_lease(done),
            FetchOutput::Drop { peer, fault } => {
                if fault == Fault::Forged {
                    self.totals.bans += 1;
                }
                self.drop_link(peer, fault);
            }
            FetchOutput::Done => {
                self.arrival_numbers.clear();
                self.report();
            }
            FetchOutput::NeedPeers => self.look_for_peers(),
        }
    }

    /// The other end broke the protocol: the engine is told first, so that it does not forget to remember.
    pub(super) fn fetch_fault(&mut self, key: PeerKey, fault: Fault) {
        self.fetch.handle_fault(self.now(), key, fault);
        self.drop_link(key, fault);
    }

    /// Ends a connection whose other end is at fault, and reports it.
    pub(super) fn drop_link(&mut self, key: PeerKey, fault: Fault) {
        let Some(link) = self.links.get(key) else { return };
        if let Some(peer) = link.peer {
            tracing::debug!(%peer, ?fault, "connection ended");
            self.signal(PeerToTracker::Report(FaultReport { peer, fault }));
        }
        self.end_link(key, Some(ByeReason::Fault));
    }
}
