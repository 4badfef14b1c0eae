//! Whether somebody who comes while nobody near has a page shares its copy with others from the first byte on.
//!
//! A *crowd* answer costs a visitor a second script and a session with the tracker before the origin's bytes flow at full rate. It pays where others come meanwhile, and a line that is
//! thin enough hides what it costs. What the line carries is measured; nobody has to say it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use viral_wire::Digest;

use crate::limits::{
    CROWD_ALONE_MS_MIN, CROWD_BYTES_MIN, CROWD_MS_MIN, CROWD_PAGES_MAX, CROWD_RATES, CROWD_UNKNOWN_BYTES_MIN, CROWD_UNKNOWN_MS,
    LINE_BUSY_MS, LINE_BYTES_ENOUGH, LINE_BYTES_MIN, LINE_VISITORS_MAX, ORIGIN_STEP_MS, ORIGIN_WINDOW_MS,
};
use crate::locality::network_key;

/// What is known of the copies of a site's pages that are under way, and of the line that carries them.
#[derive(Debug, Default)]
pub struct Crowds {
    /// What the operator says that a shared line carries, in bytes per second; 0 = nothing.
    line: u64,
    /// What the last visitors' downloads got, in bytes per second, one of each network.
    rates: VecDeque<(IpAddr, u64)>,
    /// When the last copy of each manifest began, in milliseconds.
    copies: BTreeMap<Digest, u64>,
    origin: OriginMeter,
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
    /// It is on the server's own machine, which no line lies between.
    pub is_here: bool,
    /// A proxy asks for it, which reads faster than it does: nobody can measure its line.
    pub is_proxied: bool,
}

impl Crowds {
    /// Nothing is under way. `line`: what the operator says that a shared line carries, in bytes per second; 0 = nothing.
    #[must_use]
    pub fn new(line: u64) -> Self {
        Self { line, ..Self::default() }
    }

    /// The operator wants the origin to send no more than so many bytes per second; 0 = as many as it can.
    pub fn limit_origin(&mut self, bytes_per_s: u64) {
        self.origin.limit = bytes_per_s;
    }

    /// So many bytes the origin has sent since its start.
    pub fn note_sent(&mut self, now_ms: u64, bytes: u64) {
        self.origin.note(now_ms, bytes);
    }

    /// A visitor's download was measured: so many bytes per second. A network has one word.
    pub fn note_rate(&mut self, address: IpAddr, bytes_per_s: u64) {
        let network = network_key(address);
        self.rates.retain(|(known, _)| *known != network);
        if self.rates.len() >= CROWD_RATES {
            self.rates.pop_front();
        }
        self.rates.push_back((network, bytes_per_s.max(1)));
    }

    /// What a visitor's download gets, in bytes per second, as far as anybody knows.
    #[must_use]
    pub fn rate(&self) -> Option<u64> {
        let mut rates: Vec<u64> = self.rates.iter().map(|(_, rate)| *rate).collect();
        rates.sort_unstable();
        let measured = rates.get(rates.len() / 2).copied();
        // An operator who names a thin line knows of those who share it; what is measured is one of them.
        let told = [self.line, self.origin.limit].into_iter().filter(|line| *line > 0).min();
        [measured, told].into_iter().flatten().min()
    }

