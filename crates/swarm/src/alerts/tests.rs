use super::*;

fn network(text: &str) -> Network {
    Network::of(text.parse().unwrap())
}

fn kinds(facts: &Facts) -> Vec<&'static str> {
    alerts(facts).into_iter().map(|alert| alert.kind).collect()
}

#[test]
fn where_all_is_well_nothing_is_said() {
    assert_eq!(alerts(&Facts::default()), []);
    let hour = Counters { full: 5, thin: 500, plain: 3, opened: 900, ..Counters::default() };
    let reached = ReachCounts { visitors: 500, unreached: [0, 50, 0] };
    let unreached = vec![(network("192.0.2.1"), ReachCounts { visitors: 9, unreached: [0, 9, 0] })];
    assert_eq!(kinds(&Facts { hour, reached, unreached, reason: Some(("no-peer-near", 5)), ..Facts::default() }), [""; 0]);
}

#[test]
fn a_network_whose_visitors_reach_nobody_is_named_with_what_seems_to_be_in_the_way() {
    let counts = |unreached| ReachCounts { visitors: 50, unreached };
    for (unreached, seems) in [
        ([0, 21, 0], "42 % of thin visitors did not reach any peer (21 of 50): UDP seems blocked in 10.2.0.0/16."),
        ([30, 1, 2], "66 % of thin visitors did not reach any peer (33 of 50): browsers in 10.2.0.0/16 tell no address of their own."),
        ([5, 5, 11], "42 % of thin visitors did not reach any peer (21 of 50): connections of 10.2.0.0/16 fail and nobody says why."),
    ] {
        let facts = Facts { unreached: vec![(network("10.2.9.9"), counts(unreached))], ..Facts::default() };
        let found = alerts(&facts);
        assert_eq!((found.len(), found[0].says.as_str(), found[0].severity), (1, seems, Severity::Warning));
    }
}

#[test]
fn where_no_network_stands_out_all_are_meant_and_few_are_named() {
    let reached = ReachCounts { visitors: 100, unreached: [0, 30, 0] };
    let one = |number: u8| (network(&format!("10.{number}.0.1")), ReachCounts { visitors: 3, unreached: [0, 3, 0] });
    let facts = Facts { reached, unreached: (0..9).map(one).collect(), ..Facts::default() };
    assert_eq!(kinds(&facts), ["unreached"]);
    assert!(alerts(&facts)[0].says.starts_with("30 % of thin visitors did not reach any peer (30 of 100), spread"));
    let cut_off = |number: u8| (network(&format!("10.{number}.0.1")), ReachCounts { visitors: 30, unreached: [0, 30, 0] });
    let facts = Facts { reached, unreached: (0..9).map(cut_off).collect(), ..Facts::default() };
    assert_eq!(alerts(&facts).len(), ALERT_NETWORKS_MAX);
}

#[test]
fn warnings_come_before_notices() {
    let trial = NotWorthIt { page: "/app".to_owned(), engine: "firefox", against: "slower", again_s: 601 };
    let facts = Facts {
        hour: Counters { bans: 1, refused: 2, ..Counters::default() },
        not_worth_it: vec![trial],
        cluster: Some(ClusterFacts { is_connected: false, is_waiting: true }),
        ..Facts::default()
    };
    assert_eq!(kinds(&facts), ["cluster-alone", "full", "bans", "not-worth-it"]);
    assert!(alerts(&facts)[3].says.contains("at /app in firefox, since thin visits took longer; it is tried again in 11 min."));
    let waiting = Facts { cluster: Some(ClusterFacts { is_connected: true, is_waiting: true }), ..Facts::default() };
    assert_eq!(kinds(&waiting), ["version-waits"]);
}

#[test]
fn a_site_that_never_answers_thin_is_told_why() {
    let hour = Counters { full: 40, plain: 10, ..Counters::default() };
    let facts = Facts { hour, reason: Some(("small-app", 50)), ..Facts::default() };
    assert_eq!(kinds(&facts), ["never-thin"]);
    assert!(alerts(&facts)[0].says.contains("None of 50 visits") && alerts(&facts)[0].says.contains("\"small-app\""));
    assert_eq!(kinds(&Facts { reason: Some(("shadow", 50)), ..facts.clone() }), [""; 0], "nobody need be told what they chose");
    assert_eq!(kinds(&Facts { hour: Counters { full: 39, ..hour }, ..facts.clone() }), [""; 0], "too few to say");
    assert_eq!(kinds(&Facts { hour: Counters { thin: 1, ..hour }, ..facts }), [""; 0]);
}

#[test]
fn an_asset_that_thin_visits_still_take_from_the_origin_is_named_if_something_can_be_done() {
    let page = |bytes, why| Costly { page: "/".to_owned(), asset: "/data.bin".to_owned(), bytes, peer_bytes: 20_000_000, why };
    let of = |costly| kinds(&Facts { costly: vec![costly], ..Facts::default() });
    assert_eq!(of(page(30_000_000, "no-peer")), ["origin-asset"]);
    assert_eq!(of(page(30_000_000, "short")), [""; 0]);
    assert_eq!(of(page(17_000_000, "past-worker")), [""; 0], "peers gave more");
}
