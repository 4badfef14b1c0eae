//! The page manifest: asset records as one blob, named by its SHA-256.

use std::collections::BTreeSet;

pub use error::ManifestError;

use crate::{
    digest::Digest,
    limits::{
        HEADER_LEN_MAX, MANIFEST_ASSETS_MAX, MANIFEST_BYTES_MAX, MANIFEST_LEN_MAX, MEDIA_TYPE_LEN_MAX, PATH_LEN_MAX, PIECE_LEN_MAX,
        RECORD_HEADERS_MAX,
    },
    reader::{Reader, put_varint},
    record::{AssetRecord, Piece},
    text::{is_header_name, is_header_value, is_path},
};

mod error;

const MAGIC: &[u8; 4] = b"VRL1";

/// Least bytes of an encoded piece: a one-byte length and the digest. Bounds what a hostile count can allocate.
const PIECE_WIRE_LEN_MIN: usize = 33;

/// Asset records in order of need; in a page manifest asset 0 is the page's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// 1..=[`MANIFEST_ASSETS_MAX`] records with distinct paths.
    pub assets: Vec<AssetRecord>,
}

impl Manifest {
    /// The blob of these records. Fails exactly when [`decode`](Self::decode) would refuse it.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        check_asset_count(self.assets.len() as u64)?;
        let mut paths = BTreeSet::new();
        let mut total = 0;
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, self.assets.len() as u64);
        for (index, asset) in self.assets.iter().enumerate() {
            check_asset(index, asset, &mut total)?;
            if !paths.insert(asset.path.as_str()) {
                return Err(ManifestError::DuplicatePath { asset: index });
            }
            put_asset(&mut out, asset);
            check_len(out.len())?;
        }
        Ok(out)
    }

    /// Reads a blob. Allocates at most a small multiple of its length.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        check_len(bytes.len())?;
        let mut reader = Reader::new(bytes);
        if reader.array::<4>().as_ref() != Ok(MAGIC) {
            return Err(ManifestError::Magic);
        }
        let count = reader.varint()?;
        check_asset_count(count)?;
        let mut paths = BTreeSet::new();
        let mut total = 0;
        let mut assets = Vec::new();
        for index in 0..count as usize {
            let asset = take_asset(&mut reader, index)?;
            check_sum(index, &asset, &mut total)?;
            if !paths.insert(asset.path.clone()) {
                return Err(ManifestError::DuplicatePath { asset: index });
            }
            assets.push(asset);
        }
        match reader.left() {
            0 => Ok(Self { assets }),
            len => Err(ManifestError::Trailing { len }),
        }
    }

    /// Every piece once, in order of first appearance.
    pub fn distinct_pieces(&self) -> Vec<Piece> {
        let mut seen = BTreeSet::new();
        let pieces = self.assets.iter().flat_map(|asset| &asset.pieces);
        pieces.filter(|piece| seen.insert(piece.id())).copied().collect()
    }

    /// Sum of the lengths of all assets, in bytes.
    pub fn bytes(&self) -> u64 {
        self.assets.iter().map(|asset| asset.len).sum()
    }
}

fn check_len(len: usize) -> Result<(), ManifestError> {
    if len > MANIFEST_LEN_MAX { Err(ManifestError::TooLong { len }) } else { Ok(()) }
}

fn check_asset_count(count: u64) -> Result<(), ManifestError> {
    let fits = (1..=MANIFEST_ASSETS_MAX as u64).contains(&count);
    if fits { Ok(()) } else { Err(ManifestError::AssetCount { count }) }
}

/// Everything about one asset that does not depend on the others' paths.
fn check_asset(index: usize, asset: &AssetRecord, total: &mut u64) -> Result<(), ManifestError> {
    if !is_asset_path(&asset.path) {
        return Err(ManifestError::Path { asset: index });
    }
    if !is_media_type(&asset.media_type) {
        return Err(ManifestError::MediaType { asset: index });
    }
    let headers_fit =
        asset.headers.len() <= RECORD_HEADERS_MAX && asset.headers.iter().all(|(name, value)| is_name(name) && is_value(value));
    if !headers_fit {
        return Err(ManifestError::Header { asset: index });
    }
    for piece in &asset.pieces {
        check_piece_len(index, u64::from(piece.len))?;
    }
    check_sum(index, asset, total)
}

