//! Scenarios in virtual time, and random ones.

use std::net::IpAddr;

use proptest::prelude::*;
use viral_wire::webtorrent::OfferIn;

use super::*;
use crate::{
    limits::{
        WEBTORRENT_MISSED_MAX, WEBTORRENT_OFFER_AGE_MAX_MS, WEBTORRENT_SEATS_MAX, WEBTORRENT_SEATS_SAME_MAX, WEBTORRENT_UNANSWERED_MAX,
    },
    locality::{Ladder, Place, SharePolicy, Tier},
};

const TORRENT: Id = Id([7; 20]);

fn id(number: u32) -> Id {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Id(bytes)
}

fn guest(address: [u8; 4]) -> Guest {
    Guest { place: Place::of(IpAddr::from(address)), share: SharePolicy::On }
}

/// A tracker that is spoken to. A socket is reached by the number of its peer.
struct World {
    swarms: Swarms<u32>,
    now_ms: u64,
    seats: std::collections::BTreeMap<u32, (Guest, Seat)>,
}

fn announce(peer: u32, event: Event, is_complete: Option<bool>, offers: usize) -> Announce<'static> {
    let offer = |index: usize| OfferIn { offer: "{}", offer_id: id(peer * 100 + u32::try_from(index).unwrap()) };
    Announce {
        info_hash: TORRENT,
        peer_id: id(peer),
        event,
        is_complete,
        wanted: None,
        offers: (0..offers).map(offer).collect(),
        answer: None,
    }
}

impl World {
    fn new() -> Self {
        Self::with(WebTorrentConfig { random_share_permille: 0, ..WebTorrentConfig::default() })
    }

    fn with(config: WebTorrentConfig) -> Self {
        Self { swarms: Swarms::new(config, 1), now_ms: 1_000, seats: std::collections::BTreeMap::new() }
    }

    /// Whom the offers go to.
    fn say(&mut self, peer: u32, guest: Guest, announce: &Announce<'_>) -> Vec<u32> {
        let mut given = Vec::new();
        let seat = self.seats.get(&peer).map(|(_, seat)| *seat);
        let announced = self.swarms.handle_announce(self.now_ms, (&guest, &peer), seat, announce, &mut given).unwrap();
        match announced.seat {
            Some(seat) => self.seats.insert(peer, (guest, seat)),
            None => self.seats.remove(&peer),
        };
        assert!(given.iter().enumerate().all(|(at, (index, _))| at == *index), "offers are given from the first one on");
        given.into_iter().map(|(_, to)| to).collect()
    }

    fn come(&mut self, peer: u32, address: [u8; 4]) {
        self.say(peer, guest(address), &announce(peer, Event::Started, Some(false), 0));
    }

    fn offer(&mut self, peer: u32, address: [u8; 4], offers: usize) -> Vec<u32> {
        self.say(peer, guest(address), &announce(peer, Event::Update, None, offers))
    }

    fn answer(&mut self, peer: u32, offer_id: Id, to: u32) -> Option<u32> {
        let (_, seat) = self.seats[&peer];
        self.swarms.handle_answer(self.now_ms, &TORRENT, seat, &AnswerIn { answer: "{}", offer_id, to_peer_id: id(to) })
    }

    fn counts(&self) -> (u32, u32, u32) {
        let Counts { complete, incomplete, downloaded } = self.swarms.counts(&TORRENT);
        (complete, incomplete, downloaded)
    }
}

#[test]
fn an_offer_goes_to_another_peer_and_its_answer_back() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    assert_eq!(world.offer(2, [10, 0, 0, 2], 5), [1]);
    assert_eq!(world.answer(1, id(200), 2), Some(2));
    assert_eq!(world.answer(1, id(200), 2), None, "an offer is answered once");
}

#[test]
fn nobody_answers_what_was_not_passed_to_it() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    world.offer(2, [10, 0, 0, 2], 1);
    world.come(3, [10, 0, 0, 3]);
    assert_eq!(world.answer(3, id(200), 2), None, "it went to another one");
    assert_eq!(world.answer(1, id(201), 2), None, "it was given no peer");
    assert_eq!(world.answer(1, id(200), 3), None, "it is somebody else's");
    assert_eq!(world.answer(1, id(200), 2), Some(2));
}

#[test]
fn the_nearest_are_chosen_first() {
    let mut world = World::new();
    for (peer, address) in [(1, [203, 0, 113, 1]), (2, [198, 51, 100, 7]), (3, [198, 51, 100, 8]), (4, [198, 51, 100, 8])] {
        world.come(peer, address);
    }
    let mut chosen = world.offer(9, [198, 51, 100, 8], 4);
    chosen[..2].sort_unstable();
    assert_eq!(chosen, [3, 4, 2, 1], "address, prefix, anybody");
}

