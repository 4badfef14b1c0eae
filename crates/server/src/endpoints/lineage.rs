//! `/.viral/lineage` and `/lineage`: who got the app from whom, as server-sent events.
//!
//! The first event is named `snapshot` and holds `{ "visits": [LineageVisit] }`; then come unnamed ones, each one `LineageEvent`. A reader that lags too
//! far gets a new snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use http::{Response, StatusCode};
use tokio::sync::watch;
use viral_swarm::lineage::{LineageEvent, LineageVisit};

use crate::app::App;
use crate::limits::{LINEAGE_READERS_MAX, PING_INTERVAL};
use crate::replies::refusal;
use crate::shutdown::Shutdown;
use crate::stats::Cause;

/// Streams open now, in the whole process.
static READERS: AtomicUsize = AtomicUsize::new(0);

/// `GET /.viral/lineage`
pub(crate) async fn public(state: State<Arc<App>>) -> Response<Body> {
    if !state.public_lineage {
        return refusal(StatusCode::NOT_FOUND, "this site does not show its lineage; the operator can with --public-lineage");
    }
    stream(state).await
}

/// `GET /lineage` on the admin address.
pub(crate) async fn stream(State(app): State<Arc<App>>) -> Response<Body> {
    let Some(place) = Place::take() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many readers, try again later");
    };
    let shutdown = app.shutdown.clone();
    let reader = Reader { changed: app.hub.lineage_changed(), app, since: None, _place: place };
    let batches = stream::unfold(reader, |mut reader| async move { reader.next().await.map(|events| (events, reader)) });
    let events = batches.flat_map(stream::iter).take_until(ended(shutdown));
    let mut response = Sse::new(quiet(events)).keep_alive(KeepAlive::new().interval(PING_INTERVAL)).into_response();
    response.extensions_mut().insert(Cause::Signalling);
    response
}

async fn ended(shutdown: Shutdown) {
    shutdown.begun().await;
}

/// The type that [`Sse`] asks for; nothing can fail.
fn quiet(events: impl Stream<Item = Event>) -> impl Stream<Item = Result<Event, Infallible>> {
    events.map(Ok)
}

/// A place among the readers, given back when dropped.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = READERS.fetch_update(Relaxed, Relaxed, |readers| (readers < LINEAGE_READERS_MAX).then_some(readers + 1));
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Relaxed);
    }
}

struct Reader {
    app: Arc<App>,
    changed: watch::Receiver<()>,
    /// The next event to ask for; none before the first snapshot.
    since: Option<u64>,
    _place: Place,
}

impl Reader {
    /// The next events, as soon as there are any; none when the tracker is gone.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            self.changed.borrow_and_update();
            let news = self.since.map(|since| self.app.hub.lineage_news(since));
            match news {
                Some(news) if !news.lost => {
                    self.since = Some(news.next);
                    if !news.events.is_empty() {
                        return Some(news.events.iter().map(event).collect());
                    }
                }
                Some(_) | None => {
                    let (visits, next) = self.app.hub.lineage_snapshot();
                    self.since = Some(next);
                    return Some(vec![snapshot(&visits)]);
                }
            }
            self.changed.changed().await.ok()?;
        }
    }
}

fn snapshot(visits: &[LineageVisit]) -> Event {
    json(Event::default().event("snapshot"), &serde_json::json!({ "visits": visits }))
}

fn event(event: &LineageEvent) -> Event {
    json(Event::default(), event)
}

fn json(event: Event, data: &impl serde::Serialize) -> Event {
    event.json_data(data).expect("visits are structs of strings and numbers, which always have a json form")
}
