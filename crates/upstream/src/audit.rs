//! Looking at a page as two visitors, before anything of it travels: what may, by which rule, and whether it really is the same for both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use http::header::{self, HeaderMap, HeaderValue};
use serde::Serialize;
use viral_site::{Content, SiteError, SiteOptions, VersionMaker};
use viral_swarm::admission::{SharingReason, SharingVerdict};

use crate::entry::answered;
use crate::fetch::{FetchError, Fetched, Question};
use crate::learn::{relative, shown, verdict_of};
use crate::limits::AUDIT_RESOURCES_MAX;
use crate::memory::Origin;
use crate::upstream::{Settings, Upstream};

/// What an audit found.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// The page.
    pub url: String,
    /// The page and what it refers to, in the order in which it was found.
    pub resources: Vec<Resource>,
    /// How many resources say that caches may keep them and are not the same for everybody.
    pub differences: usize,
    /// Whether there were more resources than are looked at.
    pub is_cut: bool,
}

/// One resource of a page.
#[derive(Debug, Serialize)]
pub struct Resource {
    /// Its address.
    pub url: String,
    /// `shared` or `not-shared`.
    pub verdict: &'static str,
    /// The rule that decided: the token of a [`SharingReason`].
    pub rule: &'static str,
    /// Status of its answer without cookies; 0 = there was none.
    pub status: u16,
    /// Bytes of its body without cookies.
    pub bytes: u64,
    /// Which visitors got other content than somebody without cookies, and where it begins to differ.
    pub differs: Vec<Difference>,
}

impl Resource {
    /// Whether it says that it is the same for everybody, and is not.
    pub fn is_different(&self) -> bool {
        self.rule == SharingReason::Differs.as_token() || (self.verdict == SHARED && !self.differs.is_empty())
    }
}

/// Other content than somebody without cookies gets.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// `a` or `b`.
    pub visitor: &'static str,
    /// What differs: the status, or from which byte on the body does.
    pub what: String,
}

/// Why a page cannot be audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The page itself cannot be had.
    #[error("{url} cannot be fetched: {error}")]
    Page {
        /// Its address.
        url: String,
        /// Why.
        error: String,
    },
    /// What was fetched cannot be kept while it is looked at.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The certificates that this system trusts cannot be read.
    #[error("the certificates that this system trusts cannot be read: {0}")]
    Certificates(#[from] std::io::Error),
}

/// Visits the page at `path` as two visitors with these cookies. `noted` hears of each resource once it was looked at.
///
/// # Errors
/// [`AuditError`].
pub async fn audit(
    settings: Settings,
    path: &str,
    cookies: [Option<HeaderValue>; 2],
    mut noted: impl FnMut(&Resource),
) -> Result<Audit, AuditError> {
    let base = settings.address.to_string();
    let upstream = Upstream::new(settings)?;
    let opened = tokio::task::spawn_blocking(|| VersionMaker::new(SiteOptions { exact_paths: true, ..SiteOptions::default() })).await;
    let mut maker = opened.map_err(|_| SiteError::Interrupted)??;
    let mut visitors = cookies.map(Jar::with);
    let (mut seen, mut queue) = (BTreeSet::from([path.to_owned()]), VecDeque::from([path.to_owned()]));
    let (mut resources, mut is_cut) = (Vec::new(), false);
    while let Some(path) = queue.pop_front() {
        let (resource, fetched) = look_at(&upstream, &base, &path, &mut visitors).await;
        if let (true, Err(error)) = (resources.is_empty(), &fetched) {
            return Err(AuditError::Page { url: resource.url, error: error.to_string() });
        }
        noted(&resource);
        resources.push(resource);
        let Ok(fetched) = fetched else { continue };
        let (links, back) = links_of(maker, &path, fetched).await?;
        maker = back;
        for link in links {
            is_cut |= seen.len() >= AUDIT_RESOURCES_MAX;
            if !is_cut && seen.insert(link.clone()) {
                queue.push_back(link);
            }
        }
    }
    let differences = resources.iter().filter(|resource| resource.is_different()).count();
    Ok(Audit { url: format!("{base}{path}"), resources, differences, is_cut })
}

const SHARED: &str = "shared";

