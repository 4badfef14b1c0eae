//! The result as a table, as JSON and as a page.

pub mod html;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::measures::Measures;
use crate::outcome::{Outcome, Target, Verdict};
use crate::packet_loop::Sample;
use crate::processor::IDLE_MIN_PCT;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::visit::VisitResult;

/// One JSON object.
#[must_use]
pub fn json(outcome: &Outcome) -> Value {
    let measures = outcome.measures();
    let mut all = json!({
        "scenario": outcome.plan.name(),
        "peers": outcome.plan.visitors.len(),
        "app_bytes": outcome.plan.app_bytes,
        "scale": outcome.scale,
        "runs": outcome.viral.len(),
        "bound_s": outcome.plan.fluid_bound.bound_s(),
        "offload_bound": outcome.plan.offload_bound,
        "nginx_is_measured": !outcome.nginx.is_empty(),
        "nginx_computed_s": outcome.plan.fluid_bound.server_alone_s(),
        "nginx": outcome.rival(),
        "webtorrent": outcome.duel().map(|duel| duel.webtorrent),
        "beside_webtorrent": outcome.duel().map(|duel| duel.rows.into_iter().map(beside).collect::<Vec<_>>()),
        "figures": outcome.figures(),
        "verdict": outcome.verdict(),
        "origin_bytes": outcome.viral.iter().map(|run| run.server.origin_bytes).collect::<Vec<_>>(),
        "timeline": outcome.viral.first().map(timeline),
        "visits": outcome.viral.iter().map(|run| &run.visits).collect::<Vec<_>>(),
    });
    if let (Value::Object(all), Ok(Value::Object(measures))) = (&mut all, serde_json::to_value(&measures)) {
        all.extend(measures);
        // The run that decides whether there is a verdict at all.
        all.insert("cpu_idle_pct".to_owned(), json!(outcome.idle_pct()));
    }
    all
}

/// One row of viral beside WebTorrent.
fn beside((name, [viral, webtorrent]): (&str, [Option<f64>; 2])) -> Value {
    json!({ "name": name, "viral": viral, "webtorrent": webtorrent })
}

/// What the network had delivered, second by second.
fn timeline(run: &Run) -> Value {
    let mut next_s = 0.0;
    let seconds = run.timeline.iter().filter(|(at_s, _)| {
        let is_next = *at_s >= next_s;
        next_s += if is_next { 1.0 } else { 0.0 };
        is_next
    });
    let row = |(at_s, sample): &(f64, Sample)| {
        let counts = &sample.counts;
        json!({
            "s": (at_s * 10.0).round() / 10.0,
            "from_peers": counts.from_peers_bytes,
            "from_origin": counts.from_origin_bytes,
            "origin_up": sample.origin_up_bytes,
            "dropped_at_own_line": counts.dropped_own,
            "delivered": counts.delivered,
            "dropped": counts.dropped_queue + counts.dropped_loss + counts.dropped_unreachable,
        })
    };
    seconds.map(row).collect()
}

/// The table for a terminal.
#[must_use]
pub fn text(outcome: &Outcome) -> String {
    let measures = outcome.measures();
    let mut text = format!("{}\n\n", outcome.plan.description);
    let mut row = |name: &str, viral: String, nginx: String| {
        let _ = writeln!(text, "{name:<36} {viral:>12} {nginx:>12}");
    };
    let rival = outcome.rival();
    row("", "viral".to_owned(), if rival.is_some() { "nginx".to_owned() } else { "nginx*".to_owned() });
    for (name, pick) in ROWS.iter().filter(|(_, pick)| pick(&measures).or(rival.as_ref().and_then(pick)).is_some()) {
        let nginx = match &rival {
            Some(rival) => shown(pick(rival)),
            None if *name == "last completion, s" => shown(Some(outcome.plan.fluid_bound.server_alone_s())),
            None => "-".to_owned(),
        };
        row(name, shown(pick(&measures)), nginx);
    }
    row("fluid bound, s", shown(Some(outcome.plan.fluid_bound.bound_s())), String::new());
    let (done, of) = (measures.done, measures.visitors);
    row(
        "visitors with the app",
        format!("{done}/{of}"),
        rival.map_or_else(String::new, |rival| format!("{}/{}", rival.done, rival.visitors)),
    );
    if outcome.nginx.is_empty() {
        text.push_str("* computed as N F / u_s: it would take longer than three minutes\n");
    }
    text.push_str(&if outcome.plan.scenario == Scenario::Engines { kinds(outcome) } else { browsers(outcome) });
    for (error, count) in failures(outcome) {
        let _ = writeln!(text, "  {count} without the app: {error}");
    }
    text.push('\n');
    for figure in outcome.figures() {
        let (sign, target) = match figure.target {
            Target::AtMost(most) => ("<=", most),
            Target::AtLeast(least) => (">=", least),
        };
        let is_met = if figure.is_met() { "met" } else { "MISSED" };
        let _ = writeln!(text, "{:<36} {:>12} {sign} {:<9} {is_met}", figure.name, shown(figure.value), shown(Some(target)));
    }
    if let Some(duel) = outcome.duel() {
        let _ = writeln!(text, "\n{:<36} {:>12} {:>12}", "beside WebTorrent", "viral", "WebTorrent");
        for (name, [viral, webtorrent]) in duel.rows {
            let _ = writeln!(text, "{name:<36} {:>12} {:>12}", shown(viral), shown(webtorrent));
        }
        text.push_str(duel_warning(&duel.webtorrent));
    }
    let _ = writeln!(text, "\n{}", verdict(outcome));
    text
}

