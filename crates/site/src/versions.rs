//! The versions of a site: the newest, and those that visits of the last minutes began with.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use tokio::{sync::watch, time::Instant};

use crate::{
    Version,
    contents::Contents,
    limits::{VERSION_KEPT_FOR, VERSIONS_KEPT},
    version::SiteSettings,
};

/// The kept versions of a site, newest first; never empty.
#[derive(Debug)]
pub(crate) struct Versions {
    kept: ArcSwap<Vec<Arc<Version>>>,
    number: watch::Sender<u64>,
    /// When kept versions were replaced, oldest first, by their number.
    replaced: Mutex<VecDeque<(u64, Instant)>>,
    settings: SiteSettings,
}

impl Versions {
    pub(crate) fn new(contents: Contents, settings: SiteSettings) -> Self {
        let first = Version::new(1, contents, settings.clone());
        tracing::info!(version = 1, assets = first.assets().count(), bytes = first.bytes(), "site is ready");
        Self { kept: ArcSwap::from_pointee(vec![Arc::new(first)]), number: watch::Sender::new(1), replaced: Mutex::default(), settings }
    }

    /// All kept versions, newest first.
    pub(crate) fn kept(&self) -> Arc<Vec<Arc<Version>>> {
        self.kept.load_full()
    }

    /// The number of the newest version.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }

    /// The newest version.
    pub(crate) fn current(&self) -> Arc<Version> {
        Arc::clone(self.kept.load().first().expect("the first version is there from the start and the newest is never dropped"))
    }

    /// Forgets versions that were replaced too long ago.
    pub(crate) fn expire(&self, now: Instant) {
        let mut replaced = self.replaced();
        let mut last_gone = None;
        while let Some((number, _)) = replaced.front().copied().filter(|(_, at)| now.duration_since(*at) >= VERSION_KEPT_FOR) {
            replaced.pop_front();
            last_gone = Some(number);
        }
        if let Some(last_gone) = last_gone {
            self.keep(|version| version.number() > last_gone);
        }
    }

    /// Forgets all versions but the newest.
    pub(crate) fn forget_older(&self) {
        let current = self.current().number();
        self.replaced().clear();
        self.keep(|version| version.number() == current);
    }

    fn keep(&self, keeps: impl Fn(&Version) -> bool) {
        let kept = self.kept.load_full().iter().filter(|version| keeps(version)).cloned().collect();
        self.kept.store(Arc::new(kept));
    }

    fn replaced(&self) -> MutexGuard<'_, VecDeque<(u64, Instant)>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reading of the directory ended at `now`: makes `contents` the newest version, if anything in them differs from it.
    pub(crate) fn publish(&self, now: Instant, contents: Contents) {
        let current = self.current();
        if current.same_content(&contents) {
            return;
        }
        let number = current.number() + 1;
        let next = Arc::new(Version::new(number, contents, self.settings.clone()));
        tracing::info!(version = number, assets = next.assets().count(), bytes = next.bytes(), "new version");
        let older = self.kept.load_full();
        let kept = std::iter::once(next).chain(older.iter().take(VERSIONS_KEPT - 1).cloned()).collect();
        self.kept.store(Arc::new(kept));
        let mut replaced = self.replaced();
        replaced.push_back((current.number(), now));
        // Those that are kept no more for their number.
        while replaced.len() >= VERSIONS_KEPT {
            replaced.pop_front();
        }
        drop(replaced);
        self.number.send_replace(number);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::{EmbeddedFile, asset::BuildContext, inventory, limits::MEMORY_LEN_MAX, object::Objects, store::Store};

    /// Versions of a site of one file, and what makes the next.
    pub(crate) fn versions() -> (Versions, impl Fn(&'static str) -> Contents) {
        let context = BuildContext {
            objects: Objects::new(Store::open(None, MEMORY_LEN_MAX).unwrap()),
            addition: None,
            headers: Arc::default(),
            immutable: Vec::new(),
        };
        let assets = move |body: &'static str| {
            let file = EmbeddedFile { path: "a.txt".to_owned(), body: Bytes::from_static(body.as_bytes()) };
            inventory::embedded(&context, "", vec![file], |_, _| crate::history::Told::default()).unwrap().into()
        };
        (
            Versions::new(
                assets("1"),
                SiteSettings { base: "".into(), spa: false, exact_paths: false, headers: Arc::default(), addition: None, personal: None },
            ),
            assets,
        )
    }

    pub(crate) fn numbers(versions: &Versions) -> Vec<u64> {
        versions.kept.load().iter().map(|version| version.number()).collect()
    }

    #[test]
    fn a_version_is_gone_ten_minutes_after_it_was_replaced() {
        let (versions, assets) = versions();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        versions.publish(at(0), assets("2"));
        versions.publish(at(100), assets("3"));
        versions.expire(at(599));
        assert_eq!(numbers(&versions), [3, 2, 1]);
        versions.expire(at(600));
        assert_eq!(numbers(&versions), [3, 2]);
        versions.publish(at(650), assets("4"));
        versions.publish(at(660), assets("5"));
        assert_eq!(numbers(&versions), [5, 4, 3], "no more than so many, however young");
        versions.expire(at(1_259));
        assert_eq!(numbers(&versions), [5, 4]);
        versions.expire(at(1_000_000));
        assert_eq!(numbers(&versions), [5], "the current one stays");
    }
}
