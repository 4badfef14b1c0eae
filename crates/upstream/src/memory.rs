//! What is known of each path of the other server. No I/O; time is an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::Notify;
use tokio::time::Instant;
use viral_site::{Asset, exact_name};

use crate::age::Age;
use crate::entry::{Entry, Freshness};
use crate::limits::{FRESH_LEAST, KEPT_LEN_MAX, PATH_LEN_MAX, PATHS_MAX, QUEUE_MAX, REFUSED_FOR, SHARED_MAX, WAY_LEN_MAX, WAYS_MAX};

/// What is known of each path, for all who ask.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
    /// There is something to look at.
    pub(crate) wanted: Notify,
    /// What may travel changed.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<String, Known>,
    queue: VecDeque<Wanted>,
    kept_len: u64,
    /// How many may travel.
    shared: usize,
    visited: Option<Instant>,
    /// When what may be looked at again was forgotten last, to make room.
    swept: Option<Instant>,
}

#[derive(Debug)]
enum Known {
    /// It waits, or is being looked at.
    Looking,
    Shared(Arc<Entry>, Use),
    /// It stays where it is; it may be looked at again from then on.
    Refused(Instant),
}

/// How a path that may travel is asked for.
#[derive(Debug)]
struct Use {
    /// Queries, and hosts, that lead to the same.
    same: BTreeSet<Way>,
    /// Those that are being looked at, or lead elsewhere.
    other: BTreeSet<Way>,
    /// When somebody asked last.
    used: Instant,
    /// When the other server said last that it is so.
    checked: Instant,
    /// How old that answer was.
    age: Age,
}

impl Use {
    fn freshness(&self, now: Instant, entry: &Entry) -> Freshness {
        entry.life.freshness(self.age.at(now), now.saturating_duration_since(self.checked))
    }
}

/// Another way to ask for a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// With this query.
    Query(String),
    /// Under this host.
    Host(Vec<u8>),
}

/// A path to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) path: String,
    /// In this way, to see whether it leads to the same as it is known to.
    pub(crate) way: Option<Way>,
    pub(crate) origin: Origin,
}

