//! Introductions by our own protocol: thin visits, each over a connection of its own, whose answers are relayed to seeders that replace the offers.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use viral_journeys::deadlines;
use viral_journeys::figures::{Target, median};
use viral_journeys::http::NAVIGATION;

use crate::options::Options;
use crate::seeder::{Seeder, description};
use crate::socket::{Way, address};
use crate::subject::{self, Subject, viral_of};
use crate::table::Table;

/// Row of this file.
pub(crate) const ROW: &str = "introductions";

/// Seeders, each with as many slots as a peer may have: more than all visits of a round need.
const SEEDERS: usize = 3_000;

/// Visits of a round.
const VISITS: usize = 4_000;

/// Visits at one time.
const AT_ONCE: usize = 16;

/// How much more than the build of before.
const TARGET: f64 = 4.0;

/// What browsers send.
const CODINGS: &str = "gzip, deflate, br, zstd";

pub(crate) async fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(rate(options, None).await?);
        if let Some(before) = &options.before {
            theirs.push(rate(options, Some(before)).await?);
        }
    }
    let what = "pairs per CPU-second, beside the build of before";
    if theirs.is_empty() {
        table.figure(ROW, "pairs per CPU-second", (median(&ours), ""), Target::None, "no build of before was given");
    } else {
        table.rates(ROW, what, Target::AtLeast(TARGET), (&ours, &theirs));
    }
    Ok(())
}

async fn rate(options: &Options, binary: Option<&Path>) -> anyhow::Result<f64> {
    let Subject { server, _site } = viral_of(binary, &[], None).await?;
    let way = Way::new(server.address(), None)?;
    subject::visit(&way).await?;
    let way = way.with_ticket().await?;
    let answered = Arc::new(AtomicU64::new(0));
    let _seeders = seeders(&way, options.scaled(SEEDERS), &answered).await?;
    // A few first, for what is made only once.
    visits(&way, AT_ONCE).await?;
    let (before, from) = (server.cpu_s(), answered.load(Relaxed));
    let pairs = visits(&way, options.scaled(VISITS)).await?;
    let relayed = async {
        while answered.load(Relaxed) < from + pairs {
            tokio::time::sleep(deadlines::POLL_EVERY).await;
        }
    };
    timeout(deadlines::CONDITION, relayed).await.context("not every answer was relayed")?;
    let used = server.cpu_s() - before;
    ensure!(used > 0.0, "the server used no processor");
    Ok(pairs as f64 / used)
}

/// Seeders that serve until the set is dropped.
async fn seeders(way: &Way, count: usize, answered: &Arc<AtomicU64>) -> anyhow::Result<JoinSet<()>> {
    let mut serving = JoinSet::new();
    for number in 1..=u32::try_from(count)? {
        let answered = Arc::clone(answered);
        let heard = move |_: &Value| _ = answered.fetch_add(1, Relaxed);
        let mut seeder = Seeder::register(way, number, Arc::new(heard)).await?;
        serving.spawn(async move {
            if let Err(error) = seeder.serve().await {
                eprintln!("a seeder ended: {error:#}");
            }
        });
    }
    Ok(serving)
}

/// Pairs that so many visits make.
async fn visits(way: &Way, count: usize) -> anyhow::Result<u64> {
    let (mut going, mut pairs, mut next) = (JoinSet::new(), 0, 0);
    while next < count || !going.is_empty() {
        while next < count && going.len() < AT_ONCE {
            going.spawn(visit(way.clone(), visitor(next)?));
            next += 1;
        }
        if let Some(done) = going.join_next().await {
            pairs += timeout(deadlines::REPLY, async { done }).await???;
        }
    }
    Ok(pairs)
}

/// The number of a visitor who comes from a network of its own.
pub(crate) fn visitor(index: usize) -> anyhow::Result<u32> {
    Ok((1 << 23) + (u32::try_from(index)? << 8) + 1)
}

/// A visit that has to be thin: how many offers it had.
async fn visit(way: Way, number: u32) -> anyhow::Result<u64> {
    match ask(&way, number, |_| "Wz5B".to_owned()).await? {
        Asked::Thin(offers) => Ok(offers),
        Asked::Other(said) => bail!("a visit was answered {said}"),
    }
}

/// How a visit was answered.
pub(crate) enum Asked {
    /// With so many offers, all of which it answered.
    Thin(u64),
    /// Not thin: what the server said.
    Other(String),
}

/// A visit: the page, and one post with an answer to each offer, which has the mark that is made for it.
pub(crate) async fn ask(way: &Way, number: u32, mut mark: impl FnMut(usize) -> String) -> anyhow::Result<Asked> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(way.stream(number).await?)).await?;
    let driving = tokio::spawn(connection);
    let from = address(number).to_string();
    let request = |request: http::request::Builder| request.header(header::HOST, way.to.to_string()).header("x-forwarded-for", &from);
    let mut page = request(Request::get("/")).header(header::ACCEPT_ENCODING, CODINGS);
    for (name, value) in NAVIGATION {
        page = page.header(*name, *value);
    }
    let answer = sender.send_request(page.body(Full::new(Bytes::new()))?).await?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    let said = parts.headers.get("viral-answer").context("the page is not of viral")?.to_str()?;
    if !said.starts_with("thin") {
        return Ok(Asked::Other(said.to_owned()));
    }
    let boot = boot(&parts.headers, &body)?;
    let offers = boot["offers"].as_array().context("a boot without offers")?;
    let answers: Vec<Value> = offers
        .iter()
        .enumerate()
        .map(|(index, offer)| json!({ "peer": offer["peer"], "offer": offer["offer"], "description": description("active", &mark(index)) }))
        .collect();
    let post = json!({ "ticket": boot["ticket"], "answers": answers }).to_string();
    let post = request(Request::post("/.viral/answer"))
        .header(header::ORIGIN, way.origin())
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(post)))?;
    let answer = sender.send_request(post).await?;
    ensure!(answer.status().is_success(), "the answers of a visit were answered {}", answer.status());
    answer.into_body().collect().await?;
    driving.abort();
    Ok(Asked::Thin(offers.len() as u64))
}

fn boot(headers: &http::HeaderMap, body: &Bytes) -> anyhow::Result<Value> {
    let mut html = String::new();
    match headers.get(header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
        Some(b"br") => brotli::Decompressor::new(&**body, 4096).read_to_string(&mut html)?,
        Some(b"gzip") => flate2::read::GzDecoder::new(&**body).read_to_string(&mut html)?,
        _ => (&**body).read_to_string(&mut html)?,
    };
    let block = html.split("id=\"viral-boot\">").nth(1).and_then(|rest| rest.split("</script>").next());
    Ok(serde_json::from_str(block.context("no boot in the page")?)?)
}
