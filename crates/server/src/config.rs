//! Every setting of the server: one struct whose doc comments are the manual, the command line help and the default file.

mod access_log;
mod acme;
mod admin;
mod cluster;
#[cfg(feature = "cli")]
mod file;
mod giving;
mod locality;
mod otlp;
mod rollout;
mod site;
mod stun;
mod values;
mod webtorrent;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use viral_swarm::limits::{APP_BYTES_MIN, PAGE_SET_ASSETS_MAX, PAGE_SET_BYTES_MAX};
use viral_swarm::locality::Ladder;
use viral_swarm::rollout::{Rollout, Share};

pub use access_log::{AccessLogFormat, AccessLogTo};
pub use acme::{AcmeContact, AcmeDirectory, AcmeName};
pub use admin::AdminToken;
pub use cluster::{ClusterName, ClusterUrl};
#[cfg(feature = "cli")]
pub use file::{ConfigError, default_file, load};
pub use giving::{QuietHours, UploadVolume};
pub use locality::{Gpc, LocalityTable, TierRule};
pub use otlp::OtlpEndpoint;
pub use rollout::{Mode, Percent};
pub use site::{FileLine, HostPattern, SiteConfig};
pub use stun::StunListen;
pub(crate) use values::BASE_LEN_MAX;
pub use values::{
    AdminListen, Base, HeaderLine, HostName, ListenAt, Macos, OwnServiceWorker, PeerScope, ProxyHeader, RewriteLocal, TlsClientAuth,
    TlsMode, TrustedProxy, ValueError,
};
pub use webtorrent::{InfoHash, WebTorrentOrigin};

/// The name of [`PeerScope`] in 0.1.0.
#[deprecated = "its name is PeerScope"]
pub type Reach = PeerScope;

/// Where the server listens when nothing else is said: reachable from this machine only.
const LISTEN_DEFAULT: ListenAt = ListenAt::At(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080)));

/// How long the server behind a proxy may think, in seconds: as nginx's `proxy_read_timeout`.
const UPSTREAM_TIMEOUT_S: u64 = 60;

/// What `RUST_LOG`-style filter applies when nothing else is said.
const LOG_DEFAULT: &str = "info";

