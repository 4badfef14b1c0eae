//! Join tickets as visitors carry them: in a cookie that page answers set and the WebSocket of a session shows.
//!
//! [`viral_swarm::join`] makes and checks them. The key is drawn at the start, kept in the state folder if there is one, and in a cluster the one that Redis keeps.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::{fs, io};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue};
use viral_swarm::join::{JOIN_KEY_LEN, JoinKey, JoinPlace, JoinRefusal, JoinTicket};

use crate::config::Config;
use crate::hub::unix_s;
use crate::kept_file;
use viral_swarm::request::cookies;

/// Makes and checks the join tickets of one site.
#[derive(Debug)]
pub(crate) struct Joins {
    /// The key, and the one from before if the cluster had another.
    keys: ArcSwap<Vec<JoinKey>>,
    /// The same on every server of the site.
    site: String,
    /// Where the key outlives the process, if anywhere.
    #[cfg_attr(not(any(feature = "cluster", test)), expect(dead_code, reason = "no other server gives a key to keep"))]
    file: Option<PathBuf>,
    /// Said once.
    warned: Once,
}

/// The tickets that a session showed as it began.
#[derive(Debug)]
pub(crate) struct JoinPass {
    joins: Arc<Joins>,
    tickets: Vec<JoinTicket>,
}

impl Joins {
    /// Of the site of these settings, with the key that an earlier process left in its state folder. Whether the folder may be used was looked at before.
    pub(crate) async fn open(config: &Config) -> Arc<Self> {
        // Several sites have names of their own, so that none takes the tickets of another.
        let site = format!("{} {}", config.cluster_name, config.base);
        let file = config.state_dir.as_ref().map(|dir| dir.join(format!("join-{}.key", kept_file::name_of(site.as_bytes()))));
        let fresh = JoinKey::new(rand::random());
        let key = match file.clone() {
            None => fresh,
            Some(path) => tokio::task::spawn_blocking(move || kept(&path, fresh)).await.unwrap_or_else(|_| JoinKey::new(rand::random())),
        };
        Arc::new(Self { keys: ArcSwap::from_pointee(vec![key]), site, file, warned: Once::new() })
    }

    /// The key that tickets are made with.
    pub(crate) fn key(&self) -> JoinKey {
        self.keys.load().first().cloned().unwrap_or_else(|| JoinKey::new(rand::random()))
    }

    /// All servers of the site have this key from now on. Tickets of the one from before are good as well.
    #[cfg(any(feature = "cluster", test))]
    pub(crate) fn agree(&self, key: JoinKey) {
        let before = self.key();
        if before == key {
            return;
        }
        self.keys.store(Arc::new(vec![key.clone(), before]));
        if let Some(path) = self.file.clone() {
            drop(tokio::task::spawn_blocking(move || keep(&path, &key)));
        }
    }

    /// The `Set-Cookie` of somebody who is answered with a page.
    pub(crate) fn cookie(&self, headers: &HeaderMap, page: &str, scope: cookies::Scope<'_>) -> HeaderValue {
        let (place, tickets) = (JoinPlace { site: &self.site, page }, cookies::join_tickets(headers));
        cookies::set_join(&self.key().renewed(place, unix_s(), &tickets), scope)
    }

    /// What a session showed as it began.
    pub(crate) fn pass_of(self: &Arc<Self>, headers: &HeaderMap) -> JoinPass {
        JoinPass { joins: Arc::clone(self), tickets: cookies::join_tickets(headers) }
    }

    fn check(&self, page: &str, tickets: &[JoinTicket]) -> Result<(), JoinRefusal> {
        let (place, now_s, keys) = (JoinPlace { site: &self.site, page }, unix_s(), self.keys.load());
        let mut checked = Err(JoinRefusal::Missing);
        for key in keys.iter() {
            match key.check(place, now_s, tickets) {
                Ok(()) => return Ok(()),
                // What is known of one key says more than that another did not make it.
                Err(refusal) if checked != Err(JoinRefusal::Expired) => checked = Err(refusal),
                Err(_) => {}
            }
        }
        checked
    }

    /// A ticket that was given out so many seconds ago.
    #[cfg(test)]
    pub(crate) fn ticket_of_before(&self, page: &str, ago_s: u64) -> JoinTicket {
        self.key().ticket(JoinPlace { site: &self.site, page }, unix_s() - ago_s)
    }
}

impl JoinPass {
    /// Whether its holder may register for a page, by the name that the tracker has for it.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self, page: &str) -> Result<(), JoinRefusal> {
        let checked = self.joins.check(page, &self.tickets);
        if checked == Err(JoinRefusal::Missing) {
            self.joins.warned.call_once(|| {
                tracing::warn!(
                    page,
                    "somebody asks for peers without a join ticket and is refused; if it happens to all, a proxy in front keeps cookies back: \
                     let it pass on the cookies viral-* of pages and of /.viral/ws. This is said once"
                );
            });
        }
        checked
    }
}

/// The key in a file, or this one, which is in the file from then on. Blocks.
fn kept(path: &Path, fresh: JoinKey) -> JoinKey {
    match fs::read(path) {
        Ok(bytes) => match <[u8; JOIN_KEY_LEN]>::try_from(bytes) {
            Ok(secret) => return JoinKey::new(secret),
            Err(bytes) => tracing::warn!(path = %path.display(), len = bytes.len(), "this is no key of join tickets; there is a new one"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "the key of join tickets cannot be read; there is a new one"),
    }
    keep(path, &fresh);
    fresh
}

/// Leaves the key to the next process, for this user alone. Blocks.
fn keep(path: &Path, key: &JoinKey) {
    let made = path.parent().map_or(Ok(()), viral_site::make_dir);
    if let Err(error) = made.and_then(|()| kept_file::replace(path, key.as_bytes())) {
        tracing::warn!(path = %path.display(), %error, "the key of join tickets cannot be kept; after a restart pages ask for themselves once more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_key_outlives_the_process_in_the_state_folder_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Config { state_dir: Some(dir.path().join("state")), ..Config::default() };
        let first = Joins::open(&kept).await;
        assert_eq!(Joins::open(&kept).await.key(), first.key());
        assert_ne!(Joins::open(&Config::default()).await.key(), Joins::open(&Config::default()).await.key());
        let file = first.file.clone().unwrap();
        std::fs::write(&file, "short").unwrap();
        let renewed = Joins::open(&kept).await;
        assert_ne!(renewed.key(), first.key());
        assert_eq!(Joins::open(&kept).await.key(), renewed.key());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn servers_that_agree_on_a_key_take_each_others_tickets_and_their_own_from_before() {
        let (a, b) = (Joins::open(&Config::default()).await, Joins::open(&Config::default()).await);
        let (of_a, of_b) = (a.ticket_of_before("/", 0), b.ticket_of_before("/", 0));
        assert_eq!(b.check("/", &[of_a]), Err(JoinRefusal::Other));
        b.agree(a.key());
        assert_eq!((b.check("/", &[of_a]), b.check("/", &[of_b])), (Ok(()), Ok(())));
        assert_eq!(b.key(), a.key());
    }
}
