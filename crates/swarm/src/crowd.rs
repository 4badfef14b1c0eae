//! Whether somebody who comes while nobody near has a page shares its copy with others from the first byte on.
//!
//! A *crowd* answer costs a visitor a second script and a session with the tracker before the origin's bytes flow at full rate. It pays where others come meanwhile, and a line that is
//! thin enough hides what it costs. What the line carries is measured; nobody has to say it.

use std::collections::{BTreeMap, VecDeque};

use viral_wire::Digest;

use crate::limits::{CROWD_ALONE_MS_MIN, CROWD_BYTES_MIN, CROWD_MS_MIN, CROWD_PAGES_MAX, CROWD_RATES, CROWD_UNKNOWN_MS};

/// What is known of the copies of a site's pages that are under way, and of the line that carries them.
#[derive(Debug, Default)]
pub struct Crowds {
    /// What the operator says that a shared line carries, in bytes per second; 0 = nothing.
    line: u64,
    /// What the last visitors' downloads got, in bytes per second.
    rates: VecDeque<u64>,
    /// When the last copy of each manifest began, in milliseconds.
    copies: BTreeMap<Digest, u64>,
}

/// Somebody who would get a copy of a page now.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer {
    /// The page's manifest.
    pub manifest: Digest,
    /// Bytes of the page's app, decoded.
    pub bytes: u64,
    /// Others fetch it together now.
    pub is_crowded: bool,
}

impl Crowds {
    /// Nothing is under way. `line`: what the operator says that a shared line carries, in bytes per second; 0 = nothing.
    #[must_use]
    pub fn new(line: u64) -> Self {
        Self { line, ..Self::default() }
    }

    /// A visitor's download was measured: so many bytes per second.
    pub fn note_rate(&mut self, bytes_per_s: u64) {
        if self.rates.len() >= CROWD_RATES {
            self.rates.pop_front();
        }
        self.rates.push_back(bytes_per_s.max(1));
    }

    /// What a visitor's download gets, in bytes per second, as far as anybody knows.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        let mut rates: Vec<u64> = self.rates.iter().copied().collect();
        rates.sort_unstable();
        let measured = rates.get(rates.len() / 2).copied();
        // An operator who names a thin line knows of those who share it; what is measured is one of them.
        [measured, Some(self.line).filter(|line| *line > 0)].into_iter().flatten().min()
    }

    /// Whether it pays to share the copy that this one takes.
    #[must_use]
    pub fn pays(&self, now_ms: u64, newcomer: &Newcomer) -> bool {
        let &Newcomer { manifest, bytes, is_crowded } = newcomer;
        if bytes < CROWD_BYTES_MIN {
            return false;
        }
        let since_ms = self.copies.get(&manifest).map(|began_ms| now_ms.saturating_sub(*began_ms));
        match self.rate() {
            Some(rate) => {
                let whole_ms = bytes.saturating_mul(1000) / rate;
                whole_ms >= CROWD_ALONE_MS_MIN || (whole_ms >= CROWD_MS_MIN && (is_crowded || since_ms.is_some_and(|ms| ms < whole_ms)))
            }
            None => is_crowded || since_ms.is_some_and(|ms| ms < CROWD_UNKNOWN_MS),
        }
    }

    /// Somebody takes a copy of a page alone.
    pub fn note_copy(&mut self, now_ms: u64, manifest: Digest) {
        if self.copies.len() >= CROWD_PAGES_MAX && !self.copies.contains_key(&manifest) {
            let oldest = self.copies.iter().min_by_key(|(_, began_ms)| **began_ms).map(|(manifest, _)| *manifest);
            oldest.map(|oldest| self.copies.remove(&oldest));
        }
        self.copies.insert(manifest, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn newcomer(bytes: u64) -> Newcomer {
        Newcomer { manifest: Digest::of(b"page"), bytes, is_crowded: false }
    }

    #[test]
    fn on_a_line_that_nobody_knows_the_second_one_shares() {
        let mut crowds = Crowds::default();
        assert!(!crowds.pays(0, &newcomer(8 * MIB)));
        crowds.note_copy(0, newcomer(0).manifest);
        assert!(crowds.pays(100, &newcomer(8 * MIB)));
        assert!(!crowds.pays(100, &Newcomer { manifest: Digest::of(b"another"), ..newcomer(8 * MIB) }));
        assert!(!crowds.pays(CROWD_UNKNOWN_MS, &newcomer(8 * MIB)), "the first one has it by now, or left");
        assert!(crowds.pays(CROWD_UNKNOWN_MS, &Newcomer { is_crowded: true, ..newcomer(8 * MIB) }));
        assert!(!crowds.pays(100, &Newcomer { is_crowded: true, ..newcomer(CROWD_BYTES_MIN - 1) }));
    }

    #[test]
    fn on_a_thin_line_even_the_first_one_shares_and_on_a_fast_one_nobody() {
        let mut crowds = Crowds::default();
        crowds.note_rate(MIB / 4);
        assert!(crowds.pays(0, &newcomer(8 * MIB)));
        assert!(!crowds.pays(0, &newcomer(MIB)), "it takes four seconds alone");
        crowds.note_copy(0, newcomer(0).manifest);
        assert!(crowds.pays(3_999, &newcomer(MIB)), "who came before is not done yet");
        assert!(!crowds.pays(4_000, &newcomer(MIB)));
        let mut fast = Crowds::default();
        fast.note_rate(100 * MIB);
        fast.note_copy(0, newcomer(0).manifest);
        assert!(!fast.pays(1, &Newcomer { is_crowded: true, ..newcomer(8 * MIB) }));
    }

    #[test]
    fn what_most_visitors_get_counts_and_what_the_operator_says_if_it_is_less() {
        let mut crowds = Crowds::new(0);
        assert_eq!(crowds.rate(), None);
        for rate in (0..CROWD_RATES as u64).map(|n| 100 + n) {
            crowds.note_rate(rate);
        }
        assert_eq!(crowds.rate(), Some(107));
        crowds.note_rate(1_000);
        assert_eq!(crowds.rate(), Some(108), "the oldest is forgotten");
        let mut told = Crowds::new(50);
        assert_eq!(told.rate(), Some(50));
        told.note_rate(1_000);
        assert_eq!(told.rate(), Some(50));
        told.note_rate(10);
        told.note_rate(10);
        assert_eq!(told.rate(), Some(10));
    }

    #[test]
    fn no_more_pages_are_remembered_than_the_limit() {
        let mut crowds = Crowds::default();
        for n in 0..=CROWD_PAGES_MAX as u64 {
            crowds.note_copy(n, Digest::of(&n.to_be_bytes()));
        }
        assert_eq!(crowds.copies.len(), CROWD_PAGES_MAX);
        assert!(!crowds.copies.contains_key(&Digest::of(&0_u64.to_be_bytes())));
    }
}
