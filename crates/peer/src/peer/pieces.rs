//! The bytes of pieces: what comes is decoded, compared with its digest and stored, what is asked for is read and encoded.

use std::collections::HashSet;

use bytes::Bytes;
use viral_swarm::client::manifests::ArrivedPiece;
use viral_swarm::fetch::{PeerKey, Source};
use viral_wire::frame::Encoding;
use viral_wire::{AssetRecord, Digest, Frame, PieceId, piece_codec};

use super::{Peer, PeerError};

impl Peer {
    /// Fetches these assets, in this order, as far as they are not here.
    pub(crate) fn add_records(&mut self, records: &[AssetRecord]) {
        for record in records {
            if let Err(error) = self.store.add(record) {
                self.faults.failure = Some(PeerError::Store(error));
                return;
            }
        }
        let mut seen = HashSet::new();
        let pieces: Vec<_> = records.iter().flat_map(|record| &record.pieces).filter(|piece| seen.insert(piece.id())).copied().collect();
        let (now, store) = (self.now(), &self.store);
        self.session.add_pieces(now, &pieces, |id| store.has(id));
        self.use_document(records);
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
            if !self.store.has(&piece.id()) && self.keep(Source::Origin, piece.id(), &raw) {
                self.session.handle_found(self.now(), &[*piece]);
            }
        }
    }

    /// Verifies what came from peers.
    pub(super) fn verify_arrived(&mut self) {
        while let Some(ArrivedPiece { peer, id, encoding, body }) = self.session.poll_piece() {
            self.verify(Source::Peer(peer), id, encoding, &body);
        }
    }

    /// Decodes and verifies a piece, and keeps it if it is genuine and new.
    pub(super) fn verify(&mut self, source: Source, id: PieceId, encoding: Encoding, body: &[u8]) {
        let Some(piece) = self.store.piece(&id) else { return };
        let raw = piece_codec::decode_verified(&piece, encoding, body);
        let is_new = self.session.handle_verified(self.now(), source, id, raw.is_some());
        let Some(raw) = raw.filter(|_| is_new) else { return };
        self.keep(source, id, &raw);
        if encoding == Encoding::DeflateRaw && self.store.is_compressible(&id) {
            self.encoded.insert(id, encoding, Bytes::copy_from_slice(body));
        }
    }

    /// Stores a verified piece. False if that fails.
    fn keep(&mut self, source: Source, id: PieceId, raw: &[u8]) -> bool {
        if let Err(error) = self.store.put(&id, raw) {
            self.faults.failure = Some(PeerError::Store(error));
            return false;
        }
        tracing::trace!(%id, ?source, len = raw.len(), "piece kept");
        self.session.handle_kept(self.now(), source, id, u32::try_from(raw.len()).unwrap_or(u32::MAX));
        true
    }

    /// Reads a piece and sends it.
    pub(super) fn send_piece(&mut self, key: PeerKey, id: PieceId, urgency: u64) {
        let now = self.now();
        let Some((encoding, body)) = self.encoded.get(&id).or_else(|| self.encode(id)) else {
            self.session.handle_gone(&id);
            return self.session.handle_piece_unsent(now, key, id);
        };
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let links = &mut self.network.links;
        if links.send_urgent(key, &Frame::Piece { id, encoding, body: body.into() }, urgency) {
            let buffered = links.get(key).map_or(0, |link| link.buffered());
            self.session.handle_sent(now, key, id, len, buffered);
        } else {
            self.session.handle_piece_unsent(now, key, id);
        }
    }

    /// The piece as it travels; none if it is not here any more.
    fn encode(&mut self, id: PieceId) -> Option<(Encoding, Bytes)> {
        let compressible = self.store.is_compressible(&id);
        let raw = self.store.read(&id)?;
        let deflated = compressible.then(|| piece_codec::deflated(&raw)).flatten();
        let (encoding, body) = deflated.map_or_else(|| (Encoding::Raw, raw), |body| (Encoding::DeflateRaw, body.into()));
        if compressible {
            self.encoded.insert(id, encoding, body.clone());
        }
        Some((encoding, body))
    }
}
