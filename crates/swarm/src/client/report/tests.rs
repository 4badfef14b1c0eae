//! Reports in virtual time; the stories are traces for the other implementations.

use serde_json::{Value, json};

use super::*;
use crate::replay;

const MANIFEST: Digest = Digest([7; 32]);

/// One call, as it stands in a trace.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Input {
    Kept { giver: Giver, len: u64 },
    Rate { peer: PeerNumber, rate: u64 },
    Sent { len: u64 },
    Growth { held: usize, total: usize },
    Welcome,
    Report { live: bool, held: Option<Held> },
}

struct Traced {
    report: Report,
    in_crowd: bool,
    /// Whether the socket takes what is said.
    is_backed_up: bool,
    steps: Vec<Value>,
}

impl Traced {
    fn new(in_crowd: bool) -> Self {
        Self { report: Report::new(in_crowd), in_crowd, is_backed_up: false, steps: Vec::new() }
    }

    fn call(&mut self, now: u64, input: Input) -> Vec<PeerToTracker> {
        match input {
            Input::Kept { giver, len } => self.report.handle_kept(giver, len),
            Input::Rate { peer, rate } => self.report.handle_rate(peer, rate),
            Input::Sent { len } => self.report.handle_sent(len),
            Input::Growth { held, total } => self.report.handle_growth(now, &progress(held, total)),
            Input::Welcome => self.report.handle_welcome(),
            Input::Report { live, held } => self.report.handle_report(live, || held),
        }
        let outputs: Vec<_> = std::iter::from_fn(|| self.report.poll()).collect();
        let unsent = self.is_backed_up;
        if unsent {
            outputs.iter().for_each(|signal| self.report.handle_unsent(signal));
        }
        let timeout = self.report.poll_timeout();
        self.steps.push(json!({ "now": now, "input": input, "outputs": outputs, "unsent": unsent, "timeout": timeout }));
        outputs
    }

    fn growth(&mut self, now: u64, held: usize, total: usize) -> Option<u64> {
        self.call(now, Input::Growth { held, total });
        self.report.poll_timeout()
    }

    fn report(&mut self, now: u64, pieces: u32) -> Vec<PeerToTracker> {
        self.call(now, Input::Report { live: true, held: Some(held(pieces)) })
    }

    fn check(&self, name: &str) {
        replay::check("session/report", name, &json!({ "inCrowd": self.in_crowd }), &self.steps);
    }
}

fn progress(held: usize, total: usize) -> Progress {
    Progress { held, total, done: total > 0 && held == total, ..Progress::default() }
}

fn held(pieces: u32) -> Held {
    Held { manifest: MANIFEST, pieces, bytes: u64::from(pieces) * 1_000 }
}

fn told_held(pieces: u32) -> PeerToTracker {
    PeerToTracker::Held { manifest: MANIFEST, pieces, bytes: u64::from(pieces) * 1_000 }
}

/// Bytes from peers, from the origin and to peers, of each report of counts.
fn counts(signals: &[PeerToTracker]) -> Vec<[u64; 3]> {
    let of = |signal: &PeerToTracker| {
        let PeerToTracker::Counts(counts) = signal else { return None };
        Some([counts.bytes_from_peers, counts.bytes_from_origin, counts.bytes_to_peers])
    };
    signals.iter().filter_map(of).collect()
}

#[test]
fn what_grew_within_a_second_is_one_report() {
    let mut traced = Traced::new(false);
    traced.call(5, Input::Kept { giver: Giver::Origin, len: 1_000 });
    assert_eq!(traced.growth(5, 1, 10), Some(5 + REPORT_MS));
    traced.call(500, Input::Kept { giver: Giver::Peer(Some(PeerNumber::from_bits(3))), len: 1_000 });
    assert_eq!(traced.growth(500, 2, 10), Some(5 + REPORT_MS));
    let said = traced.report(5 + REPORT_MS, 2);
    assert_eq!((&said[0], counts(&said)), (&told_held(2), vec![[1_000, 1_000, 0]]));
    assert_eq!(traced.report.poll_timeout(), None);
    traced.check("one");
}

#[test]
fn what_the_tracker_knows_is_not_said_again() {
    let mut traced = Traced::new(false);
    traced.call(0, Input::Kept { giver: Giver::Origin, len: 1_000 });
    assert_eq!(traced.report(1, 1).len(), 2);
    assert_eq!(traced.report(2, 1), []);
    traced.call(3, Input::Sent { len: 700 });
    let said = traced.report(4, 1);
    assert_eq!((said.len(), counts(&said)), (1, vec![[0, 0, 700]]), "only what grew");
    traced.check("known");
}

