//! Clients of WebTorrent that nobody here wrote find each other by this server, unmodified.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::server::Server;
use viral_journeys::site::Site;
use viral_journeys::torrents::{self, LEN, SEGMENTS};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

/// Node begins to announce 5 s after it started, and looks for peers by what it is offered.
const LIMIT: Duration = Duration::from_secs(60);

/// A leecher that connects is done after some 12 s.
const TAKEN: Duration = Duration::from_secs(25);

/// Leechers sent one after the other.
const ATTEMPTS: usize = 5;

/// A leecher gets all of it.
///
/// WebRTC of node tells both sides after 5 s each that it has gathered its addresses, and gives a connection up at 10 s: which is first is chance, so others are sent after one.
fn takes_it(folder: &Path, server: &Server) {
    let take = || {
        let mut leecher = torrents::node("get", folder, &tracker(server));
        leecher.expect_line(TAKEN, |line| line.starts_with("done ").then_some(()))
    };
    let took = (1..ATTEMPTS).find_map(|_| take().inspect_err(|error| println!("trying again: {error:#}")).ok());
    took.unwrap_or_else(|| take().expect("a leecher gets it whole"));
}

fn tracker(server: &Server) -> String {
    format!("ws://{}/.viral/announce", server.address())
}

#[tokio::test]
async fn webtorrent_in_node_shares_a_torrent_that_is_listed() {
    journey(async {
        let (site, folder) = (torrents::site(), tempfile::tempdir().expect("a temporary folder"));
        let info_hash = torrents::node("hash", folder.path(), "").expect_line(LIMIT, |line| Some(line.to_owned())).expect("an info-hash");
        let server = Server::serve(site.folder(), &["--webtorrent", "--webtorrent-info-hash", &info_hash]).await;
        let mut seeder = torrents::node("seed", folder.path(), &tracker(&server));
        seeder.expect_line(LIMIT, |line| (line == "announced").then_some(())).expect("the tracker answers the seeder");
        takes_it(folder.path(), &server);
        seeder.expect_line(LIMIT, |line| line.starts_with("uploaded ").then_some(())).expect("it came from the seeder");
        let numbers = server.until_stats("the leecher left", |stats| stats.webtorrent["peers"] == 1).await.webtorrent;
        assert_eq!((&numbers["seeders"], &numbers["refused"], &numbers["torrents"]), (&1.into(), &0.into(), &1.into()), "{numbers}");
        assert!(numbers["answers"].as_u64() > Some(0), "{numbers}");
    })
    .await;
}

#[tokio::test]
async fn a_client_of_bittorrent_tracker_shows_what_is_wrong_and_stays() {
    journey(async {
        let (site, folder) = (torrents::site(), tempfile::tempdir().expect("a temporary folder"));
        let server = Server::serve(site.folder(), &["--webtorrent", "--webtorrent-info-hash", &"0".repeat(40)]).await;
        let mut client = torrents::node("faults", folder.path(), &tracker(&server));
        let warning = client.expect_line(LIMIT, |line| Some(line.to_owned())).expect("it says something");
        assert_eq!(warning, "warning this tracker does not serve this info_hash");
        let scraped = client.expect_line(LIMIT, |line| Some(line.to_owned())).expect("the same socket answers");
        assert_eq!(scraped, format!("scrape {} 0 0", "f".repeat(40)));
    })
    .await;
}

async fn pages(engine: Engine) -> (Site, Server, [Visitor; 2]) {
    let site = torrents::site();
    let server = Server::serve(site.folder(), &["--webtorrent", "--webtorrent-open"]).await;
    let pages = [Visitor::fresh(Chromium).await, Visitor::fresh(engine).await];
    for page in &pages {
        page.open(&server.url("/")).await;
        page.until("the page's script is there", "window.torrents !== undefined").await;
    }
    (site, server, pages)
}

async fn a_file_is_shared_with(engine: Engine) {
    let (_site, server, [seeder, leecher]) = pages(engine).await;
    let torrent = seeder.run_async("return window.torrents.seedFile('/segment0.bin')").await;
    let digest = leecher.run_async(&format!("return window.torrents.takeFile({torrent})")).await;
    assert_eq!(digest, Value::from(seeder.sha256_of("/segment0.bin").await));
    let numbers = server.stats().await.webtorrent;
    assert_eq!((&numbers["peers"], &numbers["refused"]), (&2.into(), &0.into()), "{numbers}");
}

#[tokio::test]
async fn webtorrent_shares_a_file_between_pages_of_chromium() {
    journey(a_file_is_shared_with(Chromium)).await;
}

#[tokio::test]
async fn webtorrent_shares_a_file_between_chromium_and_firefox() {
    journey(a_file_is_shared_with(Firefox)).await;
}

#[tokio::test]
async fn p2p_media_loader_shares_a_stream_between_chromium_and_firefox() {
    journey(async {
        let (_site, server, [first, second]) = pages(Firefox).await;
        let paths = Value::from(SEGMENTS.to_vec());
        let came = first.run_async(&format!("return window.torrents.watch({paths}, 2)")).await;
        assert_eq!(came["http"], SEGMENTS.len() * LEN, "{came}");
        // It may not ask the server.
        let came = second.run_async(&format!("return window.torrents.watch({paths}, 0)")).await;
        assert_eq!((&came["http"], &came["p2p"]), (&0.into(), &(SEGMENTS.len() * LEN).into()), "{came}");
        assert_eq!(came["warnings"], Value::Array(Vec::new()));
        assert_eq!(server.stats().await.webtorrent["refused"], 0);
    })
    .await;
}
