//! Sites with a service worker of their own: they keep it, and travel.

use serde_json::json;
use viral_journeys::apps;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, fed_by_peers, first_seeder, seeds_all};

/// Registers `script` as many pages do, and notes what the page is shown of workers.
fn registering(script: &str) -> String {
    format!(
        "<script>
        window.shown = {{ first: navigator.serviceWorker.controller, changes: 0, messages: [] }};
        navigator.serviceWorker.addEventListener('controllerchange', () => shown.changes++);
        navigator.serviceWorker.addEventListener('message', ({{ data }}) => shown.messages.push(data));
        window.registered = navigator.serviceWorker.getRegistration().then(before => {{ shown.before = !!before; return navigator.serviceWorker.register('{script}'); }});
        navigator.serviceWorker.ready.then(one => {{ shown.ready = new URL(one.active.scriptURL).pathname; }});
        </script>"
    )
}

/// Answers everything: from the network, else what it stored, and one path by itself. Says to its page what it was asked for.
const ANSWERS_ALL: &str = "
    const asked = [];
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', event => event.waitUntil(clients.claim()));
    addEventListener('message', event => event.source.postMessage({ asked }));
    addEventListener('fetch', event => {
        const { pathname } = new URL(event.request.url);
        if (!pathname.startsWith('/.viral/')) asked.push(pathname);
        if (pathname === '/from-worker') return event.respondWith(new Response('mine'));
        event.respondWith((async () => {
            const site = await caches.open('site');
            try {
                const response = await fetch(event.request);
                if (response.ok && event.request.method === 'GET') await site.put(event.request, response.clone());
                return response;
            } catch (error) {
                return (await site.match(event.request)) ?? Promise.reject(error);
            }
        })());
    });";

/// Paths of the registered workers' scripts.
const WORKERS: &str = "const all = await navigator.serviceWorker.getRegistrations(); return all.map(one => new URL((one.active ?? one.installing).scriptURL).pathname)";

/// What the page was shown of workers until now: whether there was one at first, how often another came, and which is there now.
async fn shown(visitor: &Visitor) -> serde_json::Value {
    visitor
        .run(
            "const { controller } = navigator.serviceWorker;
             return [shown.first && new URL(shown.first.scriptURL).pathname, shown.before, shown.changes, controller && new URL(controller.scriptURL).pathname]",
        )
        .await
}

/// A site whose page registers `/sw.js`, which is `worker`.
fn site_with(worker: &str) -> Site {
    let mut site = App { head: registering("/sw.js"), ..App::default() }.site();
    site.write("/sw.js", worker);
    site
}

/// Closes the page and opens it in a new tab: to a reload WebDriver's Firefox shows no worker.
async fn comes_back(visitor: &Visitor, server: &Server) {
    visitor.reopen().await;
    visitor.open(&server.url("/")).await;
}

async fn pairs(steps: impl AsyncFn(Engine)) {
    for engine in [Chromium, Firefox] {
        println!("{engine:?}");
        steps(engine).await;
    }
}

#[tokio::test]
async fn a_worker_that_answers_everything_stays_and_its_site_travels() {
    journey(pairs(async |engine| {
        let site = site_with(ANSWERS_ALL);
        let server = Server::serve(site.folder(), &[]).await;
        let _first = first_seeder(&server, &site, engine).await;
        let visitor = fed_by_peers(&server, &site, engine).await;
        visitor.until("its own worker took the page over", "navigator.serviceWorker.controller && shown.ready").await;
        assert_eq!(shown(&visitor).await, json!([null, false, 1, "/sw.js"]), "as on the first visit to a site without us");
        assert_eq!(visitor.run_async(WORKERS).await, json!(["/sw.js"]));
        assert_eq!(visitor.run_async("return (await fetch('/from-worker')).text()").await, "mine");
        visitor.run("navigator.serviceWorker.controller.postMessage({ kind: 'tell' })").await;
        let asked = visitor.until("its worker hears the page", "(shown.messages.find(message => message.asked) ?? {}).asked").await;
        assert!(asked.as_array().is_some_and(|paths| paths.contains(&json!("/from-worker"))), "{asked}");
        // What the page loaded before its worker claimed it that worker does not see, without us either.
        assert!(asked.as_array().is_some_and(|paths| !paths.contains(&json!("/main.js"))), "{asked}");
        let before = server.stats().await;
        comes_back(&visitor, &server).await;
        assert_whole(&visitor.until_app_runs().await, &site);
        assert_eq!(shown(&visitor).await, json!(["/sw.js", true, 0, "/sw.js"]));
        visitor.until_status("it seeds again", |status| status.role == "seeder").await;
        let after = server.stats().await;
        assert_eq!(after.reason("full", "passed-on") - before.reason("full", "passed-on"), 1, "{:?}", after.reasons);
    }))
    .await;
}

