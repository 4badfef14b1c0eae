//! Cold nginx, the lone visitor, a chain in which each is the only source of the next, and those who return.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use viral_journeys::browser::Setting;
use viral_journeys::figures::Target;
use viral_journeys::server::Server;
use viral_journeys::visitor::Visitor;

use crate::Bench;
use crate::table::Table;
use crate::visit::{self, VisitFigures, ms_of, until_seeders, visit};

/// Until an app has its result with nothing in the way.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Visitors of a chain, the first one included.
const CHAIN: usize = 5;

/// One run of everything, both sides in the same minutes.
#[derive(Debug)]
struct Round {
    plain: Plain,
    lone: VisitFigures,
    lone_returns: VisitFigures,
    /// The second visitor and those after.
    chain: Vec<VisitFigures>,
    last_returns: VisitFigures,
}

/// A visitor of nginx.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) cold_ms: f64,
    /// What nginx sent.
    bytes: u64,
    /// What the app is made of, uncompressed: each file that nginx sent, once.
    used: u64,
    warm_ms: f64,
    warm_bytes: u64,
    pub(crate) result: Value,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let mut rounds = Vec::new();
    for run in 1..=bench.runs {
        eprintln!("run {run} of {}", bench.runs);
        rounds.push(round(bench).await?);
    }
    print_plain(&rounds, table);
    print_chain(&rounds, table);
    print_returns(&rounds, table);
    Ok(())
}

/// Between a visit's result and the next visitor: a second of quiet until the server takes the visit's requests for all it uses, and a source has looked up what
/// its workers loaded. Nobody waits for it; who comes earlier is answered full.
const SETTLED: Duration = Duration::from_secs(4);

/// Before a lone visitor comes back: its page has looked up what it used, the last of it when the browser had written that to its cache.
const AWAY: Duration = Duration::from_secs(10);

async fn round(bench: &Bench) -> anyhow::Result<Round> {
    let plain = plain(bench).await?;
    // A fresh server each time: it has learned nothing, and nothing is compressed yet.
    let server = Server::serve(bench.site.folder(), &[]).await;
    let url = server.url("/");
    let mut source = Visitor::start(bench.engine, &Setting::default()).await?;
    let lone = visit(&server, &source, &url, &plain.result, LIMIT).await;
    tokio::time::sleep(AWAY).await;
    let lone_returns = returns(&server, &source, &url, &plain.result).await;
    tokio::time::sleep(SETTLED).await;
    let mut chain = Vec::new();
    for _ in 1..CHAIN {
        let next = Visitor::start(bench.engine, &Setting::default()).await?;
        let fed = visit(&server, &next, &url, &plain.result, LIMIT).await;
        source.leave().await;
        // Who was answered plain never seeds.
        if !fed.answer.starts_with("plain") {
            until_seeders(&server, 1).await;
        }
        tokio::time::sleep(SETTLED).await;
        chain.push(fed);
        source = next;
    }
    let last_returns = returns(&server, &source, &url, &plain.result).await;
    Ok(Round { plain, lone, lone_returns, chain, last_returns })
}

/// The tab is closed and, when the server has seen that, opened again.
async fn returns(server: &Server, visitor: &Visitor, url: &str, expected: &Value) -> VisitFigures {
    visitor.reopen().await;
    until_seeders(server, 0).await;
    visit(server, visitor, url, expected, LIMIT).await
}

/// A visit to nginx in a fresh profile, and one more in the same.
pub(crate) async fn plain(bench: &Bench) -> anyhow::Result<Plain> {
    let visitor = Visitor::start(bench.engine, &Setting::default()).await?;
    let before = bench.nginx.answered()?.len();
    let url = bench.nginx.url("/");
    let Some((cold_ms, result)) = visit::open(&visitor, &url, LIMIT).await else {
        anyhow::bail!("the app does not run from nginx");
    };
    let cold = bench.nginx.answered()?.split_off(before);
    let paths: BTreeSet<&str> =
        cold.iter().filter(|answer| matches!(answer.status, 200 | 206)).map(|answer| answer.path.as_str()).collect();
    let len_of = |path: &&str| bench.site.folder().join(path.trim_start_matches('/')).metadata().map_or(0, |file| file.len());
    let used = paths.iter().map(len_of).sum();
    visitor.reopen().await;
    let warm_ms = ms_of(visit::open(&visitor, &url, LIMIT).await, &result);
    let warm = bench.nginx.answered()?.split_off(before + cold.len());
    let sum = |answers: &[viral_journeys::nginx::Answered]| answers.iter().map(|answer| answer.bytes).sum();
    let plain = Plain { cold_ms, bytes: sum(&cold), used, warm_ms, warm_bytes: sum(&warm), result };
    eprintln!("  nginx cold {cold_ms:.0} ms, {} B for {used} B used; warm {warm_ms:.0} ms, {} B", plain.bytes, plain.warm_bytes);
    Ok(plain)
}

