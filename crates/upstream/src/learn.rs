//! Looking at what visitors were answered: fetched twice without cookies, judged, and kept if it may travel.

use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use viral_site::{SiteError, VersionMaker};
use viral_swarm::admission::{SharingReason, SharingVerdict};

use crate::entry::{Entry, Life, answered, told};
use crate::facts::{judge_head, lifetime};
use crate::fetch::{FetchError, Fetched, Question};
use crate::limits::{DEPENDS_FOR, LOOKS_MAX, SWEEP, SWEEP_MAX};
use crate::memory::{Origin, Wanted, Way};
use crate::site::UpstreamSite;
use crate::upstream::Upstream;

/// Looks at what is wanted until the site is gone.
pub(crate) async fn look(upstream: Upstream, maker: Arc<Mutex<VersionMaker>>) {
    let places = Arc::new(Semaphore::new(LOOKS_MAX));
    let mut looks = JoinSet::new();
    loop {
        while looks.try_join_next().is_some() {}
        let Some(wanted) = upstream.memory().next() else {
            upstream.memory().wanted.notified().await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (upstream, maker) = (upstream.clone(), Arc::clone(&maker));
        looks.spawn(async move {
            look_at(&upstream, &maker, wanted).await;
            drop(place);
        });
    }
}

/// Looks at one path.
async fn look_at(upstream: &Upstream, maker: &Arc<Mutex<VersionMaker>>, wanted: Wanted) {
    if let Some(way) = &wanted.way {
        return look_at_way(upstream, &wanted, way).await;
    }
    let (path, now) = (wanted.path, Instant::now());
    let judged = match verdict_of(upstream, &path, &wanted.origin, false).await {
        Ok(judged) => judged,
        Err(error) => {
            tracing::debug!(path, %error, "cannot be looked at");
            upstream.memory().refuse(now, &path);
            return;
        }
    };
    if !judged.verdict.is_shared() {
        tracing::debug!(path, reason = %judged.verdict.reason(), "stays at the other server");
        upstream.memory().refuse(now, &path);
        return;
    }
    let origin = wanted.origin.clone();
    match entry_of(maker, &path, judged, wanted.origin).await {
        Ok(entry) => {
            tracing::debug!(path, len = entry.asset.len(), "may travel");
            let links: Vec<String> = entry.asset.link_paths().collect();
            if upstream.memory().share(now, &path, entry) {
                // What a browser loads with it will be asked for next.
                for path in links.into_iter().map(shown) {
                    upstream.memory().want(now, Wanted { path, way: None, origin: origin.clone() });
                }
            }
        }
        Err(error) => {
            tracing::warn!(path, %error, "cannot be kept");
            upstream.memory().refuse(now, &path);
        }
    }
}

/// Looks whether another way leads to the same as what is known of a path.
async fn look_at_way(upstream: &Upstream, wanted: &Wanted, way: &Way) {
    let Wanted { path, origin, .. } = wanted;
    let memory = upstream.memory();
    let Some(entry) = memory.kept(path) else { return };
    let asked = match way {
        Way::Query(query) => format!("{path}?{query}"),
        Way::Host(_) => path.clone(),
    };
    let question = Question { path: &asked, host: origin.host.as_ref(), over_tls: origin.over_tls, ..Question::default() };
    match upstream.fetch(&question, |_| true).await {
        Ok(fetched) if fetched.head.status == StatusCode::OK => {
            if fetched.digest == entry.digest {
                memory.note_way(path, way);
            } else if matches!(way, Way::Query(_)) {
                tracing::debug!(path, "depends on the query; stays at the other server");
                memory.refuse_for(Instant::now(), path, DEPENDS_FOR);
            }
            // Under another host there may be another site: it is left to the other server.
        }
        Ok(_) => memory.forget_way(path, way),
        Err(error) => {
            tracing::debug!(path, %error, "cannot be looked at");
            memory.forget_way(path, way);
        }
    }
}

/// What two looks at a path came to.
#[derive(Debug)]
pub(crate) struct CheckedTwice {
    pub(crate) verdict: SharingVerdict,
    /// The first answer, with what both say alike.
    pub(crate) fetched: Fetched,
    /// The names under which both were made.
    hosts: Vec<HeaderValue>,
}

/// Fetches a path twice, the second time under another name where the server is asked under several, and judges what came. The body of what may not travel is read
/// only if it is `wanted` anyway.
///
/// # Errors
/// When an answer cannot be had.
pub(crate) async fn verdict_of(upstream: &Upstream, path: &str, origin: &Origin, wanted: bool) -> Result<CheckedTwice, FetchError> {
    let rule = upstream.settings().rules.of(path);
    let may_travel = |head: &Parts| wanted || judge_head(path, head, rule).is_shared();
    let question = Question { path, host: origin.host.as_ref(), over_tls: origin.over_tls, ..Question::default() };
    let mut fetched = upstream.fetch(&question, may_travel).await?;
    let other = upstream.other_host(origin.host.as_ref());
    let hosts = [upstream.host_for(origin.host.as_ref()), upstream.host_for(other.as_ref())].into_iter().flatten().collect();
    let mut verdict = judge_head(path, &fetched.head, rule);
    if verdict.is_shared() {
        let again = upstream.fetch(&Question { host: other.as_ref(), ..question }, may_travel).await?;
        if !is_alike(&fetched, &again) || !judge_head(path, &again.head, rule).is_shared() {
            verdict = SharingVerdict::NotShared(SharingReason::Differs);
        }
        keep_alike(&mut fetched.head.headers, &again.head.headers);
    }
    Ok(CheckedTwice { verdict, fetched, hosts })
}

/// Headers that decide what a page may do: if they differ, the answer was made for who asked.
const WEIGHTY: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_SECURITY_POLICY_REPORT_ONLY,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::LINK,
];

