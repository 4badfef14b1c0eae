//! What visitors are asked to give: a volume for each day, and nothing in quiet hours.

use viral_wire::signal::Counts;

use super::*;
use crate::upload::DAY_MS;

const NOTHING: [u8; 0] = [];

fn gave(world: &mut World, peer: PeerNumber, bytes_to_peers: u64) {
    world.say(peer, PeerToTracker::Counts(Counts { bytes_to_peers, ..Counts::default() }));
}

/// The slots that somebody was told of since the last time.
fn slots_told(world: &mut World, peer: PeerNumber) -> Vec<u8> {
    let told = world.told(peer);
    told.iter().filter_map(|signal| if let TrackerToPeer::Limits { slots, .. } = signal { Some(*slots) } else { None }).collect()
}

fn offers_wanted(told: &[TrackerToPeer]) -> u8 {
    told.iter().map(|signal| if let TrackerToPeer::OffersWanted { count } = signal { *count } else { 0 }).sum()
}

#[test]
fn whoever_gave_its_volume_is_introduced_to_nobody_until_the_next_day() {
    let mut world = World::with(TrackerConfig { up_bytes_per_day: 1_000, random_share_permille: 0, ..TrackerConfig::default() });
    let seeder = world.seeder(HERE);
    gave(&mut world, seeder, 999);
    assert_eq!(slots_told(&mut world, seeder), NOTHING);
    assert_eq!(world.seek(HERE, ticket(1), 1).len(), 1);
    world.wait(DAY_MS / 2);
    world.leave_offers(seeder, 2);
    gave(&mut world, seeder, 1);
    assert_eq!(slots_told(&mut world, seeder), [0]);
    assert_eq!(world.seek(HERE, ticket(2), 1), [], "its offers are there, and are not given");
    gave(&mut world, seeder, 1);
    world.wait(DAY_MS / 2 - 1);
    assert_eq!(slots_told(&mut world, seeder), NOTHING);
    world.wait(1);
    let told = world.told(seeder);
    assert!(matches!(told[0], TrackerToPeer::Limits { slots: 4, up_bytes_per_day: 1_000, .. }), "{told:?}");
    assert!(offers_wanted(&told) > 0, "those from before are old by now: {told:?}");
    world.leave_offers(seeder, 2);
    assert_eq!(world.seek(HERE, ticket(3), 1).len(), 1);
}

#[test]
fn every_visitor_hears_of_the_volume_and_has_its_own() {
    let mut world = World::with(TrackerConfig { up_bytes_per_day: 1_000, ..TrackerConfig::default() });
    let (spent, other) = (world.seeder(HERE), world.join(HERE));
    world.register(other, None);
    assert!(world.told(other).iter().any(|signal| matches!(signal, TrackerToPeer::Welcome { up_bytes_per_day: 1_000, .. })));
    gave(&mut world, spent, 5_000);
    assert_eq!((slots_told(&mut world, spent), slots_told(&mut world, other)), (vec![0], vec![]));
    world.tracker.handle_leave(world.now_ms, spent);
    world.wait(2 * DAY_MS);
    assert_eq!(world.told(spent), [], "nothing waits for who is gone");
}

#[test]
fn without_a_volume_nobody_gave_too_much() {
    let mut world = World::new();
    let seeder = world.seeder(HERE);
    gave(&mut world, seeder, u64::MAX);
    assert_eq!(slots_told(&mut world, seeder), NOTHING);
    assert_eq!(world.seek(HERE, ticket(1), 1).len(), 1);
}

#[test]
fn in_quiet_hours_running_seeders_stop_and_begin_again_after_them() {
    let mut world = World::new();
    let browsers: Vec<_> = (0..3).map(|_| world.seeder(HERE)).collect();
    let native = world.join_from(ClientAddr { is_native: true, ..ClientAddr::at(HERE.parse().unwrap()) });
    world.register(native, None);
    world.told(native);
    world.tracker.set_quiet(true);
    let mut rounds = 0;
    while world.tracker.tell_quiet(world.now_ms, 2) {
        rounds += 1;
    }
    world.drain();
    assert_eq!(rounds, 1, "two at a time");
    assert!(browsers.iter().all(|browser| slots_told(&mut world, *browser) == [0]));
    assert_eq!(slots_told(&mut world, native), NOTHING);
    assert_eq!(world.seek(HERE, ticket(1), 4), []);
    let newcomer = world.join(HERE);
    world.register(newcomer, None);
    let told = world.told(newcomer);
    assert!(matches!(told[0], TrackerToPeer::Welcome { slots: 0, offers_wanted: 0, .. }), "{told:?}");
    world.tracker.set_quiet(true);
    assert!(!world.tracker.tell_quiet(world.now_ms, 9), "that is no news");
    world.tracker.set_quiet(false);
    assert!(!world.tracker.tell_quiet(world.now_ms, 9));
    world.drain();
    for browser in browsers.iter().chain([&newcomer]) {
        assert_eq!(slots_told(&mut world, *browser), [4]);
    }
    assert_eq!(world.seek(HERE, ticket(2), 4).len(), 3, "what they left before is good still");
}
