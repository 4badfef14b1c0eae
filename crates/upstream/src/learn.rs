//! Looking at what visitors were answered: fetched twice without cookies, judged, and kept if it may travel.

use std::sync::Arc;
use std::time::SystemTime;

use http::{StatusCode, header};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use viral_site::{SiteError, VersionMaker};
use viral_swarm::admission::{SharingReason, SharingVerdict};

use crate::entry::{Entry, Life, answered};
use crate::facts::{judge_head, lifetime};
use crate::fetch::{FetchError, Fetched, Question};
use crate::limits::{LOOKS_MAX, SWEEP, SWEEP_MAX};
use crate::memory::Wanted;
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
    if let Some(query) = &wanted.query {
        return look_at_query(upstream, &wanted, query).await;
    }
    let path = wanted.path.clone();
    let now = Instant::now();
    let (verdict, fetched) = match verdict_of(upstream, &path, wanted.host.as_ref()).await {
        Ok(judged) => judged,
        Err(error) => {
            tracing::debug!(path, %error, "cannot be looked at");
            upstream.memory().refuse(now, &path);
            return;
        }
    };
    if !verdict.is_shared() {
        tracing::debug!(path, reason = %verdict.reason(), "stays at the other server");
        upstream.memory().refuse(now, &path);
        return;
    }
    match entry_of(maker, &path, fetched, verdict, wanted).await {
        Ok(entry) => {
            tracing::debug!(path, len = entry.asset.len(), reason = %verdict.reason(), "may travel");
            let links: Vec<String> = entry.asset.link_paths().collect();
            let host = entry.host.clone();
            if upstream.memory().share(now, &path, entry) {
                // What a browser loads with it will be asked for next.
                for path in links.into_iter().map(shown) {
                    upstream.memory().want(now, Wanted { path, query: None, host: host.clone() });
                }
            }
        }
        Err(error) => {
            tracing::warn!(path, %error, "cannot be kept");
            upstream.memory().refuse(now, &path);
        }
    }
}

/// Looks whether a query leads to the same as the path without. If not, both stay at the other server.
async fn look_at_query(upstream: &Upstream, wanted: &Wanted, query: &str) {
    let memory = upstream.memory();
    let Some((entry, _)) = memory.find(Instant::now(), &wanted.path, None) else { return };
    let path = format!("{}?{query}", wanted.path);
    match upstream.fetch(&Question { path: &path, host: wanted.host.as_ref(), ..Question::default() }).await {
        Ok(fetched) if fetched.head.status == StatusCode::OK && fetched.digest == entry.digest => memory.note_query(&wanted.path, query),
        Ok(_) => {
            tracing::debug!(path, "depends on the query; stays at the other server");
            memory.refuse(Instant::now(), &wanted.path);
        }
        Err(error) => {
            tracing::debug!(path, %error, "cannot be looked at");
            memory.forget_query(&wanted.path, query);
        }
    }
}

/// Fetches a path twice, the second time under another name where the server is asked under several, and judges what came.
///
/// # Errors
/// When the first answer cannot be had.
pub(crate) async fn verdict_of(
    upstream: &Upstream,
    path: &str,
    host: Option<&http::HeaderValue>,
) -> Result<(SharingVerdict, Fetched), FetchError> {
    let rule = upstream.settings().rules.of(path);
    let fetched = upstream.fetch(&Question { path, host, ..Question::default() }).await?;
    let verdict = judge_head(path, &fetched.head, rule);
    if !verdict.is_shared() {
        return Ok((verdict, fetched));
    }
    let other = upstream.other_host(host);
    let again = upstream.fetch(&Question { path, host: other.as_ref(), ..Question::default() }).await?;
    let same_type = fetched.head.headers.get(header::CONTENT_TYPE) == again.head.headers.get(header::CONTENT_TYPE);
    let is_same = again.digest == fetched.digest && same_type && judge_head(path, &again.head, rule).is_shared();
    Ok((if is_same { verdict } else { SharingVerdict::NotShared(SharingReason::Differs) }, fetched))
}

async fn entry_of(
    maker: &Arc<Mutex<VersionMaker>>,
    path: &str,
    fetched: Fetched,
    verdict: SharingVerdict,
    wanted: Wanted,
) -> Result<Entry, SiteError> {
    let Fetched { head, digest, content } = fetched;
    let life = Life::of(&head, lifetime(path, &head, verdict, SystemTime::now()));
    let answer = answered(relative(path), &head, content);
    let maker = Arc::clone(maker).lock_owned().await;
    let made = tokio::task::spawn_blocking(move || maker.asset(answer)).await;
    let asset = made.map_err(|_| SiteError::Interrupted)??;
    let [etag, modified] = [header::ETAG, header::LAST_MODIFIED].map(|name| head.headers.get(name).cloned());
    Ok(Entry { asset, digest, etag, modified, host: wanted.host, checked: Instant::now(), life })
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
        compare_stale(&upstream, SWEEP_MAX).await;
    }
}

/// Compares at most so many stale answers.
pub(crate) async fn compare_stale(upstream: &Upstream, max: usize) {
    let places = Arc::new(Semaphore::new(LOOKS_MAX));
    let mut comparing = JoinSet::new();
    for path in upstream.memory().stale(Instant::now(), max) {
        let Some((entry, _)) = upstream.memory().find(Instant::now(), &path, None) else { continue };
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
