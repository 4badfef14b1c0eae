//! `viral get` and `viral seed`: their flags, and what a person or a script sees of them.

use std::io::{IsTerminal as _, stderr};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use url::Url;
use viral_peer::{GetEvent, GetOptions, Rate, Report, STALL, SeedOptions, Size, Verdict};

use crate::progress::Progress;
use crate::run::{INTERRUPTED, RUNTIME_GRACE, either, log_to_stderr, raise_descriptor_limit, say};

/// A filter, for whoever gave a wrong one.
const LOG_EXAMPLE: &str = "viral_peer=debug";

/// What `get` and `seed` have in common.
#[derive(Args)]
pub(crate) struct Network {
    /// Address that every socket leaves from, and that other peers are told of [default: all of this machine's]
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<IpAddr>,

    /// Upload to other peers at most this fast: 500K, 2M (bytes/s), 10Mbit; 0 uploads nothing [default: no limit]
    #[arg(long, value_name = "RATE")]
    pub(crate) up_limit: Option<Rate>,

    /// Download at most this fast, from peers and the server together [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = above_zero)]
    pub(crate) down_limit: Option<Rate>,

    /// Follow redirects to another origin; one from https to http is never followed
    #[arg(long)]
    pub(crate) other_origin: bool,

    /// What to log on stderr: warn, info, viral_peer=debug
    #[arg(long, value_name = "FILTER", env = "VIRAL_LOG")]
    log: Option<String>,
}

/// Flags of `get`.
#[derive(Args)]
pub(crate) struct GetArgs {
    /// The page, or one asset
    #[arg(value_name = "URL")]
    url: Url,

    /// Write the app's files below this directory; without it everything is verified and forgotten
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Replace files that differ
    #[arg(long, requires = "output")]
    force: bool,

    /// Print one JSON object on stdout instead of a summary
    #[arg(long)]
    pub(crate) json: bool,

    /// Go on serving others for so long after everything is here
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    stay: u64,

    /// Give up when nothing came for so long
    #[arg(long, value_name = "SECONDS", default_value_t = STALL.as_secs())]
    timeout: u64,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Flags of `seed`.
#[derive(Args)]
pub(crate) struct SeedArgs {
    /// The pages to mirror
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<Url>,

    /// Mirror every asset of the sites, and not only what the pages load at first; their servers must run with --list-assets
    #[arg(long)]
    all: bool,

    /// Keep pieces here [default: viral in the user's data directory]
    #[arg(long, value_name = "DIR", env = "VIRAL_STORE")]
    store: Option<PathBuf>,

    /// Keep at most so much: 500M, 20G [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub(crate) disk_limit: Option<Size>,

