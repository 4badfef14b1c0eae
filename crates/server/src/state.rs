//! Page sets that survive a restart: one JSON file per site, replaced as a whole.
//!
//! What the file says is a guess about pages, never content: a lost, old or broken one costs the first visitors of each page, nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use viral_swarm::pageset::PageState;

use crate::error::OpenError;
use crate::hub::Hub;
use crate::kept_file;
use crate::limits::{STATE_LEN_MAX, STATE_PAUSE};

/// Version of the format. A file of another one is ignored.
const VERSION: u32 = 1;

/// Writes what the hub knows of pages, and reads what an earlier process wrote.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// What [`Hub::pages_revision`] was when it was written last.
    written: Mutex<u64>,
    /// A successor writes it from now on.
    is_retired: AtomicBool,
}

/// The file, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(rename = "version")]
    _version: u32,
    pages: Vec<Entry>,
}

/// What every version of the format begins with.
#[derive(Debug, Deserialize)]
struct Head {
    version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    set: PageState,
}

impl StateFile {
    /// The file in `dir` of the site in the directory `site`. Makes `dir` if need be, for this user alone. Blocks.
    ///
    /// # Errors
    /// When nothing can be written there, or when it would be served.
    pub(crate) fn open(dir: &Path, site: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::State { path: dir.to_owned(), error };
        viral_site::make_dir(dir).map_err(failed)?;
        let (site, real) = (fs::canonicalize(site).map_err(failed)?, fs::canonicalize(dir).map_err(failed)?);
        if real.starts_with(&site) {
            return Err(OpenError::StateServed { path: dir.to_owned() });
        }
        // Whether it can be written is better known now than at the end.
        kept_file::try_folder(&real).map_err(failed)?;
        let name = kept_file::name_of(site.as_os_str().as_encoded_bytes());
        Ok(Self { path: real.join(format!("{name}.json")), written: Mutex::new(0), is_retired: AtomicBool::new(false) })
    }

    /// What an earlier process left, by path of the page. Empty, with one warning, if it cannot be used. Blocks.
    pub(crate) fn read(&self) -> BTreeMap<String, PageState> {
        match self.contents() {
            Ok(contents) => contents.pages.into_iter().map(|entry| (entry.path, entry.set)).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "what was learned of pages cannot be read; it is learned anew");
                BTreeMap::new()
            }
        }
    }

    fn contents(&self) -> io::Result<Contents> {
        let len = fs::metadata(&self.path)?.len();
        if len > STATE_LEN_MAX as u64 {
            return Err(io::Error::other(format!("{len} bytes, limit {STATE_LEN_MAX}")));
        }
        let bytes = fs::read(&self.path)?;
        let head: Head = serde_json::from_slice(&bytes)?;
        if head.version != VERSION {
            return Err(io::Error::other(format!("version {} of the format, this program reads {VERSION}", head.version)));
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Leaves the file to a successor: nothing is written any more.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Relaxed);
    }

    /// Writes what the hub knows, if that changed since the last time.
    pub(crate) async fn save(&self, hub: &Hub) {
        let mut written = self.written.lock().await;
        if self.is_retired.load(Relaxed) || hub.pages_revision() == *written {
            return;
        }
        let (pages, revision) = hub.page_states();
        let path = self.path.clone();
        match tokio::task::spawn_blocking(move || kept_file::replace(&path, encode(pages).as_bytes())).await {
            Ok(Ok(())) => *written = revision,
            Ok(Err(error)) => {
                tracing::warn!(path = %self.path.display(), %error, "what was learned of pages cannot be written; trying again")
            }
            Err(error) => tracing::warn!(%error, "what was learned of pages was not written"),
        }
    }
}

/// Writes a while after each change. Runs until it is aborted.
pub(crate) async fn keep(file: std::sync::Arc<StateFile>, hub: std::sync::Arc<Hub>) {
    loop {
        tokio::time::sleep(STATE_PAUSE).await;
        file.save(&hub).await;
    }
}

/// As many pages, from the first, as the limit has room for.
fn encode(pages: Vec<(String, PageState)>) -> String {
    let mut text = format!("{{\"version\":{VERSION},\"pages\":[");
    let mut first = true;
    for (path, set) in pages {
        let Ok(entry) = serde_json::to_string(&Entry { path, set }) else { continue };
        if text.len() + entry.len() + "\n,]}\n".len() > STATE_LEN_MAX {
            break;
        }
        text.push_str(if first { "\n" } else { ",\n" });
        text.push_str(&entry);
        first = false;
    }
    text.push_str("]}\n");
    text
}

#[cfg(test)]
mod tests;
