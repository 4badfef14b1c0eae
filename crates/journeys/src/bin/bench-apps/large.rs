//! One large file: when its first byte reaches who asked for it, and what a page that holds it takes of memory beyond a plain one.

use std::time::Duration;

use serde_json::Value;
use viral_journeys::browser::{Engine, Setting};
use viral_journeys::figures::Target;
use viral_journeys::server::Server;
use viral_journeys::site::{Site, noise};
use viral_journeys::visitor::Visitor;

use crate::round::LIMIT;
use crate::table::Table;
use crate::visit::{until_it_seeds, until_seeders};

/// WebAssembly of a large app.
const WASM_LEN: usize = 32 << 20;

/// An app to hold.
const HELD_LEN: usize = 64 << 20;

/// Until a browser has given back what it only needed for a moment.
const SETTLES: Duration = Duration::from_secs(8);

/// Compiles by streaming, and notes when the first bytes and when all came.
const WASM_PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Large</title><script type="module">
const asked = performance.now();
const response = await fetch('/large.wasm');
let first;
const watched = response.body.pipeThrough(new TransformStream({ transform(part, to) { first ??= performance.now() - asked; to.enqueue(part); } }));
await WebAssembly.compileStreaming(new Response(watched, { headers: { 'content-type': 'application/wasm' } }));
window.app = { done: true, ms: first, result: performance.now() - asked };
</script>"#;

/// Reads all of it and keeps none.
const HELD_PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Large</title><script type="module">
const { body } = await fetch('/large.bin');
let len = 0;
for await (const part of body) len += part.length;
window.app = { done: true, ms: performance.now(), result: len };
</script>"#;

pub(crate) async fn measure(engine: Engine, runs: usize, table: &mut Table) -> anyhow::Result<()> {
    let (mut first, mut all) = (Vec::new(), Vec::new());
    let (mut plain, mut full, mut thin) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=runs {
        eprintln!("large files, run {run} of {runs}");
        let (first_ms, all_ms) = first_byte(engine).await?;
        first.push(first_ms);
        all.push(all_ms);
        let took = memory(engine).await?;
        plain.push(took.plain);
        full.push(took.full);
        thin.push(took.thin);
    }
    table.add("wasm of 32 MiB from one peer: first byte after the request", &first, "ms", Target::AtMost(150.0));
    table.add("wasm of 32 MiB from one peer: compiled after the request", &all, "ms", Target::None);
    table.add("browser that read 64 MiB plainly: memory", &plain, "MiB", Target::None);
    for (who, took) in [("full", &full), ("thin", &thin)] {
        table.add(format!("{who} visitor that holds them: memory"), took, "MiB", Target::None);
        let beyond: Vec<f64> = took.iter().zip(&plain).map(|(ours, theirs)| (ours - theirs) / mib(HELD_LEN as u64)).collect();
        table.add(format!("{who} visitor: memory beyond plain / what it holds"), &beyond, "x", Target::AtMost(1.5));
    }
    Ok(())
}

async fn first_byte(engine: Engine) -> anyhow::Result<(f64, f64)> {
    let mut site = Site::empty();
    site.write("/index.html", WASM_PAGE);
    site.write("/large.wasm", module(WASM_LEN));
    let server = Server::serve(site.folder(), &[]).await;
    let _seeder = seeder(&server, engine).await?;
    let next = Visitor::start(engine, &Setting::default()).await?;
    let (ms, result) = ran(&server, &next).await?;
    Ok((ms, result.as_f64().unwrap_or(f64::INFINITY)))
}

/// In MiB.
#[derive(Debug)]
struct Memory {
    plain: f64,
    full: f64,
    thin: f64,
}

async fn memory(engine: Engine) -> anyhow::Result<Memory> {
    let mut site = Site::empty();
    site.write("/index.html", HELD_PAGE);
    site.write("/large.bin", noise(5, HELD_LEN));
    let server = Server::serve(site.folder(), &[]).await;
    let mut opted_out = Visitor::start(engine, &Setting::default()).await?;
    opted_out.open(&server.url("/.viral/")).await;
    opted_out.run("document.cookie = 'viral=off; path=/'").await;
    ran(&server, &opted_out).await?;
    let plain = settled(&mut opted_out).await;
    let mut source = seeder(&server, engine).await?;
    let full = settled(&mut source).await;
    let mut next = Visitor::start(engine, &Setting::default()).await?;
    ran(&server, &next).await?;
    until_it_seeds(&next).await;
    let thin = settled(&mut next).await;
    Ok(Memory { plain, full, thin })
}

/// The first visitor, once it can feed the next one.
async fn seeder(server: &Server, engine: Engine) -> anyhow::Result<Visitor> {
    let visitor = Visitor::start(engine, &Setting::default()).await?;
    ran(server, &visitor).await?;
    until_it_seeds(&visitor).await;
    until_seeders(server, 1).await;
    tokio::time::sleep(SETTLES).await;
    Ok(visitor)
}

async fn ran(server: &Server, visitor: &Visitor) -> anyhow::Result<(f64, Value)> {
    let seen = crate::visit::open(visitor, &server.url("/"), LIMIT).await;
    let status = visitor.try_run("return window.viral ? JSON.stringify(window.viral.status()) : null").await;
    eprintln!("  {seen:?} {status:?}");
    seen.ok_or_else(|| anyhow::anyhow!("the page does not run"))
}

async fn settled(visitor: &mut Visitor) -> f64 {
    tokio::time::sleep(SETTLES).await;
    mib(visitor.memory())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// An empty module with so many bytes of noise in a custom section.
fn module(len: usize) -> Vec<u8> {
    let custom = [b"\x05noise".as_slice(), &noise(6, len)].concat();
    let mut module = b"\0asm\x01\0\0\0\0".to_vec();
    let mut rest = custom.len();
    while rest >= 0x80 {
        module.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    module.push(rest as u8);
    module.extend(custom);
    module
}
