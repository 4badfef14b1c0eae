use super::*;
use viral_wire::Description;

const FAR: &str = "u|203.0.113.7|50001|a|s";

fn offer(number: u32, far: bool, candidates: &[&str]) -> Offer {
    let candidates: Vec<String> = candidates.iter().map(|text| format!("\"{text}\"")).collect();
    let text = format!("[\"ufra\",\"{}\",\"{}\",\"actpass\",262144,[{}],[]]", "p".repeat(24), "0f".repeat(32), candidates.join(","));
    let description = Description::parse(&text).unwrap();
    Offer { peer: PeerNumber::from_bits(u64::from(number)), offer: number, description, push: None, far, beyond: None }
}

fn dialled(peer: PeerKey, number: u32) -> (PeerKey, Introduction) {
    (peer, Introduction { number: PeerNumber::from_bits(u64::from(number)), offer: number, push: None, dialled: true, beyond: None })
}

fn told(offer: &Offer) -> Vec<String> {
    offer.description.candidates().iter().map(ToString::to_string).collect()
}

fn released(withheld: &mut Withheld) -> Vec<PeerKey> {
    std::iter::from_fn(|| withheld.poll()).map(|released| released.peer).collect()
}

#[test]
fn only_what_a_nat_stands_before_waits() {
    let rows: &[(bool, &[&str], &[&str])] = &[
        (true, &[FAR, "u|203.0.113.7|50001|b|h"], &["u|203.0.113.7|50001|b|h"]),
        (true, &["u|2001:db8::7|50001|b|s", "u|10.0.0.7|50001|c|h"], &["u|2001:db8::7|50001|b|s", "u|10.0.0.7|50001|c|h"]),
        (false, &[FAR], &[FAR]),
        (true, &[], &[]),
    ];
    for (far, candidates, at_once) in rows {
        let mut withheld = Withheld::default();
        let mut offers = [offer(1, *far, candidates)];
        let tell = withheld.hold(&mut offers, false);
        assert_eq!(tell.is_some(), candidates.len() > at_once.len(), "{far} {candidates:?}");
        assert_eq!(told(&offers[0]), *at_once);
        withheld.handle_dialled(0, &[dialled(9, 1)]);
        assert_eq!(withheld.poll_timeout().is_some(), candidates.len() > at_once.len());
        withheld.handle_relayed(tell.unwrap_or(0));
        assert_eq!(withheld.poll().map_or(0, |released| released.candidates.len()), candidates.len() - at_once.len());
    }
}

#[test]
fn each_message_lets_go_of_its_own_in_whichever_order_they_are_told_of() {
    let mut withheld = Withheld::default();
    let mut tells = Vec::new();
    for (at, by_post) in [(0, true), (1, false), (2, false), (3, false)] {
        let tell = withheld.hold(&mut [offer(at, true, &[FAR])], by_post);
        assert_eq!(tell.is_none(), by_post, "a post has a reply of its own");
        tells.extend(tell);
        withheld.handle_dialled(u64::from(at), &[dialled(at.into(), at)]);
    }
    withheld.handle_relayed(tells[1]);
    assert_eq!(released(&mut withheld), [2]);
    withheld.handle_posted();
    assert_eq!(released(&mut withheld), [0]);
    withheld.handle_posted();
    withheld.handle_relayed(tells[1]);
    assert_eq!(released(&mut withheld), [0; 0]);
    // Of the first nobody said anything in time; what is said late is not meant for the next one.
    withheld.handle_timeout(1 + RELEASE_WAIT_MS);
    assert_eq!(released(&mut withheld), [1]);
    withheld.handle_relayed(tells[0]);
    assert_eq!(released(&mut withheld), [0; 0]);
    withheld.handle_relayed(tells[2]);
    assert_eq!(released(&mut withheld), [3]);
    assert_eq!(withheld.poll_timeout(), None);
}

#[test]
fn what_there_is_no_room_for_is_dialled_at_once() {
    let mut withheld = Withheld::default();
    for at in 0..=WITHHELD_MAX as u32 {
        let mut offers = [offer(at, true, &[FAR])];
        assert_eq!(withheld.hold(&mut offers, false).is_some(), at < WITHHELD_MAX as u32);
        assert_eq!(told(&offers[0]).is_empty(), at < WITHHELD_MAX as u32);
        withheld.handle_dialled(0, &[dialled(at.into(), at)]);
    }
    withheld.handle_timeout(RELEASE_WAIT_MS);
    assert_eq!(released(&mut withheld).len(), WITHHELD_MAX);
}

#[test]
fn whoever_hears_nothing_dials() {
    let mut withheld = Withheld::default();
    withheld.hold(&mut [offer(1, true, &[FAR])], false);
    withheld.handle_dialled(500, &[dialled(1, 1)]);
    assert_eq!(withheld.poll_timeout(), Some(500 + RELEASE_WAIT_MS));
    withheld.handle_timeout(499 + RELEASE_WAIT_MS);
    assert_eq!(released(&mut withheld), [0; 0]);
    withheld.handle_timeout(500 + RELEASE_WAIT_MS);
    assert_eq!(released(&mut withheld), [1]);
    for at in [2, 3] {
        withheld.hold(&mut [offer(at, true, &[FAR])], at == 2);
        withheld.handle_dialled(500, &[dialled(at.into(), at)]);
    }
    // The post has an answer of its own.
    withheld.handle_lost();
    assert_eq!(released(&mut withheld), [3]);
}

#[test]
fn nothing_is_kept_of_what_is_not_dialled() {
    let mut withheld = Withheld::default();
    // None of them was of use, so nothing was sent and nobody will say that it left.
    withheld.hold(&mut [offer(1, true, &[FAR])], false);
    withheld.handle_dialled(0, &[]);
    assert_eq!(withheld.poll_timeout(), None);
    // One was, and it is over; the message was sent.
    withheld.hold(&mut [offer(2, true, &[FAR]), offer(3, true, &[FAR])], false);
    withheld.handle_dialled(0, &[dialled(2, 2)]);
    withheld.handle_closed(2);
    let tell = withheld.hold(&mut [offer(4, true, &[FAR])], false);
    withheld.handle_dialled(0, &[dialled(4, 4)]);
    withheld.handle_relayed(tell.unwrap());
    assert_eq!(released(&mut withheld), [4]);
    withheld.handle_timeout(RELEASE_WAIT_MS);
    assert_eq!(released(&mut withheld), [0; 0], "3 was not dialled, and 2 is over");
}
