//! The records of all assets, in stretches of which each is a manifest.

use bytes::Bytes;
use viral_wire::{AssetRecord, Manifest, ManifestError};

use super::limits::{LISTING_ASSETS_MAX, LISTING_LEN_MAX};

/// As many of the first records as one answer holds. One that is too large for any manifest does not travel.
///
/// # Errors
/// When they make no manifest.
pub fn first_stretch(records: impl Iterator<Item = AssetRecord>) -> Result<Option<Bytes>, ManifestError> {
    let mut assets = Vec::new();
    let mut len = 0;
    for record in records {
        let weight = weight(&record);
        if weight > LISTING_LEN_MAX {
            continue;
        }
        len += weight;
        if len > LISTING_LEN_MAX || assets.len() >= LISTING_ASSETS_MAX {
            break;
        }
        assets.push(record);
    }
    if assets.is_empty() { Ok(None) } else { Manifest { assets }.encode().map(|blob| Some(blob.into())) }
}

/// Bytes of a record in a manifest, rounded up.
fn weight(record: &AssetRecord) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    128 + record.path.len() + record.media_type.len() + headers + 40 * record.pieces.len()
}

#[cfg(test)]
mod tests {
    use viral_wire::Digest;

    use super::*;

    fn record(path: String) -> AssetRecord {
        let (media_type, digest) = ("text/plain".to_owned(), Digest::of(b""));
        AssetRecord { path, media_type, headers: Vec::new(), len: 0, digest, pieces: Vec::new() }
    }

    #[test]
    fn a_stretch_has_at_most_so_many_records_and_what_no_manifest_holds_is_left_out() {
        let listed = |records: Vec<AssetRecord>| {
            first_stretch(records.into_iter()).unwrap().map(|blob| Manifest::decode(&blob).unwrap().assets.len())
        };
        let records = |count: usize| (0..count).map(|n| record(format!("/{n:04}"))).collect::<Vec<_>>();
        assert_eq!(listed(Vec::new()), None);
        assert_eq!(listed(records(LISTING_ASSETS_MAX)), Some(LISTING_ASSETS_MAX));
        assert_eq!(listed(records(LISTING_ASSETS_MAX + 1)), Some(LISTING_ASSETS_MAX));
        assert_eq!(listed(vec![record("/".repeat(LISTING_LEN_MAX)), record("/a".to_owned())]), Some(1));
    }
}
