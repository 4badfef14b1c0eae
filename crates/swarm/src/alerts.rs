//! What an operator should know, in plain words: what is wrong, where, and what to do about it.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::{
    history::Counters,
    limits::{ALERT_NETWORKS_MAX, ALERT_ORIGIN_PERCENT, ALERT_VISITS_MIN, REACHED_VISITS_MIN, UNREACHED_PERCENT},
    reached::{Network, Obstacle, ReachCounts},
};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Visitors lose something, or soon will.
    Warning,
    /// Worth knowing.
    Notice,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of thing it is: the same as long as it is there.
    pub kind: &'static str,
    /// What is so, with its numbers.
    pub says: String,
    /// What to do about it.
    pub todo: &'static str,
}

/// A page whose thin visits still take much from the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costly {
    /// Its path.
    pub page: String,
    /// The asset that costs most.
    pub asset: String,
    /// What thin visits took of that from the origin, in bytes.
    pub bytes: u64,
    /// What the page's visitors took from each other, in bytes.
    pub peer_bytes: u64,
    /// Why, in the name of the statistics.
    pub why: &'static str,
}

/// A page and an engine in which nobody is answered thin for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotWorthIt {
    /// Path of the page.
    pub page: String,
    /// Name of the engine.
    pub engine: &'static str,
    /// What spoke against it, in the name of the statistics.
    pub against: &'static str,
    /// Until it is tried again, in seconds.
    pub again_s: u64,
}

/// The servers of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterFacts {
    /// What is common to them can be reached.
    pub is_connected: bool,
    /// Whether a new version waits here until others have it.
    pub is_waiting: bool,
}

/// All that is looked at.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What was counted within the last hour.
    pub hour: Counters,
    /// The most frequent reason for answers that are not thin since the start, and how often.
    pub reason: Option<(&'static str, u64)>,
    /// Whether visitors reach anybody.
    pub reached: ReachCounts,
    /// Networks whose visitors reach nobody, the most visitors first.
    pub unreached: Vec<(Network, ReachCounts)>,
    /// Where thin answers do not pay.
    pub not_worth_it: Vec<NotWorthIt>,
    /// Pages that still cost the origin much, the most first.
    pub costly: Vec<Costly>,
    /// None where there is one server.
    pub cluster: Option<ClusterFacts>,
}

/// Reasons that the operator chose.
const CHOSEN: [&str; 4] = ["quiet-hours", "shadow", "holdout", "ramp"];

/// What is to be said, the worst first.
#[must_use]
pub fn alerts(facts: &Facts) -> Vec<Alert> {
    let mut alerts = Vec::new();
    alerts.extend(unreached(facts));
    alerts.extend(facts.cluster.and_then(cluster));
    alerts.extend(faults(&facts.hour));
    alerts.extend(facts.not_worth_it.iter().map(not_worth_it));
    alerts.extend(never_thin(facts));
    alerts.extend(facts.costly.iter().find_map(costly));
    alerts.sort_by_key(|alert| alert.severity);
    alerts
}

/// Whether so many of a place reach nobody that it is not chance.
fn is_cut_off(counts: &ReachCounts) -> bool {
    counts.visitors >= REACHED_VISITS_MIN && counts.unreached_percent() >= UNREACHED_PERCENT
}

fn unreached(facts: &Facts) -> Vec<Alert> {
    let named: Vec<_> = facts.unreached.iter().filter(|(_, counts)| is_cut_off(counts)).take(ALERT_NETWORKS_MAX).collect();
    if named.is_empty() && is_cut_off(&facts.reached) {
        let says = format!(
            "{} % of thin visitors did not reach any peer ({} of {}), spread over many networks.",
            facts.reached.unreached_percent(),
            facts.reached.unreached(),
            facts.reached.visitors
        );
        let todo = "See that UDP to the ports of --stun-listen is open, or keep visitors nearer to each other with --reach.";
        return vec![Alert { severity: Severity::Warning, kind: "unreached", says, todo }];
    }
    named.into_iter().map(|(network, counts)| unreached_in(*network, counts)).collect()
}

