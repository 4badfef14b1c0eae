//! What is given, in virtual time.

use super::*;
use crate::client::manifests::ManifestConfig;
use crate::replay;

const MANIFEST: Digest = Digest([1; 32]);

/// A push of everything.
const PUSH: Push = Push { manifest: MANIFEST, stripe: 0, stripes: 1, budget: 1 << 20 };

/// A manifest of three pieces, and somebody who holds the first `held` of them.
fn holder(slots: u8, bytes_per_s: u64, held: u32) -> (Serving, Manifests) {
    let mut manifests = Manifests::new(ManifestConfig::default(), Some(MANIFEST), 0);
    manifests.handle_given(MANIFEST, replay::manifest(&[0, 1, 2])).unwrap().unwrap();
    let mut serving = Serving::new(slots, bytes_per_s);
    (0..held).for_each(|number| serving.handle_found(replay::id(number), 1_000));
    (serving, manifests)
}

/// What is to be done, in short words, each piece reported as sent.
fn done(serving: &mut Serving, now: u64) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(output) = serving.poll() {
        said.push(match output {
            ServingOutput::Frame { peer, frame: Frame::Hello { manifests }, .. } => format!("{peer}: hello {}", manifests.len()),
            ServingOutput::Frame { peer, frame: Frame::ManifestPart { .. }, urgency: u64::MAX } => format!("{peer}: manifest"),
            ServingOutput::Frame { peer, frame: Frame::Have { ids }, .. } => format!("{peer}: have {}", ids.len()),
            ServingOutput::Frame { peer, frame: Frame::Refuse { reason, .. }, .. } => format!("{peer}: refuse {reason:?}"),
            ServingOutput::Frame { peer, frame, .. } => format!("{peer}: {frame:?}"),
            ServingOutput::Piece { peer, id, urgency } => {
                serving.handle_sent(now, peer, id, 1_000);
                format!("{peer}: piece {} {urgency}", replay::number(id))
            }
            ServingOutput::Fault { peer, fault } => format!("{peer}: {fault:?}"),
        });
    }
    said
}

fn want_manifest(serving: &mut Serving, manifests: &Manifests, now: u64, peer: PeerKey) {
    serving.handle_frame(now, peer, &Frame::WantManifest { manifest: MANIFEST }, manifests);
}

#[test]
fn the_greeting_names_what_is_here_whole() {
    for (held, named) in [(3, "1: hello 1"), (2, "1: hello 0")] {
        let (mut serving, manifests) = holder(2, 0, held);
        serving.handle_open(0, 1, None, &manifests);
        assert_eq!(done(&mut serving, 0), [named]);
    }
}

#[test]
fn a_push_is_the_manifest_and_what_of_the_plan_is_here() {
    let (mut serving, manifests) = holder(2, 0, 2);
    serving.handle_open(0, 1, Some(&PUSH), &manifests);
    assert_eq!(done(&mut serving, 0), ["1: hello 0", "1: manifest", "1: piece 0 0", "1: piece 1 0"]);
}

#[test]
fn who_uploads_nothing_greets_and_gives_nothing() {
    let (mut serving, manifests) = holder(0, 0, 3);
    serving.handle_open(0, 1, Some(&PUSH), &manifests);
    want_manifest(&mut serving, &manifests, 1, 1);
    serving.handle_frame(2, 1, &Frame::Query { ids: replay::ids(&[0]) }, &manifests);
    serving.handle_frame(3, 1, &Frame::Want { ids: replay::ids(&[0]) }, &manifests);
    assert_eq!(done(&mut serving, 3), ["1: hello 1", "1: have 0", "1: refuse Busy"]);
}

#[test]
fn a_manifest_is_sent_once_to_each() {
    let (mut serving, manifests) = holder(2, 0, 3);
    for peer in [1, 2] {
        serving.handle_open(0, peer, None, &manifests);
        want_manifest(&mut serving, &manifests, 1, peer);
        want_manifest(&mut serving, &manifests, 2, peer);
    }
    assert_eq!(done(&mut serving, 2), ["1: hello 1", "1: manifest", "2: hello 1", "2: manifest"]);
}

