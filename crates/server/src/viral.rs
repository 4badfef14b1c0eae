//! The server as a value: one site, as a service for any axum or tower program.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode, Uri};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Layer as _, ServiceExt as _};
use viral_swarm::admission::Policy;
use viral_swarm::pageset::{PageSetConfig, PageState};
use viral_swarm::tracker::TrackerConfig;
use viral_wire::OWN_PATHS;
use viral_wire::limits::MANIFEST_ASSETS_MAX;

use crate::access::AccessLog;
use crate::app::App;
use crate::client::{noted_socket, primary_address, trusted_proxies};
use crate::cluster::{self, RollingSite};
use crate::config::{Base, Config, Macos};
use crate::connection_limit::ConnectionLimit;
use crate::counting::counted;
use crate::deflated_cache::DeflatedCache;
use crate::early::Meanwhile;
use crate::error::OpenError;
use crate::headers::VIRAL_BASE;
use crate::hub::{self, Hub};
use crate::joins::Joins;
use crate::layer::ViralLayer;
use crate::limits::{ADMIN_CONNECTIONS_MAX, DEFLATED_LEN_MAX, LET_GO_OVER};
use crate::listen::{Service, connections_max, descriptors, sessions_max};
use crate::listener::Listener;
use crate::locality::Whereabouts;
use crate::meter::Meter;
use crate::metrics::SiteNumbers;
use crate::pages::page_path;
use viral_swarm::request::is_native_peer;

use crate::admin::Guard;
use crate::redirect::Instead;
use crate::replies::refusal;
use crate::routes::{Hosts, Routes};
use crate::scripts::Scripts;
use crate::shutdown::{Shutdown, TaskTracker, Tasks};
use crate::state::StateFile;
use crate::stats::{Cause, Snapshot, Stats};
use crate::stun::{StunAnnounced, StunNumbers};
#[cfg(feature = "tls")]
use crate::tls::Challenges;
use crate::unasked::Unasked;
use crate::watch::Watch;
use crate::webtorrent::WebTorrent;
use crate::worth::WorthLog;
use crate::{admin, endpoints, listen, metrics, pipeline, redirect, state, webtorrent};
use viral_site::{OpenSite, Resolved, Site, SiteOptions};

/// A site that visitors hand on to each other.
///
/// Use it as a whole server with [`Viral::serve`], or put it under the routes of an axum program:
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use viral_server::{Source, Viral, config::Config};
///
/// let viral = Viral::open(Source::Directory("dist".into()), &Config::default()).await?;
/// let app = Router::new().route("/api/time", get(|| async { "now" })).fallback_service(viral.service());
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// // Visitors' addresses decide who is near whom.
/// axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Viral {
    pub(crate) app: Arc<App>,
    /// Ends with the last clone.
    tasks: Arc<Tasks>,
}

impl Viral {
    /// Opens a site: a [`Source`](crate::Source), or one of your own. Returns once its first version can be served.
    ///
    /// # Errors
    /// When the source cannot be read or a setting does not fit it; see [`OpenError`].
    pub async fn open(source: impl OpenSite + 'static, config: &Config) -> Result<Self, OpenError> {
        let access = AccessLog::open(config, source.folder())?;
        Self::open_with(source, config, access).await
    }

