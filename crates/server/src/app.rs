//! What every handler shares: the site, its pages, its tracker and its numbers, and what they tell of who asks.

use std::net::IpAddr;
use std::sync::{Arc, Once, OnceLock};

use http::{HeaderMap, Method, header};
use tokio::time::Instant;
use viral_swarm::admission::Policy;
use viral_swarm::history::Counters;
use viral_swarm::ice_candidates::is_private;
use viral_swarm::request::forwarded::{came_over_tls, client_ip, hosts, proxy_fault};
use viral_swarm::request::{Proxies, ProxyFault, Socket, asks_for_privacy, is_native_peer};
use viral_swarm::tracker::{ClientAddr, TrackerCounts};

use crate::access::AccessLog;
use crate::admin::Guard;
use crate::client::rewrite_address;
use crate::cluster::Cluster;
use crate::config::{Base, OwnServiceWorker, QuietHours, RewriteLocal};
use crate::connection_limit::ConnectionLimit;
use crate::deflated_cache::DeflatedCache;
use crate::hub::{Hub, unix_s};
use crate::joins::Joins;
use crate::locality::Whereabouts;
use crate::metrics::{Exposition, SiteNumbers};
use crate::scripts::Scripts;
use crate::shutdown::{Shutdown, TaskTracker};
use crate::state::StateFile;
use crate::stats::{Beside, Cause, Snapshot, Stats};
use crate::stun::StunAnnounced;
use crate::unasked::Unasked;
use crate::watch::Watch;
use crate::webtorrent::WebTorrent;
use crate::worth::WorthLog;
use viral_site::Site;
use viral_swarm::request::cookies;
use viral_swarm::request::same_origin::{self, Maker};

/// What every handler shares.
pub(crate) struct App {
    pub(crate) site: Arc<dyn Site>,
    pub(crate) hub: Arc<Hub>,
    /// Where what is learned of pages is kept, if anywhere.
    pub(crate) state: Option<Arc<StateFile>>,
    pub(crate) stats: Arc<Stats>,
    /// The other servers of the site, if there are any.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Where each answer is noted, if anywhere.
    pub(crate) access: Option<AccessLog>,
    pub(crate) deflated: DeflatedCache,
    pub(crate) base: Base,
    pub(crate) unasked: Unasked,
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) policy: Policy,
    /// When browsers are asked to give nothing.
    pub(crate) quiet_hours: Option<QuietHours>,
    /// Who may register for which page.
    pub(crate) joins: Arc<Joins>,
    /// What visits tell of whether it pays.
    pub(crate) worth: Arc<WorthLog>,
    /// What is remembered for the dashboard.
    pub(crate) watch: Watch,
    /// Who may ask on the admin address.
    pub(crate) guard: Guard,
    /// What the operator's files say of addresses.
    pub(crate) whereabouts: Arc<Whereabouts>,
    pub(crate) own_service_worker: OwnServiceWorker,
    /// Only visitors of one address are introduced to each other.
    pub(crate) is_for_neighbours_alone: bool,
    pub(crate) rewrite_local: RewriteLocal,
    pub(crate) trust_proxy: Proxies,
    /// Said once, for the log is no place for every request.
    pub(crate) host_warned: Once,
    /// The same of proxies that cannot be told from visitors.
    pub(crate) proxy_warned: Once,
    /// The same of a proxy that names certificates in another form.
    pub(crate) certificate_warned: Once,
    /// The same of requests without an address.
    pub(crate) unknown_warned: Once,
    /// What visitors who came over TLS are told of coming again.
    pub(crate) hsts: Option<http::HeaderValue>,
    /// Where visitors may ask how the world sees them, once it is answered.
    pub(crate) stun: OnceLock<StunAnnounced>,
    /// The tracker for WebTorrent clients, if the operator wants one.
    pub(crate) webtorrent: Option<Arc<WebTorrent>>,
    /// The visitors' connections, where this site has listeners of its own.
    pub(crate) connections: OnceLock<ConnectionLimit>,
    pub(crate) public_lineage: bool,
    pub(crate) list_assets: bool,
    pub(crate) started: Instant,
    pub(crate) shutdown: Shutdown,
    pub(crate) task_tracker: TaskTracker,
    /// This machine's own address per family, asked for once.
    pub(crate) own_v4: Option<IpAddr>,
    pub(crate) own_v6: Option<IpAddr>,
}