/// A worker that only shows what is pushed: it answers no request.
const PUSH_ONLY: &str = "addEventListener('push', event => event.waitUntil(registration.showNotification('news')));";

#[tokio::test]
async fn a_worker_for_push_alone_stays_and_its_site_travels() {
    journey(pairs(async |engine| {
        let site = site_with(PUSH_ONLY);
        let server = Server::serve(site.folder(), &[]).await;
        let _first = first_seeder(&server, &site, engine).await;
        let visitor = fed_by_peers(&server, &site, engine).await;
        visitor.until("its own worker is there", "shown.ready").await;
        assert_eq!(shown(&visitor).await, json!([null, false, 0, null]), "a worker that claims nothing is not shown to have");
        assert_eq!(visitor.run_async(WORKERS).await, json!(["/sw.js"]));
        let kind = "return Object.getPrototypeOf((await navigator.serviceWorker.ready).pushManager) === PushManager.prototype";
        assert_eq!(visitor.run_async(kind).await, true);
        // Where that worker answers nothing, the next visit is answered from the store, as on any site.
        comes_back(&visitor, &server).await;
        assert_whole(&visitor.until_app_runs().await, &site);
        assert_eq!(server.stats().await.reason("thin", "stored"), 1);
    }))
    .await;
}

/// Stores one file, says its version, and waits to be told to take over.
fn versioned(version: &str) -> String {
    format!(
        "addEventListener('install', event => event.waitUntil(caches.open('{version}').then(cache => cache.add('/parts/0.bin'))));
         addEventListener('message', ({{ data, source }}) => data === 'take over' ? skipWaiting() : source.postMessage('{version}'));
         addEventListener('fetch', event => event.request.url.endsWith('/version-of-worker') && event.respondWith(new Response('{version}')));"
    )
}

#[tokio::test]
async fn a_site_replaces_its_own_worker_when_it_says_so() {
    journey(pairs(async |engine| {
        let mut site = site_with(&versioned("one"));
        let server = Server::serve(site.folder(), &[]).await;
        let _first = first_seeder(&server, &site, engine).await;
        let visitor = fed_by_peers(&server, &site, engine).await;
        visitor.until("its own worker is there", "shown.ready").await;
        assert_eq!(shown(&visitor).await, json!([null, false, 0, null]), "nobody claimed the page");
        let stored = "const kept = await (await caches.open('one')).match('/parts/0.bin');
            const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await kept.arrayBuffer()));
            return Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('')";
        assert_eq!(visitor.run_async(stored).await, site.digests()["/parts/0.bin"]);
        comes_back(&visitor, &server).await;
        assert_whole(&visitor.until_app_runs().await, &site);
        visitor.until("the page is its worker's", "navigator.serviceWorker.controller").await;
        let asked = "return (await fetch('/version-of-worker')).text()";
        assert_eq!(visitor.run_async(asked).await, "one");
        site.write("/sw.js", versioned("two"));
        let update = "const one = await registered; await one.update();
            const next = one.installing ?? one.waiting;
            if (next?.state === 'installing') await new Promise(resolve => next.addEventListener('statechange', resolve, { once: true }));
            return [one.active.state, one.waiting?.state]";
        let waits = visitor.until_async("the next one waits", update, |states| *states == json!(["activated", "installed"])).await;
        assert_eq!(
            (waits, visitor.run_async(asked).await),
            (json!(["activated", "installed"]), json!("one")),
            "it waits as it would without us"
        );
        visitor.run("registered.then(one => one.waiting.postMessage('take over'))").await;
        visitor.until("it took over", "shown.changes === 1").await;
        assert_eq!(visitor.run_async(asked).await, "two");
        assert_eq!(visitor.run_async("return (await registered).unregister()").await, true);
        comes_back(&visitor, &server).await;
        assert_whole(&visitor.until_app_runs().await, &site);
    }))
    .await;
}

