//! Several servers of one site behind a load balancer that sends each request to another one.

use std::time::Duration;

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::nginx::{Nginx, Setup};
use viral_journeys::redis::Redis;
use viral_journeys::server::{Server, Stats};
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::{self, journey_alone};

use crate::common::assert_whole;

/// As many as a class has, three of four with the engine that most people have.
const VISITORS: usize = 20;

/// Visitors who come at the same time: more would measure how two cores start browsers.
const TOGETHER: usize = 4;

async fn one_of_two(redis: &Redis, site: &Site) -> Server {
    Server::serve(site.folder(), &["--trust-proxy", "127.0.0.1", "--cluster", &redis.url()]).await
}

/// Waits until these servers together have so many seeders.
async fn until_seeders(servers: &[&Server], count: u64) {
    wait::until(&format!("{count} pages seed"), viral_journeys::deadlines::CONDITION, async || {
        let mut seeders = 0;
        for server in servers {
            seeders += server.stats().await.seeders;
        }
        if seeders >= count { Ok(()) } else { Err(format!("{seeders}")) }
    })
    .await;
}

/// Waits until each of these pages has a session, all of them with this server.
async fn until_registered(server: &Server, visitors: &[Visitor]) {
    wait::until("all have a session again", viral_journeys::deadlines::CONDITION, async || {
        let seeders = server.stats().await.seeders;
        let statuses = futures_util::future::join_all(visitors.iter().map(Visitor::status)).await;
        let away = statuses.iter().filter(|status| status.role != "seeder").count();
        if away == 0 && seeders >= visitors.len() as u64 { Ok(()) } else { Err(format!("{away} have none, {seeders} seed")) }
    })
    .await;
}

/// Waits until the servers know together what the page uses, though each sent a part of it, and somebody holds that.
async fn until_one_holds_all(servers: &[&Server], site: &Site) {
    wait::until("a seeder holds all", viral_journeys::deadlines::CONDITION, async || {
        let mut seen = Vec::new();
        for server in servers {
            seen.extend(server.stats().await.pages);
        }
        let holds = seen.iter().any(|page| page.seeders > 0 && page.set_bytes >= site.len() * 9 / 10);
        if holds { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

fn engine_of(number: usize) -> Engine {
    if number % 4 == 3 { Firefox } else { Chromium }
}

/// So many visitors come to `url` together, and all get the whole app.
async fn come(numbers: std::ops::Range<usize>, url: &str, site: &Site) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for number in numbers {
        // One after the other: drivers that start together may choose the same port.
        visitors.push(Visitor::fresh(engine_of(number)).await);
    }
    let visits = visitors.iter().map(|visitor| async move {
        visitor.open(url).await;
        assert_whole(&visitor.until_app_runs().await, site);
        visitor.until_status("it seeds", |status| status.role == "seeder").await;
    });
    futures_util::future::join_all(visits).await;
    visitors
}

#[tokio::test]
async fn twenty_visitors_of_two_servers_carry_the_app_to_each_other_though_one_is_killed() {
    journey_alone(async {
        let site = App::default().site();
        let redis = Redis::start().await.expect("redis-server is installed");
        let (one, mut other) = (one_of_two(&redis, &site).await, one_of_two(&redis, &site).await);
        let balancer = Nginx::serve_as(site.folder(), Setup::Balancer([one.address(), other.address()])).await.expect("nginx starts");
        let url = balancer.url("/");
        let mut visitors = come(0..1, &url, &site).await;
        until_one_holds_all(&[&one, &other], &site).await;
        for first in (1..VISITORS / 2).step_by(TOGETHER) {
            visitors.extend(come(first..(first + TOGETHER).min(VISITORS / 2), &url, &site).await);
        }
        until_seeders(&[&one, &other], visitors.len() as u64).await;
        let (here, there) = (one.stats().await, other.stats().await);
        assert!(here.seeders > 0 && there.seeders > 0, "both have some of them: {here:?} {there:?}");
        let thin = |stats: &[&Stats]| stats.iter().map(|stats| stats.answers.thin).sum::<u64>();
        // One seeder leaves so many offers at a time: of four who come together to it, two may find none. And on a machine that is busy with other things one or two give up.
        assert!(thin(&[&here, &there]) >= VISITORS as u64 / 2 - 5, "{here:?} {there:?}");
        assert!(from_app(&[&here, &there]) < 7 * site.len(), "of ten visits: {here:?} {there:?}");

        // Whoever comes now is fed by those who were here, wherever their sockets hung.
        let before = here.answers.thin;
        let fed = come(VISITORS / 2..VISITORS / 2 + TOGETHER, &url, &site);
        let killed = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            other.kill();
            let at = std::time::Instant::now();
            until_registered(&one, &visitors).await;
            println!("those of the killed server are registered with the other one {:?} later", at.elapsed());
        };
        let (came, ()) = tokio::join!(fed, killed);
        visitors.extend(came);
        until_seeders(&[&one], visitors.len() as u64).await;
        for first in (visitors.len()..VISITORS).step_by(TOGETHER) {
            visitors.extend(come(first..(first + TOGETHER).min(VISITORS), &url, &site).await);
        }
        until_seeders(&[&one], VISITORS as u64).await;
        let last = one.stats().await;
        assert!(last.answers.thin - before >= (VISITORS / 2 - TOGETHER) as u64, "{last:?}");
        let mut from_peers = 0;
        for visitor in &visitors[1..] {
            from_peers += visitor.status().await.bytes_from_peers;
        }
        assert!(from_peers > site.len() * (VISITORS as u64 - 1) * 7 / 10, "{from_peers} of {VISITORS} times {}", site.len());
    })
    .await;
}

fn from_app(stats: &[&Stats]) -> u64 {
    stats.iter().map(|stats| stats.origin_bytes.of_app()).sum()
}
