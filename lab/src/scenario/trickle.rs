//! A small site on an ordinary day: visitors come one by one, and each leaves again.

use rand::Rng as _;
use rand::rngs::SmallRng;

use super::crowd::of;
use super::{MS, Plan, QUEUE_MS, Scenario, Settings, Visitor, origin, own_address};
use crate::network::link::LinkShape;
use crate::network::plan::{Endpoint, Network};

const PEERS: usize = 40;
const APP_BYTES: u64 = 2_860_000;
/// Arrivals per second, a Poisson process.
const ARRIVALS_PER_S: f64 = 0.1;
/// Mean stay D, in seconds, and the shape of its Weibull distribution: most leave early, some stay long
/// (Liu, White, Dumais, "Understanding Web Browsing Behaviors through Weibull Analysis of Dwell Time", 2010).
const STAY_MEAN_S: f64 = 54.0;
const STAY_SHAPE: f64 = 0.7;
/// Gamma(1 + 1 / 0.7): the mean of a Weibull distribution of scale 1.
const WEIBULL_MEAN: f64 = 1.265_823;
/// Share of pairs that cannot connect.
const UNREACHABLE: f64 = 0.22;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let peers = settings.peers.unwrap_or(PEERS);
    let mut endpoints = vec![origin(10.0, 15)];
    let mut visitors = Vec::new();
    let mut now_s = 0.0;
    for peer in 0..peers {
        endpoints.push(Endpoint {
            address: own_address(peer),
            up: LinkShape::mbit(10.0, QUEUE_MS),
            down: LinkShape::mbit(50.0, QUEUE_MS),
            delay_ns: random.random_range(5..26) * MS,
            gateway: None,
        });
        visitors.push(Visitor { stays_s: Some(weibull_s(random)), ..Visitor::honest(peer + 1, now_s) });
        now_s += -(1.0 - random.random::<f64>()).ln() / ARRIVALS_PER_S;
    }
    let network = Network {
        endpoints,
        gateways: Vec::new(),
        loss: settings.loss,
        unreachable: UNREACHABLE,
        apart: Default::default(),
        seed: settings.seed,
    };
    let network = network.scaled(settings.scale);
    let app_bytes = settings.app_bytes.unwrap_or(APP_BYTES);
    let fluid_bound = of(&network, 1, app_bytes);
    // At least one of a Poisson number of visitors with mean lambda D is there and can connect.
    let reachable = 1.0 - UNREACHABLE;
    Plan {
        scenario: Scenario::Trickle,
        network,
        homes: Vec::new(),
        visitors,
        app_bytes,
        fluid_bound,
        limit_s: 60.0,
        stay_s: 0.0,
        server_options: Vec::new(),
        offload_bound: Some(1.0 - (-ARRIVALS_PER_S * reachable * STAY_MEAN_S).exp()),
        description: format!(
            "{peers} visitors arrive as a Poisson process of {ARRIVALS_PER_S} per second and stay {STAY_MEAN_S} s on average (Weibull, shape {STAY_SHAPE}); {:.0} % of pairs cannot connect. 50 Mbit/s down and 10 up each.",
            UNREACHABLE * 100.0
        ),
    }
}

fn weibull_s(random: &mut SmallRng) -> f64 {
    let uniform: f64 = 1.0 - random.random::<f64>();
    STAY_MEAN_S / WEIBULL_MEAN * (-uniform.ln()).powf(1.0 / STAY_SHAPE)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn stays_have_the_mean_of_the_table() {
        let mut random = SmallRng::seed_from_u64(3);
        let mean = (0..200_000).map(|_| weibull_s(&mut random)).sum::<f64>() / 200_000.0;
        assert!((53.0..55.0).contains(&mean), "{mean}");
    }
}
