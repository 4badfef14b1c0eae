//! Who is introduced to whom, by what a trusted proxy says and the operator's files know of it. Real sockets, loopback only.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use viral_server::config::{Config, Gpc};
use viral_server::{EmbeddedFile, Source, Viral};
use viral_wire::signal::{PeerToTracker, ReadyOffer, TrackerToPeer};
use viral_wire::{Description, Digest};

#[cfg(feature = "geo")]
#[path = "support/mmdb.rs"]
mod mmdb;

struct Server {
    _viral: Viral,
    address: SocketAddr,
    admin: SocketAddr,
}

/// A session that seeds, for as long as it lives.
struct Seeder {
    _socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

type Header = (&'static str, &'static str);

/// Every visitor comes through a proxy on this machine, which is trusted unless `change` says otherwise.
async fn server(change: impl FnOnce(&mut Config)) -> Server {
    let page = EmbeddedFile { path: "index.html".to_owned(), body: Bytes::from_static(b"<!doctype html><title>t</title>") };
    let mut config = Config { min_app_bytes: 0, trust_proxy: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
    change(&mut config);
    let viral = Viral::open(Source::Embedded(vec![page]), &config).await.unwrap();
    let [listener, operators] = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let (address, admin) = (listener.local_addr().unwrap(), operators.local_addr().unwrap());
    let serving = viral.clone();
    tokio::spawn(async move { serving.serve(vec![listener.into()], vec![operators.into()]).await });
    Server { _viral: viral, address, admin }
}

impl Server {
    async fn exchange(address: SocketAddr, head: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}host: {address}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut out = String::new();
        stream.read_to_string(&mut out).await.unwrap();
        out
    }

    /// The answer to somebody who opens the page, as its header says it.
    async fn visit(&self, from: &str, more: &[Header]) -> String {
        let more: String = more.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "GET / HTTP/1.1\r\nx-forwarded-for: {from}\r\nsec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: none\r\n{more}"
        );
        let answer = Self::exchange(self.address, &head).await;
        let line = answer.lines().find_map(|line| line.strip_prefix("viral-answer: "));
        line.unwrap_or_else(|| panic!("no viral-answer in {answer}")).to_owned()
    }

    /// Somebody who holds the page and left two offers, if it was asked for any; the slots that it was given.
    async fn seeder(&self, from: &str, more: &[Header]) -> (Seeder, u8) {
        let asked = format!("HEAD / HTTP/1.1\r\nx-forwarded-for: {from}\r\nsec-fetch-dest: empty\r\nsec-fetch-site: same-origin\r\n");
        let answer = Self::exchange(self.address, &asked).await;
        let ticket = answer.lines().find_map(|line| line.strip_prefix("set-cookie: viral-join=")?.split(';').next()).unwrap();
        let mut request = format!("ws://{}/.viral/ws", self.address).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("cookie", format!("viral-join={ticket}").parse().unwrap());
        headers.insert("origin", format!("http://{}", self.address).parse().unwrap());
        headers.insert("x-forwarded-for", from.parse().unwrap());
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        say(&mut socket, &PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 4 }).await;
        let TrackerToPeer::Welcome { slots, .. } = receive(&mut socket).await else { panic!("no welcome") };
        let TrackerToPeer::Manifest { manifest, .. } = receive(&mut socket).await else { panic!("no manifest") };
        let description = Description::parse(&format!(
            "[\"ufra\",\"{}\",\"{}\",\"actpass\",262144,[\"u|192.0.2.7|50001|7vh3c|h\"],[]]",
            "p".repeat(24),
            Digest::of(b"certificate")
        ));
        let description = description.unwrap();
        say(&mut socket, &PeerToTracker::Held { manifest, pieces: 9, bytes: 1 << 20 }).await;
        let offers = [1, 2].map(|offer| ReadyOffer { offer, description: description.clone() }).to_vec();
        say(&mut socket, &PeerToTracker::Offers { offers }).await;
        // What was said is taken in once something said later is answered.
        socket.send(Message::text("no signal")).await.unwrap();
        while !matches!(receive(&mut socket).await, TrackerToPeer::Error { .. }) {}
        (Seeder { _socket: socket }, slots)
    }

    async fn matches_by_tier(&self) -> serde_json::Value {
        let answer = Self::exchange(self.admin, "GET /stats HTTP/1.1\r\n").await;
        let stats: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        stats["matches_by_tier"].clone()
    }

    /// Matches on these tiers and on no other.
    async fn assert_matched(&self, tiers: &[(&str, u64)]) {
        let mut expected =
            serde_json::json!({ "address": 0, "site": 0, "prefix": 0, "network": 0, "country": 0, "continent": 0, "anyone": 0 });
        for (tier, count) in tiers {
            expected[*tier] = (*count).into();
        }
        assert_eq!(self.matches_by_tier().await, expected);
    }
}