impl App {
    /// Whether browsers are asked to give nothing now.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet_hours.is_some_and(|hours| hours.0.are_at(unix_s()))
    }

    /// The numbers of this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.stats.snapshot(&self.hub.numbers(), self.hub.page_snapshots(usize::MAX), self.started.elapsed().as_secs(), self.beside())
    }

    /// What is told beside what is counted here.
    pub(crate) fn beside(&self) -> Beside {
        Beside {
            stun: self.stun.get().map(StunAnnounced::numbers),
            cluster: self.cluster.as_ref().map(|cluster| cluster.snapshot()),
            webtorrent: self.webtorrent.as_ref().map(|tracker| tracker.numbers()),
            pays: self.worth.snapshot(self.hub.shadow()),
        }
    }

    /// What only grows, and how many sessions are open.
    pub(crate) fn counters(&self) -> (Counters, u64) {
        let (tracker, _) = self.hub.counts();
        (self.counters_with(&tracker), tracker.sessions as u64)
    }

    /// What only grows, where the tracker's part was asked for already.
    pub(crate) fn counters_with(&self, TrackerCounts { totals, .. }: &TrackerCounts) -> Counters {
        let [full, thin, plain] = self.stats.answers();
        Counters {
            full,
            thin,
            plain,
            origin_bytes: self.stats.sent_of_all(),
            peer_bytes: totals.reported.from_peers,
            opened: totals.matches.opened,
            failed: totals.matches.failed,
            bans: totals.bans,
            refused: totals.refused.sessions + totals.refused.tickets,
        }
    }

    /// The numbers of this moment that cost the same whoever is there.
    pub(crate) fn numbers(&self) -> SiteNumbers {
        let (tracker, line_rate) = self.hub.counts();
        let (trials, trials_off) = self.worth.off();
        SiteNumbers { counted: self.stats.counted(), tracker, line_rate, trials, trials_off, shadow: self.hub.shadow() }
    }

    /// All that `/metrics` tells where this is the only site.
    pub(crate) fn exposition(&self) -> Exposition {
        let stun = self.stun.get().map(StunAnnounced::numbers);
        Exposition::new(vec![(None, self.numbers())], stun, self.connections.get())
    }

    /// The ports at which this visitor may ask how the world sees it.
    pub(crate) fn stun_ports(&self, visitor: &ClientAddr) -> Vec<u16> {
        self.stun.get().map(|stun| stun.ports().of_use_to(visitor)).unwrap_or_default()
    }

    /// Whether [`Viral::service`](crate::Viral::service) would give the request to the pipeline as it is, and nothing is added to the answer.
    pub(crate) fn is_plainly_of_site(&self, method: &Method, path: &str) -> bool {
        *method == Method::GET && self.base.is_root() && Cause::of_path(path) == Cause::Documents
    }

    /// Whether a WebTorrent client asks at the address of the site itself, as most trackers are addressed.
    pub(crate) fn is_tracker_asked(&self, method: &Method, path: &str, headers: &HeaderMap) -> bool {
        let is_handshake = || headers.get(header::UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
        self.webtorrent.is_some() && *method == Method::GET && path == self.base.as_str() && is_handshake()
    }

    /// Whether a page of this site made the request, or none could have. Where the host that the request names is another one than the page's, the cookie of a visit decides:
    /// browsers send it with no request of another site (`SameSite=Lax`), but for other hosts of the same one.
    pub(crate) fn is_own(&self, socket: Socket, headers: &HeaderMap) -> bool {
        let hosts = hosts(socket, headers, &self.trust_proxy);
        match same_origin::maker(headers, hosts.iter().copied()) {
            Maker::Own => true,
            Maker::Foreign => false,
            Maker::Unknown => {
                let is_sibling = same_origin::is_of_sibling(headers, hosts.iter().copied());
                let is_known = |browser| self.hub.visits().page_of(browser, None).is_some();
                let is_visiting = !is_sibling && cookies::browser(headers).is_some_and(is_known);
                self.host_warned.call_once(|| {
                    tracing::warn!(
                        origin = ?headers.get(header::ORIGIN), ?hosts, let_in = is_visiting,
                        "a page says that it is of another host than the request; if a proxy is in front, let it pass the host on (nginx: proxy_set_header Host $host), \
                         or name its address with --trust-proxy and let it set X-Forwarded-Host. This is said once"
                    );
                });
                is_visiting
            }
        }
    }

    /// The name under which the visitor came, as far as proxies pass it on.
    pub(crate) fn host<'a>(&self, socket: Socket, headers: &'a HeaderMap) -> &'a str {
        hosts(socket, headers, &self.trust_proxy).first().copied().unwrap_or_default()
    }

    /// Where the visitor's cookies of ours go back to.
    pub(crate) fn cookie_scope(&self, socket: Socket, headers: &HeaderMap) -> cookies::Scope<'_> {
        cookies::Scope { base: self.base.as_str(), tls: self.came_over_tls(socket, headers) }
    }

    /// Whether a trusted proxy says that the visitor came over TLS.
    pub(crate) fn came_over_tls(&self, socket: Socket, headers: &HeaderMap) -> bool {
        came_over_tls(socket, headers, &self.trust_proxy)
    }

    /// Tells the operator once of a proxy in front that hides the visitors: all look like one neighbour then, and of the addresses of native peers none is passed on.
    pub(crate) fn look_at_proxy(&self, socket: Socket, headers: &HeaderMap) {
        let Some(fault) = proxy_fault(socket, headers, &self.trust_proxy) else { return };
        let header = &self.trust_proxy.header;
        // Any other may be a visitor's.
        let proxy = Some(socket.address()).filter(|addr| fault == ProxyFault::Silent || addr.is_loopback() || is_private(*addr));
        self.proxy_warned.call_once(|| match fault {
            ProxyFault::Untrusted => tracing::warn!(
                ?proxy, %header,
                "a request says for whom it was made, and is not believed: all visitors behind a proxy look like one, and native peers are not told each other's addresses; \
                 if this is your proxy, name its address with --trust-proxy, and its header with --trust-proxy-header if it is another one. This is said once"
            ),
            ProxyFault::Silent => tracing::warn!(
                ?proxy, %header,
                "a trusted proxy does not say in this header for whom it asks: all visitors behind it look like one, and native peers are not told each other's addresses; \
                 let it set the header (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), or name the one that it sets with --trust-proxy-header. \
                 This is said once"
            ),
        });
    }

    /// Tells the operator once of a proxy that names certificates in another form.
    pub(crate) fn warn_of_certificate(&self) {
        self.certificate_warned.call_once(|| {
            tracing::warn!(
                "a trusted proxy says in Client-Cert what is no certificate as RFC 9440 has it, or one that is too long: its visitor is told as one without;                  let it send the DER form in base64 between two colons (PEM, also percent-encoded, is another form). This is said once"
            );
        });
    }

    /// Where the visitor is, as far as trusted proxies tell.
    pub(crate) fn address_of(&self, socket: Socket, headers: &HeaderMap) -> IpAddr {
        client_ip(socket, headers, &self.trust_proxy)
    }

    /// Who asks, as the tracker needs it.
    pub(crate) fn client_addr(&self, socket: Socket, headers: &HeaderMap) -> ClientAddr {
        let public = self.address_of(socket, headers);
        let (region, share) = self.whereabouts.of(public);
        // A proxy on this machine that nobody told us to trust: its visitors are elsewhere.
        let is_proxied = socket == Socket::Unix
            || headers.contains_key(&self.trust_proxy.header)
            || ["forwarded", "x-forwarded-for", "via"].iter().any(|name| headers.contains_key(*name));
        let own = |like: IpAddr| if like.is_ipv4() { self.own_v4 } else { self.own_v6 }.filter(|_| !is_proxied);
        ClientAddr {
            rewrite_to: rewrite_address(public, self.rewrite_local, own),
            browser: cookies::browser(headers),
            is_native: is_native_peer(headers),
            share: share.max(self.policy.share_of(asks_for_privacy(headers))),
            region,
            ..ClientAddr::at(public)
        }
    }
}
