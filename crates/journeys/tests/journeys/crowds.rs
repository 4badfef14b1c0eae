//! Browsers that come together share one copy of the origin's.

use viral_journeys::browser::Engine::{Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::assert_whole;

/// The line as the operator says it is: it carries the app in eight seconds.
fn thin_line(len: u64) -> [String; 2] {
    ["--shared-line".to_owned(), (len / 8).to_string()]
}

#[tokio::test]
async fn three_that_come_together_take_one_copy_from_the_origin() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &thin_line(site.len()).each_ref().map(String::as_str)).await;
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
        let server = Server::serve(site.folder(), &thin_line(site.len()).each_ref().map(String::as_str)).await;
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
