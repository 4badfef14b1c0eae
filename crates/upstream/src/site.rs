//! What was learned of the other server, as a site.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError, Weak};
use std::time::Duration;

use http::request::Parts;
use http::{Method, header};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use viral_server::ClientCertificate;
use viral_site::{Claim, OpenSite, Opening, Resolved, Site, SiteError, SiteOptions, Version, VersionMaker};
use viral_swarm::admission::is_by_scripts;

use crate::entry::{Entry, Freshness};
use crate::fresh::Compared;
use crate::learn::{look, sweep};
use crate::limits::{FRESHEN_WAIT, PUBLISH_AFTER, PUBLISH_SHARE, VERSION_KEPT_FOR, VERSIONS_KEPT};
use crate::memory::{Origin, Wanted, Way};
use crate::upstream::Upstream;

/// Opens the site of another server; see [`Upstream::source`].
#[derive(Debug)]
pub struct UpstreamSource(Upstream);

impl UpstreamSource {
    pub(crate) fn new(upstream: Upstream) -> Self {
        Self(upstream)
    }
}

impl OpenSite for UpstreamSource {
    fn open(self: Box<Self>, options: SiteOptions) -> Opening {
        Box::pin(async move {
            let options = SiteOptions { exact_paths: true, spa: false, personal_pages: true, ..options };
            let opened = tokio::task::spawn_blocking(move || VersionMaker::new(options)).await;
            let maker = opened.map_err(|_| SiteError::Interrupted)??;
            Ok(UpstreamSite::begin(self.0, maker) as Arc<dyn Site>)
        })
    }
}

/// What was learned of another server. Versions grow while visitors come; what changed is replaced.
#[derive(Debug)]
pub struct UpstreamSite {
    upstream: Upstream,
    versions: SyncMutex<Kept>,
    number: watch::Sender<u64>,
    /// Ends with the site.
    _tasks: SyncMutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Kept {
    versions: Arc<Vec<Arc<Version>>>,
    /// When each of them was made, newest first.
    made: VecDeque<Instant>,
}

impl UpstreamSite {
    /// Needs a tokio runtime.
    fn begin(upstream: Upstream, mut maker: VersionMaker) -> Arc<Self> {
        let empty = Arc::new(maker.version_of([]));
        let kept = Kept { versions: Arc::new(vec![Arc::clone(&empty)]), made: VecDeque::from([Instant::now()]) };
        let maker = Arc::new(Mutex::new(maker));
        // Whoever comes first comes to the front page, as a rule.
        if upstream.has_one_name() {
            upstream.memory().want(Instant::now(), Wanted { path: "/".to_owned(), way: None, origin: Origin::default() });
        }
        Arc::new_cyclic(|site: &Weak<Self>| {
            let mut tasks = JoinSet::new();
            tasks.spawn(look(upstream.clone(), Arc::clone(&maker)));
            tasks.spawn(publish(upstream.clone(), maker, Weak::clone(site)));
            tasks.spawn(sweep(upstream.clone(), Weak::clone(site)));
            Self { upstream, versions: SyncMutex::new(kept), number: watch::Sender::new(empty.number()), _tasks: SyncMutex::new(tasks) }
        })
    }

    fn put(&self, version: Version) {
        let current = self.current();
        let is_same = current.assets().count() == version.assets().count()
            && current.assets().zip(version.assets()).all(|(one, other)| Arc::ptr_eq(one, other));
        if is_same {
            return;
        }
        let version = Arc::new(version);
        let number = version.number();
        tracing::debug!(version = number, assets = version.assets().count(), bytes = version.bytes(), "what may travel changed");
        let now = Instant::now();
        let mut kept = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        kept.made.push_front(now);
        let young = kept.made.iter().take(VERSIONS_KEPT).filter(|made| now.duration_since(**made) < VERSION_KEPT_FOR).count();
        kept.made.truncate(young);
        kept.versions = Arc::new(std::iter::once(version).chain(kept.versions.iter().cloned()).take(young).collect());
        drop(kept);
        self.number.send_replace(number);
    }

    /// Whether the newest version has just this under a path.
    fn leads_to(&self, path: &str, entry: &Entry) -> bool {
        matches!(self.current().resolve(path), Resolved::Asset(asset) if asset.digest() == entry.asset.digest())
    }

