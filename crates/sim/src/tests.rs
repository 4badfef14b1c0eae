use std::net::{IpAddr, Ipv4Addr};

use viral_netsim::link::LinkShape;
use viral_netsim::plan::{Endpoint, Network};

use crate::app::AppShape;
use crate::clock::{MS, SECOND_NS, seconds};
use crate::net::Fidelity;
use crate::plan::{Client, Plan, Role, VisitorPlan};
use crate::visitor::Sabotage;
use crate::world::run;

fn crowd(count: usize, fidelity: Fidelity) -> Plan {
    let line = |mbit| LinkShape::mbit(mbit, 100);
    let address = |index: usize| Ipv4Addr::new(11, 0, u8::try_from(index).unwrap(), 2);
    let origin = Endpoint { address: Ipv4Addr::new(10, 0, 0, 1), up: line(2.0), down: line(100.0), delay_ns: 15 * MS, gateway: None };
    let end = |index| Endpoint { address: address(index), up: line(2.0), down: line(4.0), delay_ns: (5 + index as u64 % 20) * MS, gateway: None };
    let visitor = |index: usize| VisitorPlan {
        group: 0,
        arrives: (index as u64 * 2_000 / count as u64) * MS,
        stays: None,
        client: Client::Native,
        role: Role::Honest,
        fails_after: 0,
        address: IpAddr::V4(address(index)),
        saves_data: false,
        leeches: false,
        leaves_after: None,
    };
    Plan {
        seed: 1,
        fidelity,
        app: AppShape { bytes: 10_000_000, document_bytes: 1_200, piece_bytes: 20_480 },
        network: Network {
            endpoints: std::iter::once(origin).chain((0..count).map(end)).collect(),
            gateways: Vec::new(),
            loss: 0.0,
            unreachable: 0.0,
            seed: 1,
        },
        visitors: (0..count).map(visitor).collect(),
        deploys: Vec::new(),
        restarts: Vec::new(),
        shared_line: 0,
        limit: 400 * SECOND_NS,
        patience: 200 * SECOND_NS,
        is_plain: false,
    }
}

#[test]
fn a_crowd_of_twelve_has_the_app() {
    for fidelity in [Fidelity::Flows, Fidelity::Packets] {
        let outcome = run(&crowd(12, fidelity), Sabotage::None, &mut |_| true).unwrap();
        let mut done: Vec<f64> = outcome.visitors.iter().map(|visitor| seconds(visitor.done.unwrap())).collect();
        done.sort_by(f64::total_cmp);
        eprintln!("{fidelity:?} last {:.2} median {:.2} copies {:.3} other {} {:?} {:?} steps {}",
            done[11] / 40.0, done[6] / 40.0, outcome.server.payload_bytes as f64 / 1e7, outcome.server.other_bytes / 12, outcome.causes, outcome.carried, outcome.steps);
    }
}
