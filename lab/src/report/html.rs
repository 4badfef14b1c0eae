//! The result as one page without any other file: figures, and three plots of the first run.

use std::fmt::Write as _;

use viral_netsim::plot::{Line, Plot, STYLE};

use super::{ROWS, duel_warning, shown, verdict};
use crate::network::plan::ORIGIN;
use crate::outcome::{Outcome, Target, Verdict};
use crate::run::Run;

/// Width of a bar of time in the plots, in seconds.
const BIN_S: f64 = 1.0;

/// The page.
#[must_use]
pub fn page(outcome: &Outcome) -> String {
    let plan = &outcome.plan;
    let name = plan.name();
    let class = match outcome.verdict() {
        Verdict::Met => "met",
        Verdict::Missed => "missed",
        Verdict::Busy => "busy",
    };
    let mut body = format!("<h1>{name}: {} visitors, {:.2} MB</h1>\n", plan.visitors.len(), plan.app_bytes as f64 / 1e6);
    let scaled = if outcome.scale == 1.0 { String::new() } else { format!(" Here every rate is {} of that.", outcome.scale) };
    let _ = write!(body, "<p>{}{scaled}</p>\n<p class=\"verdict {class}\">{}</p>\n", plan.description, verdict(outcome));
    body.push_str(&figures(outcome));
    body.push_str(&rows(outcome));
    body.push_str(&duel(outcome));
    if let Some(run) = outcome.viral.first() {
        let _ = write!(body, "<h2>Who has the app, over time</h2>\n{}", completions(outcome, run).svg());
        let _ = write!(body, "<h2>Where the bytes come from</h2>\n{}", sources(run).svg());
        let _ = write!(body, "<h2>How full the origin's uplink is</h2>\n{}", uplink(outcome, run).svg());
    }
    body.push_str("<p class=\"note\">Bytes on the plots are whole IP packets as the network delivered them. The fluid bound counts the app's bytes alone. ");
    body.push_str("Plots show the first run.</p>");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>viral lab: {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
}

fn figures(outcome: &Outcome) -> String {
    let mut table =
        "<h2>Against the targets</h2>\n<table><thead><tr><th>figure</th><th>measured</th><th>target</th><th></th></tr></thead><tbody>\n"
            .to_owned();
    for figure in outcome.figures() {
        let target = match figure.target {
            Target::AtMost(most) => format!("≤ {}", shown(Some(most))),
            Target::AtLeast(least) => format!("≥ {}", shown(Some(least))),
        };
        let (class, word) = if figure.is_met() { ("met", "met") } else { ("missed", "missed") };
        let value = shown(figure.value);
        let _ = writeln!(table, "<tr><td>{}</td><td>{value}</td><td>{target}</td><td class=\"{class}\">{word}</td></tr>", figure.name);
    }
    table.push_str("</tbody></table>\n");
    table
}

fn rows(outcome: &Outcome) -> String {
    let (measures, rival) = (outcome.measures(), outcome.rival());
    let head = if rival.is_some() { "nginx, same files and network" } else { "nginx, computed as N F / u_s" };
    let mut table = format!("<h2>Measured</h2>\n<table><thead><tr><th></th><th>viral</th><th>{head}</th></tr></thead><tbody>\n");
    for (name, pick) in ROWS.iter().filter(|(_, pick)| pick(&measures).or(rival.as_ref().and_then(pick)).is_some()) {
        let nginx = match &rival {
            Some(rival) => shown(pick(rival)),
            None if *name == "last completion, s" => shown(Some(outcome.plan.fluid_bound.server_alone_s())),
            None => "-".to_owned(),
        };
        let _ = writeln!(table, "<tr><td>{name}</td><td>{}</td><td>{nginx}</td></tr>", shown(pick(&measures)));
    }
    let _ = writeln!(
        table,
        "<tr><td>fluid bound, s</td><td>{}</td><td></td></tr></tbody></table>",
        shown(Some(outcome.plan.fluid_bound.bound_s()))
    );
    table
}

fn duel(outcome: &Outcome) -> String {
    let Some(duel) = outcome.duel() else { return String::new() };
    let mut table = "<h2>Beside WebTorrent, same files and network</h2>\n<table><thead><tr><th></th><th>viral</th><th>WebTorrent</th></tr></thead><tbody>\n".to_owned();
    for (name, [viral, webtorrent]) in duel.rows {
        let _ = writeln!(table, "<tr><td>{name}</td><td>{}</td><td>{}</td></tr>", shown(viral), shown(webtorrent));
    }
    let _ = writeln!(table, "</tbody></table>\n<p class=\"note\">{}</p>", duel_warning(&duel.webtorrent));
    table
}

fn completions(outcome: &Outcome, run: &Run) -> Plot {
    let visitors = outcome.measures().visitors;
    let bound_s = outcome.plan.fluid_bound.bound_s();
    let mut lines = vec![steps("a", "viral".to_owned(), run, visitors)];
    let mut marks = vec![(bound_s, format!("bound {} s", shown(Some(bound_s))))];
    match outcome.nginx.first() {
        Some(nginx) => lines.push(steps("b", "nginx".to_owned(), nginx, visitors)),
        None => marks[0].1.push_str(&format!(" (nginx alone: {} s)", shown(Some(outcome.plan.fluid_bound.server_alone_s())))),
    }
    lines.extend(outcome.webtorrent.first().map(|run| steps("c", "WebTorrent".to_owned(), run, visitors)));
    let last = lines.iter().filter_map(|line| Some(line.points.last()?.0)).fold(bound_s, f64::max);
    // Everybody who is done stays done.
    for line in &mut lines {
        let height = line.points.last().map_or(0.0, |point| point.1);
        line.points.push((last * 1.05, height));
    }
    let title = "Share of visitors who have the app, over seconds since the first arrival".to_owned();
    Plot { title, x_name: "seconds since the first arrival", x_end: last * 1.05, y_end: 100.0, y_unit: "%", lines, marks }
}

/// A step up at each completion.
fn steps(class: &'static str, name: String, run: &Run, visitors: usize) -> Line {
    let mut ends: Vec<f64> = run.visits.iter().filter(|visit| visit.is_honest).filter_map(|visit| visit.done_s).collect();
    ends.sort_by(f64::total_cmp);
    let share = |done: usize| 100.0 * done as f64 / visitors.max(1) as f64;
    let mut points = vec![(0.0, 0.0)];
    for (before, end) in ends.iter().enumerate() {
        points.extend([(*end, share(before)), (*end, share(before + 1))]);
    }
    Line { class, name, points, is_area: false }
}

fn sources(run: &Run) -> Plot {
    let origin = rates(run, |sample| sample.counts.from_origin_bytes);
    let both = rates(run, |sample| sample.counts.from_origin_bytes + sample.counts.from_peers_bytes);
    let line = |class, name: &str, points| Line { class, name: name.to_owned(), points, is_area: true };
    let y_end = both.iter().map(|point| point.1).fold(0.1, f64::max) * 1.1;
    Plot {
        title: "Megabits per second delivered to visitors, by source, over seconds".to_owned(),
        x_name: "seconds since the first arrival",
        x_end: end_of(run),
        y_end,
        y_unit: "Mbit/s",
        lines: vec![line("a", "from other visitors, on top", both), line("b", "from the origin", origin)],
        marks: Vec::new(),
    }
}

fn uplink(outcome: &Outcome, run: &Run) -> Plot {
    let mbit = outcome.plan.network.endpoints[ORIGIN].up.rate_bps as f64 / 1e6;
    let points = rates(run, |sample| sample.origin_up_bytes).into_iter().map(|(at, rate)| (at, 100.0 * rate / mbit)).collect();
    Plot {
        title: "Use of the origin's uplink in per cent, over seconds".to_owned(),
        x_name: "seconds since the first arrival",
        x_end: end_of(run),
        y_end: 105.0,
        y_unit: "%",
        lines: vec![Line { class: "b", name: format!("of {} Mbit/s", shown(Some(mbit))), points, is_area: true }],
        marks: Vec::new(),
    }
}

/// Growth of a counter in Mbit/s, by bars of time, up to the last completion.
fn rates(run: &Run, pick: impl Fn(&crate::packet_loop::Sample) -> u64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let Some(first) = run.timeline.first() else { return points };
    let (mut from_s, mut from) = (first.0, pick(&first.1));
    for (at_s, sample) in run.timeline.iter().filter(|(at_s, _)| *at_s <= end_of(run)) {
        if at_s - from_s >= BIN_S {
            let bytes = pick(sample).saturating_sub(from);
            points.push((*at_s, bytes as f64 * 8.0 / 1e6 / (at_s - from_s)));
            (from_s, from) = (*at_s, pick(sample));
        }
    }
    points
}

/// A little after the last completion; where nobody was done, the whole run.
fn end_of(run: &Run) -> f64 {
    let whole = run.timeline.last().map_or(1.0, |(at_s, _)| *at_s);
    if run.took_s > 0.0 && run.visits.iter().filter(|visit| visit.is_honest).all(|visit| visit.done_s.is_some()) {
        run.took_s + 1.0
    } else {
        whole
    }
}
