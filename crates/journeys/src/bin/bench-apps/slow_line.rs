//! One seeder near, the origin behind a line of 10 Mbit/s that four plain downloads keep busy; nginx behind the same line.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use viral_journeys::browser::Setting;
use viral_journeys::figures::Target;
use viral_journeys::line::Line;
use viral_journeys::server::Server;
use viral_journeys::visitor::Visitor;

use crate::Bench;
use crate::round::{LIMIT, plain};
use crate::table::Table;
use crate::visit::{self, ms_of, until_seeders, visit};

/// 10 Mbit/s in bytes a second.
const RATE: u64 = 1_250_000;

/// Downloads that keep the line busy.
const DOWNLOADS: usize = 4;

/// Until an app has its result over a fifth of the line: 60 MB at 250 kB/s.
const LIMIT_SLOW: Duration = Duration::from_secs(240);

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let result = plain(bench).await?.result;
    let big = biggest(bench)?;
    let server = Server::serve(bench.site.folder(), &[]).await;
    let (our_line, their_line) = (Line::to(server.address()).await?, Line::to(bench.nginx.address()).await?);
    let url = our_line.url("/");
    let seeder = Visitor::start(bench.engine, &Setting::default()).await?;
    visit(&server, &seeder, &url, &result, LIMIT).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 1..=bench.runs {
        eprintln!("busy line, run {run} of {}", bench.runs);
        until_seeders(&server, 1).await;
        let visitor = Visitor::start(bench.engine, &Setting::default()).await?;
        let busy = keep_busy(&their_line, &big);
        let ms = ms_of(visit::open(&visitor, &their_line.url("/"), LIMIT_SLOW).await, &result);
        eprintln!("  nginx {ms:.0} ms");
        theirs.push(ms);
        drop((busy, visitor));
        their_line.limit(0);

        let visitor = Visitor::start(bench.engine, &Setting::default()).await?;
        let busy = keep_busy(&our_line, &big);
        let before = server.stats().await;
        let ms = ms_of(visit::open(&visitor, &url, LIMIT_SLOW).await, &result);
        let answer = visit::answer_between(&before, &server.stats().await);
        let status = visitor.try_run("return window.viral ? window.viral.status() : null").await;
        eprintln!("  viral {ms:.0} ms, {answer}, {status:?}");
        ours.push((ms, answer));
        drop(busy);
        our_line.limit(0);
        visitor.leave().await;
    }
    let times: Vec<f64> = ours.iter().map(|(ms, _)| *ms).collect();
    table.add("busy line of 10 Mbit/s, nginx: time to result", &theirs, "ms", Target::None);
    table.add("busy line of 10 Mbit/s, one seeder near: time to result", &times, "ms", Target::None);
    table.note_answers(ours.iter().map(|(_, answer)| answer.as_str()));
    table.add_ratio("busy line, one seeder near / nginx", &times, &theirs, Target::AtMost(0.25));
    Ok(())
}

/// Path of the largest file: a plain download long enough to keep a line busy.
fn biggest(bench: &Bench) -> anyhow::Result<String> {
    let len = |path: &&String| bench.site.folder().join(path.trim_start_matches('/')).metadata().map_or(0, |file| file.len());
    let biggest = bench.site.digests().keys().max_by_key(len);
    biggest.cloned().ok_or_else(|| anyhow::anyhow!("the site is empty"))
}

/// Limits the line and downloads over it again and again, until what is returned is dropped.
fn keep_busy(line: &Line, path: &str) -> JoinSet<()> {
    line.limit(RATE);
    let mut downloads = JoinSet::new();
    for _ in 0..DOWNLOADS {
        let (address, path) = (line.address(), path.to_owned());
        downloads.spawn(async move { while download(address, &path).await.is_ok() {} });
    }
    downloads
}

async fn download(address: SocketAddr, path: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: curl/8\r\naccept: */*\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await?;
    let mut part = vec![0; 64 * 1024];
    while stream.read(&mut part).await? > 0 {}
    Ok(())
}
