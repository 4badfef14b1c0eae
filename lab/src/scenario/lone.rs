//! One visitor and nobody to take anything from: what viral costs when it cannot help.

use super::crowd::of;
use super::{MS, Plan, QUEUE_MS, Scenario, Settings, Visitor, network, origin, own_address};
use crate::network::link::LinkShape;
use crate::network::plan::Endpoint;

const APP_BYTES: u64 = 2_860_000;

pub(super) fn plan(settings: &Settings) -> Plan {
    let line = LinkShape::mbit(10.0, QUEUE_MS);
    let visitor = Endpoint { address: own_address(0), up: line, down: LinkShape::mbit(50.0, QUEUE_MS), delay_ns: 10 * MS, gateway: None };
    let endpoints = vec![origin(10.0, 10), visitor];
    let network = network(endpoints, Vec::new(), settings);
    let app_bytes = settings.app_bytes.unwrap_or(APP_BYTES);
    let fluid_bound = of(&network, 1, app_bytes);
    Plan {
        scenario: Scenario::Lone,
        network,
        homes: Vec::new(),
        visitors: vec![Visitor::honest(1, 0.0)],
        app_bytes,
        fluid_bound,
        limit_s: 30.0 + 4.0 * fluid_bound.bound_s(),
        stay_s: 0.0,
        server_options: Vec::new(),
        offload_bound: None,
        description: "One visitor with 50 Mbit/s, an origin with 10 Mbit/s up, 40 ms of round trip, nobody else.".to_owned(),
    }
}
