//! Behind the proxies that operators use: visitors feed each other, are told apart, and can opt out.

use serde_json::json;
use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::proxy::{Kind, Proxy};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey_alone;

use crate::common::assert_whole;

async fn visitors_feed_each_other_behind(kind: Kind, more: &[&str]) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), more).await;
    visitors_feed_each_other(&server, kind, &site, "/").await;
}

/// The same at `/app/`: the app is built for that path, and the server knows it.
async fn visitors_feed_each_other_below_a_path(kind: Kind) {
    let mut site = Site::empty();
    site.write_app("/app", &App::default());
    let server = Server::serve(&site.folder().join("app"), &[TRUST, &["--base", "/app/"]].concat()).await;
    visitors_feed_each_other(&server, kind, &site, "/app/").await;
}

async fn visitors_feed_each_other(server: &Server, kind: Kind, site: &Site, base: &str) {
    let proxy = Proxy::start(kind, server.address()).await;
    let mut visitors = Vec::new();
    for engine in [Chromium, Firefox] {
        let visitor = Visitor::visiting(engine, &proxy.url(base)).await;
        assert_whole(&visitor.until_app_runs().await, site);
        visitor.until_status("it seeds", |status| status.role == "seeder").await;
        visitors.push(visitor);
        server.until_seeders(visitors.len() as u64).await;
    }
    let fed = visitors[1].status().await;
    assert_eq!(fed.answer, "thin", "{:?}", server.stats().await.reasons);
    assert!(fed.bytes_from_peers > site.len() / 2, "{fed:?}");
    for visitor in &visitors {
        let opted = format!(
            "return fetch('{base}.viral/opt-out', {{ method: 'POST' }}).then((reply) => [reply.status, document.cookie.includes('viral=off')])"
        );
        assert_eq!(visitor.run_async(&opted).await, json!([200, true]), "{:?}", visitor.engine());
    }
}

/// For whom a proxy on this machine asks is believed.
const TRUST: &[&str] = &["--trust-proxy", "127.0.0.1"];

#[tokio::test]
async fn behind_nginx_as_the_readme_has_it() {
    journey_alone(visitors_feed_each_other_behind(Kind::Nginx, TRUST)).await;
}

#[tokio::test]
async fn behind_an_nginx_that_does_not_pass_the_host_on() {
    journey_alone(visitors_feed_each_other_behind(Kind::NginxBare, &[])).await;
}

#[tokio::test]
async fn below_a_path_that_the_proxy_keeps() {
    journey_alone(visitors_feed_each_other_below_a_path(Kind::NginxKeeps)).await;
}

#[tokio::test]
async fn below_a_path_that_the_proxy_leaves_out() {
    journey_alone(visitors_feed_each_other_below_a_path(Kind::NginxStrips)).await;
}

#[tokio::test]
async fn behind_caddy() {
    journey_alone(visitors_feed_each_other_behind(Kind::Caddy, TRUST)).await;
}

#[tokio::test]
async fn behind_apache() {
    journey_alone(visitors_feed_each_other_behind(Kind::Apache, TRUST)).await;
}

#[tokio::test]
async fn behind_haproxy() {
    journey_alone(visitors_feed_each_other_behind(Kind::HaProxy, TRUST)).await;
}
