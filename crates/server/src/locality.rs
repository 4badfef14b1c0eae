//! What the operator's files say of an address: its site, its network and country. They are read whole, and anew when they change.

#[cfg(feature = "geo")]
mod geo;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use viral_swarm::limits::SITES_FILE_LEN_MAX;
use viral_swarm::locality::sites::{Sites, SitesFormat};
use viral_swarm::locality::{Region, SharePolicy};

use crate::config::Config;
use crate::error::OpenError;
use crate::followed::{Followed, Looked};
use crate::limits::LOCALITY_LOOK;
#[cfg(feature = "geo")]
use crate::limits::{GEO_FILE_LEN_MAX, GEO_FILES_MAX};

#[cfg(feature = "geo")]
use self::geo::Geo;

/// What is known of addresses.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    files: Files,
    sites: Option<Followed<Sites>>,
    #[cfg(feature = "geo")]
    geo: Vec<Followed<Geo>>,
}

/// The files that the settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    sites: Option<PathBuf>,
    geo: Vec<PathBuf>,
}

/// Those that are open: the sites of one server share them.
static OPEN: Mutex<Vec<Weak<Whereabouts>>> = Mutex::new(Vec::new());

impl Whereabouts {
    /// Reads the files that the settings name and follows them until the last user is gone. The site is in `folder`, if in any.
    ///
    /// # Errors
    /// When one cannot be read, or used, or would be served.
    pub(crate) async fn open(config: &Config, folder: Option<&Path>) -> Result<Arc<Self>, OpenError> {
        let files = Files { sites: config.sites.clone(), geo: config.geo.clone() };
        if let Some(served) = files.sites.iter().chain(&files.geo).find(|path| folder.is_some_and(|folder| is_within(path, folder))) {
            let reason = "lies in the site and would be served to everybody; put it elsewhere".to_owned();
            return Err(OpenError::Locality { path: served.clone(), reason });
        }
        say_once_what_is_missing(&files);
        if let Some(open) = open_ones().iter().filter_map(Weak::upgrade).find(|open| open.files == files) {
            return Ok(open);
        }
        let path = files.sites.iter().chain(&files.geo).next().cloned().unwrap_or_default();
        let read = tokio::task::spawn_blocking(move || Self::read(files)).await;
        let whereabouts = Arc::new(read.map_err(|error| OpenError::Locality { path, reason: error.to_string() })??);
        if whereabouts.has_files() {
            let mut open = open_ones();
            open.retain(|open| open.strong_count() > 0);
            open.push(Arc::downgrade(&whereabouts));
            tokio::spawn(follow(Arc::downgrade(&whereabouts)));
        }
        Ok(whereabouts)
    }

    #[cfg(feature = "geo")]
    fn read(files: Files) -> Result<Self, OpenError> {
        if let Some(path) = files.geo.get(GEO_FILES_MAX) {
            return Err(OpenError::Locality {
                path: path.clone(),
                reason: format!("more than {GEO_FILES_MAX} files of --geo; leave some out"),
            });
        }
        let read_geo =
            |path: &PathBuf| Followed::open(path.clone(), GEO_FILE_LEN_MAX, |_, bytes| Geo::read(bytes)).map_err(fault(path, "--geo"));
        let geo = files.geo.iter().map(read_geo).collect::<Result<Vec<_>, _>>()?;
        geo.iter().for_each(|geo| say_read(geo.path(), &geo.now().described()));
        Ok(Self { sites: read_sites(&files)?, geo, files })
    }

    #[cfg(not(feature = "geo"))]
    fn read(files: Files) -> Result<Self, OpenError> {
        if let Some(path) = files.geo.first() {
            let reason = "this program was built without the feature `geo`; leave --geo out".to_owned();
            return Err(OpenError::Locality { path: path.clone(), reason });
        }
        Ok(Self { sites: read_sites(&files)?, files })
    }

