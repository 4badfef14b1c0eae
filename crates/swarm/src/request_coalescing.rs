//! Who waits for the first copy of a page: over a thin line a second download beside the first one makes both late.
//!
//! Those who come while nobody has a page would each take all of it over the line that they share, the server's or an office's. Where the operator says how thin that is, the first of them gets
//! the page at once; whoever comes while that copy is on its way waits for it, a few seconds at most, and then takes the page from peers.

use std::collections::BTreeMap;

use viral_wire::Digest;

use crate::limits::{
    COALESCE_COOLDOWN_MS, COALESCE_LAPSES_MAX, COALESCE_MS_MIN, COALESCE_SLACK_MS, COALESCE_WAIT_MS_MAX, COALESCED_COPIES_MAX,
};
use crate::locality::{self, Ladder, Place, Tier};

/// The copies that are on their way to somebody who is the first to have them.
#[derive(Debug)]
pub struct RequestCoalescer {
    /// What the shared line carries, in bytes per second; 0 = nobody waits.
    line: u64,
    ladder: Ladder,
    copies: BTreeMap<Key, Copy>,
}

/// A manifest, and within which neighbourhood its holders are introduced.
type Key = (Digest, Option<locality::Key>);

#[derive(Debug)]
struct Copy {
    /// By when it should be there, in milliseconds.
    due_ms: u64,
    /// How many came to nothing, one after the other.
    lapses: u32,
}

/// Somebody who would get a copy of a page now.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// The page's manifest.
    pub manifest: Digest,
    /// Where it is.
    pub place: Place,
    /// Bytes of the page's page set, decoded.
    pub bytes: u64,
    /// When it came, in milliseconds.
    pub came_ms: u64,
    /// It gets a copy at once: it shares with others who have nothing, or was here a moment ago and has most of it in its cache.
    pub is_served_at_once: bool,
}

impl RequestCoalescer {
    /// No copies yet. Holders are introduced on the tiers of `ladder`.
    #[must_use]
    pub fn new(line_bytes_per_s: u64, ladder: Ladder) -> Self {
        Self { line: line_bytes_per_s, ladder, copies: BTreeMap::new() }
    }

    /// Until when somebody waits, unless a peer has room for it before, in milliseconds; `None`: it gets a copy now.
    pub fn wait(&mut self, now_ms: u64, visitor: &Visitor) -> Option<u64> {
        let whole_ms = visitor.bytes.saturating_mul(1000).checked_div(self.line)?;
        // Half as much again for headers and whatever else the line carries.
        let expected_ms = whole_ms.saturating_add(whole_ms / 2).saturating_add(COALESCE_SLACK_MS);
        if whole_ms < COALESCE_MS_MIN || expected_ms > COALESCE_WAIT_MS_MAX {
            return None;
        }
        self.copies.retain(|_, copy| now_ms < copy.due_ms.saturating_add(COALESCE_COOLDOWN_MS));
        let key = self.key(visitor.manifest, &visitor.place)?;
        let due_ms = now_ms.saturating_add(expected_ms);
        let room = self.copies.len() < COALESCED_COPIES_MAX;
        match self.copies.get_mut(&key) {
            Some(copy) if copy.lapses >= COALESCE_LAPSES_MAX => None,
            Some(copy) if now_ms < copy.due_ms => {
                let until_ms = copy.due_ms.min(visitor.came_ms.saturating_add(COALESCE_WAIT_MS_MAX));
                (!visitor.is_served_at_once && now_ms < until_ms).then_some(until_ms)
            }
            Some(copy) => {
                *copy = Copy { due_ms, lapses: copy.lapses + 1 };
                None
            }
            None => {
                if room {
                    self.copies.insert(key, Copy { due_ms, lapses: 0 });
                }
                None
            }
        }
    }

    /// Somebody was introduced to holders of a page: whoever else waits there for it goes on, since those who have it are only busy.
    pub fn note_introduced(&mut self, now_ms: u64, manifest: Digest, place: &Place) {
        if let Some(copy) = self.key(manifest, place).and_then(|key| self.copies.get_mut(&key)) {
            copy.due_ms = copy.due_ms.max(now_ms.saturating_add(COALESCE_SLACK_MS));
            copy.lapses = 0;
        }
    }

