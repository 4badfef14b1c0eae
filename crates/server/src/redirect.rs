//! From http to https.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};

use crate::connection_limit::ConnectionLimit;
use crate::limits::ADMIN_CONNECTIONS_MAX;
use crate::listen::{self, Service};
use crate::listener::Listener;
use crate::replies::refusal;
use crate::routes::{Hosts, Routes};

/// What is answered in place of a redirect, by path.
pub(crate) type Instead = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Sends whoever comes to `listeners` on to https, at this port, until the `service` ends that answers as it is told.
pub(crate) async fn serve(listeners: Vec<Listener>, https_port: u16, instead: Option<Instead>, service: impl Fn(Hosts) -> Service) {
    let router = Router::new().fallback(move |request: Request<Body>| {
        let answer = instead.as_ref().and_then(|instead| instead(request.uri().path()));
        async move { answer.map_or_else(|| to_https(&request, https_port), |answer| Response::new(Body::from(answer))) }
    });
    let limit = ConnectionLimit::of(ADMIN_CONNECTIONS_MAX);
    let hosts = Hosts::Any(Routes { router, site: None });
    let serving: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(listen::serve(listener, service(hosts.clone()), limit.clone()))).collect();
    for listener in serving {
        let _ = listener.await;
    }
}

/// The same address over https, at this port. Status 308, which keeps method and body.
pub(crate) fn to_https<B>(request: &Request<B>, port: u16) -> Response<Body> {
    // It was read as a host before (`listen`), and a port of it is that of http.
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(without_port).unwrap_or_default();
    if host.is_empty() {
        return refusal(StatusCode::BAD_REQUEST, "say which host is meant, in a Host header");
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut response = refusal(StatusCode::PERMANENT_REDIRECT, "this is to be had over https only");
    if let Ok(location) = HeaderValue::try_from(format!("https://{host}{port}{path}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_are_sent_to_the_same_address_over_https() {
        let sent = |host: &str, path: &str, port| {
            let response = to_https(&Request::get(path).header("host", host).body(()).unwrap(), port);
            assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
            response.headers()[header::LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(sent("a.example", "/x?y=1", 443), "https://a.example/x?y=1");
        assert_eq!(sent("a.example:80", "/", 8443), "https://a.example:8443/");
        assert_eq!(sent("[::1]:80", "/", 443), "https://[::1]/");
        assert_eq!(sent("[::1]", "/", 443), "https://[::1]/");
        let without = to_https(&Request::get("/").body(()).unwrap(), 443);
        assert_eq!(without.status(), StatusCode::BAD_REQUEST);
    }
}
