//! `viral get`: one visit of a page, or of one asset, from the first request to the files on disk.

mod files;
mod folder;
mod report;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;
use url::Url;
use viral_wire::{AssetRecord, Manifest};

use crate::limits::{MEET, STALL, VISITOR_SLOTS};
use crate::origin::{Origin, OriginError, VisitAnswer};
use crate::peer::{Peer, PeerConfig, PeerError};
use crate::rate::Rate;
use crate::store::{Place, Store};
use crate::throttle::Throttle;
use files::OutputDir;
pub use files::OutputError;
pub use report::{Answer, Report};

/// How often progress is shown and a stall is looked for.
const WATCH: Duration = Duration::from_millis(100);

/// What to get and how.
#[derive(Debug, Clone)]
pub struct GetOptions {
    /// The page, or one asset.
    pub url: Url,
    /// Where files go; none = everything is verified and forgotten.
    pub output: Option<PathBuf>,
    /// Whether files that differ are replaced.
    pub force: bool,
    /// Whether redirects to another origin are followed.
    pub other_origin: bool,
    /// Address that all sockets leave from.
    pub bind: Option<IpAddr>,
    /// Upload limit; zero = nothing is uploaded.
    pub up_limit: Option<Rate>,
    /// Download limit.
    pub down_limit: Option<Rate>,
    /// How long to serve others after everything is here.
    pub stay: Duration,
    /// How long nothing may come before the download is given up.
    pub stall: Duration,
    /// Ends the download, or the stay, with a goodbye to everybody once it turns true.
    pub stop: Option<watch::Receiver<bool>>,
}

impl GetOptions {
    /// The page at `url`, with every other setting at its default.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            output: None,
            force: false,
            other_origin: false,
            bind: None,
            up_limit: None,
            down_limit: None,
            stay: Duration::ZERO,
            stall: STALL,
            stop: None,
        }
    }
}

/// Why there is no app.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The peer itself.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The directory.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A server that is none of ours.
    #[error("{host} is not served by viral ({said}): nothing was downloaded; use curl or a browser for it")]
    NotViral {
        /// Who.
        host: String,
        /// How it answered.
        said: String,
    },
    /// There is nothing at this address.
    #[error("{host} answers {status} to {path}")]
    Nothing {
        /// Who.
        host: String,
        /// How.
        status: http::StatusCode,
        /// To what.
        path: String,
    },
    /// The page is of a kind that does not travel.
    #[error("this page does not travel between visitors: {0}")]
    DoesNotTravel(String),
    /// Told to stop before everything was here.
    #[error("interrupted with {held} of {total} pieces here{kept}")]
    Stopped {
        /// Pieces held.
        held: usize,
        /// Pieces known; 0 while the manifest is not.
        total: usize,
        /// What becomes of the pieces.
        kept: String,
    },
    /// Nobody is left who gives the rest.
    #[error("nothing came for {seconds} s with {held} of {total} pieces here: {reason}{kept}")]
    Stalled {
        /// How long.
        seconds: u64,
        /// Pieces held.
        held: usize,
        /// Pieces known; 0 while the manifest is not.
        total: usize,
        /// What the origin and the tracker last said.
        reason: String,
        /// Whether that is what is wrong: the server fails, too.
        server_fault: bool,
        /// What becomes of the pieces.
        kept: String,
    },
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct GetProgress {
    /// Bytes held, of the app.
    pub bytes_held: u64,
    /// Bytes of the app; 0 while that is not known.
    pub bytes_total: u64,
    /// Verified bytes taken from peers.
    pub bytes_from_peers: u64,
    /// Verified bytes taken from the origin.
    pub bytes_from_origin: u64,
    /// Open connections.
    pub peers: usize,
}

/// What happens while an app is got.
#[derive(Debug)]
pub enum GetEvent<'a> {
    /// How far it is.
    Progress(GetProgress),
    /// Everything is here, verified and in place. What is given to others from now on is not in it.
    Here(&'a Report),
}

