//! What a server needs of a site, wherever its content comes from.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use http::{Method, request::Parts};
use tokio::sync::watch;
use viral_wire::PieceId;

use crate::{Asset, PieceLocation, Resolved, Version, hashed_name};

/// Whether a request is the site's to answer, where another service answers all others.
pub enum Claim<'s> {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// That has to be found out first.
    Ask(Pin<Box<dyn Future<Output = bool> + Send + 's>>),
}

/// A site that can be served: its versions, of which new visitors get the newest.
///
/// Two methods make one; see [`EmbeddedSite`](crate::EmbeddedSite).
pub trait Site: fmt::Debug + Send + Sync {
    /// The versions that can be served now, newest first; never empty. Older ones are there for visits that began with them.
    fn versions(&self) -> Arc<Vec<Arc<Version>>>;

    /// The number of the newest version; changes when content changed. Its sender lives as long as the site.
    fn subscribe(&self) -> watch::Receiver<u64>;

    /// Reads the content now, whatever is told of it, and forgets all versions but the one that comes of it: what was removed, emptied or made
    /// unreadable is gone at once, for visits that began before as well. A site that never changes does nothing.
    fn reread(&self) {}

    /// Somebody visits a page that the service behind the site makes: what that page loads is looked at again before long.
    fn note_visit(&self) {}

    /// Whether a request is the site's to answer, where a service behind it answers all others. What a request does to a path is the service's matter.
    fn claim<'s>(&'s self, request: &'s Parts) -> Claim<'s> {
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        let leads = |version: &Arc<Version>| !matches!(version.resolve(request.uri.path()), Resolved::NotFound(_));
        // A page of an older version still asks for what that had.
        if is_read && self.versions().iter().any(leads) { Claim::Yes } else { Claim::No }
    }

    /// How old the answer is that the site keeps of this path, where it keeps those of another server (RFC 9111 section 4.2.3).
    fn age(&self, _path: &str) -> Option<Duration> {
        None
    }

    /// The version new visitors get. Take it once per request, so that one answer never mixes versions.
    fn current(&self) -> Arc<Version> {
        let versions = self.versions();
        Arc::clone(versions.first().expect("a site has a version"))
    }

    /// A version by its [`tag`](Version::tag), while it is kept.
    fn version_tagged(&self, tag: &str) -> Option<Arc<Version>> {
        self.versions().iter().find(|version| version.tag() == tag).cloned()
    }

    /// The asset at a path whose name tells its content, in the newest of the kept versions that has it: a page that came from another version may
    /// still ask for it, also where no cookie says which.
    fn kept_by_name(&self, path: &str) -> Option<(Arc<Version>, Arc<Asset>)> {
        if !hashed_name::has_content_hash(path) {
            return None;
        }
        self.versions().iter().find_map(|version| Some((Arc::clone(version), Arc::clone(version.asset(path)?))))
    }

    /// A piece of the current version, or of an older one that is still kept.
    fn piece(&self, id: &PieceId) -> Option<PieceLocation> {
        self.versions().iter().find_map(|version| version.piece(id))
    }
}
