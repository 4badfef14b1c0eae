//! The other server, and what is kept of it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum_core::body::Body;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::address::UpstreamAddr;
use crate::forward::ProxyService;
use crate::fresh::Compared;
use crate::headers::take_words_on_visitor;
use crate::limits::{ANSWER_WAIT, POOL_IDLE, POOL_IDLE_MAX};
use crate::memory::Memory;
use crate::rules::Rules;
use crate::site::UpstreamSource;
use crate::stream::Connector;

/// How another server is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub address: UpstreamAddr,
    /// The `Host` that it is asked for; none = as the visitor says, or over TLS that of its address.
    pub host: Option<HeaderValue>,
    /// What the operator says of paths.
    pub rules: Rules,
    /// Longest wait for the head of an answer.
    pub answer_wait: Duration,
}

impl Settings {
    /// The defaults for a server at this address.
    pub fn at(address: UpstreamAddr) -> Self {
        Self { address, host: None, rules: Rules::default(), answer_wait: ANSWER_WAIT }
    }
}

/// Why the other server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It cannot be reached, or its answer is none.
    #[error("{}", described(.0))]
    Unreachable(#[from] ClientError),
    /// Its answer did not begin in time.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// What is asked for is no address of it.
    #[error("this is no path")]
    Path,
}

/// Another server, in front of which we are.
#[derive(Debug, Clone)]
pub struct Upstream(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    client: Client<Connector, Body>,
    /// For requests that change the protocol, which HTTP/2 cannot, and under a name that is not the address's.
    http1: Client<Connector, Body>,
    /// Held while a deploy is found out.
    settling: tokio::sync::Mutex<()>,
    memory: Arc<Memory>,
    /// Paths that are being compared with the other server's: at most one question for each that may travel.
    comparing: Mutex<BTreeMap<String, watch::Receiver<Option<Compared>>>>,
}

