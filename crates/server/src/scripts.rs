//! The scripts of ours, built from `browser/` and compiled in: loader, addition, service worker, the same as it is sent in front of a worker of the site's own, the script of pages that are made for each visitor, and that of the doctor.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use viral_wire::signal::CrowdScript;
use viral_wire::{ADDITION_PATH, OWN_PATHS};

/// Path of the script of pages that are made for each visitor.
pub(crate) const BESIDE_PATH: &str = "/.viral/beside.js";

/// Path of the script with which a browser is one of a crowd.
pub(crate) const CROWD_PATH: &str = "/.viral/crowd.js";

/// Path of the script that goes in front of a site's own service worker.
pub(crate) const INSIDE_PATH: &str = "/.viral/inside.js";

/// Path of the script of pages that come as they are, to be compared with.
pub(crate) const TIME_PATH: &str = "/.viral/time.js";

use crate::coding;
use crate::config::Base;
use viral_site::{Addition, Coding, EmbeddedFile, Ending};

/// Inline script of the thin answer.
static LOADER: &str = include_str!("../scripts/loader.js");
/// Script at the end of every viral document.
static ADDITION: &str = include_str!("../scripts/addition.js");
/// The service worker.
static WORKER: &str = include_str!("../scripts/worker.js");
/// The service worker as it is in front of a worker of the site's own.
static INSIDE: &str = include_str!("../scripts/inside.js");
/// Script in the head of every page that is made for its visitor.
static BESIDE: &str = include_str!("../scripts/beside.js");

/// What a browser needs beside the loader to be one of a crowd.
static CROWD: &str = include_str!("../scripts/crowd.js");
/// Tells when a page was there.
static TIME: &str = include_str!("../scripts/time.js");
/// Script of `/.viral/doctor`.
static DOCTOR: &str = include_str!("../scripts/doctor.js");

/// One script in every coding.
pub(crate) struct Script {
    /// First 16 hex digits of the SHA-256, for `?v=`.
    pub(crate) version: String,
    raw: Bytes,
    coded: Vec<(Coding, Bytes)>,
}

impl Script {
    pub(crate) fn of(text: String) -> Self {
        let raw = Bytes::from(text);
        let version = Sha256::digest(&raw)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { version, coded: coding::encode_best(&raw), raw }
    }

    /// The body in a coding, as it was chosen for a request.
    pub(crate) fn body(&self, coding: Option<Coding>) -> Bytes {
        let coded = self.coded.iter().find(|(made, _)| Some(*made) == coding);
        coded.map_or(&self.raw, |(_, body)| body).clone()
    }
}

/// A script as policies and `integrity` name it: `sha256-…`.
fn integrity(script: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script)))
}

/// The scripts of a site below a base.
pub(crate) struct Scripts {
    /// How each thin answer goes on after its boot block, and ends: with the loader between `<script>` and `</script>`.
    pub(crate) thin_ending: Ending,
    /// `sha256-…` of the loader for a Content-Security-Policy.
    pub(crate) loader_hash: String,
    /// The addition, encoded once.
    pub(crate) addition: Script,
    /// The service worker, encoded once.
    pub(crate) worker: Script,
    /// The service worker as it goes in front of one of the site's own, encoded once.
    pub(crate) inside: Script,
    /// The script of pages that are made for each visitor, encoded once.
    pub(crate) beside: Script,
    /// The script with which a browser is one of a crowd, encoded once.
    pub(crate) crowd: Script,
    /// Where it is asked for, and its digest.
    crowd_tag: CrowdScript,
    /// The script of the page that says what a browser can do here, encoded once.
    pub(crate) doctor: Script,
    /// The script that tells when a page was there, encoded once.
    pub(crate) time: Script,
    /// Where it is asked for.
    time_path: String,
    /// Where the addition is asked for.
    addition_path: String,
    /// Where the script of such pages is asked for.
    beside_path: String,
    /// See [`Self::tag_suffix`].
    tag_suffix: String,
    /// See [`Self::worker_tag_suffix`].
    worker_tag_suffix: String,
    /// Where the script is that goes in front of the site's own service worker.
    inside_path: String,
}

impl Scripts {
    /// Those of a site at the root are made once.
    pub(crate) fn of(base: &Base) -> Arc<Self> {
        static AT_ROOT: LazyLock<Arc<Scripts>> = LazyLock::new(|| Arc::new(Scripts::make(&Base::default())));
        if base.is_root() { Arc::clone(&AT_ROOT) } else { Arc::new(Self::make(base)) }
    }

