//! What a program can make of an error: a code that stays the same, whose fault it is, and whether trying again may help.

use std::io;

use http::StatusCode;
use serde::Serialize;

use crate::{GetError, OriginError, OutputError, ParseError, PeerError, PrivateDirError, SeedError};

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// This program's, or that of the machine it runs on.
    Ours,
    /// The server's, or that of whoever made the app.
    Server,
    /// Peers', and the server did not stand in.
    Peers,
    /// What was asked for, or the directory that was named.
    User,
}

/// What a program can make of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Kebab-case, and the same in every version.
    pub code: &'static str,
    /// Whose fault it is.
    pub fault: Side,
    /// Whether the same again may come to something else, with nothing changed.
    pub retry: bool,
}

macro_rules! verdicts {
    ($($name:ident: $code:literal $fault:ident $retry:literal)*) => {
        impl Verdict {
            $(const $name: Self = Self { code: $code, fault: Side::$fault, retry: $retry };)*

            /// Every verdict there is; `docs/guide/native-peers.md` has them as a table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

verdicts! {
    APP_DOES_NOT_TRAVEL: "app-does-not-travel" Server false
    ASSET_COLLIDES: "asset-collides" Server false
    ASSET_CONTRADICTS: "asset-contradicts" Server false
    ASSET_NAME: "asset-name" Server false
    ASSETS_UNLISTED: "assets-unlisted" Server false
    BIND: "bind" User false
    CERTIFICATES: "certificates" Ours false
    CRYPTO: "crypto" Ours false
    DIRECTORY_BUSY: "directory-busy" User true
    DIRECTORY_NOT_OWN: "directory-not-own" User false
    DIRECTORY_UNWRITABLE: "directory-unwritable" User false
    FILE_EXISTS: "file-exists" User false
    FILE_IS_LINK: "file-is-link" User false
    INTERNAL: "internal" Ours false
    INTERRUPTED: "interrupted" User true
    MANIFEST: "manifest" Server false
    NOT_FOUND: "not-found" User false
    NOT_VIRAL: "not-viral" User false
    OUT_OF_ROOM: "out-of-room" User false
    PAGE_COUNT: "page-count" User false
    PROTOCOL: "protocol" Server false
    RATE: "rate" User false
    REDIRECT: "redirect" User false
    REDIRECT_WITHOUT_TLS: "redirect-without-tls" Server false
    SERVER_ERROR: "server-error" Server true
    SERVER_REFUSES: "server-refuses" Server false
    SERVER_UNREACHABLE: "server-unreachable" Server true
    SOCKET: "socket" Ours true
    STALLED: "stalled" Peers true
    STALLED_SERVER: "stalled-server" Server true
    STORE: "store" User false
    UPLOADS_NOTHING: "uploads-nothing" User false
    URL: "url" User false
}

impl Verdict {
    /// Of what is no error of the peer: nobody outside can help.
    pub const fn internal() -> Self {
        Self::INTERNAL
    }

    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::NOT_FOUND,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Self::SERVER_ERROR,
            status if status.is_server_error() => Self::SERVER_ERROR,
            _ => Self::SERVER_REFUSES,
        }
    }

    fn of_io(error: &io::Error) -> Self {
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if is_full { Self::OUT_OF_ROOM } else { Self::DIRECTORY_UNWRITABLE }
    }
}

impl GetError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Origin(error) => error.verdict(),
            Self::Peer(error) => error.verdict(),
            Self::Output(error) => error.verdict(),
            Self::NotViral { .. } => Verdict::NOT_VIRAL,
            Self::Nothing { status, .. } => Verdict::of_status(*status),
            Self::DoesNotTravel(_) => Verdict::APP_DOES_NOT_TRAVEL,
            Self::Stopped { .. } => Verdict::INTERRUPTED,
            Self::Stalled { server_fault: true, .. } => Verdict::STALLED_SERVER,
            Self::Stalled { server_fault: false, .. } => Verdict::STALLED,
        }
    }
}

impl SeedError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Urls(_) => Verdict::PAGE_COUNT,
            Self::UploadsNothing => Verdict::UPLOADS_NOTHING,
            Self::Store { cause, .. } => cause.verdict(),
            Self::Page { cause, .. } => cause.verdict(),
        }
    }
}

impl OriginError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Url(_) => Verdict::URL,
            Self::Certificates(_) => Verdict::CERTIFICATES,
            Self::Silent { .. } => Verdict::SERVER_UNREACHABLE,
            Self::OtherOrigin { .. } => Verdict::REDIRECT,
            Self::Downgrade { .. } => Verdict::REDIRECT_WITHOUT_TLS,
            Self::Unlisted { .. } => Verdict::ASSETS_UNLISTED,
            Self::Status { status, .. } => Verdict::of_status(*status),
            Self::Malformed { .. } => Verdict::PROTOCOL,
        }
    }
}

impl PeerError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Socket { bind: Some(_), .. } => Verdict::BIND,
            Self::Socket { bind: None, .. } => Verdict::SOCKET,
            Self::Crypto(_) => Verdict::CRYPTO,
            Self::Store(_) => Verdict::STORE,
            Self::Manifest(_) => Verdict::MANIFEST,
        }
    }
}

impl OutputError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Io { cause, .. } | Self::Partial { cause, .. } => Verdict::of_io(cause),
            Self::Private { cause, .. } => cause.verdict(),
            Self::Unsafe { .. } => Verdict::ASSET_NAME,
            Self::Exists(_) => Verdict::FILE_EXISTS,
            Self::Link(_) => Verdict::FILE_IS_LINK,
            Self::Collision(_) => Verdict::ASSET_COLLIDES,
            Self::Digest { .. } => Verdict::ASSET_CONTRADICTS,
        }
    }
}

impl PrivateDirError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Io(cause) => Verdict::of_io(cause),
            Self::Busy => Verdict::DIRECTORY_BUSY,
            Self::Link | Self::Foreign | Self::Open | Self::NoLocks(_) => Verdict::DIRECTORY_NOT_OWN,
        }
    }
}

impl ParseError {
    /// What a program can make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unit(_) => Verdict::RATE,
        }
    }
}
