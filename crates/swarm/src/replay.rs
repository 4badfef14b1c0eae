//! Traces of a machine, for every implementation of it: written when `UPDATE_VECTORS=1`, compared otherwise.

use std::{fmt::Write as _, fs, path::PathBuf};

use serde::Serialize;
use serde_json::Value;
use viral_wire::{AssetRecord, Digest, Manifest, Piece, PieceId};

/// Piece `number` of a trace: its digest is the number as 32 hex digits, then zeros.
pub(crate) fn piece(number: u32, len: u32) -> Piece {
    let mut digest = [0; 32];
    digest[12..16].copy_from_slice(&number.to_be_bytes());
    Piece { len, digest: Digest(digest) }
}

/// The id of that piece.
pub(crate) fn id(number: u32) -> PieceId {
    piece(number, 1).id()
}

/// The blob of a manifest of one asset with these pieces, each of 1,000 bytes.
pub(crate) fn manifest(numbers: &[u32]) -> Vec<u8> {
    let pieces: Vec<Piece> = numbers.iter().map(|&number| piece(number, 1_000)).collect();
    let asset = AssetRecord {
        path: "/app".to_owned(),
        media_type: "text/html".to_owned(),
        headers: Vec::new(),
        len: pieces.len() as u64 * 1_000,
        digest: Digest([9; 32]),
        pieces,
    };
    Manifest { assets: vec![asset] }.encode().unwrap()
}

/// The ids of those pieces.
pub(crate) fn ids(numbers: &[u32]) -> Vec<PieceId> {
    numbers.iter().map(|&number| id(number)).collect()
}

/// The number of a piece.
pub(crate) fn number(id: PieceId) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&id.as_bytes()[12..]);
    u32::from_be_bytes(bytes)
}

/// JSON in which every piece id stands as its number.
pub(crate) fn numbered(value: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(value).unwrap();
    if let Some(fields) = value.as_object_mut() {
        for (name, field) in fields {
            if name == "id" || name == "ids" {
                replace_ids(field);
            }
        }
    }
    value
}

fn replace_ids(value: &mut Value) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(replace_ids);
    } else if let Some(id) = value.as_str() {
        *value = number(id.parse().unwrap()).into();
    }
}

/// Writes or compares `vectors/FOLDER/NAME.json`: the head's fields, then one step a line.
pub(crate) fn check(folder: &str, name: &str, head: &Value, steps: &[Value]) {
    let mut text = String::from("{\n");
    for (field, value) in head.as_object().unwrap() {
        writeln!(text, "\"{field}\": {value},").unwrap();
    }
    text.push_str("\"steps\": [\n");
    let lines: Vec<String> = steps.iter().map(Value::to_string).collect();
    text.push_str(&lines.join(",\n"));
    text.push_str("\n]\n}\n");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(folder).join(format!("{name}.json"));
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "{folder}/{name}: decisions changed; if that is meant, run the tests with UPDATE_VECTORS=1 and look at the difference"
    );
}