/// Gets the app and says what it came to, once everything has ended. `tell` hears how far it is, ten times a second, and what it came to as soon as the
/// app is here, before the stay.
///
/// # Errors
/// See [`GetError`]. Verified pieces stay in the output directory, and the next call takes them from there.
pub async fn get(options: GetOptions, mut tell: impl FnMut(GetEvent<'_>)) -> Result<Report, GetError> {
    let begun = Instant::now();
    let throttle = Throttle::new(options.down_limit);
    let mut origin = Origin::new(&options.url, options.bind, throttle.clone())?;
    let mut stop = options.stop.clone();
    let planned = async {
        let visit = origin.visit(&options.url, options.other_origin).await?;
        plan(visit, origin, &options, throttle).await
    };
    let (mut config, answer, wanted) = tokio::select! {
        planned = planned => planned?,
        () = told(&mut stop) => return Err(GetError::Stopped { held: 0, total: 0, kept: String::new() }),
    };
    let mut output = options.output.clone().map(|dir| OutputDir::open(dir, config.origin.below(), options.force)).transpose()?;
    if let Some(output) = &output {
        config.store = Store::open(Place::Directory(output.partial())).map_err(PeerError::Store)?;
    }
    let mut peer = Peer::start(config).await?;
    if let Wanted::Records(records) = &wanted {
        meet(&mut peer, options.stop.clone()).await;
        prepare(&mut peer, output.as_ref(), records, false)?;
        peer.add_records(records);
    }
    let fetched = fetch(&mut peer, &options, &wanted, output.as_ref(), &mut tell).await;
    let records = match fetched {
        Ok(records) => records,
        Err(error) => {
            peer.stop().await;
            return Err(error);
        }
    };
    let mut report = Report::of(&peer, answer, begun);
    if let Some(output) = &mut output {
        output.place(&mut peer.store, &records, matches!(wanted, Wanted::Page))?;
    } else if let Some(record) = records.iter().find(|record| !peer.store.verify(record)) {
        return Err(OutputError::Digest { path: record.path.clone() }.into());
    }
    report.ms_total = report::ms(begun.elapsed());
    tell(GetEvent::Here(&report));
    stay(&mut peer, &options, &mut tell).await;
    report.bytes_to_peers = peer.totals().bytes_to_peers;
    peer.stop().await;
    // The app is in place; what is left beside it is no reason to say that it is not.
    if let Some(Err(error)) = output.map(OutputDir::finish) {
        tracing::warn!(%error, "the partial download cannot be removed");
    }
    Ok(report)
}

/// What the visit is after.
enum Wanted {
    /// Whatever the page's manifest names.
    Page,
    /// One asset.
    Records(Vec<AssetRecord>),
}

/// What to do with the answer of the visit.
async fn plan(
    visit: VisitAnswer,
    origin: Origin,
    options: &GetOptions,
    throttle: Throttle,
) -> Result<(PeerConfig, Answer, Wanted), GetError> {
    let host = origin.host();
    let mut config = PeerConfig {
        origin,
        page: "/".to_owned(),
        ticket: None,
        offers: Vec::new(),
        stun: Vec::new(),
        manifest: None,
        takes_page: true,
        mirrors: false,
        follows: false,
        meets: true,
        in_crowd: false,
        slots: VISITOR_SLOTS,
        up: options.up_limit,
        down: options.down_limit,
        throttle,
        bind: options.bind,
        store: Store::open(Place::Memory).map_err(PeerError::Store)?,
        document: None,
        disk: None,
    };
    Ok(match visit {
        VisitAnswer::Thin(boot) => {
            config.page = boot.page;
            config.ticket = Some(boot.ticket);
            config.manifest = Some(boot.manifest);
            config.in_crowd = boot.crowd;
            config.offers = boot.offers;
            config.stun = boot.stun;
            (config, Answer::Thin, Wanted::Page)
        }
        VisitAnswer::Full { page, manifest, body } => {
            config.page = page;
            config.manifest = manifest;
            config.document = Some(body);
            config.in_crowd = true;
            (config, Answer::Full, Wanted::Page)
        }
        VisitAnswer::Plain { page, reason } => {
            tracing::info!(reason, "answered plain: the origin alone serves this page");
            config.page = page;
            config.meets = false;
            (config, Answer::Plain, Wanted::Page)
        }
        VisitAnswer::Other { path, status } if status.is_success() => {
            let records = match config.origin.records(vec![path.clone()]).await {
                Ok(records) => records,
                Err(OriginError::Status { .. } | OriginError::Malformed { .. }) => {
                    return Err(GetError::NotViral { host, said: format!("{path} came without a viral-answer header") });
                }
                Err(error) => return Err(error.into()),
            };
            let Some(Manifest { assets }) = records else {
                return Err(GetError::DoesNotTravel(format!("{path} is under 16 KiB; use curl for it")));
            };
            config.takes_page = false;
            (config, Answer::Asset, Wanted::Records(assets))
        }
        VisitAnswer::Other { path, status } => return Err(GetError::Nothing { host, status, path }),
    })
}

/// Runs the peer until everything is here; the records of what that is.
async fn fetch(
    peer: &mut Peer,
    options: &GetOptions,
    wanted: &Wanted,
    output: Option<&OutputDir>,
    tell: &mut impl FnMut(GetEvent<'_>),
) -> Result<Vec<AssetRecord>, GetError> {
    let (mut prepared, mut stop) = (false, options.stop.clone());
    loop {
        if let Some(error) = peer.faults.failure.take() {
            return Err(full_or(error, output));
        }
        let records = match wanted {
            Wanted::Records(records) => Some(records),
            Wanted::Page => peer.current().map(|known| &known.manifest.assets),
        };
        if let Some(records) = records.filter(|_| !prepared).cloned() {
            prepared = true;
            if matches!(wanted, Wanted::Page) {
                prepare(peer, output, &records, true)?;
            }
        } else if let Some(records) = records.filter(|records| is_whole(peer, records)) {
            tell(GetEvent::Progress(progress(peer)));
            return Ok(records.clone());
        }
        if records_unknown(peer, wanted)
            && let Some(reason) = peer.faults.refused.take()
        {
            return Err(GetError::DoesNotTravel(reason));
        }
        if peer.idle() >= options.stall {
            return Err(stalled(peer, options, output));
        }
        tell(GetEvent::Progress(progress(peer)));
        // Several turns between two looks: looking costs more than a turn when there are thousands of pieces.
        let look = sleep(WATCH);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = peer.turn() => {
                    if peer.progress().done || peer.faults.failure.is_some() || (!prepared && peer.current().is_some()) {
                        break;
                    }
                }
                () = &mut look => break,
                () = told(&mut stop) => return Err(stopped(peer, output)),
            }
        }
    }
}