async fn look_at(upstream: &Upstream, base: &str, path: &str, visitors: &mut [Jar; 2]) -> (Resource, Result<Fetched, FetchError>) {
    let judged = verdict_of(upstream, path, &Origin::default(), true).await;
    let (verdict, fetched) = match judged {
        Ok(judged) => (judged.verdict, Ok(judged.fetched)),
        Err(error) => (SharingVerdict::NotShared(SharingReason::Unreachable), Err(error)),
    };
    let mut differs = Vec::new();
    if let Ok(fetched) = &fetched {
        for (visitor, name) in visitors.iter_mut().zip(["a", "b"]) {
            let cookie = visitor.header();
            let seen = upstream.fetch(&Question { path, cookie: cookie.as_ref(), ..Question::default() }, |_| true).await;
            let what = match seen {
                Ok(seen) => {
                    visitor.take(&seen.head.headers);
                    difference(fetched, &seen)
                }
                Err(error) => Some(error.to_string()),
            };
            differs.extend(what.map(|what| Difference { visitor: name, what }));
        }
    }
    let (status, bytes) = fetched.as_ref().map_or((0, 0), |fetched| (fetched.head.status.as_u16(), fetched.content.len()));
    let resource = Resource {
        url: format!("{base}{path}"),
        verdict: if verdict.is_shared() { SHARED } else { "not-shared" },
        rule: verdict.reason().as_token(),
        status,
        bytes,
        differs,
    };
    (resource, fetched)
}

fn difference(anonymous: &Fetched, seen: &Fetched) -> Option<String> {
    let [before, now] = [anonymous.head.status, seen.head.status];
    if before != now {
        return Some(format!("status {} instead of {}", now.as_u16(), before.as_u16()));
    }
    (anonymous.digest != seen.digest).then(|| match (&anonymous.content, &seen.content) {
        (Content::Bytes(before), Content::Bytes(now)) => {
            let at = before.iter().zip(now).position(|(before, now)| before != now).unwrap_or(before.len().min(now.len()));
            let line = before[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("the body from byte {at} on (line {line})")
        }
        _ => "the body".to_owned(),
    })
}

/// What the answer refers to on the same server.
async fn links_of(maker: VersionMaker, path: &str, fetched: Fetched) -> Result<(Vec<String>, VersionMaker), AuditError> {
    if fetched.head.status != http::StatusCode::OK {
        return Ok((Vec::new(), maker));
    }
    let answer = answered(relative(path), &fetched.head, fetched.content);
    let made = tokio::task::spawn_blocking(move || (maker.asset(answer).map(|asset| asset.link_paths().map(shown).collect()), maker)).await;
    let (links, maker) = made.map_err(|_| SiteError::Interrupted)?;
    // A path that no site could have leads nowhere further.
    Ok((links.unwrap_or_default(), maker))
}

/// The cookies of one visitor: those given, and those that answers set.
#[derive(Debug, Default)]
struct Jar(BTreeMap<String, String>);

/// Cookies that one visitor keeps.
const COOKIES_MAX: usize = 180;

impl Jar {
    fn with(given: Option<HeaderValue>) -> Self {
        let mut jar = Self::default();
        if let Some(text) = given.as_ref().and_then(|value| value.to_str().ok()) {
            text.split(';').for_each(|pair| jar.put(pair));
        }
        jar
    }

    fn put(&mut self, pair: &str) {
        let Some((name, value)) = pair.trim().split_once('=') else { return };
        if self.0.len() < COOKIES_MAX || self.0.contains_key(name) {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// What an answer sets. Paths and lives are not heeded: an audit lasts for seconds, and everything is on one server.
    fn take(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            self.put(value.split(';').next().unwrap_or_default());
        }
    }

    fn header(&self) -> Option<HeaderValue> {
        let text = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_keeps_what_it_was_given_and_what_answers_set() {
        let mut jar = Jar::with(Some(HeaderValue::from_static("b=2; a=1;nonsense")));
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("a=3; Path=/; HttpOnly"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("c=4"));
        jar.take(&headers);
        assert_eq!(jar.header().unwrap(), "a=3; b=2; c=4");
        assert_eq!(Jar::with(None).header(), None);
        (0..1_000).for_each(|number| jar.put(&format!("n{number}=x")));
        assert_eq!(jar.0.len(), COOKIES_MAX);
    }
}
