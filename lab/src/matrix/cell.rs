//! One pair: two homes, a server outside, a visitor that seeds and one that comes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::Judgement;
use super::prepared_visitor::{Client, PreparedVisitor, Task};
use crate::home::Home;
use crate::nat::{self, Kind};
use crate::network::link::LinkShape;
use crate::network::plan::{Endpoint, Network};
use crate::scenario::{MS, ORIGIN_ADDRESS, QUEUE_MS};
use crate::server::{self, Stats};
use crate::site::Site;
use crate::topology::{ORIGIN_IPV6, ORIGIN_PORT, Topology};
use crate::visit::Got;

/// What the origin sends in a second: the app takes 2.4 s from it alone, so that another visitor gives most of it.
const ORIGIN_MBIT: f64 = 4.0;
const HOME_MBIT: f64 = 50.0;

/// One-way delays to the middle of the network: 40 ms between two routers and back.
const HOME_DELAY_MS: u64 = 10;
const ORIGIN_DELAY_MS: u64 = 5;

/// Longest time until the first visitor has all of the app.
const SEEDS: Duration = Duration::from_secs(40);

/// From then until its NAT has shown twice that it is symmetric: native peers ask again after 20 s (`STUN_KEEP_MS`).
const KNOWN: Duration = Duration::from_secs(22);

/// Longest time for a connection: its deadlines are 5 s and below.
const CONNECTS: Duration = Duration::from_secs(12);

/// How long a visitor that has the app may still be introduced.
const LINGERS: Duration = Duration::from_secs(3);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where two visitors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Each in a home of its own; the first one seeds.
    Apart(Kind, Kind),
    /// Both in one office.
    Office,
    /// Each in a home of its own, both behind one router of their provider.
    Provider {
        /// Whether that router sends back what its own side sends to its public address.
        hairpins: bool,
    },
}

impl Pair {
    /// Whether the two could connect.
    #[must_use]
    pub fn could_connect(self) -> bool {
        match self {
            Self::Apart(offerer, answerer) => nat::can_connect(offerer, answerer),
            Self::Office => true,
            Self::Provider { hairpins } => hairpins,
        }
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Apart(offerer, answerer) => format!("{} x {}", offerer.name(), answerer.name()),
            Self::Office => "one office".to_owned(),
            Self::Provider { hairpins: false } => "one provider, no hairpin".to_owned(),
            Self::Provider { hairpins: true } => "one provider, hairpin".to_owned(),
        }
    }

    fn kinds(self) -> [Kind; 2] {
        match self {
            Self::Apart(offerer, answerer) => [offerer, answerer],
            Self::Office => [Kind::PortRestricted; 2],
            Self::Provider { .. } => [Kind::Carrier; 2],
        }
    }

    fn homes(self) -> Vec<Home> {
        match self {
            Self::Apart(offerer, answerer) => vec![Home::single(1, offerer), Home::single(2, answerer)],
            Self::Office => vec![Home { machines: 2, ..Home::single(1, Kind::PortRestricted) }],
            Self::Provider { hairpins } => vec![Home { machines: 2, hairpins, ..Home::single(1, Kind::Carrier) }],
        }
    }
}

/// What became of one pair.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// Its name.
    pub name: String,
    /// Where they are.
    #[serde(skip)]
    pub pair: Pair,
    /// Whether the tracker introduced them.
    pub was_introduced: bool,
    /// Whether a connection opened.
    pub has_connected: bool,
    /// Milliseconds from the second visitor's start to its first piece, of a browser to the whole app, where the first one gave it something.
    pub first_piece_ms: Option<u64>,
    /// Share of the app that the first one gave.
    pub from_peers: f64,
    /// Why connections did not open, as the tracker counts it.
    pub failures: BTreeMap<String, u64>,
    /// What it comes to.
    pub judgement: Judgement,
}