    /// Whether what is kept of a path may be given now; asks the other server where that is not known.
    async fn is_current(&self, path: &str, entry: Arc<Entry>) -> bool {
        let is_current = match timeout(FRESHEN_WAIT, self.upstream.compare_once(path.to_owned(), Arc::clone(&entry))).await {
            Ok(Compared::Same) => true,
            Ok(Compared::Changed) => false,
            // What a cache gives while its server is away (RFC 9111 section 4.2.4).
            Ok(Compared::Unreachable) | Err(_) => !entry.life.must_revalidate,
        };
        // It may have been replaced meanwhile.
        is_current && self.leads_to(path, &entry)
    }
}

impl Site for UpstreamSite {
    fn versions(&self) -> Arc<Vec<Arc<Version>>> {
        Arc::clone(&self.versions.lock().unwrap_or_else(PoisonError::into_inner).versions)
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }

    fn reread(&self) {
        self.upstream.memory().clear();
    }

    /// Versions grow with each answer that was learned, which is no deploy: nobody is held to an older one.
    fn version_tagged(&self, _tag: &str) -> Option<Arc<Version>> {
        None
    }

    fn note_visit(&self) {
        self.upstream.memory().note_visit(Instant::now());
    }

    fn age(&self, path: &str) -> Option<Duration> {
        self.upstream.memory().age(Instant::now(), path)
    }

    fn claim<'s>(&'s self, request: &'s Parts) -> Claim<'s> {
        let path = request.uri.path();
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        // What names an origin may be answered differently, and credentials are for the other server.
        let names_more = [header::AUTHORIZATION, header::ORIGIN].iter().any(|name| request.headers.contains_key(name));
        let has_certificate = request.extensions.get::<ClientCertificate>().is_some();
        if !is_read || names_more || has_certificate {
            return Claim::No;
        }
        let query = request.uri.query().filter(|query| !is_own_query(query));
        let host = self.upstream.host_for(request.headers.get(header::HOST));
        let ways = [host.map(|host| Way::Host(host.as_bytes().to_owned())), query.map(|query| Way::Query(query.to_owned()))];
        let ways: Vec<Way> = ways.into_iter().flatten().collect();
        let now = Instant::now();
        let Some((entry, freshness)) = self.upstream.memory().find(now, path, &ways) else { return Claim::No };
        let asks_for_part = || request.headers.iter().any(|(name, value)| is_by_scripts(name.as_str(), value.as_bytes()));
        // What was learned anew is not in a version yet.
        if (entry.asset.is_page() && asks_for_part()) || !self.leads_to(path, &entry) {
            return Claim::No;
        }
        if entry.asset.is_page() {
            self.upstream.memory().note_visit(now);
        }
        match freshness {
            Freshness::Fresh => Claim::Yes,
            Freshness::Soon => {
                let (upstream, path) = (self.upstream.clone(), path.to_owned());
                if !upstream.comparing().contains_key(&path) {
                    tokio::spawn(async move { upstream.compare_once(path, entry).await });
                }
                Claim::Yes
            }
            Freshness::Stale => Claim::Ask(Box::pin(self.is_current(path, entry))),
        }
    }
}

/// Whether the query is only what our own scripts put there.
fn is_own_query(query: &str) -> bool {
    query.split('&').all(|pair| pair.starts_with("viral="))
}

/// Makes versions of what may travel, as long as the site is there.
async fn publish(upstream: Upstream, maker: Arc<Mutex<VersionMaker>>, site: Weak<UpstreamSite>) {
    let mut pause = PUBLISH_AFTER;
    loop {
        upstream.memory().changed.notified().await;
        sleep(pause).await;
        let began = Instant::now();
        // A page and its parts are compared together before any of them is given.
        drop(upstream.settling().lock().await);
        let assets = upstream.memory().assets();
        let mut maker = Arc::clone(&maker).lock_owned().await;
        let Ok(version) = tokio::task::spawn_blocking(move || maker.version_of(assets)).await else { return };
        match site.upgrade() {
            Some(site) => site.put(version),
            None => return,
        }
        pause = PUBLISH_AFTER.max(began.elapsed() * PUBLISH_SHARE);
    }
}
