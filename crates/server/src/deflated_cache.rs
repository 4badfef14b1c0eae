//! Pieces as the origin sends them: deflated where that is worth it, and kept so that each is deflated once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lru::LruCache;
use viral_wire::PieceId;
use viral_wire::frame::Encoding;
use viral_wire::piece_codec;

/// What one entry costs besides its body, in bytes: key, pointers and its place in the table.
const ENTRY_LEN: usize = 96;

/// Deflated pieces, bounded in bytes; those used longest ago are forgotten first.
#[derive(Debug)]
pub(crate) struct DeflatedCache {
    len_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    len: usize,
    /// The deflated body, or none where the raw piece is sent.
    pieces: LruCache<PieceId, Option<Bytes>>,
}

impl DeflatedCache {
    /// Keeps at most `len_max` bytes.
    pub(crate) fn new(len_max: usize) -> Self {
        Self { len_max, kept: Mutex::new(Kept { len: 0, pieces: LruCache::unbounded() }) }
    }

    /// The body to send for a piece whose raw bytes are `raw`.
    pub(crate) async fn encode(&self, id: PieceId, raw: Bytes) -> (Encoding, Bytes) {
        let known = self.kept().pieces.get(&id).cloned();
        let deflated = match known {
            Some(known) => known,
            None => {
                let input = raw.clone();
                let made = tokio::task::spawn_blocking(move || piece_codec::deflated(&input)).await.unwrap_or_default();
                let made = made.map(Bytes::from);
                self.keep(id, made.clone());
                made
            }
        };
        deflated.map_or((Encoding::Raw, raw), |body| (Encoding::DeflateRaw, body))
    }

    fn keep(&self, id: PieceId, body: Option<Bytes>) {
        let mut kept = self.kept();
        kept.len += len_of(body.as_ref());
        if let Some(before) = kept.pieces.put(id, body) {
            kept.len -= len_of(before.as_ref());
        }
        while kept.len > self.len_max {
            let Some((_, oldest)) = kept.pieces.pop_lru() else { break };
            kept.len -= len_of(oldest.as_ref());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic while the lock was held can at worst have left a piece out.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn len_of(body: Option<&Bytes>) -> usize {
    ENTRY_LEN + body.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use viral_wire::{Digest, Piece};

    use super::*;

    fn id(n: u8) -> PieceId {
        Digest::of(&[n]).piece_id()
    }

    #[tokio::test]
    async fn text_is_deflated_and_noise_is_not() {
        let cache = DeflatedCache::new(1 << 20);
        let text = Bytes::from("words and words and words ".repeat(100));
        for _ in 0..2 {
            let (encoding, body) = cache.encode(id(1), text.clone()).await;
            assert_eq!(encoding, Encoding::DeflateRaw);
            let piece = Piece { len: u32::try_from(text.len()).unwrap(), digest: Digest::of(&text) };
            assert_eq!(piece_codec::decode_verified(&piece, encoding, &body).as_deref(), Some(&text[..]));
        }
        let noise: Vec<u8> = (0..100_u8).flat_map(|n| *Digest::of(&[n]).as_bytes()).collect();
        assert_eq!(cache.encode(id(2), Bytes::from(noise.clone())).await, (Encoding::Raw, Bytes::from(noise)));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let cache = DeflatedCache::new(10 * ENTRY_LEN);
        for n in 0..100 {
            cache.encode(id(n), Bytes::from_static(b"x")).await;
            cache.encode(id(0), Bytes::from_static(b"x")).await;
        }
        let kept = cache.kept();
        assert_eq!((kept.pieces.len(), kept.len), (10, 10 * ENTRY_LEN));
        assert!(kept.pieces.contains(&id(0)) && kept.pieces.contains(&id(99)) && !kept.pieces.contains(&id(50)), "in use is kept");
    }
}
