//! One visitor feeds the next, in every pair of engines, and on down a chain.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::wait::journey;

use crate::common::{fed_by_peers, first_seeder, seeds};

async fn one_feeds_the_other(seeder: Engine, leecher: Engine) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let first = first_seeder(&server, &site, seeder).await;
    let second = fed_by_peers(&server, &site, leecher).await;
    // What one received is what the other sent.
    let received = second.status().await.bytes_from_peers;
    first.until_status("it counts what it sent", |status| status.bytes_to_peers >= received * 9 / 10).await;
    // The fed one seeds in turn.
    seeds(&server, &second, 2).await;
}

#[tokio::test]
async fn chromium_feeds_chromium() {
    journey(one_feeds_the_other(Chromium, Chromium)).await;
}

#[tokio::test]
async fn chromium_feeds_firefox() {
    journey(one_feeds_the_other(Chromium, Firefox)).await;
}

#[tokio::test]
async fn firefox_feeds_chromium() {
    journey(one_feeds_the_other(Firefox, Chromium)).await;
}

#[tokio::test]
async fn firefox_feeds_firefox() {
    journey(one_feeds_the_other(Firefox, Firefox)).await;
}

#[tokio::test]
async fn five_visitors_in_a_chain_are_each_fed_by_the_one_before() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let mut last = first_seeder(&server, &site, Chromium).await;
        for engine in [Firefox, Chromium, Firefox, Chromium] {
            let next = fed_by_peers(&server, &site, engine).await;
            seeds(&server, &next, 2).await;
            // Only the one just fed is left to feed the next.
            last.leave().await;
            server.until_seeders(1).await;
            last = next;
        }
        let stats = server.stats().await;
        assert_eq!(stats.answers.full, 1);
        assert!(stats.answers.thin >= 4);
    })
    .await;
}