/// All settings. Each is a flag (`--min-app-bytes 0`), an environment variable (`VIRAL_MIN_APP_BYTES=0`) and a key of `viral.toml` (`min-app-bytes = 0`).
///
/// A flag wins over the environment, the environment over the file, the file over the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where visitors connect: an address or a name and its port (`localhost:8080`), or `unix:/run/viral.sock`, the socket of a proxy on this machine, which its user and group may use (mode 0660). A name means all of its addresses, port 0 a free one, printed at start. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_LISTEN", value_name = "ADDR:PORT", value_delimiter = ',', default_values_t = [LISTEN_DEFAULT]))]
    #[serde(with = "values::one_or_more")]
    pub listen: Vec<ListenAt>,

    /// The same for the dashboard (`/`), `/stats`, `/metrics`, `/lineage` and `/healthz`, or `off`. Keep it on loopback, or give it `--admin-token`
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ADMIN_LISTEN", value_name = "ADDR:PORT", default_value_t = AdminListen::default()))]
    pub admin_listen: AdminListen,

    /// What whoever asks on `--admin-listen` must say: a person types it once in the browser, a tool sends `Authorization: Bearer TOKEN`. With it the address may be open to others, and speaks TLS there if `--listen` does. Better in the environment than on the command line, which others on this machine can read
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true))]
    pub admin_token: Option<AdminToken>,

    /// Where visitors ask over UDP how the world sees them (STUN), which those behind different NATs need to reach each other: an address or a name and its port, `off`, or `auto`, the addresses and port numbers of `--listen`. The next port number is used, too. Open both in the firewall, for UDP. Pages ask at the host name under which they came
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_STUN_LISTEN", value_name = "ADDR:PORT", default_value_t = StunListen::default()))]
    pub stun_listen: StunListen,

    /// Certificate for TLS on the addresses of `--listen`, with those above it, in PEM form. Read anew when it changes and at SIGHUP; connections that are there stay. May be given more than once: visitors are shown the one for the name that they ask for, and the first if there is none
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TLS_CERT", value_name = "FILE", value_delimiter = '\n', requires = "tls_key"))]
    #[serde(with = "values::one_or_more")]
    pub tls_cert: Vec<PathBuf>,

    /// The private key of `--tls-cert`, in PEM form; of several in their order
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TLS_KEY", value_name = "FILE", value_delimiter = '\n', requires = "tls_cert"))]
    #[serde(with = "values::one_or_more")]
    pub tls_key: Vec<PathBuf>,

    /// Ask visitors who come over TLS for a certificate that one of the authorities in this file signed (PEM, one or more). `viral proxy` then tells the server behind which it was, in the header `Client-Cert` (RFC 9440), and whatever it answers to such a visitor goes to nobody else. In front of a folder it only says who comes in. What visitors write into that header themselves is always dropped. Read anew as `--tls-cert` is
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TLS_CLIENT_CA", value_name = "FILE"))]
    pub tls_client_ca: Option<PathBuf>,

    /// Whether visitors need a certificate of `--tls-client-ca`: with `optional` those without one come in as well, and the server behind hears of none; with `required` their handshake fails. A certificate of another authority is refused by both
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TLS_CLIENT_AUTH", value_name = "RULE", value_enum, default_value_t = TlsClientAuth::Optional))]
    pub tls_client_auth: TlsClientAuth,

    /// Tell the server behind of the certificates between a visitor's and the authority's, too, in `Client-Cert-Chain`. More than 16 KiB of them are left out
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TLS_CLIENT_CHAIN", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub tls_client_chain: bool,

    /// TLS without a certificate of your own: `self-signed` makes one at each start, for a trial in an intranet. Browsers warn of it, and their service workers do not start until they were told to trust it
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TLS", value_name = "HOW", value_enum, conflicts_with = "tls_cert"))]
    pub tls: Option<TlsMode>,

    /// Name of this server for which a certificate is ordered of the certificate authority of `--acme-directory`, and renewed. Whoever gives this agrees to its terms of service (`https://letsencrypt.org/repository`). Port 443 of the name must lead to `--listen`, or port 80 to `--redirect-listen`. Account and certificate are kept in `--state-dir`. Until there is a certificate, visitors are refused. May be given more than once: one certificate is for all
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACME", value_name = "DOMAIN", value_delimiter = ',', conflicts_with_all = ["tls_cert", "tls"]))]
    #[serde(with = "values::one_or_more")]
    pub acme: Vec<AcmeName>,

    /// Address of mail to which that certificate authority may write
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACME_CONTACT", value_name = "EMAIL"))]
    pub acme_contact: Option<AcmeContact>,

    /// The certificate authority: Let's Encrypt unless another one is named. To try out, `https://acme-staging-v02.api.letsencrypt.org/directory` gives certificates that nobody trusts, and forgives mistakes
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACME_DIRECTORY", value_name = "URL", default_value_t = AcmeDirectory::default()))]
    pub acme_directory: AcmeDirectory,

    /// Root certificates, in PEM form, that a certificate authority of your own is trusted by, in place of the system's
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACME_CA", value_name = "FILE"))]
    pub acme_ca: Option<PathBuf>,

    /// Address on which visitors are sent on to https, usually port 80. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_REDIRECT_LISTEN", value_name = "ADDR:PORT", value_delimiter = ','))]
    pub redirect_listen: Vec<ListenAt>,

    /// Seconds for which browsers are told to come over TLS only (HSTS). 0 = they are not told
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_HSTS", value_name = "SECONDS", default_value_t = 0))]
    pub hsts: u64,

    /// Path below which a proxy shows the site: `/app/` for `https://a.example/app/`. The proxy may keep it in what it asks for or leave it out, but must pass on everything below it. Patterns of `--immutable` begin with it
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_BASE", value_name = "PATH", default_value_t = Base::default()))]
    pub base: Base,

    /// Answer paths that do not exist with `/index.html` (an app that routes in the browser)
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_SPA", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub spa: bool,

    /// Response header added to every answer of the site, as `Name: value`. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_HEADER", value_name = "NAME: VALUE", value_delimiter = '\n'))]
    pub header: Vec<HeaderLine>,

    /// Path whose content never changes, so that browsers keep it for a year without asking: `/assets/*`, where `*` stands for any characters. May be given more than once. Files with a hash in their names need no rule if a page, style sheet or script names them
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_IMMUTABLE", value_name = "PATTERN", value_delimiter = '\n'))]
    pub immutable: Vec<String>,

    /// Pages of which a visit uses fewer bytes than this are answered plain: peers cannot win there. What a page uses is learned from its first visits. 0 = always viral
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_MIN_APP_BYTES", value_name = "BYTES", default_value_t = APP_BYTES_MIN))]
    pub min_app_bytes: u64,

    /// How far apart two visitors may be to be introduced: `near` the same public address, `prefix` the same IPv4 /24 or IPv6 /48, `any` anyone
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_REACH", value_name = "REACH", value_enum, default_value_t = PeerScope::Any))]
    pub reach: PeerScope,

    /// What may be given and taken among visitors who are no nearer to each other than this: `country=off`, `anyone=leech`. Tiers are `address`, `site`, `prefix`, `network`, `country`, `continent` and `anyone`; policies are `on`, `leech` (browsers take, only native peers such as `viral seed` give) and `off`. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TIER", value_name = "TIER=POLICY", value_delimiter = ','))]
    #[serde(with = "values::one_or_more")]
    pub tier: Vec<TierRule>,

    /// File that says which addresses are one office: a line `name, CIDR, policy` for each range (CSV), or tables `[[site]]` with `name`, `cidr` and `policy` if it ends with `.toml`. Visitors of one site meet before all others but those of their own address. Of ranges in each other the smallest counts; the policy is `on`, `leech` (its visitors take and never give) or `off` (they meet nobody: a VPN). Read anew when it changes
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_SITES", value_name = "FILE"))]
    pub sites: Option<PathBuf>,

    /// File of MaxMind's format (MMDB) that says in which network (ASN), country and continent an address is: GeoLite2, DB-IP or IPinfo. Of several the first counts that knows. Read anew when it is replaced. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_GEO", value_name = "FILE", value_delimiter = '\n'))]
    #[serde(with = "values::one_or_more")]
    pub geo: Vec<PathBuf>,

    /// Show the address of a visitor only to others at the same public address, who know it: nobody else is introduced, whatever `--reach` and `--tier` allow
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_HIDE_ADDRESSES", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub hide_addresses: bool,

    /// Visitors whose browser asks for privacy (`Sec-GPC: 1`): `plain` gives them plain answers, `leech` lets them take from others and never give, `ignore` treats them like all others
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_GPC", value_name = "RULE", value_enum, default_value_t = Gpc::Ignore))]
    pub gpc: Gpc,

    /// Share of visitors who get the page as it is, to compare with: `5%`. Each stays in it for its whole visit. The pages that they get have a script of a hundred bytes more, which tells when they were there. Where thin visits turn out to be slower than theirs, nobody is answered thin for a while
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_HOLDOUT", value_name = "SHARE", default_value_t = Percent(Share::NONE)))]
    pub holdout: Percent,

    /// Share of visitors who may take the page from others: begin with `10%` and let it grow. All others get it whole, and give it to them
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_RAMP", value_name = "SHARE", default_value_t = Percent(Share::ALL)))]
    pub ramp: Percent,

    /// `live`, or `shadow`: every browser gets the page as it is, and `/stats` counts under `pays.shadow` how it would have been answered
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_MODE", value_name = "MODE", value_enum, default_value_t = Mode::Live))]
    pub mode: Mode,

    /// Folder for the working copies of large assets while the server runs, emptied at its end. Without it `$CACHE_DIRECTORY` or `$STATE_DIRECTORY` of systemd, else `viral` in the user's cache folder (`$XDG_CACHE_HOME`, `~/.cache`), and the system's temporary folder only where none of these can be written
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_CACHE_DIR", value_name = "DIR"))]
    pub cache_dir: Option<PathBuf>,

    /// Folder for what is learned of pages, so that it survives a restart: created if need be, outside of the served directory. Without it `$STATE_DIRECTORY` of systemd, else nothing is kept
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_STATE_DIR", value_name = "DIR"))]
    pub state_dir: Option<PathBuf>,

    /// Redis or Valkey through which several servers of one site know of each other: `redis://HOST:PORT`, `redis://USER:PASSWORD@HOST:PORT/DB`, `rediss://` over TLS; of a cluster of Redis one node. A visitor of one server is given peers of all, what is learned of pages is learned together, and no load balancer needs sticky sessions. While it cannot be reached, each server goes on alone
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_CLUSTER", hide_env_values = true, value_name = "URL"))]
    pub cluster: Option<ClusterUrl>,

    /// Name under which the servers of this site find each other there: sites that share one Redis need different ones
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_CLUSTER_NAME", value_name = "NAME", default_value_t = ClusterName::default()))]
    pub cluster_name: ClusterName,

    /// Proxy (address or CIDR, or `unix` for those at a Unix socket) that is believed for whom it asks, and whether over TLS. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TRUST_PROXY", value_name = "CIDR", value_delimiter = ','))]
    pub trust_proxy: Vec<TrustedProxy>,

    /// The header in which the proxies of `--trust-proxy` say for whom they ask: the one that yours set or append to, since visitors can send any other. `Forwarded` is read as such, any other as a list of addresses
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TRUST_PROXY_HEADER", value_name = "NAME", default_value_t = ProxyHeader::default()))]
    pub trust_proxy_header: ProxyHeader,

    /// The proxies of `--trust-proxy` ask visitors for certificates, and say in `Client-Cert` and `Client-Cert-Chain` (RFC 9440) which one they were shown. Only for proxies that drop what visitors write into these themselves: many pass it on. Without this both are dropped, whoever sends them
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_TRUST_PROXY_CLIENT_CERT", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub trust_proxy_client_cert: bool,

    /// The proxies of `--trust-proxy` begin each connection with a header of the PROXY protocol (version 1 or 2) that says for whom they connect: HAProxy's `send-proxy-v2`, nginx's `proxy_protocol on`, a load balancer that passes TCP on. Who of them does not is refused, and so is such a header from elsewhere. With TLS it comes before the handshake
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_PROXY_PROTOCOL", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub proxy_protocol: bool,

    /// Show at `/.viral/lineage` to every visitor who got the app from whom (ordinals, never addresses)
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_PUBLIC_LINEAGE", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub public_lineage: bool,

    /// Tell whoever asks which files there are, those no page refers to as well: `viral seed --all` needs it
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_LIST_ASSETS", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub list_assets: bool,

    /// Chromium and Firefox on macOS, where a peer connection may raise a permission prompt: `plain` keeps them out of the swarm, `allow` lets them in
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_MACOS", value_name = "RULE", value_enum, default_value_t = Macos::Plain))]
    pub macos: Macos,

    /// A service worker of the site's own: with `auto` its script is sent with ours in front, so that both work; with `yes` every page is answered plain; with `no` its script is left as it is
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_OWN_SERVICE_WORKER", value_name = "RULE", value_enum, default_value_t = OwnServiceWorker::Auto))]
    pub own_service_worker: OwnServiceWorker,

    /// When browsers hide their address behind a `.local` name, tell matched peers the one the server sees: `private` addresses only, `always`, or `never`
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_REWRITE_LOCAL", value_name = "RULE", value_enum, default_value_t = RewriteLocal::Private))]
    pub rewrite_local: RewriteLocal,

    /// Most bytes a second that one visitor is asked to give to others. 0 = as fast as the connection goes
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_UP_LIMIT", value_name = "BYTES", default_value_t = 0))]
    pub up_limit: u32,

    /// Most bytes that one visitor is asked to give to others in a day of its visit: `500M`, `2G`, a number of bytes, or `off`. A visit lasts as long as its page is open; of visitors who come again nothing is remembered. Whoever gave so much is introduced to nobody until a day after it began, and goes on taking. Holds for native peers as well
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_UPLOAD_VOLUME", value_name = "SIZE", default_value_t = UploadVolume::default()))]
    pub upload_volume: UploadVolume,

    /// Hours in which browsers are asked to give nothing, and take nothing from each other: `22:00-06:00`, in UTC, or `22:00-06:00+02:00` where clocks are two hours ahead of it. There is no summer time. Pages are answered `full; reason=quiet-hours`, and those that are open stop giving. Native peers go on among themselves
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_QUIET_HOURS", value_name = "HH:MM-HH:MM[+HH:MM]"))]
    pub quiet_hours: Option<QuietHours>,

    /// Bytes a second of a thin line that visitors share, if you know one: this server's own, or an office's. A hint: the server measures what visitors' lines carry, and this only lowers it; behind a proxy nothing is measured. Those who come together over a line that is thin for the page share one copy of it; nobody waits for somebody else's. 0 = what is measured
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_SHARED_LINE", value_name = "BYTES", default_value_t = 0))]
    pub shared_line: u64,

    /// Most bytes a second that this server is to send, if its line must keep room for others. A hint: as it comes near, those who come share the copies that they take, whatever their own lines carry. Nobody is refused or slowed down. 0 = as fast as it goes
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ORIGIN_RATE", value_name = "BYTES", default_value_t = 0))]
    pub origin_rate: u64,

    /// Most bytes of one page's set: what most visits to it use, and visitors fetch ahead for each other
    #[cfg_attr(feature = "cli", arg(long, alias = "boot-set-bytes-max", env = "VIRAL_PAGE_SET_BYTES_MAX", value_name = "BYTES", default_value_t = PAGE_SET_BYTES_MAX))]
    #[serde(alias = "boot-set-bytes-max")]
    pub page_set_bytes_max: u64,

    /// Most assets of one page's set
    #[cfg_attr(feature = "cli", arg(long, alias = "boot-set-assets-max", env = "VIRAL_PAGE_SET_ASSETS_MAX", value_name = "COUNT", default_value_t = PAGE_SET_ASSETS_MAX))]
    #[serde(alias = "boot-set-assets-max")]
    pub page_set_assets_max: usize,

    /// `viral proxy`: path that may travel between visitors though its answer does not say that caches may keep it: `/static/*`. What sets cookies, is private or differs never does. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_SHARE", value_name = "PATTERN", value_delimiter = '\n'))]
    pub share: Vec<String>,

    /// `viral proxy`: path that never travels, whatever its answer says: `/reports/*`. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_NEVER", value_name = "PATTERN", value_delimiter = '\n'))]
    pub never: Vec<String>,

    /// `viral proxy`: the `Host` that the server behind is asked for. Without it the visitor's own, and over https that of the server's address
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_UPSTREAM_HOST", value_name = "HOST"))]
    pub upstream_host: Option<HostName>,

    /// `viral proxy`: seconds until the server behind must begin its answer; then the visitor is told that it did not
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_UPSTREAM_TIMEOUT", value_name = "SECONDS", default_value_t = UPSTREAM_TIMEOUT_S, value_parser = clap::value_parser!(u64).range(1..)))]
    pub upstream_timeout: u64,

    /// A line for each answer: `json`, an object each, `combined`, the format of other servers, then the answer (`thin;peer-near`), the milliseconds and the cause of the bytes, or `off`. No queries, cookies or tickets stand in it, and no addresses unless asked. A file or `-` in place of these is where the lines go, in the format of `--access-log-format`
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACCESS_LOG", value_name = "FORMAT", default_value_t = AccessLogTo::Off))]
    pub access_log: AccessLogTo,

    /// File that gets the lines of `--access-log json` or `combined`; without it they go to stdout. SIGUSR1 opens it anew, for logrotate
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACCESS_LOG_FILE", value_name = "FILE"))]
    pub access_log_file: Option<PathBuf>,

    /// How the lines are written if `--access-log` names a file: `combined` or `json`
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACCESS_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = AccessLogFormat::Combined))]
    pub access_log_format: AccessLogFormat,

    /// Put the addresses of visitors into those lines. Whoever has the log then knows who came
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_ACCESS_LOG_ADDRESSES", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub access_log_addresses: bool,

    /// Send traces to this collector (OTLP over HTTP, as OpenTelemetry has it): `http://127.0.0.1:4318`. A visit, a request that is passed on, a session and a connection are spans. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` hold as everywhere
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_OTLP_ENDPOINT", value_name = "URL"))]
    pub otlp_endpoint: Option<OtlpEndpoint>,

    /// Be a tracker for WebTorrent clients (webtorrent, p2p-media-loader) at `wss://.../.viral/announce`. It is a private one: say with `--webtorrent-info-hash`, `--webtorrent-info-hashes` or `--webtorrent-open` which torrents it serves. Who is near whom (`--reach`, `--tier`, `--sites`, `--geo`) holds here, too
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_WEBTORRENT", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub webtorrent: bool,

    /// Page whose clients may connect besides those of this server's own pages: `https://app.example`, or `*` for any. Programs that are no browsers name no page and are let in; they get nothing without an info-hash that is served. May be given more than once
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_WEBTORRENT_ORIGIN", value_name = "ORIGIN", value_delimiter = ','))]
    #[serde(with = "values::one_or_more")]
    pub webtorrent_origin: Vec<WebTorrentOrigin>,

    /// Torrent that the tracker serves: the 40 hexadecimal digits of its info-hash, the 32 letters of base32 of a magnet link, or the 20 characters of p2p-media-loader. May be given more than once. Without any, without a file and without `--webtorrent-open` the server does not start
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_WEBTORRENT_INFO_HASH", value_name = "HEX", value_delimiter = ','))]
    #[serde(with = "values::one_or_more")]
    pub webtorrent_info_hash: Vec<InfoHash>,

    /// File of the same, one in each line; what stands after `#` is a comment. Read anew when it changes
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_WEBTORRENT_INFO_HASHES", value_name = "FILE"))]
    pub webtorrent_info_hashes: Option<PathBuf>,

    /// Serve every torrent, whoever shares it. Anybody can then use the tracker for anything
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_WEBTORRENT_OPEN", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_parser = values::parse_switch, action = clap::ArgAction::Set))]
    pub webtorrent_open: bool,

    /// What is logged to stderr: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `viral_server=debug`
    #[cfg_attr(feature = "cli", arg(long, env = "VIRAL_LOG", value_name = "FILTER", default_value = LOG_DEFAULT))]
    pub log: String,

    /// `sites`, `geo` and `tier` in a table of their own. In `viral.toml` only
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(skip_serializing_if = "LocalityTable::is_empty")]
    pub locality: LocalityTable,

    /// The sites of a server that has several, by host; see [`SiteConfig`]. In `viral.toml` only
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub site: Vec<SiteConfig>,
}

