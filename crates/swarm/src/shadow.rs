//! What would have been: how visitors would be answered whom nobody is introduced to, since an operator only counts.
//!
//! Nobody says how long it stays, so everybody is taken to stay for [`SHADOW_STAY_MS`], and to give to others meanwhile.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::{
    address::ClientAddr,
    limits::{SHADOW_PAGES_MAX, SHADOW_STAY_MS, SHADOW_VISITORS_MAX},
    locality::{Ladder, Place, SharePolicy},
};

/// What was counted, and who is taken to be there.
#[derive(Debug, Default)]
pub struct Shadow {
    pages: BTreeMap<String, VecDeque<(u64, Place)>>,
    counts: ShadowCounts,
}

/// Visits by the answer that they would have got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ShadowCounts {
    /// Somebody near enough would have had the page.
    pub thin: u64,
    /// Nobody would.
    pub full: u64,
}

impl Shadow {
    /// Somebody comes to a page that could travel.
    pub fn handle_visit(&mut self, now_ms: u64, page: &str, addr: &ClientAddr, ladder: &Ladder) {
        if self.pages.len() >= SHADOW_PAGES_MAX && !self.pages.contains_key(page) {
            self.make_room(now_ms);
        }
        let there = self.pages.entry(page.to_owned()).or_default();
        while there.front().is_some_and(|(came_ms, _)| now_ms.saturating_sub(*came_ms) > SHADOW_STAY_MS) {
            there.pop_front();
        }
        let place = addr.place();
        // Of tiers on which browsers only take, no browser gives.
        let gives = |other: &Place| ladder.policy(place.tier_to(other)) == SharePolicy::On;
        let counts = &mut self.counts;
        let takes = addr.share != SharePolicy::Off;
        *(if takes && there.iter().any(|(_, other)| gives(other)) { &mut counts.thin } else { &mut counts.full }) += 1;
        if addr.share == SharePolicy::On {
            if there.len() >= SHADOW_VISITORS_MAX {
                there.pop_front();
            }
            there.push_back((now_ms, place));
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> ShadowCounts {
        self.counts
    }

    /// Forgets pages where nobody is any more or, if there are none, the one where somebody came longest ago.
    fn make_room(&mut self, now_ms: u64) {
        let latest = |there: &VecDeque<(u64, Place)>| there.back().map_or(0, |(came_ms, _)| *came_ms);
        self.pages.retain(|_, there| now_ms.saturating_sub(latest(there)) <= SHADOW_STAY_MS);
        if self.pages.len() >= SHADOW_PAGES_MAX
            && let Some(oldest) = self.pages.iter().min_by_key(|(_, there)| latest(there)).map(|(page, _)| page.clone())
        {
            self.pages.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locality::Tier;

    fn at(last: [u8; 4]) -> ClientAddr {
        ClientAddr::at(last.into())
    }

    #[test]
    fn whoever_comes_while_somebody_near_enough_is_there_would_have_been_thin() {
        let (mut shadow, anybody) = (Shadow::default(), Ladder::default());
        shadow.handle_visit(0, "/", &at([192, 0, 2, 1]), &anybody);
        shadow.handle_visit(1, "/other", &at([192, 0, 2, 1]), &anybody);
        assert_eq!(shadow.counts(), ShadowCounts { thin: 0, full: 2 });
        shadow.handle_visit(SHADOW_STAY_MS, "/", &at([198, 51, 100, 1]), &anybody);
        assert_eq!(shadow.counts(), ShadowCounts { thin: 1, full: 2 });
        let near = Ladder::default().up_to(Tier::SamePrefix);
        shadow.handle_visit(SHADOW_STAY_MS, "/", &at([203, 0, 113, 1]), &near);
        shadow.handle_visit(SHADOW_STAY_MS, "/", &at([203, 0, 113, 2]), &near);
        assert_eq!(shadow.counts(), ShadowCounts { thin: 2, full: 3 });
        shadow.handle_visit(2 * SHADOW_STAY_MS + 1, "/", &at([203, 0, 113, 1]), &near);
        assert_eq!(shadow.counts(), ShadowCounts { thin: 2, full: 4 }, "all had left");
    }

    #[test]
    fn who_gives_nothing_is_there_for_nobody() {
        let (mut shadow, anybody) = (Shadow::default(), Ladder::default());
        let leech = ClientAddr { share: SharePolicy::Leech, ..at([192, 0, 2, 1]) };
        for _ in 0..2 {
            shadow.handle_visit(0, "/", &leech, &anybody);
        }
        assert_eq!(shadow.counts(), ShadowCounts { thin: 0, full: 2 });
    }

    #[test]
    fn as_many_pages_and_visitors_are_remembered_as_the_limits_say() {
        let (mut shadow, anybody) = (Shadow::default(), Ladder::default());
        for number in 0..=SHADOW_PAGES_MAX as u64 {
            shadow.handle_visit(number, &format!("/{number}"), &at([192, 0, 2, 1]), &anybody);
        }
        assert_eq!(shadow.pages.len(), SHADOW_PAGES_MAX);
        assert!(!shadow.pages.contains_key("/0") && shadow.pages.contains_key("/1"));
        for _ in 0..=SHADOW_VISITORS_MAX {
            shadow.handle_visit(2_000, "/1", &at([192, 0, 2, 1]), &anybody);
        }
        assert_eq!(shadow.pages["/1"].len(), SHADOW_VISITORS_MAX);
    }
}
