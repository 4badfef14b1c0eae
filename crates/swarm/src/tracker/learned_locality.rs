//! What connections between two networks were like, as those who took say: whom a visitor is given first, and which pairs are hardly tried any more.
//!
//! A network is an IPv4 /24 or an IPv6 /48. What visitors of one say changes what that one gets, and nobody else; a larger network (autonomous system) believes
//! the median of several such networks of its own, each of which has one voice.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::small_map::SmallMap;
use crate::{
    limits::{
        FAILED_CONNECTS_MIN, FAILED_WAIT_MAX_MS, FAILED_WAIT_MS, LEARNED_LOCALITY_AGE_MAX_MS, LEARNED_LOCALITY_GIVERS_MAX,
        LEARNED_LOCALITY_TAKERS_MAX, LEARNED_LOCALITY_VOICES_MAX, LEARNED_LOCALITY_VOICES_MIN, OPEN_WAIT_MS,
    },
    locality::{Key, Place, Tier},
};

/// Round trips from an answer to an open channel: one of ICE, one of DTLS, two of SCTP (PLATFORM section 3).
const OPEN_ROUND_TRIPS: u64 = 4;

/// Where one half of a path is not known it counts as this: a round trip in milliseconds.
const ROUND_TRIP_MS_USUAL: u64 = 50;

/// The same in bytes per second: 8 Mbit/s.
const RATE_USUAL: u64 = 1_000_000;

/// Two paths are compared by how long they take for so many bytes: what one seeder gives of an app of 4 MB.
const COMPARED_LEN: u64 = 1_000_000;

/// A table of networks by networks, bounded; what is not said again is forgotten.
#[derive(Debug, Default)]
pub(super) struct LearnedLocality {
    takers: BTreeMap<Key, Taker>,
    /// The takers by when anything was said of them.
    by_age: BTreeSet<(u64, Key)>,
}

/// What one network got.
#[derive(Debug)]
struct Taker {
    said_ms: u64,
    paths: SmallMap<Key, Path>,
}

/// What it got of another.
#[derive(Debug, Default)]
struct Path {
    said_ms: u64,
    /// By whom it was measured; of a network by itself alone.
    voices: Vec<Voice>,
    /// How good it is, the smaller the better; none where too few say so.
    class: Option<u8>,
    /// Connections in a row that found no way.
    failed: u32,
    /// Whose the last of these was: one visitor is no row.
    failed_last: u64,
    /// Until when it is not tried again, in milliseconds.
    retry_ms: u64,
}

#[derive(Debug)]
struct Voice {
    of: Key,
    said_ms: u64,
    /// Smoothed, in milliseconds.
    round_trip_ms: Option<u64>,
    /// Smoothed, in bytes per second.
    rate: Option<u64>,
}

/// One word of somebody who took.
#[derive(Debug, Clone, Copy)]
enum Word {
    RoundTrip(u64),
    Rate(u64),
}

impl LearnedLocality {
    /// A connection from `giver` opened for `taker`, so many milliseconds after its answer.
    pub(super) fn note_opened(&mut self, now_ms: u64, giver: &Place, taker: &Place, ms: u32) {
        let round_trip_ms = u64::from(ms).min(OPEN_WAIT_MS) / OPEN_ROUND_TRIPS;
        self.note(now_ms, giver, taker, Word::RoundTrip(round_trip_ms));
    }

    /// `taker` got something of `giver`, so many bytes per second; 0 where that could not be measured.
    pub(super) fn note_rate(&mut self, now_ms: u64, giver: &Place, taker: &Place, rate: u32) {
        if rate > 0 {
            return self.note(now_ms, giver, taker, Word::Rate(u64::from(rate)));
        }
        if let Some(path) = self.known(giver, taker) {
            (path.failed, path.retry_ms) = (0, 0);
        }
    }

    /// `visitor`, who answered an offer of `giver`'s, found no way to it.
    pub(super) fn note_failed(&mut self, now_ms: u64, giver: &Place, taker: &Place, visitor: u64) {
        let Some(path) = self.path_of_own(now_ms, giver, taker) else { return };
        if path.failed > 0 && path.failed_last == visitor {
            return;
        }
        path.failed = path.failed.saturating_add(1);
        path.failed_last = visitor;
        path.wait(now_ms);
    }

    /// They are introduced once more: nobody else meanwhile, where that kept failing.
    pub(super) fn note_tried(&mut self, now_ms: u64, giver: &Place, taker: &Place) {
        if let Some(path) = self.known(giver, taker) {
            path.wait(now_ms);
        }
    }

