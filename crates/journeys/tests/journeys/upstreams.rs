//! In front of servers that are there already: what is the same for everybody travels, what is not never does.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use viral_journeys::apps;
use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::deadlines;
use viral_journeys::http::NAVIGATION;
use viral_journeys::nginx::Nginx;
use viral_journeys::server::{Server, binary};
use viral_journeys::shop::Shop;
use viral_journeys::site::{App, Site, noise};
use viral_journeys::visitor::{Status, Visitor};
use viral_journeys::wait::{self, journey, journey_alone};

use crate::common::{assert_whole, seeds};

/// The first request of all is passed on; by the next ones the page is known.
async fn proxy(behind: SocketAddr) -> Server {
    let server = Server::proxy(behind, &[]).await;
    wait::until("the page is known", deadlines::CONDITION, async || {
        let reply = server.get("/", NAVIGATION).await;
        let answer = reply.header("viral-answer").to_owned();
        if answer.starts_with("plain; reason=not-shareable") { Err(answer) } else { Ok(()) }
    })
    .await;
    server
}

/// The first visitor brings the app over, the second one takes it from the first.
async fn visitors_feed_each_other(server: &Server, site: &Site) {
    let first = Visitor::visiting(Chromium, &server.url("/")).await;
    assert_whole(&first.until_app_runs().await, site);
    seeds(server, &first, 1).await;
    let before = server.stats().await;
    let second = Visitor::visiting(Firefox, &server.url("/")).await;
    assert_whole(&second.until_app_runs().await, site);
    let status = second.status().await;
    assert_eq!(status.answer, "thin", "{:?}", server.stats().await.reasons);
    assert!(status.bytes_from_peers > site.len() * 9 / 10, "{status:?}");
    let sent = server.stats().await.origin_bytes.of_app() - before.origin_bytes.of_app();
    assert!(sent < site.len() / 10, "the origin sent {sent} bytes of {}", site.len());
}

#[tokio::test]
async fn in_front_of_nginx_the_app_travels() {
    journey_alone(async {
        let site = App::default().site();
        let nginx = Nginx::serve(site.folder()).await.expect("nginx");
        visitors_feed_each_other(&proxy(nginx.address()).await, &site).await;
    })
    .await;
}

#[tokio::test]
async fn in_front_of_express_the_app_travels() {
    journey(async {
        let site = App::default().site();
        let shop = Shop::start(site.folder());
        visitors_feed_each_other(&proxy(shop.address()).await, &site).await;
    })
    .await;
}

#[tokio::test]
async fn a_large_app_of_others_behind_nginx_travels() {
    journey(async {
        let site = apps::pyodide();
        let nginx = Nginx::serve(site.folder()).await.expect("nginx");
        let server = proxy(nginx.address()).await;
        let first = Visitor::visiting(Chromium, &server.url("/")).await;
        let result = first.until_app_runs().await;
        seeds(&server, &first, 1).await;
        let second = Visitor::visiting(Chromium, &server.url("/")).await;
        assert_eq!(second.until_app_runs().await["result"], result["result"]);
        let status = second.status().await;
        assert_eq!(status.answer, "thin", "{:?}", server.stats().await.reasons);
        assert!(status.bytes_from_peers > 10 << 20, "{status:?}");
    })
    .await;
}

/// Opens the tool of the shop, which loads `parts` late and in a worker; says what the page came to.
async fn use_tool(visitor: &Visitor, server: &Server, parts: &[String], len: u64) -> Status {
    visitor.open(&server.url(&format!("/tool?parts={}", parts.join(",")))).await;
    visitor.until("the tool is there", "window.useTool").await;
    visitor.until_status("it takes part", |status| status.answer == "full" || status.peers > 0).await;
    visitor.run("useTool()").await;
    assert_eq!(visitor.until("the tool runs", "window.app?.done && window.app.bytes").await, len);
    visitor.status().await
}

#[tokio::test]
async fn what_a_page_loads_that_is_made_for_each_visitor_travels() {
    journey(async {
        let mut site = App::default().site();
        let shop = Shop::start(site.folder());
        let server = Server::proxy(shop.address(), &[]).await;
        let parts: Vec<String> = site.digests().keys().filter(|path| path.ends_with(".bin")).cloned().collect();
        let len = (parts.len() * App::default().part_len) as u64;
        let url = server.url(&format!("/tool?parts={}", parts.join(",")));
        // The first one teaches that the page is worth it, the second one brings over what it loads.
        let teaching = Visitor::fresh(Chromium).await;
        teaching.open(&url).await;
        teaching.until("the tool is there", "window.useTool").await;
        teaching.run("useTool()").await;
        teaching.until("the tool runs", "window.app?.done").await;
        assert_eq!(teaching.run("return typeof window.viral").await, "undefined");
        wait::until("the page is known", deadlines::CONDITION, async || {
            let pages = server.stats().await.pages;
            if pages.iter().any(|page| page.set_bytes > len) { Ok(()) } else { Err(format!("{pages:?}")) }
        })
        .await;
        let first = Visitor::fresh(Chromium).await;
        assert_eq!(use_tool(&first, &server, &parts, len).await.answer, "full");
        seeds(&server, &first, 1).await;
        for engine in [Firefox, Chromium] {
            let visitor = Visitor::fresh(engine).await;
            let before = server.stats().await.origin_bytes.of_app();
            for visit in ["first", "second"] {
                let status = use_tool(&visitor, &server, &parts, len).await;
                // Whoever left with everything takes from nobody the second time: it comes from the store, if the origin says that it is still the same.
                if visit == "first" {
                    assert_eq!(status.answer, "thin", "{engine:?}: {:?}", server.stats().await.reasons);
                    // All of it, unless the machine is so busy that the origin helps a slow peer.
                    assert!(status.bytes_from_peers > len / 2, "{engine:?} {status:?}");
                }
            }
            let sent = server.stats().await.origin_bytes.of_app() - before;
            assert!(sent < len / 2, "the origin sent {sent} bytes to {engine:?}");
            // The document is the server's, each time anew.
            let name = "document.querySelector('#name').textContent";
            let made = visitor.run(&format!("return {name}")).await;
            visitor.open(&url).await;
            visitor.until("it is made anew", &format!("document.readyState === 'complete' && {name} !== {made}")).await;
            if engine == Chromium {
                // A deploy: nobody gets a file of the version before, whoever stores it.
                site.write(&parts[0], noise(99, 1_000));
                // What the server behind said is believed for a second.
                tokio::time::sleep(Duration::from_millis(1_100)).await;
                use_tool(&visitor, &server, &parts, len - App::default().part_len as u64 + 1_000).await;
            }
        }
        assert_eq!(server.stats().await.reasons["full"]["not-shareable"], 8);
    })
    .await;
}

