//! The upload engine in virtual time; most stories are traces for the other implementations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::replay;

/// One call, as it stands in a trace. Pieces are numbers; those in `missing` are not held.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Input {
    Limits { slots: usize, rate: u64 },
    Volume { bytes: u64 },
    Open { peer: PeerKey, ids: Vec<u32> },
    Want { peer: PeerKey, ids: Vec<u32>, missing: Vec<u32> },
    Cancel { peer: PeerKey, ids: Vec<u32> },
    Closed { peer: PeerKey },
    Buffered { peer: PeerKey, bytes: u64 },
    Sent { peer: PeerKey, id: u32, bytes: u32 },
    Missing { peer: PeerKey, id: u32 },
    Timeout,
}

struct Traced {
    upload: Upload,
    config: UploadConfig,
    steps: Vec<Value>,
}

impl Traced {
    fn new(config: UploadConfig) -> Self {
        Self { upload: Upload::new(config), config, steps: Vec::new() }
    }

    fn call(&mut self, now: u64, input: Input) -> Vec<UploadOutput> {
        let upload = &mut self.upload;
        match &input {
            Input::Limits { slots, rate } => upload.handle_limits(now, *slots, *rate),
            Input::Volume { bytes } => upload.handle_volume(now, *bytes),
            Input::Open { peer, ids } => upload.handle_open(now, *peer, &replay::ids(ids)),
            Input::Want { peer, ids, missing } => {
                upload.handle_want(now, *peer, &replay::ids(ids), |id| !missing.contains(&replay::number(*id)));
            }
            Input::Cancel { peer, ids } => upload.handle_cancel(now, *peer, &replay::ids(ids)),
            Input::Closed { peer } => upload.handle_closed(now, *peer),
            Input::Buffered { peer, bytes } => upload.handle_buffered(now, *peer, *bytes),
            Input::Sent { peer, id, bytes } => upload.handle_sent(now, *peer, replay::id(*id), *bytes),
            Input::Missing { peer, id } => upload.handle_missing(now, *peer, replay::id(*id)),
            Input::Timeout => upload.handle_timeout(now),
        }
        let outputs: Vec<_> = std::iter::from_fn(|| self.upload.poll()).take(20_000).collect();
        let timeout = self.upload.poll_timeout();
        assert!(!matches!(input, Input::Timeout) || timeout.is_none_or(|at| at > now), "asks to be woken in the past");
        let said: Vec<_> = outputs.iter().map(replay::numbered).collect();
        self.steps.push(json!({ "now": now, "input": input, "outputs": said, "timeout": timeout }));
        outputs
    }

    fn check(&self, name: &str) {
        let UploadConfig { slots, bytes_per_s, bytes_max, .. } = self.config;
        replay::check("upload", name, &json!({ "slots": slots, "bytesPerS": bytes_per_s, "bytesMax": bytes_max }), &self.steps);
    }
}

fn engine() -> Traced {
    Traced::new(UploadConfig::default())
}

fn open(peer: PeerKey) -> Input {
    Input::Open { peer, ids: Vec::new() }
}

fn want(peer: PeerKey, ids: impl IntoIterator<Item = u32>) -> Input {
    Input::Want { peer, ids: ids.into_iter().collect(), missing: Vec::new() }
}

/// What was handed out, as (peer, piece).
fn sends(outputs: &[UploadOutput]) -> Vec<(PeerKey, u32)> {
    let send = |output: &UploadOutput| if let UploadOutput::Send { peer, id } = output { Some((*peer, replay::number(*id))) } else { None };
    outputs.iter().filter_map(send).collect()
}

fn refused(outputs: &[UploadOutput], because: u8) -> usize {
    let count = |output: &UploadOutput| {
        if let UploadOutput::Refuse { reason, ids, .. } = output { if *reason == because { ids.len() } else { 0 } } else { 0 }
    };
    outputs.iter().map(count).sum()
}

