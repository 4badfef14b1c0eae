//! What an idle session costs in memory of the server, and what many of them make of `/metrics`.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use viral_journeys::figures::{Target, median};

use crate::aquatic::Aquatic;
use crate::holder::Holder;
use crate::options::{Hold, Options};
use crate::socket::Way;
use crate::subject::{self, Subject, certificates, viral};
use crate::table::Table;

/// Rows of this file.
pub(crate) const ROWS: [&str; 4] = ["memory-plain", "memory-tls", "memory-many", "metrics"];

/// Sessions of one server.
const SESSIONS: usize = 20_000;

/// Sessions of several, where one may not have so many.
const MANY: usize = 50_000;

/// Sessions that are there before it is measured, since they pay for what all share.
const FIRST: usize = 500;

/// Nothing tells when a server has done what it can for those who say nothing more.
const SETTLE: Duration = Duration::from_secs(3);

/// Times that `/metrics` is asked for.
const SCRAPES: usize = 20;

/// Times of `/metrics` over which a median is of any use.
const METRICS_MS_MAX: f64 = 20.0;

/// KiB of a session without and with TLS.
const KIB_MAX: (f64, f64) = (8.0, 24.0);

/// Of what aquatic takes.
const SHARE_MAX: f64 = 0.1;

pub(crate) async fn beside_aquatic(options: &Options, (table, sockets_max): (&mut Table, usize), is_tls: bool) -> anyhow::Result<()> {
    let certificates = certificates()?;
    let folder = is_tls.then(|| certificates.path());
    let count = options.scaled(SESSIONS).min(sockets_max - FIRST);
    let ours = ours(count, folder).await? / 1024.0;
    let theirs = theirs(count, folder).await? / 1024.0;
    let (name, limit) = if is_tls { ("memory-tls", KIB_MAX.1) } else { ("memory-plain", KIB_MAX.0) };
    let what = format!("KiB of each of {count} idle sessions");
    let target = format!("{}; ratio {}", Target::AtMost(limit).beside(ours), Target::AtMost(SHARE_MAX).beside(ours / theirs));
    table.row([name, &what, &format!("{ours:.1}"), &format!("{theirs:.1}"), &format!("{:.3}", ours / theirs), &target, ""]);
    Ok(())
}

/// As many as there may be on one machine, on several servers where one may not have them all; and `/metrics` of one.
pub(crate) async fn many(options: &Options, (table, sockets_max): (&mut Table, usize)) -> anyhow::Result<()> {
    let (all, mut servers, mut holders, mut bytes, mut times) = (options.scaled(MANY), Vec::new(), Vec::new(), 0.0, Vec::new());
    let (mut left, mut largest) = (all, 0);
    while left > 0 {
        let count = left.min(sockets_max);
        left -= count;
        largest = largest.max(count);
        let subject = viral(&[], None).await?;
        let server = &subject.server;
        subject::visit(&Way::new(server.address(), None)?).await?;
        let before = server.memory();
        let first = 1 + u32::try_from(holders.len() * SESSIONS * 2)?;
        let hold = Hold { kind: "seeders".to_owned(), to: server.address(), count, first, certificate: None };
        holders.push(Holder::start(&hold)?);
        sleep(SETTLE).await;
        bytes += server.memory().saturating_sub(before) as f64;
        if servers.is_empty() {
            for _ in 0..SCRAPES {
                let begun = Instant::now();
                subject::metrics(server).await?;
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        servers.push(subject);
    }
    let note = format!("{} servers", servers.len());
    table.figure(
        "memory-many",
        &format!("KiB of each of {all} idle sessions at one time"),
        (bytes / all as f64 / 1024.0, "KiB"),
        Target::AtMost(KIB_MAX.0),
        &note,
    );
    let what = format!("/metrics with {largest} sessions, median of {SCRAPES}");
    table.figure("metrics", &what, (median(&times), "ms"), Target::AtMost(METRICS_MS_MAX), "");
    Ok(())
}

/// Bytes of one of so many sessions of viral.
async fn ours(count: usize, tls: Option<&Path>) -> anyhow::Result<f64> {
    let Subject { server, .. } = &viral(&[], tls).await?;
    subject::visit(&Way::new(server.address(), pem(tls).as_deref())?).await?;
    let hold = |count, first| Hold { kind: "seeders".to_owned(), to: server.address(), count, first, certificate: pem(tls) };
    cost(count, hold, || server.memory()).await
}

async fn theirs(count: usize, tls: Option<&Path>) -> anyhow::Result<f64> {
    let aquatic = Aquatic::start(tls).await?;
    let hold = |count, first| Hold { kind: "announced".to_owned(), to: aquatic.address, count, first, certificate: pem(tls) };
    cost(count, hold, || aquatic.process.memory()).await
}

async fn cost(count: usize, hold: impl Fn(usize, u32) -> Hold, memory: impl Fn() -> u64) -> anyhow::Result<f64> {
    let _first = Holder::start(&hold(FIRST, 1))?;
    sleep(SETTLE).await;
    let before = memory();
    let _all = Holder::start(&hold(count, 1 + u32::try_from(FIRST)?))?;
    sleep(SETTLE).await;
    Ok(memory().saturating_sub(before) as f64 / count as f64)
}

fn pem(tls: Option<&Path>) -> Option<std::path::PathBuf> {
    tls.map(|folder| viral_journeys::certificate::files(folder)[0].clone())
}