/// Logs in and shows the page that is made for this visitor.
async fn log_in(server: &Server, visitor: &Visitor, name: &str) {
    visitor.open(&server.url("/account")).await;
    let form = format!(
        "const form = document.createElement('form'); form.method = 'post'; form.action = '/login';
         form.innerHTML = '<input name=name value={name}>'; document.body.append(form); form.submit();"
    );
    visitor.run(&form).await;
    visitor.until("the page is made for the visitor", &format!("document.querySelector('#name')?.textContent === '{name}'")).await;
}

#[tokio::test]
async fn a_name_of_one_visitor_reaches_no_other() {
    journey(async {
        let site = App::default().site();
        let shop = Shop::start(site.folder());
        let server = proxy(shop.address()).await;
        let alice = Visitor::visiting(Chromium, &server.url("/")).await;
        alice.until_app_runs().await;
        log_in(&server, &alice, "alice").await;
        alice.open(&server.url("/")).await;
        alice.until_app_runs().await;
        seeds(&server, &alice, 1).await;
        let bob = Visitor::visiting(Firefox, &server.url("/")).await;
        bob.until_app_runs().await;
        log_in(&server, &bob, "bob").await;
        for (visitor, name) in [(&alice, "alice"), (&bob, "bob")] {
            visitor.open(&server.url("/account")).await;
            visitor
                .until(
                    "the page is whole",
                    &format!("document.readyState === 'complete' && document.querySelector('#name')?.textContent === '{name}'"),
                )
                .await;
        }
        // Everything that a peer could ever give.
        let held = "return (async () => {
            let held = 0;
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const key of await cache.keys()) {
                    const text = key.url + ' ' + (await (await cache.match(key)).text());
                    if (/alice|\\/account/.test(text)) throw new Error(`${key.url} is personal`);
                    held += text.length;
                }
            }
            return held;
        })()";
        let held = bob.run_async(held).await;
        assert!(held.as_u64().is_some_and(|held| held > site.len() / 2), "{held}");
        let stats = server.stats().await;
        let pages: Vec<&str> = stats.pages.iter().map(|page| page.page.as_str()).collect();
        assert_eq!(pages, ["/", "/.viral/personal"], "no page that is made for somebody has a set of its own");
        let passed_on = ["plain", "full"].map(|kind| stats.reason(kind, "not-shareable"));
        assert!(passed_on.iter().sum::<u64>() >= 6, "{:?}", stats.reasons);
    })
    .await;
}

#[tokio::test]
async fn a_chat_goes_through() {
    journey(async {
        let site = App::default().site();
        let shop = Shop::start(site.folder());
        let server = proxy(shop.address()).await;
        for engine in [Chromium, Firefox] {
            let visitor = Visitor::visiting(engine, &server.url("/")).await;
            visitor.until_app_runs().await;
            let said = visitor
                .run_async(
                    "return new Promise((resolve, reject) => {
                        const socket = new WebSocket(location.href.replace('http', 'ws') + 'chat');
                        socket.onopen = () => socket.send('hello');
                        socket.onmessage = (event) => resolve(event.data);
                        socket.onerror = () => reject(new Error('no chat'));
                    })",
                )
                .await;
            assert_eq!(said, json!("hello"));
        }
    })
    .await;
}

#[tokio::test]
async fn an_audit_finds_what_is_called_public_and_is_not() {
    let mut site = App::default().site();
    site.write(
        "/index.html",
        "<!doctype html><title>x</title><script src=/greeting></script><link rel=stylesheet href=/seen><img src=/parts/0.bin>",
    );
    let shop = Shop::start(site.folder());
    let audit = |cookies: &[&str]| {
        let url = format!("http://{}/", shop.address());
        let output = Command::new(binary()).args(["audit", &url, "--json"]).args(cookies).output().expect("viral runs");
        let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let rules = found["resources"].as_array().expect("resources").iter();
        let rules = rules.map(|resource| {
            let path = resource["url"].as_str().and_then(|url| url.splitn(4, '/').nth(3)).unwrap_or_default().to_owned();
            (path, resource["verdict"].as_str().unwrap_or_default().to_owned(), resource["rule"].as_str().unwrap_or_default().to_owned())
        });
        (output.status.code(), rules.collect::<Vec<_>>())
    };
    let row = |path: &str, verdict: &str, rule: &str| (path.to_owned(), verdict.to_owned(), rule.to_owned());
    let expected = [
        row("", "shared", "explicit"),
        row("seen", "not-shared", "set-cookie"),
        row("greeting", "shared", "explicit"),
        row("parts/0.bin", "shared", "explicit"),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    let (code, mut rules) = audit(&["--cookie-a", "session=alice"]);
    rules.sort();
    assert_eq!((code, rules), (Some(1), expected));
}