impl Upstream {
    /// Nothing is asked of it yet.
    ///
    /// # Errors
    /// When it is reached over TLS and the certificates that this system trusts cannot be read.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let client = |has_h2| {
            let connector = Connector::new(&settings.address, has_h2)?;
            let mut builder = Client::builder(TokioExecutor::new());
            builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
            io::Result::Ok(builder.pool_idle_timeout(POOL_IDLE).pool_max_idle_per_host(POOL_IDLE_MAX).build(connector))
        };
        let (client, http1) = (client(settings.host.is_none())?, client(false)?);
        let settling = tokio::sync::Mutex::default();
        Ok(Self(Arc::new(Inner { settings, client, http1, settling, memory: Arc::default(), comparing: Mutex::default() })))
    }

    /// Passes requests on to it. Each must have the extension [`Visitor`](viral_server::Visitor), as [`ViralLayer`](viral_server::ViralLayer) gives it.
    pub fn service(&self) -> ProxyService {
        ProxyService::new(self.clone())
    }

    /// The site of what is learned of it.
    pub fn source(&self) -> UpstreamSource {
        UpstreamSource::new(self.clone())
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.0.memory
    }

    pub(crate) fn settling(&self) -> &tokio::sync::Mutex<()> {
        &self.0.settling
    }

    /// Whether it is asked under one name whatever visitors say.
    pub(crate) fn has_one_name(&self) -> bool {
        self.settings().host.is_some() || self.settings().address.is_tls()
    }

    pub(crate) fn comparing(&self) -> MutexGuard<'_, BTreeMap<String, watch::Receiver<Option<Compared>>>> {
        self.0.comparing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another `Host` than the one for a visitor who came under this one: what is the same under both does not depend on it. None where one is always asked for.
    pub(crate) fn other_host(&self, visited: Option<&HeaderValue>) -> Option<HeaderValue> {
        let address = &self.settings().address;
        if self.has_one_name() {
            return self.host_for(None);
        }
        let authority = address.authority();
        if !is_here(authority.host()) || visited.is_some_and(|visited| visited.as_bytes() != authority.as_str().as_bytes()) {
            return self.host_for(None);
        }
        let name = if authority.host() == "localhost" { "127.0.0.1" } else { "localhost" };
        let port = authority.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        HeaderValue::try_from(format!("{name}{port}")).ok()
    }

    /// The `Host` for a visitor who came under this one.
    pub(crate) fn host_for(&self, visited: Option<&HeaderValue>) -> Option<HeaderValue> {
        let Settings { address, host, .. } = self.settings();
        let own = || HeaderValue::from_str(address.authority().as_str()).ok();
        let told = host.clone();
        if address.is_tls() { told.or_else(own) } else { told.or_else(|| visited.cloned()).or_else(own) }
    }

    /// Whether an answer to a visitor who came under this `Host` can be compared with that under another: else it might hold a name that only we use.
    pub(crate) fn is_told_by(&self, visited: Option<&HeaderValue>) -> bool {
        let authority = self.settings().address.authority();
        let is_another = |visited: &HeaderValue| visited.as_bytes() != authority.as_str().as_bytes();
        self.has_one_name() || is_here(authority.host()) || visited.is_some_and(is_another)
    }

    /// Asks it, and waits for the head of its answer. What has no body and changes nothing is asked once more where a connection that was kept turned out to be closed.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = self.uri(path)?;
        let again = is_repeatable(&request).then(|| copy_of_head(&request));
        match (self.send_once(request).await, again) {
            (Err(UpstreamError::Unreachable(error)), Some(again)) if !error.is_connect() => {
                tracing::debug!(%error, "asked once more");
                self.send_once(again).await
            }
            (answered, _) => answered,
        }
    }

    async fn send_once(&self, request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        let wait = self.settings().answer_wait;
        let client = if request.headers().contains_key(header::UPGRADE) { &self.0.http1 } else { &self.0.client };
        let (request, sent) = until_sent(request);
        let answer = client.request(request);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answered = answer.as_mut() => return Ok(answered?),
            // A long upload is no slow answer.
            () = sent => {}
        }
        Ok(timeout(wait, answer).await.map_err(|_| UpstreamError::Slow(wait))??)
    }

    fn uri(&self, path: PathAndQuery) -> Result<Uri, UpstreamError> {
        let address = &self.settings().address;
        let uri = Uri::builder().scheme(address.scheme().clone()).authority(address.authority().clone()).path_and_query(path);
        uri.build().map_err(|_| UpstreamError::Path)
    }
}

/// The request, and what ends once its body was sent or given up.
fn until_sent(request: Request<Body>) -> (Request<Body>, impl Future<Output = ()>) {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let request = request.map(|body| {
        if http_body::Body::is_end_stream(&body) {
            return body;
        }
        // Dropped with the body.
        Body::new(body.map_frame(move |mut frame| {
            let _held = &sender;
            if let Some(trailers) = frame.trailers_mut() {
                take_words_on_visitor(trailers);
            }
            frame
        }))
    });
    (request, async move { _ = receiver.await })
}

/// An error with what caused it: a client's own word alone is "client error (Connect)".
fn described(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Whether a host is this machine, which answers under any name.
fn is_here(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn is_repeatable(request: &Request<Body>) -> bool {
    use http_body::Body as _;
    matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        && request.body().is_end_stream()
        && !request.headers().contains_key(header::UPGRADE)
}

fn copy_of_head(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::empty());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    copy
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test]
    async fn what_a_visitor_says_of_itself_in_trailers_goes_nowhere() {
        let mut trailers = HeaderMap::new();
        for (name, value) in [("client-cert", ":MA==:"), ("x_forwarded_for", "192.0.2.1"), ("digest", "sha-256=x")] {
            trailers.insert(name, HeaderValue::from_static(value));
        }
        let frames: [Result<_, Infallible>; 2] = [Ok(Frame::data("text".into())), Ok(Frame::trailers(trailers))];
        let (request, sent) = until_sent(Request::new(Body::new(StreamBody::new(stream::iter(frames)))));
        let body = request.into_body().collect().await.unwrap();
        let left: Vec<_> = body.trailers().unwrap().keys().map(ToString::to_string).collect();
        assert_eq!(left, ["digest"]);
        sent.await;
    }
}