#[test]
fn a_share_of_offers_goes_to_anybody() {
    let mut world = World::with(WebTorrentConfig::default());
    (1..=100).for_each(|peer| world.come(peer, [198, 51, 100, 8]));
    (101..=200).for_each(|peer| world.come(peer, [203, 0, 113, u8::try_from(peer).unwrap()]));
    let (mut near, mut far) = (0, 0);
    for peer in 1_000..1_100 {
        let chosen = world.offer(peer, [198, 51, 100, 8], 5);
        near += chosen.iter().filter(|other| !(101..=200).contains(*other)).count();
        far += chosen.iter().filter(|other| (101..=200).contains(*other)).count();
        world.now_ms += WEBTORRENT_OFFER_AGE_MAX_MS / 100;
    }
    assert!(near > 350 && far > 10, "{near} near, {far} far");
}

#[test]
fn tiers_that_are_off_introduce_nobody() {
    let ladder = Ladder::default().with(Tier::Anyone, SharePolicy::Off).with(Tier::SamePrefix, SharePolicy::Leech);
    let mut world = World::with(WebTorrentConfig { ladder, ..WebTorrentConfig::default() });
    for (peer, address) in [(1, [203, 0, 113, 1]), (2, [198, 51, 100, 7]), (3, [198, 51, 100, 8])] {
        world.come(peer, address);
    }
    assert_eq!(world.offer(9, [198, 51, 100, 8], 5), [3], "only native peers give in its prefix, and nobody beyond");
}

#[test]
fn who_has_everything_meets_who_has_not() {
    let mut world = World::new();
    for (peer, is_complete) in [(1, true), (2, false), (3, true)] {
        world.say(peer, guest([10, 0, 0, 1]), &announce(peer, Event::Started, Some(is_complete), 0));
    }
    assert_eq!(world.say(4, guest([10, 0, 0, 1]), &announce(4, Event::Update, Some(true), 5)), [2]);
    let mut chosen = world.say(5, guest([10, 0, 0, 1]), &announce(5, Event::Started, None, 5));
    chosen.sort_unstable();
    assert_eq!(chosen, [1, 2, 3, 4]);
}

#[test]
fn who_never_gives_meets_only_who_has_everything_and_who_is_off_nobody() {
    let mut world = World::new();
    let with = |share| Guest { share, ..guest([10, 0, 0, 1]) };
    world.say(1, with(SharePolicy::On), &announce(1, Event::Started, Some(true), 0));
    world.say(2, with(SharePolicy::On), &announce(2, Event::Started, None, 0));
    world.say(3, with(SharePolicy::Leech), &announce(3, Event::Started, None, 0));
    assert!(world.say(4, with(SharePolicy::Off), &announce(4, Event::Started, None, 5)).is_empty());
    assert_eq!(world.say(5, with(SharePolicy::Leech), &announce(5, Event::Started, None, 5)), [1]);
    assert!(!world.say(6, with(SharePolicy::On), &announce(6, Event::Started, None, 5)).contains(&3));
    assert!(world.say(1, with(SharePolicy::On), &announce(1, Event::Update, Some(true), 5)).contains(&3));
    world.say(3, with(SharePolicy::Leech), &announce(3, Event::Completed, None, 0));
    assert!(world.say(3, with(SharePolicy::Leech), &announce(3, Event::Update, None, 5)).is_empty(), "it would only give");
}

#[test]
fn numwant_says_how_many_and_left_out_means_one_for_each_offer() {
    let mut world = World::new();
    (1..=9).for_each(|peer| world.come(peer, [10, 0, 0, 1]));
    let mut say =
        |peer, wanted| world.say(peer, guest([10, 0, 0, 1]), &Announce { wanted, ..announce(peer, Event::Started, None, 5) }).len();
    assert_eq!([say(20, None), say(21, Some(50)), say(22, Some(2)), say(23, Some(0))], [5, 5, 2, 0]);
}

