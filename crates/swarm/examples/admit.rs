//! How long one decision of a visit takes and what a session costs, by how many there are: `cargo xtask bench admit`.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use viral_swarm::admission::{Evidence, PageFacts, Policy, Swarm, VisitFacts, admit};
use viral_swarm::coverage::CoverageCache;
use viral_swarm::crowd::Crowds;
use viral_swarm::locality::{Code, Region};
use viral_swarm::pageset::Size;
use viral_swarm::tracker::{ClientAddr, Tracker, TrackerConfig};
use viral_wire::signal::{PeerToTracker, ReadyOffer};
use viral_wire::{Description, Digest, Piece, Ticket};

/// Bytes of the one page's manifest.
const BYTES: u32 = 1_000_000;

/// Visits of one run: half of what the tracker remembers, so that none is in the way of another.
const VISITS: u64 = 10_000;

const RUNS: usize = 7;

/// Runs with a million sessions, which take seconds to come.
const RUNS_OF_A_MILLION: usize = 3;

const MILLION: u64 = 1_000_000;

fn address(number: u64) -> ClientAddr {
    let [.., a, b, c] = number.to_be_bytes();
    ClientAddr { browser: Some(number), ..ClientAddr::at(IpAddr::from([11, a, b, c])) }
}

fn description() -> Description {
    let fingerprint = Digest::of(b"certificate");
    let text = format!(r#"["ufrag","passwordpasswordpassword","{fingerprint}","actpass",262144,["u|192.0.2.7|50001|zzzzz|h"],[]]"#);
    Description::parse(&text).expect("a description as browsers make it")
}

/// What a host with a file of networks and countries knows of such an address: 1,000 networks in 100 countries of 7 continents.
fn known(number: u64) -> Region {
    let code =
        |number: u64| Code::new(std::str::from_utf8(&[b'A' + (number / 26 % 26) as u8, b'A' + (number % 26) as u8]).unwrap_or_default());
    Region {
        site: None,
        network: NonZeroU32::new(1 + (number >> 8) as u32 % 1_000),
        country: code((number >> 8) % 100),
        continent: code((number >> 8) % 7),
    }
}

/// Bytes of memory that this process has for itself; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// A tracker with so many seeders of one page, each with two offers.
fn tracker(sessions: u64, manifest: Digest, coverage: &CoverageCache, knows: bool) -> Tracker {
    let config = TrackerConfig { sessions_max: 1 << 21, tickets_max: 1 << 20, ..TrackerConfig::default() };
    let mut tracker = Tracker::new(config, 7);
    let description = description();
    for number in 0..sessions {
        let peer = tracker.handle_join(0, addr(number, knows));
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

fn addr(number: u64, knows: bool) -> ClientAddr {
    ClientAddr { region: if knows { known(number) } else { Region::default() }, ..address(number) }
}

/// Times of decisions, each about a visit from a network of its own that is introduced to four seeders, and the memory that a session takes, if that is seen.
fn decisions(sessions: u64, knows: bool) -> (Vec<Duration>, u64) {
    let manifest = Digest::of(b"manifest");
    let mut coverage = CoverageCache::default();
    coverage.insert(manifest, &[Piece { digest: Digest::of(b"piece"), len: BYTES }]);
    let before = resident();
    let mut tracker = tracker(sessions, manifest, &coverage, knows);
    let session_len = resident().saturating_sub(before) / sessions;
    let mut crowds = Crowds::default();
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
        was_here: false,
        is_proxied: false,
        may_share: true,
        origin_sent: 0,
        foreign: Vec::new(),
    };
    let visits = VISITS.min(sessions / 4);
    let (mut times, mut thin) = (Vec::new(), 0);
    for visit in 0..visits {
        facts.addr = addr((1 << 23) + (visit << 8), knows);
        facts.ticket.0[..8].copy_from_slice(&visit.to_be_bytes());
        let swarm = Swarm { tracker: &mut tracker, crowds: &mut crowds, coverage: &coverage };
        let begun = Instant::now();
        let admission = black_box(admit(1, &facts, Some(&page), |_| false, &Policy::default(), swarm));
        times.push(begun.elapsed());
        thin += u64::from(admission.decision().header().is_some_and(|value| value.starts_with("thin")));
        while tracker.poll().is_some() {}
    }
    assert!(thin * 2 > visits, "{thin} of {visits} visits were introduced to somebody");
    (times, session_len)
}

fn main() {
    // As many sessions as are named, or the usual ones.
    let named: Vec<u64> = std::env::args().skip(1).filter_map(|sessions| sessions.parse().ok()).collect();
    let counts = if named.is_empty() { vec![100, 10_000, 100_000, MILLION] } else { named };
    let rows: Vec<_> = counts.into_iter().flat_map(|sessions| [(sessions, false), (sessions, true)]).collect();
    let mut runs: Vec<Vec<Times>> = rows.iter().map(|_| Vec::new()).collect();
    let mut lens = vec![0; rows.len()];
    // In turns, so that a noisy minute is in all of them. The largest first, while what they take is not yet there to be taken again.
    for run in 0..RUNS {
        for (at, (sessions, knows)) in rows.iter().copied().enumerate().rev() {
            if sessions == MILLION && run >= RUNS_OF_A_MILLION {
                continue;
            }
            let (times, len) = decisions(sessions, knows);
            runs[at].push(Times::of(times));
            lens[at] = lens[at].max(len);
        }
    }
    let means: Vec<f64> = runs.iter().map(|runs| middle(runs, |times| times.mean)).collect();
    println!("| sessions | geography | one decision, µs | beside {} sessions | median, µs | p99.9, µs | bytes of a session |", rows[0].0);
    println!("|---:|---|---:|---:|---:|---:|---:|");
    for (at, ((sessions, knows), len)) in rows.into_iter().zip(lens).enumerate() {
        let len = if sessions < MILLION { String::new() } else { len.to_string() };
        let knows = if knows { "known" } else { "" };
        let (median, most) = (middle(&runs[at], |times| times.median), middle(&runs[at], |times| times.p999));
        println!("| {sessions} | {knows} | {:.1} | {:.2} | {median:.1} | {most:.1} | {len} |", means[at], means[at] / means[0]);
    }
}

/// Times of one run's decisions, in microseconds.
#[derive(Clone, Copy)]
struct Times {
    mean: f64,
    median: f64,
    p999: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let at = |permille: usize| times.get(times.len() * permille / 1000).copied().map_or(f64::NAN, us);
        Self { mean: us(times.iter().sum()) / times.len().max(1) as f64, median: at(500), p999: at(999) }
    }
}

/// The middle one of several runs.
fn middle(runs: &[Times], of: impl Fn(&Times) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
