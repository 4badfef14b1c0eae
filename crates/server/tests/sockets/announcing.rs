//! WebTorrent clients at a real socket: who is let in, what is passed on, and that nothing they say ends it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use viral_server::OpenError;

use super::*;

/// Characters above U+007F and such that JSON escapes: what half of all info-hashes have.
const TORRENT: &str = "\u{8}\"\\\u{ff}\u{e4}6789012345\u{7f}abcd";
const OTHER: &str = "h1SGeFOAB/gRTdYz+AbC";

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

fn tracker() -> Config {
    Config { webtorrent: true, webtorrent_open: true, ..Config::default() }
}

async fn connect(server: &Server, origin: Option<&str>) -> Result<Client, Error> {
    connect_at(server, "/.viral/announce", origin).await
}

async fn connect_at(server: &Server, path: &str, origin: Option<&str>) -> Result<Client, Error> {
    let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| Client(socket))
}

/// What the server says to a client that it does not let in.
async fn status(server: &Server, origin: Option<&str>) -> u16 {
    match connect(server, origin).await {
        Ok(_) => 101,
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    async fn say(&mut self, message: impl ToString) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        loop {
            match tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.unwrap().unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => panic!("{other:?}"),
            }
        }
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.receive().await
    }
}

fn peer_id(name: &str) -> String {
    format!("{name:-<20}")
}

fn announce(torrent: &str, peer: &str, more: Value) -> Value {
    let mut message = json!({ "action": "announce", "info_hash": torrent, "peer_id": peer_id(peer), "event": "started" });
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

fn offers(count: usize) -> Vec<Value> {
    let offer = |index| json!({ "offer": { "type": "offer", "sdp": "v=0\r\n\u{e4}" }, "offer_id": format!("offer{index:015}") });
    (0..count).map(offer).collect()
}

#[tokio::test]
async fn a_tracker_is_one_only_if_the_operator_says_so_and_for_what() {
    assert_eq!(status(&server().await, None).await, 404);
    let open = async |config| Viral::open(Source::Embedded(Vec::new()), &config).await.map(drop);
    let nothing = open(Config { webtorrent: true, ..Config::default() }).await;
    assert!(matches!(nothing, Err(OpenError::WebTorrentServesNothing)));
    let both = open(Config { webtorrent_info_hash: vec![OTHER.parse().unwrap()], ..tracker() }).await;
    assert!(matches!(both, Err(OpenError::WebTorrentServesAll)));
}

#[tokio::test]
async fn own_pages_named_ones_and_programs_are_let_in() {
    let server = server_with(Config { webtorrent_origin: vec!["https://App.example:443".parse().unwrap()], ..tracker() }).await;
    let own = format!("http://{}", server.address);
    for (origin, expected) in
        [(Some(own.as_str()), 101), (Some("https://app.example"), 101), (None, 101), (Some("https://evil.example"), 403)]
    {
        assert_eq!(status(&server, origin).await, expected, "{origin:?}");
    }
    let any = server_with(Config { webtorrent_origin: vec!["*".parse().unwrap()], ..tracker() }).await;
    assert_eq!(status(&any, Some("https://evil.example")).await, 101);
    let page = exchange(any.address, "GET /.viral/announce HTTP/1.1\r\nhost: a").await;
    assert!(page.starts_with("HTTP/1.1 4") && page.contains("speaks WebSocket only"), "{page}");
}

#[tokio::test]
async fn the_address_of_the_site_leads_to_its_tracker_and_to_its_page() {
    let server = server_with(tracker()).await;
    let mut client = connect_at(&server, "/", None).await.unwrap();
    assert_eq!(client.ask(announce(TORRENT, "a", json!({}))).await["incomplete"], 1);
    let page = exchange(server.address, "GET / HTTP/1.1\r\nhost: a").await;
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("<title>t</title>"), "{page}");
    assert!(matches!(connect_at(&server, "/app.js", None).await, Err(Error::Http(response)) if response.status() == 200));
    let none = connect_at(&super::server().await, "/", None).await;
    assert!(matches!(none, Err(Error::Http(response)) if response.status() == 200), "no tracker");
}

