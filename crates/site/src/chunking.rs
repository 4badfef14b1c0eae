//! Cutting content into pieces where the content says, so that a small change leaves most pieces as they were.

use std::io::{self, Read};

use fastcdc::v2020::StreamCDC;
use sha2::{Digest as _, Sha256};
use viral_wire::{Digest, Piece, limits::PIECE_LEN_MAX};

const KIB: usize = 1024;
const MIB: u64 = 1024 * 1024;

/// What content is made of.
#[derive(Debug)]
pub(super) struct Chunked {
    /// Digest of the whole.
    pub(super) digest: Digest,
    /// Bytes of the whole.
    pub(super) len: u64,
    /// The pieces in order.
    pub(super) pieces: Vec<Piece>,
}

/// Smallest, average and largest piece for content of `len` bytes. A quarter and four times the average
/// as in the FastCDC paper (Xia et al. 2020), but never over `PIECE_LEN_MAX`.
fn sizes(len: u64) -> (usize, usize, usize) {
    let average = match len {
        _ if len <= 8 * MIB => 16 * KIB,
        _ if len <= 64 * MIB => 32 * KIB,
        _ => 64 * KIB,
    };
    (average / 4, average, (average * 4).min(PIECE_LEN_MAX))
}

/// Cuts what `reader` gives, handing each piece to `keep` in order. `len` is the expected length; it only chooses the sizes.
pub(super) fn chunk(reader: impl Read, len: u64, mut keep: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Chunked> {
    let (min, average, max) = sizes(len);
    let mut whole = Sha256::new();
    let mut chunked = Chunked { digest: Digest([0; 32]), len: 0, pieces: Vec::new() };
    for chunk in StreamCDC::new(reader, min, average, max) {
        let data = chunk.map_err(io::Error::from)?.data;
        whole.update(&data);
        let len = u32::try_from(data.len()).expect("a piece is at most PIECE_LEN_MAX");
        chunked.pieces.push(Piece { len, digest: Digest::of(&data) });
        chunked.len += u64::from(len);
        keep(&data)?;
    }
    chunked.pieces.shrink_to_fit();
    chunked.digest = Digest(whole.finalize().into());
    Ok(chunked)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Bytes without structure, the same for the same seed (xorshift).
    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..len).map(|_| next()).collect()
    }

    fn pieces_of(content: &[u8]) -> Chunked {
        chunk(content, content.len() as u64, |_| Ok(())).unwrap()
    }

    #[test]
    fn empty_content_has_no_pieces() {
        let chunked = pieces_of(b"");
        assert_eq!((chunked.len, chunked.pieces.len(), chunked.digest), (0, 0, Digest::of(b"")));
    }

    #[test]
    fn no_piece_is_longer_than_the_limit_whatever_the_size() {
        for len in [1, 8 * MIB, 8 * MIB + 1, 64 * MIB, 64 * MIB + 1, u64::MAX] {
            let (min, average, max) = sizes(len);
            assert!(min < average && average < max && max <= PIECE_LEN_MAX);
        }
        let zeros = vec![0; 3 * 1024 * 1024];
        let chunked = chunk(&zeros[..], 65 * MIB, |piece| {
            assert!(piece.len() <= PIECE_LEN_MAX);
            Ok(())
        })
        .unwrap();
        assert_eq!(chunked.len, zeros.len() as u64);
    }

    #[test]
    fn an_insertion_leaves_most_pieces_as_they_were() {
        let old = noise(2 * 1024 * 1024, 7);
        let mut new = old.clone();
        new.splice(1_000_000..1_000_000, *b"one more line");
        let before: BTreeSet<_> = pieces_of(&old).pieces.into_iter().collect();
        let after = pieces_of(&new).pieces;
        let kept = after.iter().filter(|piece| before.contains(piece)).count();
        assert!(kept + 3 >= after.len(), "{kept} of {}", after.len());
    }

    #[test]
    fn average_piece_is_near_the_design() {
        let chunked = pieces_of(&noise(4 * 1024 * 1024, 3));
        let average = chunked.len / chunked.pieces.len() as u64;
        assert!((12 * 1024..24 * 1024).contains(&average), "{average}");
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_content(len in 0_usize..200_000, seed: u64) {
            let content = noise(len, seed);
            let mut joined = Vec::new();
            let chunked = chunk(&content[..], len as u64, |piece| { joined.extend_from_slice(piece); Ok(()) }).unwrap();
            prop_assert_eq!(&joined, &content);
            prop_assert_eq!(chunked.digest, Digest::of(&content));
            let mut rest = &content[..];
            for piece in &chunked.pieces {
                let (head, tail) = rest.split_at(piece.len as usize);
                prop_assert_eq!(piece.digest, Digest::of(head));
                rest = tail;
            }
            prop_assert!(rest.is_empty());
        }
    }
}