    /// Print one JSON object on stdout at the end
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    network: Network,
}

fn above_zero(text: &str) -> Result<Rate, String> {
    match text.parse::<Rate>() {
        Ok(Rate(0)) => Err("nothing could ever come".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// Gets an app and says what it came to.
pub(crate) fn run_get(args: &GetArgs) -> anyhow::Result<()> {
    raise_descriptor_limit();
    log_to_stderr(args.network.log.as_deref().unwrap_or("error"), LOG_EXAMPLE, None)?;
    let mut options = GetOptions {
        output: args.output.clone(),
        force: args.force,
        other_origin: args.network.other_origin,
        bind: args.network.bind,
        up_limit: args.network.up_limit,
        down_limit: args.network.down_limit,
        stay: Duration::from_secs(args.stay),
        stall: Duration::from_secs(args.timeout.max(1)),
        ..GetOptions::new(args.url.clone())
    };
    // One task does nearly everything, so one thread is enough and several would only hand it around.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let mut shown = Shown { progress: Progress::new(!args.json && stderr().is_terminal()), json: args.json, said: None };
    let got = runtime.block_on(async {
        options.stop = Some(until_told()?);
        anyhow::Ok(viral_peer::get(options, |event| shown.show(event)).await)
    });
    drop(shown.progress);
    runtime.shutdown_timeout(RUNTIME_GRACE);
    let Some(said) = shown.said else {
        let failure = got?.err().map_or_else(Failure::without_report, |error| Failure::of(&error, error.verdict()));
        if args.json {
            say(&format!("{}\n", failure.of_get()))?;
        }
        return Err(anyhow::Error::msg(failure.message));
    };
    said?;
    let report = got?.map_err(|error| anyhow::Error::msg(error.to_string()))?;
    if args.stay > 0 && !args.json { say(&format!("{} given to others\n", Size(report.bytes_to_peers))) } else { Ok(()) }
}

/// What a person or a script has seen of a download.
struct Shown {
    progress: Progress,
    json: bool,
    /// Whether the summary could be printed; none = it was not time yet.
    said: Option<anyhow::Result<()>>,
}

impl Shown {
    fn show(&mut self, event: GetEvent<'_>) {
        match event {
            GetEvent::Progress(state) => self.progress.show(&state),
            GetEvent::Here(report) => {
                let text = if self.json { serde_json::to_string(report).map(|json| format!("{json}\n")) } else { Ok(summary(report)) };
                self.said = Some(self.progress.hidden(|| say(&text?)));
            }
        }
    }
}

/// Turns true at the first SIGINT or SIGTERM; the second one ends the program at once.
fn until_told() -> anyhow::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("ending: peers are told; a second signal ends at once");
        let _ = stop.send(true);
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(stopped)
}

/// Why there is no app, or nothing is seeded: a message that holds its causes, so that nobody prints them after it once more.
struct Failure {
    message: String,
    verdict: Verdict,
}

impl Failure {
    fn of(error: &dyn std::error::Error, verdict: Verdict) -> Self {
        Self { message: error.to_string(), verdict }
    }

    fn without_report() -> Self {
        Self { message: "there is no report".to_owned(), verdict: Verdict::internal() }
    }

    /// The object of a download that failed: the same fields, and why.
    fn of_get(&self) -> serde_json::Value {
        let Verdict { code, fault, retry } = self.verdict;
        serde_json::json!({
            "ok": false, "answer": null, "bytes_from_peers": 0, "bytes_from_origin": 0, "bytes_from_store": 0, "peers_used": 0, "pieces": 0,
            "bans": 0, "ms_total": 0, "ms_first_piece": null, "bytes_to_peers": 0, "error": viral_peer::printable(&self.message),
            "code": code, "fault": fault, "retry": retry,
        })
    }

    /// The object of a seeder that failed.
    fn of_seed(&self) -> serde_json::Value {
        let Verdict { code, fault, retry } = self.verdict;
        let error = viral_peer::printable(&self.message);
        serde_json::json!({ "ok": false, "error": error, "code": code, "fault": fault, "retry": retry })
    }
}

/// What a person reads at the end.
fn summary(report: &Report) -> String {
    let (peers, origin, store) = (Size(report.bytes_from_peers), Size(report.bytes_from_origin), Size(report.bytes_from_store));
    let total = Size(peers.0 + origin.0 + store.0);
    let mut text = format!(
        "{total} in {} pieces, all verified, in {:.2} s: {peers} from {} peers, {origin} from the server",
        report.pieces,
        report.ms_total as f64 / 1_000.0,
        report.peers_used
    );
    if store.0 > 0 {
        text.push_str(&format!(", {store} were here already"));
    }
    if report.bytes_to_peers > 0 {
        text.push_str(&format!("; {} given to others", Size(report.bytes_to_peers)));
    }
    text.push('\n');
    text
}

/// Seeds until told to end.
pub(crate) fn run_seed(args: &SeedArgs) -> anyhow::Result<()> {
    raise_descriptor_limit();
    log_to_stderr(args.network.log.as_deref().unwrap_or("warn,viral_peer=info"), LOG_EXAMPLE, None)?;
    let options = SeedOptions {
        urls: args.urls.clone(),
        all: args.all,
        other_origin: args.network.other_origin,
        store: args.store.clone().or_else(data_dir).context("there is no data directory for this user; choose one with --store DIR")?,
        disk_limit: args.disk_limit,
        bind: args.network.bind,
        up_limit: args.network.up_limit,
        down_limit: args.network.down_limit,
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    let ended = runtime.block_on(async {
        let stopped = until_told()?;
        anyhow::Ok(viral_peer::seed(options, stopped).await)
    });
    runtime.shutdown_timeout(RUNTIME_GRACE);
    let ended = ended?.map_err(|error| Failure::of(&error, error.verdict()));
    if args.json {
        let said = ended.as_ref().err().map_or_else(|| serde_json::json!({ "ok": true }), Failure::of_seed);
        say(&format!("{said}\n"))?;
    }
    ended.map_err(|failure| anyhow::Error::msg(failure.message))
}

/// Where programs keep what they can get again, but not for free (XDG base directories; macOS's own place).
fn data_dir() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd makes this one for a unit with `StateDirectory=`.
    let state = from("STATE_DIRECTORY");
    let data = || from("XDG_DATA_HOME").map(|data| data.join("viral"));
    let home = || {
        let below = if cfg!(target_os = "macos") { "Library/Application Support/viral" } else { ".local/share/viral" };
        from("HOME").map(|home| home.join(below))
    };
    state.or_else(data).or_else(home)
}
