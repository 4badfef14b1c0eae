//! `viral seed`: an always-on seeder that mirrors the page sets of pages and follows their new versions.

mod disk;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;
use viral_swarm::client::backoff_ms;

use crate::get::GetError;
use crate::limits::{SEEDED_URLS_MAX, SEEDER_SLOTS};
use crate::origin::{Origin, OriginError, VisitAnswer};
use crate::peer::{Peer, PeerConfig, PeerError};
use crate::private::PrivateDirError;
use crate::rate::{Rate, Size};
use crate::store::{Place, Store};
use crate::throttle::Throttle;
pub(crate) use disk::Disk;

/// How often a seeder looks whether it should end, and says how it does.
const WATCH: Duration = Duration::from_secs(1);

/// How often a seeder reports how it does, where nothing changes.
const REPORT: Duration = Duration::from_secs(300);

/// What to mirror and how.
#[derive(Debug, Clone)]
pub struct SeedOptions {
    /// Pages, at most 64.
    pub urls: Vec<Url>,
    /// Whether to mirror all assets that the servers list, and not only what the pages load at first.
    pub all: bool,
    /// Whether redirects to another origin are followed.
    pub other_origin: bool,
    /// Where pieces are kept.
    pub store: PathBuf,
    /// How much of the disk they may take.
    pub disk_limit: Option<Size>,
    /// Address that all sockets leave from.
    pub bind: Option<IpAddr>,
    /// Upload limit, shared evenly by the pages.
    pub up_limit: Option<Rate>,
    /// Download limit, of all pages together.
    pub down_limit: Option<Rate>,
}

/// Why there is nothing to seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// No or too many pages.
    #[error("name 1 to {max} pages to seed, not {0}", max = SEEDED_URLS_MAX)]
    Urls(usize),
    /// A seeder that uploads nothing.
    #[error("--up-limit 0 uploads nothing, so there is nothing to seed; leave it away for no limit")]
    UploadsNothing,
    /// The store is of no use.
    #[error("cannot keep pieces in {}: {cause}; choose another directory with --store DIR", .dir.display())]
    Store {
        /// Where.
        dir: PathBuf,
        /// What the system says.
        #[source]
        cause: PrivateDirError,
    },
    /// A page cannot be seeded, now or later.
    #[error("{url}: {cause}")]
    Page {
        /// Which.
        url: Url,
        /// Why.
        #[source]
        cause: Box<GetError>,
    },
}

/// Seeds until `stop` turns true. Servers that are gone are waited for.
///
/// # Errors
/// Only what no waiting helps: see [`SeedError`].
pub async fn seed(options: SeedOptions, stop: watch::Receiver<bool>) -> Result<(), SeedError> {
    if options.urls.is_empty() || options.urls.len() > SEEDED_URLS_MAX {
        return Err(SeedError::Urls(options.urls.len()));
    }
    if options.up_limit == Some(Rate(0)) {
        return Err(SeedError::UploadsNothing);
    }
    let disk = Disk::open(&options.store, options.disk_limit).map_err(|cause| SeedError::Store { dir: options.store.clone(), cause })?;
    let disk = Arc::new(disk);
    let throttle = Throttle::new(options.down_limit);
    let up = options.up_limit.map(|rate| Rate((rate.0 / options.urls.len() as u64).max(1)));
    let mut pages = JoinSet::new();
    for url in &options.urls {
        let page = Page {
            url: url.clone(),
            all: options.all,
            other_origin: options.other_origin,
            bind: options.bind,
            up,
            down: options.down_limit,
            throttle: throttle.clone(),
            disk: Arc::clone(&disk),
        };
        pages.spawn(page.seed(stop.clone()));
    }
    while let Some(ended) = pages.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            // A page's task does not panic; if it did, the others seed on.
            Err(error) => tracing::error!(%error, "a page is no longer seeded"),
        }
    }
    Ok(())
}

/// One page that is mirrored.
struct Page {
    url: Url,
    all: bool,
    other_origin: bool,
    bind: Option<IpAddr>,
    up: Option<Rate>,
    down: Option<Rate>,
    throttle: Throttle,
    disk: Arc<Disk>,
}

