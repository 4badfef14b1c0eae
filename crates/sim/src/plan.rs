//! A simulation with every number settled: who comes when, over which lines, to which app.

use std::net::IpAddr;

use viral_netsim::plan::Network;

use crate::app::AppShape;
use crate::clock::Nanos;
use crate::net::Fidelity;

/// With what somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// `viral get`.
    Native,
    /// A browser.
    Browser,
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes and gives as the product does.
    Honest,
    /// The product where nobody expects it to be as fast as others: it is in no figure.
    Slow,
    /// The product, killed without a word.
    Dying,
    /// The product, stopped where it stands: its connections stay open and say nothing.
    Silent,
    /// Says it has everything, and sends other bytes.
    Forging,
}

/// One visitor.
#[derive(Debug, Clone, Copy)]
pub struct VisitorPlan {
    /// Its group of the scenario.
    pub group: u32,
    /// When it comes.
    pub arrives: Nanos,
    /// How long it stays once it has the app; none = to the end.
    pub stays: Option<Nanos>,
    /// With what.
    pub client: Client,
    /// What it does.
    pub role: Role,
    /// After this much of its life a dying or silent one does.
    pub fails_after: Nanos,
    /// The address that the origin sees.
    pub address: IpAddr,
    /// Number of the network (autonomous system) that the origin knows it to be of; 0 = it knows none.
    pub system: u32,
    /// Asks for little data (`Save-Data: on`).
    pub saves_data: bool,
    /// Serves nobody.
    pub leeches: bool,
    /// Leaves after this much of its life, with the app or without.
    pub leaves_after: Option<Nanos>,
}

/// A new version of the app.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deploy {
    /// When.
    pub at: Nanos,
    /// Share of pieces that are new, 0 to 1.
    pub changed: f64,
}

/// Everything that a run depends on.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Seed of everything that is decided during the run.
    pub seed: u64,
    /// How closely the network is modelled.
    pub fidelity: Fidelity,
    /// The app.
    pub app: AppShape,
    /// Endpoint 0 is the origin, endpoint n is visitor n - 1.
    pub network: Network,
    /// By arrival.
    pub visitors: Vec<VisitorPlan>,
    /// By time.
    pub deploys: Vec<Deploy>,
    /// When the tracker forgets everything.
    pub restarts: Vec<Nanos>,
    /// What the operator tells the server of a thin line, in bytes per second; 0 = nothing.
    pub shared_line: u64,
    /// When the run ends at the latest.
    pub limit: Nanos,
    /// Whoever came at least this long before the end and has not the app must have a reason.
    pub patience: Nanos,
    /// Everybody is answered plain: what the same visitors have without viral.
    pub is_plain: bool,
}