    async fn open_with(source: impl OpenSite + 'static, config: &Config, access: Option<AccessLog>) -> Result<Self, OpenError> {
        metrics::note_start();
        let dir = source.folder().map(Path::to_owned);
        if dir.is_none() && config.state_dir.is_some() && config.acme.is_empty() {
            tracing::warn!("this site is no folder, so what is learned of its pages is not kept in --state-dir");
        }
        let whereabouts = Whereabouts::open(config, dir.as_deref()).await?;
        let webtorrent = WebTorrent::open(config, dir.as_deref())?;
        let scripts = Scripts::of(&config.base);
        let site = Box::new(source).open(SiteOptions { html_addition: Some(scripts.addition()), ..site_options(config) }).await?;
        let rolling = config.cluster.as_ref().map(|_| Arc::new(RollingSite::new(Arc::clone(&site))));
        let site = rolling.clone().map_or(site, |rolling| rolling as Arc<dyn Site>);
        let (state, inherited) = inherit(config.state_dir.clone().zip(dir), site.as_ref()).await?;
        // Two places of a manifest are taken by the document and the viral addition.
        let assets_max = config.page_set_assets_max.min(MANIFEST_ASSETS_MAX - 2);
        let sets = PageSetConfig { assets_max, bytes_max: config.page_set_bytes_max, ..PageSetConfig::default() };
        let hub = Arc::new(Hub::new(Arc::clone(&site), tracker_config(config), sets, inherited, config.shared_line));
        hub.limit_origin(config.origin_rate);
        if rolling.is_some() {
            hub.join_others();
        }
        let (stats, shutdown, joins) = (Arc::<Stats>::default(), Shutdown::new(), Joins::open(config).await);
        let (cluster, meeting) = cluster::join(config, (&hub, rolling), (&stats, &joins), &shutdown).await?.unzip();
        let app = Arc::new(App {
            site,
            hub: Arc::clone(&hub),
            state: state.clone(),
            stats,
            cluster,
            access,
            deflated: DeflatedCache::new(DEFLATED_LEN_MAX),
            base: config.base.clone(),
            unasked: Unasked::new(),
            scripts,
            policy: policy(config),
            joins,
            quiet_hours: config.quiet_hours,
            worth: Arc::new(WorthLog::new()),
            watch: Watch::new(),
            guard: Guard::new(config.admin_token.as_ref()),
            whereabouts,
            is_for_neighbours_alone: config.ladder().is_for_neighbours_alone(),
            own_service_worker: config.own_service_worker,
            rewrite_local: config.rewrite_local,
            host_warned: Once::new(),
            proxy_warned: Once::new(),
            certificate_warned: Once::new(),
            unknown_warned: Once::new(),
            trust_proxy: trusted_proxies(config),
            hsts: hsts_of(config.hsts),
            stun: OnceLock::new(),
            webtorrent: webtorrent.clone(),
            connections: OnceLock::new(),
            public_lineage: config.public_lineage,
            list_assets: config.list_assets,
            started: Instant::now(),
            shutdown,
            task_tracker: TaskTracker::new(),
            own_v4: primary_address(IpAddr::from([0; 4])),
            own_v6: primary_address(IpAddr::from([0; 16])),
        });
        let mut tasks = keepers(&hub, config);
        tasks.push(tokio::spawn(admin::sample(Arc::downgrade(&app))));
        tasks.extend(meeting.map(tokio::spawn));
        if let Some(tracker) = webtorrent {
            tasks.extend([tokio::spawn(webtorrent::follow(Arc::downgrade(&tracker))), tokio::spawn(webtorrent::keep_time(tracker))]);
        }
        tasks.extend(state.map(|state| tokio::spawn(state::keep(state, hub))));
        Ok(Self { app, tasks: Arc::new(Tasks(tasks)) })
    }

