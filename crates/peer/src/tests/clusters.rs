//! Several servers of one site that meet in a Redis of their own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::{HeaderMap, header};
use tempfile::TempDir;
use viral_server::config::Config;
use viral_server::{OpenError, Source, Viral};
use viral_wire::signal::{PeerToTracker, TrackerToPeer};

use super::world::{World, write_app};
use crate::origin::Origin;
use crate::throttle::Throttle;
use crate::tracker_client::{TrackerClient, TrackerEvent};

/// A Redis that keeps nothing, ended when dropped.
struct Redis {
    address: SocketAddr,
    password: Option<&'static str>,
    /// How it is set up beside that.
    options: Vec<String>,
    running: Option<Child>,
    dir: TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Redis {
    fn start(password: Option<&'static str>) -> Self {
        Self::start_with(password, &[])
    }

    fn start_with(password: Option<&'static str>, options: &[&str]) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let options = options.iter().copied().map(str::to_owned).collect();
        let mut redis = Self { address, password, options, running: None, dir: tempfile::tempdir().unwrap() };
        redis.begin();
        redis
    }

    fn begin(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &self.address.port().to_string()]);
        command.args(self.password.iter().flat_map(|password| ["--requirepass", password])).args(&self.options);
        let running = command.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.running = Some(running.expect("redis-server runs: on Debian it is in the package redis-server"));
        for _ in 0..250 {
            if TcpStream::connect(self.address).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("redis-server does not listen");
    }

    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.kill();
            let _ = running.wait();
        }
    }

    fn url(&self) -> String {
        format!("redis://{}{}", self.password.map(|password| format!(":{password}@")).unwrap_or_default(), self.address)
    }

    /// What it replies to a command without a password.
    fn says(&self, command: &str) -> String {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut reply = [0; 4096];
        let len = client.read(&mut reply).unwrap();
        String::from_utf8_lossy(&reply[..len]).into_owned()
    }

    /// A server of the site that meets the others here.
    async fn server(&self) -> World {
        World::with(|config| config.cluster = Some(self.url().parse().unwrap())).await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until a server knows so many, itself included; it may know of nobody for long.
async fn until_known(world: &World, count: usize) {
    world.until(|stats| stats["cluster"]["servers"].as_array().is_some_and(|servers| servers.len() == count)).await;
}

/// Waits until a server knows that the other one's visitor has something.
async fn until_told() {
    // Twice as long as a server takes to tell of itself.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_join_ticket_of_one_server_is_good_at_another_and_a_foreign_one_is_renewed() {
    let redis = Redis::start(None);
    let (first, second, alone) = (redis.server().await, redis.server().await, World::new().await);
    let at = |world: &World| Origin::new(&world.url("/"), None, Throttle::new(None)).unwrap();
    let of_first = at(&first);
    of_first.renew_join("/").await.unwrap();
    let ticket = HeaderMap::from_iter([(header::SET_COOKIE, of_first.join_cookie().unwrap())]);
    for (world, is_welcome_at_once) in [(&second, true), (&alone, false)] {
        let there = at(world);
        there.note_join(&ticket);
        let register = PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 0 };
        let mut tracker = TrackerClient::open(&there, vec![register]);
        let mut next = async || tokio::time::timeout(Duration::from_secs(20), tracker.next()).await.unwrap();
        let is_welcome =
            |event: TrackerEvent| matches!(event, TrackerEvent::Signal(signal) if matches!(*signal, TrackerToPeer::Welcome { .. }));
        let event = next().await;
        if !is_welcome_at_once {
            let TrackerEvent::Lost(why) = event else { panic!("it is welcome: {event:?}") };
            assert_eq!(why, "no join ticket is for this page of this site: ask for the page first");
            assert!(is_welcome(next().await), "it asked for the page");
        } else {
            assert!(is_welcome(event));
        }
    }
}

