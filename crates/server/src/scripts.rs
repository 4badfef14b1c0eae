//! The three scripts of ours, built from `browser/` and compiled in: loader, addition and service worker.

use std::sync::LazyLock;

use base64::Engine as _;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use viral_wire::ADDITION_PATH;

use crate::coding::{self, Coding};
use crate::files::{Addition, EmbeddedFile};

/// Inline script of the thin answer.
static LOADER: &str = include_str!("../../../browser/dist/loader.js");
/// Script at the end of every viral document.
static ADDITION: &str = include_str!("../../../browser/dist/addition.js");
/// The service worker.
static WORKER: &str = include_str!("../../../browser/dist/worker.js");

/// Path of the service worker.
pub(crate) const WORKER_PATH: &str = "/.viral/worker.js";

/// One script in every coding.
pub(crate) struct Script {
    /// First 16 hex digits of the SHA-256, for `?v=`.
    pub(crate) version: String,
    raw: Bytes,
    brotli: Bytes,
    zstd: Bytes,
    gzip: Bytes,
}

impl Script {
    fn of(text: &'static str) -> Self {
        let raw = Bytes::from_static(text.as_bytes());
        let version = Sha256::digest(&raw)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let best = |coding| Bytes::from(coding::encode_best(coding, &raw));
        Self { version, brotli: best(Coding::Brotli), zstd: best(Coding::Zstd), gzip: best(Coding::Gzip), raw }
    }

    /// The body in a coding.
    pub(crate) fn body(&self, coding: Coding) -> Bytes {
        match coding {
            Coding::Brotli => self.brotli.clone(),
            Coding::Zstd => self.zstd.clone(),
            Coding::Gzip => self.gzip.clone(),
            Coding::Identity => self.raw.clone(),
        }
    }
}

/// The addition, encoded once.
pub(crate) static ADDITION_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::of(ADDITION));
/// The service worker, encoded once.
pub(crate) static WORKER_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::of(WORKER));

/// The loader as it stands between `<script>` and `</script>`.
pub(crate) fn loader() -> &'static str {
    LOADER
}

/// `sha256-…` of the loader for a Content-Security-Policy.
pub(crate) fn loader_hash() -> &'static str {
    static HASH: LazyLock<String> =
        LazyLock::new(|| format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(LOADER))));
    &HASH
}

/// The markup at the end of every viral document, and the script it asks for.
pub(crate) fn addition() -> Addition {
    let path = ADDITION_PATH.trim_start_matches('/').to_owned();
    Addition {
        markup: format!("<script async src=\"{ADDITION_PATH}?v={}\"></script>", ADDITION_SCRIPT.version),
        script: EmbeddedFile { path, body: ADDITION_SCRIPT.body(Coding::Identity) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_cannot_end_its_own_script_element() {
        let lower = LOADER.to_ascii_lowercase();
        assert!(!lower.contains("</script") && !lower.contains("<!--"), "the HTML parser would leave the script early");
        assert!(!LOADER.contains('\r'), "the HTML parser would normalise it and break the hash");
    }

    #[test]
    fn the_addition_is_addressed_by_its_content() {
        let Addition { markup, script } = addition();
        // A page finds the script in its HTTP cache by the digest in the manifest.
        let version = &viral_wire::Digest::of(&script.body).to_string()[..16];
        assert_eq!(markup, format!("<script async src=\"/.viral/addition.js?v={version}\"></script>"));
    }
}
