//! A whole server in front of another: real sockets on both sides.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "proxy/certificates.rs"]
mod certificates;
#[path = "proxy/learning.rs"]
mod learning;
#[path = "proxy/passing.rs"]
mod passing;
#[path = "proxy/unusual.rs"]
mod unusual;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use viral_server::config::Config;
use viral_server::{Listener, Viral};
use viral_upstream::{Settings, Upstream};

/// How browsers go to an address.
const NAVIGATION: &str = "sec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: none\r\nsec-fetch-user: ?1\r\n";

/// A server behind, and viral in front of it.
struct Front {
    at: SocketAddr,
    /// Ends the server behind.
    behind: tokio::task::JoinHandle<()>,
}

async fn front(app: Router) -> Front {
    front_with(app, |_| {}).await
}

async fn front_with(app: Router, change: impl FnOnce(&mut Settings)) -> Front {
    front_as(app, change, |_| {}, |listener| listener).await
}

/// The same with other settings, and on another listener.
async fn front_as(
    app: Router,
    change: impl FnOnce(&mut Settings),
    configure: impl FnOnce(&mut Config),
    on: impl FnOnce(Listener) -> Listener,
) -> Front {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind_at = listener.local_addr().unwrap();
    let behind = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    front_of(behind_at, behind, change, configure, on).await
}

/// The same in front of a server that is there.
async fn front_of(
    behind_at: SocketAddr,
    behind: tokio::task::JoinHandle<()>,
    change: impl FnOnce(&mut Settings),
    configure: impl FnOnce(&mut Config),
    on: impl FnOnce(Listener) -> Listener,
) -> Front {
    let mut settings = Settings::at(format!("http://{behind_at}").parse().unwrap());
    change(&mut settings);
    let upstream = Upstream::new(settings).unwrap();
    let mut config = Config { min_app_bytes: 0, ..Config::default() };
    configure(&mut config);
    let viral = Viral::open(upstream.source(), &config).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let listener = on(Listener::from(listener));
    tokio::spawn(async move { viral.serve_in_front_of(upstream.service(), vec![listener], Vec::new()).await });
    Front { at, behind }
}

impl Front {
    /// The whole answer to a request of this method for this path, with more header lines.
    async fn ask(&self, method: &str, path: &str, lines: &str) -> String {
        self.send(&format!("{method} {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{lines}\r\n")).await
    }

    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the answer ends").unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn visit(&self, path: &str) -> String {
        self.ask("GET", path, NAVIGATION).await
    }

    /// Asks until the answer holds this, for at most ten seconds.
    async fn visit_until(&self, path: &str, lines: &str, text: &str) -> String {
        for _ in 0..100 {
            let answer = self.ask("GET", path, lines).await;
            if answer.contains(text) {
                return answer;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("no answer of {path} ever held {text}: {}", self.ask("GET", path, lines).await)
    }
}
