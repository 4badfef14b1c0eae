//! Two offices open the same app in the morning, each behind a NAT and a thin line of its own; the origin is elsewhere.

use std::net::Ipv4Addr;

use rand::rngs::SmallRng;

use super::{MS, Plan, QUEUE_MS, Scenario, Settings, Visitor, arrives_s, behind_one_line, network, origin};
use crate::home::Home;
use crate::nat::Kind;
use crate::network::link::LinkShape;
use crate::network::plan::{Endpoint, Gateway};

const OFFICES: usize = 2;
/// Visitors of both, where nobody says how many.
const PEERS: usize = 30;
/// A router's addresses are those of a home.
const MACHINES_MAX: usize = 100;
const APP_BYTES: u64 = 2_860_000;
const LINE_MBIT: f64 = 10.0;
/// From a router to its line, and about what the kernel carries between two machines of an office.
const LAN_MBIT: f64 = 1000.0;
const ARRIVE_WITHIN_S: f64 = 2.0;
const ORIGIN_UP_MBIT: f64 = 100.0;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let machines = (settings.peers.unwrap_or(PEERS) / OFFICES).clamp(1, MACHINES_MAX);
    let (mut endpoints, mut homes, mut visitors) = (vec![origin(ORIGIN_UP_MBIT, 5)], Vec::new(), Vec::new());
    for office in 0..OFFICES {
        let lan = LinkShape::mbit(LAN_MBIT, QUEUE_MS);
        // Global addresses: of private ones the tracker believes that no NAT stands before them.
        let address = Ipv4Addr::new(11, 0, 1 + office as u8, 1);
        endpoints.push(Endpoint { address, up: lan, down: lan, delay_ns: 0, gateway: Some(office) });
        homes.push(Home { machines: machines as u8, ..Home::single(1 + office, Kind::PortRestricted) });
    }
    for machine in 0..OFFICES * machines {
        let arrives_s = arrives_s(machine, ARRIVE_WITHIN_S, random);
        visitors.push(Visitor::honest(endpoints.len() + machine, arrives_s));
    }
    let line = LinkShape::mbit(LINE_MBIT, QUEUE_MS);
    let gateways = vec![Gateway { up: line, down: line, delay_ns: 10 * MS }; OFFICES];
    let network = network(endpoints, gateways, settings);
    let app_bytes = settings.app_bytes.unwrap_or(APP_BYTES);
    // Of one office: the other one has the same line beside it.
    let fluid_bound = behind_one_line(&network, machines, app_bytes);
    Plan {
        scenario: Scenario::TwoOffices,
        network,
        homes,
        visitors,
        app_bytes,
        fluid_bound,
        limit_s: 60.0 + 4.0 * fluid_bound.bound_s(),
        stay_s: 15.0,
        server_options: Vec::new(),
        offload_bound: None,
        description: format!(
            "{machines} visitors in each of {OFFICES} offices arrive within {ARRIVE_WITHIN_S} s. Each office is behind a port-restricted NAT and a line of {LINE_MBIT} Mbit/s."
        ),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn each_visitor_is_a_machine_behind_one_of_two_routers() {
        let settings = Settings { peers: None, engines: None, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
        let plan = plan(&settings, &mut SmallRng::seed_from_u64(1));
        let machines: usize = plan.homes.iter().map(|home| usize::from(home.machines)).sum();
        let endpoints: Vec<usize> = plan.visitors.iter().map(|visitor| visitor.endpoint).collect();
        assert_eq!((machines, plan.network.endpoints.len()), (30, 3));
        assert_eq!(endpoints, (3..33).collect::<Vec<_>>());
        assert!((plan.fluid_bound.bound_s() - 2.288).abs() < 0.001);
    }
}
