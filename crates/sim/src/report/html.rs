//! The result as one page without any other file.

use viral_netsim::plot::{Line, Plot, STYLE};

use super::{Comparison, Runs, table};
use crate::clock::seconds;
use crate::plan::Role;
use crate::world::RunOutcome;

/// Points of a curve at most, so that a million visitors make a page of some kilobytes.
const POINTS_MAX: usize = 400;

/// The page.
#[must_use]
pub fn page(comparison: &Comparison, runs: &Runs) -> String {
    let share = both("Share of visitors with the app, by time since their arrival", "s", &runs.viral, &runs.plain, times, 100.0, "%");
    let origin = both("Bytes that left the origin", "s", &runs.viral, &runs.plain, origin, 0.0, "MB");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>viral simulate</title><style>{STYLE}</style></head>\n<body>\n<h1>With viral and without</h1>\n<pre>{}</pre>\n\
         <h2>When the app is there</h2>\n{}\n<h2>What left the origin</h2>\n{}\n</body>\n</html>\n",
        escaped(&table(comparison)),
        share.svg(),
        origin.svg()
    )
}

type Points = Vec<(f64, f64)>;

fn both(
    title: &str,
    x: &'static str,
    viral: &RunOutcome,
    plain: &RunOutcome,
    of: fn(&RunOutcome) -> Points,
    y_end: f64,
    unit: &'static str,
) -> Plot {
    let line = |class, name: &str, points| Line { class, name: name.to_owned(), points, is_area: false };
    let (with, without) = (of(viral), of(plain));
    let end = |of: fn(&(f64, f64)) -> f64| with.iter().chain(&without).map(of).fold(0.0, f64::max);
    let (x_end, highest) = (end(|point| point.0).max(1e-9), end(|point| point.1).max(1e-9));
    Plot {
        title: title.to_owned(),
        x_name: x,
        x_end,
        y_end: if y_end > 0.0 { y_end } else { highest },
        y_unit: unit,
        lines: vec![line("a", "with viral", thinned(with)), line("b", "without", thinned(without))],
        marks: Vec::new(),
    }
}

fn times(run: &RunOutcome) -> Points {
    let honest = run.visitors.iter().filter(|visitor| visitor.role == Role::Honest);
    let mut times: Vec<f64> = honest.clone().filter_map(|visitor| Some(seconds(visitor.done? - visitor.arrived))).collect();
    times.sort_by(f64::total_cmp);
    let count = honest.count().max(1) as f64;
    std::iter::once((0.0, 0.0)).chain(times.into_iter().enumerate().map(|(index, at)| (at, 100.0 * (index + 1) as f64 / count))).collect()
}

fn origin(run: &RunOutcome) -> Points {
    run.samples.iter().map(|(at, bytes)| (seconds(*at), *bytes as f64 / 1e6)).collect()
}

fn thinned(points: Points) -> Points {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.last().copied();
    points.into_iter().step_by(step).chain(last).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
