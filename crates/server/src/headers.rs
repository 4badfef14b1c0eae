//! The response headers of ours.

use http::HeaderName;

/// Which answer this is and why.
pub(crate) const VIRAL_ANSWER: HeaderName = HeaderName::from_static("viral-answer");

/// The page's manifest, for a peer that nobody else would give it.
pub(crate) const VIRAL_MANIFEST: HeaderName = HeaderName::from_static("viral-manifest");

/// Below which path the site and everything of ours lies: native peers run no script that knows.
pub(crate) const VIRAL_BASE: HeaderName = HeaderName::from_static("viral-base");
