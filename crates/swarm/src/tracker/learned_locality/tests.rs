//! The table in virtual time.

use std::num::NonZeroU32;

use super::*;
use crate::locality::Region;

fn at(address: &str) -> Place {
    Place::of(address.parse().unwrap())
}

/// One /24 of many.
fn network(number: u32) -> Place {
    Place::of(std::net::Ipv4Addr::from(0x0b00_0001 + (number << 8)).into())
}

/// The same within one autonomous system.
fn of_system(number: u32, system: u32) -> Place {
    Place { region: Region { network: NonZeroU32::new(system), ..Region::default() }, ..network(number) }
}

const MINUTE_MS: u64 = 60_000;

#[test]
fn a_fast_way_stands_before_one_that_nobody_knows_and_that_before_a_slow_one() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    table.note_rate(0, &network(1), &here, 4_000_000);
    table.note_rate(0, &network(2), &here, 100_000);
    let learned = table.of(1, &here);
    let classes = [1, 3, 2].map(|number| learned.class(&network(number)));
    assert!(classes.is_sorted_by(|a, b| a < b), "{classes:?}");
    assert_eq!(learned.best(), [network(1).key(Tier::SamePrefix).unwrap()]);
    assert_eq!(table.of(1, &at("192.0.3.1")).best(), [], "another network heard nothing");
}

#[test]
fn of_two_as_fast_the_nearer_one_comes_first() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    for (number, open_ms) in [(1, 40), (2, 1_200)] {
        table.note_opened(0, &network(number), &here, open_ms);
        table.note_rate(0, &network(number), &here, 2_000_000);
    }
    let learned = table.of(0, &here);
    assert!(learned.class(&network(1)) < learned.class(&network(2)));
}

#[test]
fn what_was_once_true_fades_with_each_word_and_ends_after_two_hours() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    table.note_rate(0, &network(1), &here, 8_000_000);
    table.note_rate(0, &network(2), &here, 1_000_000);
    let first = table.of(0, &here).class(&network(1));
    (1..20).for_each(|minute| table.note_rate(minute * MINUTE_MS, &network(1), &here, 50_000));
    let now_ms = 20 * MINUTE_MS;
    assert!(table.of(now_ms, &here).class(&network(1)) > first + 3, "it is slow now");
    let late = table.of(LEARNED_LOCALITY_AGE_MAX_MS + 19 * MINUTE_MS + 1, &here);
    assert_eq!((late.class(&network(1)), late.best()), (late.class(&network(9)), vec![]));
}

#[test]
fn a_pair_that_keeps_failing_is_tried_ever_more_rarely_until_it_works() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    let mut tries = Vec::new();
    for second in 0..6 * 3_600 {
        let now_ms = second * 1_000;
        if !table.of(now_ms, &here).is_failing(&network(1)) {
            tries.push(second);
            table.note_tried(now_ms, &network(1), &here);
            table.note_failed(now_ms + 500, &network(1), &here, second);
        }
    }
    assert_eq!(tries[..3], [0, 1, 2], "two failures are an accident");
    assert!(tries.len() <= 14, "{tries:?}");
    assert!(tries.windows(2).all(|pair| pair[1] - pair[0] <= FAILED_WAIT_MAX_MS / 1_000 + 1), "and never given up: {tries:?}");
    let now_ms = 6 * 3_600 * 1_000;
    table.note_opened(now_ms, &network(1), &here, 80);
    assert!(!table.of(now_ms, &here).is_failing(&network(1)));
    table.note_failed(now_ms, &network(1), &here, 1);
    assert!(!table.of(now_ms, &here).is_failing(&network(1)), "it counts from the beginning");
}

#[test]
fn whoever_got_something_ends_a_row_of_failures_though_nothing_was_measured() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    (0..3).for_each(|visitor| table.note_failed(0, &network(1), &here, visitor));
    assert!(table.of(1, &here).is_failing(&network(1)));
    table.note_rate(1, &network(1), &here, 0);
    assert!(!table.of(1, &here).is_failing(&network(1)));
    table.note_rate(1, &network(2), &here, 0);
    assert_eq!(table.len(), (1, 1), "it teaches nothing else");
}

