//! The table that numbers are printed in.

use viral_journeys::figures::quantile;
pub(crate) use viral_journeys::figures::{Target, median};

/// What was measured, printed row by row as soon as each number is there: later ones take minutes.
#[derive(Debug)]
pub(crate) struct Table;

impl Table {
    /// Adds a number with its unit and what it should be.
    pub(crate) fn add(&self, name: &str, value: f64, unit: &str, target: Target) {
        let digits = if value.abs() < 10.0 { 2 } else { 0 };
        println!("{name:<88} {:>14}  {}", format!("{value:.digits$} {unit}"), target.beside(value));
    }

    /// Adds the median of `runs` and the quartiles beside it.
    pub(crate) fn add_median(&self, name: &str, runs: &[f64], unit: &str, target: Target) {
        let spread = format!("{name} (quartiles {:.0} to {:.0}, n={})", quantile(runs, 0.25), quantile(runs, 0.75), runs.len());
        self.add(&spread, median(runs), unit, target);
    }
}
