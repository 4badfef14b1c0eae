//! Each endpoint: what it answers, and what it refuses.

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use viral_wire::limits::{ANSWER_POST_LEN_MAX, PIECES_PER_REQUEST_MAX};
use viral_wire::signal::{Answer, AnswerPost, ThinBoot, TrackerToPeer};
use viral_wire::{Channel, Digest, Frame, Manifest, Ticket};

use crate::Viral;
use crate::hub::Outgoing;
use crate::limits::POST_TIMEOUT;
use crate::stats::Cause;
use crate::testing::{SITE, bytes, description, get, request, seeder, text, viral, visit};

async fn post(viral: &Viral, uri: &str, body: &str) -> StatusCode {
    request(viral, "POST", uri, &[("host", "app.example"), ("origin", "https://app.example")], body.to_owned()).await.status()
}

async fn boot(viral: &Viral) -> ThinBoot {
    let html = text(visit(viral, "/", &[]).await).await;
    serde_json::from_str(html.split("id=\"viral-boot\">").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap()).unwrap()
}

#[tokio::test]
async fn manifest_and_pieces_give_back_the_page() {
    let viral = viral(&SITE, |_| ()).await;
    let full = bytes(visit(&viral, "/", &[]).await).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let boot = boot(&viral).await;
    let blob = get(&viral, &format!("/.viral/manifest/{}", boot.manifest), &[]).await;
    assert_eq!(blob.headers()["cache-control"], "public, max-age=31536000, immutable");
    let manifest = Manifest::decode(&bytes(blob).await).unwrap();
    assert_eq!(manifest.assets[0].digest, Digest::of(&full), "a full answer is what the manifest says");
    let pieces = manifest.distinct_pieces();
    let ids: Vec<_> = pieces.iter().map(|piece| piece.id().to_string()).collect();
    let mut body = bytes(get(&viral, &format!("/.viral/pieces?ids={}", ids.join(",")), &[]).await).await;
    for piece in pieces {
        let len = u32::from_be_bytes(body.split_to(4).as_ref().try_into().unwrap());
        let Ok(Frame::Piece { id, .. }) = Frame::decode(Channel::Pieces, &body.split_to(len as usize)) else { panic!("no piece") };
        assert_eq!(id, piece.id());
    }
    assert!(body.is_empty());
}

