//! A flash crowd: everybody within two seconds, an uplink that alone would need an hour.

use rand::Rng as _;
use rand::rngs::SmallRng;

use super::{MS, Plan, QUEUE_MS, Scenario, Settings, Visitor, arrives_s, network, origin, own_address};
use crate::fluid_bound::Crowd;
use crate::network::link::LinkShape;
use crate::network::plan::{Endpoint, Network};

const PEERS: usize = 100;
const APP_BYTES: u64 = 10_000_000;
const ORIGIN_UP_MBIT: f64 = 2.0;
const ARRIVE_WITHIN_S: f64 = 2.0;

/// Delay to the middle of the network is 5 to 25 ms for each, so a pair's round trip is 20 to 100 ms.
const DELAY_MS: std::ops::Range<u64> = 5..26;
const ORIGIN_DELAY_MS: u64 = 15;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let peers = settings.peers.unwrap_or(PEERS);
    let mut endpoints = vec![origin(ORIGIN_UP_MBIT, ORIGIN_DELAY_MS)];
    let mut visitors = Vec::new();
    for peer in 0..peers {
        let (down, up) = if settings.is_mixed && peer % 2 == 1 { (10.0, 1.0) } else { (4.0, 2.0) };
        endpoints.push(Endpoint {
            address: own_address(peer),
            up: LinkShape::mbit(up, QUEUE_MS),
            down: LinkShape::mbit(down, QUEUE_MS),
            delay_ns: random.random_range(DELAY_MS) * MS,
            gateway: None,
        });
        let arrives_s = arrives_s(peer, ARRIVE_WITHIN_S, random);
        visitors.push(Visitor::honest(peer + 1, arrives_s));
    }
    let network = network(endpoints, Vec::new(), settings);
    let app_bytes = settings.app_bytes.unwrap_or(APP_BYTES);
    let fluid_bound = of(&network, peers, app_bytes);
    Plan {
        scenario: Scenario::Crowd,
        network,
        homes: Vec::new(),
        visitors,
        app_bytes,
        fluid_bound,
        limit_s: 30.0 + 4.0 * fluid_bound.bound_s(),
        stay_s: 5.0 + 1.5 * fluid_bound.bound_s(),
        server_options: Vec::new(),
        offload_bound: None,
        description: format!(
            "{peers} visitors arrive within {ARRIVE_WITHIN_S} s at an origin with {ORIGIN_UP_MBIT} Mbit/s. Each has 4 Mbit/s down and 2 up{}; round trips are 20 to 100 ms.",
            if settings.is_mixed { ", every second one 10 down and 1 up" } else { "" }
        ),
    }
}

/// The bound of visitors who each have a line of their own.
pub(super) fn of(network: &Network, visitors: usize, app_bytes: u64) -> Crowd {
    let lines = &network.endpoints[1..];
    Crowd {
        visitors,
        app_bytes,
        origin_up_bps: network.endpoints[0].up.rate_bps,
        down_min_bps: lines.iter().map(|line| line.down.rate_bps).min().unwrap_or(u64::MAX),
        up_sum_bps: lines.iter().map(|line| line.up.rate_bps).sum(),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn the_crowd_of_the_table_is_bound_at_forty_seconds_and_scales() {
        let settings = Settings { peers: None, engines: None, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
        let full = plan(&settings, &mut SmallRng::seed_from_u64(1));
        assert!((full.fluid_bound.bound_s() - 40.0).abs() < 1e-9);
        assert!(full.visitors.iter().all(|visitor| visitor.arrives_s < ARRIVE_WITHIN_S));
        let half = plan(&Settings { scale: 0.5, ..settings }, &mut SmallRng::seed_from_u64(1));
        assert!((half.fluid_bound.bound_s() - 80.0).abs() < 1e-9);
    }
}
