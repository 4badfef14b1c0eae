//! One visit, and what it cost.

use std::time::{Duration, Instant};

use serde_json::Value;
use viral_journeys::deadlines::POLL_EVERY;
use viral_journeys::server::{Server, Stats};
use viral_journeys::visitor::{Status, Visitor};

/// Until a visitor whose app runs takes part: after the page's idle moment and the worker's installation.
const TAKES_PART: Duration = Duration::from_secs(30);

/// Between two looks at a number that should rest.
const REST: Duration = Duration::from_millis(500);

/// Until the server sends nothing more for a visit.
const RESTS: Duration = Duration::from_secs(15);

/// What a visit to viral came to.
#[derive(Debug, Clone)]
pub(crate) struct VisitFigures {
    /// Milliseconds until the app's own result, infinite if it never came or was another than nginx's.
    pub(crate) ms: f64,
    /// Kind and reason of its document's answer.
    pub(crate) answer: String,
    /// Verified bytes from peers.
    pub(crate) from_peers: u64,
    /// What the server sent until the app's result, all causes.
    pub(crate) origin_to_result: u64,
    /// What it sent until it was quiet again, all causes.
    pub(crate) origin: u64,
    /// Of that, what is no part of the app: thin answers, our scripts, the tracker's messages.
    pub(crate) origin_besides: u64,
}

/// Opens `url` and waits for the app's result: milliseconds and the result itself, or nothing at the limit.
pub(crate) async fn open(visitor: &Visitor, url: &str, limit: Duration) -> Option<(f64, Value)> {
    if let Err(error) = visitor.try_open(url).await {
        eprintln!("  not opened: {error}");
        return None;
    }
    let script = "return window.app && window.app.done ? [window.app.ms, window.app.result] : null";
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Ok(Value::Array(said)) = visitor.try_run(script).await {
            return Some((said.first()?.as_f64()?, said.get(1)?.clone()));
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    let glimpse = visitor.try_run("return JSON.stringify({ app: window.app, status: window.viral && window.viral.status() })").await;
    eprintln!("  no result within {limit:?}: {glimpse:?}");
    None
}

/// Milliseconds of `seen`, infinite if there is none or it is not `expected`.
pub(crate) fn ms_of(seen: Option<(f64, Value)>, expected: &Value) -> f64 {
    match seen {
        Some((ms, result)) if result == *expected => ms,
        Some((_, result)) => {
            eprintln!("  another result than nginx's: {result}");
            f64::INFINITY
        }
        None => f64::INFINITY,
    }
}

/// Opens `url` of viral and waits until the app runs, its visitor takes part (if its answer lets it), and the server is quiet.
pub(crate) async fn visit(server: &Server, visitor: &Visitor, url: &str, expected: &Value, limit: Duration) -> VisitFigures {
    let before = server.stats().await;
    let ms = ms_of(open(visitor, url, limit).await, expected);
    let at_result = server.stats().await;
    let answer = answer_between(&before, &at_result);
    let mut status = Status::default();
    if !answer.starts_with("plain") {
        status = until_it_seeds(visitor).await;
    }
    let after = quiet(server).await;
    let visit = VisitFigures {
        ms,
        answer,
        from_peers: status.bytes_from_peers,
        origin_to_result: at_result.origin_bytes.all() - before.origin_bytes.all(),
        origin: after.origin_bytes.all() - before.origin_bytes.all(),
        origin_besides: after.origin_bytes.besides_app() - before.origin_bytes.besides_app(),
    };
    eprintln!("  {visit:?}");
    visit
}

/// Waits until exactly `count` pages seed; says whether they did.
pub(crate) async fn until_seeders(server: &Server, count: u64) -> bool {
    let deadline = Instant::now() + TAKES_PART;
    while Instant::now() < deadline {
        if server.stats().await.seeders == count {
            return true;
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    eprintln!("  not {count} seeders but {}", server.stats().await.seeders);
    false
}

pub(crate) async fn until_it_seeds(visitor: &Visitor) -> Status {
    let deadline = Instant::now() + TAKES_PART;
    let mut last = Status::default();
    while Instant::now() < deadline {
        let said = visitor.try_run("return window.viral ? window.viral.status() : null").await;
        if let Some(status) = said.ok().and_then(|said| serde_json::from_value::<Status>(said).ok()) {
            last = status;
            if last.role == "seeder" {
                break;
            }
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    last
}

/// Waits until the server has sent nothing for a moment.
async fn quiet(server: &Server) -> Stats {
    let deadline = Instant::now() + RESTS;
    let mut last = server.stats().await;
    loop {
        tokio::time::sleep(REST).await;
        let now = server.stats().await;
        if now.origin_bytes.all() == last.origin_bytes.all() || Instant::now() >= deadline {
            return now;
        }
        last = now;
    }
}

/// The answers given between two looks at the server, as `kind; reason`.
pub(crate) fn answer_between(before: &Stats, after: &Stats) -> String {
    let mut answers = Vec::new();
    for (kind, reasons) in &after.reasons {
        for reason in reasons.keys() {
            if after.reason(kind, reason) > before.reason(kind, reason) {
                answers.push(format!("{kind}; {reason}"));
            }
        }
    }
    answers.join(" + ")
}
