//! Visitors who are left in peace: who opted out, cannot, are no browser, or whose site has its own service worker.

use viral_journeys::browser::Engine::{Chromium, Firefox, WebKit};
use viral_journeys::browser::Setting;
use viral_journeys::hostile::{COUNTS_CONNECTIONS, NOTES_SIGNALS};
use viral_journeys::http::NAVIGATION;
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, fed_by_peers, first_seeder, first_seeder_with, scripted, seeds};

#[tokio::test]
async fn who_opts_out_is_answered_plain_and_makes_no_connection_until_opting_in_again() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let visitor = Visitor::with(Chromium, scripted(COUNTS_CONNECTIONS)).await;
        visitor.open(&server.url("/")).await;
        visitor.until_app_runs().await;
        seeds(&server, &visitor, 2).await;
        visitor.run("window.viral.optOut()").await;
        visitor.until_status("it is off at once", |status| status.role == "off" && status.peers == 0).await;
        server.until_seeders(1).await;

        let before = server.stats().await;
        visitor.run("window.app = undefined").await;
        visitor.reload().await;
        assert_whole(&visitor.until_app_runs().await, &site);
        assert_eq!(visitor.run("return window.journey.connections").await, 0);
        assert_eq!(visitor.run("return document.cookie.includes('viral=off')").await, true);
        let after = server.stats().await;
        assert_eq!(after.answers.plain - before.answers.plain, 1);
        assert_eq!(after.reason("plain", "opt-out"), 1);

        visitor.open(&server.url("/.viral/")).await;
        visitor.until("the disclosure page has its button", "document.querySelector('form[action$=\"opt-in\"]')").await;
        visitor.run("document.querySelector('form[action$=\"opt-in\"]').requestSubmit()").await;
        visitor.until("the cookie is gone", "!document.cookie.includes('viral=off')").await;
        visitor.open(&server.url("/")).await;
        visitor.until_app_runs().await;
        seeds(&server, &visitor, 2).await;
    })
    .await;
}

#[tokio::test]
async fn opting_out_in_one_tab_keeps_the_other_from_seeding() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let visitor = first_seeder(&server, &site, Chromium).await;
        visitor.run("window.second = window.open('/', '_blank')").await;
        visitor
            .until("the second tab waits for its turn", "window.second.viral && window.second.viral.status().reason === 'another-tab'")
            .await;
        visitor.run("window.viral.optOut()").await;
        visitor.until("the second tab knows", "window.second.viral.status().reason === 'opt-out'").await;
        server.until_seeders(0).await;
    })
    .await;
}

#[tokio::test]
async fn webkit_without_webrtc_runs_the_app_plain_and_is_asked_only_once() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let visitor = Visitor::visiting(WebKit, &server.url("/?a=1#b")).await;
        let app = visitor.until_app_runs().await;
        assert_whole(&app, &site);
        assert_eq!(app["url"], server.url("/?a=1#b"));
        let took_ms = visitor.run("return performance.now()").await.as_f64().expect("a time");
        assert!(took_ms < 10_000.0, "the app ran only after {took_ms} ms");
        let thin = server.stats().await.answers.thin;
        assert!(thin <= 1);
        visitor.open(&server.url("/")).await;
        visitor.until("it runs again", "location.search === '' && window.app && window.app.done").await;
        let stats = server.stats().await;
        assert_eq!(stats.answers.thin, thin);
        assert!(stats.reason("plain", "incapable") >= 1, "{stats:?}");
    })
    .await;
}

#[tokio::test]
async fn curl_gets_the_page_plain() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let reply = server.get("/", &[("user-agent", "curl/8.14.1"), ("accept", "*/*")]).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("viral-answer"), "plain; reason=not-a-browser");
        let on_disk = std::fs::read_to_string(site.folder().join("index.html")).expect("the document");
        assert_eq!(reply.text(), on_disk);
    })
    .await;
}