#[tokio::test]
async fn pieces_and_manifests_nobody_knows_are_refused() {
    let viral = viral(&SITE, |_| ()).await;
    let id = "0".repeat(32);
    let many = vec![id.as_str(); PIECES_PER_REQUEST_MAX + 1].join(",");
    for (uri, expected) in [
        (format!("/.viral/pieces?ids={id}"), StatusCode::NOT_FOUND),
        (format!("/.viral/pieces?ids={many}"), StatusCode::BAD_REQUEST),
        ("/.viral/pieces".to_owned(), StatusCode::BAD_REQUEST),
        ("/.viral/pieces?ids=../../etc/passwd".to_owned(), StatusCode::BAD_REQUEST),
        (format!("/.viral/manifest/{}", "0".repeat(64)), StatusCode::NOT_FOUND),
        ("/.viral/manifest/nonsense".to_owned(), StatusCode::BAD_REQUEST),
        ("/.viral/no-such-thing".to_owned(), StatusCode::NOT_FOUND),
        ("/.viral/lineage".to_owned(), StatusCode::NOT_FOUND),
        ("/.viral/ws".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(get(&viral, &uri, &[]).await.status(), expected, "{uri}");
    }
    assert_eq!(post(&viral, "/.viral/pieces", "").await, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn an_answer_reaches_the_seeder_once_and_nobody_else() {
    let viral = viral(&SITE, |_| ()).await;
    let (peer, mut outgoing) = seeder(&viral, "/");
    let boot = boot(&viral).await;
    let answers = |ticket| {
        let answers = vec![Answer { peer, offer: boot.offers[0].offer, description: description("active") }];
        viral_wire::signal::encode(&AnswerPost { ticket, answers })
    };
    assert_eq!(post(&viral, "/.viral/answer", &answers(Ticket([9; 16]))).await, StatusCode::FORBIDDEN, "another's ticket");
    assert_eq!(post(&viral, "/.viral/answer", &answers(boot.ticket)).await, StatusCode::NO_CONTENT);
    let mut relayed = 0;
    while let Some(Outgoing::Signal(signal)) = outgoing.try_recv() {
        relayed += usize::from(matches!(*signal, TrackerToPeer::Answer { .. }));
    }
    assert_eq!(relayed, 1);
    assert_eq!(post(&viral, "/.viral/answer", &answers(boot.ticket)).await, StatusCode::GONE, "the offer is used up");
}

#[tokio::test]
async fn posts_that_are_malformed_too_long_or_foreign_are_refused() {
    let viral = viral(&SITE, |_| ()).await;
    for uri in ["/.viral/answer", "/.viral/visit", "/.viral/record"] {
        assert_eq!(post(&viral, uri, "{").await, StatusCode::BAD_REQUEST, "{uri}");
        assert_eq!(post(&viral, uri, "{\"extra\":1}").await, StatusCode::BAD_REQUEST, "{uri}");
        assert_eq!(post(&viral, uri, &" ".repeat(ANSWER_POST_LEN_MAX.max(1 << 16) + 1)).await, StatusCode::PAYLOAD_TOO_LARGE, "{uri}");
        let foreign = request(&viral, "POST", uri, &[("host", "app.example"), ("origin", "https://evil.example")], "{}").await;
        assert_eq!(foreign.status(), StatusCode::FORBIDDEN, "{uri}");
    }
    let unknown = request(&viral, "POST", "/.viral/record", &[], "{\"paths\":[\"/late.bin\"],\"colour\":1}").await;
    assert!(text(unknown).await.contains("unknown field `colour`"));
}

#[tokio::test]
async fn records_are_given_for_assets_worth_fetching() {
    let viral = viral(&SITE, |_| ()).await;
    let found =
        request(&viral, "POST", "/.viral/record", &[], "{\"paths\":[\"/late.bin\",\"/app.js\",\"/index.html\",\"/none\",\"/late.bin\"]}")
            .await;
    let manifest = Manifest::decode(&bytes(found).await).unwrap();
    assert_eq!(
        manifest.assets.iter().map(|asset| asset.path.as_str()).collect::<Vec<_>>(),
        ["/late.bin"],
        "small ones and documents come from the origin"
    );
    assert_eq!(post(&viral, "/.viral/record", "{\"paths\":[\"/none\"]}").await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn bytes_are_counted_for_what_caused_them() {
    let viral = viral(&SITE, |_| ()).await;
    let stats = &viral.app.stats;
    bytes(visit(&viral, "/", &[]).await).await;
    let documents = stats.sent(Cause::Documents);
    assert!(documents > 100 && stats.sent(Cause::Assets) == 0);
    bytes(get(&viral, "/late.bin", &[]).await).await;
    assert!((20_000..20_600).contains(&stats.sent(Cause::Assets)));
    bytes(get(&viral, "/.viral/worker.js", &[]).await).await;
    assert!(stats.sent(Cause::Loader) > 100);
    assert_eq!(stats.sent(Cause::Documents), documents);
}

#[tokio::test]
async fn the_lineage_is_public_only_where_the_operator_says_so() {
    let viral = viral(&SITE, |config| config.public_lineage = true).await;
    let response = get(&viral, "/.viral/lineage", &[]).await;
    assert_eq!((response.status(), &response.headers()["content-type"]), (StatusCode::OK, &"text/event-stream".parse().unwrap()));
}

#[tokio::test]
async fn pieces_are_made_as_the_client_reads_them() {
    let viral = viral(&SITE, |_| ()).await;
    let record = bytes(request(&viral, "POST", "/.viral/record", &[], "{\"paths\":[\"/late.bin\"]}").await).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let blob = bytes(get(&viral, &format!("/.viral/manifest/{}", boot(&viral).await.manifest), &[]).await).await;
    let manifests = [Manifest::decode(&record).unwrap(), Manifest::decode(&blob).unwrap()];
    let ids: Vec<String> = manifests.iter().flat_map(Manifest::distinct_pieces).map(|piece| piece.id().to_string()).collect();
    let response = get(&viral, &format!("/.viral/pieces?ids={}", ids.join(",")), &[]).await;
    assert!(ids.len() > 1 && !response.headers().contains_key("content-length"));
    let mut frames = response.into_body();
    let mut count = 0;
    while let Some(frame) = frames.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert_eq!(u32::from_be_bytes(data[..4].try_into().unwrap()) as usize, data.len() - 4, "one piece at a time");
        count += 1;
    }
    assert_eq!(count, ids.len());
}

#[tokio::test(start_paused = true)]
async fn a_post_that_does_not_arrive_is_given_up() {
    let viral = viral(&SITE, |_| ()).await;
    for uri in ["/.viral/answer", "/.viral/visit", "/.viral/record"] {
        let endless = Body::from_stream(stream::once(async { Ok::<_, std::io::Error>("{") }).chain(stream::pending()));
        let began = Instant::now();
        let response = request(&viral, "POST", uri, &[], endless).await;
        assert_eq!((response.status(), &response.headers()["connection"]), (StatusCode::REQUEST_TIMEOUT, &"close".parse().unwrap()));
        assert_eq!(began.elapsed(), POST_TIMEOUT, "{uri}");
    }
}

#[tokio::test]
async fn assets_are_listed_in_stretches_and_only_where_the_operator_allows_it() {
    let closed = viral(&SITE, |_| ()).await;
    assert_eq!(get(&closed, "/.viral/assets", &[]).await.status(), StatusCode::FORBIDDEN);
    let large = "x".repeat(20_000);
    let files = [
        ("index.html", "<!doctype html><title>a</title>"),
        ("a b.js", &large),
        ("c.css", &large),
        ("small.js", "1"),
        ("page.html", &large),
    ];
    let open = viral(&files, |config| config.list_assets = true).await;
    let first = get(&open, "/.viral/assets", &[]).await;
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let paths = |blob: bytes::Bytes| Manifest::decode(&blob).unwrap().assets.into_iter().map(|asset| asset.path).collect::<Vec<_>>();
    assert_eq!(paths(bytes(first).await), ["/a%20b.js", "/c.css", "/late.bin"], "neither documents nor what is too small");
    assert_eq!(paths(bytes(get(&open, "/.viral/assets?after=/a%20b.js", &[]).await).await), ["/c.css", "/late.bin"]);
    for (uri, header, expected) in [
        ("/.viral/assets?after=/late.bin", None, StatusCode::NO_CONTENT),
        ("/.viral/assets?after=/../etc", None, StatusCode::BAD_REQUEST),
        ("/.viral/assets", Some(("if-none-match", tag.as_str())), StatusCode::NOT_MODIFIED),
    ] {
        assert_eq!(get(&open, uri, header.as_slice()).await.status(), expected, "{uri}");
    }
}

#[tokio::test]
async fn everything_of_ours_is_guarded_and_nothing_of_the_sites() {
    let viral = viral(&SITE, |_| ()).await;
    for uri in ["/.viral/", "/.viral", "/.viral/worker.js", "/.viral/addition.js", "/.viral/nothing", "/.viral/pieces", "/.viral/ws"] {
        let response = get(&viral, uri, &[]).await;
        let guards = ["x-content-type-options", "referrer-policy", "cross-origin-opener-policy"];
        assert_eq!(guards.map(|name| response.headers()[name].to_str().unwrap()), ["nosniff", "same-origin", "same-origin"], "{uri}");
    }
    let page = visit(&viral, "/", &[]).await;
    assert!(!page.headers().contains_key("referrer-policy") && !page.headers().contains_key("cross-origin-opener-policy"));
}
