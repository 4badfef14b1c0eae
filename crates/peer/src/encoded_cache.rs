//! Pieces as they were sent, so that ten leechers cost one compression.

use bytes::Bytes;
use lru::LruCache;
use viral_wire::PieceId;
use viral_wire::frame::Encoding;

use crate::limits::ENCODED_BYTES_MAX;

/// Encoded pieces, those used longest ago forgotten first.
#[derive(Debug)]
pub(crate) struct EncodedCache {
    entries: LruCache<PieceId, (Encoding, Bytes)>,
    bytes: usize,
}

impl Default for EncodedCache {
    fn default() -> Self {
        // Bounded in bytes, below.
        Self { entries: LruCache::unbounded(), bytes: 0 }
    }
}

impl EncodedCache {
    /// A piece that is here.
    pub(crate) fn get(&mut self, id: &PieceId) -> Option<(Encoding, Bytes)> {
        self.entries.get(id).cloned()
    }

    /// Keeps an encoded piece.
    pub(crate) fn insert(&mut self, id: PieceId, encoding: Encoding, body: Bytes) {
        if self.entries.contains(&id) || body.len() > ENCODED_BYTES_MAX / 8 {
            return;
        }
        self.bytes += body.len();
        self.entries.put(id, (encoding, body));
        while self.bytes > ENCODED_BYTES_MAX
            && let Some((_, (_, body))) = self.entries.pop_lru()
        {
            self.bytes -= body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use viral_wire::Digest;

    use super::*;

    #[test]
    fn the_cache_forgets_what_was_used_longest_ago() {
        let mut cache = EncodedCache::default();
        let id = |n: u32| Digest::of(&n.to_be_bytes()).piece_id();
        let body = Bytes::from(vec![0; ENCODED_BYTES_MAX / 8]);
        for n in 0..8 {
            cache.insert(id(n), Encoding::Raw, body.clone());
        }
        assert!(cache.get(&id(0)).is_some());
        cache.insert(id(8), Encoding::Raw, body);
        assert!(cache.get(&id(0)).is_some() && cache.get(&id(1)).is_none());
        assert_eq!(cache.bytes, ENCODED_BYTES_MAX);
    }
}
