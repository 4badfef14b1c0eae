//! What the server sees of visits, and what comes of it.

use http::Response;
use http_body_util::BodyExt as _;
use tokio::time::{Duration, sleep};
use viral_swarm::limits::VISIT_QUIET_MS;
use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{PeerNumber, PeerToTracker, ReadyOffer, TrackerToPeer};

use super::*;
use crate::Viral;
use crate::hub::{Outgoing, OutgoingReceiver};
use crate::testing::{bytes, description};
use viral_swarm::request::cookies;

/// What a browser sends for something that a page needs, besides its cookie.
const PART: [(&str, &str); 3] = [("host", "app.example"), ("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")];

const REFERER: (&str, &str) = ("referer", "http://app.example/");

/// The `viral-visit` cookie that an answer sets, as it is sent back.
fn cookie(response: &Response<Body>) -> Option<String> {
    let lines = response.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let mut ours = lines.filter(|line| line.starts_with("viral-visit="));
    let line = ours.next()?;
    assert!(ours.next().is_none() && line.ends_with("; Max-Age=1800; Path=/; SameSite=Lax; HttpOnly"), "{line}");
    Some(line.split(';').next().unwrap().to_owned())
}

fn browser(cookie: &str) -> u64 {
    cookies::browser(&http::HeaderMap::from_iter([(http::header::COOKIE, cookie.parse().unwrap())])).unwrap()
}

/// Somebody opens a page for the first time; its cookie.
async fn come(viral: &Viral, uri: &str) -> String {
    let response = visit(viral, uri, &[]).await;
    let cookie = cookie(&response).expect("a browser is told apart");
    bytes(response).await;
    cookie
}

async fn part(viral: &Viral, uri: &str, cookie: &str, more: &[(&str, &str)]) -> Response<Body> {
    get(viral, uri, &[&PART[..], &[REFERER, ("cookie", cookie)], more].concat()).await
}

/// Somebody asks for a part of a page and reads it to its end.
async fn fetch(viral: &Viral, uri: &str, cookie: &str, more: &[(&str, &str)]) {
    bytes(part(viral, uri, cookie, more).await).await;
}

/// Bytes of what the page `/` is known to need.
fn set_bytes(viral: &Viral) -> u64 {
    viral.app.hub.page(&viral.app.site.current(), &document(viral)).unwrap().app_bytes
}

async fn quiet() {
    sleep(Duration::from_millis(VISIT_QUIET_MS + 10)).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// A session of a browser that came by a full answer.
fn session(viral: &Viral, browser: Option<u64>) -> (PeerNumber, OutgoingReceiver) {
    let hub = &viral.app.hub;
    let (peer, outgoing) = hub.join(ClientAddr { browser, ..ClientAddr::at([127, 0, 0, 1].into()) });
    hub.message(peer, PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 4 });
    (peer, outgoing)
}

fn loaded(viral: &Viral, peer: PeerNumber, assets: &[&str]) {
    let assets = assets.iter().map(|path| (*path).to_owned()).collect();
    viral.app.hub.message(peer, PeerToTracker::Loaded { page: "/".to_owned(), assets });
}

/// What the sessions were told that their page used without knowing.
fn used(outgoing: &mut OutgoingReceiver) -> Vec<String> {
    let mut paths = Vec::new();
    while let Some(Outgoing::Signal(signal)) = outgoing.try_recv() {
        if let TrackerToPeer::Used { page, assets } = *signal {
            assert_eq!(page, "/");
            paths.extend(assets);
        }
    }
    paths
}

#[tokio::test]
async fn a_browser_is_told_apart_for_half_an_hour_after_its_last_page() {
    let viral = viral(&SITE, |_| ()).await;
    let first = cookie(&visit(&viral, "/", &[]).await).unwrap();
    assert_ne!(cookie(&visit(&viral, "/", &[]).await), Some(first.clone()), "another one");
    assert_eq!(cookie(&visit(&viral, "/about/", &[("cookie", &first)]).await), Some(first.clone()), "it is kept");
    let made_up = cookie(&visit(&viral, "/", &[("cookie", "viral-visit=ABC")]).await).unwrap();
    assert_ne!(made_up, "viral-visit=ABC");
    assert_eq!(cookie(&part(&viral, "/app.js", &first, &[]).await), None, "only pages renew it");
}

#[tokio::test]
async fn nobody_else_gets_a_cookie_of_that_kind() {
    let viral = viral(&SITE, |_| ()).await;
    let bot = ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
    assert_eq!(cookie(&visit(&viral, "/", &[bot]).await), None);
    assert_eq!(cookie(&visit(&viral, "/", &[("user-agent", "viral/0.1.0")]).await), None, "the native peer");
    assert_eq!(cookie(&visit(&viral, "/", &[("cookie", "viral=off; viral-visit=00000000000000ab")]).await), None, "opted out");
    assert_eq!(cookie(&get(&viral, "/", &[("host", "app.example")]).await), None, "a tool");
}

#[tokio::test(start_paused = true)]
async fn the_first_visitor_teaches_the_page_by_what_it_asks_for() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    let before = set_bytes(&viral);
    fetch(&viral, "/app.js", &cookie, &[]).await;
    fetch(&viral, "/l%61te.bin", &cookie, &[]).await;
    assert_eq!(set_bytes(&viral), before, "it may not be done");
    quiet().await;
    assert_eq!(set_bytes(&viral), before + 20_000);
}

