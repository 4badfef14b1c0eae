//! What came of one reading: the assets, and the rules that the site brings along.

use std::{collections::BTreeMap, sync::Arc};

use super::{Asset, rules::Rules};

/// Assets by relative path.
pub(super) type Assets = BTreeMap<String, Arc<Asset>>;

/// What a version is made of.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// What the addresses of the site lead to.
    pub(super) assets: Assets,
    /// Files whose addresses lead elsewhere by a rule, and which other rules may lead to.
    pub(super) behind: Assets,
    pub(super) rules: Arc<Rules>,
}

impl Contents {
    /// Assets whose headers are those of `rules`.
    pub(super) fn new(assets: Assets, rules: Arc<Rules>) -> Self {
        if !rules.can_hide() {
            return Self { assets, behind: Assets::new(), rules };
        }
        let (behind, assets) = assets.into_iter().partition(|(relative, _)| rules.hides(relative));
        Self { assets, behind, rules }
    }

    /// Whether there is nothing to serve.
    pub(super) fn is_empty(&self) -> bool {
        self.assets.is_empty() && self.behind.is_empty()
    }
}

impl From<Assets> for Contents {
    fn from(assets: Assets) -> Self {
        Self { assets, ..Self::default() }
    }
}
