//! What was measured of one app in one engine: printed as a table, or as one JSON object.

use std::fmt;

use serde::Serialize;
use viral_journeys::browser::Engine;
use viral_journeys::figures::{Target, median, quantile};

/// All rows of one app in one engine.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    app: String,
    engine: String,
    runs: usize,
    rows: Vec<Row>,
}

/// One number: the median of its runs, or what two medians make.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    unit: &'static str,
    /// `null` in JSON: most runs never ended.
    value: f64,
    runs: Vec<f64>,
    target: Target,
    is_met: Option<bool>,
    /// Answers these visits had, each with how often.
    note: String,
}

impl Table {
    pub(crate) fn new(app: String, engine: Engine, runs: usize) -> Self {
        Self { app, engine: format!("{engine:?}"), runs, rows: Vec::new() }
    }

    /// Adds the median of `runs`.
    pub(crate) fn add(&mut self, name: impl Into<String>, runs: &[f64], unit: &'static str, target: Target) {
        self.push(name.into(), median(runs), runs.to_vec(), unit, target);
    }

    /// Adds the ratio of two medians.
    pub(crate) fn add_ratio(&mut self, name: impl Into<String>, ours: &[f64], theirs: &[f64], target: Target) {
        self.push(name.into(), median(ours) / median(theirs), Vec::new(), "x", target);
    }

    /// Says beside the last row which answers its visits had.
    pub(crate) fn note_answers<'a>(&mut self, answers: impl Iterator<Item = &'a str>) {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for answer in answers {
            match counts.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, count)) => *count += 1,
                None => counts.push((answer, 1)),
            }
        }
        if let Some(row) = self.rows.last_mut() {
            row.note = counts.iter().map(|(answer, count)| format!("{answer} ({count})")).collect::<Vec<_>>().join(", ");
        }
    }

    fn push(&mut self, name: String, value: f64, runs: Vec<f64>, unit: &'static str, target: Target) {
        eprintln!("{} {}: {name}: {value:.3} {unit}", self.app, self.engine);
        self.rows.push(Row { name, unit, value, runs, target, is_met: target.is_met(value), note: String::new() });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} in {}, medians of {}", self.app, self.engine, self.runs)?;
        for row in &self.rows {
            write!(out, "  {:<64} {:>12} {:<3} {:<18}", row.name, shown(row.value), row.unit, row.target.beside(row.value))?;
            if row.runs.len() > 1 {
                write!(out, " {} to {}", shown(quantile(&row.runs, 0.25)), shown(quantile(&row.runs, 0.75)))?;
            }
            writeln!(out, "{}{}", if row.note.is_empty() { "" } else { "  " }, row.note)?;
        }
        Ok(())
    }
}

fn shown(value: f64) -> String {
    if value.is_infinite() {
        return "never".to_owned();
    }
    let digits = if value.abs() < 10.0 { 3 } else { 0 };
    format!("{value:.digits$}")
}
