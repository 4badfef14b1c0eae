//! Who comes when and over which lines: a scenario with every die cast.

use std::net::{IpAddr, Ipv4Addr};

use viral_netsim::fluid_bound::Crowd;
use viral_netsim::link::LinkShape;
use viral_netsim::plan::{Endpoint, Gateway, Network};
use viral_wire::limits::PIECE_LEN_MAX;

use crate::app::AppShape;
use crate::clock::{MS, Nanos, SECOND_NS, of_seconds};
use crate::islands::Islands;
use crate::net::Fidelity;
use crate::plan::{Deploy, Plan, Role, VisitorPlan};
use crate::random::Random;
use crate::scenario::{Arrivals, GroupFile, Scenario, VISITORS_MAX};

/// Visitors up to which a scenario that does not say is simulated in packets.
const PACKETS_UP_TO: usize = 200;

/// Pieces of an app in flows, about: tens, so that the engines of a million visitors have little to do.
const FLOW_PIECES: f64 = 40.0;

/// How the server cuts content: pieces of 16, 32 and 64 KiB on average and as many bytes again of a quarter (crates/site, `chunking`).
const PIECE_BYTES: [(f64, u32); 3] = [(8e6, 20_480), (64e6, 40_960), (f64::INFINITY, 81_920)];

/// Assets of which an app consists, each cut by its own length.
const ASSETS: f64 = 6.0;

/// Seconds that everybody may take besides what lines take.
const PATIENCE_S: f64 = 90.0;

/// Longest run, in seconds.
const SECONDS_MAX: f64 = crate::scenario::DAYS_MAX * 86_400.0;

/// A switch port's buffer, in milliseconds.
const LAN_QUEUE_MS: f64 = 20.0;

/// From a machine to the switch of its office, in nanoseconds.
const LAN_DELAY: Nanos = MS / 5;

/// Casts all dice.
#[must_use]
pub fn plan(scenario: &Scenario, seed: u64) -> Plan {
    let queue = scenario.network.queue_ms;
    let origin = &scenario.origin;
    let line = |mbit: f64, queue_ms: f64| LinkShape { rate_bps: (mbit * 1e6) as u64, queue_ns: (queue_ms * 1e6) as Nanos };
    let mut endpoints = vec![Endpoint {
        address: Ipv4Addr::new(10, 0, 0, 1),
        up: line(origin.up_mbit, queue),
        down: line(origin.down_mbit, queue),
        delay_ns: (origin.delay_ms * 1e6) as Nanos,
        gateway: None,
    }];
    let mut visitors = drawn(scenario, seed);
    visitors.sort_by_key(|visitor| visitor.arrives);
    let mut random = Random::of(seed, 2);
    let mut islands = Islands::of(scenario);
    for (index, visitor) in visitors.iter_mut().enumerate() {
        let group = &scenario.group[visitor.group as usize];
        let office = group.office.as_ref().and_then(|name| scenario.office.iter().position(|office| office.name == *name));
        let own = group.island.as_ref().and_then(|island| islands.settle(island, index + 1)).unwrap_or((own_address(index), 0));
        let (address, system) = office.map_or(own, |office| (Ipv4Addr::new(198, 18, (office % 250) as u8 + 1, 1), 0));
        visitor.system = system;
        visitor.address = IpAddr::V4(address);
        let (from, to) = group.delay_ms;
        let delay = if office.is_some() { LAN_DELAY } else { ((from + random.unit() * (to - from)) * 1e6) as Nanos };
        let queue = if office.is_some() { LAN_QUEUE_MS } else { queue };
        endpoints.push(Endpoint {
            address: own_address(index),
            up: line(group.up_mbit, queue),
            down: line(group.down_mbit, queue),
            delay_ns: delay,
            gateway: office,
        });
    }
    let gateway = |office: &crate::scenario::OfficeFile| Gateway {
        up: line(office.up_mbit.unwrap_or(office.down_mbit), queue),
        down: line(office.down_mbit, queue),
        delay_ns: (office.delay_ms * 1e6) as Nanos,
    };
    let gateways = scenario.office.iter().map(gateway).collect();
    let (loss, unreachable) = (scenario.network.loss, scenario.network.unreachable);
    let apart = islands.between(&scenario.network.apart);
    let network = Network { endpoints, gateways, loss, unreachable, apart, seed };
    let fidelity = scenario.fidelity.unwrap_or(if visitors.len() <= PACKETS_UP_TO { Fidelity::Packets } else { Fidelity::Flows });
    let app = shape(scenario, fidelity);
    let (limit, patience) = limits(scenario, &visitors, &network, app.bytes);
    Plan {
        seed,
        fidelity,
        app,
        network,
        visitors,
        deploys: scenario.deploy.iter().map(|deploy| Deploy { at: of_seconds(deploy.at_s), changed: deploy.changed }).collect(),
        restarts: scenario.restarts_s.iter().map(|at| of_seconds(*at)).collect(),
        shared_line: (scenario.origin.shared_line_mbit.unwrap_or(0.0) * 1e6 / 8.0) as u64,
        limit,
        patience,
        is_plain: false,
    }
}