    /// As [`open`](Self::open), for a program that listens already: whoever comes to `listeners` before the first version can be served is answered
    /// plainly, where the source can.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_listening(source: impl OpenSite + 'static, config: &Config, listeners: &[Listener]) -> Result<Self, OpenError> {
        let access = AccessLog::open(config, source.folder())?;
        let early = source.early(&site_options(config));
        let meanwhile = early.map(|early| Meanwhile { early, base: config.base.clone(), access: access.clone() });
        let serving = async {
            if let Some(meanwhile) = meanwhile {
                meanwhile.serve(listeners).await;
            }
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            opened = Self::open_with(source, config, access) => opened,
            never = serving => match never {},
        }
    }

    /// The site and everything under `/.viral/`, for the root of a server. Never 404s by itself except as the site does.
    ///
    /// Each request must say from where it came: as [`axum::extract::ConnectInfo`] of a [`SocketAddr`](std::net::SocketAddr) in its extensions. Without, the
    /// answer is 500 and the log says what to do.
    pub fn service(&self) -> Router {
        let router = endpoints::router()
            .fallback(pipeline::answer)
            .layer(from_fn_with_state(Arc::clone(&self.app), count))
            .layer(from_fn_with_state(Arc::clone(&self.app), only_known_clients))
            .with_state(Arc::clone(&self.app));
        let base = self.app.base.clone();
        if base.is_root() {
            return router;
        }
        Router::new().fallback_service(router.map_request(move |request| below(&base, request)))
    }

    /// The same for our own listeners.
    pub(crate) fn routes(&self) -> Routes {
        Routes { router: self.service(), site: Some(Arc::clone(&self.app)) }
    }

    /// The site in front of another service: what it has, and everything under `/.viral/`, is answered by it, all else by that service.
    ///
    /// For an app whose routes are found in the browser ([`Config::spa`]) use [`service`](Self::service) as the fallback of the other routes.
    pub fn layer(&self) -> ViralLayer {
        ViralLayer::new(self.service(), Arc::clone(&self.app), Arc::clone(&self.tasks))
    }

    /// The operator's endpoints: the dashboard at `/`, `/stats`, `/metrics`, `/lineage`, `/healthz`. Without [`Config::admin_token`] they have no password: keep them off public
    /// addresses.
    pub fn admin(&self) -> Router {
        admin::router(self.app.guard.clone()).with_state(Arc::clone(&self.app))
    }

    /// The same for whoever was let in already.
    pub(crate) fn unguarded_admin(&self) -> Router {
        admin::router(Guard::Nobody).with_state(Arc::clone(&self.app))
    }

    /// Serves on `listeners`, and the admin endpoints on `admin`, until [`shut_down`](Self::shut_down) is called; then finishes what is in
    /// flight, for as long as it moves, and closes every WebSocket with a reason.
    pub async fn serve(&self, listeners: Vec<Listener>, admin: Vec<Listener>) {
        self.serve_routes(self.routes(), listeners, admin).await;
    }

    /// The same with another service behind the site; see [`layer`](Self::layer).
    pub async fn serve_in_front_of<S>(&self, service: S, listeners: Vec<Listener>, admin: Vec<Listener>)
    where
        S: tower::Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.serve_routes(self.routes_in_front_of(service), listeners, admin).await;
    }

    /// As [`Self::routes`], with another service behind the site.
    pub(crate) fn routes_in_front_of<S>(&self, service: S) -> Routes
    where
        S: tower::Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Routes { router: Router::new().fallback_service(self.layer().layer(service)), site: None }
    }

    /// What counts the site's bytes.
    pub(crate) fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.app.stats)
    }

    /// The numbers of this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.app.snapshot()
    }

    /// Those that cost the same whoever is there.
    pub(crate) fn numbers(&self) -> SiteNumbers {
        self.app.numbers()
    }

    /// What was asked by STUN, if that is answered.
    pub(crate) fn stun_numbers(&self) -> Option<StunNumbers> {
        self.app.stun.get().map(StunAnnounced::numbers)
    }

    /// Waits, after [`shut_down`](Self::shut_down), for the goodbyes, and writes down what was learned.
    pub(crate) async fn end(&self) {
        // Now, for nobody knows how long the end may take, and again when it is there.
        self.save().await;
        self.app.task_tracker.all().await;
        self.save().await;
    }

    async fn serve_routes(&self, routes: Routes, listeners: Vec<Listener>, admin: Vec<Listener>) {
        let (connections, operators) = (ConnectionLimit::of(connections_max(descriptors())), ConnectionLimit::of(ADMIN_CONNECTIONS_MAX));
        let _ = self.app.connections.set(connections.clone());
        let public = listeners
            .into_iter()
            .map(|listener| (listener, routes.clone(), Some(Arc::clone(&self.app.stats)), self.app.access.clone(), connections.clone()));
        let operators_routes = Routes { router: self.admin(), site: None };
        let all = public.chain(admin.into_iter().map(|listener| (listener, operators_routes.clone(), None, None, operators.clone())));
        let serving: Vec<_> = all
            .map(|(listener, routes, stats, access, connections)| {
                tokio::spawn(listen::serve(listener, self.listened(Hosts::Any(routes), stats, access), connections))
            })
            .collect();
        self.app.shutdown.begun().await;
        // Now, for nobody knows how long the end may take, and again when it is there.
        self.save().await;
        for listener in serving {
            let _ = listener.await;
        }
        self.app.task_tracker.all().await;
        self.save().await;
        if let Some(access) = &self.app.access {
            access.close().await;
        }
    }

    /// Sends visitors on to the same address over https, at this port, until [`shut_down`](Self::shut_down) is called.
    pub async fn redirect(&self, listeners: Vec<Listener>, https_port: u16) {
        self.redirect_but(listeners, https_port, None).await;
    }

    /// The same, but for what a certificate authority asks to see that a name is ours.
    #[cfg(feature = "tls")]
    pub async fn redirect_and_prove(&self, listeners: Vec<Listener>, https_port: u16, challenges: Challenges) {
        self.redirect_but(listeners, https_port, Some(Arc::new(move |path: &str| challenges.answer(path)))).await;
    }

    async fn redirect_but(&self, listeners: Vec<Listener>, https_port: u16, instead: Option<Instead>) {
        redirect::serve(listeners, https_port, instead, |hosts| self.listened(hosts, None, self.app.access.clone())).await;
    }

    fn listened(&self, hosts: Hosts, stats: Option<Arc<Stats>>, access: Option<AccessLog>) -> Service {
        Service { hosts, stats, access, hsts: self.app.hsts.clone(), shutdown: self.app.shutdown.clone() }
    }

    async fn save(&self) {
        if let Some(state) = &self.app.state {
            state.save(&self.app.hub).await;
        }
    }

    /// Reads the site's directory at once and forgets its older versions, those that visits of the last minutes began with as well.
    pub fn reload(&self) {
        self.app.site.reread();
    }

    /// Opens the access log anew, after it was moved away. Nothing else: a log is rotated in the middle of deploys, too.
    pub fn reopen_log(&self) {
        if let Some(access) = &self.app.access {
            access.reopen();
        }
    }

    /// From now on visitors are told to ask there how the world sees them; its numbers are in `/stats`. The first call counts.
    pub fn announce_stun(&self, stun: &StunAnnounced) {
        // Neighbours need not know how the world sees them.
        if !self.app.is_for_neighbours_alone && self.app.stun.set(stun.clone()).is_ok() {
            self.app.hub.set_stun(stun.ports().clone());
        }
    }

    /// Begins the end: no new connections, answers in flight are finished, WebSockets are closed with code 1001.
    pub fn shut_down(&self) {
        self.app.shutdown.begin();
    }

    /// Writes down what was learned, for a successor that reads it as it starts.
    pub async fn prepare_successor(&self) {
        self.save().await;
    }

    /// [`shut_down`](Self::shut_down) where a successor listens on the same sockets. What was learned is for the successor to write from now on, and sockets of
    /// WebTorrent clients, which stay away for minutes when they are closed, are closed one after the other.
    pub fn retire(&self) {
        if let Some(state) = &self.app.state {
            state.retire();
        }
        self.app.shutdown.retire(LET_GO_OVER);
    }
}