#[test]
fn what_a_network_knows_itself_counts_before_what_others_of_its_system_say() {
    let mut table = LearnedLocality::default();
    let here = of_system(100, 64_500);
    for number in 101..104 {
        table.note_rate(0, &network(1), &of_system(number, 64_500), 8_000_000);
        table.note_rate(0, &network(2), &of_system(number, 64_500), 300_000);
    }
    table.note_rate(0, &network(1), &here, 20_000);
    let learned = table.of(0, &here);
    assert!(learned.class(&network(1)) > learned.class(&network(2)));
    assert_eq!(learned.best(), [network(2).key(Tier::SamePrefix).unwrap()]);
}

#[test]
fn while_one_tries_a_failing_pair_again_nobody_else_does() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    (0..3).for_each(|visitor| table.note_failed(0, &network(1), &here, visitor));
    assert!(!table.of(FAILED_WAIT_MS, &here).is_failing(&network(1)));
    table.note_tried(FAILED_WAIT_MS, &network(1), &here);
    assert!(table.of(FAILED_WAIT_MS, &here).is_failing(&network(1)));
}

#[test]
fn one_visitor_who_fails_again_and_again_is_one_failure() {
    let (here, mut table) = (at("192.0.2.1"), LearnedLocality::default());
    (0..9).for_each(|_| table.note_failed(0, &network(1), &here, 7));
    assert!(!table.of(0, &here).is_failing(&network(1)));
}

#[test]
fn one_network_says_nothing_for_another_not_even_of_its_own_system() {
    let mut table = LearnedLocality::default();
    let here = of_system(100, 64_500);
    for visitor in 0..50 {
        table.note_rate(0, &network(1), &of_system(101, 64_500), 9_000_000);
        table.note_rate(0, &network(2), &of_system(101, 64_500), 1);
        table.note_failed(0, &network(3), &of_system(101, 64_500), visitor);
    }
    let learned = table.of(0, &here);
    let classes = [1, 2, 3].map(|number| learned.class(&network(number)));
    assert_eq!((classes, learned.best()), ([0; 3], vec![]));
    assert!(!learned.is_failing(&network(3)));
}

#[test]
fn a_system_believes_the_median_of_its_networks() {
    let mut table = LearnedLocality::default();
    let here = of_system(100, 64_500);
    for number in 101..104 {
        table.note_rate(0, &network(1), &of_system(number, 64_500), 4_000_000);
        table.note_rate(0, &network(2), &of_system(number, 64_500), 200_000);
    }
    assert_eq!(table.of(0, &here).best(), [network(1).key(Tier::SamePrefix).unwrap()]);
    // However much one of them lies.
    (0..99).for_each(|_| table.note_rate(0, &network(1), &of_system(104, 64_500), 1));
    (0..99).for_each(|_| table.note_rate(0, &network(2), &of_system(104, 64_500), u32::MAX));
    let learned = table.of(0, &here);
    assert!(learned.class(&network(1)) < learned.class(&network(2)));
    assert_eq!(table.of(0, &of_system(100, 64_501)).best(), [], "another system heard nothing");
}

#[test]
fn the_table_is_bounded_and_what_was_said_longest_ago_makes_room() {
    let mut table = LearnedLocality::default();
    for number in 0..20_000_u32 {
        let now_ms = u64::from(number);
        table.note_rate(now_ms, &network(number % 97), &of_system(1_000 + number % 5_000, 1 + number % 3), 1_000);
        table.note_failed(now_ms, &network(number % 89), &network(1_000 + number % 5_000), now_ms);
    }
    let (takers, pairs) = table.len();
    assert_eq!(takers, LEARNED_LOCALITY_TAKERS_MAX);
    assert!(pairs <= LEARNED_LOCALITY_TAKERS_MAX * LEARNED_LOCALITY_GIVERS_MAX, "{pairs}");
    assert!(table.takers.values().flat_map(|taker| taker.paths.values()).all(|path| path.voices.len() <= LEARNED_LOCALITY_VOICES_MAX));
    table.note_rate(30_000, &network(1), &network(9_999), 5);
    assert_eq!(table.len().0, LEARNED_LOCALITY_TAKERS_MAX, "at most");
    assert!(table.takers.contains_key(&network(9_999).key(Tier::SamePrefix).unwrap()));
}
