//! The flash crowd, some of whose members run the scripts that the server sends to browsers.

use rand::rngs::SmallRng;

use super::{Plan, Program, Scenario, Settings, crowd};

/// Of so many visitors one runs the scripts: of a hundred as many as two cores carry at two fifths of the rates. The others are native peers: both are one crowd.
const ENGINE_EVERY: usize = 4;

pub(super) fn plan(settings: &Settings, random: &mut SmallRng) -> Plan {
    let mut plan = crowd::plan(settings, random);
    let peers = plan.visitors.len();
    let engines = settings.engines.unwrap_or(peers / ENGINE_EVERY).min(peers);
    for (number, visitor) in plan.visitors.iter_mut().enumerate() {
        // Spread evenly over all.
        if number * engines / peers < (number + 1) * engines / peers {
            visitor.program = Program::Scripts;
        }
    }
    plan.scenario = Scenario::Engines;
    plan.description.push_str(&format!(
        " {engines} of them run the scripts that browsers get, under node with libdatachannel; {} are native peers. Nobody has the app.",
        peers - engines
    ));
    plan
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn as_many_as_wanted_run_the_scripts() {
        for (peers, wanted, engines) in
            [(None, None, 25), (Some(10), Some(5), 5), (Some(7), Some(9), 7), (Some(3), Some(0), 0), (Some(1), None, 0)]
        {
            let settings = Settings { peers, engines: wanted, app_bytes: None, is_mixed: false, loss: 0.0, scale: 1.0, seed: 1 };
            let plan = plan(&settings, &mut SmallRng::seed_from_u64(1));
            let count = plan.visitors.iter().filter(|visitor| visitor.program == Program::Scripts).count();
            assert_eq!(count, engines, "{peers:?} {wanted:?}");
        }
    }
}