    /// Whether it pays to share the copy that this one takes.
    #[must_use]
    pub fn pays(&self, now_ms: u64, newcomer: &Newcomer) -> bool {
        let &Newcomer { manifest, bytes, is_crowded, is_here, is_proxied } = newcomer;
        if bytes < CROWD_BYTES_MIN {
            return false;
        }
        // Another copy would fill the line that everybody's copy comes over.
        if self.origin.is_nearly_full(now_ms) {
            return true;
        }
        let since_ms = self.copies.get(&manifest).map(|began_ms| now_ms.saturating_sub(*began_ms));
        match self.rate() {
            Some(rate) => {
                let whole_ms = bytes.saturating_mul(1000) / rate;
                whole_ms >= CROWD_ALONE_MS_MIN || (whole_ms >= CROWD_MS_MIN && (is_crowded || since_ms.is_some_and(|ms| ms < whole_ms)))
            }
            // The first of a flash crowd may be the first ever. If the line turns out to be fast, it was the only one who paid for that.
            None => {
                let is_first_of_many = !is_proxied && bytes >= CROWD_UNKNOWN_BYTES_MIN;
                is_crowded || (!is_here && (is_first_of_many || since_ms.is_some_and(|ms| ms < CROWD_UNKNOWN_MS)))
            }
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

/// How much the origin sends, beside what it is to send at most.
#[derive(Debug, Default)]
struct OriginMeter {
    /// Bytes per second; 0 = as many as it can.
    limit: u64,
    /// When it had sent how much since its start, oldest first, some tenths of a second apart.
    samples: VecDeque<(u64, u64)>,
}

impl OriginMeter {
    fn note(&mut self, now_ms: u64, bytes: u64) {
        if self.samples.back().is_some_and(|(at_ms, _)| now_ms.saturating_sub(*at_ms) < ORIGIN_STEP_MS) {
            return;
        }
        self.samples.push_back((now_ms, bytes));
        // One that is older than the window stays, to measure from.
        while self.samples.get(1).is_some_and(|(at_ms, _)| now_ms.saturating_sub(*at_ms) >= ORIGIN_WINDOW_MS) {
            self.samples.pop_front();
        }
    }

    /// Whether the last seconds were three quarters of what is allowed.
    fn is_nearly_full(&self, now_ms: u64) -> bool {
        let (Some((first_ms, first)), Some((last_ms, last))) = (self.samples.front(), self.samples.back()) else { return false };
        let is_old = now_ms.saturating_sub(*last_ms) >= ORIGIN_WINDOW_MS;
        let span_ms = last_ms.saturating_sub(*first_ms).max(ORIGIN_STEP_MS);
        let sent = last.saturating_sub(*first);
        self.limit > 0 && !is_old && sent.saturating_mul(4000) / span_ms >= self.limit.saturating_mul(3)
    }
}

/// Measures what visitors' lines carry, by the time in which nothing more could be written to them.
#[derive(Debug, Default)]
pub struct LineMeter {
    visitors: BTreeMap<IpAddr, Busy>,
}

#[derive(Debug, Default)]
struct Busy {
    until_ms: u64,
    busy_ms: u64,
    bytes: u64,
}

impl LineMeter {
    /// One of a visitor's connections took nothing from `since_ms` until now, and `bytes` went out on it since it last did. What its line carries, in bytes per second, once that is sure.
    pub fn note(&mut self, now_ms: u64, address: IpAddr, since_ms: u64, bytes: u64) -> Option<u64> {
        if self.visitors.len() >= LINE_VISITORS_MAX && !self.visitors.contains_key(&address) {
            let longest = self.visitors.iter().min_by_key(|(_, busy)| busy.until_ms).map(|(address, _)| *address);
            longest.map(|longest| self.visitors.remove(&longest));
        }
        let busy = self.visitors.entry(address).or_default();
        // Several connections that wait at the same time wait for the same line.
        busy.busy_ms += now_ms.saturating_sub(since_ms.max(busy.until_ms));
        busy.until_ms = busy.until_ms.max(now_ms);
        busy.bytes += bytes;
        if busy.busy_ms < LINE_BUSY_MS && busy.bytes < LINE_BYTES_ENOUGH {
            return None;
        }
        let busy = self.visitors.remove(&address)?;
        // Who reads next to nothing says nothing of the line.
        (busy.bytes >= LINE_BYTES_MIN).then(|| busy.bytes.saturating_mul(1000) / busy.busy_ms.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));

    fn newcomer(bytes: u64) -> Newcomer {
        Newcomer { manifest: Digest::of(b"page"), bytes, is_crowded: false, is_here: false, is_proxied: true }
    }

    #[test]
    fn an_origin_that_sends_nearly_all_it_may_has_its_copies_shared() {
        let mut crowds = Crowds::default();
        crowds.note_rate(HERE, 100 * MIB);
        crowds.limit_origin(10 * MIB);
        let copy = newcomer(2 * MIB);
        assert!(!crowds.pays(0, &copy), "it sends nothing yet");
        for step in 0..=10 {
            crowds.note_sent(step * 250, step * MIB);
        }
        assert!(!crowds.pays(2_500, &copy), "4 MiB a second are less than half");
        for step in 1..=8 {
            crowds.note_sent(2_500 + step * 250, 10 * MIB + step * 2 * MIB);
        }
        assert!(crowds.pays(4_500, &copy), "8 MiB a second");
        assert!(!crowds.pays(4_500, &newcomer(CROWD_BYTES_MIN - 1)), "little is sent sooner than shared");
        assert!(!crowds.pays(4_500 + ORIGIN_WINDOW_MS, &copy), "nobody knows any more");
        crowds.note_sent(9_000, 27 * MIB);
        assert!(!crowds.pays(9_000, &copy), "it sends little now");
        crowds.limit_origin(0);
        assert!(!crowds.pays(9_000, &copy));
    }

    #[test]
    fn a_limit_of_the_origin_is_a_line_that_all_share() {
        let mut crowds = Crowds::new(2 * MIB);
        crowds.limit_origin(MIB);
        assert_eq!(crowds.rate(), Some(MIB));
        crowds.note_rate(HERE, MIB / 2);
        assert_eq!(crowds.rate(), Some(MIB / 2));
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
        assert!(!crowds.pays(100, &Newcomer { is_here: true, ..newcomer(8 * MIB) }), "on this machine it is there already");
        let far = |bytes| Newcomer { is_proxied: false, ..newcomer(bytes) };
        let nobody = Crowds::default();
        assert!(nobody.pays(0, &far(CROWD_UNKNOWN_BYTES_MIN)), "the first of all may be the first of many");
        assert!(!nobody.pays(0, &far(CROWD_UNKNOWN_BYTES_MIN - 1)));
    }

    #[test]
    fn on_a_thin_line_even_the_first_one_shares_and_on_a_fast_one_nobody() {
        let mut crowds = Crowds::default();
        crowds.note_rate(HERE, MIB / 4);
        assert!(crowds.pays(0, &newcomer(8 * MIB)));
        assert!(!crowds.pays(0, &newcomer(MIB)), "it takes four seconds alone");
        crowds.note_copy(0, newcomer(0).manifest);
        assert!(crowds.pays(3_999, &newcomer(MIB)), "who came before is not done yet");
        assert!(!crowds.pays(4_000, &newcomer(MIB)));
        let mut fast = Crowds::default();
        fast.note_rate(HERE, 100 * MIB);
        fast.note_copy(0, newcomer(0).manifest);
        assert!(!fast.pays(1, &Newcomer { is_crowded: true, ..newcomer(8 * MIB) }));
    }

    #[test]
    fn what_most_networks_get_counts_and_what_the_operator_says_if_it_is_less() {
        let mut crowds = Crowds::new(0);
        assert_eq!(crowds.rate(), None);
        for n in 0..CROWD_RATES as u8 {
            crowds.note_rate([192, 0, n, 1].into(), 100 + u64::from(n));
        }
        assert_eq!(crowds.rate(), Some(107));
        crowds.note_rate([192, 0, 0, 2].into(), 1_000);
        assert_eq!(crowds.rate(), Some(108), "what the same network said before is forgotten");
        crowds.note_rate([198, 51, 100, 1].into(), 1_000);
        assert_eq!(crowds.rate(), Some(109), "so is the oldest");
        let mut told = Crowds::new(50);
        assert_eq!(told.rate(), Some(50));
        told.note_rate(HERE, 1_000);
        assert_eq!(told.rate(), Some(50));
        told.note_rate(HERE, 10);
        assert_eq!(told.rate(), Some(10));
    }

    #[test]
    fn a_line_is_known_once_it_was_busy_for_long_enough() {
        let mut meter = LineMeter::default();
        assert_eq!(meter.note(LINE_BUSY_MS / 2, HERE, 0, 50_000), None);
        assert_eq!(meter.note(LINE_BUSY_MS / 2, HERE, 0, 50_000), None, "two connections wait for one line");
        assert_eq!(meter.note(LINE_BUSY_MS, HERE, LINE_BUSY_MS / 2, 50_000), Some(150_000 * 1000 / LINE_BUSY_MS));
        assert_eq!(meter.note(5_000, HERE, 0, 10), None, "who reads next to nothing says nothing");
        assert_eq!(meter.note(5_002, HERE, 5_000, LINE_BYTES_ENOUGH), Some(LINE_BYTES_ENOUGH * 500), "so much is enough on a fast line");
        assert!(meter.visitors.is_empty());
        for n in 0..=LINE_VISITORS_MAX as u64 {
            meter.note(n, IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()), n, 1);
        }
        assert_eq!(meter.visitors.len(), LINE_VISITORS_MAX);
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
