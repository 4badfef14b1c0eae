//! The server goes away and comes back while visitors are there.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::hostile::COUNTS_SENT;
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, fed_by_peers, first_seeder, first_seeder_with, scripted, seeds};

#[tokio::test]
async fn seeders_find_a_restarted_server_by_themselves_and_feed_the_next_visitor() {
    journey(async {
        let site = App::default().site();
        let mut server = Server::serve(site.folder(), &[]).await;
        let first = first_seeder(&server, &site, Chromium).await;
        let second = fed_by_peers(&server, &site, Firefox).await;
        seeds(&server, &second, 2).await;
        server.restart().await;
        seeds(&server, &first, 2).await;
        fed_by_peers(&server, &site, Chromium).await;
    })
    .await;
}

/// What happens to the server in the middle of a download from a peer costs neither the download nor a session. Both visitors, who seed.
async fn a_download_goes_on(engine: Engine, site: &Site, server: &mut Server, happens: impl AsyncFnOnce(&mut Server)) -> [Visitor; 2] {
    let seeder = first_seeder_with(server, site, Chromium, scripted(COUNTS_SENT)).await;
    let leecher = Visitor::fresh(engine).await;
    leecher.open(&server.url("/")).await;
    seeder.until("some of the app was sent", "window.journey.sent > 4194304").await;
    happens(server).await;
    assert_whole(&leecher.until_app_runs().await, site);
    let status = leecher.status().await;
    assert_eq!(status.answer, "thin");
    assert!(status.bytes_from_peers > site.len() * 8 / 10, "{status:?}");
    seeds(server, &leecher, 2).await;
    [seeder, leecher]
}

fn large() -> Site {
    App { parts: 48, part_len: 1 << 20, ..App::default() }.site()
}

#[tokio::test]
async fn a_download_from_a_peer_goes_on_while_the_server_restarts() {
    journey(async {
        let site = large();
        let mut server = Server::serve(site.folder(), &[]).await;
        a_download_goes_on(Chromium, &site, &mut server, Server::restart).await;
    })
    .await;
}

#[tokio::test]
async fn seeders_and_downloads_go_on_with_a_successor() {
    journey(async {
        let site = large();
        let mut server = Server::serve(site.folder(), &[]).await;
        let mut successor = None;
        let happens = async |server: &mut Server| successor = Some(server.succeed().await);
        let _seeders = a_download_goes_on(Firefox, &site, &mut server, happens).await;
        fed_by_peers(&server, &site, Chromium).await;
    })
    .await;
}

#[tokio::test]
async fn sigterm_lets_an_answer_in_flight_finish_and_closes_sockets_with_a_reason() {
    journey(async {
        let site = App::default().site();
        let mut server = Server::serve(site.folder(), &[]).await;
        let seeder = Visitor::fresh(Chromium).await;
        // Notes how the page's socket was closed.
        let script = "const Native = WebSocket; window.socketClosed = null;
            window.WebSocket = class extends Native { constructor(...rest) { super(...rest);
              this.addEventListener('close', event => { window.socketClosed ??= { code: event.code, reason: event.reason, clean: event.wasClean }; }); } };";
        seeder.run_before_load(script).await;
        seeder.open(&server.url("/")).await;
        seeder.until_app_runs().await;
        seeds(&server, &seeder, 1).await;
        server.stop().await;
        let closed = seeder.until("its socket is closed", "window.socketClosed").await;
        assert_eq!(closed["clean"], true, "{closed}");
        assert!(closed["code"] == 1001 || closed["code"] == 1012, "{closed}");
    })
    .await;
}

/// In Chromium only: Firefox 153 gives up a navigation whose preload fails, without a word to the service worker.
#[tokio::test]
async fn who_was_fed_by_peers_runs_the_app_and_the_addition_while_the_server_is_gone() {
    journey(async {
        let site = App::default().site();
        let mut server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let visitor = fed_by_peers(&server, &site, Chromium).await;
        server.stop().await;
        visitor.run("window.app = undefined").await;
        visitor.reload().await;
        assert_whole(&visitor.until_app_runs().await, &site);
        visitor.until("the addition runs", "window.viral && window.viral.status().answer === 'thin'").await;
    })
    .await;
}
