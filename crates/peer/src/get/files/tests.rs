use std::os::unix::fs::symlink;

use viral_wire::Piece;

use super::*;
use crate::store::Place;

fn record(path: &str, raw: &[u8]) -> AssetRecord {
    let pieces = if raw.is_empty() { Vec::new() } else { vec![Piece { len: raw.len() as u32, digest: Digest::of(raw) }] };
    AssetRecord {
        path: path.to_owned(),
        media_type: "application/octet-stream".to_owned(),
        headers: Vec::new(),
        len: raw.len() as u64,
        digest: Digest::of(raw),
        pieces,
    }
}

/// A directory and a store that holds these assets.
fn filled(force: bool, assets: &[(&str, &[u8])]) -> (tempfile::TempDir, Output, Store, Vec<AssetRecord>) {
    let dir = tempfile::tempdir().unwrap();
    let output = Output::open(dir.path().join("out"), force).unwrap();
    let mut store = Store::open(Place::Directory(output.partial())).unwrap();
    let records: Vec<AssetRecord> = assets.iter().map(|(path, raw)| record(path, raw)).collect();
    for (record, (_, raw)) in records.iter().zip(assets) {
        store.add(record).unwrap();
        if let Some(piece) = record.pieces.first() {
            store.put(&piece.id(), raw).unwrap();
        }
    }
    (dir, output, store, records)
}

#[test]
fn paths_become_files_below_the_directory_and_nothing_else() {
    let safe =
        [("/", "index.html"), ("/a/", "a/index.html"), ("/a/b.js", "a/b.js"), ("/a%20b.txt", "a b.txt"), ("/..a", "..a"), ("/%C3%A4", "ä")];
    for (path, file) in safe {
        assert_eq!(relative(path).as_deref(), Some(Path::new(file)), "{path}");
    }
    let unsafe_ones = [
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/a%2fb",
        "/a%5cb",
        "/a%00b",
        "//x",
        "/./x",
        "/a//b",
        "x",
        "/c:/x",
        "/.viral-partial/x",
        "/%ff",
    ];
    for path in unsafe_ones {
        assert_eq!(relative(path), None, "{path}");
    }
}

#[test]
fn assets_are_placed_whole_and_the_partial_store_goes() {
    let (dir, mut output, mut store, records) = filled(
        false,
        &[("/", b"<p>"), ("/.viral/addition.js", b"seed()"), ("/a/b.bin", b"123"), ("/c.bin", b"123"), ("/d.bin", b"45"), ("/empty", b"")],
    );
    assert!(output.survey(&records).unwrap().is_empty());
    output.place(&mut store, &records, true).unwrap();
    output.finish().unwrap();
    let out = dir.path().join("out");
    for (file, bytes) in [("index.html", &b"<p>"[..]), ("a/b.bin", b"123"), ("c.bin", b"123"), ("d.bin", b"45"), ("empty", b"")] {
        assert_eq!(fs::read(out.join(file)).unwrap(), bytes, "{file}");
    }
    assert!(!out.join(PARTIAL).exists());
    assert!(!out.join(".viral").exists(), "what is ours is no part of the app");
}

#[test]
fn a_file_that_differs_is_not_touched_unless_forced() {
    for force in [false, true] {
        let (dir, mut output, mut store, records) = filled(force, &[("/a.bin", b"new")]);
        let there = dir.path().join("out/a.bin");
        fs::write(&there, b"old").unwrap();
        let survey = output.survey(&records);
        assert_eq!(survey.is_ok(), force, "{survey:?}");
        if force {
            output.place(&mut store, &records, false).unwrap();
        }
        assert_eq!(fs::read(there).unwrap(), if force { b"new" } else { b"old" });
    }
}

#[test]
fn a_file_that_is_right_already_is_found() {
    let (dir, output, _, records) = filled(false, &[("/a.bin", b"new")]);
    fs::write(dir.path().join("out/a.bin"), b"new").unwrap();
    assert_eq!(output.survey(&records).unwrap().len(), 1);
}

#[test]
fn nothing_is_written_through_a_link() {
    let (dir, mut output, mut store, records) = filled(true, &[("/sub/a.bin", b"new")]);
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), dir.path().join("out/sub")).unwrap();
    assert!(matches!(output.survey(&records), Err(OutputError::Link(_))));
    assert!(output.place(&mut store, &records, false).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_would_be_a_folder_too_is_refused() {
    let (_dir, output, _, records) = filled(false, &[("/a", b"1"), ("/a/b", b"2")]);
    assert!(matches!(output.survey(&records), Err(OutputError::Collision(_))));
    let (_dir, output, _, records) = filled(false, &[("/a/", b"1"), ("/a/index.html", b"2")]);
    assert!(matches!(output.survey(&records), Err(OutputError::Collision(_))));
}

#[test]
fn the_addition_is_taken_out_of_a_document_and_nothing_else_is() {
    let tag = "<script async src=\"/.viral/addition.js?v=0a1b\"></script>";
    let with = format!("<p>{tag}</p>{tag}</body>\n");
    assert_eq!(without_addition(with.as_bytes()), format!("<p>{tag}</p></body>\n").as_bytes(), "only the last one is ours");
    for other in ["<p>", "", "<script async src=\"/.viral/addition.js?v=!\"></script>"] {
        assert_eq!(without_addition(other.as_bytes()), other.as_bytes());
    }
}