    /// What somebody at this place goes by.
    pub(super) fn of(&self, now_ms: u64, taker: &Place) -> Learned<'_> {
        let known = |tier| taker.key(tier).and_then(|key| self.takers.get(&key)).map(|taker| &taker.paths);
        let mut learned = Learned { now_ms, own: None, wide: None, usual: 0 };
        if !self.takers.is_empty() {
            (learned.own, learned.wide) = (known(Tier::SamePrefix), known(Tier::SameNetwork));
            learned.usual = learned.mean();
        }
        learned
    }

    /// The path of two networks, if anything is known of it.
    fn known(&mut self, giver: &Place, taker: &Place) -> Option<&mut Path> {
        self.takers.get_mut(&taker.key(Tier::SamePrefix)?)?.paths.get_mut(&giver.key(Tier::SamePrefix)?)
    }

    fn note(&mut self, now_ms: u64, giver: &Place, taker: &Place, word: Word) {
        let (Some(voice), Some(from)) = (taker.key(Tier::SamePrefix), giver.key(Tier::SamePrefix)) else { return };
        if let Some(path) = self.path_of_own(now_ms, giver, taker) {
            (path.failed, path.retry_ms) = (0, 0);
            path.note(now_ms, voice, word, (1, 1));
        }
        let network = taker.key(Tier::SameNetwork).filter(|_| voice != from);
        if let Some(path) = network.and_then(|network| self.path(now_ms, network, from)) {
            path.note(now_ms, voice, word, (LEARNED_LOCALITY_VOICES_MIN, LEARNED_LOCALITY_VOICES_MAX));
        }
    }

    /// Of one network nothing is learned: there everybody is near, and none of its own makes it leave the others alone.
    fn path_of_own(&mut self, now_ms: u64, giver: &Place, taker: &Place) -> Option<&mut Path> {
        let (taker, giver) = taker.key(Tier::SamePrefix).zip(giver.key(Tier::SamePrefix)).filter(|(taker, giver)| taker != giver)?;
        self.path(now_ms, taker, giver)
    }

    /// The path of two networks, which something is said of now. What was said longest ago makes room.
    fn path(&mut self, now_ms: u64, taker: Key, giver: Key) -> Option<&mut Path> {
        match self.takers.get_mut(&taker) {
            Some(known) => {
                self.by_age.remove(&(known.said_ms, taker));
                known.said_ms = now_ms;
            }
            None => {
                if self.takers.len() >= LEARNED_LOCALITY_TAKERS_MAX
                    && let Some((_, oldest)) = self.by_age.pop_first()
                {
                    self.takers.remove(&oldest);
                }
                self.takers.insert(taker, Taker { said_ms: now_ms, paths: SmallMap::default() });
            }
        }
        self.by_age.insert((now_ms, taker));
        let paths = &mut self.takers.get_mut(&taker)?.paths;
        if !paths.contains_key(&giver) {
            if paths.len() >= LEARNED_LOCALITY_GIVERS_MAX
                && let Some(oldest) = paths.iter().min_by_key(|(_, path)| path.said_ms).map(|(giver, _)| *giver)
            {
                paths.remove(&oldest);
            }
            paths.insert(giver, Path::default());
        }
        let path = paths.get_mut(&giver)?;
        if now_ms.saturating_sub(path.said_ms) > LEARNED_LOCALITY_AGE_MAX_MS {
            *path = Path::default();
        }
        path.said_ms = now_ms;
        Some(path)
    }

    /// Networks that took, and pairs of networks.
    #[cfg(test)]
    fn len(&self) -> (usize, usize) {
        assert_eq!(self.takers.len(), self.by_age.len());
        (self.takers.len(), self.takers.values().map(|taker| taker.paths.len()).sum())
    }
}