#[tokio::test(start_paused = true)]
async fn what_a_visitor_who_cannot_report_asks_for_counts_too() {
    let viral = viral(&SITE, |_| ()).await;
    let before = set_bytes(&viral);
    let cookie = come(&viral, "/?viral=plain").await;
    fetch(&viral, "/late.bin", &cookie, &[]).await;
    quiet().await;
    assert!(set_bytes(&viral) >= before + 20_000 - 100, "app.js, which it did not ask for, may leave");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_whole_does_not_count() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    let before = set_bytes(&viral);
    fetch(&viral, "/app.js", &cookie, &[]).await;
    drop(part(&viral, "/late.bin", &cookie, &[]).await);
    fetch(&viral, "/late.bin", &cookie, &[("range", "bytes=0-19998")]).await;
    bytes(request(&viral, "HEAD", "/late.bin", &[&PART[..], &[REFERER, ("cookie", &cookie)]].concat(), Body::empty()).await).await;
    fetch(&viral, "/late.bin", "viral=off", &[]).await;
    fetch(&viral, "/late.bin", "viral-visit=00000000000000ab", &[]).await;
    quiet().await;
    assert_eq!(set_bytes(&viral), before);
}

#[tokio::test(start_paused = true)]
async fn an_asset_that_the_browser_has_already_counts_when_it_is_told_so() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    let before = set_bytes(&viral);
    fetch(&viral, "/app.js", &cookie, &[]).await;
    let tag = get(&viral, "/late.bin", &[]).await.headers()["etag"].to_str().unwrap().to_owned();
    let response = part(&viral, "/late.bin", &cookie, &[("if-none-match", &tag)]).await;
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    quiet().await;
    assert_eq!(set_bytes(&viral), before + 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_reload_does_not_vote_by_what_its_cache_leaves_to_ask_for() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    fetch(&viral, "/app.js", &cookie, &[]).await;
    quiet().await;
    let before = set_bytes(&viral);
    visit(&viral, "/", &[("cookie", &cookie)]).await;
    fetch(&viral, "/late.bin", &cookie, &[]).await;
    quiet().await;
    assert_eq!(set_bytes(&viral), before);
}

#[tokio::test(start_paused = true)]
async fn of_what_a_page_reports_only_what_was_sent_to_its_browser_is_believed() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    let before = set_bytes(&viral);
    fetch(&viral, "/app.js", &cookie, &[]).await;
    for browser in [Some(browser(&cookie)), Some(7), None] {
        let (peer, _outgoing) = session(&viral, browser);
        loaded(&viral, peer, &["/app.js", "/late.bin"]);
    }
    assert_eq!(set_bytes(&viral), before);
    fetch(&viral, "/late.bin", &cookie, &[]).await;
    let (peer, _outgoing) = session(&viral, Some(browser(&cookie)));
    loaded(&viral, peer, &["/app.js", "/late.bin"]);
    assert_eq!(set_bytes(&viral), before + 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_what_its_workers_fetched() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    fetch(&viral, "/app.js", &cookie, &[]).await;
    fetch(&viral, "/late.bin", &cookie, &[("referer", "http://app.example/app.js")]).await;
    let (peer, mut outgoing) = session(&viral, Some(browser(&cookie)));
    let (_other, mut elsewhere) = session(&viral, Some(7));
    loaded(&viral, peer, &["/app.js"]);
    assert_eq!(used(&mut outgoing), ["/late.bin"]);
    fetch(&viral, "/404.html", &cookie, &[]).await;
    quiet().await;
    assert_eq!(used(&mut outgoing), [""; 0], "documents do not travel as assets");
    assert_eq!(used(&mut elsewhere), [""; 0]);
}

#[tokio::test]
async fn a_lone_visitor_who_reloads_is_not_sent_to_himself() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    let (peer, mut outgoing) = session(&viral, Some(browser(&cookie)));
    let mut manifest = None;
    while let Some(Outgoing::Signal(signal)) = outgoing.try_recv() {
        if let TrackerToPeer::Manifest { manifest: named, .. } = *signal {
            manifest = Some(named);
        }
    }
    let hub = &viral.app.hub;
    hub.message(peer, PeerToTracker::Held { manifest: manifest.unwrap(), pieces: u32::MAX, bytes: u64::MAX });
    hub.message(peer, PeerToTracker::Offers { offers: vec![ReadyOffer { offer: 1, description: description("actpass") }] });
    assert_eq!(answer(&visit(&viral, "/", &[("cookie", &cookie)]).await), "full; reason=no-peer-near");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "thin; reason=peer-near", "somebody else is");
}

#[tokio::test(start_paused = true)]
async fn a_thin_visit_that_lost_its_ticket_has_no_vote_on_what_is_not_needed() {
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let response = visit(&viral, "/", &[]).await;
    assert_eq!(answer(&response), "thin; reason=peer-near");
    let (before, browser) = (set_bytes(&viral), browser(&cookie(&response).unwrap()));
    let (peer, mut outgoing) = session(&viral, Some(browser));
    loaded(&viral, peer, &["/app.js"]);
    assert_eq!((set_bytes(&viral), used(&mut outgoing)), (before, Vec::new()), "the server sent it nothing");
}

#[tokio::test]
async fn a_watched_body_keeps_its_exact_length() {
    let viral = viral(&SITE, |_| ()).await;
    let cookie = come(&viral, "/").await;
    let response = part(&viral, "/late.bin", &cookie, &[]).await;
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(20_000));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 20_000);
}
