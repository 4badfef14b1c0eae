//! What each visitor comes with: made ready before the first arrival, since nobody's browser starts with the visit.

use std::time::Duration;

use anyhow::Context as _;

use crate::process::Process;
use crate::run::Contestant;
use crate::scenario::{Plan, Program, Role, Visitor};
use crate::topology::Topology;
use crate::visit::browser::Browser;
use crate::visit::{Stage, VisitResult, checked, hostile, native, plain, scripts, torrent};

/// From the last process started to the first arrival.
const SETTLE: Duration = Duration::from_millis(300);

/// The same where there are browsers or node, which go on with themselves for a while after their start.
const SLOW_SETTLE: Duration = Duration::from_secs(3);

/// A visitor's program.
pub enum PreparedVisitor {
    /// The native peer, started when its visitor comes.
    Native,
    /// The native peer, which will fail.
    Failing,
    /// A peer that forges.
    Forging,
    /// The plain client.
    Plain,
    /// A browser that waits for its visit.
    Browser(Box<Browser>),
    /// The scripts that browsers get, in node, which wait for their visit.
    Scripts(Process),
    /// WebTorrent in node, which waits for its visit.
    Torrent(Process),
}

impl PreparedVisitor {
    /// One for each visitor of the plan, and how long they need to come to rest.
    ///
    /// # Errors
    /// When a browser or node does not start.
    pub fn prepare(topology: &Topology, plan: &Plan, contestant: Contestant) -> anyhow::Result<(Vec<Self>, Duration)> {
        let prepared: Vec<Self> =
            plan.visitors.iter().enumerate().map(|visitor| Self::of(topology, plan, visitor, contestant)).collect::<anyhow::Result<_>>()?;
        // All of them start at once; then each is waited for.
        for prepared in &prepared {
            match prepared {
                Self::Torrent(process) => torrent::await_ready(process)?,
                Self::Scripts(process) => scripts::await_ready(process)?,
                Self::Native | Self::Failing | Self::Forging | Self::Plain | Self::Browser(_) => {}
            }
        }
        let is_slow = prepared.iter().any(|prepared| matches!(prepared, Self::Browser(_) | Self::Scripts(_) | Self::Torrent(_)));
        Ok((prepared, if is_slow { SLOW_SETTLE } else { SETTLE }))
    }

    fn of(topology: &Topology, plan: &Plan, (index, visitor): (usize, &Visitor), contestant: Contestant) -> anyhow::Result<Self> {
        if contestant == Contestant::WebTorrent {
            return Ok(Self::Torrent(torrent::start(topology, visitor)?));
        }
        if let Program::Browser(engine) = visitor.program {
            let folder = topology.folder.clone();
            let starting = topology.namespaces[visitor.endpoint].run(move || Browser::start(engine, &folder));
            let browser = starting.wait()?.with_context(|| format!("a visitor's {engine:?}"))?;
            return Ok(Self::Browser(Box::new(browser)));
        }
        if contestant == Contestant::Viral && visitor.program == Program::Scripts {
            return Ok(Self::Scripts(scripts::start(topology, (index, visitor), index < checked(plan.app_bytes))?));
        }
        Ok(match (contestant, visitor.role) {
            (Contestant::Nginx | Contestant::WebTorrent, _) => Self::Plain,
            (Contestant::Viral, Role::Honest | Role::Slow) => Self::Native,
            (Contestant::Viral, Role::Dead | Role::Silent) => Self::Failing,
            (Contestant::Viral, Role::Forging) => Self::Forging,
        })
    }

    /// The whole visit, on the thread of the visitor's namespace; `report` is called once, as soon as the outcome is known. How many bytes it forged.
    ///
    /// # Errors
    /// When a visitor that has to be hostile cannot be.
    pub fn visit(
        self,
        stage: &Stage,
        (index, visitor): (usize, &Visitor),
        contestant: Contestant,
        report: impl FnOnce(VisitResult),
    ) -> anyhow::Result<u64> {
        match self {
            Self::Native => native::visit(stage, index, visitor, report),
            Self::Failing => hostile::fail(stage, index, visitor, report),
            Self::Forging => return hostile::forge(stage, index, visitor, report),
            Self::Plain => plain::visit(stage, index, visitor, report),
            Self::Torrent(process) => torrent::visit(&process, stage, (index, visitor), report),
            Self::Scripts(process) => scripts::visit(process, stage, (index, visitor), report),
            Self::Browser(browser) => browser.visit(stage, (index, visitor), contestant == Contestant::Viral, report),
        }
        Ok(0)
    }
}
