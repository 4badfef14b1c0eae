//! How busy the machine was: a result measured on a full processor says nothing about the network.

use std::fs;

use anyhow::Context as _;

/// Below this share of idle processor time no verdict is given, in per cent.
pub const IDLE_MIN_PCT: f64 = 20.0;

/// Ticks of all processors since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    /// As of now.
    ///
    /// # Errors
    /// When `/proc/stat` is not there.
    pub fn now() -> anyhow::Result<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?)
    }

    /// proc(5): user nice system idle iowait irq softirq steal, then guest times that are part of user and nice.
    fn parse(stat: &str) -> anyhow::Result<Self> {
        let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("/proc/stat begins otherwise")?;
        let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
        let idle = ticks.get(3).copied().unwrap_or(0) + ticks.get(4).copied().unwrap_or(0);
        Ok(Self { idle, all: ticks.iter().sum() })
    }

    /// Share of idle time between `earlier` and this, in per cent.
    #[must_use]
    pub fn idle_pct_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all);
        if all == 0 { 100.0 } else { 100.0 * self.idle.saturating_sub(earlier.idle) as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_counts_waiting_for_disks_and_not_what_the_host_took() {
        let before = Ticks::parse("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 1 1 1 1").unwrap();
        let after = Ticks::parse("cpu  30 10 10 20 10 0 5 15 7 7\n").unwrap();
        assert!((after.idle_pct_since(before) - 30.0).abs() < 1e-9);
    }
}