async fn say(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, signal: &PeerToTracker) {
    socket.send(Message::text(serde_json::to_string(signal).unwrap())).await.unwrap();
}

async fn receive(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> TrackerToPeer {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn written(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

const OFFICES: &[u8] = b"Berlin, 198.51.100.0/24\nBerlin, 2001:db8:1::/48\nVPN, 192.0.2.0/24, off\nDepot, 203.0.113.0/24, leech\n";
const THIN: &str = "thin; reason=peer-near";
const NOBODY: &str = "full; reason=no-peer-near";

#[tokio::test]
async fn visitors_of_a_named_site_meet_though_their_prefixes_differ() {
    let dir = tempfile::tempdir().unwrap();
    let sites = written(dir.path(), "sites.csv", OFFICES);
    let only_near = ["prefix=off", "network=off", "country=off", "continent=off", "anyone=off"].map(|rule| rule.parse().unwrap());
    let server = server(|config| {
        config.sites = Some(sites);
        config.tier = only_near.to_vec();
    })
    .await;
    let _seeder = server.seeder("198.51.100.7", &[]).await;
    assert_eq!(server.visit("2001:db8:1:2::9", &[]).await, THIN);
    assert_eq!(server.visit("::ffff:198.51.100.9", &[]).await, THIN);
    assert_eq!(server.visit("198.51.101.9", &[]).await, NOBODY, "not of the site");
    server.assert_matched(&[("site", 2)]).await;
}

#[tokio::test]
async fn a_site_that_is_off_meets_nobody_and_one_that_only_takes_never_gives() {
    let dir = tempfile::tempdir().unwrap();
    let sites = written(dir.path(), "sites.toml", b"[[site]]\nname = \"VPN\"\ncidr = [\"192.0.2.0/24\"]\npolicy = \"off\"\n[[site]]\nname = \"Depot\"\ncidr = [\"203.0.113.0/24\"]\npolicy = \"leech\"\n");
    let server = server(|config| config.sites = Some(sites)).await;
    let (_hidden, slots) = server.seeder("192.0.2.7", &[]).await;
    assert_eq!(slots, 0, "nothing is asked of it");
    let (_taker, slots) = server.seeder("203.0.113.7", &[]).await;
    assert_eq!(slots, 0);
    for visitor in ["192.0.2.7", "192.0.2.8", "203.0.113.7", "198.51.100.1"] {
        assert_eq!(server.visit(visitor, &[]).await, NOBODY, "{visitor}");
    }
    let (_seeder, slots) = server.seeder("198.51.100.1", &[]).await;
    assert!(slots > 0);
    assert_eq!(server.visit("192.0.2.8", &[]).await, NOBODY, "off");
    assert_eq!(server.visit("203.0.113.9", &[]).await, THIN, "it takes");
    server.assert_matched(&[("anyone", 1)]).await;
}

#[cfg(feature = "geo")]
#[tokio::test]
async fn visitors_of_one_country_meet_where_others_may_not() {
    use mmdb::{Value, file, map, text};
    let dir = tempfile::tempdir().unwrap();
    let country = |code, continent| map([("country", map([("iso_code", text(code))])), ("continent", map([("code", text(continent))]))]);
    let network = |number| map([("autonomous_system_number", Value::Number(number))]);
    let countries = [("11.0.0.0/16", country("DE", "EU")), ("11.1.0.0/16", country("DE", "EU")), ("11.2.0.0/16", country("FR", "EU"))];
    let networks = [("11.1.0.0/16", network(64_500)), ("11.3.0.0/16", network(64_500))];
    let geo = vec![written(dir.path(), "country.mmdb", &file(6, &countries)), written(dir.path(), "asn.mmdb", &file(4, &networks))];
    let rules = ["continent=off", "anyone=off"].map(|rule| rule.parse().unwrap());
    let server = server(|config| {
        config.geo = geo;
        config.tier = rules.to_vec();
    })
    .await;
    let _seeder = server.seeder("11.1.0.7", &[]).await;
    assert_eq!(server.visit("11.0.0.9", &[]).await, THIN, "of the same country");
    assert_eq!(server.visit("11.3.0.9", &[]).await, THIN, "of the same network, of a country that nobody knows");
    assert_eq!(server.visit("11.2.0.9", &[]).await, NOBODY, "of the same continent");
    assert_eq!(server.visit("12.0.0.9", &[]).await, NOBODY, "of which nothing is known");
    server.assert_matched(&[("country", 1), ("network", 1)]).await;
}

#[tokio::test]
async fn who_is_not_trusted_is_where_its_connection_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let sites = written(dir.path(), "sites.csv", OFFICES);
    let server = server(|config| {
        config.sites = Some(sites);
        config.trust_proxy = Vec::new();
    })
    .await;
    let _seeder = server.seeder("198.51.100.7", &[]).await;
    assert_eq!(server.visit("192.0.2.8", &[]).await, THIN, "the header may be anybody's");
    server.assert_matched(&[("address", 1)]).await;
}

#[tokio::test]
async fn of_several_hops_the_last_one_that_is_not_trusted_counts() {
    let dir = tempfile::tempdir().unwrap();
    let sites = written(dir.path(), "sites.csv", OFFICES);
    let server = server(|config| config.sites = Some(sites)).await;
    let _seeder = server.seeder("198.51.100.7", &[]).await;
    assert_eq!(server.visit("198.51.100.8, 192.0.2.8", &[]).await, NOBODY, "the visitor made up the first one");
    assert_eq!(server.visit("192.0.2.8, 198.51.100.8, 127.0.0.9", &[]).await, THIN);
    server.assert_matched(&[("site", 1)]).await;
}

#[tokio::test]
async fn hidden_addresses_are_shown_to_neighbours_only() {
    let dir = tempfile::tempdir().unwrap();
    let sites = written(dir.path(), "sites.csv", OFFICES);
    let server = server(|config| {
        config.sites = Some(sites);
        config.hide_addresses = true;
    })
    .await;
    let _seeder = server.seeder("198.51.100.7", &[]).await;
    for stranger in ["198.51.100.8", "2001:db8:1::1", "203.0.114.1"] {
        assert_eq!(server.visit(stranger, &[]).await, NOBODY, "{stranger}");
    }
    assert_eq!(server.visit("198.51.100.7", &[]).await, THIN);
    server.assert_matched(&[("address", 1)]).await;
}

#[tokio::test]
async fn who_asks_for_privacy_gets_what_the_operator_says() {
    const GPC: &[Header] = &[("sec-gpc", "1")];
    for (gpc, alone, beside, slots_given) in [
        (Gpc::Plain, "plain; reason=gpc", "plain; reason=gpc", false),
        (Gpc::Leech, "plain; reason=gpc", THIN, false),
        (Gpc::Ignore, NOBODY, THIN, true),
    ] {
        let server = server(|config| config.gpc = gpc).await;
        assert_eq!(server.visit("198.51.100.8", GPC).await, alone);
        let (_private, slots) = server.seeder("198.51.100.9", GPC).await;
        assert_eq!(slots > 0, slots_given, "{gpc:?}");
        let (found, expected) = (server.visit("198.51.100.10", &[]).await, if slots_given { THIN } else { NOBODY });
        assert_eq!(found, expected, "{gpc:?}: others meet it only if it gives");
        let _seeder = server.seeder("198.51.100.7", &[]).await;
        assert_eq!(server.visit("198.51.100.11", GPC).await, beside, "{gpc:?}");
        assert_eq!(server.visit("198.51.100.12", &[]).await, THIN);
    }
}
