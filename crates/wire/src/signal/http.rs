//! JSON over HTTP: the bodies of posts and the boot block of a thin answer.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Answer, Counts, FaultReport, Offer};
use crate::digest::{Digest, Ticket};

/// Body of `POST /.viral/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct AnswerPost {
    /// The visit the offers were handed to.
    pub ticket: Ticket,
    /// 1..=[`ANSWERS_MAX`](crate::limits::ANSWERS_MAX).
    pub answers: Vec<Answer>,
}

/// Body of `POST /.viral/visit`: the beacon of a leecher that never had a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct VisitPost {
    /// The visit.
    pub ticket: Ticket,
    /// What it took from whom.
    pub counts: Counts,
    /// Who misbehaved, at most [`SOURCES_MAX`](crate::limits::SOURCES_MAX).
    pub faults: Vec<FaultReport>,
}

/// Body of `POST /.viral/record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct RecordPost {
    /// 1..=[`RECORD_PATHS_MAX`](crate::limits::RECORD_PATHS_MAX) asset paths.
    pub paths: Vec<String>,
}

/// Body of `POST /.viral/time`: when the app of the page that posts it was there, in milliseconds since somebody wished to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimePost(pub u32);

/// Body of `POST /.viral/personal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalPost {
    /// The manifest of which the browser held everything when it left the last such page; it wants nobody while that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Digest>,
}

/// Body of `POST /.viral/doctor`: what stands in the way in the browser that opened the doctor's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct DoctorPost {
    /// Nothing can be taken or given because of these; with `limited` at most [`DOCTOR_CHECKS_MAX`](crate::limits::DOCTOR_CHECKS_MAX).
    pub bad: Vec<DoctorCheck>,
    /// It works in part because of these.
    pub limited: Vec<DoctorCheck>,
}

/// What the doctor looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum DoctorCheck {
    /// The page came over a secure connection.
    SecureContext,
    /// The browser has WebRTC.
    Webrtc,
    /// It has service workers.
    ServiceWorker,
    /// It unpacks pieces.
    Inflate,
    /// The site may keep files.
    Storage,
    /// It offers an address.
    Candidates,
    /// The server told it how the world sees it.
    Stun,
    /// Its router keeps one port.
    Nat,
    /// The socket to the tracker opens.
    Websocket,
    /// It may connect into the local network.
    Permission,
    /// A transfer inside the page arrives.
    Transfer,
    /// The site's own worker has ours in it.
    OwnServiceWorker,
    /// The server answers.
    Server,
    /// The server sees an address.
    Address,
    /// How the page would be answered.
    Answer,
}

impl DoctorCheck {
    /// Its name, the same as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecureContext => "secure-context",
            Self::Webrtc => "webrtc",
            Self::ServiceWorker => "service-worker",
            Self::Inflate => "inflate",
            Self::Storage => "storage",
            Self::Candidates => "candidates",
            Self::Stun => "stun",
            Self::Nat => "nat",
            Self::Websocket => "websocket",
            Self::Permission => "permission",
            Self::Transfer => "transfer",
            Self::OwnServiceWorker => "own-service-worker",
            Self::Server => "server",
            Self::Address => "address",
            Self::Answer => "answer",
        }
    }
}

/// How the loader puts the page in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Deploy {
    /// `document.write`.
    Write,
    /// A reload that the service worker answers.
    Reload,
}

/// The script with which a browser is one of a crowd: its address and its digest, as in a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CrowdScript {
    /// From the root on, with its version.
    pub src: String,
    /// `sha256-…`, in Base64.
    pub integrity: String,
}

/// What the thin answer tells the loader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ThinBoot {
    /// [`BOOT_VERSION`](crate::limits::BOOT_VERSION).
    pub version: u8,
    /// Path of the page.
    pub page: String,
    /// Its manifest.
    pub manifest: Digest,
    /// Raw bytes of the manifest's assets.
    #[ts(type = "number")]
    pub bytes: u64,
    /// How many of the manifest's assets, counted from the first, the page waits for: document, addition and the critical ring. The others are
    /// expected to be used.
    pub critical: u32,
    /// Stands for this visit.
    pub ticket: Ticket,
    /// At most [`OFFERS_PER_LEECHER_MAX`](crate::limits::OFFERS_PER_LEECHER_MAX).
    pub offers: Vec<Offer>,
    /// How to put the page in place.
    pub deploy: Deploy,
    /// Others fetch the same now and share the work: whoever can asks the tracker for its part before it asks the origin. Left out where false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(as = "Option<bool>", optional)]
    pub crowd: bool,
    /// Of a crowd: nobody else fetches it yet. The visitor begins with the first [`LEASE_FIRST_PIECES`](crate::limits::LEASE_FIRST_PIECES) distinct pieces, as if the tracker had granted
    /// them. Left out where false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(as = "Option<bool>", optional)]
    pub first: bool,
    /// Of a crowd: the script that a browser needs to take part. Left out where there is no crowd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub script: Option<CrowdScript>,
    /// UDP ports of this host at which it says how it sees who asks (STUN), at most [`STUN_PORTS_MAX`](crate::limits::STUN_PORTS_MAX). Left out where no offer needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<u16>>", optional)]
    pub stun: Vec<u16>,
}