fn unreached_in(network: Network, counts: &ReachCounts) -> Alert {
    let [no_candidate, no_path, _] = counts.unreached;
    let most = [(Obstacle::NoCandidate, no_candidate), (Obstacle::NoPath, no_path)].into_iter().max_by_key(|(_, count)| *count);
    let obstacle = most.filter(|(_, count)| 2 * count >= counts.unreached()).map_or(Obstacle::Other, |(obstacle, _)| obstacle);
    let (seems, todo) = match obstacle {
        Obstacle::NoCandidate => (
            format!("browsers in {network} tell no address of their own"),
            "A policy may forbid it: see the guide's page for administrators, or let a native peer there give with `viral seed`.",
        ),
        Obstacle::NoPath => (
            format!("UDP seems blocked in {network}"),
            "Let somebody there open /.viral/doctor; until UDP passes there, --sites can mark the network off, so that nobody waits.",
        ),
        Obstacle::Other => (
            format!("connections of {network} fail and nobody says why"),
            "Let somebody there open /.viral/doctor, which says what stands in the way.",
        ),
    };
    let says = format!(
        "{} % of thin visitors did not reach any peer ({} of {}): {seems}.",
        counts.unreached_percent(),
        counts.unreached(),
        counts.visitors
    );
    Alert { severity: Severity::Warning, kind: "unreached", says, todo }
}

fn cluster(facts: ClusterFacts) -> Option<Alert> {
    if !facts.is_connected {
        let says =
            "The server of --cluster cannot be reached: this server goes on alone, and its visitors meet only each other.".to_owned();
        let todo = "See that Redis runs and can be reached from here; this server joins again by itself.";
        return Some(Alert { severity: Severity::Warning, kind: "cluster-alone", says, todo });
    }
    facts.is_waiting.then(|| Alert {
        severity: Severity::Notice,
        kind: "version-waits",
        says: "A new version is here and waits until all servers have it, so that no visitor gets a mix.".to_owned(),
        todo: "Deploy it to the other servers; a server that is gone is not waited for.",
    })
}

fn faults(hour: &Counters) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if hour.refused > 0 {
        alerts.push(Alert {
            severity: Severity::Warning,
            kind: "full",
            says: format!(
                "The tracker was full {} times within the last hour; those visitors got the app from the origin alone.",
                hour.refused
            ),
            todo: "Put a second server beside this one: see the guide, \"Several servers\".",
        });
    }
    if hour.bans > 0 {
        let (peers, were) = if hour.bans == 1 { ("peer", "was") } else { ("peers", "were") };
        alerts.push(Alert {
            severity: Severity::Notice,
            kind: "bans",
            says: format!(
                "{} {peers} {were} dropped within the last hour for forged pieces. Nobody ran any of them: each piece is verified.",
                hour.bans
            ),
            todo: "Nothing, unless it goes on for days.",
        });
    }
    alerts
}

fn not_worth_it(trial: &NotWorthIt) -> Alert {
    let NotWorthIt { page, engine, against, again_s } = trial;
    let because = match *against {
        "slower" => "thin visits took longer",
        "slow-tail" => "the slowest thin visits took longer",
        _ => "the origin sent hardly less",
    };
    Alert {
        severity: Severity::Notice,
        kind: "not-worth-it",
        says: format!("Nobody is answered thin at {page} in {engine}, since {because}; it is tried again in {} min.", again_s.div_ceil(60)),
        todo: "Nothing: this guards visitors. The guide's \"Does it pay?\" tells what to look at if it stays so.",
    }
}

fn never_thin(facts: &Facts) -> Option<Alert> {
    let Counters { full, thin, plain, .. } = facts.hour;
    let visits = full + thin + plain;
    if thin > 0 || visits < ALERT_VISITS_MIN {
        return None;
    }
    let (reason, _) = facts.reason.filter(|(reason, _)| !CHOSEN.contains(reason))?;
    Some(Alert {
        severity: Severity::Notice,
        kind: "never-thin",
        says: format!("None of {visits} visits within the last hour was answered thin; the most frequent reason is \"{reason}\"."),
        todo: "The guide's page on troubleshooting tells what each reason means and what to do.",
    })
}

fn costly(page: &Costly) -> Option<Alert> {
    let Costly { page, asset, bytes, peer_bytes, why } = page;
    let percent = 100 * bytes / bytes.saturating_add(*peer_bytes).max(1);
    let todo = match *why {
        "no-peer" => "Nobody gives these pieces in time: more seeders help, such as `viral seed` on a machine of yours.",
        "past-worker" => "The page asks for it before its worker is there; ask for it after `load`, or from a worker.",
        _ => return None,
    };
    (percent >= ALERT_ORIGIN_PERCENT && *bytes >= 16 * 1024 * 1024).then(|| Alert {
        severity: Severity::Notice,
        kind: "origin-asset",
        says: format!("Thin visits of {page} still took {} MB of {asset} from the origin.", bytes / 1_000_000),
        todo,
    })
}
