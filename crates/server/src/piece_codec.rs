//! Pieces as they go into frames: deflated where that is worth it, and kept so that each is deflated once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use viral_wire::PieceId;
use viral_wire::frame::Encoding;

/// A deflated piece must be below this share of the raw one, in percent: inflating costs the visitor more than a few bytes save.
const WORTH_PERCENT: usize = 90;

/// What one entry costs besides its body, in bytes: keys, pointers and tree.
const ENTRY_LEN: usize = 96;

/// Encoded pieces, bounded in bytes; the oldest go first.
#[derive(Debug)]
pub(crate) struct PieceCodec {
    len_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    len: usize,
    serial: u64,
    /// Deflated body, or none where the raw piece is sent.
    pieces: BTreeMap<PieceId, Option<Bytes>>,
    order: BTreeMap<u64, PieceId>,
}

impl PieceCodec {
    /// Keeps at most `len_max` bytes.
    pub(crate) fn new(len_max: usize) -> Self {
        Self { len_max, kept: Mutex::default() }
    }

    /// The body to send for a piece whose raw bytes are `raw`.
    pub(crate) async fn encode(&self, id: PieceId, raw: Bytes) -> (Encoding, Bytes) {
        let known = self.kept().pieces.get(&id).cloned();
        let deflated = match known {
            Some(known) => known,
            None => {
                let input = raw.clone();
                let made = tokio::task::spawn_blocking(move || deflated(&input)).await.unwrap_or_default();
                self.keep(id, made.clone());
                made
            }
        };
        deflated.map_or((Encoding::Raw, raw), |body| (Encoding::DeflateRaw, body))
    }

    fn keep(&self, id: PieceId, body: Option<Bytes>) {
        let mut kept = self.kept();
        let len = ENTRY_LEN + body.as_ref().map_or(0, Bytes::len);
        if kept.pieces.insert(id, body).is_some() {
            return;
        }
        kept.len += len;
        kept.serial += 1;
        let serial = kept.serial;
        kept.order.insert(serial, id);
        while kept.len > self.len_max {
            let Some((_, oldest)) = kept.order.pop_first() else { break };
            let gone = kept.pieces.remove(&oldest).flatten();
            kept.len -= ENTRY_LEN + gone.map_or(0, |body| body.len());
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A panic while the lock was held can at worst have left a piece out.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deflated piece, if that is worth sending.
fn deflated(raw: &[u8]) -> Option<Bytes> {
    let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(raw).ok()?;
    let body = writer.finish().ok()?;
    (body.len() * 100 < raw.len() * WORTH_PERCENT).then(|| Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use viral_wire::Digest;

    fn id(n: u8) -> PieceId {
        Digest::of(&[n]).piece_id()
    }

    #[tokio::test]
    async fn text_is_deflated_and_noise_is_not() {
        let codec = PieceCodec::new(1 << 20);
        let text = Bytes::from("words and words and words ".repeat(100));
        let (encoding, body) = codec.encode(id(1), text.clone()).await;
        assert_eq!(encoding, Encoding::DeflateRaw);
        let mut out = Vec::new();
        flate2::read::DeflateDecoder::new(body.as_ref()).read_to_end(&mut out).unwrap();
        assert_eq!(out, text);
        let noise: Vec<u8> = (0..100_u8).flat_map(|n| *Digest::of(&[n]).as_bytes()).collect();
        assert_eq!(codec.encode(id(2), Bytes::from(noise.clone())).await, (Encoding::Raw, Bytes::from(noise)));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let codec = PieceCodec::new(10 * ENTRY_LEN);
        for n in 0..100 {
            codec.encode(id(n), Bytes::from_static(b"x")).await;
        }
        let kept = codec.kept();
        assert_eq!((kept.pieces.len(), kept.order.len(), kept.len), (10, 10, 10 * ENTRY_LEN));
    }
}
