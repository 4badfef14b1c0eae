//! One run of a plan: the network, a server, every visitor, and what was seen.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::packet_loop::{Account, Sample};
use crate::prepared_visitor::PreparedVisitor;
use crate::processor::Ticks;
use crate::scenario::Plan;
use crate::server::{self, Stats};
use crate::site::Site;
use crate::topology::Topology;
use crate::visit::{Stage, VisitResult, checked, torrent};

/// Who serves, and with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    /// `viral serve` and `viral get`.
    Viral,
    /// nginx and a plain client.
    Nginx,
    /// WebTorrent everywhere, its tracker and its first seeder at the origin.
    WebTorrent,
}

/// How often the processors' counters are read.
const TICKS_EVERY: Duration = Duration::from_millis(250);

/// What one run showed.
#[derive(Debug, Clone)]
pub struct Run {
    /// Every visitor, in the order of completion.
    pub visits: Vec<VisitResult>,
    /// The network's counters during the run; times in seconds after the first arrival.
    pub timeline: Vec<(f64, Sample)>,
    /// Share of idle processor time between the first arrival and the last completion, in per cent.
    pub cpu_idle_pct: f64,
    /// What the server counted: of WebTorrent its first seeder's payload alone, of nginx nothing.
    pub server: Stats,
    /// Bytes that forgers sent in place of pieces.
    pub forged_bytes_sent: u64,
    /// Bytes that came down the shared lines during the run.
    pub line_bytes: u64,
    /// What the network itself did and cost.
    pub account: Account,
    /// Seconds from the first arrival to the last completion.
    pub took_s: f64,
}

/// Runs `plan` once; everything it makes is below `folder` and gone from the kernel afterwards.
///
/// # Errors
/// When the network or the server cannot be made. A visitor that fails is a result, not an error.
pub fn run(plan: &Plan, site: &Site, contestant: Contestant, folder: &Path) -> anyhow::Result<Run> {
    let topology = Topology::build(&plan.network, &plan.homes, folder.to_owned())?;
    let server = match contestant {
        Contestant::Viral => server::start_viral(&topology, site, &plan.server_options)?,
        Contestant::Nginx => server::start_nginx(&topology, site)?,
        Contestant::WebTorrent => torrent::start_seeder(&topology, site)?,
    };
    let (prepared, settle) = PreparedVisitor::prepare(&topology, plan, contestant)?;
    let begins = Instant::now() + settle;
    let last_arrival_s = plan.visitors.iter().map(|visitor| visitor.arrives_s).fold(0.0, f64::max);
    let stage = Arc::new(Stage {
        begins,
        limit: begins + Duration::from_secs_f64(last_arrival_s + plan.limit_s),
        is_over: AtomicBool::new(false),
        site: site.clone(),
        folder: topology.folder.clone(),
        stay_s: plan.stay_s,
        checked: checked(plan.app_bytes),
    });
    let (report, reports) = mpsc::channel();
    let stays = plan.visitors.iter().enumerate().zip(prepared).map(|((index, &visitor), prepared)| {
        let (stage, report) = (Arc::clone(&stage), report.clone());
        let tell = move |visit| {
            let _ = report.send(visit);
        };
        topology.namespaces[visitor.endpoint].run(move || prepared.visit(&stage, (index, &visitor), contestant, tell))
    });
    let stays: Vec<_> = stays.collect();
    drop(report);
    std::thread::sleep(begins.saturating_duration_since(Instant::now()));
    let began_ns = topology.packet_loop.now_ns();
    let mut ticks = vec![(0.0, Ticks::now()?)];
    let mut visits = Vec::new();
    // A plain visitor cannot be stopped from outside; its own timeouts are a minute.
    let longest_stay_s = plan.visitors.iter().filter_map(|visitor| visitor.stays_s).fold(plan.stay_s, f64::max);
    let patience = stage.limit + Duration::from_secs_f64(longest_stay_s + 5.0);
    while visits.len() < plan.visitors.len() && Instant::now() < patience {
        visits.extend(reports.recv_timeout(TICKS_EVERY));
        if begins.elapsed().as_secs_f64() >= ticks.len() as f64 * TICKS_EVERY.as_secs_f64() {
            ticks.push((begins.elapsed().as_secs_f64(), Ticks::now()?));
        }
    }
    let took_s = visits.iter().filter_map(|visit: &VisitResult| visit.done_s).fold(0.0, f64::max);
    // Where somebody never was done, the machine was observed to the end.
    let is_everybody_done = visits.len() == plan.visitors.len() && visits.iter().all(|visit| visit.done_s.is_some() || !visit.is_honest);
    let cpu_idle_pct = idle_pct(&ticks, if is_everybody_done { took_s } else { f64::INFINITY });
    let counted = match contestant {
        Contestant::Viral => server::stats(topology.origin())?,
        Contestant::Nginx => Stats::default(),
        Contestant::WebTorrent => torrent::end_seeder(&server)?,
    };
    stage.is_over.store(true, Relaxed);
    let mut forged_bytes_sent = 0;
    for stay in stays {
        forged_bytes_sent += stay.wait()??;
    }
    drop(server);
    check(&mut visits, &stage)?;
    let account = topology.packet_loop.end()?;
    Ok(Run {
        line_bytes: line_bytes(&account, began_ns),
        timeline: timeline(&account, began_ns),
        visits,
        cpu_idle_pct,
        server: counted,
        forged_bytes_sent,
        account,
        took_s,
    })
}

/// Idle share between the first moment and the first one at or after `until_s`.
fn idle_pct(ticks: &[(f64, Ticks)], until_s: f64) -> f64 {
    let end = ticks.iter().find(|(at_s, _)| *at_s >= until_s).or(ticks.last());
    match (ticks.first(), end) {
        (Some((_, first)), Some((_, end))) => end.idle_pct_since(*first),
        _ => 100.0,
    }
}

/// Compares what visitors wrote with the origin's own bytes.
fn check(visits: &mut [VisitResult], stage: &Stage) -> anyhow::Result<()> {
    for visit in visits.iter_mut().filter(|visit| visit.done_s.is_some()) {
        let copy = stage.folder.join(format!("visitor-{}", visit.visitor));
        if copy.is_dir() {
            visit.forged_bytes = Some(stage.site.forged_bytes(&copy)?);
            std::fs::remove_dir_all(&copy)?;
        }
    }
    Ok(())
}

fn timeline(account: &Account, began_ns: u64) -> Vec<(f64, Sample)> {
    let during = account.samples.iter().filter(|sample| sample.at_ns >= began_ns);
    during.map(|sample| ((sample.at_ns - began_ns) as f64 / 1e9, *sample)).collect()
}

fn line_bytes(account: &Account, began_ns: u64) -> u64 {
    let before = account.samples.iter().rev().find(|sample| sample.at_ns <= began_ns).map_or(0, |sample| sample.gateway_down_bytes);
    account.samples.last().map_or(0, |last| last.gateway_down_bytes.saturating_sub(before))
}
