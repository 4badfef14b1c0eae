//! What a request says of who makes it: the visitor behind proxies, its cookies, the page that asks, and the evidence that admission goes by.

pub mod cookies;
pub mod evidence;
pub mod forwarded;
pub mod same_origin;

use http::{HeaderMap, header};

pub use forwarded::{CertificateFrom, Proxies, ProxyFault, Socket};

/// Whether this is a native peer: what its `User-Agent` begins with says so.
pub fn is_native_peer(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"viral/"))
}

/// Whether the visitor asks for privacy: `Sec-GPC: 1` (Global Privacy Control).
pub fn asks_for_privacy(headers: &HeaderMap) -> bool {
    headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1")
}
