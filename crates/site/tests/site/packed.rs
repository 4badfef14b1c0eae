//! Files that come compressed.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use super::*;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn brotli(content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    brotli::CompressorReader::new(content, 4096, 11, 22).read_to_end(&mut packed).unwrap();
    packed
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 19).unwrap()
}

/// Text that is another one for each seed: equal contents are one object, and have their compressed forms in common.
fn content(seed: u32) -> Vec<u8> {
    (seed..seed + 5000).flat_map(|line| format!("console.log({line});\n").into_bytes()).collect()
}

#[tokio::test]
async fn files_of_game_engines_are_sent_as_what_they_hold() {
    let dir = directory(&[
        ("Build/game.wasm.br", &brotli(&content(1))),
        ("Build/game.data.gz", &gzip(&content(2))),
        ("x.js.gz", &gzip(&content(3))),
        ("y.css.zst", &zstd(&content(4))),
        ("tiny.js.br", &brotli(b"1")),
    ]);
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for (path, coding, media_type, plain) in [
        ("/Build/game.wasm.br", "br", "application/wasm", content(1)),
        ("/Build/game.data.gz", "gzip", "application/octet-stream", content(2)),
        ("/x.js.gz", "gzip", "text/javascript; charset=utf-8", content(3)),
        ("/y.css.zst", "zstd", "text/css; charset=utf-8", content(4)),
        ("/tiny.js.br", "br", "text/javascript; charset=utf-8", b"1".to_vec()),
    ] {
        let response = answer(&version, &get(path, &[("accept-encoding", "gzip, deflate, br, zstd")])).await;
        assert_eq!((header(&response, "content-encoding"), header(&response, "content-type")), (coding, media_type), "{path}");
        assert_eq!(header(&response, "vary"), "accept-encoding");
        assert!(body(response).await == fs::read(dir.path().join(&path[1..])).unwrap(), "{path}");
        let response = answer(&version, &get(path, &[])).await;
        assert_eq!((header(&response, "content-encoding"), header(&response, "content-type")), ("", media_type), "{path}");
        let unpacked = body(response).await;
        assert!(unpacked == plain, "{path}");
        let record = version.asset(path).unwrap().record();
        assert_eq!((record.len, record.media_type.as_str()), (unpacked.len() as u64, media_type), "peers pass on what the app reads");
    }
}

#[tokio::test]
async fn what_is_not_packed_or_is_for_people_is_sent_as_it_is() {
    let dir = directory(&[
        ("site.tar.gz", &gzip(b"tar")),
        ("broken.js.gz", b"not gzip"),
        ("cut.wasm.br", &brotli(&content(0))[..40]),
        ("empty.js.br", b""),
    ]);
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for path in ["/site.tar.gz", "/broken.js.gz", "/cut.wasm.br", "/empty.js.br"] {
        let response = answer(&version, &get(path, &[("accept-encoding", "gzip, br")])).await;
        assert_eq!(header(&response, "content-encoding"), "", "{path}");
        assert!(body(response).await == fs::read(dir.path().join(&path[1..])).unwrap(), "{path}");
    }
}

#[tokio::test]
async fn compressed_files_beside_their_originals_are_used_while_they_hold_the_same() {
    let plain = content(0);
    let other = plain.iter().rev().copied().collect::<Vec<_>>();
    let dir = directory(&[
        ("app.js", &plain),
        ("app.js.br", &brotli(&plain)),
        ("app.js.gz", &gzip(&plain)),
        ("stale.js", &plain[1..]),
        ("stale.js.br", &brotli(&other)),
    ]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    for (coding, ending) in [("br", "br"), ("gzip", "gz")] {
        let response = answer(&version, &get("/app.js", &[("accept-encoding", coding)])).await;
        assert_eq!(header(&response, "content-encoding"), coding);
        assert!(body(response).await == fs::read(dir.path().join(format!("app.js.{ending}"))).unwrap(), "{coding}");
        let packed = answer(&version, &get(&format!("/app.js.{ending}"), &[("accept-encoding", coding)])).await;
        assert_eq!(header(&packed, "content-encoding"), "", "asked for by its own name it is a file like others");
    }
    let both = answer(&version, &get("/app.js", &[("accept-encoding", "gzip, br")])).await;
    assert_eq!(header(&both, "content-encoding"), "br", "the smaller one");
    let stale = answer(&version, &get("/stale.js", &[("accept-encoding", "br")])).await;
    assert!(body(stale).await != fs::read(dir.path().join("stale.js.br")).unwrap());

    let mut numbers = site.subscribe();
    write(dir.path(), "app.js", &other);
    tokio::time::timeout(Duration::from_secs(20), numbers.changed()).await.unwrap().unwrap();
    let changed = answer(&site.current(), &get("/app.js", &[("accept-encoding", "br")])).await;
    let mut unpacked = Vec::new();
    brotli::Decompressor::new(&body(changed).await[..], 4096).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == other, "what is stale is not used");
}

#[tokio::test]
async fn a_packed_file_is_one_again_when_its_original_comes() {
    let plain = content(0);
    let dir = directory(&[("app.js.gz", &gzip(&plain))]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    assert_eq!(site.current().asset("/app.js.gz").unwrap().len(), plain.len() as u64);
    write(dir.path(), "app.js", &plain);
    tokio::time::timeout(Duration::from_secs(20), numbers.changed()).await.unwrap().unwrap();
    assert_eq!(site.current().asset("/app.js.gz").unwrap().len(), gzip(&plain).len() as u64);
    let response = answer(&site.current(), &get("/app.js", &[("accept-encoding", "gzip")])).await;
    assert!(body(response).await == gzip(&plain));
}