#[test]
fn without_a_session_what_grew_waits_for_the_next() {
    let mut traced = Traced::new(false);
    traced.call(0, Input::Kept { giver: Giver::Origin, len: 1_000 });
    traced.growth(0, 1, 2);
    assert_eq!(traced.call(1_000, Input::Report { live: false, held: Some(held(1)) }), []);
    assert_eq!(traced.report.poll_timeout(), None, "a session begins with a report");
    traced.call(2_000, Input::Welcome);
    assert_eq!(counts(&traced.report(2_000, 1)), [[0, 1_000, 0]]);
    traced.check("no-session");
}

#[test]
fn a_new_session_is_told_what_is_held_but_not_the_counts_again() {
    let mut traced = Traced::new(false);
    traced.call(0, Input::Kept { giver: Giver::Origin, len: 1_000 });
    traced.report(1, 1);
    traced.call(2, Input::Welcome);
    assert_eq!(traced.report(2, 1), [told_held(1)]);
    traced.check("new-session");
}

#[test]
fn what_a_full_socket_did_not_take_is_in_the_next_report() {
    let mut traced = Traced::new(false);
    traced.call(0, Input::Kept { giver: Giver::Origin, len: 1_000 });
    traced.is_backed_up = true;
    assert_eq!(traced.report(1, 1).len(), 2);
    traced.is_backed_up = false;
    traced.call(2, Input::Kept { giver: Giver::Origin, len: 500 });
    let said = traced.report(3, 2);
    assert_eq!((&said[0], counts(&said)), (&told_held(2), vec![[0, 1_500, 0]]));
    traced.check("unsent");
}

#[test]
fn one_of_a_crowd_reports_seldom_until_it_matters() {
    let mut traced = Traced::new(true);
    assert_eq!(traced.growth(0, 1, 10), Some(REPORT_MS), "the first piece makes it somebody to send others to");
    traced.report(REPORT_MS, 1);
    assert_eq!(traced.growth(2_000, 2, 10), Some(2_000 + CROWD_REPORT_MS));
    assert_eq!(traced.growth(3_000, 5, 10), Some(3_000 + REPORT_MS), "half of all");
    traced.report(4_000, 5);
    assert_eq!(traced.growth(5_000, 9, 10), Some(5_000 + CROWD_REPORT_MS));
    assert_eq!(traced.growth(6_000, 10, 10), Some(6_000 + REPORT_MS), "everything");
    traced.check("crowd");
}

#[test]
fn another_manifest_is_said_though_as_much_of_it_is_held() {
    let mut traced = Traced::new(false);
    traced.report(0, 3);
    let manifest = Digest([8; 32]);
    let other = Held { manifest, ..held(3) };
    let said = traced.call(1, Input::Report { live: true, held: Some(other) });
    assert_eq!(said, [PeerToTracker::Held { manifest, pieces: 3, bytes: 3_000 }]);
    assert_eq!(traced.call(2, Input::Report { live: true, held: None }), [], "none is known");
    traced.check("manifest");
}

#[test]
fn bytes_of_a_peer_that_is_gone_count_for_nobody() {
    let mut traced = Traced::new(false);
    traced.call(0, Input::Kept { giver: Giver::Peer(None), len: 400 });
    traced.call(0, Input::Kept { giver: Giver::Peer(Some(PeerNumber::from_bits(3))), len: 600 });
    let said = traced.call(1, Input::Report { live: true, held: None });
    let PeerToTracker::Counts(grown) = &said[0] else { panic!("{said:?}") };
    assert_eq!((grown.bytes_from_peers, grown.sources.len(), grown.sources[0].bytes), (1_000, 1, 600));
    traced.check("gone");
}

#[test]
fn a_report_says_how_fast_each_gave_as_measured_last() {
    let mut traced = Traced::new(false);
    let [first, second] = [3, 4].map(PeerNumber::from_bits);
    for (peer, len, rate) in [(first, 600, 0), (first, 600, 2_000_000), (second, 400, 0), (first, 100, 3_000_000)] {
        traced.call(0, Input::Kept { giver: Giver::Peer(Some(peer)), len });
        traced.call(0, Input::Rate { peer, rate });
    }
    let rates = |said: &[PeerToTracker]| {
        let [PeerToTracker::Counts(grown)] = said else { panic!("{said:?}") };
        grown.sources.iter().map(|source| (source.peer, source.bytes, source.rate)).collect::<Vec<_>>()
    };
    let said = traced.call(1, Input::Report { live: true, held: None });
    assert_eq!(rates(&said), [(first, 1_300, 3_000_000), (second, 400, 0)]);
    traced.call(2, Input::Kept { giver: Giver::Peer(Some(first)), len: 50 });
    let said = traced.call(3, Input::Report { live: true, held: None });
    assert_eq!(rates(&said), [(first, 50, 3_000_000)]);
    traced.check("rate");
}