#[test]
fn who_asks_for_manifests_without_end_is_at_fault() {
    let (mut serving, manifests) = holder(2, 0, 3);
    serving.handle_open(0, 1, None, &manifests);
    (0..HELLO_MANIFESTS_MAX).for_each(|_| want_manifest(&mut serving, &manifests, 1, 1));
    assert_eq!(done(&mut serving, 1), ["1: hello 1", "1: manifest"]);
    want_manifest(&mut serving, &manifests, 1, 1);
    assert_eq!(done(&mut serving, 1), ["1: Malformed"], "one more");
}

#[test]
fn who_asks_for_a_manifest_that_is_not_here_yet_gets_it_once_it_is() {
    let mut manifests = Manifests::new(ManifestConfig::default(), Some(MANIFEST), 0);
    let mut serving = Serving::new(2, 0);
    serving.handle_open(0, 1, None, &manifests);
    want_manifest(&mut serving, &manifests, 1, 1);
    assert_eq!(done(&mut serving, 1), ["1: hello 0"]);
    manifests.handle_given(MANIFEST, replay::manifest(&[0, 1, 2])).unwrap().unwrap();
    serving.pass_manifests(500, &manifests);
    assert_eq!(done(&mut serving, 500), ["1: manifest"]);
    serving.pass_manifests(501, &manifests);
    assert_eq!(done(&mut serving, 501), Vec::<String>::new());
}

#[test]
fn a_manifest_that_the_upload_limit_holds_back_leaves_later() {
    let (mut serving, manifests) = holder(2, 1_000, 3);
    serving.handle_open(0, 1, None, &manifests);
    serving.handle_frame(0, 1, &Frame::Want { ids: replay::ids(&[0]) }, &manifests);
    assert_eq!(done(&mut serving, 0), ["1: hello 1", "1: piece 0 0"]);
    want_manifest(&mut serving, &manifests, 1, 1);
    assert_eq!(done(&mut serving, 1), Vec::<String>::new(), "half a second's worth may come at once, and that was a second's");
    let due = serving.poll_timeout().unwrap();
    serving.handle_timeout(due, &manifests);
    assert_eq!((due > 400, done(&mut serving, due)), (true, vec!["1: manifest".to_owned()]));
}

#[test]
fn in_a_crowd_the_newest_piece_is_the_most_urgent_until_all_are_here() {
    let (mut serving, manifests) = holder(2, 0, 0);
    serving.handle_open(0, 1, None, &manifests);
    serving.handle_kept(1, replay::id(0), 1_000, Some(1));
    serving.handle_kept(2, replay::id(1), 1_000, Some(2));
    let want = Frame::Want { ids: replay::ids(&[0, 1]) };
    serving.handle_frame(3, 1, &want, &manifests);
    assert_eq!(done(&mut serving, 3), ["1: hello 0", "1: piece 0 1", "1: piece 1 2"]);
    serving.handle_done();
    serving.handle_frame(4, 1, &want, &manifests);
    assert_eq!(done(&mut serving, 4), ["1: piece 0 0", "1: piece 1 0"]);
}

#[test]
fn a_piece_that_is_gone_is_refused_from_then_on() {
    let (mut serving, manifests) = holder(2, 0, 3);
    serving.handle_open(0, 1, None, &manifests);
    serving.handle_frame(1, 1, &Frame::Want { ids: replay::ids(&[0]) }, &manifests);
    assert!(matches!(serving.poll(), Some(ServingOutput::Frame { .. })));
    assert!(matches!(serving.poll(), Some(ServingOutput::Piece { .. })));
    serving.handle_gone(&replay::id(0));
    serving.handle_unsent(2, 1, replay::id(0));
    serving.handle_frame(3, 1, &Frame::Want { ids: replay::ids(&[0]) }, &manifests);
    assert_eq!(done(&mut serving, 3), ["1: refuse NotHeld", "1: refuse NotHeld"]);
}