#[test]
fn peers_are_counted() {
    let mut world = World::new();
    let say = |world: &mut World, peer, event, is_complete| world.say(peer, guest([10, 0, 0, 1]), &announce(peer, event, is_complete, 0));
    say(&mut world, 1, Event::Stopped, Some(false));
    assert_eq!(world.counts(), (0, 0, 0), "it leaves before it came");
    say(&mut world, 1, Event::Started, Some(false));
    say(&mut world, 2, Event::Started, Some(true));
    say(&mut world, 3, Event::Completed, None);
    assert_eq!(world.counts(), (2, 1, 0), "who was not seen without everything did not download it here");
    say(&mut world, 1, Event::Completed, Some(true));
    say(&mut world, 1, Event::Completed, None);
    say(&mut world, 1, Event::Update, None);
    assert_eq!(world.counts(), (3, 0, 1));
    say(&mut world, 2, Event::Update, Some(false));
    assert_eq!(world.counts(), (2, 1, 1));
    (1..=3).for_each(|peer| drop(say(&mut world, peer, Event::Stopped, None)));
    assert_eq!((world.counts(), world.swarms.numbers(), world.swarms.poll_timeout()), ((0, 0, 0), (0, 0, 0), None));
}

/// So many seeders come, each with an offer for the one who has not everything. How many were passed to it.
fn come_with_offers(world: &mut World, seeders: std::ops::Range<u32>) -> Vec<u32> {
    seeders.filter(|peer| world.say(*peer, guest([10, 0, 0, 1]), &announce(*peer, Event::Started, Some(true), 1)) == [1]).collect()
}

#[test]
fn a_peer_is_given_no_more_than_it_can_answer() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    assert_eq!(come_with_offers(&mut world, 100..200).len(), WEBTORRENT_UNANSWERED_MAX);
    assert_eq!(world.answer(1, id(100 * 100), 100), Some(100));
    assert_eq!(come_with_offers(&mut world, 200..300).len(), 1, "there is room for another");
    world.now_ms += WEBTORRENT_OFFER_AGE_MAX_MS;
    assert_eq!(come_with_offers(&mut world, 300..310).first(), Some(&300), "those lapsed");
}

#[test]
fn a_peer_that_never_answers_is_given_one_at_a_time_until_it_does() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    let missed = u32::from(WEBTORRENT_MISSED_MAX);
    assert_eq!(come_with_offers(&mut world, 100..100 + missed).len(), usize::from(WEBTORRENT_MISSED_MAX));
    world.now_ms += WEBTORRENT_OFFER_AGE_MAX_MS;
    assert_eq!(come_with_offers(&mut world, 200..220), [200]);
    assert_eq!(world.answer(1, id(200 * 100), 200), Some(200));
    assert_eq!(come_with_offers(&mut world, 300..310).len(), 10, "it answers again");
}

#[test]
fn nobody_is_given_two_offers_of_one_peer_at_a_time() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    assert_eq!(world.offer(2, [10, 0, 0, 1], 5), [1]);
    assert!(world.offer(2, [10, 0, 0, 1], 5).is_empty());
    world.answer(1, id(200), 2).unwrap();
    assert_eq!(world.offer(2, [10, 0, 0, 1], 5), [1]);
}

#[test]
fn a_late_answer_and_one_to_somebody_who_left_go_nowhere() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    world.offer(2, [10, 0, 0, 1], 1);
    world.now_ms += WEBTORRENT_OFFER_AGE_MAX_MS;
    assert_eq!(world.answer(1, id(200), 2), None);
    world.offer(3, [10, 0, 0, 1], 1);
    world.say(3, guest([10, 0, 0, 1]), &announce(3, Event::Stopped, None, 0));
    world.come(4, [10, 0, 0, 1]);
    assert_eq!(world.answer(1, id(300), 3), None, "another one has its place");
}

#[test]
fn who_says_nothing_is_forgotten_and_comes_again_when_it_does() {
    let mut world = World::new();
    world.come(1, [10, 0, 0, 1]);
    world.come(2, [10, 0, 0, 1]);
    for _ in 0..4 {
        world.now_ms += WEBTORRENT_PEER_AGE_MAX_MS / 2;
        world.offer(2, [10, 0, 0, 1], 0);
        world.swarms.handle_timeout(world.now_ms);
    }
    assert_eq!(world.counts(), (0, 1, 0));
    assert_eq!(world.offer(1, [10, 0, 0, 1], 5), [2], "its old seat is nobody's");
    assert_eq!(world.counts(), (0, 2, 0));
    assert!(world.swarms.poll_timeout().is_some_and(|due_ms| due_ms > world.now_ms));
}

#[test]
fn the_same_peer_id_on_another_socket_is_another_peer() {
    let mut world = World::new();
    let same = |peer: u32, offers| Announce { peer_id: id(1), ..announce(peer, Event::Started, None, offers) };
    world.say(1, guest([10, 0, 0, 1]), &same(1, 0));
    world.come(5, [10, 0, 0, 1]);
    assert_eq!(world.say(2, guest([10, 0, 0, 1]), &same(2, 5)), [5], "nobody meets itself");
    assert_eq!(world.answer(5, id(200), 1), Some(2), "who made the offer");
    world.say(2, guest([10, 0, 0, 1]), &Announce { event: Event::Stopped, ..same(2, 0) });
    assert_eq!(world.counts(), (0, 2, 0), "the other one stays");
}

