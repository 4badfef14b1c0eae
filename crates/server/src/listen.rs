//! Accepting connections, no more than the system allows, and ending them well: what moves is finished, what does not is not waited for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::time::{Instant, interval};
use tracing::Instrument as _;
use viral_swarm::places::Use;

use crate::access::{AccessLog, Logged, Pending};
use crate::client::Socket;
use crate::connection_limit::{Answering, ConnectionLimit, ConnectionPermit, Seated, Usage};
use crate::limits::{
    ACCEPT_COMPLAINT, ACCEPT_PAUSE, CONNECTIONS_MAX, HEAD_LEN_MAX, HEAD_TIMEOUT, SHUTDOWN_STALL, SHUTDOWN_TICK, SHUTDOWN_UNASKED,
};
use crate::listener::{Arrival, Listener};
use crate::meter::Meter;
use crate::metered_stream::MeteredStream;
use crate::replies::refusal;
use crate::routes::Hosts;
use crate::same_origin;
use crate::shutdown::{Shutdown, TaskTracker};
use crate::stats::Stats;

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

/// File descriptors this process may have open; `None` for no limit.
pub(crate) fn descriptors() -> Option<u64> {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    limit
}

/// Visitors' connections among so many descriptors: a quarter is left for the site's files, watches and the operator.
pub(crate) fn connections_max(descriptors: Option<u64>) -> usize {
    let spared = descriptors.map_or(u64::MAX, |limit| limit - limit / 4);
    usize::try_from(spared).unwrap_or(usize::MAX).clamp(1, CONNECTIONS_MAX)
}

/// Serves on `listener` until the shutdown begins, then until every answer in flight is sent.
pub(crate) async fn serve(listener: Listener, service: Service, limit: ConnectionLimit) {
    let connections = TaskTracker::new();
    let mut complained: Option<Instant> = None;
    let mut waiting = Waiting { freed: limit.freed(), limit, streams: VecDeque::new() };
    loop {
        let accepted = tokio::select! {
            () = service.shutdown.begun() => break,
            accepted = waiting.next(&listener) => accepted,
        };
        let (arrival, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= ACCEPT_COMPLAINT) {
                    complained = Some(Instant::now());
                    tracing::warn!(%error, "cannot accept connections; raise the limit of open files if it is that");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let hold = connections.hold();
        let span = tracing::debug_span!("connection", peer = ?arrival.peer());
        let connection = serve_connection(arrival, service.clone(), permit).instrument(span);
        tokio::spawn(async move {
            connection.await;
            drop(hold);
        });
    }
    drop((listener, waiting));
    connections.all().await;
}

/// Connections that wait for a place, of the network that has most: those of others are given one.
struct Waiting {
    limit: ConnectionLimit,
    freed: watch::Receiver<()>,
    streams: VecDeque<Arrival>,
}

impl Waiting {
    /// The next connection that has a place.
    async fn next(&mut self, listener: &Listener) -> std::io::Result<(Arrival, ConnectionPermit)> {
        loop {
            // Before they are tried, so that nothing is missed.
            if !self.streams.is_empty() {
                self.limit.note_waiting();
            }
            let found = self.streams.iter().enumerate().find_map(|(at, arrival)| Some((at, self.limit.take(arrival.peer().address())?)));
            if let Some((at, permit)) = found
                && let Some(arrival) = self.streams.remove(at)
            {
                return Ok((arrival, permit));
            }
            // A connection that must end has its descriptor until it did.
            let has_room = self.limit.ending() < self.limit.spare();
            let arrival = tokio::select! {
                accepted = listener.accept(), if has_room => accepted?,
                // The permits are ours, so it never closes.
                _ = self.freed.changed() => continue,
            };
            if let Some(permit) = self.limit.take(arrival.peer().address()) {
                return Ok((arrival, permit));
            }
            if self.streams.len() < self.limit.spare() {
                self.streams.push_back(arrival);
            }
        }
    }
}

async fn serve_connection(arrival: Arrival, service: Service, permit: ConnectionPermit) {
    let Service { hosts, stats, access, hsts, shutdown } = service;
    let opened = tokio::select! {
        opened = arrival.open() => opened,
        () = shutdown.begun() => return,
    };
    let (stream, peer) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::debug!(%error, "a proxy does not say by the PROXY protocol for whom it connects");
            return;
        }
    };
    let hsts = hsts.filter(|_| peer.is_tls());
    let meter = Meter::new(stats);
    let (asked, usage) = (meter.clone(), permit.usage());
    let metered = MeteredStream::new(Seated::new(stream, &permit), meter.clone(), permit);
    let service = hyper::service::service_fn(move |request| {
        let pending = access.as_ref().map(|access| access.begin(&request, peer));
        let answering = answer(request, (peer, pending), hosts.clone(), asked.clone(), usage.clone());
        let hsts = hsts.clone();
        async move {
            let mut response = answering.await;
            if let (Some(hsts), Ok(response)) = (hsts, &mut response) {
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts);
            }
            response
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LEN_MAX);
    let connection = http.serve_connection(TokioIo::new(metered), service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            finish(connection, &meter).await
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "connection ended badly"),
        None => tracing::debug!(answering = meter.is_answering(), "connection was not waited for"),
    }
}

