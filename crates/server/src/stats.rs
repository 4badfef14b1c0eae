//! What the server did, in numbers: answers by kind and reason, bytes sent by cause, what the tracker knows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use prometheus_client::metrics::histogram::Histogram;
use serde::Serialize;
use tokio::time::{Duration, Instant};
use viral_swarm::crowd::LineMeter;
use viral_swarm::page_costs::PageSnapshot;
use viral_swarm::tracker::{Matches, MatchesByTier, TrackerStats};
use viral_swarm::visits::AnswerKind;
use viral_swarm::worth::PaysSnapshot;
use viral_wire::signal::{DoctorCheck, DoctorPost};

use crate::cluster_stats::ClusterSnapshot;
use crate::limits::{APP_BUCKETS_S, DECISION_BUCKETS_S, RATES_MAX};
use crate::stun::StunNumbers;
use crate::webtorrent::WebTorrentNumbers;

/// Why bytes left the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Full and plain document answers, redirects, error pages, our own pages.
    Documents,
    /// Everything else of the site.
    Assets,
    /// Pieces, manifests and records that peers could not give.
    Pieces,
    /// Thin answers and our scripts.
    Loader,
    /// WebSocket frames and the small answers to peers' posts.
    Signalling,
}

impl Cause {
    /// All of them, in the order of declaration.
    const ALL: [Self; 5] = [Self::Documents, Self::Assets, Self::Pieces, Self::Loader, Self::Signalling];

    /// Its name, the same as in `/stats`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Assets => "assets",
            Self::Pieces => "pieces",
            Self::Loader => "loader",
            Self::Signalling => "signalling",
        }
    }

    /// The cause whose place in the declaration this is.
    pub(crate) fn from_index(index: u8) -> Self {
        Self::ALL.get(usize::from(index)).copied().unwrap_or(Self::Documents)
    }

    /// What an answer is for, as whoever made it says; else this.
    pub(crate) fn of_answer<B>(response: &http::Response<B>, otherwise: Self) -> Self {
        response.extensions().get().copied().unwrap_or(otherwise)
    }

    /// What an answer at this path is for when nothing better is known: an error, or something of hyper's or axum's own.
    pub(crate) fn of_path(path: &str) -> Self {
        if path.starts_with("/.viral") { Self::Signalling } else { Self::Documents }
    }
}

/// Counters of one site. Shared, never reset. `/stats` and `/metrics` read the same ones.
#[derive(Debug)]
pub(crate) struct Stats {
    answers: [AtomicU64; 3],
    sent: [AtomicU64; 5],
    reasons: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    line: Mutex<Line>,
    doctor: Mutex<DoctorNumbers>,
    /// How long it took to decide about a page, in seconds.
    decisions: Arc<Histogram>,
    /// How long visitors waited for the app, in seconds, by the answer.
    apps: Arc<[Histogram; 3]>,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            answers: Default::default(),
            sent: Default::default(),
            reasons: Mutex::default(),
            line: Mutex::default(),
            doctor: Mutex::default(),
            decisions: Arc::new(Histogram::new(DECISION_BUCKETS_S)),
            apps: Arc::new([(); 3].map(|()| Histogram::new(APP_BUCKETS_S))),
        }
    }
}

/// What is counted, at one moment.
#[derive(Debug)]
pub(crate) struct Counted {
    /// Answers by kind and reason.
    pub(crate) answers: BTreeMap<(&'static str, &'static str), u64>,
    /// Bytes by cause.
    pub(crate) sent: Vec<(&'static str, u64)>,
    /// What the doctor's page found.
    pub(crate) doctor: DoctorNumbers,
    /// How long it took to decide about a page, in seconds. It goes on counting.
    pub(crate) decisions: Arc<Histogram>,
    /// How long visitors waited for the app, in seconds, in the order of [`KINDS`].
    pub(crate) apps: Arc<[Histogram; 3]>,
}

/// Documents answered, by the answer and then by its reason.
pub(crate) type Reasons = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// Answers as they are told: by kind, then by reason.
pub(crate) fn by_answer(answers: &BTreeMap<(&'static str, &'static str), u64>) -> Reasons {
    let mut reasons = Reasons::new();
    for ((kind, reason), count) in answers {
        reasons.entry(kind).or_default().insert(*reason, *count);
    }
    reasons
}

/// The answers, in the order of declaration.
pub(crate) const KINDS: [AnswerKind; 3] = [AnswerKind::Full, AnswerKind::Thin, AnswerKind::Plain];

/// What visitors' lines carry.
#[derive(Debug)]
struct Line {
    start: Instant,
    meter: LineMeter,
    /// Measured and not yet taken, in bytes per second.
    rates: Vec<(IpAddr, u64)>,
}

impl Default for Line {
    fn default() -> Self {
        Self { start: Instant::now(), meter: LineMeter::default(), rates: Vec::new() }
    }
}

/// What the doctor's page found in browsers that opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DoctorNumbers {
    visits: u64,
    /// Visits in which this stood in the way of everything.
    bad: BTreeMap<&'static str, u64>,
    /// Visits in which something worked in part because of this.
    limited: BTreeMap<&'static str, u64>,
}

