//! What the tests of this crate share: small sites, requests without sockets, a peer that is ready to seed.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use viral_swarm::tracker::ClientAddr;
use viral_swarm::visits::{AnswerKind, Opening};
use viral_wire::signal::{PeerNumber, PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Description, Digest};

use crate::Viral;
use crate::client::noted_socket;
use crate::config::Config;
use crate::hub::{Outgoing, OutgoingReceiver};
use viral_site::{EmbeddedFile, Source};

/// A page with a script, a later asset worth fetching, and another page.
pub(crate) const SITE: [(&str, &str); 4] = [
    ("index.html", "<!doctype html><title>An app</title><script src=\"/app.js\"></script>"),
    ("app.js", "console.log('app')"),
    ("404.html", "<!doctype html><title>Nothing</title>"),
    ("about/index.html", "<!doctype html><title>About</title>"),
];

/// What a browser sends when somebody opens a page.
pub(crate) const NAVIGATION: [(&str, &str); 4] =
    [("host", "app.example"), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "none")];

/// A viral site of these files and 20,000 bytes of `/late.bin`.
pub(crate) async fn viral(files: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> Viral {
    let mut config = Config { min_app_bytes: 0, ..Config::default() };
    change(&mut config);
    let mut files: Vec<_> =
        files.iter().map(|(path, body)| EmbeddedFile { path: (*path).to_owned(), body: Bytes::copy_from_slice(body.as_bytes()) }).collect();
    let noise: Vec<u8> = (0..625_u16).flat_map(|n| *Digest::of(&n.to_be_bytes()).as_bytes()).collect();
    files.push(EmbeddedFile { path: "late.bin".to_owned(), body: noise.into() });
    Viral::open(Source::Embedded(files), &config).await.unwrap()
}

/// One request without a socket.
pub(crate) async fn request(viral: &Viral, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    viral.service().oneshot(from_here(request.body(body.into()).unwrap())).await.unwrap()
}

/// A request as it comes from an address that only tests have.
pub(crate) fn from_here<B>(mut request: Request<B>) -> Request<B> {
    let unspecified: SocketAddr = ([0, 0, 0, 0], 0).into();
    if noted_socket(request.extensions()).is_none() {
        request.extensions_mut().insert(ConnectInfo(unspecified));
    }
    request
}

/// A GET without a socket.
pub(crate) async fn get(viral: &Viral, uri: &str, headers: &[(&str, &str)]) -> Response<Body> {
    request(viral, "GET", uri, headers, Body::empty()).await
}

/// Somebody opens a page.
pub(crate) async fn visit(viral: &Viral, uri: &str, more: &[(&str, &str)]) -> Response<Body> {
    get(viral, uri, &[&NAVIGATION, more].concat()).await
}

/// The `viral-answer` header, empty if there is none.
pub(crate) fn answer(response: &Response<Body>) -> &str {
    response.headers().get("viral-answer").map_or("", |value| value.to_str().unwrap())
}

/// The whole body as text.
pub(crate) async fn text(response: Response<Body>) -> String {
    String::from_utf8(bytes(response).await.to_vec()).unwrap()
}

/// The whole body.
pub(crate) async fn bytes(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// A description as a browser makes it.
pub(crate) fn description(setup: &str) -> Description {
    let fingerprint = Digest::of(setup.as_bytes()).to_string();
    Description::parse(&format!(
        "[\"ufra\",\"{}\",\"{fingerprint}\",\"{setup}\",262144,[\"u|192.0.2.7|50001|7vh3c|h\"],[]]",
        "p".repeat(24)
    ))
    .unwrap()
}

/// A peer on the tracker that holds the whole manifest of `page` and left two offers. Returns its number and what it is sent.
pub(crate) fn seeder(viral: &Viral, page: &str) -> (PeerNumber, OutgoingReceiver) {
    let hub = &viral.app.hub;
    let (peer, mut outgoing) = hub.join(ClientAddr::at([127, 0, 0, 1].into()));
    hub.message(peer, PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: None, slots: 4 });
    let mut manifest = None;
    while let Some(Outgoing::Signal(signal)) = outgoing.try_recv() {
        if let TrackerToPeer::Manifest { manifest: named, .. } = *signal {
            manifest = Some(named);
        }
    }
    let manifest = manifest.expect("the page has a manifest");
    hub.message(peer, PeerToTracker::Held { manifest, pieces: u32::MAX, bytes: u64::MAX });
    let offers = (1..=2).map(|offer| ReadyOffer { offer, description: description("actpass") }).collect();
    hub.message(peer, PeerToTracker::Offers { offers });
    (peer, outgoing)
}

/// A full visitor of `page`, to whom the server sent this, tells that it used it.
pub(crate) fn report(viral: &Viral, page: &str, used: &[&str]) {
    let (hub, browser, address) = (&viral.app.hub, rand::random(), [127, 0, 0, 1].into());
    hub.visits().open(&Opening { browser, address, page, kind: AnswerKind::Full, is_first: true });
    for path in used {
        if let Some(asked) = hub.visits().asked(browser, path, Some(page)) {
            hub.visits().sent(asked);
        }
    }
    let (peer, _outgoing) = hub.join(ClientAddr { browser: Some(browser), ..ClientAddr::at(address) });
    hub.message(peer, PeerToTracker::Register { page: page.to_owned(), manifest: None, ticket: None, slots: 4 });
    let assets = used.iter().map(|path| (*path).to_owned()).collect();
    hub.message(peer, PeerToTracker::Loaded { page: page.to_owned(), assets });
    hub.leave(peer);
}