/// Measures one pair; everything it makes is below `folder` and gone from the kernel afterwards.
pub(super) fn measure(pair: Pair, [seeds, comes]: [Client; 2], site: &Site, folder: &Path) -> anyhow::Result<Cell> {
    let (network, homes) = (network(), pair.homes());
    let topology = Topology::build(&network, &homes, folder.to_owned()).with_context(|| pair.name())?;
    let more = match pair.kinds().iter().any(|kind| kind.has_ipv6()) {
        true => vec!["--listen".to_owned(), format!("[{ORIGIN_IPV6}]:{ORIGIN_PORT}")],
        false => Vec::new(),
    };
    let server = server::start_viral(&topology, site, &more)?;
    let first = network.endpoints.len();
    let [offerer, answerer] = pair.kinds();
    let task = |machine, url, within| Task { machine, url, assets_len: site.assets_len(), within };
    let (url_there, url_here) = (url(offerer), url(answerer));
    let seeder = seeds.seed(&topology, task(first, &url_there, SEEDS))?;
    await_seeder(&topology)?;
    // Of a visitor that has just come nothing is known, whatever it is behind.
    if offerer.is_symmetric() {
        std::thread::sleep(KNOWN);
    }
    let comer = comes.come(&topology, task(first + 1, &url_here, CONNECTS))?;
    let (got, stats) = watch(&topology, &comer)?;
    comer.leave(LINGERS);
    seeder.leave(Duration::ZERO);
    drop(server);
    topology.packet_loop.end()?;
    Ok(cell(pair, &got, stats))
}

fn cell(pair: Pair, got: &Got, stats: Stats) -> Cell {
    let bytes = got.bytes_from_peers + got.bytes_from_origin;
    let (was_introduced, has_connected) = (stats.matches.offered > 0, stats.matches.opened > 0);
    let judgement = match (pair.could_connect(), was_introduced, has_connected) {
        (true, _, true) | (false, false, false) => Judgement::Right,
        (false, true, false) => Judgement::InVain,
        (true, false, false) => Judgement::Missed,
        (true, true, false) | (false, _, true) => Judgement::AgainstTheory,
    };
    Cell {
        name: pair.name(),
        pair,
        was_introduced,
        has_connected,
        // A browser tells when it had all.
        first_piece_ms: got.ms_first_piece.or(got.ok.then_some(got.ms_total)).filter(|_| got.bytes_from_peers > 0),
        from_peers: if bytes > 0 { got.bytes_from_peers as f64 / bytes as f64 } else { 0.0 },
        failures: stats.connect_failures_by_cause,
        judgement,
    }
}

/// The origin and two routers.
fn network() -> Network {
    let endpoint = |address, mbit, delay_ms| {
        let line = LinkShape::mbit(mbit, QUEUE_MS);
        Endpoint { address, up: line, down: line, delay_ns: delay_ms * MS, gateway: None }
    };
    let endpoints = vec![
        endpoint(ORIGIN_ADDRESS, ORIGIN_MBIT, ORIGIN_DELAY_MS),
        // Global ones: of private addresses the tracker believes that no NAT stands before them.
        endpoint(Ipv4Addr::new(11, 0, 1, 1), HOME_MBIT, HOME_DELAY_MS),
        endpoint(Ipv4Addr::new(11, 0, 2, 1), HOME_MBIT, HOME_DELAY_MS),
    ];
    Network { endpoints, gateways: Vec::new(), loss: 0.0, unreachable: 0.0, apart: Default::default(), seed: 1 }
}

fn url(kind: Kind) -> String {
    if kind.has_ipv4() { format!("http://{ORIGIN_ADDRESS}/") } else { format!("http://[{ORIGIN_IPV6}]/") }
}

fn await_seeder(topology: &Topology) -> anyhow::Result<()> {
    let deadline = Instant::now() + SEEDS;
    while server::stats(topology.origin())?.pages.iter().all(|page| page.seeders == 0) {
        if Instant::now() > deadline {
            bail!("the first visitor does not seed within {SEEDS:?}; see {}", topology.folder.display());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Until the pair connected, gave up, or cannot be expected to any more.
fn watch(topology: &Topology, comer: &PreparedVisitor) -> anyhow::Result<(Got, Stats)> {
    let (deadline, mut got, mut stats) = (Instant::now() + CONNECTS, None, Stats::default());
    let mut until = deadline;
    while Instant::now() < until {
        let said = comer.got(Instant::now() + LOOK_EVERY);
        got = got.or(said);
        stats = server::stats(topology.origin())?;
        let has_app = got.is_some();
        if has_app && stats.matches.opened > 0 {
            break;
        }
        if has_app && stats.matches.offered <= stats.matches.failed {
            until = until.min(Instant::now() + LINGERS);
        }
    }
    Ok((got.unwrap_or_default(), stats))
}
