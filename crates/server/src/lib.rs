//! The HTTP shell around the pure cores: answers, assets, signalling, endpoints and statistics.
//!
//! [`Viral`] is the whole of it: a site whose visitors hand it on to each other, as a server or as a service inside another one.
//!
//! | feature | on by default | without it |
//! |---|---|---|
//! | `brotli` | yes | The coding `br` is neither made nor offered. A file `x.js.br` is served as it is, under its own name only. |
//! | `zstd` | yes | The same of the coding `zstd` and of files `x.js.zst`. |
//! | `watch` | yes | A directory is read once, and again after [`Viral::reload`]. |
//! | `geo` | no | There are no networks and countries of visitors ([`geo`](config::Config::geo)). |
//! | `cluster` | no | A server with [`cluster`](config::Config::cluster) does not start. |
//! | `cli` | no | [`Config`](config::Config) has no flags, environment variables and `viral.toml`. |
//!
//! `gzip` is always there.

pub mod config;

mod access;
mod admin;
mod app;
mod client;
mod client_certificate;
#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "without the feature nobody joins a cluster"))]
mod cluster;
mod cluster_stats;
mod coding;
mod connection;
mod connection_limit;
mod counting;
mod deflated_cache;
mod early;
mod endpoints;
mod error;
mod followed;
mod frames;
mod headers;
mod host_table;
#[cfg(feature = "tls")]
mod http2;
mod hub;
mod joins;
mod kept_file;
mod layer;
mod limits;
mod listen;
mod listener;
mod locality;
mod meter;
mod metered_stream;
mod metrics;
mod observed;
mod pages;
mod pipeline;
mod protocol;
mod redirect;
mod referer;
mod replies;
mod request_head;
mod routes;
mod scripts;
#[cfg(feature = "tls")]
mod shares;
mod shutdown;
mod sites;
mod socket;
mod state;
mod stats;
mod stun;
#[cfg(test)]
mod testing;
#[cfg(feature = "tls")]
pub mod tls;
mod traces;
mod unasked;
mod viral;
mod visits;
mod watch;
mod web_socket;
mod webtorrent;
mod worth;

pub use client::Visitor;
pub use client_certificate::ClientCertificate;
pub use error::OpenError;
pub use layer::{ViralLayer, ViralService};
pub use listener::Listener;
#[cfg(unix)]
pub use listener::SharedSocket;
pub use sites::{HostedSite, Sites};
pub use stun::{StunAnnounced, StunServer};
pub use viral::Viral;
pub use viral_site::{EmbeddedFile, OpenSite, Site, SiteError, Source};
pub use viral_swarm::request::cookies::OWN_COOKIES;