#[test]
fn pushed_pieces_are_sent_at_open_and_not_again_for_a_want_that_crossed_them() {
    let mut traced = engine();
    let outputs = traced.call(0, Input::Open { peer: 1, ids: vec![0, 1, 1, 2] });
    assert_eq!(sends(&outputs), [(1, 0), (1, 1), (1, 2)]);
    for id in 0..3 {
        traced.call(1, Input::Sent { peer: 1, id, bytes: 1_000 });
    }
    assert_eq!(sends(&traced.call(2, want(1, [1, 3]))), [(1, 3)]);
    assert_eq!(sends(&traced.call(3, want(1, [1]))), [(1, 1)], "asked for again it is meant");
    traced.check("push");
}

#[test]
fn peers_take_turns() {
    let mut traced = engine();
    traced.call(0, open(1));
    traced.call(0, open(2));
    traced.call(0, want(1, 0..40));
    let outputs = traced.call(0, want(2, 0..40));
    assert_eq!(sends(&outputs).len(), PENDING_MAX);
    let mut order = Vec::new();
    for id in 0..8 {
        for peer in [1, 2] {
            order.extend(sends(&traced.call(1, Input::Sent { peer, id, bytes: 10 })));
        }
    }
    let ones = order.iter().filter(|(peer, _)| *peer == 1).count();
    assert_eq!((ones, order.len()), (8, 16));
    traced.check("turns");
}

#[test]
fn a_full_channel_waits_until_it_is_low() {
    let mut traced = engine();
    traced.call(0, open(1));
    traced.call(0, want(1, 0..32));
    traced.call(1, Input::Buffered { peer: 1, bytes: BUFFER_LEN_HIGH - 1 });
    assert_eq!(sends(&traced.call(1, Input::Sent { peer: 1, id: 0, bytes: 200_000 })), [(1, 16)]);
    traced.call(1, Input::Buffered { peer: 1, bytes: BUFFER_LEN_HIGH });
    assert_eq!(sends(&traced.call(1, Input::Sent { peer: 1, id: 1, bytes: 100_000 })), []);
    assert_eq!(sends(&traced.call(2, Input::Buffered { peer: 1, bytes: BUFFER_LEN_LOW + 1 })), []);
    assert_eq!(sends(&traced.call(3, Input::Buffered { peer: 1, bytes: BUFFER_LEN_LOW })), [(1, 17)], "the other went before it was full");
    traced.check("full-channel");
}

#[test]
fn a_channel_that_does_not_move_is_closed() {
    let mut traced = engine();
    traced.call(0, open(1));
    traced.call(0, want(1, 0..10));
    traced.call(5, Input::Buffered { peer: 1, bytes: 300_000 });
    traced.call(5, Input::Sent { peer: 1, id: 0, bytes: 300_000 });
    assert_eq!(traced.upload.poll_timeout(), Some(5 + STALL_MS));
    traced.call(10_000, Input::Buffered { peer: 1, bytes: 200_000 });
    assert_eq!(traced.call(5 + STALL_MS, Input::Timeout), []);
    let outputs = traced.call(10_000 + STALL_MS, Input::Timeout);
    assert_eq!(outputs, [UploadOutput::Drop { peer: 1, fault: Fault::Silent }]);
    traced.check("stalled");
}

#[test]
fn beyond_the_slots_peers_are_refused_until_one_is_free() {
    let mut traced = Traced::new(UploadConfig { slots: 2, ..UploadConfig::default() });
    for peer in 1..=3 {
        traced.call(0, open(peer));
    }
    traced.call(0, want(1, [0]));
    traced.call(0, want(2, [0]));
    assert_eq!(refused(&traced.call(0, want(3, 0..300)), BUSY), 300);
    traced.call(1, Input::Sent { peer: 1, id: 0, bytes: 10 });
    assert_eq!(sends(&traced.call(2, want(3, [0]))), [(3, 0)]);
    let outputs = traced.call(3, Input::Open { peer: 4, ids: vec![7] });
    assert_eq!(refused(&outputs, BUSY), 1, "a push that finds no slot is refused, so that nobody waits for it");
    traced.call(4, Input::Limits { slots: 0, rate: 0 });
    traced.call(5, Input::Sent { peer: 3, id: 0, bytes: 10 });
    assert_eq!(refused(&traced.call(6, want(3, [1])), BUSY), 1);
    traced.check("slots");
}