impl Config {
    /// The settings that hold for one of the sites.
    #[must_use]
    pub fn of_site(&self, site: &SiteConfig) -> Self {
        Self {
            share: site.share.clone().unwrap_or_else(|| self.share.clone()),
            never: site.never.clone().unwrap_or_else(|| self.never.clone()),
            spa: site.spa.unwrap_or(self.spa),
            upload_volume: site.upload_volume.unwrap_or(self.upload_volume),
            quiet_hours: site.quiet_hours.or(self.quiet_hours),
            header: self.header.iter().chain(&site.header).cloned().collect(),
            // What is learned is kept for folders only.
            state_dir: self.state_dir.clone().filter(|_| site.root.is_some()),
            // One log is for all.
            cluster_name: self.cluster_name.of_site(&site.host.to_string()),
            access_log: AccessLogTo::Off,
            access_log_file: None,
            site: Vec::new(),
            ..self.clone()
        }
    }

    /// The settings with those of `[locality]` where they belong, or the name of one that is given twice.
    #[cfg(feature = "cli")]
    pub(super) fn with_locality(mut self) -> Result<Self, &'static str> {
        let LocalityTable { sites, geo, tier } = std::mem::take(&mut self.locality);
        let twice = [
            (self.sites.is_some() && sites.is_some(), "sites"),
            (!self.geo.is_empty() && !geo.is_empty(), "geo"),
            (!self.tier.is_empty() && !tier.is_empty(), "tier"),
        ];
        if let Some((_, name)) = twice.into_iter().find(|(is_twice, _)| *is_twice) {
            return Err(name);
        }
        self.sites = self.sites.or(sites);
        self.geo.extend(geo);
        self.tier.extend(tier);
        Ok(self)
    }

    /// What is tried out.
    pub(crate) fn rollout(&self) -> Rollout {
        Rollout { holdout: self.holdout.0, ramp: self.ramp.0, shadow: self.mode == Mode::Shadow }
    }

    /// On which tiers visitors are introduced.
    pub(crate) fn ladder(&self) -> Ladder {
        locality::ladder(&self.tier, self.reach, self.hide_addresses)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![LISTEN_DEFAULT],
            admin_listen: AdminListen::default(),
            admin_token: None,
            stun_listen: StunListen::default(),
            tls_cert: Vec::new(),
            tls_key: Vec::new(),
            tls_client_ca: None,
            tls_client_auth: TlsClientAuth::Optional,
            tls_client_chain: false,
            tls: None,
            acme: Vec::new(),
            acme_contact: None,
            acme_directory: AcmeDirectory::default(),
            acme_ca: None,
            redirect_listen: Vec::new(),
            hsts: 0,
            base: Base::default(),
            spa: false,
            header: Vec::new(),
            immutable: Vec::new(),
            min_app_bytes: APP_BYTES_MIN,
            reach: PeerScope::Any,
            tier: Vec::new(),
            sites: None,
            geo: Vec::new(),
            hide_addresses: false,
            gpc: Gpc::Ignore,
            holdout: Percent(Share::NONE),
            ramp: Percent(Share::ALL),
            mode: Mode::Live,
            cache_dir: None,
            state_dir: None,
            cluster: None,
            cluster_name: ClusterName::default(),
            trust_proxy: Vec::new(),
            trust_proxy_header: ProxyHeader::default(),
            trust_proxy_client_cert: false,
            proxy_protocol: false,
            public_lineage: false,
            list_assets: false,
            macos: Macos::Plain,
            own_service_worker: OwnServiceWorker::Auto,
            rewrite_local: RewriteLocal::Private,
            up_limit: 0,
            upload_volume: UploadVolume::default(),
            quiet_hours: None,
            shared_line: 0,
            origin_rate: 0,
            page_set_bytes_max: PAGE_SET_BYTES_MAX,
            page_set_assets_max: PAGE_SET_ASSETS_MAX,
            share: Vec::new(),
            never: Vec::new(),
            upstream_host: None,
            upstream_timeout: UPSTREAM_TIMEOUT_S,
            access_log: AccessLogTo::Off,
            access_log_file: None,
            access_log_format: AccessLogFormat::Combined,
            otlp_endpoint: None,
            webtorrent: false,
            webtorrent_origin: Vec::new(),
            webtorrent_info_hash: Vec::new(),
            webtorrent_info_hashes: None,
            webtorrent_open: false,
            access_log_addresses: false,
            log: LOG_DEFAULT.to_owned(),
            locality: LocalityTable::default(),
            site: Vec::new(),
        }
    }
}
