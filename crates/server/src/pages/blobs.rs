//! Recent manifests, kept so that visitors of yesterday's version still find theirs; bounded in bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use viral_wire::Digest;

/// Blobs by digest; the one unused longest goes first.
#[derive(Debug)]
pub(super) struct Blobs {
    len_max: usize,
    len: usize,
    clock: u64,
    blobs: BTreeMap<Digest, (u64, Bytes)>,
    /// Digests by when they were last used.
    uses: BTreeMap<u64, Digest>,
}

impl Blobs {
    pub(super) fn new(len_max: usize) -> Self {
        Self { len_max, len: 0, clock: 0, blobs: BTreeMap::new(), uses: BTreeMap::new() }
    }

    /// Keeps a blob, and forgets others until all fit. The newest stays even if it alone is over the limit.
    pub(super) fn insert(&mut self, digest: Digest, blob: Bytes) {
        if self.get(&digest).is_some() {
            return;
        }
        self.clock += 1;
        self.len += blob.len();
        self.blobs.insert(digest, (self.clock, blob));
        self.uses.insert(self.clock, digest);
        while self.len > self.len_max && self.blobs.len() > 1 {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.len -= self.blobs.remove(&oldest).map_or(0, |(_, blob)| blob.len());
        }
    }

    /// The blob of this name; it counts as used.
    pub(super) fn get(&mut self, digest: &Digest) -> Option<Bytes> {
        let (used, blob) = self.blobs.get_mut(digest)?;
        self.clock += 1;
        self.uses.remove(used);
        self.uses.insert(self.clock, *digest);
        *used = self.clock;
        Some(blob.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blob_unused_longest_goes_first() {
        let names = [Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3")];
        let mut blobs = Blobs::new(20);
        blobs.insert(names[0], Bytes::from_static(&[0; 10]));
        blobs.insert(names[1], Bytes::from_static(&[0; 10]));
        assert!(blobs.get(&names[0]).is_some(), "both fit");
        blobs.insert(names[2], Bytes::from_static(&[0; 1]));
        assert!(blobs.get(&names[1]).is_none());
        assert!(blobs.get(&names[0]).is_some() && blobs.get(&names[2]).is_some());
        assert_eq!((blobs.len, blobs.uses.len()), (11, 2));
    }

    #[test]
    fn the_same_blob_twice_counts_once() {
        let mut blobs = Blobs::new(20);
        for _ in 0..3 {
            blobs.insert(Digest::of(b"1"), Bytes::from_static(&[0; 10]));
        }
        assert_eq!((blobs.len, blobs.blobs.len(), blobs.uses.len()), (10, 1, 1));
    }
}
