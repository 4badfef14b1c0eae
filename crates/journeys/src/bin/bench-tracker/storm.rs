//! A server that restarts: how long until everybody is registered again, and how long visitors wait for a page meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::sleep;
use viral_journeys::figures::Target;
use viral_journeys::http::{self, NAVIGATION};

use crate::holder::Holder;
use crate::options::{Hold, Options};
use crate::socket::Way;
use crate::subject::{self, Subject, viral};
use crate::table::Table;

/// Row of this file.
pub(crate) const ROW: &str = "storm";

const SESSIONS: usize = 20_000;

/// Seconds until all are registered, and milliseconds of the slowest answer.
const TARGETS: (f64, f64) = (20.0, 100.0);

/// A visitor comes so often.
const PACE: Duration = Duration::from_millis(20);

pub(crate) async fn measure(options: &Options, (table, sockets_max): (&mut Table, usize)) -> anyhow::Result<()> {
    // As packages have it: with the state of before everybody's leave to register holds.
    let state = tempfile::tempdir()?;
    let state_dir = state.path().to_str().context("a path that is text")?;
    let Subject { mut server, _site } = viral(&["--state-dir", state_dir], None).await?;
    subject::visit(&Way::new(server.address(), None)?).await?;
    let count = options.scaled(SESSIONS).min(sockets_max);
    let hold = Hold { kind: "seeders".to_owned(), to: server.address(), count, first: 1, certificate: None };
    let mut holder = Holder::start(&hold)?;
    let begun = Instant::now();
    server.restart().await;
    let down = begun.elapsed();
    let address = server.address();
    let visits = Arc::new(Visits::default());
    let visiting = tokio::spawn(visit_again_and_again(address, Arc::clone(&visits)));
    let (holder, registered) = tokio::task::spawn_blocking(move || {
        let registered = holder.until_lost().and_then(|()| holder.until_all());
        (holder, registered)
    })
    .await?;
    let all = begun.elapsed();
    visiting.abort();
    registered?;
    let note = format!("{:.1} s of it until the server listened again", down.as_secs_f64());
    table.figure(
        ROW,
        &format!("{count} sessions registered again after a restart"),
        (all.as_secs_f64(), "s"),
        Target::AtMost(TARGETS.0),
        &note,
    );
    let (slowest_us, answered, failed) = (visits.slowest_us.load(Relaxed), visits.answered.load(Relaxed), visits.failed.load(Relaxed));
    let note = format!("{answered} answers, {failed} without one");
    table.figure(ROW, "slowest page answer meanwhile", (slowest_us as f64 / 1e3, "ms"), Target::AtMost(TARGETS.1), &note);
    drop(holder);
    Ok(())
}

/// What became of visits.
#[derive(Default)]
struct Visits {
    slowest_us: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

async fn visit_again_and_again(address: SocketAddr, visits: Arc<Visits>) {
    loop {
        let begun = Instant::now();
        match http::get(address, "/", NAVIGATION).await {
            Ok(_) => {
                visits.slowest_us.fetch_max(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
                visits.answered.fetch_add(1, Relaxed);
            }
            Err(_) => {
                visits.failed.fetch_add(1, Relaxed);
            }
        }
        sleep(PACE).await;
    }
}