#[test]
fn when_nobody_is_served_any_more_what_is_queued_is_refused() {
    let mut traced = engine();
    traced.call(0, open(1));
    assert_eq!(sends(&traced.call(0, want(1, 0..20))).len(), PENDING_MAX);
    let outputs = traced.call(1, Input::Limits { slots: 0, rate: 0 });
    assert_eq!(refused(&outputs, BUSY), 20 - PENDING_MAX);
    assert_eq!(refused(&traced.call(2, want(1, [21])), BUSY), 1, "also of somebody whose pieces are still read");
    traced.check("no-slots");
}

#[test]
fn what_is_not_held_is_refused_and_so_is_what_went_missing() {
    let mut traced = engine();
    traced.call(0, open(1));
    let outputs = traced.call(0, Input::Want { peer: 1, ids: vec![0, 1, 2], missing: vec![1] });
    assert_eq!((sends(&outputs), refused(&outputs, NOT_HELD)), (vec![(1, 0), (1, 2)], 1));
    assert_eq!(refused(&traced.call(1, Input::Missing { peer: 1, id: 2 }), NOT_HELD), 1);
    traced.check("not-held");
}

#[test]
fn cancelled_pieces_are_not_sent() {
    let mut traced = engine();
    traced.call(0, Input::Open { peer: 1, ids: (0..22).collect() });
    traced.call(1, Input::Cancel { peer: 1, ids: (16..21).collect() });
    let mut sent = Vec::new();
    for id in 0..4 {
        sent.extend(sends(&traced.call(2, Input::Sent { peer: 1, id, bytes: 10 })));
    }
    assert_eq!(sent, [(1, 21)]);
    assert_eq!(sends(&traced.call(3, want(1, [17]))), [(1, 17)], "asked for after the cancel");
    traced.check("cancel");
}

#[test]
fn a_queue_is_bounded_and_flooding_it_ends_the_connection() {
    let mut traced = engine();
    traced.call(0, open(1));
    let room = u32::try_from(PENDING_MAX + QUEUE_IDS_MAX).unwrap();
    traced.call(0, want(1, 0..16));
    let at_max = traced.call(0, want(1, 16..room));
    assert_eq!(refused(&at_max, BUSY), 0);
    let mut last = Vec::new();
    for round in 0..=OVERFLOWS_MAX {
        last = traced.call(0, want(1, [room + round]));
        assert_eq!(refused(&last, BUSY), 1);
    }
    assert_eq!(last.last(), Some(&UploadOutput::Drop { peer: 1, fault: Fault::Malformed }));
}

#[test]
fn a_rate_cap_spreads_pieces_over_time() {
    let mut traced = Traced::new(UploadConfig { bytes_per_s: 100_000, ..UploadConfig::default() });
    let (mut now, mut sent) = (0, 0_u64);
    traced.call(now, open(1));
    let mut handed: VecDeque<_> = sends(&traced.call(now, want(1, 0..100))).into();
    while now < 10_000 {
        while let Some((peer, id)) = handed.pop_front() {
            sent += 20_000;
            handed.extend(sends(&traced.call(now, Input::Sent { peer, id, bytes: 20_000 })));
        }
        let Some(at) = traced.upload.poll_timeout() else { break };
        now = at;
        handed.extend(sends(&traced.call(now, Input::Timeout)));
    }
    assert!((900_000..1_200_000).contains(&sent), "{sent} bytes in 10 s");
    traced.check("rate");
}

#[test]
fn at_the_volume_cap_everything_is_refused() {
    let mut traced = Traced::new(UploadConfig { bytes_max: 50_000, ..UploadConfig::default() });
    traced.call(0, open(1));
    traced.call(0, want(1, 0..10));
    traced.call(1, Input::Sent { peer: 1, id: 0, bytes: 30_000 });
    let outputs = traced.call(2, Input::Sent { peer: 1, id: 1, bytes: 30_000 });
    assert_eq!(refused(&outputs, CAPPED), 5, "what was queued");
    assert_eq!(refused(&traced.call(3, want(1, [20])), CAPPED), 1);
    traced.check("volume");
}