#[tokio::test]
async fn an_offer_is_passed_on_as_it_came_and_its_answer_back() {
    let server = server_with(tracker()).await;
    let (mut first, mut second) = (connect(&server, None).await.unwrap(), connect(&server, None).await.unwrap());
    let reply = first.ask(announce(TORRENT, "first", json!({ "left": 0 }))).await;
    assert_eq!(reply, json!({ "action": "announce", "info_hash": TORRENT, "interval": 120, "complete": 1, "incomplete": 0 }));
    let reply = second.ask(announce(TORRENT, "second", json!({ "left": 5, "numwant": 5, "offers": offers(5) }))).await;
    assert_eq!((&reply["complete"], &reply["incomplete"]), (&json!(1), &json!(1)));

    let offer = first.receive().await;
    let given = &offers(1)[0];
    let expected = json!({ "action": "announce", "info_hash": TORRENT, "peer_id": peer_id("second"), "offer_id": given["offer_id"], "offer": given["offer"] });
    assert_eq!(offer, expected);
    let answer = json!({ "answer": { "type": "answer", "sdp": "a" }, "offer_id": given["offer_id"], "to_peer_id": peer_id("second"), "event": null });
    first.say(announce(TORRENT, "first", answer.clone())).await;
    let heard = second.receive().await;
    assert_eq!((&heard["answer"], &heard["peer_id"]), (&json!({ "type": "answer", "sdp": "a" }), &json!(peer_id("first"))));
    // Nobody waits for a reply to an answer, and a late one is no fault.
    first.say(announce(TORRENT, "first", answer)).await;
    let scraped = first.ask(json!({ "action": "scrape", "info_hash": [TORRENT, OTHER] })).await;
    assert_eq!(scraped["files"][TORRENT], json!({ "complete": 1, "incomplete": 1, "downloaded": 0 }));
    assert_eq!(scraped["files"][OTHER]["complete"], 0);
    let numbers = &stats(&server).await["webtorrent"];
    let of = |name: &str| numbers[name].as_u64().unwrap();
    assert_eq!(
        ["sockets", "torrents", "peers", "seeders", "offers", "answers", "late_answers", "dropped"].map(of),
        [2, 1, 2, 1, 1, 1, 1, 0]
    );
}

#[tokio::test]
async fn one_socket_has_several_torrents_and_takes_all_of_them_along() {
    let server = server_with(tracker()).await;
    let (mut one, mut other) = (connect(&server, None).await.unwrap(), connect(&server, None).await.unwrap());
    for torrent in [TORRENT, OTHER] {
        one.ask(announce(torrent, "one", json!({}))).await;
    }
    one.ask(announce(OTHER, "two", json!({}))).await;
    let count = async |other: &mut Client| {
        let files = other.ask(json!({ "action": "scrape", "info_hash": [TORRENT, OTHER] })).await["files"].clone();
        [TORRENT, OTHER].map(|torrent| files[torrent]["incomplete"].as_u64().unwrap())
    };
    assert_eq!(count(&mut other).await, [1, 2]);
    one.ask(announce(TORRENT, "one", json!({ "event": "stopped" }))).await;
    assert_eq!(count(&mut other).await, [0, 2]);
    drop(one);
    while count(&mut other).await != [0, 0] {
        tokio::task::yield_now().await;
    }
    let reply = other.ask(announce(TORRENT, "other", json!({ "event": "stopped" }))).await;
    assert_eq!((&reply["complete"], &reply["incomplete"]), (&json!(0), &json!(0)), "it stops before it started, and is not counted");
}

#[tokio::test]
async fn no_fault_ends_a_socket_and_each_is_told_so_that_clients_show_it() {
    let server = server_with(Config { webtorrent_open: false, webtorrent_info_hash: vec![OTHER.parse().unwrap()], ..tracker() }).await;
    let mut client = connect(&server, None).await.unwrap();
    let many = vec![TORRENT; 10_000];
    for (message, info_hash, said) in [
        (announce(TORRENT, "a", json!({})), json!(TORRENT), "does not serve"),
        (announce("short", "a", json!({})), json!("short"), "info_hash must be"),
        (announce(OTHER, "a", json!({ "peer_id": "short" })), json!(OTHER), "peer_id must be"),
        (announce(OTHER, "a", json!({ "offers": [{ "offer": 5 }] })), json!(OTHER), "offers must be"),
        (
            announce(OTHER, "a", json!({ "offers": [{ "offer": { "sdp": "x".repeat(20_000) }, "offer_id": peer_id("o") }] })),
            json!(OTHER),
            "at most",
        ),
        (announce(OTHER, "a", json!({ "event": "dance" })), json!(OTHER), "event must be"),
        (json!({ "action": "dance", "info_hash": OTHER }), json!(OTHER), "action must be"),
        (json!({ "action": "scrape", "info_hash": many }), Value::Null, "at most 256"),
        (json!("garbage"), Value::Null, "no JSON object"),
    ] {
        let reply = client.ask(message).await;
        assert!(reply["failure reason"].as_str().unwrap().contains(said), "{reply}");
        assert_eq!((reply["action"].is_string(), &reply["info_hash"]), (true, &info_hash), "{reply}");
    }
    client.0.send(Message::Binary(vec![0xff, 0xfe].into())).await.unwrap();
    assert!(client.receive().await["failure reason"].is_string());
    let ten = json!({ "offers": vec![json!({ "offer": { "sdp": "x".repeat(5_000) }, "offer_id": peer_id("o") }); 10] });
    assert_eq!(client.ask(announce(OTHER, "a", ten)).await["incomplete"], 1, "50 KB in one frame, and it is still there");
    for number in 0..10 {
        let reply = client.ask(announce(OTHER, &format!("b{number}"), json!({}))).await;
        assert_eq!(reply["failure reason"].is_string(), number >= 7, "{reply}");
    }
}

