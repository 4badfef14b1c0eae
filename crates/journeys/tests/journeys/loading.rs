//! While the app comes: who waits for the page to have loaded gets the app, who saves it saves the app, and nothing flashes.

use serde_json::json;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::{CHROMIUM_FLAGS, Setting};
use viral_journeys::deadlines;
use viral_journeys::server::Server;
use viral_journeys::site::Site;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::{self, journey};

/// Length of the app, in bytes: large enough to travel by default.
const APP_LEN: usize = 1 << 20;

/// A page whose head holds `head`; `window.app.done` once it has loaded.
fn site(head: &str) -> Site {
    let mut site = Site::empty();
    let script = "window.app = { early: getComputedStyle(document.documentElement).backgroundColor }; addEventListener('load', () => { app.done = true; }); // ";
    site.write("/big.js", [script.as_bytes(), "x".repeat(APP_LEN).as_bytes()].concat());
    site.write("/late.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>");
    site.write(
        "/index.html",
        format!("<!doctype html><title>Loading</title>{head}<script src=/big.js></script><p>The app</p><img src=/late.svg>"),
    );
    site
}

/// A server with a full visitor that seeds the site.
async fn seeded(site: &Site) -> (Server, Visitor) {
    let server = Server::serve(site.folder(), &[]).await;
    let seeder = Visitor::visiting(Chromium, &server.url("/")).await;
    server.until_seeders(1).await;
    (server, seeder)
}

async fn waits_for_load(engine: Engine) {
    let site = site("");
    let (server, _seeder) = seeded(&site).await;
    let visitor = Visitor::with(engine, Setting { waits_for_load: true, ..Setting::default() }).await;
    visitor.open(&server.url("/")).await;
    let of_ours = "return [document.getElementById('viral-boot'), !!document.querySelector('script[src=\"/big.js\"]')]";
    assert_eq!(visitor.run(of_ours).await, json!([null, true]), "the app's document is there");
    // Firefox cannot tell it of a later one: it fires no `pageshow` for a document that was written.
    if engine == Chromium {
        assert_eq!(visitor.run("return document.querySelector('p')?.textContent").await, "The app");
        let loaded = "return [app.done, document.images[0].complete, document.readyState, frames.length]";
        assert_eq!(visitor.run(loaded).await, json!([true, true, "complete", 0]));
    }
    visitor.until_app_runs().await;
    assert_eq!(server.stats().await.reason("thin", "peer-near"), 1);
}

#[tokio::test]
async fn a_driver_that_waits_until_chromium_has_loaded_finds_the_app_loaded() {
    journey(waits_for_load(Chromium)).await;
}

#[tokio::test]
async fn a_driver_that_waits_until_firefox_has_loaded_finds_the_app() {
    journey(waits_for_load(Firefox)).await;
}

#[tokio::test]
async fn chromium_that_only_dumps_the_page_dumps_the_app() {
    journey(async {
        let site = site("");
        let (server, _seeder) = seeded(&site).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut dump = tokio::process::Command::new("/usr/bin/chromium");
        dump.args(CHROMIUM_FLAGS);
        dump.arg(format!("--user-data-dir={}", folder.path().display())).args(["--dump-dom", &server.url("/")]);
        let dumped = dump.env("HOME", folder.path()).kill_on_drop(true).output().await.expect("Chromium runs");
        let dom = String::from_utf8_lossy(&dumped.stdout);
        assert!(dom.contains("<p>The app</p>"), "{}", dom.chars().take(200).collect::<String>());
        assert_eq!(server.stats().await.reason("thin", "peer-near"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_dark_page_is_dark_before_anything_of_it_has_come() {
    journey(async {
        let mut site = site("<link rel=stylesheet href=/dark.css><meta name=theme-color content='#0D1117'>");
        site.write("/dark.css", "@media screen { p { color: red } } :root { --page: #0d1117 } body { background: var(--page); color: rgb(230, 237, 243) }");
        let (server, _seeder) = seeded(&site).await;
        let seen = "if (self === top) addEventListener('DOMContentLoaded', () => {
            const { backgroundColor, color } = getComputedStyle(document.documentElement);
            sessionStorage.seen ??= JSON.stringify([document.querySelector('meta[name=theme-color]')?.content, backgroundColor, color, !!document.querySelector('p')]);
        })";
        let setting = Setting { script_before_load: Some(seen.to_owned()), ..Setting::default() };
        let visitor = Visitor::with(Chromium, setting).await;
        visitor.open(&server.url("/")).await;
        visitor.until_app_runs().await;
        let expected = json!(["#0d1117", "rgb(13, 17, 23)", "rgb(230, 237, 243)", false]);
        assert_eq!(visitor.run("return JSON.parse(sessionStorage.seen)").await, expected);
        assert_eq!(visitor.run("return app.early").await, "rgb(13, 17, 23)", "and while its scripts run");
        let kept = "return [document.querySelectorAll('meta[name=theme-color], style').length, document.adoptedStyleSheets.length,
            getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).backgroundColor]";
        assert_eq!(visitor.run(kept).await, json!([1, 0, "rgba(0, 0, 0, 0)", "rgb(13, 17, 23)"]), "of ours nothing stays");
        assert_eq!(server.stats().await.reason("thin", "peer-near"), 1);
    })
    .await;
}

#[tokio::test]
async fn firefox_saves_the_page_that_a_link_with_download_names() {
    journey(async {
        let links = "<script>addEventListener('load', () => {
            const link = document.createElement('a'); link.id = 'made'; link.href = '/made.html'; link.download = 'made.html'; document.body.append(link) })</script>";
        let mut site = site(&format!("{links}<a id=written href=/written.html download=written.html>Save</a>"));
        for name in ["written", "made"] {
            site.write(&format!("/{name}.html"), format!("<!doctype html><title>{name}</title><script src=/big.js></script><p>Saved"));
        }
        let server = Server::serve(site.folder(), &[]).await;
        let mut seeders = Vec::new();
        for (page, count) in [("/", 1), ("/written.html", 2), ("/made.html", 3)] {
            seeders.push(Visitor::visiting(Chromium, &server.url(page)).await);
            server.until_seeders(count).await;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let visitor = Visitor::with(Firefox, Setting { downloads: Some(folder.path().to_owned()), ..Setting::default() }).await;
        visitor.open(&server.url("/")).await;
        visitor.until_app_runs().await;
        assert_eq!(visitor.status().await.answer, "thin");
        for name in ["written", "made"] {
            visitor.until("the link is there", &format!("!!document.getElementById('{name}')")).await;
            visitor.run(&format!("document.getElementById('{name}').click()")).await;
            let saved = wait::until("it is saved", deadlines::CONDITION, async || {
                let text = std::fs::read_to_string(folder.path().join(format!("{name}.html"))).unwrap_or_default();
                if text.is_empty() { Err("nothing".to_owned()) } else { Ok(text) }
            })
            .await;
            assert_eq!(saved, std::fs::read_to_string(site.folder().join(format!("{name}.html"))).expect("a page of the site"));
        }
    })
    .await;
}
