//! The office, with real browsers among the native peers.

use rand::rngs::SmallRng;
use viral_journeys::browser::Engine;

use super::{Plan, Program, Scenario, Settings, office};

/// Visitors with a browser, spread over all: as many as two cores carry at a fifth of the rates. The rest are native peers.
const BROWSERS: usize = 16;

/// Every so many of them come with Firefox, the others with Chromium.
const FIREFOX_EVERY: usize = 4;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let peers = settings.peers.unwrap_or(office::PEERS);
    let mut plan = office::plan(&Settings { peers: Some(peers), ..*settings }, random);
    let peers = plan.visitors.len();
    let browsers = BROWSERS.min(peers);
    for turn in 0..browsers {
        let engine = if turn % FIREFOX_EVERY == 1 { Engine::Firefox } else { Engine::Chromium };
        plan.visitors[(2 * turn + 1) * peers / (2 * browsers)].program = Program::Browser(engine);
    }
    plan.scenario = Scenario::Browsers;
    plan.description.push_str(
        " Sixteen of them, or all if they are fewer, come with a browser, every fourth with Firefox. Nobody has the app, and the server knows nothing of the line.",
    );
    plan
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn sixteen_browsers_come_if_so_many_come() {
        for (peers, natives, browsers) in [(None, 4, [12, 4]), (Some(30), 14, [12, 4]), (Some(17), 1, [12, 4]), (Some(6), 0, [4, 2])] {
            let settings = Settings { peers, engines: None, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
            let plan = plan(&settings, &mut SmallRng::seed_from_u64(1));
            let count = |program| plan.visitors.iter().filter(|visitor| visitor.program == program).count();
            assert_eq!(
                [count(Program::Native), count(Program::Browser(Engine::Chromium)), count(Program::Browser(Engine::Firefox))],
                [natives, browsers[0], browsers[1]],
                "{peers:?}"
            );
        }
    }
}