#[test]
fn a_volume_that_the_tracker_names_holds_for_each_day() {
    let mut traced = engine();
    traced.call(0, open(1));
    traced.call(0, Input::Volume { bytes: 50_000 });
    traced.call(0, want(1, 0..10));
    traced.call(1, Input::Sent { peer: 1, id: 0, bytes: 30_000 });
    assert_eq!(refused(&traced.call(2, Input::Volume { bytes: 40_000 }), CAPPED), 0, "there is some left");
    assert_eq!(refused(&traced.call(3, Input::Sent { peer: 1, id: 1, bytes: 10_000 }), CAPPED), 5);
    assert!(traced.upload.is_spent());
    assert_eq!(refused(&traced.call(DAY_MS - 1, want(1, [20])), CAPPED), 1);
    assert_eq!(refused(&traced.call(DAY_MS - 1, Input::Volume { bytes: 40_000 }), CAPPED), 0, "the same said again gives nothing back");
    assert!(traced.upload.is_spent());
    assert_eq!(sends(&traced.call(DAY_MS, want(1, [20]))), [(1, 20)], "the next day");
    traced.call(DAY_MS + 1, Input::Sent { peer: 1, id: 20, bytes: 30_000 });
    assert_eq!(sends(&traced.call(DAY_MS + 2, want(1, [21]))), [(1, 21)]);
    assert_eq!(refused(&traced.call(DAY_MS + 3, Input::Volume { bytes: 20_000 }), CAPPED), 0);
    assert_eq!(refused(&traced.call(DAY_MS + 4, want(1, [22])), CAPPED), 1, "less than was given already");
    assert_eq!(sends(&traced.call(DAY_MS + 5, Input::Volume { bytes: 0 })), []);
    traced.call(DAY_MS + 6, Input::Sent { peer: 1, id: 21, bytes: 30_000 });
    assert_eq!(sends(&traced.call(DAY_MS + 7, want(1, [22]))), [(1, 22)], "no cap any more");
    traced.check("volume-day");
}

#[test]
fn what_was_given_before_the_engine_began_counts_for_the_first_day() {
    let mut upload = Upload::new(UploadConfig { bytes_max: 5_000, bytes_given: 5_000, ..UploadConfig::default() });
    assert!(upload.is_spent());
    assert_eq!(upload.throttled_until(DAY_MS), None);
    assert!(!upload.is_spent());
}

fn input() -> impl Strategy<Value = Input> {
    let ids = || prop::collection::vec(0..30_u32, 0..20);
    let peer = || 0..4_u64;
    prop_oneof![
        1 => (0..4_usize, prop_oneof![Just(0), 1..200_000_u64]).prop_map(|(slots, rate)| Input::Limits { slots, rate }),
        2 => (peer(), ids()).prop_map(|(peer, ids)| Input::Open { peer, ids }),
        4 => (peer(), ids(), ids()).prop_map(|(peer, ids, missing)| Input::Want { peer, ids, missing }),
        1 => (peer(), ids()).prop_map(|(peer, ids)| Input::Cancel { peer, ids }),
        1 => peer().prop_map(|peer| Input::Closed { peer }),
        3 => (peer(), 0..400_000_u64).prop_map(|(peer, bytes)| Input::Buffered { peer, bytes }),
        9 => (peer(), 0..30_u32, 1..100_000_u32).prop_map(|(peer, id, bytes)| Input::Sent { peer, id, bytes }),
        1 => (peer(), 0..30_u32).prop_map(|(peer, id)| Input::Missing { peer, id }),
        3 => Just(Input::Timeout),
    ]
}