    /// Where holders are introduced to somebody: on the farthest tier that is allowed and known of its place. None where nobody ever is.
    fn key(&self, manifest: Digest, place: &Place) -> Option<Key> {
        let neighbourhood = |tier| if tier == Tier::Anyone { Some(None) } else { place.key(tier).map(Some) };
        self.ladder.tiers().rev().find_map(neighbourhood).map(|neighbourhood| (manifest, neighbourhood))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locality::{Code, PeerScope, Region, SharePolicy};

    /// 2 MB over a line that carries 1 MB/s: two seconds, and due after four.
    const LINE: u64 = 1_000_000;

    fn visitor(came_ms: u64) -> Visitor {
        let place = Place::of([192, 0, 2, 1].into());
        Visitor { manifest: Digest::of(b"page"), place, bytes: 2 * LINE, came_ms, is_served_at_once: false }
    }

    fn copies() -> RequestCoalescer {
        RequestCoalescer::new(LINE, Ladder::default())
    }

    #[test]
    fn the_first_gets_a_copy_and_the_others_wait_for_it() {
        let mut copies = copies();
        assert_eq!(copies.wait(0, &visitor(0)), None);
        assert_eq!(copies.wait(10, &visitor(10)), Some(5_000));
        assert_eq!(copies.wait(4_999, &visitor(10)), Some(5_000));
        assert_eq!(copies.wait(500, &Visitor { manifest: Digest::of(b"another page"), ..visitor(500) }), None);
    }

    #[test]
    fn a_copy_that_does_not_come_is_sent_to_one_more_and_then_nobody_waits_for_a_while() {
        let mut copies = copies();
        assert_eq!(copies.wait(0, &visitor(0)), None);
        assert_eq!(copies.wait(5_000, &visitor(10)), None, "the first of those who waited is the next first one");
        assert_eq!(copies.wait(5_000, &visitor(4_900)), Some(10_000));
        assert_eq!(copies.wait(10_000, &visitor(4_900)), None);
        assert_eq!(copies.wait(10_000, &visitor(9_000)), None, "two came to nothing");
        assert_eq!(copies.wait(14_000 + COALESCE_COOLDOWN_MS, &visitor(0)), None);
        assert_eq!(copies.wait(15_000 + COALESCE_COOLDOWN_MS, &visitor(0)), None, "all is as at first");
        assert_eq!(
            copies.wait(15_001 + COALESCE_COOLDOWN_MS, &visitor(15_001 + COALESCE_COOLDOWN_MS)),
            Some(20_000 + COALESCE_COOLDOWN_MS)
        );
    }

    #[test]
    fn as_long_as_others_are_introduced_one_goes_on_waiting() {
        let mut copies = copies();
        copies.wait(0, &visitor(0));
        for now_ms in (1_000..9_000).step_by(500) {
            copies.note_introduced(now_ms, visitor(0).manifest, &visitor(0).place);
        }
        assert_eq!(copies.wait(7_000, &visitor(500)), Some(8_500), "nobody waits longer than a few seconds");
        assert_eq!(copies.wait(8_500, &visitor(500)), None);
        assert_eq!(copies.wait(8_600, &visitor(8_600)), Some(10_500));
        copies.note_introduced(0, Digest::of(b"unknown"), &visitor(0).place);
        assert_eq!(copies.copies.len(), 1);
    }

    #[test]
    fn whoever_is_served_at_once_is_waited_for_all_the_same() {
        let mut copies = copies();
        let at_once = Visitor { is_served_at_once: true, ..visitor(0) };
        assert_eq!([(); 2].map(|()| copies.wait(0, &at_once)), [None, None]);
        assert_eq!(copies.wait(10, &visitor(10)), Some(5_000));
    }

    #[test]
    fn a_copy_is_waited_for_where_its_holder_would_be_introduced() {
        let mut copies = RequestCoalescer::new(LINE, PeerScope::Prefix.into());
        let elsewhere = |last| Visitor { place: Place::of([198, 51, 100, last].into()), ..visitor(0) };
        assert_eq!(copies.wait(0, &visitor(0)), None);
        assert_eq!(copies.wait(0, &elsewhere(1)), None);
        assert_eq!(copies.wait(0, &elsewhere(2)), Some(5_000));
    }

    #[test]
    fn within_a_country_a_copy_is_waited_for_by_those_of_that_country() {
        let ladder = Ladder::default().up_to(Tier::SameCountry);
        let mut copies = RequestCoalescer::new(LINE, ladder);
        let of = |country, last| {
            let region = Region { country: Code::new(country), ..Region::default() };
            Visitor { place: Place { address: [198, 51, last, 1].into(), region }, ..visitor(0) }
        };
        assert_eq!(copies.wait(0, &of("DE", 1)), None);
        assert_eq!(copies.wait(0, &of("DE", 2)), Some(5_000));
        assert_eq!(copies.wait(0, &of("FR", 3)), None);
        assert_eq!(copies.wait(0, &of("", 3)), None, "of whom no country is known, nobody but neighbours is introduced");
        let mut nobody = RequestCoalescer::new(LINE, Ladder::default().up_to(Tier::SameAddress).with(Tier::SameAddress, SharePolicy::Off));
        assert_eq!([(); 2].map(|()| nobody.wait(0, &visitor(0))), [None, None], "nobody ever is");
    }

    #[test]
    fn nobody_waits_where_the_line_is_fast_or_unknown_or_far_too_thin() {
        let waits = |line, bytes| {
            let mut copies = RequestCoalescer::new(line, Ladder::default());
            copies.wait(0, &Visitor { bytes, ..visitor(0) });
            copies.wait(0, &Visitor { bytes, ..visitor(0) }).is_some()
        };
        assert!(!waits(0, 2_000_000));
        assert_eq!([299, 300, 4_000, 4_001].map(|ms| waits(LINE, ms * LINE / 1_000)), [false, true, true, false]);
        assert!(!waits(1, u64::MAX));
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut copies = copies();
        for n in 0..2 * COALESCED_COPIES_MAX {
            copies.wait(0, &Visitor { manifest: Digest::of(&n.to_be_bytes()), ..visitor(0) });
        }
        assert_eq!(copies.copies.len(), COALESCED_COPIES_MAX);
    }
}
