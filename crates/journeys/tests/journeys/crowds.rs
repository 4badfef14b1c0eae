//! Browsers that come together share one copy of the origin's.

use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::assert_whole;

/// A server that is told of a line that carries the app in eight seconds.
async fn on_a_thin_line(site: &Site) -> Server {
    Server::serve(site.folder(), &["--shared-line", &(site.len() / 8).to_string()]).await
}

#[tokio::test]
async fn three_that_come_together_take_one_copy_from_the_origin() {
    journey(async {
        let site = App::default().site();
        let server = on_a_thin_line(&site).await;
        let (one, two, three) = tokio::join!(Visitor::fresh(Chromium), Visitor::fresh(Firefox), Visitor::fresh(Chromium));
        let url = server.url("/");
        tokio::join!(one.open(&url), two.open(&url), three.open(&url));
        for visitor in [&one, &two, &three] {
            assert_whole(&visitor.until_app_runs().await, &site);
        }
        let stats = server.stats().await;
        assert_eq!(stats.reason("thin", "crowd"), 3, "{stats:?}");
        assert!(stats.origin_bytes.of_app() < site.len() * 3 / 2, "{stats:?}");
    })
    .await;
}

#[tokio::test]
async fn somebody_who_comes_alone_takes_the_app_from_the_origin() {
    journey(async {
        let site = App::default().site();
        let server = on_a_thin_line(&site).await;
        for engine in [Chromium, Firefox] {
            let alone = Visitor::fresh(engine).await;
            alone.open(&server.url("/")).await;
            assert_whole(&alone.until_app_runs().await, &site);
            alone.leave().await;
            server.until_seeders(0).await;
        }
        let stats = server.stats().await;
        assert_eq!(stats.reason("thin", "crowd"), 2, "{stats:?}");
    })
    .await;
}
