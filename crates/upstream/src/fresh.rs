//! Whether what travels is still what the other server has.

use http::StatusCode;
use http::header;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::entry::Entry;
use crate::fetch::Question;
use crate::learn::compare_stale;
use crate::memory::Wanted;
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
    pub(crate) async fn compare_once(&self, path: String, entry: Entry) -> Compared {
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
                        compare_stale(&upstream, usize::MAX).await;
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
        let question = Question { path, host: entry.host.as_ref(), unless, cookie: None };
        let fetched = match self.fetch(&question).await {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::debug!(path, %error, "cannot be compared with the other server's");
                return Compared::Unreachable;
            }
        };
        let status = fetched.head.status;
        let is_same = status == StatusCode::NOT_MODIFIED || (status == StatusCode::OK && fetched.digest == entry.digest);
        if is_same {
            self.memory().note_checked(Instant::now(), path);
            return Compared::Same;
        }
        if status.is_server_error() {
            return Compared::Unreachable;
        }
        if status == StatusCode::OK {
            tracing::debug!(path, "is another now; looked at again");
            self.memory().look_again(Wanted { path: path.to_owned(), query: None, host: entry.host.clone() });
        } else {
            tracing::debug!(path, %status, "is not there any more");
            self.memory().refuse(Instant::now(), path);
        }
        Compared::Changed
    }
}