    /// Where an address is, and what its site lets it give and take.
    pub(crate) fn of(&self, address: IpAddr) -> (Region, SharePolicy) {
        let site = self.sites.as_ref().and_then(|sites| sites.now().of(address));
        let region = Region { site: site.map(|(site, _)| site), ..self.geography_of(address) };
        (region, site.map_or(SharePolicy::On, |(_, policy)| policy))
    }

    #[cfg(feature = "geo")]
    fn geography_of(&self, address: IpAddr) -> Region {
        self.geo.iter().fold(Region::default(), |known, geo| {
            let is_all_known = known.network.is_some() && known.country.is_some() && known.continent.is_some();
            if is_all_known { known } else { geo.now().add(known, address) }
        })
    }

    #[cfg(not(feature = "geo"))]
    fn geography_of(&self, _: IpAddr) -> Region {
        Region::default()
    }

    fn has_files(&self) -> bool {
        self.files.sites.is_some() || !self.files.geo.is_empty()
    }

    /// Reads what changed since the last look and is whole. Of a file that cannot be used, what was read before stays.
    fn look(&self) {
        if let Some(sites) = &self.sites {
            say(sites.path(), sites.look(), described);
        }
        #[cfg(feature = "geo")]
        for geo in &self.geo {
            say(geo.path(), geo.look(), Geo::described);
        }
    }
}

fn read_sites(files: &Files) -> Result<Option<Followed<Sites>>, OpenError> {
    let Some(path) = &files.sites else { return Ok(None) };
    let sites = Followed::open(path.clone(), SITES_FILE_LEN_MAX as u64, parse_sites).map_err(fault(path, "--sites"))?;
    say_read(path, &described(&sites.now()));
    Ok(Some(sites))
}

fn parse_sites(path: &Path, bytes: Vec<u8>) -> Result<Sites, String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("line {line}: this is not UTF-8; save the file as such")
    })?;
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    Sites::parse(&text, if is_toml { SitesFormat::Toml } else { SitesFormat::Csv }).map_err(|error| error.to_string())
}

fn fault(path: &Path, flag: &'static str) -> impl Fn(String) -> OpenError {
    move |reason| OpenError::Locality { path: path.to_owned(), reason: format!("{reason} (file of {flag})") }
}

/// Whether a file is in a folder, whatever links lead there.
fn is_within(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(path).zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
}

fn open_ones() -> std::sync::MutexGuard<'static, Vec<Weak<Whereabouts>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tier of which nothing is known is skipped, and nobody would notice.
fn say_once_what_is_missing(files: &Files) {
    static SAID: Once = Once::new();
    let missing = match (&files.sites, files.geo.is_empty()) {
        (Some(_), false) => return,
        (Some(_), true) => "network, country and continent (--geo)",
        (None, false) => "site (--sites)",
        (None, true) => "site (--sites), network, country and continent (--geo)",
    };
    SAID.call_once(|| tracing::info!(missing, "who is near whom is told without these tiers"));
}

fn described(sites: &Sites) -> String {
    format!("{} ranges of sites", sites.len())
}

fn say_read(path: &Path, holds: &str) {
    tracing::info!(file = %path.display(), holds, "read what it says of addresses");
}

fn say<T>(path: &Path, looked: Looked<T>, described: impl FnOnce(&T) -> String) {
    match looked {
        Looked::Unchanged => {}
        Looked::Replaced(now) => {
            tracing::info!(file = %path.display(), holds = described(&now), "was read anew; it holds for visits from now on")
        }
        Looked::Refused(reason) => {
            tracing::error!(file = %path.display(), %reason, "changed and cannot be used; what was read before stays");
        }
    }
}

/// Looks at the files until nobody uses them.
async fn follow(whereabouts: Weak<Whereabouts>) {
    loop {
        tokio::time::sleep(LOCALITY_LOOK).await;
        let Some(whereabouts) = whereabouts.upgrade() else { return };
        // Reading a file of 100 MB takes a while.
        let _ = tokio::task::spawn_blocking(move || whereabouts.look()).await;
    }
}

#[cfg(all(test, feature = "geo"))]
#[path = "../tests/support/mmdb.rs"]
mod mmdb;
#[cfg(test)]
mod tests;