/// One line for each browser of the first run; nothing where there were none.
fn browsers(outcome: &Outcome) -> String {
    let mut text = String::new();
    for visit in outcome.viral.first().iter().flat_map(|run| &run.visits) {
        let Some(browser) = &visit.browser else { continue };
        let (answer, megabytes) = (visit.got.answer.as_deref().unwrap_or("-"), |bytes: u64| bytes as f64 / 1e6);
        let took = shown(visit.done_s.map(|_| visit.got.ms_total as f64 / 1e3));
        let (peers, origin) = (megabytes(visit.got.bytes_from_peers), megabytes(visit.got.bytes_from_origin));
        let _ = writeln!(text, "  {browser:<9} {answer:<6} {took:>8} s, {peers:.2} MB from other visitors, {origin:.2} MB from the origin");
    }
    text
}

/// One line for each kind of program of each run: how many had the app and when, and what they took from whom.
fn kinds(outcome: &Outcome) -> String {
    let mut text = String::new();
    for run in &outcome.viral {
        let mut kinds: BTreeMap<&str, Vec<&VisitResult>> = BTreeMap::new();
        for visit in &run.visits {
            kinds.entry(visit.browser.as_deref().unwrap_or("native")).or_default().push(visit);
        }
        for (kind, visits) in kinds {
            let mut done: Vec<f64> = visits.iter().filter_map(|visit| visit.done_s).collect();
            done.sort_by(f64::total_cmp);
            let plain = visits.iter().filter(|visit| visit.got.answer.as_deref() == Some("plain")).count();
            let (peers, origin) = visits
                .iter()
                .fold((0, 0), |(peers, origin), visit| (peers + visit.got.bytes_from_peers, origin + visit.got.bytes_from_origin));
            let share = 100.0 * peers as f64 / ((peers + origin) as f64).max(1.0);
            let megabytes = origin as f64 / 1e6 / visits.len() as f64;
            let _ = writeln!(
                text,
                "  {kind:<7} {}/{} have the app, half of them after {} s, all after {} s; {share:.0} % from others, {megabytes:.2} MB each from the origin; {plain} went to the plain page",
                done.len(),
                visits.len(),
                shown(done.get(done.len() / 2).copied()),
                shown(done.last().copied()),
            );
        }
    }
    text
}

/// Why honest visitors of any run did not get the app, and how many of them.
fn failures(outcome: &Outcome) -> BTreeMap<String, usize> {
    let mut failures = BTreeMap::new();
    for visit in outcome.viral.iter().flat_map(|run| &run.visits).filter(|visit| visit.is_honest && visit.done_s.is_none()) {
        let too_late = || if visit.got.ok { "later than the limit".to_owned() } else { "no answer within the limit".to_owned() };
        let error = visit.got.error.clone().unwrap_or_else(too_late);
        // What follows is about one visitor's files; how far each one was makes every line different.
        let error = error.split(';').next().unwrap_or_default();
        let kind = error.rsplit_once(" pieces here: ").map_or(error, |(_, why)| why);
        *failures.entry(kind.to_owned()).or_default() += 1;
    }
    failures
}

/// What must be said where the processor was too busy for the rival.
fn duel_warning(webtorrent: &Measures) -> &'static str {
    let is_busy = webtorrent.cpu_idle_pct < IDLE_MIN_PCT;
    if is_busy { "no comparison: the processor was too busy for WebTorrent; try fewer --peers, or --scale 0.5\n" } else { "" }
}

/// The verdict in one sentence.
#[must_use]
pub fn verdict(outcome: &Outcome) -> String {
    let (runs, idle) = (outcome.viral.len(), outcome.idle_pct());
    let of = if runs == 1 { "one run".to_owned() } else { format!("medians of {runs} runs") };
    match outcome.verdict() {
        Verdict::Met => format!("every target met ({of}, processor {idle:.0} % idle)"),
        Verdict::Missed => format!("a target is missed ({of}, processor {idle:.0} % idle)"),
        Verdict::Busy => {
            format!("no verdict: the processor was only {idle:.0} % idle, so it may be the limit; try --scale {}", outcome.scale / 2.0)
        }
    }
}

type Row = (&'static str, fn(&Measures) -> Option<f64>);

/// What both sides of a comparison show.
const ROWS: &[Row] = &[
    ("last completion, s", |one| one.last_s),
    ("median completion, s", |one| one.median_s),
    ("time to app p50, s", |one| one.app_p50_s),
    ("time to app p95, s", |one| one.app_p95_s),
    ("origin payload / one copy", |one| one.origin_payload_ratio),
    ("other origin bytes per visitor", |one| one.origin_overhead_bytes_per_visitor),
    ("share from other visitors", |one| one.offload),
    ("bytes over the shared line / copy", |one| one.line_ratio),
    ("of the fullest line", |one| one.fullest_line_ratio),
    ("forged bytes sent", |one| one.forged_bytes_sent),
    ("forgers banned, by all visitors", |one| one.forged_bytes_sent.map(|_| one.bans as f64)),
    ("forgers dropped by the tracker", |one| one.forged_bytes_sent.map(|_| one.bans_by_tracker as f64)),
    ("processor idle, %", |one| Some(one.cpu_idle_pct)),
    ("network: us of processor per packet", |one| Some(one.network_us_per_packet)),
];

fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 1000.0 => format!("{value:.0}"),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}