    /// The scripts know no base: each address of ours is written out in them, and the base is put in front of it here, at no cost for visitors.
    fn make(base: &Base) -> Self {
        let based = |text: &str| text.replace(OWN_PATHS, &base.own(""));
        let loader = based(LOADER);
        let (addition, beside) = (Script::of(based(ADDITION)), Script::of(based(BESIDE)));
        let (inside, crowd) = (Script::of(based(INSIDE)), based(CROWD));
        let (crowd_integrity, crowd) = (integrity(&crowd), Script::of(crowd));
        Self {
            loader_hash: integrity(&loader),
            thin_ending: Ending::new(format!("</script><script>{loader}</script></body></html>").into_bytes()),
            tag_suffix: format!("-v{:.4}{:.4}", addition.version, beside.version),
            addition,
            worker_tag_suffix: format!("-w{:.8}", inside.version),
            inside_path: based(INSIDE_PATH),
            inside,
            worker: Script::of(based(WORKER)),
            crowd_tag: CrowdScript { src: format!("{}?v={}", based(CROWD_PATH), crowd.version), integrity: crowd_integrity },
            crowd,
            doctor: Script::of(based(DOCTOR)),
            time: Script::of(based(TIME)),
            time_path: based(TIME_PATH),
            beside,
            addition_path: based(ADDITION_PATH),
            beside_path: based(BESIDE_PATH),
        }
    }

    /// The tag of the script in the head of a page that is made for its visitor. It is the same in each, but for the nonce.
    pub(crate) fn beside_tag(&self, nonce: Option<&str>) -> String {
        let nonce = nonce.map(|nonce| format!(" nonce=\"{nonce}\"")).unwrap_or_default();
        let Self { addition, addition_path, beside, beside_path, .. } = self;
        format!(
            "<script async src=\"{beside_path}?v={}\" data-addition=\"{addition_path}?v={}\"{nonce}></script>",
            beside.version, addition.version
        )
    }

    /// The tag of the script that tells when a page was there.
    pub(crate) fn time_tag(&self) -> String {
        format!("<script async src=\"{}?v={}\"></script>", self.time_path, self.time.version)
    }

    /// What the entity tags of such pages end in: it names the scripts that their tag names.
    pub(crate) fn tag_suffix(&self) -> &str {
        &self.tag_suffix
    }

    /// What the entity tags end in of scripts that ours is in front of.
    pub(crate) fn worker_tag_suffix(&self) -> &str {
        &self.worker_tag_suffix
    }

    /// What a visitor is told of the script with which it is one of a crowd.
    pub(crate) fn crowd_tag(&self) -> CrowdScript {
        self.crowd_tag.clone()
    }

    /// Where the script is that goes in front of the site's own service worker, from the root on.
    pub(crate) fn inside_path(&self) -> &str {
        &self.inside_path
    }

    /// The markup at the end of every viral document, and the script it asks for.
    pub(crate) fn addition(&self) -> Addition {
        let path = self.addition_path.trim_start_matches('/').to_owned();
        Addition {
            markup: format!("<script async src=\"{}?v={}\"></script>", self.addition_path, self.addition.version),
            script: EmbeddedFile { path, body: self.addition.body(None) },
        }
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
    fn below_a_base_every_address_of_ours_is_below_it() {
        let base: Base = "/some/app/".parse().unwrap();
        let scripts = Scripts::of(&base);
        let (addition, worker) = (scripts.addition.body(None), scripts.worker.body(None));
        let texts = [scripts.thin_ending.plain(), &addition, &worker].map(|text| std::str::from_utf8(text).unwrap());
        for (text, original) in texts.into_iter().zip([LOADER, ADDITION, WORKER]) {
            let ours = original.matches(".viral/").count();
            assert!(
                ours > 0 && text.matches("/some/app/.viral/").count() == ours,
                "one is spelled so that no base can be put in front of it"
            );
            assert!(!original.contains(".viral\\/") && !original.contains("scope:\"/\"") && !original.contains("Path=/;"));
        }
        let Addition { markup, script } = scripts.addition();
        assert!(markup.starts_with("<script async src=\"/some/app/.viral/addition.js?v=") && script.path == "some/app/.viral/addition.js");
        assert_ne!(scripts.loader_hash, Scripts::of(&Base::default()).loader_hash);
    }

    #[test]
    fn the_addition_is_addressed_by_its_content() {
        let Addition { markup, script } = Scripts::of(&Base::default()).addition();
        // A page finds the script in its HTTP cache by the digest in the manifest.
        let version = &viral_wire::Digest::of(&script.body).to_string()[..16];
        assert_eq!(markup, format!("<script async src=\"/.viral/addition.js?v={version}\"></script>"));
    }
}
