//! One connection from its first byte to its end: what moves is finished, what does not is not waited for.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::access::{AccessLog, Logged};
use crate::client_certificate::ClientCertificate;
use crate::connection_limit::{Answering, ConnectionPermit, Seated, Usage};
#[cfg(feature = "tls")]
use crate::http2;
use crate::limits::{HANDSHAKE_TIMEOUT, HEAD_LEN_MAX, HEAD_TIMEOUT, SHUTDOWN_STALL, SHUTDOWN_TICK, SHUTDOWN_UNASKED};
use crate::listener::{Arrival, Stream};
use crate::meter::Meter;
use crate::metered_stream::MeteredStream;
use crate::protocol::{Agreed, Protocol};
use crate::replies::without_body;
use crate::request_head::normalise;
use crate::routes::Hosts;
#[cfg(feature = "tls")]
use crate::shares::{SharedBody, Shares};
use crate::shutdown::Shutdown;
use crate::stats::Stats;
use viral_swarm::request::Socket;

/// What is served on a listener.
#[derive(Clone)]
pub(crate) struct Service {
    /// Whose answers.
    pub(crate) hosts: Hosts,
    /// What counts the bytes, if anything does.
    pub(crate) stats: Option<Arc<Stats>>,
    /// Where each answer is noted, if anywhere.
    pub(crate) access: Option<AccessLog>,
    /// What visitors who came over TLS are told of coming again (RFC 6797).
    pub(crate) hsts: Option<HeaderValue>,
    /// Says when the server ends.
    pub(crate) shutdown: Shutdown,
}

/// What answers the requests of one connection.
#[derive(Clone)]
struct Answerer {
    hosts: Hosts,
    access: Option<AccessLog>,
    hsts: Option<HeaderValue>,
    peer: Socket,
    certificate: Option<ClientCertificate>,
    usage: Usage,
}

/// Serves a connection to its end.
pub(crate) async fn serve_connection(arrival: Arrival, service: Service, permit: ConnectionPermit) {
    let Service { hosts, stats, access, hsts, shutdown } = service;
    let opening = async {
        let (stream, peer) = arrival.open().await?;
        let mut stream = Seated::new(stream, &permit);
        let handshake = poll_fn(|cx| stream.poll_with(cx, Stream::poll_handshake));
        let agreed = timeout(HANDSHAKE_TIMEOUT, handshake).await??;
        std::io::Result::Ok((stream, peer, agreed))
    };
    let too_late = async {
        shutdown.begun().await;
        sleep(SHUTDOWN_UNASKED).await;
    };
    let opened = tokio::select! {
        opened = opening => opened,
        () = too_late => return,
    };
    let (stream, peer, Agreed { protocol, certificate }) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!(%error, "a connection did not come so far as to ask for anything");
            return;
        }
    };
    let answerer = Answerer { hosts, access, hsts: hsts.filter(|_| peer.is_tls()), peer, certificate, usage: permit.usage() };
    match protocol {
        Protocol::Http1 => serve_http1(stream, permit, answerer, stats, &shutdown).await,
        #[cfg(feature = "tls")]
        Protocol::Http2 => serve_http2(stream, permit, answerer, stats, &shutdown).await,
    }
}

async fn serve_http1(stream: Seated<Stream>, permit: ConnectionPermit, answerer: Answerer, stats: Option<Arc<Stats>>, shutdown: &Shutdown) {
    let meter = Meter::new(stats);
    let asked = meter.clone();
    let metered = MeteredStream::new(stream, meter.clone(), answerer.peer.address(), permit);
    let service = hyper::service::service_fn(move |request| {
        let answering = answerer.clone().answer(request, asked.clone());
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LEN_MAX);
    let connection = http.serve_connection(TokioIo::new(metered), service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = shutdown.begun() => match begin(connection.as_mut(), &meter).await {
            None => {
                connection.as_mut().graceful_shutdown();
                finish(connection, &meter).await
            }
            ended => ended,
        }
    };
    note_end(ended, &meter);
}

#[cfg(feature = "tls")]
async fn serve_http2(stream: Seated<Stream>, permit: ConnectionPermit, answerer: Answerer, stats: Option<Arc<Stats>>, shutdown: &Shutdown) {
    let shares = Arc::new(Shares::default());
    let metered = MeteredStream::new(stream, Meter::shared(stats.clone(), Arc::clone(&shares)), answerer.peer.address(), permit);
    let asked = Arc::clone(&shares);
    let service = hyper::service::service_fn(move |request| {
        let (share, meter) = (asked.begin(), Meter::new(stats.clone()));
        let answering = answerer.clone().answer(request, meter.clone());
        async move {
            let response = answering.await;
            Ok::<_, Infallible>(response.map(|body| SharedBody::new(body, share, move || meter.account())))
        }
    });
    let connection = http2::builder().serve_connection(TokioIo::new(metered), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = http2::given_up(&shares) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = http2::part(connection.as_mut(), &shares) => ended,
                () = shutdown.begun() => finish(connection, &*shares).await,
            }
        }
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            finish(connection, &*shares).await
        }
    };
    note_end(ended, &*shares);
}

fn note_end(ended: Option<Result<(), hyper::Error>>, moves: &impl Moves) {
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "connection ended badly"),
        None => tracing::debug!(answering = moves.is_answering(), "connection was not waited for"),
    }
}

