//! The app that is visited: real manifests of pieces that nobody has to make.

use std::collections::BTreeMap;

use viral_wire::limits::PIECE_LEN_MAX;
use viral_wire::{AssetRecord, Digest, Manifest, ManifestError, Piece, PieceId};

/// Path of the one page.
pub const PAGE: &str = "/";

/// Assets of an app besides its page.
const ASSETS: u64 = 6;

/// One version of the app.
#[derive(Debug)]
pub struct Version {
    /// Its manifest's name.
    pub digest: Digest,
    /// As it travels.
    pub blob: Vec<u8>,
    /// Its distinct pieces in order of need.
    pub pieces: Vec<Piece>,
    /// Where each is among them.
    pub places: BTreeMap<PieceId, u32>,
    /// The pieces of the document among them come first: how many.
    pub document_pieces: usize,
    /// Bytes of the document.
    pub document_len: u64,
    /// Bytes of everything.
    pub bytes: u64,
}

/// What an app looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AppShape {
    /// Bytes of document and assets together.
    pub bytes: u64,
    /// Bytes of the document.
    pub document_bytes: u64,
    /// Bytes of a piece on average.
    pub piece_bytes: u32,
}

impl Version {
    /// The version of an app after as many deploys as there are shares in `changed` (0 to 1), each that of the pieces which are not those of the version before.
    ///
    /// # Errors
    /// When a manifest of this shape breaks a limit of the protocol.
    pub fn make(shape: &AppShape, changed: &[f64]) -> Result<Self, ManifestError> {
        let number = u32::try_from(changed.len()).unwrap_or(u32::MAX);
        let mut assets = vec![record("/", "text/html", shape.document_bytes, shape.piece_bytes, number, |_| number)];
        let rest = shape.bytes.saturating_sub(shape.document_bytes);
        for asset in 0..ASSETS {
            let len = rest / ASSETS + if asset + 1 == ASSETS { rest % ASSETS } else { 0 };
            if len == 0 {
                continue;
            }
            let name = format!("/part-{asset}.bin");
            // Of every version a share of the pieces, spread over the app, is new; the others keep the version in which they last were.
            let born = |piece: u64| {
                let versions = (1..=number).rev().zip(changed.iter().rev());
                let mut changing = versions.filter(|(version, share)| is_changed(*version, asset, piece, **share));
                changing.next().map_or(0, |(version, _)| version)
            };
            assets.push(record(&name, "application/octet-stream", len, shape.piece_bytes, number, born));
        }
        let manifest = Manifest { assets };
        let blob = manifest.encode()?;
        let pieces = manifest.distinct_pieces();
        let places = pieces.iter().zip(0..).map(|(piece, place)| (piece.id(), place)).collect();
        Ok(Self {
            digest: Digest::of(&blob),
            document_pieces: manifest.assets[0].pieces.len(),
            document_len: manifest.assets[0].len,
            bytes: manifest.bytes(),
            blob,
            pieces,
            places,
        })
    }

    /// Raw length of a piece, in bytes; none if it is not of this version.
    #[must_use]
    pub fn len_of(&self, id: &PieceId) -> Option<u32> {
        self.places.get(id).and_then(|place| self.pieces.get(*place as usize)).map(|piece| piece.len)
    }
}

fn is_changed(version: u32, asset: u64, piece: u64, share: f64) -> bool {
    let bits = crate::random::Random::new((u64::from(version) << 48) ^ (asset << 40) ^ piece).next_u64();
    (bits as f64 / u64::MAX as f64) < share
}

fn record(path: &str, media_type: &str, len: u64, piece_bytes: u32, version: u32, born: impl Fn(u64) -> u32) -> AssetRecord {
    let count = len.div_ceil(u64::from(piece_bytes).clamp(1, PIECE_LEN_MAX as u64)).max(1);
    let pieces = (0..count).map(|piece| {
        let from = len * piece / count;
        let to = len * (piece + 1) / count;
        let name = format!("{path} {piece} of version {}", born(piece));
        Piece { len: u32::try_from(to - from).unwrap_or(u32::MAX), digest: Digest::of(name.as_bytes()) }
    });
    AssetRecord {
        path: path.to_owned(),
        media_type: media_type.to_owned(),
        headers: Vec::new(),
        len,
        digest: Digest::of(format!("{path} of version {version}").as_bytes()),
        pieces: pieces.filter(|piece| piece.len > 0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: AppShape = AppShape { bytes: 10_000_000, document_bytes: 1_200, piece_bytes: 20_480 };

    #[test]
    fn the_shipped_code_reads_the_manifest_and_finds_all_bytes() {
        let version = Version::make(&SHAPE, &[]).unwrap();
        let manifest = Manifest::decode(&version.blob).unwrap();
        assert_eq!((manifest.bytes(), version.bytes), (10_000_000, 10_000_000));
        assert_eq!(version.pieces.iter().map(|piece| u64::from(piece.len)).sum::<u64>(), 10_000_000);
        assert_eq!((version.document_pieces, version.document_len), (1, 1_200));
    }

    #[test]
    fn a_deploy_changes_about_the_share_that_was_said() {
        let (first, second) = (Version::make(&SHAPE, &[]).unwrap(), Version::make(&SHAPE, &[0.2]).unwrap());
        let kept = second.pieces.iter().filter(|piece| first.places.contains_key(&piece.id())).count();
        let share = 1.0 - kept as f64 / second.pieces.len() as f64;
        assert!((0.15..0.25).contains(&share), "{share}");
        assert_ne!(first.digest, second.digest);
        assert_eq!(Version::make(&SHAPE, &[1.0]).unwrap().pieces.iter().filter(|piece| first.places.contains_key(&piece.id())).count(), 0);
        // Each deploy changes its own share of the version before, whatever earlier ones changed.
        let (all, tenth) = (Version::make(&SHAPE, &[1.0]).unwrap(), Version::make(&SHAPE, &[1.0, 0.1]).unwrap());
        let kept = tenth.pieces.iter().filter(|piece| all.places.contains_key(&piece.id())).count();
        assert!(kept * 10 > all.pieces.len() * 8, "{kept} of {}", all.pieces.len());
    }
}
