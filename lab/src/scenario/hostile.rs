//! A crowd of which three in ten forge, are dead, silent or slow.

use rand::Rng as _;
use rand::rngs::SmallRng;

use super::crowd;
use super::{Plan, QUEUE_MS, Role, Scenario, Settings};
use crate::network::link::LinkShape;

const PEERS: usize = 30;
const APP_BYTES: u64 = 5_000_000;

/// The uplink of a slow peer: a phone at the edge of its cell.
const SLOW_MBIT: f64 = 0.05;

/// Three of every ten visitors, so that hostile ones are spread over the arrivals; the roles take turns.
const ROLES: [Role; 4] = [Role::Forging, Role::Dead, Role::Silent, Role::Slow];

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let settings =
        Settings { peers: Some(settings.peers.unwrap_or(PEERS)), app_bytes: Some(settings.app_bytes.unwrap_or(APP_BYTES)), ..*settings };
    let mut plan = crowd::plan(&settings, random);
    let hostile: Vec<usize> = (0..plan.visitors.len()).filter(|index| index % 10 >= 7).collect();
    for (turn, index) in hostile.iter().enumerate() {
        let visitor = &mut plan.visitors[*index];
        visitor.role = ROLES[turn % ROLES.len()];
        // They are there before most of the crowd, so that they are believed.
        visitor.arrives_s = random.random_range(0.0..1.0);
        if visitor.role == Role::Slow {
            plan.network.endpoints[visitor.endpoint].up = LinkShape::mbit(SLOW_MBIT, QUEUE_MS).scaled(settings.scale);
        }
    }
    // Nobody can count on what the hostile could have sent.
    let honest: Vec<_> = plan.visitors.iter().filter(|visitor| visitor.role == Role::Honest).collect();
    plan.fluid_bound.up_sum_bps = honest.iter().map(|visitor| plan.network.endpoints[visitor.endpoint].up.rate_bps).sum();
    plan.fluid_bound.visitors = honest.len();
    plan.scenario = Scenario::Hostile;
    plan.description.push_str(&format!(" {} of them are hostile in turn: forging, dead, silent, slow.", hostile.len()));
    plan
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn three_in_ten_are_hostile_in_every_way() {
        let settings = Settings { peers: Some(40), engines: None, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
        let plan = plan(&settings, &mut SmallRng::seed_from_u64(1));
        let count = |role: Role| plan.visitors.iter().filter(|visitor| visitor.role == role).count();
        assert_eq!(ROLES.map(count), [3, 3, 3, 3]);
        assert_eq!(plan.fluid_bound.visitors, 28);
        assert!(plan.all_honest().visitors.iter().all(|visitor| visitor.role == Role::Honest));
    }
}
