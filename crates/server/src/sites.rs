//! Several sites in one server: each has a tracker, pages and numbers of its own, all share listeners, connections and the access log.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use tower::ServiceExt as _;

use crate::access::AccessLog;
use crate::admin::{self, Guard};
use crate::config::{Config, HostPattern};
use crate::connection_limit::ConnectionLimit;
use crate::error::OpenError;
use crate::host_table::{Entry, HostTable};
use crate::limits::{ADMIN_CONNECTIONS_MAX, LET_GO_OVER};
use crate::listen::{self, Service, connections_max, descriptors};
use crate::listener::Listener;
use crate::metrics::Exposition;
use crate::redirect;
use crate::redirect::Instead;
use crate::replies::refusal;
use crate::routes::{Hosts, Routes, SiteRoutes};
use crate::shutdown::Shutdown;
#[cfg(feature = "tls")]
use crate::tls::Challenges;
use crate::viral::{Viral, hsts_of};

/// A site and the hosts that it answers for.
#[derive(Clone)]
pub struct HostedSite {
    host: HostPattern,
    is_default: bool,
    viral: Viral,
    routes: Arc<SiteRoutes>,
}

impl HostedSite {
    /// A site that has its hosts for itself; with `is_default` those that no other site has, too.
    pub fn new(host: HostPattern, is_default: bool, viral: Viral) -> Self {
        let routes = SiteRoutes { routes: viral.routes(), stats: viral.stats() };
        Self { host, is_default, viral, routes: Arc::new(routes) }
    }

    /// The same with another service behind the site; see [`Viral::layer`].
    pub fn in_front_of<S>(host: HostPattern, is_default: bool, viral: Viral, service: S) -> Self
    where
        S: tower::Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let routes = SiteRoutes { routes: viral.routes_in_front_of(service), stats: viral.stats() };
        Self { host, is_default, viral, routes: Arc::new(routes) }
    }

    /// The site.
    pub fn viral(&self) -> &Viral {
        &self.viral
    }

    /// The same site for other hosts.
    #[must_use]
    pub fn for_hosts(&self, host: HostPattern, is_default: bool) -> Self {
        Self { host, is_default, ..self.clone() }
    }

    fn entry(&self) -> Entry<SiteRoutes> {
        Entry { host: self.host.clone(), is_default: self.is_default, site: Arc::clone(&self.routes) }
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.routes, &other.routes)
    }
}

/// Several sites of one server. A request for a host that none of them has is answered with 421.
#[derive(Clone)]
pub struct Sites(Arc<Inner>);

struct Inner {
    /// Those of `table`, in the order of the settings.
    sites: Mutex<Vec<HostedSite>>,
    table: Arc<HostTable<SiteRoutes>>,
    access: Option<AccessLog>,
    connections: OnceLock<ConnectionLimit>,
    guard: Guard,
    hsts: Option<HeaderValue>,
    shutdown: Shutdown,
}

impl Sites {
    /// These sites, with the listeners' settings of `config`.
    ///
    /// # Errors
    /// When the access log cannot be written.
    pub fn new(config: &Config, sites: Vec<HostedSite>) -> Result<Self, OpenError> {
        Self::check(config, config)?;
        let table = HostTable::new(sites.iter().map(HostedSite::entry).collect());
        Ok(Self(Arc::new(Inner {
            sites: Mutex::new(sites),
            table: Arc::new(table),
            access: AccessLog::open(config, None)?,
            connections: OnceLock::new(),
            hsts: hsts_of(config.hsts),
            guard: Guard::new(config.admin_token.as_ref()),
            shutdown: Shutdown::new(),
        })))
    }

    /// Whether the sites of `wanted` could be served beside the access log of `config`: addresses of visitors are no part of a site.
    ///
    /// # Errors
    /// When the log lies in one of them.
    pub fn check(config: &Config, wanted: &Config) -> Result<(), OpenError> {
        let mut folders = wanted.site.iter().filter_map(|site| site.root.as_deref());
        folders.try_for_each(|folder| AccessLog::check(config, folder))
    }

    /// The sites of now.
    pub fn current(&self) -> Vec<HostedSite> {
        self.lock().clone()
    }

    /// From now on these. One that was there goes on as it is; one that is no longer among them says goodbye to its visitors.
    ///
    /// Nothing changes where the end has come.
    pub fn replace(&self, sites: Vec<HostedSite>) {
        if self.0.shutdown.has_begun() {
            return;
        }
        self.0.table.replace(sites.iter().map(HostedSite::entry).collect());
        let before = std::mem::replace(&mut *self.lock(), sites.clone());
        for gone in before.into_iter().filter(|site| !sites.iter().any(|other| other.is_same(site))) {
            gone.viral.shut_down();
            tokio::spawn(async move { gone.viral.end().await });
        }
    }

