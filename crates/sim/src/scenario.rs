//! What is simulated, as an operator writes it down.

mod check;
mod place;

use serde::Deserialize;

use crate::net::Fidelity;
use crate::plan::{Client, Role};

pub use check::{APP_BYTES_MAX, DAYS_MAX, PACKET_VISITORS_MAX, VISITORS_MAX};

/// A whole scenario file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One sentence for a person.
    #[serde(default)]
    pub about: String,
    /// How closely the network is modelled; none = packets for few visitors.
    pub fidelity: Option<Fidelity>,
    /// Makes the same run again.
    #[serde(default = "one")]
    pub seed: u64,
    /// Seconds after which the run ends; none = when everybody should be done.
    pub limit_s: Option<f64>,
    /// What is visited.
    pub app: AppFile,
    /// Where it comes from.
    pub origin: OriginFile,
    /// What is between everybody.
    #[serde(default)]
    pub network: NetworkFile,
    /// Lines that groups share.
    #[serde(default)]
    pub office: Vec<OfficeFile>,
    /// Who comes.
    #[serde(default)]
    pub group: Vec<GroupFile>,
    /// New versions.
    #[serde(default)]
    pub deploy: Vec<DeployFile>,
    /// Seconds at which the server is started anew.
    #[serde(default)]
    pub restarts_s: Vec<f64>,
}

fn one() -> u64 {
    1
}

/// The app.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppFile {
    /// Megabytes (1,000,000 bytes) that a visit uses, the document included.
    pub mb: f64,
    /// Kilobytes (1,000 bytes) of the document.
    #[serde(default = "AppFile::document_kb")]
    pub document_kb: f64,
    /// Kilobytes (1,000 bytes) of a piece on average; none = as the server cuts it, or few large ones for flows.
    pub piece_kb: Option<f64>,
}

impl AppFile {
    fn document_kb() -> f64 {
        1.2
    }
}

/// The origin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginFile {
    /// Its uplink, in Mbit/s.
    pub up_mbit: f64,
    /// Its downlink, in Mbit/s.
    #[serde(default = "OriginFile::down")]
    pub down_mbit: f64,
    /// Milliseconds between it and the middle of the network.
    #[serde(default = "OriginFile::delay")]
    pub delay_ms: f64,
    /// What `--shared-line` says, in Mbit/s; none = nothing.
    pub shared_line_mbit: Option<f64>,
}

impl OriginFile {
    fn down() -> f64 {
        100.0
    }

    fn delay() -> f64 {
        15.0
    }
}

/// The network between everybody.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkFile {
    /// Longest wait in the queue of a line, in milliseconds.
    pub queue_ms: f64,
    /// Share of packets lost at random, 0 to 1.
    pub loss: f64,
    /// Share of pairs of visitors that cannot connect, 0 to 1.
    pub unreachable: f64,
    /// Pairs of islands between which nobody connects.
    pub apart: Vec<[String; 2]>,
}

impl Default for NetworkFile {
    /// What consumer routers hold without queue management, and nothing lost; where nobody says otherwise all pairs connect.
    fn default() -> Self {
        Self { queue_ms: 100.0, loss: 0.0, unreachable: 0.0, apart: Vec::new() }
    }
}

/// A line that a group shares, and one address.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficeFile {
    /// What groups call it.
    pub name: String,
    /// The line towards it, in Mbit/s.
    pub down_mbit: f64,
    /// The line from it, in Mbit/s; none = the same.
    pub up_mbit: Option<f64>,
    /// Milliseconds between it and the middle of the network.
    #[serde(default = "OfficeFile::delay")]
    pub delay_ms: f64,
}

impl OfficeFile {
    fn delay() -> f64 {
        10.0
    }
}

/// Visitors of one kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFile {
    /// With what they come.
    #[serde(default = "GroupFile::browser")]
    pub client: Client,
    /// How many; none = as many as arrivals give.
    pub visitors: Option<u64>,
    /// When they come.
    pub arrive: Arrivals,
    /// Downlink of each, in Mbit/s.
    pub down_mbit: f64,
    /// Uplink of each, in Mbit/s.
    pub up_mbit: f64,
    /// Milliseconds between each and the middle of the network, from and to; evenly spread.
    #[serde(default = "GroupFile::delay")]
    pub delay_ms: (f64, f64),
    /// The office that they are in.
    pub office: Option<String>,
    /// The provider whose customers they are, as far as the origin knows: one network (autonomous system), 250 of them in each /24. None = a /24 of its own for each.
    pub island: Option<String>,
    /// How long they stay once they have the app; none = to the end.
    pub stay: Option<Stay>,
    /// What they do.
    #[serde(default = "GroupFile::honest")]
    pub role: Role,
    /// Seconds of its life after which a dying or silent one does.
    #[serde(default = "GroupFile::fails")]
    pub fails_after_s: f64,
    /// Share that asks for little data, 0 to 1.
    #[serde(default)]
    pub save_data: f64,
    /// Share that serves nobody, 0 to 1.
    #[serde(default)]
    pub leech: f64,
    /// Share that closes the tab early, 0 to 1.
    #[serde(default)]
    pub close_early: f64,
    /// Seconds after which those do, on average.
    #[serde(default = "GroupFile::close_after")]
    pub close_after_s: f64,
}

impl GroupFile {
    fn browser() -> Client {
        Client::Browser
    }

    fn honest() -> Role {
        Role::Honest
    }

    fn delay() -> (f64, f64) {
        (5.0, 25.0)
    }

    /// As in the lab.
    fn fails() -> f64 {
        6.0
    }

    fn close_after() -> f64 {
        5.0
    }
}

/// When a group comes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Arrivals {
    /// All within a while, evenly spread; the first at its beginning.
    Burst {
        /// Seconds.
        within_s: f64,
        /// When the while begins, in seconds.
        #[serde(default)]
        from_s: f64,
    },
    /// One by one: a Poisson process.
    Poisson {
        /// Visits per hour.
        per_hour: f64,
        /// For how many hours; none = until all have come.
        hours: Option<f64>,
        /// When it begins, in seconds.
        #[serde(default)]
        from_s: f64,
    },
    /// At these times, in seconds.
    List {
        /// Seconds.
        at_s: Vec<f64>,
    },
}

/// How long somebody stays: a Weibull distribution (Liu, White, Dumais, "Understanding Web Browsing Behaviors through Weibull Analysis of Dwell Time", 2010).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    /// Seconds on average.
    pub mean_s: f64,
    /// Its shape; under 1 most leave early and some stay long.
    #[serde(default = "Stay::shape")]
    pub shape: f64,
}

impl Stay {
    fn shape() -> f64 {
        0.7
    }
}

/// A new version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployFile {
    /// When, in seconds.
    pub at_s: f64,
    /// Share of pieces that are new, 0 to 1.
    pub changed: f64,
}

/// What is wrong with a scenario, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ScenarioError {
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What, and what to do.
    pub what: String,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Where it says anything that makes no sense; the error names line and key.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError {
            line: error.span().map(|span| place::line_at(text, span.start)),
            what: error.message().trim().to_owned(),
        })?;
        match check::fault(&scenario) {
            None => Ok(scenario),
            Some(fault) => Err(ScenarioError { line: place::line_of(text, &fault.table, fault.key), what: fault.what }),
        }
    }
}

#[cfg(test)]
mod tests;
