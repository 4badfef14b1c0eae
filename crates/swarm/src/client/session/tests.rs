//! Sessions in virtual time: a visitor, its tracker and its peers, played by the test.

use viral_wire::signal::{ErrorCode, PeerNumber, Push, TrackerToPeer};
use viral_wire::{Description, Ticket};

use super::*;
use crate::client::config::{CROWD_MANIFEST_WAIT_MS, IDLE_MS, MANIFEST_WAIT_MS, RELEASE_WAIT_MS};
use crate::replay;

mod crowd;
mod faults;
mod random;

/// The pieces of the page.
const PIECES: [u32; 3] = [0, 1, 2];

/// A visitor and what it was told to do since the last look, in short words.
struct Visitor {
    session: Session,
    now: u64,
    said: Vec<String>,
}

impl Visitor {
    fn new(change: impl FnOnce(&mut SessionConfig), offers: usize) -> Self {
        let mut config = SessionConfig { takes_page: true, meets: true, slots: 4, page: "/".to_owned(), ..SessionConfig::default() };
        change(&mut config);
        let offers = (1..=offers as u64).map(|number| Offer {
            peer: peer(number),
            offer: 1,
            description: description(),
            push: None,
            far: false,
            beyond: None,
        });
        let mut visitor = Self { session: Session::new(config, offers.collect()), now: 0, said: Vec::new() };
        visitor.drain();
        visitor
    }

    /// What follows from this call.
    fn does(&mut self, call: impl FnOnce(&mut Session, u64)) -> Vec<String> {
        call(&mut self.session, self.now);
        self.drain();
        std::mem::take(&mut self.said)
    }

    fn hears(&mut self, signal: TrackerToPeer) -> Vec<String> {
        self.does(|session, now| session.handle_signal(now, signal))
    }