#[tokio::test]
async fn googlebot_gets_the_page_plain_even_in_a_real_browser() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let name = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; \
            +http://www.google.com/bot.html) Chrome/156.0.0.0 Safari/537.36";
        let mut headers = NAVIGATION.to_vec();
        headers.retain(|(header, _)| *header != "user-agent");
        headers.push(("user-agent", name));
        let reply = server.get("/", &headers).await;
        assert_eq!(reply.header("viral-answer"), "plain; reason=bot");
        let setting = Setting { user_agent: Some(name.to_owned()), ..scripted(COUNTS_CONNECTIONS) };
        let visitor = Visitor::with(Chromium, setting).await;
        visitor.open(&server.url("/")).await;
        assert_whole(&visitor.until_app_runs().await, &site);
        assert_eq!(visitor.run("return window.journey.connections").await, 0);
        assert_eq!(server.stats().await.reason("plain", "bot"), 2);
    })
    .await;
}

#[tokio::test]
async fn a_site_whose_worker_is_to_be_left_alone_is_answered_plain() {
    journey(async {
        let head = "<script>navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready)
            .then(() => { window.ownWorker = true; });</script>";
        let mut site = App { head: head.to_owned(), ..App::default() }.site();
        site.write("/sw.js", "addEventListener('fetch', event => { if (event.request.url.endsWith('/from-worker')) event.respondWith(new Response('mine')); });
            addEventListener('install', () => skipWaiting()); addEventListener('activate', event => event.waitUntil(clients.claim()));");
        let server = Server::serve(site.folder(), &["--own-service-worker", "yes"]).await;
        assert_eq!(server.get("/", NAVIGATION).await.header("viral-answer"), "plain; reason=own-service-worker");
        for engine in [Chromium, Firefox] {
            let visitor = Visitor::visiting(engine, &server.url("/")).await;
            visitor.until("the site's own worker is ready", "window.ownWorker && navigator.serviceWorker.controller").await;
            let workers = "const all = await navigator.serviceWorker.getRegistrations(); return all.map(one => new URL(one.active.scriptURL).pathname)";
            assert_eq!(visitor.run_async(workers).await, serde_json::json!(["/sw.js"]));
            assert_eq!(visitor.run_async("return (await fetch('/from-worker')).text()").await, "mine");
        }
        let stats = server.stats().await;
        assert_eq!(stats.reason("plain", "own-service-worker"), 3, "{stats:?}");
        assert_eq!((stats.answers.thin, stats.answers.full, stats.seeders), (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn two_tabs_of_one_browser_seed_once() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let visitor = first_seeder(&server, &site, Chromium).await;
        visitor.run("window.second = window.open('/', '_blank')").await;
        visitor.until("the second tab's app runs", "window.second && window.second.app && window.second.app.done").await;
        let roles = "[window.viral.status().role, window.second.viral.status().role].sort().join()";
        visitor.until("one of them seeds", &format!("{roles} !== 'off,off'")).await;
        assert_eq!(server.stats().await.seeders, 1);
        fed_by_peers(&server, &site, Chromium).await;
    })
    .await;
}

#[tokio::test]
async fn without_scripts_the_page_leads_to_the_plain_app() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let seeder = first_seeder_with(&server, &site, Chromium, scripted(NOTES_SIGNALS)).await;
        seeder.until("its offers are with the tracker", "window.journeySaid.includes('offers')").await;
        let reply = server.get("/", NAVIGATION).await;
        assert!(reply.header("viral-answer").starts_with("thin"), "{}", reply.header("viral-answer"));
        let text = reply.text();
        let (_, inside) = text.split_once("<noscript>").expect("the thin answer has a noscript element");
        let (inside, _) = inside.split_once("</noscript>").expect("that ends");
        assert!(inside.contains("viral=plain"), "{inside}");
        let plain = server.get("/?viral=plain", NAVIGATION).await;
        assert!(plain.header("viral-answer").starts_with("plain"));
        assert!(plain.text().contains("<h1>App v1"));
    })
    .await;
}
