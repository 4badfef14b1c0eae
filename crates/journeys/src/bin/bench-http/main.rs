//! `cargo xtask bench http`: requests that a CPU-second of the server answers, viral and nginx in turns in the same minutes.
#![expect(clippy::print_stdout, reason = "numbers are what this program is for")]

mod assets;
mod front;
mod load;
mod options;
mod secure;
mod stream;
mod stun;

use std::time::Duration;

use anyhow::ensure;
use assets::{Row, Sites, rows};
use front::Fronts;
use load::{Load, load};
use options::Options;
use secure::Secure;
use viral_journeys::figures::{Target, median, quantile};
use viral_journeys::http::{self, NAVIGATION, Reply};
use viral_journeys::nginx::{Nginx, Setup};
use viral_journeys::server::Server;
use viral_journeys::{deadlines, wait};

/// What tokio takes its number of threads from: one for viral as there is one worker of nginx.
const THREADS: &str = "TOKIO_WORKER_THREADS";

/// Both servers.
struct Bench {
    viral: Server,
    nginx: Nginx,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::from_words(std::env::args().skip(1))?;
    ensure!(std::env::var(THREADS).is_ok_and(|threads| threads == "1"), "set {THREADS}=1, as cargo xtask bench http does");
    let sites = Sites::make()?;
    let bench = Bench {
        viral: Server::serve(sites.viral.folder(), &[]).await,
        nginx: Nginx::serve_as(sites.nginx.folder(), Setup::OneWorker).await?,
    };
    println!("{:<44} {:>9} {:>9} {:>7}  {:<15}", "requests per CPU-second of the server", "viral", "nginx", "ratio", "target");
    for row in rows().iter().filter(|row| options.wants(&row.name)) {
        let cookies = cookies(&bench.viral).await;
        bench.measure(row, &cookies, options.rounds).await?;
    }
    if secure::ROWS.iter().any(|(name, ..)| options.wants(name)) {
        let secure = Secure::start().await?;
        for (name, path, target) in secure::ROWS.into_iter().filter(|(name, ..)| options.wants(name)) {
            let (viral, nginx) = (secure.viral.url(path).replacen("http:", "https:", 1), secure.nginx.secure_url(path));
            compare(
                (name, target, options.rounds),
                || rate(&viral, &[], || secure.viral.cpu_s()),
                || rate(&nginx, &[], || secure.nginx.cpu_s()),
            )?;
        }
    }
    if front::ROWS.iter().map(|(name, ..)| *name).chain(stream::ROWS).any(|name| options.wants(name)) {
        let fronts = Fronts::start().await?;
        for (name, path, target) in front::ROWS.into_iter().filter(|(name, ..)| options.wants(name)) {
            let (viral, nginx) = (fronts.viral.url(path), fronts.nginx.url(path));
            compare(
                (name, target, options.rounds),
                || rate(&viral, &[], || fronts.viral.cpu_s()),
                || rate(&nginx, &[], || fronts.nginx.cpu_s()),
            )?;
        }
        if options.wants("latency") {
            stream::latency(&fronts, options.rounds)?;
        }
        if options.wants("memory") {
            stream::memory(&fronts)?;
            stream::upload().await?;
        }
        if options.wants("rewriting") {
            stream::rewriting(&fronts, options.rounds)?;
        }
    }
    if options.wants(stun::ROW.0) {
        stun::measure(options.rounds).await?;
    }
    Ok(())
}

impl Bench {
    async fn measure(&self, row: &Row, cookies: &str, rounds: usize) -> anyhow::Result<()> {
        let headers = row.headers(cookies, &self.viral.url(""));
        self.until_settled(row, &headers).await;
        let (viral, nginx) = (self.viral.url(&row.path), self.nginx.url(&row.path));
        compare(
            (&row.name, row.target, rounds),
            || rate(&viral, &headers, || self.viral.cpu_s()),
            || rate(&nginx, &headers, || self.nginx.cpu_s()),
        )
    }

    /// Waits until viral sends the smallest form that it will make.
    async fn until_settled(&self, row: &Row, headers: &[(&str, String)]) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        wait::until("the best form is made", deadlines::CONDITION, async || {
            let reply = self.viral.get(&row.path, &headers).await;
            let tag = reply.header("etag").to_owned();
            if reply.status == 200 && (!row.is_text || tag.ends_with("-br\"")) { Ok(()) } else { Err(format!("{} {tag}", reply.status)) }
        })
        .await;
        let reply = http::get(self.nginx.address(), &row.path, &headers).await;
        let coded = |reply: Reply| reply.status == 200 && (!row.is_text || reply.header("content-encoding") == "gzip");
        assert!(reply.is_ok_and(coded), "nginx does not serve {} as it should", row.path);
    }
}

/// Both sides in turns; the first turn of each warms caches and is not counted.
fn compare(
    (name, target, rounds): (&str, f64, usize),
    ours: impl Fn() -> anyhow::Result<f64>,
    theirs: impl Fn() -> anyhow::Result<f64>,
) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for round in 0..=rounds {
        let both = (ours()?, theirs()?);
        if round > 0 {
            rates.push(both);
        }
    }
    let ratios: Vec<f64> = rates.iter().map(|(ours, theirs)| ours / theirs).collect();
    let (ours, theirs): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
    let ratio = median(&ratios);
    println!(
        "{name:<44} {:>9.0} {:>9.0} {ratio:>7.2}  {:<15} quartiles {:.2} to {:.2}",
        median(&ours),
        median(&theirs),
        Target::AtLeast(target).beside(ratio),
        quantile(&ratios, 0.25),
        quantile(&ratios, 0.75),
    );
    Ok(())
}

/// Requests that one CPU-second of a server answers; `cpu_s` says how many it used so far.
fn rate(url: &str, headers: &[(&str, String)], cpu_s: impl Fn() -> f64) -> anyhow::Result<f64> {
    let before = cpu_s();
    let Load { requests } = load(url, headers, Duration::from_secs(1))?;
    let used = cpu_s() - before;
    ensure!(used > 0.0, "the server used no processor for {requests} requests of {url}");
    Ok(requests / used)
}

/// Visits the page as a browser does, and takes what it is to send with its assets.
async fn cookies(viral: &Server) -> String {
    let page = viral.get("/", NAVIGATION).await;
    let lines = page.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()?.split(';').next());
    lines.collect::<Vec<_>>().join("; ")
}
