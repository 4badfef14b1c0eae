//! What workers ask for: classic, module, blob, nested, shared and late ones.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::site::{Site, sha256};
use viral_journeys::wait::journey;

use super::{noise, runs_the_same, script, site_of};

/// Length of the wasm that a worker compiles while it arrives.
const WASM: usize = 10 << 20;

fn workers() -> Site {
    let mut site = site_of(include_str!("workers.html"));
    site.write("/second.html", include_str!("second.html"));
    site.write("/reading.js", include_str!("reading.js"));
    for (name, seed) in [("a", 11), ("b", 12)] {
        site.write(&format!("/lib-{name}.js"), script(seed, 400_000, &format!("self.{name} = '{name} of {seed}';")));
    }
    for (name, seed) in [("a", 13), ("b", 14), ("c", 15)] {
        site.write(&format!("/mod-{name}.mjs"), script(seed, 300_000, &format!("export const value = '{name} of {seed}';")));
    }
    let imports =
        "import { value as a } from '/mod-a.mjs'; import { value as b } from '/mod-b.mjs'; import { value as c } from '/mod-c.mjs';";
    site.write("/three.mjs", format!("{imports}\npostMessage([a, b, c]);\n"));
    site.write("/engine.wasm", wasm(WASM));
    site.write(
        "/wasm.worker.js",
        "WebAssembly.instantiateStreaming(fetch('/engine.wasm')).then(({ instance }) => postMessage(instance.exports.answer()), (error) => postMessage(String(error)));\n",
    );
    site.write("/outer.js", "const inner = new Worker('/inner.js'); inner.onmessage = ({ data }) => postMessage(['outer', ...data]);\n");
    site.write("/inner.js", "importScripts('/reading.js'); read('/inner.bin').then((digest) => postMessage(['inner', digest]));\n");
    site.write("/inner.bin", noise(16, 400_000));
    site.write(
        "/shared.js",
        "importScripts('/reading.js'); const digest = read('/shared.bin'); onconnect = ({ ports: [port] }) => digest.then((it) => port.postMessage(it));\n",
    );
    site.write("/shared.bin", noise(17, 500_000));
    site.write("/late.js", "importScripts('/reading.js'); read('/late.bin').then((digest) => postMessage(digest));\n");
    site.write("/late.bin", noise(18, 1_500_000));
    site
}

/// A module whose `answer()` is 42, with so many bytes of noise in a custom section before its code.
fn wasm(len: usize) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One function of no arguments that gives an i32, exported.
    module.extend_from_slice(b"\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x0a\x01\x06answer\0\0");
    let custom = [b"\x05noise".as_slice(), &noise(19, len)].concat();
    module.push(0);
    module.extend(leb128(custom.len()));
    module.extend(custom);
    module.extend_from_slice(b"\x0a\x06\x01\x04\0\x41\x2a\x0b");
    module
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

async fn run_the_same(engine: Engine) {
    let site = workers();
    let visits = runs_the_same(engine, &site, site.len(), Setting::default()).await;
    let plain = &visits.plain.result;
    assert_eq!(plain["wasm by instantiateStreaming in a worker"], 42);
    assert_eq!(plain["nested workers"][2], sha256(&noise(16, 400_000)));
    // A second tab talks to the shared worker that the first one started.
    let visitor = &visits.last.visitor;
    let before = visits.server.stats().await.origin_bytes.of_app();
    visitor.run("window.second = window.open('/second.html', '_blank')").await;
    let said = visitor
        .until("the second tab runs", "window.second && window.second.app && window.second.app.done && window.second.app.result")
        .await;
    assert_eq!(said["shared worker"], plain["shared worker"]);
    let sent = visits.server.stats().await.origin_bytes.of_app() - before;
    assert!(sent < 100_000, "the second tab cost the origin {sent} bytes");
}

#[tokio::test]
async fn what_workers_fetch_comes_from_peers_in_chromium() {
    journey(run_the_same(Chromium)).await;
}

#[tokio::test]
async fn what_workers_fetch_comes_from_peers_in_firefox() {
    journey(run_the_same(Firefox)).await;
}