#[tokio::test]
async fn a_site_with_workbox_stores_itself_and_travels() {
    journey(pairs(async |engine| {
        let site = App { head: registering("/sw.js"), ..App::default() }.site();
        apps::add_workbox(site.folder());
        stores_itself(engine, &site, 1).await;
    }))
    .await;
}

#[tokio::test]
async fn a_site_built_with_vite_and_its_pwa_plugin_stores_itself_and_travels() {
    journey(pairs(async |engine| {
        let site = apps::pwa();
        stores_itself(engine, &site, 1).await;
    }))
    .await;
}

/// What a precaching worker stores comes from peers; the next visit is its own, and works without a network.
async fn stores_itself(engine: Engine, site: &Site, changes: u64) {
    let mut server = Server::serve(site.folder(), &[]).await;
    let first = Visitor::visiting(engine, &server.url("/")).await;
    first.until_app_runs().await;
    first.until_status("it seeds", |status| status.role == "seeder").await;
    first.until_async("it stored the site", STORED, |count| count.as_u64() > Some(8)).await;
    seeds_all(&server, site.len() / 2).await;
    let (mut visitor, mut sent) = visit_that_stores(engine, &server, changes).await;
    let sent_max = site.len() * 2 / 5;
    if sent > sent_max {
        // As in `fed_by_peers`: on a busy machine the origin is faster than a dial, which says nothing about peers.
        println!("{engine:?} was fed mostly by the origin, trying once more: {sent} {:?}", visitor.status().await);
        visitor.leave().await;
        server.until_seeders(1).await;
        (visitor, sent) = visit_that_stores(engine, &server, changes).await;
    }
    assert!(sent <= sent_max, "of {} bytes the origin sent {sent}: {:?}", site.len(), visitor.status().await);
    comes_back(&visitor, &server).await;
    visitor.until_app_runs().await;
    visitor.until_status("the page that its worker stored seeds", |status| status.role == "seeder").await;
    server.stop().await;
    comes_back(&visitor, &server).await;
    visitor.until_app_runs().await;
}

/// A thin visit until the site's worker stored the site and took the page over; how many bytes the origin sent meanwhile.
async fn visit_that_stores(engine: Engine, server: &Server, changes: u64) -> (Visitor, u64) {
    let before = server.stats().await;
    let visitor = Visitor::visiting(engine, &server.url("/")).await;
    visitor.until_app_runs().await;
    assert_eq!(visitor.status().await.answer, "thin");
    visitor.until_async("it stored the site", STORED, |count| count.as_u64() > Some(8)).await;
    visitor.until("its own worker took the page over", "navigator.serviceWorker.controller").await;
    assert_eq!(visitor.run("return window.shown ? shown.changes : 1").await, changes);
    assert_eq!(visitor.run("return window.reloads ?? 0").await, 0, "an app that reloads for a newer worker saw none");
    let sent = server.stats().await.origin_bytes.all() - before.origin_bytes.all();
    (visitor, sent)
}

/// How many files of the site lie in caches of its own.
const STORED: &str = "let count = 0;
    for (const name of await caches.keys()) if (!name.startsWith('viral')) count += (await (await caches.open(name)).keys()).length;
    return count";
