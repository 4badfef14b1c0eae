//! Visitors of two networks: they ask the server itself how the world sees them, and lose nothing where it does not say so. On one machine they cannot reach each other by what it
//! says, so the app comes from the server.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::network::{BELIEVED, Network};
use viral_journeys::server::Server;
use viral_journeys::site::App;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, seeds};

const ONE: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 7);
const OTHER: Ipv4Addr = Ipv4Addr::new(12, 0, 0, 9);

/// A visitor of one network is introduced to one of another; returns how long the app took.
async fn is_introduced_from_afar(server: &Server, site: &viral_journeys::site::Site, (seeder, leecher): (Engine, Engine)) -> Duration {
    let (one, other) = (Network::of(ONE, server.address()).await, Network::of(OTHER, server.address()).await);
    let first = Visitor::visiting(seeder, &one.url("/")).await;
    seeds(server, &first, 1).await;
    let second = Visitor::fresh(leecher).await;
    let began = Instant::now();
    second.open(&other.url("/")).await;
    assert_whole(&second.until_app_runs().await, site);
    let took = began.elapsed();
    let status = second.status().await;
    assert_eq!(status.answer, "thin", "{:?}", server.stats().await.reasons);
    took
}

async fn asks_the_server(seeder: Engine, leecher: Engine) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[BELIEVED, &["--stun-listen", "0.0.0.0:0"]].concat()).await;
    let took = is_introduced_from_afar(&server, &site, (seeder, leecher)).await;
    let stats = server.stats().await;
    println!("{seeder:?} and {leecher:?} of another network, which asks the server: {} ms, {}", took.as_millis(), stats.stun);
    // Two ports for each offer of the seeder, and the visitor's own connection.
    assert!(stats.stun["answers"].as_u64().is_some_and(|count| count >= 3), "{}", stats.stun);
}

#[tokio::test]
async fn chromium_and_then_firefox_ask_the_server_how_the_world_sees_them() {
    journey(asks_the_server(Chromium, Firefox)).await;
}

#[tokio::test]
async fn firefox_and_then_chromium_ask_the_server_how_the_world_sees_them() {
    journey(asks_the_server(Firefox, Chromium)).await;
}

/// The server answers STUN on another address than the pages ask at, where nobody ever answers.
async fn loses_nothing(seeder: Engine, leecher: Engine) {
    let site = App::default().site();
    let silent = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let port = silent[0].local_addr().expect("its address").port();
    let Some(own) = own_address() else { return println!("this machine has no address but loopback") };
    let server = Server::serve(site.folder(), &[BELIEVED, &["--stun-listen", &format!("{own}:{port}")]].concat()).await;
    let took = is_introduced_from_afar(&server, &site, (seeder, leecher)).await;
    let stats = server.stats().await;
    println!("{seeder:?} and {leecher:?} of another network, and nobody answers: {} ms, {}", took.as_millis(), stats.stun);
    let mut room = [0; 64];
    silent[0].set_nonblocking(true).expect("a socket");
    assert!(silent[0].recv_from(&mut room).is_ok(), "they did ask");
    assert_eq!(stats.stun["requests"], 0);
}

#[tokio::test]
async fn chromium_gets_its_app_where_stun_is_silent() {
    journey(loses_nothing(Firefox, Chromium)).await;
}

#[tokio::test]
async fn firefox_gets_its_app_where_stun_is_silent() {
    journey(loses_nothing(Chromium, Firefox)).await;
}

/// The address under which others reach this machine.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

/// How long the app takes with and without: for people who read the test's output, with `--ignored`.
#[tokio::test]
#[ignore = "a measurement"]
async fn how_long_the_app_takes_from_afar() {
    journey(async {
        let site = App::default().site();
        for (seeder, leecher) in [(Chromium, Chromium), (Firefox, Firefox)] {
            for stun in ["off", "0.0.0.0:0"] {
                let mut all = Vec::new();
                for _ in 0..3 {
                    let server = Server::serve(site.folder(), &[BELIEVED, &["--stun-listen", stun]].concat()).await;
                    all.push(is_introduced_from_afar(&server, &site, (seeder, leecher)).await.as_millis());
                }
                println!("{seeder:?} and {leecher:?}, stun {stun}: {all:?} ms");
            }
        }
    })
    .await;
}