impl Path {
    fn note(&mut self, now_ms: u64, of: Key, word: Word, (voices_min, voices_max): (usize, usize)) {
        self.voices.retain(|voice| now_ms.saturating_sub(voice.said_ms) <= LEARNED_LOCALITY_AGE_MAX_MS);
        let at = self.voices.iter().position(|voice| voice.of == of).unwrap_or_else(|| {
            if self.voices.len() >= voices_max
                && let Some(oldest) = (0..self.voices.len()).min_by_key(|at| self.voices[*at].said_ms)
            {
                self.voices.remove(oldest);
            }
            self.voices.push(Voice { of, said_ms: now_ms, round_trip_ms: None, rate: None });
            self.voices.len() - 1
        });
        let voice = &mut self.voices[at];
        voice.said_ms = now_ms;
        let (known, new) = match word {
            Word::RoundTrip(ms) => (&mut voice.round_trip_ms, ms),
            Word::Rate(rate) => (&mut voice.rate, rate),
        };
        *known = Some(known.map_or(new, |known| (3 * known + new) / 4));
        let mut costs: Vec<u64> = self.voices.iter().map(Voice::cost_ms).collect();
        costs.sort_unstable();
        self.class = (costs.len() >= voices_min).then(|| costs[costs.len() / 2].ilog2() as u8);
    }

    /// The next try is a while away, the longer the more failed.
    fn wait(&mut self, now_ms: u64) {
        if let Some(beyond) = self.failed.checked_sub(FAILED_CONNECTS_MIN) {
            let wait_ms = (FAILED_WAIT_MS << beyond.min(8)).min(FAILED_WAIT_MAX_MS);
            self.retry_ms = self.retry_ms.max(now_ms.saturating_add(wait_ms));
        }
    }
}

impl Voice {
    /// How long what is compared takes, in milliseconds, at least 1.
    fn cost_ms(&self) -> u64 {
        let round_trip_ms = self.round_trip_ms.unwrap_or(ROUND_TRIP_MS_USUAL);
        OPEN_ROUND_TRIPS * round_trip_ms + COMPARED_LEN * 1000 / self.rate.unwrap_or(RATE_USUAL).max(1) + 1
    }
}

/// What the visitors of one network go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Learned<'n> {
    now_ms: u64,
    own: Option<&'n SmallMap<Key, Path>>,
    wide: Option<&'n SmallMap<Key, Path>>,
    usual: u8,
}

impl Learned<'_> {
    /// How good the way from a place is, the smaller the better; the mean of what is known where this is not. Each step is twice as long.
    pub(super) fn class(&self, giver: &Place) -> u8 {
        self.path(giver, |path| path.class).unwrap_or(self.usual)
    }

    /// Whether nobody is to be introduced to somebody there now, since that kept failing.
    pub(super) fn is_failing(&self, giver: &Place) -> bool {
        self.path(giver, |path| (path.failed > 0).then_some(path.retry_ms)).is_some_and(|retry_ms| self.now_ms < retry_ms)
    }

    /// Networks that are better than the mean, the best first.
    pub(super) fn best(&self) -> Vec<Key> {
        let mut best: Vec<(u8, Key)> = self.paths().filter(|(class, _)| *class < self.usual).collect();
        best.sort_unstable();
        best.into_iter().map(|(_, giver)| giver).collect()
    }

    fn path<T>(&self, giver: &Place, of: impl Fn(&Path) -> Option<T>) -> Option<T> {
        if self.own.is_none() && self.wide.is_none() {
            return None;
        }
        let giver = giver.key(Tier::SamePrefix)?;
        let known = |paths: Option<&SmallMap<Key, Path>>| paths?.get(&giver).filter(|path| self.is_new(path)).and_then(&of);
        known(self.own).or_else(|| known(self.wide))
    }

    fn is_new(&self, path: &Path) -> bool {
        self.now_ms.saturating_sub(path.said_ms) <= LEARNED_LOCALITY_AGE_MAX_MS
    }

    fn paths(&self) -> impl Iterator<Item = (u8, Key)> {
        let of = |paths: Option<_>| paths.into_iter().flat_map(SmallMap::iter);
        let classes = move |(giver, path): (&Key, &Path)| path.class.filter(|_| self.is_new(path)).map(|class| (class, *giver));
        // Its own visitors know better than those of the networks around.
        let knows =
            move |giver: &Key| self.own.and_then(|own| own.get(giver)).is_some_and(|path| path.class.is_some() && self.is_new(path));
        let wide = of(self.wide).filter_map(classes).filter(move |(_, giver)| !knows(giver));
        of(self.own).filter_map(classes).chain(wide)
    }

    fn mean(&self) -> u8 {
        let (count, sum) = self.paths().fold((0_u32, 0_u32), |(count, sum), (class, _)| (count + 1, sum + u32::from(class)));
        // Rounded up, so that what is a little better than another counts as better.
        u8::try_from(sum.div_ceil(count.max(1))).unwrap_or(u8::MAX)
    }
}
