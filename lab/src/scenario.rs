//! The scenarios: who comes when, over which links, and what is made of the result.

mod browsers;
mod crowd;
mod engines;
mod hostile;
mod isps;
mod lone;
mod office;
mod trickle;
mod two_offices;

use std::net::Ipv4Addr;

use clap::ValueEnum;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use viral_journeys::browser::Engine;

use crate::fluid_bound::Crowd;
use crate::home::Home;
use crate::network::link::{LinkShape, Nanos};
use crate::network::plan::{Endpoint, Gateway, Network};

/// Queue of a line to a home or an office, in milliseconds: what consumer routers hold without queue management.
pub const QUEUE_MS: u64 = 100;

/// Where the origin is.
pub const ORIGIN_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// One millisecond.
pub const MS: Nanos = 1_000_000;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// A hundred visitors within two seconds, an origin with 2 Mbit/s
    Crowd,
    /// Twenty visitors behind one line of 10 Mbit/s
    Office,
    /// Visitors who come one by one and leave again
    Trickle,
    /// Three in ten of the peers forging, dead, silent or slow
    Hostile,
    /// One visitor and nobody else
    Lone,
    /// Thirty visitors in two offices, each behind a NAT and a line of 10 Mbit/s
    TwoOffices,
    /// Five islands of twenty visitors, each with 2 Mbit/s to everybody else
    Isps,
    /// As `office`, with four Chromium and two Firefox among the visitors
    Browsers,
    /// As `crowd`, and a quarter of the visitors run the scripts that browsers get, under node
    Engines,
}

/// What the command line can change.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Visitors.
    pub peers: Option<usize>,
    /// Visitors who run the browser's scripts under node, in `engines`.
    pub engines: Option<usize>,
    /// Bytes of the app.
    pub app_bytes: Option<u64>,
    /// Half of the crowd with 10 Mbit/s down and 1 up.
    pub is_mixed: bool,
    /// Share of packets lost at random.
    pub loss: f64,
    /// Factor on every rate.
    pub scale: f64,
    /// Makes the same network and the same arrivals again.
    pub seed: u64,
}

/// What a visitor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes and gives like the product.
    Honest,
    /// The product, killed without a farewell a while after it has come.
    Dead,
    /// The product, stopped where it stands: its connections stay open and say nothing.
    Silent,
    /// The product behind an uplink that carries next to nothing.
    Slow,
    /// A peer that says it has everything and sends other bytes than asked for.
    Forging,
}

/// What an honest visitor comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The native peer.
    Native,
    /// A browser.
    Browser(Engine),
    /// The scripts that browsers get, run by node.
    Scripts,
}

/// One visitor.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// Its index in the network.
    pub endpoint: usize,
    /// Seconds after the beginning.
    pub arrives_s: f64,
    /// Seconds for which it stays once it has the app; `None` stays to the end.
    pub stays_s: Option<f64>,
    /// What it is.
    pub role: Role,
    /// What it comes with.
    pub program: Program,
}

impl Visitor {
    /// An honest one with the native peer that stays to the end.
    #[must_use]
    pub fn honest(endpoint: usize, arrives_s: f64) -> Self {
        Self { endpoint, arrives_s, stays_s: None, role: Role::Honest, program: Program::Native }
    }
}

/// A scenario with every number settled.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which one.
    pub scenario: Scenario,
    /// The network, already scaled.
    pub network: Network,
    /// Which endpoints are routers, and what is behind them.
    pub homes: Vec<Home>,
    /// Who comes.
    pub visitors: Vec<Visitor>,
    /// Bytes of the app: F.
    pub app_bytes: u64,
    /// What the fluid bound is computed from, already scaled.
    pub fluid_bound: Crowd,
    /// Seconds after which whoever is not done counts as failed.
    pub limit_s: f64,
    /// Seconds for which a visitor without a stay of its own serves others once it has the app: until the slowest should be done.
    pub stay_s: f64,
    /// What the server is told besides.
    pub server_options: Vec<String>,
    /// Share of the bytes that peers can carry at best, where the scenario has such a bound.
    pub offload_bound: Option<f64>,
    /// One paragraph for the report.
    pub description: String,
}