    /// Lets time pass; what happens until then, with the time.
    fn passes(&mut self, until: u64) -> Vec<(u64, String)> {
        let mut happened = Vec::new();
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= until) {
            assert!(at >= self.now || happened.is_empty(), "asks to be woken in the past");
            self.now = self.now.max(at);
            let now = self.now;
            happened.extend(self.does(|session, now| session.handle_timeout(now)).into_iter().map(|what| (now, what)));
        }
        self.now = until;
        happened
    }

    /// Carries out all that the session wants: dials succeed under the peer's number, pieces are genuine and stored.
    fn drain(&mut self) {
        loop {
            while let Some(ArrivedPiece { peer, id, .. }) = self.session.poll_piece() {
                if self.session.handle_verified(self.now, Source::Peer(peer), id, true) {
                    self.session.handle_kept(self.now, Source::Peer(peer), id, 1_000);
                }
                self.said.push(format!("verify {}", replay::number(id)));
            }
            let Some(output) = self.session.poll() else { return };
            let what = self.carry_out(output);
            self.said.extend(what);
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<String> {
        let now = self.now;
        Some(match output {
            Output::Signal(signal) => words(&signal),
            Output::Register(_) => return None,
            Output::Frame { peer, frame, .. } => format!("{peer} {}", frame_words(&frame)),
            Output::AskManifest { .. } => "ask origin for manifest".to_owned(),
            Output::AskPieces { ids } => format!("ask origin for {}", ids.len()),
            Output::Dial { offers, by_post, tell } => {
                let from =
                    |offer: &Offer| Introduction { number: offer.peer, offer: offer.offer, push: offer.push, dialled: true, beyond: None };
                let dialled: Vec<_> = offers.iter().map(|offer| (offer.peer.get(), from(offer))).collect();
                self.session.handle_dialled(now, &dialled);
                format!(
                    "dial {}{}{}",
                    offers.len(),
                    if by_post { " by post" } else { "" },
                    tell.map(|tell| format!(", tell {tell}")).unwrap_or_default()
                )
            }
            Output::Reach { peer, candidates } => format!("reach {peer} at {}", candidates.len()),
            Output::MakeOffers { count } => format!("make {count} offers"),
            Output::Accept { offer, number, push, .. } => {
                self.session.handle_accepted(now, number.get(), Introduction { number, offer, push, dialled: false, beyond: None });
                return None;
            }
            Output::WithdrawOffers => "withdraw offers".to_owned(),
            Output::Close { peer, reason } => format!("close {peer} {reason:?}"),
            Output::SendPiece { peer, id, .. } => {
                self.session.handle_sent(now, peer, id, 1_000, 0);
                format!("{peer} piece {}", replay::number(id))
            }
            Output::TakeUp { .. } => {
                let pieces = self.session.current().unwrap().pieces.clone();
                let is_held = |id: &PieceId| self.session.exchange.serving.held().has(id);
                let held: Vec<PieceId> = pieces.iter().map(Piece::id).filter(is_held).collect();
                self.session.add_pieces(now, &pieces, |id| held.contains(id));
                self.session.handle_taken_up(now);
                "take up".to_owned()
            }
            Output::Failed(_) => "failed".to_owned(),
            Output::Refused(refusal) => format!("{refusal:?}"),
        })
    }

    /// The origin gives these pieces.
    fn is_given(&mut self, numbers: &[u32]) -> Vec<String> {
        self.does(|session, now| {
            for id in replay::ids(numbers) {
                if session.accept_from_origin(id) && session.handle_verified(now, Source::Origin, id, true) {
                    session.handle_kept(now, Source::Origin, id, 1_000);
                }
            }
        })
    }

    fn is_sent(&mut self, peer: PeerKey, frame: Frame) -> Vec<String> {
        self.does(|session, now| session.handle_frame(now, peer, frame))
    }

    fn opens(&mut self, peer: PeerKey) -> Vec<String> {
        self.does(|session, now| session.handle_open(now, peer))
    }

    fn is_given_manifest(&mut self) -> Vec<String> {
        self.does(|session, now| session.handle_manifest(now, digest(), Some(replay::manifest(&PIECES))))
    }
}

fn peer(number: u64) -> PeerNumber {
    PeerNumber::from_bits(number)
}

fn digest() -> Digest {
    Digest::of(&replay::manifest(&PIECES))
}

fn description() -> Description {
    let sdp = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 \
               00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\na=setup:actpass\r\na=max-message-size:262144\r\n";
    Description::from_sdp(sdp).unwrap()
}

fn welcome() -> TrackerToPeer {
    TrackerToPeer::Welcome { peer: peer(99), offers_wanted: 2, slots: 4, up_bytes_per_s: 0, up_bytes_per_day: 0, stun: Vec::new() }
}

fn named() -> TrackerToPeer {
    TrackerToPeer::Manifest { page: "/".to_owned(), manifest: digest() }
}

fn words(signal: &PeerToTracker) -> String {
    match signal {
        PeerToTracker::Held { pieces, .. } => format!("held {pieces}"),
        PeerToTracker::Find { count, .. } => format!("find {count}"),
        PeerToTracker::Share { done, .. } => format!("share {done}"),
        PeerToTracker::Unshare {} => "unshare".to_owned(),
        PeerToTracker::Closed { peer, .. } => format!("closed {peer}"),
        PeerToTracker::Opened { peer, ms, .. } => format!("opened {peer} after {ms} ms"),
        PeerToTracker::Report(report) => format!("report {} {:?}", report.peer, report.fault),
        PeerToTracker::Counts(counts) => {
            format!("counts {} {} {}", counts.bytes_from_peers, counts.bytes_from_origin, counts.bytes_to_peers)
        }
        PeerToTracker::Register { .. }
        | PeerToTracker::Nat { .. }
        | PeerToTracker::Offers { .. }
        | PeerToTracker::Loaded { .. }
        | PeerToTracker::Answers { .. } => {
            format!("{signal:?}")
        }
    }
}

fn frame_words(frame: &Frame) -> String {
    match frame {
        Frame::Hello { manifests } => format!("hello {}", manifests.len()),
        Frame::Want { ids } => format!("want {}", ids.len()),
        Frame::Query { ids } => format!("query {}", ids.len()),
        Frame::Have { ids } => format!("have {}", ids.len()),
        Frame::WantManifest { .. } => "want-manifest".to_owned(),
        Frame::ManifestPart { .. } => "manifest".to_owned(),
        Frame::Cancel { .. } | Frame::Refuse { .. } | Frame::Bye { .. } | Frame::Piece { .. } => format!("{frame:?}"),
    }
}

/// A thin visit with as many offers.
fn thin(offers: usize) -> Visitor {
    Visitor::new(
        |config| {
            config.manifest = Some(digest());
            config.ticket = Some(Ticket([1; 16]));
        },
        offers,
    )
}

fn piece(number: u32) -> Frame {
    Frame::Piece { id: replay::id(number), encoding: viral_wire::frame::Encoding::Raw, body: vec![0; 1_000] }
}

fn manifest_part() -> Frame {
    let body = replay::manifest(&PIECES);
    Frame::ManifestPart { manifest: digest(), offset: 0, total: body.len() as u32, body }
}

#[test]
fn a_thin_visit_takes_manifest_and_pieces_from_the_peer_it_dials() {
    let mut visitor = thin(1);
    assert_eq!(std::mem::take(&mut visitor.said), ["dial 1 by post"]);
    visitor.passes(100);
    assert_eq!(visitor.opens(1), ["1 hello 0", "1 want-manifest"], "without a session nobody is told");
    visitor.is_sent(1, Frame::Hello { manifests: vec![digest()] });
    assert_eq!(visitor.is_sent(1, manifest_part()), ["take up", "1 want 3"]);
    for number in PIECES {
        assert_eq!(visitor.is_sent(1, piece(number)), [format!("verify {number}")]);
    }
    assert!(visitor.session.progress().done);
    assert_eq!(visitor.session.totals().bytes_from_peers, 3_000);
}

#[test]
fn a_manifest_that_no_peer_gives_in_time_comes_from_the_origin() {
    let mut visitor = thin(1);
    let happened = visitor.passes(MANIFEST_WAIT_MS);
    assert_eq!(happened.last(), Some(&(MANIFEST_WAIT_MS, "ask origin for manifest".to_owned())));
    assert_eq!(visitor.is_given_manifest()[0], "take up");
}

#[test]
fn the_first_visitor_takes_everything_from_the_origin_and_then_leaves_offers() {
    let mut visitor = Visitor::new(|_| (), 0);
    assert_eq!(visitor.hears(welcome()), Vec::<String>::new(), "there is nothing to give yet");
    assert_eq!(visitor.hears(named()), ["ask origin for manifest"]);
    let asked = visitor.is_given_manifest();
    assert_eq!(asked[0], "take up");
    visitor.hears(TrackerToPeer::Peers { offers: Vec::new() });
    visitor.passes(10);
    let given = visitor.is_given(&PIECES);
    assert!(given.ends_with(&["held 3".to_owned(), "counts 0 3000 0".to_owned(), "make 2 offers".to_owned()]), "{given:?}");
    assert!(visitor.session.progress().done);
}

#[test]
fn who_asked_about_a_piece_hears_of_it_and_gets_it() {
    let mut visitor = thin(1);
    visitor.is_given_manifest();
    visitor.opens(1);
    assert_eq!(visitor.is_sent(1, Frame::Query { ids: replay::ids(&[2]) }), ["1 have 0"]);
    visitor.passes(1_000);
    visitor.is_given(&[2]);
    let said: Vec<String> = visitor.passes(1_100).into_iter().map(|(_, what)| what).collect();
    assert!(said.contains(&"1 have 1".to_owned()), "{said:?}");
    assert_eq!(visitor.is_sent(1, Frame::Want { ids: replay::ids(&[2]) }), ["1 piece 2"]);
    assert_eq!(visitor.session.totals().bytes_to_peers, 1_000);
}

#[test]
fn connections_that_nobody_uses_are_closed_in_time() {
    let mut visitor = thin(0);
    visitor.is_given_manifest();
    visitor.is_given(&PIECES);
    visitor.hears(welcome());
    visitor.hears(TrackerToPeer::Answer { offer: 1, peer: peer(5), description: description(), push: None, beyond: None });
    assert!(visitor.opens(5).contains(&"opened 5 after 0 ms".to_owned()));
    visitor.is_sent(5, Frame::Hello { manifests: Vec::new() });
    let closed = visitor.passes(2 * IDLE_MS).into_iter().find(|(_, what)| what.starts_with("close"));
    assert_eq!(closed, Some((IDLE_MS, "close 5 Some(Idle)".to_owned())));
}

#[test]
fn who_follows_takes_the_next_version_and_serves_the_last_one() {
    let mut visitor = Visitor::new(|config| config.follows = true, 0);
    visitor.hears(welcome());
    visitor.hears(named());
    visitor.is_given_manifest();
    visitor.is_given(&PIECES);
    let (blob, next) = (replay::manifest(&[1, 2, 3]), Digest::of(&replay::manifest(&[1, 2, 3])));
    assert_eq!(visitor.hears(TrackerToPeer::Manifest { page: "/".to_owned(), manifest: next }), ["ask origin for manifest"]);
    visitor.does(|session, now| session.handle_manifest(now, next, Some(blob)));
    assert_eq!((visitor.session.progress().total, visitor.session.current().unwrap().digest), (3, next));
    visitor.hears(TrackerToPeer::Answer { offer: 1, peer: peer(5), description: description(), push: None, beyond: None });
    assert!(visitor.opens(5).contains(&"5 hello 1".to_owned()), "the earlier one is here whole");
}

#[test]
fn who_meets_nobody_dials_nobody_and_asks_for_nobody() {
    let mut visitor = Visitor::new(
        |config| {
            config.meets = false;
            config.manifest = Some(digest());
        },
        2,
    );
    visitor.hears(welcome());
    visitor.is_given_manifest();
    let said: Vec<String> = visitor.passes(30_000).into_iter().map(|(_, what)| what).collect();
    assert!(said.iter().all(|what| !what.starts_with("find") && !what.starts_with("make")), "{said:?}");
}

#[test]
fn who_leaves_says_what_grew_and_goodbye() {
    let mut visitor = thin(1);
    visitor.hears(welcome());
    visitor.opens(1);
    visitor.is_given_manifest();
    visitor.is_given(&[0]);
    let said = visitor.does(Session::leave);
    assert_eq!(said[..2], ["held 1", "counts 0 1000 0"]);
    assert!(said.contains(&"close 1 Some(Leaving)".to_owned()), "{said:?}");
}

#[test]
fn an_address_behind_a_nat_is_dialled_once_the_answer_left() {
    let far = |number: u64| {
        let mut description = description();
        description.set_candidates(["u|203.0.113.7|50001|a|s", "u|2001:db8::7|50001|b|h"].map(|text| text.parse().unwrap()).to_vec());
        Offer { peer: peer(number), offer: 1, description, push: None, far: true, beyond: None }
    };
    let config = || SessionConfig { takes_page: true, meets: true, page: "/".to_owned(), ..SessionConfig::default() };
    let mut visitor = Visitor { session: Session::new(config(), vec![far(7)]), now: 0, said: Vec::new() };
    assert_eq!(visitor.does(|_, _| {}), ["dial 1 by post"]);
    assert_eq!(visitor.does(Session::handle_posted), ["reach 7 at 1"]);
    visitor.hears(welcome());
    assert_eq!(visitor.hears(TrackerToPeer::Peers { offers: vec![far(8), far(9)] }), ["dial 2, tell 1"]);
    visitor.does(|session, now| session.handle_closed(now, 8));
    assert_eq!(visitor.hears(TrackerToPeer::Relayed { tell: 2 }), [""; 0], "it said so of nothing");
    assert_eq!(visitor.hears(TrackerToPeer::Relayed { tell: 1 }), ["reach 9 at 1"]);
    assert_eq!(visitor.hears(TrackerToPeer::Relayed { tell: 1 }), [""; 0]);
    // A tracker that says nothing delays nobody for long.
    visitor.hears(TrackerToPeer::Peers { offers: vec![far(10)] });
    let happened = visitor.passes(RELEASE_WAIT_MS);
    assert!(happened.contains(&(RELEASE_WAIT_MS, "reach 10 at 1".to_owned())), "{happened:?}");
}

#[test]
fn the_tracker_may_refuse_a_page_that_it_does_not_know() {
    let mut visitor = Visitor::new(|_| (), 0);
    let message = "no such page".to_owned();
    let said = visitor.hears(TrackerToPeer::Error { code: ErrorCode::Unknown, message });
    assert_eq!(said, ["Unknown(\"no such page\")"]);
}