#[test]
fn there_is_an_end_to_peers_and_to_those_of_one_socket() {
    let mut world = World::with(WebTorrentConfig { peers_max: 2, ..WebTorrentConfig::default() });
    world.come(1, [10, 0, 0, 1]);
    world.come(2, [10, 0, 0, 1]);
    let full = world.swarms.handle_announce(0, (&guest([10, 0, 0, 1]), &3), None, &announce(3, Event::Started, None, 5), &mut Vec::new());
    assert_eq!(full, Err(Full));
    world.offer(1, [10, 0, 0, 1], 1);
    assert_eq!(world.counts(), (0, 2, 0));

    let mut seats = Seats::default();
    let seat = world.seats[&1].1;
    for number in 0..u32::try_from(WEBTORRENT_SEATS_MAX).unwrap() {
        assert!(seats.make_room(5, &id(number)));
        seats.note(5, (&id(number), &id(0)), Some(seat));
    }
    assert!(!seats.make_room(5 + WEBTORRENT_PEER_AGE_MAX_MS - 1, &id(999)));
    seats.note(6, (&id(3), &id(0)), Some(seat));
    assert!(seats.make_room(5 + WEBTORRENT_PEER_AGE_MAX_MS, &id(999)), "who is forgotten makes room");
    assert_eq!((seats.iter().count(), seats.find(&id(3), &id(0)), seats.find(&id(4), &id(0))), (1, Some(seat), None));
    seats.note(7, (&id(3), &id(0)), None);
    assert_eq!(seats.iter().count(), 0);
    for peer in 0..u32::try_from(WEBTORRENT_SEATS_SAME_MAX).unwrap() {
        assert!(seats.make_room(7, &TORRENT));
        seats.note(7, (&TORRENT, &id(peer)), Some(seat));
    }
    assert!(!seats.make_room(7, &TORRENT) && seats.make_room(7, &id(1)), "of one torrent it has enough");
}

#[test]
fn an_idle_peer_takes_some_hundred_bytes() {
    assert!(size_of::<Option<(u64, peer::Peer<u64>)>>() <= 176, "{}", size_of::<Option<(u64, peer::Peer<u64>)>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_said_the_books_agree(steps in proptest::collection::vec((0u32..12, 0u8..6, 0u8..4, 0usize..6, 0u64..100_000), 1..200)) {
        let mut world = World::with(WebTorrentConfig::default());
        let mut open = Vec::new();
        for (peer, what, address, offers, later_ms) in steps {
            world.now_ms += later_ms;
            world.swarms.handle_timeout(world.now_ms);
            let at = [10, 0, address, 1];
            let event = [Event::Update, Event::Started, Event::Completed, Event::Stopped][usize::from(what) % 4];
            if let (5, Some((from, to, offer_id))) = (what, open.pop()) {
                if world.seats.contains_key(&to) {
                    let reached = world.answer(to, offer_id, from);
                    prop_assert!(reached.is_none_or(|reached| reached == from));
                }
                continue;
            }
            let announce = announce(peer, event, [None, Some(true), Some(false)][offers % 3], offers);
            let chosen = world.say(peer, guest(at), &announce);
            prop_assert!(!chosen.contains(&peer) && chosen.len() <= offers);
            prop_assert!(chosen.iter().collect::<std::collections::BTreeSet<_>>().len() == chosen.len(), "each of them once");
            open.extend(chosen.iter().zip(&announce.offers).map(|(to, offer)| (peer, *to, offer.offer_id)));
            let (complete, incomplete, _) = world.counts();
            let (swarms, peers, seeders) = world.swarms.numbers();
            prop_assert_eq!((peers, seeders), ((complete + incomplete) as usize, complete as usize));
            prop_assert_eq!(swarms, usize::from(peers > 0));
            prop_assert_eq!(world.swarms.checks.len(), peers);
            prop_assert!(world.swarms.swarms.values().all(swarm::Swarm::lists_agree));
            prop_assert!(world.swarms.poll_timeout().is_none_or(|due_ms| due_ms > world.now_ms));
        }
        world.swarms.handle_timeout(world.now_ms + WEBTORRENT_PEER_AGE_MAX_MS);
        prop_assert_eq!(world.swarms.numbers(), (0, 0, 0));
    }
}
