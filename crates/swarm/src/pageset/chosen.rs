//! Which assets a set is made of: what entered, in order of need and within the bounds.

use std::collections::BTreeSet;

use super::tally::Tally;
use super::types::{PageSetConfig, Served, StaticReference};
use crate::limits::{PAGE_SET_LONE_BYTES_MIN, PAGE_SET_LONE_FACTOR};

/// The assets of a set, in order of need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) assets: Vec<String>,
    /// How many of them, from the first, are critical.
    pub(super) critical: usize,
    pub(super) bytes: u64,
}

impl Chosen {
    /// The set of a page that follows from what entered, within the bounds.
    pub(super) fn of(
        config: &PageSetConfig,
        document: &str,
        references: &[StaticReference],
        entered: &BTreeSet<String>,
        tally: &Tally<'_>,
        served: Served<'_>,
    ) -> Self {
        let is_in = |path: &str| path != document && entered.contains(path);
        let critical: Vec<&str> =
            references.iter().filter(|known| known.critical && is_in(&known.path)).map(|known| known.path.as_str()).collect();
        let firsts: BTreeSet<&str> = critical.iter().copied().collect();
        let others = entered.iter().map(String::as_str).filter(|path| is_in(path) && !firsts.contains(path));
        let mut expected: Vec<&str> = others.collect();
        expected.sort_by_cached_key(|path| (tally.place(path), tally.static_place(path)));

        let named_by_page = references.iter().filter(|known| is_in(&known.path)).filter_map(|known| served(&known.path));
        let referred = named_by_page.fold(0, u64::saturating_add);
        let mut lone_left = PAGE_SET_LONE_BYTES_MIN.max(referred.saturating_mul(PAGE_SET_LONE_FACTOR));
        let mut chosen = Self::default();
        for path in critical {
            chosen.take(path, config, u64::MAX, served);
        }
        chosen.critical = chosen.assets.len();
        for path in expected {
            if tally.is_vouched(path) {
                chosen.take(path, config, u64::MAX, served);
            } else {
                lone_left -= chosen.take(path, config, lone_left, served);
            }
        }
        chosen
    }

    /// The critical ones.
    pub(super) fn first_ring(&self) -> &[String] {
        self.assets.get(..self.critical).unwrap_or_default()
    }

    /// Takes `path` in if it is served, at most `len_max` bytes long and within the bounds. Returns the bytes it added.
    fn take(&mut self, path: &str, config: &PageSetConfig, len_max: u64, served: Served<'_>) -> u64 {
        let Some(len) = served(path).filter(|len| *len <= len_max && self.assets.len() < config.assets_max) else { return 0 };
        let Some(bytes) = self.bytes.checked_add(len).filter(|sum| *sum <= config.bytes_max) else { return 0 };
        self.bytes = bytes;
        self.assets.push(path.to_owned());
        len
    }
}
