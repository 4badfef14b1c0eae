//! Doing what the command line said: listen, tell where, serve, end well.

use std::io::{self, IsTerminal as _, Write as _, stderr, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use viral_server::config::{AdminListen, Config, ListenAt, TrustedProxy, default_file};
use viral_server::tls::Tls;
use viral_server::{EmbeddedFile, Listener, Source, StunServer, Viral};

use crate::audit;
use crate::bind;
use crate::cli::Task;
use crate::doctor;
use crate::given::{Given, Name};
use crate::hosting::Hosting;
use crate::manual;
use crate::peer;
use crate::served::Served;
use crate::simulate;
use crate::stun;
use crate::successor::{self, Estate};
use crate::systemd;
use crate::tls;
use crate::traces::Traces;
use crate::upstream::upstream_of;

/// Exit code of a program ended by a second signal, as shells write it: 128 + SIGINT.
pub(crate) const INTERRUPTED: i32 = 130;

/// Descriptors that Linux gives one program at most, unless told otherwise (`fs.nr_open`).
const DESCRIPTORS_MAX: u64 = 1 << 20;

/// How long a task that does not listen may keep the program from ending.
pub(crate) const RUNTIME_GRACE: Duration = Duration::from_millis(100);

/// Runs to the end.
pub(crate) fn run(task: Task) -> anyhow::Result<ExitCode> {
    let done = match task {
        Task::Audit(args) => return audit::run(&args),
        Task::Doctor(args) => return doctor::run(&args),
        Task::PrintConfig => say(&default_file()),
        Task::Completions(shell) => say(&manual::completions(shell)?),
        Task::Manual(dir) => manual::write_pages(&dir),
        Task::Get(args) => peer::run_get(&args),
        Task::Seed(args) => peer::run_seed(&args),
        Task::Proxy { upstream, config } => {
            if !config.base.is_root() {
                bail!("a proxy is in front of a whole host; leave --base out and let the server behind have its own paths");
            }
            let upstream = upstream_of(upstream, &config)?;
            let service = upstream.service();
            start(&config, async |listeners| {
                Ok(Served::Proxy(Viral::open_listening(upstream.source(), &config, listeners).await?, service))
            })
        }
        Task::Simulate(args) => simulate::run(&args),
        Task::Serve { dir, mut config } => {
            config.state_dir = config.state_dir.or_else(systemd_state_dir);
            start(&config, async |listeners| Ok(Served::One(Viral::open_listening(Source::Directory(dir), &config, listeners).await?)))
        }
        Task::Sites { mut config, file } => {
            config.state_dir = config.state_dir.take().or_else(systemd_state_dir);
            start(&config, async |_| Ok(Served::Many(Hosting::open(&config, file).await?)))
        }
        Task::Demo { mut config } => {
            if !config.base.is_root() {
                bail!("the demo is written for the root of a host; leave --base out, or serve a directory of your own with it");
            }
            config.public_lineage = true;
            let _ = writeln!(stderr(), "viral: making the demo's world");
            start_demo(&config)
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// What systemd made for `StateDirectory=` of the unit (systemd.exec(5)); the first of several.
fn systemd_state_dir() -> Option<PathBuf> {
    let listed = std::env::var_os("STATE_DIRECTORY")?;
    std::env::split_paths(&listed).next().filter(|dir| !dir.as_os_str().is_empty())
}

fn start(config: &Config, open: impl AsyncFnOnce(&[Listener]) -> anyhow::Result<Served>) -> anyhow::Result<()> {
    start_as(config, open, false)
}

fn start_demo(config: &Config) -> anyhow::Result<()> {
    start_as(config, async |listeners| Ok(Served::One(Viral::open_listening(demo(), config, listeners).await?)), true)
}

fn start_as(config: &Config, open: impl AsyncFnOnce(&[Listener]) -> anyhow::Result<Served>, is_demo: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    let traces = config.otlp_endpoint.as_ref().map(|endpoint| Traces::to(endpoint, runtime.handle().clone())).transpose()?;
    log_to_stderr(&config.log, "viral_server=debug", traces.as_ref())?;
    raise_descriptor_limit();
    let done = runtime.block_on(serve(config, open, is_demo));
    if let Some(traces) = traces {
        traces.end();
    }
    runtime.shutdown_timeout(RUNTIME_GRACE);
    done
}

/// Logs what the filter lets through, and has its spans sent if there are traces; if the filter is wrong, an example of a right one is told.
pub(crate) fn log_to_stderr(filter: &str, example: &str, traces: Option<&Traces>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log filter `{filter}` is wrong; try `info` or `{example}`"))?;
    let shown = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    // They would be said on stderr, too, with a panic where nobody reads it any more.
    let shown = shown.log_internal_errors(false).with_filter(filter);
    tracing_subscriber::registry().with(shown).with(traces.map(Traces::layer)).init();
    Ok(())
}

/// Asks for as many file descriptors as the system allows this program: the usual 1,024 are fewer than a popular page has visitors.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where there is no limit of its own, the system's is asked for: `fs.nr_open`, as it comes.
    let most = limit.maximum.unwrap_or(DESCRIPTORS_MAX);
    if limit.current.is_none_or(|current| current >= most) {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }) {
        tracing::warn!(%error, ?limit, "the limit of open files stays; fewer visitors can be connected at one time");
    }
}

async fn serve(config: &Config, open: impl AsyncFnOnce(&[Listener]) -> anyhow::Result<Served>, is_demo: bool) -> anyhow::Result<()> {
    let mut given = Given::take()?;
    let mut listeners = public_listeners(config, &mut given).await?;
    let stun = stun::bind(config, &locals(&listeners)?, &mut given).await?;
    let certificates = tls::of(config, &locals(&listeners)?, config.state_dir.clone().or_else(systemd_state_dir))?;
    let certificate = certificates.as_ref().map(|certificates| certificates.tls.clone());
    let challenges = certificates.as_ref().and_then(|certificates| certificates.challenges.clone());
    listeners = proxied(tls::on(listeners, certificate.as_ref()), config)?;
    let redirecting = proxied(given_or_bound(&mut given.redirect, &config.redirect_listen, "--redirect-listen").await?, config)?;
    let https_port = https_port(config, &locals(&listeners)?, certificate.is_some())?;
    let admin: &[ListenAt] = if let AdminListen::At(at) = &config.admin_listen { std::slice::from_ref(at) } else { &[] };
    let admin = given_or_bound(&mut given.admin, admin, "--admin-listen").await?;
    let admin = guarded(admin, config, certificate.as_ref())?;
    let answered = meanwhile(&given, &listeners)?;
    // The demo ends with the terminal that it was started in. Before the site is read, which a signal must not end either.
    // What was started in a terminal ends with it; a service is told so to read the site anew.
    let hangup = if is_demo || io::stdin().is_terminal() { None } else { Some(signal(SignalKind::hangup())?) };
    // It would end who does not listen for it, with or without a log.
    let (user, succeeding) = (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
    // systemd listens to the predecessor as long as that serves.
    let served = if given.is_of_predecessor() { open(answered).await? } else { systemd::starting(open(answered)).await? };
    if let Some(certificate) = &certificate {
        served.show_certificates(certificate);
    }
    if let (true, [only]) = (is_demo, listeners.as_slice())
        && let ListenAt::At(address) = only.local()?
    {
        listeners.extend(bind::also_on_ipv6(address));
    }
    // Before anybody is told that we are here, since whoever is told may end us at once.
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ending = Arc::new(Notify::new());
    tokio::spawn(end_on_signal(served.clone(), interrupt, terminate, Arc::clone(&ending)));
    tokio::spawn(reopen_on_signal(served.clone(), user));
    let reloading = hangup.map(|hangup| tokio::spawn(reload_on_signal(served.clone(), certificate.clone(), hangup)));
    let (public, operators) = (locals(&listeners)?, locals(&admin)?);
    warn_of(config, &public, &operators, certificate.is_some());
    let redirected = locals(&redirecting)?;
    let stun_locals = stun.as_ref().map(StunServer::locals).unwrap_or_default();
    let tls = Spoken { public: certificate.is_some(), admin: certificate.is_some() && config.admin_token.is_some() };
    let said = say(&announcement(&public, &operators, &redirected, &stun_locals, (is_demo, tls)));
    // Who read what the predecessor said may have gone since.
    said.or_else(|error| if given.is_of_predecessor() { Ok(()) } else { Err(error) })?;
    let listening = [
        (if given.is_of_systemd { Name::Systemd } else { Name::Public }, listeners.as_slice()),
        (Name::Redirect, &redirecting),
        (Name::Admin, &admin),
    ];
    let estate = Estate::of(&listening, stun.as_ref());
    let answering = stun::start(stun, &served);
    let mut tasks: Vec<AbortHandle> = answering.iter().chain(&reloading).map(JoinHandle::abort_handle).collect();
    match given.take_predecessor() {
        Some(predecessor) => {
            // It may have been moved away while the site was read.
            served.reopen_log();
            listening.iter().flat_map(|(_, listeners)| *listeners).for_each(Listener::own_file);
            successor::tell(&predecessor);
        }
        None => systemd::ready(),
    }
    let redirects = tokio::spawn({
        let served = served.clone();
        async move { served.redirect(redirecting, https_port, challenges).await }
    });
    // A certificate authority comes to look at once.
    if let Some(certificates) = certificates {
        tasks.push(tokio::spawn(certificates.keep()).abort_handle());
    }
    match estate {
        Ok(estate) => _ = tokio::spawn(estate.pass_on(tasks, served.clone(), succeeding, ending)),
        Err(error) => tracing::warn!(error = format!("{error:#}"), "SIGUSR2 will start no successor"),
    }
    served.serve(listeners, admin).await;
    let _ = redirects.await;
    answering.inspect(JoinHandle::abort);
    tracing::info!("ended");
    Ok(())
}

/// Where it is answered while the site is read: nowhere if a predecessor still answers there, and better.
fn meanwhile<'a>(given: &Given, listeners: &'a [Listener]) -> anyhow::Result<&'a [Listener]> {
    let listening = named(&locals(listeners)?);
    if given.is_of_predecessor() {
        tracing::info!(%listening, "reading the site; until that is done the predecessor answers");
        return Ok(&[]);
    }
    tracing::info!(%listening, "reading the site; until that is done it is answered plainly");
    Ok(listeners)
}

/// What is given, else what the settings say; nothing where they say nothing.
async fn given_or_bound(given: &mut Vec<Listener>, places: &[ListenAt], flag: &str) -> anyhow::Result<Vec<Listener>> {
    match (places, std::mem::take(given)) {
        ([], _) => Ok(Vec::new()),
        (places, given) if given.is_empty() => bind::listen(places, flag).await,
        (_, given) => Ok(given),
    }
}

/// The sockets that are given, else those of the settings.
async fn public_listeners(config: &Config, given: &mut Given) -> anyhow::Result<Vec<Listener>> {
    let sockets = std::mem::take(&mut given.public);
    if sockets.is_empty() {
        return bind::listen(&config.listen, "--listen").await;
    }
    let named = named(&locals(&sockets)?);
    if given.is_of_predecessor() {
        tracing::info!(sockets = %named, "the predecessor's sockets are listened on in place of --listen");
    } else {
        tracing::info!(sockets = %named, "systemd gives these sockets; they are listened on in place of --listen");
    }
    Ok(sockets)
}

/// The listeners of operators: where others than this machine come to with a token, over TLS if there is a certificate.
fn guarded(listeners: Vec<Listener>, config: &Config, certificate: Option<&Tls>) -> io::Result<Vec<Listener>> {
    let on = |listener: Listener| {
        let is_tls = config.admin_token.is_some() && is_open_to_others(&listener.local()?);
        Ok(match certificate.filter(|_| is_tls) {
            // Tools of operators have the token.
            Some(certificate) => listener.with_tls(certificate.without_asking()),
            None => listener,
        })
    };
    listeners.into_iter().map(on).collect()
}

/// The listeners, behind proxies that say first for whom they connect if the settings say so.
fn proxied(listeners: Vec<Listener>, config: &Config) -> anyhow::Result<Vec<Listener>> {
    if !config.proxy_protocol {
        return Ok(listeners);
    }
    if config.trust_proxy.is_empty() {
        bail!("--proxy-protocol is for the proxies of --trust-proxy, and there are none; say where yours are with --trust-proxy");
    }
    Ok(listeners.into_iter().map(|listener| listener.with_proxy_protocol(config)).collect())
}

fn locals(listeners: &[Listener]) -> io::Result<Vec<ListenAt>> {
    listeners.iter().map(Listener::local).collect()
}

fn named(places: &[ListenAt]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Says what an operator should know of where it listens.
fn warn_of(config: &Config, public: &[ListenAt], operators: &[ListenAt], is_tls: bool) {
    for at in operators.iter().filter(|at| is_open_to_others(at)) {
        match config.admin_token {
            None => tracing::warn!(
                address = %at,
                "the admin address has no password and others than this machine can reach it; give --admin-token, or use --admin-listen 127.0.0.1:PORT"
            ),
            Some(_) if !is_tls => tracing::warn!(
                address = %at,
                "the token of the admin address crosses the network unencrypted; give --tls-cert and --tls-key or --acme, or come through a tunnel"
            ),
            Some(_) => {}
        }
    }
    if let Some(at) = public.iter().find(|at| matches!(at, ListenAt::Unix(_)))
        && !config.trust_proxy.contains(&TrustedProxy::Unix)
    {
        tracing::warn!(
            socket = %at,
            header = %config.trust_proxy_header,
            "nobody is believed who the visitors at this socket are, so all of them look like one neighbour; let the proxy set the header and give --trust-proxy unix"
        );
    }
}

/// Whether others than this machine can reach it: `0.0.0.0` and `[::]` mean every address there is.
fn is_open_to_others(at: &ListenAt) -> bool {
    matches!(at, ListenAt::At(address) if !address.ip().to_canonical().is_loopback())
}

/// The port that redirects lead to.
fn https_port(config: &Config, public: &[ListenAt], is_tls: bool) -> anyhow::Result<u16> {
    let port = public.iter().find_map(|at| if let ListenAt::At(address) = at { Some(address.port()) } else { None });
    match port.filter(|_| is_tls) {
        Some(port) => Ok(port),
        None if config.redirect_listen.is_empty() => Ok(443),
        None => bail!("--redirect-listen leads to https, which nothing here speaks; give --acme DOMAIN, or --tls-cert and --tls-key"),
    }
}

/// Where TLS is spoken.
#[derive(Clone, Copy)]
struct Spoken {
    public: bool,
    /// To others than this machine.
    admin: bool,
}

fn announcement(
    public: &[ListenAt],
    operators: &[ListenAt],
    redirected: &[ListenAt],
    stun: &[SocketAddr],
    (is_demo, tls): (bool, Spoken),
) -> String {
    let shown = |at: &ListenAt, scheme: &str| if matches!(at, ListenAt::Unix(_)) { at.to_string() } else { format!("{scheme}://{at}") };
    let mut text = String::new();
    let scheme = if tls.public { "https" } else { "http" };
    let of_admin = |at: &ListenAt| if tls.admin && is_open_to_others(at) { "https" } else { "http" };
    let places = [("listening", public), ("redirecting", redirected), ("admin", operators)];
    for (what, at) in places.into_iter().flat_map(|(what, places)| places.iter().map(move |at| (what, at))) {
        let scheme = match what {
            "listening" => scheme,
            "admin" => of_admin(at),
            _ => "http",
        };
        text.push_str(&format!("{what} on {}\n", shown(at, scheme)));
    }
    for at in stun {
        text.push_str(&format!("stun on {at}\n"));
    }
    let address = public.iter().find_map(|at| if let ListenAt::At(address) = at { Some(address) } else { None });
    if let Some(address) = address.filter(|_| is_demo) {
        let host = if address.ip().is_loopback() { format!("localhost:{}", address.port()) } else { address.to_string() };
        text.push_str(&format!(
            "\n  {scheme}://{host}\n\n  Open it, then once more in another browser or a private window (a second tab of one browser is\n  \
             the same visitor): the second one gets the app from the first one. Ctrl-C ends the demo.\n"
        ));
        if let Some(admin) = operators.first() {
            text.push_str(&format!("\n  Who got it from whom is shown live on {}\n", shown(admin, of_admin(admin))));
        }
    }
    text
}

/// The first signal begins the end, the second one is the end.
async fn end_on_signal(served: Served, mut interrupt: Signal, mut terminate: Signal, ending: Arc<Notify>) {
    either(&mut interrupt, &mut terminate).await;
    ending.notify_one();
    tracing::info!("ending: answers in flight are finished, a second signal ends at once");
    systemd::stopping();
    served.shut_down();
    either(&mut interrupt, &mut terminate).await;
    std::process::exit(INTERRUPTED);
}

/// Each SIGUSR1 opens the access log anew.
async fn reopen_on_signal(served: Served, mut user: Signal) {
    while user.recv().await.is_some() {
        served.reopen_log();
    }
}

/// Each SIGHUP reads the site and the certificate anew.
async fn reload_on_signal(served: Served, certificate: Option<Tls>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        systemd::reloading();
        if let Some(certificate) = &certificate {
            tls::renew(certificate);
        }
        tracing::info!("reading the site anew; older versions are forgotten");
        served.reload().await;
        // It is only asked to: until it is read, visitors get what was there before.
        systemd::ready();
    }
}

pub(crate) async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn demo() -> Source {
    let embedded = |file: viral_demo::DemoFile| EmbeddedFile { path: file.path.trim_start_matches('/').to_owned(), body: file.body };
    Source::Embedded(viral_demo::files().into_iter().map(embedded).collect())
}

/// Writes to stdout at once, whoever reads it.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_address_that_others_reach_is_warned_about() {
        let open = |text: &str| is_open_to_others(&text.parse().expect("an address"));
        assert!(open("0.0.0.0:9090") && open("[::]:9090") && open("10.0.0.7:9090"));
        assert!(!open("127.0.0.1:9090") && !open("[::1]:9090") && !open("[::ffff:127.0.0.1]:9090"));
    }
}
