//! Which torrents the tracker serves: those that the settings and their file name, or all.

use std::path::Path;

use viral_swarm::limits::WEBTORRENT_FILE_LEN_MAX;
use viral_swarm::webtorrent::Allowed;
use viral_wire::webtorrent::Id;

use crate::config::Config;
use crate::error::OpenError;
use crate::followed::{Followed, Looked};

/// Which torrents are served.
#[derive(Debug)]
pub(super) enum Served {
    All,
    Listed(Allowed, Option<Followed<Allowed>>),
}

impl Served {
    /// Those that the settings name. Reads their file.
    ///
    /// # Errors
    /// When they name none, or the file cannot be used.
    pub(super) fn open(config: &Config, folder: Option<&Path>) -> Result<Self, OpenError> {
        let (listed, file) = (&config.webtorrent_info_hash, &config.webtorrent_info_hashes);
        match (config.webtorrent_open, listed.is_empty() && file.is_none()) {
            (true, true) => return Ok(Self::All),
            (true, false) => return Err(OpenError::WebTorrentServesAll),
            (false, true) => return Err(OpenError::WebTorrentServesNothing),
            (false, false) => {}
        }
        let listed = listed.iter().map(|info_hash| info_hash.0).collect();
        let Some(path) = file else { return Ok(Self::Listed(listed, None)) };
        let fault = |reason| OpenError::WebTorrentFile { path: path.clone(), reason };
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        if folder.and_then(real).zip(real(path)).is_some_and(|(folder, file)| file.starts_with(folder)) {
            return Err(fault("lies in the site and would be served to everybody; put it elsewhere".to_owned()));
        }
        let followed = Followed::open(path.clone(), WEBTORRENT_FILE_LEN_MAX as u64, read).map_err(fault)?;
        say_read(path, &followed.now());
        Ok(Self::Listed(listed, Some(followed)))
    }

    pub(super) fn contains(&self, info_hash: &Id) -> bool {
        match self {
            Self::All => true,
            Self::Listed(listed, file) => listed.contains(info_hash) || file.as_ref().is_some_and(|file| file.now().contains(info_hash)),
        }
    }

    /// Reads the file anew if it changed. What cannot be used changes nothing.
    pub(super) fn look(&self) {
        let Self::Listed(_, Some(file)) = self else { return };
        match file.look() {
            Looked::Unchanged => {}
            Looked::Replaced(now) => say_read(file.path(), &now),
            Looked::Refused(reason) => {
                tracing::error!(file = %file.path().display(), %reason, "changed and cannot be used; what was read before stays");
            }
        }
    }
}

fn read(_: &Path, bytes: Vec<u8>) -> Result<Allowed, String> {
    let text = String::from_utf8(bytes).map_err(|_| "this is not UTF-8; save the file as such".to_owned())?;
    Allowed::parse(&text).map_err(|error| error.to_string())
}

fn say_read(path: &Path, allowed: &Allowed) {
    tracing::info!(file = %path.display(), torrents = allowed.len(), "read which torrents are served");
}
