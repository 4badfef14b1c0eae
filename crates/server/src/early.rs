//! Connections before the site is open: what can be said by then is said, plainly.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use futures_util::future::join_all;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use viral_site::Early;
use viral_wire::OWN_PATHS;

use crate::access::{AccessLog, Logged};
use crate::config::Base;
use crate::limits::{EARLY_CONNECTIONS_MAX, EARLY_HEAD_TIMEOUT, EARLY_PAUSE, EARLY_REST};
use crate::listener::Listener;
use crate::protocol::Protocol;
use crate::replies::refusal;
use viral_swarm::request::is_native_peer;

/// Who answers until the site is open.
pub(crate) struct Meanwhile {
    pub(crate) early: Arc<dyn Early>,
    pub(crate) base: Base,
    pub(crate) access: Option<AccessLog>,
}

impl Meanwhile {
    /// Answers on `listeners` for as long as it is polled. Answers that are under way then have a while to be finished.
    pub(crate) async fn serve(self, listeners: &[Listener]) {
        let (meanwhile, places) = (Arc::new(self), Arc::new(Semaphore::new(EARLY_CONNECTIONS_MAX)));
        // Closed with this future: the site is ready.
        let (_is_early, over) = watch::channel(());
        join_all(listeners.iter().map(|listener| Arc::clone(&meanwhile).accept(listener, Arc::clone(&places), over.clone()))).await;
    }

    async fn accept(self: Arc<Self>, listener: &Listener, places: Arc<Semaphore>, over: watch::Receiver<()>) {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok(arrival) = listener.accept().await else {
                tokio::time::sleep(EARLY_PAUSE).await;
                continue;
            };
            let (meanwhile, mut over) = (Arc::clone(&self), over.clone());
            tokio::spawn(async move {
                let Ok((stream, peer)) = arrival.open_for(Protocol::Http1).await else { return };
                let service = hyper::service::service_fn(move |request| {
                    let meanwhile = Arc::clone(&meanwhile);
                    async move {
                        let mut pending = meanwhile.access.as_ref().map(|access| access.begin(&request, peer));
                        let response = meanwhile.respond(request).await;
                        if let Some(pending) = &mut pending {
                            pending.note(&response);
                        }
                        Ok::<_, Infallible>(response.map(|body| Logged::new(body, pending)))
                    }
                });
                let mut http = http1::Builder::new();
                // The next request comes on a connection of the site's own.
                http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(EARLY_HEAD_TIMEOUT);
                let too_long = async {
                    while over.changed().await.is_ok() {}
                    tokio::time::sleep(EARLY_REST).await;
                };
                tokio::select! {
                    ended = http.serve_connection(TokioIo::new(stream), service) => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, "connection ended badly");
                        }
                    }
                    () = too_long => tracing::debug!("a client that reads slowly is given up"),
                }
                drop(place);
            });
        }
    }

    async fn respond<B>(&self, request: Request<B>) -> Response<Body> {
        let (request, _) = request.into_parts();
        let path = request.uri.path();
        // However the proxy asks.
        let is_own = path.starts_with(OWN_PATHS) || path.starts_with(&self.base.own(""));
        // A native peer comes for its like and waits.
        if is_own || is_native_peer(&request.headers) {
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "the site is being read");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        Arc::clone(&self.early).respond(request).await
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use viral_site::{OpenSite as _, SiteOptions, Source};

    use super::*;

    fn meanwhile(base: &str) -> (tempfile::TempDir, Meanwhile) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.html"), "home").unwrap();
        let base: Base = base.parse().unwrap();
        let options = SiteOptions { base: base.prefix().to_owned(), ..SiteOptions::default() };
        let early = Source::Directory(dir.path().to_owned()).early(&options).unwrap();
        (dir, Meanwhile { early, base, access: None })
    }

    #[tokio::test]
    async fn listeners_are_free_again_once_the_site_is_ready() {
        let (_dir, meanwhile) = meanwhile("/");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Listener::from(listener);
        let visit = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::select! {
            answer = visit => answer,
            () = meanwhile.serve(std::slice::from_ref(&listener)) => panic!("it ended"),
        };
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("home") && answer.contains("connection: close"), "{answer}");
        let (accepted, _connected) = tokio::join!(listener.accept(), TcpStream::connect(address));
        accepted.unwrap();
    }

    #[tokio::test]
    async fn who_comes_for_more_than_files_is_told_to_come_again() {
        for (base, path, agent, status) in [
            ("/", "/", "Mozilla/5.0", 200),
            ("/", "/.viral/ws", "Mozilla/5.0", 503),
            ("/", "/", "viral/0.1.0", 503),
            ("/app/", "/app/", "Mozilla/5.0", 200),
            ("/app/", "/app/.viral/ws", "Mozilla/5.0", 503),
            ("/app/", "/.viral/ws", "Mozilla/5.0", 503),
        ] {
            let (_dir, meanwhile) = meanwhile(base);
            let response = meanwhile.respond(Request::get(path).header("user-agent", agent).body(()).unwrap()).await;
            assert_eq!(response.status().as_u16(), status, "{base} {path} {agent}");
            if status == 503 {
                assert_eq!(response.headers()["retry-after"], "1");
                assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
            }
        }
    }
}
