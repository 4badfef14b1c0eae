//! Who waits for the first copy of a page: over a thin line a second download beside the first one makes both late.
//!
//! Those who come while nobody has a page would each take all of it over the line that they share, the server's or an office's. Where the operator says how thin that is, the first of them gets
//! the page at once; whoever comes while that copy is on its way waits for it, a few seconds at most, and then takes the page from peers.

use std::collections::BTreeMap;

use viral_wire::Digest;

use crate::limits::{FIRST_COPIES_MAX, FIRST_COPY_MS_MIN, FIRST_COPY_SLACK_MS, FIRST_COPY_WAIT_MS_MAX};

/// The copies that are on their way to somebody who is the first to have them.
#[derive(Debug)]
pub struct FirstCopies {
    /// What the shared line carries, in bytes per second; 0 = nobody waits.
    line: u64,
    /// By when each should be there, in milliseconds.
    due_ms: BTreeMap<Digest, u64>,
}

/// Somebody who would get a copy of a page now.
#[derive(Debug, Clone, Copy)]
pub struct Comer {
    /// The page's manifest.
    pub manifest: Digest,
    /// Bytes of the page's boot set.
    pub bytes: u64,
    /// When it came, in milliseconds.
    pub came_ms: u64,
    /// Somebody near holds the page, and is only busy.
    pub is_held: bool,
    /// It takes part in a crowd that has nothing yet, so it need not wait.
    pub shares: bool,
}

impl FirstCopies {
    /// No copies yet.
    #[must_use]
    pub fn new(line_bytes_per_s: u64) -> Self {
        Self { line: line_bytes_per_s, due_ms: BTreeMap::new() }
    }

    /// Until when somebody waits, unless a peer has room for it before, in milliseconds; `None`: it gets a copy now.
    pub fn wait(&mut self, now_ms: u64, comer: &Comer) -> Option<u64> {
        let whole_ms = comer.bytes.saturating_mul(1000).checked_div(self.line)?;
        // Half as much again for headers and whatever else the line carries.
        let expected_ms = whole_ms.saturating_add(whole_ms / 2).saturating_add(FIRST_COPY_SLACK_MS);
        if !(FIRST_COPY_MS_MIN..FIRST_COPY_WAIT_MS_MAX).contains(&whole_ms) || expected_ms > FIRST_COPY_WAIT_MS_MAX {
            return None;
        }
        let patience_ms = comer.came_ms.saturating_add(FIRST_COPY_WAIT_MS_MAX);
        self.due_ms.retain(|_, due_ms| now_ms < *due_ms);
        let due_ms = self.due_ms.get(&comer.manifest).copied();
        let until_ms = if comer.is_held { Some(patience_ms) } else { due_ms.map(|due_ms| due_ms.min(patience_ms)) };
        if let Some(until_ms) = until_ms.filter(|until_ms| !comer.shares && now_ms < *until_ms) {
            return Some(until_ms);
        }
        if due_ms.is_none() && self.due_ms.len() < FIRST_COPIES_MAX {
            self.due_ms.insert(comer.manifest, now_ms.saturating_add(expected_ms));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 MB over a line that carries 1 MB/s: two seconds, and due after four.
    const LINE: u64 = 1_000_000;

    fn comer(came_ms: u64) -> Comer {
        Comer { manifest: Digest::of(b"page"), bytes: 2 * LINE, came_ms, is_held: false, shares: false }
    }

    #[test]
    fn the_first_gets_a_copy_and_the_others_wait_for_it() {
        let mut copies = FirstCopies::new(LINE);
        assert_eq!(copies.wait(0, &comer(0)), None);
        assert_eq!(copies.wait(10, &comer(10)), Some(4_000));
        assert_eq!(copies.wait(3_999, &comer(10)), Some(4_000));
        assert_eq!(copies.wait(500, &Comer { manifest: Digest::of(b"another page"), ..comer(500) }), None);
    }

    #[test]
    fn a_copy_that_does_not_come_is_sent_to_one_more() {
        let mut copies = FirstCopies::new(LINE);
        assert_eq!(copies.wait(0, &comer(0)), None);
        assert_eq!(copies.wait(4_000, &comer(10)), None, "the first of those who waited is the next first one");
        assert_eq!(copies.wait(4_000, &comer(20)), Some(8_000));
        assert_eq!(copies.wait(8_000, &comer(20)), None);
        assert_eq!(copies.wait(8_000, &comer(30)), Some(8_030), "nobody waits longer than a few seconds");
        assert_eq!(copies.wait(8_030, &comer(30)), None);
    }

    #[test]
    fn where_somebody_near_has_it_one_waits_for_room() {
        let mut copies = FirstCopies::new(LINE);
        let held = |came_ms| Comer { is_held: true, ..comer(came_ms) };
        assert_eq!(copies.wait(50_000, &held(50_000)), Some(58_000));
        assert_eq!(copies.wait(58_000, &held(50_000)), None);
    }

    #[test]
    fn whoever_shares_does_not_wait_and_is_waited_for() {
        let mut copies = FirstCopies::new(LINE);
        assert_eq!(copies.wait(0, &Comer { shares: true, ..comer(0) }), None);
        assert_eq!(copies.wait(5, &Comer { shares: true, ..comer(5) }), None);
        assert_eq!(copies.wait(10, &comer(10)), Some(4_000));
    }

    #[test]
    fn nobody_waits_where_the_line_is_fast_or_unknown_or_far_too_thin() {
        for line in [0, 100_000_000, 100_000] {
            let mut copies = FirstCopies::new(line);
            assert_eq!(copies.wait(0, &comer(0)), None);
            assert_eq!(copies.wait(0, &comer(0)), None, "{line}");
        }
        assert_eq!(FirstCopies::new(1).wait(0, &Comer { bytes: u64::MAX, ..comer(0) }), None);
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut copies = FirstCopies::new(LINE);
        for n in 0..2 * FIRST_COPIES_MAX {
            copies.wait(0, &Comer { manifest: Digest::of(&n.to_be_bytes()), ..comer(0) });
        }
        assert_eq!(copies.due_ms.len(), FIRST_COPIES_MAX);
    }
}
