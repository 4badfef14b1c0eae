//! The table on the terminal.

use std::fmt::Write as _;

use super::Comparison;
use crate::net::Fidelity;
use crate::summary::{Summary, Unfinished};

/// What a person is told.
#[must_use]
pub fn table(comparison: &Comparison) -> String {
    let Comparison { about, app_bytes, viral, plain } = comparison;
    let mut text = String::new();
    if !about.is_empty() {
        let _ = writeln!(text, "{about}\n");
    }
    let row = |text: &mut String, name: &str, left: String, right: String| {
        // A string takes everything.
        let _ = writeln!(text, "{name:<34}{left:>16}{right:>16}");
    };
    row(&mut text, "", "with viral".into(), "without".into());
    row(&mut text, "visitors, all and with the app", finished(viral), finished(plain));
    let answers = viral.thin + viral.full + viral.plain;
    let share = |count: u64| format!("{:.0} %", 100.0 * count as f64 / answers.max(1) as f64);
    row(&mut text, "answered thin", share(viral.thin), "0 %".into());
    row(&mut text, "answered full", share(viral.full), "0 %".into());
    row(&mut text, "answered plain", share(viral.plain), "100 %".into());
    row(&mut text, "bytes from the origin", bytes(origin(viral)), bytes(origin(plain)));
    row(&mut text, "  of the app", bytes(viral.origin_app_bytes), bytes(plain.origin_app_bytes));
    row(&mut text, "  copies of the app", copies(viral, *app_bytes), copies(plain, *app_bytes));
    row(&mut text, "from other visitors", format!("{:.0} %", 100.0 * viral.offload), "0 %".into());
    if viral.office_line_bytes + plain.office_line_bytes > 0 {
        row(&mut text, "over offices' lines", bytes(viral.office_line_bytes), bytes(plain.office_line_bytes));
    }
    row(&mut text, "time to app, half of all", time(viral.time_p50_s), time(plain.time_p50_s));
    row(&mut text, "time to app, 95 of 100", time(viral.time_p95_s), time(plain.time_p95_s));
    row(&mut text, "the last one has it at", time(viral.last_s), time(plain.last_s));
    if viral.bound_s.is_some() {
        row(&mut text, "no network is faster than", time(viral.bound_s), String::new());
    }
    if viral.forged_bytes > 0 {
        row(&mut text, "forged bytes sent, delivered", format!("{}, 0", bytes(viral.forged_bytes)), String::new());
    }
    let _ = writeln!(text, "\n{}", verdict(comparison));
    if let Some(reasons) = reasons(&viral.unfinished) {
        let _ = writeln!(text, "Without the app with viral: {reasons}.");
    }
    let model = match viral.fidelity {
        Fidelity::Packets => "every packet in every queue",
        Fidelity::Flows => "transfers with equal shares of their lines, without losses",
    };
    let _ = writeln!(text, "Seed {}; {model}; {} steps, every invariant held at each.", viral.seed, viral.steps);
    text
}

fn origin(summary: &Summary) -> u64 {
    summary.origin_app_bytes + summary.origin_other_bytes
}

fn finished(summary: &Summary) -> String {
    format!("{}, {}", summary.counted, summary.finished)
}

fn copies(summary: &Summary, app_bytes: u64) -> String {
    format!("{:.1}", summary.origin_app_bytes as f64 / app_bytes.max(1) as f64)
}

fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "never".to_owned(),
        Some(seconds) if seconds >= 5_400.0 => format!("{:.1} h", seconds / 3_600.0),
        Some(seconds) if seconds >= 120.0 => format!("{:.1} min", seconds / 60.0),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

fn bytes(count: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")];
    match units.into_iter().find(|(unit, _)| count as f64 >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", count as f64 / unit),
        None => format!("{count} B"),
    }
}

fn reasons(unfinished: &Unfinished) -> Option<String> {
    let Unfinished { left, failed, stalled, refused, unanswered, too_late } = *unfinished;
    let named = [
        (left, "closed the tab"),
        (failed, "failed"),
        (stalled, "waited 40 s for nothing and gave up"),
        (refused, "were refused"),
        (unanswered, "had no answer from the origin"),
        (too_late, "were still being served at the end"),
    ];
    let parts: Vec<String> = named.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if parts.is_empty() { None } else { Some(parts.join(", ")) }
}

/// One sentence: does it pay?
#[must_use]
fn verdict(comparison: &Comparison) -> String {
    let Comparison { viral, plain, .. } = comparison;
    let saved = 1.0 - origin(viral) as f64 / origin(plain).max(1) as f64;
    let (ours, theirs) = (viral.time_p95_s, plain.time_p95_s);
    let faster = match (ours, theirs) {
        (Some(ours), Some(theirs)) => theirs / ours.max(1e-9),
        (Some(_), None) => f64::INFINITY,
        (None, _) => 0.0,
    };
    let speed = if faster >= 1.1 && faster.is_finite() {
        format!("95 of 100 visitors have the app {faster:.1} times as soon")
    } else if faster.is_infinite() {
        "95 of 100 visitors have the app, which the origin alone never manages".to_owned()
    } else if faster >= 0.9 {
        "95 of 100 visitors have the app as soon as without".to_owned()
    } else if faster > 0.0 {
        format!("but 95 of 100 visitors have the app {:.1} times as late", 1.0 / faster)
    } else {
        "but more than 5 of 100 visitors do not get the app".to_owned()
    };
    let traffic = if saved >= 0.0 { format!("{:.0} % less", 100.0 * saved) } else { format!("{:.0} % more", -100.0 * saved) };
    let pays = if faster >= 0.9 && saved >= 0.1 || faster >= 1.1 && saved >= 0.0 { "It pays" } else { "It does not pay" };
    format!("{pays}: the origin sends {traffic}, and {speed}.").replace("and but", "but")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_for_people() {
        assert_eq!((bytes(999), bytes(1_500_000), bytes(0)), ("999 B".into(), "1.5 MB".into(), "0 B".into()));
        assert_eq!(
            (time(Some(3.04)), time(Some(600.0)), time(Some(7_200.0)), time(None)),
            ("3.0 s".into(), "10.0 min".into(), "2.0 h".into(), "never".into())
        );
    }

    #[test]
    fn nobody_is_unfinished_without_a_word() {
        assert_eq!(reasons(&Unfinished::default()), None);
        let two = Unfinished { left: 2, stalled: 1, ..Unfinished::default() };
        assert_eq!(reasons(&two).unwrap(), "2 closed the tab, 1 waited 40 s for nothing and gave up");
    }
}