proptest! {
    #[test]
    fn any_order_of_calls_keeps_queues_bounded_and_sends_only_what_was_asked(steps in prop::collection::vec((0..2_000_u64, input()), 0..150)) {
        let mut traced = engine();
        let mut asked: BTreeMap<PeerKey, BTreeSet<u32>> = BTreeMap::new();
        let mut now = 0;
        for (ms, input) in steps {
            now += ms;
            if let Input::Open { peer, ids } | Input::Want { peer, ids, .. } = &input {
                asked.entry(*peer).or_default().extend(ids);
            }
            for (peer, id) in sends(&traced.call(now, input)) {
                prop_assert!(asked[&peer].contains(&id));
            }
            for queue in &traced.upload.queues {
                prop_assert!(queue.pending.len() <= PENDING_MAX && queue.pieces.len() <= QUEUE_IDS_MAX);
            }
        }
    }
}

#[test]
fn noise_is_answered_the_same_way_everywhere() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let steps = prop::collection::vec((0..500_u64, input()), 300).new_tree(&mut runner).unwrap().current();
    let mut traced = Traced::new(UploadConfig { slots: 3, bytes_per_s: 300_000, bytes_max: 3_000_000, ..UploadConfig::default() });
    let mut now = 0;
    for (ms, input) in steps {
        now += ms;
        traced.call(now, input);
    }
    traced.check("noise");
}

/// Serves whatever is asked, each piece of this many bytes, from `now` on; how many pieces were sent and how many refused as capped.
fn serve(upload: &mut Upload, now: u64, bytes: u32) -> (usize, usize) {
    let (mut sent, mut capped) = (0, 0);
    while let Some(output) = upload.poll() {
        match output {
            UploadOutput::Send { peer, id } => {
                upload.handle_sent(now, peer, id, bytes);
                sent += 1;
            }
            UploadOutput::Refuse { reason: CAPPED, ids, .. } => capped += ids.len(),
            UploadOutput::Refuse { .. } | UploadOutput::Drop { .. } => {}
        }
    }
    (sent, capped)
}

#[test]
fn who_asks_for_the_same_piece_for_ever_gets_no_more_than_all_that_is_held_twice() {
    let mut upload = Upload::new(UploadConfig::default());
    upload.handle_held(10_000, false);
    upload.handle_open(0, 1, &[]);
    upload.handle_open(0, 2, &[]);
    let (mut sent, mut capped) = (0, 0);
    for now in 0..100 {
        upload.handle_want(now, 1, &replay::ids(&[7]), |_| true);
        let served = serve(&mut upload, now, 1_000);
        (sent, capped) = (sent + served.0, capped + served.1);
    }
    assert_eq!((sent, capped), (21, 79), "the one that goes over the cap is the last");
    upload.handle_want(100, 2, &replay::ids(&[7]), |_| true);
    assert_eq!(serve(&mut upload, 100, 1_000), (1, 0), "others are served");
    upload.handle_held(10_000, true);
    upload.handle_want(101, 1, &replay::ids(&[8]), |_| true);
    assert_eq!(serve(&mut upload, 101, 1_000), (1, 0), "a new version may be taken");
}

#[test]
fn what_else_is_sent_counts_for_the_caps() {
    let mut upload = Upload::new(UploadConfig { bytes_per_s: 1_000, bytes_max: 5_000, ..UploadConfig::default() });
    assert_eq!(upload.throttled_until(0), None);
    upload.handle_other_sent(0, 1_500);
    // Of the half second's worth that may come at once a second's worth is missing.
    assert_eq!(upload.throttled_until(0), Some(1_001));
    upload.handle_open(0, 1, &[]);
    upload.handle_want(0, 1, &replay::ids(&[1]), |_| true);
    assert_eq!(serve(&mut upload, 0, 10), (0, 0), "pieces wait for it");
    assert_eq!(upload.throttled_until(1_001), None);
    assert_eq!(serve(&mut upload, 1_001, 10), (1, 0));
    upload.handle_other_sent(1_001, 5_000);
    upload.handle_want(1_001, 1, &replay::ids(&[2]), |_| true);
    assert_eq!(serve(&mut upload, 1_001, 10), (0, 1), "the volume is used up");
}