    /// Serves on `listeners`, and the admin endpoints of all sites on `admin`, until [`shut_down`](Self::shut_down) is called; ends as [`Viral::serve`] does.
    pub async fn serve(&self, listeners: Vec<Listener>, admin: Vec<Listener>) {
        let (connections, operators) = (ConnectionLimit::of(connections_max(descriptors())), ConnectionLimit::of(ADMIN_CONNECTIONS_MAX));
        let _ = self.0.connections.set(connections.clone());
        let hosts = Hosts::Named(Arc::clone(&self.0.table));
        let operators_routes = Hosts::Any(Routes { router: self.admin(), site: None });
        let public = listeners.into_iter().map(|listener| (listener, hosts.clone(), self.0.access.clone(), connections.clone()));
        let all = public.chain(admin.into_iter().map(|listener| (listener, operators_routes.clone(), None, operators.clone())));
        let serving: Vec<_> = all
            .map(|(listener, hosts, access, limit)| tokio::spawn(listen::serve(listener, self.listened(hosts, access), limit)))
            .collect();
        self.0.shutdown.begun().await;
        // Again for those that a reload brought meanwhile.
        let sites = self.end_sites();
        for listener in serving {
            let _ = listener.await;
        }
        for site in &sites {
            site.viral.end().await;
        }
        if let Some(access) = &self.0.access {
            access.close().await;
        }
    }

    /// As [`Viral::redirect`].
    pub async fn redirect(&self, listeners: Vec<Listener>, https_port: u16) {
        self.redirect_but(listeners, https_port, None).await;
    }

    /// The same, but for what a certificate authority asks to see that a name is ours.
    #[cfg(feature = "tls")]
    pub async fn redirect_and_prove(&self, listeners: Vec<Listener>, https_port: u16, challenges: Challenges) {
        self.redirect_but(listeners, https_port, Some(Arc::new(move |path: &str| challenges.answer(path)))).await;
    }

    async fn redirect_but(&self, listeners: Vec<Listener>, https_port: u16, instead: Option<Instead>) {
        redirect::serve(listeners, https_port, instead, |hosts| self.listened(hosts, self.0.access.clone())).await;
    }

    /// The operator's endpoints of all sites: as [`Viral::admin`], of the site that `?site=HOST` names. `/stats` without is an object by host, and rows of `/metrics` have the label `site`.
    pub fn admin(&self) -> Router {
        let routes = Router::new().route("/stats", get(stats)).route("/metrics", get(metrics)).route("/sites", get(hosts));
        admin::around(admin::with_dashboard(routes).fallback(of_one).with_state(self.clone()), self.0.guard.clone())
    }

    /// As [`Viral::reopen_log`].
    pub fn reopen_log(&self) {
        if let Some(access) = &self.0.access {
            access.reopen();
        }
    }

    /// As [`Viral::shut_down`].
    pub fn shut_down(&self) {
        self.0.shutdown.begin();
        self.end_sites();
    }

    /// As [`Viral::prepare_successor`].
    pub async fn prepare_successor(&self) {
        for site in self.current() {
            site.viral.prepare_successor().await;
        }
    }

    /// As [`Viral::retire`].
    pub fn retire(&self) {
        self.0.shutdown.retire(LET_GO_OVER);
        self.end_sites();
    }

    /// Each site ends as all of them do.
    fn end_sites(&self) -> Vec<HostedSite> {
        let sites = self.current();
        for site in &sites {
            if self.0.shutdown.is_retired() { site.viral.retire() } else { site.viral.shut_down() }
        }
        sites
    }

    fn listened(&self, hosts: Hosts, access: Option<AccessLog>) -> Service {
        Service { hosts, stats: None, access, hsts: self.0.hsts.clone(), shutdown: self.0.shutdown.clone() }
    }

    /// The site that the operator means; the only one where none is named.
    fn named(&self, host: Option<&str>) -> Option<HostedSite> {
        let sites = self.lock();
        match (host, sites.as_slice()) {
            (Some(host), sites) => sites.iter().find(|site| site.host.to_string() == host).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<HostedSite>> {
        self.0.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the operator asks for.
#[derive(Debug, Deserialize)]
struct Asked {
    site: Option<String>,
}

async fn stats(State(sites): State<Sites>, Query(asked): Query<Asked>, request: Request) -> Response {
    let current = sites.current();
    if asked.site.is_some() || current.len() == 1 {
        return of_one(State(sites), Query(asked), request).await;
    }
    let numbers: BTreeMap<String, _> = current.iter().map(|site| (site.host.to_string(), site.viral.snapshot())).collect();
    admin::unstored(Json(numbers))
}

/// Hosts of the sites, for whoever shows one of them.
async fn hosts(State(sites): State<Sites>) -> Response {
    admin::unstored(Json(sites.current().iter().map(|site| site.host.to_string()).collect::<Vec<_>>()))
}

async fn metrics(State(sites): State<Sites>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let current = sites.current();
    let wanted = current.iter().filter(|site| asked.site.as_ref().is_none_or(|host| site.host.to_string() == *host));
    let numbers: Vec<_> = wanted.map(|site| (Some(site.host.to_string()), site.viral.numbers())).collect();
    if numbers.is_empty() && asked.site.is_some() {
        return refusal(StatusCode::NOT_FOUND, "there is no such site; its [[site]] names it, and /metrics without ?site= tells of all");
    }
    // All sites announce the same server.
    let stun = current.first().and_then(|site| site.viral.stun_numbers());
    Exposition::new(numbers, stun, sites.0.connections.get()).respond(&headers)
}

/// As the one site answers.
async fn of_one(State(sites): State<Sites>, Query(asked): Query<Asked>, request: Request) -> Response {
    if request.uri().path() == "/healthz" {
        return "ok\n".into_response();
    }
    match sites.named(asked.site.as_deref()) {
        Some(site) => {
            let Ok(response) = site.viral.unguarded_admin().oneshot(request).await;
            response
        }
        None => refusal(StatusCode::NOT_FOUND, "say which site with ?site=HOST, as its [[site]] names it; /stats without tells of all"),
    }
}

#[cfg(test)]
mod tests;