/// Where somebody came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The `Host`.
    pub(crate) host: Option<HeaderValue>,
    pub(crate) over_tls: bool,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants a path to be looked at, unless it was or will be.
    pub(crate) fn want(&self, now: Instant, wanted: Wanted) {
        if wanted.path.len() > PATH_LEN_MAX || exact_name(&wanted.path).is_none() {
            return;
        }
        let mut state = self.state();
        let is_due = match state.known.get(&wanted.path) {
            None => state.has_room(now),
            Some(Known::Refused(until)) => *until <= now,
            Some(Known::Looking | Known::Shared(..)) => false,
        };
        if !is_due || state.queue.len() >= QUEUE_MAX {
            return;
        }
        state.known.insert(wanted.path.clone(), Known::Looking);
        state.queue.push_back(wanted);
        drop(state);
        self.wanted.notify_one();
    }

    /// Wants to know whether another way leads to the same as the path that may travel.
    pub(crate) fn want_way(&self, path: &str, way: Way, origin: Origin) {
        let len = match &way {
            Way::Query(query) => query.len(),
            Way::Host(host) => host.len(),
        };
        let mut state = self.state();
        let has_room = state.queue.len() < QUEUE_MAX && len <= WAY_LEN_MAX;
        let Some(Known::Shared(_, usage)) = state.known.get_mut(path) else { return };
        if !has_room || usage.same.len() + usage.other.len() >= WAYS_MAX || usage.same.contains(&way) || !usage.other.insert(way.clone()) {
            return;
        }
        state.queue.push_back(Wanted { path: path.to_owned(), way: Some(way), origin });
        drop(state);
        self.wanted.notify_one();
    }

    /// Another way leads to the same.
    pub(crate) fn note_way(&self, path: &str, way: &Way) {
        if let Some(Known::Shared(_, usage)) = self.state().known.get_mut(path)
            && let Some(way) = usage.other.take(way)
        {
            usage.same.insert(way);
        }
    }

    /// It cannot be told whether another way leads to the same.
    pub(crate) fn forget_way(&self, path: &str, way: &Way) {
        if let Some(Known::Shared(_, usage)) = self.state().known.get_mut(path) {
            usage.other.remove(way);
        }
    }

    /// The next path to be looked at.
    pub(crate) fn next(&self) -> Option<Wanted> {
        self.state().queue.pop_front()
    }

    /// A path was looked at and may travel. False if there is no room for it.
    pub(crate) fn share(&self, now: Instant, path: &str, entry: Entry) -> bool {
        let len = entry.asset.len();
        let mut state = self.state();
        while state.shared >= SHARED_MAX || (state.kept_len + len > KEPT_LEN_MAX && state.shared > 0) {
            state.drop_oldest();
        }
        if len > KEPT_LEN_MAX {
            state.set(path, Known::Refused(now + REFUSED_FOR));
            return false;
        }
        let same = entry.hosts.iter().map(|host| Way::Host(host.as_bytes().to_owned())).collect();
        let age = entry.age;
        state.set(path, Known::Shared(Arc::new(entry), Use { same, other: BTreeSet::new(), used: now, checked: now, age }));
        drop(state);
        self.changed.notify_one();
        true
    }

    /// A path was looked at, or turned out to be another, and stays where it is. Tells whether it could travel until now.
    pub(crate) fn refuse(&self, now: Instant, path: &str) -> bool {
        self.refuse_for(now, path, REFUSED_FOR)
    }

    /// The same for so long.
    pub(crate) fn refuse_for(&self, now: Instant, path: &str, long: Duration) -> bool {
        let was_shared = self.state().set(path, Known::Refused(now + long));
        if was_shared {
            self.changed.notify_one();
        }
        was_shared
    }

    /// A path turned out to be another: it is looked at anew, and meanwhile stays where it is.
    pub(crate) fn look_again(&self, wanted: Wanted) {
        let mut state = self.state();
        state.set(&wanted.path, Known::Looking);
        // What could travel has a place.
        state.queue.push_back(wanted);
        drop(state);
        self.changed.notify_one();
        self.wanted.notify_one();
    }

    /// The other server said that this is still the same, in an answer of this age.
    pub(crate) fn note_checked(&self, now: Instant, path: &str, age: Age) {
        if let Some(Known::Shared(_, usage)) = self.state().known.get_mut(path) {
            (usage.checked, usage.age) = (now, age);
        }
    }

    /// How old the answer is that is kept of a path.
    pub(crate) fn age(&self, now: Instant, path: &str) -> Option<Duration> {
        if let Some(Known::Shared(_, usage)) = self.state().known.get(path) { Some(usage.age.at(now)) } else { None }
    }

    /// What may travel under a path that a visitor asks for, and how far it can be believed; in each of these ways, if they are known to lead to the same.
    pub(crate) fn find(&self, now: Instant, path: &str, asked: &[Way]) -> Option<(Arc<Entry>, Freshness)> {
        match self.state().known.get_mut(path) {
            Some(Known::Shared(entry, usage)) if asked.iter().all(|way| usage.same.contains(way)) => {
                usage.used = now;
                Some((Arc::clone(entry), usage.freshness(now, entry)))
            }
            Some(Known::Looking | Known::Shared(..) | Known::Refused(_)) | None => None,
        }
    }

    /// What may travel under a path, for ourselves: that is no use of it.
    pub(crate) fn kept(&self, path: &str) -> Option<Arc<Entry>> {
        if let Some(Known::Shared(entry, _)) = self.state().known.get(path) { Some(Arc::clone(entry)) } else { None }
    }

    /// Somebody visits.
    pub(crate) fn note_visit(&self, now: Instant) {
        self.state().visited = Some(now);
    }

    /// When somebody visited last.
    pub(crate) fn visited(&self) -> Option<Instant> {
        self.state().visited
    }

    /// What cannot be believed as it is, at most `max`, the one checked longest ago first. After a deploy all without a life of their own are among them, however lately they
    /// were checked.
    pub(crate) fn stale(&self, now: Instant, max: usize, is_deploy: bool) -> Vec<(String, Arc<Entry>)> {
        let state = self.state();
        let is_doubtful =
            |entry: &Entry, usage: &Use| usage.freshness(now, entry) != Freshness::Fresh || (is_deploy && entry.life.fresh <= FRESH_LEAST);
        let mut stale: Vec<(Instant, &String, &Arc<Entry>)> = state
            .known
            .iter()
            .filter_map(|(path, known)| match known {
                Known::Shared(entry, usage) if is_doubtful(entry, usage) => Some((usage.checked, path, entry)),
                Known::Shared(..) | Known::Looking | Known::Refused(_) => None,
            })
            .collect();
        stale.sort_unstable_by_key(|(checked, path, _)| (*checked, *path));
        stale.into_iter().take(max).map(|(_, path, entry)| (path.clone(), Arc::clone(entry))).collect()
    }

    /// All that may travel.
    pub(crate) fn assets(&self) -> Vec<Arc<Asset>> {
        self.state()
            .known
            .values()
            .filter_map(|known| if let Known::Shared(entry, _) = known { Some(Arc::clone(&entry.asset)) } else { None })
            .collect()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        let visited = state.visited;
        *state = State { visited, ..State::default() };
        drop(state);
        self.changed.notify_one();
    }
}

impl State {
    /// Forgets what nobody asked for the longest.
    fn drop_oldest(&mut self) {
        let used =
            |(path, known): (&String, &Known)| if let Known::Shared(_, usage) = known { Some((usage.used, path.clone())) } else { None };
        let oldest = self.known.iter().filter_map(used).min();
        if let Some((_, path)) = oldest {
            let before = self.known.remove(&path);
            self.uncount(before.as_ref());
        }
    }

    /// What was known of a path is known no more. Tells whether it could travel.
    fn uncount(&mut self, before: Option<&Known>) -> bool {
        let Some(Known::Shared(entry, _)) = before else { return false };
        self.kept_len -= entry.asset.len();
        self.shared -= 1;
        true
    }

