//! An office opens the same app in the morning, over one line.

use std::net::Ipv4Addr;

use rand::rngs::SmallRng;

use super::{MS, Plan, QUEUE_MS, Scenario, Settings, Visitor, arrives_s, behind_one_line, network, origin};
use crate::network::link::LinkShape;
use crate::network::plan::{Endpoint, Gateway};

/// Visitors where nobody says how many.
pub(super) const PEERS: usize = 20;
const APP_BYTES: u64 = 2_860_000;
const LINE_MBIT: f64 = 10.0;
const LAN_MBIT: f64 = 100.0;
/// A switch port's buffer.
const LAN_QUEUE_MS: u64 = 20;
const ARRIVE_WITHIN_S: f64 = 2.0;
/// The origin is in a data centre; the line is the bottleneck.
const ORIGIN_UP_MBIT: f64 = 100.0;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let peers = settings.peers.unwrap_or(PEERS).min(250);
    let mut endpoints = vec![origin(ORIGIN_UP_MBIT, 5)];
    let mut visitors = Vec::new();
    for peer in 0..peers {
        let lan = LinkShape::mbit(LAN_MBIT, LAN_QUEUE_MS);
        // One subnet; 0.2 ms to the switch.
        let address = Ipv4Addr::new(10, 200, 0, 2 + peer as u8);
        endpoints.push(Endpoint { address, up: lan, down: lan, delay_ns: MS / 5, gateway: Some(0) });
        let arrives_s = arrives_s(peer, ARRIVE_WITHIN_S, random);
        visitors.push(Visitor::honest(peer + 1, arrives_s));
    }
    let line = LinkShape::mbit(LINE_MBIT, QUEUE_MS);
    let gateways = vec![Gateway { up: line, down: line, delay_ns: 10 * MS }];
    let network = network(endpoints, gateways, settings);
    let app_bytes = settings.app_bytes.unwrap_or(APP_BYTES);
    let fluid_bound = behind_one_line(&network, peers, app_bytes);
    Plan {
        scenario: Scenario::Office,
        network,
        homes: Vec::new(),
        visitors,
        app_bytes,
        fluid_bound,
        limit_s: 60.0 + 4.0 * fluid_bound.bound_s(),
        stay_s: 15.0,
        server_options: Vec::new(),
        offload_bound: None,
        description: format!(
            "{peers} visitors in one office arrive within {ARRIVE_WITHIN_S} s. They share one line of {LINE_MBIT} Mbit/s; between them is a network of {LAN_MBIT} Mbit/s."
        ),
    }
}
