//! Versions of content that is in memory.

use std::{sync::Arc, time::SystemTime};

use crate::{
    Answered, Asset, EmbeddedFile, SiteError, SiteOptions, Version, contents::Assets, history::History, inventory, options::Settings, path,
};

/// Makes the versions of one site from files in memory: what a [`Site`](crate::Site) of one's own is made with.
///
/// All its versions share one store and its limit, so that content that stays is read and coded once.
#[derive(Debug)]
pub struct VersionMaker {
    settings: Settings,
    /// What was seen under each path: what changed once is not told to be there for ever.
    history: History,
    number: u64,
}

impl VersionMaker {
    /// Checks the options and makes a store. Blocks.
    ///
    /// # Errors
    /// When the options contradict themselves, or the store cannot be made.
    pub fn new(options: SiteOptions) -> Result<Self, SiteError> {
        let history = History::new(options.entries_max);
        Ok(Self { settings: Settings::of(options)?, history, number: 0 })
    }

    /// The next version, of these files. Its number is one more than that of the last. Blocks.
    ///
    /// # Errors
    /// When no URL path reaches a file, or the store cannot be written.
    pub fn version(&mut self, files: Vec<EmbeddedFile>) -> Result<Version, SiteError> {
        let Settings { context, settings } = &self.settings;
        let now = SystemTime::now();
        let tell = |relative: &str, digest| self.history.note(relative, digest, None, now);
        let assets = inventory::embedded(context, &settings.base, files, tell)?;
        self.history.tidy(|relative| assets.contains_key(relative));
        Ok(self.next(assets))
    }

    /// The asset of what another server answered, for [`Self::version_of`]. Blocks.
    ///
    /// # Errors
    /// When no URL path leads to its path, or its content cannot be read or stored.
    pub fn asset(&self, answered: Answered) -> Result<Arc<Asset>, SiteError> {
        answered.asset(&self.settings.context)
    }

    /// The next version, of these assets; of two with one path the later one counts.
    pub fn version_of(&mut self, assets: impl IntoIterator<Item = Arc<Asset>>) -> Version {
        let named = assets.into_iter().filter_map(|asset| Some((path::decode(asset.path())?, asset)));
        let assets = named.collect();
        self.settings.context.objects.tidy();
        self.next(assets)
    }

    fn next(&mut self, assets: Assets) -> Version {
        self.number += 1;
        Version::new(self.number, assets.into(), self.settings.settings.clone())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header;

    use super::*;

    #[test]
    fn a_path_that_was_seen_to_change_is_not_kept_for_a_year() {
        let options = SiteOptions { immutable: vec!["/assets/*".to_owned()], ..SiteOptions::default() };
        let mut maker = VersionMaker::new(options).unwrap();
        let mut caching = |body: &'static str| {
            let file = EmbeddedFile { path: "assets/app.js".to_owned(), body: Bytes::from_static(body.as_bytes()) };
            let version = maker.version(vec![file]).unwrap();
            let record = version.asset("/assets/app.js").unwrap().record();
            let control = record.headers.into_iter().find(|(name, _)| name == header::CACHE_CONTROL.as_str()).unwrap().1;
            (version.number(), control.contains("immutable"))
        };
        assert_eq!(caching("1"), (1, true));
        assert_eq!(caching("1"), (2, true));
        assert_eq!(caching("2"), (3, false));
        assert_eq!(caching("2"), (4, false));
    }
}
