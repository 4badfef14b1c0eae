//! Whether what travels is still what the other server has.

use std::sync::Arc;

use http::StatusCode;
use http::header;
use tokio::sync::watch;
use tokio::time::Instant;
use viral_swarm::admission::says;

use crate::entry::{Entry, told};
use crate::facts::judge_head;
use crate::fetch::Question;
use crate::headers::joined;
use crate::learn::compare_stale;
use crate::memory::{Origin, Wanted};
use crate::upstream::Upstream;

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// It is still the same.
    Same,
    /// It is another, or is not there any more: it does not travel until it was looked at again.
    Changed,
    /// The other server could not be asked.
    Unreachable,
}

impl Upstream {
    /// The same for all who ask at once: one question. It is asked to its end, whoever waits for it.
    pub(crate) async fn compare_once(&self, path: String, entry: Arc<Entry>) -> Compared {
        let mut answer = {
            let mut asked = self.comparing();
            if let Some(answer) = asked.get(&path) {
                answer.clone()
            } else {
                let (sender, answer) = watch::channel(None);
                asked.insert(path.clone(), answer.clone());
                let upstream = self.clone();
                tokio::spawn(async move {
                    let compared = upstream.compare(&path, &entry).await;
                    upstream.comparing().remove(&path);
                    sender.send_replace(Some(compared));
                    if compared == Compared::Changed && entry.asset.is_page() {
                        // A deploy changes more than one file.
                        compare_stale(&upstream, usize::MAX, true).await;
                    }
                });
                answer
            }
        };
        // Whoever asks tells what came of it, or ended.
        answer.wait_for(Option::is_some).await.map_or(Compared::Unreachable, |compared| compared.unwrap_or(Compared::Unreachable))
    }

    /// Asks the other server whether a path is still what is kept of it, and takes note of the answer.
    pub(crate) async fn compare(&self, path: &str, entry: &Entry) -> Compared {
        let unless = match (&entry.etag, &entry.modified) {
            (Some(tag), _) => Some((&header::IF_NONE_MATCH, tag)),
            (None, Some(date)) => Some((&header::IF_MODIFIED_SINCE, date)),
            (None, None) => None,
        };
        let Origin { host, over_tls } = &entry.origin;
        let question = Question { path, host: host.as_ref(), over_tls: *over_tls, unless, cookie: None };
        let fetched = match self.fetch(&question, |_| true).await {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::debug!(path, %error, "cannot be compared with the other server's");
                return Compared::Unreachable;
            }
        };
        let (status, headers) = (fetched.head.status, &fetched.head.headers);
        let is_same = if status == StatusCode::NOT_MODIFIED {
            // It may say what it did not say before.
            let cache_control = joined(headers, &header::CACHE_CONTROL);
            !["private", "no-store"].iter().any(|directive| says(&cache_control, directive)) && !headers.contains_key(header::SET_COOKIE)
        } else {
            let (kept, media_type) = told(headers);
            let says_all = entry.told.0.iter().all(|header| kept.contains(header)) && media_type == entry.told.1;
            let is_shared = judge_head(path, &fetched.head, self.settings().rules.of(path)).is_shared();
            status == StatusCode::OK && fetched.digest == entry.digest && says_all && is_shared
        };
        if is_same {
            self.memory().note_checked(Instant::now(), path, fetched.age);
            return Compared::Same;
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Compared::Unreachable;
        }
        if matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED) {
            tracing::debug!(path, "is another now; looked at again");
            self.memory().look_again(Wanted { path: path.to_owned(), way: None, origin: entry.origin.clone() });
        } else {
            tracing::debug!(path, %status, "is not there any more");
            self.memory().refuse(Instant::now(), path);
        }
        Compared::Changed
    }
}