fn shape(scenario: &Scenario, fidelity: Fidelity) -> AppShape {
    let bytes = scenario.app.mb * 1e6;
    let as_cut = PIECE_BYTES.iter().find(|(most, _)| bytes / ASSETS <= *most).map_or(81_920, |(_, len)| *len);
    let piece = match (scenario.app.piece_kb, fidelity) {
        (Some(kb), _) => (kb * 1e3) as u32,
        (None, Fidelity::Packets) => as_cut,
        (None, Fidelity::Flows) => ((bytes / FLOW_PIECES) as u32).clamp(as_cut, PIECE_LEN_MAX as u32),
    };
    AppShape { bytes: bytes as u64, document_bytes: (scenario.app.document_kb * 1e3).max(1.0) as u64, piece_bytes: piece }
}

/// Everybody, group by group.
fn drawn(scenario: &Scenario, seed: u64) -> Vec<VisitorPlan> {
    let mut visitors = Vec::new();
    for (number, group) in scenario.group.iter().enumerate() {
        let mut random = Random::of(seed, 100 + number as u64);
        for arrives_s in arrivals(group, &mut random) {
            let closes = random.chance(group.close_early);
            visitors.push(VisitorPlan {
                group: number as u32,
                arrives: of_seconds(arrives_s),
                stays: group.stay.map(|stay| of_seconds(random.weibull(stay.mean_s, stay.shape))),
                client: group.client,
                role: group.role,
                fails_after: of_seconds(group.fails_after_s),
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                system: 0,
                saves_data: random.chance(group.save_data),
                leeches: random.chance(group.leech),
                leaves_after: closes.then(|| of_seconds(random.exponential(group.close_after_s))),
            });
        }
    }
    visitors
}

fn arrivals(group: &GroupFile, random: &mut Random) -> Vec<f64> {
    match &group.arrive {
        Arrivals::Burst { within_s, from_s } => {
            let count = group.visitors.unwrap_or(0);
            (0..count).map(|index| from_s + if index == 0 { 0.0 } else { random.unit() * within_s }).collect()
        }
        Arrivals::Poisson { per_hour, hours, from_s } => {
            let most = group.visitors.unwrap_or(VISITORS_MAX);
            let end = hours.map_or(f64::INFINITY, |hours| from_s + hours * 3_600.0);
            let mut now = *from_s;
            let mut times = Vec::new();
            // With a number the first comes at once: it is the beginning. With hours the clock is.
            if hours.is_some() {
                now += random.exponential(3_600.0 / per_hour);
            }
            while now < end && (times.len() as u64) < most {
                times.push(now);
                now += random.exponential(3_600.0 / per_hour);
            }
            times
        }
        Arrivals::List { at_s } => at_s.clone(),
    }
}

/// Each in a /24 that nobody shares, as strangers are: from 11.0.0.2 on.
fn own_address(index: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0B00_0002_u32.wrapping_add((index as u32) << 8))
}

/// What the fluid bound is computed from.
#[must_use]
pub fn fluid_bound(plan: &Plan) -> Crowd {
    let is_counted = |visitor: &VisitorPlan| visitor.role == Role::Honest;
    let lines: Vec<_> =
        plan.visitors.iter().zip(&plan.network.endpoints[1..]).filter(|(visitor, _)| is_counted(visitor)).map(|(_, end)| end).collect();
    // Where everybody is behind one line, what the origin can send to all of them is what that carries.
    let first = lines.first().and_then(|end| end.gateway);
    let shared = first
        .filter(|gateway| lines.iter().all(|end| end.gateway == Some(*gateway)))
        .and_then(|gateway| plan.network.gateways.get(gateway));
    let up = plan.network.endpoints[0].up.rate_bps;
    Crowd {
        visitors: lines.len(),
        app_bytes: plan.app.bytes,
        origin_up_bps: shared.map_or(up, |line| up.min(line.down.rate_bps)),
        down_min_bps: lines.iter().map(|end| end.down.rate_bps).min().unwrap_or(u64::MAX),
        up_sum_bps: lines.iter().map(|end| end.up.rate_bps).sum(),
    }
}

/// When the run ends at the latest, and how long before that somebody must have come to have the app for sure.
fn limits(scenario: &Scenario, visitors: &[VisitorPlan], network: &Network, bytes: u64) -> (Nanos, Nanos) {
    let last_s = visitors.last().map_or(0.0, |visitor| crate::clock::seconds(visitor.arrives));
    let bits = bytes as f64 * 8.0;
    let slowest = network.endpoints[1..].iter().map(|end| end.down.rate_bps).filter(|rate| *rate > 0).min().unwrap_or(1) as f64;
    let up = network.endpoints[0].up.rate_bps as f64;
    let line = network.gateways.iter().map(|gateway| gateway.down.rate_bps).min().map_or(up, |rate| rate as f64);
    let ups: f64 = network.endpoints[1..].iter().map(|end| end.up.rate_bps as f64).sum();
    let together = visitors.len() as f64 * bits / (up + ups);
    let patience_s = PATIENCE_S + 6.0 * (bits / slowest).max(bits / up.min(line)).max(together);
    let limit_s = scenario.limit_s.unwrap_or(last_s + 2.0 * patience_s).min(SECONDS_MAX + 2.0 * patience_s);
    ((limit_s * SECOND_NS as f64) as Nanos, of_seconds(patience_s))
}
