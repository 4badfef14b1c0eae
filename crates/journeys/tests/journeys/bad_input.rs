//! What no browser of ours sends: each a clear error to its sender, nobody else disturbed.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use viral_journeys::browser::Engine::Chromium;
use viral_journeys::http::{self as plain, NAVIGATION};
use viral_journeys::process::Process;
use viral_journeys::server::{self, Server};
use viral_journeys::site::App;
use viral_journeys::wait::journey;

use crate::common::{fed_by_peers, first_seeder};

/// Until the server has reacted to one message.
const REACTION: Duration = Duration::from_secs(10);

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// How the server reacted to one message.
#[derive(Debug)]
enum Reaction {
    Said(Value),
    Closed,
}

/// Opens a socket as a page of `origin` would, or returns the status of the refusal.
async fn socket(
    server: &Server,
    origin: &str,
) -> Result<tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>, u16> {
    let mut request = format!("ws://{}/.viral/ws", server.address()).into_client_request().expect("a request");
    request.headers_mut().insert("origin", origin.parse().expect("a header value"));
    // The leave to register for the page, as its answer brings it.
    let asked = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
    let page = plain::request(server.address(), Method::HEAD, "/", &asked, Vec::new()).await.expect("an answer");
    let mut cookies = page.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let ticket = cookies.find(|cookie| cookie.starts_with("viral-join=")).expect("a join ticket");
    request.headers_mut().insert("cookie", ticket.parse().expect("a header value"));
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(reply)) => Err(reply.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Sends these messages on one socket and waits for an `error` or the end of the socket.
async fn reaction_to(server: &Server, messages: Vec<Message>) -> Reaction {
    let mut socket = socket(server, &format!("http://{}", server.address())).await.expect("our own origin is let in");
    for message in messages {
        // The server may close before it has read everything.
        if socket.send(message).await.is_err() {
            return Reaction::Closed;
        }
    }
    let reading = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let said: Value = serde_json::from_str(&text).expect("the tracker speaks JSON");
                    if said["kind"] == "error" || said["kind"] == "dropped" {
                        return Reaction::Said(said);
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Reaction::Closed,
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::time::timeout(REACTION, reading).await.expect("the server reacts")
}

fn register() -> Value {
    json!({ "kind": "register", "page": "/", "manifest": null, "ticket": null, "slots": 4 })
}

fn text(value: &Value) -> Message {
    Message::text(value.to_string())
}

#[tokio::test]
async fn a_socket_from_a_foreign_origin_is_refused() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            assert_eq!(socket(&server, origin).await.err(), Some(403), "{origin}");
        }
    })
    .await;
}

