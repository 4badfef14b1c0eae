//! The last visits of one kind, no network with more of them than it must have.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use crate::limits::{WORTH_AGE_MAX_MS, WORTH_SAMPLES_MAX};

/// How one visit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// From where, as a network.
    pub network: IpAddr,
    /// From the visitor's wish to the app, in milliseconds; none where it gave up and asked for the plain page.
    pub app_ms: Option<u32>,
    /// Bytes that the server sent it until then.
    pub origin_bytes: u64,
}

/// Visits in order of time.
#[derive(Debug, Default)]
pub(super) struct Sample(VecDeque<(u64, Outcome)>);

impl Sample {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts one in. Where there are too many the network that has most, the new one's word included, gives its oldest.
    pub(super) fn add(&mut self, now_ms: u64, outcome: Outcome) {
        self.expire(now_ms);
        self.0.push_back((now_ms, outcome));
        if self.0.len() <= WORTH_SAMPLES_MAX {
            return;
        }
        let mut counts = BTreeMap::<IpAddr, usize>::new();
        for (_, known) in &self.0 {
            *counts.entry(known.network).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or_default();
        if let Some(at) = self.0.iter().position(|(_, known)| counts.get(&known.network) == Some(&most)) {
            self.0.remove(at);
        }
    }

    /// Forgets what is of another day.
    pub(super) fn expire(&mut self, now_ms: u64) {
        while self.0.front().is_some_and(|(at_ms, _)| now_ms.saturating_sub(*at_ms) > WORTH_AGE_MAX_MS) {
            self.0.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The times in order, in milliseconds. Who gave up took longer than anybody.
    pub(super) fn times(&self) -> Vec<u64> {
        sorted(self.0.iter().map(|(_, outcome)| outcome.app_ms.map_or(u64::MAX, u64::from)))
    }

    /// The bytes in order.
    pub(super) fn bytes(&self) -> Vec<u64> {
        sorted(self.0.iter().map(|(_, outcome)| outcome.origin_bytes))
    }
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(network: u8, ms: u32) -> Outcome {
        Outcome { network: [10, network, 0, 0].into(), app_ms: Some(ms), origin_bytes: u64::from(ms) }
    }

    #[test]
    fn a_loud_network_crowds_nobody_out() {
        let mut sample = Sample::default();
        for quiet in 1..=9 {
            sample.add(0, outcome(quiet, u32::from(quiet)));
        }
        for loud in 0..1_000 {
            sample.add(1, outcome(0, 1_000 + loud));
        }
        assert_eq!(sample.len(), WORTH_SAMPLES_MAX);
        let times = sample.times();
        assert_eq!(times[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(*times.last().unwrap(), 1_999, "and of its own the newest are kept");
    }

    #[test]
    fn what_is_of_another_day_is_forgotten() {
        let mut sample = Sample::default();
        sample.add(0, outcome(1, 5));
        sample.add(WORTH_AGE_MAX_MS, outcome(1, 6));
        assert_eq!(sample.times(), [5, 6]);
        sample.add(WORTH_AGE_MAX_MS + 1, outcome(1, 7));
        assert_eq!(sample.times(), [6, 7]);
    }

    #[test]
    fn who_gave_up_took_longer_than_anybody() {
        let mut sample = Sample::default();
        sample.add(0, Outcome { app_ms: None, ..outcome(1, 0) });
        sample.add(0, outcome(1, u32::MAX));
        assert_eq!(sample.times(), [u64::from(u32::MAX), u64::MAX]);
    }
}