/// Waits until there is a peer to ask, as long as there may be one soon. Whoever visits a page has peers by the time it asks for more.
async fn meet(peer: &mut Peer, mut stop: Option<watch::Receiver<bool>>) {
    peer.await_peer(true);
    let patience = sleep(MEET);
    tokio::pin!(patience);
    while peer.awaits_peer() && peer.peers() == 0 {
        tokio::select! {
            () = peer.turn() => {}
            () = &mut patience => break,
            () = told(&mut stop) => break,
        }
    }
    peer.await_peer(false);
}

/// Resolves once it is time to end.
async fn told(stop: &mut Option<watch::Receiver<bool>>) {
    let is_told = match stop {
        Some(stop) => stop.wait_for(|stop| *stop).await.is_ok(),
        None => false,
    };
    // Nobody would tell, or whoever would is gone.
    if !is_told {
        std::future::pending().await
    }
}

fn records_unknown(peer: &Peer, wanted: &Wanted) -> bool {
    matches!(wanted, Wanted::Page) && peer.current().is_none()
}

fn is_whole(peer: &Peer, records: &[AssetRecord]) -> bool {
    let progress = peer.progress();
    (progress.done || progress.total == 0) && records.iter().all(|record| peer.store.is_whole(&record.digest))
}

/// Looks at what lies in the directory already, before anything is asked for: what is right is not fetched, what would be overwritten is an error.
fn prepare(peer: &mut Peer, output: Option<&OutputDir>, records: &[AssetRecord], is_page: bool) -> Result<(), GetError> {
    let Some(output) = output else { return Ok(()) };
    for record in output.survey(records, is_page)? {
        peer.adopt(record.0, record.1);
    }
    Ok(())
}

async fn stay(peer: &mut Peer, options: &GetOptions, tell: &mut impl FnMut(GetEvent<'_>)) {
    let (until, mut stop) = (Instant::now() + options.stay, options.stop.clone());
    while Instant::now() < until {
        tell(GetEvent::Progress(progress(peer)));
        let look = sleep(WATCH.min(until.saturating_duration_since(Instant::now())));
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = peer.turn() => {}
                () = &mut look => break,
                () = told(&mut stop) => return,
            }
        }
    }
}

fn progress(peer: &Peer) -> GetProgress {
    let progress = peer.progress();
    GetProgress {
        bytes_held: progress.bytes_held,
        bytes_total: progress.bytes_total,
        bytes_from_peers: peer.totals().bytes_from_peers,
        bytes_from_origin: peer.totals().bytes_from_origin,
        peers: peer.peers(),
    }
}

fn stopped(peer: &Peer, output: Option<&OutputDir>) -> GetError {
    let progress = peer.progress();
    GetError::Stopped { held: progress.held, total: progress.total, kept: kept(output) }
}

fn stalled(peer: &Peer, options: &GetOptions, output: Option<&OutputDir>) -> GetError {
    let progress = peer.progress();
    let fault = peer.faults.origin.clone().or_else(|| peer.faults.lost.clone().map(|reason| format!("the tracker is gone: {reason}")));
    GetError::Stalled {
        seconds: options.stall.as_secs(),
        held: progress.held,
        total: progress.total,
        server_fault: fault.is_some(),
        reason: fault.unwrap_or_else(|| "no peer and not the origin gives the rest".to_owned()),
        kept: kept(output),
    }
}

fn full_or(error: PeerError, output: Option<&OutputDir>) -> GetError {
    match (error, output) {
        (PeerError::Store(cause), Some(output)) => OutputError::Partial { dir: output.partial(), cause }.into(),
        (error, _) => error.into(),
    }
}

fn kept(output: Option<&OutputDir>) -> String {
    output.map_or_else(String::new, |output| {
        format!("; they are kept in {}, run the same command again to go on", output.partial().display())
    })
}