impl Plan {
    /// The scenario with its own numbers, changed by `settings`.
    #[must_use]
    pub fn new(scenario: Scenario, settings: &Settings) -> Self {
        let mut random = SmallRng::seed_from_u64(settings.seed);
        match scenario {
            Scenario::Crowd => crowd::plan(settings, &mut random),
            Scenario::Office => office::plan(settings, &mut random),
            Scenario::Trickle => trickle::plan(settings, &mut random),
            Scenario::Hostile => hostile::plan(settings, &mut random),
            Scenario::Lone => lone::plan(settings),
            Scenario::TwoOffices => two_offices::plan(settings, &mut random),
            Scenario::Isps => isps::plan(settings, &mut random),
            Scenario::Browsers => browsers::plan(settings, &mut random),
            Scenario::Engines => engines::plan(settings, &mut random),
        }
    }

    /// What the scenario is compared with, where that is another plan: the same visitors, all honest, or with nothing known of who is near whom.
    #[must_use]
    pub fn compared(self) -> Option<Self> {
        match self.scenario {
            Scenario::Hostile => Some(self.all_honest()),
            Scenario::Isps => Some(isps::without_locality(self)),
            Scenario::Crowd
            | Scenario::Office
            | Scenario::TwoOffices
            | Scenario::Trickle
            | Scenario::Lone
            | Scenario::Browsers
            | Scenario::Engines => None,
        }
    }

    /// The scenario's name, as the command line has it.
    #[must_use]
    pub fn name(&self) -> String {
        self.scenario.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The same plan with nobody but honest visitors.
    fn all_honest(mut self) -> Self {
        for visitor in &mut self.visitors {
            if visitor.role == Role::Slow {
                let line = &mut self.network.endpoints[visitor.endpoint];
                line.up = LinkShape { rate_bps: line.down.rate_bps / 2, ..line.down };
            }
            visitor.role = Role::Honest;
        }
        self
    }
}

/// Address of a visitor with a line of its own: each in a /24 that nobody shares, as strangers are.
fn own_address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1 + (index / 250) as u8, 1 + (index % 250) as u8, 2)
}

/// The origin's machine: its uplink is the scarce thing, requests come in freely.
fn origin(up_mbit: f64, delay_ms: u64) -> Endpoint {
    Endpoint {
        address: ORIGIN_ADDRESS,
        up: LinkShape::mbit(up_mbit, QUEUE_MS),
        down: LinkShape::mbit(100.0, QUEUE_MS),
        delay_ns: delay_ms * MS,
        gateway: None,
    }
}

/// When the visitor of this number comes, in seconds: the first one's arrival is the beginning.
fn arrives_s(number: usize, within_s: f64, random: &mut SmallRng) -> f64 {
    if number == 0 { 0.0 } else { random.random_range(0.0..within_s) }
}

/// A network in which everybody can connect to everybody, scaled.
fn network(endpoints: Vec<Endpoint>, gateways: Vec<Gateway>, settings: &Settings) -> Network {
    Network { endpoints, gateways, loss: settings.loss, unreachable: 0.0, apart: Default::default(), seed: settings.seed }
        .scaled(settings.scale)
}

/// The bound of so many visitors who are all like the first one and share its line: what the origin can send to all of them together is what that carries.
fn behind_one_line(network: &Network, visitors: usize, app_bytes: u64) -> Crowd {
    let (down_min_bps, up_bps) = network.endpoints.get(1).map_or((1, 1), |visitor| (visitor.down.rate_bps, visitor.up.rate_bps));
    Crowd { visitors, app_bytes, origin_up_bps: network.gateways[0].down.rate_bps, down_min_bps, up_sum_bps: up_bps * visitors as u64 }
}