async fn answer(
    mut request: Request<Incoming>,
    (peer, mut pending): (Socket, Option<Pending>),
    hosts: Hosts,
    meter: Meter,
    usage: Usage,
) -> Result<Response<Answering<Logged<Body>>>, Infallible> {
    meter.begin(&request);
    usage.set(Use::Busy);
    let response = if head_len(&request) > HEAD_LEN_MAX {
        let message = format!("the head of a request may have {HEAD_LEN_MAX} bytes");
        Ok(refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &message))
    } else if lacks_host(&request) {
        Ok(refusal(StatusCode::BAD_REQUEST, "say once which host is meant, in a Host header"))
    } else {
        request.extensions_mut().insert(peer);
        hosts.answer(request, &meter).await
    };
    meter.begin_answer();
    response.map(|response| {
        let is_socket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if let Some(pending) = &mut pending {
            pending.note(&response);
        }
        response.map(|body| Answering::new(Logged::new(body, pending), usage, if is_socket { Use::Waiting } else { Use::Idle }))
    })
}

/// Bytes of a head as it came, but for spaces that nobody needs. The buffer alone does not hold the limit: what comes at once is parsed at once.
fn head_len<B>(request: &Request<B>) -> usize {
    let line =
        request.method().as_str().len() + request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + " HTTP/1.1\r\n ".len();
    request.headers().iter().fold(line + 2, |len, (name, value)| len + name.as_str().len() + value.len() + ": \r\n".len())
}

/// Whether no host is meant, or none can be told (RFC 9112 section 3.2).
fn lacks_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() == Version::HTTP_11,
        (Some(host), None) => !same_origin::is_host(host),
        (Some(_), Some(_)) => true,
    }
}

/// Drives `connection` to its end as long as an answer moves; `None` when there was none or it stood still.
async fn finish<C: Future>(mut connection: Pin<&mut C>, meter: &Meter) -> Option<C::Output> {
    let mut tick = interval(SHUTDOWN_TICK);
    let (mut sent, mut since) = (meter.sent(), Instant::now());
    loop {
        tokio::select! {
            ended = connection.as_mut() => return Some(ended),
            now = tick.tick() => {
                if std::mem::replace(&mut sent, meter.sent()) != sent {
                    since = now;
                }
                let patience = if meter.is_answering() { SHUTDOWN_STALL } else { SHUTDOWN_UNASKED };
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

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections_max(Some(80)), 60);
        assert_eq!(connections_max(Some(1024)), 768);
        assert_eq!(connections_max(Some(0)), 1);
        assert_eq!(connections_max(Some(u64::MAX)), CONNECTIONS_MAX);
        assert_eq!(connections_max(None), CONNECTIONS_MAX);
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        let with = |host: &[u8]| Request::get("/").header("host", HeaderValue::from_bytes(host).unwrap()).body(()).unwrap();
        for host in ["a.example", "a.example:8080", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443", "a_b.example", "xn--bcher-kva.example"]
            .into_iter()
            .chain(["a.example:", "127.0.0.1:", "[::1]:"])
        {
            assert!(!lacks_host(&with(host.as_bytes())), "{host}");
        }
        for host in [
            "",
            " ",
            "a b",
            "a/b",
            "user@a.example",
            "a.example:port",
            "a.example:99999",
            ":",
            ":80",
            "a.example::",
            "a.example:80:",
            "a.example,b.example",
            "[::1",
            "a?b",
            "a#b",
        ] {
            assert!(lacks_host(&with(host.as_bytes())), "{host}");
        }
        assert!(lacks_host(&with("bücher.example".as_bytes())));
    }

    #[test]
    fn exactly_one_host_is_asked_for() {
        let request = |version, hosts: usize| {
            let request = Request::get("/").version(version);
            (0..hosts).fold(request, |request, _| request.header("host", "a.example")).body(()).unwrap()
        };
        assert!(lacks_host(&request(Version::HTTP_11, 0)) && lacks_host(&request(Version::HTTP_11, 2)));
        assert!(!lacks_host(&request(Version::HTTP_11, 1)) && !lacks_host(&request(Version::HTTP_10, 0)));
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
