//! What visits to each page use is learned by all servers together: who learns something new tells the others, who then have the same manifest.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use viral_swarm::pageset::PageState;

use crate::hub::Hub;
use crate::limits::PAGES_MAX;

/// How often each page was changed, as far as this server knows.
#[derive(Default)]
pub(super) struct SharedPages {
    generations: Mutex<BTreeMap<String, u64>>,
}

impl SharedPages {
    /// Another server, or Redis, has a newer state of a page.
    pub(super) fn adopt(&self, hub: &Hub, page: &str, generation: u64, state: PageState) {
        let mut generations = self.generations();
        if generation <= generations.get(page).copied().unwrap_or(0) || !note(&mut generations, page, generation) {
            return;
        }
        drop(generations);
        hub.adopt_page(page, state);
    }

    /// What Redis has holds, whatever was known: it may have lost what it had.
    #[cfg(feature = "cluster")]
    pub(super) fn take_over(&self, hub: &Hub, page: &str, generation: u64, state: PageState) {
        if note(&mut self.generations(), page, generation) {
            hub.adopt_page(page, state);
        }
    }

    /// Nothing is known of what Redis has.
    #[cfg(feature = "cluster")]
    pub(super) fn clear(&self) {
        self.generations().clear();
    }

    /// The generation that a change of this server is based on.
    #[cfg(feature = "cluster")]
    pub(super) fn generation(&self, page: &str) -> u64 {
        self.generations().get(page).copied().unwrap_or(0)
    }

    /// A change of this server's own is the newest now.
    #[cfg(feature = "cluster")]
    pub(super) fn set(&self, page: &str, generation: u64) {
        note(&mut self.generations(), page, generation);
    }

    fn generations(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// False where there is no room for one more page.
fn note(generations: &mut BTreeMap<String, u64>, page: &str, generation: u64) -> bool {
    let has_room = generations.len() < PAGES_MAX || generations.contains_key(page);
    if has_room {
        generations.insert(page.to_owned(), generation);
    }
    has_room
}