/// Adds the asset to the running total of the manifest.
fn check_sum(index: usize, asset: &AssetRecord, total: &mut u64) -> Result<(), ManifestError> {
    if asset.pieces.iter().map(|piece| u64::from(piece.len)).sum::<u64>() != asset.len {
        return Err(ManifestError::Sum { asset: index });
    }
    *total = total.saturating_add(asset.len);
    if *total > MANIFEST_BYTES_MAX { Err(ManifestError::TotalLen) } else { Ok(()) }
}

fn check_piece_len(asset: usize, len: u64) -> Result<(), ManifestError> {
    let fits = (1..=PIECE_LEN_MAX as u64).contains(&len);
    if fits { Ok(()) } else { Err(ManifestError::PieceLen { asset, len }) }
}

fn put_asset(out: &mut Vec<u8>, asset: &AssetRecord) {
    put_text(out, &asset.path);
    put_text(out, &asset.media_type);
    put_varint(out, asset.headers.len() as u64);
    for (name, value) in &asset.headers {
        put_text(out, name);
        put_text(out, value);
    }
    put_varint(out, asset.len);
    out.extend_from_slice(asset.digest.as_bytes());
    put_varint(out, asset.pieces.len() as u64);
    for piece in &asset.pieces {
        put_varint(out, u64::from(piece.len));
        out.extend_from_slice(piece.digest.as_bytes());
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn take_asset(reader: &mut Reader<'_>, asset: usize) -> Result<AssetRecord, ManifestError> {
    let path = take_text(reader, is_asset_path, ManifestError::Path { asset })?;
    let media_type = take_text(reader, is_media_type, ManifestError::MediaType { asset })?;
    let header_count = reader.varint()?;
    let malformed = ManifestError::Header { asset };
    if header_count > RECORD_HEADERS_MAX as u64 {
        return Err(malformed);
    }
    let mut headers = Vec::new();
    for _ in 0..header_count {
        let name = take_text(reader, is_name, malformed)?;
        headers.push((name, take_text(reader, is_value, malformed)?));
    }
    let len = reader.varint()?;
    let digest = Digest(reader.array()?);
    let piece_count = reader.varint()?;
    if piece_count > (reader.left() / PIECE_WIRE_LEN_MIN) as u64 {
        return Err(ManifestError::Truncated);
    }
    let mut pieces = Vec::with_capacity(piece_count as usize);
    for _ in 0..piece_count {
        let piece_len = reader.varint()?;
        check_piece_len(asset, piece_len)?;
        pieces.push(Piece { len: piece_len as u32, digest: Digest(reader.array()?) });
    }
    Ok(AssetRecord { path, media_type, headers, len, digest, pieces })
}

/// A string that `is_valid`, else `malformed`. What is missing is read as missing before it is judged.
fn take_text(reader: &mut Reader<'_>, is_valid: fn(&str) -> bool, malformed: ManifestError) -> Result<String, ManifestError> {
    let len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
    let text = std::str::from_utf8(reader.bytes(len)?).map_err(|_| malformed)?;
    if is_valid(text) { Ok(text.to_owned()) } else { Err(malformed) }
}

fn is_asset_path(text: &str) -> bool {
    is_path(text, PATH_LEN_MAX)
}

fn is_media_type(text: &str) -> bool {
    is_header_value(text, MEDIA_TYPE_LEN_MAX)
}

fn is_name(text: &str) -> bool {
    is_header_name(text, HEADER_LEN_MAX)
}

fn is_value(text: &str) -> bool {
    is_header_value(text, HEADER_LEN_MAX)
}
