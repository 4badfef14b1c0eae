//! The rows as they are printed.

use viral_journeys::figures::{Target, median, quantile};

/// Rows, each printed as soon as it is there.
pub(crate) struct Table {
    is_begun: bool,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { is_begun: false }
    }

    /// Rates of both sides, in rounds: their medians, and the median of the ratios.
    pub(crate) fn rates(&mut self, name: &str, what: &str, target: Target, (ours, theirs): (&[f64], &[f64])) {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let ratio = median(&ratios);
        let quartiles = format!("quartiles {:.2} to {:.2}", quantile(&ratios, 0.25), quantile(&ratios, 0.75));
        let (ours, theirs) = (format!("{:.0}", median(ours)), format!("{:.0}", median(theirs)));
        self.row([name, what, &ours, &theirs, &format!("{ratio:.2}"), &target.beside(ratio), &quartiles]);
    }

    /// A figure of one side.
    pub(crate) fn figure(&mut self, name: &str, what: &str, (value, unit): (f64, &str), target: Target, note: &str) {
        let shown = if value < 10.0 { format!("{value:.2} {unit}") } else { format!("{value:.0} {unit}") };
        self.row([name, what, &shown, "", "", &target.beside(value), note]);
    }

    /// Any row.
    pub(crate) fn row(&mut self, [name, what, ours, theirs, ratio, target, note]: [&str; 7]) {
        if !std::mem::replace(&mut self.is_begun, true) {
            println!("| row | what | viral | beside | ratio | target | |\n|---|---|---:|---:|---:|---|---|");
        }
        println!("| {name} | {what} | {ours} | {theirs} | {ratio} | {target} | {note} |");
    }
}