impl Answerer {
    async fn answer(self, mut request: Request<Incoming>, meter: Meter) -> Response<Answering<Logged<Body>>> {
        let mut pending = self.access.as_ref().map(|access| access.begin(&request, self.peer));
        meter.begin(&request);
        let is_head = request.method() == Method::HEAD;
        let mut busy = self.usage.begin();
        let mut response = match normalise(&mut request) {
            Ok(()) => {
                request.extensions_mut().insert(self.peer);
                if let Some(certificate) = self.certificate {
                    request.extensions_mut().insert(certificate);
                }
                let Ok(response) = self.hosts.answer(request, &meter).await;
                response
            }
            Err(fault) => fault.refusal(),
        };
        if is_head {
            without_body(&mut response);
        }
        meter.begin_answer();
        if let Some(hsts) = self.hsts {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            busy.becomes_session();
        }
        if let Some(pending) = &mut pending {
            pending.note(&response);
        }
        response.map(|body| Answering::new(Logged::new(body, pending), busy))
    }
}

/// What tells whether a connection still moves.
trait Moves {
    /// Bytes that left, of those for which a client waits.
    fn sent(&self) -> u64;

    /// Whether somebody waits for an answer whose request is there.
    fn is_answering(&self) -> bool;
}

impl Moves for Meter {
    fn sent(&self) -> u64 {
        self.sent()
    }

    fn is_answering(&self) -> bool {
        self.is_answering()
    }
}

#[cfg(feature = "tls")]
impl Moves for Shares {
    fn sent(&self) -> u64 {
        self.moved().1
    }

    fn is_answering(&self) -> bool {
        self.is_answering()
    }
}

/// Drives a connection that has only just come until something came over it, for a while: hyper would close it, with a request under way. None when it goes on.
async fn begin<C: Future>(mut connection: Pin<&mut C>, meter: &Meter) -> Option<C::Output> {
    let mut patience = pin!(sleep(SHUTDOWN_UNASKED));
    poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if meter.is_fresh() => patience.as_mut().poll(cx).map(|()| None),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Drives `connection` to its end as long as an answer moves; `None` when there was none or it stood still.
async fn finish<C: Future>(mut connection: Pin<&mut C>, moves: &impl Moves) -> Option<C::Output> {
    let mut tick = interval(SHUTDOWN_TICK);
    let (mut sent, mut since) = (moves.sent(), Instant::now());
    loop {
        tokio::select! {
            ended = connection.as_mut() => return Some(ended),
            now = tick.tick() => {
                if std::mem::replace(&mut sent, moves.sent()) != sent {
                    since = now;
                }
                let patience = if moves.is_answering() { SHUTDOWN_STALL } else { SHUTDOWN_UNASKED };
                if since + patience <= now {
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Bytes;

    use super::*;
    use crate::routes::Routes;
    use crate::testing::{NAVIGATION, SITE, bytes, viral};

    /// What is answered, but for the number that a browser is given and the length, which hyper adds where it lacks.
    async fn answered(routes: Routes, path: &str, headers: &[(&str, &str)]) -> (StatusCode, Vec<String>, Bytes) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Socket::At([127, 0, 0, 1].into()));
        let response = routes.answer(request, &Meter::new(None)).await.unwrap();
        let told = response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut told: Vec<_> =
            told.filter(|line| !line.starts_with("set-cookie: viral-visit=") && !line.starts_with("content-length: ")).collect();
        told.sort();
        (response.status(), told, bytes(response).await)
    }

    #[tokio::test]
    async fn what_is_plainly_of_the_site_is_answered_as_by_the_routes() {
        let known = [("if-none-match", "*")];
        let part = [("sec-fetch-dest", "script"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-site", "same-origin")];
        for base in ["/", "/app/"] {
            let viral = viral(&SITE, |config| config.base = base.parse().unwrap()).await;
            let past = viral.routes();
            let through = Routes { site: None, ..past.clone() };
            for path in ["/", "/app.js", "/about", "/none", "/none.js", "/.viral", "/.viral/", "/.viralx", "/app/app.js", "/?viral=plain"] {
                for headers in [&[][..], &NAVIGATION, &known, &part, &[("user-agent", "viral/0.1.0")], &[("range", "bytes=1-2")]] {
                    let (past, through) = (past.clone(), through.clone());
                    assert_eq!(answered(past, path, headers).await, answered(through, path, headers).await, "{base} {path} {headers:?}");
                }
            }
        }
    }

    /// How long the end waits for a connection that never ends, on which a byte leaves every `pace` for `moves` times.
    async fn waited(meter: &Meter, pace: Duration, moves: usize) -> Duration {
        let began = Instant::now();
        let moving = async {
            for _ in 0..moves {
                tokio::time::sleep(pace).await;
                meter.add(1);
            }
            std::future::pending::<()>().await;
        };
        tokio::pin!(moving);
        assert!(finish(moving.as_mut(), meter).await.is_none());
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_answers_that_move_and_for_nothing_else() {
        let meter = Meter::new(None);
        let near = |waited: Duration, expected: Duration| waited >= expected && waited <= expected + 2 * SHUTDOWN_TICK;
        assert!(near(waited(&meter, Duration::ZERO, 0).await, SHUTDOWN_UNASKED), "a head that is half there");
        meter.begin(&Request::post("/").body(Body::from("x")).unwrap());
        assert!(near(waited(&meter, Duration::ZERO, 0).await, SHUTDOWN_UNASKED), "a body that is half there");
        meter.begin(&Request::get("/").body(Body::empty()).unwrap());
        let pace = SHUTDOWN_STALL - Duration::from_secs(1);
        assert!(near(waited(&meter, pace, 20).await, 20 * pace + SHUTDOWN_STALL), "a slow reader");
    }
}
