//! How long one decision of a visit takes, by how many sessions there are: `cargo xtask bench admit`.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use viral_swarm::admission::{Evidence, PageFacts, Policy, Swarm, VisitFacts, admit};
use viral_swarm::coverage::CoverageCache;
use viral_swarm::locality::Ladder;
use viral_swarm::pageset::Size;
use viral_swarm::request_coalescing::RequestCoalescer;
use viral_swarm::tracker::{ClientAddr, Tracker, TrackerConfig};
use viral_wire::signal::{PeerToTracker, ReadyOffer};
use viral_wire::{Description, Digest, Piece, Ticket};

/// Bytes of the one page's manifest.
const BYTES: u32 = 1_000_000;

/// Visits of one run: half of what the tracker remembers, so that none is in the way of another.
const VISITS: u64 = 10_000;

const RUNS: usize = 7;

fn address(number: u64) -> ClientAddr {
    let [.., a, b, c] = number.to_be_bytes();
    ClientAddr { browser: Some(number), ..ClientAddr::at(IpAddr::from([11, a, b, c])) }
}

fn description() -> Description {
    let fingerprint = Digest::of(b"certificate");
    let text = format!(r#"["ufrag","passwordpasswordpassword","{fingerprint}","actpass",262144,["u|192.0.2.7|50001|zzzzz|h"],[]]"#);
    Description::parse(&text).expect("a description as browsers make it")
}

/// A tracker with so many seeders of one page, each with two offers.
fn tracker(sessions: u64, manifest: Digest, coverage: &CoverageCache) -> Tracker {
    let config = TrackerConfig { sessions_max: 1 << 20, tickets_max: 1 << 20, ..TrackerConfig::default() };
    let mut tracker = Tracker::new(config, 7);
    let description = description();
    for number in 0..sessions {
        let peer = tracker.handle_join(0, address(number));
        let offers = (1..=2).map(|offer| ReadyOffer { offer, description: description.clone() }).collect();
        for message in [
            PeerToTracker::Register { page: "/".to_owned(), manifest: Some(manifest), ticket: None, slots: 4 },
            PeerToTracker::Held { manifest, pieces: 1, bytes: u64::from(BYTES) },
            PeerToTracker::Offers { offers },
        ] {
            tracker.handle_message(0, peer, message, coverage);
        }
        while tracker.poll().is_some() {}
    }
    tracker
}

/// Time of one decision: a visit from a network of its own, introduced to four seeders.
fn decision(sessions: u64) -> Duration {
    let manifest = Digest::of(b"manifest");
    let mut coverage = CoverageCache::default();
    coverage.insert(manifest, &[Piece { digest: Digest::of(b"piece"), len: BYTES }]);
    let mut tracker = tracker(sessions, manifest, &coverage);
    let mut coalescer = RequestCoalescer::new(0, Ladder::default());
    let page = PageFacts { path: "/", manifest, app_bytes: u64::from(BYTES), size: Size::Known { bytes: u64::from(BYTES) } };
    let evidence = Evidence {
        method_get: true,
        fetch_dest: Some("document".to_owned()),
        fetch_mode: Some("navigate".to_owned()),
        has_sec_fetch: true,
        ..Evidence::default()
    };
    let mut facts = VisitFacts {
        evidence,
        addr: address(0),
        ticket: Ticket([0; 16]),
        peers_wanted: 4,
        is_head: false,
        came_ms: 0,
        was_here: false,
        may_wait: true,
    };
    let visits = VISITS.min(sessions / 4);
    let (mut spent, mut thin) = (Duration::ZERO, 0);
    for visit in 0..visits {
        facts.addr = address((1 << 23) + (visit << 8));
        facts.ticket.0[..8].copy_from_slice(&visit.to_be_bytes());
        let swarm = Swarm { tracker: &mut tracker, coalescer: &mut coalescer, coverage: &coverage };
        let begun = Instant::now();
        let admission = black_box(admit(1, &facts, Some(&page), |_| false, &Policy::default(), swarm));
        spent += begun.elapsed();
        thin += u64::from(admission.decision().is_some_and(|decision| decision.header().is_some_and(|value| value.starts_with("thin"))));
        while tracker.poll().is_some() {}
    }
    assert!(thin * 2 > visits, "{thin} of {visits} visits were introduced to somebody");
    spent / u32::try_from(visits).unwrap_or(u32::MAX)
}

fn main() {
    let counts = [100, 10_000, 100_000];
    let mut runs = counts.map(|_| Vec::new());
    // In turns, so that a noisy minute is in all of them.
    for _ in 0..RUNS {
        for (times, sessions) in runs.iter_mut().zip(counts) {
            times.push(decision(sessions));
        }
    }
    let medians = runs.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    println!("| sessions | one decision, µs | beside {} sessions |", counts[0]);
    println!("|---:|---:|---:|");
    for (sessions, median) in counts.into_iter().zip(medians) {
        println!("| {sessions} | {:.1} | {:.2} |", median.as_secs_f64() * 1e6, median.as_secs_f64() / medians[0].as_secs_f64());
    }
}