fn print_plain(rounds: &[Round], table: &mut Table) {
    let cold: Vec<f64> = rounds.iter().map(|round| round.plain.cold_ms).collect();
    let lone: Vec<f64> = rounds.iter().map(|round| round.lone.ms).collect();
    table.add("nginx, fresh profile: time to result", &cold, "ms", Target::None);
    table.add("nginx, fresh profile: bytes sent", &each(rounds, |round| round.plain.bytes as f64), "B", Target::None);
    table.add("bytes of the app that this visit used", &each(rounds, |round| round.plain.used as f64), "B", Target::None);
    table.add("viral, lone first visitor: time to result", &lone, "ms", Target::None);
    table.note_answers(rounds.iter().map(|round| round.lone.answer.as_str()));
    table.add("viral, lone first visitor: bytes sent", &each(rounds, |round| round.lone.origin as f64), "B", Target::None);
    table.add_ratio("time to result, lone first visitor / nginx", &lone, &cold, Target::AtMost(1.05));
}

fn print_chain(rounds: &[Round], table: &mut Table) {
    let cold: Vec<f64> = rounds.iter().map(|round| round.plain.cold_ms).collect();
    for place in 0..CHAIN - 1 {
        let who = format!("visitor {} of the chain", place + 2);
        let of = |what: fn(&VisitFigures) -> u64| each(rounds, |round| what(&round.chain[place]) as f64);
        let share = |what: fn(&VisitFigures) -> u64| each(rounds, |round| what(&round.chain[place]) as f64 / round.plain.used as f64);
        let times = each(rounds, |round| round.chain[place].ms);
        table.add_ratio(format!("{who}: time to result / nginx"), &times, &cold, Target::None);
        table.note_answers(rounds.iter().map(|round| round.chain[place].answer.as_str()));
        table.add(format!("{who}: bytes from peers / bytes used"), &share(|visit| visit.from_peers), "", Target::AtLeast(0.97));
        table.add(format!("{who}: origin bytes, all / bytes used"), &share(|visit| visit.origin), "", Target::AtMost(0.03));
        table.add(format!("{who}: origin bytes besides the app"), &of(|visit| visit.origin_besides), "B", Target::AtMost(24_576.0));
    }
}

fn print_returns(rounds: &[Round], table: &mut Table) {
    let warm: Vec<f64> = rounds.iter().map(|round| round.plain.warm_ms).collect();
    table.add("nginx, warm HTTP cache: time to result", &warm, "ms", Target::None);
    table.add("nginx, warm HTTP cache: bytes sent", &each(rounds, |round| round.plain.warm_bytes as f64), "B", Target::None);
    for (who, visits) in [
        ("last visitor of the chain returns", rounds.iter().map(|round| &round.last_returns).collect::<Vec<_>>()),
        ("lone full visitor returns", rounds.iter().map(|round| &round.lone_returns).collect()),
    ] {
        let each = |number: fn(&VisitFigures) -> f64| visits.iter().map(|visit| number(visit)).collect::<Vec<f64>>();
        let times = each(|visit| visit.ms);
        table.add(format!("{who}: time to result"), &times, "ms", Target::None);
        table.note_answers(visits.iter().map(|visit| visit.answer.as_str()));
        table.add_ratio(format!("{who}: time to result / warm nginx"), &times, &warm, Target::AtMost(1.1));
        let to_result = each(|visit| visit.origin_to_result as f64);
        table.add(format!("{who}: origin bytes until the result"), &to_result, "B", Target::AtMost(2_048.0));
        table.add(format!("{who}: origin bytes until it seeds again"), &each(|visit| visit.origin as f64), "B", Target::None);
    }
}

fn each(rounds: &[Round], number: impl Fn(&Round) -> f64) -> Vec<f64> {
    rounds.iter().map(number).collect()
}
