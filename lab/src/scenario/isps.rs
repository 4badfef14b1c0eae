//! Islands of visitors, each the customers of one provider, whose way to everybody else is thin.

use std::net::Ipv4Addr;

use rand::Rng as _;
use rand::rngs::SmallRng;

use super::{MS, Plan, QUEUE_MS, Scenario, Settings, Visitor, arrives_s, behind_one_line, network, origin, own_address};
use crate::network::link::LinkShape;
use crate::network::plan::{Endpoint, Gateway};

const ISLANDS: usize = 5;
/// Visitors of all islands, where nobody says how many.
const PEERS: usize = 100;
/// Addresses of one prefix.
const VISITORS_MAX: usize = 250;
const APP_BYTES: u64 = 5_000_000;
const TRANSIT_MBIT: f64 = 2.0;
const DOWN_MBIT: f64 = 10.0;
const UP_MBIT: f64 = 5.0;
const ARRIVE_WITHIN_S: f64 = 5.0;
const ORIGIN_UP_MBIT: f64 = 100.0;

/// Within an island a pair's round trip is 4 to 20 ms, between two 44 to 60.
const DELAY_MS: std::ops::Range<u64> = 1..6;
const TRANSIT_DELAY_MS: u64 = 10;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let each = (settings.peers.unwrap_or(PEERS) / ISLANDS).clamp(1, VISITORS_MAX);
    let (mut endpoints, mut visitors) = (vec![origin(ORIGIN_UP_MBIT, 5)], Vec::new());
    for index in 0..ISLANDS * each {
        let (island, number) = (index % ISLANDS, index / ISLANDS);
        endpoints.push(Endpoint {
            address: Ipv4Addr::new(10, 200, island as u8, 2 + number as u8),
            up: LinkShape::mbit(UP_MBIT, QUEUE_MS),
            down: LinkShape::mbit(DOWN_MBIT, QUEUE_MS),
            delay_ns: random.random_range(DELAY_MS) * MS,
            gateway: Some(island),
        });
        let arrives_s = arrives_s(index, ARRIVE_WITHIN_S, random);
        visitors.push(Visitor::honest(index + 1, arrives_s));
    }
    let transit = LinkShape::mbit(TRANSIT_MBIT, QUEUE_MS);
    let gateways = vec![Gateway { up: transit, down: transit, delay_ns: TRANSIT_DELAY_MS * MS }; ISLANDS];
    let network = network(endpoints, gateways, settings);
    let app_bytes = settings.app_bytes.unwrap_or(APP_BYTES);
    // Of one island: the others have the same beside it.
    let fluid_bound = behind_one_line(&network, each, app_bytes);
    Plan {
        scenario: Scenario::Isps,
        network,
        homes: Vec::new(),
        visitors,
        app_bytes,
        fluid_bound,
        limit_s: 60.0 + 6.0 * fluid_bound.bound_s(),
        stay_s: 5.0 + 1.5 * fluid_bound.bound_s(),
        server_options: Vec::new(),
        offload_bound: None,
        description: format!(
            "{ISLANDS} islands of {each} visitors, who arrive within {ARRIVE_WITHIN_S} s. Each has {DOWN_MBIT} Mbit/s down and {UP_MBIT} up, each island {TRANSIT_MBIT} Mbit/s to all others and the origin, and a prefix (/24)."
        ),
    }
}

/// The same network with addresses that say nothing of who is near whom.
pub(super) fn without_locality(mut plan: Plan) -> Plan {
    for (index, endpoint) in plan.network.endpoints.iter_mut().enumerate().skip(1) {
        endpoint.address = own_address(index - 1);
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn islands_are_prefixes_and_without_locality_nobody_shares_one() {
        let settings = Settings { peers: None, engines: None, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
        let plan = plan(&settings, &mut SmallRng::seed_from_u64(1));
        let prefixes = |plan: &Plan| {
            let visitors = plan.network.endpoints[1..].iter();
            visitors.map(|visitor| (visitor.gateway, visitor.address.octets()[..3].to_vec())).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(prefixes(&plan), ISLANDS);
        assert_eq!(prefixes(&without_locality(plan)), PEERS);
    }
}