    /// Whether one more path can be remembered. Where all places are taken, what may be looked at again anyway is forgotten, once a second at most: visitors make up paths.
    fn has_room(&mut self, now: Instant) -> bool {
        let may_sweep = self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= FRESH_LEAST);
        if self.known.len() >= PATHS_MAX && may_sweep {
            self.swept = Some(now);
            self.known.retain(|_, known| !matches!(known, Known::Refused(until) if *until <= now));
        }
        self.known.len() < PATHS_MAX
    }

    /// Tells whether the path could travel until now.
    fn set(&mut self, path: &str, known: Known) -> bool {
        if let Known::Shared(entry, _) = &known {
            self.kept_len += entry.asset.len();
            self.shared += 1;
        }
        let before = self.known.insert(path.to_owned(), known);
        self.uncount(before.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(path: &str) -> Wanted {
        Wanted { path: path.to_owned(), way: None, origin: Origin::default() }
    }

    #[test]
    fn a_path_is_looked_at_once_and_again_only_after_a_while() {
        let (memory, start) = (Memory::default(), Instant::now());
        memory.want(start, wanted("/a"));
        memory.want(start, wanted("/a"));
        assert_eq!((memory.next(), memory.next()), (Some(wanted("/a")), None));
        assert!(!memory.refuse(start, "/a"));
        memory.want(start + REFUSED_FOR - Duration::from_secs(1), wanted("/a"));
        assert_eq!(memory.next(), None);
        memory.want(start + REFUSED_FOR, wanted("/a"));
        assert_eq!(memory.next(), Some(wanted("/a")));
    }

    #[test]
    fn a_path_that_browsers_spell_otherwise_is_not_learned() {
        let (memory, start) = (Memory::default(), Instant::now());
        let long = format!("/{}", "x".repeat(PATH_LEN_MAX));
        for path in ["/index.html", "/a/index.html", "//a.js", "/%61.js", "/a%2Fb", "/../a", long.as_str()] {
            memory.want(start, wanted(path));
            assert_eq!(memory.next(), None, "{path}");
        }
    }

    fn entry(path: &str) -> Entry {
        let head = http::Response::builder().header("content-type", "text/css").body(()).unwrap().into_parts().0;
        let answer = crate::entry::answered(path.to_owned(), &head, viral_site::Content::Bytes(bytes::Bytes::from_static(b"x")));
        let asset = viral_site::VersionMaker::new(viral_site::SiteOptions::default()).unwrap().asset(answer).unwrap();
        Entry {
            asset,
            digest: viral_wire::Digest::of(b"x"),
            etag: None,
            modified: None,
            hosts: Vec::new(),
            origin: Origin::default(),
            told: crate::entry::told(&head.headers),
            life: crate::entry::Life::of(&head, Duration::ZERO),
            age: Age { came: Instant::now(), then: Duration::from_secs(100) },
        }
    }

    #[test]
    fn what_no_visitor_asked_for_the_longest_goes_first_whatever_we_looked_at() {
        let (memory, start) = (Memory::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(memory.share(at(0), "/a.css", entry("a.css")) && memory.share(at(1), "/b.css", entry("b.css")));
        assert!(memory.kept("/a.css").is_some());
        assert_eq!(memory.stale(at(2), 1, false)[0].0, "/a.css");
        assert_eq!(memory.find(at(3), "/b.css", &[]).unwrap().1, Freshness::Stale);
        assert_eq!(memory.age(at(3), "/b.css").map(|age| age.as_secs()), Some(102), "its age as it came is part of it");
        memory.note_checked(at(3), "/b.css", Age { came: at(3), then: Duration::from_secs(7) });
        assert_eq!((memory.age(at(5), "/b.css"), memory.age(at(5), "/c.css")), (Some(Duration::from_secs(9)), None));
        assert_eq!(memory.find(at(3), "/b.css", &[]).unwrap().1, Freshness::Fresh);
        let counted = || {
            let state = memory.state();
            (state.shared, state.kept_len)
        };
        memory.state().drop_oldest();
        assert!(memory.kept("/a.css").is_none() && memory.kept("/b.css").is_some());
        assert_eq!(counted(), (1, 1));
        assert!(memory.refuse(at(4), "/b.css"));
        assert_eq!(counted(), (0, 0));
    }

    #[test]
    fn paths_that_visitors_make_up_fill_neither_the_memory_nor_the_queue() {
        let (memory, start) = (Memory::default(), Instant::now());
        for number in 0..PATHS_MAX + 10 {
            memory.want(start, wanted(&format!("/{number}")));
            if number % 2 == 0 {
                memory.next();
            }
        }
        assert!(memory.state().queue.len() <= QUEUE_MAX && memory.state().known.len() <= PATHS_MAX);
        while let Some(Wanted { path, .. }) = memory.next() {
            memory.refuse(start, &path);
        }
        // Whoever comes a minute later is remembered again.
        memory.want(start + REFUSED_FOR, wanted("/new"));
        assert_eq!(memory.next(), Some(wanted("/new")));
    }
}
