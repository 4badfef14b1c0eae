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
fn filled(force: bool, assets: &[(&str, &[u8])]) -> (tempfile::TempDir, OutputDir, Store, Vec<AssetRecord>) {
    let dir = tempfile::tempdir().unwrap();
    let output = OutputDir::open(dir.path().join("out"), "/", force).unwrap();
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
fn assets_are_placed_whole_and_the_partial_store_goes() {
    let (dir, mut output, mut store, records) = filled(
        false,
        &[("/", b"<p>"), ("/.viral/addition.js", b"seed()"), ("/a/b.bin", b"123"), ("/c.bin", b"123"), ("/d.bin", b"45"), ("/empty", b"")],
    );
    assert!(output.survey(&records, true).unwrap().is_empty());
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
        let survey = output.survey(&records, false);
        assert_eq!(survey.is_ok(), force, "{survey:?}");
        if force {
            output.place(&mut store, &records, false).unwrap();
        }
        assert_eq!(fs::read(there).unwrap(), if force { b"new" } else { b"old" });
    }
}

#[test]
fn no_other_asset_than_the_document_of_a_page_may_differ_from_what_is_there() {
    let (dir, mut output, mut store, mut records) = filled(false, &[("/", b"<p>"), ("/notes.html", b"theirs")]);
    records[1].media_type = "text/html".to_owned();
    let there = dir.path().join("out/notes.html");
    fs::write(&there, b"mine").unwrap();
    assert!(matches!(output.survey(&records, true), Err(OutputError::Exists(_))));
    assert!(output.place(&mut store, &records, true).is_err());
    assert_eq!(fs::read(&there).unwrap(), b"mine");
}

#[test]
fn what_came_during_the_download_is_not_overwritten_and_nothing_else_is_placed() {
    let (dir, mut output, mut store, records) = filled(false, &[("/", b"<p>"), ("/a.bin", b"new"), ("/b.bin", b"newer")]);
    output.survey(&records, true).unwrap();
    let there = dir.path().join("out/b.bin");
    fs::write(&there, b"mine").unwrap();
    assert!(matches!(output.place(&mut store, &records, true), Err(OutputError::Exists(_))));
    assert_eq!(fs::read(there).unwrap(), b"mine");
    assert!(!dir.path().join("out/a.bin").exists() && !dir.path().join("out/index.html").exists());
}

#[test]
fn what_comes_at_the_last_moment_is_not_overwritten() {
    let (dir, mut output, _, records) = filled(false, &[("/sub/a.bin", b"new")]);
    let there = dir.path().join("out/sub/a.bin");
    fs::create_dir(dir.path().join("out/sub")).unwrap();
    fs::write(&there, b"mine").unwrap();
    // As if it had come after the last look.
    let taken = output.take(&there, OsStr::new(&records[0].digest.to_string()));
    assert!(matches!(taken, Err(OutputError::Exists(_))), "{taken:?}");
    assert_eq!(fs::read(there).unwrap(), b"mine");
}

#[test]
fn names_that_the_file_system_takes_for_one_are_not_written_over_each_other() {
    let (dir, mut output, _, records) = filled(true, &[("/A.bin", b"one"), ("/a.bin", b"two")]);
    let out = dir.path().join("out");
    output.take(&out.join("A.bin"), OsStr::new(&records[0].digest.to_string())).unwrap();
    // As where names are looked up without regard to case.
    fs::hard_link(out.join("A.bin"), out.join("a.bin")).unwrap();
    let taken = output.take(&out.join("a.bin"), OsStr::new(&records[1].digest.to_string()));
    assert!(matches!(taken, Err(OutputError::Collision(_))), "{taken:?}");
    assert_eq!(fs::read(out.join("A.bin")).unwrap(), b"one");
}

#[test]
fn a_directory_that_may_not_be_written_is_named_with_what_to_do() {
    let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
    for error in [
        OutputError::Io { path: "out".into(), cause: denied() },
        OutputError::Private { dir: "out".into(), cause: denied().into() },
        OutputError::Private { dir: "out".into(), cause: PrivateDirError::Foreign },
        OutputError::Private { dir: "out".into(), cause: PrivateDirError::Open },
    ] {
        assert!(error.to_string().contains("choose a directory"), "{error}");
    }
}

#[test]
fn a_second_download_into_the_same_directory_is_refused_while_the_first_goes_on() {
    let (dir, output, ..) = filled(false, &[("/a.bin", b"new")]);
    let second = OutputDir::open(dir.path().join("out"), "/", false).unwrap_err();
    assert!(second.to_string().contains("another viral writes here"), "{second}");
    drop(output);
    OutputDir::open(dir.path().join("out"), "/", false).unwrap();
}

#[test]
fn the_partial_folder_is_its_users_alone_and_no_link() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, output, ..) = filled(false, &[("/a.bin", b"new")]);
    assert_eq!(fs::metadata(output.partial()).unwrap().permissions().mode() & 0o777, 0o700);
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), dir.path().join(PARTIAL)).unwrap();
    assert!(matches!(OutputDir::open(dir.path().to_owned(), "/", true), Err(OutputError::Link(_))));
}

#[test]
fn no_piece_is_written_through_a_link_in_the_partial_folder() {
    let dir = tempfile::tempdir().unwrap();
    let output = OutputDir::open(dir.path().join("out"), "/", false).unwrap();
    let (asset, victim) = (record("/a.bin", b"new"), dir.path().join("victim"));
    fs::write(&victim, b"mine").unwrap();
    symlink(&victim, output.partial().join(asset.digest.to_string())).unwrap();
    assert!(Store::open(Place::Directory(output.partial())).unwrap().add(&asset).is_err());
    assert_eq!(fs::read(victim).unwrap(), b"mine");
}

#[test]
fn a_path_of_strangers_is_not_printed_as_it_came() {
    let (_dir, output, _, records) = filled(false, &[("/a\u{1b}[2J\u{202e}", b"1")]);
    let said = output.survey(&records, false).unwrap_err().to_string();
    assert!(!said.contains(['\u{1b}', '\u{202e}']) && said.contains("\\u{1b}[2J"), "{said}");
}

#[test]
fn a_file_that_is_right_already_is_found() {
    let (dir, output, _, records) = filled(false, &[("/a.bin", b"new")]);
    fs::write(dir.path().join("out/a.bin"), b"new").unwrap();
    assert_eq!(output.survey(&records, false).unwrap().len(), 1);
}

#[test]
fn nothing_is_written_through_a_link() {
    let (dir, mut output, mut store, records) = filled(true, &[("/sub/a.bin", b"new")]);
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), dir.path().join("out/sub")).unwrap();
    assert!(matches!(output.survey(&records, false), Err(OutputError::Link(_))));
    assert!(output.place(&mut store, &records, false).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_would_be_a_folder_too_is_refused() {
    let (_dir, output, _, records) = filled(false, &[("/a", b"1"), ("/a/b", b"2")]);
    assert!(matches!(output.survey(&records, false), Err(OutputError::Collision(_))));
    let (_dir, output, _, records) = filled(false, &[("/a/", b"1"), ("/a/index.html", b"2")]);
    assert!(matches!(output.survey(&records, false), Err(OutputError::Collision(_))));
}