/// A request to a site below a base, as everything behind this knows it: the site's paths with the base, our own without, however the proxy asked.
fn below(base: &Base, mut request: Request) -> Request {
    let Some(meant) = meant(base, request.uri()) else { return request };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(meant);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// What `uri` means, where it is not what it says.
fn meant(base: &Base, uri: &Uri) -> Option<PathAndQuery> {
    let root = base.as_str().trim_end_matches('/');
    let is_own = |rest: &str| rest == "/.viral" || rest.starts_with(OWN_PATHS);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    match uri.path().strip_prefix(root) {
        Some(rest) if is_own(rest) => format!("{rest}{query}").parse().ok(),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => None,
        Some(_) | None if is_own(uri.path()) => None,
        Some(_) | None => format!("{root}{}{query}", uri.path()).parse().ok(),
    }
}

/// Who is near whom is told by addresses: without them all visitors would be one neighbour, and nobody would notice.
async fn only_known_clients(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if noted_socket(request.extensions()).is_some() {
        return next.run(request).await;
    }
    app.unknown_warned.call_once(|| {
        tracing::error!(
            "no request says from which address it came, so nothing is served; serve with \
             `into_make_service_with_connect_info::<SocketAddr>()`, or insert `axum::extract::ConnectInfo` into the extensions of each request"
        );
    });
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server does not know from which address you come; its log says what to do")
}

async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (method, otherwise) = (request.method().clone(), Cause::of_path(request.uri().path()));
    let meter = request.extensions().get::<Meter>().cloned();
    if otherwise == Cause::Signalling {
        app.unasked.note_asked();
    }
    let is_native = is_native_peer(request.headers());
    let mut response = next.run(request).await;
    if is_native && !app.base.is_root() {
        let base = HeaderValue::try_from(app.base.as_str()).expect("a base is visible ASCII");
        response.headers_mut().insert(VIRAL_BASE, base);
    }
    let cause = Cause::of_answer(&response, otherwise);
    match meter {
        Some(meter) => {
            meter.set_cause(cause);
            response
        }
        None => counted(response, &method, cause, &app.stats),
    }
}

