//! The office, with real browsers among the native peers.

use rand::rngs::SmallRng;
use viral_journeys::browser::Engine;

use super::{Plan, Scenario, Settings, office};

/// Who comes with a browser, spread over the visitors in this order. The rest are native peers.
const BROWSERS: [Engine; 6] = [Engine::Chromium, Engine::Firefox, Engine::Chromium, Engine::Chromium, Engine::Firefox, Engine::Chromium];

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let peers = settings.peers.unwrap_or(office::PEERS).max(BROWSERS.len());
    let mut plan = office::plan(&Settings { peers: Some(peers), ..*settings }, random);
    let peers = plan.visitors.len();
    for (turn, engine) in BROWSERS.into_iter().enumerate() {
        plan.visitors[(2 * turn + 1) * peers / (2 * BROWSERS.len())].browser = Some(engine);
    }
    plan.scenario = Scenario::Browsers;
    // Browsers do not share what nobody has yet, so the server is told to let them wait for the first copy.
    let line = plan.network.gateways.first().map(|line| line.down.rate_bps / 8);
    plan.server_options.extend(line.into_iter().flat_map(|line| ["--shared-line".to_owned(), line.to_string()]));
    plan.description.push_str(" Four of them come with Chromium and two with Firefox; the server knows the line (--shared-line).");
    plan
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn six_browsers_come_whatever_the_number_of_native_peers() {
        for (peers, natives) in [(None, 14), (Some(11), 5), (Some(7), 1), (Some(2), 0)] {
            let settings = Settings { peers, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
            let plan = plan(&settings, &mut SmallRng::seed_from_u64(1));
            let count = |browser: Option<Engine>| plan.visitors.iter().filter(|visitor| visitor.browser == browser).count();
            assert_eq!([count(None), count(Some(Engine::Chromium)), count(Some(Engine::Firefox))], [natives, 4, 2], "{peers:?}");
        }
    }
}
