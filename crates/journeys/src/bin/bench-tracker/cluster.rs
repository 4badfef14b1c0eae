//! Two servers of one site that meet in Redis, beside one alone: how many visitors find somebody there, and how much later an answer arrives that another server
//! passes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;
use tokio::task::JoinSet;
use viral_journeys::figures::{Target, quantile};
use viral_journeys::redis::Redis;
use viral_journeys::server::Server;

use crate::introductions::{Asked, ask, visitor};
use crate::options::Options;
use crate::seeder::Seeder;
use crate::socket::Way;
use crate::subject::{self, BEHIND_A_PROXY, Subject, viral};
use crate::table::Table;

/// Rows of this file.
pub(crate) const ROWS: [&str; 2] = ["cluster-share", "cluster-latency"];

/// Seeders of all servers together.
const SEEDERS: usize = 600;

const VISITS: usize = 1_200;

/// A visitor comes so often: latency is measured of servers that have time.
const PACE: Duration = Duration::from_millis(10);

/// The share of thin answers beside one server's, and milliseconds of the slowest hundredth.
const TARGETS: (f64, f64) = (0.98, 5.0);

/// How long servers take to tell each other what their peers hold.
const TOLD_AFTER: Duration = Duration::from_secs(3);

/// Answers on their way: the mark of each, where it was posted, and when.
type Posted = Arc<Mutex<BTreeMap<String, (usize, Instant)>>>;

/// Milliseconds from the post to the seeder: where both are at one server, and where they are not.
type Delays = Arc<Mutex<(Vec<f64>, Vec<f64>)>>;

#[derive(Debug, Default)]
struct Found {
    visits: usize,
    thin: usize,
}

pub(crate) async fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let Subject { server, _site } = viral(&[], None).await?;
    let (alone, _) = run(options, &[&server]).await?;
    drop(server);
    let redis = Redis::start().await?;
    let url = redis.url();
    let more = ["--cluster", &url];
    let Subject { server: one, _site: site } = viral(&more, None).await?;
    let other = Server::serve(site.folder(), &[&BEHIND_A_PROXY[..], &more].concat()).await;
    let (both, delays) = run(options, &[&one, &other]).await?;
    drop((one, other));
    let share = |found: &Found| found.thin as f64 / found.visits.max(1) as f64;
    let ratio = share(&both) / share(&alone);
    let shown = |found: &Found| format!("{:.3}", share(found));
    let target = Target::AtLeast(TARGETS.0).beside(ratio);
    let note = format!("{} visits of each", both.visits);
    table.row([
        ROWS[0],
        "thin share of visitors of two servers, beside one",
        &shown(&both),
        &shown(&alone),
        &format!("{ratio:.3}"),
        &target,
        &note,
    ]);
    let (here, there) = &*lock(&delays);
    ensure!(!here.is_empty() && !there.is_empty(), "{} answers stayed and {} were passed on", here.len(), there.len());
    let added = quantile(there, 0.99) - quantile(here, 0.99);
    let note = format!(
        "99th percentiles {:.1} and {:.1} ms, medians {:.1} and {:.1} ms, {} and {} answers",
        quantile(there, 0.99),
        quantile(here, 0.99),
        quantile(there, 0.5),
        quantile(here, 0.5),
        there.len(),
        here.len()
    );
    table.figure(ROWS[1], "what another server adds to an answer", (added, "ms"), Target::AtMost(TARGETS.1), &note);
    Ok(())
}

/// Seeders and visitors, spread over these servers in turns.
async fn run(options: &Options, servers: &[&Server]) -> anyhow::Result<(Found, Delays)> {
    let mut ways = Vec::new();
    for server in servers {
        let way = Way::new(server.address(), None)?;
        subject::visit(&way).await?;
        ways.push(way.with_ticket().await?);
    }
    let (posted, delays) = (Posted::default(), Delays::default());
    let mut serving = JoinSet::new();
    for number in 1..=options.scaled(SEEDERS) {
        let at = number % ways.len();
        let (posted, delays) = (Arc::clone(&posted), Arc::clone(&delays));
        let heard = move |answer: &Value| note(answer, at, &posted, &delays);
        let mut seeder = Seeder::register(&ways[at], u32::try_from(number)?, Arc::new(heard)).await?;
        serving.spawn(async move { seeder.serve().await });
    }
    tokio::time::sleep(TOLD_AFTER).await;
    let mut found = Found::default();
    let mut going = JoinSet::new();
    for number in 0..options.scaled(VISITS) {
        let at = number % ways.len();
        let (way, posted) = (ways[at].clone(), Arc::clone(&posted));
        going.spawn(async move {
            // Each offer is answered with a mark of its own, by which the seeder's server is known.
            let marked = move |offer: usize| {
                let mark = format!("{number:06}{offer:02}");
                lock(&posted).insert(mark.clone(), (at, Instant::now()));
                mark
            };
            ask(&way, visitor(number)?, marked).await
        });
        tokio::time::sleep(PACE).await;
    }
    while let Some(done) = going.join_next().await {
        found.visits += 1;
        found.thin += usize::from(matches!(done??, Asked::Thin(_)));
    }
    tokio::time::sleep(TOLD_AFTER).await;
    Ok((found, delays))
}

fn note(answer: &Value, at: usize, posted: &Posted, delays: &Delays) {
    let now = Instant::now();
    let Some(mark) = answer["description"][0].as_str() else { return };
    let Some((from, sent)) = lock(posted).remove(mark) else { return };
    let ms = now.duration_since(sent).as_secs_f64() * 1e3;
    let (here, there) = &mut *lock(delays);
    if from == at { here.push(ms) } else { there.push(ms) }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