/// Where the page sets of the site in a directory are kept, and those an earlier process left of pages that are still there.
async fn inherit(
    dirs: Option<(PathBuf, PathBuf)>,
    site: &dyn Site,
) -> Result<(Option<Arc<StateFile>>, BTreeMap<String, PageState>), OpenError> {
    let Some((state_dir, site_dir)) = dirs else { return Ok((None, BTreeMap::new())) };
    let path = state_dir.clone();
    let opened = tokio::task::spawn_blocking(move || StateFile::open(&state_dir, &site_dir).map(|file| (file.read(), file))).await;
    let (mut inherited, file) = opened.map_err(|error| OpenError::State { path, error: error.into() })??;
    let version = site.current();
    inherited.retain(|page, _| match version.resolve_visit(page) {
        Resolved::Asset(document) => document.is_document() && page_path(&document) == page,
        Resolved::Redirect(_) | Resolved::NotFound(_) => false,
    });
    Ok((Some(Arc::new(file)), inherited))
}

/// The value of `Strict-Transport-Security`, if it is to be sent.
pub(crate) fn hsts_of(seconds: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("max-age={seconds}")).ok().filter(|_| seconds > 0)
}

fn site_options(config: &Config) -> SiteOptions {
    SiteOptions {
        base: config.base.prefix().to_owned(),
        spa: config.spa,
        headers: config.header.iter().map(|line| (line.name.clone(), line.value.clone())).collect(),
        immutable: config.immutable.clone(),
        cache_dir: config.cache_dir.clone(),
        ..SiteOptions::default()
    }
}

/// What the operator decided about answers.
fn policy(config: &Config) -> Policy {
    let prompts_allowed = config.macos == Macos::Allow;
    Policy { app_bytes_min: config.min_app_bytes, prompts_allowed, gpc: config.gpc.into(), rollout: config.rollout() }
}

/// What sees to the tracker and the pages until it is aborted.
fn keepers(hub: &Arc<Hub>, config: &Config) -> Vec<JoinHandle<()>> {
    let mut tasks = vec![
        tokio::spawn(hub::keep_time(Arc::clone(hub))),
        tokio::spawn(hub::follow_versions(Arc::clone(hub))),
        tokio::spawn(hub::follow_visits(Arc::clone(hub))),
    ];
    tasks.extend(config.quiet_hours.map(|hours| tokio::spawn(hub::keep_quiet(Arc::clone(hub), hours.0))));
    tasks
}

fn tracker_config(config: &Config) -> TrackerConfig {
    TrackerConfig {
        ladder: config.ladder(),
        up_bytes_per_s: config.up_limit,
        up_bytes_per_day: config.upload_volume.0,
        // Each session has a connection, and who comes for a page must find a place, too.
        sessions_max: TrackerConfig::default().sessions_max.min(sessions_max(connections_max(descriptors()))),
        ..TrackerConfig::default()
    }
}

#[cfg(test)]
mod tests;