impl DoctorNumbers {
    /// How often the page was opened.
    pub(crate) fn visits(&self) -> u64 {
        self.visits
    }

    /// What was found, what it did to the visit, and how often.
    pub(crate) fn found(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let of = |counts: &BTreeMap<&'static str, u64>, effect| {
            counts.iter().map(move |(check, count)| (*check, effect, *count)).collect::<Vec<_>>()
        };
        [of(&self.bad, "bad"), of(&self.limited, "limited")].into_iter().flatten()
    }
}

impl Stats {
    /// Counts one document answer.
    pub(crate) fn add_answer(&self, kind: AnswerKind, reason: &'static str) {
        self.answers[kind as usize].fetch_add(1, Relaxed);
        let mut reasons = self.reasons.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *reasons.entry((kind.as_token(), reason)).or_default() += 1;
    }

    /// To decide about a page took this long.
    pub(crate) fn note_decision(&self, took: Duration) {
        self.decisions.observe(took.as_secs_f64());
    }

    /// The app of a visit that was answered so was there after this time, in milliseconds.
    pub(crate) fn note_app(&self, kind: AnswerKind, app_ms: u32) {
        self.apps[kind as usize].observe(f64::from(app_ms) / 1_000.0);
    }

    /// What is counted, as it is now.
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            answers: self.reasons.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
            sent: Cause::ALL.map(|cause| (cause.name(), self.sent[cause as usize].load(Relaxed))).to_vec(),
            doctor: self.doctor(),
            decisions: Arc::clone(&self.decisions),
            apps: Arc::clone(&self.apps),
        }
    }

    /// Nothing could be written to a connection from `since` until now; `bytes` went out on it since that last was so.
    pub(crate) fn note_blocked(&self, address: IpAddr, since: Instant, bytes: u64) {
        let Line { start, meter, rates } = &mut *self.line.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ms_of = |at: Instant| u64::try_from(at.saturating_duration_since(*start).as_millis()).unwrap_or(u64::MAX);
        let rate = meter.note(ms_of(Instant::now()), address, ms_of(since), bytes);
        // Where nobody comes for them, old ones are as good as new ones.
        rates.extend(rate.filter(|_| rates.len() < RATES_MAX).map(|rate| (address, rate)));
    }

    /// What was measured since this was last asked, in bytes per second.
    pub(crate) fn take_rates(&self) -> Vec<(IpAddr, u64)> {
        std::mem::take(&mut self.line.lock().unwrap_or_else(std::sync::PoisonError::into_inner).rates)
    }

    /// Counts what stands in the way of a browser, each cause once.
    pub(crate) fn add_doctor(&self, post: &DoctorPost) {
        let mut numbers = self.doctor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        numbers.visits += 1;
        let DoctorNumbers { bad, limited, .. } = &mut *numbers;
        for (found, counts) in [(&post.bad, bad), (&post.limited, limited)] {
            for check in found.iter().copied().collect::<BTreeSet<DoctorCheck>>() {
                *counts.entry(check.name()).or_default() += 1;
            }
        }
    }

    /// What the doctor's page found so far.
    pub(crate) fn doctor(&self) -> DoctorNumbers {
        self.doctor.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Counts bytes handed to a socket.
    pub(crate) fn add_sent(&self, cause: Cause, bytes: u64) {
        self.sent[cause as usize].fetch_add(bytes, Relaxed);
    }

    /// Answers to visits so far: full, thin, plain.
    pub(crate) fn answers(&self) -> [u64; 3] {
        KINDS.map(|kind| self.answers[kind as usize].load(Relaxed))
    }

    /// Bytes sent so far.
    pub(crate) fn sent_of_all(&self) -> u64 {
        self.sent.iter().map(|sent| sent.load(Relaxed)).sum()
    }

    /// Bytes sent so far for one cause.
    #[cfg(test)]
    pub(crate) fn sent(&self, cause: Cause) -> u64 {
        self.sent[cause as usize].load(Relaxed)
    }

    /// The counters now, together with what the tracker knows.
    pub(crate) fn snapshot(&self, tracker: &TrackerStats, pages: Vec<PageSnapshot>, uptime_s: u64, beside: Beside) -> Snapshot {
        let [full, thin, plain] = self.answers();
        let sent = |cause: Cause| self.sent[cause as usize].load(Relaxed);
        let reasons = by_answer(&self.reasons.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        Snapshot {
            answers: Answers { full, thin, plain },
            reasons,
            origin_bytes: OriginBytes {
                documents: sent(Cause::Documents),
                assets: sent(Cause::Assets),
                pieces: sent(Cause::Pieces),
                loader: sent(Cause::Loader),
                signalling: sent(Cause::Signalling),
            },
            peer_bytes: tracker.reported.from_peers,
            peer_bytes_source: "reported by visitors",
            seeders: tracker.seeders,
            leechers: tracker.leechers,
            matches: tracker.matches,
            matches_by_tier: tracker.matches_by_tier,
            connect_failures_by_cause: tracker.connect_failures.clone(),
            doctor: self.doctor(),
            bans: tracker.bans,
            beside,
            uptime_s,
            pages,
        }
    }
}

/// What `GET /stats` tells beside what is counted here.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Beside {
    /// Null where STUN is off. Sites of one server share it.
    pub(crate) stun: Option<StunNumbers>,
    /// Null where there is no cluster.
    pub(crate) cluster: Option<ClusterSnapshot>,
    /// Null where there is no tracker for WebTorrent clients.
    pub(crate) webtorrent: Option<WebTorrentNumbers>,
    /// Whether it pays.
    pub(crate) pays: PaysSnapshot,
}