impl Page {
    async fn seed(self, mut stop: watch::Receiver<bool>) -> Result<(), SeedError> {
        let config = tokio::select! {
            config = self.visit() => config?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let mut peer = Peer::start(config).await.map_err(|error| self.hopeless(error.into()))?;
        let ended = self.drive(&mut peer, &mut stop).await;
        peer.stop().await;
        ended
    }

    /// Visits the page until the server answers.
    async fn visit(&self) -> Result<PeerConfig, SeedError> {
        let mut attempt = 0;
        loop {
            let mut origin = Origin::new(&self.url, self.bind, self.throttle.clone()).map_err(|error| self.hopeless(error.into()))?;
            match origin.visit(&self.url, self.other_origin).await {
                Ok(visit) => return self.config(origin, visit),
                Err(
                    error @ (OriginError::Url(_)
                    | OriginError::Certificates(_)
                    | OriginError::OtherOrigin { .. }
                    | OriginError::Downgrade { .. }),
                ) => return Err(self.hopeless(error.into())),
                Err(error) => tracing::warn!(url = %self.url, %error, "cannot be reached; trying again"),
            }
            sleep(Duration::from_millis(backoff_ms(attempt, rand::random()))).await;
            attempt += 1;
        }
    }

    fn config(&self, origin: Origin, visit: VisitAnswer) -> Result<PeerConfig, SeedError> {
        let host = origin.host();
        let (page, ticket, manifest, (offers, stun), document) = match visit {
            VisitAnswer::Thin(boot) => (boot.page, Some(boot.ticket), Some(boot.manifest), (boot.offers, boot.stun), None),
            VisitAnswer::Full { page, body, .. } => (page, None, None, (Vec::new(), Vec::new()), Some(body)),
            VisitAnswer::Plain { reason, .. } => return Err(self.hopeless(GetError::DoesNotTravel(reason))),
            VisitAnswer::Other { path, status } if status.is_success() => {
                let said = format!("{path} came without a viral-answer header, so it is no page of a viral server");
                return Err(self.hopeless(GetError::NotViral { host, said }));
            }
            VisitAnswer::Other { path, status } => return Err(self.hopeless(GetError::Nothing { host, status, path })),
        };
        let dir = self.disk.dir().to_owned();
        let store = Store::open(Place::Directory(dir.clone())).map_err(|cause| SeedError::Store { dir, cause: cause.into() })?;
        Ok(PeerConfig {
            origin,
            page,
            ticket,
            offers,
            stun,
            manifest,
            takes_page: true,
            mirrors: self.all,
            follows: true,
            meets: true,
            in_crowd: false,
            slots: SEEDER_SLOTS,
            up: self.up,
            down: self.down,
            throttle: self.throttle.clone(),
            bind: self.bind,
            store,
            document,
            disk: Some(Arc::clone(&self.disk)),
        })
    }

    async fn drive(&self, peer: &mut Peer, stop: &mut watch::Receiver<bool>) -> Result<(), SeedError> {
        let mut said = (None, false, Instant::now());
        loop {
            let look = sleep(WATCH);
            tokio::pin!(look);
            loop {
                tokio::select! {
                    () = peer.turn() => {}
                    () = &mut look => break,
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                }
            }
            self.say(peer, &mut said);
            if let Some(error) = peer.faults.failure.take() {
                match error {
                    // A full disk: what is there is seeded on.
                    PeerError::Store(cause) => tracing::warn!(url = %self.url, %cause, "pieces cannot be stored; seeding what is here"),
                    error @ (PeerError::Socket { .. } | PeerError::Crypto(_) | PeerError::Manifest(_)) => {
                        return Err(self.hopeless(error.into()));
                    }
                }
            }
            if let Some(reason) = peer.faults.refused.take() {
                return Err(self.hopeless(GetError::DoesNotTravel(reason)));
            }
        }
    }

    /// One line when a version is whole, and one every few minutes.
    fn say(&self, peer: &Peer, said: &mut (Option<viral_wire::Digest>, bool, Instant)) {
        let (manifest, held, bytes, whole) = match peer.current() {
            Some(known) => {
                let (pieces, held) = peer.store.count(&known.pieces);
                let bytes: u64 = known.pieces.iter().map(|piece| u64::from(piece.len)).sum();
                (Some(known.digest), held, bytes, pieces as usize == known.pieces.len())
            }
            None => (None, 0, 0, false),
        };
        let totals = peer.totals();
        if (manifest, whole) == (said.0, said.1) && said.2.elapsed() < REPORT {
            return;
        }
        let others =
            peer.mirror.as_ref().map_or(0, |mirror| mirror.records().iter().filter(|record| peer.store.is_whole(&record.digest)).count());
        *said = (manifest, whole, Instant::now());
        let manifest = manifest.map(|manifest| manifest.to_string()).unwrap_or_default();
        tracing::info!(
            url = %self.url,
            manifest,
            whole,
            held,
            bytes,
            others,
            bytes_to_peers = totals.bytes_to_peers,
            bytes_from_peers = totals.bytes_from_peers,
            bytes_from_origin = totals.bytes_from_origin,
            peers = peer.peers(),
            "seeding"
        );
    }

    fn hopeless(&self, cause: GetError) -> SeedError {
        SeedError::Page { url: self.url.clone(), cause: Box::new(cause) }
    }
}
