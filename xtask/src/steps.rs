//! Runs the named steps of a chore one after another and keeps the account printed at the end.

use std::time::{Duration, Instant};

use anyhow::Context;

/// The steps run so far in this process.
pub(crate) struct Steps {
    passed: Vec<(String, Duration)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { passed: Vec::new() }
    }

    /// Runs one step, prints its name before and its duration after; an error names the step.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        println!("==> {name}");
        let started = Instant::now();
        step().with_context(|| format!("step `{name}` failed"))?;
        let took = started.elapsed();
        println!("<== {name}: {:.1} s", took.as_secs_f64());
        self.passed.push((name.to_owned(), took));
        Ok(())
    }

    /// Prints each step with its duration, then `N passed, N failed` alone on the last line.
    pub(crate) fn print_summary(&self, all_passed: bool) {
        println!();
        for (name, took) in &self.passed {
            println!("{:>8.1} s  {name}", took.as_secs_f64());
        }
        let total: Duration = self.passed.iter().map(|(_, took)| *took).sum();
        println!("{:>8.1} s  in all", total.as_secs_f64());
        println!();
        println!("{} passed, {} failed", self.passed.len(), u8::from(!all_passed));
    }
}
