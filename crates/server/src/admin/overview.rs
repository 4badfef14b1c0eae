//! `/overview`: what the dashboard shows.

use std::collections::BTreeMap;

use serde::Serialize;
use viral_swarm::alerts::{Alert, ClusterFacts, Facts, alerts};
use viral_swarm::history::{Counters, Point, TimesSummary};
use viral_swarm::limits::ALERT_NETWORKS_MAX;
use viral_swarm::page_costs::PageSnapshot;
use viral_swarm::tracker::{Matches, MatchesByTier};
use viral_swarm::worth::PaysSnapshot;

use crate::app::App;
use crate::cluster_stats::ClusterSnapshot;
use crate::limits::WATCHED_PAGES_MAX;
use crate::stats::{DoctorNumbers, KINDS, Reasons, by_answer};
use crate::stun::StunNumbers;
use crate::watch::Remembered;
use crate::webtorrent::WebTorrentNumbers;

/// One site at one moment. What it costs does not grow with the visitors.
#[derive(Debug, Serialize)]
pub(crate) struct Overview {
    /// The clock of `hour` and `day`, in milliseconds since the site was opened.
    now_ms: u64,
    uptime_s: u64,
    version: VersionNumbers,
    /// Since the start.
    counted: Counters,
    sessions: usize,
    /// Peers to whom one visitor more could be introduced now.
    ready: usize,
    thin_visits: usize,
    /// By answer, then by reason.
    reasons: Reasons,
    /// By cause.
    origin_bytes: BTreeMap<&'static str, u64>,
    tiers: MatchesByTier,
    matches: Matches,
    connect_failures: BTreeMap<&'static str, u64>,
    /// By answer: of the last hour.
    times: BTreeMap<&'static str, TimesSummary>,
    /// Visitors of whose connections something is known, within the last hour, and those of them who reached nobody.
    reached: ReachNumbers,
    alerts: Vec<Alert>,
    /// Those of most bytes.
    pages: Vec<PageSnapshot>,
    doctor: DoctorNumbers,
    pays: PaysSnapshot,
    cluster: Option<ClusterSnapshot>,
    stun: Option<StunNumbers>,
    webtorrent: Option<WebTorrentNumbers>,
    /// Every 15 s of the last hour.
    hour: Vec<Point>,
    /// Every 5 min of the last day.
    day: Vec<Point>,
}

#[derive(Debug, Serialize)]
struct VersionNumbers {
    tag: String,
    /// How long it has been served, in seconds; since the start at most.
    since_s: u64,
    /// Peers that hold pages as they are now.
    ready: u64,
    /// Peers that hold pages as they were.
    ready_older: u64,
}

#[derive(Debug, Serialize)]
struct ReachNumbers {
    visitors: u64,
    unreached: u64,
}

impl Overview {
    /// Of a site; points only if they ended after `since_ms`.
    pub(super) fn of(app: &App, since_ms: u64) -> Self {
        let numbers = app.numbers();
        let standing = app.hub.standing(ALERT_NETWORKS_MAX);
        let Remembered { now_ms, hour, day, last_hour, times, version: (tag, version_ms) } = app.watch.remembered(since_ms);
        let pages = app.watch.pages(|| app.hub.page_snapshots(WATCHED_PAGES_MAX));
        let beside = app.beside();
        let not_thin = numbers.counted.answers.iter().filter(|((kind, _), _)| *kind != "thin").max_by_key(|(_, count)| **count);
        let facts = Facts {
            hour: last_hour,
            reason: not_thin.map(|((_, reason), count)| (*reason, *count)),
            reached: standing.reached,
            unreached: standing.unreached,
            not_worth_it: beside.pays.not_worth_it(),
            costly: pages.iter().filter_map(PageSnapshot::costly).collect(),
            cluster: beside
                .cluster
                .as_ref()
                .map(|cluster| ClusterFacts { is_connected: cluster.connected, is_waiting: cluster.waiting.is_some() }),
        };
        let (ready, ready_older) = standing.ready_by_age;
        Self {
            now_ms,
            uptime_s: app.started.elapsed().as_secs(),
            version: VersionNumbers { tag, since_s: now_ms.saturating_sub(version_ms) / 1_000, ready, ready_older },
            counted: app.counters_with(&numbers.tracker),
            sessions: numbers.tracker.sessions,
            ready: numbers.tracker.ready,
            thin_visits: numbers.tracker.tickets,
            reasons: by_answer(&numbers.counted.answers),
            origin_bytes: numbers.counted.sent.into_iter().collect(),
            tiers: numbers.tracker.totals.matches_by_tier,
            matches: numbers.tracker.totals.matches,
            connect_failures: numbers.tracker.totals.connect_failures,
            times: KINDS.into_iter().zip(times).map(|(kind, times)| (kind.as_token(), times)).collect(),
            reached: ReachNumbers { visitors: standing.reached.visitors, unreached: standing.reached.unreached() },
            alerts: alerts(&facts),
            pages: pages.to_vec(),
            doctor: numbers.counted.doctor,
            pays: beside.pays,
            cluster: beside.cluster,
            stun: beside.stun,
            webtorrent: beside.webtorrent,
            hour,
            day,
        }
    }
}