#[tokio::test]
async fn clients_that_read_nothing_hold_up_nobody() {
    let server = server_with(tracker()).await;
    let mut silent = Vec::new();
    for number in 0..100 {
        let mut client = connect(&server, None).await.unwrap();
        client.say(announce(TORRENT, &format!("silent{number}"), json!({ "offers": offers(10) }))).await;
        silent.push(client);
    }
    let mut client = connect(&server, None).await.unwrap();
    for round in 0..300 {
        let reply = client.ask(announce(OTHER, "reads", json!({ "offers": offers(10) }))).await;
        assert_eq!(reply["incomplete"], 1, "round {round}");
        silent[round % 100].say(announce(TORRENT, &format!("silent{}", round % 100), json!({ "offers": offers(10) }))).await;
    }
    let numbers = &stats(&server).await["webtorrent"];
    assert!(numbers["offers"].as_u64().unwrap() <= 100 * 16, "what is not answered is not piled up: {numbers}");
}

#[tokio::test]
async fn what_is_said_at_once_is_answered_whole_and_in_order() {
    let server = server_with(tracker()).await;
    let (mut asking, mut offering) = (connect(&server, None).await.unwrap(), connect(&server, None).await.unwrap());
    for round in 0..20 {
        // Nobody says anything more, so each reply has to leave by itself.
        asking.0.feed(Message::Text(announce(TORRENT, "a", json!({ "left": 1 })).to_string().into())).await.unwrap();
        asking.0.feed(Message::Text(announce(OTHER, "a", json!({ "left": 1 })).to_string().into())).await.unwrap();
        asking.0.feed(Message::Text(json!({ "action": "scrape", "info_hash": TORRENT }).to_string().into())).await.unwrap();
        asking.0.flush().await.unwrap();
        assert_eq!(asking.receive().await["info_hash"], TORRENT, "round {round}");
        assert_eq!(asking.receive().await["info_hash"], OTHER, "round {round}");
        assert_eq!(asking.receive().await["action"], "scrape", "round {round}");
        let offered = offering.ask(announce(TORRENT, &format!("b{round}"), json!({ "left": 1, "offers": offers(1) }))).await;
        assert!(offered["complete"].is_u64(), "{offered}");
        offering.ask(announce(TORRENT, &format!("b{round}"), json!({ "event": "stopped" }))).await;
        // The one peer has room for sixteen.
        if round < 16 {
            assert_eq!(asking.receive().await["offer_id"], "offer000000000000000", "round {round}");
        }
    }
}

#[tokio::test]
async fn a_list_of_torrents_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("torrents");
    std::fs::write(&file, format!("# ours\n{OTHER}\n")).unwrap();
    let config = Config { webtorrent_open: false, webtorrent_info_hashes: Some(file.clone()), ..tracker() };
    let server = server_with(config.clone()).await;
    let mut client = connect(&server, None).await.unwrap();
    assert_eq!(client.ask(announce(OTHER, "a", json!({}))).await["incomplete"], 1);
    let added = "A2345678901234567890";
    assert!(client.ask(announce(added, "a", json!({}))).await["failure reason"].is_string());
    std::fs::write(dir.path().join("new"), format!("{OTHER}\n{added}\n")).unwrap();
    std::fs::rename(dir.path().join("new"), &file).unwrap();
    while client.ask(announce(added, "a", json!({}))).await["failure reason"].is_string() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::fs::write(&file, "\nnonsense\n").unwrap();
    let error = Viral::open(Source::Embedded(Vec::new()), &config).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("line 2: `nonsense` is no info-hash") && error.contains("--webtorrent-info-hashes"), "{error}");
}

#[tokio::test]
async fn a_shutdown_says_goodbye_to_clients() {
    let server = server_with(tracker()).await;
    let mut client = connect(&server, None).await.unwrap();
    client.ask(announce(TORRENT, "a", json!({}))).await;
    server.viral.shut_down();
    let Some(Ok(Message::Close(Some(frame)))) = client.0.next().await else { panic!("no goodbye") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "the server is shutting down"));
    drop(client);
    server.running.await.unwrap();
}