/// What `GET /stats` answers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Snapshot {
    answers: Answers,
    reasons: Reasons,
    origin_bytes: OriginBytes,
    peer_bytes: u64,
    peer_bytes_source: &'static str,
    seeders: usize,
    leechers: usize,
    matches: Matches,
    matches_by_tier: MatchesByTier,
    connect_failures_by_cause: BTreeMap<&'static str, u64>,
    doctor: DoctorNumbers,
    bans: u64,
    #[serde(flatten)]
    beside: Beside,
    uptime_s: u64,
    pages: Vec<PageSnapshot>,
}

#[derive(Debug, Clone, Serialize)]
struct Answers {
    full: u64,
    thin: u64,
    plain: u64,
}

#[derive(Debug, Clone, Serialize)]
struct OriginBytes {
    documents: u64,
    assets: u64,
    pieces: u64,
    loader: u64,
    signalling: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worth::WorthLog;
    use viral_swarm::shadow::ShadowCounts;

    #[test]
    fn the_snapshot_has_the_names_of_the_contract() {
        let stats = Stats::default();
        stats.add_answer(AnswerKind::Thin, "peer-near");
        stats.add_sent(Cause::Pieces, 7);
        let mut tracker = TrackerStats { seeders: 2, ..TrackerStats::default() };
        tracker.reported.from_peers = 9;
        tracker.connect_failures.insert("no_path", 3);
        let pays = WorthLog::new().snapshot(ShadowCounts { thin: 4, full: 1 });
        let beside = Beside { stun: None, cluster: None, webtorrent: None, pays };
        let json = serde_json::to_value(stats.snapshot(&tracker, Vec::new(), 5, beside)).unwrap();
        assert_eq!(json["answers"], serde_json::json!({ "full": 0, "thin": 1, "plain": 0 }));
        assert_eq!(json["reasons"]["thin"]["peer-near"], 1);
        assert_eq!(json["origin_bytes"], serde_json::json!({ "documents": 0, "assets": 0, "pieces": 7, "loader": 0, "signalling": 0 }));
        let tiers = serde_json::json!({ "address": 0, "site": 0, "prefix": 0, "network": 0, "country": 0, "continent": 0, "anyone": 0 });
        assert_eq!(json["matches_by_tier"], tiers);
        assert_eq!((&json["peer_bytes"], &json["stun"]), (&9.into(), &serde_json::Value::Null));
        assert_eq!(json["connect_failures_by_cause"], serde_json::json!({ "no_path": 3 }));
        assert_eq!(json["pays"], serde_json::json!({ "trials": [], "shadow": { "thin": 4, "full": 1 } }));
        assert_eq!(json["doctor"], serde_json::json!({ "visits": 0, "bad": {}, "limited": {} }));
        assert_eq!(json["pages"], serde_json::json!([]));
        assert_eq!(json["peer_bytes_source"], "reported by visitors");
        assert_eq!((&json["seeders"], &json["leechers"], &json["bans"], &json["uptime_s"]), (&2.into(), &0.into(), &0.into(), &5.into()));
    }
}
