//! Passing requests on to the other server, and its answers back, as they come.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum_core::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tower::Service;
use viral_server::{ClientCertificate, Visitor};

use crate::entry::is_of_file;
use crate::headers::{add_via, put_upgrade, take_hop_by_hop, take_own_cookies, tell_visitor};
use crate::limits::RETRY_AFTER_S;
use crate::memory::{Origin, Wanted, Way};
use crate::upstream::{Upstream, UpstreamError};

/// Passes requests on to another server. See [`Upstream::service`].
#[derive(Debug, Clone)]
pub struct ProxyService {
    upstream: Upstream,
}

impl ProxyService {
    pub(crate) fn new(upstream: Upstream) -> Self {
        Self { upstream }
    }

    async fn pass(self, mut request: Request<Body>) -> Response<Body> {
        let visited = request.headers().get(header::HOST).cloned();
        let seen = (*request.method() == Method::GET).then(|| request.uri().clone());
        let visitor = request.extensions().get::<Visitor>();
        let has_certificate = visitor.is_some_and(|visitor| visitor.certificate.is_some());
        let is_anonymous = !has_certificate && !request.headers().contains_key(header::AUTHORIZATION);
        let over_tls = visitor.is_some_and(|visitor| visitor.over_tls);
        let visitor_upgrade = prepare(&mut request, &self.upstream, visited.as_ref());
        let mut response = match self.upstream.send(request).await {
            Ok(response) => response,
            Err(error) => return refused(&error),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return switch(visitor_upgrade, response);
        }
        take_hop_by_hop(response.headers_mut());
        add_via(response.headers_mut());
        if let Some(uri) =
            seen.filter(|_| is_anonymous && response.status() == StatusCode::OK && self.upstream.is_told_by(visited.as_ref()))
        {
            self.note(&uri, response.headers().get(header::CONTENT_TYPE), Origin { host: visited, over_tls });
        }
        response.map(Body::new)
    }

    /// Somebody was answered with content of this type: it may travel.
    fn note(&self, uri: &Uri, media_type: Option<&HeaderValue>, origin: Origin) {
        let (memory, path) = (self.upstream.memory(), uri.path());
        if let Some(host) = self.upstream.host_for(origin.host.as_ref()) {
            memory.want_way(path, Way::Host(host.as_bytes().to_owned()), origin.clone());
        }
        match uri.query() {
            None => memory.want(Instant::now(), Wanted { path: path.to_owned(), way: None, origin }),
            Some(query) if media_type.and_then(|value| value.to_str().ok()).is_some_and(is_of_file) => {
                memory.want_way(path, Way::Query(query.to_owned()), origin)
            }
            Some(_) => {}
        }
    }
}

impl Service<Request<Body>> for ProxyService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.pass(request).await) })
    }
}

/// Makes a visitor's request one of ours. Returns what becomes of the visitor's connection where another protocol is asked for.
fn prepare(request: &mut Request<Body>, upstream: &Upstream, visited: Option<&HeaderValue>) -> Option<OnUpgrade> {
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let visitor = request.extensions_mut().remove::<Visitor>();
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    let protocol = take_hop_by_hop(headers);
    take_own_cookies(headers);
    // Our side says "100 Continue" by itself once the body is wanted.
    headers.remove(header::EXPECT);
    match &visitor {
        Some(visitor) => tell_visitor(headers, visitor),
        None => ClientCertificate::remove_from(headers),
    }
    match upstream.host_for(visited) {
        Some(host) => _ = headers.insert(header::HOST, host),
        None => _ = headers.remove(header::HOST),
    }
    // Any other, such as h2c, would be a way past all that is looked at here.
    let is_known = |protocol: &HeaderValue| protocol.as_bytes().eq_ignore_ascii_case(b"websocket");
    let protocol = protocol.filter(|protocol| on_upgrade.is_some() && is_known(protocol))?;
    put_upgrade(headers, protocol);
    on_upgrade
}

/// The other server changes the protocol: from now on bytes go to and fro as they come.
fn switch(visitor: Option<OnUpgrade>, mut response: Response<hyper::body::Incoming>) -> Response<Body> {
    let Some(visitor) = visitor else {
        tracing::warn!("the server behind us changes the protocol though nobody asked for it");
        return text(StatusCode::BAD_GATEWAY, "the server behind this address answered something that nobody asked for");
    };
    let behind = hyper::upgrade::on(&mut response);
    let protocol = take_hop_by_hop(response.headers_mut());
    if let Some(protocol) = protocol {
        put_upgrade(response.headers_mut(), protocol);
    }
    tokio::spawn(async move {
        let (visitor, behind) = match tokio::try_join!(visitor, behind) {
            Ok(both) => both,
            Err(error) => return tracing::debug!(%error, "the protocol was not changed"),
        };
        let (mut visitor, mut behind) = (TokioIo::new(visitor), TokioIo::new(behind));
        if let Err(error) = tokio::io::copy_bidirectional(&mut visitor, &mut behind).await {
            tracing::debug!(%error, "a connection of another protocol broke off");
        }
    });
    response.map(|_| Body::empty())
}

/// What a visitor is told when there is no answer.
fn refused(error: &UpstreamError) -> Response<Body> {
    let (status, message) = match error {
        UpstreamError::Unreachable(_) => {
            tracing::warn!(%error, "the server behind us does not answer");
            (StatusCode::BAD_GATEWAY, "the server behind this address does not answer; try again in a few seconds")
        }
        UpstreamError::Slow(wait) => {
            tracing::warn!(?wait, "the server behind us did not answer in time");
            (StatusCode::GATEWAY_TIMEOUT, "the server behind this address took too long to answer; try again in a few seconds")
        }
        UpstreamError::Path => (StatusCode::BAD_REQUEST, "this is no address"),
    };
    let mut response = text(status, message);
    if status != StatusCode::BAD_REQUEST {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
    }
    response
}

fn text(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
