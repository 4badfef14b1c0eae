//! Plain HTTP requests without a browser, as curl would send them.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::deadlines;

/// Headers every current browser sends with a top-level navigation to a secure origin (loopback counts).
pub const NAVIGATION: &[(&str, &str)] = &[
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
    ("sec-fetch-user", "?1"),
    ("user-agent", crate::browser::USER_AGENT),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
];

/// An answer with its whole body.
#[derive(Debug)]
pub struct Reply {
    /// Status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came, still in its `Content-Encoding`.
    pub body: Bytes,
}

impl Reply {
    /// A header as text, empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// When the connection fails or no whole answer comes within [`deadlines::REPLY`].
pub async fn request(to: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<Reply> {
    let mut request = Request::builder().method(method.clone()).uri(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", to.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    tokio::time::timeout(deadlines::REPLY, send(to, request))
        .await
        .with_context(|| format!("no answer to {method} {path}"))?
        .with_context(|| format!("{method} {path}"))
}

/// `GET path` with these headers.
///
/// # Errors
/// As [`request`].
pub async fn get(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Reply> {
    request(to, Method::GET, path, headers, Vec::new()).await
}

async fn send(to: SocketAddr, request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
    let stream = TcpStream::connect(to).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    driving.abort();
    Ok(Reply { status: parts.status, headers: parts.headers, body })
}