#[tokio::test]
async fn broken_signalling_is_an_error_to_its_sender_and_nobody_else_notices() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let cases: Vec<(&str, Vec<Message>)> = vec![
            ("unknown kind", vec![text(&json!({ "kind": "teapot" }))]),
            (
                "unknown field",
                vec![text(&{
                    let mut extra = register();
                    extra["more"] = json!(1);
                    extra
                })],
            ),
            ("truncated", vec![Message::text(&register().to_string()[..30])]),
            ("no JSON", vec![Message::text("hello")]),
            ("binary", vec![Message::binary(vec![0x20; 100])]),
            ("oversized", vec![Message::text(" ".repeat(4 << 20))]),
            ("registered twice", vec![text(&register()), text(&register())]),
            ("before register", vec![text(&json!({ "kind": "find", "manifest": null, "count": 4 }))]),
            (
                "description that smuggles a line",
                vec![
                    text(&register()),
                    text(&json!({ "kind": "offers", "offers": [{ "offer": 1, "description":
                    ["abcd", "abcdefghijklmnopqrstuv\r\na=candidate:x", "00".repeat(32), "actpass", 262_144, [], []] }] })),
                ],
            ),
            (
                "more offers than allowed",
                vec![
                    text(&register()),
                    text(&json!({ "kind": "offers", "offers":
                (0..1_000).map(|offer| json!({ "offer": offer, "description":
                    ["abcd", "abcdefghijklmnopqrstuvwx", "00".repeat(32), "actpass", 262_144, [], []] })).collect::<Vec<_>>() })),
                ],
            ),
        ];
        for (name, messages) in cases {
            match reaction_to(&server, messages).await {
                Reaction::Closed => {}
                Reaction::Said(said) => {
                    let explained = said["message"].as_str().or(said["reason"].as_str()).unwrap_or_default();
                    assert!(!explained.is_empty(), "{name}: {said}");
                }
            }
        }
        server.until_seeders(1).await;
        fed_by_peers(&server, &site, Chromium).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_for_a_peer_never_matched_is_refused() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let origin = format!("http://{}", server.address());
        let headers = [("content-type", "application/json"), ("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        let description = json!(["abcd", "abcdefghijklmnopqrstuvwx", "00".repeat(32), "active", 262_144, [], []]);
        let answer = json!({ "ticket": "00".repeat(16), "answers": [{ "peer": 1, "offer": 1, "description": description }] });
        let foreign = [("content-type", "application/json"), ("origin", "http://evil.example")];
        let cases: [(&str, Headers<'_>, Vec<u8>, u16); 5] = [
            ("never matched", &headers, answer.to_string().into_bytes(), 403),
            ("no JSON", &headers, b"{".to_vec(), 400),
            ("unknown field", &headers, json!({ "ticket": "00".repeat(16), "answers": [], "x": 1 }).to_string().into_bytes(), 400),
            ("too long", &headers, vec![b' '; 64 << 10], 413),
            ("foreign page", &foreign, answer.to_string().into_bytes(), 403),
        ];
        for (name, headers, body, expected) in cases {
            let reply = plain::request(server.address(), Method::POST, "/.viral/answer", headers, body).await.expect("an answer");
            assert_eq!(reply.status, expected, "{name}: {}", reply.text());
        }
        fed_by_peers(&server, &site, Chromium).await;
    })
    .await;
}

#[tokio::test]
async fn a_path_cannot_leave_the_folder_and_dotfiles_are_hidden() {
    journey(async {
        let mut site = App::default().site();
        site.write("/.env", "SECRET=1");
        std::os::unix::fs::symlink("/etc/passwd", site.folder().join("passwd.txt")).expect("a symlink");
        let server = Server::serve(site.folder(), &[]).await;
        for path in [
            "/.env",
            "/passwd.txt",
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/parts/..%5c..%5c.env",
            "/%00",
        ] {
            let reply = server.get(path, NAVIGATION).await;
            assert!(reply.status == 404 || reply.status == 400, "{path}: {}", reply.status);
            assert!(!reply.text().contains("root:") && !reply.text().contains("SECRET"), "{path}");
        }
    })
    .await;
}

/// Starts the binary where it cannot work; returns what it wrote to standard error.
async fn refusal(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments: Vec<_> = arguments.iter().map(std::ffi::OsString::from).collect();
    let mut command = server::command(&arguments);
    command.current_dir(folder.path());
    let mut process = Process::start(&mut command, folder.path()).expect("the binary starts");
    let status = process.exited(REACTION).await.expect("it ends by itself");
    assert!(!status.success(), "it ended with {status}");
    process.log()
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    journey(async {
        let site = App::default().site();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("its address").to_string();
        let folder = site.folder().to_string_lossy();
        let said = refusal(&["serve", &folder, "--listen", &address, "--admin-listen", "127.0.0.1:0"]).await;
        assert!(said.contains(&address), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_missing_or_no_folder_is_named() {
    journey(async {
        let missing = "/nowhere/to/be/found";
        let file = tempfile::NamedTempFile::new().expect("a file");
        let file = file.path().to_string_lossy();
        for folder in [missing, &*file] {
            let said = refusal(&["serve", folder, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).await;
            assert!(said.contains(folder), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_bad_config_key_is_named_with_its_line() {
    journey(async {
        let site = App::default().site();
        let config = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(config.path(), "# comment\nspa = true\nmin-app-bites = 5\n").expect("a config");
        let (folder, path) = (site.folder().to_string_lossy(), config.path().to_string_lossy());
        let said = refusal(&["serve", &folder, "--config", &path, "--listen", "127.0.0.1:0"]).await;
        assert!(said.contains("min-app-bites") && said.contains("line 3"), "{said}");
    })
    .await;
}