#[tokio::test]
async fn a_visitor_of_one_server_is_fed_by_those_of_another() {
    let redis = Redis::start(Some("secret"));
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    until_known(&other, 2).await;
    let _stayer = one.stayer(|_| ()).await;
    until_told().await;
    let report = other.get().await.unwrap();
    let (there, here) = (one.stats().await, other.stats().await);
    assert!(report.bytes_from_peers > other.app_len() * 8 / 10, "{report:?} {here} {there}");
    assert_eq!((&here["reasons"]["thin"]["peer-near"], &here["matches"]["offered"]), (&1.into(), &0.into()));
    assert_eq!((&there["matches"]["opened"], &there["answers"]["thin"]), (&1.into(), &0.into()));
    let total: u64 = here["cluster"]["servers"].as_array().unwrap().iter().map(|server| server["thin"].as_u64().unwrap()).sum();
    assert_eq!(total, 1, "the statistics are of all");
}

/// The offers that a browser is given which comes to a server.
async fn offers_of(world: &World) -> Vec<(u64, u64)> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let head = "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nsec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: none\r\n\
                user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let Some((_, boot)) = answer.split_once("id=\"viral-boot\"").and_then(|(_, rest)| rest.split_once('>')) else { return Vec::new() };
    let boot: serde_json::Value = serde_json::Deserializer::from_str(boot).into_iter().next().unwrap().unwrap();
    let offers = boot["offers"].as_array().unwrap().iter();
    offers.map(|offer| (offer["peer"].as_u64().unwrap(), offer["offer"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn no_offer_is_given_twice_however_many_servers_ask() {
    const SERVERS: usize = 8;
    let redis = Redis::start(None);
    let servers = futures_util::future::join_all((0..SERVERS).map(|_| redis.server())).await;
    for server in &servers {
        until_known(server, SERVERS).await;
    }
    let _stayers = [servers[0].stayer(|_| ()).await, servers[1].stayer(|_| ()).await];
    until_told().await;
    let mut given = Vec::new();
    for _ in 0..4 {
        given.extend(futures_util::future::join_all(servers.iter().map(offers_of)).await.concat());
    }
    let distinct: std::collections::BTreeSet<_> = given.iter().collect();
    assert!(distinct.len() == given.len() && given.len() >= 4, "{given:?}");
}

#[tokio::test]
async fn a_server_that_ends_is_known_to_be_gone() {
    let redis = Redis::start(None);
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    other.stop().await;
    until_known(&one, 1).await;
}

#[tokio::test]
async fn without_redis_a_server_goes_on_alone_and_meets_the_others_when_it_is_back() {
    let mut redis = Redis::start(None);
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    let _stayer = one.stayer(|_| ()).await;
    redis.end();
    one.until(|stats| stats["cluster"]["connected"] == false).await;
    other.until(|stats| stats["cluster"]["connected"] == false).await;
    assert_eq!(other.get().await.unwrap().bytes_from_peers, 0, "it is alone");
    redis.begin();
    until_known(&one, 2).await;
    until_known(&other, 2).await;
    until_told().await;
    assert!(other.get().await.unwrap().bytes_from_peers > 0);
}

/// A deploy that reaches one server after the other.
#[tokio::test]
async fn a_new_version_is_shown_once_all_servers_have_it() {
    let redis = Redis::start(None);
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    until_known(&other, 2).await;
    let tags = |stats: &serde_json::Value| {
        let servers = stats["cluster"]["servers"].as_array().unwrap();
        servers.iter().map(|server| server["version"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = tags(&one.stats().await);
    assert_eq!((before.len(), &before[0]), (2, &before[1]));
    write_app(one.dir.path(), 2);
    let newest = |stats: &serde_json::Value| stats["cluster"]["waiting"].is_string();
    let waits = one.until(newest).await;
    assert_eq!(tags(&waits), before, "both show the old one");
    write_app(other.dir.path(), 2);
    for world in [&one, &other] {
        let after = world.until(|stats| tags(stats).iter().all(|tag| *tag != before[0])).await;
        assert_eq!(tags(&after)[0], tags(&after)[1]);
        assert!(after["cluster"]["waiting"].is_null());
    }
}

#[tokio::test]
async fn a_server_begins_without_redis_but_not_with_a_wrong_password() {
    let mut redis = Redis::start(Some("secret"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("index.html"), "<!doctype html><title>a</title>").unwrap();
    let opened = async |url: String| {
        let config = Config { cluster: Some(url.parse().unwrap()), ..Config::default() };
        Viral::open(Source::Directory(dir.path().to_owned()), &config).await.map(|_| ())
    };
    let wrong = format!("redis://:wrong@{}", redis.address);
    for url in [wrong, format!("redis://{}", redis.address)] {
        let Err(OpenError::Cluster { url: shown, reason }) = opened(url).await else { panic!("it begins") };
        assert_eq!(shown, format!("redis://{}", redis.address));
        assert!(reason.contains("redis://USER:PASSWORD@HOST:PORT") && !reason.contains("wrong@"), "{reason}");
    }
    redis.end();
    assert!(opened(redis.url()).await.is_ok());
}

#[tokio::test]
async fn keys_of_others_are_left_alone() {
    let redis = Redis::start(None);
    // What is no hash where pages are kept.
    assert_eq!(redis.says("SET viral:{viral}:pages foreign"), "+OK\r\n");
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    let _stayer = one.stayer(|_| ()).await;
    until_told().await;
    assert!(other.get().await.unwrap().bytes_from_peers > 0);
}

#[tokio::test]
async fn two_clusters_in_one_redis_know_nothing_of_each_other() {
    let redis = Redis::start(None);
    let named = async |name: &str| {
        World::with(|config| {
            config.cluster = Some(redis.url().parse().unwrap());
            config.cluster_name = name.parse().unwrap();
        })
        .await
    };
    let (shop, game, more) = (named("shop").await, named("game").await, named("shop").await);
    until_known(&shop, 2).await;
    let _stayer = shop.stayer(|_| ()).await;
    until_told().await;
    assert_eq!(game.stats().await["cluster"]["servers"].as_array().unwrap().len(), 1);
    assert_eq!(game.get().await.unwrap().bytes_from_peers, 0, "they are another site's");
    assert!(more.get().await.unwrap().bytes_from_peers > 0);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_holds_up_no_visitor() {
    let redis = Redis::start(None);
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    assert_eq!(redis.says("CLIENT PAUSE 6000 ALL"), "+OK\r\n");
    let came = std::time::Instant::now();
    other.get().await.unwrap();
    assert!(came.elapsed() < Duration::from_secs(3), "{:?}", came.elapsed());
    one.until(|stats| stats["cluster"]["connected"] == false).await;
    // It answers again.
    until_known(&one, 2).await;
    until_known(&other, 2).await;
}

#[tokio::test]
async fn a_redis_that_is_full_still_introduces_visitors() {
    let redis = Redis::start_with(None, &["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    assert!(redis.says("SET a b").starts_with("-OOM"));
    let (one, other) = (redis.server().await, redis.server().await);
    until_known(&one, 2).await;
    let _stayer = one.stayer(|_| ()).await;
    until_told().await;
    assert!(other.get().await.unwrap().bytes_from_peers > 0);
}

#[tokio::test]
async fn the_nodes_of_a_redis_cluster_pass_messages_on_to_each_other() {
    let nodes: Vec<Redis> =
        (0..3).map(|_| Redis::start_with(None, &["--cluster-enabled", "yes", "--cluster-port", &free_port().to_string()])).collect();
    let addresses = nodes.iter().map(|node| node.address.to_string());
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(addresses).args(["--cluster-replicas", "0", "--cluster-yes"]);
    let created = create.output().expect("redis-cli runs: on Debian it is in the package redis-tools");
    assert!(created.status.success(), "{created:?}");
    for node in &nodes {
        let mut waits = 0..400;
        while !node.says("CLUSTER INFO").contains("cluster_state:ok") {
            waits.next().expect("the nodes find each other");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    // Each of the two names another node.
    let (one, other) = (nodes[0].server().await, nodes[2].server().await);
    until_known(&one, 2).await;
    until_known(&other, 2).await;
    let _stayer = one.stayer(|_| ()).await;
    until_told().await;
    assert!(other.get().await.unwrap().bytes_from_peers > 0);
}