fn is_alike(first: &Fetched, second: &Fetched) -> bool {
    let (one, other) = (&first.head.headers, &second.head.headers);
    first.digest == second.digest && WEIGHTY.iter().all(|name| one.get_all(name).iter().eq(other.get_all(name).iter()))
}

/// Takes out what the other answer does not say alike, but for what is of one moment anyway.
fn keep_alike(headers: &mut HeaderMap, other: &HeaderMap) {
    let of_moment = [header::AGE, header::DATE, header::EXPIRES];
    let differs = |name: &&HeaderName| !of_moment.contains(name) && !headers.get_all(*name).iter().eq(other.get_all(*name).iter());
    let gone: Vec<HeaderName> = headers.keys().filter(differs).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

async fn entry_of(maker: &Arc<Mutex<VersionMaker>>, path: &str, judged: CheckedTwice, origin: Origin) -> Result<Entry, SiteError> {
    let CheckedTwice { verdict, fetched: Fetched { head, digest, content, age }, hosts } = judged;
    let life = Life::of(&head, lifetime(path, &head, verdict, SystemTime::now()));
    let answer = answered(relative(path), &head, content);
    let maker = Arc::clone(maker).lock_owned().await;
    let made = tokio::task::spawn_blocking(move || maker.asset(answer)).await;
    let asset = made.map_err(|_| SiteError::Interrupted)??;
    let [etag, modified] = [header::ETAG, header::LAST_MODIFIED].map(|name| head.headers.get(name).cloned());
    Ok(Entry { asset, digest, etag, modified, hosts, origin, told: told(&head.headers), life, age })
}

/// The relative path of an asset at this URL path.
pub(crate) fn relative(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().into_owned();
    if decoded.is_empty() || decoded.ends_with('/') { format!("{decoded}index.html") } else { decoded }
}

/// The URL path that leads to an asset of this path: an index has that of its folder.
pub(crate) fn shown(path: String) -> String {
    match path.strip_suffix("index.html") {
        Some(folder) if folder.ends_with('/') => folder.to_owned(),
        Some(_) | None => path,
    }
}

/// Compares what is stale with the other server's while anybody visits, and all of it once a document changed.
pub(crate) async fn sweep(upstream: Upstream, site: std::sync::Weak<UpstreamSite>) {
    let mut swept = Instant::now();
    loop {
        sleep(SWEEP).await;
        if site.strong_count() == 0 {
            return;
        }
        let now = Instant::now();
        if upstream.memory().visited().is_none_or(|visited| visited < swept) {
            continue;
        }
        swept = now;
        compare_stale(&upstream, SWEEP_MAX, false).await;
    }
}

/// Compares at most so many stale answers; after a deploy all that have no life of their own. One at a time, and no version is made meanwhile.
pub(crate) async fn compare_stale(upstream: &Upstream, max: usize, is_deploy: bool) {
    let Ok(_settling) = upstream.settling().try_lock() else { return };
    let places = Arc::new(Semaphore::new(LOOKS_MAX));
    let mut comparing = JoinSet::new();
    for (path, entry) in upstream.memory().stale(Instant::now(), max, is_deploy) {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let upstream = upstream.clone();
        comparing.spawn(async move {
            upstream.compare(&path, &entry).await;
            drop(place);
        });
        while comparing.try_join_next().is_some() {}
    }
    comparing.join_all().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_kept_as_its_index() {
        assert_eq!(
            (relative("/"), relative("/a/"), relative("/a%20b.js")),
            ("index.html".to_owned(), "a/index.html".to_owned(), "a b.js".to_owned())
        );
        assert_eq!(shown("/docs/index.html".to_owned()), "/docs/");
        assert_eq!(shown("/myindex.html".to_owned()), "/myindex.html");
    }
}
