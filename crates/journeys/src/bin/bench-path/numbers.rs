//! Medians, and the table they are printed in.

/// What was measured, printed row by row as soon as each number is there: later ones take minutes.
#[derive(Debug)]
pub(crate) struct Table;

/// Whether a number should be small or large.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Table {
    /// Adds a number with its unit and what it should be.
    pub(crate) fn add(&self, name: &str, value: f64, unit: &str, target: Target) {
        let target = match target {
            Target::AtMost(limit) => format!("<= {limit}: {}", verdict(value <= limit)),
            Target::AtLeast(limit) => format!(">= {limit}: {}", verdict(value >= limit)),
            Target::None => String::new(),
        };
        let digits = if value.abs() < 10.0 { 2 } else { 0 };
        println!("{name:<88} {:>14}  {target}", format!("{value:.digits$} {unit}"));
    }

    /// Adds the median of `runs` and the quartiles beside it.
    pub(crate) fn add_median(&self, name: &str, runs: &[f64], unit: &str, target: Target) {
        let spread = format!("{name} (quartiles {:.0} to {:.0}, n={})", quantile(runs, 0.25), quantile(runs, 0.75), runs.len());
        self.add(&spread, median(runs), unit, target);
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(runs: &[f64]) -> f64 {
    quantile(runs, 0.5)
}

fn quantile(runs: &[f64], share: f64) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}
